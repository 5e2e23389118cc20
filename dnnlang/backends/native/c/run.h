/* Running a plan: the environment of its steps, threads that take them together, batches drawn from the data. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define MAX_THREADS 16

/* What is the same for all steps of a run. Values of one number a sample lie in rows of `ld` reals: m samples, then
   padding to whole vectors, which nobody relies on. `vectors` are those that m samples take. */
typedef struct {
    int64_t m, ld, vectors, step, seed;
    double rate;
    real *scalars;               /* what updates need of rate and t, made once a step */
    real mean;                   /* 1/m */
    double J[MAX_THREADS][8];    /* each thread's share of J, a cache line each */
    double norm[MAX_THREADS][8]; /* of the squared norm of the gradients */
} env;

typedef int64_t operand; /* of a step: where a value begins */
#define PLACE(n) ((real *)a[n])

typedef void (*step_function)(env *e, const operand *a, int t, int T);

/* Parts of 0 … n for thread t of T, in whole units. */
static inline void share(int64_t n, int t, int T, int64_t *from, int64_t *to) {
    *from = n * t / T;
    *to = n * (t + 1) / T;
}

/* ---------------------------------------------------------------- threads */

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#define SPINS 4000

typedef struct {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int round;
} barrier;

static barrier between;

/* Waits for all threads. Spins first: a step often takes less time than waking a thread. */
static void meet(int T) {
    if (T == 1) return;
    int round = atomic_load_explicit(&between.round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&between.arrived, 1, memory_order_acq_rel) == T - 1) {
        atomic_store_explicit(&between.arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&between.round, round + 1, memory_order_release);
        return;
    }
    for (int64_t spins = 0; atomic_load_explicit(&between.round, memory_order_acquire) == round; ++spins)
        if (spins < SPINS) relax(); else sched_yield();
}

typedef struct job job;
struct job {
    void (*work)(job *, int t, int T);
    int T;
    int open; /* fewer threads can do all of it: nobody waits for one that has not begun */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    job *now;
    int threads;            /* of the job; who is late and has no part in it must not look at the job: it may be over */
    int begun;              /* threads, besides the one that brought the job, that are or were at it */
    atomic_int number;      /* counts the jobs */
    atomic_int done;        /* threads that have finished the job */
    int running;            /* threads that were started */
    pthread_t threads_started[MAX_THREADS];
    int apart_from;         /* the processor that helpers keep off; -1: none yet */
    int first[MAX_THREADS]; /* the number of the last job before a thread was started */
    pthread_mutex_t busy;   /* held while a job is under way */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .busy = PTHREAD_MUTEX_INITIALIZER};

static void *helper(void *argument) {
    int t = (int)(intptr_t)argument, seen = pool.first[t];
    for (;;) {
        for (int64_t spins = 0; spins < SPINS && atomic_load_explicit(&pool.number, memory_order_acquire) == seen; ++spins)
            relax();
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.number) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
        seen = atomic_load(&pool.number);
        job *now = pool.now;
        int T = pool.threads;
        pool.begun += t < T;
        pthread_mutex_unlock(&pool.lock);
        if (t < T) {
            now->work(now, t, T);
            atomic_fetch_add_explicit(&pool.done, 1, memory_order_release);
        }
    }
    return 0;
}

/* Keeps the helpers off the processor that the caller is on. Threads that wait for each other by spinning look busy
   to a scheduler, which may leave two of them on one processor for long, while another is idle. */
static void stay_apart(void) {
#if defined(__linux__) && defined(CPU_SET)
    cpu_set_t allowed;
    int here = sched_getcpu();
    if (here < 0 || here == pool.apart_from || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    if (here < CPU_SETSIZE) CPU_CLR(here, &allowed);
    if (CPU_COUNT(&allowed) < pool.running) return; /* they could not all run at once anyway */
    for (int t = 1; t <= pool.running; ++t)
        if (pthread_setaffinity_np(pool.threads_started[t], sizeof allowed, &allowed) != 0) return;
    pool.apart_from = here;
#endif
}

/* A process that was forked has none of its parent's threads. */
static void forget_threads(void) {
    static const pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    pool.lock = pool.busy = lock;
    pool.wake = wake;
    pool.running = 0;
    atomic_store(&pool.number, 0);
    atomic_store(&between.arrived, 0);
}

/* Runs the job on T threads, this one among them; on fewer, if the system gives no more. */
static void together(job *j) {
    static int registered = 0;
    if (j->T == 1) {
        j->work(j, 0, 1);
        return;
    }
    pthread_mutex_lock(&pool.busy);
    if (!registered) {
        registered = 1;
        pthread_atfork(0, 0, forget_threads);
    }
    while (pool.running < j->T - 1) {
        pthread_t thread;
        pool.first[pool.running + 1] = atomic_load(&pool.number);
        if (pthread_create(&thread, 0, helper, (void *)(intptr_t)(pool.running + 1)) != 0) break;
        pthread_detach(thread);
        pool.threads_started[++pool.running] = thread;
        pool.apart_from = -1;
    }
    stay_apart();
    if (j->T > pool.running + 1) j->T = pool.running + 1;
    atomic_store(&pool.done, 0);
    pthread_mutex_lock(&pool.lock);
    pool.now = j;
    pool.threads = j->T;
    pool.begun = 0;
    atomic_fetch_add(&pool.number, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    j->work(j, 0, j->T);
    int others = j->T - 1;
    if (j->open) {
        pthread_mutex_lock(&pool.lock);
        pool.threads = 0;
        others = pool.begun;
        pthread_mutex_unlock(&pool.lock);
    }
    for (int64_t spins = 0; atomic_load_explicit(&pool.done, memory_order_acquire) < others; ++spins)
        if (spins < SPINS) relax(); else sched_yield();
    pthread_mutex_unlock(&pool.busy);
}

/* ---------------------------------------------------------------- data */

/* Where a batch comes from: units × samples of reals, any strides, and the rows of the environment it goes to. */
typedef struct {
    const real *from;
    int64_t units, unit_stride, sample_stride;
    real *to;
} source;

#define BLOCK 16

/* Samples columns[0 … m), or 0 … m where there are none, as columns of `to`; this thread's share of the vectors. The
   padding behind them is filled with zeros. */
static void draw(const env *e, const source *s, const int64_t *columns, int t, int T) {
    int64_t v0, v1;
    share(e->vectors, t, T, &v0, &v1);
    int64_t begin = v0 * LANES, end = v1 * LANES, last = end < e->m ? end : e->m;
    for (int64_t j = begin; j < last; j += BLOCK) {
        const real *sample[BLOCK];
        int64_t count = last - j < BLOCK ? last - j : BLOCK;
        for (int64_t k = 0; k < count; ++k) sample[k] = s->from + (columns ? columns[j + k] : j + k) * s->sample_stride;
        for (int64_t i = 0; i < s->units; ++i)
            for (int64_t k = 0; k < count; ++k) s->to[i * e->ld + j + k] = sample[k][i * s->unit_stride];
    }
    for (int64_t i = 0; i < s->units; ++i)
        for (int64_t j = last; j < end; ++j) s->to[i * e->ld + j] = 0;
}

/* ---------------------------------------------------------------- runs */

/* The steps in `code`, `times` times: function, number of arguments, whether all threads meet before it, arguments. */
typedef struct {
    job base;
    env *e;
    const step_function *functions;
    void (*scalars)(env *e);
    const int64_t *code;
    int64_t length, times, sources;
    const source *source;
    const int64_t *columns; /* of each time's batch, one batch behind the other; 0: the same batch every time */
    double *losses;         /* J of each time */
} run;

static void work(job *j, int t, int T) {
    run *r = (run *)j;
    env *e = r->e;
    const int64_t *end = r->code + r->length;
    for (int64_t time = 0; time < r->times; ++time) {
        if (time == 0 || r->columns)
            for (int64_t s = 0; s < r->sources; ++s)
                draw(e, r->source + s, r->columns ? r->columns + time * e->m : 0, t, T);
        e->J[t][0] = 0;
        if (t == 0 && r->scalars) r->scalars(e);
        meet(T);
        for (const int64_t *code = r->code; code < end; code += 3 + code[1]) {
            if (code[2]) meet(T);
            r->functions[code[0]](e, code + 3, t, T);
        }
        int parity = 1 + (int)(time & 1); /* a thread ahead writes the other one */
        e->J[t][parity] = e->J[t][0];
        meet(T);
        if (t != 0) continue;
        double J = 0;
        for (int k = 0; k < T; ++k) J += e->J[k][parity];
        r->losses[time] = J;
        ++e->step;
    }
}

/* Running a plan: the environment of its steps, threads that take them together, batches drawn from the data. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define MAX_THREADS 16
#define MAX_BLOCKS 64

/* What is the same for all steps of a run. Values of one number a sample lie in rows of `ld` reals: m samples, then
   padding to whole vectors, which nobody relies on. `vectors` are those that m samples take. */
typedef struct {
    int64_t m, ld, vectors, step, seed;
    double rate;
    real *scalars;               /* what updates need of rate and t, made once a step */
    real mean;                   /* 1/m */
    /* What each block adds, a cache line each: to J by its samples, to J by its rows of W, and to the squared norm of
       the gradients. */
    double J[MAX_BLOCKS][8];
    double penalty[MAX_BLOCKS][8];
    double norm[MAX_BLOCKS][8];
} env;

typedef int64_t operand; /* of a step: where a value begins */
#define PLACE(n) ((real *)a[n])

/* Does block t of T of a step: some of the samples, or of the rows. */
typedef void (*step_function)(env *e, const operand *a, int t, int T);

/* Part t of T of 0 … n, in whole units. */
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

static inline void rest(int64_t spins) {
    if (spins < SPINS) relax(); else sched_yield();
}

/* Which thread this is: of what each of them has for itself, it takes the part of this number. */
OF_ALL_UNITS _Thread_local int this_thread;
#define THREAD this_thread

typedef struct job job;
struct job {
    void (*work)(job *, int t, int T);
    int T;    /* fewer can do all of it: nobody waits for one that has not begun */
    int once; /* over soon, so it is not worth much to prepare for it */
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
    int all;                /* have they one processor each? */
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

/* Threads that wait for each other by spinning look busy to a scheduler, which may leave two of them on one processor for
   long, while another is idle. So where there are as many as processors, each gets one for the time of a job: this
   thread the one that it is on. Where there are more processors, the helpers keep off that one. For a job that is over
   soon they only keep off: to ask the system takes as long as some thousand multiplications. */
#if defined(__linux__) && defined(CPU_SET)
typedef struct {
    int fixed;
    cpu_set_t usual;
} settled;

static settled settle(int T, int once) {
    settled s = {0};
    int here = sched_getcpu();
    if (once && here == pool.apart_from) return s;
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof s.usual, &s.usual) != 0) return s;
    cpu_set_t one, others = s.usual;
    CPU_CLR(here, &others);
    int count = CPU_COUNT(&others), all = count + 1 == T;
    if (count < pool.running || !CPU_ISSET(here, &s.usual)) return s;
    if (here != pool.apart_from || all != pool.all)
        for (int t = 1, cpu = 0; t <= pool.running; ++t, ++cpu) {
            while (!CPU_ISSET(cpu, &others)) ++cpu;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            if (pthread_setaffinity_np(pool.threads_started[t], sizeof one, all ? &one : &others) != 0) return s;
        }
    pool.apart_from = here;
    pool.all = all;
    CPU_ZERO(&one);
    CPU_SET(here, &one);
    s.fixed = all && !once && sched_setaffinity(0, sizeof one, &one) == 0;
    return s;
}

static void unsettle(const settled *s) {
    if (s->fixed) sched_setaffinity(0, sizeof s->usual, &s->usual);
}
#else
typedef int settled;
static settled settle(int T, int once) { return T + once; }
static void unsettle(const settled *s) { (void)s; }
#endif

/* How many tasks of its own a thread has taken, and above them the number of the stage that they are of. */
static struct {
    _Alignas(64) _Atomic int64_t taken;
} claims[MAX_THREADS];
static struct {
    _Alignas(64) _Atomic int64_t tasks; /* since the job began */
} finished;
#define STAGE_BITS 16
#define PATIENCE 20 /* half a microsecond */

/* A process that was forked has none of its parent's threads. */
static void forget_threads(void) {
    static const pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    pool.lock = pool.busy = lock;
    pool.wake = wake;
    pool.running = 0;
    atomic_store(&pool.number, 0);
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
    settled place = settle(j->T, j->once);
    if (j->T > pool.running + 1) j->T = pool.running + 1;
    atomic_store(&pool.done, 0);
    for (int t = 0; t < MAX_THREADS; ++t) atomic_store(&claims[t].taken, 0);
    atomic_store(&finished.tasks, 0);
    pthread_mutex_lock(&pool.lock);
    pool.now = j;
    pool.threads = j->T;
    pool.begun = 0;
    atomic_fetch_add(&pool.number, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    j->work(j, 0, j->T);
    pthread_mutex_lock(&pool.lock);
    pool.threads = 0;
    int others = pool.begun;
    pthread_mutex_unlock(&pool.lock);
    for (int64_t spins = 0; atomic_load_explicit(&pool.done, memory_order_acquire) < others; ++spins) rest(spins);
    unsettle(&place);
    pthread_mutex_unlock(&pool.busy);
}

/* ---------------------------------------------------------------- data */

/* Where a batch comes from: units × samples of reals, any strides, and the rows of the environment it goes to. */
typedef struct {
    const real *from;
    int64_t units, unit_stride, sample_stride;
    real *to;
} source;

/* ---------------------------------------------------------------- runs */

/* Calls that one block after the other makes, code[begin … end): function, number of arguments, arguments. */
typedef struct {
    int64_t blocks, begin, end;
} chain;

/* What goes on between two meetings. The blocks are tasks that need not wait for each other: a thread does those of its
   share, first the samples, and then those that others have not begun with. */
typedef struct {
    chain samples, rows;
    int64_t before; /* tasks of the stages before */
} stage;

/* Code: the number of stages, the most blocks of a chain, the stages, and what their chains are of. */
static inline const stage *stages_of(const int64_t *code) { return (const stage *)(const void *)(code + 2); }

/* The steps in `code`, `times` times. */
typedef struct run run;
struct run {
    job base;
    env *e;
    const step_function *functions;
    const int64_t *code;
    int64_t times;
    const source *source;
    void (*bring)(run *r, int64_t time, int t, int T); /* brings block t of T of a batch */
    void (*finish)(run *r, int64_t time);              /* when all steps are done */
};

static inline void make(const run *r, const chain *c, int64_t block) {
    for (const int64_t *at = r->code + c->begin, *end = r->code + c->end; at < end; at += 2 + at[1])
        r->functions[at[0]](r->e, at + 2, (int)block, (int)c->blocks);
}

static inline void make_samples(run *r, int64_t time, int64_t k, const chain *c, int64_t block) {
    if (k == 0) r->bring(r, time, (int)block, (int)c->blocks);
    make(r, c, block);
}

static void alone(run *r) {
    const stage *stages = stages_of(r->code);
    int64_t count = r->code[0];
    for (int64_t time = 0; time < r->times; ++time) {
        for (int64_t k = 0; k < count; ++k) {
            const stage *s = stages + k;
            for (int64_t b = 0; b < s->samples.blocks; ++b) make_samples(r, time, k, &s->samples, b);
            for (int64_t b = 0; b < s->rows.blocks; ++b) make(r, &s->rows, b);
        }
        r->finish(r, time);
    }
}

/* The next of the `most` tasks that a thread has in a stage, whoever asks for it; -1: they are all taken, or over. */
static inline int64_t claim(int of, int64_t number, int64_t most) {
    int64_t none = (number + 1) << STAGE_BITS, seen = atomic_load_explicit(&claims[of].taken, memory_order_relaxed);
    for (;;) {
        int64_t next = seen > none ? seen - none : 0; /* more than any number of tasks if a later stage has begun */
        if (next >= most) return -1;
        if (atomic_compare_exchange_weak_explicit(&claims[of].taken, &seen, none + next + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return next;
    }
}

/* Does the tasks of `of` in a stage that nobody has taken; how many these were. The one behind all stages is `finish`. */
static int64_t take_tasks(run *r, int64_t time, int64_t k, int of, int T) {
    int64_t count = r->code[0], number = time * (count + 1) + k, done = 0;
    if (k == count) {
        if (of != 0 || claim(0, number, 1) < 0) return 0;
        r->finish(r, time);
        return 1;
    }
    const stage *s = stages_of(r->code) + k;
    int64_t samples, samples_end, rows, rows_end;
    share(s->samples.blocks, of, T, &samples, &samples_end);
    share(s->rows.blocks, of, T, &rows, &rows_end);
    samples_end -= samples;
    for (int64_t n; (n = claim(of, number, samples_end + rows_end - rows)) >= 0; ++done)
        if (n < samples_end)
            make_samples(r, time, k, &s->samples, samples + n);
        else
            make(r, &s->rows, rows + n - samples_end);
    return done;
}

/* What a thread does of a stage, which is over when `end` tasks are done: its own tasks, and if the others do not come to
   the end of theirs soon, those. To ask for them at once would take their claims out of their caches. */
static void end_stage(run *r, int64_t time, int64_t k, int t, int T, int64_t end) {
    int64_t mine = take_tasks(r, time, k, t, T), others = 0;
    if (mine) atomic_fetch_add_explicit(&finished.tasks, mine, memory_order_release);
    for (int64_t n = 0; n < PATIENCE; ++n) {
        if (atomic_load_explicit(&finished.tasks, memory_order_acquire) >= end) return;
        relax();
    }
    for (int n = 1; n < T; ++n) others += take_tasks(r, time, k, t + n < T ? t + n : t + n - T, T);
    if (others) atomic_fetch_add_explicit(&finished.tasks, others, memory_order_release);
}

/* A thread that comes late, because something else had its processor, goes on where the others are. */
static void work(job *j, int t, int T) {
    run *r = (run *)j;
    this_thread = t;
    if (T == 1) {
        alone(r);
        return;
    }
    const stage *stages = stages_of(r->code);
    int64_t count = r->code[0], last = count - 1;
    int64_t total = stages[last].before + stages[last].samples.blocks + stages[last].rows.blocks + 1;
    for (int64_t time = 0, k = 0, spins = 0; time < r->times;) {
        int64_t done = atomic_load_explicit(&finished.tasks, memory_order_acquire) - time * total;
        int64_t before = k < count ? stages[k].before : total - 1, end = k < last ? stages[k + 1].before : total - (k == last);
        if (done < before) {
            rest(spins++);
            continue;
        }
        if (done < end) end_stage(r, time, k, t, T, time * total + end);
        spins = 0;
        if (done >= total) {
            time += done / total;
            k = 0;
        } else if (++k > count) {
            ++time;
            k = 0;
        }
    }
    for (int64_t spins = 0; atomic_load_explicit(&finished.tasks, memory_order_acquire) < r->times * total;) rest(spins++);
}

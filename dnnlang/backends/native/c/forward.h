/* One batch through the forward part, its numbers checked while they are read. */

typedef struct {
    env *e;
    const int64_t *code;
    int64_t threads;
    const source *from;
} forward;

/* The same for many samples, in blocks of few: each thread has an environment and room of its own for a block. What the
   steps need then stays in the near caches, and a thread that is held up leaves blocks to the others. */
typedef struct {
    forward of;           /* one block; its source is where the block goes to */
    const real *output;   /* rows of the output, of.e->ld apart */
} block;

typedef struct {
    block *blocks; /* one for each thread */
    int64_t threads, samples;
    int64_t count; /* of blocks: as many for each thread */
    const real *from;
    int64_t unit_stride, sample_stride;
    real *to; /* (outputs, samples) */
    int64_t outputs;
} many;

/* ---------------------------------------------------------------- reading */

/* Samples 0 … m as columns of s->to, zeros behind them; block t of T of the vectors. Are all numbers finite? */
static inline int take(const env *e, const source *s, int t, int T) {
    int64_t v0, v1;
    share(e->vectors, t, T, &v0, &v1);
    int64_t begin = v0 * LANES, end = v1 * LANES, last = end < e->m ? end : e->m;
    int64_t units = s->units, us = s->unit_stride, ss = s->sample_stride;
    vec check = splat(0); /* 0 · x is NaN where x is not finite */
    real rest = 0;
    if (ss == 1 || last - begin < 2) {
        for (int64_t i = 0; i < units; ++i) {
            const real *from = s->from + i * us;
            real *to = s->to + i * e->ld;
            int64_t j = begin;
            for (; j + LANES <= last; j += LANES) {
                SOON(from + 16 * us + j);
                vec x = LOAD_UNALIGNED(from + j);
                STORE(to + j, x);
                check += splat(0) * x;
            }
            if (j == end) continue;
            if (from == to) { /* they lie there already */
                vec x = pick(first_lanes((long)(last - j)), LOAD(to + j), splat(0));
                STORE(to + j, x);
                check += splat(0) * x;
                continue;
            }
            STORE(to + j, splat(0));
            for (; j < last; ++j) {
                to[j] = from[j];
                rest += 0 * from[j];
            }
        }
        return rest == 0 && !any(is_nan(check));
    }
    for (int64_t j = begin; j < end; j += LANES) {
        const real *rows[LANES];
        int64_t count = last - j < LANES ? last - j : LANES;
        for (int64_t k = 0; k < count; ++k) rows[k] = s->from + (j + k) * ss;
        lay_samples(rows, count, units, us, s->to + j, e->ld);
        for (int64_t i = 0; i < units; ++i) check += splat(0) * LOAD(s->to + i * e->ld + j);
    }
    return !any(is_nan(check));
}

/* ---------------------------------------------------------------- running */

typedef struct {
    run base;
    atomic_int refused;
} passing;

static void bring_checked(run *r, int64_t time, int t, int T) {
    (void)time;
    if (!take(r->e, r->source, t, T)) atomic_store_explicit(&((passing *)r)->refused, 1, memory_order_relaxed);
}

static void finish_nothing(run *r, int64_t time) { (void)r, (void)time; }

/* All steps, with all samples as one block. */
static int steps(const forward *f) {
    int all_finite = take(f->e, f->from, 0, 1);
    const stage *stages = stages_of(f->code);
    for (int64_t k = 0; k < f->code[0]; ++k)
        for (const int64_t *at = f->code + stages[k].samples.begin, *end = f->code + stages[k].rows.end; at < end;
             at += 2 + at[1])
            functions[at[0]](f->e, at + 2, 0, 1);
    return all_finite;
}

typedef struct {
    job base;
    const many *of;
    atomic_int refused;
    atomic_llong next; /* block that nobody has begun with */
} passing_many;

static void pass_many(job *j, int t, int T) {
    (void)T;
    this_thread = 0; /* the room of an environment is for one */
    passing_many *p = (passing_many *)j;
    const many *f = p->of;
    const block *own = f->blocks + t;
    env *e = own->of.e;
    source from = *own->of.from;
    forward one = own->of;
    one.from = &from;
    from.unit_stride = f->unit_stride;
    from.sample_stride = f->sample_stride;
    for (;;) {
        int64_t number = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed), v0, v1;
        if (number >= f->count) return;
        share((f->samples + LANES - 1) / LANES, (int)number, (int)f->count, &v0, &v1);
        int64_t begin = v0 * LANES, end = v1 * LANES < f->samples ? v1 * LANES : f->samples;
        e->m = end - begin;
        e->vectors = v1 - v0;
        from.from = f->from + begin * f->sample_stride;
        if (!steps(&one)) atomic_store_explicit(&p->refused, 1, memory_order_relaxed);
        for (int64_t i = 0; i < f->outputs; ++i)
            memcpy(f->to + i * f->samples + begin, own->output + i * e->ld, (size_t)e->m * sizeof(real));
    }
}

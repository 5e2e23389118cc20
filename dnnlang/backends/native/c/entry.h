/* What is called from outside. */

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Samples columns[0 … m), or 0 … m where there are none, as columns of `to`; block t of T of the vectors. */
static inline void draw(const env *e, const source *s, const int64_t *columns, int t, int T) {
    int64_t v0, v1;
    share(e->vectors, t, T, &v0, &v1);
    for (int64_t j = v0 * LANES; j < v1 * LANES; j += LANES) {
        const real *rows[LANES];
        int64_t count = e->m - j < LANES ? e->m - j : LANES;
        if (!columns && s->sample_stride == 1 && count == LANES) {
            for (int64_t i = 0; i < s->units; ++i)
                STORE(s->to + i * e->ld + j, LOAD_UNALIGNED(s->from + i * s->unit_stride + j));
            continue;
        }
        for (int64_t k = 0; k < count; ++k) rows[k] = s->from + (columns ? columns[j + k] : j + k) * s->sample_stride;
        lay_samples(rows, count, s->units, s->unit_stride, s->to + j, e->ld);
    }
}

typedef struct {
    run base;
    void (*scalars)(env *e);
    int64_t sources;
    const int64_t *columns; /* of each time's batch, one batch behind the other; 0: the same batch every time */
    double *losses;         /* J of each time */
} training;

static void bring_drawn(run *r, int64_t time, int t, int T) {
    const training *of = (const training *)r;
    if (time != 0 && !of->columns) return;
    for (int64_t s = 0; s < of->sources; ++s) draw(r->e, r->source + s, of->columns ? of->columns + time * r->e->m : 0, t, T);
}

static void finish_step(run *r, int64_t time) {
    const training *of = (const training *)r;
    env *e = r->e;
    double J = 0;
    for (int64_t b = 0; b < r->code[1]; ++b) {
        J += e->J[b][0] + e->penalty[b][0];
        e->J[b][0] = e->penalty[b][0] = 0;
    }
    of->losses[time] = J;
    ++e->step;
    of->scalars(e);
}

/* Runs the steps in `code` on up to `threads` threads, `times` times; J of each time goes to `losses`. */
EXPORT void dnn_run(env *e, const int64_t *code, int64_t times, int threads, const source *from, int64_t sources,
                    const int64_t *columns, double *losses) {
    int T = threads < MAX_THREADS ? threads : MAX_THREADS;
    training r = {{{work, T, 0}, e, functions, code, times, from, bring_drawn, finish_step}, make_scalars, sources, columns, losses};
    for (int64_t b = 0; b < code[1]; ++b) e->J[b][0] = e->penalty[b][0] = 0;
    make_scalars(e);
    together(&r.base.base);
}

/* The forward part for the batch that `f` tells of. 0 if some of its numbers are not finite. */
EXPORT int dnn_forward(const forward *f) {
    if (f->threads == 1) return steps(f);
    passing p = {{{work, (int)f->threads, 1}, f->e, functions, f->code, 1, f->from, bring_checked, finish_nothing}, 0};
    together(&p.base.base);
    return !atomic_load_explicit(&p.refused, memory_order_relaxed);
}

/* The same for many samples. */
EXPORT int dnn_forward_many(const many *f) {
    passing_many p = {{pass_many, (int)f->threads, 1}, f, 0, 0};
    together(&p.base);
    return !atomic_load_explicit(&p.refused, memory_order_relaxed);
}

/* What is called from outside. */

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Runs the steps in `code` on up to `threads` threads, `times` times; J of each time goes to `losses`. */
EXPORT void dnn_run(env *e, const int64_t *code, int64_t length, int64_t times, int threads, const source *from,
                    int64_t sources, const int64_t *columns, double *losses) {
    run r = {{work, threads < MAX_THREADS ? threads : MAX_THREADS}, e, functions, make_scalars, code, length, times,
             sources, from, columns, losses};
    together(&r.base);
}

/* The forward part for the batch that `f` tells of. 0 if some of its numbers are not finite. */
EXPORT int dnn_forward(const forward *f) {
    passing p = {{pass, (int)f->threads}, f, 0};
    together(&p.base);
    return !atomic_load_explicit(&p.refused, memory_order_relaxed);
}

/* The same for many samples. */
EXPORT int dnn_forward_many(const many *f) {
    passing_many p = {{pass_many, (int)f->threads, 1}, f, 0, 0};
    together(&p.base);
    return !atomic_load_explicit(&p.refused, memory_order_relaxed);
}

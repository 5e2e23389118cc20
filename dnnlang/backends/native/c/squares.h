/* Rows become columns, a square of vectors at a time. */

#if LANES > 1 && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#if LANES == 16
#define FIRST_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define LAST_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define FIRST_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define LAST_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#elif LANES == 4
#define FIRST_HALVES 0, 4, 1, 5
#define LAST_HALVES 2, 6, 3, 7
#else
#define FIRST_HALVES 0, 2
#define LAST_HALVES 1, 3
#endif
#endif
#endif

/* Numbers i … i + LANES of `count` rows as columns, to[(i + a)*ld + k]; zeros in the other columns of a vector. */
static inline void lay_square(const real *const *rows, int64_t count, int64_t i, real *to, int64_t ld) {
    to += i * ld;
#ifdef FIRST_HALVES
    vec row[LANES], half[LANES];
    UNROLLED for (int k = 0; k < LANES; ++k) {
        row[k] = k < count ? LOAD_UNALIGNED(rows[k] + i) : splat(0);
    }
    /* The halves of rows k and k + LANES/2 are merged, number by number; after log2 LANES times rows are columns. */
    UNROLLED for (int times = 1; times < LANES; times *= 2) {
        UNROLLED for (int k = 0; k < LANES / 2; ++k) {
            half[2 * k] = __builtin_shufflevector(row[k], row[k + LANES / 2], FIRST_HALVES);
            half[2 * k + 1] = __builtin_shufflevector(row[k], row[k + LANES / 2], LAST_HALVES);
        }
        UNROLLED for (int k = 0; k < LANES; ++k) row[k] = half[k];
    }
    UNROLLED for (int a = 0; a < LANES; ++a) STORE(to + a * ld, row[a]);
#else
    for (int64_t a = 0; a < LANES; ++a)
        for (int64_t k = 0; k < LANES; ++k) to[a * ld + k] = k < count ? rows[k][i + a] : 0;
#endif
}

/* Columns of a block of samples of `from`, `units` rows, as rows of `to`: to[s * ldt + i] = from[i * ld + s]. Rows are
   filled up to whole vectors with zeros. */
static inline void transpose(const env *e, const real *from, int64_t units, real *to, int64_t ldt, int t, int T) {
    int64_t v0, v1;
    share(e->vectors, t, T, &v0, &v1);
    for (int64_t i = 0; i < units; i += LANES) {
        const real *rows[LANES];
        int64_t count = units - i < LANES ? units - i : LANES;
        for (int64_t k = 0; k < count; ++k) rows[k] = from + (i + k) * e->ld;
        for (int64_t s = v0 * LANES; s < v1 * LANES; s += LANES) lay_square(rows, count, s, to + i, ldt);
    }
}

/* LANES samples at most, `units` numbers from each of `rows` on, as a vector of each row of `to`; zeros behind them. */
static inline void lay_samples(const real *const *rows, int64_t count, int64_t units, int64_t stride, real *to, int64_t ld) {
    if (stride == 1 && units >= LANES) {
        for (int64_t i = 0; i + LANES < units; i += LANES) lay_square(rows, count, i, to, ld);
        lay_square(rows, count, units - LANES, to, ld); /* some of it a second time */
        return;
    }
    for (int64_t k = 0; k < count; ++k)
        for (int64_t i = 0; i < units; ++i) to[i * ld + k] = rows[k][i * stride];
    for (int64_t k = count; k < LANES; ++k)
        for (int64_t i = 0; i < units; ++i) to[i * ld + k] = 0;
}

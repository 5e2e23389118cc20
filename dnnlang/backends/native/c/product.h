/* Products on tiles that stay in registers: `rows` rows of `width` vectors.

   A tile is the sum over k of L[i*rs + k*cs] · R[k*ldr + j]: rows of R are read as vectors, entries of L one by one.
   With values of one column a sample as R, their samples lie along the vector; with strides rs and cs any matrix, and
   its transpose, can be L. */

#define ROWS 8      /* of the largest tile: with three vectors and 24 sums, as many as registers hold */
#define CHUNK 2048  /* terms that are added before the tiles of the next rows: what R has of them stays near */

#if defined(__GNUC__)
#define UNROLLED _Pragma("GCC unroll 16")
#define SOON(p) __builtin_prefetch(p) /* for operands that are far away: a processor does not see the pattern */
#else
#define UNROLLED
#define SOON(p) ((void)0)
#endif

#define TILE_SUM(rows, width, far)                                                           \
    vec c[rows][width];                                                                      \
    UNROLLED for (int i = 0; i < rows; ++i)                                                  \
        UNROLLED for (int j = 0; j < width; ++j)                                             \
            c[i][j] = before ? LOAD(before + (i * width + j) * LANES) : splat(0);            \
    for (int64_t k = 0; k < K; ++k) {                                                        \
        vec r[width];                                                                        \
        if (far) SOON(left + (rs == 1 ? 2 * ROWS : (ROWS + (k & 7)) * rs));                  \
        UNROLLED for (int j = 0; j < width; ++j) {                                           \
            if (far) SOON(right + 16 * ldr + j * LANES);                                     \
            r[j] = LOAD(right + j * LANES);                                                  \
        }                                                                                    \
        UNROLLED for (int i = 0; i < rows; ++i) {                                            \
            real l = left[i * rs];                                                           \
            UNROLLED for (int j = 0; j < width; ++j) c[i][j] += l * r[j];                    \
        }                                                                                    \
        left += cs;                                                                          \
        right += ldr;                                                                        \
    }                                                                                        \
    if (after) {                                                                             \
        UNROLLED for (int i = 0; i < rows; ++i)                                              \
            UNROLLED for (int j = 0; j < width; ++j) STORE(after + (i * width + j) * LANES, c[i][j]); \
        return;                                                                              \
    }

#define TILE_ARGUMENTS                                                                       \
    const env *e, int64_t K, const real *left, int64_t rs, int64_t cs, const real *right, int64_t ldr, \
        const real *before, real *after, real *const *o, int64_t i0, int64_t j0

typedef void (*tile)(TILE_ARGUMENTS);

/* Rows i0 … i1 and vectors v0 … v1 of the product. tiles[r - 1][w - 1] is the one of r rows and w vectors. `sums` has
   room for the sums of so many rows of one strip, if there are more than CHUNK terms. */
static inline void product(const env *e, tile const (*tiles)[3], int64_t K, const real *left, int64_t rs, int64_t cs,
                           const real *right, int64_t ldr, real *sums, real *const *o, int64_t i0, int64_t i1,
                           int64_t v0, int64_t v1) {
    int64_t most = ROWS;
    while (!tiles[most - 1][0] && !tiles[most - 1][1] && !tiles[most - 1][2]) --most;
    for (int64_t v = v0, width; v < v1; v += width) {
        int64_t rest = v1 - v;
        width = rest == 1 ? 1 : rest == 2 || rest == 4 ? 2 : 3;
        while (!tiles[most - 1][width - 1]) --width;
        for (int64_t k = 0; k < K; k += CHUNK) {
            int64_t terms = K - k < CHUNK ? K - k : CHUNK;
            for (int64_t i = i0, rows; i < i1; i += rows) {
                rows = i1 - i < most ? i1 - i : most;
                real *room = K > CHUNK ? sums + (i - i0) * width * LANES : 0;
                tiles[rows - 1][width - 1](e, terms, left + i * rs + k * cs, rs, cs, right + k * ldr + v * LANES, ldr,
                                           k ? room : 0, k + terms < K ? room : 0, o, i, v * LANES);
            }
        }
    }
}

/* Columns of this thread's samples of `from`, `units` rows, as rows of `to`: to[s * ldt + i] = from[i * ld + s]. Rows are
   filled up to whole vectors with zeros. */
static inline void transpose(const env *e, const real *from, int64_t units, real *to, int64_t ldt, int t, int T) {
    int64_t v0, v1;
    share(e->vectors, t, T, &v0, &v1);
    for (int64_t i = 0; i < units; i += LANES)
        for (int64_t s = v0 * LANES; s < v1 * LANES; s += LANES) {
            real block[LANES][LANES];
            for (int64_t a = 0; a < LANES; ++a)
                STORE_UNALIGNED(block[a], i + a < units ? LOAD(from + (i + a) * e->ld + s) : splat(0));
            for (int64_t b = 0; b < LANES; ++b) {
                vec column;
                for (int a = 0; a < LANES; ++a) set_lane(&column, a, block[a][b]);
                STORE(to + (s + b) * ldt + i, column);
            }
        }
}

/* The sum of `count` rows of one vector. Four sums, because an addition waits for the one before it. */
static inline vec column_sum(const real *row, int64_t length, int64_t count) {
    vec sum[4] = {splat(0), splat(0), splat(0), splat(0)};
    int64_t s = 0;
    for (; s + 4 <= count; s += 4)
        UNROLLED for (int k = 0; k < 4; ++k) sum[k] += LOAD(row + (s + k) * length);
    for (; s < count; ++s) sum[0] += LOAD(row + s * length);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* The first n numbers of a vector, 0 behind them. */
#define LOAD_FIRST(p, n) ((n) == LANES ? LOAD(p) : pick(first_lanes(n), LOAD(p), splat(0)))

/* `statement` for `blocks` values of b and `units` of i, and vectors of samples from s on, n of which are there. */
#define ALONG_SAMPLES(blocks, units, statement)                                              \
    {                                                                                        \
        int64_t s = 0;                                                                       \
        for (; s + LANES <= e->m; s += LANES) {                                              \
            const int n = LANES;                                                             \
            UNROLLED for (int64_t b = 0; b < blocks; ++b)                                    \
                UNROLLED for (int i = 0; i < units; ++i) { statement; }                      \
        }                                                                                    \
        if (s < e->m) {                                                                      \
            const int n = (int)(e->m - s);                                                   \
            for (int64_t b = 0; b < blocks; ++b)                                             \
                for (int i = 0; i < units; ++i) { statement; }                               \
        }                                                                                    \
    }

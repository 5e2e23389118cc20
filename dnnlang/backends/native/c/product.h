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

/* `last` is the type of the last vectors of a row: shorter ones, where little is left over for them; `widened` makes whole
   ones of them. `soon` are rows that are far away, and wanted when these are done. */
#define TILE_SUM(rows, width, far, last, widened)                                            \
    vec c[rows][width];                                                                      \
    last d[rows];                                                                            \
    UNROLLED for (int i = 0; i < rows; ++i) {                                                \
        UNROLLED for (int j = 0; j < width - 1; ++j)                                         \
            c[i][j] = before ? LOAD(before + (i * width + j) * LANES) : splat(0);            \
        d[i] = before ? *(const last *)(before + (i * width + width - 1) * LANES) : (last){0}; \
    }                                                                                        \
    for (int64_t k = 0; k < K; ++k) {                                                        \
        vec r[width];                                                                        \
        last s = *(const last *)(right + (width - 1) * LANES);                               \
        if (far) SOON(soon);                                                                 \
        if (far) SOON(left + (rs == 1 ? 2 * ROWS : (ROWS + (k & 7)) * rs));                  \
        UNROLLED for (int j = 0; j < width; ++j)                                             \
            if (far) SOON(right + 16 * ldr + j * LANES);                                     \
        UNROLLED for (int j = 0; j < width - 1; ++j) r[j] = LOAD(right + j * LANES);         \
        UNROLLED for (int i = 0; i < rows; ++i) {                                            \
            real l = left[i * rs];                                                           \
            UNROLLED for (int j = 0; j < width - 1; ++j) c[i][j] += l * r[j];                \
            d[i] += l * s;                                                                   \
        }                                                                                    \
        left += cs;                                                                          \
        right += ldr;                                                                        \
        soon += ldr;                                                                         \
    }                                                                                        \
    UNROLLED for (int i = 0; i < rows; ++i) c[i][width - 1] = widened(d[i]);                 \
    if (after) {                                                                             \
        UNROLLED for (int i = 0; i < rows; ++i)                                              \
            UNROLLED for (int j = 0; j < width; ++j) STORE(after + (i * width + j) * LANES, c[i][j]); \
        return;                                                                              \
    }

#define TILE_ARGUMENTS                                                                       \
    const env *e, int64_t K, const real *left, int64_t rs, int64_t cs, const real *right, int64_t ldr, \
        const real *before, real *after, const real *soon, real *const *o, int64_t i0, int64_t j0

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
            const real *next = right + (k + terms < K ? (k + terms) * ldr + v * LANES : (v + width) * LANES);
            for (int64_t i = i0, rows; i < i1; i += rows) {
                rows = i1 - i < most ? i1 - i : most;
                real *room = K > CHUNK ? sums + (i - i0) * width * LANES : 0;
                tiles[rows - 1][width - 1](e, terms, left + i * rs + k * cs, rs, cs, right + k * ldr + v * LANES, ldr,
                                           k ? room : 0, k + terms < K ? room : 0,
                                           next + ((i - i0) / most) % width * LANES, o, i, v * LANES);
            }
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

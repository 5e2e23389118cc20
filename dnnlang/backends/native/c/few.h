/* Products for few samples: units lie along the vector, because most of a vector of samples would be empty.

   The terms of a sum are added in the order of `product`, so that what a sample gives does not depend on its batch. */

#define FEW (LANES < 4 ? 1 : LANES / 4) /* samples at most */
#define STRIP 8         /* vectors of units that are added up together */

/* Sums of `width` vectors of units: c[s] of sample s is the sum over k of L[k*cs + …] · R[k*ldr + s]. As a tile takes
   them: a vector of samples for each unit. */
INLINE void sums_of_few(const int samples, const int width, int64_t K, const real *left, int64_t cs, const real *right,
                        int64_t ldr, real *room) {
    vec c[FEW][STRIP];
    UNROLLED for (int s = 0; s < samples; ++s)
        UNROLLED for (int v = 0; v < width; ++v) c[s][v] = splat(0);
    for (int64_t k = 0; k < K; ++k, left += cs, right += ldr)
        UNROLLED for (int v = 0; v < width; ++v) {
            vec l = LOAD(left + v * LANES);
            UNROLLED for (int s = 0; s < samples; ++s) c[s][v] += right[s] * l;
        }
    real sums[FEW][STRIP * LANES];
    UNROLLED for (int s = 0; s < samples; ++s)
        UNROLLED for (int v = 0; v < width; ++v) STORE_UNALIGNED(sums[s] + v * LANES, c[s][v]);
    for (int i = 0; i < width * LANES; ++i) {
        vec x = splat(sums[0][i]);
        UNROLLED for (int s = 1; s < samples; ++s) x = pick(first_lanes(s), x, splat(sums[s][i]));
        STORE_UNALIGNED(room + i * LANES, x);
    }
}

/* All rows of the product for e->m samples, FEW at most; rows of L are side by side. */
static void product_of_few(const env *e, tile const (*tiles)[3], int64_t K, const real *left, int64_t cs,
                           const real *right, int64_t ldr, real *const *o, int64_t rows) {
    vec room[STRIP * LANES];
    real *sums = (real *)room;
    int64_t vectors = (rows + LANES - 1) / LANES, width;
    for (int64_t v = 0; v < vectors; v += width) {
        const real *l = left + v * LANES;
        int64_t rest = vectors - v;
        width = rest >= STRIP && e->m == 1 ? STRIP : rest >= STRIP / 2 ? STRIP / 2 : 1;
        if (width == STRIP) sums_of_few(1, STRIP, K, l, cs, right, ldr, sums);
        else if (e->m == 1 && width > 1) sums_of_few(1, STRIP / 2, K, l, cs, right, ldr, sums);
        else if (e->m == 1) sums_of_few(1, 1, K, l, cs, right, ldr, sums);
        else if (width > 1) sums_of_few(FEW, STRIP / 2, K, l, cs, right, ldr, sums);
        else sums_of_few(FEW, 1, K, l, cs, right, ldr, sums);
        int64_t end = (v + width) * LANES < rows ? (v + width) * LANES : rows;
        for (int64_t i = v * LANES, count; i < end; i += count) {
            count = end - i < ROWS ? end - i : ROWS;
            tiles[count - 1][0](e, 0, left, 1, cs, right, ldr, sums + (i - v * LANES) * LANES, 0, 0, o, i, 0);
        }
    }
}

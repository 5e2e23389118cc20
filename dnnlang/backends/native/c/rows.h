/* Rows that are copied, drawn, or added up. */

static inline void copy_rows(const env *e, const real *from, real *to, int64_t rows, int64_t ld, int64_t begin, int64_t end) {
    (void)e;
    for (int64_t i = 0; i < rows; ++i) memmove(to + i * ld + begin, from + i * ld + begin, (size_t)(end - begin) * sizeof(real));
}

static inline void add_rows(const env *e, const real *a, const real *b, real *to, int64_t rows, int64_t ld, int64_t begin, int64_t end) {
    (void)e;
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = begin; j < end; ++j) to[i * ld + j] = a[i * ld + j] + b[i * ld + j];
}

/* Σ of the squares of the entries, of this thread's rows, each row added up for itself. */
static inline double squares(const real *p, int64_t rows, int64_t units, int64_t length, int t, int T) {
    int64_t r0, r1;
    share(rows, t, T, &r0, &r1);
    double total = 0;
    for (int64_t r = r0; r < r1; ++r) {
        vec sum = splat(0);
        int64_t j = 0;
        for (; j + LANES <= units; j += LANES) {
            vec x = LOAD(p + r * length + j);
            sum += x * x;
        }
        real row = sum_of_lanes(sum);
        for (; j < units; ++j) row += p[r * length + j] * p[r * length + j];
        total += (double)row;
    }
    return total;
}

static inline void scale(real *p, int64_t rows, int64_t units, int64_t length, real factor, int t, int T) {
    int64_t r0, r1;
    share(rows, t, T, &r0, &r1);
    for (int64_t r = r0; r < r1; ++r)
        for (int64_t j = 0; j < units; ++j) p[r * length + j] *= factor;
}

/* Philox4x32-10: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */

#define DRAWN 16 /* columns whose words are drawn side by side */

/* Random words of four units from `unit` on, of the columns from j on; loops over columns become vectors. */
static inline void draw_words(const env *e, uint32_t words[4][DRAWN], uint32_t unit, int64_t j, uint32_t last) {
    uint32_t low = (uint32_t)e->seed, high = (uint32_t)((uint64_t)e->seed >> 32);
    uint32_t c0[DRAWN], c1[DRAWN], c2[DRAWN], c3[DRAWN];
    for (int k = 0; k < DRAWN; ++k) c0[k] = unit / 4, c1[k] = (uint32_t)(j + k), c2[k] = (uint32_t)e->step, c3[k] = last;
    for (int round = 0; round < 10; ++round, low += 0x9E3779B9u, high += 0xBB67AE85u)
        for (int k = 0; k < DRAWN; ++k) {
            uint64_t p0 = (uint64_t)c0[k] * 0xD2511F53u, p1 = (uint64_t)c2[k] * 0xCD9E8D57u;
            c0[k] = (uint32_t)(p1 >> 32) ^ c1[k] ^ low;
            c2[k] = (uint32_t)(p0 >> 32) ^ c3[k] ^ high;
            c1[k] = (uint32_t)p1;
            c3[k] = (uint32_t)p0;
        }
    memcpy(words[0], c0, sizeof c0);
    memcpy(words[1], c1, sizeof c1);
    memcpy(words[2], c2, sizeof c2);
    memcpy(words[3], c3, sizeof c3);
}

/* A mask of one bit an entry, 32 units in a word of the size of a number: 1 where it is kept. */
static inline void draw_bits(const env *e, real *to, int64_t begin, int64_t end, int64_t units, uint32_t dropped,
                             uint32_t last) {
    for (int64_t i = 0; i < units; i += 32)
        for (int64_t j = begin; j < end; j += DRAWN) {
            word kept[DRAWN] = {0};
            for (int64_t u = i; u < i + 32 && u < units; u += 4) {
                uint32_t words[4][DRAWN];
                draw_words(e, words, (uint32_t)u, j, last);
                for (int b = 0; b < 4; ++b)
                    for (int k = 0; k < DRAWN; ++k) kept[k] |= (word)(words[b][k] >= dropped) << (u - i + b);
            }
            int64_t count = end - j < DRAWN ? end - j : DRAWN;
            memcpy(to + i / 32 * e->ld + j, kept, (size_t)count * sizeof(real));
        }
}

/* A mask of numbers: 0, or `scale` where it is kept. */
static inline void draw_numbers(const env *e, real *to, int64_t begin, int64_t end, int64_t units, uint32_t dropped,
                                uint32_t last, real scale) {
    for (int64_t i = 0; i < units; i += 4)
        for (int64_t j = begin; j < end; j += DRAWN) {
            uint32_t words[4][DRAWN];
            draw_words(e, words, (uint32_t)i, j, last);
            for (int b = 0; b < 4 && i + b < units; ++b)
                for (int64_t k = 0; k < DRAWN && j + k < end; ++k)
                    to[(i + b) * e->ld + j + k] = words[b][k] >= dropped ? scale : 0;
        }
}

/* The first n numbers of a vector, zeros behind them. */
static inline vec first_numbers(vec x, int64_t n) { return n >= LANES ? x : pick(first_lanes(n), x, splat(0)); }

/* The sum of the numbers of a vector. */
static inline double sum_in_double(vec x) {
    double total = 0;
    for (int k = 0; k < LANES; ++k) total += (double)lane(x, k);
    return total;
}

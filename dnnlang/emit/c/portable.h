/* In the place of backends/native/c/run.h: one thread, no table of calls, data that lie sample after sample. */

/* What is the same for all steps of a run. Values of one number a sample lie in rows of `ld` numbers: m samples, then
   padding to whole vectors, which nobody relies on. `vectors` are those that m samples take. */
typedef struct {
    int64_t m, ld, vectors;
    uint32_t step;
    uint64_t seed;
    double rate;
    real scalars[SCALARS]; /* what updates need of rate and step */
    real mean;             /* 1/m */
    double J[1][1];
    double penalty[1][1];
    double norm[1][1];     /* of the squared norm of the gradients */
} env;

/* Where a value begins that a step works on. */
typedef real *operand;
#define PLACE(n) (a[n])

/* There is one thread, which does everything in one block. */
#define THREAD 0
#define MAX_BLOCKS 1
static void share(int64_t n, int t, int T, int64_t *from, int64_t *to) {
    (void)t, (void)T;
    *from = 0;
    *to = n;
}

/* The environment of a run for m samples; 0 if these are too few or too many. */
static int begin(env *e, int m) {
    if (m < 1 || m > MODEL_SAMPLES) return 0;
    memset(e, 0, sizeof *e);
    e->m = m;
    e->ld = SAMPLE_ROW;
    e->vectors = (m + LANES - 1) / LANES;
    e->mean = (real)(1.0 / m);
    return 1;
}

/* m samples of `units` numbers, one behind the other, as columns of `to`; zeros in the padding. */
static void bring(const env *e, const real *from, int64_t units, real *to) {
    for (int64_t i = 0; i < units; ++i)
        for (int64_t s = 0; s < e->vectors * LANES; ++s) to[i * e->ld + s] = s < e->m ? from[s * units + i] : 0;
}

/* And back. */
static void take(const env *e, const real *from, int64_t units, real *to) {
    for (int64_t s = 0; s < e->m; ++s)
        for (int64_t i = 0; i < units; ++i) to[s * units + i] = from[i * e->ld + s];
}

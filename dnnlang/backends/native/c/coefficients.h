/* Coefficients of math.h, made by `python -m tools.minimax`: near-minimax fits (least squares whose
 * weights follow the error, after Lawson), the coefficients rounded one by one. Errors are relative. */
#ifndef DNN_COEFFICIENTS_H
#define DNN_COEFFICIENTS_H
#if REAL_BITS == 32
#define LOG2_E 0x1.7154760000000p+0f
#define LN2_HI 0x1.62e4000000000p-1f
#define LN2_LO 0x1.7f7d1c0000000p-20f
#define TWO_OVER_PI 0x1.45f3060000000p-1f
#define HALF_PI_1 0x1.9220000000000p+0f
#define HALF_PI_2 -0x1.2af0000000000p-18f
#define HALF_PI_3 0x1.0b48000000000p-34f
#define HALF_PI_4 -0x1.ee59da0000000p-50f
#define LOG_UNIT_HI 0x1.ec80000000000p-1f
#define LOG_UNIT_LO -0x1.ec478c0000000p-14f
#define LN2 0x1.62e4300000000p-1f
/* (exp(r) - 1 - r) / r^2 for |r| up to half of log 2; error 0.053 half ulps */
INLINE vec exp_rest(vec x) {
    vec p = splat(0x1.6a5e040000000p-10f);
    p = p * x + 0x1.123ac80000000p-7f;
    p = p * x + 0x1.5558a20000000p-5f;
    p = p * x + 0x1.5554900000000p-3f;
    p = p * x + 0x1.fffffc0000000p-2f;
    return p;
}
/* (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| up to 1/5; error 0.048 half ulps */
INLINE vec log_rest(vec x) {
    vec p = splat(0x1.36ee8e0000000p-2f);
    p = p * x + 0x1.992a9a0000000p-2f;
    p = p * x + 0x1.5555b40000000p-1f;
    return p;
}
/* (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| up to 1/3; error 0.077 half ulps */
INLINE vec log1p_rest(vec x) {
    vec p = splat(0x1.1efe920000000p-2f);
    p = p * x + 0x1.1eb4b40000000p-2f;
    p = p * x + 0x1.99d2940000000p-2f;
    p = p * x + 0x1.5555000000000p-1f;
    return p;
}
/* (3/2 log((1 + s) / (1 - s)) - 3 s - s^3) / s^5 in z = s^2, for |s| up to 1/5; error 0.044 half ulps */
INLINE vec power_rest(vec x) {
    vec p = splat(0x1.6ec0480000000p-2f);
    p = p * x + 0x1.b626480000000p-2f;
    p = p * x + 0x1.3333fa0000000p-1f;
    return p;
}
/* erf(x) / x - 1 in z = x^2, for x up to 1; error 0.022 half ulps */
INLINE vec erf_rest(vec x) {
    vec p = splat(0x1.4c5cb40000000p-14f);
    p = p * x + -0x1.a5197a0000000p-11f;
    p = p * x + 0x1.542fec0000000p-8f;
    p = p * x + -0x1.b7fec40000000p-6f;
    p = p * x + 0x1.ce2d520000000p-4f;
    p = p * x + -0x1.8127400000000p-2f;
    p = p * x + 0x1.06eba80000000p-3f;
    return p;
}
/* exp(x^2) erfc(x) (x + 2) in t = (x - 2) / (x + 2), for x from 7/8 on; error 0.29 half ulps */
INLINE vec erfc_rest(vec x) {
    vec p = splat(-0x1.eb04520000000p-12f);
    p = p * x + -0x1.a114360000000p-11f;
    p = p * x + 0x1.87b9880000000p-9f;
    p = p * x + 0x1.a834780000000p-8f;
    p = p * x + -0x1.601d120000000p-6f;
    p = p * x + -0x1.2a88dc0000000p-5f;
    p = p * x + 0x1.1e2d9a0000000p-2f;
    p = p * x + -0x1.5fd3860000000p-1f;
    p = p * x + 0x1.0586720000000p+0f;
    return p;
}
/* (sin(r) - r) / r^3 in z = r^2, for r up to a quarter of pi; error 0.062 half ulps */
INLINE vec sin_rest(vec x) {
    vec p = splat(-0x1.99558a0000000p-13f);
    p = p * x + 0x1.11077c0000000p-7f;
    p = p * x + -0x1.5555460000000p-3f;
    return p;
}
/* (cos(r) - 1 + r^2/2) / r^4 in z = r^2, for r up to a quarter of pi; error 0.002 half ulps */
INLINE vec cos_rest(vec x) {
    vec p = splat(0x1.99e8180000000p-16f);
    p = p * x + -0x1.6c0c280000000p-10f;
    p = p * x + 0x1.55554a0000000p-5f;
    return p;
}
#else
#define LOG2_E 0x1.71547652b82fep+0
#define LN2_HI 0x1.62e42fefa3800p-1
#define LN2_LO 0x1.ef35793c76730p-45
#define TWO_OVER_PI 0x1.45f306dc9c883p-1
#define HALF_PI_1 0x1.921fb54400000p+0
#define HALF_PI_2 0x1.0b4611a600000p-34
#define HALF_PI_3 0x1.3198a2e000000p-69
#define HALF_PI_4 0x1.b839a252049c1p-104
#define LOG_UNIT_HI 0x1.ec709e0000000p-1
#define LOG_UNIT_LO -0x1.e2fe0145b01f5p-28
#define LN2 0x1.62e42fefa39efp-1
/* (exp(r) - 1 - r) / r^2 for |r| up to half of log 2; error 0.034 half ulps */
INLINE vec exp_rest(vec x) {
    vec p = splat(0x1.ad991012234d5p-26);
    p = p * x + 0x1.28ae40c442ce7p-22;
    p = p * x + 0x1.71df1567f8965p-19;
    p = p * x + 0x1.a019991ec3f67p-16;
    p = p * x + 0x1.a01a013161c64p-13;
    p = p * x + 0x1.6c16c1848a1c4p-10;
    p = p * x + 0x1.111111112672dp-7;
    p = p * x + 0x1.5555555550684p-5;
    p = p * x + 0x1.55555555554ffp-3;
    p = p * x + 0x1.000000000000ap-1;
    return p;
}
/* (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| up to 1/5; error 0.14 half ulps */
INLINE vec log_rest(vec x) {
    vec p = splat(0x1.3adb00d4c6d6dp-3);
    p = p * x + 0x1.384f1e63a14d8p-3;
    p = p * x + 0x1.7475128854dd7p-3;
    p = p * x + 0x1.c71c00380c2a5p-3;
    p = p * x + 0x1.249249b3fc2c6p-2;
    p = p * x + 0x1.99999998ee17cp-2;
    p = p * x + 0x1.5555555555780p-1;
    return p;
}
/* (log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| up to 1/3; error 0.012 half ulps */
INLINE vec log1p_rest(vec x) {
    vec p = splat(0x1.5c81b36924f7cp-3);
    p = p * x + 0x1.55a6a98d3c494p-4;
    p = p * x + 0x1.efdade7e9b87fp-4;
    p = p * x + 0x1.106798a7a5ce8p-3;
    p = p * x + 0x1.3b1ddefdd79aap-3;
    p = p * x + 0x1.745cb3d4a7d59p-3;
    p = p * x + 0x1.c71c741da68f9p-3;
    p = p * x + 0x1.249249208a265p-2;
    p = p * x + 0x1.99999999a0782p-2;
    p = p * x + 0x1.5555555555535p-1;
    return p;
}
/* (3/2 log((1 + s) / (1 - s)) - 3 s - s^3) / s^5 in z = s^2, for |s| up to 1/5; error 0.11 half ulps */
INLINE vec power_rest(vec x) {
    vec p = splat(0x1.a6e4119e2dd2ap-3);
    p = p * x + 0x1.95161f39c0fefp-3;
    p = p * x + 0x1.d8c9ca3468864p-3;
    p = p * x + 0x1.174557507e3bfp-2;
    p = p * x + 0x1.555556cd1080ep-2;
    p = p * x + 0x1.b6db6db4918bbp-2;
    p = p * x + 0x1.3333333333e0ep-1;
    return p;
}
/* erf(x) / x - 1 in z = x^2, for x up to 1; error 0.14 half ulps */
INLINE vec erf_rest(vec x) {
    vec p = splat(-0x1.ac17d3f6b7977p-31);
    p = p * x + 0x1.d73ca2c13ba96p-27;
    p = p * x + -0x1.5c0ba4b6be543p-23;
    p = p * x + 0x1.b9807a32c524dp-20;
    p = p * x + -0x1.f4ca5b33ff6dep-17;
    p = p * x + 0x1.f9a2bb43b62dcp-14;
    p = p * x + -0x1.c02db03fa503bp-11;
    p = p * x + 0x1.565bccf9069a6p-8;
    p = p * x + -0x1.b82ce311f6fa1p-6;
    p = p * x + 0x1.ce2f21a040b00p-4;
    p = p * x + -0x1.812746b0379b5p-2;
    p = p * x + 0x1.06eba8214db68p-3;
    return p;
}
/* exp(x^2) erfc(x) (x + 2) in t = (x - 2) / (x + 2), for x from 7/8 on; error 0.15 half ulps */
INLINE vec erfc_rest(vec x) {
    vec p = splat(-0x1.3e8185fe23a63p-22);
    p = p * x + 0x1.8f35436318371p-20;
    p = p * x + -0x1.2b168af30b6c4p-19;
    p = p * x + 0x1.ebc7d60f73a7ap-23;
    p = p * x + 0x1.1fe06f222aa59p-21;
    p = p * x + 0x1.5d46c1d3013b4p-20;
    p = p * x + 0x1.fc4a9c83a23f1p-19;
    p = p * x + -0x1.068abe67265b6p-20;
    p = p * x + -0x1.0fcb6b4baab7fp-16;
    p = p * x + -0x1.6c20b6a9ef7f5p-16;
    p = p * x + 0x1.1e934e5ac278ap-15;
    p = p * x + 0x1.2ef966784374ap-13;
    p = p * x + 0x1.2051a5238f29fp-15;
    p = p * x + -0x1.5ba430099e1f7p-11;
    p = p * x + -0x1.b6fbf7ee7b29fp-11;
    p = p * x + 0x1.9517bb4f4b7aap-9;
    p = p * x + 0x1.a89eaff7568a1p-8;
    p = p * x + -0x1.606e41550a8d2p-6;
    p = p * x + -0x1.2a88e6107d11fp-5;
    p = p * x + 0x1.1e2deea6b1112p-2;
    p = p * x + -0x1.5fd386754eff9p-1;
    p = p * x + 0x1.058671b52c776p+0;
    return p;
}
/* (sin(r) - r) / r^3 in z = r^2, for r up to a quarter of pi; error 0.032 half ulps */
INLINE vec sin_rest(vec x) {
    vec p = splat(0x1.5d92778ad31f6p-33);
    p = p * x + -0x1.ae5e6503f2811p-26;
    p = p * x + 0x1.71de3577321ccp-19;
    p = p * x + -0x1.a01a019c12994p-13;
    p = p * x + 0x1.111111110f895p-7;
    p = p * x + -0x1.5555555555549p-3;
    return p;
}
/* (cos(r) - 1 + r^2/2) / r^4 in z = r^2, for r up to a quarter of pi; error 0.00052 half ulps */
INLINE vec cos_rest(vec x) {
    vec p = splat(-0x1.8fa5a86652db0p-37);
    p = p * x + 0x1.1ee9da65def74p-29;
    p = p * x + -0x1.27e4f7efe86f9p-22;
    p = p * x + 0x1.a01a019c8d81ap-16;
    p = p * x + -0x1.6c16c16c1500cp-10;
    p = p * x + 0x1.555555555554bp-5;
    return p;
}
#endif
#endif

/* Elementary functions of vectors, at most 4 units in the last place from the true value over the whole range, with
 * the special cases of C's math.h (Annex F): subnormal numbers, zeros with their sign, infinities, NaN.
 *
 * The arithmetic is IEEE 754's, to nearest; no -ffast-math. Products may be fused with the sums that they stand in or
 * not (-ffp-contract): where a rounding error is computed, the products are exact. What is fitted, and how, is said
 * in coefficients.h, which stands before this, behind vectors.h.
 */
#ifndef DNN_MATH_H
#define DNN_MATH_H

#include <math.h>

#if REAL_BITS == 32
#define ROUNDER 0x1.8p+23f /* x + ROUNDER has round(x) in its last bits */
#define HALF_BITS 12       /* so many last bits off, and products of two are exact */
#define EXP_LOW R(-105.0)
#define EXP_HIGH R(89.0)
#define EXPM1_LOW R(-20.0)
#define TANH_FLAT R(10.0)
#define ERF_FLAT R(4.0)
#define ERFC_FLAT R(10.5)
#define TINY 0x1p-30f
#define SMALLEST_NORMAL 0x1p-126f
#define TWO_THIRDS_BITS 0x3f2aaaabu
#define POWER_LOW R(-152.0)
#define POWER_HIGH R(129.0)
#define POWER_LARGEST 0x1p+34f
#define SIN_LIMIT R(800.0)
#define LIBM(name) name##f
#else
#define ROUNDER 0x1.8p+52
#define HALF_BITS 27
#define EXP_LOW R(-746.0)
#define EXP_HIGH R(710.0)
#define EXPM1_LOW R(-40.0)
#define TANH_FLAT R(20.0)
#define ERF_FLAT R(6.0)
#define ERFC_FLAT R(27.5)
#define TINY 0x1p-60
#define SMALLEST_NORMAL 0x1p-1022
#define TWO_THIRDS_BITS 0x3fe5555555555555u
#define POWER_LOW R(-1080.0)
#define POWER_HIGH R(1025.0)
#define POWER_LARGEST 0x1p+70
#define SIN_LIMIT R(1e6)
#define LIBM(name) name
#endif

#define MANTISSA_MASK (((word)1 << MANTISSA_BITS) - 1)
#define PLUS_INFINITY unbits(isplat(INFINITY_BITS))
#define MINUS_INFINITY unbits(isplat(INFINITY_BITS | SIGN_BIT))
#define NOT_A_NUMBER unbits(isplat(NAN_BITS))

/* ---------------------------------------------------------------- exp and what is made of it */

/* p 2^n with one rounding, for p around 1 and any n that a clamped exponent gives; `shifted` is n + ROUNDER. */
INLINE vec times_power_of_two(vec p, vec shifted) {
#if VECTOR_BYTES == 64 && defined(__AVX512F__) && REAL_BITS == 32
    typedef float scaled __attribute__((vector_size(64)));
    return (vec)__builtin_ia32_scalefps512_mask((scaled)p, (scaled)(shifted - ROUNDER), (scaled)p, (short)-1, 4);
#elif VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (vec)__builtin_ia32_scalefpd512_mask(p, shifted - ROUNDER, p, (unsigned char)255, 4);
#else
    /* In two steps, the first of which is exact: 2^n itself may be no number. ROUNDER's own bits are shifted out. */
    ivec n = bits(shifted);
    ivec half = n >> 1;
    vec first = unbits((half << MANTISSA_BITS) + isplat(ONE_BITS));
    return (p * first) * unbits(((n - half) << MANTISSA_BITS) + isplat(ONE_BITS));
#endif
}

/* r in x = n log 2 + r, |r| at most about half of log 2; `shifted` is n + ROUNDER. */
INLINE vec exp_remainder(vec x, vec *shifted) {
    *shifted = x * LOG2_E + ROUNDER;
    vec n = *shifted - ROUNDER;
    return (x - n * LN2_HI) - n * LN2_LO;
}
/* exp(r) - 1 for such an r. */
INLINE vec expm1_near_zero(vec r) { return r + (r * r) * exp_rest(r); }

INLINE vec exp_clamped(vec x) {
    vec shifted;
    vec p = expm1_near_zero(exp_remainder(x, &shifted));
    return times_power_of_two(p + R(1.0), shifted);
}
INLINE vec vexp(vec x) { return exp_clamped(vmin_number(vmax_number(x, splat(EXP_LOW)), splat(EXP_HIGH))); }
/* exp(-|x|) */
INLINE vec exp_minus_abs(vec x) { return exp_clamped(vmax_number(-vabs(x), splat(EXP_LOW))); }

INLINE vec vexpm1(vec x) {
    vec shifted;
    vec p = expm1_near_zero(exp_remainder(vmin_number(vmax_number(x, splat(EXPM1_LOW)), splat(EXP_HIGH)), &shifted));
    /* 2^(n - 1), because 2^n may be too large */
    vec half = unbits((bits(shifted) << MANTISSA_BITS) + isplat(ONE_BITS - ((word)1 << MANTISSA_BITS)));
    vec result = (half * p + (half - R(0.5))) * R(2.0);
    return pick(less(vabs(x), splat(TINY)), x, result);
}

/* e / (e + 2) with e = exp(2|x|) - 1, and the sign of x. */
INLINE vec vtanh(vec x) {
    vec shifted;
    vec p = expm1_near_zero(exp_remainder(vmin_number(vabs(x), splat(TANH_FLAT)) * R(2.0), &shifted));
    vec power = unbits((bits(shifted) << MANTISSA_BITS) + isplat(ONE_BITS));
    vec e = power * p + (power - R(1.0));
    return with_sign(e / (e + R(2.0)), x);
}

INLINE vec vlogistic(vec x) {
    vec e = exp_minus_abs(x);
    return pick(less(x, splat(0)), e, splat(1)) / (e + R(1.0));
}
INLINE vec vlogistic_slope(vec x) {
    vec e = exp_minus_abs(x);
    return e / (e * (e + R(2.0)) + R(1.0)); /* (1 + e)², with one rounding less */
}
INLINE vec vtanh_slope(vec x) { return vlogistic_slope(x * R(2.0)) * R(4.0); }

/* ---------------------------------------------------------------- log and what is made of it */

/* m in x = 2^e m, from 2/3 to 4/3, for a positive normal x. */
INLINE vec mantissa(vec x, vec *e) {
    ivec i = bits(x) + isplat(ONE_BITS - (word)TWO_THIRDS_BITS);
    /* e in the last bits of a number that is 2^MANTISSA_BITS large */
    ivec biased = (i >> MANTISSA_BITS) | isplat((word)(EXPONENT_BIAS + MANTISSA_BITS) << MANTISSA_BITS);
    *e = unbits(biased) - (R(1.0) * (real)((word)1 << MANTISSA_BITS) + (real)EXPONENT_BIAS);
    return unbits((i & isplat(MANTISSA_MASK)) + isplat((word)TWO_THIRDS_BITS));
}
/* e log 2 + log(m) + rest, for a small rest. With s = f / (2 + f), log(1 + f) is f - f²/2 + s (f²/2 + …). */
INLINE vec log_of(vec m, vec e, vec rest) {
    vec f = m - R(1.0);
    vec s = f / (f + R(2.0));
    vec z = s * s;
    vec half = f * f * R(0.5);
    vec correction = s * (half + z * log_rest(z)) + (e * LN2_LO + rest);
    return e * LN2_HI + (f - (half - correction));
}

INLINE vec vlog(vec x) {
    ivec subnormal = less(x, splat(SMALLEST_NORMAL));
    vec e;
    vec scaled = pick(subnormal, x * (real)((word)1 << MANTISSA_BITS), x);
    vec m = mantissa(scaled, &e);
    e = e - pick(subnormal, splat((real)MANTISSA_BITS), splat(0));
    vec edge = pick(less(x, splat(0)), NOT_A_NUMBER, pick(equal(x, splat(0)), MINUS_INFINITY, x));
    return pick(less(splat(0), x), pick(less(x, PLUS_INFINITY), log_of(m, e, splat(0)), edge), edge);
}

/* log(1 + x) for a finite x above -1. */
INLINE vec log1p_inside(vec x) {
    vec e;
    vec u = x + R(1.0);
    vec back = u - R(1.0);
    vec lost = (R(1.0) - (u - back)) + (x - back); /* 1 + x is u + lost */
    vec m = mantissa(u, &e);
    return log_of(m, e, lost / u);
}
INLINE vec vlog1p(vec x) {
    vec edge = pick(less(x, splat(-1)), NOT_A_NUMBER, pick(equal(x, splat(-1)), MINUS_INFINITY, x));
    vec inside = pick(less(vabs(x), splat(TINY)), x, log1p_inside(x));
    return pick(less(splat(-1), x), pick(less(x, PLUS_INFINITY), inside, edge), edge);
}

/* log(1 + x) for x from 0 to 1, which is log((1 + s) / (1 - s)) with s = x / (2 + x). */
INLINE vec log1p_of_fraction(vec x) {
    vec s = x / (x + R(2.0));
    vec z = s * s;
    vec twice = s + s;
    return twice + s * z * log1p_rest(z);
}
/* log(1 + exp(x)) */
INLINE vec vlog1pexp(vec x) { return vmax_number(x, splat(0)) + log1p_of_fraction(exp_minus_abs(x)); }
/* log(1 + exp(x)) - t x: nothing cancels where t is 1. */
INLINE vec vlogistic_loss(vec x, vec t) {
    return (vmax_number(x, splat(0)) - t * x) + log1p_of_fraction(exp_minus_abs(x));
}

/* ---------------------------------------------------------------- the error function */

/* x without its last bits, so that its square is exact. */
INLINE vec leading(vec x) { return unbits(bits(x) & ~isplat(((word)1 << HALF_BITS) - 1)); }

/* 1 - erf(x) for x from 7/8 on: exp(-x²) g(t) / (x + 2), see coefficients.h. */
INLINE vec erfc_tail(vec x) {
    vec shifted;
    vec high = leading(x);
    vec low = (x - high) * (x + high); /* x² is high² + low */
    exp_remainder(-(x * x), &shifted);
    vec n = shifted - ROUNDER;
    vec r = ((-(high * high) - n * LN2_HI) - n * LN2_LO) - low;
    vec d = x + R(2.0);
    vec g = erfc_rest((x - R(2.0)) / d) / d;
    return times_power_of_two(g + g * expm1_near_zero(r), shifted);
}
INLINE vec verf(vec x) {
    vec size = vmin_number(vabs(x), splat(ERF_FLAT));
    vec small = x + x * erf_rest(x * x);
    return pick(less(size, splat(1)), small, with_sign(splat(1) - erfc_tail(size), x));
}
INLINE vec verfc(vec x) {
    vec tail = erfc_tail(vmin_number(vabs(x), splat(ERFC_FLAT)));
    vec small = R(0.5) - ((x - R(0.5)) + x * erf_rest(x * x)); /* 1/2 at a time: the difference keeps its digits */
    vec outside = pick(less(x, splat(0)), R(2.0) - tail, tail);
    return pick(less(vabs(x), splat(R(0.875))), small, outside);
}

/* ---------------------------------------------------------------- sine and cosine */

/* r in x = n pi/2 + r, |r| at most about pi/4, for |x| below SIN_LIMIT; n is in the last bits of `quadrant`. */
INLINE vec turn_remainder(vec x, ivec *quadrant) {
    vec shifted = x * TWO_OVER_PI + ROUNDER;
    vec n = shifted - ROUNDER;
    *quadrant = bits(shifted);
    vec a = x - n * HALF_PI_1; /* exact */
    vec step = n * HALF_PI_2;  /* exact, as the next */
    vec b = a - step;
    vec lost = (a - (b + (a - b))) + ((a - b) - step);
    step = n * HALF_PI_3;
    vec c = b - step;
    lost = lost + ((b - (c + (b - c))) + ((b - c) - step));
    return c + (lost - n * HALF_PI_4);
}
/* The sine in even quadrants, the cosine in odd ones; minus that in the third and fourth. */
INLINE vec sine_of(vec r, ivec quadrant) {
    vec z = r * r;
    vec sine = r + r * z * sin_rest(z);
    vec cosine = (R(1.0) - R(0.5) * z) + z * z * cos_rest(z);
    ivec odd = isplat(0) - (quadrant & isplat(1));
    return unbits(bits(pick(odd, cosine, sine)) ^ ((quadrant & isplat(2)) << (REAL_BITS - 2)));
}
/* Lanes outside SIN_LIMIT are the C library's. */
INLINE vec vsin(vec x) {
    ivec quadrant;
    vec r = turn_remainder(x, &quadrant);
    vec result = pick(less(vabs(x), splat(TINY)), x, sine_of(r, quadrant));
    ivec outside = ~less_equal(vabs(x), splat(SIN_LIMIT));
    if (any(outside))
        for (int i = 0; i < LANES; ++i)
            if (mask_lane(outside, i)) set_lane(&result, i, LIBM(sin)(lane(x, i)));
    return result;
}
INLINE vec vcos(vec x) {
    ivec quadrant;
    vec r = turn_remainder(x, &quadrant);
    vec result = sine_of(r, quadrant + isplat(1));
    ivec outside = ~less_equal(vabs(x), splat(SIN_LIMIT));
    if (any(outside))
        for (int i = 0; i < LANES; ++i)
            if (mask_lane(outside, i)) set_lane(&result, i, LIBM(cos)(lane(x, i)));
    return result;
}

/* ---------------------------------------------------------------- powers */

/* x^y for a positive finite x and a finite y: 2^(y log2 x), the logarithm in two parts, high with half of the bits.
 * log2 x is e + 2/(3 log 2) s (3 + s² + s⁴ …) with s = (m - 1)/(m + 1). */
INLINE vec power_of_positive(vec x, vec y) {
    vec e;
    ivec subnormal = less(x, splat(SMALLEST_NORMAL));
    vec m = mantissa(pick(subnormal, x * (real)((word)1 << MANTISSA_BITS), x), &e);
    e = e - pick(subnormal, splat((real)MANTISSA_BITS), splat(0));
    vec f = m - R(1.0);
    vec d = m + R(1.0);
    vec inverse = splat(1) / d;
    vec s = f * inverse;
    vec s_high = leading(s);
    vec d_high = leading(d);
    vec d_low = m - (d_high - R(1.0));
    vec s_low = ((f - s_high * d_high) - s_high * d_low) * inverse;
    vec s_sum = s_high + s_low;
    vec z = s_sum * s_sum;
    vec square = s_high * s_high;
    vec rest = z * z * power_rest(z) + s_low * (s_high + s_sum);
    vec t_high = leading((square + R(3.0)) + rest);
    vec t_low = rest - ((t_high - R(3.0)) - square);
    vec u = s_high * t_high;
    vec v = s_low * t_high + t_low * s_sum;
    vec p_high = leading(u + v);
    vec p_low = v - (p_high - u);
    vec w_high = p_high * LOG_UNIT_HI;
    vec w_low = p_high * LOG_UNIT_LO + p_low * (LOG_UNIT_HI + LOG_UNIT_LO);
    vec log_high = leading((w_high + w_low) + e);
    vec log_low = w_low - ((log_high - e) - w_high);

    /* Beyond POWER_LARGEST only 1^y is a number other than 0. */
    y = vmin_number(vmax_number(y, splat(-POWER_LARGEST)), splat(POWER_LARGEST));
    vec y_high = leading(y);
    vec high = y_high * log_high;
    vec low = (y - y_high) * log_high + y * log_low;
    vec exponent = high + low;
    vec inside = vmin_number(vmax_number(exponent, splat(POWER_LOW)), splat(POWER_HIGH));
    vec shifted = inside + ROUNDER;
    vec r = ((high - (shifted - ROUNDER)) + low) * LN2;
    r = pick(equal(exponent, inside), r, splat(0));
    return times_power_of_two(expm1_near_zero(r) + R(1.0), shifted);
}
/* Lanes with a negative, infinite or undefined operand are the C library's. */
INLINE vec vpow(vec x, vec y) {
    vec result = power_of_positive(x, y);
    vec of_zero = pick(less(splat(0), y), splat(0), pick(less(y, splat(0)), PLUS_INFINITY, splat(1)));
    result = pick(equal(x, splat(0)), of_zero, result);
    ivec outside = ~less(vabs(y), PLUS_INFINITY) | ~less(x, PLUS_INFINITY) | (isplat(0) - (bits(x) >> (REAL_BITS - 1)));
    if (any(outside))
        for (int i = 0; i < LANES; ++i)
            if (mask_lane(outside, i)) set_lane(&result, i, LIBM(pow)(lane(x, i), lane(y, i)));
    return result;
}

#endif

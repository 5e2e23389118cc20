/* Vectors of numbers: one type, `vec`, for whatever width the machine has.
 *
 * REAL_BITS is 32 (float) or 64 (double). VECTOR_BYTES is 64, 32 or 16, and a vec has LANES numbers; or it is 0, and a
 * vec is one plain number: then this is C99 without extensions. The arithmetic operators work on vec in both cases,
 * also between a vec and a literal.
 *
 * A comparison gives an `ivec` of the same lanes, all bits set where it holds, else 0; &, | and ~ combine them.
 * NaN compares as in C: only `differs` and `is_nan` hold for it.
 */
#ifndef DNN_VECTORS_H
#define DNN_VECTORS_H

#include <stdint.h>
#include <string.h>

#ifndef REAL_BITS
#define REAL_BITS 32
#endif
#ifndef VECTOR_BYTES
#define VECTOR_BYTES 0
#endif

#if REAL_BITS == 32
typedef float real;
typedef uint32_t word;
#define R(x) x##f
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#else
typedef double real;
typedef uint64_t word;
#define R(x) x
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#endif

#define SIGN_BIT ((word)1 << (REAL_BITS - 1))
#define ONE_BITS ((word)EXPONENT_BIAS << MANTISSA_BITS)
#define INFINITY_BITS ((word)(2 * EXPONENT_BIAS + 1) << MANTISSA_BITS)
#define NAN_BITS (INFINITY_BITS | ((word)1 << (MANTISSA_BITS - 1)))

#if VECTOR_BYTES
#define INLINE static inline __attribute__((always_inline, unused))
#define ALIGNED __attribute__((aligned(VECTOR_BYTES)))
#define LANES (VECTOR_BYTES / (REAL_BITS / 8))
typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef word ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef real aligned_vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(REAL_BITS / 8)));

#define LOAD(p) ((vec)*(const aligned_vec *)(p))
#define STORE(p, v) ((void)(*(aligned_vec *)(p) = (v)))
#define LOAD_UNALIGNED(p) ((vec)*(const unaligned_vec *)(p))
#define STORE_UNALIGNED(p, v) ((void)(*(unaligned_vec *)(p) = (v)))

#if VECTOR_BYTES >= 32
typedef real half_vec __attribute__((vector_size(VECTOR_BYTES / 2), may_alias));
#endif
#if VECTOR_BYTES >= 64
typedef real quarter_vec __attribute__((vector_size(VECTOR_BYTES / 4), may_alias));
#endif

INLINE vec splat(real x) { return x - (vec){0}; } /* minus, because -0 + 0 is +0 */
INLINE ivec isplat(word x) { return x | (ivec){0}; }
INLINE ivec bits(vec a) { return (ivec)a; }
INLINE vec unbits(ivec a) { return (vec)a; }
INLINE real lane(vec a, int i) { return a[i]; }
INLINE void set_lane(vec *a, int i, real x) { (*a)[i] = x; }
INLINE word mask_lane(ivec a, int i) { return a[i]; }

/* A vector that begins with a shorter one, zeros behind it. */
INLINE vec widened_aligned_vec(aligned_vec a) { return (vec)a; }
#if VECTOR_BYTES >= 32
INLINE vec widened_half_vec(half_vec a) {
    vec r = splat(0);
    *(half_vec *)&r = a;
    return r;
}
#endif
#if VECTOR_BYTES >= 64
INLINE vec widened_quarter_vec(quarter_vec a) {
    vec r = splat(0);
    *(quarter_vec *)&r = a;
    return r;
}
#endif

INLINE ivec less(vec a, vec b) { return (ivec)(a < b); }
INLINE ivec less_equal(vec a, vec b) { return (ivec)(a <= b); }
INLINE ivec equal(vec a, vec b) { return (ivec)(a == b); }
INLINE ivec differs(vec a, vec b) { return (ivec)(a != b); }
INLINE vec pick(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

/* Loops over the lanes of one vector. Compilers make one instruction of each, but it takes them long, and Clang makes
 * sixteen roots where it prefers narrower vectors; so the instruction is named where it is known. */
#if defined(__has_builtin)
#if REAL_BITS == 32
#define NAMED(name, width, suffix) __builtin_ia32_##name##ps##width##suffix
#else
#define NAMED(name, width, suffix) __builtin_ia32_##name##pd##width##suffix
#endif
#if VECTOR_BYTES == 64 && defined(__AVX512F__) && __has_builtin(__builtin_ia32_maxps512)
#define OF_TWO(name, a, b) NAMED(name, 512, )(a, b, 4)
#define ROOT(a) NAMED(sqrt, 512, )(a, 4)
#elif VECTOR_BYTES == 64 && defined(__AVX512F__) && __has_builtin(__builtin_ia32_maxps512_mask)
#define OF_TWO(name, a, b) NAMED(name, 512, _mask)(a, b, a, -1, 4)
#define ROOT(a) NAMED(sqrt, 512, _mask)(a, a, -1, 4)
#elif VECTOR_BYTES == 32 && defined(__AVX__) && __has_builtin(__builtin_ia32_maxps256)
#define OF_TWO(name, a, b) NAMED(name, 256, )(a, b)
#define ROOT(a) NAMED(sqrt, 256, )(a)
#elif VECTOR_BYTES == 16 && defined(__SSE2__) && __has_builtin(__builtin_ia32_maxps)
#define OF_TWO(name, a, b) NAMED(name, , )(a, b)
#define ROOT(a) NAMED(sqrt, , )(a)
#endif
#endif

INLINE vec vsqrt(vec a) {
#if defined(ROOT)
    return ROOT(a);
#else
    vec r;
#if REAL_BITS == 32
    for (int i = 0; i < LANES; ++i) r[i] = __builtin_sqrtf(a[i]);
#else
    for (int i = 0; i < LANES; ++i) r[i] = __builtin_sqrt(a[i]);
#endif
    return r;
#endif
}
/* The larger, for a `b` that is not NaN; NaN if `a` is. */
INLINE vec vmax_number(vec a, vec b) {
#if defined(OF_TWO)
    return OF_TWO(max, b, a);
#else
    vec r;
    for (int i = 0; i < LANES; ++i) r[i] = b[i] > a[i] ? b[i] : a[i];
    return r;
#endif
}
INLINE vec vmin_number(vec a, vec b) {
#if defined(OF_TWO)
    return OF_TWO(min, b, a);
#else
    vec r;
    for (int i = 0; i < LANES; ++i) r[i] = b[i] < a[i] ? b[i] : a[i];
    return r;
#endif
}
/* 0, 1, … LANES - 1 */
INLINE vec lane_index(void) {
    vec r = {0};
    for (int i = 0; i < LANES; ++i) r[i] = (real)i;
    return r;
}

/* The sum of the lanes, the same on every machine with as many: halves are added, then halves of that, … */
INLINE real sum_of_lanes(vec a) {
#if VECTOR_BYTES == 64
    typedef real half __attribute__((vector_size(32)));
    typedef real quarter __attribute__((vector_size(16)));
    union { vec whole; half halves[2]; } x = {a};
    union { half whole; quarter halves[2]; } y = {x.halves[0] + x.halves[1]};
    quarter z = y.halves[0] + y.halves[1];
#elif VECTOR_BYTES == 32
    typedef real quarter __attribute__((vector_size(16)));
    union { vec whole; quarter halves[2]; } y = {a};
    quarter z = y.halves[0] + y.halves[1];
#else
    vec z = a;
#endif
#if REAL_BITS == 32
    return (z[0] + z[2]) + (z[1] + z[3]);
#else
    return z[0] + z[1];
#endif
}
INLINE int any(ivec mask) {
    word all = 0;
    for (int i = 0; i < LANES; ++i) all |= mask[i];
    return all != 0;
}
#else /* one number */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline
#endif
#define ALIGNED
#define LANES 1
typedef real vec;
typedef word ivec;

typedef real aligned_vec;
#define LOAD(p) (*(p))
#define STORE(p, v) ((void)(*(p) = (v)))
#define LOAD_UNALIGNED(p) (*(p))
#define STORE_UNALIGNED(p, v) ((void)(*(p) = (v)))

#include <math.h>

INLINE vec splat(real x) { return x; }
INLINE ivec isplat(word x) { return x; }
INLINE ivec bits(vec a) {
    ivec r;
    memcpy(&r, &a, sizeof r);
    return r;
}
INLINE vec unbits(ivec a) {
    vec r;
    memcpy(&r, &a, sizeof r);
    return r;
}
INLINE vec widened_aligned_vec(vec a) { return a; }
INLINE real lane(vec a, int i) { return (void)i, a; }
INLINE void set_lane(vec *a, int i, real x) { (void)i, *a = x; }
INLINE word mask_lane(ivec a, int i) { return (void)i, a; }

INLINE ivec less(vec a, vec b) { return a < b ? ~(word)0 : 0; }
INLINE ivec less_equal(vec a, vec b) { return a <= b ? ~(word)0 : 0; }
INLINE ivec equal(vec a, vec b) { return a == b ? ~(word)0 : 0; }
INLINE ivec differs(vec a, vec b) { return a != b ? ~(word)0 : 0; }
INLINE vec pick(ivec mask, vec a, vec b) { return mask ? a : b; }

#if REAL_BITS == 32
INLINE vec vsqrt(vec a) { return sqrtf(a); }
#else
INLINE vec vsqrt(vec a) { return sqrt(a); }
#endif
INLINE vec vmax_number(vec a, vec b) { return b > a ? b : a; }
INLINE vec vmin_number(vec a, vec b) { return b < a ? b : a; }
INLINE vec lane_index(void) { return 0; }
INLINE real sum_of_lanes(vec a) { return a; }
INLINE int any(ivec mask) { return mask != 0; }
#endif

INLINE ivec is_nan(vec a) { return differs(a, a); }
INLINE vec vabs(vec a) { return unbits(bits(a) & ~isplat(SIGN_BIT)); }
/* The size of `a` with the sign of `b`. */
INLINE vec with_sign(vec a, vec b) { return unbits((bits(a) & ~isplat(SIGN_BIT)) | (bits(b) & isplat(SIGN_BIT))); }
/* 1 where the mask holds, else 0. */
INLINE vec ones(ivec mask) { return unbits(mask & isplat(ONE_BITS)); }
/* -1, 0 or 1; NaN for NaN. */
INLINE vec vsign(vec a) {
    vec one = with_sign(splat(1), a);
    return pick(less(splat(0), vabs(a)), one, a);
}
/* The larger; NaN if either is NaN. Of 0 and -0, either. */
INLINE vec vmax(vec a, vec b) { return pick(is_nan(b), b, vmax_number(a, b)); }
INLINE vec vmin(vec a, vec b) { return pick(is_nan(b), b, vmin_number(a, b)); }
/* The first n lanes; all or none for n beyond them. */
INLINE ivec first_lanes(long n) { return less(lane_index(), splat((real)n)); }

#endif

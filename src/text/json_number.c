/* json_number.c - numbers to text and back, exactly; see json_int.h.
 *
 * A double is m x 2^e, a decimal d x 10^k = d x 5^k x 2^k. Up to 5^27 a power of five fits 64 bits,
 * so that products and quotients of 128 bits decide both directions to the last bit, and no table
 * of long powers is needed. What lies beyond (below 1e-11 or above 1e43, about) goes the slow way
 * through the C library, with the same result. Pure functions. Not here: the grammar
 * (json_parse.c). */
#include "text/json_int.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIVES_MAX = 27 };

typedef unsigned __int128 uint128;

static const uint64_t fives[FIVES_MAX + 1] = {1,
                                              5,
                                              25,
                                              125,
                                              625,
                                              3125,
                                              15625,
                                              78125,
                                              390625,
                                              1953125,
                                              9765625,
                                              48828125,
                                              244140625,
                                              1220703125,
                                              6103515625,
                                              30517578125,
                                              152587890625,
                                              762939453125,
                                              3814697265625,
                                              19073486328125,
                                              95367431640625,
                                              476837158203125,
                                              2384185791015625,
                                              11920928955078125,
                                              59604644775390625,
                                              298023223876953125,
                                              1490116119384765625,
                                              7450580596923828125};

/* 2^e of a normal double. */
static double power_of_two(int64_t e) {
    uint64_t bits = (uint64_t)(e + 1023) << 52;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* digits / 5^fives: both are moved up to their highest bit, so that the quotient has at least 63
 * bits; the remainder becomes its lowest bit, which rounding to 53 then counts as "and more". */
static double divide_fives(uint64_t digits, int64_t k) {
    int up = __builtin_clzll(digits), down = __builtin_clzll(fives[k]);
    uint128 n = (uint128)(digits << up) << 63;
    uint64_t d = fives[k] << down, q = (uint64_t)(n / d);
    if (n % d) q |= 1;
    return (double)q * power_of_two(down - up - 63 - k);
}

bool json_decimal_double(uint64_t digits, int64_t exponent, double *out) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digits <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22) {
        /* both exact, so one operation rounds once (Clinger) */
        double v = (double)digits;
        *out = exponent < 0 ? v / tens[-exponent] : v * tens[exponent];
        return true;
    }
    if (exponent < -FIVES_MAX || exponent > FIVES_MAX) return false;
    if (digits == 0)
        *out = 0;
    else if (exponent < 0)
        *out = divide_fives(digits, -exponent);
    else
        *out = (double)((uint128)digits * fives[exponent]) * power_of_two(exponent);
    return true;
}

/* ---- to text ---- */

/* Decimal digits of v right-aligned before `end`; the first of them. */
static char *digits_before(char *end, uint64_t v) {
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    for (; v >= 100; v /= 100) memcpy(end -= 2, pairs + v % 100 * 2, 2);
    if (v >= 10) return memcpy(end - 2, pairs + v * 2, 2);
    *--end = (char)('0' + v);
    return end;
}

size_t json_int_text(char out[JSON_INT_BYTES_MAX], int64_t v) {
    char text[JSON_INT_BYTES_MAX], *end = text + sizeof text;
    char *p = digits_before(end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    if (v < 0) *--p = '-';
    memcpy(out, p, (size_t)(end - p));
    return (size_t)(end - p);
}

/* n / d to the nearest, ties to even, as printf does. */
static uint64_t divide_nearest(uint128 n, uint128 d) {
    uint128 q = n / d, rest = n % d;
    if (rest > d - rest || (rest == d - rest && (q & 1))) q++;
    return (uint64_t)q;
}

static uint64_t shift_nearest(uint128 n, int64_t by) {
    uint128 q = n >> by, rest = n - (q << by), half = (uint128)1 << (by - 1);
    if (rest > half || (rest == half && (q & 1))) q++;
    return (uint64_t)q;
}

/* m x 2^e x 10^k to the nearest whole number, where that is below 2^60 and above 1. */
static uint64_t scale(uint64_t m, int64_t e, int64_t k) {
    int64_t two = e + k;
    uint128 n = k < 0 ? (uint128)m : (uint128)m * fives[k];
    if (k < 0)
        return two < 0 ? divide_nearest(n, (uint128)fives[-k] << -two)
                       : divide_nearest(n << two, fives[-k]);
    return two < 0 ? shift_nearest(n, -two) : (uint64_t)(n << two);
}

typedef struct decimal {
    uint64_t digits;
    int places;       /* digits asked for: what %g writes with an exponent depends on it */
    int64_t exponent; /* of the first digit */
} decimal;

/* v > 0, normal, to `places` significant digits. False: beyond the powers of five. */
static bool round_to(double v, int places, decimal *out) {
    static const uint64_t limits[] = {1000000000000000u, 10000000000000000u, 100000000000000000u};
    uint64_t bits, limit = limits[places - 15];
    memcpy(&bits, &v, sizeof bits);
    int64_t e = (int64_t)(bits >> 52) - 1075; /* v = m x 2^e */
    uint64_t m = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    int64_t first = ((e + 52) * 315653) >> 20; /* log10(2) x 2^20: right, or one too small */
    for (int tries = 0; tries < 2; tries++, first++) {
        int64_t k = places - 1 - first;
        if (k < -FIVES_MAX || k > FIVES_MAX) return false;
        uint64_t digits = scale(m, e, k);
        if (digits >= limit) continue; /* too small, or rounded up to the next power of ten */
        *out = (decimal){digits, places, first};
        return true;
    }
    return false;
}

/* 15 digits survive decimal -> double -> decimal, so where the shortest form has at most 15, those
 * are it; 17 digits always read back. */
static bool shortest(double v, decimal *out) {
    for (int places = 15; places <= 17; places++) {
        double back;
        if (!round_to(v, places, out)) return false;
        if (places == 17) break;
        if (json_decimal_double(out->digits, out->exponent + 1 - places, &back) && back == v) break;
    }
    while (out->digits % 10 == 0) out->digits /= 10;
    return true;
}

/* "1e-05": digit, fraction, exponent of at least two digits. */
static char *put_exponent(char *to, int64_t exponent) {
    char text[JSON_INT_BYTES_MAX], *end = text + sizeof text;
    char *p = digits_before(end, (uint64_t)(exponent < 0 ? -exponent : exponent));
    if (end - p < 2) *--p = '0';
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    return (char *)memcpy(to, p, (size_t)(end - p)) + (end - p);
}

static char *put_zeros(char *to, int64_t n) {
    for (; n > 0; n--) *to++ = '0';
    return to;
}

/* As printf's %g lays a number out. */
static char *put_decimal(char *to, const decimal *d) {
    char text[JSON_INT_BYTES_MAX], *end = text + sizeof text, *p = digits_before(end, d->digits);
    int64_t n = end - p, whole = d->exponent + 1; /* digits before the point */
    bool scientific = d->exponent < -4 || d->exponent >= d->places;
    if (scientific) whole = 1;
    if (whole <= 0) {
        *to++ = '0';
        *to++ = '.';
        to = put_zeros(to, -whole);
        whole = n;
    }
    int64_t before = whole < n ? whole : n;
    to = (char *)memcpy(to, p, (size_t)before) + before;
    to = put_zeros(to, whole - n);
    if (before < n) {
        *to++ = '.';
        to = (char *)memcpy(to, p + before, (size_t)(n - before)) + (n - before);
    }
    return scientific ? put_exponent(to, d->exponent) : to;
}

/* Below the normal range fewer digits are significant, so the search begins with one. */
static size_t slow_text(char out[JSON_DOUBLE_BYTES_MAX], double v) {
    int n = 0;
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        char text[JSON_DOUBLE_BYTES_MAX];
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        memcpy(out, text, (size_t)n);
        if (strtod(text, NULL) == v) break;
    }
    return (size_t)n;
}

size_t json_double_text(char out[JSON_DOUBLE_BYTES_MAX], double v) {
    char *to = out;
    decimal d;
    double size = fabs(v);
    if (size < 1e15 && size == (double)(int64_t)size) {
        if (signbit(v)) *to++ = '-';
        return (size_t)(to - out) + json_int_text(to, (int64_t)size);
    }
    if (size < DBL_MIN || !shortest(size, &d)) return slow_text(out, v);
    if (v < 0) *to++ = '-';
    return (size_t)(put_decimal(to, &d) - out);
}

/* json_int.h - what the files of JSON share: plain bytes found 16 at a time, numbers both ways.
 *
 * Plain is what stands in a string as it is and is ASCII: no quote, no backslash, no control
 * character. The compiler's vectors of 16 bytes do it, so that no instruction set is named here. */
#ifndef BANTAM_TEXT_JSON_INT_H
#define BANTAM_TEXT_JSON_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { JSON_VECTOR_BYTES = 16 };

typedef signed char json_bytes __attribute__((vector_size(JSON_VECTOR_BYTES)));
typedef uint64_t json_halves __attribute__((vector_size(JSON_VECTOR_BYTES)));

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are counted from the low end");

#define JSON_SPLAT(c) ((json_bytes){c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c})

/* All bits set in each byte that is not plain: below ' ' are, as signed, also those from 0x80. */
static inline json_halves json_marks(const char *p) {
    json_bytes v;
    memcpy(&v, p, sizeof v);
    return (json_halves)((v == JSON_SPLAT('"')) | (v == JSON_SPLAT('\\')) | (v < JSON_SPLAT(' ')));
}

/* Index of the first marked byte; 16 when there is none. */
static inline size_t json_first_mark(json_halves marks) {
    if (marks[0]) return (size_t)__builtin_ctzll(marks[0]) >> 3;
    if (marks[1]) return 8 + ((size_t)__builtin_ctzll(marks[1]) >> 3);
    return JSON_VECTOR_BYTES;
}

/* Behind the plain bytes at p. A byte that is not plain must follow, and 16 bytes be readable
 * there. */
static inline const char *json_skip_plain(const char *p) {
    for (;; p += JSON_VECTOR_BYTES) {
        size_t n = json_first_mark(json_marks(p));
        if (n < JSON_VECTOR_BYTES) return p + n;
    }
}

/* digits x 10^exponent, rounded to the nearest double, ties to even. False: not decided here
 * (exponents beyond 27), ask strtod. */
bool json_decimal_double(uint64_t digits, int64_t exponent, double *out);

enum { JSON_INT_BYTES_MAX = 20, JSON_DOUBLE_BYTES_MAX = 32 };
/* Write without a zero behind; return the bytes written. */
size_t json_int_text(char out[JSON_INT_BYTES_MAX], int64_t v);
size_t json_double_text(char out[JSON_DOUBLE_BYTES_MAX], double v); /* finite ones */

#endif

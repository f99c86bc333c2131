/* str.h - a borrowed piece of bytes, with its length. Not zero-terminated, never owned. Any thread.
 */
#ifndef BANTAM_BASE_STR_H
#define BANTAM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

#define STR(literal) ((str){(literal), sizeof(literal) - 1})
#define STR_NONE ((str){NULL, 0})
#define STR_INDEX_NONE ((size_t)-1)
/* for printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) ((int)(s).n), ((s).p ? (s).p : "")

str str_from(const char *z); /* NULL gives the empty string */
bool str_eq(str a, str b);
bool str_is(str a, const char *z); /* equal to a C string */
bool str_eq_nocase(str a, str b);  /* ASCII case only */
int str_compare(str a, str b);     /* bytewise, like memcmp, shorter first */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
size_t str_find(str s, str needle); /* index or STR_INDEX_NONE */
size_t str_find_char(str s, char c);
str str_slice(str s, size_t from, size_t to); /* clamped to s */
str str_after_last(str s, char sep);          /* all of s when sep is not in it */
str str_trim(str s);                          /* ASCII white space at both ends; borrowed */
/* Cuts `*rest` at the first `sep`: returns the part before, leaves the part after. At the end *rest
 * becomes {NULL,0}; loop `while (rest.p) part = str_cut(&rest, ',')`. */
str str_cut(str *rest, char sep);
bool str_to_int(str s, int64_t *out);   /* whole string, base 10, no white space */
bool str_to_double(str s, double *out); /* whole string; inf and nan refused */
uint64_t str_hash(str s);               /* 64-bit, stable across runs and machines */

#endif

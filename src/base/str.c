/* str.c - borrowed byte strings; see str.h. Pure functions. */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

str str_from(const char *z) {
    return z ? (str){z, strlen(z)} : (str){"", 0};
}

bool str_eq(str a, str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool str_is(str a, const char *z) {
    return str_eq(a, str_from(z));
}

static char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(str a, str b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    return true;
}

int str_compare(str a, str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order) return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(str s, str prefix) {
    return s.n >= prefix.n && str_eq((str){s.p, prefix.n}, prefix);
}
bool str_ends(str s, str suffix) {
    return s.n >= suffix.n &&
           (suffix.n == 0 || str_eq((str){s.p + s.n - suffix.n, suffix.n}, suffix));
}

size_t str_find(str s, str needle) {
    if (needle.n == 0) return 0;
    if (needle.n > s.n) return STR_INDEX_NONE;
    const char *hit = memmem(s.p, s.n, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : STR_INDEX_NONE;
}

size_t str_find_char(str s, char c) {
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : STR_INDEX_NONE;
}

str str_slice(str s, size_t from, size_t to) {
    if (to > s.n) to = s.n;
    if (from > to) from = to;
    return s.p ? (str){s.p + from, to - from} : s;
}

str str_after_last(str s, char sep) {
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == sep) return str_slice(s, i, s.n);
    return s;
}

static bool ascii_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s) {
    while (s.n && ascii_space(s.p[0])) s.p++, s.n--;
    while (s.n && ascii_space(s.p[s.n - 1])) s.n--;
    return s;
}

str str_cut(str *rest, char sep) {
    size_t at = str_find_char(*rest, sep);
    str part = *rest;
    if (at == STR_INDEX_NONE) {
        *rest = STR_NONE;
        return part;
    }
    part.n = at;
    *rest = (str){rest->p + at + 1, rest->n - at - 1};
    return part;
}

bool str_to_int(str s, int64_t *out) {
    char text[24];
    if (s.n == 0 || s.n >= sizeof text || ascii_space(s.p[0])) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || end != text + s.n) return false;
    *out = value;
    return true;
}

bool str_to_double(str s, double *out) {
    char text[64];
    if (s.n == 0 || s.n >= sizeof text || ascii_space(s.p[0])) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    char *end;
    double value = strtod(text, &end);
    if (end != text + s.n || !isfinite(value)) return false;
    *out = value;
    return true;
}

/* FNV-1a with a final mix: bytes in, same value everywhere. Not against an adversary; the maps that
 * hold outside keys bound their size. */
uint64_t str_hash(str s) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

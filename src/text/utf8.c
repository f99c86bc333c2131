/* utf8.c - see utf8.h. Walking and checking are ours (they are in every hot path); tables and
 * normal forms are utf8proc's. No state. Not here: word boundaries, collation, locales. */
#include "text/utf8.h"

#include "base/mem.h"

#include <string.h>
#include <utf8proc.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wide_bytes reads words so");

enum { UTF8_BYTES_MAX = 256 << 20 };

/* Bytes of the maximal well-formed or ill-formed piece at p (n > 0); *c is -1 when ill-formed.
 * The second byte's bounds exclude overlong forms, surrogates and what is above U+10FFFF. */
static size_t utf8_piece(const unsigned char *p, size_t n, int32_t *c) {
    unsigned lead = p[0];
    *c = (int32_t)lead;
    if (lead < 0x80) return 1;
    *c = -1;
    if (lead < 0xC2 || lead > 0xF4) return 1;
    size_t want = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    unsigned value = lead & (0xFFu >> (want + 1));
    for (size_t i = 1; i < want; i++) {
        if (i >= n || p[i] < low || p[i] > high) return i;
        value = value << 6 | (p[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *c = (int32_t)value;
    return want;
}

/* Length of the ASCII beginning, rounded down to whole words of eight bytes. */
static size_t ascii_words(const char *p, size_t n) {
    size_t i = 0;
    for (uint64_t word; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080u) break;
    }
    return i;
}

/* A character of two, three, four bytes at the low end of w, in the order of memory: masks see the
 * bytes' forms, then what a form alone would let through: overlong ones, surrogates, above
 * U+10FFFF. */
static inline bool is_two(uint32_t w) {
    return (w & 0xC0E0) == 0x80C0 && (w & 0x1E) != 0;
}
static inline bool is_three(uint32_t w) {
    return (w & 0xC0C0F0) == 0x8080E0 && (w & 0x200F) != 0 && (w & 0x200F) != 0x200D;
}
static inline bool is_four(uint32_t w) {
    uint32_t plane = (w & 7) << 2 | (w >> 12 & 3);
    return (w & 0xC0C0C0F8) == 0x808080F0 && plane >= 1 && plane <= 16;
}

static inline uint32_t load4(const char *p) {
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Runs of one length are the rule, so each has its loop. */
const char *utf8_skip_wide(const char *p, const char *end) {
    const char *last = end - p >= 4 ? end - 4 : NULL, *before;
    do {
        before = p;
        while (last && p <= last && is_three(load4(p))) p += 3;
        while (last && p <= last && is_two(load4(p))) p += 2;
        while (last && p <= last && is_four(load4(p))) p += 4;
    } while (p != before);
    while (p < end && (signed char)*p < 0) {
        int32_t c;
        size_t n = utf8_piece((const unsigned char *)p, (size_t)(end - p), &c);
        if (c < 0) break;
        p += n;
    }
    return p;
}

size_t utf8_bad_at(str s) {
    const char *p = s.p, *end = s.n ? s.p + s.n : s.p;
    while (p < end) {
        p += ascii_words(p, (size_t)(end - p));
        const char *behind = utf8_skip_wide(p, end);
        if (behind == p && p < end && (signed char)*p++ < 0) return (size_t)(p - 1 - s.p);
        if (behind > p) p = behind;
    }
    return STR_INDEX_NONE;
}

bool utf8_ok(str s) {
    return utf8_bad_at(s) == STR_INDEX_NONE;
}

size_t utf8_next(str s, uint32_t *code) {
    int32_t c;
    size_t n = s.n ? utf8_piece((const unsigned char *)s.p, s.n, &c) : 0;
    if (n == 0 || c < 0) return 0;
    *code = (uint32_t)c;
    return n;
}

int32_t utf8_walk(str s, size_t *at) {
    int32_t c;
    *at += utf8_piece((const unsigned char *)s.p + *at, s.n - *at, &c);
    return c;
}

size_t utf8_encode(char out[UTF8_CHAR_BYTES_MAX], int32_t c) {
    if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = UTF8_REPLACEMENT;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[n] | (unsigned)c);
    return n;
}

void utf8_put(buf *b, uint32_t code) {
    char bytes[UTF8_CHAR_BYTES_MAX];
    buf_put_bytes(b, bytes, utf8_encode(bytes, code <= 0x10FFFF ? (int32_t)code : -1));
}

void utf8_put_mended(buf *b, str s) {
    while (s.n) {
        size_t good = utf8_bad_at(s);
        if (good == STR_INDEX_NONE) good = s.n;
        buf_put_bytes(b, s.p, good);
        s = str_slice(s, good, s.n);
        size_t at = 0;
        if (s.n && utf8_walk(s, &at) < 0) utf8_put(b, UTF8_REPLACEMENT);
        s = str_slice(s, at, s.n);
    }
}

size_t utf8_count(str s) {
    size_t count = 0;
    for (size_t i = 0; i < s.n; count++) utf8_walk(s, &i);
    return count;
}

size_t utf8_width(str s) {
    size_t columns = 0;
    for (size_t i = 0; i < s.n;) {
        int32_t c = utf8_walk(s, &i);
        int width = c < 0 ? 1 : utf8proc_charwidth(c);
        columns += width > 0 ? (size_t)width : 0;
    }
    return columns;
}

str utf8_cut(str s, size_t bytes_max) {
    if (s.n <= bytes_max) return s;
    size_t n = bytes_max;
    /* at most three bytes back: a longer run of continuation bytes is no character anyway */
    for (int back = 0; back < 3 && n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80; back++) n--;
    return (str){s.p, n};
}

size_t utf8_index(str s, size_t n) {
    size_t at = 0;
    while (n > 0 && at < s.n) {
        utf8_walk(s, &at);
        n--;
    }
    return at;
}

/* Counts first, so that the arena gets exactly what is needed. */
err utf8_scrub(arena *a, str s, str *out, fail *f) {
    size_t bad = 0;
    for (size_t i = 0; i < s.n;) {
        i += ascii_words(s.p + i, s.n - i);
        if (i < s.n && utf8_walk(s, &i) < 0) bad++;
    }
    if (bad == 0) {
        *out = s;
        return E_OK;
    }
    size_t room;
    char *p = mem_size(bad, 3, &room) && room <= SIZE_MAX - s.n - 1 ? arena_alloc(a, s.n + room + 1)
                                                                    : NULL;
    if (!p) return fail_memory(f, "repaired text");
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        if (utf8_walk(s, &i) < 0) {
            n += utf8_encode(p + n, UTF8_REPLACEMENT);
        } else {
            memcpy(p + n, s.p + from, i - from);
            n += i - from;
        }
    }
    *out = (str){p, n};
    return E_OK;
}

/* utf8proc's two passes: how many code points, then into our memory, then composed in place. */
static err utf8_transform(arena *a, str s, utf8proc_option_t options, str *out, fail *f) {
    if (s.n > UTF8_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "text of %zu bytes is above the limit of %d", s.n,
                        UTF8_BYTES_MAX);
    str clean;
    TRY(utf8_scrub(a, s, &clean, f));
    const utf8proc_uint8_t *in = (const utf8proc_uint8_t *)clean.p;
    utf8proc_ssize_t len = (utf8proc_ssize_t)clean.n;
    utf8proc_ssize_t need = clean.n ? utf8proc_decompose(in, len, NULL, 0, options) : 0;
    if (need < 0) return fail_set(f, E_INPUT, "text: %s", utf8proc_errmsg(need));
    size_t cells = (size_t)need + 1, bytes;
    utf8proc_int32_t *points = mem_size(cells, sizeof *points, &bytes) ? mem_alloc(bytes) : NULL;
    if (!points) return fail_memory(f, "normalised text");
    utf8proc_ssize_t n = need ? utf8proc_decompose(in, len, points, need, options) : 0;
    if (n > 0) n = utf8proc_reencode(points, n, options); /* at most 4 bytes a cell, in place */
    str result = n < 0 ? STR_NONE : arena_str(a, (str){(const char *)points, (size_t)n});
    mem_free(points);
    if (!result.p) return fail_memory(f, "normalised text");
    *out = result;
    return E_OK;
}

static bool utf8_all_ascii(str s) {
    size_t i = ascii_words(s.p, s.n);
    while (i < s.n && (unsigned char)s.p[i] < 0x80) i++;
    return i == s.n;
}

err utf8_nfc(arena *a, str s, str *out, fail *f) {
    if (utf8_all_ascii(s)) {
        *out = s;
        return E_OK;
    }
    return utf8_transform(a, s, UTF8PROC_STABLE | UTF8PROC_COMPOSE, out, f);
}

err utf8_casefold(arena *a, str s, str *out, fail *f) {
    return utf8_transform(a, s, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD, out, f);
}

static utf8proc_category_t category(int32_t c) {
    return c < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(c);
}

/* Decomposes, drops the marks of class Mn (utf8proc's STRIPMARK would drop Mc and Me as well, which
 * are vowels in Indic scripts), composes again. */
err utf8_strip_accents(arena *a, str s, str *out, fail *f) {
    if (utf8_all_ascii(s)) {
        *out = s;
        return E_OK;
    }
    str apart;
    TRY(utf8_transform(a, s, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &apart, f));
    char *kept = arena_alloc(a, apart.n + 1);
    if (!kept) return fail_memory(f, "text without accents");
    size_t n = 0;
    for (size_t i = 0; i < apart.n;) {
        size_t from = i;
        if (category(utf8_walk(apart, &i)) == UTF8PROC_CATEGORY_MN) continue;
        memmove(kept + n, apart.p + from, i - from);
        n += i - from;
    }
    return utf8_transform(a, (str){kept, n}, UTF8PROC_STABLE | UTF8PROC_COMPOSE, out, f);
}

int32_t utf8_char_lower(int32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return utf8proc_tolower(c);
}
int32_t utf8_char_upper(int32_t c) {
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    return utf8proc_toupper(c);
}

static err utf8_map(arena *a, str s, int32_t (*map)(int32_t), str *out, fail *f) {
    str clean;
    TRY(utf8_scrub(a, s, &clean, f));
    size_t room; /* a mapped character has at most 4 bytes, and none grows to more than thrice */
    char *p = mem_size(clean.n, 3, &room) ? arena_alloc(a, room + 1) : NULL;
    if (!p) return fail_memory(f, "text in another case");
    size_t n = 0;
    for (size_t i = 0; i < clean.n;) {
        char piece[UTF8_CHAR_BYTES_MAX];
        size_t bytes = utf8_encode(piece, map(utf8_walk(clean, &i)));
        memcpy(p + n, piece, bytes);
        n += bytes;
    }
    *out = (str){p, n};
    return E_OK;
}

err utf8_lower(arena *a, str s, str *out, fail *f) {
    return utf8_map(a, s, utf8_char_lower, out, f);
}
err utf8_upper(arena *a, str s, str *out, fail *f) {
    return utf8_map(a, s, utf8_char_upper, out, f);
}

bool utf8_is_letter(int32_t c) {
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool utf8_is_mark(int32_t c) {
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}
bool utf8_is_number(int32_t c) {
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}
bool utf8_is_punct(int32_t c) {
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}
bool utf8_is_symbol(int32_t c) {
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_SM && k <= UTF8PROC_CATEGORY_SO;
}
bool utf8_is_space(int32_t c) {
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
    utf8proc_category_t k = category(c);
    return c == 0x85 || k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL ||
           k == UTF8PROC_CATEGORY_ZP;
}
bool utf8_is_control(int32_t c) {
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF;
}

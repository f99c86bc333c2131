/* grammar_json.c - see grammar_json.h. */
#include "grammar/grammar_json.h"

#include "text/json.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

enum { SPACES_MAX = 20 };

static const lexer_expr *range(arena *a, int from, int to) {
    return lexer_bytes(a, byte_set_range(from, to));
}
static const lexer_expr *text(arena *a, const char *z) {
    return lexer_text(a, str_from(z));
}

/* ---- strings ---- */

/* the short escape of a character that has one, else NULL */
static const char *short_escape(uint32_t c) {
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

static void one_way(uint32_t c, char out[8]) {
    const char *escape = short_escape(c);
    if (escape)
        snprintf(out, 8, "%s", escape);
    else if (c < 0x20)
        snprintf(out, 8, "\\u%04x", (unsigned)c);
    else
        out[utf8_encode(out, (int32_t)c)] = 0;
}

static const lexer_expr *either(arena *a, const lexer_expr *x, const lexer_expr *y) {
    return x ? lexer_alt(a, x, y) : y;
}

const lexer_expr *json_chars(arena *a, uint32_t from, uint32_t to) {
    static const uint32_t plain[][2] = {{' ', '!'}, {'#', '['}, {']', 0x10ffff}};
    const lexer_expr *e = NULL;
    for (uint32_t c = 0; c < 0x60; c++) {
        char written[8];
        bool escaped = c < 0x20 || c == '"' || c == '\\';
        if (!escaped || c < from || c > to) continue;
        one_way(c, written);
        e = either(a, e, text(a, written));
        if (!e) return NULL;
    }
    for (int i = 0; i < 3; i++) {
        uint32_t lo = from > plain[i][0] ? from : plain[i][0],
                 hi = to < plain[i][1] ? to : plain[i][1];
        if (lo > hi) continue;
        e = either(a, e, lexer_chars(a, lo, hi));
        if (!e) return NULL;
    }
    return e ? e : lexer_bytes(a, (byte_set){0});
}

static const lexer_expr *hex(arena *a, int n) {
    byte_set s = byte_set_or(byte_set_range('0', '9'),
                             byte_set_or(byte_set_range('a', 'f'), byte_set_range('A', 'F')));
    return lexer_repeat(a, lexer_bytes(a, s), n, n);
}

/* \uXXXX that is a character, or a pair of surrogates */
static const lexer_expr *unicode_escape(arena *a) {
    byte_set d = byte_set_or(byte_set_range('d', 'd'), byte_set_range('D', 'D')),
             not_d = byte_set_or(byte_set_range('0', '9'),
                                 byte_set_or(byte_set_range('a', 'c'), byte_set_range('A', 'C')));
    byte_set ef = byte_set_or(byte_set_range('e', 'f'), byte_set_range('E', 'F'));
    byte_set high = byte_set_or(byte_set_range('8', '9'),
                                byte_set_or(byte_set_range('a', 'b'), byte_set_range('A', 'B')));
    byte_set low = byte_set_or(byte_set_range('c', 'f'), byte_set_range('C', 'F'));
    const lexer_expr *plain = lexer_cat(a, lexer_bytes(a, byte_set_or(not_d, ef)), hex(a, 3)),
                     *below = lexer_cat(a, lexer_cat(a, lexer_bytes(a, d), range(a, '0', '7')),
                                        hex(a, 2)),
                     *pair = lexer_cat(
                         a,
                         lexer_cat(a, lexer_cat(a, lexer_bytes(a, d), lexer_bytes(a, high)),
                                   lexer_cat(a, hex(a, 2), text(a, "\\u"))),
                         lexer_cat(a, lexer_cat(a, lexer_bytes(a, d), lexer_bytes(a, low)),
                                   hex(a, 2)));
    return lexer_cat(a, text(a, "\\u"), lexer_alt(a, plain, lexer_alt(a, below, pair)));
}

const lexer_expr *json_any_char(arena *a) {
    byte_set after = {0};
    for (const char *c = "\"\\/bfnrt"; *c; c++) byte_set_add(&after, (uint8_t)*c);
    const lexer_expr *escape = lexer_cat(a, text(a, "\\"), lexer_bytes(a, after)),
                     *plain = lexer_alt(
                         a, lexer_chars(a, ' ', '!'),
                         lexer_alt(a, lexer_chars(a, '#', '['), lexer_chars(a, ']', 0x10ffff)));
    return lexer_alt(a, plain, lexer_alt(a, escape, unicode_escape(a)));
}

const lexer_expr *json_quoted(arena *a, const lexer_expr *inner) {
    return lexer_cat(a, text(a, "\""), lexer_cat(a, inner, text(a, "\"")));
}

err json_string_text(arena *a, str in, str *out, fail *f) {
    buf b = {0};
    buf_put_char(&b, '"');
    while (in.n) {
        uint32_t c;
        char written[8];
        size_t n = utf8_next(in, &c);
        if (n == 0) {
            buf_deinit(&b);
            return fail_set(f, E_INPUT, "a text of the schema is no UTF-8");
        }
        one_way(c, written);
        buf_put_z(&b, written);
        in = str_slice(in, n, in.n);
    }
    buf_put_char(&b, '"');
    err e = buf_ok(&b, f);
    if (e == E_OK) {
        *out = arena_str(a, buf_str(&b));
        if (!out->p) e = fail_memory(f, "a grammar");
    }
    buf_deinit(&b);
    return e;
}

/* ---- numbers ---- */

static const lexer_expr *digits(arena *a, int32_t least) {
    return lexer_repeat(a, range(a, '0', '9'), least, -1);
}
static const lexer_expr *maybe(arena *a, const lexer_expr *x) {
    return lexer_repeat(a, x, 0, 1);
}
static const lexer_expr *any_whole(arena *a) {
    return lexer_alt(a, text(a, "0"), lexer_cat(a, range(a, '1', '9'), digits(a, 0)));
}
static const lexer_expr *any_part(arena *a) { /* "." digits, or nothing */
    return maybe(a, lexer_cat(a, text(a, "."), digits(a, 1)));
}

const lexer_expr *json_number_expr(arena *a, bool whole) {
    const lexer_expr *e = lexer_cat(a, maybe(a, text(a, "-")), any_whole(a));
    if (whole) return e;
    byte_set mark = byte_set_or(byte_set_range('e', 'e'), byte_set_range('E', 'E')),
             sign = byte_set_or(byte_set_range('+', '+'), byte_set_range('-', '-'));
    const lexer_expr *exponent = lexer_cat(
        a, lexer_bytes(a, mark),
        lexer_cat(a, maybe(a, lexer_bytes(a, sign)), lexer_repeat(a, range(a, '0', '9'), 1, 2)));
    return lexer_cat(a, e, lexer_cat(a, any_part(a), maybe(a, exponent)));
}

const lexer_expr *json_decimal_expr(arena *a, bool whole) {
    const lexer_expr *e = lexer_cat(a, maybe(a, text(a, "-")), any_whole(a));
    return whole ? e : lexer_cat(a, e, any_part(a));
}

const lexer_expr *json_fraction_expr(arena *a) {
    const lexer_expr *part =
        lexer_cat(a, digits(a, 0), lexer_cat(a, range(a, '1', '9'), digits(a, 0)));
    return lexer_cat(a, json_decimal_expr(a, true), lexer_cat(a, text(a, "."), part));
}

const lexer_expr *json_space_expr(arena *a) {
    byte_set s = {0};
    for (const char *c = " \t\n\r"; *c; c++) byte_set_add(&s, (uint8_t)*c);
    return lexer_repeat(a, lexer_bytes(a, s), 0, SPACES_MAX);
}

err decimal_read(str written, decimal *out, fail *f) {
    char all[2 * DECIMAL_DIGITS_MAX + 2] = "";
    int n = 0, point = -1;
    int64_t exponent = 0;
    size_t i = 0;
    decimal d = {.negative = written.n && written.p[0] == '-'};
    for (i = d.negative; i < written.n && written.p[i] != 'e' && written.p[i] != 'E'; i++) {
        if (written.p[i] == '.')
            point = n;
        else if (n || written.p[i] != '0' || point >= 0) {
            if (n >= DECIMAL_DIGITS_MAX) goto too_long;
            all[n++] = written.p[i];
        }
    }
    if (point < 0) point = n;
    str rest = str_slice(written, i + 1, written.n);
    if (rest.n && rest.p[0] == '+') rest = str_slice(rest, 1, rest.n);
    if (i < written.n && !str_to_int(rest, &exponent)) goto too_long;
    if (exponent > DECIMAL_DIGITS_MAX || exponent < -DECIMAL_DIGITS_MAX) goto too_long;
    point += (int)exponent;
    if (point > DECIMAL_DIGITS_MAX || point - n < -DECIMAL_DIGITS_MAX ||
        n - point > DECIMAL_DIGITS_MAX)
        goto too_long;
    int w = 0, p = 0;
    for (int k = 0; k < point; k++) {
        char c = k < n ? all[k] : '0';
        if (w || c != '0') d.whole[w++] = c;
    }
    if (w == 0) d.whole[w++] = '0';
    for (int k = point; k < n; k++) d.part[p++] = k < 0 ? '0' : all[k];
    while (p > 0 && d.part[p - 1] == '0') p--;
    d.part[p] = 0;
    *out = d;
    return E_OK;
too_long:
    return fail_set(f, E_UNSUPPORTED, "the bound %.*s has more digits than a grammar can hold (%d)",
                    STR_ARG(written), DECIMAL_DIGITS_MAX);
}

/* Digits as long as `bound` (or longer, with `longer`; or shorter), greater or less than it. */
static const lexer_expr *compared(arena *a, const char *bound, bool greater) {
    const lexer_expr *all = NULL, *same = lexer_empty(a);
    int n = (int)strlen(bound);
    for (int i = 0; i < n; i++) {
        int from = greater       ? bound[i] + 1
                   : i || n == 1 ? '0'
                                 : '1',
            to = greater ? '9' : bound[i] - 1;
        if (from <= to)
            all = either(a, all,
                         lexer_cat(a, lexer_cat(a, same, range(a, from, to)),
                                   lexer_repeat(a, range(a, '0', '9'), n - i - 1, n - i - 1)));
        same = lexer_cat(a, same, range(a, bound[i], bound[i]));
    }
    if (greater) /* longer ones */
        all = either(a, all,
                     lexer_cat(a, range(a, '1', '9'), lexer_repeat(a, range(a, '0', '9'), n, -1)));
    else if (n > 1) /* shorter ones */
        all = either(a, all,
                     lexer_alt(a, text(a, "0"),
                               lexer_cat(a, range(a, '1', '9'),
                                         lexer_repeat(a, range(a, '0', '9'), 0, n - 2))));
    return all ? all : lexer_bytes(a, (byte_set){0});
}

/* The fraction behind a whole part that equals the bound's: greater than its part, or equal. */
static const lexer_expr *part_above(arena *a, const char *part, bool exclusive) {
    const lexer_expr *all = NULL, *same = text(a, ".");
    for (int i = 0; part[i]; i++) {
        if (part[i] < '9')
            all = either(
                a, all, lexer_cat(a, lexer_cat(a, same, range(a, part[i] + 1, '9')), digits(a, 0)));
        same = lexer_cat(a, same, range(a, part[i], part[i]));
    }
    /* more digits behind the same ones */
    const lexer_expr *more =
        exclusive ? lexer_cat(a, digits(a, 0), lexer_cat(a, range(a, '1', '9'), digits(a, 0)))
                  : digits(a, part[0] ? 0 : 1);
    all = either(a, all, lexer_cat(a, same, more));
    return !part[0] && !exclusive ? lexer_alt(a, all, lexer_empty(a)) : all;
}

static const lexer_expr *part_below(arena *a, const char *part, bool exclusive) {
    const lexer_expr *all = NULL, *same = text(a, ".");
    for (int i = 0; part[i]; i++) {
        if (part[i] > '0')
            all = either(
                a, all, lexer_cat(a, lexer_cat(a, same, range(a, '0', part[i] - 1)), digits(a, 0)));
        if (i)
            all = either(a, all, same); /* fewer digits: zeros follow, and part does not end so */
        same = lexer_cat(a, same, range(a, part[i], part[i]));
    }
    if (part[0]) all = either(a, all, lexer_empty(a));
    const lexer_expr *zeros = lexer_repeat(a, text(a, "0"), part[0] ? 0 : 1, -1);
    if (!exclusive) {
        all = either(a, all, lexer_cat(a, same, zeros));
        if (!part[0]) all = lexer_alt(a, all, lexer_empty(a));
    }
    return all ? all : lexer_bytes(a, (byte_set){0});
}

/* Numbers without sign that are above (or below) the bound's magnitude. */
static const lexer_expr *magnitude(arena *a, const decimal *b, bool above, bool exclusive,
                                   bool whole) {
    const lexer_expr *other = compared(a, b->whole, above), *same = text(a, b->whole);
    if (whole) { /* a fraction in the bound makes the whole part alone less than it */
        bool counts = b->part[0] ? !above : !exclusive;
        return counts ? lexer_alt(a, other, same) : other;
    }
    const lexer_expr *part =
        above ? part_above(a, b->part, exclusive) : part_below(a, b->part, exclusive);
    return lexer_alt(a, lexer_cat(a, other, any_part(a)), lexer_cat(a, same, part));
}

static const lexer_expr *unsigned_number(arena *a, bool whole) {
    return whole ? any_whole(a) : lexer_cat(a, any_whole(a), any_part(a));
}
static const lexer_expr *minus(arena *a, const lexer_expr *e) {
    return lexer_cat(a, text(a, "-"), e);
}
static bool is_zero(const decimal *b) {
    return !strcmp(b->whole, "0") && !b->part[0];
}

const lexer_expr *json_at_least(arena *a, const decimal *bound, bool exclusive, bool whole) {
    if (bound->negative && !is_zero(bound))
        return lexer_alt(a, unsigned_number(a, whole),
                         minus(a, magnitude(a, bound, false, exclusive, whole)));
    return magnitude(a, bound, true, exclusive, whole);
}

const lexer_expr *json_at_most(arena *a, const decimal *bound, bool exclusive, bool whole) {
    if (bound->negative && !is_zero(bound))
        return minus(a, magnitude(a, bound, true, exclusive, whole));
    const lexer_expr *below = magnitude(a, bound, false, exclusive, whole),
                     *negative = minus(a, unsigned_number(a, whole));
    if (!is_zero(bound) || !exclusive) return lexer_alt(a, below, negative);
    decimal zero = {.whole = "0"}; /* below zero: -0 is not */
    return minus(a, magnitude(a, &zero, true, true, whole));
}

const lexer_expr *json_equal_expr(arena *a, const decimal *v) {
    const lexer_expr *sign = is_zero(v)    ? maybe(a, text(a, "-"))
                             : v->negative ? text(a, "-")
                                           : lexer_empty(a),
                     *zeros = lexer_repeat(a, text(a, "0"), v->part[0] ? 0 : 1, -1),
                     *part = lexer_cat(a, lexer_cat(a, text(a, "."), text(a, v->part)), zeros);
    return lexer_cat(a, sign, lexer_cat(a, text(a, v->whole), v->part[0] ? part : maybe(a, part)));
}

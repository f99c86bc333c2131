/* grammar_regex.c - recursive descent over the pattern; see grammar_regex.h. */
#include "grammar/grammar_regex.h"

#include "grammar/grammar.h"
#include "text/utf8.h"

#include <string.h>

enum { LAST_CHAR = 0x10ffff };

/* Characters as ranges, not sorted. */
typedef struct char_set {
    uint32_t from[REGEX_RANGES_MAX], to[REGEX_RANGES_MAX];
    int n;
} char_set;

typedef struct regex {
    arena *a;
    str text;
    size_t at;
    regex_chars chars;
    int depth;
} regex;

static err bad(const regex *r, const char *what, fail *f) {
    return fail_set(f, E_INPUT, "the pattern \"%.*s\" is malformed at byte %zu: %s",
                    (int)(r->text.n < 200 ? r->text.n : 200), r->text.p, r->at, what);
}
static err cannot(const regex *r, const char *what, fail *f) {
    fail_set(f, E_UNSUPPORTED, "the pattern \"%.*s\" uses %s at byte %zu",
             (int)(r->text.n < 200 ? r->text.n : 200), r->text.p, what, r->at);
    return fail_hint(f, "a grammar can hold literals, classes, groups, | * + ? {m,n} and anchors "
                        "at the ends");
}

static bool peek(const regex *r, char c) {
    return r->at < r->text.n && r->text.p[r->at] == c;
}
static bool take(regex *r, char c) {
    if (!peek(r, c)) return false;
    r->at++;
    return true;
}
static bool take_text(regex *r, const char *z) {
    size_t n = strlen(z);
    if (r->text.n - r->at < n || memcmp(r->text.p + r->at, z, n) != 0) return false;
    r->at += n;
    return true;
}

/* ---- sets of characters ---- */

static err set_add(char_set *s, uint32_t from, uint32_t to, fail *f) {
    if (s->n == REGEX_RANGES_MAX)
        return fail_set(f, E_TOO_LARGE, "a class of more than %d ranges", REGEX_RANGES_MAX);
    s->from[s->n] = from;
    s->to[s->n++] = to;
    return E_OK;
}

static void set_sort(char_set *s) {
    for (int i = 1; i < s->n; i++)
        for (int k = i; k > 0 && s->from[k - 1] > s->from[k]; k--) {
            uint32_t from = s->from[k], to = s->to[k];
            s->from[k] = s->from[k - 1];
            s->to[k] = s->to[k - 1];
            s->from[k - 1] = from;
            s->to[k - 1] = to;
        }
}

/* Sorted, overlaps joined, and what is not in it if `negated`. */
static err set_tidy(char_set *s, bool negated, fail *f) {
    char_set out = {.n = 0};
    uint32_t begin = 0; /* of the gap before the next range */
    set_sort(s);
    for (int i = 0; i < s->n; i++) {
        if (s->to[i] + 1 <= begin && begin) continue;
        uint32_t from = s->from[i] > begin ? s->from[i] : begin;
        if (negated && from > begin) TRY(set_add(&out, begin, from - 1, f));
        if (!negated) TRY(set_add(&out, from, s->to[i], f));
        begin = s->to[i] + 1;
    }
    if (negated && begin <= LAST_CHAR) TRY(set_add(&out, begin, LAST_CHAR, f));
    *s = out;
    return E_OK;
}

static err set_expr(const regex *r, const char_set *s, const lexer_expr **out, fail *f) {
    const lexer_expr *e = NULL;
    for (int i = 0; i < s->n; i++) {
        const lexer_expr *part = r->chars(r->a, s->from[i], s->to[i]);
        e = e ? lexer_alt(r->a, e, part) : part;
        if (!e) return fail_memory(f, "a pattern");
    }
    if (!e) e = lexer_bytes(r->a, (byte_set){0}); /* an empty class matches nothing */
    *out = e;
    return e ? E_OK : fail_memory(f, "a pattern");
}

static const uint32_t digits[] = {'0', '9'};
static const uint32_t words[] = {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'};
static const uint32_t spaces[] = {9,      13,     32,     32,     0xa0,   0xa0,   0x1680,
                                  0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f,
                                  0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff};
static const uint32_t line_ends[] = {'\n', '\n', '\r', '\r', 0x2028, 0x2029};

static err set_add_list(char_set *s, const uint32_t *list, size_t n, bool negated, fail *f) {
    char_set one = {.n = 0};
    for (size_t i = 0; i < n; i += 2) TRY(set_add(&one, list[i], list[i + 1], f));
    TRY(set_tidy(&one, negated, f));
    for (int i = 0; i < one.n; i++) TRY(set_add(s, one.from[i], one.to[i], f));
    return E_OK;
}

/* ---- escapes ---- */

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static err read_hex(regex *r, int least, int most, uint32_t *out, fail *f) {
    int n = 0;
    for (*out = 0; n < most && r->at < r->text.n && hex_digit(r->text.p[r->at]) >= 0; n++)
        *out = *out * 16 + (uint32_t)hex_digit(r->text.p[r->at++]);
    if (n < least || *out > LAST_CHAR) return bad(r, "hexadecimal digits are missing", f);
    return E_OK;
}

static err read_code_point(regex *r, uint32_t *out, fail *f) {
    uint32_t low;
    if (take(r, '{')) {
        TRY(read_hex(r, 1, 6, out, f));
        return take(r, '}') ? E_OK : bad(r, "} is missing", f);
    }
    TRY(read_hex(r, 4, 4, out, f));
    if (*out < 0xd800 || *out > 0xdbff || !take_text(r, "\\u")) return E_OK;
    TRY(read_hex(r, 4, 4, &low, f));
    if (low < 0xdc00 || low > 0xdfff) return bad(r, "half a surrogate pair", f);
    *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    return E_OK;
}

/* Behind a backslash: a class (put into s, *is_class) or one character. */
static err read_escape(regex *r, char_set *s, bool *is_class, uint32_t *one, fail *f) {
    if (r->at == r->text.n) return bad(r, "a backslash at the end", f);
    char c = r->text.p[r->at++];
    *is_class = strchr("dDwWsS", c) && c;
    switch (c) {
    case 'd':
    case 'D': return set_add_list(s, digits, 2, c == 'D', f);
    case 'w':
    case 'W': return set_add_list(s, words, 8, c == 'W', f);
    case 's':
    case 'S': return set_add_list(s, spaces, sizeof spaces / sizeof *spaces, c == 'S', f);
    case 't': *one = '\t'; return E_OK;
    case 'n': *one = '\n'; return E_OK;
    case 'v': *one = '\v'; return E_OK;
    case 'f': *one = '\f'; return E_OK;
    case 'r': *one = '\r'; return E_OK;
    case 'x': return read_hex(r, 2, 2, one, f);
    case 'u': return read_code_point(r, one, f);
    case 'p':
    case 'P': return cannot(r, "a unicode property (\\p)", f);
    case 'b':
    case 'B': return cannot(r, "a word boundary (\\b)", f);
    case 'k': return cannot(r, "a back reference (\\k)", f);
    case 'c':
        if (r->at == r->text.n) return bad(r, "\\c at the end", f);
        *one = (uint32_t)(r->text.p[r->at++] & 31);
        return E_OK;
    case '0': *one = 0; return E_OK;
    default: break;
    }
    if (c >= '1' && c <= '9') return cannot(r, "a back reference", f);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return bad(r, "an unknown escape", f);
    if ((unsigned char)c >= 0x80) return bad(r, "a backslash before a letter", f);
    *one = (uint32_t)c;
    return E_OK;
}

static err read_char(regex *r, uint32_t *out, fail *f) {
    uint32_t c;
    size_t n = utf8_next((str){r->text.p + r->at, r->text.n - r->at}, &c);
    if (n == 0) return bad(r, "no UTF-8", f);
    r->at += n;
    *out = c;
    return E_OK;
}

/* One member of a class; *single when it may begin or end a range. */
static err read_member(regex *r, char_set *s, bool *single, uint32_t *out, fail *f) {
    bool is_class = false;
    if (take(r, '\\')) {
        if (take(r, 'b'))
            *out = '\b';
        else if (take(r, '-'))
            *out = '-';
        else
            TRY(read_escape(r, s, &is_class, out, f));
    } else {
        TRY(read_char(r, out, f));
    }
    *single = !is_class;
    return E_OK;
}

static err read_class(regex *r, const lexer_expr **out, fail *f) {
    char_set s = {.n = 0};
    bool negated = take(r, '^'), single, ends_single;
    uint32_t from, to;
    while (!take(r, ']')) {
        if (r->at == r->text.n) return bad(r, "] is missing", f);
        TRY(read_member(r, &s, &single, &from, f));
        if (!single) continue;
        to = from;
        if (peek(r, '-') && r->at + 1 < r->text.n && r->text.p[r->at + 1] != ']') {
            r->at++;
            TRY(read_member(r, &s, &ends_single, &to, f));
            if (!ends_single || to < from) return bad(r, "a range whose ends do not fit", f);
        }
        TRY(set_add(&s, from, to, f));
    }
    TRY(set_tidy(&s, negated, f));
    return set_expr(r, &s, out, f);
}

/* ---- terms ---- */

static err read_choice(regex *r, const lexer_expr **out, fail *f);

static err read_group(regex *r, const lexer_expr **out, fail *f) {
    if (take(r, '?')) {
        if (take_text(r, "<=") || take_text(r, "<!") || peek(r, '=') || peek(r, '!'))
            return cannot(r, "look-around", f);
        if (take(r, '<')) {
            while (r->at < r->text.n && !peek(r, '>')) r->at++;
            if (!take(r, '>')) return bad(r, "a group's name does not end", f);
        } else if (!take(r, ':')) {
            return cannot(r, "flags of a group", f);
        }
    }
    if (++r->depth > REGEX_DEPTH_MAX) return bad(r, "groups nest too deeply", f);
    TRY(read_choice(r, out, f));
    r->depth--;
    return take(r, ')') ? E_OK : bad(r, ") is missing", f);
}

static err read_atom(regex *r, const lexer_expr **out, fail *f) {
    char_set s = {.n = 0};
    bool is_class = false;
    uint32_t c = 0;
    if (take(r, '(')) return read_group(r, out, f);
    if (take(r, '[')) return read_class(r, out, f);
    if (take(r, '.')) {
        TRY(set_add_list(&s, line_ends, 6, true, f));
        return set_expr(r, &s, out, f);
    }
    if (peek(r, '^') || peek(r, '$')) return cannot(r, "an anchor inside", f);
    if (peek(r, '*') || peek(r, '+') || peek(r, '?')) return bad(r, "nothing to repeat", f);
    if (take(r, '\\'))
        TRY(read_escape(r, &s, &is_class, &c, f));
    else
        TRY(read_char(r, &c, f));
    if (!is_class) TRY(set_add(&s, c, c, f));
    TRY(set_tidy(&s, false, f));
    return set_expr(r, &s, out, f);
}

static bool read_number(regex *r, int32_t *out) {
    size_t began = r->at;
    int64_t v = 0;
    while (r->at < r->text.n && r->text.p[r->at] >= '0' && r->text.p[r->at] <= '9') {
        v = v * 10 + (r->text.p[r->at++] - '0');
        if (v > LEXER_REPEAT_MAX) v = LEXER_REPEAT_MAX + 1;
    }
    *out = (int32_t)v;
    return r->at > began;
}

/* {m}, {m,}, {m,n}; anything else behind { is a plain brace */
static bool read_braces(regex *r, int32_t *least, int32_t *most) {
    size_t began = r->at;
    if (take(r, '{') && read_number(r, least)) {
        *most = *least;
        if (take(r, ',') && !read_number(r, most)) *most = -1;
        if (take(r, '}')) return true;
    }
    r->at = began;
    return false;
}

static err read_term(regex *r, const lexer_expr **out, fail *f) {
    const lexer_expr *e;
    int32_t least = 0, most = -1;
    TRY(read_atom(r, &e, f));
    bool repeated = true;
    if (take(r, '*'))
        least = 0;
    else if (take(r, '+'))
        least = 1;
    else if (take(r, '?'))
        most = 1;
    else
        repeated = read_braces(r, &least, &most);
    if (repeated) {
        take(r, '?'); /* lazy or not, the same texts match */
        if (most >= 0 && most < least) return bad(r, "a repetition whose ends do not fit", f);
        e = lexer_repeat(r->a, e, least, most);
    }
    *out = e;
    return e ? E_OK : fail_memory(f, "a pattern");
}

static err read_sequence(regex *r, const lexer_expr **out, fail *f) {
    const lexer_expr *e = lexer_empty(r->a), *term = NULL;
    while (r->at < r->text.n && !peek(r, '|') && !peek(r, ')')) {
        if (r->depth == 0 && peek(r, '$') &&
            (r->at + 1 == r->text.n || r->text.p[r->at + 1] == '|'))
            break;
        TRY(read_term(r, &term, f));
        e = lexer_cat(r->a, e, term);
    }
    *out = e;
    return e ? E_OK : fail_memory(f, "a pattern");
}

static err read_choice(regex *r, const lexer_expr **out, fail *f) {
    const lexer_expr *e, *other;
    TRY(read_sequence(r, &e, f));
    while (take(r, '|')) {
        TRY(read_sequence(r, &other, f));
        e = lexer_alt(r->a, e, other);
    }
    *out = e;
    return e ? E_OK : fail_memory(f, "a pattern");
}

/* An alternative of the whole pattern, with its anchors. */
static err read_whole(regex *r, bool search, const lexer_expr **out, fail *f) {
    const lexer_expr *any = lexer_repeat(r->a, r->chars(r->a, 0, LAST_CHAR), 0, -1), *e;
    bool from_start = take(r, '^');
    TRY(read_sequence(r, &e, f));
    bool to_end = take(r, '$');
    if (search && !from_start) e = lexer_cat(r->a, any, e);
    if (search && !to_end) e = lexer_cat(r->a, e, any);
    *out = e;
    return e ? E_OK : fail_memory(f, "a pattern");
}

err regex_parse(const lexer_expr **out, arena *a, str pattern, regex_chars chars, bool search,
                fail *f) {
    regex r = {.a = a, .text = pattern, .chars = chars};
    const lexer_expr *e, *other;
    if (pattern.n > REGEX_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "a pattern of %zu bytes is above the limit of %d",
                        pattern.n, REGEX_BYTES_MAX);
    TRY(read_whole(&r, search, &e, f));
    while (take(&r, '|')) {
        TRY(read_whole(&r, search, &other, f));
        e = lexer_alt(a, e, other);
        if (!e) return fail_memory(f, "a pattern");
    }
    if (r.at != r.text.n) return bad(&r, peek(&r, ')') ? "a ) too many" : "text after $", f);
    *out = e;
    return E_OK;
}

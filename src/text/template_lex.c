/* template_lex.c - template source to tokens, with Jinja's white-space rules; see template.h.
 *
 * As Jinja does it: line ends become \n, one at the very end goes; a tag with "-" eats white space
 * on that side; trim_blocks eats one line end behind a block or comment; lstrip_blocks eats blanks
 * before a block or comment that is the first thing on its line, unless it has "+". */
#include "text/template_int.h"

#include "text/utf8.h"

#include <string.h>

typedef struct lexer {
    arena *arena;
    token_list *out;
    str source;
    size_t at;
    int line;
    bool line_starting; /* the last token ended in a line end */
    fail *f;
} lexer;

static err lex_fail(const lexer *l, const char *what) {
    return fail_set(l->f, E_INPUT, "template line %d: %s", l->line, what);
}

static err put_token(lexer *l, token t) {
    token_list *o = l->out;
    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 256;
        token *items = arena_new_n(l->arena, token, cap);
        if (!items) return fail_memory(l->f, "a template");
        if (o->n) memcpy(items, o->items, o->n * sizeof *items);
        o->items = items;
        o->cap = cap;
    }
    t.line = l->line;
    o->items[o->n++] = t;
    return E_OK;
}

static bool looking_at(const lexer *l, const char *z) {
    return str_starts(str_slice(l->source, l->at, l->source.n), str_from(z));
}

static void advance(lexer *l, size_t n) {
    for (; n > 0 && l->at < l->source.n; n--)
        if (l->source.p[l->at++] == '\n') l->line++;
}

static void skip_spaces(lexer *l) {
    while (l->at < l->source.n) {
        size_t next = l->at;
        if (!text_is_space(utf8_walk(l->source, &next))) return;
        advance(l, next - l->at);
    }
}

static str trim_right(str s) {
    while (s.n) {
        size_t start = s.n - 1;
        while (start > 0 && ((unsigned char)s.p[start] & 0xC0) == 0x80) start--;
        size_t at = start;
        if (!text_is_space(utf8_walk(s, &at))) break;
        s.n = start;
    }
    return s;
}

/* Behind an end mark of `n` bytes (its sign included): what else it eats. */
static void end_tag(lexer *l, size_t n, char sign, bool trims) {
    advance(l, n);
    size_t from = l->at;
    if (sign == '-') skip_spaces(l);
    if (sign == 0 && trims && l->at < l->source.n && l->source.p[l->at] == '\n') advance(l, 1);
    l->line_starting = l->at > from && l->source.p[l->at - 1] == '\n';
}

/* The data before the tag at l->at + n, stripped as the tag's sign and kind ask for. */
static str strip_before(const lexer *l, str data, char kind, char sign) {
    if (sign == '-') return trim_right(data);
    if (sign == '+' || kind == '{') return data;
    size_t start = data.n;
    while (start > 0 && data.p[start - 1] != '\n') start--;
    if (start == 0 && !l->line_starting) return data;
    return trim_right(str_slice(data, start, data.n)).n == 0 ? str_slice(data, 0, start) : data;
}

static err lex_comment(lexer *l) {
    size_t end = str_find(str_slice(l->source, l->at, l->source.n), STR("#}"));
    if (end == STR_INDEX_NONE) return lex_fail(l, "a comment {# that is never closed");
    char before = end > 0 ? l->source.p[l->at + end - 1] : 0;
    char sign = before == '-' || before == '+' ? before : 0;
    end_tag(l, end + 2, sign, true);
    return E_OK;
}

/* Data up to the next tag or the end; takes the tag's opening too. *tag: '{' '%' '#' or 0. */
static err lex_data(lexer *l, char *tag) {
    size_t from = l->at, to = l->at;
    while (to < l->source.n) {
        const char *brace = memchr(l->source.p + to, '{', l->source.n - to);
        to = brace ? (size_t)(brace - l->source.p) : l->source.n;
        if (to + 1 < l->source.n && strchr("{%#", l->source.p[to + 1])) break;
        if (to < l->source.n) to++;
    }
    str data = str_slice(l->source, from, to);
    char kind = to < l->source.n ? l->source.p[to + 1] : 0;
    char next = kind && to + 2 < l->source.n ? l->source.p[to + 2] : 0;
    char sign = next == '-' || next == '+' ? next : 0;
    if (kind) data = strip_before(l, data, kind, sign);
    if (data.n) TRY(put_token(l, (token){.kind = TOKEN_DATA, .text = data}));
    advance(l, to - from + (kind ? 2u : 0u) + (sign ? 1u : 0u));
    l->line_starting = false;
    *tag = kind;
    return E_OK;
}

static bool name_char(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(str s, size_t at) {
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

/* Digits, and one underscore between two of them. */
static size_t skip_digits(str s, size_t at) {
    while (is_digit(s, at)) at += at + 1 < s.n && s.p[at + 1] == '_' && is_digit(s, at + 2) ? 2 : 1;
    return at;
}

/* The digits without underscores, 0x and its kin as they are. */
static err take_digits(lexer *l, size_t from, size_t to, str *out) {
    char *p = arena_alloc(l->arena, to - from + 1);
    size_t n = 0;
    if (!p) return fail_memory(l->f, "a template");
    for (size_t i = from; i < to; i++)
        if (l->source.p[i] != '_') p[n++] = l->source.p[i];
    *out = (str){p, n};
    return E_OK;
}

/* 12, 1_000, 1.5, 1e3, 1.5e-3; beyond 64 bits: its digits */
static err lex_number(lexer *l) {
    str s = l->source, digits;
    size_t from = l->at, to = skip_digits(s, from), whole = to;
    if (to < s.n && s.p[to] == '.' && skip_digits(s, to + 1) > to + 1) to = skip_digits(s, to + 1);
    if (to < s.n && (s.p[to] == 'e' || s.p[to] == 'E')) {
        size_t sign = to + 1 < s.n && (s.p[to + 1] == '+' || s.p[to + 1] == '-') ? 1 : 0;
        size_t end = skip_digits(s, to + 1 + sign);
        if (end > to + 1 + sign) to = end;
    }
    TRY(take_digits(l, from, to, &digits));
    token t = {.kind = to == whole ? TOKEN_INT : TOKEN_FLOAT, .text = digits};
    bool ok =
        t.kind == TOKEN_FLOAT ? str_to_double(digits, &t.number) : str_to_int(digits, &t.integer);
    if (!ok && t.kind == TOKEN_INT && digits.p[0] != '0') {
        t.kind = TOKEN_BIG;
        ok = true;
    }
    bool zeros = t.kind == TOKEN_INT && digits.n > 1 && digits.p[0] == '0' && t.integer != 0;
    if (to < s.n && to == from + 1 && s.p[from] == '0' && s.p[to] && strchr("xXoObB", s.p[to]))
        return fail_set(l->f, E_UNSUPPORTED, "template line %d: a number not written in tens",
                        l->line);
    if (!ok || zeros || (to < s.n && name_char(s.p[to])))
        return lex_fail(l, "a number that is not understood");
    advance(l, to - from);
    return put_token(l, t);
}

/* \xHH, \uHHHH, \UHHHHHHHH: reads n hexadecimal digits; -1 when they are not there. */
static int32_t hex_escape(str s, size_t at, size_t n) {
    uint32_t v = 0;
    if (n > s.n - at) return -1;
    for (size_t i = 0; i < n; i++) {
        char c = s.p[at + i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 16u;
        if (digit > 15 || v > 0x10FFFF) return -1;
        v = v << 4 | digit;
    }
    return v <= 0x10FFFF && !(v >= 0xD800 && v <= 0xDFFF) ? (int32_t)v : -1;
}

/* One escape at s.p[*at], behind the backslash; writes to out, returns the bytes written. */
static err lex_escape(lexer *l, str s, size_t *at, char *out, size_t *n) {
    static const char names[] = "\\'\"abfnrtv", codes[] = "\\'\"\a\b\f\n\r\t\v";
    char c = s.p[(*at)++];
    const char *known = c ? strchr(names, c) : NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    *n = 0;
    if (known) {
        out[(*n)++] = codes[known - names];
    } else if (digits) {
        int32_t code = hex_escape(s, *at, digits);
        if (code < 0) return lex_fail(l, "an escape in a text that is not understood");
        *n = utf8_encode(out, code);
        *at += digits;
    } else if (c == 'N' || (c >= '0' && c <= '7')) {
        return fail_set(l->f, E_UNSUPPORTED, "template line %d: the escape \\%c", l->line, c);
    } else if (c != '\n') {
        out[0] = '\\';
        out[1] = c;
        *n = 2;
    }
    return E_OK;
}

static err lex_text(lexer *l) {
    char quote = l->source.p[l->at];
    size_t from = l->at + 1, to = from;
    while (to < l->source.n && l->source.p[to] != quote) to += l->source.p[to] == '\\' ? 2 : 1;
    if (to >= l->source.n) return lex_fail(l, "a text in quotes that is never closed");
    str raw = str_slice(l->source, from, to);
    char *p = arena_alloc(l->arena, raw.n + UTF8_CHAR_BYTES_MAX);
    if (!p) return fail_memory(l->f, "a template");
    size_t n = 0;
    for (size_t i = 0; i < raw.n;) {
        size_t wrote = 1;
        if (raw.p[i] != '\\') {
            p[n] = raw.p[i++];
        } else {
            i++;
            TRY(lex_escape(l, raw, &i, p + n, &wrote));
        }
        n += wrote;
    }
    TRY(put_token(l, (token){.kind = TOKEN_TEXT, .text = {p, n}}));
    advance(l, to + 1 - l->at);
    return E_OK;
}

static err lex_operator(lexer *l) {
    static const char *const ops[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                      "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                      ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!looking_at(l, ops[i])) continue;
        TRY(put_token(l, (token){.kind = TOKEN_OP, .text = str_from(ops[i])}));
        advance(l, strlen(ops[i]));
        return E_OK;
    }
    return lex_fail(l, "a character that means nothing inside a tag");
}

static err lex_name(lexer *l) {
    size_t to = l->at;
    while (to < l->source.n && name_char(l->source.p[to])) to++;
    TRY(put_token(l, (token){.kind = TOKEN_NAME, .text = str_slice(l->source, l->at, to)}));
    advance(l, to - l->at);
    return E_OK;
}

/* Takes the end of the tag when it stands here and no bracket is open. */
static err lex_end(lexer *l, char kind, int open, bool *ended) {
    const char *mark = kind == '%' ? "%}" : "}}";
    char c = l->source.p[l->at];
    char sign = c == '-' || (c == '+' && kind == '%') ? c : 0;
    str rest = str_slice(l->source, l->at + (sign ? 1 : 0), l->source.n);
    *ended = open == 0 && str_starts(rest, str_from(mark));
    if (!*ended) return E_OK;
    TRY(put_token(l, (token){.kind = kind == '%' ? TOKEN_BLOCK_END : TOKEN_OUTPUT_END}));
    end_tag(l, sign ? 3 : 2, sign, kind == '%');
    return E_OK;
}

/* Behind "{%" and its sign: the bytes up to and with "%}" when the tag is just that name; *sign:
 * the one before "%}". 0 when it is not. */
static size_t bare_tag(str s, size_t at, const char *name, bool plus, char *sign) {
    size_t from = at, n = strlen(name);
    *sign = 0;
    for (size_t next = at; at < s.n && text_is_space(utf8_walk(s, &next));) at = next;
    if (!str_starts(str_slice(s, at, s.n), str_from(name))) return 0;
    at += n;
    for (size_t next = at; at < s.n && text_is_space(utf8_walk(s, &next));) at = next;
    if (at < s.n && (s.p[at] == '-' || (plus && s.p[at] == '+'))) *sign = s.p[at++];
    return str_starts(str_slice(s, at, s.n), STR("%}")) ? at + 2 - from : 0;
}

/* {% raw %} ... {% endraw %}: data as it stands. Stands behind "{%". */
static err lex_raw(lexer *l, size_t head, char head_sign) {
    str s = l->source;
    char sign, before;
    int first_line = l->line;
    end_tag(l, head, head_sign, false); /* its line end stays: Jinja trims behind other tags only */
    for (size_t at = l->at; at + 1 < s.n; at++) {
        if (s.p[at] != '{' || s.p[at + 1] != '%') continue;
        before = at + 2 < s.n && (s.p[at + 2] == '-' || s.p[at + 2] == '+') ? s.p[at + 2] : 0;
        size_t tail_at = at + 2 + (before ? 1 : 0),
               tail = bare_tag(s, tail_at, "endraw", true, &sign);
        if (!tail) continue;
        str data = strip_before(l, str_slice(s, l->at, at), '%', before);
        if (data.n) TRY(put_token(l, (token){.kind = TOKEN_DATA, .text = data}));
        advance(l, tail_at - l->at);
        end_tag(l, tail, sign, true);
        return E_OK;
    }
    l->line = first_line;
    return lex_fail(l, "a raw block that is never closed");
}

static err lex_tag(lexer *l, char kind) {
    int open = 0, first_line = l->line;
    char sign;
    size_t raw = kind == '%' ? bare_tag(l->source, l->at, "raw", false, &sign) : 0;
    if (raw) return lex_raw(l, raw, sign);
    TRY(put_token(l, (token){.kind = kind == '%' ? TOKEN_BLOCK_BEGIN : TOKEN_OUTPUT_BEGIN}));
    for (bool ended = false; !ended;) {
        skip_spaces(l);
        if (l->at >= l->source.n) {
            l->line = first_line;
            return lex_fail(l, "a tag that is never closed");
        }
        TRY(lex_end(l, kind, open, &ended));
        if (ended) break;
        char c = l->source.p[l->at];
        if (strchr("([{", c) && c) open++;
        if (strchr(")]}", c) && c && open > 0) open--;
        if (c == '"' || c == '\'')
            TRY(lex_text(l));
        else if (c >= '0' && c <= '9')
            TRY(lex_number(l));
        else if (name_char(c))
            TRY(lex_name(l));
        else
            TRY(lex_operator(l));
    }
    return E_OK;
}

/* Line ends become \n and the last one goes; a copy, so that the template borrows nothing. */
static err normal_lines(arena *a, str source, str *out, fail *f) {
    char *p = arena_alloc(a, source.n + 1);
    size_t n = 0;
    if (!p) return fail_memory(f, "a template");
    for (size_t i = 0; i < source.n; i++) {
        bool cr = source.p[i] == '\r';
        if (cr && i + 1 < source.n && source.p[i + 1] == '\n') continue;
        p[n++] = cr ? '\n' : source.p[i];
    }
    if (n && p[n - 1] == '\n') n--;
    *out = (str){p, n};
    return E_OK;
}

err template_lex(arena *a, str source, token_list *out, fail *f) {
    lexer l = {.arena = a, .out = out, .line = 1, .line_starting = true, .f = f};
    TRY(normal_lines(a, source, &l.source, f));
    while (l.at < l.source.n) {
        char tag = 0;
        TRY(lex_data(&l, &tag));
        if (tag == '#')
            TRY(lex_comment(&l));
        else if (tag)
            TRY(lex_tag(&l, tag));
    }
    return put_token(&l, (token){.kind = TOKEN_END});
}

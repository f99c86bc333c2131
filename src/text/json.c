/* json.c - one recursive pass over the bytes; arrays and objects grow in a scratch stack and are
 * copied once into the arena. See json.h. */
#include "text/json.h"

#include "base/mem.h"
#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parsing ---- */

typedef struct parser {
    arena *a;
    const char *start, *p, *end;
    fail *f;
    int depth;
    /* finished children of the containers that are still open */
    json_member *stack;
    size_t n, cap;
} parser;

static err bad(const parser *s, const char *what) {
    size_t line = 1, column = 1;
    for (const char *q = s->start; q < s->p; q++) {
        column++;
        if (*q == '\n') line++, column = 1;
    }
    return fail_set(s->f, E_INPUT, "JSON, line %zu, column %zu: %s", line, column, what);
}

static void skip_space(parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static err push(parser *s, json_member m) {
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64, bytes;
        json_member *grown =
            mem_size(cap, sizeof *grown, &bytes) ? mem_resize(s->stack, bytes) : NULL;
        if (!grown) return fail_memory(s->f, "JSON");
        s->stack = grown;
        s->cap = cap;
    }
    s->stack[s->n++] = m;
    return E_OK;
}

static int hex4(const char *p) {
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* s->p stands behind "\u" */
static err parse_unicode(parser *s, char **out) {
    if (s->end - s->p < 4) return bad(s, "a \\u escape needs four hex digits");
    int code = hex4(s->p);
    if (code < 0) return bad(s, "a \\u escape needs four hex digits");
    s->p += 4;
    if (code >= 0xdc00 && code < 0xe000) return bad(s, "a low surrogate without a high one");
    uint32_t c = (uint32_t)code;
    if (code >= 0xd800 && code < 0xdc00) {
        int low = s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' ? hex4(s->p + 2) : -1;
        if (low < 0xdc00 || low >= 0xe000) return bad(s, "a high surrogate without a low one");
        s->p += 6;
        c = 0x10000 + (((uint32_t)code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    }
    char *q = *out;
    if (c < 0x80)
        *q++ = (char)c;
    else if (c < 0x800)
        *q++ = (char)(0xc0 | c >> 6), *q++ = (char)(0x80 | (c & 0x3f));
    else if (c < 0x10000)
        *q++ = (char)(0xe0 | c >> 12), *q++ = (char)(0x80 | (c >> 6 & 0x3f)),
        *q++ = (char)(0x80 | (c & 0x3f));
    else
        *q++ = (char)(0xf0 | c >> 18), *q++ = (char)(0x80 | (c >> 12 & 0x3f)),
        *q++ = (char)(0x80 | (c >> 6 & 0x3f)), *q++ = (char)(0x80 | (c & 0x3f));
    *out = q;
    return E_OK;
}

static err parse_escape(parser *s, char **out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (s->p >= s->end) return bad(s, "the text ends inside a string");
    char c = *s->p++;
    if (c == 'u') return parse_unicode(s, out);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at) return bad(s, "an escape that JSON does not have");
    *(*out)++ = to[at - from];
    return E_OK;
}

/* Length of the string up to its closing quote, so that the copy is one allocation; 0 = it never
 * closes. */
static size_t string_bytes(const parser *s) {
    for (const char *q = s->p; q < s->end; q++) {
        if (*q == '\\')
            q++;
        else if (*q == '"')
            return (size_t)(q - s->p) + 1;
    }
    return 0;
}

static err parse_string(parser *s, str *out) {
    s->p++;
    size_t most = string_bytes(s);
    if (!most) return bad(s, "a string that does not end");
    char *text = arena_alloc(s->a, most), *q = text;
    if (!text) return fail_memory(s->f, "JSON");
    for (;;) {
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') break;
        if (c < 0x20) return bad(s, "a control character inside a string; write it as an escape");
        if (c == '\\') {
            s->p++;
            TRY(parse_escape(s, &q));
        } else if (c < 0x80) {
            *q++ = *s->p++;
        } else {
            uint32_t code;
            size_t n = utf8_next((str){s->p, (size_t)(s->end - s->p)}, &code);
            if (!n) return bad(s, "bytes that are not UTF-8");
            memcpy(q, s->p, n);
            q += n;
            s->p += n;
        }
    }
    s->p++;
    *q = 0;
    *out = (str){text, (size_t)(q - text)};
    return E_OK;
}

static bool take_digits(parser *s) {
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return s->p > from;
}

static err parse_number(parser *s, json *out) {
    const char *from = s->p;
    bool whole = true;
    if (*s->p == '-') s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!take_digits(s))
        return bad(s, "not a JSON value");
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        whole = false;
        if (!take_digits(s)) return bad(s, "digits must follow the decimal point");
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        whole = false;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
        if (!take_digits(s)) return bad(s, "digits must follow the exponent");
    }
    *out = (json){.kind = JSON_NUMBER, .string = {from, (size_t)(s->p - from)}};
    out->is_int = whole && str_to_int(out->string, &out->integer);
    if (out->is_int) {
        out->number = (double)out->integer;
        return E_OK;
    }
    /* strtod needs an end; the digits of a long number are copied */
    char *z = arena_z(s->a, out->string);
    if (!z) return fail_memory(s->f, "JSON");
    out->number = strtod(z, NULL);
    return isfinite(out->number) ? E_OK : bad(s, "a number outside the range of a double");
}

static err parse_value(parser *s, json *out);

static err parse_items(parser *s, json *out) {
    size_t first = s->n;
    for (;;) {
        json_member m = {0};
        TRY(parse_value(s, &m.value));
        TRY(push(s, m));
        skip_space(s);
        if (s->p < s->end && *s->p == ',') {
            s->p++;
            continue;
        }
        if (s->p < s->end && *s->p == ']') break;
        return bad(s, "expected \",\" or \"]\"");
    }
    s->p++;
    size_t n = s->n - first;
    json *items = arena_new_n(s->a, json, n);
    if (!items) return fail_memory(s->f, "JSON");
    for (size_t i = 0; i < n; i++) items[i] = s->stack[first + i].value;
    s->n = first;
    *out = (json){.kind = JSON_ARRAY, .count = n, .items = items};
    return E_OK;
}

static err parse_members(parser *s, json *out) {
    size_t first = s->n;
    for (;;) {
        json_member m = {0};
        skip_space(s);
        if (s->p >= s->end || *s->p != '"') return bad(s, "expected a key in double quotes");
        TRY(parse_string(s, &m.key));
        skip_space(s);
        if (s->p >= s->end || *s->p != ':') return bad(s, "expected \":\" behind a key");
        s->p++;
        TRY(parse_value(s, &m.value));
        TRY(push(s, m));
        skip_space(s);
        if (s->p < s->end && *s->p == ',') {
            s->p++;
            continue;
        }
        if (s->p < s->end && *s->p == '}') break;
        return bad(s, "expected \",\" or \"}\"");
    }
    s->p++;
    size_t n = s->n - first;
    json_member *members = arena_new_n(s->a, json_member, n);
    if (!members) return fail_memory(s->f, "JSON");
    memcpy(members, s->stack + first, n * sizeof *members);
    s->n = first;
    *out = (json){.kind = JSON_OBJECT, .count = n, .members = members};
    return E_OK;
}

static err parse_container(parser *s, json *out) {
    bool object = *s->p == '{';
    if (s->depth == JSON_DEPTH_MAX) return bad(s, "nested more than 128 deep");
    s->depth++;
    s->p++;
    skip_space(s);
    err e = E_OK;
    if (s->p < s->end && *s->p == (object ? '}' : ']')) {
        s->p++;
        *out = (json){.kind = object ? JSON_OBJECT : JSON_ARRAY};
    } else {
        e = object ? parse_members(s, out) : parse_items(s, out);
    }
    s->depth--;
    return e;
}

static bool take_word(parser *s, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return false;
    s->p += n;
    return true;
}

static err parse_value(parser *s, json *out) {
    skip_space(s);
    if (s->p >= s->end) return bad(s, "the text ends where a value should stand");
    char c = *s->p;
    if (c == '{' || c == '[') return parse_container(s, out);
    if (c == '"') {
        *out = (json){.kind = JSON_STRING};
        return parse_string(s, &out->string);
    }
    if (take_word(s, "true"))
        *out = (json){.kind = JSON_BOOL, .boolean = true};
    else if (take_word(s, "false"))
        *out = (json){.kind = JSON_BOOL};
    else if (take_word(s, "null"))
        *out = (json){.kind = JSON_NULL};
    else
        return parse_number(s, out);
    return E_OK;
}

err json_parse(arena *a, str text, const json **out, fail *f) {
    parser s = {.a = a, .start = text.p, .p = text.p, .end = text.p + text.n, .f = f};
    json *v = arena_new(a, json);
    if (!v) return fail_memory(f, "JSON");
    err e = parse_value(&s, v);
    skip_space(&s);
    if (e == E_OK && s.p < s.end) e = bad(&s, "something follows the value");
    mem_free(s.stack);
    if (e == E_OK) *out = v;
    return e;
}

/* ---- reading ---- */

const char *json_kind_name(json_kind k) {
    static const char *const names[] = {"null",     "a boolean", "a number",
                                        "a string", "an array",  "an object"};
    return names[k];
}

const json *json_get(const json *v, const char *key) {
    if (!v || v->kind != JSON_OBJECT) return NULL;
    for (size_t i = v->count; i-- > 0;)
        if (str_is(v->members[i].key, key)) return &v->members[i].value;
    return NULL;
}

const json *json_at(const json *v, size_t index) {
    return v && v->kind == JSON_ARRAY && index < v->count ? &v->items[index] : NULL;
}

static const json *present(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind != JSON_NULL ? x : NULL;
}

static err wrong_kind(const char *key, const char *wanted, const json *x, fail *f) {
    return fail_set(f, E_INPUT, "\"%s\" must be %s, not %s", key, wanted, json_kind_name(x->kind));
}

err json_get_str(const json *v, const char *key, str fallback, str *out, fail *f) {
    const json *x = present(v, key);
    if (x && x->kind != JSON_STRING) return wrong_kind(key, "a string", x, f);
    *out = x ? x->string : fallback;
    return E_OK;
}

err json_get_int(const json *v, const char *key, int64_t fallback, int64_t min, int64_t max,
                 int64_t *out, fail *f) {
    const json *x = present(v, key);
    if (!x) {
        *out = fallback;
        return E_OK;
    }
    if (x->kind != JSON_NUMBER) return wrong_kind(key, "a whole number", x, f);
    double whole = trunc(x->number);
    int64_t value = x->is_int                                  ? x->integer
                    : whole == x->number && fabs(whole) < 9e15 ? (int64_t)whole
                                                               : INT64_MIN;
    bool ok = (x->is_int || value != INT64_MIN) && value >= min && value <= max;
    if (!ok)
        return fail_set(f, E_INPUT, "\"%s\" must be a whole number from %lld to %lld, not %.*s",
                        key, (long long)min, (long long)max, STR_ARG(str_slice(x->string, 0, 40)));
    *out = value;
    return E_OK;
}

err json_get_double(const json *v, const char *key, double fallback, double *out, fail *f) {
    const json *x = present(v, key);
    if (x && x->kind != JSON_NUMBER) return wrong_kind(key, "a number", x, f);
    *out = x ? x->number : fallback;
    return E_OK;
}

err json_get_bool(const json *v, const char *key, bool fallback, bool *out, fail *f) {
    const json *x = present(v, key);
    if (x && x->kind != JSON_BOOL) return wrong_kind(key, "true or false", x, f);
    *out = x ? x->boolean : fallback;
    return E_OK;
}

/* ---- writing ---- */

static void new_line(json_writer *w) {
    buf_put_char(w->out, '\n');
    for (int i = 0; i < w->depth; i++) buf_put(w->out, STR("  "));
}

static void before_value(json_writer *w) {
    if (w->need_comma) {
        buf_put_char(w->out, ',');
        if (w->pretty) new_line(w);
    }
    w->need_comma = true;
}

static void begin(json_writer *w, char bracket) {
    before_value(w);
    buf_put_char(w->out, bracket);
    w->depth++;
    w->need_comma = false;
    if (w->pretty) new_line(w);
}

static void end(json_writer *w, char bracket) {
    w->depth--;
    if (w->pretty) new_line(w);
    buf_put_char(w->out, bracket);
    w->need_comma = true;
}

void json_begin_object(json_writer *w) {
    begin(w, '{');
}
void json_end_object(json_writer *w) {
    end(w, '}');
}
void json_begin_array(json_writer *w) {
    begin(w, '[');
}
void json_end_array(json_writer *w) {
    end(w, ']');
}

static void put_escaped_char(buf *b, unsigned char c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;
    if (at)
        buf_put_bytes(b, (char[]){'\\', to[at - from]}, 2);
    else
        buf_printf(b, "\\u%04x", c);
}

static void put_quoted(buf *b, str s) {
    buf_put_char(b, '"');
    size_t from = 0, i = 0;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        uint32_t code;
        bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
        size_t n = plain ? 1 : c >= 0x80 ? utf8_next(str_slice(s, i, s.n), &code) : 0;
        if (!n) {
            buf_put(b, str_slice(s, from, i));
            if (c >= 0x80)
                buf_put(b, STR("\xef\xbf\xbd"));
            else
                put_escaped_char(b, c);
            from = i + 1;
            n = 1;
        }
        i += n;
    }
    buf_put(b, str_slice(s, from, s.n));
    buf_put_char(b, '"');
}

void json_key_str(json_writer *w, str key) {
    before_value(w);
    put_quoted(w->out, key);
    buf_put(w->out, w->pretty ? STR(": ") : STR(":"));
    w->need_comma = false;
}
void json_key(json_writer *w, const char *key) {
    json_key_str(w, str_from(key));
}

void json_put_str(json_writer *w, str s) {
    if (!s.p) {
        json_put_null(w);
        return;
    }
    before_value(w);
    put_quoted(w->out, s);
}
void json_put_z(json_writer *w, const char *z) {
    json_put_str(w, z ? str_from(z) : STR_NONE);
}
void json_put_int(json_writer *w, int64_t v) {
    before_value(w);
    buf_printf(w->out, "%lld", (long long)v);
}

void json_put_double(json_writer *w, double v) {
    if (!isfinite(v)) {
        json_put_null(w);
        return;
    }
    char text[40];
    before_value(w);
    for (int digits = 6; digits <= 17; digits++) { /* the first length that reads back the same */
        snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) break;
    }
    buf_put_z(w->out, text);
}

void json_put_bool(json_writer *w, bool v) {
    before_value(w);
    buf_put_z(w->out, v ? "true" : "false");
}
void json_put_null(json_writer *w) {
    before_value(w);
    buf_put(w->out, STR("null"));
}
void json_put_raw(json_writer *w, str json_text) {
    before_value(w);
    buf_put(w->out, json_text);
}

void json_put_value(json_writer *w, const json *v) {
    switch (v->kind) {
    case JSON_NULL: json_put_null(w); break;
    case JSON_BOOL: json_put_bool(w, v->boolean); break;
    case JSON_NUMBER: json_put_raw(w, v->string); break;
    case JSON_STRING: json_put_str(w, v->string); break;
    case JSON_ARRAY:
        json_begin_array(w);
        for (size_t i = 0; i < v->count; i++) json_put_value(w, &v->items[i]);
        json_end_array(w);
        break;
    case JSON_OBJECT:
        json_begin_object(w);
        for (size_t i = 0; i < v->count; i++) {
            json_key_str(w, v->members[i].key);
            json_put_value(w, &v->members[i].value);
        }
        json_end_object(w);
        break;
    }
}

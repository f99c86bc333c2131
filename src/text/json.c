/* json.c - the parser: one pass, no tree of temporaries; see json.h.
 *
 * Values of the arrays and objects still open lie on one scratch stack (`pending`); closing one
 * moves its part of the stack into the arena as one block. The text is copied into the arena first,
 * once, so that a string without escapes is a piece of that copy and nothing is allocated per
 * value. The text is checked as UTF-8 while
 * strings are scanned; outside strings anything but ASCII is an error anyway.
 * Errors note the byte; line and column are counted only when one is reported.
 * Recursion is bounded by JSON_DEPTH_MAX. Not here: writing (json_write.c), schemas, streaming. */
#include "text/json.h"

#include "base/mem.h"
#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PENDING_FIRST = 48,     /* members on the C stack before the first allocation */
    NUMBER_BYTES_MAX = 1024 /* more digits than a double can tell apart (767) */
};

typedef struct parser {
    arena *arena;
    const char *text, *end, *p;
    json_member *pending;
    size_t count, cap;
    int depth;
    json_member first[PENDING_FIRST];
} parser;

static err parse_fail(const parser *s, const char *at, fail *f, const char *what) {
    size_t line = 1;
    const char *start = s->text;
    for (const char *p = s->text; p < at; p++) {
        if (*p != '\n') continue;
        line++;
        start = p + 1;
    }
    size_t column = 1 + utf8_count((str){start, (size_t)(at - start)});
    return fail_set(f, E_INPUT, "JSON line %zu, column %zu: %s", line, column, what);
}

static err parse_no_room(const parser *s, fail *f) {
    const arena *a = s->arena;
    if (a->bytes_max)
        return fail_set(f, E_TOO_LARGE, "JSON needs more than the limit of %zu bytes of memory",
                        a->bytes_max);
    return fail_memory(f, "a JSON text");
}

static void skip_space(parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

/* ---- strings ----------------------------------------------------------------------------------
 */

/* True in each byte's high bit where the byte ends plain text: quote, backslash, control,
 * non-ASCII. The tests may also mark bytes above a true hit (borrows), never miss one; the caller
 * looks at the first hit byte by byte. */
static uint64_t not_plain(uint64_t w) {
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    return ((quote - ones) | (slash - ones) | (w - ones * 0x20) | w) & high;
}

static const char *skip_plain(const char *p, const char *end) {
    for (uint64_t w; end - p >= 8; p += 8) {
        memcpy(&w, p, 8);
        if (not_plain(w)) break;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20 &&
           (unsigned char)*p < 0x80)
        p++;
    return p;
}

/* Behind the opening quote: finds the closing one, checks bytes, says whether there are escapes. */
static err string_extent(parser *s, const char **close, bool *escaped, fail *f) {
    const char *p = s->p;
    *escaped = false;
    for (;;) {
        p = skip_plain(p, s->end);
        if (p >= s->end) return parse_fail(s, s->p - 1, f, "this string is never closed");
        if (*p == '"') break;
        if (*p == '\\') {
            *escaped = true;
            p +=
                2; /* what is escaped is looked at when decoding; a quote must not end the string */
            if (p > s->end) return parse_fail(s, s->p - 1, f, "this string is never closed");
            if ((unsigned char)p[-1] >= 0x80 || (unsigned char)p[-1] < 0x20)
                return parse_fail(s, p - 2, f, "unknown escape in a string");
        } else if ((unsigned char)*p < 0x20) {
            return parse_fail(s, p, f, "control character in a string (write it as an escape)");
        } else {
            size_t at = 0;
            if (utf8_walk((str){p, (size_t)(s->end - p)}, &at) < 0)
                return parse_fail(s, p, f, "bytes that are not UTF-8");
            p += at;
        }
    }
    *close = p;
    return E_OK;
}

static int hex4(const char *p, const char *end) {
    int value = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* \uXXXX at p[0] = 'u', with its second half where it is a surrogate. */
static err decode_u(parser *s, const char **p, const char *close, char **to, fail *f) {
    const char *at = *p - 1;
    int32_t c = hex4(*p + 1, close);
    if (c < 0) return parse_fail(s, at, f, "\\u needs four hexadecimal digits");
    *p += 5;
    if (c >= 0xD800 && c <= 0xDFFF) {
        int low = close - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2, close) : -1;
        if (c > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
            return parse_fail(s, at, f, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        *p += 6;
    }
    *to += utf8_encode(*to, c);
    return E_OK;
}

static err decode_escapes(parser *s, const char *p, const char *close, str *out, fail *f) {
    char *start = arena_alloc(s->arena, (size_t)(close - p) + 1), *to = start;
    if (!start) return parse_no_room(s, f);
    while (p < close) {
        const char *slash = memchr(p, '\\', (size_t)(close - p));
        size_t plain = (size_t)((slash ? slash : close) - p);
        memcpy(to, p, plain);
        to += plain;
        if (!slash) break;
        p = slash + 1;
        char c = *p;
        switch (c) {
        case '"':
        case '\\':
        case '/': break;
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case 'u': TRY(decode_u(s, &p, close, &to, f)); continue;
        default: return parse_fail(s, slash, f, "unknown escape in a string");
        }
        *to++ = c;
        p++;
    }
    *out = (str){start, (size_t)(to - start)};
    return E_OK;
}

static err parse_string(parser *s, str *out, fail *f) {
    const char *close = NULL;
    bool escaped = false;
    s->p++;
    TRY(string_extent(s, &close, &escaped, f));
    if (escaped)
        TRY(decode_escapes(s, s->p, close, out, f));
    else
        *out = (str){s->p, (size_t)(close - s->p)};
    s->p = close + 1;
    return E_OK;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static bool is_digit(const parser *s, const char *p) {
    return p < s->end && *p >= '0' && *p <= '9';
}

/* The general case; the text has been checked against the grammar. */
static err number_slow(parser *s, const char *from, size_t n, double *out, fail *f) {
    char text[NUMBER_BYTES_MAX + 1];
    if (n > NUMBER_BYTES_MAX) return parse_fail(s, from, f, "number of more than 1024 characters");
    memcpy(text, from, n);
    text[n] = 0;
    double value = strtod(text, NULL);
    if (!isfinite(value)) return parse_fail(s, from, f, "number too large for a double");
    *out = value;
    return E_OK;
}

/* Up to 19 digits and a small power of ten are exact in one multiplication or division (Clinger).
 */
static bool number_fast(uint64_t digits, int n_digits, int64_t exponent, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (n_digits > 19 || digits > (uint64_t)1 << 53 || exponent < -22 || exponent > 22)
        return false;
    double v = (double)digits;
    *out = exponent < 0 ? v / powers[-exponent] : v * powers[exponent];
    return true;
}

typedef struct number_text {
    const char *from, *to;
    uint64_t digits; /* of integer and fraction together; wraps beyond 19 digits */
    int n_digits;
    int64_t exponent;
    bool negative, whole;
} number_text;

static void take_digits(const parser *s, number_text *t) {
    for (; is_digit(s, t->to); t->to++) {
        t->digits = t->digits * 10 + (uint64_t)(*t->to - '0');
        if (t->n_digits < 20 && (t->digits || t->n_digits)) t->n_digits++;
    }
}

static err scan_exponent(const parser *s, number_text *t, fail *f) {
    bool minus = false;
    int64_t e = 0;
    t->to++;
    if (t->to < s->end && (*t->to == '+' || *t->to == '-')) minus = *t->to++ == '-';
    if (!is_digit(s, t->to)) return parse_fail(s, t->to, f, "an exponent needs digits");
    for (; is_digit(s, t->to); t->to++)
        if (e < 100000) e = e * 10 + (*t->to - '0');
    t->exponent += minus ? -e : e;
    t->whole = false;
    return E_OK;
}

static err scan_number(const parser *s, number_text *t, fail *f) {
    *t = (number_text){.from = s->p, .to = s->p, .whole = true};
    if (*t->to == '-') {
        t->negative = true;
        t->to++;
    }
    if (!is_digit(s, t->to)) return parse_fail(s, t->to, f, "a number needs digits");
    if (*t->to == '0' && is_digit(s, t->to + 1))
        return parse_fail(s, t->to, f, "a number may not begin with 0");
    take_digits(s, t);
    if (t->to < s->end && *t->to == '.') {
        const char *point = t->to++;
        if (!is_digit(s, t->to)) return parse_fail(s, t->to, f, "a fraction needs digits");
        take_digits(s, t);
        t->exponent = -(t->to - point - 1);
        t->whole = false;
    }
    if (t->to < s->end && (*t->to == 'e' || *t->to == 'E')) return scan_exponent(s, t, f);
    return E_OK;
}

static err parse_number(parser *s, json *out, fail *f) {
    number_text t;
    TRY(scan_number(s, &t, f));
    size_t n = (size_t)(t.to - t.from);
    *out = (json){.kind = JSON_NUMBER, .string = {t.from, n}};
    if (number_fast(t.digits, t.n_digits, t.exponent, &out->number)) {
        if (t.negative) out->number = -out->number;
    } else {
        TRY(number_slow(s, t.from, n, &out->number, f));
    }
    uint64_t most = (uint64_t)INT64_MAX + (t.negative ? 1 : 0);
    if (t.whole && t.n_digits <= 19 && t.digits <= most) {
        out->is_int = true;
        out->integer = t.negative ? (int64_t)(0 - t.digits) : (int64_t)t.digits;
    }
    s->p = t.to;
    return E_OK;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static err parse_value(parser *s, json *out, fail *f);

static json_member *push_pending(parser *s) {
    if (s->count < s->cap) return &s->pending[s->count++];
    size_t cap = s->cap * 2, bytes;
    bool on_stack = s->pending == s->first;
    if (!mem_size(cap, sizeof *s->pending, &bytes)) return NULL;
    json_member *grown = mem_resize(on_stack ? NULL : s->pending, bytes);
    if (!grown) return NULL;
    if (on_stack) memcpy(grown, s->first, sizeof s->first);
    s->pending = grown;
    s->cap = cap;
    return &s->pending[s->count++];
}

static err close_array(parser *s, size_t from, json *out, fail *f) {
    size_t n = s->count - from;
    json *items = arena_new_n(s->arena, json, n);
    if (!items) return parse_no_room(s, f);
    for (size_t i = 0; i < n; i++) items[i] = s->pending[from + i].value;
    s->count = from;
    *out = (json){.kind = JSON_ARRAY, .count = n, .items = items};
    return E_OK;
}

/* A member under its key's hash, which settles nearly every comparison of a large object. */
typedef struct hashed_member {
    uint64_t hash;
    json_member *member;
} hashed_member;

static int compare_members(const void *a, const void *b) {
    const hashed_member *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    int order = str_compare(x->member->key, y->member->key);
    return order ? order : x->member < y->member ? -1 : x->member > y->member;
}

static bool has_twin(const json_member *members, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(members[i].key, members[k].key)) return true;
    return false;
}

/* Sorted neighbours instead of a hash table: no outside key can make it slow. */
static err drop_twins_sorted(parser *s, json_member *members, size_t *n, fail *f) {
    hashed_member *order;
    size_t bytes, kept = 0;
    order = mem_size(*n, sizeof *order, &bytes) ? mem_alloc(bytes) : NULL;
    if (!order) return parse_no_room(s, f);
    for (size_t i = 0; i < *n; i++)
        order[i] = (hashed_member){str_hash(members[i].key), &members[i]};
    qsort(order, *n, sizeof *order, compare_members);
    for (size_t i = 0; i + 1 < *n; i++)
        if (order[i].hash == order[i + 1].hash &&
            str_eq(order[i].member->key, order[i + 1].member->key))
            order[i].member->key.p = NULL;
    mem_free(order);
    for (size_t i = 0; i < *n; i++)
        if (members[i].key.p) members[kept++] = members[i];
    *n = kept;
    return E_OK;
}

/* The last of equal keys stays, so that a reader never sees two. */
static err drop_twins(parser *s, json_member *members, size_t *n, fail *f) {
    enum { PAIRWISE_MAX = 24 };
    if (*n <= PAIRWISE_MAX && !has_twin(members, *n)) return E_OK;
    return drop_twins_sorted(s, members, n, f);
}

static err close_object(parser *s, size_t from, json *out, fail *f) {
    size_t n = s->count - from;
    TRY(drop_twins(s, s->pending + from, &n, f));
    json_member *members = arena_new_n(s->arena, json_member, n);
    if (!members) return parse_no_room(s, f);
    if (n) memcpy(members, s->pending + from, n * sizeof *members);
    s->count = from;
    *out = (json){.kind = JSON_OBJECT, .count = n, .members = members};
    return E_OK;
}

/* Behind an item: true when another follows. */
static err parse_comma(parser *s, char close, bool *more, fail *f) {
    skip_space(s);
    if (s->p < s->end && (*s->p == ',' || *s->p == close)) {
        *more = *s->p++ == ',';
        return E_OK;
    }
    if (s->p >= s->end) return parse_fail(s, s->p, f, "the text ends inside an array or object");
    return parse_fail(s, s->p, f,
                      close == ']' ? "\",\" or \"]\" expected" : "\",\" or \"}\" expected");
}

static err parse_array(parser *s, json *out, fail *f) {
    size_t from = s->count;
    bool more = true;
    s->p++;
    skip_space(s);
    if (s->p < s->end && *s->p == ']') {
        s->p++;
        more = false;
    }
    while (more) {
        json value;
        TRY(parse_value(s, &value, f));
        json_member *m = push_pending(s);
        if (!m) return fail_memory(f, "a JSON text");
        m->key = STR_NONE;
        m->value = value;
        TRY(parse_comma(s, ']', &more, f));
    }
    return close_array(s, from, out, f);
}

static err parse_member(parser *s, json_member *m, fail *f) {
    skip_space(s);
    if (s->p >= s->end) return parse_fail(s, s->p, f, "the text ends inside an object");
    if (*s->p != '"') return parse_fail(s, s->p, f, "a key in double quotes expected");
    TRY(parse_string(s, &m->key, f));
    skip_space(s);
    if (s->p >= s->end || *s->p != ':') return parse_fail(s, s->p, f, "\":\" expected");
    s->p++;
    return parse_value(s, &m->value, f);
}

static err parse_object(parser *s, json *out, fail *f) {
    size_t from = s->count;
    bool more = true;
    s->p++;
    skip_space(s);
    if (s->p < s->end && *s->p == '}') {
        s->p++;
        more = false;
    }
    while (more) {
        json_member member, *m;
        TRY(parse_member(s, &member, f));
        m = push_pending(s);
        if (!m) return fail_memory(f, "a JSON text");
        *m = member;
        TRY(parse_comma(s, '}', &more, f));
    }
    return close_object(s, from, out, f);
}

static err parse_word(parser *s, const char *word, json value, json *out, fail *f) {
    str rest = {s->p, (size_t)(s->end - s->p)};
    if (!str_starts(rest, str_from(word)))
        return parse_fail(s, s->p, f,
                          "a value expected (null, true, false, number, string, [ or {)");
    s->p += strlen(word);
    *out = value;
    return E_OK;
}

static err parse_nested(parser *s, json *out, fail *f) {
    if (s->depth >= JSON_DEPTH_MAX)
        return parse_fail(s, s->p, f, "nested more than 128 levels deep");
    s->depth++;
    TRY(*s->p == '[' ? parse_array(s, out, f) : parse_object(s, out, f));
    s->depth--;
    return E_OK;
}

static err parse_value(parser *s, json *out, fail *f) {
    skip_space(s);
    if (s->p >= s->end) return parse_fail(s, s->p, f, "the text ends where a value is expected");
    switch (*s->p) {
    case '"': {
        str text = STR_NONE;
        TRY(parse_string(s, &text, f));
        *out = (json){.kind = JSON_STRING, .string = text};
        return E_OK;
    }
    case '[':
    case '{': return parse_nested(s, out, f);
    case 'n': return parse_word(s, "null", (json){.kind = JSON_NULL}, out, f);
    case 't': return parse_word(s, "true", (json){.kind = JSON_BOOL, .boolean = true}, out, f);
    case 'f': return parse_word(s, "false", (json){.kind = JSON_BOOL}, out, f);
    case '-': return parse_number(s, out, f);
    default:
        if (is_digit(s, s->p)) return parse_number(s, out, f);
        return parse_word(s, "null", (json){.kind = JSON_NULL}, out, f); /* its error text */
    }
}

static err parse_document(parser *s, json *out, fail *f) {
    if (s->end - s->p >= 3 && memcmp(s->p, "\xEF\xBB\xBF", 3) == 0)
        return parse_fail(s, s->p, f, "a byte order mark stands before the text");
    TRY(parse_value(s, out, f));
    skip_space(s);
    if (s->p < s->end) return parse_fail(s, s->p, f, "more text behind the end of the value");
    return E_OK;
}

err json_parse(arena *a, str text, const json **out, fail *f) {
    if (text.n > JSON_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "JSON of %zu bytes is above the limit of %d", text.n,
                        JSON_BYTES_MAX);
    parser s;
    s.arena = a;
    s.text = s.p = arena_z(a, text);
    if (!s.text) return parse_no_room(&s, f);
    s.end = s.text + text.n;
    s.pending = s.first;
    s.count = 0;
    s.cap = PENDING_FIRST;
    s.depth = 0;
    json value;
    err e = parse_document(&s, &value, f);
    json *kept = e == E_OK ? arena_new(a, json) : NULL;
    if (e == E_OK && !kept) e = parse_no_room(&s, f);
    if (s.pending != s.first) mem_free(s.pending);
    if (e != E_OK) return e;
    *kept = value;
    *out = kept;
    return E_OK;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

const char *json_kind_name(json_kind k) {
    static const char *const names[] = {"null",     "a boolean", "a number",
                                        "a string", "an array",  "an object"};
    return names[k];
}

const json *json_get(const json *v, const char *key) {
    if (!v || v->kind != JSON_OBJECT) return NULL;
    str k = str_from(key);
    for (size_t i = 0; i < v->count; i++)
        if (str_eq(v->members[i].key, k)) return &v->members[i].value;
    return NULL;
}

const json *json_at(const json *v, size_t index) {
    return v && v->kind == JSON_ARRAY && index < v->count ? &v->items[index] : NULL;
}

static err wrong_kind(const char *key, const char *wanted, const json *got, fail *f) {
    return fail_set(f, E_INPUT, "\"%s\" must be %s, not %s", key, wanted,
                    json_kind_name(got->kind));
}

err json_get_str(const json *v, const char *key, str fallback, str *out, fail *f) {
    const json *got = json_get(v, key);
    if (got && got->kind != JSON_NULL && got->kind != JSON_STRING)
        return wrong_kind(key, "a string", got, f);
    *out = got && got->kind == JSON_STRING ? got->string : fallback;
    return E_OK;
}

err json_get_int(const json *v, const char *key, int64_t fallback, int64_t min, int64_t max,
                 int64_t *out, fail *f) {
    const json *got = json_get(v, key);
    if (!got || got->kind == JSON_NULL) {
        *out = fallback;
        return E_OK;
    }
    if (got->kind != JSON_NUMBER) return wrong_kind(key, "a whole number", got, f);
    bool whole = got->is_int || (got->number == trunc(got->number) && fabs(got->number) < 9e15);
    int64_t value = got->is_int ? got->integer : whole ? (int64_t)got->number : 0;
    if (!whole || value < min || value > max)
        return fail_set(f, E_INPUT, "\"%s\" must be a whole number from %lld to %lld, not %.*s",
                        key, (long long)min, (long long)max,
                        STR_ARG(str_slice(got->string, 0, 40)));
    *out = value;
    return E_OK;
}

err json_get_double(const json *v, const char *key, double fallback, double *out, fail *f) {
    const json *got = json_get(v, key);
    if (got && got->kind != JSON_NULL && got->kind != JSON_NUMBER)
        return wrong_kind(key, "a number", got, f);
    *out = got && got->kind == JSON_NUMBER ? got->number : fallback;
    return E_OK;
}

err json_get_bool(const json *v, const char *key, bool fallback, bool *out, fail *f) {
    const json *got = json_get(v, key);
    if (got && got->kind != JSON_NULL && got->kind != JSON_BOOL)
        return wrong_kind(key, "true or false", got, f);
    *out = got && got->kind == JSON_BOOL ? got->boolean : fallback;
    return E_OK;
}

/* json_parse.c - the parser of json.h: one pass, each value written where it will stay or once
 * more.
 *
 * The text is copied into the arena first, once, with zero bytes behind it: the end needs no test
 * in any loop, a string is a piece of that copy, and what is escaped is decoded in place, where it
 * only gets shorter. Values of the arrays and members of the objects still open lie on one stack of
 * bytes; closing one moves its part of the stack into the arena as one block. The functions pass
 * the place reached on; NULL means that the fail is set. Bytes are checked as UTF-8 where strings
 * are not ASCII; outside strings anything but ASCII is an error anyway. Errors note the place; line
 * and column are counted, in the caller's text, only when one is reported. Recursion is bounded by
 * JSON_DEPTH_MAX. Not here: reading (json.c), writing (json_write.c), schemas, streaming. */
#include "text/json.h"

#include "base/mem.h"
#include "text/json_int.h"
#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>

enum {
    STACK_FIRST_BYTES = 4096, /* on the C stack before the first allocation */
    PAD_BYTES = 32,           /* zero bytes behind the copy: more than any scan looks ahead */
    NUMBER_BYTES_MAX = 1024   /* more digits than a double can tell apart (767) */
};

typedef struct parser {
    arena *arena;
    fail *fail;
    err code; /* of the failure */
    str source;
    char *text, *end; /* the copy */
    int depth;
    char *stack; /* json of arrays, json_member of objects, the innermost last */
    size_t used, cap;
    _Alignas(16) char first[STACK_FIRST_BYTES];
} parser;

/* ---- failures ---- */

static char *refuse(parser *s, const char *at, const char *what) {
    size_t line = 1, start = 0, stop = (size_t)(at - s->text);
    for (size_t i = 0; i < stop; i++) {
        if (s->source.p[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    size_t column = 1 + utf8_count((str){s->source.p + start, stop - start});
    s->code = fail_set(s->fail, E_INPUT, "JSON line %zu, column %zu: %s", line, column, what);
    return NULL;
}

static void *no_room(parser *s) {
    const arena *a = s->arena;
    if (a->bytes_max)
        s->code = fail_set(s->fail, E_TOO_LARGE,
                           "JSON needs more than the limit of %zu bytes of memory", a->bytes_max);
    else
        s->code = fail_memory(s->fail, "a JSON text");
    return NULL;
}

/* ---- space ---- */

static char *skip_space_run(char *p) {
    for (;;) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        if (word == 0x2020202020202020u)
            p += sizeof word;
        else if (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
            p++;
        else
            return p;
    }
}

static inline char *skip_space(char *p) {
    return (unsigned char)*p > ' ' ? p : skip_space_run(p);
}

/* ---- strings ---- */

static int hex4(const char *p) {
    int value = 0;
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

/* \uXXXX at p, with its second half where it is a surrogate. */
static char *decode_u(parser *s, char *p, char **to) {
    int32_t c = hex4(p + 2);
    if (c < 0) return refuse(s, p, "\\u needs four hexadecimal digits");
    char *behind = p + 6;
    if (c >= 0xD800 && c <= 0xDFFF) {
        int low = behind[0] == '\\' && behind[1] == 'u' ? hex4(behind + 2) : -1;
        if (c > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
            return refuse(s, p, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        behind += 6;
    }
    *to += utf8_encode(*to, c);
    return behind;
}

/* The escape at p, decoded to *to (at or before p). */
static char *decode_escape(parser *s, char *p, char **to) {
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    if (p[1] == 'u') return decode_u(s, p, to);
    char c = plain[(unsigned char)p[1]];
    if (!c) return refuse(s, p, "unknown escape in a string");
    *(*to)++ = c;
    return p + 2;
}

/* A string of which only the beginning, up to p, is plain. `to` trails p by what escapes saved. */
static char *take_marked(parser *s, char *start, char *p, str *out, bool *plain) {
    char *to = p;
    *plain = true;
    while (*p != '"') {
        char *from = p, *run = p;
        if (*p == '\\') {
            *plain = false;
            if (p + 1 >= s->end) return refuse(s, start - 1, "this string is never closed");
            run = p = decode_escape(s, p, &to);
            if (!p) return NULL;
        } else if ((signed char)*p >= 0) {
            if (p >= s->end) return refuse(s, start - 1, "this string is never closed");
            return refuse(s, p, "control character in a string (write it as an escape)");
        } else {
            p = (char *)utf8_skip_wide(p, s->end);
            if (p == from) return refuse(s, p, "bytes that are not UTF-8");
        }
        p = (char *)json_skip_plain(p);
        if (to != run) memmove(to, run, (size_t)(p - run));
        to += p - run;
    }
    *out = (str){start, (size_t)(to - start)};
    return p + 1;
}

/* p stands behind the opening quote. */
static inline char *take_string(parser *s, char *p, str *out, bool *plain) {
    char *close = (char *)json_skip_plain(p);
    if (*close != '"') return take_marked(s, p, close, out, plain);
    *plain = true;
    *out = (str){p, (size_t)(close - p)};
    return close + 1;
}

/* ---- numbers ---- */

static bool is_digit(char c) {
    return (unsigned char)(c - '0') < 10;
}

typedef struct number_text {
    char *from, *to;
    uint64_t digits;  /* of integer and fraction together; wraps beyond 19 of them */
    int64_t n_digits; /* leading zeros are counted too */
    int64_t exponent;
    bool negative, whole;
} number_text;

static inline char *take_digits(char *p, uint64_t *digits) {
    uint64_t v = *digits;
    for (; is_digit(*p); p++) v = v * 10 + (uint64_t)(*p - '0');
    *digits = v;
    return p;
}

static char *scan_exponent(parser *s, number_text *t, char *p) {
    bool minus = false;
    int64_t e = 0;
    p++;
    if (*p == '+' || *p == '-') minus = *p++ == '-';
    if (!is_digit(*p)) return refuse(s, p, "an exponent needs digits");
    for (; is_digit(*p); p++)
        if (e < 100000) e = e * 10 + (*p - '0');
    t->exponent += minus ? -e : e;
    t->whole = false;
    return p;
}

static inline char *scan_number(parser *s, number_text *t, char *p) {
    *t = (number_text){.from = p, .whole = true};
    if (*p == '-') {
        t->negative = true;
        p++;
    }
    char *first = p;
    if (!is_digit(*p)) return refuse(s, p, "a number needs digits");
    if (*p == '0' && is_digit(p[1])) return refuse(s, p, "a number may not begin with 0");
    p = take_digits(p, &t->digits);
    t->n_digits = p - first;
    if (*p == '.') {
        char *point = p++;
        if (!is_digit(*p)) return refuse(s, p, "a fraction needs digits");
        p = take_digits(p, &t->digits);
        t->exponent = -(p - point - 1);
        t->n_digits -= t->exponent;
        t->whole = false;
    }
    if (*p == 'e' || *p == 'E') p = scan_exponent(s, t, p);
    t->to = p;
    return p;
}

/* The general case; the text has been checked against the grammar. */
static char *slow_double(parser *s, const number_text *t, double *out) {
    char text[NUMBER_BYTES_MAX + 1];
    size_t n = (size_t)(t->to - t->from);
    if (n > NUMBER_BYTES_MAX) return refuse(s, t->from, "number of more than 1024 characters");
    memcpy(text, t->from, n);
    text[n] = 0;
    *out = strtod(text, NULL);
    return isfinite(*out) ? t->to : refuse(s, t->from, "number too large for a double");
}

/* Zeros before the first other digit took no part in what `digits` holds. */
static int64_t significant_digits(const number_text *t) {
    int64_t n = t->n_digits;
    for (const char *p = t->from; p < t->to && (*p == '-' || *p == '0' || *p == '.'); p++)
        n -= *p == '0';
    return n;
}

static char *take_number(parser *s, char *p, json *out) {
    number_text t;
    if (!scan_number(s, &t, p)) return NULL;
    *out = (json){.kind = JSON_NUMBER, .string = {p, (size_t)(t.to - p)}};
    bool fits = t.n_digits <= 19 || significant_digits(&t) <= 19;
    if (fits && json_decimal_double(t.digits, t.exponent, &out->number)) {
        if (t.negative) out->number = -out->number;
    } else if (!slow_double(s, &t, &out->number)) {
        return NULL;
    }
    uint64_t most = (uint64_t)INT64_MAX + (t.negative ? 1 : 0);
    if (t.whole && fits && t.digits <= most) {
        out->is_int = true;
        out->integer = t.negative ? (int64_t)(0 - t.digits) : (int64_t)t.digits;
    }
    return t.to;
}

/* ---- the stack ---- */

static bool grow_stack(parser *s, size_t bytes) {
    size_t cap = s->cap * 2;
    bool on_stack = s->stack == s->first;
    if (cap < s->cap || cap - s->used < bytes) return false;
    char *grown = mem_resize(on_stack ? NULL : s->stack, cap);
    if (!grown) return false;
    if (on_stack) memcpy(grown, s->first, s->used);
    s->stack = grown;
    s->cap = cap;
    return true;
}

/* Room for one more value or member; not filled. Valid until the next push. */
static inline void *push(parser *s, size_t bytes) {
    if (s->cap - s->used < bytes && !grow_stack(s, bytes)) {
        s->code = fail_memory(s->fail, "a JSON text");
        return NULL;
    }
    void *slot = s->stack + s->used;
    s->used += bytes;
    return slot;
}

/* What lies on the stack from `from` on, for good; NULL when memory is out. */
static void *pop_all(parser *s, size_t from) {
    size_t bytes = s->used - from;
    void *kept = arena_alloc_unset(s->arena, bytes);
    if (!kept) return no_room(s);
    memcpy(kept, s->stack + from, bytes);
    s->used = from;
    return kept;
}

/* ---- equal keys ---- */

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

/* Sorted neighbours instead of a hash table: no outside key can make it slow. */
static bool drop_twins(parser *s, json_member *members, size_t *n) {
    hashed_member *order;
    size_t bytes, kept = 0;
    order = mem_size(*n, sizeof *order, &bytes) ? mem_alloc(bytes) : NULL;
    if (!order) return no_room(s) != NULL;
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
    return true;
}

/* Length and the first and last eight bytes, mixed; zeros lie behind the text, so that eight bytes
 * can always be read. */
static inline uint64_t key_mix(str key) {
    uint64_t first, last;
    memcpy(&first, key.p, 8);
    if (key.n < 8) {
        first &= ((uint64_t)1 << key.n * 8) - 1;
        last = 0;
    } else {
        memcpy(&last, key.p + key.n - 8, 8);
    }
    return (first ^ (last << 23 | last >> 41) ^ key.n) * 0x9E3779B97F4A7C15u;
}

/* A bit per key in a small table: only a bit met twice needs a look at the keys before. */
static bool has_twin(const json_member *members, size_t n) {
    uint64_t met[8] = {0};
    for (size_t i = 0; i < n; i++) {
        uint64_t mix = key_mix(members[i].key), bit = (uint64_t)1 << (mix >> 55 & 63);
        uint64_t *word = &met[mix >> 61];
        if (*word & bit)
            for (size_t k = 0; k < i; k++)
                if (str_eq(members[i].key, members[k].key)) return true;
        *word |= bit;
    }
    return false;
}

/* The last of equal keys stays, so that a reader never sees two. */
static bool keep_last_of_twins(parser *s, size_t from) {
    enum { PAIRWISE_MAX = 64 }; /* so many may be compared each with each, at the worst */
    json_member *members = (json_member *)(void *)(s->stack + from);
    size_t n = (s->used - from) / sizeof *members;
    if (n <= PAIRWISE_MAX && !has_twin(members, n)) return true;
    if (!drop_twins(s, members, &n)) return false;
    s->used = from + n * sizeof *members;
    return true;
}

/* ---- values ---- */

static char *parse_nested(parser *s, char *p, json *out);

static char *take_word(parser *s, char *p, json *out) {
    if (memcmp(p, "null", 4) == 0) {
        *out = (json){.kind = JSON_NULL};
        return p + 4;
    }
    if (memcmp(p, "true", 4) == 0) {
        *out = (json){.kind = JSON_BOOL, .boolean = true};
        return p + 4;
    }
    if (memcmp(p, "false", 5) == 0) {
        *out = (json){.kind = JSON_BOOL};
        return p + 5;
    }
    return refuse(s, p,
                  p < s->end ? "a value expected (null, true, false, number, string, [ or {)"
                             : "the text ends where a value is expected");
}

static inline bool opens(char c) {
    return c == '[' || c == '{';
}

/* Anything but an array or object, straight into its place. */
static inline char *take_scalar(parser *s, char *p, json *out) {
    if (*p == '"') {
        *out = (json){.kind = JSON_STRING};
        return take_string(s, p + 1, &out->string, &out->plain);
    }
    if (is_digit(*p) || *p == '-') return take_number(s, p, out);
    return take_word(s, p, out);
}

/* The value at p into the stack at byte `at`, which may move meanwhile. */
static inline char *take_value(parser *s, char *p, size_t at) {
    if (!opens(*p)) return take_scalar(s, p, (json *)(void *)(s->stack + at));
    json nested;
    p = parse_nested(s, p, &nested);
    if (p) memcpy(s->stack + at, &nested, sizeof nested);
    return p;
}

static char *refuse_comma(parser *s, char *p, const char *expected) {
    return refuse(s, p, p < s->end ? expected : "the text ends inside an array or object");
}

static char *close_array(parser *s, char *p, size_t from, json *out) {
    size_t count = (s->used - from) / sizeof(json);
    const json *items = pop_all(s, from);
    if (!items) return NULL;
    *out = (json){.kind = JSON_ARRAY, .count = count, .items = items};
    return p + 1;
}

static char *parse_array(parser *s, char *p, json *out) {
    size_t from = s->used;
    p = skip_space(p + 1);
    if (*p == ']') return close_array(s, p, from, out);
    for (;; p = skip_space(p + 1)) {
        size_t at = s->used;
        if (!push(s, sizeof(json))) return NULL;
        p = take_value(s, p, at);
        if (!p) return NULL;
        p = skip_space(p);
        if (*p == ',') continue;
        if (*p == ']') return close_array(s, p, from, out);
        return refuse_comma(s, p, "\",\" or \"]\" expected");
    }
}

static char *close_object(parser *s, char *p, size_t from, json *out) {
    if (!keep_last_of_twins(s, from)) return NULL;
    size_t count = (s->used - from) / sizeof(json_member);
    const json_member *members = pop_all(s, from);
    if (!members) return NULL;
    *out = (json){.kind = JSON_OBJECT, .count = count, .members = members};
    return p + 1;
}

/* `"key": value` at p. */
static inline char *take_member(parser *s, char *p) {
    size_t at = s->used;
    json_member *m = push(s, sizeof *m);
    if (!m) return NULL;
    if (*p != '"')
        return refuse(s, p,
                      p < s->end ? "a key in double quotes expected"
                                 : "the text ends inside an object");
    bool plain;
    p = take_string(s, p + 1, &m->key, &plain);
    if (!p) return NULL;
    const char *plain_key = plain ? m->key.p : NULL;
    p = skip_space(p);
    if (*p != ':') return refuse(s, p, "\":\" expected");
    p = take_value(s, skip_space(p + 1), at + offsetof(json_member, value));
    if (p) ((json_member *)(void *)(s->stack + at))->value.plain_key = plain_key;
    return p;
}

static char *parse_object(parser *s, char *p, json *out) {
    size_t from = s->used;
    p = skip_space(p + 1);
    if (*p == '}') return close_object(s, p, from, out);
    for (;; p = skip_space(p + 1)) {
        p = take_member(s, p);
        if (!p) return NULL;
        p = skip_space(p);
        if (*p == ',') continue;
        if (*p == '}') return close_object(s, p, from, out);
        return refuse_comma(s, p, "\",\" or \"}\" expected");
    }
}

static char *parse_nested(parser *s, char *p, json *out) {
    if (s->depth >= JSON_DEPTH_MAX) return refuse(s, p, "nested more than 128 levels deep");
    s->depth++;
    p = *p == '[' ? parse_array(s, p, out) : parse_object(s, p, out);
    s->depth--;
    return p;
}

static bool parse_document(parser *s, json *out) {
    char *p = s->text;
    if (memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        return refuse(s, p, "a byte order mark stands before the text") != NULL;
    p = skip_space(p);
    p = opens(*p) ? parse_nested(s, p, out) : take_scalar(s, p, out);
    if (!p) return false;
    p = skip_space(p);
    return p >= s->end || refuse(s, p, "more text behind the end of the value") != NULL;
}

err json_parse(arena *a, str text, const json **out, fail *f) {
    if (text.n > JSON_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "JSON of %zu bytes is above the limit of %d", text.n,
                        JSON_BYTES_MAX);
    parser s;
    s.arena = a;
    s.fail = f;
    s.code = E_OK;
    s.source = text;
    s.depth = 0;
    s.stack = s.first;
    s.used = 0;
    s.cap = sizeof s.first;
    s.text = arena_alloc_unset(a, text.n + PAD_BYTES);
    json *value = s.text ? arena_new(a, json) : NULL;
    if (!value) {
        no_room(&s);
        return s.code;
    }
    if (text.n) memcpy(s.text, text.p, text.n);
    s.end = s.text + text.n;
    memset(s.end, 0, PAD_BYTES);
    bool parsed = parse_document(&s, value);
    if (s.stack != s.first) mem_free(s.stack);
    if (!parsed) return s.code;
    *out = value;
    return E_OK;
}

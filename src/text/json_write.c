/* json_write.c - the writer of json.h: straight-line code over a buf, which remembers any failure.
 * The writer places commas and, for people, line breaks; it does not check that keys and values
 * alternate. Not here: parsing (json_parse.c). */
#include "text/json.h"

#include "text/json_int.h"
#include "text/utf8.h"

#include <math.h>

/* Room for n more bytes at the end, which the caller then writes and counts; NULL as buf_reserve.
 */
static inline char *room(buf *b, size_t n) {
    if (!b->bytes_max && !b->failed && n < b->cap - b->n) return b->p + b->n;
    return buf_reserve(b, n);
}

static inline void put_char(buf *b, char c) {
    char *to = room(b, 1);
    if (!to) return;
    *to = c;
    b->n++;
}

static inline void put_bytes(buf *b, const char *p, size_t n) {
    char *to = room(b, n);
    if (!to) return;
    if (n) memcpy(to, p, n);
    b->n += n;
}

static void new_line(json_writer *w) {
    put_char(w->out, '\n');
    for (int i = 0; i < w->depth; i++) buf_put(w->out, STR("  "));
}

/* Before an item or a key. A value behind its key needs neither comma nor line. */
static inline void separate(json_writer *w) {
    if (w->need_comma) put_char(w->out, ',');
    if (w->pretty && w->depth > 0 && !w->after_key) new_line(w);
    w->need_comma = true;
    w->after_key = false;
}

static inline void begin(json_writer *w, char open) {
    separate(w);
    put_char(w->out, open);
    w->depth++;
    w->need_comma = false;
}

static inline void end(json_writer *w, char close) {
    bool empty = !w->need_comma;
    w->depth--;
    if (!empty && w->pretty) new_line(w);
    put_char(w->out, close);
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

static inline bool is_plain(char c) {
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* Less than 16 bytes: the blocks at both ends overlap, and nothing behind them is read. */
static inline bool short_is_plain(const char *p, size_t n) {
    char both[JSON_VECTOR_BYTES];
    if (n >= 8) {
        memcpy(both, p, 8);
        memcpy(both + 8, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(both, p, 4);
        memcpy(both + 4, p + n - 4, 4);
        memcpy(both + 8, both, 8);
    } else {
        return n == 0 || (is_plain(p[0]) && is_plain(p[n / 2]) && is_plain(p[n - 1]));
    }
    json_halves marks = json_marks(both);
    return (marks[0] | marks[1]) == 0;
}

/* Bytes up to the first that is not plain. */
static inline size_t plain_bytes(const char *p, size_t n) {
    size_t i = 0;
    for (; n - i >= JSON_VECTOR_BYTES; i += JSON_VECTOR_BYTES) {
        size_t at = json_first_mark(json_marks(p + i));
        if (at < JSON_VECTOR_BYTES) return i + at;
    }
    if (short_is_plain(p + i, n - i)) return n;
    while (is_plain(p[i])) i++;
    return i;
}

static void put_escape(buf *out, unsigned char c) {
    static const char names[] = "btn?fr", hex[] = "0123456789abcdef"; /* \b is 8 */
    if (c == '"' || c == '\\')
        put_bytes(out, (char[]){'\\', (char)c}, 2);
    else if (c >= 8 && c <= 13 && c != 11)
        put_bytes(out, (char[]){'\\', names[c - 8]}, 2);
    else
        put_bytes(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* From where text is no longer plain: runs of what stays as it is, well-formed characters among it,
 * are copied as one. */
static void put_marked(buf *out, str s, size_t at) {
    const char *run = s.p, *p = s.p + at, *end = s.p + s.n;
    while (p < end) {
        if ((signed char)*p < 0) {
            const char *behind = utf8_skip_wide(p, end);
            if (behind == p) {
                size_t bad = 0;
                put_bytes(out, run, (size_t)(p - run));
                put_bytes(out, "\xEF\xBF\xBD", 3);
                utf8_walk((str){p, (size_t)(end - p)}, &bad);
                run = behind = p + bad;
            }
            p = behind;
        } else {
            put_bytes(out, run, (size_t)(p - run));
            put_escape(out, (unsigned char)*p);
            run = ++p;
        }
        p += plain_bytes(p, (size_t)(end - p));
    }
    put_bytes(out, run, (size_t)(p - run));
}

static inline void put_as_it_is(buf *out, str s, str behind) {
    char *to = room(out, s.n + 2 + behind.n);
    if (!to) return;
    *to = '"';
    if (s.n) memcpy(to + 1, s.p, s.n);
    to[s.n + 1] = '"';
    memcpy(to + s.n + 2, behind.p, behind.n);
    out->n += s.n + 2 + behind.n;
}

/* In quotes, with `behind` after the closing one. */
static void put_quoted(buf *out, str s, str behind) {
    size_t plain = s.n ? plain_bytes(s.p, s.n) : 0;
    if (plain == s.n) {
        put_as_it_is(out, s, behind);
        return;
    }
    put_char(out, '"');
    put_marked(out, s, plain);
    put_char(out, '"');
    put_bytes(out, behind.p, behind.n);
}

void json_key(json_writer *w, const char *key) {
    json_key_str(w, str_from(key));
}

void json_key_str(json_writer *w, str key) {
    separate(w);
    put_quoted(w->out, key, w->pretty ? STR(": ") : STR(":"));
    w->need_comma = false;
    w->after_key = true;
}

void json_put_str(json_writer *w, str s) {
    if (!s.p) {
        json_put_null(w);
        return;
    }
    separate(w);
    put_quoted(w->out, s, STR(""));
}

void json_put_z(json_writer *w, const char *z) {
    json_put_str(w, z ? str_from(z) : STR_NONE);
}

void json_put_int(json_writer *w, int64_t v) {
    separate(w);
    char text[JSON_INT_BYTES_MAX];
    put_bytes(w->out, text, json_int_text(text, v));
}

void json_put_double(json_writer *w, double v) {
    char text[JSON_DOUBLE_BYTES_MAX];
    if (!isfinite(v)) {
        json_put_null(w);
        return;
    }
    separate(w);
    put_bytes(w->out, text, json_double_text(text, v));
}

void json_put_bool(json_writer *w, bool v) {
    separate(w);
    put_bytes(w->out, v ? "true" : "false", v ? 4 : 5);
}

void json_put_null(json_writer *w) {
    separate(w);
    put_bytes(w->out, "null", 4);
}

void json_put_raw(json_writer *w, str json_text) {
    separate(w);
    put_bytes(w->out, json_text.p, json_text.n);
}

static void put_number(json_writer *w, const json *v) {
    if (v->string.n)
        json_put_raw(w, v->string);
    else if (v->is_int)
        json_put_int(w, v->integer);
    else
        json_put_double(w, v->number);
}

static void put_string(json_writer *w, const json *v) {
    separate(w);
    if (v->plain)
        put_as_it_is(w->out, v->string, STR(""));
    else
        put_quoted(w->out, v->string, STR(""));
}

/* The usual key, compact: comma, key and colon in one go. */
static void put_member_key(json_writer *w, const json_member *m) {
    bool known = m->value.plain_key && m->value.plain_key == m->key.p;
    if (!known || w->pretty) {
        json_key_str(w, m->key);
        return;
    }
    char *to = room(w->out, m->key.n + 4);
    w->after_key = true;
    if (!to) return;
    *to = ',';
    to += w->need_comma;
    *to = '"';
    memcpy(to + 1, m->key.p, m->key.n);
    to[m->key.n + 1] = '"';
    to[m->key.n + 2] = ':';
    w->out->n += m->key.n + 3 + w->need_comma;
    w->need_comma = false;
}

static void put_array(json_writer *w, const json *v) {
    json_begin_array(w);
    for (size_t i = 0; i < v->count; i++) json_put_value(w, &v->items[i]);
    json_end_array(w);
}

static void put_object(json_writer *w, const json *v) {
    json_begin_object(w);
    for (size_t i = 0; i < v->count; i++) {
        put_member_key(w, &v->members[i]);
        json_put_value(w, &v->members[i].value);
    }
    json_end_object(w);
}

/* Recursion is bounded by the depth of what json_parse builds. */
void json_put_value(json_writer *w, const json *v) {
    switch (v ? v->kind : JSON_NULL) {
    case JSON_NULL: json_put_null(w); return;
    case JSON_BOOL: json_put_bool(w, v->boolean); return;
    case JSON_NUMBER: put_number(w, v); return;
    case JSON_STRING: put_string(w, v); return;
    case JSON_ARRAY: put_array(w, v); return;
    case JSON_OBJECT: put_object(w, v); return;
    }
}

/* ---- members ---- */

void json_field_str(json_writer *w, const char *key, str s) {
    json_key(w, key);
    json_put_str(w, s);
}
void json_field_text(json_writer *w, const char *key, str s) {
    json_field_str(w, key, s.n ? s : STR_NONE);
}
void json_field_z(json_writer *w, const char *key, const char *z) {
    json_key(w, key);
    json_put_z(w, z);
}
void json_field_int(json_writer *w, const char *key, int64_t v) {
    json_key(w, key);
    json_put_int(w, v);
}
void json_field_double(json_writer *w, const char *key, double v) {
    json_key(w, key);
    json_put_double(w, v);
}
void json_field_bool(json_writer *w, const char *key, bool v) {
    json_key(w, key);
    json_put_bool(w, v);
}

/* json_write.c - the writer of json.h: straight-line code over a buf, which remembers any failure.
 * The writer places commas and, for people, line breaks; it does not check that keys and values
 * alternate. Not here: parsing (json.c). */
#include "text/json.h"

#include "text/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void new_line(json_writer *w) {
    if (!w->pretty) return;
    buf_put_char(w->out, '\n');
    for (int i = 0; i < w->depth; i++) buf_put(w->out, STR("  "));
}

/* Before an item or a key. A value behind its key needs neither comma nor line. */
static void separate(json_writer *w) {
    if (w->need_comma) buf_put_char(w->out, ',');
    if (w->depth > 0 && !w->after_key) new_line(w);
    w->need_comma = true;
    w->after_key = false;
}

static void begin(json_writer *w, char open) {
    separate(w);
    buf_put_char(w->out, open);
    w->depth++;
    w->need_comma = false;
}

static void end(json_writer *w, char close) {
    bool empty = !w->need_comma;
    w->depth--;
    if (!empty) new_line(w);
    buf_put_char(w->out, close);
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

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void put_special(buf *out, str s, size_t *i) {
    static const char names[] = "btn?fr"; /* \b is 8 */
    unsigned char c = (unsigned char)s.p[*i];
    if (c >= 0x80) {
        size_t from = *i;
        if (utf8_walk(s, i) < 0)
            buf_put(out, STR("\xEF\xBF\xBD"));
        else
            buf_put(out, str_slice(s, from, *i));
        return;
    }
    ++*i;
    if (c == '"' || c == '\\')
        buf_put_bytes(out, (char[]){'\\', (char)c}, 2);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_put_bytes(out, (char[]){'\\', names[c - 8]}, 2);
    else
        buf_printf(out, "\\u%04x", c);
}

static void put_quoted(buf *out, str s) {
    buf_put_char(out, '"');
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        while (i < s.n && is_plain((unsigned char)s.p[i])) i++;
        buf_put_bytes(out, s.p + from, i - from);
        if (i < s.n) put_special(out, s, &i);
    }
    buf_put_char(out, '"');
}

void json_key(json_writer *w, const char *key) {
    json_key_str(w, str_from(key));
}

void json_key_str(json_writer *w, str key) {
    separate(w);
    put_quoted(w->out, key);
    buf_put(w->out, w->pretty ? STR(": ") : STR(":"));
    w->need_comma = false;
    w->after_key = true;
}

void json_put_str(json_writer *w, str s) {
    if (!s.p) {
        json_put_null(w);
        return;
    }
    separate(w);
    put_quoted(w->out, s);
}

void json_put_z(json_writer *w, const char *z) {
    json_put_str(w, z ? str_from(z) : STR_NONE);
}

void json_put_int(json_writer *w, int64_t v) {
    separate(w);
    buf_printf(w->out, "%lld", (long long)v);
}

/* 15 digits survive decimal -> double -> decimal, so where the shortest form has at most 15, %.15g
 * is it; 17 digits always read back. Below the normal range fewer digits are significant. */
void json_put_double(json_writer *w, double v) {
    char text[40] = "";
    if (!isfinite(v)) {
        json_put_null(w);
        return;
    }
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    separate(w);
    buf_put_z(w->out, text);
}

void json_put_bool(json_writer *w, bool v) {
    separate(w);
    buf_put_z(w->out, v ? "true" : "false");
}

void json_put_null(json_writer *w) {
    separate(w);
    buf_put(w->out, STR("null"));
}

void json_put_raw(json_writer *w, str json_text) {
    separate(w);
    buf_put(w->out, json_text);
}

static void put_number(json_writer *w, const json *v) {
    if (v->string.n)
        json_put_raw(w, v->string);
    else if (v->is_int)
        json_put_int(w, v->integer);
    else
        json_put_double(w, v->number);
}

/* Recursion is bounded by the depth of what json_parse builds. */
void json_put_value(json_writer *w, const json *v) {
    switch (v ? v->kind : JSON_NULL) {
    case JSON_NULL: json_put_null(w); return;
    case JSON_BOOL: json_put_bool(w, v->boolean); return;
    case JSON_NUMBER: put_number(w, v); return;
    case JSON_STRING: json_put_str(w, v->string.p ? v->string : STR("")); return;
    case JSON_ARRAY:
        json_begin_array(w);
        for (size_t i = 0; i < v->count; i++) json_put_value(w, &v->items[i]);
        json_end_array(w);
        return;
    case JSON_OBJECT:
        json_begin_object(w);
        for (size_t i = 0; i < v->count; i++) {
            json_key_str(w, v->members[i].key);
            json_put_value(w, &v->members[i].value);
        }
        json_end_object(w);
        return;
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

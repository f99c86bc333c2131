/* template_value.c - the values of a running template: texts with their origin, lists, maps; see
 * template_int.h. Everything is immutable but a namespace and lies in the rendering's scratch
 * arena. A text is either alike in all its bytes (marks NULL, `outside` says it) or carries a mark
 * for each byte. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

err run_fail(run *r, err code, const char *fmt, ...) {
    char text[FAIL_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return fail_set(r->f, code, "template line %d: %s", r->line, text);
}

err run_too_large(run *r) {
    return run_fail(r, E_TOO_LARGE, "rendering needs more than %zu bytes of memory", r->bytes_max);
}

err run_no_memory(run *r) {
    if (r->arena->bytes_used >= r->bytes_max / 2) return run_too_large(r);
    return fail_memory(r->f, "rendering a template");
}

err run_fail_undefined(run *r, value v) {
    return run_fail(r, E_INPUT, "\"%.*s\" is undefined", STR_ARG(str_slice(v.as.name, 0, 80)));
}

err run_charge(run *r, size_t bytes) {
    r->steps_left -= 1 + (int64_t)(bytes / 64);
    if (r->steps_left > 0) return E_OK;
    return run_fail(r, E_TOO_LARGE, "rendering takes more than %d steps", TEMPLATE_STEPS_MAX);
}

value value_text(str s, bool outside) {
    value v = {.kind = VALUE_TEXT, .outside = outside};
    v.as.text.p = s.p ? s.p : "";
    v.as.text.n = s.n;
    return v;
}
value value_bool(bool b) {
    return (value){.kind = VALUE_BOOL, .as.boolean = b};
}
value value_int(int64_t i, bool outside) {
    return (value){.kind = VALUE_INT, .outside = outside, .as.integer = i};
}
value value_float(double v, bool outside) {
    return (value){.kind = VALUE_FLOAT, .outside = outside, .as.number = v};
}
value value_undefined(str name) {
    return (value){.kind = VALUE_UNDEFINED, .as.name = name};
}

bool value_is(value v, const char *z) {
    return v.kind == VALUE_TEXT && str_is(value_str(v), z);
}

const char *value_kind_name(value v) {
    static const char *const names[] = {"undefined", "none",        "a boolean", "a number",
                                        "a number",  "a number",    "a text",    "a list",
                                        "a map",     "a namespace", "the loop",  "a macro",
                                        "a method",  "a function",  "a cycler",  "a joiner"};
    static const char *const shapes[] = {"a list",       "a tuple",        "a range",
                                         "a map's keys", "a map's values", "a map's items",
                                         "a stream"};
    return v.kind == VALUE_LIST ? shapes[v.shape] : names[v.kind];
}

bool value_true(value v) {
    switch (v.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return false;
    case VALUE_BOOL: return v.as.boolean;
    case VALUE_INT: return v.as.integer != 0;
    case VALUE_FLOAT: return v.as.number != 0;
    case VALUE_TEXT: return v.as.text.n != 0;
    case VALUE_LIST: return v.shape == SHAPE_STREAM || v.as.list.n != 0;
    case VALUE_MAP: return v.as.map.n != 0;
    default: return true;
    }
}

double value_number(value v) {
    double d = 0;
    if (v.kind == VALUE_BOOL) return v.as.boolean;
    if (v.kind == VALUE_INT) return (double)v.as.integer;
    if (v.kind == VALUE_FLOAT) return v.as.number;
    return str_to_double(v.as.name, &d) ? d : v.as.name.p[0] == '-' ? -INFINITY : INFINITY;
}

/* ---- equality and order ------------------------------------------------------------------------
 */

static int big_order(str a, str b) {
    bool minus = a.p[0] == '-';
    if (minus != (b.p[0] == '-')) return minus ? -1 : 1;
    int order = a.n != b.n ? (a.n > b.n ? 1 : -1) : str_compare(a, b);
    return minus ? -order : order;
}

/* Numbers as Python compares them: True is 1 and 1 is 1.0. */
static int number_order(value a, value b) {
    bool whole = a.kind != VALUE_FLOAT && b.kind != VALUE_FLOAT;
    if (a.kind == VALUE_BIG && b.kind == VALUE_BIG) return big_order(a.as.name, b.as.name);
    if (whole && a.kind != VALUE_BIG && b.kind != VALUE_BIG) {
        int64_t x = a.kind == VALUE_BOOL ? a.as.boolean : a.as.integer,
                y = b.kind == VALUE_BOOL ? b.as.boolean : b.as.integer;
        return (x > y) - (x < y);
    }
    double x = value_number(a), y = value_number(b);
    return (x > y) - (x < y);
}

static bool numbers_equal(value a, value b) {
    bool nan = (a.kind == VALUE_FLOAT && isnan(a.as.number)) ||
               (b.kind == VALUE_FLOAT && isnan(b.as.number));
    return !nan && number_order(a, b) == 0;
}

/* Of all but lists and maps. */
static bool scalars_equal(value a, value b) {
    if (value_is_number(a) && value_is_number(b)) return numbers_equal(a, b);
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return true;
    case VALUE_TEXT: return str_eq(value_str(a), value_str(b));
    case VALUE_SPACE: return a.as.space == b.as.space;
    case VALUE_MACRO: return a.as.macro == b.as.macro;
    case VALUE_LOOP: return a.as.loop == b.as.loop;
    case VALUE_FUNCTION: return str_eq(a.as.name, b.as.name);
    default: return false;
    }
}

static err lists_equal(run *r, value a, value b, bool *out) {
    *out = false;
    if (a.shape > SHAPE_RANGE || b.shape > SHAPE_RANGE)
        return run_fail(r, E_UNSUPPORTED, "comparing %s is not supported",
                        value_kind_name(a.shape > SHAPE_RANGE ? a : b));
    if (a.shape != b.shape || a.as.list.n != b.as.list.n) return E_OK;
    *out = true;
    for (size_t i = 0; i < a.as.list.n && *out; i++)
        TRY(value_equal(r, a.as.list.items[i], b.as.list.items[i], out));
    return E_OK;
}

static err maps_equal(run *r, value a, value b, bool *out) {
    *out = a.as.map.n == b.as.map.n;
    for (size_t i = 0; i < a.as.map.n && *out; i++) {
        const value *other = value_find(b, a.as.map.pairs[i].key);
        TRY(run_charge(r, b.as.map.n * 16));
        *out = other != NULL;
        if (other) TRY(value_equal(r, a.as.map.pairs[i].value, *other, out));
    }
    return E_OK;
}

/* Recursion is bounded by TEMPLATE_VALUE_DEPTH_MAX. */
err value_equal(run *r, value a, value b, bool *out) {
    TRY(run_charge(r, a.kind == VALUE_TEXT ? a.as.text.n : 0));
    if (a.kind == VALUE_LIST && b.kind == VALUE_LIST) return lists_equal(r, a, b, out);
    if (a.kind == VALUE_MAP && b.kind == VALUE_MAP) return maps_equal(r, a, b, out);
    *out = scalars_equal(a, b);
    return E_OK;
}

static err lists_order(run *r, value a, value b, int *order) {
    size_t n = a.as.list.n < b.as.list.n ? a.as.list.n : b.as.list.n;
    for (size_t i = 0; i < n; i++) {
        bool same;
        TRY(value_equal(r, a.as.list.items[i], b.as.list.items[i], &same));
        if (!same) return value_order(r, a.as.list.items[i], b.as.list.items[i], order);
    }
    *order = (a.as.list.n > n) - (b.as.list.n > n);
    return E_OK;
}

err value_order(run *r, value a, value b, int *order) {
    TRY(run_charge(r, 0));
    if (a.kind == VALUE_TEXT && b.kind == VALUE_TEXT)
        *order = str_compare(value_str(a), value_str(b)); /* UTF-8 sorts as its code points do */
    else if (value_is_number(a) && value_is_number(b))
        *order = number_order(a, b);
    else if (a.kind == VALUE_LIST && b.kind == VALUE_LIST && a.shape == b.shape &&
             a.shape <= SHAPE_TUPLE)
        return lists_order(r, a, b, order);
    else
        return run_fail(r, E_INPUT, "%s and %s have no order", value_kind_name(a),
                        value_kind_name(b));
    return E_OK;
}

err value_key(run *r, value key) {
    if (value_is_list(key, SHAPE_TUPLE))
        return run_fail(r, E_UNSUPPORTED, "a tuple as a map's key is not supported");
    if (key.kind == VALUE_MAP || value_is_list(key, SHAPE_LIST))
        return run_fail(r, E_INPUT, "%s cannot be a map's key", value_kind_name(key));
    return E_OK;
}

const value *value_find(value map, value key) {
    if (map.kind != VALUE_MAP) return NULL;
    for (size_t i = 0; i < map.as.map.n; i++)
        if (scalars_equal(map.as.map.pairs[i].key, key)) return &map.as.map.pairs[i].value;
    return NULL;
}

static err list_contains(run *r, value item, value in, bool *out) {
    size_t i = 0;
    value_list items;
    TRY(value_iterate(r, in, &items));
    for (; i < items.n && !*out; i++) TRY(value_equal(r, items.items[i], item, out));
    if (in.shape == SHAPE_STREAM) in.as.list.stream->taken -= items.n - i;
    return E_OK;
}

err value_contains(run *r, value item, value in, bool *out) {
    *out = false;
    switch (in.kind) {
    case VALUE_UNDEFINED: return E_OK;
    case VALUE_MAP:
        TRY(value_key(r, item));
        *out = value_find(in, item) != NULL;
        return run_charge(r, in.as.map.n * 16);
    case VALUE_LIST: return list_contains(r, item, in, out);
    case VALUE_TEXT:
        if (item.kind != VALUE_TEXT) break;
        *out = str_find(value_str(in), value_str(item)) != STR_INDEX_NONE;
        return run_charge(r, in.as.text.n);
    default: break;
    }
    if (item.kind == VALUE_UNDEFINED)
        return run_fail(r, E_INPUT, "\"%.*s\" is undefined",
                        STR_ARG(str_slice(item.as.name, 0, 80)));
    return run_fail(r, E_INPUT, "\"in\" does not fit %s and %s", value_kind_name(item),
                    value_kind_name(in));
}

/* ---- lists and maps ----------------------------------------------------------------------------
 */

err value_push(run *r, value_list *l, value v) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        value *items = arena_new_n(r->arena, value, cap);
        if (!items) return run_no_memory(r);
        if (l->n) memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = v;
    return E_OK;
}

static err deeper(run *r, unsigned char of, unsigned char *depth) {
    if (of >= TEMPLATE_VALUE_DEPTH_MAX)
        return run_fail(r, E_TOO_LARGE, "lists and maps inside each other more than %d levels deep",
                        TEMPLATE_VALUE_DEPTH_MAX);
    if (of >= *depth) *depth = (unsigned char)(of + 1);
    return E_OK;
}

err value_take_list(run *r, const value_list *l, list_shape shape, bool outside, value *out) {
    value v = {.kind = VALUE_LIST, .outside = outside, .shape = (unsigned char)shape, .depth = 1};
    for (size_t i = 0; i < l->n; i++) TRY(deeper(r, l->items[i].depth, &v.depth));
    v.as.list.items = l->items;
    v.as.list.n = l->n;
    if (shape == SHAPE_STREAM) {
        v.as.list.stream = arena_new(r->arena, stream);
        if (!v.as.list.stream) return run_no_memory(r);
    }
    *out = v;
    return E_OK;
}

err value_take_map(run *r, const pair *pairs, size_t n, bool outside, value *out) {
    value v = {.kind = VALUE_MAP, .outside = outside, .depth = 1};
    for (size_t i = 0; i < n; i++) TRY(deeper(r, pairs[i].value.depth, &v.depth));
    v.as.map.pairs = pairs;
    v.as.map.n = n;
    *out = v;
    return E_OK;
}

err value_pair(run *r, value a, value b, value *out) {
    value_list l = {0};
    TRY(value_push(r, &l, a));
    TRY(value_push(r, &l, b));
    return value_take_list(r, &l, SHAPE_TUPLE, a.outside, out);
}

static err list_of_json(run *r, const json *v, bool outside, value *out) {
    value_list l = {arena_new_n(r->arena, value, v->count), v->count, v->count};
    if (!l.items) return run_no_memory(r);
    for (size_t i = 0; i < v->count; i++) TRY(value_of_json(r, &v->items[i], outside, &l.items[i]));
    return value_take_list(r, &l, SHAPE_LIST, outside, out);
}

static bool is_vouched(const template_input *in, const json_member *m) {
    if (!in->word_count || m->value.kind != JSON_STRING || !str_eq(m->key, in->words_of))
        return false;
    for (size_t i = 0; i < in->word_count; i++)
        if (str_eq(m->value.string, in->words[i])) return true;
    return false;
}

static err map_of_json(run *r, const json *v, bool outside, value *out) {
    pair *pairs = arena_new_n(r->arena, pair, v->count);
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i < v->count; i++) {
        pairs[i].key = value_text(v->members[i].key, outside);
        bool text_outside = outside && !is_vouched(r->in, &v->members[i]);
        TRY(value_of_json(r, &v->members[i].value, text_outside, &pairs[i].value));
    }
    return value_take_map(r, pairs, v->count, outside, out);
}

/* A number as it is written: whole ones keep their digits, however many. */
static value number_of_json(const json *v, bool outside) {
    bool whole = v->string.n > 0;
    for (size_t i = 0; i < v->string.n; i++) whole = whole && !strchr(".eE", v->string.p[i]);
    value out = {.kind = VALUE_FLOAT, .outside = outside, .as.number = v->number};
    if (v->is_int) return value_int(v->integer, outside);
    if (whole) out = (value){.kind = VALUE_BIG, .outside = outside, .as.name = v->string};
    return out;
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
err value_of_json(run *r, const json *v, bool outside, value *out) {
    TRY(run_charge(r, 0));
    switch (v->kind) {
    case JSON_NULL: *out = (value){.kind = VALUE_NONE, .outside = outside}; break;
    case JSON_BOOL:
        *out = value_bool(v->boolean);
        out->outside = outside;
        break;
    case JSON_NUMBER: *out = number_of_json(v, outside); break;
    case JSON_STRING: *out = value_text(v->string, outside); break;
    case JSON_ARRAY: return list_of_json(r, v, outside, out);
    case JSON_OBJECT: return map_of_json(r, v, outside, out);
    }
    return E_OK;
}

value value_slice(value text, size_t from, size_t to) {
    if (to > text.as.text.n) to = text.as.text.n;
    if (from > to) from = to;
    text.as.text.p += from;
    text.as.text.n = to - from;
    if (text.as.text.marks) text.as.text.marks += from;
    return text;
}

/* The texts one behind the other. All alike: no marks. Otherwise a mark for each byte. */
err value_concat(run *r, const value *parts, size_t n, value *out) {
    size_t bytes = 0;
    bool mixed = false, any = false, outside = false;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].as.text.n == 0) continue;
        mixed = mixed || parts[i].as.text.marks || (any && parts[i].outside != outside);
        outside = parts[i].outside;
        any = true;
        bytes += parts[i].as.text.n; /* each is in memory, but one may be there many times */
        if (bytes > r->bytes_max) return run_too_large(r);
    }
    TRY(run_charge(r, bytes));
    char *p = arena_alloc(r->arena, bytes + 1);
    unsigned char *marks = mixed ? arena_alloc(r->arena, bytes + 1) : NULL;
    if (!p || (mixed && !marks)) return run_no_memory(r);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = parts[i].as.text.n;
        if (count == 0) continue;
        memcpy(p + at, parts[i].as.text.p, count);
        if (mixed && parts[i].as.text.marks)
            memcpy(marks + at, parts[i].as.text.marks, count);
        else if (mixed)
            memset(marks + at, parts[i].outside, count);
        at += count;
    }
    *out = value_text((str){p, bytes}, outside);
    out->as.text.marks = marks;
    return E_OK;
}

static err iterate_text(run *r, value v, value_list *out) {
    TRY(run_charge(r, v.as.text.n * 64));
    for (size_t at = 0; at < v.as.text.n;) {
        size_t from = at;
        utf8_walk(value_str(v), &at);
        TRY(value_push(r, out, value_slice(v, from, at)));
    }
    return E_OK;
}

/* What is left of a stream, which is then at its end. */
static err iterate_stream(run *r, value v, value_list *out) {
    stream *s = v.as.list.stream;
    size_t taken = s->taken;
    if (s->lost)
        return run_fail(r, E_UNSUPPORTED,
                        "a stream that a loop left in its middle cannot be used again here");
    if (s->broken) return run_fail(r, E_INPUT, "%.*s", STR_ARG(str_slice(s->why, 0, 200)));
    for (size_t i = taken; i < v.as.list.n; i++) TRY(value_push(r, out, v.as.list.items[i]));
    s->taken = v.as.list.n;
    return run_charge(r, (v.as.list.n - taken) * 64);
}

err value_iterate(run *r, value v, value_list *out) {
    *out = (value_list){0};
    switch (v.kind) {
    case VALUE_UNDEFINED: return E_OK;
    case VALUE_TEXT: return iterate_text(r, v, out);
    case VALUE_LIST:
        if (v.shape == SHAPE_STREAM) return iterate_stream(r, v, out);
        for (size_t i = 0; i < v.as.list.n; i++) TRY(value_push(r, out, v.as.list.items[i]));
        return run_charge(r, v.as.list.n * 64);
    case VALUE_MAP:
        for (size_t i = 0; i < v.as.map.n; i++) TRY(value_push(r, out, v.as.map.pairs[i].key));
        return run_charge(r, v.as.map.n * 64);
    case VALUE_LOOP:
        return run_fail(r, E_UNSUPPORTED, "going through the loop itself is not supported");
    default: return run_fail(r, E_INPUT, "%s cannot be gone through", value_kind_name(v));
    }
}

err value_count(run *r, value v, int64_t *out) {
    switch (v.kind) {
    case VALUE_UNDEFINED: *out = 0; return E_OK;
    case VALUE_TEXT: *out = (int64_t)utf8_count(value_str(v)); return run_charge(r, v.as.text.n);
    case VALUE_LIST:
        if (v.shape == SHAPE_STREAM) break;
        *out = (int64_t)v.as.list.n;
        return E_OK;
    case VALUE_MAP: *out = (int64_t)v.as.map.n; return E_OK;
    case VALUE_LOOP: *out = (int64_t)v.as.loop->n; return E_OK;
    default: break;
    }
    return run_fail(r, E_INPUT, "%s has no length", value_kind_name(v));
}

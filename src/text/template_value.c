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

err run_no_memory(run *r) {
    if (r->arena->bytes_used >= r->arena->bytes_max / 2)
        return run_fail(r, E_TOO_LARGE, "rendering needs more than %d bytes of memory",
                        TEMPLATE_MEMORY_BYTES_MAX);
    return fail_memory(r->f, "rendering a template");
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
value value_undefined(str name) {
    return (value){.kind = VALUE_UNDEFINED, .as.name = name};
}

bool value_is(value v, const char *z) {
    return v.kind == VALUE_TEXT && str_is(value_str(v), z);
}

const char *value_kind_name(value v) {
    static const char *const names[] = {
        "undefined", "none",        "a boolean", "a number", "a number", "a text",    "a list",
        "a map",     "a namespace", "the loop",  "a macro",  "a method", "a function"};
    return names[v.kind];
}

bool value_true(value v) {
    switch (v.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return false;
    case VALUE_BOOL: return v.as.boolean;
    case VALUE_INT: return v.as.integer != 0;
    case VALUE_FLOAT: return v.as.number != 0;
    case VALUE_TEXT: return v.as.text.n != 0;
    case VALUE_LIST: return v.as.list.n != 0;
    case VALUE_MAP: return v.as.map.n != 0;
    default: return true;
    }
}

/* Numbers as Python compares them: True is 1 and 1 is 1.0. */
static bool as_number(value v, double *out) {
    if (v.kind == VALUE_BOOL)
        *out = v.as.boolean;
    else if (v.kind == VALUE_INT)
        *out = (double)v.as.integer;
    else if (v.kind == VALUE_FLOAT)
        *out = v.as.number;
    else
        return false;
    return true;
}

static bool lists_equal(value a, value b) {
    if (a.as.list.n != b.as.list.n || a.tuple != b.tuple) return false;
    for (size_t i = 0; i < a.as.list.n; i++)
        if (!value_equal(a.as.list.items[i], b.as.list.items[i])) return false;
    return true;
}

static bool maps_equal(value a, value b) {
    if (a.as.map.n != b.as.map.n) return false;
    for (size_t i = 0; i < a.as.map.n; i++) {
        const value *other = value_find(b, a.as.map.pairs[i].key);
        if (!other || !value_equal(a.as.map.pairs[i].value, *other)) return false;
    }
    return true;
}

bool value_equal(value a, value b) {
    double x, y;
    if (a.kind == VALUE_INT && b.kind == VALUE_INT) return a.as.integer == b.as.integer;
    if (as_number(a, &x) && as_number(b, &y)) return x == y;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE: return true;
    case VALUE_TEXT: return str_eq(value_str(a), value_str(b));
    case VALUE_LIST: return lists_equal(a, b);
    case VALUE_MAP: return maps_equal(a, b);
    case VALUE_SPACE: return a.as.space == b.as.space;
    case VALUE_MACRO: return a.as.macro == b.as.macro;
    default: return false;
    }
}

err value_order(run *r, value a, value b, int *order) {
    double x, y;
    if (a.kind == VALUE_TEXT && b.kind == VALUE_TEXT) {
        *order = str_compare(value_str(a), value_str(b)); /* UTF-8 sorts as its code points do */
        return E_OK;
    }
    if (a.kind == VALUE_INT && b.kind == VALUE_INT) {
        *order = (a.as.integer > b.as.integer) - (a.as.integer < b.as.integer);
        return E_OK;
    }
    if (!as_number(a, &x) || !as_number(b, &y))
        return run_fail(r, E_INPUT, "%s and %s have no order", value_kind_name(a),
                        value_kind_name(b));
    *order = (x > y) - (x < y);
    return E_OK;
}

const value *value_find(value map, value key) {
    if (map.kind != VALUE_MAP) return NULL;
    for (size_t i = 0; i < map.as.map.n; i++)
        if (value_equal(map.as.map.pairs[i].key, key)) return &map.as.map.pairs[i].value;
    return NULL;
}

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

value value_list_of(const value_list *l, bool outside) {
    value v = {.kind = VALUE_LIST, .outside = outside};
    v.as.list.items = l->items;
    v.as.list.n = l->n;
    return v;
}

static err list_of_json(run *r, const json *v, bool outside, value *out) {
    value *items = arena_new_n(r->arena, value, v->count);
    if (!items) return run_no_memory(r);
    for (size_t i = 0; i < v->count; i++) TRY(value_of_json(r, &v->items[i], outside, &items[i]));
    *out = (value){.kind = VALUE_LIST, .outside = outside};
    out->as.list.items = items;
    out->as.list.n = v->count;
    return E_OK;
}

static err map_of_json(run *r, const json *v, bool outside, value *out) {
    pair *pairs = arena_new_n(r->arena, pair, v->count);
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i < v->count; i++) {
        pairs[i].key = value_text(v->members[i].key, outside);
        TRY(value_of_json(r, &v->members[i].value, outside, &pairs[i].value));
    }
    *out = (value){.kind = VALUE_MAP, .outside = outside};
    out->as.map.pairs = pairs;
    out->as.map.n = v->count;
    return E_OK;
}

/* Recursion is bounded by JSON_DEPTH_MAX. */
err value_of_json(run *r, const json *v, bool outside, value *out) {
    TRY(run_charge(r, 0));
    *out = (value){.kind = VALUE_NONE, .outside = outside};
    switch (v->kind) {
    case JSON_NULL: break;
    case JSON_BOOL:
        out->kind = VALUE_BOOL;
        out->as.boolean = v->boolean;
        break;
    case JSON_NUMBER:
        out->kind = v->is_int ? VALUE_INT : VALUE_FLOAT;
        if (v->is_int)
            out->as.integer = v->integer;
        else
            out->as.number = v->number;
        break;
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
        if (bytes > TEMPLATE_MEMORY_BYTES_MAX) return run_no_memory(r);
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

err value_to_text(run *r, value v, value *out) {
    buf b = {0};
    bool outside = v.outside;
    switch (v.kind) {
    case VALUE_TEXT: *out = v; return E_OK;
    case VALUE_UNDEFINED: *out = value_text(STR(""), false); return E_OK;
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_LIST:
    case VALUE_MAP: {
        err e = print_repr(r, &b, v, &outside, 0);
        return print_take(r, &b, outside, e, out);
    }
    default:
        return run_fail(r, E_UNSUPPORTED, "writing out %s is not supported", value_kind_name(v));
    }
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

err value_iterate(run *r, value v, value_list *out) {
    *out = (value_list){0};
    switch (v.kind) {
    case VALUE_UNDEFINED: return E_OK;
    case VALUE_TEXT: return iterate_text(r, v, out);
    case VALUE_LIST:
        for (size_t i = 0; i < v.as.list.n; i++) TRY(value_push(r, out, v.as.list.items[i]));
        return run_charge(r, v.as.list.n * 64);
    case VALUE_MAP:
        for (size_t i = 0; i < v.as.map.n; i++) TRY(value_push(r, out, v.as.map.pairs[i].key));
        return run_charge(r, v.as.map.n * 64);
    default: return run_fail(r, E_INPUT, "%s cannot be gone through", value_kind_name(v));
    }
}

err value_count(run *r, value v, int64_t *out) {
    switch (v.kind) {
    case VALUE_UNDEFINED: *out = 0; return E_OK;
    case VALUE_TEXT: *out = (int64_t)utf8_count(value_str(v)); return run_charge(r, v.as.text.n);
    case VALUE_LIST: *out = (int64_t)v.as.list.n; return E_OK;
    case VALUE_MAP: *out = (int64_t)v.as.map.n; return E_OK;
    default: return run_fail(r, E_INPUT, "%s has no length", value_kind_name(v));
    }
}

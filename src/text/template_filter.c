/* template_filter.c - the filters of a template, by name; see template_int.h. Each behaves as Jinja
 * 3.1's of that name does without escaping; tojson as transformers defines it. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <string.h>

typedef err (*filter_run)(run *r, value v, const call_args *args, value *out);

static err need_text(run *r, value v, value *out) {
    TRY(value_to_text(r, v, out));
    out->markup = false;
    return E_OK;
}

static const value *text_arg(const call_args *args, size_t at, const char *name) {
    const value *v = arg_get(args, at, name);
    return v && v->kind == VALUE_TEXT ? v : NULL;
}

static bool flag_arg(const call_args *args, size_t at, const char *name, bool fallback) {
    const value *v = arg_get(args, at, name);
    return v ? value_true(*v) : fallback;
}

/* ---- texts ------------------------------------------------------------------------------------
 */

static err filter_trim(run *r, value v, const call_args *args, value *out) {
    value text;
    TRY(need_text(r, v, &text));
    *out = text_strip(text, STRIP_BOTH, text_arg(args, 0, "chars"));
    return E_OK;
}

static err filter_upper(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(need_text(r, v, &v));
    return text_case(r, v, true, out);
}
static err filter_lower(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(need_text(r, v, &v));
    return text_case(r, v, false, out);
}
static err filter_capitalize(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(need_text(r, v, &v));
    return text_capitalize(r, v, false, out);
}

static err filter_string(run *r, value v, const call_args *args, value *out) {
    (void)args;
    return value_to_text(r, v, out);
}
static err filter_safe(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(value_to_text(r, v, out));
    out->markup = true;
    return E_OK;
}
static err filter_escape(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(value_to_text(r, v, &v));
    if (!v.markup) return text_escape(r, v, out);
    *out = v;
    return E_OK;
}

static err filter_replace(run *r, value v, const call_args *args, value *out) {
    const value *old = arg_get(args, 0, "old"), *new = arg_get(args, 1, "new");
    value text, from, to;
    int64_t most;
    if (!old || !new) return run_fail(r, E_INPUT, "replace needs two texts");
    TRY(arg_int(r, args, 2, "count", -1, &most));
    TRY(need_text(r, v, &text));
    TRY(need_text(r, *old, &from));
    TRY(need_text(r, *new, &to));
    return text_replace(r, text, from, to, most, out);
}

static err filter_indent(run *r, value v, const call_args *args, value *out) {
    const value *width = arg_get(args, 0, "width");
    value text, by;
    TRY(need_text(r, v, &text));
    if (width && width->kind == VALUE_TEXT) {
        by = *width;
    } else {
        int64_t n;
        TRY(arg_int(r, args, 0, "width", 4, &n));
        TRY(text_repeat(r, value_text(STR(" "), false), n, &by));
    }
    return text_indent(r, text, by, flag_arg(args, 1, "first", false),
                       flag_arg(args, 2, "blank", false), out);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static err separators(run *r, const call_args *args, json_style *s) {
    const value *v = arg_get(args, 2, "separators");
    if (!v || v->kind == VALUE_NONE) return E_OK;
    bool two = v->kind == VALUE_LIST && v->as.list.n == 2 &&
               v->as.list.items[0].kind == VALUE_TEXT && v->as.list.items[1].kind == VALUE_TEXT;
    if (!two) return run_fail(r, E_INPUT, "tojson's separators are two texts");
    s->item_separator = value_str(v->as.list.items[0]);
    s->key_separator = value_str(v->as.list.items[1]);
    return E_OK;
}

/* tojson(ensure_ascii, indent, separators, sort_keys) */
static err filter_tojson(run *r, value v, const call_args *args, value *out) {
    int64_t indent;
    bool outside = false;
    buf b = {.bytes_max = TEMPLATE_OUTPUT_BYTES_MAX};
    TRY(arg_int(r, args, 1, "indent", -1, &indent));
    json_style s = {.indent = indent < 0    ? -1
                              : indent > 64 ? 64
                                            : (int)indent,
                    .ascii = flag_arg(args, 0, "ensure_ascii", false),
                    .sort_keys = flag_arg(args, 3, "sort_keys", false),
                    .item_separator = indent < 0 ? STR(", ") : STR(","),
                    .key_separator = STR(": ")};
    TRY(separators(r, args, &s));
    err e = print_json(r, &b, v, &s, &outside, 0);
    return print_take(r, &b, outside, e, out);
}

/* ---- lists and maps ---------------------------------------------------------------------------
 */

static err filter_length(run *r, value v, const call_args *args, value *out) {
    int64_t n;
    (void)args;
    TRY(value_count(r, v, &n));
    *out = value_int(n, v.outside);
    return E_OK;
}

static err filter_default(run *r, value v, const call_args *args, value *out) {
    const value *fallback = arg_get(args, 0, "default_value");
    bool missing =
        v.kind == VALUE_UNDEFINED || (flag_arg(args, 1, "boolean", false) && !value_true(v));
    (void)r;
    *out = !missing ? v : fallback ? *fallback : value_text(STR(""), false);
    return E_OK;
}

static err filter_list(run *r, value v, const call_args *args, value *out) {
    value_list l;
    (void)args;
    TRY(value_iterate(r, v, &l));
    *out = value_list_of(&l, v.outside);
    return E_OK;
}

static err filter_first(run *r, value v, const call_args *args, value *out) {
    value_list l;
    (void)args;
    TRY(value_iterate(r, v, &l));
    *out = l.n ? l.items[0] : value_undefined(STR("first"));
    return E_OK;
}
static err filter_last(run *r, value v, const call_args *args, value *out) {
    value_list l;
    (void)args;
    TRY(value_iterate(r, v, &l));
    *out = l.n ? l.items[l.n - 1] : value_undefined(STR("last"));
    return E_OK;
}

static err filter_reverse(run *r, value v, const call_args *args, value *out) {
    value_list l, back = {0};
    (void)args;
    TRY(value_iterate(r, v, &l));
    for (size_t i = l.n; i-- > 0;) TRY(value_push(r, &back, l.items[i]));
    if (v.kind == VALUE_TEXT) return value_concat(r, back.items, back.n, out);
    *out = value_list_of(&back, v.outside);
    return E_OK;
}

static err pair_value(run *r, const pair *p, value *out) {
    value *two = arena_new_n(r->arena, value, 2);
    if (!two) return run_no_memory(r);
    two[0] = p->key;
    two[1] = p->value;
    *out = (value){.kind = VALUE_LIST, .outside = p->key.outside, .tuple = true};
    out->as.list.items = two;
    out->as.list.n = 2;
    return E_OK;
}

static err filter_items(run *r, value v, const call_args *args, value *out) {
    value_list l = {0};
    (void)args;
    if (v.kind != VALUE_MAP && v.kind != VALUE_UNDEFINED)
        return run_fail(r, E_INPUT, "items needs a map, not %s", value_kind_name(v));
    for (size_t i = 0; v.kind == VALUE_MAP && i < v.as.map.n; i++) {
        value p;
        TRY(pair_value(r, &v.as.map.pairs[i], &p));
        TRY(value_push(r, &l, p));
    }
    *out = value_list_of(&l, v.outside);
    return E_OK;
}

/* "a.b.0" of a value, as map(attribute=...) and its kin read it. */
static err attribute_path(run *r, value v, value path, value *out) {
    if (path.kind == VALUE_INT) return eval_item(r, v, path, out);
    if (path.kind != VALUE_TEXT) return run_fail(r, E_INPUT, "an attribute's name must be a text");
    for (str rest = value_str(path); rest.p;) {
        int64_t index;
        str part = str_cut(&rest, '.');
        value key = str_to_int(part, &index) ? value_int(index, false) : value_text(part, false);
        TRY(eval_item(r, v, key, &v));
    }
    *out = v;
    return E_OK;
}

/* ---- order ------------------------------------------------------------------------------------
 */

typedef struct sorter {
    bool case_sensitive, reverse;
    const value *attribute; /* or NULL */
} sorter;

static err sort_key(run *r, const sorter *s, value v, value *out) {
    if (s->attribute) TRY(attribute_path(r, v, *s->attribute, &v));
    *out = v;
    return v.kind == VALUE_TEXT && !s->case_sensitive ? text_case(r, v, false, out) : E_OK;
}

static err key_order(run *r, value a, value b, int *order) {
    if (a.kind == VALUE_LIST || b.kind == VALUE_LIST)
        return run_fail(r, E_UNSUPPORTED, "sorting lists is not supported");
    return value_order(r, a, b, order);
}

/* Stable, because Python's is: a merge sort of (key, item) side by side. */
static err merge_sort(run *r, const sorter *s, value *keys, value *items, value *spare, size_t n) {
    size_t half = n / 2, i = 0, k = half;
    if (n < 2) return E_OK;
    TRY(merge_sort(r, s, keys, items, spare, half));
    TRY(merge_sort(r, s, keys + half, items + half, spare, n - half));
    for (size_t to = 0; to < n; to++) {
        int order = 0;
        if (i < half && k < n) TRY(key_order(r, keys[i], keys[k], &order));
        if (s->reverse) order = -order;
        bool left = k >= n || (i < half && order <= 0);
        size_t from = left ? i++ : k++;
        spare[2 * to] = keys[from];
        spare[2 * to + 1] = items[from];
    }
    for (size_t to = 0; to < n; to++) {
        keys[to] = spare[2 * to];
        items[to] = spare[2 * to + 1];
    }
    return run_charge(r, n * 64);
}

static err sort_list(run *r, const sorter *s, value_list *l) {
    value *keys = arena_new_n(r->arena, value, l->n),
          *spare = arena_new_n(r->arena, value, l->n * 2);
    if (!keys || !spare) return run_no_memory(r);
    for (size_t i = 0; i < l->n; i++) TRY(sort_key(r, s, l->items[i], &keys[i]));
    return merge_sort(r, s, keys, l->items, spare, l->n);
}

static err filter_sort(run *r, value v, const call_args *args, value *out) {
    sorter s = {.reverse = flag_arg(args, 0, "reverse", false),
                .case_sensitive = flag_arg(args, 1, "case_sensitive", false),
                .attribute = arg_get(args, 2, "attribute")};
    value_list l;
    TRY(value_iterate(r, v, &l));
    TRY(sort_list(r, &s, &l));
    *out = value_list_of(&l, v.outside);
    return E_OK;
}

static err filter_dictsort(run *r, value v, const call_args *args, value *out) {
    const value *by = arg_get(args, 1, "by");
    bool by_value = by && value_is(*by, "value");
    value place = value_int(by_value, false), pairs;
    sorter s = {.case_sensitive = flag_arg(args, 0, "case_sensitive", false),
                .reverse = flag_arg(args, 2, "reverse", false),
                .attribute = &place};
    value_list l;
    if (v.kind != VALUE_MAP)
        return run_fail(r, E_INPUT, "dictsort needs a map, not %s", value_kind_name(v));
    TRY(filter_items(r, v, args, &pairs));
    TRY(value_iterate(r, pairs, &l));
    TRY(sort_list(r, &s, &l));
    *out = value_list_of(&l, v.outside);
    return E_OK;
}

static err filter_unique(run *r, value v, const call_args *args, value *out) {
    sorter s = {.case_sensitive = flag_arg(args, 0, "case_sensitive", false),
                .attribute = arg_get(args, 1, "attribute")};
    value_list l, keys = {0}, kept = {0};
    TRY(value_iterate(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        value key;
        bool seen = false;
        TRY(sort_key(r, &s, l.items[i], &key));
        TRY(run_charge(r, keys.n * 16));
        for (size_t k = 0; k < keys.n && !seen; k++) seen = value_equal(keys.items[k], key);
        if (seen) continue;
        TRY(value_push(r, &keys, key));
        TRY(value_push(r, &kept, l.items[i]));
    }
    *out = value_list_of(&kept, v.outside);
    return E_OK;
}

/* ---- picking and mapping ----------------------------------------------------------------------
 */

static call_args args_behind(const call_args *args, size_t n) {
    if (n > args->n) n = args->n;
    if (n == 0) return *args; /* items may be NULL then */
    return (call_args){args->items + n, args->names + n, args->n - n};
}

/* None and 0 have nothing to pick from, says Jinja; only what is true must be a list. */
static err iterate_if_any(run *r, value v, value_list *out) {
    *out = (value_list){0};
    return value_true(v) ? value_iterate(r, v, out) : E_OK;
}

/* select, reject, selectattr, rejectattr: (attribute,) test, its arguments. */
static err pick(run *r, value v, const call_args *args, bool attribute, bool want, value *out) {
    value_list l, kept = {0};
    const value *name = attribute ? arg_get(args, 0, NULL) : NULL,
                *test = arg_get(args, attribute, NULL);
    call_args rest = args_behind(args, attribute ? 2 : 1);
    if (attribute && !name) return run_fail(r, E_INPUT, "the attribute's name is missing");
    if (test && test->kind != VALUE_TEXT)
        return run_fail(r, E_INPUT, "a test's name must be a text");
    TRY(iterate_if_any(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        value of = l.items[i];
        if (name) TRY(attribute_path(r, of, *name, &of));
        bool passes = value_true(of);
        if (test) TRY(run_test(r, value_str(*test), of, &rest, &passes));
        if (passes == want) TRY(value_push(r, &kept, l.items[i]));
    }
    *out = value_list_of(&kept, v.outside);
    return E_OK;
}

static err filter_select(run *r, value v, const call_args *args, value *out) {
    return pick(r, v, args, false, true, out);
}
static err filter_reject(run *r, value v, const call_args *args, value *out) {
    return pick(r, v, args, false, false, out);
}
static err filter_selectattr(run *r, value v, const call_args *args, value *out) {
    return pick(r, v, args, true, true, out);
}
static err filter_rejectattr(run *r, value v, const call_args *args, value *out) {
    return pick(r, v, args, true, false, out);
}

static err map_one(run *r, const call_args *args, value of, value *out) {
    const value *attribute = arg_get(args, SIZE_MAX, "attribute"), *name = arg_get(args, 0, NULL);
    if (attribute) {
        const value *fallback = arg_get(args, SIZE_MAX, "default");
        TRY(attribute_path(r, of, *attribute, out));
        if (out->kind == VALUE_UNDEFINED && fallback) *out = *fallback;
        return E_OK;
    }
    if (!name || name->kind != VALUE_TEXT) return run_fail(r, E_INPUT, "map needs a filter's name");
    call_args rest = args_behind(args, 1);
    return run_filter(r, value_str(*name), of, &rest, out);
}

static err filter_map(run *r, value v, const call_args *args, value *out) {
    value_list l, mapped = {0};
    TRY(iterate_if_any(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        value one;
        TRY(map_one(r, args, l.items[i], &one));
        TRY(value_push(r, &mapped, one));
    }
    *out = value_list_of(&mapped, v.outside);
    return E_OK;
}

static err filter_join(run *r, value v, const call_args *args, value *out) {
    const value *by = arg_get(args, 0, "d"), *attribute = arg_get(args, 1, "attribute");
    value separator = value_text(STR(""), false);
    value_list l;
    if (by) TRY(need_text(r, *by, &separator));
    TRY(value_iterate(r, v, &l));
    for (size_t i = 0; attribute && i < l.n; i++)
        TRY(attribute_path(r, l.items[i], *attribute, &l.items[i]));
    return text_join(r, separator, &l, out);
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static err filter_int(run *r, value v, const call_args *args, value *out) {
    int64_t fallback, n;
    double d;
    TRY(arg_int(r, args, 0, "default", 0, &fallback));
    *out = value_int(fallback, false);
    if (v.kind == VALUE_INT) *out = v;
    if (v.kind == VALUE_BOOL) *out = value_int(v.as.boolean, v.outside);
    if (v.kind == VALUE_FLOAT && fabs(v.as.number) < 9e18)
        *out = value_int((int64_t)v.as.number, v.outside);
    if (v.kind != VALUE_TEXT) return E_OK;
    str s = str_trim(value_str(v));
    if (str_to_int(s, &n))
        *out = value_int(n, v.outside);
    else if (str_to_double(s, &d) && fabs(d) < 9e18)
        *out = value_int((int64_t)d, v.outside);
    return E_OK;
}

static err filter_float(run *r, value v, const call_args *args, value *out) {
    const value *fallback = arg_get(args, 0, "default");
    double d = 0;
    (void)r;
    bool ok = true;
    if (v.kind == VALUE_INT)
        d = (double)v.as.integer;
    else if (v.kind == VALUE_FLOAT)
        d = v.as.number;
    else
        ok = v.kind == VALUE_TEXT && str_to_double(str_trim(value_str(v)), &d);
    *out = (value){.kind = VALUE_FLOAT, .outside = v.outside, .as.number = d};
    if (!ok && fallback) *out = *fallback;
    return E_OK;
}

static err filter_abs(run *r, value v, const call_args *args, value *out) {
    (void)args;
    if (v.kind == VALUE_FLOAT) v.as.number = fabs(v.as.number);
    if (v.kind == VALUE_INT && v.as.integer < 0 && v.as.integer > INT64_MIN)
        v.as.integer = -v.as.integer;
    if (v.kind != VALUE_INT && v.kind != VALUE_FLOAT)
        return run_fail(r, E_INPUT, "abs needs a number, not %s", value_kind_name(v));
    *out = v;
    return E_OK;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    filter_run run;
} filters[] = {
    {"abs", filter_abs},
    {"capitalize", filter_capitalize},
    {"count", filter_length},
    {"d", filter_default},
    {"default", filter_default},
    {"dictsort", filter_dictsort},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"first", filter_first},
    {"float", filter_float},
    {"indent", filter_indent},
    {"int", filter_int},
    {"items", filter_items},
    {"join", filter_join},
    {"last", filter_last},
    {"length", filter_length},
    {"list", filter_list},
    {"lower", filter_lower},
    {"map", filter_map},
    {"reject", filter_reject},
    {"rejectattr", filter_rejectattr},
    {"replace", filter_replace},
    {"reverse", filter_reverse},
    {"safe", filter_safe},
    {"select", filter_select},
    {"selectattr", filter_selectattr},
    {"sort", filter_sort},
    {"string", filter_string},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"unique", filter_unique},
    {"upper", filter_upper},
};

static filter_run find_filter(str name) {
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (str_is(name, filters[i].name)) return filters[i].run;
    return NULL;
}

bool template_filter_known(str name) {
    return find_filter(name) != NULL;
}

err run_filter(run *r, str name, value v, const call_args *args, value *out) {
    filter_run f = find_filter(name);
    if (!f)
        return run_fail(r, E_UNSUPPORTED, "the filter \"%.*s\" is not supported",
                        STR_ARG(str_slice(name, 0, 60)));
    TRY(run_charge(r, 0));
    value result = value_undefined(STR(""));
    TRY(f(r, v, args, &result));
    *out = result;
    return E_OK;
}

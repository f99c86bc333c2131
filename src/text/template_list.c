/* template_list.c - the filters of a template that go through lists and maps; see template_int.h.
 * As Jinja 3.1's; what is a generator there is a stream here, so that it is gone through once and
 * is no JSON. Its items are picked at once, not when it is read; where one of them is an error, the
 * stream ends in that error, for who reads as far. */
#include "text/template_int.h"

#include "text/utf8.h"

/* A list made of v's items: pieces stay pieces. */
static err take(run *r, const value_list *l, list_shape shape, value v, value *out) {
    TRY(value_take_list(r, l, shape, v.outside, out));
    out->cut = v.cut;
    return E_OK;
}

/* A stream of what was picked before `e`, which whoever reads on gets. */
static err take_stream(run *r, err e, const value_list *l, value v, value *out) {
    if (e != E_OK && e != E_INPUT) return e;
    TRY(take(r, l, SHAPE_STREAM, v, out));
    if (e == E_OK) return E_OK;
    stream *s = out->as.list.stream;
    s->broken = true;
    s->why = arena_str(r->arena, r->f ? str_from(r->f->text) : STR("an item that is an error"));
    return s->why.p ? E_OK : run_no_memory(r);
}

/* ---- attributes -------------------------------------------------------------------------------
 */

/* "a.b.0" of a value; `fallback` (or NULL, or none) stands for each part that is undefined. */
static err attribute_path(run *r, value v, value path, const value *fallback, value *out) {
    bool has_fallback = fallback && fallback->kind != VALUE_NONE;
    str rest = path.kind == VALUE_TEXT ? value_str(path) : STR("-");
    if (path.kind == VALUE_NONE) rest = STR_NONE;
    while (rest.p) {
        int64_t index;
        str part = str_cut(&rest, '.');
        bool digits = part.n && part.p[0] >= '0' && part.p[0] <= '9' && str_to_int(part, &index);
        value key = digits ? value_int(index, false) : value_text(part, false);
        TRY(eval_item(r, v, path.kind == VALUE_TEXT ? key : path, &v));
        if (has_fallback && v.kind == VALUE_UNDEFINED) v = *fallback;
    }
    *out = v;
    return E_OK;
}

static err fold(run *r, bool case_sensitive, value *v) {
    return v->kind == VALUE_TEXT && !case_sensitive ? text_case(r, *v, CASE_LOWER, v) : E_OK;
}

/* ---- order ------------------------------------------------------------------------------------
 */

typedef struct sorter {
    bool case_sensitive, reverse;
    const value *attribute; /* or NULL */
    const value *fallback;
    bool many; /* "a,b": the key is a list, of one at least */
} sorter;

static err sort_key(run *r, const sorter *s, value v, value *out) {
    value_list parts = {0};
    value none = {.kind = VALUE_NONE};
    const value *path = s->attribute ? s->attribute : &none;
    str rest = path->kind == VALUE_TEXT ? value_str(*path) : STR("-");
    while (rest.p) {
        value one, name = *path;
        if (path->kind == VALUE_TEXT && s->many)
            name = value_text(str_cut(&rest, ','), false);
        else
            rest = STR_NONE;
        TRY(attribute_path(r, v, name, s->fallback, &one));
        TRY(fold(r, s->case_sensitive, &one));
        TRY(value_push(r, &parts, one));
    }
    *out = parts.items[0];
    return s->many ? value_take_list(r, &parts, SHAPE_LIST, false, out) : E_OK;
}

/* Stable, because Python's is: a merge sort of (key, item) side by side. */
static err merge_sort(run *r, const sorter *s, value *keys, value *items, value *spare, size_t n) {
    size_t half = n / 2, i = 0, k = half;
    if (n < 2) return E_OK;
    TRY(merge_sort(r, s, keys, items, spare, half));
    TRY(merge_sort(r, s, keys + half, items + half, spare, n - half));
    for (size_t to = 0; to < n; to++) {
        int order = 0;
        if (i < half && k < n) TRY(value_order(r, keys[i], keys[k], &order));
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
    sorter s = {.reverse = arg_flag(args, 0, "reverse", false),
                .case_sensitive = arg_flag(args, 1, "case_sensitive", false),
                .attribute = arg_get(args, 2, "attribute"),
                .many = true};
    value_list l;
    TRY(value_iterate(r, v, &l));
    TRY(sort_list(r, &s, &l));
    return take(r, &l, SHAPE_LIST, v, out);
}

static err items_of(run *r, value map, value_list *out) {
    *out = (value_list){0};
    for (size_t i = 0; i < map.as.map.n; i++) {
        value p;
        TRY(value_pair(r, map.as.map.pairs[i].key, map.as.map.pairs[i].value, &p));
        TRY(value_push(r, out, p));
    }
    return E_OK;
}

static err filter_dictsort(run *r, value v, const call_args *args, value *out) {
    const value *by = arg_get(args, 1, "by");
    bool by_value = by && value_is(*by, "value");
    value place = value_int(by_value, false);
    sorter s = {.case_sensitive = arg_flag(args, 0, "case_sensitive", false),
                .reverse = arg_flag(args, 2, "reverse", false),
                .attribute = &place};
    value_list l;
    if (by && !by_value && !value_is(*by, "key"))
        return run_fail(r, E_INPUT, "dictsort sorts by \"key\" or \"value\"");
    if (v.kind != VALUE_MAP)
        return run_fail(r, E_INPUT, "dictsort needs a map, not %s", value_kind_name(v));
    TRY(items_of(r, v, &l));
    TRY(sort_list(r, &s, &l));
    return take(r, &l, SHAPE_LIST, v, out);
}

/* The least or the greatest; the first of equals. */
static err extreme(run *r, value v, const call_args *args, bool greatest, value *out) {
    sorter s = {.case_sensitive = arg_flag(args, 0, "case_sensitive", false),
                .attribute = arg_get(args, 1, "attribute")};
    value_list l;
    value best = value_undefined(STR("item")), key;
    TRY(value_iterate(r, v, &l));
    *out = value_undefined(STR("item"));
    for (size_t i = 0; i < l.n; i++) {
        int order = 0;
        TRY(sort_key(r, &s, l.items[i], &key));
        if (i) TRY(value_order(r, key, best, &order));
        if (i && (greatest ? order <= 0 : order >= 0)) continue;
        best = key;
        *out = l.items[i];
    }
    return E_OK;
}
static err filter_max(run *r, value v, const call_args *args, value *out) {
    return extreme(r, v, args, true, out);
}
static err filter_min(run *r, value v, const call_args *args, value *out) {
    return extreme(r, v, args, false, out);
}

static err pick_unique(run *r, value v, const sorter *s, value_list *kept) {
    value_list l, keys = {0};
    TRY(value_iterate(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        value key;
        bool seen = false;
        TRY(sort_key(r, s, l.items[i], &key));
        TRY(value_key(r, key));
        for (size_t k = 0; k < keys.n && !seen; k++) TRY(value_equal(r, keys.items[k], key, &seen));
        if (seen) continue;
        TRY(value_push(r, &keys, key));
        TRY(value_push(r, kept, l.items[i]));
    }
    return E_OK;
}

static err filter_unique(run *r, value v, const call_args *args, value *out) {
    sorter s = {.case_sensitive = arg_flag(args, 0, "case_sensitive", false),
                .attribute = arg_get(args, 1, "attribute")};
    value_list kept = {0};
    err e = pick_unique(r, v, &s, &kept);
    return take_stream(r, e, &kept, v, out);
}

static err filter_groupby(run *r, value v, const call_args *args, value *out) {
    sorter s = {.case_sensitive = arg_flag(args, 2, "case_sensitive", false),
                .attribute = arg_get(args, 0, "attribute"),
                .fallback = arg_get(args, 1, "default")};
    value_list l, groups = {0};
    value key, last = {0}, shown, group, members;
    TRY(value_iterate(r, v, &l));
    TRY(sort_list(r, &s, &l));
    for (size_t i = 0, from = 0; i < l.n; i++) {
        bool same = false;
        TRY(sort_key(r, &s, l.items[i], &key));
        if (i + 1 < l.n) TRY(sort_key(r, &s, l.items[i + 1], &last));
        if (i + 1 < l.n) TRY(value_equal(r, key, last, &same));
        if (same) continue;
        value_list part = {l.items + from, i + 1 - from, 0};
        TRY(take(r, &part, SHAPE_LIST, v, &members));
        TRY(attribute_path(r, l.items[from], *s.attribute, s.fallback, &shown));
        TRY(value_pair(r, shown, members, &group));
        group.group = true;
        TRY(value_push(r, &groups, group));
        from = i + 1;
    }
    return take(r, &groups, SHAPE_LIST, v, out);
}

/* ---- ends, counts, pieces ---------------------------------------------------------------------
 */

static err filter_list(run *r, value v, const call_args *args, value *out) {
    value_list l;
    (void)args;
    TRY(value_iterate(r, v, &l));
    return take(r, &l, SHAPE_LIST, v, out);
}

static err filter_first(run *r, value v, const call_args *args, value *out) {
    value_list l;
    (void)args;
    if (value_is_list(v, SHAPE_STREAM) && !v.as.list.stream->lost &&
        v.as.list.stream->taken < v.as.list.n) {
        *out = v.as.list.items[v.as.list.stream->taken++];
        return E_OK;
    }
    TRY(value_iterate(r, v, &l));
    *out = l.n ? l.items[0] : value_undefined(STR("first"));
    return E_OK;
}
static err filter_last(run *r, value v, const call_args *args, value *out) {
    value_list l;
    (void)args;
    if (value_is_list(v, SHAPE_STREAM))
        return run_fail(r, E_INPUT, "a stream has no last item before it is read");
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
    return take(r, &back, value_is_list(v, SHAPE_STREAM) ? SHAPE_LIST : SHAPE_STREAM, v, out);
}

static err filter_items(run *r, value v, const call_args *args, value *out) {
    value_list l = {0};
    err e = E_OK;
    (void)args;
    if (v.kind != VALUE_MAP && v.kind != VALUE_UNDEFINED)
        e = run_fail(r, E_INPUT, "items needs a map, not %s", value_kind_name(v));
    if (v.kind == VALUE_MAP) e = items_of(r, v, &l);
    return take_stream(r, e, &l, v, out);
}

static err filter_sum(run *r, value v, const call_args *args, value *out) {
    const value *attribute = arg_get(args, 0, "attribute"), *start = arg_get(args, 1, "start");
    value_list l;
    TRY(value_iterate(r, v, &l));
    *out = start ? *start : value_int(0, false);
    if (out->kind == VALUE_TEXT) return run_fail(r, E_INPUT, "sum does not add texts");
    for (size_t i = 0; i < l.n; i++) {
        value one = l.items[i];
        if (attribute) TRY(attribute_path(r, one, *attribute, NULL, &one));
        TRY(operator_add(r, *out, one, out));
    }
    return E_OK;
}

enum { PIECES_MAX = 1 << 20 };

static err piece_count(run *r, const call_args *args, const char *name, int64_t *out) {
    TRY(arg_int(r, args, 0, name, 0, out));
    if (*out > 0 && *out <= PIECES_MAX) return E_OK;
    return run_fail(r,
                    *out > 0 ? E_TOO_LARGE
                    : *out   ? E_UNSUPPORTED
                             : E_INPUT,
                    "%lld is no number of pieces here (1 to %d)", (long long)*out, PIECES_MAX);
}

static err push_piece(run *r, value_list *pieces, value_list *piece, value v) {
    value one;
    TRY(take(r, piece, SHAPE_LIST, v, &one));
    *piece = (value_list){0};
    return value_push(r, pieces, one);
}

static err cut_batches(run *r, value v, const call_args *args, value_list *pieces) {
    const value *fill = arg_get(args, 1, "fill_with");
    value_list l, piece = {0};
    int64_t n;
    TRY(piece_count(r, args, "linecount", &n));
    TRY(value_iterate(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        TRY(value_push(r, &piece, l.items[i]));
        if ((int64_t)piece.n == n) TRY(push_piece(r, pieces, &piece, v));
    }
    while (piece.n && fill && fill->kind != VALUE_NONE && (int64_t)piece.n < n)
        TRY(value_push(r, &piece, *fill));
    return piece.n ? push_piece(r, pieces, &piece, v) : E_OK;
}

static err filter_batch(run *r, value v, const call_args *args, value *out) {
    value_list pieces = {0};
    err e = cut_batches(r, v, args, &pieces);
    return take_stream(r, e, &pieces, v, out);
}

static err cut_slices(run *r, value v, const call_args *args, value_list *pieces) {
    const value *fill = arg_get(args, 1, "fill_with");
    value_list l, piece = {0};
    int64_t n;
    size_t at = 0;
    TRY(piece_count(r, args, "slices", &n));
    TRY(value_iterate(r, v, &l));
    size_t each = l.n / (size_t)n, extra = l.n % (size_t)n;
    for (size_t i = 0; i < (size_t)n; i++) {
        TRY(run_charge(r, 0));
        for (size_t end = at + each + (i < extra); at < end; at++)
            TRY(value_push(r, &piece, l.items[at]));
        if (fill && fill->kind != VALUE_NONE && i >= extra) TRY(value_push(r, &piece, *fill));
        TRY(push_piece(r, pieces, &piece, v));
    }
    return E_OK;
}

static err filter_slice(run *r, value v, const call_args *args, value *out) {
    value_list pieces = {0};
    err e = cut_slices(r, v, args, &pieces);
    return take_stream(r, e, &pieces, v, out);
}

static err filter_join(run *r, value v, const call_args *args, value *out) {
    const value *by = arg_get(args, 0, "d"), *attribute = arg_get(args, 1, "attribute");
    value separator = value_text(STR(""), false);
    value_list l;
    if (by) TRY(value_to_text(r, *by, &separator));
    separator.markup = false;
    if (v.cut) separator = value_text(value_str(separator), true);
    TRY(value_iterate(r, v, &l));
    for (size_t i = 0; attribute && attribute->kind != VALUE_NONE && i < l.n; i++)
        TRY(attribute_path(r, l.items[i], *attribute, NULL, &l.items[i]));
    return text_join(r, separator, &l, out);
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
static err pick_items(run *r, value v, const call_args *args, bool attribute, bool want,
                      value_list *kept) {
    value_list l;
    const value *name = attribute ? arg_get(args, 0, NULL) : NULL,
                *test = arg_get(args, attribute, NULL);
    call_args rest = args_behind(args, attribute ? 2 : 1);
    if (value_true(v) && attribute && !name)
        return run_fail(r, E_INPUT, "the attribute's name is missing");
    if (value_true(v) && test && test->kind != VALUE_TEXT)
        return run_fail(r, E_INPUT, "a test's name must be a text");
    TRY(iterate_if_any(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        value of = l.items[i];
        if (name) TRY(attribute_path(r, of, *name, NULL, &of));
        bool passes = value_true(of);
        if (test) TRY(run_test(r, value_str(*test), of, &rest, &passes));
        if (passes == want) TRY(value_push(r, kept, l.items[i]));
    }
    return E_OK;
}

static err pick(run *r, value v, const call_args *args, bool attribute, bool want, value *out) {
    value_list kept = {0};
    err e = pick_items(r, v, args, attribute, want, &kept);
    return take_stream(r, e, &kept, v, out);
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
    const value *attribute = arg_get(args, SIZE_MAX, "attribute"), *name = arg_get(args, 0, NULL),
                *fallback = arg_get(args, SIZE_MAX, "default");
    if (!name && attribute) {
        if (args->n > 1u + (fallback != NULL))
            return run_fail(r, E_INPUT, "map(attribute=...) takes a default and nothing else");
        return attribute_path(r, of, *attribute, fallback, out);
    }
    if (!name || name->kind != VALUE_TEXT) return run_fail(r, E_INPUT, "map needs a filter's name");
    call_args rest = args_behind(args, 1);
    return run_filter(r, value_str(*name), of, &rest, out);
}

static err map_items(run *r, value v, const call_args *args, value_list *mapped) {
    value_list l;
    TRY(iterate_if_any(r, v, &l));
    for (size_t i = 0; i < l.n; i++) {
        value one;
        TRY(map_one(r, args, l.items[i], &one));
        TRY(value_push(r, mapped, one));
    }
    return E_OK;
}

static err filter_map(run *r, value v, const call_args *args, value *out) {
    value_list mapped = {0};
    err e = map_items(r, v, args, &mapped);
    return take_stream(r, e, &mapped, v, out);
}

const callable list_filters[] = {
    {"batch", filter_batch, "linecount fill_with", 1},
    {"dictsort", filter_dictsort, "case_sensitive by reverse", 0},
    {"first", filter_first, "", 0},
    {"groupby", filter_groupby, "attribute default case_sensitive", 1},
    {"items", filter_items, "", 0},
    {"join", filter_join, "d attribute", 0},
    {"last", filter_last, "", 0},
    {"list", filter_list, "", 0},
    {"map", filter_map, "*", 0},
    {"max", filter_max, "case_sensitive attribute", 0},
    {"min", filter_min, "case_sensitive attribute", 0},
    {"reject", filter_reject, "*", 0},
    {"rejectattr", filter_rejectattr, "*", 0},
    {"reverse", filter_reverse, "", 0},
    {"select", filter_select, "*", 0},
    {"selectattr", filter_selectattr, "*", 0},
    {"slice", filter_slice, "slices fill_with", 1},
    {"sort", filter_sort, "reverse case_sensitive attribute", 0},
    {"sum", filter_sum, "attribute start", 0},
    {"unique", filter_unique, "case_sensitive attribute", 0},
    {NULL, NULL, NULL, 0},
};

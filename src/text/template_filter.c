/* template_filter.c - the filters of a template over one value, by name; see template_int.h. Each
 * behaves as Jinja 3.1's of that name does without escaping; tojson as transformers defines it. The
 * filters over lists stand in template_list.c. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The text of a value for an operation on texts; what went through `safe` stays so. */
static err soft_text(run *r, value v, value *out) {
    return value_to_text(r, v, out);
}

/* The same where Jinja goes on with a plain text. */
static err plain_text(run *r, value v, value *out) {
    TRY(value_to_text(r, v, out));
    out->markup = false;
    return E_OK;
}

/* A value that must be a text already. */
static err need_text(run *r, const char *filter, value v) {
    if (v.kind == VALUE_TEXT && !v.markup) return E_OK;
    return run_fail(r, v.markup ? E_UNSUPPORTED : E_INPUT, "%s needs a plain text, not %s", filter,
                    v.markup ? "one that went through `safe`" : value_kind_name(v));
}

/* ---- texts ------------------------------------------------------------------------------------
 */

static err filter_trim(run *r, value v, const call_args *args, value *out) {
    const value *characters;
    value text;
    TRY(arg_text(r, args, 0, "chars", &characters));
    TRY(soft_text(r, v, &text));
    TRY(run_charge(r, text.as.text.n * (characters ? characters->as.text.n + 1 : 1)));
    *out = text_strip(text, STRIP_BOTH, characters);
    return E_OK;
}

static err filter_upper(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(soft_text(r, v, &v));
    return text_case(r, v, CASE_UPPER, out);
}
static err filter_lower(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(soft_text(r, v, &v));
    return text_case(r, v, CASE_LOWER, out);
}
static err filter_capitalize(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(soft_text(r, v, &v));
    return text_case(r, v, CASE_CAPITAL, out);
}
static err filter_title(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(soft_text(r, v, &v));
    return text_case(r, v, CASE_TITLE_JINJA, out);
}

static err filter_string(run *r, value v, const call_args *args, value *out) {
    (void)args;
    return soft_text(r, v, out);
}
static err filter_safe(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(value_to_text(r, v, out));
    out->markup = true;
    return E_OK;
}
static err filter_force_escape(run *r, value v, const call_args *args, value *out) {
    (void)args;
    TRY(plain_text(r, v, &v));
    return text_escape(r, v, out);
}
static err filter_escape(run *r, value v, const call_args *args, value *out) {
    if (!v.markup) return filter_force_escape(r, v, args, out);
    *out = v;
    return E_OK;
}

static err filter_replace(run *r, value v, const call_args *args, value *out) {
    value text, from, to;
    int64_t most;
    TRY(arg_int(r, args, 2, "count", -1, &most));
    TRY(plain_text(r, v, &text));
    TRY(plain_text(r, *arg_get(args, 0, "old"), &from));
    TRY(plain_text(r, *arg_get(args, 1, "new"), &to));
    return text_replace(r, text, from, to, most, out);
}

static err filter_indent(run *r, value v, const call_args *args, value *out) {
    const value *width = arg_get(args, 0, "width");
    value by;
    TRY(need_text(r, "indent", v));
    if (width && width->kind == VALUE_TEXT) {
        by = *width;
    } else {
        int64_t n;
        TRY(arg_int(r, args, 0, "width", 4, &n));
        TRY(text_repeat(r, value_text(STR(" "), false), n, &by));
    }
    return text_indent(r, v, by, arg_flag(args, 1, "first", false),
                       arg_flag(args, 2, "blank", false), out);
}

static err filter_center(run *r, value v, const call_args *args, value *out) {
    int64_t width;
    TRY(arg_int(r, args, 0, "width", 80, &width));
    TRY(soft_text(r, v, &v));
    TRY(need_text(r, "center", v));
    return text_pad(r, v, width, value_text(STR(" "), false), PAD_CENTER, out);
}

/* Jinja's: a text a little longer than the length is left whole (leeway 5). */
static err filter_truncate(run *r, value v, const call_args *args, value *out) {
    const value *end = arg_get(args, 2, "end");
    value dots = end ? *end : value_text(STR("..."), false), both[2];
    int64_t length, leeway, count;
    *out = v;
    if (v.kind == VALUE_UNDEFINED) return E_OK;
    if (v.kind != VALUE_TEXT)
        return run_fail(r, E_UNSUPPORTED, "truncate of %s is not supported", value_kind_name(v));
    TRY(need_text(r, "truncate", v));
    TRY(need_text(r, "truncate", dots));
    TRY(arg_int(r, args, 0, "length", 255, &length));
    TRY(arg_int(r, args, 3, "leeway", 5, &leeway));
    int64_t dots_count = (int64_t)utf8_count(value_str(dots));
    if (length < dots_count || leeway < 0)
        return run_fail(r, E_INPUT, "truncate: the length must not be below the end's");
    TRY(value_count(r, v, &count));
    if (count - length <= leeway) return E_OK;
    both[0] = value_slice(v, 0, utf8_index(value_str(v), (size_t)(length - dots_count)));
    both[1] = dots;
    size_t blank = both[0].as.text.n;
    while (blank > 0 && both[0].as.text.p[blank - 1] != ' ') blank--;
    if (blank > 0 && !arg_flag(args, 1, "killwords", false))
        both[0] = value_slice(both[0], 0, blank - 1);
    return value_concat(r, both, 2, out);
}

static err filter_wordcount(run *r, value v, const call_args *args, value *out) {
    int64_t words = 0;
    bool inside = false;
    (void)args;
    TRY(soft_text(r, v, &v));
    TRY(run_charge(r, v.as.text.n * 16));
    for (size_t at = 0; at < v.as.text.n;) {
        int32_t c = utf8_walk(value_str(v), &at);
        bool word = c == '_' || utf8_is_letter(c) || utf8_is_number(c);
        words += word && !inside;
        inside = word;
    }
    *out = value_int(words, v.outside);
    return E_OK;
}

static err filter_format(run *r, value v, const call_args *args, value *out) {
    value_list positions = {0};
    pair *named = arena_new_n(r->arena, pair, args->n);
    size_t n = 0;
    value values;
    if (!named) return run_no_memory(r);
    for (size_t i = 0; i < args->n; i++)
        if (args->names[i].p)
            named[n++] = (pair){value_text(args->names[i], false), args->items[i]};
        else
            TRY(value_push(r, &positions, args->items[i]));
    if (n && positions.n) return run_fail(r, E_INPUT, "format takes positions or names, not both");
    if (n)
        TRY(value_take_map(r, named, n, false, &values));
    else
        TRY(value_take_list(r, &positions, SHAPE_TUPLE, false, &values));
    TRY(soft_text(r, v, &v));
    return format_percent(r, v, values, out);
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

enum { INDENT_MAX = 64 };

static err filter_tojson(run *r, value v, const call_args *args, value *out) {
    int64_t indent;
    bool outside = false;
    buf b = {.bytes_max = r->bytes_max};
    TRY(arg_int(r, args, 1, "indent", -1, &indent));
    if (indent > INDENT_MAX)
        return run_fail(r, E_TOO_LARGE, "tojson's indent is above %d", INDENT_MAX);
    json_style s = {.indent = indent < 0 ? -1 : (int)indent,
                    .ascii = arg_flag(args, 0, "ensure_ascii", false),
                    .sort_keys = arg_flag(args, 3, "sort_keys", false),
                    .item_separator = indent < 0 ? STR(", ") : STR(","),
                    .key_separator = STR(": ")};
    TRY(separators(r, args, &s));
    err e = print_json(r, &b, v, &s, &outside, 0);
    return print_take(r, &b, outside, e, out);
}

/* ---- any value --------------------------------------------------------------------------------
 */

static err filter_default(run *r, value v, const call_args *args, value *out) {
    const value *fallback = arg_get(args, 0, "default_value");
    bool missing =
        v.kind == VALUE_UNDEFINED || (arg_flag(args, 1, "boolean", false) && !value_true(v));
    (void)r;
    *out = !missing ? v : fallback ? *fallback : value_text(STR(""), false);
    return E_OK;
}

static err filter_length(run *r, value v, const call_args *args, value *out) {
    int64_t n;
    (void)args;
    TRY(value_count(r, v, &n));
    *out = value_int(n, v.outside);
    return E_OK;
}

/* An attribute, never an item. */
static err filter_attr(run *r, value v, const call_args *args, value *out) {
    const value *name = arg_get(args, 0, "name");
    bool found = false;
    if (name->kind != VALUE_TEXT) return run_fail(r, E_INPUT, "attr needs a name");
    if (v.kind == VALUE_UNDEFINED || v.kind == VALUE_SPACE || v.kind == VALUE_LOOP)
        return eval_attribute(r, v, value_str(*name), out);
    TRY(method_find(r, v, value_str(*name), &found, out));
    if (!found) *out = value_undefined(value_str(*name));
    return E_OK;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static err fail_number(run *r, const char *filter, value v) {
    if (v.kind == VALUE_BIG) return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    return run_fail(r, E_INPUT, "%s needs a number, not %s", filter, value_kind_name(v));
}

/* Digits and one "_" between two of them, as Python reads numbers; the text without them. */
static str without_underscores(run *r, str s) {
    char *p = arena_alloc(r->arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; p && i < s.n; i++) {
        bool between = i > 0 && i + 1 < s.n && s.p[i - 1] >= '0' && s.p[i - 1] <= '9' &&
                       s.p[i + 1] >= '0' && s.p[i + 1] <= '9';
        if (s.p[i] != '_' || !between) p[n++] = s.p[i];
    }
    return p ? (str){p, n} : STR_NONE;
}

/* A text that Python's int() or float() reads. */
static err read_number(run *r, value text, bool whole, bool *ok, value *out) {
    value stripped = text_strip(text, STRIP_BOTH, NULL);
    str s = without_underscores(r, value_str(stripped));
    int64_t n;
    double d;
    *ok = true;
    if (!s.p) return run_no_memory(r);
    if (s.n > 1 && s.p[0] == '+' && s.p[1] != '-') s = str_slice(s, 1, s.n);
    if (whole && str_to_int(s, &n))
        *out = value_int(n, text.outside);
    else if (str_to_double(s, &d))
        *out = value_float(d, text.outside);
    else
        *ok = false;
    return E_OK;
}

static err filter_int(run *r, value v, const call_args *args, value *out) {
    const value *fallback = arg_get(args, 0, "default");
    int64_t base;
    bool ok = true;
    TRY(arg_int(r, args, 1, "base", 10, &base));
    if (v.kind == VALUE_TEXT && base != 10)
        return run_fail(r, E_UNSUPPORTED, "int with a base is not supported");
    if (v.kind == VALUE_UNDEFINED)
        return run_fail(r, E_INPUT, "int needs a number, not what is undefined");
    if (v.kind == VALUE_TEXT) TRY(read_number(r, v, true, &ok, &v));
    *out = ok && value_is_number(v) ? v : fallback ? *fallback : value_int(0, false);
    if (!ok || !value_is_number(v)) return E_OK;
    if (v.kind == VALUE_BOOL) *out = value_int(v.as.boolean, v.outside);
    if (v.kind != VALUE_FLOAT) return E_OK;
    if (!(fabs(v.as.number) < 9e18)) return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    *out = value_int((int64_t)v.as.number, v.outside);
    return E_OK;
}

static err filter_float(run *r, value v, const call_args *args, value *out) {
    const value *fallback = arg_get(args, 0, "default");
    bool ok = true;
    if (v.kind == VALUE_UNDEFINED)
        return run_fail(r, E_INPUT, "float needs a number, not what is undefined");
    if (v.kind == VALUE_TEXT) TRY(read_number(r, v, false, &ok, &v));
    *out = (value){.kind = VALUE_FLOAT, .outside = v.outside};
    if (ok && value_is_number(v))
        out->as.number = value_number(v);
    else if (fallback)
        *out = *fallback;
    return E_OK;
}

static err filter_abs(run *r, value v, const call_args *args, value *out) {
    (void)args;
    if (v.kind == VALUE_BOOL) v = value_int(v.as.boolean, v.outside);
    if (v.kind == VALUE_FLOAT)
        v.as.number = fabs(v.as.number);
    else if (v.kind != VALUE_INT || v.as.integer == INT64_MIN)
        return fail_number(r, "abs", v);
    else if (v.as.integer < 0)
        v.as.integer = -v.as.integer;
    *out = v;
    return E_OK;
}

enum { PRECISION_MAX = 15 };

static err filter_round(run *r, value v, const call_args *args, value *out) {
    const value *method = arg_get(args, 1, "method");
    int64_t precision;
    char text[400];
    TRY(arg_int(r, args, 0, "precision", 0, &precision));
    bool up = method && value_is(*method, "ceil"), down = method && value_is(*method, "floor");
    if (method && !up && !down && !value_is(*method, "common"))
        return run_fail(r, E_INPUT, "round: the method is common, ceil or floor");
    if (precision < 0 || precision > PRECISION_MAX)
        return run_fail(r, E_UNSUPPORTED, "round to %lld digits is not supported",
                        (long long)precision);
    if (v.kind == VALUE_BOOL) v = value_int(v.as.boolean, v.outside);
    if (v.kind == VALUE_BIG || !value_is_number(v)) return fail_number(r, "round", v);
    *out = v;
    if (v.kind == VALUE_INT && !up && !down) return E_OK;
    double scale = pow(10, (double)precision), d = value_number(v);
    *out = (value){.kind = VALUE_FLOAT, .outside = v.outside};
    out->as.number = up ? ceil(d * scale) / scale : floor(d * scale) / scale;
    if (up || down) return E_OK;
    snprintf(text, sizeof text, "%.*f", (int)precision, d);
    if (!str_to_double(str_from(text), &out->as.number)) out->as.number = d;
    return E_OK;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static const callable filters[] = {
    {"abs", filter_abs, "", 0},
    {"attr", filter_attr, "name", 1},
    {"capitalize", filter_capitalize, "", 0},
    {"center", filter_center, "width", 0},
    {"count", filter_length, "", 0},
    {"d", filter_default, "default_value boolean", 0},
    {"default", filter_default, "default_value boolean", 0},
    {"e", filter_escape, "", 0},
    {"escape", filter_escape, "", 0},
    {"float", filter_float, "default", 0},
    {"forceescape", filter_force_escape, "", 0},
    {"format", filter_format, "*", 0},
    {"indent", filter_indent, "width first blank", 0},
    {"int", filter_int, "default base", 0},
    {"length", filter_length, "", 0},
    {"lower", filter_lower, "", 0},
    {"replace", filter_replace, "old new count", 2},
    {"round", filter_round, "precision method", 0},
    {"safe", filter_safe, "", 0},
    {"string", filter_string, "", 0},
    {"title", filter_title, "", 0},
    {"tojson", filter_tojson, "ensure_ascii indent separators sort_keys", 0},
    {"trim", filter_trim, "chars", 0},
    {"truncate", filter_truncate, "length killwords end leeway", 0},
    {"upper", filter_upper, "", 0},
    {"wordcount", filter_wordcount, "", 0},
    {NULL, NULL, NULL, 0},
};

static const callable *find_filter(str name) {
    const callable *c = callable_find(filters, name);
    return c ? c : callable_find(list_filters, name);
}

bool template_filter_known(str name) {
    return find_filter(name) != NULL;
}

err run_filter(run *r, str name, value v, const call_args *args, value *out) {
    const callable *c = find_filter(name);
    if (c) return callable_run(r, c, v, args, out);
    return run_fail(r, E_UNSUPPORTED, "the filter \"%.*s\" is not supported",
                    STR_ARG(str_slice(name, 0, 60)));
}

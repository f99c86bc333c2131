/* template_eval.c - expressions of a template to values, as Python and Jinja compute them; see
 * template_int.h. Recursion is bounded by TEMPLATE_EVAL_DEPTH_MAX, whole numbers by 64 bits (beyond
 * is an error, not a wrap). */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <string.h>

const value *arg_get(const call_args *args, size_t at, const char *name) {
    for (size_t i = 0; i < args->n; i++) {
        if (args->names[i].p ? name && str_is(args->names[i], name) : i == at)
            return &args->items[i];
    }
    return NULL;
}

err arg_int(run *r, const call_args *args, size_t at, const char *name, int64_t fallback,
            int64_t *out) {
    const value *v = arg_get(args, at, name);
    *out = fallback;
    if (!v || v->kind == VALUE_NONE) return E_OK;
    if (v->kind != VALUE_INT)
        return run_fail(r, E_INPUT, "a whole number expected, not %s", value_kind_name(*v));
    *out = v->as.integer;
    return E_OK;
}

err eval_args(run *r, const node *n, call_args *out) {
    value *items = arena_new_n(r->arena, value, n->n);
    if (!items) return run_no_memory(r);
    for (size_t i = 0; i < n->n; i++) TRY(eval(r, n->items[i], &items[i]));
    *out = (call_args){items, n->names, n->n};
    return E_OK;
}

static err eval_list(run *r, const node *n, value *out) {
    value *items = arena_new_n(r->arena, value, n->n);
    if (!items) return run_no_memory(r);
    for (size_t i = 0; i < n->n; i++) TRY(eval(r, n->items[i], &items[i]));
    *out = (value){.kind = VALUE_LIST, .tuple = n->integer != 0};
    out->as.list.items = items;
    out->as.list.n = n->n;
    return E_OK;
}

static err eval_dict(run *r, const node *n, value *out) {
    size_t count = 0;
    pair *pairs = arena_new_n(r->arena, pair, n->n / 2);
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i + 1 < n->n; i += 2) {
        pair p;
        TRY(eval(r, n->items[i], &p.key));
        TRY(eval(r, n->items[i + 1], &p.value));
        size_t at = 0;
        while (at < count && !value_equal(pairs[at].key, p.key)) at++;
        if (at == count) pairs[count++].key = p.key;
        pairs[at].value = p.value;
    }
    *out = (value){.kind = VALUE_MAP};
    out->as.map.pairs = pairs;
    out->as.map.n = count;
    return E_OK;
}

/* ---- names, attributes, items -----------------------------------------------------------------
 */

static bool is_function(str name) {
    static const char *const names[] = {"range", "namespace", "raise_exception", "strftime_now",
                                        "dict"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static const json *find_json(const json *object, str name) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (size_t i = 0; i < object->count; i++)
        if (str_eq(object->members[i].key, name)) return &object->members[i].value;
    return NULL;
}

/* Variables of the template, then the caller's (kept converted), then functions. */
static err eval_name(run *r, str name, value *out) {
    const value *bound = scope_find(r->scope, name);
    if (bound) {
        *out = *bound;
        return E_OK;
    }
    const json *trusted = find_json(r->in->trusted, name);
    const json *given = trusted ? trusted : find_json(r->in->values, name);
    if (given) {
        TRY(value_of_json(r, given, !trusted, out));
        return scope_put(r, r->globals, name, *out);
    }
    *out = value_undefined(name);
    if (is_function(name)) *out = (value){.kind = VALUE_FUNCTION, .as.name = name};
    return E_OK;
}

static value loop_value(const loop_state *l, str name) {
    int64_t i = (int64_t)l->index, n = (int64_t)l->n;
    if (str_is(name, "index")) return value_int(i + 1, false);
    if (str_is(name, "index0")) return value_int(i, false);
    if (str_is(name, "revindex")) return value_int(n - i, false);
    if (str_is(name, "revindex0")) return value_int(n - i - 1, false);
    if (str_is(name, "length")) return value_int(n, false);
    if (str_is(name, "depth")) return value_int(l->depth, false);
    if (str_is(name, "depth0")) return value_int(l->depth - 1, false);
    if (str_is(name, "first")) return value_bool(i == 0);
    if (str_is(name, "last")) return value_bool(i == n - 1);
    if (str_is(name, "previtem") && i > 0) return l->items[i - 1];
    if (str_is(name, "nextitem") && i < n - 1) return l->items[i + 1];
    return value_undefined(name);
}

static err new_method(run *r, value self, str name, value *out) {
    value *kept = arena_new(r->arena, value);
    if (!kept) return run_no_memory(r);
    *kept = self;
    *out = (value){.kind = VALUE_METHOD};
    out->as.method.self = kept;
    out->as.method.p = name.p;
    out->as.method.n = name.n;
    return E_OK;
}

static err fail_undefined(run *r, value v) {
    return run_fail(r, E_INPUT, "\"%.*s\" is undefined", STR_ARG(str_slice(v.as.name, 0, 80)));
}

/* x.name: Python's attribute first, which for our kinds is a method, then the item. */
err eval_attribute(run *r, value v, str name, value *out) {
    if (v.kind == VALUE_UNDEFINED) return fail_undefined(r, v);
    if (v.kind == VALUE_LOOP) {
        *out = loop_value(v.as.loop, name);
        if (str_is(name, "cycle") || str_is(name, "changed"))
            return run_fail(r, E_UNSUPPORTED, "loop.%.*s is not supported", STR_ARG(name));
        return E_OK;
    }
    if (v.kind == VALUE_SPACE) {
        const value *found = NULL;
        for (size_t i = 0; i < v.as.space->n; i++)
            if (str_eq(v.as.space->items[i].name, name)) found = &v.as.space->items[i].value;
        *out = found ? *found : value_undefined(name);
        return E_OK;
    }
    if (method_known(v, name)) return new_method(r, v, name, out);
    const value *found = value_find(v, value_text(name, false));
    *out = found ? *found : value_undefined(name);
    return E_OK;
}

static err text_at(run *r, value v, int64_t index, value *out) {
    str s = value_str(v);
    TRY(run_charge(r, s.n));
    if (index < 0) index += (int64_t)utf8_count(s);
    size_t from = index < 0 ? s.n : utf8_index(s, (size_t)index), to = from;
    if (from < s.n) utf8_walk(s, &to);
    *out = from < s.n ? value_slice(v, from, to) : value_undefined(STR("character"));
    return E_OK;
}

err eval_item(run *r, value v, value key, value *out) {
    if (v.kind == VALUE_UNDEFINED) return fail_undefined(r, v);
    if (key.kind == VALUE_INT && v.kind == VALUE_TEXT) return text_at(r, v, key.as.integer, out);
    if (key.kind == VALUE_INT && v.kind == VALUE_LIST) {
        int64_t i = key.as.integer, n = (int64_t)v.as.list.n;
        if (i < 0) i += n;
        *out = i >= 0 && i < n ? v.as.list.items[i] : value_undefined(STR("item"));
        return E_OK;
    }
    TRY(run_charge(r, v.kind == VALUE_MAP ? v.as.map.n * 16 : 0));
    const value *found = value_find(v, key);
    if (found) {
        *out = *found;
        return E_OK;
    }
    if (key.kind == VALUE_TEXT) return eval_attribute(r, v, value_str(key), out);
    *out = value_undefined(STR("item"));
    return E_OK;
}

/* Python's slice indices, clamped; false where a part is no whole number. */
static err slice_part(run *r, const node *n, bool *given, int64_t *out) {
    value v;
    *given = false;
    if (!n) return E_OK;
    TRY(eval(r, n, &v));
    if (v.kind == VALUE_NONE) return E_OK;
    if (v.kind == VALUE_BOOL) v = value_int(v.as.boolean, false);
    if (v.kind != VALUE_INT)
        return run_fail(r, E_INPUT, "a slice needs whole numbers, not %s", value_kind_name(v));
    *given = true;
    *out = v.as.integer;
    return E_OK;
}

static int64_t clamp(int64_t i, int64_t low, int64_t high) {
    return i < low ? low : i > high ? high : i;
}

static err eval_slice(run *r, const node *n, value *out) {
    value of;
    value_list all, picked = {0};
    int64_t from = 0, to = 0, step = 1;
    bool has_from, has_to, has_step;
    TRY(eval(r, n->a, &of));
    TRY(slice_part(r, n->items[0], &has_from, &from));
    TRY(slice_part(r, n->items[1], &has_to, &to));
    TRY(slice_part(r, n->items[2], &has_step, &step));
    if (!has_step) step = 1;
    if (step == 0) return run_fail(r, E_INPUT, "a slice with step 0");
    if (of.kind == VALUE_UNDEFINED) return fail_undefined(r, of);
    if (of.kind != VALUE_LIST && of.kind != VALUE_TEXT)
        return run_fail(r, E_INPUT, "%s cannot be sliced", value_kind_name(of));
    TRY(value_iterate(r, of, &all));
    int64_t count = (int64_t)all.n, low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
    from = !has_from ? (step > 0 ? low : high) : clamp(from < 0 ? from + count : from, low, high);
    to = !has_to ? (step > 0 ? high : low) : clamp(to < 0 ? to + count : to, low, high);
    step = clamp(step, -count - 1, count + 1);
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
        TRY(value_push(r, &picked, all.items[i]));
    if (of.kind == VALUE_TEXT) return value_concat(r, picked.items, picked.n, out);
    *out = value_list_of(&picked, of.outside);
    out->tuple = of.tuple;
    return E_OK;
}

/* ---- operators --------------------------------------------------------------------------------
 */

static bool is_number(value v) {
    return v.kind == VALUE_INT || v.kind == VALUE_FLOAT || v.kind == VALUE_BOOL;
}
static double number_of(value v) {
    return v.kind == VALUE_FLOAT ? v.as.number
           : v.kind == VALUE_INT ? (double)v.as.integer
                                 : v.as.boolean;
}
static int64_t integer_of(value v) {
    return v.kind == VALUE_BOOL ? v.as.boolean : v.as.integer;
}

static err fail_operands(run *r, str op, value a, value b) {
    if (a.kind == VALUE_UNDEFINED) return fail_undefined(r, a);
    if (b.kind == VALUE_UNDEFINED) return fail_undefined(r, b);
    return run_fail(r, E_INPUT, "\"%.*s\" does not fit %s and %s", STR_ARG(op), value_kind_name(a),
                    value_kind_name(b));
}

static err float_result(double v, bool outside, value *out) {
    *out = (value){.kind = VALUE_FLOAT, .outside = outside, .as.number = v};
    return E_OK;
}

static err power(run *r, int64_t base, int64_t exponent, int64_t *out) {
    int64_t result = 1;
    if (exponent > 64 && base != 0 && base != 1 && base != -1)
        return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    if (exponent > 64) exponent = 2 + (exponent & 1);
    while (exponent-- > 0)
        if (__builtin_mul_overflow(result, base, &result))
            return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    *out = result;
    return E_OK;
}

/* Python rounds // down and gives % the sign of the divisor. */
static err whole_arithmetic(run *r, str op, int64_t a, int64_t b, int64_t *out) {
    bool over = false;
    if (str_is(op, "**")) return power(r, a, b, out);
    if (str_is(op, "+")) over = __builtin_add_overflow(a, b, out);
    if (str_is(op, "-")) over = __builtin_sub_overflow(a, b, out);
    if (str_is(op, "*")) over = __builtin_mul_overflow(a, b, out);
    if (str_is(op, "//") || str_is(op, "%")) {
        if (b == 0) return run_fail(r, E_INPUT, "a division by zero");
        over = a == INT64_MIN && b == -1;
        int64_t quotient = over ? 0 : a / b, rest = over ? 0 : a % b;
        bool down = rest != 0 && (rest < 0) != (b < 0);
        *out = str_is(op, "%") ? rest + (down ? b : 0) : quotient - down;
    }
    return over ? run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits") : E_OK;
}

static err real_arithmetic(run *r, str op, double a, double b, double *out) {
    if (b == 0 && (str_is(op, "/") || str_is(op, "//") || str_is(op, "%")))
        return run_fail(r, E_INPUT, "a division by zero");
    if (str_is(op, "+")) *out = a + b;
    if (str_is(op, "-")) *out = a - b;
    if (str_is(op, "*")) *out = a * b;
    if (str_is(op, "/")) *out = a / b;
    if (str_is(op, "//")) *out = floor(a / b);
    if (str_is(op, "%")) *out = a - b * floor(a / b);
    if (str_is(op, "**")) *out = pow(a, b);
    return E_OK;
}

static err arithmetic(run *r, str op, value a, value b, value *out) {
    bool outside = a.outside || b.outside;
    bool whole = a.kind != VALUE_FLOAT && b.kind != VALUE_FLOAT && !str_is(op, "/");
    if (whole && str_is(op, "**") && integer_of(b) < 0) whole = false;
    if (whole) {
        int64_t v = 0;
        TRY(whole_arithmetic(r, op, integer_of(a), integer_of(b), &v));
        *out = value_int(v, outside);
        return E_OK;
    }
    double v = 0;
    TRY(real_arithmetic(r, op, number_of(a), number_of(b), &v));
    return float_result(v, outside, out);
}

/* Markup + text escapes the text, whichever side it stands on. */
static err add_texts(run *r, value a, value b, value *out) {
    bool markup = a.markup || b.markup;
    if (markup && !a.markup) TRY(text_escape(r, a, &a));
    if (markup && !b.markup) TRY(text_escape(r, b, &b));
    value both[2] = {a, b};
    TRY(value_concat(r, both, 2, out));
    out->markup = markup;
    return E_OK;
}

static err add_lists(run *r, value a, value b, value *out) {
    value_list l = {0};
    TRY(run_charge(r, (a.as.list.n + b.as.list.n) * 64));
    for (size_t i = 0; i < a.as.list.n; i++) TRY(value_push(r, &l, a.as.list.items[i]));
    for (size_t i = 0; i < b.as.list.n; i++) TRY(value_push(r, &l, b.as.list.items[i]));
    *out = value_list_of(&l, a.outside || b.outside);
    out->tuple = a.tuple;
    return E_OK;
}

static err multiply(run *r, value a, int64_t times, value *out) {
    value_list l = {0};
    if (a.kind == VALUE_TEXT) return text_repeat(r, a, times, out);
    for (int64_t i = 0; a.as.list.n && i < times; i++)
        for (size_t k = 0; k < a.as.list.n; k++) {
            TRY(run_charge(r, 64));
            TRY(value_push(r, &l, a.as.list.items[k]));
        }
    *out = value_list_of(&l, a.outside);
    return E_OK;
}

static err eval_concat(run *r, value a, value b, value *out) {
    value both[2];
    TRY(value_to_text(r, a, &both[0]));
    TRY(value_to_text(r, b, &both[1]));
    return value_concat(r, both, 2, out);
}

static err eval_binary(run *r, const node *n, value *out) {
    value a, b;
    TRY(eval(r, n->a, &a));
    TRY(eval(r, n->b, &b));
    if (str_is(n->text, "~")) return eval_concat(r, a, b, out);
    if (is_number(a) && is_number(b)) return arithmetic(r, n->text, a, b, out);
    bool plus = str_is(n->text, "+"), times = str_is(n->text, "*");
    if (plus && a.kind == VALUE_TEXT && b.kind == VALUE_TEXT) return add_texts(r, a, b, out);
    if (plus && a.kind == VALUE_LIST && b.kind == VALUE_LIST && a.tuple == b.tuple)
        return add_lists(r, a, b, out);
    bool left = a.kind == VALUE_TEXT || a.kind == VALUE_LIST,
         right = b.kind == VALUE_TEXT || b.kind == VALUE_LIST;
    if (times && left && b.kind == VALUE_INT) return multiply(r, a, b.as.integer, out);
    if (times && right && a.kind == VALUE_INT) return multiply(r, b, a.as.integer, out);
    if (str_is(n->text, "%") && a.kind == VALUE_TEXT)
        return run_fail(r, E_UNSUPPORTED, "formatting a text by \"%%\" is not supported");
    return fail_operands(r, n->text, a, b);
}

static err contains(run *r, value item, value in, bool *out) {
    *out = false;
    switch (in.kind) {
    case VALUE_UNDEFINED: return E_OK;
    case VALUE_MAP: *out = value_find(in, item) != NULL; return run_charge(r, in.as.map.n * 16);
    case VALUE_LIST:
        for (size_t i = 0; i < in.as.list.n && !*out; i++)
            *out = value_equal(in.as.list.items[i], item);
        return run_charge(r, in.as.list.n * 16);
    case VALUE_TEXT:
        if (item.kind != VALUE_TEXT) break;
        *out = str_find(value_str(in), value_str(item)) != STR_INDEX_NONE;
        return run_charge(r, in.as.text.n);
    default: break;
    }
    return fail_operands(r, STR("in"), item, in);
}

static err compare(run *r, str op, value a, value b, bool *out) {
    int order = 0;
    if (str_is(op, "==") || str_is(op, "!=")) {
        *out = value_equal(a, b) == str_is(op, "==");
        return run_charge(r, a.kind == VALUE_LIST || a.kind == VALUE_MAP ? 4096 : 0);
    }
    if (str_is(op, "in") || str_is(op, "not in")) {
        TRY(contains(r, a, b, out));
        *out = *out == str_is(op, "in");
        return E_OK;
    }
    if (a.kind == VALUE_UNDEFINED || b.kind == VALUE_UNDEFINED) return fail_operands(r, op, a, b);
    TRY(value_order(r, a, b, &order));
    *out = str_is(op, "<")    ? order < 0
           : str_is(op, "<=") ? order <= 0
           : str_is(op, ">")  ? order > 0
                              : order >= 0;
    return E_OK;
}

static err eval_compare(run *r, const node *n, value *out) {
    value a, b;
    bool result = false;
    TRY(eval(r, n->a, &a));
    TRY(eval(r, n->b, &b));
    TRY(compare(r, n->text, a, b, &result));
    *out = value_bool(result);
    return E_OK;
}

static err eval_sign(run *r, const node *n, value *out) {
    value v;
    TRY(eval(r, n->a, &v));
    if (!is_number(v)) return fail_operands(r, STR("-"), v, v);
    if (n->kind == NODE_PLUS) {
        *out = v;
        return E_OK;
    }
    return arithmetic(r, STR("-"), value_int(0, false), v, out);
}

static err eval_logic(run *r, const node *n, value *out) {
    TRY(eval(r, n->a, out));
    if (value_true(*out) == (n->kind == NODE_OR)) return E_OK;
    return eval(r, n->b, out);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

err eval_call(run *r, value callee, const call_args *args, value *out) {
    switch (callee.kind) {
    case VALUE_UNDEFINED: return fail_undefined(r, callee);
    case VALUE_FUNCTION: return run_function(r, callee.as.name, args, out);
    case VALUE_MACRO: return run_macro(r, callee.as.macro, args, out);
    case VALUE_METHOD:
        return run_method(r, *callee.as.method.self, (str){callee.as.method.p, callee.as.method.n},
                          args, out);
    default: return run_fail(r, E_INPUT, "%s cannot be called", value_kind_name(callee));
    }
}

static err eval_call_node(run *r, const node *n, value *out) {
    value callee;
    call_args args;
    TRY(eval(r, n->a, &callee));
    TRY(eval_args(r, n, &args));
    r->line = n->line;
    return eval_call(r, callee, &args, out);
}

static err eval_filter(run *r, const node *n, value *out) {
    value v;
    call_args args;
    TRY(eval(r, n->a, &v));
    TRY(eval_args(r, n, &args));
    r->line = n->line;
    return run_filter(r, n->text, v, &args, out);
}

static err eval_test(run *r, const node *n, value *out) {
    value v;
    call_args args;
    bool result = false;
    TRY(eval(r, n->a, &v));
    TRY(eval_args(r, n, &args));
    r->line = n->line;
    TRY(run_test(r, n->text, v, &args, &result));
    *out = value_bool(result != (n->integer != 0));
    return E_OK;
}

static err eval_choice(run *r, const node *n, value *out) {
    value condition;
    TRY(eval(r, n->a, &condition));
    if (value_true(condition)) return eval(r, n->b, out);
    if (n->c) return eval(r, n->c, out);
    *out = value_undefined(STR("else"));
    return E_OK;
}

static err eval_part(run *r, const node *n, bool item, value *out) {
    value v, key;
    TRY(eval(r, n->a, &v));
    if (!item) {
        r->line = n->line;
        return eval_attribute(r, v, n->text, out);
    }
    TRY(eval(r, n->b, &key));
    r->line = n->line;
    return eval_item(r, v, key, out);
}

static err eval_node(run *r, const node *n, value *out) {
    value v;
    switch (n->kind) {
    case NODE_TEXT: *out = value_text(n->text, false); return E_OK;
    case NODE_INT: *out = value_int(n->integer, false); return E_OK;
    case NODE_FLOAT: return float_result(n->number, false, out);
    case NODE_BOOL: *out = value_bool(n->integer != 0); return E_OK;
    case NODE_NONE: *out = (value){.kind = VALUE_NONE}; return E_OK;
    case NODE_NAME: return eval_name(r, n->text, out);
    case NODE_LIST: return eval_list(r, n, out);
    case NODE_DICT: return eval_dict(r, n, out);
    case NODE_NOT:
        TRY(eval(r, n->a, &v));
        *out = value_bool(!value_true(v));
        return E_OK;
    case NODE_NEGATE:
    case NODE_PLUS: return eval_sign(r, n, out);
    case NODE_AND:
    case NODE_OR: return eval_logic(r, n, out);
    case NODE_BINARY: return eval_binary(r, n, out);
    case NODE_COMPARE: return eval_compare(r, n, out);
    case NODE_CHOICE: return eval_choice(r, n, out);
    case NODE_ATTRIBUTE: return eval_part(r, n, false, out);
    case NODE_ITEM: return eval_part(r, n, true, out);
    case NODE_SLICE: return eval_slice(r, n, out);
    case NODE_CALL: return eval_call_node(r, n, out);
    case NODE_FILTER: return eval_filter(r, n, out);
    case NODE_TEST: return eval_test(r, n, out);
    default: return run_fail(r, E_INTERNAL, "a statement where a value belongs");
    }
}

err eval(run *r, const node *n, value *out) {
    if (r->nesting >= TEMPLATE_EVAL_DEPTH_MAX)
        return run_fail(r, E_TOO_LARGE, "expressions nested more than %d levels deep",
                        TEMPLATE_EVAL_DEPTH_MAX);
    TRY(run_charge(r, 0));
    r->nesting++;
    err e = eval_node(r, n, out);
    r->nesting--;
    return e;
}

/* template_eval.c - expressions of a template to values, as Python and Jinja compute them; see
 * template_int.h. Recursion is bounded by TEMPLATE_EVAL_DEPTH_MAX. */
#include "text/template_int.h"

#include "text/utf8.h"

/* ---- arguments --------------------------------------------------------------------------------
 */

err eval_args(run *r, const node *n, call_args *out) {
    value *items = arena_new_n(r->arena, value, n->n);
    if (!items) return run_no_memory(r);
    for (size_t i = 0; i < n->n; i++) TRY(eval(r, n->items[i], &items[i]));
    *out = (call_args){items, n->names, n->n};
    return E_OK;
}

/* ---- literals ---------------------------------------------------------------------------------
 */

static err eval_list(run *r, const node *n, value *out) {
    value_list l = {arena_new_n(r->arena, value, n->n), n->n, n->n};
    if (!l.items) return run_no_memory(r);
    for (size_t i = 0; i < n->n; i++) TRY(eval(r, n->items[i], &l.items[i]));
    return value_take_list(r, &l, n->integer ? SHAPE_TUPLE : SHAPE_LIST, false, out);
}

static err eval_dict(run *r, const node *n, value *out) {
    size_t count = 0;
    pair *pairs = arena_new_n(r->arena, pair, n->n / 2);
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i + 1 < n->n; i += 2) {
        pair p;
        TRY(eval(r, n->items[i], &p.key));
        TRY(eval(r, n->items[i + 1], &p.value));
        TRY(value_key(r, p.key));
        value before = {.kind = VALUE_MAP, .as.map = {pairs, count}};
        size_t at = 0;
        if (value_find(before, p.key))
            while (&pairs[at].value != value_find(before, p.key)) at++;
        else
            pairs[at = count++].key = p.key;
        pairs[at].value = p.value;
    }
    return value_take_map(r, pairs, count, false, out);
}

/* ---- names, attributes, items -----------------------------------------------------------------
 */

static const json *find_json(const json *object, str name) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (size_t i = 0; i < object->count; i++)
        if (str_eq(object->members[i].key, name)) return &object->members[i].value;
    return NULL;
}

static bool hidden_by_scope(const scope *s, str name) {
    for (; s; s = s->parent)
        for (size_t i = 0; s->block && i < s->block->hidden_n; i++)
            if (str_eq(s->block->hidden[i], name)) return true;
    return false;
}

/* Variables of the template, then the caller's (kept converted), then functions. */
static err eval_name(run *r, str name, value *out) {
    const value *bound = scope_find(r->scope, name);
    if (bound) {
        *out = *bound;
        return E_OK;
    }
    *out = value_undefined(name);
    if (hidden_by_scope(r->scope, name)) return E_OK;
    bound = scope_find(r->given, name);
    if (bound) {
        *out = *bound;
        return E_OK;
    }
    const json *trusted = find_json(r->in->trusted, name);
    const json *given = trusted ? trusted : find_json(r->in->values, name);
    if (given) {
        TRY(value_of_json(r, given, !trusted, out));
        return scope_put(r, r->given, name, *out);
    }
    if (function_known(name)) *out = (value){.kind = VALUE_FUNCTION, .as.name = name};
    return E_OK;
}

/* x.name: Python's attribute first, then the item. */
err eval_attribute(run *r, value v, str name, value *out) {
    bool found = false;
    if (v.kind == VALUE_UNDEFINED && str_starts(name, STR("__"))) {
        *out = value_undefined(name);
        return E_OK;
    }
    if (v.kind == VALUE_UNDEFINED) return run_fail_undefined(r, v);
    if (v.kind == VALUE_SPACE) {
        *out = value_undefined(name);
        for (size_t i = 0; i < v.as.space->n; i++)
            if (str_eq(v.as.space->items[i].name, name)) *out = v.as.space->items[i].value;
        return E_OK;
    }
    if (v.kind == VALUE_LOOP) return run_loop_attribute(r, v.as.loop, name, out);
    if (v.kind == VALUE_CYCLER && (str_is(name, "next") || str_is(name, "reset")))
        return method_bind(r, v, name, out);
    TRY(method_find(r, v, name, &found, out));
    if (found) return E_OK;
    TRY(run_charge(r, v.kind == VALUE_MAP ? v.as.map.n * 16 : 0));
    const value *item = value_find(v, value_text(name, false));
    *out = item ? *item : value_undefined(name);
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
    if (v.kind == VALUE_UNDEFINED) return run_fail_undefined(r, v);
    if (key.kind == VALUE_BOOL && v.kind != VALUE_MAP) key = value_int(key.as.boolean, false);
    if (key.kind == VALUE_INT && v.kind == VALUE_TEXT) return text_at(r, v, key.as.integer, out);
    if (key.kind == VALUE_INT && value_is_sequence(v)) {
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

/* One of a slice's places; *ok false when it is no whole number. */
static err slice_part(run *r, const node *n, bool *given, int64_t *out, bool *ok) {
    value v;
    *given = false;
    if (!n) return E_OK;
    TRY(eval(r, n, &v));
    if (v.kind == VALUE_NONE) return E_OK;
    if (v.kind == VALUE_BOOL) v = value_int(v.as.boolean, false);
    if (v.kind != VALUE_INT) {
        *ok = false;
        return E_OK;
    }
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
    int64_t from = 0, to = 0, step = 1, count;
    bool has_from, has_to, has_step, ok = true;
    TRY(eval(r, n->a, &of));
    TRY(slice_part(r, n->items[0], &has_from, &from, &ok));
    TRY(slice_part(r, n->items[1], &has_to, &to, &ok));
    TRY(slice_part(r, n->items[2], &has_step, &step, &ok));
    if (!has_step) step = 1;
    if (of.kind == VALUE_UNDEFINED) return run_fail_undefined(r, of);
    if (!ok || (!value_is_sequence(of) && of.kind != VALUE_TEXT))
        return run_fail(r, E_UNSUPPORTED, "slicing %s is not supported so", value_kind_name(of));
    if (step == 0) return run_fail(r, E_INPUT, "a slice with step 0");
    TRY(value_count(r, of, &count));
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
    from = !has_from ? (step > 0 ? low : high) : clamp(from < 0 ? from + count : from, low, high);
    to = !has_to ? (step > 0 ? high : low) : clamp(to < 0 ? to + count : to, low, high);
    if (of.kind == VALUE_TEXT && step == 1) {
        size_t start = utf8_index(value_str(of), (size_t)from);
        *out = value_slice(of, start, to > from ? utf8_index(value_str(of), (size_t)to) : start);
        return E_OK;
    }
    step = clamp(step, -count - 1, count + 1);
    TRY(value_iterate(r, of, &all));
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
        TRY(value_push(r, &picked, all.items[i]));
    if (of.kind == VALUE_TEXT) return value_concat(r, picked.items, picked.n, out);
    TRY(value_take_list(r, &picked, of.shape, of.outside, out));
    out->cut = of.cut;
    return E_OK;
}

/* ---- operators --------------------------------------------------------------------------------
 */

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
    char op = n->text.n == 1 ? n->text.p[0] : 0; /* longer ones are operator_run's */
    if (op == '~') return eval_concat(r, a, b, out);
    if (op == '%' && a.kind == VALUE_TEXT) return format_percent(r, a, b, out);
    return operator_run(r, n->text, a, b, out);
}

static err eval_compare(run *r, const node *n, value *out) {
    value a, b;
    bool result = false;
    TRY(eval(r, n->a, &a));
    TRY(eval(r, n->b, &b));
    TRY(operator_compare(r, n->text, a, b, &result));
    *out = value_bool(result);
    return E_OK;
}

static err eval_sign(run *r, const node *n, value *out) {
    value v;
    TRY(eval(r, n->a, &v));
    return operator_sign(r, n->kind == NODE_PLUS, v, out);
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
    case VALUE_UNDEFINED: return run_fail_undefined(r, callee);
    case VALUE_FUNCTION: return run_function(r, callee.as.name, args, out);
    case VALUE_MACRO: return run_macro(r, callee.as.macro, args, out);
    case VALUE_LOOP: return run_loop_again(r, callee.as.loop, args, out);
    case VALUE_JOINER: return run_joiner(r, callee.as.cycle, args, out);
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
    case NODE_BIG: *out = (value){.kind = VALUE_BIG, .as.name = n->text}; return E_OK;
    case NODE_FLOAT: *out = value_float(n->number, false); return E_OK;
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

err run_deeper(run *r) {
    if (r->nesting >= TEMPLATE_EVAL_DEPTH_MAX)
        return run_fail(r, E_TOO_LARGE, "nested more than %d levels deep", TEMPLATE_EVAL_DEPTH_MAX);
    TRY(run_charge(r, 0));
    r->nesting++;
    return E_OK;
}

err eval(run *r, const node *n, value *out) {
    TRY(run_deeper(r));
    err e = eval_node(r, n, out);
    r->nesting--;
    return e;
}

/* template_run.c - statements of a template: output, loops, scopes, macros; and the public call.
 *
 * Scopes are Jinja's: a loop's body, a macro and a block that is captured have their own, an `if`
 * has none; a macro sees the scope in which it was defined. Each pass of a loop begins with an
 * empty scope. Everything a rendering makes lies in one scratch arena that is freed at its end. */
#include "text/template_int.h"

#include "base/clock.h"

#include <string.h>

const value *scope_find(const scope *s, str name) {
    for (; s; s = s->parent)
        for (size_t i = 0; i < s->n; i++)
            if (str_eq(s->items[i].name, name)) return &s->items[i].value;
    return NULL;
}

err scope_put(run *r, scope *s, str name, value v) {
    for (size_t i = 0; i < s->n; i++) {
        if (!str_eq(s->items[i].name, name)) continue;
        s->items[i].value = v;
        return E_OK;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        binding *items = arena_new_n(r->arena, binding, cap);
        if (!items) return run_no_memory(r);
        if (s->n) memcpy(items, s->items, s->n * sizeof *items);
        s->items = items;
        s->cap = cap;
    }
    s->items[s->n++] = (binding){name, v};
    return E_OK;
}

static scope *new_scope(run *r, scope *parent) {
    scope *s = arena_new(r->arena, scope);
    if (s) s->parent = parent;
    return s;
}

/* ---- output -----------------------------------------------------------------------------------
 */

static void put_run(sink *s, bool outside) {
    sink_run *last = s->runs.n ? (sink_run *)(void *)(s->runs.p + s->runs.n) - 1 : NULL;
    if (last && last->outside == outside)
        last->end = s->text.n;
    else
        buf_put_bytes(&s->runs, &(sink_run){s->text.n, outside}, sizeof(sink_run));
}

static err put_value(run *r, value text) {
    sink *s = r->sink;
    TRY(run_charge(r, text.as.text.n));
    if (s->text.n + text.as.text.n > TEMPLATE_OUTPUT_BYTES_MAX)
        return run_fail(r, E_TOO_LARGE, "more than %d bytes of output", TEMPLATE_OUTPUT_BYTES_MAX);
    const unsigned char *marks = text.as.text.marks;
    for (size_t from = 0, to; from < text.as.text.n; from = to) {
        bool outside = marks ? marks[from] != 0 : text.outside;
        to = marks ? from + 1 : text.as.text.n;
        while (marks && to < text.as.text.n && (marks[to] != 0) == outside) to++;
        buf_put_bytes(&s->text, text.as.text.p + from, to - from);
        put_run(s, outside);
    }
    return s->text.failed || s->runs.failed ? fail_memory(r->f, "rendering a template") : E_OK;
}

static void free_sink(sink *s) {
    buf_deinit(&s->text);
    buf_deinit(&s->runs);
}

static err take_sink(run *r, const sink *s, value *out) {
    size_t n = s->runs.n / sizeof(sink_run), from = 0;
    const sink_run *runs = (const sink_run *)(const void *)s->runs.p;
    value_list parts = {0};
    for (size_t i = 0; i < n; i++) {
        TRY(value_push(
            r, &parts,
            value_text(str_slice(buf_str(&s->text), from, runs[i].end), runs[i].outside)));
        from = runs[i].end;
    }
    return value_concat(r, parts.items, parts.n, out);
}

static err run_node(run *r, const node *n);

/* Runs a body in a scope, its output into a text. */
static err capture(run *r, const node *body, scope *in, value *out) {
    sink own = {0}, *sink_before = r->sink;
    scope *scope_before = r->scope;
    r->sink = &own;
    r->scope = in;
    err e = run_node(r, body);
    r->sink = sink_before;
    r->scope = scope_before;
    if (e == E_OK) e = take_sink(r, &own, out);
    free_sink(&own);
    return e;
}

/* ---- macros -----------------------------------------------------------------------------------
 */

static err bind_parameters(run *r, const macro *m, const call_args *args, scope *s) {
    const node *n = m->node;
    size_t used = 0;
    for (size_t i = 0; i < n->n; i++) {
        const value *given = NULL;
        value v = value_undefined(n->names[i]);
        for (size_t k = 0; k < args->n; k++)
            if (args->names[k].p ? str_eq(args->names[k], n->names[i]) : k == i)
                given = &args->items[k];
        used += given != NULL;
        if (given)
            v = *given;
        else if (n->items[i])
            TRY(eval(r, n->items[i], &v));
        TRY(scope_put(r, s, n->names[i], v));
    }
    if (used < args->n)
        return run_fail(r, E_INPUT, "macro %.*s does not take these arguments", STR_ARG(n->text));
    return E_OK;
}

err run_macro(run *r, const macro *m, const call_args *args, value *out) {
    if (r->calls >= TEMPLATE_CALLS_MAX)
        return run_fail(r, E_TOO_LARGE, "macros call each other more than %d levels deep",
                        TEMPLATE_CALLS_MAX);
    scope *s = new_scope(r, m->scope), *before = r->scope;
    if (!s) return run_no_memory(r);
    int line = r->line;
    r->scope = s;
    err e = bind_parameters(r, m, args, s);
    r->scope = before;
    if (e != E_OK) return e;
    r->calls++;
    e = capture(r, m->node->body, s, out);
    r->calls--;
    if (e == E_OK) r->line = line;
    return e;
}

static err define_macro(run *r, const node *n) {
    macro *m = arena_new(r->arena, macro);
    if (!m) return run_no_memory(r);
    *m = (macro){n, r->scope};
    return scope_put(r, r->scope, n->text, (value){.kind = VALUE_MACRO, .as.macro = m});
}

/* ---- statements -------------------------------------------------------------------------------
 */

static err set_target(run *r, const node *target, value v);

static err unpack(run *r, const node *target, value v) {
    value_list items;
    TRY(value_iterate(r, v, &items));
    if (items.n != target->n)
        return run_fail(r, E_INPUT, "%zu values for %zu names", items.n, target->n);
    for (size_t i = 0; i < target->n; i++) TRY(set_target(r, target->items[i], items.items[i]));
    return E_OK;
}

static err set_target(run *r, const node *target, value v) {
    if (target->kind == NODE_LIST) return unpack(r, target, v);
    if (target->kind == NODE_NAME) return scope_put(r, r->scope, target->text, v);
    const value *space = scope_find(r->scope, target->a->text);
    if (!space || space->kind != VALUE_SPACE)
        return run_fail(r, E_INPUT, "\"%.*s\" is no namespace, so nothing can be set in it",
                        STR_ARG(target->a->text));
    return scope_put(r, space->as.space, target->text, v);
}

/* What the loop goes through, without what its `if` leaves out. */
static err loop_items(run *r, const node *n, scope *s, value_list *out) {
    value v;
    value_list all;
    TRY(eval(r, n->a, &v));
    if (v.kind == VALUE_LIST && !n->b) { /* nobody writes to what a loop goes through */
        *out = (value_list){.items = (value *)(uintptr_t)v.as.list.items, .n = v.as.list.n};
        return E_OK;
    }
    TRY(value_iterate(r, v, &all));
    if (!n->b) {
        *out = all;
        return E_OK;
    }
    *out = (value_list){0};
    scope *before = r->scope;
    err e = E_OK;
    r->scope = s;
    for (size_t i = 0; e == E_OK && i < all.n; i++) {
        value keep = value_bool(false);
        s->n = 0;
        e = set_target(r, n->target, all.items[i]);
        if (e == E_OK) e = eval(r, n->b, &keep);
        if (e == E_OK && value_true(keep)) e = value_push(r, out, all.items[i]);
    }
    r->scope = before;
    return e;
}

static err run_passes(run *r, const node *n, scope *s, loop_state *l) {
    value loop = {.kind = VALUE_LOOP, .as.loop = l};
    for (; l->index < l->n; l->index++) {
        s->n = 0;
        TRY(scope_put(r, s, STR("loop"), loop));
        TRY(set_target(r, n->target, l->items[l->index]));
        TRY(run_node(r, n->body));
        if (r->flow == FLOW_BREAK) break;
        r->flow = FLOW_ON;
    }
    r->flow = FLOW_ON;
    return E_OK;
}

static err run_for(run *r, const node *n) {
    scope *s = new_scope(r, r->scope), *before = r->scope;
    loop_state *l = arena_new(r->arena, loop_state);
    value_list items;
    if (!s || !l) return run_no_memory(r);
    TRY(loop_items(r, n, s, &items));
    if (items.n == 0) return n->other ? run_node(r, n->other) : E_OK;
    *l = (loop_state){.items = items.items, .n = items.n, .depth = ++r->loops};
    r->scope = s;
    err e = run_passes(r, n, s, l);
    r->scope = before;
    r->loops--;
    return e;
}

static err run_if(run *r, const node *n) {
    while (n && n->kind == NODE_IF) {
        value v;
        TRY(run_charge(r, 0));
        TRY(eval(r, n->a, &v));
        if (value_true(v)) return run_node(r, n->body);
        n = n->other;
    }
    return n ? run_node(r, n) : E_OK;
}

/* Filters of a block stand over a node that is NULL: the captured text. */
static err filter_captured(run *r, const node *filter, value *v) {
    call_args args;
    if (!filter) return E_OK;
    TRY(filter_captured(r, filter->a, v));
    TRY(eval_args(r, filter, &args));
    return run_filter(r, filter->text, *v, &args, v);
}

static err run_captured(run *r, const node *n) {
    value v;
    scope *s = new_scope(r, r->scope);
    if (!s) return run_no_memory(r);
    TRY(capture(r, n->body, s, &v));
    TRY(filter_captured(r, n->a, &v));
    if (n->kind == NODE_SET_BLOCK) return set_target(r, n->target, v);
    TRY(value_to_text(r, v, &v));
    return put_value(r, v);
}

static err run_output(run *r, const node *n) {
    value v;
    TRY(eval(r, n->a, &v));
    TRY(value_to_text(r, v, &v));
    return put_value(r, v);
}

static err run_set(run *r, const node *n) {
    value v;
    TRY(eval(r, n->a, &v));
    return set_target(r, n->target, v);
}

static err run_statement(run *r, const node *n) {
    switch (n->kind) {
    case NODE_DATA: return put_value(r, value_text(n->text, false));
    case NODE_OUTPUT: return run_output(r, n);
    case NODE_FOR: return run_for(r, n);
    case NODE_IF: return run_if(r, n);
    case NODE_SET: return run_set(r, n);
    case NODE_SET_BLOCK:
    case NODE_FILTER_BLOCK: return run_captured(r, n);
    case NODE_MACRO: return define_macro(r, n);
    case NODE_BREAK: r->flow = FLOW_BREAK; return E_OK;
    case NODE_CONTINUE: r->flow = FLOW_CONTINUE; return E_OK;
    default: return run_fail(r, E_INTERNAL, "a value where a statement belongs");
    }
}

static err run_block(run *r, const node *n) {
    for (size_t i = 0; i < n->n && r->flow == FLOW_ON; i++) TRY(run_node(r, n->items[i]));
    return E_OK;
}

static err run_node(run *r, const node *n) {
    TRY(run_charge(r, 0));
    if (n->kind == NODE_BLOCK) return run_block(r, n);
    r->line = n->line;
    return run_statement(r, n);
}

/* ---- the public call --------------------------------------------------------------------------
 */

static err take_spans(arena *a, const sink *s, template_spans *spans, fail *f) {
    size_t n = s->runs.n / sizeof(sink_run), from = 0;
    const sink_run *runs = (const sink_run *)(const void *)s->runs.p;
    template_span *items = arena_new_n(a, template_span, n);
    if (!items) return fail_memory(f, "rendering a template");
    for (size_t i = 0; i < n; i++) {
        items[i] = (template_span){from, runs[i].end, !runs[i].outside};
        from = runs[i].end;
    }
    *spans = (template_spans){items, n};
    return E_OK;
}

err template_render(const template *t, arena *a, const template_input *in, buf *out,
                    template_spans *spans, fail *f) {
    arena scratch;
    sink whole = {0};
    scope globals = {0};
    arena_init(&scratch, 0);
    scratch.bytes_max = TEMPLATE_MEMORY_BYTES_MAX;
    run r = {.arena = &scratch,
             .in = in,
             .f = f,
             .sink = &whole,
             .globals = &globals,
             .scope = &globals,
             .steps_left = TEMPLATE_STEPS_MAX,
             .line = 1};
    template_spans found = {NULL, 0};
    err e = run_node(&r, t->body);
    if (e == E_OK && spans) e = take_spans(a, &whole, &found, f);
    if (e == E_OK) {
        buf_put(out, buf_str(&whole.text));
        e = buf_ok(out, f);
    }
    if (e == E_OK && spans) *spans = found;
    free_sink(&whole);
    arena_deinit(&scratch);
    return e;
}

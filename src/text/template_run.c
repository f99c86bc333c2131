/* template_run.c - statements of a template: output, loops, scopes, macros; and the public call.
 *
 * Scopes are Jinja's: a loop's body, a macro and a block that is captured have their own, an `if`
 * has none; a macro sees the scope in which it was defined. Each pass of a loop begins with an
 * empty scope. Everything a rendering makes lies in one scratch arena that is freed at its end. */
#include "text/template_int.h"

static scope *new_scope(run *r, scope *parent, const node *block) {
    scope *s = arena_new(r->arena, scope);
    if (s) *s = (scope){.parent = parent, .block = block};
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
    size_t most =
        r->bytes_max < TEMPLATE_OUTPUT_BYTES_MAX ? r->bytes_max : TEMPLATE_OUTPUT_BYTES_MAX;
    r->bytes_written += text.as.text.n;
    if (r->bytes_written > most)
        return run_fail(r, E_TOO_LARGE, "more than %zu bytes of output", most);
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

static void free_sink(run *r, sink *s) {
    r->bytes_written -= s->text.n < r->bytes_written ? s->text.n : r->bytes_written;
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
    free_sink(r, &own);
    return e;
}

/* ---- macros -----------------------------------------------------------------------------------
 */

/* The named arguments that are no parameters, as a map; `caller` is apart. */
static err other_names(run *r, const node *n, const call_args *args, value *caller, value *out) {
    pair *pairs = arena_new_n(r->arena, pair, args->n);
    size_t count = 0;
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i < args->n; i++) {
        bool known = args->names[i].p == NULL;
        for (size_t k = 0; k < n->n && !known; k++) known = str_eq(args->names[i], n->names[k]);
        if (known) continue;
        if ((n->integer & USES_CALLER) && str_is(args->names[i], "caller"))
            *caller = args->items[i];
        else
            pairs[count++] = (pair){value_text(args->names[i], false), args->items[i]};
    }
    return value_take_map(r, pairs, count, false, out);
}

static err bind_special(run *r, const node *n, const call_args *args, size_t given, scope *s) {
    value caller = value_undefined(STR("caller")), named;
    value_list more = {0};
    TRY(other_names(r, n, args, &caller, &named));
    for (size_t i = n->n; i < given; i++) TRY(value_push(r, &more, args->items[i]));
    if ((more.n && !(n->integer & USES_VARARGS)) || (named.as.map.n && !(n->integer & USES_KWARGS)))
        return run_fail(r, E_INPUT, "macro %.*s does not take these arguments", STR_ARG(n->text));
    if (n->integer & USES_CALLER) TRY(scope_put(r, s, STR("caller"), caller));
    if (n->integer & USES_KWARGS) TRY(scope_put(r, s, STR("kwargs"), named));
    if (!(n->integer & USES_VARARGS)) return E_OK;
    value rest;
    TRY(value_take_list(r, &more, SHAPE_TUPLE, false, &rest));
    return scope_put(r, s, STR("varargs"), rest);
}

static err bind_parameters(run *r, const macro *m, const call_args *args, scope *s) {
    const node *n = m->node;
    size_t given = 0;
    while (given < args->n && !args->names[given].p) given++;
    for (size_t i = 0; i < n->n; i++) {
        const value *found = i < given ? &args->items[i] : NULL;
        value v = value_undefined(n->names[i]);
        for (size_t k = given; k < args->n; k++) {
            if (!str_eq(args->names[k], n->names[i])) continue;
            if (found)
                return run_fail(r, E_INPUT, "macro %.*s gets %.*s twice", STR_ARG(n->text),
                                STR_ARG(n->names[i]));
            found = &args->items[k];
        }
        if (found)
            v = *found;
        else if (n->items[i])
            TRY(eval(r, n->items[i], &v));
        TRY(scope_put(r, s, n->names[i], v));
    }
    return bind_special(r, n, args, given, s);
}

err run_macro(run *r, const macro *m, const call_args *args, value *out) {
    if (r->calls >= TEMPLATE_CALLS_MAX)
        return run_fail(r, E_TOO_LARGE, "macros call each other more than %d levels deep",
                        TEMPLATE_CALLS_MAX);
    scope *s = new_scope(r, m->scope, m->node->body), *before = r->scope;
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

/* ---- loops ------------------------------------------------------------------------------------
 */

/* Picks the loop's next item, if there is one: l->n grows. */
static err pick_next(run *r, loop_state *l) {
    const node *n = l->node;
    scope *before = r->scope;
    while (n->b && l->all_at < l->all_n) {
        value keep = value_bool(false), item = l->all[l->all_at++];
        value_list picked = {(value *)(uintptr_t)l->items, l->n, l->cap};
        r->scope = new_scope(r, l->around, NULL);
        err e = r->scope ? set_target(r, n->target, item) : run_no_memory(r);
        if (e == E_OK) e = eval(r, n->b, &keep);
        if (e == E_OK && value_true(keep) && n->target->kind == NODE_LIST)
            e = eval(r, n->target, &item); /* Jinja's generator yields the names anew */
        if (e == E_OK && value_true(keep)) e = value_push(r, &picked, item);
        r->scope = before;
        l->items = picked.items;
        l->n = picked.n;
        l->cap = picked.cap;
        if (e != E_OK || value_true(keep)) return e;
    }
    return E_OK;
}

static err run_passes(run *r, loop_state *l, scope *s) {
    value loop = {.kind = VALUE_LOOP, .as.loop = l};
    const node *n = l->node;
    for (;; l->index++) {
        if (l->index >= l->n) TRY(pick_next(r, l));
        if (l->index >= l->n) break;
        s->n = 0;
        TRY(scope_put(r, s, STR("loop"), loop));
        TRY(set_target(r, n->target, l->items[l->index]));
        TRY(run_node(r, n->body));
        if (r->flow == FLOW_BREAK) break;
        l->completed = l->completed || r->flow == FLOW_ON;
        r->flow = FLOW_ON;
    }
    return E_OK;
}

/* The loop over a value; `around` is the scope where it stands. */
static err run_loop(run *r, const node *n, value over, scope *around, int depth) {
    scope *s = new_scope(r, around, n->body), *before = r->scope;
    loop_state *l = arena_new(r->arena, loop_state);
    value_list all = {(value *)(uintptr_t)over.as.list.items, over.as.list.n, 0};
    if (!s || !l) return run_no_memory(r);
    /* nobody writes to what a loop goes through */
    if (over.kind != VALUE_LIST || over.shape == SHAPE_STREAM) TRY(value_iterate(r, over, &all));
    *l =
        (loop_state){.node = n, .around = around, .all = all.items, .all_n = all.n, .depth = depth};
    if (!n->b) {
        l->items = all.items;
        l->n = all.n;
    }
    r->scope = s;
    err e = run_passes(r, l, s);
    r->scope = before;
    if (r->flow == FLOW_BREAK && value_is_list(over, SHAPE_STREAM))
        over.as.list.stream->lost = true;
    r->flow = FLOW_ON;
    if (e != E_OK || l->completed || !n->other) return e;
    r->scope = new_scope(r, around, n->other);
    e = r->scope ? run_node(r, n->other) : run_no_memory(r);
    r->scope = before;
    return e;
}

static err run_for(run *r, const node *n) {
    value over;
    TRY(eval(r, n->a, &over));
    return run_loop(r, n, over, r->scope, 1);
}

/* loop(items) in a recursive loop: the same body over them; what it writes is the value. */
err run_loop_again(run *r, loop_state *l, const call_args *args, value *out) {
    if (!l->node->integer) return run_fail(r, E_INPUT, "only a recursive loop can be called");
    if (args->n != 1 || args->names[0].p) return run_fail(r, E_INPUT, "loop() takes one list");
    if (r->calls >= TEMPLATE_CALLS_MAX)
        return run_fail(r, E_TOO_LARGE, "loops call themselves more than %d levels deep",
                        TEMPLATE_CALLS_MAX);
    sink own = {0}, *before = r->sink;
    r->sink = &own;
    r->calls++;
    err e = run_loop(r, l->node, args->items[0], l->around, l->depth + 1);
    r->calls--;
    r->sink = before;
    if (e == E_OK) e = take_sink(r, &own, out);
    free_sink(r, &own);
    return e;
}

static err pick_all(run *r, loop_state *l) {
    for (size_t n = SIZE_MAX; n != l->n;) {
        n = l->n;
        TRY(pick_next(r, l));
    }
    return E_OK;
}

err run_loop_attribute(run *r, loop_state *l, str name, value *out) {
    bool end = str_is(name, "revindex") || str_is(name, "revindex0") || str_is(name, "length"),
         next = str_is(name, "last") || str_is(name, "nextitem");
    if (end) TRY(pick_all(r, l));
    if (next && l->index + 1 >= l->n) TRY(pick_next(r, l));
    int64_t i = (int64_t)l->index, n = (int64_t)l->n;
    const struct {
        const char *name;
        int64_t number;
    } numbers[] = {{"index", i + 1},         {"index0", i}, {"revindex", n - i},
                   {"revindex0", n - i - 1}, {"length", n}, {"depth", l->depth},
                   {"depth0", l->depth - 1}};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        if (!str_is(name, numbers[k].name)) continue;
        *out = value_int(numbers[k].number, false);
        return E_OK;
    }
    *out = value_undefined(name);
    if (str_is(name, "first") || str_is(name, "last"))
        *out = value_bool(str_is(name, "first") ? i == 0 : i == n - 1);
    else if (str_is(name, "previtem") && i > 0)
        *out = l->items[i - 1];
    else if (str_is(name, "nextitem") && i < n - 1)
        *out = l->items[i + 1];
    else if (str_is(name, "cycle") || str_is(name, "changed"))
        return method_bind(r, (value){.kind = VALUE_LOOP, .as.loop = l}, name, out);
    return E_OK;
}

/* ---- other statements -------------------------------------------------------------------------
 */

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
    scope *s = new_scope(r, r->scope, n->body);
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

static err run_call_block(run *r, const node *n) {
    macro *m = arena_new(r->arena, macro);
    value callee, v;
    call_args args;
    if (!m) return run_no_memory(r);
    *m = (macro){n, r->scope};
    TRY(eval(r, n->a->a, &callee));
    TRY(eval_args(r, n->a, &args));
    value *items = arena_new_n(r->arena, value, args.n + 1);
    str *names = arena_new_n(r->arena, str, args.n + 1);
    if (!items || !names) return run_no_memory(r);
    for (size_t i = 0; i < args.n; i++) {
        items[i] = args.items[i];
        names[i] = args.names[i];
    }
    items[args.n] = (value){.kind = VALUE_MACRO, .as.macro = m};
    names[args.n] = STR("caller");
    TRY(eval_call(r, callee, &(call_args){items, names, args.n + 1}, &v));
    if (v.kind != VALUE_TEXT)
        return run_fail(r, E_UNSUPPORTED, "calling something else than a macro is not supported");
    return put_value(r, v);
}

/* The values are computed outside of the scope that they make. */
static err run_with(run *r, const node *n) {
    scope *s = new_scope(r, r->scope, n->body), *before = r->scope;
    if (!s) return run_no_memory(r);
    err e = E_OK;
    for (size_t i = 0; i + 1 < n->n && e == E_OK; i += 2) {
        value v;
        e = eval(r, n->items[i + 1], &v);
        r->scope = s;
        if (e == E_OK) e = set_target(r, n->items[i], v);
        r->scope = before;
    }
    r->scope = s;
    if (e == E_OK) e = run_node(r, n->body);
    r->scope = before;
    return e;
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
    case NODE_CALL_BLOCK: return run_call_block(r, n);
    case NODE_WITH: return run_with(r, n);
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
    TRY(run_deeper(r));
    bool block = n->kind == NODE_BLOCK;
    if (!block) r->line = n->line;
    err e = block ? run_block(r, n) : run_statement(r, n);
    r->nesting--;
    return e;
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

/* About what the values are in bytes. Recursion is bounded by JSON_DEPTH_MAX. */
static size_t json_bytes(const json *v) {
    size_t n = 16;
    if (!v) return 0;
    if (v->kind == JSON_STRING) n += v->string.n;
    for (size_t i = 0; v->kind == JSON_ARRAY && i < v->count; i++) n += json_bytes(&v->items[i]);
    for (size_t i = 0; v->kind == JSON_OBJECT && i < v->count; i++)
        n += v->members[i].key.n + json_bytes(&v->members[i].value);
    return n;
}

static size_t memory_for(const template *t, const template_input *in) {
    size_t given = t->source_bytes + json_bytes(in->values) + json_bytes(in->trusted),
           most = TEMPLATE_MEMORY_BYTES_MAX - TEMPLATE_MEMORY_BYTES_MIN;
    bool all = given >= most / TEMPLATE_MEMORY_PER_BYTE;
    return TEMPLATE_MEMORY_BYTES_MIN + (all ? most : given * TEMPLATE_MEMORY_PER_BYTE);
}

err template_render(const template *t, arena *a, const template_input *in, buf *out,
                    template_spans *spans, fail *f) {
    arena scratch;
    sink whole = {0};
    scope given = {0}, root = {.block = t->body};
    arena_init(&scratch, 0);
    scratch.bytes_max = memory_for(t, in);
    run r = {.arena = &scratch,
             .in = in,
             .f = f,
             .sink = &whole,
             .given = &given,
             .scope = &root,
             .steps_left = TEMPLATE_STEPS_MAX,
             .bytes_max = scratch.bytes_max,
             .line = 1};
    template_spans found = {NULL, 0};
    err e = run_node(&r, t->body);
    if (e == E_OK && spans) e = take_spans(a, &whole, &found, f);
    if (e == E_OK) {
        buf_put(out, buf_str(&whole.text));
        e = buf_ok(out, f);
    }
    if (e == E_OK && spans) *spans = found;
    free_sink(&r, &whole);
    arena_deinit(&scratch);
    return e;
}

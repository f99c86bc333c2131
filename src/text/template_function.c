/* template_function.c - what can be called by its bare name in a template: Jinja's range, dict,
 * namespace, cycler and joiner, and transformers' raise_exception and strftime_now; see
 * template_int.h. */
#include "text/template_int.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

enum { RANGE_MAX = 100000 }; /* the sandbox's own */

static err make_range(run *r, value self, const call_args *args, value *out) {
    int64_t from = 0, to = 0, step = 1;
    value_list l = {0};
    (void)self;
    for (size_t i = 0; i < args->n; i++)
        if (args->items[i].kind == VALUE_NONE) return run_fail(r, E_INPUT, "range of none");
    TRY(arg_int(r, args, args->n > 1, NULL, 0, &to));
    if (args->n > 1) TRY(arg_int(r, args, 0, NULL, 0, &from));
    if (args->n > 2) TRY(arg_int(r, args, 2, NULL, 1, &step));
    if (step == 0) return run_fail(r, E_INPUT, "range with step 0");
    for (int64_t i = from; step > 0 ? i < to : i > to;) {
        if (l.n >= RANGE_MAX)
            return run_fail(r, E_TOO_LARGE, "a range of more than %d numbers", RANGE_MAX);
        TRY(value_push(r, &l, value_int(i, false)));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    TRY(run_charge(r, l.n * 64));
    return value_take_list(r, &l, SHAPE_RANGE, false, out);
}

/* The pairs of one map or of pairs in a list, then the named ones. */
static err pairs_of(run *r, const call_args *args, const pair **out, size_t *n) {
    const value *first = arg_get(args, 0, NULL);
    value map = {.kind = VALUE_MAP};
    if (args->n > 1 && !args->names[1].p) return run_fail(r, E_INPUT, "one map at most");
    if (first && (first->kind == VALUE_LIST || first->kind == VALUE_TEXT))
        return run_fail(r, E_UNSUPPORTED, "a map made of pairs is not supported");
    if (first && first->kind != VALUE_MAP)
        return run_fail(r, E_INPUT, "a map expected, not %s", value_kind_name(*first));
    if (first) map = *first;
    pair *pairs = arena_new_n(r->arena, pair, map.as.map.n + args->n);
    if (!pairs) return run_no_memory(r);
    *n = map.as.map.n;
    if (*n) memcpy(pairs, map.as.map.pairs, *n * sizeof *pairs);
    for (size_t i = 0; i < args->n; i++) {
        if (!args->names[i].p) continue;
        value before = {.kind = VALUE_MAP, .as.map = {pairs, *n}},
              key = value_text(args->names[i], false);
        const value *found = value_find(before, key);
        size_t at = 0;
        while (at < *n && &pairs[at].value != found) at++;
        if (at == *n) pairs[(*n)++].key = key;
        pairs[at].value = args->items[i];
    }
    *out = pairs;
    return E_OK;
}

static err make_dict(run *r, value self, const call_args *args, value *out) {
    const pair *pairs;
    size_t n;
    (void)self;
    TRY(pairs_of(r, args, &pairs, &n));
    return value_take_map(r, pairs, n, false, out);
}

/* transformers refuses names that begin with an underscore. */
static err make_namespace(run *r, value self, const call_args *args, value *out) {
    const pair *pairs;
    size_t n;
    scope *s = arena_new(r->arena, scope);
    (void)self;
    if (!s) return run_no_memory(r);
    TRY(pairs_of(r, args, &pairs, &n));
    for (size_t i = 0; i < n; i++) {
        if (pairs[i].key.kind != VALUE_TEXT) continue;
        str name = value_str(pairs[i].key);
        if (name.n && name.p[0] == '_')
            return run_fail(r, E_INPUT, "a namespace takes no name with an underscore in front");
        TRY(scope_put(r, s, name, pairs[i].value));
    }
    *out = (value){.kind = VALUE_SPACE, .as.space = s};
    return E_OK;
}

static err make_cycler(run *r, value self, const call_args *args, value *out) {
    cycle_state *c = arena_new(r->arena, cycle_state);
    (void)self;
    if (!c) return run_no_memory(r);
    *c = (cycle_state){args->items, args->n, 0};
    *out = (value){.kind = VALUE_CYCLER, .as.cycle = c};
    return E_OK;
}

static err make_joiner(run *r, value self, const call_args *args, value *out) {
    const value *by = arg_get(args, 0, "sep");
    value *kept = arena_new(r->arena, value);
    cycle_state *c = arena_new(r->arena, cycle_state);
    (void)self;
    if (!kept || !c) return run_no_memory(r);
    *kept = by ? *by : value_text(STR(", "), false);
    *c = (cycle_state){kept, 1, 0};
    *out = (value){.kind = VALUE_JOINER, .as.cycle = c};
    return E_OK;
}

err run_joiner(run *r, cycle_state *c, const call_args *args, value *out) {
    if (args->n) return run_fail(r, E_INPUT, "a joiner takes no arguments");
    *out = c->at++ ? c->items[0] : value_text(STR(""), false);
    return E_OK;
}

err run_cycler(run *r, cycle_state *c, str name, const call_args *args, value *out) {
    if (args->n) return run_fail(r, E_INPUT, "a cycler's methods take no arguments");
    *out = (value){.kind = VALUE_NONE};
    if (str_is(name, "reset"))
        c->at = 0;
    else
        *out = c->items[c->at++ % c->n];
    return E_OK;
}

static err raise_exception(run *r, value self, const call_args *args, value *out) {
    value text;
    (void)self, (void)out;
    TRY(value_to_text(r, args->items[0], &text));
    return fail_set(r->f, E_INPUT, "the chat template refuses these messages: %.*s",
                    STR_ARG(str_slice(value_str(text), 0, 300)));
}

enum { FORMAT_MAX = 128 };

/* UTC, where transformers takes the local time. */
static err strftime_now(run *r, value self, const call_args *args, value *out) {
    const value *format;
    char pattern[FORMAT_MAX + 1], text[1024];
    int64_t ms = r->in->now_ms ? r->in->now_ms : clock_now_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    (void)self;
    TRY(arg_text(r, args, 0, "format", &format));
    if (!format) return run_fail(r, E_INPUT, "strftime_now needs a format");
    str s = value_str(*format);
    if (s.n > FORMAT_MAX || str_find_char(s, 0) != STR_INDEX_NONE)
        return run_fail(r, E_TOO_LARGE, "strftime_now's format is no text of up to %d bytes",
                        FORMAT_MAX);
    memcpy(pattern, s.p, s.n);
    pattern[s.n] = 0;
    gmtime_r(&seconds, &t);
    size_t n = pattern[0] ? strftime(text, sizeof text, pattern, &t) : 0;
    if (!n && pattern[0])
        return run_fail(r, E_UNSUPPORTED, "strftime_now's format gives nothing or too much");
    str kept = arena_str(r->arena, (str){text, n});
    if (!kept.p) return run_no_memory(r);
    *out = value_text(kept, text_is_outside(*format));
    return E_OK;
}

static const callable functions[] = {
    {"cycler", make_cycler, "*", 1},
    {"dict", make_dict, "*", 0},
    {"lipsum", NULL, NULL, 0},
    {"joiner", make_joiner, "sep", 0},
    {"namespace", make_namespace, "*", 0},
    {"raise_exception", raise_exception, "message", 1},
    {"range", make_range, "/ start stop step", 1},
    {"strftime_now", strftime_now, "format", 1},
    {NULL, NULL, NULL, 0},
};

bool function_known(str name) {
    return callable_find(functions, name) != NULL;
}

err run_function(run *r, str name, const call_args *args, value *out) {
    const callable *c = callable_find(functions, name);
    if (c && c->run) return callable_run(r, c, value_undefined(name), args, out);
    return run_fail(r, E_UNSUPPORTED, "the function \"%.*s\" is not supported", STR_ARG(name));
}

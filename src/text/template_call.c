/* template_call.c - the arguments of a call, and the tables of what can be called; see
 * template_int.h. */
#include "text/template_int.h"

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
    if (v->kind == VALUE_BIG) return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    if (v->kind != VALUE_INT && v->kind != VALUE_BOOL)
        return run_fail(r, E_INPUT, "a whole number expected, not %s", value_kind_name(*v));
    *out = v->kind == VALUE_BOOL ? v->as.boolean : v->as.integer;
    return E_OK;
}

err arg_text(run *r, const call_args *args, size_t at, const char *name, const value **out) {
    const value *v = arg_get(args, at, name);
    *out = NULL;
    if (!v || v->kind == VALUE_NONE) return E_OK;
    if (v->kind != VALUE_TEXT)
        return run_fail(r, E_INPUT, "a text expected, not %s", value_kind_name(*v));
    *out = v;
    return E_OK;
}

bool arg_flag(const call_args *args, size_t at, const char *name, bool fallback) {
    const value *v = arg_get(args, at, name);
    return v ? value_true(*v) : fallback;
}

const callable *callable_find(const callable *table, str name) {
    for (; table->name; table++)
        if (name.n && name.p[0] == table->name[0] && str_is(name, table->name)) return table;
    return NULL;
}

/* Where a name stands among the parameters; STR_INDEX_NONE when it does not. */
static size_t parameter_at(const callable *c, str name) {
    str rest = str_from(c->parameters);
    for (size_t i = 0; rest.n; i++)
        if (str_eq(str_cut(&rest, ' '), name)) return i;
    return STR_INDEX_NONE;
}

static size_t parameter_count(const callable *c) {
    size_t n = 0;
    for (str rest = str_from(c->parameters); rest.n; n++) str_cut(&rest, ' ');
    return n;
}

err callable_run(run *r, const callable *c, value self, const call_args *args, value *out) {
    bool any = c->parameters[0] == '*', unnamed = c->parameters[0] == '/';
    size_t most = parameter_count(c) - unnamed;
    uint64_t given = 0;
    for (size_t i = 0; i < args->n && !any; i++) {
        bool named = args->names[i].p != NULL;
        size_t at = !named ? i : unnamed ? STR_INDEX_NONE : parameter_at(c, args->names[i]);
        if (at >= most || given >> at & 1)
            return run_fail(r, E_INPUT, "%s does not take these arguments", c->name);
        given |= 1ull << at;
    }
    for (size_t i = 0; i < c->needed; i++)
        if (any ? i >= args->n : !(given >> i & 1))
            return run_fail(r, E_INPUT, "%s needs more arguments", c->name);
    TRY(run_charge(r, 0));
    value result = value_undefined(STR(""));
    TRY(c->run(r, self, args, &result));
    *out = result;
    return E_OK;
}

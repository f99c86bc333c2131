/* grammar_calls.c - calls of tools inside of a free text, as one grammar; see grammar.h.
 *
 *     first --without--> last                          free text, no call
 *     first --up to--> . --lead--> . --item--> .       calls: the free part ends with its first
 * trigger
 *                                  <--between--   --close--> last
 *
 * `without` and `up to` are the regular languages of texts that do not hold the trigger, and of
 * those that end with the only one. A token may reach from the free part into the call: the walk
 * reads bytes. */
#include "grammar/grammar_int.h"
#include "grammar/grammar_schema.h"

typedef struct calls_job {
    grammar *g;
    const grammar_calls *c;
    arena scratch;
    const json *object; /* {"type": "object"} */
} calls_job;

/* ---- the free part ---- */

static const lexer_expr *any(arena *a, int32_t least) {
    return lexer_repeat(a, lexer_bytes(a, byte_set_range(0, 255)), least, -1);
}

/* x without y, as a lexer of the grammar */
static err difference(calls_job *j, const lexer_expr *x, const lexer_expr *y, int32_t *out,
                      fail *f) {
    const lexer *a, *b;
    TRY(lexer_build(&a, &j->scratch, x, f));
    TRY(lexer_build(&b, &j->scratch, y, f));
    TRY(lexer_subtract(&a, &j->g->arena, a, b, f));
    return grammar_add_lexer(j->g, a, out, f);
}

static err add_free(calls_job *j, const grammar_rule *top, fail *f) {
    arena *a = &j->scratch;
    const lexer_expr *trigger = lexer_text(a, j->c->trigger);
    const lexer_expr *held = lexer_cat(a, trigger, any(a, 0));
    int32_t at = top->first, lexer;
    if (!j->c->anchored) held = lexer_cat(a, any(a, 0), held);
    TRY(difference(j, any(a, 0), held, &lexer, f));
    TRY(grammar_then_lexer(j->g, &at, lexer, f));
    return grammar_free_edge(j->g, at, top->last, f);
}

static err then_trigger(calls_job *j, int32_t *at, fail *f) {
    arena *a = &j->scratch;
    int32_t lexer;
    if (j->c->required || j->c->anchored || j->c->answer)
        return grammar_then_text(j->g, at, j->c->trigger, f);
    const lexer_expr *ending = lexer_cat(a, any(a, 0), lexer_text(a, j->c->trigger));
    TRY(difference(j, ending, lexer_cat(a, ending, any(a, 1)), &lexer, f));
    return grammar_then_lexer(j->g, at, lexer, f);
}

/* ---- calls ---- */

static err named(const grammar_call *item, err e, fail *f) {
    if (e == E_OK || e == E_NO_MEMORY || !f) return e;
    fail why = *f;
    fail_set(f, e, "%.*s: %s", STR_ARG(item->name), why.text);
    return why.hint[0] ? fail_hint(f, "%s", why.hint) : e;
}

static err then_arguments(calls_job *j, const grammar_call *item, int32_t *at, fail *f) {
    int32_t rule;
    schema_ask ask = {.top = {item->arguments, j->object}, .n = 2, .closed = true};
    if (!item->arguments) return grammar_then_text(j->g, at, STR("{}"), f);
    TRY(named(item, schema_add_rule(j->g, &ask, &rule, f), f));
    return grammar_then_rule(j->g, at, rule, f);
}

/* One rule an item, so that an item that nothing satisfies is found. */
static err add_item(calls_job *j, const grammar_call *item, int32_t *rule, fail *f) {
    TRY(grammar_add_rule(j->g, rule, f));
    int32_t at = j->g->rules[*rule].first;
    TRY(grammar_then_text(j->g, &at, item->before, f));
    TRY(then_arguments(j, item, &at, f));
    TRY(grammar_then_text(j->g, &at, item->after, f));
    return grammar_free_edge(j->g, at, j->g->rules[*rule].last, f);
}

static err add_items(calls_job *j, int32_t *rules, int32_t *any_item, fail *f) {
    TRY(grammar_add_rule(j->g, any_item, f));
    for (size_t i = 0; i < j->c->n; i++) {
        TRY(add_item(j, &j->c->items[i], &rules[i], f));
        int32_t at = j->g->rules[*any_item].first;
        TRY(grammar_then_rule(j->g, &at, rules[i], f));
        TRY(grammar_free_edge(j->g, at, j->g->rules[*any_item].last, f));
    }
    return E_OK;
}

static err add_calls(calls_job *j, const grammar_rule *top, int32_t any_item, fail *f) {
    int32_t at = top->first, end;
    TRY(then_trigger(j, &at, f));
    TRY(grammar_then_text(j->g, &at, j->c->lead, f));
    TRY(grammar_add_state(j->g, &end, f));
    for (int32_t i = 0; i < j->c->most; i++) {
        if (i) TRY(grammar_then_text(j->g, &at, j->c->between, f));
        TRY(grammar_then_rule(j->g, &at, any_item, f));
        TRY(grammar_free_edge(j->g, at, end, f));
    }
    TRY(grammar_then_text(j->g, &end, j->c->close, f));
    return grammar_free_edge(j->g, end, top->last, f);
}

static err add_answer(calls_job *j, const grammar_rule *top, fail *f) {
    int32_t at = top->first, rule;
    TRY(schema_add_rule(j->g, &(schema_ask){.top = {j->c->answer}, .n = 1}, &rule, f));
    TRY(grammar_then_rule(j->g, &at, rule, f));
    return grammar_free_edge(j->g, at, top->last, f);
}

static err fill(calls_job *j, fail *f) {
    int32_t any_item;
    int32_t *rules = arena_new_n(&j->scratch, int32_t, j->c->n);
    if (!rules) return fail_memory(f, "a grammar");
    TRY(json_parse(&j->scratch, STR("{\"type\":\"object\"}"), &j->object, f));
    TRY(grammar_add_rule(j->g, &j->g->top, f));
    grammar_rule top = j->g->rules[j->g->top];
    TRY(add_items(j, rules, &any_item, f));
    TRY(add_calls(j, &top, any_item, f));
    if (j->c->answer && !j->c->required) TRY(add_answer(j, &top, f));
    if (!j->c->answer && !j->c->required) TRY(add_free(j, &top, f));
    TRY(grammar_seal(j->g, f));
    for (size_t i = 0; i < j->c->n; i++)
        if (!j->g->rules[rules[i]].alive)
            return fail_set(f, E_INPUT, "%.*s: no arguments satisfy its schema",
                            STR_ARG(j->c->items[i].name));
    return E_OK;
}

err grammar_open_calls(grammar **out, const grammar_calls *calls, fail *f) {
    calls_job j = {.c = calls};
    if (calls->n == 0 || calls->most < 1 || calls->most > GRAMMAR_CALLS_MAX)
        return fail_set(f, E_INPUT, "%zu tools, at most %d calls: there must be a tool and 1 to %d",
                        calls->n, calls->most, GRAMMAR_CALLS_MAX);
    TRY(grammar_new(&j.g, f));
    arena_init(&j.scratch, 0);
    err e = fill(&j, f);
    arena_deinit(&j.scratch);
    if (e == E_OK)
        *out = j.g;
    else
        grammar_close(j.g);
    return e;
}

/* grammar_schema.c - from schemas to rules: the list of sets to be done, and each way of a set; see
 * grammar_schema.h and grammar_compile.h. */
#include "grammar/grammar_schema.h"

#include "base/mem.h"
#include "grammar/grammar_compile.h"
#include "grammar/grammar_json.h"

static err fill_way(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    static const char *const words[] = {"null", "true", "false"};
    const json **values = NULL;
    int kinds, n;
    bool whole;
    TRY(schema_values(&c->doc, s, &values, &n, f));
    if (n >= 0) {
        TRY(compile_fitting(c, s, values, &n, f));
        return compile_values(c, r, values, n, f);
    }
    TRY(schema_kinds(s, &kinds, &whole, f));
    for (int i = 0; i < 3; i++) {
        int32_t at = r->first;
        if (!(kinds & (i ? 1 << JSON_BOOL : 1 << JSON_NULL))) continue;
        TRY(compile_text(c, &at, words[i], f));
        TRY(grammar_free_edge(c->g, at, r->last, f));
    }
    if (kinds & 1 << JSON_NUMBER) TRY(compile_number(c, r, s, whole, f));
    if (kinds & 1 << JSON_STRING) TRY(compile_string(c, r, s, f));
    if (kinds & 1 << JSON_ARRAY) TRY(compile_array(c, r, s, f));
    if (kinds & 1 << JSON_OBJECT) TRY(compile_object(c, r, s, f));
    return E_OK;
}

static err fill_rules(compiler *c, fail *f) {
    schema_ways *ways = arena_new(&c->a, schema_ways);
    if (!ways) return fail_memory(f, "a grammar");
    for (int32_t i = 0; i < c->n_todo; i++) {
        const pending *p = c->todo[i];
        TRY(schema_find_ways(&c->doc, &p->set, ways, f));
        for (int k = 0; k < ways->n; k++) {
            grammar_rule r = c->g->rules[p->rule];
            TRY(fill_way(c, &r, ways->way[k], f));
        }
    }
    return E_OK;
}

/* Which draft "$schema" names; none is 2020-12. */
static err read_draft(const json *schema, bool *draft7, fail *f) {
    static const char *const known[] = {"json-schema.org/draft-07", "json-schema.org/draft/2020-12",
                                        "json-schema.org/draft/2019-09"};
    const json *v = json_get(schema, "$schema");
    *draft7 = false;
    if (!v || v->kind != JSON_STRING) return E_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_find(v->string, str_from(known[i])) != STR_INDEX_NONE) {
            *draft7 = i == 0;
            return E_OK;
        }
    return schema_refuse("$schema", schema, f);
}

err schema_add_rule(grammar *g, const schema_ask *ask, int32_t *rule, fail *f) {
    schema_set top = {.n = ask->n};
    compiler *c = mem_zero(sizeof *c);
    if (!c) return fail_memory(f, "a grammar");
    *c = (compiler){.g = g,
                    .spaces = ask->space == GRAMMAR_SPACE_SOME,
                    .closed = ask->closed,
                    .space = -1,
                    .number = -1,
                    .integer = -1};
    for (int i = 0; i < ask->n; i++) top.s[i] = ask->top[i];
    arena_init(&c->a, 0);
    map_init(&c->rules, &c->a);
    map_init(&c->made, &c->a);
    c->doc = (schema_doc){.root = ask->top[0], .a = &c->a, .made = &c->made};
    err e = read_draft(ask->top[0], &c->doc.draft7, f);
    if (e == E_OK) e = schema_doc_init(&c->doc, f);
    if (e == E_OK) e = compile_set(c, &top, rule, f);
    if (e == E_OK) e = fill_rules(c, f);
    schema_doc_deinit(&c->doc);
    map_deinit(&c->rules);
    map_deinit(&c->made);
    arena_deinit(&c->a);
    mem_free(c);
    return e;
}

err grammar_open_schema(grammar **out, const json *schema, grammar_space space, fail *f) {
    grammar *g;
    TRY(grammar_new(&g, f));
    err e = schema_add_rule(g, &(schema_ask){.top = {schema}, .n = 1, .space = space}, &g->top, f);
    if (e == E_OK) e = grammar_seal(g, f);
    if (e == E_OK)
        *out = g;
    else
        grammar_close(g);
    return e;
}

err grammar_open_json(grammar **out, bool object, grammar_space space, fail *f) {
    arena a;
    const json *schema;
    arena_init(&a, 0);
    err e = json_parse(&a, object ? STR("{\"type\":\"object\"}") : STR("true"), &schema, f);
    if (e == E_OK) e = grammar_open_schema(out, schema, space, f);
    arena_deinit(&a);
    return e;
}

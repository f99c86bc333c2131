/* grammar_schema.c - from schemas to rules: the list of sets to be done, and each way of a set; see
 * grammar_schema.h and grammar_compile.h. */
#include "grammar/grammar_schema.h"

#include "base/mem.h"
#include "grammar/grammar_compile.h"
#include "grammar/grammar_json.h"

#include <string.h>

err compile_space(compiler *c, int32_t *at, fail *f) {
    const lexer *x;
    if (!c->spaces) return E_OK;
    if (c->space < 0) {
        TRY(lexer_build(&x, &c->g->arena, json_space_expr(&c->a), f));
        TRY(grammar_add_lexer(c->g, x, &c->space, f));
    }
    return grammar_then_lexer(c->g, at, c->space, f);
}

err compile_text(compiler *c, int32_t *at, const char *z, fail *f) {
    return grammar_then_text(c->g, at, str_from(z), f);
}

/* ---- rules of sets ---- */

/* Pointers in order, so that a set has one key. */
static void sort_set(schema_set *s) {
    for (int i = 1; i < s->n; i++)
        for (int k = i; k > 0 && (uintptr_t)s->s[k - 1] > (uintptr_t)s->s[k]; k--) {
            const json *t = s->s[k];
            s->s[k] = s->s[k - 1];
            s->s[k - 1] = t;
        }
}

err compile_set(compiler *c, const schema_set *set, int32_t *out, fail *f) {
    schema_set sorted = *set;
    int64_t known;
    sort_set(&sorted);
    str key = {(const char *)sorted.s, (size_t)sorted.n * sizeof *sorted.s};
    if (sorted.n == 0) key = STR("any");
    if (map_get(&c->rules, key, &known)) {
        *out = (int32_t)known;
        return E_OK;
    }
    TRY(grammar_add_rule(c->g, out, f));
    TRY(map_put(&c->rules, key, *out, f));
    if (c->n_todo == c->room) {
        int32_t room = c->room ? 2 * c->room : 64;
        pending **more = arena_new_n(&c->a, pending *, (size_t)room);
        if (!more) return fail_memory(f, "a grammar");
        if (c->n_todo) memcpy(more, c->todo, (size_t)c->n_todo * sizeof *more);
        c->todo = more;
        c->room = room;
    }
    pending *p = arena_new(&c->a, pending);
    if (!p) return fail_memory(f, "a grammar");
    *p = (pending){sorted, *out};
    c->todo[c->n_todo++] = p;
    return E_OK;
}

err compile_count_word(const schema_set *s, const char *word, bool largest, int64_t *out, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], word);
        if (!v) continue;
        if (v->kind != JSON_NUMBER || v->number < 0 || v->number > 1e15)
            return fail_set(f, E_INPUT, "\"%s\" must be a whole number from 0 on", word);
        int64_t n = (int64_t)v->number;
        if ((double)n < v->number)
            return fail_set(f, E_INPUT, "\"%s\" must be a whole number", word);
        if (*out < 0 || (largest ? n > *out : n < *out)) *out = n;
    }
    return E_OK;
}

/* ---- values ---- */

/* null, true and false are values as well as those of an enum. */
static err way_values(compiler *c, const schema_set *way, const json ***out, int *n, fail *f) {
    static const json words[] = {{.kind = JSON_NULL},
                                 {.kind = JSON_BOOL, .boolean = true},
                                 {.kind = JSON_BOOL, .boolean = false}};
    int kinds;
    bool whole;
    TRY(schema_values(&c->doc, way, out, n, f));
    if (*n >= 0) return compile_fitting(c, way, *out, n, f);
    TRY(schema_kinds(way, &kinds, &whole, f));
    if (kinds & ~(1 << JSON_NULL | 1 << JSON_BOOL)) return E_OK;
    *out = arena_new_n(&c->a, const json *, 3);
    if (!*out) return fail_memory(f, "a grammar");
    *n = 0;
    for (int i = 0; i < 3; i++)
        if (kinds & 1 << words[i].kind) (*out)[(*n)++] = &words[i];
    return E_OK;
}

err compile_known_values(compiler *c, const schema_set *set, const json **out, int most, int *n,
                         fail *f) {
    schema_ways *ways = arena_new(&c->a, schema_ways);
    int found = 0;
    if (!ways) return fail_memory(f, "a grammar");
    TRY(schema_find_ways(&c->doc, set, ways, f));
    *n = -1;
    for (int i = 0; i < ways->n; i++) {
        const json **values = NULL;
        int here;
        TRY(way_values(c, ways->way[i], &values, &here, f));
        if (here < 0 || here > most - found) return E_OK;
        for (int k = 0; k < here; k++) out[found++] = values[k];
    }
    *n = found;
    return E_OK;
}

/* ---- one rule ---- */

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

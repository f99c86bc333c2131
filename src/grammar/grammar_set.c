/* grammar_set.c - what rules are made of, whatever the kind of value: blanks, texts, the rule and
 * the known values of a set; see grammar_compile.h. */
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

/* grammar_text.c - grammars that are one regular language: an expression, or a list of choices. */
#include "grammar/grammar_int.h"
#include "grammar/grammar_regex.h"

enum { CHOICES_MAX = 4096, CHOICE_BYTES_MAX = 4096 };

static err one_lexer(grammar *g, const lexer_expr *e, fail *f) {
    const lexer *l;
    int32_t lexer, at;
    TRY(lexer_build(&l, &g->arena, e, f));
    TRY(grammar_add_lexer(g, l, &lexer, f));
    TRY(grammar_add_rule(g, &g->top, f));
    at = g->rules[g->top].first;
    TRY(grammar_then_lexer(g, &at, lexer, f));
    TRY(grammar_free_edge(g, at, g->rules[g->top].last, f));
    return grammar_seal(g, f);
}

static err open_with(grammar **out, const lexer_expr *e, fail *f) {
    grammar *g;
    TRY(grammar_new(&g, f));
    err r = one_lexer(g, e, f);
    if (r == E_OK)
        *out = g;
    else
        grammar_close(g);
    return r;
}

err grammar_open_regex(grammar **out, str pattern, fail *f) {
    arena a;
    const lexer_expr *e;
    arena_init(&a, 0);
    err r = regex_parse(&e, &a, pattern, lexer_chars, false, f);
    if (r == E_OK) r = open_with(out, e, f);
    arena_deinit(&a);
    return r;
}

err grammar_open_choices(grammar **out, const str *choices, size_t n, fail *f) {
    arena a;
    const lexer_expr *e = NULL;
    if (n == 0 || n > CHOICES_MAX)
        return fail_set(f, E_INPUT, "%zu choices; 1 to %d are possible", n, CHOICES_MAX);
    arena_init(&a, 0);
    err r = E_OK;
    for (size_t i = 0; r == E_OK && i < n; i++) {
        if (choices[i].n == 0 || choices[i].n > CHOICE_BYTES_MAX)
            r = fail_set(f, E_INPUT, "choice %zu has %zu bytes; 1 to %d are possible", i + 1,
                         choices[i].n, CHOICE_BYTES_MAX);
        else
            e = e ? lexer_alt(&a, e, lexer_text(&a, choices[i])) : lexer_text(&a, choices[i]);
    }
    if (r == E_OK) r = open_with(out, e, f);
    arena_deinit(&a);
    return r;
}

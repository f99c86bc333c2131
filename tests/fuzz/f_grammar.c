/* f_grammar.c - fuzzes schemas and regular expressions, then walks: the first byte says which, the
 * text up to the first zero byte is the grammar, what follows is a text that is tried. */
#include "base/mem.h"
#include "grammar/grammar.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static err open_grammar(grammar **g, arena *a, bool regex, str text) {
    const json *schema;
    if (regex) return grammar_open_regex(g, text, NULL);
    TRY(json_parse(a, text, &schema, NULL));
    return grammar_open_schema(g, schema, GRAMMAR_SPACE_SOME, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 2 || n > 4096) return 0;
    str all = {(const char *)data + 1, n - 1};
    size_t end = str_find_char(all, 0);
    str text = end == STR_INDEX_NONE ? all : str_slice(all, 0, end),
        tried = end == STR_INDEX_NONE ? STR("") : str_slice(all, end + 1, all.n);
    arena a;
    grammar *g;
    arena_init(&a, 0);
    if (open_grammar(&g, &a, data[0] & 1, text) == E_OK) {
        bool yes;
        err e = grammar_matches(g, tried, &yes, NULL);
        (void)e;
        grammar_close(g);
    }
    arena_deinit(&a);
    return 0;
}

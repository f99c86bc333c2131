/* grammar_regex.h - regular expressions (ECMA-262's syntax, unicode characters) as lexer
 * expressions. Look-around, back references, word boundaries, unicode properties, and anchors
 * elsewhere than at the ends of the whole pattern's alternatives are E_UNSUPPORTED by name. */
#ifndef BANTAM_GRAMMAR_REGEX_H
#define BANTAM_GRAMMAR_REGEX_H

#include "grammar/grammar_lexer.h"

enum {
    REGEX_BYTES_MAX = 4096, /* so that a|a|a... does not nest too deeply for the stack */
    REGEX_DEPTH_MAX = 64,
    REGEX_RANGES_MAX = 512
};

/* How the characters [from, to] are written: as they are (lexer_chars), or inside a JSON string. */
typedef const lexer_expr *(*regex_chars)(arena *a, uint32_t from, uint32_t to);

/* `search`: the pattern may match anywhere in the text, as JSON Schema means it; otherwise it is
 * the whole text. */
err regex_parse(const lexer_expr **out, arena *a, str pattern, regex_chars chars, bool search,
                fail *f) MUST_CHECK;

#endif

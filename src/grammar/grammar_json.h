/* grammar_json.h - how JSON's parts are written, as lexers; see RFC 8259.
 *
 * Where a pattern or a set of names bounds a string, each character has exactly one way to be
 * written: as it is, or the shortest escape where it must be escaped. So a value that is excluded
 * cannot be reached by writing it otherwise. */
#ifndef BANTAM_GRAMMAR_JSON_H
#define BANTAM_GRAMMAR_JSON_H

#include "grammar/grammar_lexer.h"

/* The characters [from, to] inside a string, each in its one way (a regex_chars). */
const lexer_expr *json_chars(arena *a, uint32_t from, uint32_t to);
/* One character in any way that JSON knows. */
const lexer_expr *json_any_char(arena *a);
/* inner between quotation marks */
const lexer_expr *json_quoted(arena *a, const lexer_expr *inner);
/* The text as a string, each character in its one way, quotation marks included; E_INPUT: no
 * UTF-8. */
err json_string_text(arena *a, str text, str *out, fail *f) MUST_CHECK;
const lexer_expr *json_number_expr(arena *a, bool whole);  /* any number; whole: no fraction */
const lexer_expr *json_decimal_expr(arena *a, bool whole); /* without exponent */
const lexer_expr *json_fraction_expr(arena *a);            /* not whole, without exponent */
const lexer_expr *json_space_expr(arena *a);               /* up to 20 white space characters */

/* A decimal number in digits: sign * (whole . part) */
typedef struct decimal {
    bool negative;
    char whole[24], part[24]; /* digits; whole has no leading zeros but "0", part no ending ones */
} decimal;
enum { DECIMAL_DIGITS_MAX = 18 };
/* From a JSON number as written; E_UNSUPPORTED where it has too many digits. */
err decimal_read(str written, decimal *out, fail *f) MUST_CHECK;
/* Numbers, written without exponent (and without fraction where `whole`), that are >= or <= the
 * bound, or > and <. */
const lexer_expr *json_at_least(arena *a, const decimal *bound, bool exclusive, bool whole);
const lexer_expr *json_at_most(arena *a, const decimal *bound, bool exclusive, bool whole);

/* All ways of writing the number, without exponent. */
const lexer_expr *json_equal_expr(arena *a, const decimal *v);

#endif

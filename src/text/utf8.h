/* utf8.h - text as Unicode: check, walk, classify, normalise.
 *
 * Well-formed means Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above
 * U+10FFFF. An ill-formed sequence counts as one U+FFFD per maximal subpart (section 3.9), as
 * browsers and Python do it. Positions and lengths are bytes, counts are code points. Categories
 * come from utf8proc's tables. Any thread; results live in the arena given. */
#ifndef BANTAM_TEXT_UTF8_H
#define BANTAM_TEXT_UTF8_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { UTF8_REPLACEMENT = 0xFFFD, UTF8_CHAR_BYTES_MAX = 4 };

/* Index of the first byte that belongs to no well-formed sequence, or STR_INDEX_NONE. */
size_t utf8_bad_at(str s);
bool utf8_ok(str s);
/* Behind the run of well-formed characters of two to four bytes at p; p itself when there is none.
 */
const char *utf8_skip_wide(const char *p, const char *end);
/* Bytes of the well-formed character at s.p (1 to 4) and its code point; 0 at the end or when
 * ill-formed, and *code is then left alone. */
size_t utf8_next(str s, uint32_t *code);
/* The code point at *at (which must be < s.n) and moves *at behind it; -1 for an ill-formed
 * sequence, and *at moves behind its maximal subpart. */
int32_t utf8_walk(str s, size_t *at);
/* Writes c (U+FFFD when it is no scalar value) and returns the bytes written, 1 to 4. */
size_t utf8_encode(char out[UTF8_CHAR_BYTES_MAX], int32_t c);
/* Appends the code point; U+FFFD when it is no scalar value. */
void utf8_put(buf *b, uint32_t code);
/* Appends s with U+FFFD for each ill-formed sequence. */
void utf8_put_mended(buf *b, str s);
size_t utf8_count(str s); /* code points; an ill-formed sequence counts as one */
size_t utf8_width(str s); /* columns on a terminal: 2 for East Asian wide, 0 for marks */
/* The longest beginning of s of at most bytes_max bytes that cuts no character. */
str utf8_cut(str s, size_t bytes_max);
/* Byte index of the n-th code point; s.n when there are fewer. */
size_t utf8_index(str s, size_t n);

/* s itself when well-formed, else a copy with U+FFFD for what is not. */
err utf8_scrub(arena *a, str s, str *out, fail *f) MUST_CHECK;
/* These three take any bytes (scrubbed first). E_TOO_LARGE above 256 MiB. */
err utf8_nfc(arena *a, str s, str *out, fail *f) MUST_CHECK;
err utf8_casefold(arena *a, str s, str *out, fail *f) MUST_CHECK; /* full case folding, then NFC */
/* NFD without its nonspacing marks (Mn), then NFC: "e" for "é". As BERT's tokenizers do it. */
err utf8_strip_accents(arena *a, str s, str *out, fail *f) MUST_CHECK;
err utf8_lower(arena *a, str s, str *out, fail *f) MUST_CHECK; /* simple mappings, one to one */
err utf8_upper(arena *a, str s, str *out, fail *f) MUST_CHECK; /* simple mappings, one to one */
int32_t utf8_char_lower(int32_t c);
int32_t utf8_char_upper(int32_t c);

bool utf8_is_letter(int32_t c);  /* \p{L} */
bool utf8_is_mark(int32_t c);    /* \p{M} */
bool utf8_is_number(int32_t c);  /* \p{N} */
bool utf8_is_punct(int32_t c);   /* \p{P} */
bool utf8_is_symbol(int32_t c);  /* \p{S} */
bool utf8_is_space(int32_t c);   /* the property White_Space: \s in a Unicode expression */
bool utf8_is_control(int32_t c); /* \p{Cc} and \p{Cf} */

#endif

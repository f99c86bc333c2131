/* utf8.h - UTF-8: checking, reading, mending. Pure functions, any thread. */
#ifndef BANTAM_TEXT_UTF8_H
#define BANTAM_TEXT_UTF8_H

#include "base/buf.h"
#include "base/str.h"

/* Bytes of the well-formed character at s.p (1 to 4) and its code point; 0 at the end or when
 * malformed (overlong forms, surrogates and values above U+10FFFF are malformed). */
size_t utf8_next(str s, uint32_t *code);
bool utf8_ok(str s);
/* Appends the code point; malformed ones as U+FFFD. */
void utf8_put(buf *b, uint32_t code);
/* Appends s with every malformed byte replaced by U+FFFD. */
void utf8_put_mended(buf *b, str s);
/* The longest part of s, at most n bytes, that ends between two characters. */
str utf8_cut(str s, size_t n);

#endif

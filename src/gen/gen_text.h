/* gen_text.h - looking for words in a text that comes in pieces. Pure, any thread. */
#ifndef BANTAM_GEN_GEN_TEXT_H
#define BANTAM_GEN_GEN_TEXT_H

#include "base/str.h"

/* Where `needle` begins in the text or may begin at its end; the text's length when it does not. */
size_t gen_text_find(str text, str needle, bool *whole);
bool gen_text_is_space(char b);
/* Bytes of white space that the text begins with, and that the first n bytes end with. */
size_t gen_text_space_before(str text);
size_t gen_text_space_behind(str text, size_t n);

#endif

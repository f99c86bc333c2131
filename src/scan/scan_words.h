/* scan_words.h - a text as folded ASCII words, for this room's tables. Internal.
 *
 * Folding: lower case, accents taken off (Latin-1 and Latin Extended-A), apostrophes dropped
 * ("don't" becomes "dont", "l'auto" becomes "l auto" when one or two letters stand before it),
 * everything else that is no letter or digit parts words. Words longer than SCAN_WORD_BYTES_MAX are
 * cut. */
#ifndef BANTAM_SCAN_WORDS_H
#define BANTAM_SCAN_WORDS_H

#include "base/str.h"

enum { SCAN_WORDS_MAX = 96, SCAN_WORD_BYTES_MAX = 23 };

typedef struct scan_word {
    char text[SCAN_WORD_BYTES_MAX + 1]; /* folded, zero-terminated */
    unsigned char n;
    uint16_t at, end; /* bytes in the text as given; texts are cut at 4,096 bytes before */
} scan_word;

typedef struct scan_words {
    size_t n;
    scan_word words[SCAN_WORDS_MAX];
} scan_words;

/* The first SCAN_WORDS_MAX words of the text. */
void scan_words_of(scan_words *out, str text);
/* Is the word in a list such as " the a an " (one blank before and behind each word)? */
bool scan_in(const scan_word *w, const char *list);
bool scan_is(const scan_word *w, const char *z);
/* Next code point of s at *at (invalid bytes stand for themselves); false at the end. */
bool scan_next(str s, size_t *at, uint32_t *code);
/* ASCII letters for a code point without its accent, "" when it is no Latin letter; 1 or 2 bytes.
 */
const char *scan_fold(uint32_t code, char out[3]);

#endif

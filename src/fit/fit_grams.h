/* fit_grams.h - a text as a sparse vector: hashed words, word pairs and runs of 2 to 5 characters.
 *
 * Lower-cased (ASCII and Latin-1), white space folded to one blank and put at both ends; characters
 * are Unicode code points, words are runs of letters, digits and non-ASCII bytes. Bytes that are
 * not UTF-8 are taken as characters of their own. A gram is its 32-bit hash; bit 0 says which block
 * it belongs to (0: characters, 1: words). Any thread. */
#ifndef BANTAM_FIT_GRAMS_H
#define BANTAM_FIT_GRAMS_H

#include "base/err.h"
#include "base/str.h"

enum { FIT_GRAM_CHARS_MIN = 2, FIT_GRAM_CHARS_MAX = 5, FIT_GRAMS_ROOM = 1024 };

typedef struct fit_gram {
    uint32_t hash;
    uint32_t count; /* how often it occurs in the text, >= 1 */
} fit_gram;

typedef struct fit_grams {
    size_t n;
    fit_gram *grams;               /* [n] ascending by hash, each once */
    fit_gram room[FIT_GRAMS_ROOM]; /* where short texts stay; longer ones go to the heap */
} fit_grams;

/* Of the first FIT_TEXT_BYTES_MAX bytes. The struct must not be moved; give back by deinit. */
err fit_grams_of(fit_grams *g, str text, fail *f) MUST_CHECK;
void fit_grams_deinit(fit_grams *g);

/* Weight of a gram before the block is scaled to unit length: 1 + ln(count). */
float fit_gram_weight(uint32_t count);

#endif

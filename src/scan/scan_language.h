/* scan_language.h - in which language is this text, and is that one the task knows?
 *
 * Scripts by Unicode block; within Latin, function words and character trigrams of twelve languages
 * from our own tables, plain ASCII spellings (without accents) included. Conservative: what is too
 * short to tell, or scores close to English, is `known == false`, and callers let it pass. Pure,
 * any thread, no allocation, reads at most SCAN_LANGUAGE_BYTES_MAX bytes. */
#ifndef BANTAM_SCAN_LANGUAGE_H
#define BANTAM_SCAN_LANGUAGE_H

#include "base/str.h"

enum { SCAN_LANGUAGE_BYTES_MAX = 4096 };

typedef struct scan_language {
    char code[4]; /* ISO 639-1 of the best guess: en de fr es pt it nl pl cs sv tr da..., or a
                     script: "cyr" "gre" "ara" "heb" "han" "jpn" "kor" "tha" "dev"; "" when nothing
                     was read */
    double
        score; /* by how much it beats the next one (or English), in nats a word; larger is surer */
    bool known; /* sure enough to act on */
} scan_language;

scan_language scan_language_of(str text);
/* True when the text is surely in none of the languages (ISO 639-1 codes). A text that is not
 * `known` is never foreign. */
bool scan_language_is_foreign(str text, const str *languages, size_t n);

#endif

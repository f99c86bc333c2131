/* model_convert_vocab.h - what the files that turn a folder's tokenizer into tokenizer.* metadata
 * share: the vocabulary as it has been read so far, and the steps, in the order in which
 * model_convert_vocab.c takes them. */
#ifndef BANTAM_MODEL_CONVERT_VOCAB_H
#define BANTAM_MODEL_CONVERT_VOCAB_H

#include "base/map.h"
#include "model/model_convert_int.h"

#define CONVERT_BLANK "\xE2\x96\x81" /* U+2581 */

typedef struct convert_vocab {
    convert *c;
    const json *root, *model, *settings; /* tokenizer.json, its model, tokenizer_config.json */
    token_source source;                 /* as the GGUF file will say it */
    str *pieces;
    int32_t *types;
    float *scores;
    str *merges;
    size_t n;
    map ids;  /* of what tokenizer.json calls the pieces */
    str text; /* of tokenizer.json */
} convert_vocab;

/* ---- model_convert_part.c ---- */

/* E_CORRUPT: "FOLDER: tokenizer.json WHAT" */
err convert_damaged(const convert_vocab *v, const char *what, fail *f) MUST_CHECK;
/* The "type" of a component of tokenizer.json; "" none. */
str convert_type_of(const json *v);
/* The first component of this type, in a component or in the members of a Sequence; NULL none. */
const json *convert_component(const json *v, const char *type);

/* ---- model_convert_special.c ---- */

enum {
    CONVERT_BOS,
    CONVERT_EOS,
    CONVERT_UNK,
    CONVERT_SEP,
    CONVERT_PAD,
    CONVERT_CLS,
    CONVERT_MASK,
    CONVERT_EOT,
    CONVERT_EOM,
    CONVERT_SPECIALS
};

typedef struct convert_specials {
    int32_t id[CONVERT_SPECIALS]; /* TOKEN_NONE: there is none */
    int bos, eos, separator;      /* are put around a text; -1: the folder does not say */
} convert_specials;

/* From tokenizer_config.json, the post-processor and config.json. */
void convert_specials_find(const convert_vocab *v, convert_specials *out);
void convert_specials_put(const convert_vocab *v, const convert_specials *s);

/* ---- model_convert_kind.c ---- */

/* GGUF's kind of tokenizer, and what it wants of pieces, scores and merges. */
err convert_kind(convert_vocab *v, fail *f) MUST_CHECK;

/* ---- model_convert_probe.c ---- */

/* Chooses a pre-tokenizer with which the vocabulary cuts as tokenizer.json does; E_UNSUPPORTED
 * where none does. */
err convert_probe(convert_vocab *v, fail *f) MUST_CHECK;

/* ---- model_convert_template.c ---- */

/* The chat templates of the folder, as they are. */
err convert_template(const convert_vocab *v, fail *f) MUST_CHECK;

#endif

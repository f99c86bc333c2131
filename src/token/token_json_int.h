/* token_json_int.h - what the files that read a tokenizer.json share.
 *
 * A json_reader lives for one call of tokenizer_open_json; all it holds lies in its scratch arena,
 * but for the regexes, which the tokenizer takes over. */
#ifndef BANTAM_TOKEN_TOKEN_JSON_INT_H
#define BANTAM_TOKEN_TOKEN_JSON_INT_H

#include "token/token_int.h"

#include "text/json.h"

typedef struct json_reader {
    arena *a;
    const json *root, *model;
    token_source source;
    token_extra extra;
    token_norm norm;
    token_cut cuts[TOKEN_CUTS];
    token_regex *regexes[TOKEN_REGEXES];
    str *pieces;
    int32_t *types;
    uint8_t *in_model; /* [piece_count] */
    bool byte_level;   /* the pre-tokenizer ends in ByteLevel */
    bool bert_norm, bert_cut;
} json_reader;

/* ---- token_json_read.c ---- */

enum { TOKEN_JSON_SHOWN = 80 }; /* bytes of a text in an error */
bool token_json_is_null(const json *v);
str token_json_type(const json *v);
/* E_UNSUPPORTED, naming the component and its type. */
err token_json_refuse(const char *component, const json *v, fail *f) MUST_CHECK;
/* A flag must have this value where it is given. */
err token_json_require(const json *v, const char *key, bool usual, bool wanted,
                       const char *component, fail *f) MUST_CHECK;
/* Calls read for v, or for each member of the Sequence v in its list `key`; sequences may hold
 * sequences. */
typedef err token_json_read(json_reader *r, const json *v, fail *f);
err token_json_each(json_reader *r, const json *v, const char *key, token_json_read *read,
                    fail *f) MUST_CHECK;

/* normalizer, pre_tokenizer and decoder, after the model has been read. */
err token_json_steps(json_reader *r, fail *f) MUST_CHECK;
/* The id of a token that is named by its text; E_CORRUPT when there is none. */
err token_json_named(json_reader *r, str text, int32_t *id, fail *f) MUST_CHECK;

#endif

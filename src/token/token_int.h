/* token_int.h - what only the files of token/ share: the tokenizer's inside and one call's work.
 *
 * The tokenizer is written by token_build() alone and read-only afterwards, but for the memo
 * `whole`, whose entries are a function of the vocabulary: whoever finds one out writes the same.
 * A token_work lives for one call of encode and belongs to its thread. */
#ifndef BANTAM_TOKEN_TOKEN_INT_H
#define BANTAM_TOKEN_TOKEN_INT_H

#include "token/token.h"

#include "token/token_index.h"
#include "token/token_pre.h"

typedef enum token_algorithm { TOKEN_BPE, TOKEN_WORDPIECE, TOKEN_SPM } token_algorithm;

/* A merge of two neighbours; the table is open-addressed by (left, right). */
typedef struct token_merge {
    int32_t left, right; /* left == TOKEN_NONE: empty slot */
    uint32_t rank;       /* smaller goes first */
    int32_t id;          /* what they become */
} token_merge;

/* An added token: found in the text before anything else is. */
typedef struct token_added {
    str text;
    int32_t id;
    token_special least;          /* the first level of token_special that finds it */
    bool strip_left, strip_right; /* takes the white space beside it along */
} token_added;

/* BertNormalizer's four switches. */
typedef struct token_normaliser {
    bool clean_text, chinese_apart, strip_accents, lowercase;
} token_normaliser;

struct tokenizer {
    arena a; /* owns everything below */
    token_algorithm algorithm;
    str kind;
    size_t count;
    const char *bytes;        /* the pieces, decoded, one after the other */
    const uint32_t *starts;   /* [count + 1] into bytes */
    const uint8_t *types;     /* [count] of token_type */
    const uint8_t *ends;      /* [count] 1 = generation stops here */
    const token_added *added; /* [added_count], sorted by text */
    size_t added_count;
    bool added_first[256]; /* some added token begins with this byte */
    int32_t bos, eos, eot, unknown, padding;
    bool add_bos, add_eos;

    /* BPE */
    token_index words; /* normal tokens by their bytes (SPM: as written) */
    int32_t byte_ids[256];
    const token_merge *merges;
    size_t merge_mask; /* slots - 1 */
    const token_pre *pre;
    _Atomic uint8_t *whole; /* [count] of bpe_whole: a memo, filled as words are met */
    bool ignore_merges;     /* a word that is a token is that token */
    bool nfc;               /* the text is normalised to NFC first */

    /* SPM: `words` and `byte_ids` as well */
    const uint32_t *ranks; /* [count] 0 = highest score */
    bool blank_first;      /* each fragment begins with a blank */
    bool cut_at_blanks;    /* no piece has a blank behind another character */

    /* WordPiece */
    token_index word_starts, continuations; /* keys: the letters alone */
    token_normaliser normaliser;
    size_t word_chars_max;  /* a longer word is unknown */
    size_t piece_bytes_max; /* longest key of the indexes; SPM too */
};

/* What a tokenizer.json says beyond a token_source. */
typedef struct token_extra {
    bool hashes; /* WordPiece continuations begin with "##"; else starts begin with U+2581 */
    const token_pre *pre; /* NULL: by source->pre */
    bool nfc, ignore_merges;
    const token_added *added; /* [added_count] or NULL: by source->types */
    size_t added_count;
    token_normaliser normaliser;
    size_t word_chars_max;
} token_extra;

err token_build(tokenizer **out, const token_source *source, const token_extra *extra,
                fail *f) MUST_CHECK;
/* Decodes one written piece ("Ġthe") into bytes; false when a character stands for no byte. out has
 * room for piece.n bytes. */
bool token_bpe_unwrite(str piece, char *out, size_t *n);
err token_bpe_build(tokenizer *t, const token_source *source, const token_extra *extra,
                    fail *f) MUST_CHECK;
err token_spm_build(tokenizer *t, const token_source *source, fail *f) MUST_CHECK;
err token_wordpiece_build(tokenizer *t, const token_source *source, const token_extra *extra,
                          fail *f) MUST_CHECK;

/* One call of encode. Writing never fails on the spot: `failed` sticks (memory is out). */
typedef struct token_work {
    const tokenizer *t;
    int32_t *ids; /* [n] of [cap] */
    size_t n, cap;
    bool failed;
    void *scratch; /* of the long-word path of BPE; grows */
    size_t scratch_bytes;
    char *normal; /* the fragment in NFC, or with its blanks escaped */
} token_work;

void token_work_put(token_work *w, int32_t id);
void *token_work_scratch(token_work *w, size_t bytes); /* NULL: failed is set */

/* Valid UTF-8 without added tokens in, ids out. */
void token_bpe_encode(token_work *w, str text);
/* Blanks as U+2581; to has room for 3 * text.n bytes. */
str token_spm_write(str text, char *to);
void token_spm_encode(token_work *w, str text);
void token_wordpiece_encode(token_work *w, str text);

static inline str token_piece_of(const tokenizer *t, int32_t id) {
    return (str){t->bytes + t->starts[id], t->starts[id + 1] - t->starts[id]};
}

#endif

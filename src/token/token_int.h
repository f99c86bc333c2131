/* token_int.h - what only the files of token/ share: the tokenizer's inside and one call's work.
 *
 * The tokenizer is written by token_build() alone and read-only afterwards, but for the memos
 * `whole` and `memo`, whose entries are a function of the vocabulary: whoever finds one out writes
 * the same. A token_work lives for one call of encode and belongs to its thread. */
#ifndef BANTAM_TOKEN_TOKEN_INT_H
#define BANTAM_TOKEN_TOKEN_INT_H

#include "token/token.h"

#include "token/token_cut.h"
#include "token/token_index.h"
#include "token/token_memo.h"
#include "token/token_norm.h"
#include "token/token_pre.h"

#include <string.h>

typedef enum token_algorithm {
    TOKEN_BPE,       /* merges over bytes */
    TOKEN_BPE_CHARS, /* merges over characters, what is no piece as bytes or unknown */
    TOKEN_SPM,       /* scores over characters */
    TOKEN_UNIGRAM,
    TOKEN_WORDPIECE
} token_algorithm;

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
    bool single_word;             /* only where no word goes on at either side */
    bool normalised;              /* looked for in the normalised text, itself normalised */
} token_added;

typedef struct token_added_set {
    const token_added *p; /* [n], sorted by text */
    size_t n;
    bool first[256]; /* some text begins with this byte */
} token_added_set;

enum { TOKEN_REGEXES = 16 };

struct tokenizer {
    arena a; /* owns everything below, but for the regexes and the memo */
    token_algorithm algorithm;
    str kind;
    size_t count;
    const char *bytes;      /* the pieces, decoded, one after the other */
    const uint32_t *starts; /* [count + 1] into bytes */
    const uint8_t *types;   /* [count] of token_type */
    const uint8_t *indexed; /* [count] 1 = the model may make it of text: it is normal, or an added
                               token of the model's own vocabulary that outside text may use */
    const uint8_t *ends;    /* [count] 1 = generation stops here */
    token_added_set raw;    /* found in the text as it comes */
    token_added_set normal; /* found in the normalised text */
    int32_t bos, eos, eot, unknown, padding, mask;
    bool add_bos, add_eos;
    token_regex *regexes[TOKEN_REGEXES];
    size_t regex_count;

    token_norm norm;
    const token_cut *cuts; /* [cut_count] */
    size_t cut_count;
    bool bert;       /* WordPiece with BertNormalizer and BertPreTokenizer: one pass does it all */
    bool drop_blank; /* decoding leaves the first piece's blank out */
    bool blanks;     /* pieces write a blank as U+2581 */

    token_index words; /* normal tokens: by their bytes (TOKEN_BPE), else as written */
    int32_t byte_ids[256];
    size_t piece_bytes_max; /* longest key of `words` or of WordPiece's indexes */
    bool ends_at_blanks;    /* a word ends before a blank that no piece joins to what is before */
    bool joins[129];        /* some piece has a blank behind this character; 128: behind others */
    token_memo *memo;       /* all algorithms but TOKEN_BPE */

    /* BPE */
    const token_merge *merges;
    size_t merge_mask;      /* slots - 1 */
    _Atomic uint8_t *whole; /* [count] of bpe_whole: a memo, filled as words are met */
    bool ignore_merges;     /* a word that is a token is that token */
    bool fuse_unknown;      /* characters without a piece, side by side, are one unknown token */
    bool unknown_bytes;     /* TOKEN_BPE: a byte without a token is the unknown one */
    int32_t ascii_ids[128]; /* TOKEN_BPE_CHARS: of single characters */

    const uint32_t *ranks; /* SPM: [count], the higher the score, the lower */

    /* Unigram */
    const double *scores; /* [count] */
    double unknown_score;
    const uint16_t *longest; /* [TOKEN_LONGEST] bytes of the longest piece by its first four */
    bool byte_fallback;      /* an unknown character is written in bytes */

    /* WordPiece */
    token_index word_starts, continuations; /* keys: the letters alone */
    token_normaliser normaliser;
    size_t word_chars_max; /* a longer word is unknown */
};

typedef struct token_merge_text {
    str left, right;
} token_merge_text;

/* What goes beyond a token_source: read from a tokenizer.json, or chosen by the kind of GGUF. */
typedef struct token_extra {
    token_algorithm algorithm;
    bool hashes; /* WordPiece continuations begin with "##"; else starts begin with U+2581 */
    const token_norm *norm;
    const token_cut *cuts; /* [cut_count], copied */
    size_t cut_count;
    token_regex *const *regexes; /* [regex_count], owned by the tokenizer from here on */
    size_t regex_count;
    bool ignore_merges, fuse_unknown, byte_fallback, bert, blanks, drop_blank;
    bool unknown_bytes;      /* a byte without a token is the unknown one, not left out */
    const uint8_t *in_model; /* [piece_count] 1 = of the model's vocabulary; NULL: not told apart */
    const token_added *added; /* [added_count] or NULL: by source->types */
    size_t added_count;
    const token_merge_text *merges; /* [source->merge_count] or NULL: source->merges */
    const double *scores;           /* [piece_count] or NULL: source->scores */
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
err token_unigram_build(tokenizer *t, const token_source *source, const token_extra *extra,
                        fail *f) MUST_CHECK;
err token_wordpiece_build(tokenizer *t, const token_source *source, const token_extra *extra,
                          fail *f) MUST_CHECK;
/* For the algorithms over characters: pools, index, byte tokens, where words may end, memo. */
err token_chars_build(tokenizer *t, const token_source *source, fail *f) MUST_CHECK;
static inline bool token_is_blank_at(str s, size_t i) {
    return s.n - i >= TOKEN_BLANK_BYTES && memcmp(s.p + i, TOKEN_BLANK, TOKEN_BLANK_BYTES) == 0;
}
/* "<0x0A>" -> 10, else -1 */
int token_byte_of(str piece);

/* One call of encode. Writing never fails on the spot: `failed` sticks, `why` says how. */
typedef struct token_work {
    const tokenizer *t;
    int32_t *ids; /* [n] of [cap] */
    size_t n, cap;
    bool failed;
    err why;
    void *scratch; /* of long words; grows */
    size_t scratch_bytes;
    buf normal[2];          /* the normalisers' */
    buf stages[TOKEN_CUTS]; /* the pre-tokenizer's */
    token_regex_state regex;
    const char *first; /* where the text begins, in the fragment being cut; NULL: not in it */
} token_work;

void token_work_fail(token_work *w, err why);
void token_work_deinit(token_work *w);
void token_work_put(token_work *w, int32_t id);
void *token_work_scratch(token_work *w, size_t bytes); /* NULL: failed is set */

/* A word as the pre-tokenizer leaves it, to ids. */
void token_work_word(token_work *w, str word);
void token_bpe_word(token_work *w, str word);
/* The algorithms over characters: a part of a word. */
void token_bpe_chars_part(token_work *w, str part);
void token_spm_part(token_work *w, str part);
void token_unigram_part(token_work *w, str part);
void token_wordpiece_word(token_work *w, str word);
/* BERT's normaliser, pre-tokenizer and WordPiece in one pass. */
void token_wordpiece_encode(token_work *w, str text);

static inline str token_piece_of(const tokenizer *t, int32_t id) {
    return (str){t->bytes + t->starts[id], t->starts[id + 1] - t->starts[id]};
}

#endif

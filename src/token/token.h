/* token.h - text to token ids and back: BPE, SentencePiece BPE and unigram, WordPiece.
 *
 * A tokenizer is immutable once open and may be used by any number of threads at once. It is made
 * either from plain arrays (token_source: what a GGUF file's metadata says, filled by model/) or
 * from the bytes of a Hugging Face tokenizer.json. What we cannot do exactly is refused by name
 * (E_UNSUPPORTED), never approximated.
 *
 * Outside text is never a control token: the text of a special token ("<|im_start|>", "[SEP]")
 * becomes that token only in trusted text; elsewhere it is letters like any other.
 *
 * Invalid UTF-8 in the input: every byte that is not part of a well-formed sequence is read as
 * U+FFFD, as llama.cpp does (which differs in accepting overlong forms and surrogates). */
#ifndef BANTAM_TOKEN_TOKEN_H
#define BANTAM_TOKEN_TOKEN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    TOKEN_NONE = -1,                    /* "there is no such id" */
    TOKEN_PIECES_MAX = 4 * 1024 * 1024, /* of a vocabulary */
    TOKEN_FIND_BYTES_MAX = 512,         /* of tokenizer_find */
    TOKEN_TEXT_BYTES_MAX = 16 << 20     /* of one call of encode: E_TOO_LARGE above */
};

/* As GGUF numbers them (tokenizer.ggml.token_type). */
typedef enum token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3, /* special: only in trusted text */
    TOKEN_USER = 4,    /* added token: see token_encode_options.special */
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6
} token_type;

/* A vocabulary as plain arrays; borrowed during tokenizer_open only. Start from
 * TOKEN_SOURCE_NONE, so that absent ids are TOKEN_NONE. */
typedef struct token_source {
    str kind;          /* tokenizer.ggml.model: "gpt2" (byte-level BPE), "bert" (WordPiece), "llama"
                          (SentencePiece BPE), "t5" (unigram), "gemma4" (BPE over characters) */
    str pre;           /* tokenizer.ggml.pre: "smollm", "gpt-2", "qwen2"...; empty = "default" */
    const str *pieces; /* [piece_count], as the file writes them */
    size_t piece_count;
    const float *scores;  /* [piece_count] or NULL */
    const int32_t *types; /* [piece_count] of token_type, or NULL = all normal */
    const str *merges;    /* [merge_count], "left right", best first */
    size_t merge_count;
    int32_t bos, eos, eot, unknown, padding, cls, separator, mask; /* TOKEN_NONE when absent */
    int add_space_prefix; /* "llama", "t5": a blank before each text; 1, 0, or -1 = not said: yes */
    int remove_extra_whitespaces; /* "t5": runs of blanks are one; 1, 0, or -1 = not said: no */
    str charsmap;                 /* "t5": tokenizer.ggml.precompiled_charsmap; empty: none */
    int add_bos, add_eos;         /* 1, 0, or -1 = not said */
} token_source;
#define TOKEN_SOURCE_NONE                           \
    ((token_source){.bos = TOKEN_NONE,              \
                    .eos = TOKEN_NONE,              \
                    .eot = TOKEN_NONE,              \
                    .unknown = TOKEN_NONE,          \
                    .padding = TOKEN_NONE,          \
                    .cls = TOKEN_NONE,              \
                    .separator = TOKEN_NONE,        \
                    .mask = TOKEN_NONE,             \
                    .add_space_prefix = -1,         \
                    .remove_extra_whitespaces = -1, \
                    .add_bos = -1,                  \
                    .add_eos = -1})

typedef struct tokenizer tokenizer;

/* E_UNSUPPORTED names the kind or pre-tokenizer; E_CORRUPT names the piece, merge or id that cannot
 * be; E_NO_MEMORY. */
err tokenizer_open(tokenizer **out, const token_source *source, fail *f) MUST_CHECK;
/* From the bytes of a tokenizer.json; E_UNSUPPORTED names the component that we cannot do exactly.
 * Truncation and padding in it are ignored. */
err tokenizer_open_json(tokenizer **out, str tokenizer_json, fail *f) MUST_CHECK;
/* The same, with the bytes of the tokenizer_config.json beside it, which names the special tokens
 * that tokenizer.json does not (bos_token, eos_token, unk_token, pad_token, mask_token). */
err tokenizer_open_folder(tokenizer **out, str tokenizer_json, str tokenizer_config,
                          fail *f) MUST_CHECK;
void tokenizer_close(tokenizer *t); /* NULL is fine */

typedef enum token_special {
    TOKEN_SPECIAL_NONE, /* text is text; only added tokens without marker characters (runs of
                           blanks, words) are still used. What outside text is read with. */
    TOKEN_SPECIAL_USER, /* as llama.cpp's parse_special=false: added tokens yes, control no */
    TOKEN_SPECIAL_ALL   /* every added and control token */
} token_special;

typedef struct token_encode_options {
    token_special special;
    bool add_bos; /* put BOS (WordPiece: [CLS]) first, where the tokenizer has one */
    bool add_eos; /* put EOS (WordPiece: [SEP]) last */
} token_encode_options;

typedef struct token_ids {
    const int32_t *p; /* [n], in the arena of the call */
    size_t n;
} token_ids;

/* A piece of a prompt. Neighbours are tokenised as one text, as if written in one go; but a special
 * token must lie in trusted text from its first byte to its last. */
typedef struct token_span {
    str text;
    bool trusted;
} token_span;

/* o NULL = TOKEN_SPECIAL_NONE, no BOS, no EOS. Time O(n log n) at worst, for any input. */
err tokenizer_encode(const tokenizer *t, arena *a, str text, const token_encode_options *o,
                     token_ids *out, fail *f) MUST_CHECK;
/* Trusted spans are read with TOKEN_SPECIAL_ALL, the others with NONE; o->special is not used. */
err tokenizer_encode_spans(const tokenizer *t, arena *a, const token_span *spans, size_t count,
                           const token_encode_options *o, token_ids *out, fail *f) MUST_CHECK;

/* The bytes that a token stands for; borrowed from the tokenizer. BPE: the original bytes, so a
 * character may be split between tokens. WordPiece: word starts have a blank before them. Special
 * tokens: their text. An id outside the vocabulary gives the empty string. */
str tokenizer_piece(const tokenizer *t, int32_t id);
/* Appends the pieces. skip_special leaves control tokens out. BPE: decode(encode(x)) == x for valid
 * UTF-8. SentencePiece: likewise; WordPiece: words joined by one blank; neither has the blank that
 * a first piece carries. */
void tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                      buf *out);

size_t tokenizer_count(const tokenizer *t);                /* ids are [0, count) */
token_type tokenizer_type(const tokenizer *t, int32_t id); /* TOKEN_UNUSED outside */
/* The token that stands for exactly these bytes (at most TOKEN_FIND_BYTES_MAX), or TOKEN_NONE. */
int32_t tokenizer_find(const tokenizer *t, str text);
int32_t tokenizer_bos(const tokenizer *t); /* WordPiece: [CLS]; TOKEN_NONE when absent */
int32_t tokenizer_eos(const tokenizer *t); /* WordPiece: [SEP] */
int32_t tokenizer_eot(const tokenizer *t); /* end of a turn; EOS where none is named */
int32_t tokenizer_unknown(const tokenizer *t);
int32_t tokenizer_mask(const tokenizer *t);
int32_t tokenizer_padding(const tokenizer *t);
bool tokenizer_is_end(const tokenizer *t, int32_t id); /* generation stops here: EOS, EOT and the
                                                          well-known end markers */
bool tokenizer_adds_bos(const tokenizer *t);           /* what the file asks for; encode itself */
bool tokenizer_adds_eos(const tokenizer *t);           /* adds only what its options say */
str tokenizer_kind(const tokenizer *t);                /* "gpt2", "bert" */

#endif

/* token.c - a tokenizer's life, its added tokens and ids, and decoding; see token.h.
 *
 * token_build() makes it from a token_source for both ways of opening; all that follows only reads.
 * Encoding is in token_encode.c, the two algorithms in token_bpe.c and token_wordpiece.c. */
#include "token/token.h"

#include "token/token_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Building ------------------------------------------------------------------------------------ */

/* An added token that outside text may still use: blanks and words, nothing that looks like markup.
 */
static bool is_plain(str text) {
    for (size_t i = 0; i < text.n; i++)
        if (strchr("<>[]|{}", text.p[i]) && text.p[i]) return false;
    return str_find(text, STR("\xEF\xBD\x9C")) == STR_INDEX_NONE; /* U+FF5C, DeepSeek's bar */
}

static int added_order(const void *a, const void *b) {
    return str_compare(((const token_added *)a)->text, ((const token_added *)b)->text);
}

static token_special added_least(token_type type, str text) {
    if (type != TOKEN_USER) return TOKEN_SPECIAL_ALL;
    return is_plain(text) ? TOKEN_SPECIAL_NONE : TOKEN_SPECIAL_USER;
}

/* Control, unknown and user tokens of `types`, or the given ones; texts are copied. */
static err build_added(tokenizer *t, const token_source *source, const token_extra *extra,
                       fail *f) {
    size_t most = extra->added ? extra->added_count : t->count, n = 0;
    if (!extra->added)
        for (size_t i = most = 0; i < t->count; i++)
            most += t->types[i] >= TOKEN_UNKNOWN && t->types[i] <= TOKEN_USER;
    token_added *added = arena_new_n(&t->a, token_added, most + 1);
    if (!added) return fail_memory(f, "the added tokens");
    for (size_t i = 0; i < (extra->added ? most : t->count); i++) {
        token_added one = extra->added ? extra->added[i] : (token_added){.id = (int32_t)i};
        token_type type = t->types[one.id];
        if (!extra->added && (type < TOKEN_UNKNOWN || type > TOKEN_USER)) continue;
        one.text = arena_str(&t->a, source->pieces[one.id]);
        if (!one.text.p) return fail_memory(f, "the added tokens");
        one.least = added_least(type, one.text);
        if (one.text.n) added[n++] = one;
    }
    if (n) qsort(added, n, sizeof *added, added_order);
    for (size_t i = 0; i < n; i++) t->added_first[(unsigned char)added[i].text.p[0]] = true;
    t->added = added;
    t->added_count = n;
    return E_OK;
}

static err check_id(const tokenizer *t, const char *what, int32_t id, fail *f) {
    if (id == TOKEN_NONE || (id >= 0 && (size_t)id < t->count)) return E_OK;
    return fail_set(f, E_CORRUPT, "the %s token is %d in a vocabulary of %zu pieces", what, (int)id,
                    t->count);
}

static err build_ids(tokenizer *t, const token_source *s, fail *f) {
    bool wordpiece = t->algorithm == TOKEN_WORDPIECE;
    t->bos = wordpiece && s->cls != TOKEN_NONE ? s->cls : s->bos;
    t->eos = wordpiece && s->separator != TOKEN_NONE ? s->separator : s->eos;
    t->eot = s->eot != TOKEN_NONE ? s->eot : t->eos;
    t->unknown = s->unknown;
    t->padding = s->padding;
    TRY(check_id(t, "BOS", t->bos, f));
    TRY(check_id(t, "EOS", t->eos, f));
    TRY(check_id(t, "EOT", t->eot, f));
    TRY(check_id(t, "unknown", t->unknown, f));
    return check_id(t, "padding", t->padding, f);
}

static err build_types(tokenizer *t, const token_source *source, fail *f) {
    uint8_t *types = arena_alloc(&t->a, t->count);
    if (!types) return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < t->count; i++) {
        int32_t type = source->types ? source->types[i] : TOKEN_NORMAL;
        if (type < 0 || type > TOKEN_BYTE)
            return fail_set(f, E_CORRUPT, "piece %zu of the vocabulary has type %d", i, (int)type);
        types[i] = type ? (uint8_t)type : TOKEN_NORMAL;
    }
    t->types = types;
    return E_OK;
}

/* Generation ends at EOS and EOT, and at the control tokens by which published chat models end. */
static err build_ends(tokenizer *t, fail *f) {
    static const char *const markers[] = {
        "<|endoftext|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|end|>",
        "<|end_of_text|>",
        "</s>",
        "<end_of_turn>",
        "<|eot|>",
        "<EOT>",
        "<|EOT|>",
        "<|endofturn|>",
        "<|END_OF_TURN_TOKEN|>",
        "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
    };
    uint8_t *ends = arena_alloc(&t->a, t->count);
    if (!ends) return fail_memory(f, "a vocabulary");
    if (t->eos != TOKEN_NONE) ends[t->eos] = 1;
    if (t->eot != TOKEN_NONE) ends[t->eot] = 1;
    for (size_t m = 0; t->algorithm != TOKEN_WORDPIECE && m < sizeof markers / sizeof *markers; m++)
        for (size_t i = 0; i < t->added_count; i++)
            if (str_is(t->added[i].text, markers[m])) ends[t->added[i].id] = 1;
    t->ends = ends;
    return E_OK;
}

static err build_into(tokenizer *t, const token_source *source, const token_extra *extra, fail *f) {
    t->kind = arena_str(&t->a, source->kind);
    if (!t->kind.p) return fail_memory(f, "a tokenizer");
    TRY(build_types(t, source, f));
    TRY(build_ids(t, source, f));
    TRY(build_added(t, source, extra, f));
    TRY(build_ends(t, f));
    bool usual = true; /* BOS, where the file does not say */
    switch (t->algorithm) {
    case TOKEN_BPE:
        TRY(token_bpe_build(t, source, extra, f));
        usual = t->pre->add_bos;
        break;
    case TOKEN_WORDPIECE: TRY(token_wordpiece_build(t, source, extra, f)); break;
    case TOKEN_SPM: TRY(token_spm_build(t, source, f)); break;
    }
    t->add_bos = t->bos != TOKEN_NONE && (source->add_bos < 0 ? usual : source->add_bos > 0);
    t->add_eos = t->eos != TOKEN_NONE &&
                 (source->add_eos < 0 ? t->algorithm == TOKEN_WORDPIECE : source->add_eos > 0);
    return E_OK;
}

static bool algorithm_of(str kind, token_algorithm *out) {
    static const char *const names[] = {
        [TOKEN_BPE] = "gpt2", [TOKEN_WORDPIECE] = "bert", [TOKEN_SPM] = "llama"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(kind, names[i])) {
            *out = (token_algorithm)i;
            return true;
        }
    return false;
}

err token_build(tokenizer **out, const token_source *source, const token_extra *extra, fail *f) {
    token_algorithm algorithm;
    if (!algorithm_of(source->kind, &algorithm)) {
        fail_set(f, E_UNSUPPORTED, "tokenizer kind \"%.*s\"",
                 (int)(source->kind.n < 80 ? source->kind.n : 80), source->kind.p);
        return fail_hint(f,
                         "byte-level BPE (\"gpt2\"), SentencePiece BPE (\"llama\") and WordPiece "
                         "(\"bert\") can be read");
    }
    if (source->piece_count < 1 || source->piece_count > TOKEN_PIECES_MAX)
        return fail_set(f, E_CORRUPT, "a vocabulary of %zu pieces (1 to %d can be read)",
                        source->piece_count, TOKEN_PIECES_MAX);
    tokenizer *t = mem_zero(sizeof *t);
    if (!t) return fail_memory(f, "a tokenizer");
    arena_init(&t->a, 1 << 20);
    t->algorithm = algorithm;
    t->count = source->piece_count;
    err e = build_into(t, source, extra, f);
    if (e != E_OK) {
        tokenizer_close(t);
        return e;
    }
    *out = t;
    return E_OK;
}

err tokenizer_open(tokenizer **out, const token_source *source, fail *f) {
    token_extra extra = {
        .normaliser = {.clean_text = true,
                       .chinese_apart = true,
                       .strip_accents = true,
                       .lowercase = true},
        .word_chars_max = 100,
    };
    return token_build(out, source, &extra, f);
}

void tokenizer_close(tokenizer *t) {
    if (!t) return;
    arena_deinit(&t->a);
    mem_free(t);
}

/* Reading ------------------------------------------------------------------------------------- */

static bool is_id(const tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->count;
}

str tokenizer_piece(const tokenizer *t, int32_t id) {
    return is_id(t, id) ? token_piece_of(t, id) : STR("");
}

/* Whether the tokenizer puts a blank before the first word that is not in the text. */
static bool adds_blank(const tokenizer *t) {
    return t->algorithm == TOKEN_WORDPIECE || t->blank_first;
}

void tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                      buf *out) {
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        str piece = tokenizer_piece(t, ids[i]);
        token_type type = tokenizer_type(t, ids[i]);
        if (skip_special && (type == TOKEN_CONTROL || type == TOKEN_UNKNOWN)) continue;
        if (first && type == TOKEN_NORMAL && adds_blank(t) && str_starts(piece, STR(" ")))
            piece = str_slice(piece, 1, piece.n);
        buf_put(out, piece);
        first = false;
    }
}

size_t tokenizer_count(const tokenizer *t) {
    return t->count;
}
token_type tokenizer_type(const tokenizer *t, int32_t id) {
    return is_id(t, id) ? (token_type)t->types[id] : TOKEN_UNUSED;
}

int32_t tokenizer_find(const tokenizer *t, str text) {
    for (size_t i = 0; i < t->added_count; i++)
        if (str_eq(t->added[i].text, text)) return t->added[i].id;
    char escaped[TOKEN_FIND_BYTES_MAX * 3];
    if (text.n > TOKEN_FIND_BYTES_MAX) return TOKEN_NONE;
    if (t->algorithm == TOKEN_SPM) text = token_spm_write(text, escaped);
    const token_index *index = t->algorithm == TOKEN_WORDPIECE ? &t->word_starts : &t->words;
    if (t->algorithm == TOKEN_WORDPIECE && text.n > 2 && str_starts(text, STR("##"))) {
        index = &t->continuations;
        text = str_slice(text, 2, text.n);
    }
    return token_index_find(index, text, token_hash(text));
}

int32_t tokenizer_bos(const tokenizer *t) {
    return t->bos;
}
int32_t tokenizer_eos(const tokenizer *t) {
    return t->eos;
}
int32_t tokenizer_eot(const tokenizer *t) {
    return t->eot;
}
int32_t tokenizer_unknown(const tokenizer *t) {
    return t->unknown;
}
int32_t tokenizer_padding(const tokenizer *t) {
    return t->padding;
}
bool tokenizer_is_end(const tokenizer *t, int32_t id) {
    return is_id(t, id) && t->ends[id];
}
bool tokenizer_adds_bos(const tokenizer *t) {
    return t->add_bos;
}
bool tokenizer_adds_eos(const tokenizer *t) {
    return t->add_eos;
}
str tokenizer_kind(const tokenizer *t) {
    return t->kind;
}

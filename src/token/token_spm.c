/* token_spm.c - SentencePiece BPE (GGUF kind "llama"): pieces with scores, blanks written as
 * U+2581.
 *
 * How: a fragment gets a blank in front (where the file asks for it), its blanks become U+2581, and
 * its characters are symbols. Of all neighbours that together are a piece, the pair with the
 * highest score, leftmost first, becomes one symbol, until there is none. A character that is no
 * piece is written with the byte tokens "<0xE4>". So does llama.cpp, whose vectors test it. Where
 * no piece has a blank behind another character, no merge crosses such a place: the text is cut
 * there into words, which keeps the lists short. Cost O(n log n) for any input. */
#include "token/token_int.h"

#include "token/token_char.h"
#include "token/token_heap.h"

#include <string.h>

#define NO_RANK UINT32_MAX

/* Building ------------------------------------------------------------------------------------ */

/* The higher the score, the lower the rank; equal scores share one. The bits of a float, turned so
 * that they order as the numbers do. */
static uint32_t spm_rank(float score) {
    uint32_t bits;
    if (score != score) score = 0; /* not a number */
    score += 0.0f;                 /* one zero only */
    memcpy(&bits, &score, sizeof bits);
    return bits & 0x80000000u ? bits : ~(bits | 0x80000000u);
}

err token_spm_build(tokenizer *t, const token_source *source, fail *f) {
    if (!source->scores) return fail_set(f, E_CORRUPT, "a SentencePiece vocabulary without scores");
    uint32_t *ranks = arena_new_n(&t->a, uint32_t, t->count);
    if (!ranks) return fail_memory(f, "the scores of a vocabulary");
    for (size_t i = 0; i < t->count; i++) ranks[i] = spm_rank(source->scores[i]);
    t->ranks = ranks;
    return token_chars_build(t, source, f);
}

/* Encoding ------------------------------------------------------------------------------------ */

typedef struct spm_symbol {
    uint32_t from, to;       /* bytes of the word */
    uint32_t previous, next; /* n: none */
    uint32_t rank;           /* of the pair with the next one; NO_RANK also when merged away */
} spm_symbol;
typedef struct spm_word {
    const tokenizer *t;
    str text;
    spm_symbol *symbols; /* [n] */
    uint32_t n;
    uint64_t *heap; /* rank << 32 | left symbol; at most 2 n, as in token_bpe.c */
    size_t heap_n;
} spm_word;

static int32_t spm_find(const tokenizer *t, str s) {
    return s.n > t->piece_bytes_max ? TOKEN_NONE : token_index_find(&t->words, s, token_hash(s));
}

static void spm_pair(spm_word *w, uint32_t i) {
    spm_symbol *s = &w->symbols[i];
    int32_t id = TOKEN_NONE;
    if (s->next < w->n) id = spm_find(w->t, str_slice(w->text, s->from, w->symbols[s->next].to));
    uint32_t rank = id >= 0 ? w->t->ranks[id] : NO_RANK;
    if (id >= 0 && rank != s->rank) token_heap_put(w->heap, &w->heap_n, (uint64_t)rank << 32 | i);
    s->rank = rank;
}

static void spm_merge(spm_word *w, uint32_t i) {
    spm_symbol *s = &w->symbols[i], *gone = &w->symbols[s->next];
    s->to = gone->to;
    s->next = gone->next;
    s->rank = gone->rank = NO_RANK;
    if (s->next < w->n) w->symbols[s->next].previous = i;
    spm_pair(w, i);
    if (s->previous < w->n) spm_pair(w, s->previous);
}

static void spm_put(token_work *work, str s) {
    int32_t id = spm_find(work->t, s);
    if (id >= 0) {
        token_work_put(work, id);
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        int32_t byte = work->t->byte_ids[(unsigned char)s.p[i]];
        if (byte == TOKEN_NONE) byte = work->t->unknown;
        if (byte != TOKEN_NONE) token_work_put(work, byte);
    }
}

void token_spm_part(token_work *work, str text) {
    spm_word w = {.t = work->t, .text = text};
    size_t symbol_bytes = (text.n * sizeof(spm_symbol) + 7) / 8 * 8;
    w.symbols = token_work_scratch(work, symbol_bytes + 2 * text.n * sizeof(uint64_t));
    if (!w.symbols) return;
    w.heap = (uint64_t *)(void *)((char *)w.symbols + symbol_bytes);
    for (size_t at = 0, bytes; at < text.n; at += bytes, w.n++) {
        token_char_at(text, at, &bytes);
        w.symbols[w.n] =
            (spm_symbol){(uint32_t)at, (uint32_t)(at + bytes), w.n - 1, w.n + 1, NO_RANK};
    }
    for (uint32_t i = 0; i < w.n; i++) spm_pair(&w, i);
    while (w.heap_n > 0) {
        uint64_t least = token_heap_take(w.heap, &w.heap_n);
        if (w.symbols[(uint32_t)least].rank == (uint32_t)(least >> 32))
            spm_merge(&w, (uint32_t)least);
    }
    for (uint32_t i = 0; i < w.n; i = w.symbols[i].next)
        spm_put(work, str_slice(text, w.symbols[i].from, w.symbols[i].to));
}

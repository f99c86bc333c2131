/* token_unigram.c - SentencePiece's unigram model: the pieces whose scores together are highest.
 *
 * How: Viterbi over the characters of a part; at each, all pieces that begin there are tried, by
 * hashing the text's beginnings in one pass. Where no piece is exactly the character, "unknown" is,
 * ten below the lowest score; neighbours that are unknown are one token, or their bytes where the
 * vocabulary has those (byte_fallback). Ties: the longer-standing path stays. Sums are doubles.
 * Follows Hugging Face's Unigram, which llama.cpp's "t5" does as well. Cost: characters times the
 * longest piece, which is limited to PIECE_BYTES_MAX. */
#include "token/token_int.h"

#include "token/token_char.h"

#include <string.h>

enum { PIECE_BYTES_MAX = 512, LONGEST_BITS = 16, HEAD_BYTES = 4 };
#define UNKNOWN_PENALTY 10.0

/* Building ------------------------------------------------------------------------------------ */

static size_t head_of(const char *p) {
    uint32_t four;
    memcpy(&four, p, HEAD_BYTES);
    return (four * 0x9E3779B1u) >> (32 - LONGEST_BITS);
}

err token_unigram_build(tokenizer *t, const token_source *source, const token_extra *extra,
                        fail *f) {
    if (!source->scores && !extra->scores)
        return fail_set(f, E_CORRUPT, "a unigram vocabulary without scores");
    if (t->unknown == TOKEN_NONE)
        return fail_set(f, E_CORRUPT, "the unigram vocabulary names no unknown token");
    TRY(token_chars_build(t, source, f));
    if (t->piece_bytes_max > PIECE_BYTES_MAX)
        return fail_set(f, E_UNSUPPORTED, "a unigram piece of %zu bytes (%d can be read)",
                        t->piece_bytes_max, PIECE_BYTES_MAX);
    double *scores = arena_new_n(&t->a, double, t->count), least = 0;
    uint16_t *longest = arena_new_n(&t->a, uint16_t, (size_t)1 << LONGEST_BITS);
    if (!scores || !longest) return fail_memory(f, "the scores of a vocabulary");
    for (size_t i = 0, any = 0; i < t->count; i++) {
        double score = extra->scores ? extra->scores[i] : (double)source->scores[i];
        scores[i] = score > -1e30 && score < 1e30 ? score : 0;
        str piece = source->pieces[i];
        bool counts = extra->in_model ? extra->in_model[i] : t->indexed[i];
        if (counts && (!any++ || scores[i] < least)) least = scores[i];
        if (!t->indexed[i] || piece.n < HEAD_BYTES) continue;
        uint16_t *most = &longest[head_of(piece.p)];
        if (piece.n > *most) *most = (uint16_t)piece.n;
    }
    t->scores = scores;
    t->longest = longest;
    t->unknown_score = least - UNKNOWN_PENALTY;
    /* without the blank as a piece, an unknown run could reach across it */
    t->ends_at_blanks =
        token_index_find(&t->words, STR(TOKEN_BLANK), token_hash(STR(TOKEN_BLANK))) >= 0;
    return E_OK;
}

/* Encoding ------------------------------------------------------------------------------------ */

/* The best way to the place where the node stands. */
typedef struct unigram_node {
    double score;
    uint32_t from;
    int32_t id; /* TOKEN_NONE: not reached; UNKNOWN_CHAR: no piece */
} unigram_node;
enum { UNKNOWN_CHAR = -2 };

static void unigram_reach(unigram_node *to, size_t from, double score, int32_t id) {
    if (to->id == TOKEN_NONE || score > to->score) *to = (unigram_node){score, (uint32_t)from, id};
}

/* Tries what begins at `at`; first: bytes of the character there. */
static void unigram_from(const tokenizer *t, str s, size_t at, size_t first, unigram_node *nodes) {
    size_t left = s.n - at, most = HEAD_BYTES - 1;
    if (left >= HEAD_BYTES && t->longest[head_of(s.p + at)] > most)
        most = t->longest[head_of(s.p + at)];
    if (most < first) most = first;
    if (most > left) most = left;
    uint64_t h = TOKEN_HASH_START;
    bool single = false;
    double score = nodes[at].score;
    for (size_t n = 1; n <= most; n++) {
        h = token_hash_step(h, s.p[at + n - 1]);
        if (n < left && ((unsigned char)s.p[at + n] & 0xC0) == 0x80) continue;
        int32_t id = token_index_find(&t->words, (str){s.p + at, n}, token_hash_end(h));
        if (id < 0) continue;
        single = single || n == first;
        unigram_reach(&nodes[at + n], at, score + t->scores[id], id);
    }
    if (!single) unigram_reach(&nodes[at + first], at, score + t->unknown_score, UNKNOWN_CHAR);
}

static void unigram_unknown(token_work *w, str s) {
    const tokenizer *t = w->t;
    bool in_bytes = t->byte_fallback;
    for (size_t i = 0; i < s.n && in_bytes; i++)
        in_bytes = t->byte_ids[(unsigned char)s.p[i]] != TOKEN_NONE;
    if (!in_bytes) {
        token_work_put(w, t->unknown);
        return;
    }
    for (size_t i = 0; i < s.n; i++) token_work_put(w, t->byte_ids[(unsigned char)s.p[i]]);
}

/* The links run from the end; they are turned round, so that `from` leads on to the next. */
static size_t unigram_turn(unigram_node *nodes, size_t end) {
    size_t next = end;
    for (size_t at = end; at > 0;) {
        size_t from = nodes[at].from;
        nodes[at].from = (uint32_t)next;
        next = at;
        at = from;
    }
    return next;
}

void token_unigram_part(token_work *w, str part) {
    unigram_node *nodes = token_work_scratch(w, (part.n + 1) * sizeof *nodes);
    if (!nodes) return;
    for (size_t i = 0; i <= part.n; i++) nodes[i] = (unigram_node){0, 0, TOKEN_NONE};
    for (size_t at = 0, n; at < part.n; at += n) {
        token_char_at(part, at, &n);
        unigram_from(w->t, part, at, n, nodes);
    }
    size_t from = 0, unknown = STR_INDEX_NONE; /* unknown: where a run of it began */
    for (size_t at = unigram_turn(nodes, part.n);; at = nodes[at].from) {
        bool is_unknown = nodes[at].id == UNKNOWN_CHAR;
        if (is_unknown && unknown == STR_INDEX_NONE) unknown = from;
        if (!is_unknown && unknown != STR_INDEX_NONE) {
            unigram_unknown(w, str_slice(part, unknown, from));
            unknown = STR_INDEX_NONE;
        }
        if (!is_unknown) token_work_put(w, nodes[at].id);
        from = at;
        if (at == part.n) break;
    }
    if (unknown != STR_INDEX_NONE) unigram_unknown(w, str_slice(part, unknown, part.n));
}

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

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define BLANK "\xE2\x96\x81" /* U+2581 */
enum { BLANK_BYTES = 3 };
#define NO_RANK UINT32_MAX

/* Building ------------------------------------------------------------------------------------ */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
/* "<0x0A>" -> 10, else -1 */
static int byte_of(str piece) {
    if (piece.n != 6 || !str_starts(piece, STR("<0x")) || piece.p[5] != '>') return -1;
    int high = hex_digit(piece.p[3]), low = hex_digit(piece.p[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static size_t put_decoded(char *to, str piece) {
    size_t n = 0;
    for (size_t i = 0; i < piece.n;) {
        bool blank = str_starts(str_slice(piece, i, piece.n), STR(BLANK));
        to[n++] = blank ? ' ' : piece.p[i];
        i += blank ? BLANK_BYTES : 1;
    }
    return n;
}

/* The pieces as written (keys of the index), and decoded. */
static err spm_pools(tokenizer *t, const token_source *source, fail *f) {
    size_t bytes = 0, at = 0, raw_at = 0;
    for (size_t i = 0; i < t->count; i++) bytes += source->pieces[i].n;
    char *pool = bytes <= UINT32_MAX ? arena_alloc(&t->a, bytes) : NULL;
    char *raw = pool ? arena_alloc(&t->a, bytes) : NULL;
    uint32_t *starts = arena_new_n(&t->a, uint32_t, t->count + 1);
    uint32_t *raw_starts = arena_new_n(&t->a, uint32_t, t->count + 1);
    if (!raw || !starts || !raw_starts || !token_index_init(&t->words, &t->a, t->count))
        return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < t->count; i++) {
        str piece = source->pieces[i];
        int byte = t->types[i] == TOKEN_BYTE ? byte_of(piece) : -1;
        starts[i] = (uint32_t)at;
        raw_starts[i] = (uint32_t)raw_at;
        if (piece.n) memcpy(raw + raw_at, piece.p, piece.n);
        raw_at += piece.n;
        if (byte >= 0) {
            pool[at++] = (char)byte;
            t->byte_ids[byte] = (int32_t)i;
        } else
            at += put_decoded(pool + at, piece);
    }
    starts[t->count] = (uint32_t)at;
    raw_starts[t->count] = (uint32_t)raw_at;
    t->bytes = pool;
    t->starts = starts;
    t->words.bytes = raw;
    t->words.starts = raw_starts;
    return E_OK;
}

/* Whether a piece has a blank behind something that is none. */
static bool has_inner_blank(str piece) {
    bool other = false;
    for (size_t i = 0; i < piece.n;) {
        bool blank = str_starts(str_slice(piece, i, piece.n), STR(BLANK));
        if (blank && other) return true;
        other = other || !blank;
        i += blank ? BLANK_BYTES : 1;
    }
    return false;
}

typedef struct scored {
    float score;
    int32_t id;
} scored;
static int score_order(const void *a, const void *b) {
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x < y) - (x > y);
}

/* ranks[id]: 0 for the best score; equal scores share a rank. */
static err spm_ranks(tokenizer *t, const token_source *source, fail *f) {
    uint32_t *ranks = arena_new_n(&t->a, uint32_t, t->count);
    size_t bytes;
    scored *all = mem_size(t->count, sizeof *all, &bytes) ? mem_alloc(bytes) : NULL;
    if (!ranks || !all) {
        mem_free(all);
        return fail_memory(f, "the scores of a vocabulary");
    }
    for (size_t i = 0; i < t->count; i++) {
        float score = source->scores[i];
        all[i] = (scored){score == score ? score : 0, (int32_t)i}; /* not a number: 0 */
    }
    qsort(all, t->count, sizeof *all, score_order);
    for (size_t i = 0, rank = 0; i < t->count; i++) {
        if (i && all[i].score < all[i - 1].score) rank = i;
        ranks[all[i].id] = (uint32_t)rank;
    }
    mem_free(all);
    t->ranks = ranks;
    return E_OK;
}

err token_spm_build(tokenizer *t, const token_source *source, fail *f) {
    if (!source->scores) return fail_set(f, E_CORRUPT, "a SentencePiece vocabulary without scores");
    for (int i = 0; i < 256; i++) t->byte_ids[i] = TOKEN_NONE;
    t->blank_first = source->add_space_prefix != 0;
    TRY(spm_pools(t, source, f));
    TRY(spm_ranks(t, source, f));
    t->cut_at_blanks = true;
    for (size_t i = 0; i < t->count; i++) {
        str piece = source->pieces[i];
        if (t->types[i] != TOKEN_NORMAL || !piece.n) continue;
        token_index_put(&t->words, piece, (int32_t)i);
        if (piece.n > t->piece_bytes_max) t->piece_bytes_max = piece.n;
        if (has_inner_blank(piece)) t->cut_at_blanks = false;
    }
    return E_OK;
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

static void spm_encode_word(token_work *work, str text) {
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

str token_spm_write(str text, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool blank = text.p[i] == ' ';
        if (blank)
            memcpy(to + n, BLANK, BLANK_BYTES);
        else
            to[n] = text.p[i];
        n += blank ? BLANK_BYTES : 1;
    }
    return (str){to, n};
}

/* The fragment with its blanks as U+2581, in a buffer of the work. */
static str spm_escape(token_work *work, str text) {
    size_t blanks = 1, first = work->t->blank_first ? BLANK_BYTES : 0;
    for (size_t i = 0; i < text.n; i++) blanks += text.p[i] == ' ';
    mem_free(work->normal);
    work->normal = mem_alloc(text.n + blanks * BLANK_BYTES);
    if (!work->normal) {
        work->failed = true;
        return STR("");
    }
    memcpy(work->normal, BLANK, BLANK_BYTES);
    return (str){work->normal, first + token_spm_write(text, work->normal + first).n};
}

void token_spm_encode(token_work *work, str text) {
    text = spm_escape(work, text);
    size_t from = 0;
    bool other = false; /* the character before is no blank */
    for (size_t at = 0, bytes; at < text.n && work->t->cut_at_blanks; at += bytes) {
        bool blank = token_char_at(text, at, &bytes) == 0x2581;
        if (blank && other) {
            spm_encode_word(work, str_slice(text, from, at));
            from = at;
        }
        other = !blank;
    }
    if (from < text.n && !work->failed) spm_encode_word(work, str_slice(text, from, text.n));
}

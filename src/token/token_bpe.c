/* token_bpe.c - BPE: pieces are byte strings (or, TOKEN_BPE_CHARS, written characters), merges are
 * pairs of ids.
 *
 * How: a word starts as one id per byte or character; the pair of the lowest rank, leftmost first,
 * becomes one id until no pair is in the table. Short words do so on an array; long ones on a
 * linked list with a heap of pairs, so that a word of a megabyte costs O(n log n). A byte for which
 * the vocabulary has no token is left out, as llama.cpp and Hugging Face do (SmolLM2 has none for
 * six control characters). A character without a piece is written with the byte tokens "<0xE4>"
 * where the vocabulary has those, else it is the unknown token, else it is left out. */
#include "token/token_int.h"

#include "token/token_char.h"
#include "token/token_heap.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

enum { SHORT_WORD_BYTES = 48, MERGE_TEXT_BYTES_MAX = 4096 };
#define NO_RANK UINT32_MAX

/* Building ------------------------------------------------------------------------------------ */

/* GPT-2 writes printable Latin-1 bytes as themselves and the other 68 as U+0100.. in order. */
static int bpe_byte_of(int32_t c) {
    static const unsigned char hidden[68] = {
        0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,
        14,   15,   16,   17,   18,   19,   20,   21,   22,   23,   24,   25,   26,   27,
        28,   29,   30,   31,   32,   127,  0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
        0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95,
        0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xAD,
    };
    if ((c > 32 && c < 127) || (c > 0xA0 && c < 0x100 && c != 0xAD)) return (int)c;
    return c >= 0x100 && c < 0x100 + 68 ? hidden[c - 0x100] : -1;
}

bool token_bpe_unwrite(str piece, char *out, size_t *n) {
    size_t to = 0;
    for (size_t at = 0, bytes; at < piece.n; at += bytes) {
        bytes = token_utf8_length((const unsigned char *)piece.p + at, piece.n - at);
        int byte = bytes ? bpe_byte_of(token_char_at(piece, at, &bytes)) : -1;
        if (byte < 0) return false;
        out[to++] = (char)byte;
    }
    *n = to;
    return true;
}

/* Decodes the pieces into the pool; those that are no bytes, and the special ones, stay as they are
 * and out of the index. */
static err bpe_pool(tokenizer *t, const token_source *source, fail *f) {
    size_t bytes = 0, at = 0, n;
    for (size_t i = 0; i < t->count; i++) bytes += source->pieces[i].n;
    char *pool = bytes <= UINT32_MAX ? arena_alloc(&t->a, bytes) : NULL;
    uint32_t *starts = arena_new_n(&t->a, uint32_t, t->count + 1);
    uint8_t *plain = mem_zero(t->count);
    if (!pool || !starts || !plain || !token_index_init(&t->words, &t->a, t->count)) {
        mem_free(plain);
        return fail_memory(f, "a vocabulary");
    }
    for (size_t i = 0; i < t->count; i++) {
        str piece = source->pieces[i];
        starts[i] = (uint32_t)at;
        if (t->indexed[i] && token_bpe_unwrite(piece, pool + at, &n))
            plain[i] = n > 0;
        else if ((n = piece.n) > 0)
            memcpy(pool + at, piece.p, n);
        at += n;
    }
    starts[t->count] = (uint32_t)at;
    t->words.bytes = t->bytes = pool;
    t->words.starts = t->starts = starts;
    for (size_t i = 0; i < t->count; i++)
        if (plain[i]) token_index_put(&t->words, token_piece_of(t, (int32_t)i), (int32_t)i);
    mem_free(plain);
    return E_OK;
}

static size_t merge_slot(const tokenizer *t, int32_t left, int32_t right) {
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    return (size_t)(h >> 29) & t->merge_mask;
}

static const token_merge *merge_find(const tokenizer *t, int32_t left, int32_t right) {
    for (size_t i = merge_slot(t, left, right);; i = (i + 1) & t->merge_mask) {
        const token_merge *m = &t->merges[i];
        if (m->left == left && m->right == right) return m;
        if (m->left == TOKEN_NONE) return NULL;
    }
}

static void merge_put(const tokenizer *t, token_merge *slots, token_merge m) {
    size_t i = merge_slot(t, m.left, m.right);
    while (slots[i].left != TOKEN_NONE) {
        if (slots[i].left == m.left && slots[i].right == m.right) return; /* the better one stays */
        i = (i + 1) & t->merge_mask;
    }
    slots[i] = m;
}

/* A text of a merge as it stands in the index; false when it is none. out: MERGE_TEXT_BYTES_MAX. */
static bool merge_text(const tokenizer *t, str written, char *out, size_t *n) {
    if (written.n > MERGE_TEXT_BYTES_MAX || !written.n) return false;
    if (t->algorithm == TOKEN_BPE) return token_bpe_unwrite(written, out, n) && *n;
    memcpy(out, written.p, *n = written.n);
    return true;
}

/* The id of a merge's product. Vocabularies mostly list the products in the order of the merges, so
 * the last one and the one behind it are looked at before the index is. */
static int32_t merge_product(const tokenizer *t, str both, int32_t last) {
    for (int32_t id = last; id >= 0 && id <= last + 1 && (size_t)id < t->count; id++) {
        uint32_t from = t->words.starts[id], to = t->words.starts[id + 1];
        if (t->indexed[id] && to - from == both.n &&
            memcmp(t->words.bytes + from, both.p, both.n) == 0)
            return id;
    }
    return token_index_find(&t->words, both, token_hash(both));
}

/* "Ġ", "the" -> the ids of "Ġ", "the" and "Ġthe"; last: the product before. */
static bool merge_read(const tokenizer *t, token_merge_text written, int32_t last,
                       token_merge *out) {
    char bytes[2 * MERGE_TEXT_BYTES_MAX];
    size_t left, right;
    if (!merge_text(t, written.left, bytes, &left) ||
        !merge_text(t, written.right, bytes + left, &right))
        return false;
    str a = {bytes, left}, b = {bytes + left, right};
    out->left = token_index_find(&t->words, a, token_hash(a));
    out->right = token_index_find(&t->words, b, token_hash(b));
    out->id = merge_product(t, (str){bytes, left + right}, last);
    return out->left >= 0 && out->right >= 0 && out->id >= 0;
}

static token_merge_text merge_at(const token_source *source, const token_extra *extra, size_t i) {
    if (extra->merges) return extra->merges[i];
    str all = source->merges[i]; /* the blank that divides them is not the first character */
    size_t at = str_find_char(str_slice(all, 1, all.n), ' ');
    if (at == STR_INDEX_NONE) return (token_merge_text){all, {NULL, 0}};
    return (token_merge_text){str_slice(all, 0, at + 1), str_slice(all, at + 2, all.n)};
}

/* All merges in order, into list. */
static err merges_read(const tokenizer *t, const token_source *source, const token_extra *extra,
                       token_merge *list, fail *f) {
    int32_t last = 0;
    for (size_t i = 0; i < source->merge_count; i++) {
        token_merge_text text = merge_at(source, extra, i);
        if (!merge_read(t, text, last, &list[i])) {
            str left = str_slice(text.left, 0, 80), right = str_slice(text.right, 0, 80);
            return fail_set(f, E_CORRUPT,
                            "merge %zu, \"%.*s %.*s\", does not join two pieces into one", i,
                            STR_ARG(left), STR_ARG(right));
        }
        list[i].rank = (uint32_t)i;
        last = list[i].id;
    }
    return E_OK;
}

/* Reading and placing are loops of their own: waiting for memory, each is the shorter for it. */
static err bpe_merges(tokenizer *t, const token_source *source, const token_extra *extra, fail *f) {
    size_t cap = 16, bytes, n = source->merge_count;
    if (n > TOKEN_PIECES_MAX)
        return fail_set(f, E_TOO_LARGE, "the vocabulary has %zu merges; %d can be read", n,
                        TOKEN_PIECES_MAX);
    while (cap < n * 2) cap *= 2;
    token_merge *slots = arena_new_n(&t->a, token_merge, cap);
    token_merge *list = mem_size(n + 1, sizeof *list, &bytes) ? mem_alloc(bytes) : NULL;
    if (!slots || !list) {
        mem_free(list);
        return fail_memory(f, "the merges of a vocabulary");
    }
    for (size_t i = 0; i < cap; i++) slots[i].left = TOKEN_NONE;
    t->merges = slots;
    t->merge_mask = cap - 1;
    err e = merges_read(t, source, extra, list, f);
    for (size_t i = 0; i < n && e == E_OK; i++) merge_put(t, slots, list[i]);
    mem_free(list);
    return e;
}

static err bpe_build_bytes(tokenizer *t, const token_source *source, fail *f) {
    t->whole = arena_alloc(&t->a, t->count);
    if (!t->whole) return fail_memory(f, "a vocabulary");
    TRY(bpe_pool(t, source, f));
    for (int i = 0; i < 256; i++) {
        str byte = {(char[]){(char)i}, 1};
        t->byte_ids[i] = token_index_find(&t->words, byte, token_hash(byte));
    }
    return E_OK;
}

static err bpe_build_chars(tokenizer *t, const token_source *source, fail *f) {
    TRY(token_chars_build(t, source, f));
    for (int i = 0; i < 128; i++) {
        str c = {(char[]){(char)i}, 1};
        t->ascii_ids[i] = token_index_find(&t->words, c, token_hash(c));
    }
    /* where a character may be left out, what was apart can become neighbours */
    bool all_bytes = t->byte_fallback;
    for (int i = 0; i < 256; i++) all_bytes = all_bytes && t->byte_ids[i] != TOKEN_NONE;
    t->ends_at_blanks = all_bytes || t->unknown != TOKEN_NONE;
    return E_OK;
}

err token_bpe_build(tokenizer *t, const token_source *source, const token_extra *extra, fail *f) {
    t->ignore_merges = extra->ignore_merges;
    t->fuse_unknown = extra->fuse_unknown;
    t->unknown_bytes = extra->unknown_bytes;
    TRY(t->algorithm == TOKEN_BPE ? bpe_build_bytes(t, source, f) : bpe_build_chars(t, source, f));
    return bpe_merges(t, source, extra, f);
}

/* Encoding ------------------------------------------------------------------------------------ */

/* A character or byte without a piece. *unknown: the id before is such a one, too. */
static size_t bpe_start_unknown(const tokenizer *t, int32_t *ids, bool *unknown) {
    bool again = *unknown && t->fuse_unknown;
    *unknown = true;
    if (again || t->unknown == TOKEN_NONE) return 0;
    ids[0] = t->unknown;
    return 1;
}

/* What a word begins as. ids has room for word.n; returns how many there are. */
static size_t bpe_start_bytes(const tokenizer *t, str word, int32_t *ids) {
    size_t n = 0;
    bool unknown = false;
    for (size_t i = 0; i < word.n; i++) {
        int32_t id = t->byte_ids[(unsigned char)word.p[i]];
        if (id != TOKEN_NONE) {
            ids[n++] = id;
            unknown = false;
        } else if (t->unknown_bytes) {
            n += bpe_start_unknown(t, ids + n, &unknown);
        }
    }
    return n;
}

/* The bytes of the character c; 0: not all have a token. */
static size_t bpe_start_fallback(const tokenizer *t, str c, int32_t *ids) {
    if (!t->byte_fallback) return 0;
    for (size_t i = 0; i < c.n; i++) {
        ids[i] = t->byte_ids[(unsigned char)c.p[i]];
        if (ids[i] == TOKEN_NONE) return 0;
    }
    return c.n;
}

static size_t bpe_start_chars(const tokenizer *t, str word, int32_t *ids) {
    size_t n = 0;
    bool unknown = false;
    for (size_t at = 0, bytes; at < word.n; at += bytes) {
        token_char_at(word, at, &bytes);
        str c = str_slice(word, at, at + bytes);
        int32_t id = bytes == 1 ? t->ascii_ids[(unsigned char)c.p[0]]
                                : token_index_find(&t->words, c, token_hash(c));
        if (id >= 0) {
            ids[n++] = id;
            unknown = false;
            continue;
        }
        size_t bytes_put = bpe_start_fallback(t, c, ids + n);
        n += bytes_put ? bytes_put : bpe_start_unknown(t, ids + n, &unknown);
    }
    return n;
}

static size_t bpe_start(const tokenizer *t, str word, int32_t *ids) {
    return t->algorithm == TOKEN_BPE ? bpe_start_bytes(t, word, ids)
                                     : bpe_start_chars(t, word, ids);
}

/* A word in an array: ids[i] and the merge of ids[i] with ids[i + 1]. */
typedef struct bpe_short {
    int32_t ids[SHORT_WORD_BYTES];
    uint32_t ranks[SHORT_WORD_BYTES];
    int32_t merged[SHORT_WORD_BYTES];
    size_t n;
} bpe_short;

static void bpe_short_pair(const tokenizer *t, bpe_short *b, size_t i) {
    const token_merge *m = i + 1 < b->n ? merge_find(t, b->ids[i], b->ids[i + 1]) : NULL;
    b->ranks[i] = m ? m->rank : NO_RANK;
    if (m) b->merged[i] = m->id;
}

static void bpe_encode_short(token_work *w, str word) {
    const tokenizer *t = w->t;
    bpe_short b;
    b.n = bpe_start(t, word, b.ids);
    for (size_t i = 0; i < b.n; i++) bpe_short_pair(t, &b, i);
    while (b.n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < b.n; i++)
            if (b.ranks[i] < b.ranks[best]) best = i;
        if (b.ranks[best] == NO_RANK) break;
        b.ids[best] = b.merged[best];
        b.n--;
        for (size_t i = best + 1; i < b.n; i++) {
            b.ids[i] = b.ids[i + 1];
            b.ranks[i] = b.ranks[i + 1];
            b.merged[i] = b.merged[i + 1];
        }
        bpe_short_pair(t, &b, best);
        if (best > 0) bpe_short_pair(t, &b, best - 1);
    }
    for (size_t i = 0; i < b.n; i++) token_work_put(w, b.ids[i]);
}

/* A long word: symbols in a doubly linked list, and a heap of the pairs that can be merged. A heap
 * entry is rank << 32 | left symbol; it is stale when the pair there has another rank by now. Each
 * merge takes one entry and adds at most two, so 2 n entries are enough. */
typedef struct bpe_symbol {
    int32_t id;
    uint32_t previous, next; /* n: none */
    uint32_t rank;           /* of the pair with the next one; NO_RANK also when merged away */
} bpe_symbol;
typedef struct bpe_long {
    const tokenizer *t;
    bpe_symbol *symbols;
    uint32_t n;
    uint64_t *heap;
    size_t heap_n;
} bpe_long;

static void bpe_long_pair(bpe_long *b, uint32_t i) {
    bpe_symbol *s = &b->symbols[i];
    const token_merge *m = s->next < b->n ? merge_find(b->t, s->id, b->symbols[s->next].id) : NULL;
    uint32_t rank = m ? m->rank : NO_RANK;
    if (m && rank != s->rank) token_heap_put(b->heap, &b->heap_n, (uint64_t)rank << 32 | i);
    s->rank = rank;
}

static void bpe_long_merge(bpe_long *b, uint32_t i) {
    bpe_symbol *s = &b->symbols[i], *gone = &b->symbols[s->next];
    s->id = merge_find(b->t, s->id, gone->id)->id;
    s->next = gone->next;
    s->rank = gone->rank = NO_RANK;
    if (s->next < b->n) b->symbols[s->next].previous = i;
    bpe_long_pair(b, i);
    if (s->previous < b->n) bpe_long_pair(b, s->previous);
}

static void bpe_encode_long(token_work *w, str word) {
    bpe_long b = {.t = w->t};
    size_t symbol_bytes = word.n * sizeof(bpe_symbol);
    b.symbols = token_work_scratch(w, symbol_bytes + 2 * word.n * sizeof(uint64_t));
    if (!b.symbols) return;
    b.heap = (uint64_t *)(void *)((char *)b.symbols + symbol_bytes);
    int32_t *ids = (int32_t *)(void *)b.heap; /* until the heap is used */
    b.n = (uint32_t)bpe_start(w->t, word, ids);
    for (uint32_t i = 0; i < b.n; i++) /* first: previous > n */
        b.symbols[i] = (bpe_symbol){ids[i], i - 1, i + 1, NO_RANK};
    for (uint32_t i = 0; i < b.n; i++) bpe_long_pair(&b, i);
    while (b.heap_n > 0) {
        uint64_t least = token_heap_take(b.heap, &b.heap_n);
        if (b.symbols[(uint32_t)least].rank == (uint32_t)(least >> 32))
            bpe_long_merge(&b, (uint32_t)least);
    }
    for (uint32_t i = 0; i < b.n; i = b.symbols[i].next) token_work_put(w, b.symbols[i].id);
}

/* Whether a word that is a token is what its own merges make of it: nearly always, and then they
 * need not be done again. A pure function of the vocabulary, so threads may find it out twice. */
enum bpe_whole { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };

/* word is the token `id`, and it is not known whether its merges say so: they are done, and seen.
 */
static void bpe_encode_first(token_work *w, str word, int32_t id) {
    size_t before = w->n;
    bpe_encode_short(w, word);
    bool whole = w->n == before + 1 && w->ids[before] == id;
    if (!w->failed)
        atomic_store_explicit(&w->t->whole[id], whole ? WHOLE_YES : WHOLE_NO, memory_order_relaxed);
}

void token_bpe_word(token_work *w, str word) {
    int32_t id = token_index_find(&w->t->words, word, token_hash(word));
    int whole = WHOLE_NO;
    if (id >= 0) whole = atomic_load_explicit(&w->t->whole[id], memory_order_relaxed);
    if (id >= 0 && (w->t->ignore_merges || whole == WHOLE_YES))
        token_work_put(w, id);
    else if (word.n > SHORT_WORD_BYTES)
        bpe_encode_long(w, word);
    else if (whole == WHOLE_UNKNOWN)
        bpe_encode_first(w, word, id);
    else
        bpe_encode_short(w, word);
}

void token_bpe_chars_part(token_work *w, str part) {
    if (part.n > SHORT_WORD_BYTES)
        bpe_encode_long(w, part);
    else
        bpe_encode_short(w, part);
}

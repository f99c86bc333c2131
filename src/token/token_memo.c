/* token_memo.c - see token_memo.h.
 *
 * A place is eight 64-bit words: [0] sequence number << 16 | bytes of the word << 8 | ids (odd
 * sequence: being written), [1..3] the word, zeros behind it, [4..7] the ids by pairs. Data are
 * stored with release and loaded with acquire order, so that who reads anything of a newer writing
 * also reads its sequence number. */
#include "token/token_memo.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

enum { PLACES = 8192, PLACE_WORDS = 8, KEY_WORDS = TOKEN_MEMO_WORD_BYTES / 8 };
#define SEQUENCE_ONE ((uint64_t)1 << 16)

typedef struct memo_place {
    _Atomic uint64_t words[PLACE_WORDS];
} memo_place;

struct token_memo {
    memo_place places[PLACES];
};

token_memo *token_memo_open(void) {
    return mem_zero(sizeof(token_memo));
}
void token_memo_close(token_memo *m) {
    mem_free(m);
}

token_memo_key token_memo_key_of(str word) {
    token_memo_key k = {.usable = word.n > 0 && word.n <= TOKEN_MEMO_WORD_BYTES};
    if (!k.usable) return k;
    memcpy(k.bytes, word.p, word.n);
    uint64_t h = (k.bytes[0] ^ word.n) * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 29 ^ k.bytes[1]) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 32 ^ k.bytes[2]) * 0x94D049BB133111EBu;
    k.place = (size_t)(h >> 40) % PLACES;
    return k;
}

static uint64_t memo_load(const memo_place *p, size_t i) {
    return atomic_load_explicit(&p->words[i], memory_order_acquire);
}

size_t token_memo_get(const token_memo *m, const token_memo_key *key, size_t word_bytes,
                      int32_t ids[TOKEN_MEMO_IDS]) {
    const memo_place *p = &m->places[key->place];
    uint64_t head = memo_load(p, 0);
    size_t n = head & 0xFF;
    if ((head & SEQUENCE_ONE) || (head >> 8 & 0xFF) != word_bytes || n > TOKEN_MEMO_IDS) return 0;
    for (size_t i = 0; i < KEY_WORDS; i++)
        if (memo_load(p, 1 + i) != key->bytes[i]) return 0;
    for (size_t i = 0; i < n; i += 2) {
        uint64_t pair = memo_load(p, 1 + KEY_WORDS + i / 2);
        ids[i] = (int32_t)(uint32_t)pair;
        if (i + 1 < n) ids[i + 1] = (int32_t)(uint32_t)(pair >> 32);
    }
    return memo_load(p, 0) == head ? n : 0;
}

void token_memo_put(token_memo *m, const token_memo_key *key, size_t word_bytes, const int32_t *ids,
                    size_t n) {
    if (!n || n > TOKEN_MEMO_IDS) return;
    memo_place *p = &m->places[key->place];
    uint64_t head = memo_load(p, 0), pairs[TOKEN_MEMO_IDS / 2] = {0};
    if (head & SEQUENCE_ONE) return;
    if (!atomic_compare_exchange_strong_explicit(&p->words[0], &head, head + SEQUENCE_ONE,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return;
    for (size_t i = 0; i < n; i++) pairs[i / 2] |= (uint64_t)(uint32_t)ids[i] << (i % 2 * 32);
    for (size_t i = 0; i < KEY_WORDS; i++)
        atomic_store_explicit(&p->words[1 + i], key->bytes[i], memory_order_release);
    for (size_t i = 0; i < TOKEN_MEMO_IDS / 2; i++)
        atomic_store_explicit(&p->words[1 + KEY_WORDS + i], pairs[i], memory_order_release);
    head = (head & ~(uint64_t)0xFFFF) + 2 * SEQUENCE_ONE;
    atomic_store_explicit(&p->words[0], head | word_bytes << 8 | n, memory_order_release);
}

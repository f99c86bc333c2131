/* gen_think_mask.c - a grammar behind what a model thinks; see gen_think.h. The second tag may be
 * cut across tokens, so the end of what was thought is kept, and a token that would end the tag and
 * go on with a word is not allowed: the grammar could not read it. */
#include "gen/gen_think.h"

#include "base/mem.h"
#include "gen/gen_text.h"

#include <string.h>

static void allow(uint64_t *bits, size_t id) {
    bits[id / 64] |= UINT64_C(1) << (id % 64);
}

static void forbid(uint64_t *bits, size_t id) {
    bits[id / 64] &= ~(UINT64_C(1) << (id % 64));
}

/* A token that is `left` and a word behind it. */
static bool goes_on(str piece, str left) {
    if (piece.n <= left.n || !str_starts(piece, left)) return false;
    str word = str_slice(piece, left.n, piece.n);
    return gen_text_space_before(word) < word.n;
}

static void forbid_going_on(uint64_t *bits, const gen_think_vocabulary *v, str left) {
    size_t n = tokenizer_count(v->tokenizer);
    for (size_t i = 0; i < n; i++)
        if (goes_on(tokenizer_piece(v->tokenizer, (int32_t)i), left)) forbid(bits, i);
}

static size_t words_of(const gen_think_vocabulary *v) {
    return (tokenizer_count(v->tokenizer) + 63) / 64;
}

err gen_think_vocabulary_init(gen_think_vocabulary *v, const gen_think_tags *tags,
                              const tokenizer *t, fail *f) {
    *v = (gen_think_vocabulary){.tokenizer = t, .tags = tags, .open_id = TOKEN_NONE};
    if (!tags) return E_OK;
    CHECK(tags->close.n <= GEN_THINK_TAG_BYTES_MAX);
    v->open_id = tokenizer_find(t, tags->open);
    v->free = mem_zero(words_of(v) * sizeof *v->free);
    if (!v->free) return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < tokenizer_count(t); i++)
        if (!tokenizer_is_end(t, (int32_t)i)) allow(v->free, i);
    forbid_going_on(v->free, v, tags->close);
    return E_OK;
}

void gen_think_vocabulary_deinit(gen_think_vocabulary *v) {
    mem_free(v->free);
}

/* How much of the second tag stands at the end of what was thought. */
static size_t tag_begun(const gen_think_mask *m) {
    str tail = {m->tail, m->tail_n}, close = m->v->tags->close;
    size_t n = close.n - 1 < tail.n ? close.n - 1 : tail.n;
    while (n > 0 && !str_starts(close, str_slice(tail, tail.n - n, tail.n))) n--;
    return n;
}

static err allowed(void *self, uint64_t *bits, bool *all, fail *f) {
    gen_think_mask *m = self;
    *all = false;
    if (m->state == GEN_THINK_ON) {
        size_t begun = tag_begun(m);
        str close = m->v->tags->close;
        memcpy(bits, m->v->free, words_of(m->v) * sizeof *bits);
        if (begun) forbid_going_on(bits, m->v, str_slice(close, begun, close.n));
        return E_OK;
    }
    TRY(m->inner->allowed(m->inner->self, bits, all, f));
    if (m->state == GEN_THINK_MAYBE && m->v->open_id != TOKEN_NONE)
        allow(bits, (size_t)m->v->open_id);
    return E_OK;
}

/* Keeps the last bytes, enough for a tag and what may stand behind it. */
static void add_tail(gen_think_mask *m, str piece) {
    for (size_t i = 0; i < piece.n; i++) {
        if (m->tail_n == sizeof m->tail) memmove(m->tail, m->tail + 1, --m->tail_n);
        m->tail[m->tail_n++] = piece.p[i];
        if (str_ends((str){m->tail, m->tail_n}, m->v->tags->close)) m->state = GEN_THINK_OFF;
    }
}

static err accept(void *self, int32_t id, fail *f) {
    gen_think_mask *m = self;
    if (m->state == GEN_THINK_ON) {
        add_tail(m, tokenizer_piece(m->v->tokenizer, id));
        return E_OK;
    }
    if (m->state == GEN_THINK_MAYBE && id == m->v->open_id) {
        m->state = GEN_THINK_ON;
        return E_OK;
    }
    m->state = GEN_THINK_OFF;
    return m->inner->accept(m->inner->self, id, f);
}

static int32_t forced(void *self, int32_t *ids, int32_t max) {
    gen_think_mask *m = self;
    if (m->state != GEN_THINK_OFF || !m->inner->forced) return 0;
    return m->inner->forced(m->inner->self, ids, max);
}

void gen_think_mask_init(gen_think_mask *m, const gen_think_vocabulary *v, gen_think_state state,
                         const engine_mask *inner) {
    *m = (gen_think_mask){.inner = inner, .v = v, .state = state};
    m->mask = (engine_mask){.self = m, .allowed = allowed, .accept = accept, .forced = forced};
}

/* grammar_trie.c - builds the trie, and masks of lexer states over it; see grammar_trie.h.
 *
 * A mask is one pass over the trie: a subtree is left as soon as the lexer is dead in it. States of
 * a lexer that behave alike for as many bytes as the longest token share one mask, so a string with
 * a maximum of thousands of characters needs few. */
#include "grammar/grammar_trie.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- the trie ---- */

typedef struct piece {
    str bytes;
    int32_t id;
} piece;

static int by_bytes(const void *x, const void *y) {
    const piece *a = x, *b = y;
    int c = str_compare(a->bytes, b->bytes);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

static size_t shared(str a, str b) {
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n]) n++;
    return n;
}

static err take_arrays(grammar_vocabulary *v, size_t nodes, size_t tokens, fail *f) {
    trie *t = &v->trie;
    t->end = arena_new_n(&v->arena, int32_t, nodes);
    t->first_token = arena_new_n(&v->arena, int32_t, nodes + 1);
    t->tokens = arena_new_n(&v->arena, int32_t, tokens + 1);
    t->depth = arena_new_n(&v->arena, uint16_t, nodes);
    t->byte = arena_new_n(&v->arena, uint8_t, nodes);
    if (!t->end || !t->first_token || !t->tokens || !t->depth || !t->byte)
        return fail_memory(f, "a vocabulary's trie");
    return E_OK;
}

/* Sorted pieces become nodes in preorder: each adds what it does not share with the one before. A
 * node's first_token is the first piece of its subtree; a piece that ends at the node sorts before
 * those that go on, so the pieces up to the next node's first are the node's own. */
static err grow(grammar_vocabulary *v, const piece *p, size_t n, fail *f) {
    size_t nodes = 1;
    for (size_t i = 0; i < n; i++)
        nodes += p[i].bytes.n - (i ? shared(p[i - 1].bytes, p[i].bytes) : 0);
    if (nodes > INT32_MAX / 2) return fail_set(f, E_TOO_LARGE, "the vocabulary is too large");
    TRY(take_arrays(v, nodes, n, f));
    trie *t = &v->trie;
    int32_t path[TRIE_TOKEN_BYTES_MAX + 1] = {0}, open = 0;
    t->n = 1;
    for (size_t i = 0; i < n; i++) {
        size_t same = i ? shared(p[i - 1].bytes, p[i].bytes) : 0;
        while (open > (int32_t)same) t->end[path[open--]] = t->n;
        for (size_t k = same; k < p[i].bytes.n; k++) {
            t->byte[t->n] = (uint8_t)p[i].bytes.p[k];
            t->depth[t->n] = (uint16_t)(k + 1);
            t->first_token[t->n] = (int32_t)i;
            path[++open] = t->n++;
        }
        if (open > t->deepest) t->deepest = open;
        t->tokens[i] = p[i].id;
    }
    while (open >= 0) t->end[path[open--]] = t->n;
    t->first_token[t->n] = (int32_t)n;
    return E_OK;
}

static err fill(grammar_vocabulary *v, const grammar_token *tokens, piece *p, fail *f) {
    str *bytes = arena_new_n(&v->arena, str, (size_t)v->n + 1);
    v->ends = arena_new_n(&v->arena, uint64_t, (size_t)v->n / 64 + 1);
    if (!bytes || !v->ends) return fail_memory(f, "a vocabulary");
    size_t n = 0;
    for (int32_t i = 0; i < v->n; i++) {
        if (tokens[i].ends) v->ends[i / 64] |= 1ull << (i % 64);
        if (tokens[i].ends || !tokens[i].bytes.n || tokens[i].bytes.n > TRIE_TOKEN_BYTES_MAX)
            continue;
        bytes[i] = arena_str(&v->arena, tokens[i].bytes);
        if (!bytes[i].p) return fail_memory(f, "a vocabulary");
        p[n++] = (piece){bytes[i], i};
    }
    v->bytes = bytes;
    qsort(p, n, sizeof *p, by_bytes);
    return grow(v, p, n, f);
}

err grammar_vocabulary_open(grammar_vocabulary **out, const grammar_token *tokens, int32_t n,
                            fail *f) {
    grammar_vocabulary *v = mem_zero(sizeof *v);
    piece *p = mem_alloc(((size_t)n + 1) * sizeof *p);
    err e = v && p ? E_OK : fail_memory(f, "a vocabulary");
    if (v) {
        arena_init(&v->arena, 1 << 20);
        mutex_init(&v->lock);
        map_init(&v->masks, NULL);
        map_init(&v->kinds, &v->arena);
        v->n = n;
        if (e == E_OK) e = fill(v, tokens, p, f);
    }
    mem_free(p);
    if (e == E_OK)
        *out = v;
    else
        grammar_vocabulary_close(v);
    return e;
}

static void mask_free(lexer_mask *m) {
    if (!m) return;
    mem_free(m->bits);
    mem_free(m->children);
    mem_free(m);
}

void grammar_vocabulary_close(grammar_vocabulary *v) {
    if (!v) return;
    for (const map_slot *s = NULL; (s = map_next(&v->masks, s));) mask_free(s->value.p);
    map_deinit(&v->masks);
    map_deinit(&v->kinds);
    mutex_deinit(&v->lock);
    arena_deinit(&v->arena);
    mem_free(v);
}

int32_t grammar_vocabulary_count(const grammar_vocabulary *v) {
    return v->n;
}

/* ---- states that no token tells apart ---- */

enum { FEW_STATES = 64 }; /* of a lexer: each has its own mask */

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 31;
}

/* kind[s]: the least state that behaves as s does for `rounds` bytes. */
static err find_kinds(const lexer *l, int32_t rounds, int32_t *kind, fail *f) {
    uint64_t *sign = mem_alloc(2 * (size_t)l->states * sizeof *sign), *next = sign + l->states;
    if (!sign) return fail_memory(f, "a mask");
    for (int32_t s = 0; s < l->states; s++) sign[s] = s == LEXER_DEAD ? 0 : 1 + l->accepts[s];
    for (int32_t r = 0; r < rounds; r++) {
        for (int32_t s = 0; s < l->states; s++) {
            uint64_t h = mix(l->accepts[s], s == LEXER_DEAD);
            for (int32_t c = 0; c < l->classes; c++) h = mix(h, sign[l->next[s * l->classes + c]]);
            next[s] = h;
        }
        memcpy(sign, next, (size_t)l->states * sizeof *sign);
    }
    map found;
    map_init(&found, NULL);
    err e = E_OK;
    for (int32_t s = 0; e == E_OK && s < l->states; s++) {
        int64_t first = s;
        str key = {(const char *)&sign[s], sizeof *sign};
        if (!map_get(&found, key, &first)) e = map_put(&found, key, s, f);
        kind[s] = (int32_t)first;
    }
    map_deinit(&found);
    mem_free(sign);
    return e;
}

static err kind_of(grammar_vocabulary *v, const lexer *l, int32_t state, int32_t *out, fail *f) {
    str key = {(const char *)&l->hash, sizeof l->hash};
    *out = state;
    if (l->states <= FEW_STATES) return E_OK;
    mutex_lock(&v->lock);
    err e = E_OK;
    int32_t *kinds = map_get_ptr(&v->kinds, key);
    if (!kinds) {
        kinds = arena_new_n(&v->arena, int32_t, (size_t)l->states);
        e = kinds ? find_kinds(l, v->trie.deepest, kinds, f) : fail_memory(f, "a mask");
        if (e == E_OK) e = map_put_ptr(&v->kinds, key, kinds, f);
    }
    if (e == E_OK) *out = kinds[state];
    mutex_unlock(&v->lock);
    return e;
}

/* ---- masks ---- */

/* One pass; with children NULL their number by byte is counted, else they are put in place. */
static void pass(const trie *t, const lexer *l, int32_t state, lexer_mask *m, int32_t *at) {
    int32_t states[TRIE_TOKEN_BYTES_MAX + 1];
    states[0] = state;
    for (int32_t i = 1; i < t->n;) {
        int32_t d = t->depth[i], q = lexer_step(l, states[d - 1], t->byte[i]);
        /* the lexer may end before this byte, and not at the root: others see to that */
        if (d > 1 && l->accepts[states[d - 1]]) {
            if (m->children)
                m->children[at[t->byte[i]]++] = i;
            else
                at[t->byte[i]]++;
        }
        if (q == LEXER_DEAD) {
            i = t->end[i];
            continue;
        }
        states[d] = q;
        if (!m->children)
            for (int32_t k = t->first_token[i]; k < t->first_token[i + 1]; k++)
                m->bits[t->tokens[k] / 64] |= 1ull << (t->tokens[k] % 64);
        i++;
    }
}

static err make_mask(const grammar_vocabulary *v, const lexer *l, int32_t state, lexer_mask **out,
                     fail *f) {
    size_t words = (size_t)v->n / 64 + 1;
    int32_t at[256] = {0}, total = 0;
    lexer_mask *m = mem_zero(sizeof *m);
    if (m) m->bits = mem_zero(words * sizeof *m->bits);
    if (!m || !m->bits) {
        mask_free(m);
        return fail_memory(f, "a mask");
    }
    pass(&v->trie, l, state, m, at);
    for (int b = 0; b < 256; b++) {
        int32_t n = at[b];
        m->first_child[b] = at[b] = total;
        total += n;
    }
    m->first_child[256] = total;
    m->children = mem_alloc(((size_t)total + 1) * sizeof *m->children);
    if (!m->children) {
        mask_free(m);
        return fail_memory(f, "a mask");
    }
    pass(&v->trie, l, state, m, at);
    m->bytes = sizeof *m + words * sizeof *m->bits + (size_t)total * sizeof *m->children;
    *out = m;
    return E_OK;
}

/* Frees what nobody uses; lock held. */
static void make_room(grammar_vocabulary *v) {
    map kept;
    map_init(&kept, NULL);
    bool ok = true;
    for (const map_slot *s = NULL; (s = map_next(&v->masks, s));) {
        lexer_mask *m = s->value.p;
        str key = {(const char *)m->key, sizeof m->key};
        if (m->users) ok = ok && map_put_ptr(&kept, key, m, NULL) == E_OK;
    }
    if (!ok) { /* no memory for the shorter list: the long one stays */
        map_deinit(&kept);
        return;
    }
    for (const map_slot *s = NULL; (s = map_next(&v->masks, s));) {
        lexer_mask *m = s->value.p;
        if (m->users) continue;
        v->mask_bytes -= m->bytes;
        mask_free(m);
    }
    map_deinit(&v->masks);
    v->masks = kept;
}

static lexer_mask *known_mask(grammar_vocabulary *v, str key) {
    lexer_mask *m = map_get_ptr(&v->masks, key);
    if (m) m->users++;
    return m;
}

err trie_mask_take(grammar_vocabulary *v, const lexer *l, int32_t state, lexer_mask **out,
                   fail *f) {
    int32_t kind;
    lexer_mask *made;
    TRY(kind_of(v, l, state, &kind, f));
    uint64_t words[2] = {l->hash, (uint64_t)kind};
    str key = {(const char *)words, sizeof words};
    mutex_lock(&v->lock);
    *out = known_mask(v, key);
    mutex_unlock(&v->lock);
    if (*out) return E_OK;
    TRY(make_mask(v, l, state, &made, f));
    memcpy(made->key, words, sizeof words);
    mutex_lock(&v->lock);
    err e = E_OK;
    *out = known_mask(v, key); /* another thread may have made it meanwhile */
    if (!*out) {
        if (v->mask_bytes + made->bytes > TRIE_MASKS_BYTES_MAX) make_room(v);
        made->users = 1;
        e = map_put_ptr(&v->masks, (str){(const char *)made->key, sizeof made->key}, made, f);
        if (e == E_OK) {
            v->mask_bytes += made->bytes;
            *out = made;
            made = NULL;
        }
    }
    mutex_unlock(&v->lock);
    mask_free(made);
    return e;
}

void trie_mask_give(grammar_vocabulary *v, lexer_mask *m) {
    mutex_lock(&v->lock);
    m->users--;
    mutex_unlock(&v->lock);
}

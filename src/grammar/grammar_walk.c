/* grammar_walk.c - one sequence's way through a grammar: which tokens may come next.
 *
 * The mask of a set of open ways is the union of theirs. One inside a lexer has a mask that is
 * known for the lexer's state whatever surrounds it; only tokens that go on behind the lexer's end
 * are walked byte by byte from there. One before a literal walks the tries as far as the literal
 * agrees. */
#include "base/mem.h"
#include "grammar/grammar_int.h"
#include "grammar/grammar_trie.h"

#include <string.h>

enum { KNOWN_MASKS = 4, WORTH_KEEPING = 32, FEW_NODES = 3, DEPTH_MAX = TRIE_TOKEN_BYTES_MAX + 2 };

typedef struct known_mask {
    walk_set *set;
    uint64_t *bits;
} known_mask;

struct grammar_walk {
    walker walker;
    grammar_vocabulary *v;
    walk_set *sets; /* [2] the current one and the next; then DEPTH_MAX for walking the trie */
    walk_set *deep[DEPTH_MAX];
    int32_t at;
    known_mask known[KNOWN_MASKS]; /* the last masks; a long string asks for the same again */
    int32_t oldest;
    int32_t steps; /* through tries, of the mask being found */
};

err grammar_walk_open(grammar_walk **out, const grammar *g, grammar_vocabulary *v, fail *f) {
    grammar_walk *w = mem_zero(sizeof *w);
    if (!w) return fail_memory(f, "a walk through a grammar");
    w->v = v;
    w->sets = mem_zero(2 * sizeof *w->sets);
    err e = w->sets ? walker_init(&w->walker, g, f) : fail_memory(f, "a walk through a grammar");
    if (e == E_OK) e = walker_start(&w->walker, &w->sets[0], f);
    if (e == E_OK)
        *out = w;
    else
        grammar_walk_close(w);
    return e;
}

void grammar_walk_close(grammar_walk *w) {
    if (!w) return;
    for (int i = 0; i < KNOWN_MASKS; i++) {
        mem_free(w->known[i].set);
        mem_free(w->known[i].bits);
    }
    for (int i = 0; i < DEPTH_MAX; i++) mem_free(w->deep[i]);
    walker_deinit(&w->walker);
    mem_free(w->sets);
    mem_free(w);
}

/* ---- masks ---- */

static bool same_set(const walk_set *a, const walk_set *b) {
    return a->n == b->n && a->ends == b->ends &&
           !memcmp(a->open, b->open, (size_t)a->n * sizeof *a->open);
}

/* The set of a depth of the trie; each is taken once. */
static err deep_set(grammar_walk *w, int32_t depth, walk_set **out, fail *f) {
    if (!w->deep[depth]) w->deep[depth] = mem_alloc(sizeof **w->deep);
    if (!w->deep[depth]) return fail_memory(f, "a walk through a grammar");
    *out = w->deep[depth];
    return E_OK;
}

static void put_tokens(const trie *t, int32_t node, uint64_t *bits) {
    for (int32_t k = t->first_token[node]; k < t->first_token[node + 1]; k++)
        trie_set(bits, t->tokens[k]);
}

/* All tokens of the subtree of `node` that `set`, which was open before its byte, agrees with. */
static err walk_subtree(grammar_walk *w, const walk_set *set, int32_t node, uint64_t *bits,
                        fail *f) {
    const trie *t = &w->v->trie;
    static const byte_set every = {.bits = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    byte_set may[DEPTH_MAX];
    const int32_t base = t->depth[node];
    may[0] = walker_next_bytes(&w->walker, set);
    for (int32_t i = node; i < t->end[node];) {
        int32_t d = t->depth[i] - base;
        walk_set *to = NULL;
        if (!byte_set_has(&may[d], t->byte[i])) {
            i = t->end[i];
            continue;
        }
        w->steps++;
        TRY(deep_set(w, d + 1, &to, f));
        TRY(walker_step(&w->walker, d ? w->deep[d] : set, t->byte[i], to, f));
        if (to->n == 0) {
            i = t->end[i];
            continue;
        }
        put_tokens(t, i, bits);
        if (t->end[i] > i + FEW_NODES)
            may[d + 1] = walker_next_bytes(&w->walker, to);
        else /* trying them is quicker */
            may[d + 1] = every;
        i++;
    }
    return E_OK;
}

static bool meet(const byte_set *a, const byte_set *b) {
    return (a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1]) | (a->bits[2] & b->bits[2]) |
           (a->bits[3] & b->bits[3]);
}

static err walk_groups(grammar_walk *w, const walk_set *set, uint64_t *bits, fail *f) {
    const trie *t = &w->v->trie;
    byte_set may = walker_next_bytes(&w->walker, set);
    for (int32_t k = 0; k < t->n_groups; k++) {
        const trie_group *g = &t->groups[k];
        if (!meet(&g->first, &may)) continue;
        for (int32_t i = g->root + 1; i < t->end[g->root]; i = t->end[i])
            if (byte_set_has(&may, t->byte[i])) TRY(walk_subtree(w, set, i, bits, f));
    }
    return E_OK;
}

static err walk_children(grammar_walk *w, const lexer_mask *m, const walk_open *o, uint64_t *bits,
                         fail *f) {
    walk_set *behind = NULL;
    TRY(deep_set(w, 0, &behind, f));
    TRY(walker_leave(&w->walker, o, behind, f));
    byte_set may = walker_next_bytes(&w->walker, behind);
    for (int b = 0; b < 256; b++) {
        if (!byte_set_has(&may, (uint8_t)b)) continue;
        for (int32_t k = m->first_child[b]; k < m->first_child[b + 1]; k++)
            TRY(walk_subtree(w, behind, m->children[k], bits, f));
    }
    return E_OK;
}

static err add_lexer(grammar_walk *w, const walk_open *o, uint64_t *bits, fail *f) {
    lexer_mask *m;
    TRY(trie_mask_take(w->v, w->walker.g->lexers[o->lexer], o->at, &m, f));
    for (int32_t i = 0; m->bits && i < w->v->words; i++) bits[i] |= m->bits[i];
    for (int32_t i = 0; i < m->n_tokens; i++) trie_set(bits, m->tokens[i]);
    err e = m->first_child[256] ? walk_children(w, m, o, bits, f) : E_OK;
    trie_mask_give(w->v, m);
    return e;
}

static err find_mask(grammar_walk *w, const walk_set *now, uint64_t *bits, fail *f) {
    walk_set *plain = NULL;
    TRY(deep_set(w, DEPTH_MAX - 1, &plain, f));
    plain->n = 0;
    plain->ends = now->ends;
    for (int32_t i = 0; i < now->n; i++) {
        if (now->open[i].lexer < 0)
            plain->open[plain->n++] = now->open[i];
        else
            TRY(add_lexer(w, &now->open[i], bits, f));
    }
    if (plain->n) TRY(walk_groups(w, plain, bits, f));
    for (int32_t i = 0; i < w->v->words && now->ends; i++) bits[i] |= w->v->ends[i];
    return E_OK;
}

/* A mask that took many steps is kept: a long string asks for the same again. */
static err keep_mask(grammar_walk *w, const walk_set *now, const uint64_t *bits, fail *f) {
    known_mask *k = &w->known[w->oldest];
    size_t bytes = (size_t)w->v->words * sizeof *bits;
    if (w->steps < WORTH_KEEPING) return E_OK;
    if (!k->set) k->set = mem_alloc(sizeof *k->set);
    if (!k->bits) k->bits = mem_alloc(bytes);
    if (!k->set || !k->bits) return fail_memory(f, "a mask");
    k->set->n = now->n;
    k->set->ends = now->ends;
    memcpy(k->set->open, now->open, (size_t)now->n * sizeof *now->open);
    memcpy(k->bits, bits, bytes);
    w->oldest = (w->oldest + 1) % KNOWN_MASKS;
    return E_OK;
}

err grammar_walk_allowed(grammar_walk *w, uint64_t *bits, fail *f) {
    const walk_set *now = &w->sets[w->at];
    size_t words = (size_t)w->v->words;
    for (int i = 0; i < KNOWN_MASKS; i++)
        if (w->known[i].bits && w->known[i].set && same_set(w->known[i].set, now)) {
            memcpy(bits, w->known[i].bits, words * sizeof *bits);
            return E_OK;
        }
    w->steps = 0;
    TRY(find_mask(w, now, bits, f));
    TRY(keep_mask(w, now, bits, f));
    for (size_t i = 0; i < words; i++)
        if (bits[i]) return E_OK;
    return fail_set(f, E_UNSUPPORTED, "no token of this vocabulary can go on as the grammar says");
}

/* ---- moving on ---- */

err grammar_walk_accept(grammar_walk *w, int32_t id, fail *f) {
    if (id < 0 || id >= w->v->n || !w->v->bytes[id].n)
        return fail_set(f, E_INPUT, "token %d has no text that a grammar could read", id);
    walk_set *a = NULL, *b = NULL;
    str text = w->v->bytes[id];
    TRY(deep_set(w, 0, &a, f));
    TRY(deep_set(w, 1, &b, f));
    const walk_set *from = &w->sets[w->at];
    for (size_t i = 0; i < text.n; i++) {
        walk_set *to = i % 2 ? b : a;
        TRY(walker_step(&w->walker, from, (uint8_t)text.p[i], to, f));
        if (to->n == 0)
            return fail_set(f, E_INPUT, "token %d does not go on as the grammar says", id);
        from = to;
    }
    w->at = 1 - w->at;
    w->sets[w->at].n = from->n;
    w->sets[w->at].ends = from->ends;
    memcpy(w->sets[w->at].open, from->open, (size_t)from->n * sizeof *from->open);
    return E_OK;
}

bool grammar_walk_may_end(const grammar_walk *w) {
    return w->sets[w->at].ends;
}

bool grammar_walk_must_end(const grammar_walk *w) {
    byte_set may = walker_next_bytes(&w->walker, &w->sets[w->at]);
    return w->sets[w->at].ends && byte_set_empty(&may);
}

/* The only byte of a set; -1 where there are none or several. */
static int only_byte(const byte_set *s) {
    int found = -1;
    for (int i = 0; i < 4; i++) {
        if (!s->bits[i]) continue;
        if (found >= 0 || (s->bits[i] & (s->bits[i] - 1))) return -1;
        found = 64 * i + __builtin_ctzll(s->bits[i]);
    }
    return found;
}

size_t grammar_walk_forced(grammar_walk *w, char *out, size_t max) {
    walk_set *sets[2];
    const walk_set *from = &w->sets[w->at];
    size_t n = 0;
    for (int i = 0; i < 2; i++)
        if (deep_set(w, i, &sets[i], NULL) != E_OK) return 0;
    while (n < max && !from->ends) {
        byte_set may = walker_next_bytes(&w->walker, from);
        int b = only_byte(&may);
        if (b < 0 || walker_step(&w->walker, from, (uint8_t)b, sets[n % 2], NULL) != E_OK) break;
        from = sets[n % 2];
        out[n++] = (char)b;
    }
    return n;
}

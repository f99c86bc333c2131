/* grammar_trie.c - a vocabulary's life: its tries are built, it is let go with its masks; see
 * grammar_trie.h. */
#include "grammar/grammar_trie.h"

#include "base/mem.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

typedef struct piece {
    str bytes;
    uint64_t head; /* the first eight bytes, as a number that sorts alike */
    int32_t id, chars;
    uint8_t kinds, tier;
} piece;

/* ---- kinds ---- */

static uint8_t kind_of(uint32_t c) {
    if (c >= 'a' && c <= 'z') return TRIE_LOWER;
    if (c >= 'A' && c <= 'Z') return TRIE_UPPER;
    if (c >= '0' && c <= '9') return TRIE_DIGIT;
    if (c == ' ') return TRIE_SPACE;
    if (c < ' ' || c == '"' || c == '\\') return TRIE_ESCAPED;
    return c < 0x80 ? TRIE_MARK : TRIE_WIDE;
}

static void find_kinds(piece *p) {
    str rest = p->bytes;
    while (rest.n) {
        uint32_t c;
        size_t n = utf8_next(rest, &c);
        if (n == 0) { /* counted by bytes then, and as if each might be any of such */
            p->kinds |= TRIE_BROKEN | TRIE_WIDE;
            n = 1;
        } else {
            p->kinds |= kind_of(c);
        }
        p->chars++;
        rest = str_slice(rest, n, rest.n);
    }
    if (p->kinds & TRIE_BROKEN) p->chars = (int32_t)p->bytes.n;
    p->tier = p->chars <= 4 ? 0 : p->chars <= 8 ? 1 : p->chars <= 16 ? 2 : 3;
}

static int group_of(const piece *p) {
    return p->kinds * 4 + p->tier;
}

static uint64_t head_of(str bytes) {
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++) head = head << 8 | (i < bytes.n ? (uint8_t)bytes.p[i] : 0);
    return head;
}

static int by_group(const void *x, const void *y) {
    const piece *a = x, *b = y;
    int c = group_of(a) - group_of(b);
    if (!c) c = (a->head > b->head) - (a->head < b->head);
    if (!c) c = str_compare(a->bytes, b->bytes);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

/* ---- the tries ---- */

static size_t shared(const piece *a, const piece *b) {
    size_t n = 0, most = a->bytes.n < b->bytes.n ? a->bytes.n : b->bytes.n;
    if (group_of(a) != group_of(b)) return 0;
    while (n < most && a->bytes.p[n] == b->bytes.p[n]) n++;
    return n;
}

static bool begins_group(const piece *p, size_t i) {
    return i == 0 || group_of(&p[i]) != group_of(&p[i - 1]);
}

static err take_arrays(grammar_vocabulary *v, const piece *p, size_t n, fail *f) {
    trie *t = &v->trie;
    size_t nodes = 0, groups = 0;
    for (size_t i = 0; i < n; i++) {
        groups += begins_group(p, i);
        nodes += p[i].bytes.n - (i ? shared(&p[i - 1], &p[i]) : 0);
    }
    nodes += groups;
    if (nodes > INT32_MAX / 2) return fail_set(f, E_TOO_LARGE, "the vocabulary is too large");
    t->end = arena_new_n(&v->arena, int32_t, nodes);
    t->first_token = arena_new_n(&v->arena, int32_t, nodes + 1);
    t->tokens = arena_new_n(&v->arena, int32_t, n + 1);
    t->depth = arena_new_n(&v->arena, uint16_t, nodes);
    t->byte = arena_new_n(&v->arena, uint8_t, nodes);
    t->groups = arena_new_n(&v->arena, trie_group, groups);
    if (!t->end || !t->first_token || !t->tokens || !t->depth || !t->byte || !t->groups)
        return fail_memory(f, "a vocabulary's tries");
    return E_OK;
}

static void add_root(trie *t, const piece *p, size_t i) {
    t->groups[t->n_groups++] = (trie_group){.kinds = p->kinds, .root = t->n};
    t->first_token[t->n++] = (int32_t)i;
}

/* Sorted pieces become nodes in preorder: each adds what it does not share with the one before. A
 * node's first_token is the first piece of its subtree; a piece that ends at the node sorts before
 * those that go on, so the pieces up to the next node's first are the node's own. */
static void grow(trie *t, const piece *p, size_t n) {
    int32_t path[TRIE_TOKEN_BYTES_MAX + 1] = {0}, open = -1;
    for (size_t i = 0; i < n; i++) {
        size_t same = i ? shared(&p[i - 1], &p[i]) : 0;
        bool begins = begins_group(p, i);
        while (open > (begins ? -1 : (int32_t)same)) t->end[path[open--]] = t->n;
        if (begins) {
            path[++open] = t->n;
            add_root(t, &p[i], i);
        }
        trie_group *g = &t->groups[t->n_groups - 1];
        byte_set_add(&g->first, (uint8_t)p[i].bytes.p[0]);
        if (p[i].chars > g->longest) g->longest = p[i].chars;
        for (size_t k = same; k < p[i].bytes.n; k++) {
            t->byte[t->n] = (uint8_t)p[i].bytes.p[k];
            t->depth[t->n] = (uint16_t)(k + 1);
            t->first_token[t->n] = (int32_t)i;
            path[++open] = t->n++;
        }
        t->tokens[i] = p[i].id;
    }
    while (open >= 0) t->end[path[open--]] = t->n;
    t->first_token[t->n] = (int32_t)n;
}

/* Large groups have their tokens as bits: quicker to add than one by one. */
static err find_bits(grammar_vocabulary *v, fail *f) {
    trie *t = &v->trie;
    for (int32_t i = 0; i < t->n_groups; i++) {
        trie_group *g = &t->groups[i];
        int32_t from = t->first_token[g->root], to = t->first_token[t->end[g->root]];
        if (to - from < v->words / 2) continue;
        g->bits = arena_new_n(&v->arena, uint64_t, (size_t)v->words);
        if (!g->bits) return fail_memory(f, "a vocabulary");
        for (int32_t k = from; k < to; k++) trie_set(g->bits, t->tokens[k]);
    }
    return E_OK;
}

static err find_plain(grammar_vocabulary *v, const piece *p, size_t n, fail *f) {
    trie_plain *l = &v->plain;
    size_t longer = 0, bytes = (size_t)v->words * sizeof **l->upto;
    for (size_t i = 0; i < n; i++)
        longer += !(p[i].kinds & ~TRIE_PLAIN) && p[i].chars > TRIE_PLAIN_CHARS;
    l->longer = arena_new_n(&v->arena, int32_t, longer + 1);
    l->longer_chars = arena_new_n(&v->arena, int32_t, longer + 1);
    if (!l->longer || !l->longer_chars) return fail_memory(f, "a vocabulary");
    for (int i = 0; i <= TRIE_PLAIN_CHARS; i++) {
        l->upto[i] = arena_new_n(&v->arena, uint64_t, (size_t)v->words);
        if (!l->upto[i]) return fail_memory(f, "a vocabulary");
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i].kinds & ~TRIE_PLAIN) continue;
        if (p[i].chars <= TRIE_PLAIN_CHARS) {
            trie_set(l->upto[p[i].chars], p[i].id);
        } else {
            l->longer[l->n_longer] = p[i].id;
            l->longer_chars[l->n_longer++] = p[i].chars;
        }
    }
    for (int i = 1; i <= TRIE_PLAIN_CHARS; i++)
        for (size_t k = 0; k < bytes / sizeof **l->upto; k++) l->upto[i][k] |= l->upto[i - 1][k];
    return E_OK;
}

/* ---- a vocabulary ---- */

static err fill(grammar_vocabulary *v, const grammar_token *tokens, piece *p, fail *f) {
    str *bytes = arena_new_n(&v->arena, str, (size_t)v->n + 1);
    v->ends = arena_new_n(&v->arena, uint64_t, (size_t)v->words + 1);
    if (!bytes || !v->ends) return fail_memory(f, "a vocabulary");
    size_t n = 0;
    for (int32_t i = 0; i < v->n; i++) {
        if (tokens[i].ends) trie_set(v->ends, i);
        if (tokens[i].ends || !tokens[i].bytes.n || tokens[i].bytes.n > TRIE_TOKEN_BYTES_MAX)
            continue;
        bytes[i] = arena_str(&v->arena, tokens[i].bytes);
        if (!bytes[i].p) return fail_memory(f, "a vocabulary");
        p[n] = (piece){.bytes = bytes[i], .id = i, .head = head_of(bytes[i])};
        find_kinds(&p[n++]);
    }
    v->bytes = bytes;
    qsort(p, n, sizeof *p, by_group);
    TRY(take_arrays(v, p, n, f));
    grow(&v->trie, p, n);
    TRY(find_bits(v, f));
    return find_plain(v, p, n, f);
}

void trie_mask_free(lexer_mask *m) {
    if (!m) return;
    mem_free(m->bits);
    mem_free(m->tokens);
    mem_free(m->children);
    mem_free(m);
}

void grammar_vocabulary_close(grammar_vocabulary *v) {
    if (!v) return;
    for (const map_slot *s = NULL; (s = map_next(&v->masks, s));) trie_mask_free(s->value.p);
    map_deinit(&v->masks);
    mutex_deinit(&v->lock);
    arena_deinit(&v->arena);
    mem_free(v);
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
        v->n = n;
        v->words = (n + 63) / 64;
        if (e == E_OK) e = fill(v, tokens, p, f);
    }
    mem_free(p);
    if (e == E_OK)
        *out = v;
    else
        grammar_vocabulary_close(v);
    return e;
}

int32_t grammar_vocabulary_count(const grammar_vocabulary *v) {
    return v->n;
}

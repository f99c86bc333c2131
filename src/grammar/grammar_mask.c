/* grammar_mask.c - masks of lexer states over a vocabulary's tries; see grammar_trie.h.
 *
 * A mask is made once for a state of a lexer and kept. Groups of tokens are taken as a whole where
 * the lexer has a long enough runway from the state: it reads any so many characters of the group's
 * kinds. What is left is one pass over the group's trie, which leaves a subtree as soon as the
 * lexer is dead in it. Counted lexers know their runway without looking. */
#include "base/mem.h"
#include "grammar/grammar_trie.h"

#include <string.h>

enum { ENDLESS = INT32_MAX, RUNWAY_STATES = 64, RUNWAY_CHARS = TRIE_PLAIN_CHARS };

/* ---- runways ---- */

typedef struct runner {
    const lexer *l;
    int32_t seen[RUNWAY_STATES];
    int32_t n;
} runner;

/* false: dead, or too many states to tell */
static bool reach(runner *r, int32_t state) {
    if (state == LEXER_DEAD) return false;
    for (int32_t i = 0; i < r->n; i++)
        if (r->seen[i] == state) return true;
    if (r->n == RUNWAY_STATES) return false;
    r->seen[r->n++] = state;
    return true;
}

/* Any byte of the range, then `more` continuation bytes. */
static bool run_bytes(runner *r, int32_t state, const byte_set *range, int more) {
    static const byte_set rest = {.bits = {0, 0, UINT64_MAX, 0}};
    for (int32_t c = 0; c < r->l->classes; c++) {
        const byte_set *m = &r->l->members[c];
        for (int w = 0; w < 4; w++) {
            uint64_t both = m->bits[w] & range->bits[w];
            if (!both) continue;
            int32_t to = lexer_step(r->l, state, (uint8_t)(64 * w + __builtin_ctzll(both)));
            if (to == LEXER_DEAD || !(more ? run_bytes(r, to, &rest, more - 1) : reach(r, to)))
                return false;
            break; /* the bytes of a class behave alike */
        }
    }
    return true;
}

/* UTF-8 without overlong forms and surrogates: bytes that lead, the second ones, and how many
 * follow. */
static bool run_wide(runner *r, int32_t state) {
    static const uint8_t forms[][5] = {{0xc2, 0xdf, 0x80, 0xbf, 0}, {0xe0, 0xe0, 0xa0, 0xbf, 1},
                                       {0xe1, 0xec, 0x80, 0xbf, 1}, {0xed, 0xed, 0x80, 0x9f, 1},
                                       {0xee, 0xef, 0x80, 0xbf, 1}, {0xf0, 0xf0, 0x90, 0xbf, 2},
                                       {0xf1, 0xf3, 0x80, 0xbf, 2}, {0xf4, 0xf4, 0x80, 0x8f, 2}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        byte_set second = byte_set_range(forms[i][2], forms[i][3]);
        for (int b = forms[i][0]; b <= forms[i][1]; b++) {
            int32_t to = lexer_step(r->l, state, (uint8_t)b);
            if (to == LEXER_DEAD || !run_bytes(r, to, &second, forms[i][4])) return false;
        }
    }
    return true;
}

static byte_set ascii_of(uint8_t kinds) {
    byte_set s = {0}, mark = byte_set_range('!', 0x7f), control = byte_set_range(0, 0x1f);
    if (kinds & TRIE_LOWER) s = byte_set_or(s, byte_set_range('a', 'z'));
    if (kinds & TRIE_UPPER) s = byte_set_or(s, byte_set_range('A', 'Z'));
    if (kinds & TRIE_DIGIT) s = byte_set_or(s, byte_set_range('0', '9'));
    if (kinds & TRIE_SPACE) byte_set_add(&s, ' ');
    if (kinds & TRIE_BROKEN) s = byte_set_or(s, byte_set_range(0x80, 0xff));
    if (kinds & TRIE_ESCAPED) {
        byte_set_add(&control, '"');
        byte_set_add(&control, '\\');
        s = byte_set_or(s, control);
    }
    for (int b = '!'; kinds & TRIE_MARK && b <= 0x7f; b++) {
        bool other = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
                     b == '"' || b == '\\';
        if (byte_set_has(&mark, (uint8_t)b) && !other) byte_set_add(&s, (uint8_t)b);
    }
    return s;
}

/* How many characters of these kinds, any of them, the lexer reads from the state on. */
static int32_t runway(const lexer *l, int32_t state, uint8_t kinds) {
    runner r = {.l = l, .seen = {state}, .n = 1};
    byte_set bytes = ascii_of(kinds);
    bool wide = (kinds & (TRIE_WIDE | TRIE_BROKEN)) == TRIE_WIDE;
    for (int32_t chars = 0, from = 0; chars < RUNWAY_CHARS; chars++) {
        int32_t to = r.n;
        for (int32_t i = from; i < to; i++)
            if (!run_bytes(&r, r.seen[i], &bytes, 0) || (wide && !run_wide(&r, r.seen[i])))
                return chars;
        if (r.n == to) return ENDLESS;
        from = to;
    }
    return RUNWAY_CHARS;
}

/* ---- making a mask ---- */

typedef struct mask_job {
    const grammar_vocabulary *v;
    const lexer *l;
    int32_t state;
    uint64_t *bits; /* [words] */
    int32_t *children;
    int32_t n, room;
    int32_t runways[256]; /* by kinds; -1: not known yet */
} mask_job;

static void add_bits(uint64_t *to, const uint64_t *from, int32_t words) {
    for (int32_t i = 0; i < words; i++) to[i] |= from[i];
}

static err add_child(mask_job *j, int32_t node, fail *f) {
    if (j->n == j->room) {
        int32_t room = j->room ? 2 * j->room : 256;
        int32_t *more = mem_alloc((size_t)room * sizeof *more);
        if (!more) return fail_memory(f, "a mask");
        if (j->n) memcpy(more, j->children, (size_t)j->n * sizeof *more);
        mem_free(j->children);
        j->children = more;
        j->room = room;
    }
    j->children[j->n++] = node;
    return E_OK;
}

static err pass(mask_job *j, const trie_group *g, fail *f) {
    const trie *t = &j->v->trie;
    int32_t states[TRIE_TOKEN_BYTES_MAX + 1];
    states[0] = j->state;
    for (int32_t i = g->root + 1; i < t->end[g->root];) {
        int32_t d = t->depth[i], before = states[d - 1], q = lexer_step(j->l, before, t->byte[i]);
        /* the lexer may end before this byte, and not at the root: others see to that */
        if (d > 1 && lexer_accepts(j->l, before)) TRY(add_child(j, i, f));
        if (q == LEXER_DEAD) {
            i = t->end[i];
            continue;
        }
        states[d] = q;
        for (int32_t k = t->first_token[i]; k < t->first_token[i + 1]; k++)
            trie_set(j->bits, t->tokens[k]);
        i++;
    }
    return E_OK;
}

static void add_plain(mask_job *j, int32_t chars) {
    const trie_plain *p = &j->v->plain;
    add_bits(j->bits, p->upto[chars < TRIE_PLAIN_CHARS ? chars : TRIE_PLAIN_CHARS], j->v->words);
    for (int32_t i = 0; chars > TRIE_PLAIN_CHARS && i < p->n_longer; i++)
        if (p->longer_chars[i] <= chars) trie_set(j->bits, p->longer[i]);
}

static void add_group(mask_job *j, const trie_group *g) {
    const trie *t = &j->v->trie;
    if (g->bits) {
        add_bits(j->bits, g->bits, j->v->words);
        return;
    }
    for (int32_t k = t->first_token[g->root]; k < t->first_token[t->end[g->root]]; k++)
        trie_set(j->bits, t->tokens[k]);
}

static bool meet(const byte_set *a, const byte_set *b) {
    return (a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1]) | (a->bits[2] & b->bits[2]) |
           (a->bits[3] & b->bits[3]);
}

/* Characters that are left before a counted string must end; -1: not between two characters. */
static int32_t counted_runway(const lexer *l, int32_t state) {
    if (!l->inside || state % l->states != l->inside) return -1;
    return l->most < 0 ? ENDLESS : l->most - state / l->states;
}

static err find_tokens(mask_job *j, fail *f) {
    const trie *t = &j->v->trie;
    byte_set next = lexer_next_bytes(j->l, j->state);
    int32_t counted = counted_runway(j->l, j->state),
            plain = counted >= 0 ? counted : runway(j->l, j->state, TRIE_PLAIN);
    memset(j->runways, -1, sizeof j->runways);
    if (plain > 0) add_plain(j, plain);
    for (int32_t i = 0; i < t->n_groups; i++) {
        const trie_group *g = &t->groups[i];
        int32_t *run = &j->runways[g->kinds];
        bool is_plain = !(g->kinds & ~TRIE_PLAIN);
        if (is_plain && (counted >= 0 || g->longest <= plain)) continue;
        if (!meet(&g->first, &next)) continue;
        if (*run < 0) *run = counted >= 0 ? 0 : runway(j->l, j->state, g->kinds);
        if (g->longest <= *run)
            add_group(j, g);
        else
            TRY(pass(j, g, f));
    }
    return E_OK;
}

/* The children by their byte. */
static err keep_children(const mask_job *j, lexer_mask *m, fail *f) {
    const uint8_t *byte = j->v->trie.byte;
    int32_t at[256] = {0}, total = 0;
    m->children = mem_alloc(((size_t)j->n + 1) * sizeof *m->children);
    if (!m->children) return fail_memory(f, "a mask");
    for (int32_t i = 0; i < j->n; i++) at[byte[j->children[i]]]++;
    for (int b = 0; b < 256; b++) {
        int32_t n = at[b];
        m->first_child[b] = at[b] = total;
        total += n;
    }
    m->first_child[256] = total;
    for (int32_t i = 0; i < j->n; i++) m->children[at[byte[j->children[i]]]++] = j->children[i];
    m->bytes += (size_t)total * sizeof *m->children;
    return E_OK;
}

/* The job's bits become the mask's, or a list where they are few. */
static err keep_tokens(mask_job *j, lexer_mask *m, fail *f) {
    int32_t n = 0, words = j->v->words;
    for (int32_t i = 0; i < words; i++) n += __builtin_popcountll(j->bits[i]);
    if (n > words / 2) {
        m->bits = j->bits;
        j->bits = NULL;
        m->bytes += (size_t)words * sizeof *m->bits;
        return E_OK;
    }
    m->tokens = mem_alloc(((size_t)n + 1) * sizeof *m->tokens);
    if (!m->tokens) return fail_memory(f, "a mask");
    for (int32_t i = 0; i < words; i++)
        for (uint64_t w = j->bits[i]; w; w &= w - 1)
            m->tokens[m->n_tokens++] = 64 * i + __builtin_ctzll(w);
    m->bytes += (size_t)n * sizeof *m->tokens;
    return E_OK;
}

static err make_mask(const grammar_vocabulary *v, const lexer *l, int32_t state, lexer_mask **out,
                     fail *f) {
    mask_job j = {.v = v, .l = l, .state = state};
    lexer_mask *m = mem_zero(sizeof *m);
    j.bits = mem_zero(((size_t)v->words + 1) * sizeof *j.bits);
    err e = m && j.bits ? find_tokens(&j, f) : fail_memory(f, "a mask");
    if (e == E_OK) {
        m->bytes = sizeof *m;
        e = keep_children(&j, m, f);
    }
    if (e == E_OK) e = keep_tokens(&j, m, f);
    mem_free(j.bits);
    mem_free(j.children);
    if (e == E_OK)
        *out = m;
    else
        trie_mask_free(m);
    return e;
}

/* ---- the cache ---- */

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
        trie_mask_free(m);
    }
    map_deinit(&v->masks);
    v->masks = kept;
}

static lexer_mask *known_mask(grammar_vocabulary *v, str key) {
    lexer_mask *m = map_get_ptr(&v->masks, key);
    if (m) m->users++;
    return m;
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 31;
}

/* Of a counted lexer it only matters how many characters may and must still come, up to the longest
 * token's; the automaton is that of all such lexers. */
static void key_of(const lexer *l, int32_t state, uint64_t key[2]) {
    key[0] = l->hash;
    key[1] = (uint64_t)state;
    if (!l->inside) return;
    int32_t count = state / l->states, may = l->most < 0 ? ENDLESS : l->most - count,
            must = l->least > count ? l->least - count : 0;
    if (may > TRIE_TOKEN_BYTES_MAX) may = TRIE_TOKEN_BYTES_MAX;
    if (must > TRIE_TOKEN_BYTES_MAX) must = TRIE_TOKEN_BYTES_MAX;
    key[0] = mix(l->base_hash, 1);
    key[1] = (uint64_t)(state % l->states) << 32 | (uint64_t)may << 16 | (uint64_t)must;
}

err trie_mask_take(grammar_vocabulary *v, const lexer *l, int32_t state, lexer_mask **out,
                   fail *f) {
    lexer_mask *made;
    uint64_t words[2];
    key_of(l, state, words);
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
    trie_mask_free(made);
    return e;
}

void trie_mask_give(grammar_vocabulary *v, lexer_mask *m) {
    mutex_lock(&v->lock);
    m->users--;
    mutex_unlock(&v->lock);
}

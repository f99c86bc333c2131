/* grammar_lexer.c - expressions to non-deterministic to deterministic automata (Thompson 1968,
 * subset construction), products of two, minimised by Moore's rounds; see grammar_lexer.h. */
#include "grammar/grammar_lexer.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PARTITION_WORK_MAX = 4000000, FOLLOWS_STATES_MAX = 256 };

/* ---- byte sets ---- */

byte_set byte_set_range(int from, int to) {
    byte_set s = {0};
    for (int b = from; b <= to; b++) byte_set_add(&s, (uint8_t)b);
    return s;
}
byte_set byte_set_or(byte_set a, byte_set b) {
    for (int i = 0; i < 4; i++) a.bits[i] |= b.bits[i];
    return a;
}
byte_set byte_set_not(byte_set a) {
    for (int i = 0; i < 4; i++) a.bits[i] = ~a.bits[i];
    return a;
}
bool byte_set_empty(const byte_set *s) {
    return !(s->bits[0] | s->bits[1] | s->bits[2] | s->bits[3]);
}

/* ---- expressions ---- */

static const lexer_expr *put(arena *a, lexer_expr e) {
    lexer_expr *out = arena_alloc(a, sizeof *out);
    if (out) *out = e;
    return out;
}
const lexer_expr *lexer_empty(arena *a) {
    return put(a, (lexer_expr){.op = LEXER_CAT});
}
const lexer_expr *lexer_bytes(arena *a, byte_set set) {
    return put(a, (lexer_expr){.op = LEXER_BYTES, .bytes = set});
}
const lexer_expr *lexer_cat(arena *a, const lexer_expr *x, const lexer_expr *y) {
    return x && y ? put(a, (lexer_expr){.op = LEXER_CAT, .a = x, .b = y}) : NULL;
}

/* The single bytes among e's alternatives, kept in front as one; NULL: none. */
static const lexer_expr *single_bytes(const lexer_expr *e) {
    if (e->op == LEXER_BYTES) return e;
    return e->op == LEXER_ALT && e->a->op == LEXER_BYTES ? e->a : NULL;
}

/* x and y as alternatives; NULL stands for none. */
static const lexer_expr *either(arena *a, const lexer_expr *x, const lexer_expr *y) {
    return !x ? y : !y ? x : put(a, (lexer_expr){.op = LEXER_ALT, .a = x, .b = y});
}

const lexer_expr *lexer_alt(arena *a, const lexer_expr *x, const lexer_expr *y) {
    if (!x || !y) return NULL;
    const lexer_expr *in_x = single_bytes(x), *in_y = single_bytes(y), *bytes = in_x ? in_x : in_y;
    const lexer_expr *rest = either(a,
                                    !in_x       ? x
                                    : x == in_x ? NULL
                                                : x->b,
                                    !in_y       ? y
                                    : y == in_y ? NULL
                                                : y->b);
    if (in_x && in_y) bytes = lexer_bytes(a, byte_set_or(in_x->bytes, in_y->bytes));
    if ((in_x && in_y && !bytes) || (!rest && (x != in_x || y != in_y))) return NULL; /* memory */
    return either(a, bytes, rest);
}
const lexer_expr *lexer_repeat(arena *a, const lexer_expr *x, int32_t least, int32_t most) {
    return x ? put(a, (lexer_expr){.op = LEXER_REPEAT, .a = x, .least = least, .most = most})
             : NULL;
}
const lexer_expr *lexer_text(arena *a, str text) {
    const lexer_expr *e = lexer_empty(a);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t b = (uint8_t)text.p[i];
        e = lexer_cat(a, e, lexer_bytes(a, byte_set_range(b, b)));
    }
    return e;
}

/* ---- characters as UTF-8 ---- */

static int utf8_bytes(uint32_t c, uint8_t out[4]) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* Characters whose encodings have n bytes and differ only as a rectangle of bytes, or are split
 * into such: the bytes from `at` on lie between those of lo and hi. */
static const lexer_expr *between(arena *a, const uint8_t *lo, const uint8_t *hi, int at, int n) {
    if (at == n) return lexer_empty(a);
    if (lo[at] == hi[at])
        return lexer_cat(a, lexer_bytes(a, byte_set_range(lo[at], lo[at])),
                         between(a, lo, hi, at + 1, n));
    uint8_t top[4], bottom[4];
    memset(top, 0xbf, 4);
    memset(bottom, 0x80, 4);
    const lexer_expr *first = lexer_cat(a, lexer_bytes(a, byte_set_range(lo[at], lo[at])),
                                        between(a, lo, top, at + 1, n)),
                     *last = lexer_cat(a, lexer_bytes(a, byte_set_range(hi[at], hi[at])),
                                       between(a, bottom, hi, at + 1, n)),
                     *all = lexer_alt(a, first, last);
    if (hi[at] - lo[at] < 2) return all;
    return lexer_alt(a, all,
                     lexer_cat(a, lexer_bytes(a, byte_set_range(lo[at] + 1, hi[at] - 1)),
                               between(a, bottom, top, at + 1, n)));
}

const lexer_expr *lexer_chars(arena *a, uint32_t from, uint32_t to) {
    static const uint32_t ends[] = {0x7f, 0x7ff, 0xd7ff, 0xdfff, 0xffff, 0x10ffff};
    const lexer_expr *all = NULL;
    uint32_t begin = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; begin = ends[i++] + 1) {
        uint32_t lo = from > begin ? from : begin, hi = to < ends[i] ? to : ends[i];
        if (lo > hi || ends[i] == 0xdfff) continue; /* surrogates are no characters */
        uint8_t first[4], last[4];
        int n = utf8_bytes(lo, first);
        utf8_bytes(hi, last);
        const lexer_expr *part = between(a, first, last, 0, n);
        if (!part) return NULL;
        all = all ? lexer_alt(a, all, part) : part;
    }
    return all ? all : lexer_bytes(a, (byte_set){0});
}

/* ---- non-deterministic: a state has one edge on bytes, or up to two on nothing ---- */

typedef struct nfa_state {
    byte_set bytes;
    int32_t to[2]; /* -1: none. With on_bytes only to[0] is used */
    bool on_bytes;
} nfa_state;

typedef struct nfa {
    nfa_state *s;
    int32_t n, room;
} nfa;

static err nfa_add(nfa *m, nfa_state s, int32_t *out, fail *f) {
    if (m->n == LEXER_NFA_MAX)
        return fail_set(f, E_TOO_LARGE, "the pattern needs more than %d states", LEXER_NFA_MAX);
    if (m->n == m->room) {
        int32_t room = m->room ? 2 * m->room : 256;
        nfa_state *more = mem_alloc((size_t)room * sizeof *more);
        if (!more) return fail_memory(f, "a pattern");
        if (m->n) memcpy(more, m->s, (size_t)m->n * sizeof *more);
        mem_free(m->s);
        m->s = more;
        m->room = room;
    }
    m->s[m->n] = s;
    *out = m->n++;
    return E_OK;
}

static err nfa_fork(nfa *m, int32_t x, int32_t y, int32_t *out, fail *f) {
    return nfa_add(m, (nfa_state){.to = {x, y}}, out, f);
}

/* The states of e in front of `next`; built from the end, so that depth is that of the tree only.
 */
static err nfa_put(nfa *m, const lexer_expr *e, int32_t next, int32_t *out, fail *f);

static err nfa_repeat(nfa *m, const lexer_expr *e, int32_t next, int32_t *out, fail *f) {
    int32_t at = next, inner;
    if (e->least > LEXER_REPEAT_MAX || e->most > LEXER_REPEAT_MAX)
        return fail_set(f, E_TOO_LARGE, "a repetition of %d is above the limit of %d",
                        e->most > e->least ? e->most : e->least, LEXER_REPEAT_MAX);
    if (e->most < 0) {
        TRY(nfa_fork(m, next, -1, &at, f));
        TRY(nfa_put(m, e->a, at, &inner, f));
        m->s[at].to[1] = inner;
    }
    for (int32_t i = e->least; i < e->most; i++) {
        TRY(nfa_put(m, e->a, at, &inner, f));
        TRY(nfa_fork(m, inner, next, &at, f));
    }
    for (int32_t i = 0; i < e->least; i++) TRY(nfa_put(m, e->a, at, &at, f));
    *out = at;
    return E_OK;
}

static err nfa_put(nfa *m, const lexer_expr *e, int32_t next, int32_t *out, fail *f) {
    int32_t x, y;
    for (; e->op == LEXER_CAT; e = e->a) { /* texts are long chains to the left */
        if (!e->a) {
            *out = next;
            return E_OK;
        }
        TRY(nfa_put(m, e->b, next, &next, f));
    }
    if (e->op == LEXER_BYTES)
        return nfa_add(m, (nfa_state){.bytes = e->bytes, .to = {next, -1}, .on_bytes = true}, out,
                       f);
    if (e->op == LEXER_REPEAT) return nfa_repeat(m, e, next, out, f);
    TRY(nfa_put(m, e->a, next, &x, f));
    TRY(nfa_put(m, e->b, next, &y, f));
    return nfa_fork(m, x, y, out, f);
}

/* ---- a deterministic automaton being built ---- */

typedef struct draft {
    int32_t *next; /* [room, classes] */
    bool *accepts; /* [room] */
    int32_t n, room, classes;
    int64_t work; /* done on it so far, in steps over a state's members or classes */
    uint8_t class_of[256];
} draft;

/* A short pattern may stand for an automaton that takes minutes to build: steps are counted. */
static err spend(draft *d, int64_t steps, fail *f) {
    d->work += steps;
    if (d->work <= LEXER_WORK_MAX) return E_OK;
    fail_set(f, E_TOO_LARGE, "the pattern takes more than %d steps to compile", LEXER_WORK_MAX);
    return fail_hint(f, "avoid .* before counted repetitions, and long ones of alternatives");
}

static void draft_free(draft *d) {
    mem_free(d->next);
    mem_free(d->accepts);
}

static err draft_add(draft *d, bool accepts, int32_t *out, fail *f) {
    if (d->n == LEXER_STATES_MAX)
        return fail_set(f, E_TOO_LARGE, "the pattern's automaton needs more than %d states",
                        LEXER_STATES_MAX);
    if (d->n == d->room) {
        int32_t room = d->room ? 2 * d->room : 64;
        int32_t *next = mem_zero((size_t)room * (size_t)d->classes * sizeof *next);
        bool *flags = mem_zero((size_t)room);
        if (next && flags && d->n) {
            memcpy(next, d->next, (size_t)d->n * (size_t)d->classes * sizeof *next);
            memcpy(flags, d->accepts, (size_t)d->n);
        }
        if (next && flags) {
            draft_free(d);
            d->next = next;
            d->accepts = flags;
            d->room = room;
        } else {
            mem_free(next);
            mem_free(flags);
            return fail_memory(f, "a pattern");
        }
    }
    d->accepts[d->n] = accepts;
    *out = d->n++;
    return E_OK;
}

/* Bytes that no set of the automaton tells apart share a class. */
static void classes_of(draft *d, const nfa *m) {
    d->classes = 1;
    for (int32_t i = 0; i < m->n && d->classes < 256; i++) {
        if (!m->s[i].on_bytes) continue;
        int16_t split[256];
        memset(split, -1, sizeof split);
        for (int b = 0; b < 256; b++) {
            uint8_t *c = &d->class_of[b];
            if (!byte_set_has(&m->s[i].bytes, (uint8_t)b)) continue;
            bool whole = true;
            if (split[*c] < 0) {
                for (int k = 0; k < 256 && whole; k++)
                    whole = d->class_of[k] != *c || byte_set_has(&m->s[i].bytes, (uint8_t)k);
                split[*c] = whole ? *c : (int16_t)d->classes++;
            }
            *c = (uint8_t)split[*c];
        }
    }
}

/* ---- subset construction ---- */

typedef struct subset_job {
    const nfa *m;
    int32_t end; /* the accepting state */
    draft *d;
    arena sets;                    /* keys of `known` live here */
    map known;                     /* sorted states as bytes -> deterministic state */
    str *members;                  /* [LEXER_STATES_MAX] of each deterministic state */
    int32_t *stack, *marks, *list; /* [m->n] */
    int32_t mark, listed;
    int32_t reached; /* states looked at by reach */
} subset_job;

static void reach(subset_job *j, int32_t from) {
    int32_t depth = 0;
    j->stack[depth++] = from;
    while (depth > 0) {
        int32_t at = j->stack[--depth];
        if (j->marks[at] == j->mark) continue;
        j->marks[at] = j->mark;
        j->reached++;
        const nfa_state *s = &j->m->s[at];
        if (s->on_bytes || at == j->end) j->list[j->listed++] = at;
        for (int i = 0; i < 2 && !s->on_bytes; i++)
            if (s->to[i] >= 0 && j->marks[s->to[i]] != j->mark) j->stack[depth++] = s->to[i];
    }
}

static int by_number(const void *x, const void *y) {
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return (a > b) - (a < b);
}

static void sort_list(int32_t *list, int32_t n) {
    if (n > 32) {
        qsort(list, (size_t)n, sizeof *list, by_number);
        return;
    }
    for (int32_t i = 1; i < n; i++) {
        int32_t v = list[i], k = i;
        for (; k > 0 && list[k - 1] > v; k--) list[k] = list[k - 1];
        list[k] = v;
    }
}

/* The listed states as a deterministic one, new or known; an empty list is the dead one. The list
 * is in order of marking; a sorted copy makes it one key. */
static err state_of(subset_job *j, int32_t *out, fail *f) {
    if (j->listed == 0) {
        *out = LEXER_DEAD;
        return E_OK;
    }
    TRY(spend(j->d, j->listed, f));
    sort_list(j->list, j->listed);
    str key = {(const char *)j->list, (size_t)j->listed * sizeof *j->list};
    int64_t known;
    if (map_get(&j->known, key, &known)) {
        *out = (int32_t)known;
        return E_OK;
    }
    bool accepts = false;
    for (int32_t i = 0; i < j->listed; i++) accepts = accepts || j->list[i] == j->end;
    TRY(draft_add(j->d, accepts, out, f));
    j->members[*out] = arena_str(&j->sets, key);
    if (!j->members[*out].p) return fail_memory(f, "a pattern");
    return map_put(&j->known, j->members[*out], *out, f);
}

static err expand(subset_job *j, int32_t state, fail *f) {
    uint8_t byte_of[256];
    for (int b = 255; b >= 0; b--) byte_of[j->d->class_of[b]] = (uint8_t)b;
    for (int32_t c = 0; c < j->d->classes; c++) {
        const int32_t *from = (const int32_t *)(const void *)j->members[state].p;
        size_t n = j->members[state].n / sizeof *from;
        int32_t to;
        j->mark++;
        j->listed = j->reached = 0;
        for (size_t i = 0; i < n; i++) {
            const nfa_state *s = &j->m->s[from[i]];
            if (s->on_bytes && byte_set_has(&s->bytes, byte_of[c])) reach(j, s->to[0]);
        }
        TRY(spend(j->d, (int64_t)n + j->reached, f));
        TRY(state_of(j, &to, f));
        j->d->next[state * j->d->classes + c] = to;
    }
    return E_OK;
}

static err determinise(subset_job *j, int32_t start, int32_t *first, fail *f) {
    int32_t dead;
    TRY(draft_add(j->d, false, &dead, f));
    CHECK(dead == LEXER_DEAD);
    j->mark = 1;
    reach(j, start);
    TRY(state_of(j, first, f));
    for (int32_t s = 1; s < j->d->n; s++) TRY(expand(j, s, f));
    return E_OK;
}

/* ---- minimising, and into the arena ---- */

static uint64_t mix(uint64_t h, uint64_t v) {
    h ^= v;
    h *= 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

/* Marks states from which an accepting one can be reached; others become dead. */
static err bury(draft *d, bool *alive, fail *f) {
    for (bool changed = true; changed;) {
        changed = false;
        TRY(spend(d, (int64_t)d->n, f));
        for (int32_t s = d->n - 1; s > 0; s--) {
            bool now = d->accepts[s];
            for (int32_t c = 0; c < d->classes && !now; c++)
                now = alive[d->next[s * d->classes + c]];
            changed = changed || (now && !alive[s]);
            alive[s] = alive[s] || now;
        }
    }
    for (int64_t i = 0; i < (int64_t)d->n * d->classes; i++)
        if (!alive[d->next[i]]) d->next[i] = LEXER_DEAD;
    return E_OK;
}

/* Moore's rounds: block[s] numbers what cannot be told apart, in order of the first member. Long
 * chains take as many rounds as they are long: above PARTITION_WORK_MAX all states are kept, which
 * costs memory and changes no text. */
static err partition(const draft *d, int32_t *block, int32_t *blocks, fail *f) {
    int64_t work = 0;
    uint64_t *sign = mem_alloc((size_t)d->n * sizeof *sign);
    if (!sign) return fail_memory(f, "a pattern");
    err e = E_OK;
    *blocks = 0;
    for (int32_t s = 0; s < d->n; s++) block[s] = d->accepts[s];
    for (int32_t last = -1; e == E_OK && last != *blocks;) {
        map found;
        work += (int64_t)d->n * (d->classes + 16);
        if (work > PARTITION_WORK_MAX) {
            for (int32_t s = 0; s < d->n; s++) block[s] = s;
            *blocks = d->n;
            break;
        }
        map_init(&found, NULL);
        last = *blocks;
        *blocks = 0;
        for (int32_t s = 0; s < d->n; s++) {
            uint64_t h = mix(0, (uint64_t)block[s]);
            for (int32_t c = 0; c < d->classes; c++)
                h = mix(h, (uint64_t)block[d->next[s * d->classes + c]]);
            sign[s] = h;
        }
        for (int32_t s = 0; e == E_OK && s < d->n; s++) {
            int64_t known;
            str key = {(const char *)&sign[s], sizeof *sign};
            if (!map_get(&found, key, &known)) {
                known = (*blocks)++;
                e = map_put(&found, key, known, f);
            }
            block[s] = (int32_t)known;
        }
        map_deinit(&found);
    }
    mem_free(sign);
    return e;
}

static err find_members(lexer *l, arena *to, fail *f) {
    byte_set *members = arena_new_n(to, byte_set, (size_t)l->classes);
    if (!members) return fail_memory(f, "a pattern");
    for (int b = 0; b < 256; b++) byte_set_add(&members[l->class_of[b]], (uint8_t)b);
    l->members = members;
    if (l->states > FOLLOWS_STATES_MAX) return E_OK;
    byte_set *follows = arena_new_n(to, byte_set, (size_t)l->states);
    if (!follows) return fail_memory(f, "a pattern");
    for (int32_t s = 0; s < l->states; s++) follows[s] = lexer_next_bytes(l, s);
    l->follows = follows;
    return E_OK;
}

static err keep(const lexer **out, arena *to, const draft *d, const int32_t *block, int32_t blocks,
                int32_t start, fail *f) {
    lexer *l = arena_new(to, lexer);
    int32_t *next = arena_new_n(to, int32_t, (size_t)blocks * (size_t)d->classes);
    bool *accepts = arena_new_n(to, bool, (size_t)blocks);
    if (!l || !next || !accepts) return fail_memory(f, "a pattern");
    uint64_t hash = mix((uint64_t)blocks, (uint64_t)block[start]);
    for (int32_t s = 0; s < d->n; s++) {
        accepts[block[s]] = d->accepts[s];
        for (int32_t c = 0; c < d->classes; c++)
            next[block[s] * d->classes + c] = block[d->next[s * d->classes + c]];
    }
    for (int32_t s = 0; s < blocks; s++) {
        hash = mix(hash, accepts[s]);
        for (int b = 0; b < 256; b++)
            hash = mix(hash, (uint64_t)next[s * d->classes + d->class_of[b]]);
    }
    *l = (lexer){.states = blocks,
                 .start = block[start],
                 .classes = d->classes,
                 .next = next,
                 .accepts = accepts,
                 .hash = hash};
    memcpy(l->class_of, d->class_of, sizeof l->class_of);
    TRY(find_members(l, to, f));
    *out = l;
    return E_OK;
}

static err finish(const lexer **out, arena *to, draft *d, int32_t start, fail *f) {
    bool *alive = mem_zero((size_t)d->n);
    int32_t *block = mem_alloc((size_t)d->n * sizeof *block), blocks = 0;
    err e = alive && block ? E_OK : fail_memory(f, "a pattern");
    if (e == E_OK) e = bury(d, alive, f);
    if (e == E_OK) {
        if (!alive[start]) start = LEXER_DEAD;
        e = partition(d, block, &blocks, f);
    }
    if (e == E_OK) e = keep(out, to, d, block, blocks, start, f);
    mem_free(alive);
    mem_free(block);
    return e;
}

err lexer_build(const lexer **out, arena *to, const lexer_expr *e, fail *f) {
    nfa m = {0};
    draft d = {0};
    subset_job j = {.m = &m, .d = &d};
    int32_t start = 0, first = 0;
    if (!e) return fail_memory(f, "a pattern");
    arena_init(&j.sets, 0);
    map_init(&j.known, NULL);
    err r = nfa_add(&m, (nfa_state){.to = {-1, -1}}, &j.end, f);
    if (r == E_OK) r = nfa_put(&m, e, j.end, &start, f);
    if (r == E_OK) {
        classes_of(&d, &m);
        j.stack = mem_alloc(4 * (size_t)m.n * sizeof *j.stack);
        j.marks = mem_zero((size_t)m.n * sizeof *j.marks);
        j.list = mem_alloc((size_t)m.n * sizeof *j.list);
        j.members = mem_zero(LEXER_STATES_MAX * sizeof *j.members);
        r = j.stack && j.marks && j.list && j.members ? determinise(&j, start, &first, f)
                                                      : fail_memory(f, "a pattern");
    }
    if (r == E_OK) r = finish(out, to, &d, first, f);
    map_deinit(&j.known);
    arena_deinit(&j.sets);
    mem_free(j.stack);
    mem_free(j.marks);
    mem_free(j.list);
    mem_free(j.members);
    mem_free(m.s);
    draft_free(&d);
    return r;
}

/* ---- products ---- */

typedef enum product_op { BOTH, ONLY_FIRST, EITHER } product_op;

typedef struct product_job {
    const lexer *x, *y;
    product_op op;
    draft d;
    map known;      /* pair -> state */
    uint64_t *pair; /* [LEXER_STATES_MAX] */
} product_job;

static err pair_state(product_job *j, int32_t x, int32_t y, int32_t *out, fail *f) {
    int64_t known;
    bool x_dead = x == LEXER_DEAD, y_dead = y == LEXER_DEAD;
    if (j->op == EITHER ? x_dead && y_dead : x_dead || (j->op == BOTH && y_dead)) {
        *out = LEXER_DEAD;
        return E_OK;
    }
    uint64_t pair = (uint64_t)x << 32 | (uint32_t)y;
    if (map_get(&j->known, (str){(const char *)&pair, sizeof pair}, &known)) {
        *out = (int32_t)known;
        return E_OK;
    }
    bool in_x = lexer_accepts(j->x, x), in_y = lexer_accepts(j->y, y);
    bool in = j->op == EITHER ? in_x || in_y : in_x && in_y == (j->op == BOTH);
    TRY(draft_add(&j->d, in, out, f));
    j->pair[*out] = pair;
    return map_put(&j->known, (str){(const char *)&j->pair[*out], sizeof pair}, *out, f);
}

static void product_classes(product_job *j) {
    int16_t class_of[256][256];
    memset(class_of, -1, sizeof class_of);
    for (int b = 0; b < 256; b++) {
        int16_t *c = &class_of[j->x->class_of[b]][j->y->class_of[b]];
        if (*c < 0) *c = (int16_t)j->d.classes++;
        j->d.class_of[b] = (uint8_t)*c;
    }
}

static err product_fill(product_job *j, int32_t *first, fail *f) {
    int32_t dead;
    uint8_t byte_of[256];
    product_classes(j);
    for (int b = 255; b >= 0; b--) byte_of[j->d.class_of[b]] = (uint8_t)b;
    TRY(draft_add(&j->d, false, &dead, f));
    TRY(pair_state(j, j->x->start, j->y->start, first, f));
    for (int32_t s = 1; s < j->d.n; s++)
        for (int32_t c = 0; c < j->d.classes; c++) {
            int32_t to;
            TRY(pair_state(j, lexer_step(j->x, (int32_t)(j->pair[s] >> 32), byte_of[c]),
                           lexer_step(j->y, (int32_t)(uint32_t)j->pair[s], byte_of[c]), &to, f));
            j->d.next[s * j->d.classes + c] = to;
        }
    return E_OK;
}

static err product(const lexer **out, arena *to, const lexer *x, const lexer *y, product_op op,
                   fail *f) {
    product_job j = {.x = x, .y = y, .op = op};
    int32_t first = 0;
    map_init(&j.known, NULL);
    j.pair = mem_alloc(LEXER_STATES_MAX * sizeof *j.pair);
    err e = j.pair ? product_fill(&j, &first, f) : fail_memory(f, "a pattern");
    if (e == E_OK) e = finish(out, to, &j.d, first, f);
    map_deinit(&j.known);
    mem_free(j.pair);
    draft_free(&j.d);
    return e;
}

err lexer_subtract(const lexer **out, arena *to, const lexer *x, const lexer *y, fail *f) {
    return product(out, to, x, y, ONLY_FIRST, f);
}
err lexer_intersect(const lexer **out, arena *to, const lexer *x, const lexer *y, fail *f) {
    return product(out, to, x, y, BOTH, f);
}
err lexer_unite(const lexer **out, arena *to, const lexer *x, const lexer *y, fail *f) {
    return product(out, to, x, y, EITHER, f);
}

/* ---- counted ---- */

err lexer_count(const lexer **out, arena *to, const lexer *base, int32_t least, int32_t most,
                fail *f) {
    lexer *l = arena_new(to, lexer);
    if (!l) return fail_memory(f, "a string's length");
    if (least > LEXER_COUNT_MAX || most > LEXER_COUNT_MAX)
        return fail_set(f, E_TOO_LARGE, "a string's length of %d is above the limit of %d",
                        most > least ? most : least, LEXER_COUNT_MAX);
    *l = *base;
    l->inside = lexer_step(base, base->start, '"');
    l->least = least > 0 ? least : 0;
    l->most = most;
    CHECK(!base->inside && l->inside && base->states < INT32_MAX / LEXER_COUNT_MAX);
    if (most >= 0 && most < least) l->start = LEXER_DEAD;
    l->base_hash = base->hash;
    l->follows = NULL;
    l->hash = mix(mix(base->hash, (uint64_t)l->least), (uint64_t)l->most);
    *out = l;
    return E_OK;
}

int32_t lexer_step_counted(const lexer *l, int32_t state, uint8_t byte) {
    int32_t count = state / l->states, at = state % l->states,
            to = l->next[at * l->classes + l->class_of[byte]];
    if (to == LEXER_DEAD) return LEXER_DEAD;
    if (at != l->inside) return count * l->states + to;
    if (l->accepts[to]) return count >= l->least ? to : LEXER_DEAD;
    if (count == l->most) return LEXER_DEAD;
    if (l->most >= 0 || count < l->least) count++; /* nobody asks how many there are above that */
    return count * l->states + to;
}

byte_set lexer_next_bytes(const lexer *l, int32_t state) {
    byte_set out = {0};
    if (l->follows) return l->follows[state];
    for (int32_t c = 0; c < l->classes; c++) {
        const byte_set *s = &l->members[c];
        int word = s->bits[0] ? 0 : s->bits[1] ? 1 : s->bits[2] ? 2 : 3;
        if (!s->bits[word]) continue;
        uint8_t any = (uint8_t)(64 * word + __builtin_ctzll(s->bits[word]));
        if (lexer_step(l, state, any) != LEXER_DEAD) out = byte_set_or(out, *s);
    }
    return out;
}

bool lexer_is_empty(const lexer *l) {
    return l->start == LEXER_DEAD;
}

bool lexer_matches(const lexer *l, str text) {
    int32_t s = l->start;
    for (size_t i = 0; i < text.n; i++) s = lexer_step(l, s, (uint8_t)text.p[i]);
    return lexer_accepts(l, s);
}

/* ---- multiples ---- */

/* What the states are: the remainder of the digits so far, by the digits behind the point. */
typedef struct multiple_job {
    int32_t m, places, classes, states;
    int32_t *next; /* [states, classes] */
    bool *accepts; /* [states] */
} multiple_job;
enum { MULTIPLE_DEAD, MULTIPLE_START, MULTIPLE_SIGNED, MULTIPLE_ZERO, MULTIPLE_REST };
enum { MULTIPLE_MINUS = 10, MULTIPLE_POINT = 11, MULTIPLE_CLASSES = 13 };

/* Of remainder r with `digits` digits behind the point; -1: no point yet. Behind the point and
 * before its first digit, digits is 0. */
static int32_t multiple_at(const multiple_job *j, int32_t digits, int32_t r) {
    return MULTIPLE_REST + (digits + 1) * j->m + r;
}

/* Whether r, with that many digits behind the point, is a multiple. */
static bool divides(const multiple_job *j, int32_t digits, int32_t r) {
    int64_t v = r;
    for (int32_t i = digits; i < j->places; i++) v = v * 10 % j->m;
    return v % j->m == 0;
}

static void multiple_whole(multiple_job *j) {
    int32_t *first = &j->next[MULTIPLE_START * j->classes],
            *behind = &j->next[MULTIPLE_SIGNED * j->classes];
    first[MULTIPLE_MINUS] = MULTIPLE_SIGNED;
    for (int32_t d = 0; d < 10; d++)
        first[d] = behind[d] = d ? multiple_at(j, -1, d % j->m) : MULTIPLE_ZERO;
    j->accepts[MULTIPLE_ZERO] = true;
    j->next[MULTIPLE_ZERO * j->classes + MULTIPLE_POINT] = multiple_at(j, 0, 0);
    for (int32_t r = 0; r < j->m; r++) {
        int32_t at = multiple_at(j, -1, r);
        j->accepts[at] = divides(j, 0, r);
        j->next[at * j->classes + MULTIPLE_POINT] = multiple_at(j, 0, r);
        for (int32_t d = 0; d < 10; d++)
            j->next[at * j->classes + d] = multiple_at(j, -1, (int32_t)((10ll * r + d) % j->m));
    }
}

/* The last row, `places` + 1, is of zeros behind the places that count. */
static void multiple_part(multiple_job *j) {
    for (int32_t digits = 0; digits <= j->places + 1; digits++)
        for (int32_t r = 0; r < j->m; r++) {
            int32_t at = multiple_at(j, digits, r);
            bool fits = divides(j, digits < j->places ? digits : j->places, r);
            j->accepts[at] = digits > 0 && fits;
            for (int32_t d = 0; d < 10 && digits < j->places; d++)
                j->next[at * j->classes + d] =
                    multiple_at(j, digits + 1, (int32_t)((10ll * r + d) % j->m));
            if (digits >= j->places && fits)
                j->next[at * j->classes] = multiple_at(j, j->places + 1, r);
        }
}

err lexer_multiples(const lexer **out, arena *to, int32_t m, int32_t places, fail *f) {
    draft d = {.classes = MULTIPLE_CLASSES};
    multiple_job j = {m, places, MULTIPLE_CLASSES, 0, NULL, NULL};
    int64_t states = MULTIPLE_REST + (int64_t)m * (places + 3);
    if (m < 1 || places < 0 || states > LEXER_STATES_MAX)
        return fail_set(f, E_TOO_LARGE, "multiples of %d / 10^%d need more than %d states", m,
                        places, LEXER_STATES_MAX);
    for (int b = 0; b < 256; b++)
        d.class_of[b] = (uint8_t)(b >= '0' && b <= '9' ? b - '0'
                                  : b == '-'           ? MULTIPLE_MINUS
                                  : b == '.'           ? MULTIPLE_POINT
                                                       : MULTIPLE_CLASSES - 1);
    d.n = d.room = j.states = (int32_t)states;
    d.next = j.next = mem_zero((size_t)states * MULTIPLE_CLASSES * sizeof *j.next);
    d.accepts = j.accepts = mem_zero((size_t)states);
    err e = j.next && j.accepts ? E_OK : fail_memory(f, "a pattern");
    if (e == E_OK) {
        multiple_whole(&j);
        multiple_part(&j);
        e = finish(out, to, &d, MULTIPLE_START, f);
    }
    draft_free(&d);
    return e;
}

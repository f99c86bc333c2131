/* grammar_lexer.c - expressions to non-deterministic to deterministic automata (Thompson 1968,
 * subset construction); see grammar_lexer.h. */
#include "base/map.h"
#include "base/mem.h"
#include "grammar/grammar_draft.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- classes ---- */

/* Bytes that no set of the automaton tells apart share a class. */
static void classes_of(lexer_draft *d, const nfa *m) {
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
    lexer_draft *d;
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
    TRY(lexer_draft_spend(j->d, j->listed, f));
    sort_list(j->list, j->listed);
    str key = {(const char *)j->list, (size_t)j->listed * sizeof *j->list};
    int64_t known;
    if (map_get(&j->known, key, &known)) {
        *out = (int32_t)known;
        return E_OK;
    }
    bool accepts = false;
    for (int32_t i = 0; i < j->listed; i++) accepts = accepts || j->list[i] == j->end;
    TRY(lexer_draft_add(j->d, accepts, out, f));
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
        TRY(lexer_draft_spend(j->d, (int64_t)n + j->reached, f));
        TRY(state_of(j, &to, f));
        j->d->next[state * j->d->classes + c] = to;
    }
    return E_OK;
}

static err determinise(subset_job *j, int32_t start, int32_t *first, fail *f) {
    int32_t dead;
    TRY(lexer_draft_add(j->d, false, &dead, f));
    CHECK(dead == LEXER_DEAD);
    j->mark = 1;
    reach(j, start);
    TRY(state_of(j, first, f));
    for (int32_t s = 1; s < j->d->n; s++) TRY(expand(j, s, f));
    return E_OK;
}

err lexer_build(const lexer **out, arena *to, const lexer_expr *e, fail *f) {
    nfa m = {0};
    lexer_draft d = {0};
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
    if (r == E_OK) r = lexer_draft_finish(out, to, &d, first, f);
    map_deinit(&j.known);
    arena_deinit(&j.sets);
    mem_free(j.stack);
    mem_free(j.marks);
    mem_free(j.list);
    mem_free(j.members);
    mem_free(m.s);
    lexer_draft_free(&d);
    return r;
}

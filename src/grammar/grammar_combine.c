/* grammar_combine.c - automata made of others: both of two, either, one without the other; counted
 * strings; multiples of a number. See grammar_lexer.h. */
#include "base/map.h"
#include "base/mem.h"
#include "grammar/grammar_draft.h"

#include <string.h>

/* ---- products ---- */

typedef enum product_op { BOTH, ONLY_FIRST, EITHER } product_op;

typedef struct product_job {
    const lexer *x, *y;
    product_op op;
    lexer_draft d;
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
    TRY(lexer_draft_add(&j->d, in, out, f));
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
    TRY(lexer_draft_add(&j->d, false, &dead, f));
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
    if (e == E_OK) e = lexer_draft_finish(out, to, &j.d, first, f);
    map_deinit(&j.known);
    mem_free(j.pair);
    lexer_draft_free(&j.d);
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
    l->hash = lexer_mix(lexer_mix(base->hash, (uint64_t)l->least), (uint64_t)l->most);
    *out = l;
    return E_OK;
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
    lexer_draft d = {.classes = MULTIPLE_CLASSES};
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
        e = lexer_draft_finish(out, to, &d, MULTIPLE_START, f);
    }
    lexer_draft_free(&d);
    return e;
}

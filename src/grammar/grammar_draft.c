/* grammar_draft.c - see grammar_draft.h. Minimised by Moore's rounds. */
#include "grammar/grammar_draft.h"

#include "base/map.h"
#include "base/mem.h"

#include <string.h>

enum { PARTITION_WORK_MAX = 4000000, FOLLOWS_STATES_MAX = 256 };

err lexer_draft_spend(lexer_draft *d, int64_t steps, fail *f) {
    d->work += steps;
    if (d->work <= LEXER_WORK_MAX) return E_OK;
    fail_set(f, E_TOO_LARGE, "the pattern takes more than %d steps to compile", LEXER_WORK_MAX);
    return fail_hint(f, "avoid .* before counted repetitions, and long ones of alternatives");
}

void lexer_draft_free(lexer_draft *d) {
    mem_free(d->next);
    mem_free(d->accepts);
}

err lexer_draft_add(lexer_draft *d, bool accepts, int32_t *out, fail *f) {
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
            lexer_draft_free(d);
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

/* ---- minimising, and into the arena ---- */

uint64_t lexer_mix(uint64_t h, uint64_t v) {
    h ^= v;
    h *= 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

/* Marks states from which an accepting one can be reached; others become dead. */
static err bury(lexer_draft *d, bool *alive, fail *f) {
    for (bool changed = true; changed;) {
        changed = false;
        TRY(lexer_draft_spend(d, (int64_t)d->n, f));
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
static err partition(const lexer_draft *d, int32_t *block, int32_t *blocks, fail *f) {
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
            uint64_t h = lexer_mix(0, (uint64_t)block[s]);
            for (int32_t c = 0; c < d->classes; c++)
                h = lexer_mix(h, (uint64_t)block[d->next[s * d->classes + c]]);
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

static err keep(const lexer **out, arena *to, const lexer_draft *d, const int32_t *block,
                int32_t blocks, int32_t start, fail *f) {
    lexer *l = arena_new(to, lexer);
    int32_t *next = arena_new_n(to, int32_t, (size_t)blocks * (size_t)d->classes);
    bool *accepts = arena_new_n(to, bool, (size_t)blocks);
    if (!l || !next || !accepts) return fail_memory(f, "a pattern");
    uint64_t hash = lexer_mix((uint64_t)blocks, (uint64_t)block[start]);
    for (int32_t s = 0; s < d->n; s++) {
        accepts[block[s]] = d->accepts[s];
        for (int32_t c = 0; c < d->classes; c++)
            next[block[s] * d->classes + c] = block[d->next[s * d->classes + c]];
    }
    for (int32_t s = 0; s < blocks; s++) {
        hash = lexer_mix(hash, accepts[s]);
        for (int b = 0; b < 256; b++)
            hash = lexer_mix(hash, (uint64_t)next[s * d->classes + d->class_of[b]]);
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

err lexer_draft_finish(const lexer **out, arena *to, lexer_draft *d, int32_t start, fail *f) {
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

/* grammar_automaton.c - sets of bytes, and walking an automaton that is built; see
 * grammar_automaton.h.
 */
#include "grammar/grammar_automaton.h"

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

/* ---- walking ---- */

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

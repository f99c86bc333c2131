/* token_word.c - a word as the pre-tokenizer leaves it, to ids, by the model's algorithm. Words
 * over characters are cut into parts (token_chars.c says where), each of which the memo mostly
 * knows. */
#include "token/token_int.h"

#include <string.h>

static void chars_compute(token_work *w, str part) {
    switch (w->t->algorithm) {
    case TOKEN_BPE_CHARS: token_bpe_chars_part(w, part); break;
    case TOKEN_SPM: token_spm_part(w, part); break;
    case TOKEN_UNIGRAM: token_unigram_part(w, part); break;
    case TOKEN_BPE:
    case TOKEN_WORDPIECE: break; /* not over characters */
    }
}

static void chars_part(token_work *w, str part) {
    token_memo_key key = token_memo_key_of(part);
    if (!key.usable) {
        chars_compute(w, part);
        return;
    }
    int32_t ids[TOKEN_MEMO_IDS];
    size_t n = token_memo_get(w->t->memo, &key, part.n, ids), before = w->n;
    if (n) {
        for (size_t i = 0; i < n; i++) token_work_put(w, ids[i]);
        return;
    }
    chars_compute(w, part);
    if (!w->failed && w->n > before)
        token_memo_put(w->t->memo, &key, part.n, w->ids + before, w->n - before);
}

static void chars_word(token_work *w, str word) {
    size_t from = 0;
    const tokenizer *t = w->t;
    for (size_t at = 1; at + TOKEN_BLANK_BYTES <= word.n && t->ends_at_blanks; at++) {
        const char *lead = memchr(word.p + at, 0xE2, word.n - at);
        if (!lead) break;
        at = (size_t)(lead - word.p);
        if (!token_is_blank_at(word, at)) continue;
        unsigned char before = (unsigned char)word.p[at - 1];
        bool after_blank =
            at - from >= TOKEN_BLANK_BYTES && token_is_blank_at(word, at - TOKEN_BLANK_BYTES);
        if (after_blank || t->joins[before < 128 ? before : 128]) continue;
        chars_part(w, str_slice(word, from, at));
        from = at;
    }
    if (from < word.n && !w->failed) chars_part(w, str_slice(word, from, word.n));
}

void token_work_word(token_work *w, str word) {
    switch (w->t->algorithm) {
    case TOKEN_BPE: token_bpe_word(w, word); break;
    case TOKEN_WORDPIECE: token_wordpiece_word(w, word); break;
    case TOKEN_BPE_CHARS:
    case TOKEN_SPM:
    case TOKEN_UNIGRAM: chars_word(w, word); break;
    }
}

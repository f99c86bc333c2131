/* token_wordpiece.c - BERT's tokenizer: normalise, cut at blanks and marks, longest pieces first.
 *
 * How: one pass over the characters. Each is cleaned, decomposed, stripped of accents and lowered
 * into the word being collected; blanks, punctuation and Chinese characters end a word; a finished
 * word is looked up greedily, all prefixes hashed in one pass. Follows Hugging Face's
 * BertNormalizer, BertPreTokenizer and WordPiece, including their range 2B920..2CEAF for Chinese
 * characters. Not here: [CLS] and [SEP] (encode's options), added tokens (token_encode.c). */
#include "token/token_int.h"

#include "token/token_char.h"

#include <string.h>
#include <utf8proc.h>

enum { WORD_CHARS_MAX = 1000, DECOMPOSED_MAX = 8, KEY_BYTES_MAX = 512 };

/* Building ------------------------------------------------------------------------------------ */

/* Where the letters of a written piece begin, and whether it continues a word. */
static str wordpiece_letters(str written, bool hashes, bool *continues) {
    str mark = hashes ? STR("##") : STR("\xE2\x96\x81");
    bool marked = str_starts(written, mark) && written.n > mark.n;
    bool bracketed = written.n > 2 && written.p[0] == '[' && written.p[written.n - 1] == ']';
    *continues = hashes ? marked : !marked && !bracketed;
    return marked ? str_slice(written, mark.n, written.n) : written;
}

/* Lays the pieces out in the pool: control tokens as they are, word starts behind a blank. */
static err wordpiece_pool(tokenizer *t, const token_source *source, bool hashes, uint32_t *starts,
                          fail *f) {
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < t->count; i++) bytes += source->pieces[i].n + 1;
    char *pool = bytes <= UINT32_MAX ? arena_alloc(&t->a, bytes) : NULL;
    if (!pool) return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < t->count; i++) {
        bool continues;
        str letters = wordpiece_letters(source->pieces[i], hashes, &continues);
        starts[i] = (uint32_t)at;
        if (!t->indexed[i])
            letters = source->pieces[i];
        else if (!continues)
            pool[at++] = ' ';
        if (letters.n) memcpy(pool + at, letters.p, letters.n);
        at += letters.n;
    }
    starts[t->count] = (uint32_t)at;
    t->bytes = pool;
    t->starts = starts;
    return E_OK;
}

err token_wordpiece_build(tokenizer *t, const token_source *source, const token_extra *extra,
                          fail *f) {
    t->normaliser = extra->normaliser;
    t->word_chars_max = extra->word_chars_max;
    if (t->word_chars_max < 1 || t->word_chars_max > WORD_CHARS_MAX)
        return fail_set(f, E_UNSUPPORTED, "WordPiece words of %zu characters (1 to %d can be read)",
                        t->word_chars_max, WORD_CHARS_MAX);
    if (t->unknown == TOKEN_NONE)
        return fail_set(f, E_CORRUPT, "the WordPiece vocabulary names no unknown token");
    uint32_t *starts = arena_new_n(&t->a, uint32_t, t->count + 1);
    if (!starts) return fail_memory(f, "a vocabulary");
    TRY(wordpiece_pool(t, source, extra->hashes, starts, f));
    if (!token_index_init(&t->word_starts, &t->a, t->count) ||
        !token_index_init(&t->continuations, &t->a, t->count))
        return fail_memory(f, "a vocabulary");
    t->word_starts.bytes = t->continuations.bytes = t->bytes;
    t->word_starts.starts = t->continuations.starts = t->starts;
    t->word_starts.skip = 1;
    for (size_t i = 0; i < t->count; i++) {
        bool continues;
        str letters = wordpiece_letters(source->pieces[i], extra->hashes, &continues);
        if (!t->indexed[i] || !letters.n || letters.n > KEY_BYTES_MAX) continue;
        token_index_put(continues ? &t->continuations : &t->word_starts, letters, (int32_t)i);
        if (letters.n > t->piece_bytes_max) t->piece_bytes_max = letters.n;
    }
    return E_OK;
}

/* Encoding ------------------------------------------------------------------------------------ */

typedef struct wordpiece {
    token_work *work;
    size_t chars, bytes;
    char word[WORD_CHARS_MAX * 4]; /* normalised; the first word_chars_max characters */
} wordpiece;

/* The longest piece of `index` at the start of s: its id, or -1; *bytes = its length. */
static int32_t wordpiece_longest(const tokenizer *t, const token_index *index, str s,
                                 size_t *bytes) {
    uint32_t hashes[KEY_BYTES_MAX + 1];
    size_t most = s.n < t->piece_bytes_max ? s.n : t->piece_bytes_max;
    uint64_t h = TOKEN_HASH_START;
    for (size_t i = 0; i < most; i++) {
        h = token_hash_step(h, s.p[i]);
        hashes[i + 1] = token_hash_end(h);
    }
    for (size_t n = most; n > 0; n--) {
        if (n < s.n && ((unsigned char)s.p[n] & 0xC0) == 0x80) continue; /* inside a character */
        int32_t id = token_index_find(index, (str){s.p, n}, hashes[n]);
        if (id >= 0) {
            *bytes = n;
            return id;
        }
    }
    return -1;
}

static void wordpiece_end_word(wordpiece *w) {
    const tokenizer *t = w->work->t;
    str rest = {w->word, w->bytes};
    bool too_long = w->chars > t->word_chars_max, first = true;
    size_t before = w->work->n, n = 0;
    if (!w->chars) return;
    w->chars = w->bytes = 0;
    for (; rest.n && !too_long; rest = str_slice(rest, n, rest.n), first = false) {
        int32_t id = wordpiece_longest(t, first ? &t->word_starts : &t->continuations, rest, &n);
        if (id < 0) break;
        token_work_put(w->work, id);
    }
    if (!rest.n || w->work->failed) return;
    w->work->n = before; /* one part unknown: all of the word is */
    token_work_put(w->work, t->unknown);
}

static void wordpiece_add(wordpiece *w, int32_t c) {
    if (w->chars++ < w->work->t->word_chars_max)
        w->bytes += token_utf8_write(c, w->word + w->bytes);
}
static void wordpiece_add_alone(wordpiece *w, int32_t c) {
    wordpiece_end_word(w);
    wordpiece_add(w, c);
    wordpiece_end_word(w);
}

/* A character after decomposition. */
static void wordpiece_part(wordpiece *w, int32_t c) {
    const token_normaliser *how = &w->work->t->normaliser;
    if (how->strip_accents && c >= 128 && utf8proc_category(c) == UTF8PROC_CATEGORY_MN) return;
    if (how->lowercase && c == 0x130) { /* the one that lowers to two characters */
        wordpiece_add(w, 'i');
        wordpiece_add(w, 0x307);
        return;
    }
    if (how->lowercase) c = utf8proc_tolower(c);
    unsigned class = token_class(c);
    if (class & CHAR_SPACE)
        wordpiece_end_word(w);
    else if ((class & CHAR_P) || (c < 128 && (class & CHAR_S)))
        wordpiece_add_alone(w, c);
    else
        wordpiece_add(w, c);
}

static void wordpiece_wide(wordpiece *w, int32_t c) {
    const token_normaliser *how = &w->work->t->normaliser;
    switch (token_norm_bert_class(c)) {
    case BERT_LETTER: wordpiece_add(w, c); return;
    case BERT_APART: wordpiece_add_alone(w, c); return;
    case BERT_DROPPED: return;
    case BERT_AS_UNICODE: break;
    }
    if (how->clean_text && token_norm_is_cleaned_away(c)) return;
    if (token_class(c) & CHAR_SPACE) {
        wordpiece_end_word(w);
        return;
    }
    bool apart = how->chinese_apart && token_norm_is_chinese(c);
    if (apart) wordpiece_end_word(w);
    utf8proc_int32_t parts[DECOMPOSED_MAX] = {c};
    utf8proc_ssize_t n = 1;
    if (how->strip_accents)
        n = utf8proc_decompose_char(c, parts, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE, NULL);
    for (utf8proc_ssize_t i = 0; i < n && i < DECOMPOSED_MAX; i++) wordpiece_part(w, parts[i]);
    if (apart) wordpiece_end_word(w);
}

void token_wordpiece_encode(token_work *work, str text) {
    wordpiece w = {.work = work};
    for (size_t at = 0, n; at < text.n; at += n) {
        int32_t c = token_char_at(text, at, &n);
        if (c < 128 && (token_ascii_class[c] & (CHAR_L | CHAR_N | CHAR_P | CHAR_S)))
            wordpiece_part(&w, c); /* nothing to clean or decompose */
        else
            wordpiece_wide(&w, c);
    }
    wordpiece_end_word(&w);
}

void token_wordpiece_word(token_work *work, str word) {
    wordpiece w; /* its letters need no zeros */
    w.work = work;
    w.chars = w.bytes = 0;
    for (size_t at = 0, n; at < word.n; at += n) wordpiece_add(&w, token_char_at(word, at, &n));
    wordpiece_end_word(&w);
}

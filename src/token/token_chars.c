/* token_chars.c - what the vocabularies over characters (SentencePiece BPE and unigram, BPE with
 * characters) have in common: pieces as written and as decoded, and where a word may be cut into
 * parts (token_word.c cuts it).
 *
 * Pieces are looked up as they are written, often with U+2581 for a blank. Most vocabularies have
 * no piece with a blank behind another character; then no merge and no piece can cross such a
 * place, and a text is cut there into parts of a few letters, each of which the memo mostly knows.
 * Which characters do stand before a blank in some piece is noted, so that it also holds for the
 * others. */
#include "token/token_int.h"

#include "token/token_char.h"

#include <string.h>

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
int token_byte_of(str piece) {
    if (piece.n != 6 || !str_starts(piece, STR("<0x")) || piece.p[5] != '>') return -1;
    int high = hex_digit(piece.p[3]), low = hex_digit(piece.p[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Writes the piece with blanks as such; notes what stands before an inner one. */
static size_t chars_decode(tokenizer *t, str piece, char *to, bool normal) {
    size_t n = 0;
    bool after_blank = true;
    unsigned char before = 0;
    for (size_t i = 0; i < piece.n;) {
        bool blank = (unsigned char)piece.p[i] == 0xE2 && token_is_blank_at(piece, i);
        if (blank && normal && !after_blank) t->joins[before < 128 ? before : 128] = true;
        after_blank = blank;
        before = (unsigned char)piece.p[i];
        to[n++] = blank && t->blanks ? ' ' : piece.p[i];
        i += 1;
        if (!blank) continue;
        if (!t->blanks) {
            to[n++] = piece.p[i];
            to[n++] = piece.p[i + 1];
        }
        i += TOKEN_BLANK_BYTES - 1;
    }
    return n;
}

static err chars_pools(tokenizer *t, const token_source *source, fail *f) {
    size_t bytes = 0, at = 0, raw_at = 0;
    for (size_t i = 0; i < t->count; i++) bytes += source->pieces[i].n;
    char *pool = bytes <= UINT32_MAX ? arena_alloc(&t->a, bytes) : NULL;
    char *raw = pool ? arena_alloc(&t->a, bytes) : NULL;
    uint32_t *starts = arena_new_n(&t->a, uint32_t, t->count + 1);
    uint32_t *raw_starts = arena_new_n(&t->a, uint32_t, t->count + 1);
    if (!raw || !starts || !raw_starts || !token_index_init(&t->words, &t->a, t->count))
        return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < t->count; i++) {
        str piece = source->pieces[i];
        int byte = t->types[i] == TOKEN_BYTE ? token_byte_of(piece) : -1;
        starts[i] = (uint32_t)at;
        raw_starts[i] = (uint32_t)raw_at;
        if (piece.n) memcpy(raw + raw_at, piece.p, piece.n);
        raw_at += piece.n;
        if (byte >= 0) {
            pool[at++] = (char)byte;
            t->byte_ids[byte] = (int32_t)i;
        } else {
            at += chars_decode(t, piece, pool + at, t->indexed[i]);
        }
    }
    starts[t->count] = (uint32_t)at;
    raw_starts[t->count] = (uint32_t)raw_at;
    t->bytes = pool;
    t->starts = starts;
    t->words.bytes = raw;
    t->words.starts = raw_starts;
    return E_OK;
}

err token_chars_build(tokenizer *t, const token_source *source, fail *f) {
    for (int i = 0; i < 256; i++) t->byte_ids[i] = TOKEN_NONE;
    TRY(chars_pools(t, source, f));
    for (size_t i = 0; i < t->count; i++) {
        str piece = source->pieces[i];
        if (!t->indexed[i] || !piece.n) continue;
        token_index_put(&t->words, piece, (int32_t)i);
        if (piece.n > t->piece_bytes_max) t->piece_bytes_max = piece.n;
    }
    t->ends_at_blanks = true;
    t->memo = token_memo_open();
    return t->memo ? E_OK : fail_memory(f, "a vocabulary");
}

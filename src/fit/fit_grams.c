/* fit_grams.c - see fit_grams.h. Fold the text, hash every run of characters and words, sort,
 * count.
 */
#include "fit/fit_grams.h"

#include "base/mem.h"
#include "fit/fit_head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAM_SEED_CHARS 0x9e3779b97f4a7c15u
#define GRAM_SEED_WORDS 0xc2b2ae3d27d4eb4fu
#define GRAM_PRIME 0x100000001b3u

enum { GRAMS_PER_BYTE = FIT_GRAM_CHARS_MAX - FIT_GRAM_CHARS_MIN + 1 + 2 };

/* The folded text; `wide` tells where characters begin. */
typedef struct folded {
    unsigned char *p;
    size_t n;
} folded;

static bool is_blank(unsigned char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word_byte(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static bool is_continuation(unsigned char c) {
    return (c & 0xc0) == 0x80;
}

/* Lower case of one byte; `before` is the byte before it (Latin-1 letters are 0xc3 0x80..0x9e). */
static unsigned char fold_byte(unsigned char before, unsigned char c) {
    if (c >= 'A' && c <= 'Z') return (unsigned char)(c + 32);
    if (before == 0xc3 && c >= 0x80 && c <= 0x9e && c != 0x97) return (unsigned char)(c + 32);
    return c;
}

/* out has room for text.n + 2 bytes. */
static folded fold(unsigned char *out, str text) {
    size_t n = 0;
    out[n++] = ' ';
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (!is_blank(c))
            out[n] = fold_byte(i ? (unsigned char)text.p[i - 1] : 0, c), n++;
        else if (out[n - 1] != ' ')
            out[n++] = ' ';
    }
    if (out[n - 1] != ' ') out[n++] = ' ';
    return (folded){out, n};
}

static uint64_t hash_bytes(uint64_t hash, const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * GRAM_PRIME;
    return hash;
}

static uint32_t hash_close(uint64_t hash, unsigned block) {
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    return ((uint32_t)hash & ~1u) | block;
}

/* Ends of the next FIT_GRAM_CHARS_MAX characters behind `from` are hashed on the way. */
static size_t put_chars(fit_gram *out, size_t n, folded t) {
    for (size_t from = 0; from < t.n; from++) {
        if (is_continuation(t.p[from]) && from > 0) continue;
        uint64_t hash = GRAM_SEED_CHARS;
        size_t at = from;
        for (int length = 1; length <= FIT_GRAM_CHARS_MAX && at < t.n; length++) {
            size_t end = at + 1;
            while (end < t.n && is_continuation(t.p[end])) end++;
            hash = hash_bytes(hash, t.p + at, end - at);
            at = end;
            if (length >= FIT_GRAM_CHARS_MIN) out[n++] = (fit_gram){hash_close(hash, 0), 1};
        }
    }
    return n;
}

static size_t put_words(fit_gram *out, size_t n, folded t) {
    uint64_t before = 0;
    for (size_t i = 0; i < t.n;) {
        size_t end = i;
        while (end < t.n && is_word_byte(t.p[end])) end++;
        if (end > i) {
            uint64_t word = hash_bytes(GRAM_SEED_WORDS, t.p + i, end - i);
            out[n++] = (fit_gram){hash_close(word, 1), 1};
            if (before) {
                uint64_t pair = hash_bytes(before, (const unsigned char *)" ", 1);
                out[n++] = (fit_gram){hash_close(hash_bytes(pair, t.p + i, end - i), 1), 1};
            }
            before = word;
            i = end;
        } else {
            i++;
        }
    }
    return n;
}

static int gram_compare(const void *a, const void *b) {
    uint32_t x = ((const fit_gram *)a)->hash, y = ((const fit_gram *)b)->hash;
    return (x > y) - (x < y);
}

static size_t grams_count(fit_gram *grams, size_t n) {
    size_t kept = 0;
    qsort(grams, n, sizeof *grams, gram_compare);
    for (size_t i = 0; i < n; i++) {
        if (kept && grams[kept - 1].hash == grams[i].hash)
            grams[kept - 1].count++;
        else
            grams[kept++] = grams[i];
    }
    return kept;
}

err fit_grams_of(fit_grams *g, str text, fail *f) {
    if (text.n > FIT_TEXT_BYTES_MAX) text.n = FIT_TEXT_BYTES_MAX;
    unsigned char small[FIT_GRAMS_ROOM / GRAMS_PER_BYTE], *bytes = small;
    size_t room = text.n + 2, grams_max = room * GRAMS_PER_BYTE;
    g->grams = g->room;
    g->n = 0;
    if (room > sizeof small) {
        bytes = mem_alloc(room);
        g->grams = bytes ? mem_alloc(grams_max * sizeof *g->grams) : NULL;
        if (!g->grams) {
            mem_free(bytes);
            g->grams = g->room;
            return fail_memory(f, "the n-grams of a text");
        }
    }
    folded t = fold(bytes, text);
    g->n = put_words(g->grams, put_chars(g->grams, 0, t), t);
    g->n = grams_count(g->grams, g->n);
    if (bytes != small) mem_free(bytes);
    return E_OK;
}

void fit_grams_deinit(fit_grams *g) {
    if (g->grams != g->room) mem_free(g->grams);
    g->grams = g->room;
    g->n = 0;
}

float fit_gram_weight(uint32_t count) {
    return count <= 1 ? 1.0f : 1.0f + logf((float)count);
}

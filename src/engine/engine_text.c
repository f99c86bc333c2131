/* engine_text.c - see engine_text.h. What is held back is at most one byte less than the longest
 * stop string, or three bytes of a character, so the buffers have a fixed size. */
#include "engine/engine_text.h"

#include "base/err.h"

#include <string.h>

enum { CHARACTER_BYTES_MAX = 4 };

size_t engine_text_bytes(size_t piece_bytes) {
    return piece_bytes + ENGINE_TEXT_STOP_BYTES_MAX + CHARACTER_BYTES_MAX;
}

void engine_text_init(engine_text *t, char *memory, size_t cap, const str *stops, size_t n) {
    CHECK(n <= ENGINE_TEXT_STOPS_MAX);
    t->held = memory;
    t->out = memory + cap;
    t->cap = cap;
    t->n = 0;
    t->n_stops = n;
    t->stopped = false;
    t->struck = -1;
    for (size_t i = 0; i < n; i++) {
        CHECK(stops[i].n >= 1 && stops[i].n <= ENGINE_TEXT_STOP_BYTES_MAX);
        memcpy(t->stops[i], stops[i].p, stops[i].n);
        t->stop_bytes[i] = stops[i].n;
    }
}

/* Length that the character of this first byte should have; 1 for what cannot be a first byte. */
static size_t character_bytes(unsigned char first) {
    return first >= 0xf0 && first <= 0xf4   ? 4
           : first >= 0xe0                  ? (first < 0xf0 ? 3 : 1)
           : first >= 0xc2 && first <= 0xdf ? 2
                                            : 1;
}

/* Bytes at the end of s that begin a character without ending it. */
static size_t unfinished(str s) {
    for (size_t back = 1; back < CHARACTER_BYTES_MAX && back <= s.n; back++) {
        unsigned char c = (unsigned char)s.p[s.n - back];
        if ((c & 0xc0) == 0x80) continue;
        return character_bytes(c) > back ? back : 0;
    }
    return 0;
}

/* Bytes at the end of s that begin a stop string without ending it. */
static size_t stop_begun(const engine_text *t, str s) {
    size_t most = 0;
    for (size_t i = 0; i < t->n_stops; i++)
        for (size_t n = t->stop_bytes[i] - 1 < s.n ? t->stop_bytes[i] - 1 : s.n; n > most; n--)
            if (!memcmp(s.p + s.n - n, t->stops[i], n)) most = n;
    return most;
}

static size_t first_stop(const engine_text *t, str s, int32_t *which) {
    size_t first = STR_INDEX_NONE;
    for (size_t i = 0; i < t->n_stops; i++) {
        size_t at = str_find(s, (str){t->stops[i], t->stop_bytes[i]});
        if (at >= first) continue;
        first = at;
        *which = (int32_t)i;
    }
    return first;
}

/* The first n held bytes, as the caller's. */
static str release(engine_text *t, size_t n) {
    memcpy(t->out, t->held, n);
    memmove(t->held, t->held + n, t->n - n);
    t->n -= n;
    return (str){t->out, n};
}

str engine_text_put(engine_text *t, str piece) {
    if (t->stopped || piece.n == 0) return (str){t->out, 0};
    CHECK(piece.n <= t->cap - t->n);
    memcpy(t->held + t->n, piece.p, piece.n);
    t->n += piece.n;
    str all = {t->held, t->n};
    size_t stop = first_stop(t, all, &t->struck);
    if (stop != STR_INDEX_NONE) {
        str out = release(t, stop);
        t->stopped = true;
        t->n = 0;
        return out;
    }
    size_t open = unfinished(all), begun = stop_begun(t, all);
    return release(t, t->n - (open > begun ? open : begun));
}

str engine_text_flush(engine_text *t) {
    return release(t, t->n);
}

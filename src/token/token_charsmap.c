/* token_charsmap.c - reads and walks a precompiled charsmap; see token_charsmap.h. */
#include "token/token_charsmap.h"

#include <string.h>

enum { TEXT_BYTES_MAX = 4096 }; /* of one replacement */

static uint32_t unit_label(uint32_t unit) {
    return unit & (0x80000000u | 0xFF);
}
static uint32_t unit_offset(uint32_t unit) {
    return (unit >> 10) << ((unit & 0x200u) >> 6);
}

bool token_charsmap_find(const token_charsmap *m, str s, bool longest, str *to, size_t *bytes) {
    size_t at = m->count ? unit_offset(m->units[0]) : 0;
    bool found = false;
    for (size_t i = 0; i < s.n && s.p[i]; i++) {
        at ^= (unsigned char)s.p[i];
        if (at >= m->count || unit_label(m->units[at]) != (unsigned char)s.p[i]) break;
        uint32_t unit = m->units[at];
        at ^= unit_offset(unit);
        if (at >= m->count) break;
        size_t text = m->units[at] & 0x7FFFFFFFu;
        if (!(unit & 0x100u) || text >= m->texts.n) continue;
        const char *p = m->texts.p + text;
        *to = (str){p, strnlen(p, TEXT_BYTES_MAX)};
        *bytes = i + 1;
        found = true;
        if (!longest) break;
    }
    return found;
}

err token_charsmap_read(token_charsmap *out, arena *a, str written, fail *f) {
    *out = (token_charsmap){.units = NULL};
    const unsigned char *p = (const unsigned char *)written.p;
    size_t trie = written.n < 4
                      ? 0
                      : (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (!trie || trie % 4 || trie > written.n - 4 || trie == written.n - 4 ||
        written.p[written.n - 1])
        return fail_set(f, E_CORRUPT, "the tokenizer's character map of %zu bytes is damaged",
                        written.n);
    uint32_t *units = arena_new_n(a, uint32_t, trie / 4);
    str texts = arena_str(a, str_slice(written, 4 + trie, written.n));
    if (!units || !texts.p) return fail_memory(f, "a character map");
    for (size_t i = 0; i < trie / 4; i++, p += 4)
        units[i] =
            (uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24;
    *out = (token_charsmap){.units = units, .count = trie / 4, .texts = texts};
    for (int c = 1; c < 128; c++) {
        str to;
        size_t bytes;
        out->ascii_changes[c] =
            token_charsmap_find(out, (str){(char[]){(char)c}, 1}, true, &to, &bytes);
    }
    return E_OK;
}

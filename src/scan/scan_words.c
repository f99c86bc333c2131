/* scan_words.c - see scan_words.h. Pure, no allocation. */
#include "scan/scan_words.h"

#include <string.h>

/* Base letters of U+00C0..U+017F in lower case; '.' is no letter, digits name a pair below. */
static const char fold_table[] = "aaaaaa1ceeeeiiii"
                                 "dnooooo.ouuuuy24"
                                 "aaaaaa1ceeeeiiii"
                                 "dnooooo.ouuuuy2y"
                                 "aaaaaaccccccccdd"
                                 "ddeeeeeeeeeegggg"
                                 "gggghhhhiiiiiiii"
                                 "ii55jjkkklllllll"
                                 "lllnnnnnnnnnoooo"
                                 "oo33rrrrrrssssss"
                                 "ssttttttuuuuuuuu"
                                 "uuuuwwyyyzzzzzzs";
static const char *const fold_pairs[] = {"", "ae", "th", "oe", "ss", "ij"};

bool scan_next(str s, size_t *at, uint32_t *code) {
    if (*at >= s.n) return false;
    const unsigned char *p = (const unsigned char *)s.p + *at;
    size_t left = s.n - *at, length = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t value = length == 1 ? p[0] : p[0] & (0x7fu >> length);
    if (length > left) length = 1, value = p[0];
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            length = 1;
            value = p[0];
            break;
        }
        value = value << 6 | (p[i] & 0x3fu);
    }
    *at += length;
    *code = value;
    return true;
}

const char *scan_fold(uint32_t code, char out[3]) {
    out[0] = out[1] = out[2] = 0;
    if (code >= 'A' && code <= 'Z') out[0] = (char)(code + 32);
    if ((code >= 'a' && code <= 'z') || (code >= '0' && code <= '9')) out[0] = (char)code;
    if (code < 0xc0 || code > 0x17f) return out;
    char c = fold_table[code - 0xc0];
    if (c >= 'a') out[0] = c;
    if (c >= '1' && c <= '5') memcpy(out, fold_pairs[c - '0'], 3);
    return out;
}

static bool is_apostrophe(uint32_t code) {
    return code == '\'' || code == 0x2019 || code == '`';
}

static void word_put(scan_word *w, const char *letters, size_t end) {
    for (; *letters && w->n < SCAN_WORD_BYTES_MAX; letters++) w->text[w->n++] = *letters;
    w->text[w->n] = 0;
    w->end = (uint16_t)end;
}

void scan_words_of(scan_words *out, str text) {
    if (text.n > 4096) text.n = 4096;
    scan_word w = {.n = 0};
    size_t at = 0, from = 0;
    uint32_t code;
    char letters[3];
    out->n = 0;
    while (out->n < SCAN_WORDS_MAX && (from = at, scan_next(text, &at, &code))) {
        scan_fold(code, letters);
        bool joins = is_apostrophe(code) && (w.n > 2 || (w.n > 0 && w.text[0] == 'i'));
        if (letters[0]) {
            if (w.n == 0) w.at = (uint16_t)from;
            word_put(&w, letters, at);
        } else if (w.n > 0 && !joins) {
            out->words[out->n++] = w;
            w = (scan_word){.n = 0};
        }
    }
    if (w.n > 0 && out->n < SCAN_WORDS_MAX) out->words[out->n++] = w;
}

bool scan_is(const scan_word *w, const char *z) {
    return strcmp(w->text, z) == 0;
}

bool scan_in(const scan_word *w, const char *list) {
    for (const char *p = list; (p = strstr(p, w->text)) != NULL; p += w->n)
        if (p > list && p[-1] == ' ' && p[w->n] == ' ') return true;
    return false;
}

/* token_char.h - characters and their classes, as the tokenizers' regular expressions name them.
 *
 * Any thread. Texts are valid UTF-8 here (token_utf8_repair sees to it). */
#ifndef BANTAM_TOKEN_TOKEN_CHAR_H
#define BANTAM_TOKEN_TOKEN_CHAR_H

#include "base/str.h"

/* Bits; a character has exactly one of the classes L N M P S Z C, and SPACE besides where \s fits;
 * a letter with case has UPPER (Lu, Lt) or LOWER (Ll) besides. */
enum {
    CHAR_L = 1,
    CHAR_N = 2,
    CHAR_SPACE = 4,
    CHAR_P = 8,
    CHAR_S = 16,
    CHAR_M = 32,
    CHAR_OTHER = 64, /* separators and \p{C} */
    CHAR_UPPER = 128,
    CHAR_LOWER = 256
};

extern const uint16_t token_ascii_class[128];
unsigned token_class_wide(int32_t c); /* of any code point */
static inline unsigned token_class(int32_t c) {
    return c < 128 ? token_ascii_class[c] : token_class_wide(c);
}

/* The character at `at` (< s.n) and its bytes. */
static inline int32_t token_char_at(str s, size_t at, size_t *bytes) {
    const unsigned char *p = (const unsigned char *)s.p + at;
    if (p[0] < 0x80) {
        *bytes = 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *bytes = 2;
        return (p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *bytes = 3;
        return (p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *bytes = 4;
    return (p[0] & 0x07) << 18 | (p[1] & 0x3F) << 12 | (p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}
/* The class of the character at `at` and its bytes; 0 and 0 at the end. */
static inline unsigned token_class_at(str s, size_t at, size_t *bytes) {
    if (at >= s.n) {
        *bytes = 0;
        return 0;
    }
    return token_class(token_char_at(s, at, bytes));
}

size_t token_utf8_write(int32_t c, char out[4]); /* bytes written */
/* Bytes of the well-formed sequence at p (of n > 0), or 0. */
size_t token_utf8_length(const unsigned char *p, size_t n);
/* Length of the well-formed beginning of s. */
size_t token_utf8_valid(str s);
/* Copies s to out with each byte that belongs to no well-formed sequence as U+FFFD; out has room
 * for 3 * s.n bytes. Returns the bytes written. */
size_t token_utf8_repair(str s, char *out);

#endif

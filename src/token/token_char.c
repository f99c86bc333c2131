/* token_char.c - UTF-8 and character classes over utf8proc's Unicode tables; see token_char.h. */
#include "token/token_char.h"

#include <string.h>
#include <utf8proc.h>

#define C CHAR_OTHER
#define W (CHAR_OTHER | CHAR_SPACE)
#define P CHAR_P
#define S CHAR_S
#define N CHAR_N
#define U (CHAR_L | CHAR_UPPER)
#define L (CHAR_L | CHAR_LOWER)
const uint16_t token_ascii_class[128] = {
    C, C, C, C, C, C, C, C, C, W, W, W, W, W, C, C, /* 00 */
    C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, /* 10 */
    W, P, P, P, S, P, P, P, P, P, P, S, P, P, P, P, /* 20  !"#$%&'()*+,-./ */
    N, N, N, N, N, N, N, N, N, N, P, P, S, S, S, P, /* 30 0-9:;<=>? */
    P, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U, /* 40 @A-O */
    U, U, U, U, U, U, U, U, U, U, U, P, P, P, S, P, /* 50 P-Z[\]^_ */
    S, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, /* 60 `a-o */
    L, L, L, L, L, L, L, L, L, L, L, P, S, P, S, C, /* 70 p-z{|}~ */
};
#undef C
#undef W
#undef P
#undef S
#undef N
#undef U
#undef L

/* Unicode's White_Space outside ASCII */
static bool char_is_space(int32_t c) {
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

unsigned token_class_wide(int32_t c) {
    if (c < 128) return token_ascii_class[c];
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT: return CHAR_L | CHAR_UPPER;
    case UTF8PROC_CATEGORY_LL: return CHAR_L | CHAR_LOWER;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return CHAR_L;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CHAR_N;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return CHAR_M;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: return CHAR_P;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO: return CHAR_S;
    default: return char_is_space(c) ? CHAR_OTHER | CHAR_SPACE : CHAR_OTHER;
    }
}

size_t token_utf8_write(int32_t c, char out[4]) {
    unsigned char *o = (unsigned char *)out;
    if (c < 0x80) {
        o[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        o[0] = (unsigned char)(0xC0 | c >> 6);
        o[1] = (unsigned char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        o[0] = (unsigned char)(0xE0 | c >> 12);
        o[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        o[2] = (unsigned char)(0x80 | (c & 0x3F));
        return 3;
    }
    o[0] = (unsigned char)(0xF0 | c >> 18);
    o[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
    o[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    o[3] = (unsigned char)(0x80 | (c & 0x3F));
    return 4;
}

static bool utf8_tail(const unsigned char *p, size_t n, size_t want) {
    if (n < want) return false;
    for (size_t i = 1; i < want; i++)
        if ((p[i] & 0xC0) != 0x80) return false;
    return true;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t token_utf8_length(const unsigned char *p, size_t n) {
    unsigned char c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xC2 || c > 0xF4) return 0;
    if (c < 0xE0) return utf8_tail(p, n, 2) ? 2 : 0;
    if (c < 0xF0) {
        if (!utf8_tail(p, n, 3) || (c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (!utf8_tail(p, n, 4) || (c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F)) return 0;
    return 4;
}

size_t token_utf8_valid(str s) {
    size_t at = 0;
    while (at < s.n) {
        uint64_t eight;
        if (s.n - at >= sizeof eight) {
            memcpy(&eight, s.p + at, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                at += sizeof eight;
                continue;
            }
        }
        size_t n = token_utf8_length((const unsigned char *)s.p + at, s.n - at);
        if (!n) break;
        at += n;
    }
    return at;
}

size_t token_utf8_repair(str s, char *out) {
    size_t at = 0, n = 0;
    while (at < s.n) {
        size_t good = token_utf8_valid((str){s.p + at, s.n - at});
        memcpy(out + n, s.p + at, good);
        at += good;
        n += good;
        if (at == s.n) break;
        memcpy(out + n, "\xEF\xBF\xBD", 3);
        at++;
        n += 3;
    }
    return n;
}

/* utf8.c - see utf8.h. RFC 3629. */
#include "text/utf8.h"

size_t utf8_next(str s, uint32_t *code) {
    if (s.n == 0) return 0;
    const unsigned char *p = (const unsigned char *)s.p;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || s.n < n) return 0;
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    bool overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
    if (overlong || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff) return 0;
    *code = c;
    return n;
}

bool utf8_ok(str s) {
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) return false;
        s = str_slice(s, n, s.n);
    }
    return true;
}

void utf8_put(buf *b, uint32_t c) {
    if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff) c = 0xfffd;
    if (c < 0x80) {
        buf_put_char(b, (char)c);
        return;
    }
    char out[4];
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[n] | c);
    buf_put_bytes(b, out, n);
}

void utf8_put_mended(buf *b, str s) {
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n)
            buf_put_bytes(b, s.p, n);
        else
            buf_put(b, STR("\xef\xbf\xbd"));
        s = str_slice(s, n ? n : 1, s.n);
    }
}

str utf8_cut(str s, size_t n) {
    if (n >= s.n) return s;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return str_slice(s, 0, n);
}

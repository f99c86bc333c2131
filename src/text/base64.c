/* base64.c - see base64.h. Pure functions; not constant-time, so not for secrets that matter. */
#include "text/base64.h"

static const char alphabets[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

err base64_encode(arena *a, base64_kind kind, str bytes, str *out, fail *f) {
    const char *alphabet = alphabets[kind == BASE64_URL];
    char *p = bytes.n / 3 < SIZE_MAX / 4 - 2 ? arena_alloc(a, (bytes.n / 3 + 1) * 4 + 1) : NULL;
    if (!p) return fail_memory(f, "base64 text");
    size_t n = 0;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t have = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) v = v << 8 | (k < have ? (unsigned char)bytes.p[i + k] : 0u);
        for (size_t k = 0; k < 4; k++) {
            if (k <= have)
                p[n++] = alphabet[v >> (18 - 6 * k) & 63];
            else if (kind == BASE64_STANDARD)
                p[n++] = '=';
        }
    }
    *out = (str){p, n};
    return E_OK;
}

static int base64_value(base64_kind kind, char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (kind == BASE64_URL ? '-' : '+')) return 62;
    return c == (kind == BASE64_URL ? '_' : '/') ? 63 : -1;
}

/* Takes the padding off; false where it is wrong or missing. */
static bool cut_padding(base64_kind kind, str *text) {
    size_t all = text->n, pads = 0;
    while (pads < 2 && text->n && text->p[text->n - 1] == '=') {
        text->n--;
        pads++;
    }
    if (text->n % 4 == 1) return false;
    if (pads == 0 && kind == BASE64_URL) return true;
    return all % 4 == 0 && pads == (4 - text->n % 4) % 4;
}

err base64_decode(arena *a, base64_kind kind, str text, str *out, fail *f) {
    if (!cut_padding(kind, &text))
        return fail_set(f, E_INPUT, "base64 text of the wrong length or padding");
    char *p = arena_alloc(a, text.n / 4 * 3 + 3);
    if (!p) return fail_memory(f, "base64 bytes");
    size_t n = 0;
    uint32_t v = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int digit = base64_value(kind, text.p[i]);
        if (digit < 0)
            return fail_set(f, E_INPUT, "byte %zu is no base64 character (0x%02x)", i + 1,
                            (unsigned char)text.p[i]);
        v = (v << 6 | (uint32_t)digit) & 0xFFFFFF;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        p[n++] = (char)(v >> bits & 0xFF);
    }
    if (v & ((1u << bits) - 1))
        return fail_set(f, E_INPUT, "base64 text with stray bits at its end");
    *out = (str){p, n};
    return E_OK;
}

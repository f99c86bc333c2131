/* buf.c - growing byte buffer; see buf.h. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void buf_deinit(buf *b) {
    mem_free(b->p);
    *b = (buf){.bytes_max = b->bytes_max};
}

void buf_reset(buf *b) {
    b->n = 0;
    b->failed = b->too_large = false;
}

/* Doubles; a small one quadruples, for most texts that outgrow it do so again. */
static bool buf_grow(buf *b, size_t need) {
    size_t cap = b->cap ? b->cap : 128;
    while (cap < need) {
        if (cap > SIZE_MAX / 2) return false;
        cap *= cap < 4096 ? 4 : 2;
    }
    char *p = mem_resize(b->p, cap);
    if (!p) return false;
    b->p = p;
    b->cap = cap;
    return true;
}

char *buf_reserve(buf *b, size_t n) {
    if (b->failed) return NULL;
    bool over = n > SIZE_MAX - b->n - 1 || (b->bytes_max && b->n + n > b->bytes_max);
    if (over || (b->n + n + 1 > b->cap && !buf_grow(b, b->n + n + 1))) {
        b->failed = true;
        b->too_large = over;
        return NULL;
    }
    return b->p + b->n;
}

void buf_put_bytes(buf *b, const void *p, size_t n) {
    char *to = buf_reserve(b, n);
    if (!to) return;
    if (n) memcpy(to, p, n);
    b->n += n;
}

void buf_put(buf *b, str s) {
    buf_put_bytes(b, s.p, s.n);
}
void buf_put_z(buf *b, const char *z) {
    buf_put_bytes(b, z, strlen(z));
}
void buf_put_char(buf *b, char c) {
    buf_put_bytes(b, &c, 1);
}

void buf_printf(buf *b, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (n < 0) b->failed = true;
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_drop_front(buf *b, size_t n) {
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

str buf_str(const buf *b) {
    return b->n ? (str){b->p, b->n} : (str){"", 0};
}

const char *buf_z(buf *b) {
    char *end = buf_reserve(b, 0);
    if (!end) return "";
    *end = 0;
    return b->p;
}

err buf_ok(const buf *b, fail *f) {
    if (!b->failed) return E_OK;
    if (b->too_large)
        return fail_set(f, E_TOO_LARGE, "text is longer than the limit of %zu bytes", b->bytes_max);
    return fail_memory(f, "a text buffer");
}

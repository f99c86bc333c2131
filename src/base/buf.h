/* buf.h - a byte buffer that grows. Owner: one thread at a time.
 *
 * Writing never fails on the spot: when memory is out, or bytes_max would be passed, `failed`
 * sticks, further writes do nothing and the caller asks once at the end (buf_ok). So rendering code
 * reads straight. */
#ifndef BANTAM_BASE_BUF_H
#define BANTAM_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

typedef struct buf {
    char *p;
    size_t n, cap;
    size_t bytes_max; /* 0 = no limit */
    bool failed;
    bool too_large; /* failed because of bytes_max, not for want of memory */
} buf;

void buf_deinit(buf *b); /* frees; the buf may be used again */
void buf_reset(buf *b);  /* empties, keeps memory, clears failed */
void buf_put(buf *b, str s);
void buf_put_z(buf *b, const char *z);
void buf_put_char(buf *b, char c);
void buf_put_bytes(buf *b, const void *p, size_t n);
void buf_printf(buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *buf_reserve(buf *b, size_t n); /* room for n more bytes at the end, or NULL (failed is set) */
void buf_drop_front(buf *b, size_t n);
str buf_str(const buf *b);                    /* borrowed until the next write */
const char *buf_z(buf *b);                    /* zero-terminated view; "" when failed */
err buf_ok(const buf *b, fail *f) MUST_CHECK; /* E_NO_MEMORY or E_TOO_LARGE when failed */

#endif

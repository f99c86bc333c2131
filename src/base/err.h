/* err.h - how every function that can fail says so.
 *
 * A function that can fail returns `err`, takes `fail *f` last and leaves its outputs untouched on
 * failure. The code is for machines (exit code, HTTP status), the text for people: what was
 * attempted, on what, the value, and as a hint the remedy. The text is set once, where the cause is
 * known; callers add nothing, they pass it up (TRY) or act on the code.
 * `f` may be NULL where nobody will read the text. No thread owns a fail: it is the caller's. */
#ifndef BANTAM_BASE_ERR_H
#define BANTAM_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* code, HTTP status, exit code, name for people */
#define ERR_TABLE(X)                                \
    X(E_OK, 200, 0, "ok")                           \
    X(E_INPUT, 400, 2, "bad input")                 \
    X(E_USAGE, 400, 2, "bad usage")                 \
    X(E_DENIED, 403, 3, "not allowed")              \
    X(E_KEY, 401, 3, "key missing or wrong")        \
    X(E_NOT_FOUND, 404, 4, "not found")             \
    X(E_EXISTS, 409, 5, "exists already")           \
    X(E_TOO_LARGE, 413, 2, "too large")             \
    X(E_CONTEXT, 400, 2, "context length exceeded") \
    X(E_UNSUPPORTED, 400, 6, "not supported")       \
    X(E_CORRUPT, 500, 7, "damaged data")            \
    X(E_IO, 500, 8, "input/output error")           \
    X(E_NO_SPACE, 507, 8, "no space left")          \
    X(E_NO_MEMORY, 503, 9, "out of memory")         \
    X(E_NETWORK, 502, 10, "network error")          \
    X(E_TIMEOUT, 504, 10, "timed out")              \
    X(E_BUSY, 503, 11, "busy")                      \
    X(E_CANCELLED, 499, 130, "cancelled")           \
    X(E_INTERNAL, 500, 70, "internal error")        \
    X(E_LIMIT, 429, 11, "limit reached")            \
    X(E_UNDONE, 501, 6, "cannot be done here")

typedef enum err {
#define X(code, http, exit_code, text) code,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
} err;

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

enum { FAIL_TEXT_BYTES = 512, FAIL_HINT_BYTES = 320 };

typedef struct fail {
    err code;
    char text[FAIL_TEXT_BYTES]; /* what went wrong, on what, with which value */
    char hint[FAIL_HINT_BYTES]; /* what to do about it; may be empty */
    int retry_s;                /* seconds after which to try again; 0 = not said */
} fail;

int err_http_status(err e);
int err_exit_code(err e);
const char *err_name(err e);

/* Sets code and text (an over-long text is cut at a byte, never overrun), clears hint and retry_s.
 * Returns `code`, so that `return fail_set(...)` reads as one step. */
err fail_set(fail *f, err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds what the reader can do. Returns f's code. */
err fail_hint(fail *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* For a failed call of the C library: text ": " strerror(errno); ENOSPC/EDQUOT, ENOENT, ENOMEM,
 * EACCES, EEXIST and EINTR choose their own code, everything else is E_IO. */
err fail_errno(fail *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
err fail_memory(fail *f, const char *what);
void fail_clear(fail *f);

/* Passes an error up where nothing must be undone. */
#define TRY(expr)                              \
    do {                                       \
        err try_err_ = (expr);                 \
        if (try_err_ != E_OK) return try_err_; \
    } while (0)

/* Leaves to `out:` with variable `e` set, where something must be undone. */
#define TRY_OUT(expr)            \
    do {                         \
        e = (expr);              \
        if (e != E_OK) goto out; \
    } while (0)

/* Our own mistakes only; stays on in release builds. Input must never reach one. */
#define CHECK(cond)                                                                \
    do {                                                                           \
        if (__builtin_expect(!(cond), 0)) check_failed(#cond, __FILE__, __LINE__); \
    } while (0)
_Noreturn void check_failed(const char *cond, const char *file, int line);

#endif

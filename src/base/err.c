/* err.c - error codes and texts; see err.h. No state. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct err_row {
    int http, exit_code;
    const char *name;
} err_row;

static const err_row err_rows[ERR_COUNT] = {
#define X(code, http, exit_code, text) [code] = {http, exit_code, text},
    ERR_TABLE(X)
#undef X
};

int err_http_status(err e) {
    return err_rows[e < ERR_COUNT ? e : E_INTERNAL].http;
}
int err_exit_code(err e) {
    return err_rows[e < ERR_COUNT ? e : E_INTERNAL].exit_code;
}
const char *err_name(err e) {
    return err_rows[e < ERR_COUNT ? e : E_INTERNAL].name;
}

err fail_set(fail *f, err code, const char *fmt, ...) {
    if (!f) return code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
    f->code = code;
    f->hint[0] = 0;
    f->retry_s = 0;
    return code;
}

err fail_hint(fail *f, const char *fmt, ...) {
    if (!f) return E_INTERNAL;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->hint, sizeof f->hint, fmt, args);
    va_end(args);
    return f->code;
}

static err err_of_errno(int number) {
    switch (number) {
    case ENOSPC:
    case EDQUOT: return E_NO_SPACE;
    case ENOENT: return E_NOT_FOUND;
    case ENOMEM: return E_NO_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS: return E_DENIED;
    case EEXIST: return E_EXISTS;
    case EINTR: return E_CANCELLED;
    default: return E_IO;
    }
}

err fail_errno(fail *f, const char *fmt, ...) {
    int number = errno;
    err code = err_of_errno(number);
    if (!f) return code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
    size_t used = strlen(f->text);
    snprintf(f->text + used, sizeof f->text - used, ": %s", strerror(number));
    f->code = code;
    f->hint[0] = 0;
    f->retry_s = 0;
    if (code == E_NO_SPACE) fail_hint(f, "free some disk space and try again; nothing was lost");
    return code;
}

err fail_memory(fail *f, const char *what) {
    fail_set(f, E_NO_MEMORY, "not enough memory for %s", what);
    if (f) fail_hint(f, "close other programs, or use a smaller model or context");
    return E_NO_MEMORY;
}

void fail_clear(fail *f) {
    f->code = E_OK;
    f->text[0] = f->hint[0] = 0;
    f->retry_s = 0;
}

void check_failed(const char *cond, const char *file, int line) {
    fprintf(stderr, "bantam: internal error: %s at %s:%d\nThis is a bug of ours.\n", cond, file,
            line);
    abort();
}

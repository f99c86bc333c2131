/* out.c - see out.h. */
#include "app/out.h"

#include "app/home.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OUT_PIPE_CLOSED = 141 }; /* what a shell reports of a program ended by SIGPIPE */

static const char *code(int fd, const char *escape) {
    return isatty(fd) == 1 && !home_env(NULL, "NO_COLOR") ? escape : "";
}

/* The text in place of itself: an error quotes files and models, whose words are not ours. */
static void make_safe(char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        bool c1 = c == 0xC2 && i + 1 < n && ((unsigned char)p[i + 1] & 0xE0) == 0x80;
        if (c1) p[i + 1] = '?';
        if (c1 || (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) p[i] = '?';
    }
}

void out_fail(const fail *f) {
    fail shown = *f;
    make_safe(shown.text, strlen(shown.text));
    make_safe(shown.hint, strlen(shown.hint));
    fprintf(stderr, "%sbantam:%s %s\n", code(STDERR_FILENO, "\033[31m"), out_err_plain(),
            shown.text);
    if (shown.hint[0]) fprintf(stderr, "  %s\n", shown.hint);
}

err out_flush(fail *f) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return E_OK;
    if (errno == EPIPE) _exit(OUT_PIPE_CLOSED); /* `bantam ... | head`: the reader has had enough */
    return fail_errno(f, "cannot write the output");
}

err out_json(buf *b, fail *f) {
    err e = buf_ok(b, f);
    if (e == E_OK) fwrite(b->p, 1, b->n, stdout);
    if (e == E_OK) fputc('\n', stdout);
    buf_deinit(b);
    return e == E_OK ? out_flush(f) : e;
}

void out_list_begin(json_writer *j, const char *key) {
    json_begin_object(j);
    json_key(j, key);
    json_begin_array(j);
}
void out_list_end(json_writer *j) {
    json_end_array(j);
    json_end_object(j);
}

const char *out_bold(void) {
    return code(STDOUT_FILENO, "\033[1m");
}
const char *out_dim(void) {
    return code(STDOUT_FILENO, "\033[2m");
}
const char *out_plain(void) {
    return code(STDOUT_FILENO, "\033[0m");
}
const char *out_err_dim(void) {
    return code(STDERR_FILENO, "\033[2m");
}
const char *out_err_plain(void) {
    return code(STDERR_FILENO, "\033[0m");
}

str out_safe(arena *a, str text, bool one_line) {
    char *p = arena_alloc(a, text.n + 1);
    if (!p) return STR("(out of memory)");
    if (text.n) memcpy(p, text.p, text.n);
    make_safe(p, text.n);
    for (size_t i = 0; one_line && i < text.n; i++)
        if (p[i] == '\n' || p[i] == '\t') p[i] = ' ';
    return (str){p, text.n};
}

void out_time(int64_t ms, char text[32]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    localtime_r(&seconds, &t);
    strftime(text, 32, "%d %b %H:%M", &t);
}

const char *out_user(void) {
    const char *name = home_env(NULL, "USER");
    return name ? name : "someone";
}

/* log.c - one write(2) a line, so lines of several threads do not mix; see log.h. */
#include "base/log.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_LINE_BYTES = 1024 };

static atomic_int log_most = LOG_INFO;

void log_set_level(log_level most) {
    atomic_store(&log_most, (int)most);
}

void log_write(log_level level, const char *room, const char *fmt, ...) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if ((int)level > atomic_load(&log_most)) return;
    char line[LOG_LINE_BYTES], when[CLOCK_TEXT_BYTES];
    clock_text(clock_now_ms(), when);
    int head = snprintf(line, sizeof line, "%s %s %s: ", when, names[level], room);
    va_list args;
    va_start(args, fmt);
    int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, fmt, args);
    va_end(args);
    size_t n = strlen(line);
    if (body < 0) return;
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0) return; /* nobody left to tell */
}

const char *log_mask(str text, char out[64]) {
    size_t words = 0;
    for (size_t i = 0; i < text.n; i++)
        words += text.p[i] != ' ' && (i == 0 || text.p[i - 1] == ' ');
    snprintf(out, 64, "%zu words, %zu bytes", words, text.n);
    return out;
}

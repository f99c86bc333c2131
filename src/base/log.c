/* log.c - one write(2) a line, so lines of several threads do not mix; see log.h. */
#include "base/log.h"

#include "base/clock.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES = 1024,
    LINE_BYTES = 16384, /* on the stack of who logs */
    TAIL_BYTES = 4,     /* always left for the end of the line */
    ESCAPED_MOST = 6    /* of one byte */
};

static atomic_int log_most = LOG_INFO;
static atomic_int log_shape = LOG_AS_TEXT;

static _Thread_local struct { char request[40], trace[40]; } log_ids;

typedef struct log_line {
    char p[LINE_BYTES];
    size_t n;
} log_line;

void log_set_level(log_level most) {
    atomic_store(&log_most, (int)most);
}
void log_set_form(log_form form) {
    atomic_store(&log_shape, (int)form);
}
log_form log_get_form(void) {
    return (log_form)atomic_load_explicit(&log_shape, memory_order_relaxed);
}

void log_set_request(const char *request_id, const char *trace_id) {
    snprintf(log_ids.request, sizeof log_ids.request, "%s", request_id ? request_id : "");
    snprintf(log_ids.trace, sizeof log_ids.trace, "%s", trace_id ? trace_id : "");
}

/* ---- pieces of a line ---- */

static size_t room_left(const log_line *l) {
    return LINE_BYTES - TAIL_BYTES - l->n;
}

static void put(log_line *l, const char *p, size_t n) {
    if (n > room_left(l)) return;
    memcpy(l->p + l->n, p, n);
    l->n += n;
}

static void put_z(log_line *l, const char *z) {
    put(l, z, strlen(z));
}

/* Bytes of the UTF-8 character at s; 0 = none begins here, or it is not whole, written too long, a
 * surrogate or above U+10FFFF. */
static size_t character_bytes(str s) {
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 0;
    if (c >= 0xf0 && c < 0xf5) n = 4;
    if (n > s.n) return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80) return 0;
    unsigned char second = n > 2 ? (unsigned char)s.p[1] : 0;
    bool bad = (c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
               (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f);
    return bad ? 0 : n;
}

static void put_escaped(log_line *l, str s) {
    char code[8];
    while (s.n) {
        size_t n = character_bytes(s);
        char c = s.p[0];
        if (n == 0) {
            put_z(l, "\xef\xbf\xbd"); /* U+FFFD */
        } else if (n > 1) {
            put(l, s.p, n);
        } else if (c == '"' || c == '\\') {
            put(l, (char[]){'\\', c}, 2);
        } else if ((unsigned char)c < ' ' || c == 0x7f) {
            snprintf(code, sizeof code, "\\u%04x", (unsigned)(unsigned char)c);
            put_z(l, code);
        } else {
            put(l, &c, 1);
        }
        s = str_slice(s, n ? n : 1, s.n);
    }
}

/* ,"key":"value"; left out where there is no value, or no room for all of it. */
static void put_member(log_line *l, const char *key, str value) {
    value = str_slice(value, 0, LOG_VALUE_BYTES);
    if (!value.n || value.n * ESCAPED_MOST + strlen(key) + 6 > room_left(l)) return;
    put_z(l, ",\"");
    put_z(l, key);
    put_z(l, "\":\"");
    put_escaped(l, value);
    put_z(l, "\"");
}

static void put_number(log_line *l, const char *before, const char *key, const char *between,
                       double v) {
    char text[32];
    if (!isfinite(v)) return;
    snprintf(text, sizeof text, "%.12g", v);
    if (strlen(before) + strlen(key) + strlen(between) + strlen(text) > room_left(l)) return;
    put_z(l, before);
    put_z(l, key);
    put_z(l, between);
    put_z(l, text);
}

/* ---- lines ---- */

static void put_json(log_line *l, const char *when, const char *level, const char *room,
                     const char *message, const log_field *fields, size_t n) {
    put_z(l, "{\"time\":\"");
    put_z(l, when);
    put_z(l, "\"");
    put_member(l, "level", str_from(level));
    put_member(l, "room", str_from(room));
    put_member(l, "message", str_from(message));
    put_member(l, "request_id", str_from(log_ids.request));
    put_member(l, "trace_id", str_from(log_ids.trace));
    for (size_t i = 0; i < n; i++) {
        if (fields[i].text.p)
            put_member(l, fields[i].key, fields[i].text);
        else
            put_number(l, ",\"", fields[i].key, "\":", fields[i].number);
    }
    l->p[l->n++] = '}';
}

static void put_text(log_line *l, const char *when, const char *level, const char *room,
                     const char *message, const log_field *fields, size_t n) {
    char head[96];
    snprintf(head, sizeof head, "%s %s %s: ", when, level, room);
    put_z(l, head);
    put_z(l, message);
    for (size_t i = 0; i < n; i++) {
        str v = str_slice(fields[i].text, 0, LOG_VALUE_BYTES);
        if (!fields[i].text.p) {
            put_number(l, " ", fields[i].key, "=", fields[i].number);
        } else if (v.n && strlen(fields[i].key) + v.n + 2 <= room_left(l)) {
            put_z(l, " ");
            put_z(l, fields[i].key);
            put_z(l, "=");
            put(l, v.p, v.n);
        }
    }
}

void log_write_fields(log_level level, const char *room, const char *message,
                      const log_field *fields, size_t n) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char when[CLOCK_TEXT_BYTES];
    log_line l;
    if ((int)level > atomic_load(&log_most)) return;
    l.n = 0;
    clock_text(clock_now_ms(), when);
    if (log_get_form() == LOG_AS_JSON)
        put_json(&l, when, names[level], room, message, fields, n);
    else
        put_text(&l, when, names[level], room, message, fields, n);
    l.p[l.n++] = '\n';
    if (write(STDERR_FILENO, l.p, l.n) < 0) return; /* nobody left to tell */
}

void log_write(log_level level, const char *room, const char *fmt, ...) {
    char message[MESSAGE_BYTES];
    va_list args;
    if ((int)level > atomic_load(&log_most)) return;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (n >= 0) log_write_fields(level, room, message, NULL, 0);
}

const char *log_mask(str text, char out[64]) {
    size_t words = 0;
    for (size_t i = 0; i < text.n; i++)
        words += text.p[i] != ' ' && (i == 0 || text.p[i - 1] == ' ');
    snprintf(out, 64, "%zu words, %zu bytes", words, text.n);
    return out;
}

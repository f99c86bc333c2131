/* http_head.c - the head of an answer: status, date, type, length, framing, id, connection. Written
 * without printf, for it is most of what a small answer costs. On the thread that owns the
 * connection. */
#include "base/clock.h"
#include "net/http_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DATE_BYTES = 48 };

static const char *status_text(int status) {
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status) return rows[i].text;
    return "Status";
}

static inline void put(http_head *h, str s) {
    if (s.n > sizeof h->p - h->n) {
        h->full = true;
        return;
    }
    memcpy(h->p + h->n, s.p, s.n);
    h->n += s.n;
}

static void put_number(http_head *h, int64_t v) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = (uint64_t)v;
    do digits[--at] = (char)('0' + left % 10);
    while (left /= 10);
    put(h, (str){digits + at, sizeof digits - at});
}

static size_t write_date(char out[DATE_BYTES], time_t now) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;
    if (!gmtime_r(&now, &t)) return 0;
    int n = snprintf(out, DATE_BYTES, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                     days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900,
                     t.tm_hour, t.tm_min, t.tm_sec);
    return n < DATE_BYTES ? (size_t)n : 0;
}

/* Made once a second on each thread. */
static void put_date(http_head *h) {
    static _Thread_local struct {
        time_t at;
        size_t n;
        char text[DATE_BYTES];
    } made;
    time_t now = (time_t)(clock_now_ms() / 1000);
    if (now != made.at || !made.n) {
        made.at = now;
        made.n = write_date(made.text, now);
    }
    put(h, (str){made.text, made.n});
}

static void put_status(http_head *h, int status) {
    if (status == 200) {
        put(h, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    put(h, STR("HTTP/1.1 "));
    put_number(h, status);
    put(h, STR(" "));
    put(h, str_from(status_text(status)));
    put(h, STR("\r\n"));
}

/* A status that must not have a body gets neither type nor length. */
static void put_framing(http_head *h, http_conn *c, const char *type, int64_t length) {
    if (type) {
        put(h, STR("Content-Type: "));
        put(h, str_from(type));
        put(h, STR("\r\n"));
    }
    if (length >= 0) {
        put(h, STR("Content-Length: "));
        put_number(h, length);
        put(h, STR("\r\n"));
    }
    c->chunked = length < 0 && !c->parse.is_http10;
    if (c->chunked) put(h, STR("Transfer-Encoding: chunked\r\n"));
    if (length < 0 && !c->chunked) c->keep_alive = false;
}

void http_head_write(http_head *h, http_conn *c, int status, const char *type, int64_t length) {
    h->n = 0;
    h->full = false;
    c->chunked = false;
    put_status(h, status);
    put_date(h);
    if (status != 204 && status != 304) put_framing(h, c, type, length);
    if (c->rq.id[0]) {
        put(h, STR("x-request-id: "));
        put(h, str_from(c->rq.id));
        put(h, STR("\r\n"));
    }
    if (!c->keep_alive)
        put(h, STR("Connection: close\r\n"));
    else if (c->parse.is_http10)
        put(h, STR("Connection: keep-alive\r\n"));
}

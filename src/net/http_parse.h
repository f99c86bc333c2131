/* http_parse.h - bytes of a connection -> whole requests, under limits. No sockets, no clock.
 *
 * A strict check of our own reads the head line by line before llhttp does: what two HTTP programs
 * could read differently (bare LF, folded or doubled length headers, white space before a colon) is
 * refused, so that nobody smuggles a request past a proxy in front of us. Owner: one thread. */
#ifndef BANTAM_NET_HTTP_PARSE_H
#define BANTAM_NET_HTTP_PARSE_H

#include "net/http_server.h"

#include <llhttp.h>

typedef struct http_limits {
    size_t target_bytes_max, header_bytes_max, body_bytes_max;
    const char *large_path; /* whose bodies may have large_bytes_max; NULL none */
    size_t large_bytes_max;
} http_limits;

typedef enum http_parse_state {
    HTTP_PARSE_MORE,     /* all good so far, more bytes are needed */
    HTTP_PARSE_CONTINUE, /* the client waits for "100 Continue"; told once, then call feed again */
    HTTP_PARSE_WHOLE,    /* the request is complete; reset before the next */
    HTTP_PARSE_BAD       /* answer bad_status and close: where the next request starts is unknown */
} http_parse_state;

typedef struct http_parse {
    http_limits limits;
    llhttp_t llhttp;
    arena *arena;     /* head and decoded path live here */
    http_request *rq; /* being filled */
    http_header *headers;
    size_t headers_n, headers_cap;
    size_t scanned, line_at, lines; /* of the head, while it is not whole */
    size_t raw_body_bytes;          /* with chunk framing */
    buf body;
    bool in_body, whole, expects_continue, keep_alive, is_http10, is_head;
    int bad_status;
    const char *bad_code; /* static text */
    char bad_text[192];   /* last: not cleared between requests */
} http_parse;

void http_parse_init(http_parse *p, const http_limits *limits, arena *a, http_request *rq);
void http_parse_reset(http_parse *p); /* for the next request; keeps the body's memory if small */
void http_parse_deinit(http_parse *p);

/* Reads from `in`, all bytes of the connection not used yet; *used says how many are done with.
 * While the head is not whole *used is 0 and the same bytes must be given again, with more behind.
 * No pointer into `in` is kept. */
http_parse_state http_parse_feed(http_parse *p, str in, size_t *used);
bool http_parse_in_head(const http_parse *p);

#endif

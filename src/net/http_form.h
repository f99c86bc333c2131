/* http_form.h - the body of a form with files: multipart/form-data (RFC 7578, RFC 2046).
 *
 * Strict where two programs could read differently: delimiters stand at the beginning of a line
 * that CR LF ended, each part has one Content-Disposition of type form-data with a name, and the
 * closing delimiter must be there. Pure; any thread. Nothing is decoded but quoted pairs. */
#ifndef BANTAM_NET_HTTP_FORM_H
#define BANTAM_NET_HTTP_FORM_H

#include "base/arena.h"
#include "base/err.h"

enum { HTTP_PARTS_MAX = 64, HTTP_PART_HEAD_BYTES_MAX = 8192, HTTP_BOUNDARY_BYTES_MAX = 70 };

typedef struct http_part {
    str name;
    str filename; /* .p NULL: not a file */
    str type;     /* Content-Type as sent; "" none */
    str body;     /* borrowed from the request's */
} http_part;

bool http_is_form(str content_type);
/* E_INPUT says what is wrong; E_TOO_LARGE above a limit. */
err http_form_read(arena *a, str content_type, str body, http_part **out, size_t *n,
                   fail *f) MUST_CHECK;
/* The part of that name; NULL when there is none. */
const http_part *http_form_get(const http_part *parts, size_t n, const char *name);

#endif

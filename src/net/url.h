/* url.h - the little of RFC 3986 that we need: percent-decoding, query parameters, references.
 * Any thread; results live in the given arena. */
#ifndef BANTAM_NET_URL_H
#define BANTAM_NET_URL_H

#include "base/arena.h"
#include "base/err.h"

/* Decodes %XX (and, in forms, '+' as space). E_INPUT for a bad escape or an encoded NUL. */
err url_decode(arena *a, str s, bool plus_is_space, str *out, fail *f) MUST_CHECK;
/* Encodes all but RFC 3986's unreserved characters; keep: further characters left as they are. */
err url_encode(arena *a, str s, const char *keep, str *out, fail *f) MUST_CHECK;
/* Decoded value of the first `name` in "a=1&b=2"; {NULL,0} when absent or malformed. */
str url_query_find(arena *a, str query, const char *name);
/* Resolves a reference against an absolute base (RFC 3986, 5.2): "../x.whl#sha256=...". */
err url_join(arena *a, str base, str reference, str *out, fail *f) MUST_CHECK;
/* scheme://user:secret@host/path?query -> scheme://host/path: what may stand in logs and errors. */
str url_public(arena *a, str url);
/* Host (without brackets) and port of an http(s) URL; port 0 = another scheme's. Borrowed. */
void url_server(str url, str *host, int *port);
/* The same of "name:port", as a Host field has it; port 0 = none is named. */
void url_host_port(str authority, str *host, int *port);
/* Cuts the fragment off: returns the part before '#', *fragment the part behind (may be empty). */
str url_cut_fragment(str url, str *fragment);
/* Lower-case comparison of the scheme: url_has_scheme(u, "https"). */
bool url_has_scheme(str url, const char *scheme);

#endif

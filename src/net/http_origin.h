/* http_origin.h - may this request come from where it says it comes? Pure functions, any thread.
 *
 * A browser lets any website send requests to localhost; DNS rebinding even makes them look like
 * the site's own. Both show in Host, Origin and Sec-Fetch-Site, which pages cannot forge. */
#ifndef BANTAM_NET_HTTP_ORIGIN_H
#define BANTAM_NET_HTTP_ORIGIN_H

#include "net/http_server.h"

typedef struct http_origin_rules {
    const char *const *hosts; /* [hosts_n] as in http_options */
    size_t hosts_n;
    const char *const *origins; /* [origins_n] */
    size_t origins_n;
} http_origin_rules;

/* A name of loopback is, at any port: behind a forwarded one (ssh -L, containers) it is not ours,
 * and no website can make a browser say it. */
bool http_host_allowed(const http_origin_rules *r, str host);
/* NULL when the request may pass, else a sentence that says what is wrong; *code one stable word.
 */
const char *http_origin_refusal(const http_origin_rules *r, const http_request *rq,
                                const char **code);

#endif

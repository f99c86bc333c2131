/* api_who.h - who sends a request and may they: keys, cookies, the token against forgery, limits.
 *
 *   a key (Authorization: Bearer, x-api-key, api-key)   before   a session's cookie
 *
 * Where auth is off (loopback without users) anybody is let in, with any key; one that is known
 * still brings its tenant and its limits. Worker threads. */
#ifndef BANTAM_API_API_WHO_H
#define BANTAM_API_API_WHO_H

#include "api/api_int.h"

/* Fills c->who; E_KEY (401), E_DENIED (403), E_LIMIT (429, with Retry-After). Sets x-ratelimit-*.
 */
err api_authorise(api_call *c, who_action action, fail *f) MUST_CHECK;
/* Tokens that the answer cost are taken off the key's minute. */
void api_who_settle(api_call *c);

/* api_access.c */
bool api_access_is_key(api *a, str given);            /* the one of the configuration */
bool api_access_lists(api *a, str origin, bool *any); /* any: some origin is listed */
void api_access_close(api *a);

/* Pages of other origins that --cors-origin lists: headers for their answers. true: it was a
 * preflight and is answered. */
bool api_cors(api_call *c);

#endif

/* serve_guard.h - what a server asks before it answers, and whether that is enough for where it
 * listens: beyond loopback it wants keys or users, and TLS, or a word that says otherwise. */
#ifndef BANTAM_APP_SERVE_GUARD_H
#define BANTAM_APP_SERVE_GUARD_H

#include "app/cli.h"
#include "who/who.h"

typedef struct serve_guard {
    bool require_key; /* a key or a login is asked, users or not */
    bool open_to_all; /* --insecure-no-auth */
    bool no_tls;      /* --insecure-no-tls */
    bool tls;         /* ours, or that of the proxy before us */
    bool proxied; /* --behind-proxy: every request comes through one, which adds X-Forwarded-For */
    const char *origins[CLI_MANY_MAX]; /* --cors-origin */
    size_t origins_n;
} serve_guard;

bool serve_is_loopback(const char *host);
/* Reads merged settings, which must outlive what is read; E_USAGE for those that contradict, and
 * for an origin that is none. */
err serve_guard_read(const cli *c, const char *host, serve_guard *out, fail *f) MUST_CHECK;
/* E_DENIED, with what is missing, where others could reach it unasked or listen in. */
err serve_guard_check(const serve_guard *g, const char *host, bool has_key, who_book *w,
                      fail *f) MUST_CHECK;

#endif

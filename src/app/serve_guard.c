/* serve_guard.c - see serve_guard.h. */
#include "app/serve_guard.h"

#include <string.h>

bool serve_is_loopback(const char *host) {
    return !strcmp(host, "127.0.0.1") || !strcmp(host, "localhost") || !strcmp(host, "::1");
}

err serve_guard_read(const cli *c, const char *host, serve_guard *out, fail *f) {
    *out = (serve_guard){.open_to_all = cli_flag(c, "insecure-no-auth"),
                         .no_tls = cli_flag(c, "insecure-no-tls"),
                         .proxied = cli_flag(c, "behind-proxy")};
    out->tls = out->proxied || cli_value(c, "tls-cert");
    if (!cli_value(c, "tls-cert") != !cli_value(c, "tls-key"))
        return fail_set(f, E_USAGE, "--tls-cert and --tls-key go together");
    bool asked = cli_flag(c, "require-auth");
    if (asked && out->open_to_all)
        return fail_set(f, E_USAGE, "--require-auth and --insecure-no-auth contradict");
    out->require_key = asked || ((out->proxied || !serve_is_loopback(host)) && !out->open_to_all);
    for (size_t i = 0; i < cli_count(c, "cors-origin"); i++)
        out->origins[out->origins_n++] = cli_value_at(c, "cors-origin", i);
    return E_OK;
}

err serve_guard_check(const serve_guard *g, const char *host, bool has_key, who_book *w, fail *f) {
    int64_t keys, users;
    TRY(who_count(w, &keys, &users, f));
    if (g->require_key && !has_key && !keys && !users) {
        fail_set(f, E_DENIED, "a key or a login is asked at %s, and there are neither", host);
        return fail_hint(f, "bantam key add NAME, or bantam user add NAME --role admin, or "
                            "BANTAM_KEY; --insecure-no-auth if everybody may");
    }
    if (serve_is_loopback(host) || g->tls || g->no_tls) return E_OK;
    fail_set(f, E_DENIED, "%s can be reached by others, who would send keys in the clear", host);
    return fail_hint(f, "give --tls-cert and --tls-key, or put a proxy with TLS before it and say "
                        "--behind-proxy; --insecure-no-tls if the network itself is trusted");
}

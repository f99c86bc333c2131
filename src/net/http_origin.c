/* http_origin.c - see http_origin.h. */
#include "net/http_origin.h"

/* Cuts "name:port" or "[v6]:port"; *port is -1 when there is none. false: no host at all. */
static bool split_host(str host, str *name, int64_t *port) {
    size_t from = 0;
    if (host.n && host.p[0] == '[') {
        from = str_find_char(host, ']');
        if (from == STR_INDEX_NONE) return false;
    }
    size_t colon = str_find_char(str_slice(host, from, host.n), ':');
    *port = -1;
    *name = host;
    if (colon != STR_INDEX_NONE) {
        *name = str_slice(host, 0, from + colon);
        str digits = str_slice(host, from + colon + 1, host.n);
        if (!str_to_int(digits, port) || *port < 0 || *port > 65535 || digits.p[0] == '+')
            return false;
    }
    if (name->n && name->p[name->n - 1] == '.') name->n--; /* "localhost." is the same name */
    return name->n > 0;
}

static bool is_loopback_name(str name) {
    return str_eq_nocase(name, STR("localhost")) || str_is(name, "127.0.0.1") ||
           str_is(name, "[::1]");
}

bool http_host_allowed(const http_origin_rules *r, str host) {
    str name, rule_name;
    int64_t port, rule_port;
    if (!split_host(host, &name, &port)) return false;
    if (port < 0) port = 80;
    if (is_loopback_name(name)) return true;
    for (size_t i = 0; i < r->hosts_n; i++) {
        str rule = str_from(r->hosts[i]);
        if (str_is(rule, "*")) return true;
        if (split_host(rule, &rule_name, &rule_port) && str_eq_nocase(name, rule_name) &&
            (rule_port < 0 || rule_port == port))
            return true;
    }
    return false;
}

static bool origin_listed(const http_origin_rules *r, str origin) {
    for (size_t i = 0; i < r->origins_n; i++)
        if (str_eq_nocase(origin, str_from(r->origins[i]))) return true;
    return false;
}

/* Origin of the page itself: http(s)://HOST with the Host header of the same request. */
static bool origin_is_own(str origin, str host) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        str scheme = str_from(schemes[i]);
        if (str_starts(origin, scheme))
            return host.n && str_eq_nocase(str_slice(origin, scheme.n, origin.n), host);
    }
    return false;
}

static bool changes_state(str method) {
    return !str_is(method, "GET") && !str_is(method, "HEAD") && !str_is(method, "OPTIONS");
}

static size_t count_origins(const http_request *rq) {
    size_t n = 0;
    for (size_t i = 0; i < rq->headers_n; i++)
        n += str_eq_nocase(rq->headers[i].name, STR("origin"));
    return n;
}

const char *http_origin_refusal(const http_origin_rules *r, const http_request *rq,
                                const char **code) {
    /* HTTP/1.0 may leave Host out; no browser does, so nobody's page is behind such a request */
    *code = "host_not_allowed";
    if (rq->host.p && rq->host.n && !http_host_allowed(r, rq->host))
        return "this server does not answer under the name in the Host header; add the name "
               "(serve --allow-host NAME) if it should";
    *code = "origin_not_allowed";
    str origin = http_header_get(rq, "origin");
    bool listed = origin.p && origin_listed(r, origin);
    if (count_origins(rq) > 1) return "more than one Origin header";
    if (origin.p && !listed && !origin_is_own(origin, rq->host))
        return "a page of another website may not use this server; add its origin "
               "(serve --cors-origin ORIGIN) if it should";
    str site = http_header_get(rq, "sec-fetch-site");
    bool own_site = !site.p || str_is(site, "same-origin") || str_is(site, "none");
    if (!own_site && !listed && changes_state(rq->method))
        return "a page of another website may not change anything on this server";
    return NULL;
}

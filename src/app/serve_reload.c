/* serve_reload.c - SIGHUP: the settings are read anew and compared with those in force.
 *
 * All or nothing: the file is read and checked as at the start, then what may fail is done
 * (certificates, aliases, access), then what cannot. A setting that needs a restart is named each
 * time as long as it differs. Requests in flight are not touched. Main thread. */
#include "app/serve_models.h"
#include "app/serve_state.h"
#include "base/log.h"

#include <string.h>

/* ---- what both the start and a reload take ---- */

static int64_t number(const cli *c, const char *name) {
    int64_t n = 0;
    CHECK(str_to_int(str_from(cli_value(c, name)), &n)); /* checked when it was read */
    return n;
}

void serve_take_times(serve *s, const cli *c) {
    s->drain_ms = number(c, "drain") * 1000;
    s->notice_ms = number(c, "drain-notice") * 1000;
}

/* The default leaves $BANTAM_DEBUG its say. */
void serve_take_log_level(const serve_config *c) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    const char *wanted = cli_value(&c->values, "log-level");
    if (serve_config_source(c, "log-level") == SERVE_FROM_DEFAULT) return;
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
        if (!strcmp(wanted, names[i])) log_set_level((log_level)i);
}

void serve_http_live(const cli *c, const serve_guard *g, http_live *out) {
    static const char *hosts[CLI_MANY_MAX]; /* copied by who takes them */
    int64_t body = 0;
    *out = (http_live){.hosts = hosts,
                       .hosts_n = cli_count(c, "allow-host"),
                       .origins = g->origins,
                       .origins_n = g->origins_n,
                       .tls_cert = cli_value(c, "tls-cert"),
                       .tls_key = cli_value(c, "tls-key"),
                       .header_ms_max = number(c, "header-timeout") * 1000,
                       .body_ms_max = number(c, "body-timeout") * 1000,
                       .idle_ms_max = number(c, "idle-timeout") * 1000,
                       .sse_ping_ms = number(c, "sse-ping") * 1000};
    for (size_t i = 0; i < out->hosts_n; i++) hosts[i] = cli_value_at(c, "allow-host", i);
    CHECK(serve_bytes_of(str_from(cli_value(c, "body-max")), &body));
    out->body_bytes_max = (size_t)body;
}

/* ---- what differs ---- */

/* TLS can be given other files, not be begun or ended. */
static bool is_live(const serve *s, const serve_config *next, size_t i) {
    const serve_option *o = serve_option_at(i);
    bool tls = !strcmp(o->name, "tls-cert") || !strcmp(o->name, "tls-key");
    bool had = cli_value(&s->config->values, "tls-cert") != NULL;
    return o->live && (!tls || had == (cli_value(&next->values, "tls-cert") != NULL));
}

static str text_of(const serve_config *c, size_t i, arena *a) {
    str text = serve_config_text(c, i, a);
    const char *usual = serve_option_at(i)->usual;
    return text.n ? text : arena_printf(a, "(%s)", usual ? usual : "");
}

static void name_difference(const serve *s, const serve_config *next, size_t i, bool live) {
    const serve_config *now = live ? s->live : s->config;
    const char *name = serve_option_at(i)->name;
    if (serve_config_same(now, next, i)) return;
    arena a;
    arena_init(&a, 256);
    str was = text_of(now, i, &a), is = text_of(next, i, &a);
    if (live)
        log_info("app", "%s: %.*s, before %.*s", name, STR_ARG(is), STR_ARG(was));
    else
        log_warn("app", "%s: %.*s needs a restart; until then %.*s holds", name, STR_ARG(is),
                 STR_ARG(was));
    arena_deinit(&a);
}

static void name_differences(const serve *s, const serve_config *next) {
    for (size_t i = 0; i < serve_option_count(); i++)
        name_difference(s, next, i, is_live(s, next, i));
}

static size_t index_of(const char *name) {
    return (size_t)(serve_option_find(name) - serve_option_at(0));
}

/* ---- taking ---- */

static err put_aliases(serve *s, const serve_config *x, fail *f) {
    size_t i = index_of("alias");
    return world_alias_replace(s->w, x->values.values[i], x->values.n_values[i], f);
}

static err take_aliases(serve *s, const serve_config *next, fail *f) {
    return serve_config_same(s->live, next, index_of("alias")) ? E_OK : put_aliases(s, next, f);
}

static err take_access(serve *s, const serve_config *x, const serve_guard *g, fail *f) {
    str key = str_from(cli_value(&x->values, "key"));
    return api_set_access(s->api, key, g->origins, g->origins_n, f);
}

/* What may fail, in turn; what could be taken before one of them failed is put back. */
static err take_risky(serve *s, const serve_config *next, fail *f) {
    serve_guard guard, before;
    http_live live;
    fail ignored;
    TRY(serve_guard_read(&next->values, s->host, &guard, f));
    TRY(serve_guard_read(&s->live->values, s->host, &before, f));
    serve_http_live(&next->values, &guard, &live);
    TRY(take_aliases(s, next, f));
    err e = take_access(s, next, &guard, f);
    if (e == E_OK) e = http_server_change(s->http, &live, f); /* the certificate may be a bad one */
    if (e == E_OK) return E_OK;
    (void)!put_aliases(s, s->live, &ignored);
    (void)!take_access(s, s->live, &before, &ignored);
    return e;
}

static err take(serve *s, const serve_config *next, fail *f) {
    const cli *c = &next->values;
    TRY(take_risky(s, next, f));
    serve_models_limit(c, s->w);
    serve_take_times(s, c);
    serve_take_log_level(next);
    return E_OK;
}

static bool says_something(const serve_config *c) {
    bool any = false;
    for (size_t i = 0; i < serve_option_count(); i++) any |= c->lines[i] > 0;
    return any;
}

/* A file that is gone or empty is one that is being written, not the wish for no settings at all: a
 * key, hosts, aliases are not dropped for it. */
static err check_there(const serve_config *now, const serve_config *next, fail *f) {
    if (!now->path) return E_OK;
    if (!next->path)
        fail_set(f, E_NOT_FOUND, "\"%s\", which was read before, is not there", now->path);
    else if (says_something(now) && !says_something(next))
        fail_set(f, E_INPUT, "\"%s\", which held settings before, holds none", next->path);
    else
        return E_OK;
    return fail_hint(f, "write the new file beside it and rename it; to serve without settings, "
                        "restart");
}

bool serve_reload(serve *s) {
    fail f = {0};
    serve_config *next = NULL;
    err e = serve_config_open(&next, &(serve_config_from){.command = s->command}, &f);
    if (e == E_OK) e = check_there(s->live, next, &f);
    if (e == E_OK) e = take(s, next, &f);
    if (e != E_OK) {
        log_error("app", "the settings stay as they were: %s%s%s", f.text, f.hint[0] ? "; " : "",
                  f.hint);
        serve_config_close(next);
        return false;
    }
    name_differences(s, next);
    if (s->live != s->config) serve_config_close(s->live);
    s->live = next;
    log_info("app", "settings%s%s%s read again", next->path ? " of " : "",
             next->path ? next->path : "",
             cli_value(&next->values, "tls-cert") ? ", certificate and key" : "");
    return true;
}

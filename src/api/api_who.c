/* api_who.c - see api_who.h; and the routes of people: login, logout, me. */
#include "api/api_who.h"
#include "api/api_keep.h"
#include "api/api_routes.h"

#include "base/log.h"

#include <stdio.h>

enum { COOKIE_BYTES_MAX = 128, PREFLIGHT_S = 600 };

/* ---- what came along ---- */

static str presented_key(const api_call *c) {
    static const char *const names[] = {"x-api-key", "api-key"};
    str given = http_header_get(c->rq, "authorization");
    if (given.n > 7 && str_eq_nocase(str_slice(given, 0, 7), STR("bearer ")))
        return str_trim(str_slice(given, 7, given.n));
    for (size_t i = 0; i < 2; i++) {
        given = http_header_get(c->rq, names[i]);
        if (given.n) return given;
    }
    return STR_NONE;
}

/* With TLS the name itself forbids that another host of the domain, or plain HTTP, sets it. */
static const char *cookie_name(const api *a) {
    return a->o.secure ? "__Host-bantam" : "bantam-session";
}

static str presented_cookie(const api_call *c) {
    str rest = http_header_get(c->rq, "cookie"), name = str_from(cookie_name(c->api));
    while (rest.p) {
        str pair = str_trim(str_cut(&rest, ';')), value = pair;
        if (str_eq(str_cut(&value, '='), name) && value.n && value.n <= COOKIE_BYTES_MAX)
            return value;
    }
    return STR_NONE;
}

/* ---- is it on? ---- */

static err auth_state(api_call *c, bool *on, bool *people, fail *f) {
    *people = false;
    if (c->api->o.who) TRY(who_has_users(c->api->o.who, people, f));
    *on = c->api->o.require_key || (*people && !c->api->o.open_to_all);
    return E_OK;
}

/* ---- by key, by cookie ---- */

/* The one key of $BANTAM_KEY may everything. */
static bool is_own_key(api_call *c, str given) {
    if (!api_access_is_key(c->api, given)) return false;
    c->who = (who_actor){.kind = WHO_PROGRAM, .name = STR("BANTAM_KEY"), .tenant = STR("")};
    str ignored;
    return who_scopes_of(STR("admin"), &c->who.scopes, &ignored);
}

static err by_key(api_call *c, str given, fail *f) {
    if (is_own_key(c, given)) return E_OK;
    if (!c->api->o.who) return fail_set(f, E_KEY, "the key is not the one of this server");
    return who_check_key(c->api->o.who, given, c->a, &c->who, f);
}

static bool changes_something(const api_call *c) {
    return !str_is(c->rq->method, "GET") && !str_is(c->rq->method, "HEAD");
}

static err by_cookie(api_call *c, str cookie, fail *f) {
    str csrf;
    err e = who_check_session(c->api->o.who, cookie, c->a, &c->who, &csrf, f);
    if (e == E_KEY) c->code = "login_required";
    TRY(e);
    if (!changes_something(c) || who_same(http_header_get(c->rq, "x-csrf-token"), csrf))
        return E_OK;
    c->who = (who_actor){0};
    c->code = "csrf";
    fail_set(f, E_DENIED, "the header X-CSRF-Token is missing or is not this session's");
    return fail_hint(f, "GET /v1/me tells it");
}

static err nobody(api_call *c, bool people, fail *f) {
    if (people) c->code = "login_required";
    fail_set(f, E_KEY,
             people ? "this server asks for a key or a login" : "this server asks for a key");
    return fail_hint(f, "send it as \"Authorization: Bearer KEY\"");
}

/* ---- limits ---- */

static void put_number(api_call *c, const char *name, int64_t v) {
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    http_reply_header(c->rp, name, (str){text, (size_t)n});
}

/* As OpenAI writes it: "250ms", "6.5s". */
static void put_span(api_call *c, const char *name, int64_t ms) {
    char text[32];
    int n = ms < 1000 ? snprintf(text, sizeof text, "%lldms", (long long)ms)
                      : snprintf(text, sizeof text, "%.1fs", (double)ms / 1000);
    http_reply_header(c->rp, name, (str){text, (size_t)n});
}

static void put_quota(api_call *c, const who_quota *q) {
    if (q->requests_limit) {
        put_number(c, "x-ratelimit-limit-requests", q->requests_limit);
        put_number(c, "x-ratelimit-remaining-requests", q->requests_left);
        put_span(c, "x-ratelimit-reset-requests", q->requests_reset_ms);
    }
    if (q->tokens_limit) {
        put_number(c, "x-ratelimit-limit-tokens", q->tokens_limit);
        put_number(c, "x-ratelimit-remaining-tokens", q->tokens_left);
        put_span(c, "x-ratelimit-reset-tokens", q->tokens_reset_ms);
    }
}

/* Written with the error as Retry-After. */
static int retry_s_of(int64_t ms) {
    return (int)((ms + 999) / 1000);
}

/* A parked request that runs again was counted when it came. */
static err take_share(api_call *c, fail *f) {
    who_quota q;
    if (!c->api->o.who || c->rq->wakes) return E_OK;
    err e = who_take(c->api->o.who, &c->who, &q, f);
    put_quota(c, &q);
    if (e == E_LIMIT) f->retry_s = retry_s_of(q.retry_ms);
    return e;
}

void api_who_settle(api_call *c) {
    if (c->api->o.who) who_spend(c->api->o.who, &c->who, c->tokens);
}

/* ---- one request ---- */

static err identify(api_call *c, bool on, bool people, fail *f) {
    str key = presented_key(c), cookie = presented_cookie(c);
    err e = key.n                       ? by_key(c, key, f)
            : cookie.n && c->api->o.who ? by_cookie(c, cookie, f)
                                        : nobody(c, people, f);
    if (on && e == E_KEY) http_reply_header(c->rp, "WWW-Authenticate", STR("Bearer"));
    if (on || e != E_KEY) return e;
    c->code = NULL; /* auth is off: any key, and none, is fine */
    c->who = (who_actor){0};
    return E_OK;
}

static err may_it(api_call *c, who_action action, fail *f) {
    if (who_may(&c->who, action)) return E_OK;
    const char *scope = who_action_scope(action);
    c->code = "not_permitted";
    if (c->who.kind == WHO_PERSON) {
        fail_set(f, E_DENIED, "%.*s is %s here, who may not: %s", STR_ARG(c->who.name),
                 who_role_name(c->who.role), who_action_name(action));
        return fail_hint(f, "an admin can change the role");
    }
    fail_set(f, E_DENIED, "the key \"%.*s\" lacks the scope \"%s\"", STR_ARG(c->who.name), scope);
    return fail_hint(f, "make one with it: bantam key add NAME --scope %s", scope);
}

err api_may(api_call *c, who_action action, fail *f) {
    bool on, people;
    TRY(auth_state(c, &on, &people, f));
    return on ? may_it(c, action, f) : E_OK;
}

err api_authorise(api_call *c, who_action action, fail *f) {
    bool on, people;
    if (action == WHO_OPEN) return E_OK;
    TRY(auth_state(c, &on, &people, f));
    TRY(identify(c, on, people, f));
    if (on) TRY(may_it(c, action, f));
    return take_share(c, f);
}

err api_get_by(api_call *c, str *out, fail *f) {
    TRY(api_get_str(c, "by", STR(""), out, f));
    if (c->who.kind == WHO_PERSON || (!out->n && c->who.kind == WHO_PROGRAM)) *out = c->who.name;
    return E_OK;
}

/* ---- other origins ---- */

static void put_preflight(api_call *c) {
    http_reply_header(c->rp, "Access-Control-Allow-Methods", STR("GET, POST, DELETE, OPTIONS"));
    http_reply_header(
        c->rp, "Access-Control-Allow-Headers",
        STR("authorization, content-type, accept, x-api-key, api-key, anthropic-version, "
            "anthropic-beta, anthropic-dangerous-direct-browser-access, openai-organization, "
            "openai-project, openai-beta, idempotency-key, prefer, x-request-id, "
            "x-stainless-lang, x-stainless-package-version, x-stainless-os, x-stainless-arch, "
            "x-stainless-runtime, x-stainless-runtime-version, x-stainless-retry-count, "
            "x-stainless-timeout, x-stainless-helper-method"));
    put_number(c, "Access-Control-Max-Age", PREFLIGHT_S);
    (void)!http_send(c->rp, 204, NULL, STR(""), NULL); /* or the client left */
}

/* Cookies are never allowed across origins, so a listed page can do what its key may and no more.
 */
bool api_cors(api_call *c) {
    str origin = http_header_get(c->rq, "origin");
    bool any, listed = api_access_lists(c->api, origin, &any);
    if (any) http_reply_header(c->rp, "Vary", STR("Origin"));
    if (!listed) return false;
    http_reply_header(c->rp, "Access-Control-Allow-Origin", origin);
    http_reply_header(c->rp, "Access-Control-Expose-Headers",
                      STR("x-request-id, retry-after, retry-after-ms, location, "
                          "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
                          "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
                          "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"));
    bool preflight = str_is(c->rq->method, "OPTIONS") &&
                     http_header_get(c->rq, "access-control-request-method").n;
    if (preflight) put_preflight(c);
    return preflight;
}

/* ---- routes ---- */

static void set_cookie(api_call *c, str secret, int64_t seconds) {
    str text = arena_printf(c->a, "%s=%.*s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
                            cookie_name(c->api), STR_ARG(secret), (long long)seconds,
                            c->api->o.secure ? "; Secure" : "");
    if (text.p) http_reply_header(c->rp, "Set-Cookie", text);
}

/* The last entry is the one that the proxy itself added; those before it anybody may have written.
 */
static str client_address(const api_call *c) {
    str peer = str_from(c->rq->peer), all = STR_NONE;
    for (size_t i = 0; c->api->o.proxied && i < c->rq->headers_n; i++)
        if (str_eq_nocase(c->rq->headers[i].name, STR("x-forwarded-for")))
            all = c->rq->headers[i].value;
    str last = str_trim(str_after_last(all.p ? all : STR(""), ','));
    return last.n && last.n < HTTP_PEER_BYTES ? last : peer;
}

static err need_people(api_call *c, fail *f) {
    if (c->api->o.who) return E_OK;
    return fail_set(f, E_UNSUPPORTED, "this server has no users");
}

err api_login(api_call *c, fail *f) {
    who_login_try login = {.address = client_address(c), .before = presented_cookie(c)};
    who_session s;
    int64_t retry_ms = 0;
    static const char *const names[] = {"name", "password", NULL};
    TRY(api_check_names(c, names, f));
    TRY(need_people(c, f));
    TRY(api_get_str(c, "name", STR(""), &login.name, f));
    TRY(api_get_str(c, "password", STR(""), &login.password, f));
    err e = who_login(c->api->o.who, &login, c->a, &s, &retry_ms, f);
    if (e == E_LIMIT) f->retry_s = retry_s_of(retry_ms);
    if (e == E_KEY) c->code = "wrong_login";
    TRY(e);
    set_cookie(c, s.secret, WHO_SESSION_MS / 1000);
    json_begin_object(&c->w);
    json_field_text(&c->w, "name", s.name);
    json_field_z(&c->w, "role", who_role_name(s.role));
    json_field_text(&c->w, "csrf", s.csrf);
    json_field_int(&c->w, "expires_ms", s.expires_ms);
    json_end_object(&c->w);
    return E_OK;
}

err api_logout(api_call *c, fail *f) {
    TRY(need_people(c, f));
    str cookie = presented_cookie(c);
    if (cookie.n) TRY(who_logout(c->api->o.who, cookie, f));
    set_cookie(c, STR(""), 0);
    json_begin_object(&c->w);
    json_field_bool(&c->w, "logged_out", true);
    json_end_object(&c->w);
    return E_OK;
}

/* One's own password: the old one is asked again, every session of the person ends. */
err api_password(api_call *c, fail *f) {
    who_login_try old = {.name = c->who.name, .address = client_address(c)};
    str fresh;
    int64_t retry_ms = 0;
    static const char *const names[] = {"password", "new_password", NULL};
    TRY(api_check_names(c, names, f));
    if (c->who.kind != WHO_PERSON)
        return fail_set(f, E_DENIED, "only somebody who is logged in has a password here");
    TRY(api_get_str(c, "password", STR(""), &old.password, f));
    TRY(api_get_str(c, "new_password", STR(""), &fresh, f));
    err e = who_change_password(c->api->o.who, &old, fresh, c->a, &retry_ms, f);
    if (e == E_LIMIT) f->retry_s = retry_s_of(retry_ms);
    if (e == E_KEY) c->code = "wrong_login";
    TRY(e);
    set_cookie(c, STR(""), 0);
    json_begin_object(&c->w);
    json_field_bool(&c->w, "changed", true);
    json_end_object(&c->w);
    return E_OK;
}

/* Open: the page asks this first, to know whether to show a login. */
err api_me(api_call *c, fail *f) {
    static const char *const kinds[] = {NULL, "key", "user"};
    bool on, people;
    str key = presented_key(c), cookie = presented_cookie(c), csrf = STR("");
    fail ignored = {0};
    TRY(auth_state(c, &on, &people, f));
    err e = E_KEY;
    if (key.n)
        e = by_key(c, key, &ignored);
    else if (cookie.n && c->api->o.who)
        e = who_check_session(c->api->o.who, cookie, c->a, &c->who, &csrf, &ignored);
    if (e != E_OK && e != E_KEY) return fail_set(f, e, "%s", ignored.text);
    if (e != E_OK) c->who = (who_actor){0};
    json_begin_object(&c->w);
    json_field_bool(&c->w, "auth", on);
    json_field_bool(&c->w, "login", people);
    json_field_z(&c->w, "kind", kinds[c->who.kind]);
    json_field_text(&c->w, "name", c->who.name);
    json_field_z(&c->w, "role", c->who.kind == WHO_PERSON ? who_role_name(c->who.role) : NULL);
    json_field_text(&c->w, "csrf", csrf);
    json_key(&c->w, "may");
    json_begin_array(&c->w);
    for (int i = 0; i < WHO_ACTION_COUNT; i++)
        if (i != WHO_OPEN && i != WHO_SELF && (!on || who_may(&c->who, (who_action)i)))
            json_put_z(&c->w, who_action_name((who_action)i));
    json_end_array(&c->w);
    json_end_object(&c->w);
    return E_OK;
}

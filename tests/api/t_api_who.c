/* t_api_who.c - tests api/api_who.c: keys in all three headers, scopes and roles route by route,
 * limits, login and cookies, the token against forgery, other origins. Keys and users lie in a
 * database of their own, so the rest of the fake server knows nothing of them. */
#include "api_fake.h"

#include "api/api_keep.h"

#include "../net/http_test.h"

enum { WIRE_BYTES = 64 * 1024 };
static char wire[WIRE_BYTES];
static store *people_store;
static who_book *book;
static const char *const origins[] = {"https://app.example", "http://localhost:5173"};

static bool proxied;

static void serve(bool require_key, bool secure) {
    api_options o = {.models = {.list = fake_list,
                                .provider = fake_provider,
                                .embedder = fake_embedder,
                                .task = fake_task},
                     .store = fx.store,
                     .audit = fx.audit,
                     .desk = &fx.desk,
                     .require_key = require_key,
                     .key = STR("sesame"),
                     .who = book,
                     .secure = secure,
                     .proxied = proxied,
                     .origins = origins,
                     .origins_n = 2,
                     .url_base = STR("http://desk.test")};
    close_server();
    assert_ok(api_open(&fx.api, &o, &fx.f), &fx.f);
    http_options h = {.handler = api_handle,
                      .quick = api_quick,
                      .error_body = api_error_body,
                      .ctx = fx.api,
                      .workers = 4,
                      .origins = origins,
                      .origins_n = 2};
    assert_ok(http_server_open(&fx.server, &h, &fx.f), &fx.f);
    api_set_server(fx.api, fx.server);
    fx.port = http_server_port(fx.server);
}

static int begin(void **state) {
    (void)state;
    size_t n;
    const store_migration *m = who_migrations(&n);
    arena_reset(&fx.arena);
    assert_ok(store_open(&people_store, ":memory:", m, n, &fx.f), &fx.f);
    who_options o = {.store = people_store, .password_kib = 64};
    assert_ok(who_open(&book, &o, &fx.f), &fx.f);
    serve(true, false);
    return 0;
}

static int end(void **state) {
    (void)state;
    close_server();
    open_server(false);
    who_close(book);
    store_close(people_store);
    return 0;
}

/* Status of one request; the answer stands in wire. headers: lines with CRLF. */
static int ask_with(const char *method, const char *path, const char *headers, const char *body) {
    str text = arena_printf(&fx.arena,
                            "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n%s"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                            method, path, fx.port, headers, strlen(body), body);
    int status = 0;
    wire_ask(fx.port, text.p, wire, sizeof wire);
    assert_int_equal(sscanf(wire, "HTTP/1.1 %d", &status), 1);
    return status;
}

/* Value of a header in wire; "" when it is not there. */
static const char *header(const char *name) {
    static char value[512];
    char start[64];
    value[0] = 0;
    snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at_start = strcasestr(wire, start);
    if (at_start) sscanf(at_start + strlen(start), "%511[^\r]", value);
    return value;
}

static const char *bearer(str secret) {
    return arena_printf(&fx.arena, "Authorization: Bearer %.*s\r\n", STR_ARG(secret)).p;
}

static str add_key(const char *name, const char *scopes, int64_t rpm, int64_t tpm) {
    str secret;
    who_key_new key = {.name = str_from(name),
                       .scopes = str_from(scopes),
                       .tenant = STR("acme"),
                       .rpm = rpm,
                       .tpm = tpm};
    assert_ok(who_key_add(book, &key, &fx.arena, &secret, &fx.f), &fx.f);
    return secret;
}

/* ---- keys ---- */

static void keys_come_in_three_headers(void **state) {
    (void)state;
    str secret = add_key("site", "chat", 0, 0);
    static const char *const forms[] = {"Authorization: Bearer %.*s\r\n", "x-api-key: %.*s\r\n",
                                        "api-key: %.*s\r\n", "Authorization: bearer  %.*s\r\n"};
    for (size_t i = 0; i < 4; i++) {
        char line[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof line, forms[i], STR_ARG(secret));
#pragma GCC diagnostic pop
        assert_int_equal(ask_with("GET", "/v1/models", line, ""), 200);
    }
    assert_int_equal(ask_with("GET", "/v1/models", "Authorization: Bearer sesame\r\n", ""), 200);
    assert_int_equal(ask_with("GET", "/v1/models", "Authorization: Bearer bt-nosuch\r\n", ""), 401);
    assert_int_equal(ask_with("GET", "/v1/models", "x-api-key: sesamf\r\n", ""), 401);
    assert_int_equal(ask_with("GET", "/v1/models", "", ""), 401);
    assert_string_equal(header("www-authenticate"), "Bearer");
    serve(false, false); /* nobody is asked, so nobody is told how to answer */
    assert_int_equal(ask_with("GET", "/v1/models", "", ""), 200);
    assert_string_equal(header("www-authenticate"), "");
    serve(true, false);
    assert_int_equal(ask_with("GET", "/health", "", ""), 200);
    assert_ok(who_key_revoke(book, STR("site"), STR(""), &fx.f), &fx.f);
    assert_int_equal(ask_with("GET", "/v1/models", bearer(secret), ""), 401);
}

/* A route per action, and who may use it: viewer, reviewer, lead, admin; then the scope of a key.
 */
static const struct {
    const char *method, *path, *body, *may, *scope;
} cells[] = {
    {"GET", "/v1/models", "", "xxxx", ""},
    {"POST", "/v1/chat/completions", "{}", "-xxx", "chat"},
    {"POST", "/v1/embeddings", "{}", "-xxx", "embed"},
    {"GET", "/v1/tasks", "", "xxxx", "chat"},
    {"POST", "/v1/tasks/desk/ask", "{}", "-xxx", "chat"},
    {"GET", "/v1/answers/nosuch", "", "-xxx", "chat"},
    {"POST", "/v1/requests/nosuch/verdict", "{}", "-xxx", "chat"},
    {"POST", "/v1/tasks/desk/mode", "{}", "--xx", "task"},
    {"POST", "/v1/tasks/desk/reply", "{}", "--xx", "task"},
    {"GET", "/v1/reviews", "", "xxxx", "review"},
    {"POST", "/v1/reviews/nosuch/claim", "{\"by\":\"x\"}", "-xxx", "review"},
    {"POST", "/v1/reviews/nosuch/release", "{}", "-xxx", "review"},
    {"POST", "/v1/reviews/nosuch/answer", "{}", "-xxx", "review"},
    {"POST", "/v1/reviews/nosuch/correct", "{}", "--xx", "task"},
    {"POST", "/v1/reviews/nosuch/unlearn", "{}", "--xx", "task"},
    {"GET", "/v1/requests", "", "xxxx", "record"},
    {"GET", "/v1/requests/nosuch", "", "xxxx", "record"},
    {"GET", "/v1/cost", "", "xxxx", "record"},
    {"POST", "/v1/messages", "{}", "-xxx", "chat"},
    {"POST", "/v1/messages/count_tokens", "{}", "-xxx", "chat"},
    {"POST", "/api/chat", "{}", "-xxx", "chat"},
    {"POST", "/api/generate", "{}", "-xxx", "chat"},
    {"POST", "/api/embed", "{}", "-xxx", "embed"},
    {"POST", "/api/embeddings", "{}", "-xxx", "embed"},
    {"GET", "/api/tags", "", "xxxx", ""},
    {"GET", "/api/ps", "", "xxxx", ""},
    {"POST", "/api/show", "{}", "xxxx", ""},
    {"POST", "/api/pull", "{}", "xxxx", ""},
};
enum { CELLS = sizeof cells / sizeof *cells };

static void assert_may(size_t i, const char *headers, bool may, const char *who) {
    int status = ask_with(cells[i].method, cells[i].path, headers, cells[i].body);
    if ((status != 403) != may || status == 401)
        fail_msg("%s %s for %s: %d", cells[i].method, cells[i].path, who, status);
}

static void scopes_hold_route_by_route(void **state) {
    (void)state;
    static const char *const scopes[] = {"chat",   "embed",  "files",   "task",
                                         "review", "record", "metrics", "admin"};
    for (size_t s = 0; s < sizeof scopes / sizeof *scopes; s++) {
        const char *key = bearer(add_key(scopes[s], scopes[s], 0, 0));
        for (size_t i = 0; i < CELLS; i++)
            assert_may(i, key,
                       !cells[i].scope[0] || !strcmp(scopes[s], "admin") ||
                           !strcmp(cells[i].scope, scopes[s]),
                       scopes[s]);
    }
    assert_int_equal(ask_with("POST", "/v1/embeddings", bearer(add_key("r", "record", 0, 0)), "{}"),
                     403);
    assert_non_null(strstr(wire, "\"permission_error\""));
    assert_non_null(strstr(wire, "scope"));
}

/* ---- people ---- */

static const char *add_user(const char *name, who_role role) {
    assert_ok(who_user_add(book, str_from(name), STR("correct horse"), role, STR(""), &fx.f),
              &fx.f);
    return arena_printf(&fx.arena, "{\"name\":\"%s\",\"password\":\"correct horse\"}", name).p;
}

/* Logs in: the cookie's line, and with its token. */
typedef struct logged_in {
    const char *cookie, *headers;
} logged_in;

static logged_in log_in(const char *body, const char *headers) {
    char cookie[256], csrf[128];
    assert_int_equal(ask_with("POST", "/v1/login", headers, body), 200);
    assert_int_equal(sscanf(header("set-cookie"), "%255[^;]", cookie), 1);
    assert_non_null(strstr(wire, "\"csrf\":\""));
    assert_int_equal(sscanf(strstr(wire, "\"csrf\":\"") + 8, "%127[0-9a-f]", csrf), 1);
    const char *line = arena_printf(&fx.arena, "Cookie: theme=dark; %s\r\n", cookie).p;
    return (logged_in){line, arena_printf(&fx.arena, "%sX-CSRF-Token: %s\r\n", line, csrf).p};
}

static void roles_hold_route_by_route(void **state) {
    (void)state;
    for (int role = 0; role < WHO_ROLE_COUNT; role++) {
        const char *name = who_role_name((who_role)role);
        logged_in me = log_in(add_user(name, (who_role)role), "");
        for (size_t i = 0; i < CELLS; i++)
            assert_may(i, me.headers, cells[i].may[role] == 'x', name);
    }
}

static void a_change_needs_the_token(void **state) {
    (void)state;
    logged_in ann = log_in(add_user("ann", WHO_LEAD), "");
    logged_in bob = log_in(add_user("bob", WHO_LEAD), "");
    const char *body = "{\"mode\":\"auto\"}", *path = "/v1/tasks/desk/mode";
    assert_int_equal(ask_with("GET", "/v1/reviews", ann.cookie, ""), 200);
    assert_int_equal(ask_with("POST", path, ann.cookie, body), 403);
    assert_non_null(strstr(wire, "\"csrf\""));
    const char *mixed =
        arena_printf(&fx.arena, "%s%s", ann.cookie, strstr(bob.headers, "X-CSRF")).p;
    assert_int_equal(ask_with("POST", path, mixed, body), 403);
    assert_int_equal(ask_with("POST", path, ann.headers, body), 200);
    assert_int_equal(ask_with("POST", "/v1/logout", ann.cookie, "{}"), 403);
    assert_int_equal(ask_with("POST", "/v1/logout", ann.headers, "{}"), 200);
    assert_non_null(strstr(header("set-cookie"), "Max-Age=0"));
    assert_int_equal(ask_with("GET", "/v1/reviews", ann.cookie, ""), 401);
    assert_int_equal(ask_with("GET", "/v1/reviews", bob.cookie, ""), 200);
}

static void cookies_are_hard_to_steal(void **state) {
    (void)state;
    const char *body = add_user("ann", WHO_VIEWER);
    log_in(body, "");
    const char *plain = header("set-cookie");
    assert_true(!strncmp(plain, "bantam-session=", 15));
    assert_non_null(strstr(plain, "; HttpOnly"));
    assert_non_null(strstr(plain, "; SameSite=Strict"));
    assert_null(strstr(plain, "Secure"));
    serve(true, true);
    log_in(body, "");
    assert_true(!strncmp(header("set-cookie"), "__Host-bantam=", 14));
    assert_non_null(strstr(header("set-cookie"), "; Secure"));
    assert_null(strstr(header("set-cookie"), "Domain"));
}

static void a_planted_cookie_is_not_taken(void **state) {
    (void)state;
    const char *body = add_user("ann", WHO_VIEWER);
    logged_in mine = log_in(body, "Cookie: bantam-session=planted\r\n");
    assert_null(strstr(mine.cookie, "planted"));
    logged_in again = log_in(body, mine.cookie); /* the session that came along has ended */
    assert_string_not_equal(mine.cookie, again.cookie);
    assert_int_equal(ask_with("GET", "/v1/reviews", mine.cookie, ""), 401);
    assert_int_equal(ask_with("GET", "/v1/reviews", again.cookie, ""), 200);
}

static void guessing_is_slowed_down(void **state) {
    (void)state;
    const char *right = add_user("ann", WHO_VIEWER);
    const char *wrong = "{\"name\":\"ann\",\"password\":\"wrong horses\"}";
    for (int i = 0; i < 6; i++) assert_int_equal(ask_with("POST", "/v1/login", "", wrong), 401);
    assert_non_null(strstr(wire, "name or password is wrong"));
    assert_int_equal(ask_with("POST", "/v1/login", "", right), 429);
    assert_true(atoi(header("retry-after")) >= 1);
    assert_null(strcasestr(strcasestr(wire, "retry-after:") + 1, "\nretry-after:")); /* once */
    assert_non_null(strstr(wire, "rate_limit_error"));
}

/* Whoever guesses through a proxy is slowed down alone, whatever else the header claims. */
static void a_proxy_tells_the_address(void **state) {
    (void)state;
    const char *right = add_user("ann", WHO_VIEWER);
    proxied = true;
    serve(true, true);
    proxied = false;
    for (int i = 0; i < 22; i++) {
        char body[96], from[96];
        snprintf(body, sizeof body, "{\"name\":\"u%d\",\"password\":\"wrong horses\"}", i);
        snprintf(from, sizeof from, "X-Forwarded-For: 10.1.1.%d, 198.51.100.7\r\n", i);
        assert_int_equal(ask_with("POST", "/v1/login", from, body), i < 21 ? 401 : 429);
    }
    assert_int_equal(
        ask_with("POST", "/v1/login", "X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n", right),
        200);
}

static str add_key_of(const char *name, const char *tenant) {
    str secret;
    who_key_new key = {.name = str_from(name),
                       .scopes = STR("chat,record,review,task"),
                       .tenant = str_from(tenant)};
    assert_ok(who_key_add(book, &key, &fx.arena, &secret, &fx.f), &fx.f);
    return secret;
}

static void the_record_names_the_person(void **state) {
    (void)state;
    logged_in ann = log_in(add_user("ann", WHO_LEAD), "");
    str key = add_key_of("robot", "");
    assert_int_equal(ask_with("POST", "/v1/tasks/desk/ask", ann.headers,
                              "{\"text\":\"please your car service made me furious\"}"),
                     200);
    char ref[32];
    assert_int_equal(sscanf(strstr(wire, "\"review\":\"") + 10, "%31[a-z0-9]", ref), 1);
    str claim = arena_printf(&fx.arena, "/v1/reviews/%s/claim", ref);
    str release = arena_printf(&fx.arena, "/v1/reviews/%s/release", ref);
    assert_int_equal(ask_with("POST", claim.p, ann.headers, "{\"by\":\"the boss\"}"), 200);
    assert_non_null(strstr(wire, "\"claimed_by\":\"ann\"")); /* not who she says she is */
    assert_int_equal(ask_with("POST", release.p, ann.headers, "{}"), 200);
    assert_int_equal(ask_with("POST", claim.p, bearer(key), "{}"), 200);
    assert_non_null(strstr(wire, "\"claimed_by\":\"robot\""));
    assert_int_equal(ask_with("POST", release.p, bearer(key), "{}"), 200);
    assert_int_equal(ask_with("POST", claim.p, bearer(key), "{\"by\":\"kim\"}"), 200);
    assert_non_null(strstr(wire, "\"claimed_by\":\"kim\"")); /* a program may act for a person */
}

/* What one tenant asked no other tenant's key reads, counts or judges; a key of none sees all. */
static void tenants_see_their_own_record(void **state) {
    (void)state;
    const char *ask =
        "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"zebra\"}]}";
    const char *verdict = "{\"verdict\":\"wrong\"}";
    const char *ann = bearer(add_key_of("ann", "acme")), *bob = bearer(add_key_of("bob", "bolt"));
    const char *all = bearer(add_key_of("all", ""));
    char id[64];
    assert_int_equal(ask_with("POST", "/v1/chat/completions", ann, ask), 200);
    assert_int_equal(sscanf(header("x-request-id"), "%63s", id), 1);
    str path = arena_printf(&fx.arena, "/v1/requests/%s", id);
    str judge = arena_printf(&fx.arena, "%s/verdict", path.p);
    assert_int_equal(ask_with("GET", path.p, bob, ""), 404);
    assert_null(strstr(wire, "zebra"));
    assert_int_equal(ask_with("POST", judge.p, bob, verdict), 404);
    assert_int_equal(ask_with("GET", "/v1/requests?limit=1000", bob, ""), 200);
    assert_null(strstr(wire, id));
    assert_int_equal(ask_with("GET", "/v1/cost", bob, ""), 200);
    assert_non_null(strstr(wire, "\"requests\":0"));
    assert_int_equal(ask_with("GET", "/v1/cost", ann, ""), 200);
    assert_null(strstr(wire, "\"requests\":0"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_with("GET", path.p, i ? all : ann, ""), 200);
        assert_non_null(strstr(wire, "zebra"));
        assert_null(strstr(wire, "\"verdict\":\"wrong\""));
        assert_int_equal(ask_with("GET", "/v1/requests?limit=1", i ? all : ann, ""), 200);
        assert_non_null(strstr(wire, id));
    }
    assert_int_equal(ask_with("POST", judge.p, ann, verdict), 200);
}

/* The same of the people's queue and of an asker's address, which somebody else may come to know.
 */
static void tenants_see_their_own_reviews(void **state) {
    (void)state;
    const char *ann = bearer(add_key_of("anna", "acme")),
               *bob = bearer(add_key_of("bobby", "bolt"));
    const char *all = bearer(add_key_of("every", ""));
    char ref[32];
    assert_int_equal(ask_with("POST", "/v1/tasks/desk/ask", ann,
                              "{\"text\":\"please your zebra service made me furious\"}"),
                     200);
    assert_int_equal(sscanf(strstr(wire, "\"review\":\"") + 10, "%31[a-z0-9]", ref), 1);
    str answer = arena_printf(&fx.arena, "/v1/answers/%s", ref);
    str review = arena_printf(&fx.arena, "/v1/reviews/%s", ref);
    static const char *const acts[] = {"claim", "release", "answer", "correct", "unlearn"};
    assert_int_equal(ask_with("GET", answer.p, bob, ""), 404);
    assert_int_equal(ask_with("GET", review.p, bob, ""), 404);
    assert_null(strstr(wire, "zebra"));
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        str act = arena_printf(&fx.arena, "%s/%s", review.p, acts[i]);
        assert_int_equal(ask_with("POST", act.p, bob, "{\"by\":\"bob\"}"), 404);
    }
    assert_int_equal(ask_with("GET", "/v1/reviews?limit=500", bob, ""), 200);
    assert_null(strstr(wire, ref));
    assert_non_null(strstr(wire, "\"counts\":{\"open\":0"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask_with("GET", answer.p, i ? all : ann, ""), 200);
        assert_int_equal(ask_with("GET", review.p, i ? all : ann, ""), 200);
        assert_non_null(strstr(wire, "\"tenant\":\"acme\""));
        assert_int_equal(ask_with("GET", "/v1/reviews?limit=1&newest=1", i ? all : ann, ""), 200);
        assert_non_null(strstr(wire, ref));
    }
}

/* A batch and an answer for later outlast their client, not its key. */
static void a_revoked_key_runs_nothing_more(void **state) {
    (void)state;
    who_actor who;
    api_inside_answer answer;
    atomic_bool left = false;
    str secret = add_key("lost", "chat,files", 0, 0);
    assert_ok(who_check_key(book, secret, &fx.arena, &who, &fx.f), &fx.f);
    keep_job job = {.kind = KEEP_LINE,
                    .path = STR("/v1/chat/completions"),
                    .owner = {.kind = who.kind,
                              .id = who.id,
                              .name = who.name,
                              .tenant = who.tenant,
                              .scopes = who.scopes},
                    .body = STR("{\"model\":\"echo\",\"messages\":[{\"role\":\"user\","
                                "\"content\":\"a\"}]}")};
    assert_ok(api_inside_run(fx.api, &job, &left, &fx.arena, &answer, &fx.f), &fx.f);
    assert_int_equal(answer.status, 200);
    assert_ok(who_key_revoke(book, STR("lost"), STR(""), &fx.f), &fx.f);
    assert_ok(api_inside_run(fx.api, &job, &left, &fx.arena, &answer, &fx.f), &fx.f);
    assert_int_equal(answer.status, 401);
}

static void me_says_who_and_what(void **state) {
    (void)state;
    assert_int_equal(ask_with("GET", "/v1/me", "", ""), 200);
    assert_non_null(strstr(wire, "\"auth\":true,\"login\":false,\"kind\":null"));
    logged_in ann = log_in(add_user("ann", WHO_REVIEWER), "");
    assert_int_equal(ask_with("GET", "/v1/me", ann.cookie, ""), 200);
    assert_non_null(strstr(wire, "\"kind\":\"user\",\"name\":\"ann\",\"role\":\"reviewer\""));
    assert_non_null(strstr(wire, "\"answer reviews\""));
    assert_null(strstr(wire, "\"change a task\""));
    assert_null(strstr(wire, "\"admin\""));
    assert_int_equal(ask_with("GET", "/v1/me", "Cookie: bantam-session=nosuch\r\n", ""), 200);
    assert_non_null(strstr(wire, "\"login\":true,\"kind\":null"));
    assert_int_equal(ask_with("GET", "/v1/models", "", ""), 401);
    assert_non_null(strstr(wire, "\"login_required\""));
}

static void a_person_changes_the_password(void **state) {
    (void)state;
    logged_in ann = log_in(add_user("ann", WHO_VIEWER), "");
    const char *wrong = "{\"password\":\"nonsense words\",\"new_password\":\"a newer horse\"}";
    const char *right = "{\"password\":\"correct horse\",\"new_password\":\"a newer horse\"}";
    assert_int_equal(ask_with("POST", "/v1/password", ann.headers, wrong), 401);
    assert_int_equal(ask_with("POST", "/v1/password", ann.cookie, right), 403); /* no token */
    assert_int_equal(ask_with("POST", "/v1/password", bearer(add_key("k", "admin", 0, 0)), right),
                     403);
    assert_int_equal(ask_with("POST", "/v1/password", ann.headers, right), 200);
    assert_int_equal(ask_with("GET", "/v1/reviews", ann.cookie, ""), 401);
    log_in("{\"name\":\"ann\",\"password\":\"a newer horse\"}", "");
}

/* ---- where nothing is asked ---- */

static void loopback_asks_once_there_are_users(void **state) {
    (void)state;
    serve(false, false);
    str limited = add_key("limited", "chat", 1, 0);
    assert_int_equal(ask_with("GET", "/v1/reviews", "", ""), 200);
    assert_int_equal(ask_with("GET", "/v1/reviews", "Authorization: Bearer any\r\n", ""), 200);
    assert_int_equal(ask_with("GET", "/v1/reviews", bearer(limited), ""), 200); /* no scopes here */
    assert_int_equal(ask_with("GET", "/v1/reviews", bearer(limited), ""), 429); /* but limits */
    add_user("ann", WHO_VIEWER);
    assert_int_equal(ask_with("GET", "/v1/reviews", "", ""), 401);
    assert_int_equal(ask_with("GET", "/v1/reviews", "Authorization: Bearer any\r\n", ""), 401);
    assert_ok(who_user_remove(book, STR("ann"), STR(""), &fx.f), &fx.f);
    assert_int_equal(ask_with("GET", "/v1/reviews", "", ""), 200);
}

/* ---- limits ---- */

static void limits_are_told_and_kept(void **state) {
    (void)state;
    const char *chat = "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
    const char *key = bearer(add_key("two", "chat", 2, 0));
    assert_int_equal(ask_with("POST", "/v1/chat/completions", key, chat), 200);
    assert_string_equal(header("x-ratelimit-limit-requests"), "2");
    assert_string_equal(header("x-ratelimit-remaining-requests"), "1");
    assert_string_equal(header("x-ratelimit-limit-tokens"), "");
    assert_true(str_is(last_request.tenant, "acme"));
    assert_int_equal(ask_with("POST", "/v1/chat/completions", key, chat), 200);
    assert_int_equal(ask_with("POST", "/v1/chat/completions", key, chat), 429);
    assert_string_equal(header("retry-after"), "30");
    assert_non_null(strstr(wire, "\"rate_limit_exceeded\""));
    key = bearer(add_key("tokens", "chat", 0, 20)); /* an answer of echo costs 14 */
    assert_int_equal(ask_with("POST", "/v1/chat/completions", key, chat), 200);
    assert_int_equal(ask_with("POST", "/v1/chat/completions", key, chat), 200);
    assert_string_equal(header("x-ratelimit-remaining-tokens"), "6");
    assert_int_equal(ask_with("POST", "/v1/chat/completions", key, chat), 429);
    assert_string_equal(header("x-ratelimit-remaining-tokens"), "0");
    int seconds = atoi(header("retry-after"));
    assert_true(seconds >= 26 && seconds <= 27); /* 9 tokens at a third a second */
}

/* ---- other origins ---- */

static void only_listed_origins_may(void **state) {
    (void)state;
    const char *key = bearer(add_key("site", "chat", 0, 0));
    const char *asks = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
                       "Access-Control-Request-Headers: authorization\r\n";
    assert_int_equal(ask_with("OPTIONS", "/v1/chat/completions", asks, ""), 204);
    assert_string_equal(header("access-control-allow-origin"), "https://app.example");
    assert_non_null(strstr(header("access-control-allow-headers"), "authorization"));
    assert_string_equal(header("access-control-allow-credentials"), "");
    assert_string_equal(header("vary"), "Origin");
    const char *with =
        arena_printf(&fx.arena, "%sOrigin: http://localhost:5173\r\nSec-Fetch-Site: cross-site\r\n",
                     key)
            .p;
    assert_int_equal(ask_with("POST", "/v1/chat/completions", with, "{}"), 400);
    assert_string_equal(header("access-control-allow-origin"), "http://localhost:5173");
    assert_int_equal(
        ask_with("OPTIONS", "/v1/models",
                 "Origin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n", ""),
        403);
    assert_string_equal(header("access-control-allow-origin"), "");
    assert_int_equal(ask_with("GET", "/v1/models", key, ""), 200);
    assert_string_equal(header("access-control-allow-origin"), "");
    assert_string_equal(header("vary"), "Origin");
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        T(tenants_see_their_own_record),
        T(tenants_see_their_own_reviews),
        T(a_revoked_key_runs_nothing_more),
        T(keys_come_in_three_headers),
        T(scopes_hold_route_by_route),
        T(roles_hold_route_by_route),
        T(a_change_needs_the_token),
        T(cookies_are_hard_to_steal),
        T(a_planted_cookie_is_not_taken),
        T(guessing_is_slowed_down),
        T(the_record_names_the_person),
        T(me_says_who_and_what),
        T(a_proxy_tells_the_address),
        T(a_person_changes_the_password),
        T(loopback_asks_once_there_are_users),
        T(limits_are_told_and_kept),
        T(only_listed_origins_may),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}

/* cmd_ps.c - bantam ps, load, unload: what a running server over this home folder holds, asked and
 * told over its own API. */
#include "app/cmd.h"
#include "app/home.h"
#include "app/out.h"
#include "net/http_client.h"

#include <stdio.h>

enum { ASK_MS_MAX = 5000, LOAD_MS_MAX = 600000 };

typedef struct served {
    int64_t port, pid;
    const json *health, *models; /* models: /v1/models' data */
} served;

/* In the server's own words, where it has some. */
static err refused(arena *a, const http_call *call, const http_answer *answer, fail *f) {
    const json *body;
    str message = STR("");
    err e = http_status_err(call, answer, f);
    if (e == E_OK || json_parse(a, answer->body, &body, NULL) != E_OK) return e;
    const json *error = json_get(body, "error");
    if (!error || json_get_str(error, "message", STR(""), &message, NULL) != E_OK || !message.n)
        return e;
    return fail_set(f, e, "the server says: %.*s", STR_ARG(out_safe(a, message, true)));
}

/* body .p NULL: GET */
static err ask(const cli *c, int64_t port, const char *path, str body, const json **out, fail *f) {
    str url = arena_printf(c->arena, "http://127.0.0.1:%lld%s", (long long)port, path);
    const char *key = home_env(NULL, "BANTAM_KEY");
    str bearer = arena_printf(c->arena, "Bearer %s", key ? key : "none");
    if (!url.p || !bearer.p) return fail_memory(f, "a URL");
    http_field fields[] = {{"Authorization", bearer}, {"Content-Type", STR("application/json")}};
    http_call call = {.url = url.p,
                      .method = body.p ? "POST" : "GET",
                      .body = body,
                      .fields = fields,
                      .fields_n = body.p ? 2 : 1,
                      .total_ms_max = body.p ? LOAD_MS_MAX : ASK_MS_MAX};
    http_answer answer;
    TRY(http_ask(c->arena, &call, &answer, f));
    if (answer.status != 503 || body.p) /* /health when disk is full */
        TRY(refused(c->arena, &call, &answer, f));
    return json_parse(c->arena, answer.body, out, f);
}

static err find_server(const cli *c, served *s, fail *f) {
    home h;
    TRY(home_find(c->arena, &h, f));
    if (!home_server_runs(&h, &s->port, &s->pid)) {
        fail_set(f, E_NOT_FOUND, "no `bantam serve` runs over \"%s\"", h.dir);
        return fail_hint(f, "start one: bantam serve; for another home folder set BANTAM_HOME");
    }
    if (s->port) return E_OK;
    fail_set(f, E_UNSUPPORTED, "the server (process %lld) listens at a UNIX socket only",
             (long long)s->pid);
    return fail_hint(f, "ask it with curl --unix-socket PATH http://localhost/v1/models");
}

static err look(const cli *c, served *s, fail *f) {
    const json *list;
    TRY(find_server(c, s, f));
    TRY(ask(c, s->port, "/health", STR_NONE, &s->health, f));
    TRY(ask(c, s->port, "/v1/models", STR_NONE, &list, f));
    s->models = json_get(list, "data");
    if (s->models && s->models->kind == JSON_ARRAY) return E_OK;
    return fail_set(f, E_NETWORK, "port %lld does not answer as a Bantam does", (long long)s->port);
}

static int64_t number(const json *v, const char *key) {
    int64_t n = 0;
    return json_get_int(v, key, 0, 0, INT64_MAX, &n, NULL) == E_OK ? n : 0;
}

static str text(const json *v, const char *key) {
    str s = STR("");
    return json_get_str(v, key, STR(""), &s, NULL) == E_OK ? s : STR("");
}

/* Loaded, or on the way there or back, under its own name. */
static bool is_shown(const json *about) {
    str state = text(about, "state");
    bool other_name = json_get(about, "alias_of") || json_get(about, "adapter");
    return state.n && !str_is(state, "unloaded") && !other_name;
}

/* "loaded, 532 MiB, 3 requests" */
static str state_text(const cli *c, const json *about) {
    double mib = (double)number(about, "memory_bytes") / 1048576;
    str state = text(about, "state"), s = state;
    if (str_is(state, "loading"))
        s = arena_printf(c->arena, "loading, %lld %%", (long long)number(about, "percent"));
    else if (str_is(state, "failed"))
        s = arena_printf(c->arena, "failed, tried again in %lld s",
                         (long long)number(about, "retry_s"));
    else if (number(about, "requests"))
        s = arena_printf(c->arena, "%.*s, %.0f MiB, %lld requests", STR_ARG(state), mib,
                         (long long)number(about, "requests"));
    else if (mib > 0)
        s = arena_printf(c->arena, "%.*s, %.0f MiB", STR_ARG(state), mib);
    return s;
}

static void print_list(const cli *c, const served *s) {
    printf("http://127.0.0.1:%lld/  process %lld, up %lld s, requests: %lld running, %lld queued, "
           "%lld waiting\n",
           (long long)s->port, (long long)s->pid, (long long)number(s->health, "uptime_s"),
           (long long)number(s->health, "running"), (long long)number(s->health, "queued"),
           (long long)number(s->health, "waiting"));
    for (size_t i = 0; i < s->models->count; i++) {
        const json *m = json_at(s->models, i), *about = json_get(m, "bantam");
        if (!is_shown(about)) continue;
        str title = out_safe(c->arena, text(about, "title"), true);
        printf("  %-24.*s %-10.*s %-24.*s %.*s\n", STR_ARG(text(m, "id")),
               STR_ARG(text(about, "kind")), STR_ARG(state_text(c, about)), STR_ARG(title));
    }
}

static void put_models(json_writer *j, const served *s) {
    json_key(j, "loaded");
    json_begin_array(j);
    for (size_t i = 0; i < s->models->count; i++) {
        const json *m = json_at(s->models, i), *about = json_get(m, "bantam");
        if (!is_shown(about)) continue;
        json_begin_object(j);
        json_field_str(j, "id", text(m, "id"));
        json_field_str(j, "kind", text(about, "kind"));
        json_field_text(j, "state", text(about, "state"));
        json_field_int(j, "memory_bytes", number(about, "memory_bytes"));
        json_field_int(j, "requests", number(about, "requests"));
        json_end_object(j);
    }
    json_end_array(j);
}

static err print_json(const served *s, fail *f) {
    static const char *const counts[] = {"uptime_s", "running", "queued", "waiting"};
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_int(&j, "port", s->port);
    json_field_int(&j, "pid", s->pid);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_field_int(&j, counts[i], number(s->health, counts[i]));
    }
    put_models(&j, s);
    json_end_object(&j);
    return out_json(&b, f);
}

static err run_ps(const cli *c, fail *f) {
    served s = {0};
    TRY(look(c, &s, f));
    if (cli_flag(c, "json")) return print_json(&s, f);
    print_list(c, &s);
    return E_OK;
}

static err tell(const cli *c, const char *path, fail *f) {
    served s = {0};
    const json *answer;
    buf b = {0};
    json_writer j = {.out = &b};
    TRY(find_server(c, &s, f));
    json_begin_object(&j);
    json_field_text(&j, "model", str_from(c->args[0]));
    json_end_object(&j);
    err e = ask(c, s.port, path, buf_str(&b), &answer, f);
    buf_deinit(&b);
    TRY(e);
    printf("%.*s: %.*s\n", STR_ARG(text(answer, "id")),
           STR_ARG(state_text(c, json_get(answer, "bantam"))));
    return E_OK;
}

static err run_load(const cli *c, fail *f) {
    return tell(c, "/v1/models/load", f);
}
static err run_unload(const cli *c, fail *f) {
    return tell(c, "/v1/models/unload", f);
}

static const cli_option options[] = {CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"ps", "", "what a running server holds: models, tasks, requests",
     "Exit code 4 when none runs over this home folder.\n\n  bantam ps\n", options,
     sizeof options / sizeof *options, 0, 0, run_ps},
    {"load", "NAME", "have a running server load a model before it is asked for",
     "  bantam load smollm2\n", NULL, 0, 1, 1, run_load},
    {"unload", "NAME", "have a running server unload a model that is not in use",
     "  bantam unload smollm2\n", NULL, 0, 1, 1, run_unload},
};

cmd_group cmd_ps(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

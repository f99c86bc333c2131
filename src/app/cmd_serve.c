/* cmd_serve.c - bantam serve: opens tasks and models, serves them over HTTP, stops cleanly.
 *
 * The main thread opens everything, then only waits for a signal and does the housekeeping:
 * retention once an hour. Requests run on net's workers. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/serve_models.h"
#include "app/serve_state.h"
#include "app/serve_telemetry.h"
#include "app/stop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/machine.h"
#include "keep/keep.h"

#include "bantam.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SERVE_TICK_MS = 100,
    LOCK_TRIES = 20,
    LOCK_WAIT_MS = 20,
    RETENTION_MS = 3600000,
    SERVE_CONNECTIONS = 16384,
    SERVE_FILES = 256 /* that are open for other things than connections */
};

/* ---- opening ---- */

/* One task that cannot be served does not keep the others from it. */
static err open_tasks(const cli *c, serve *s, fail *f) {
    task_place *places;
    size_t n;
    for (size_t i = 0; i < cli_count(c, "task"); i++) {
        world_task *t;
        TRY(world_task_open(s->w, str_from(cli_value_at(c, "task", i)), &t, f));
    }
    if (cli_count(c, "task")) return E_OK;
    TRY(task_list(c->arena, s->w->home.task_dirs, 2, &places, &n, f));
    for (size_t i = 0; i < n; i++) {
        world_task *t;
        fail bad = {0};
        err e = world_task_open(s->w, places[i].path, &t, &bad);
        if (e == E_CANCELLED) {
            *f = bad;
            return e;
        }
        if (e != E_OK) {
            log_warn("app", "the task %.*s is left out: %s%s%s", STR_ARG(places[i].name), bad.text,
                     bad.hint[0] ? "; " : "", bad.hint);
        }
    }
    return E_OK;
}

static err take_lock(serve *s, fail *f) {
    int64_t port = 0, pid = 0;
    if (home_server_runs(&s->w->home, &port, &pid)) {
        fail_set(f, E_BUSY, "a Bantam (process %lld) serves this home folder already, on port %lld",
                 (long long)pid, (long long)port);
        return fail_hint(
            f, "use it at http://127.0.0.1:%lld/, stop it, or give this one its own BANTAM_HOME",
            (long long)port);
    }
    err e = E_BUSY; /* a command that looks whether a server runs is in the way for an instant */
    for (int i = 0; e == E_BUSY && i < LOCK_TRIES; i++) {
        if (i) clock_sleep_ms(LOCK_WAIT_MS);
        e = file_lock_take(&s->lock, s->w->home.lock, f);
    }
    return e;
}

/* Who runs, for the commands that look: "PORT PID". */
static err sign_lock(serve *s, fail *f) {
    char text[64];
    int n = snprintf(text, sizeof text, "%d %d\n", s->port, (int)getpid());
    TRY(file_cut(s->lock.fd, 0, s->w->home.lock, f));
    return file_put(s->lock.fd, (str){text, (size_t)n}, s->w->home.lock, f);
}

/* One connection is one open file: as many as are asked for, or as go. */
static err read_connections(const cli *c, serve *s, fail *f) {
    int64_t wanted, may = machine_files_raise() - SERVE_FILES;
    TRY(cli_int(c, "connections", SERVE_CONNECTIONS, 1, 1000000, &wanted, f));
    s->connections = (int)wanted;
    if (may < 0 || wanted <= may)
        return E_OK; /* little or unknown: the loop tells when it is out */
    s->connections = (int)may;
    if (!cli_value(c, "connections")) return E_OK;
    fail_set(f, E_USAGE, "--connections %lld: this process may open only %lld files",
             (long long)wanted, (long long)may + SERVE_FILES);
    return fail_hint(f, "raise the limit (ulimit -Hn, or LimitNOFILE of the unit) to %lld",
                     (long long)wanted + SERVE_FILES);
}

static err open_http(const cli *c, serve *s, fail *f) {
    http_live live;
    int64_t workers;
    TRY(cli_int(c, "workers", 0, 0, INT32_MAX, &workers, f));
    serve_http_live(c, &s->guard, &live);
    http_options o = {.host = serve_is_loopback(s->host) ? NULL : s->host,
                      .port = s->port,
                      .no_tcp = s->listen.no_tcp,
                      .unix_paths = s->listen.paths,
                      .unix_paths_n = s->listen.paths_n,
                      .fds = s->listen.fds,
                      .fds_n = s->listen.fds_n,
                      .tls_cert = live.tls_cert,
                      .tls_key = live.tls_key,
                      .handler = api_handle,
                      .quick = api_quick,
                      .error_body = api_error_body,
                      .ctx = s->api,
                      .workers = (int)workers,
                      .queue_max = (int)workers,
                      .connections_max = s->connections,
                      .body_bytes_max = live.body_bytes_max,
                      .large_path = "/v1/files",
                      .large_bytes_max = KEEP_FILE_BYTES_MAX + (64 << 10),
                      .header_ms_max = live.header_ms_max,
                      .body_ms_max = live.body_ms_max,
                      .idle_ms_max = live.idle_ms_max,
                      .sse_ping_ms = live.sse_ping_ms,
                      .hosts = live.hosts,
                      .hosts_n = live.hosts_n,
                      .origins = live.origins,
                      .origins_n = live.origins_n};
    TRY(http_server_open(&s->http, &o, f));
    s->port = http_server_port(s->http);
    api_set_server(s->api, s->http);
    serve_telemetry_start(&s->telemetry, s->api);
    return E_OK;
}

static err open_api(serve *s, fail *f) {
    world *w = s->w;
    api_options o = {.models = serve_models(w),
                     .store = w->store,
                     .audit = w->audit,
                     .desk = &w->desk,
                     .require_key = s->guard.require_key,
                     .open_to_all = s->guard.open_to_all,
                     .key = str_from(cli_value(&s->config->values, "key")),
                     .who = w->who,
                     .secure = s->guard.tls,
                     .proxied = s->guard.proxied,
                     .origins = s->guard.origins,
                     .origins_n = s->guard.origins_n,
                     .build = str_from(bantam_version()),
                     .background = true,
                     .url_base = str_from(w->url_base)};
    TRY(serve_telemetry_open(&s->telemetry, o.build, f));
    serve_telemetry_options(&s->telemetry, &o);
    return api_open(&s->api, &o, f);
}

static err open_all(const cli *c, serve *s, fail *f) {
    world *w = s->w;
    int64_t threads;
    TRY(cli_int(c, "threads", 0, 0, 256, &threads, f));
    serve_take_log_level(s->config);
    serve_take_times(s, c);
    TRY(serve_listen_read(&s->listen, s->config, &s->config->arena, f));
    s->port = s->listen.port;
    s->host = s->listen.host;
    TRY(read_connections(c, s, f));
    TRY(serve_guard_read(c, s->host, &s->guard, f));
    TRY(serve_telemetry_read(c, &s->telemetry, f));
    TRY(world_open(w, WORLD_STORE, f));
    w->serving = true;
    w->threads = (int)threads;
    w->kern = cli_value(c, "kern");
    w->int8 = cli_flag(c, "int8");
    w->kv = cli_value(c, "kv");
    const char *scheme = cli_value(c, "tls-cert") ? "https" : "http";
    const char *name = serve_is_loopback(s->host) ? "localhost" : s->host;
    w->url_base = s->port ? arena_printf(&w->arena, "%s://%s:%d", scheme, name, s->port).p
                          : "http://localhost"; /* at UNIX sockets names and ports say nothing */
    if (!w->url_base) return fail_memory(f, "an address");
    TRY(serve_models_read(c, w, f));
    TRY(take_lock(s, f));
    TRY(world_open_store(w, f));
    TRY(serve_guard_check(&s->guard, s->host, cli_value(c, "key") != NULL, w->who, f));
    TRY(open_tasks(c, s, f));
    TRY(open_api(s, f));
    TRY(open_http(c, s, f));
    return sign_lock(s, f);
}

/* ---- serving ---- */

static void print_banner(const serve *s) {
    const world *w = s->w;
    printf("%sBantam serves %s/%s  (Ctrl-C stops it)\n\n", out_bold(), w->url_base, out_plain());
    for (size_t i = 0; i < w->n_tasks; i++) {
        const task *t = w->tasks[i].task;
        printf("  task:%-14.*s %.*s", STR_ARG(t->name), STR_ARG(t->title));
        if (!t->llm.present)
            printf(" (no large tier: what the small one passes on goes to a person)");
        else if (!w->tasks[i].large.generate)
            printf(" (large tier not configured: set %.*s)", STR_ARG(t->llm.key_env));
        printf("\n");
    }
    if (s->port) printf("\nOpen the page: %s/\n", w->url_base);
    printf("%sTry:\n", s->port ? "" : "\n");
    if (w->n_tasks && s->port)
        printf(
            "  curl -s %s/v1/chat/completions -H 'Content-Type: application/json' \\\n"
            "    -d '{\"model\":\"task:%.*s\",\"messages\":[{\"role\":\"user\",\"content\":\"How "
            "do I cancel my policy?\"}]}'\n",
            w->url_base, STR_ARG(w->tasks[0].name));
    if (s->port)
        printf("  curl -s '%s/v1/reviews?status=open'\n  curl -s %s/health\n", w->url_base,
               w->url_base);
    serve_listen_print(&s->listen);
    printf("\nNothing leaves this machine%s%s. Costs are the task files' assumptions.\n",
           s->telemetry.otel ? " but telemetry" : "",
           w->n_tasks ? " unless a task names a large tier" : "");
    fflush(stdout);
}

/* Chats with a model belong to no task: they are kept as long as a task's are by default. */
static void retain_chats(serve *s) {
    int64_t n = 0, before_ms = clock_now_ms() - TASK_RETENTION_DAYS * (int64_t)86400000;
    fail f = {0};
    if (audit_forget_before(s->w->audit, STR(""), before_ms, &n, &f) != E_OK)
        log_error("app", "cannot delete old records: %s", f.text);
}

/* Responses, files, batches and answers under a key go when their own time is up. */
static void retain_kept(serve *s) {
    int64_t n = 0;
    fail f = {0};
    if (keep_forget(s->w->store, clock_now_ms(), &n, &f) != E_OK)
        log_error("app", "cannot delete what is past its time: %s", f.text);
    else if (n)
        log_info("app", "deleted %lld responses, files and answers that were due", (long long)n);
}

/* What is older than its task keeps is deleted, from the record and from the queue. */
static void retain(serve *s) {
    retain_chats(s);
    retain_kept(s);
    for (size_t i = 0; i < s->w->n_tasks; i++) {
        const world_task *t = &s->w->tasks[i];
        int64_t n = 0, before_ms = clock_now_ms() - t->task->retention_days * 86400000;
        fail f = {0};
        if (t->task->retention_days == 0) continue;
        err e = audit_forget_before(s->w->audit, t->id, before_ms, &n, &f);
        if (e == E_OK && n)
            log_info("app", "deleted %lld records of task %.*s that were due", (long long)n,
                     STR_ARG(t->name));
        if (e == E_OK) e = desk_forget_before(&s->w->desk, t->id, before_ms, &n, &f);
        if (e != E_OK) log_error("app", "cannot delete old records: %s", f.text);
    }
}

static void say_ready(serve *s, const char *before) {
    char text[160];
    snprintf(text, sizeof text, "%sserving %.100s", before, s->w->url_base);
    serve_notify_ready(&s->notify, text);
}

static void reload(serve *s) {
    serve_notify_reloading(&s->notify);
    say_ready(s, serve_reload(s) ? "" : "the changed settings are wrong (see the log); ");
}

static void wait_for_signal(serve *s) {
    int64_t next_ms = 0;
    while (!stop_wanted()) {
        if (stop_reload_wanted()) reload(s);
        int64_t now_ms = clock_mono_ns() / 1000000;
        if (now_ms >= next_ms) {
            retain(s);
            next_ms = now_ms + RETENTION_MS;
        }
        world_models_tick(s->w);
        api_tick(s->api);
        serve_notify_tick(&s->notify, s->http);
        clock_sleep_ms(SERVE_TICK_MS);
    }
}

/* Who balances looks at /ready now and then: requests come until it has looked. */
static void wait_notice(const serve *s) {
    int64_t until_ms = clock_mono_ns() / 1000000 + s->notice_ms;
    while (clock_mono_ns() / 1000000 < until_ms) clock_sleep_ms(SERVE_TICK_MS);
}

static err run_serve(const cli *c, fail *f) {
    static world w;
    serve s = {.command = c, .w = &w, .lock = {-1}};
    err e = serve_config_open(&s.config, &(serve_config_from){.command = c}, f);
    s.live = s.config;
    stop_take_reload(); /* one that comes while it starts is taken when it serves */
    if (e == E_OK) e = serve_notify_open(&s.notify, &s.config->arena, f);
    if (e == E_OK) e = open_all(&s.config->values, &s, f);
    if (e == E_OK) {
        print_banner(&s);
        serve_telemetry_print(&s.telemetry);
        say_ready(&s, "");
        wait_for_signal(&s);
        serve_notify_stopping(&s.notify);
        log_info("app", "stopping");
        api_drain(s.api);
        wait_notice(&s);
    }
    serve_telemetry_hold(&s.telemetry);
    if (s.api) api_stop(s.api);
    if (s.http) http_server_close(s.http, s.drain_ms);
    if (s.api) api_set_server(s.api, NULL);
    serve_telemetry_last(&s.telemetry, s.api);
    api_close(s.api);
    serve_telemetry_close(&s.telemetry);
    world_close(&w);
    file_lock_give(&s.lock);
    if (s.live != s.config) serve_config_close(s.live);
    serve_config_close(s.config);
    return e;
}

cmd_group cmd_serve(void) {
    static cli_verb verb = {
        "serve",
        "[--port P] [--task FILE]",
        "answer over HTTP: OpenAI's API, the tasks, the people's page",
        "On loopback no key is asked and any is accepted, until there is a user (bantam user "
        "add).\nEvery option may stand in a file (bantam config keys) or in the environment.\n\n"
        "  bantam serve\n  bantam serve --port 9000 --task tasks/support.yaml\n"
        "  bantam serve --config bantam.yaml\n",
        NULL,
        0,
        0,
        0,
        run_serve};
    verb.options = serve_option_rows(&verb.n_options);
    return (cmd_group){&verb, 1};
}

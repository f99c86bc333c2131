/* api_metrics.c - GET /metrics: counts of the answers, the models' gauges, the process.
 *
 * Names follow Prometheus' rules (base units, _total). ?names=vllm writes vLLM's names as well, for
 * dashboards and routers that know those. Labels are routes, codes and models: never a user, never
 * a word of a prompt. */
#include "api/api_chat.h"
#include "api/api_routes.h"

#include "base/clock.h"
#include "meter/meter_process.h"

#include <stdio.h>

/* ---- counting ---- */

static const int codes[] = {200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 410,
                            413, 415, 422, 429, 499, 500, 501, 502, 503, 504, 507};
enum { N_CODES = sizeof codes / sizeof *codes }; /* at N_CODES: every other one */
_Static_assert(sizeof codes / sizeof *codes < API_METER_CODES, "one place more than codes");

static void count(meter_count *c, int64_t n) {
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static int64_t value_of(const meter_count *c) {
    return atomic_load_explicit(c, memory_order_relaxed);
}

static double seconds_since(int64_t start_ns) {
    return (double)(clock_mono_ns() - start_ns) * 1e-9;
}

void api_meter_request(api_call *c) {
    api_meter *m = &c->api->meter;
    size_t at = 0, route = c->route ? (size_t)(c->route - c->api->routes) : c->api->routes_n;
    int status = api_status_of(c);
    if (!status) return;
    while (at < N_CODES && codes[at] != status) at++;
    count(&m->answers[route][at], 1);
    meter_observe(&m->duration[route], &meter_durations, seconds_since(c->rq->start_ns));
}

void api_meter_input(api_call *c, int64_t tokens) {
    if (c->told) c->told->tokens_in += tokens;
    count(&c->api->meter.prompt_tokens, tokens);
}

/* A provider that hands on no pieces may tell by itself how long its first token took. */
static int64_t first_of(int64_t start_ns, int64_t first_ns, const gen_reply *r) {
    double ms = r->timings.first_token_ms;
    return first_ns || !(ms > 0) ? first_ns : start_ns + (int64_t)(ms * 1e6);
}

void api_meter_answer(api_chat *chat, err e, int64_t start_ns, int64_t first_ns,
                      const gen_reply *r) {
    const api_call *c = chat->call;
    api_meter *m = &c->api->meter;
    int64_t out = r->completion_tokens;
    if (chat->index == 0) { /* choices share their prompt */
        count(&m->prompt_tokens, r->prompt_tokens);
        if (r->timings.known_tokens > 0) count(&m->prompt_tokens_known, r->timings.known_tokens);
    }
    count(&m->made_tokens, out);
    if (e != E_OK) {
        count(&m->failed, 1);
        return;
    }
    if ((size_t)r->finish < API_METER_FINISHES) count(&m->finished[r->finish], 1);
    first_ns = first_of(start_ns, first_ns, r);
    if (!first_ns) return;
    meter_observe(&m->first_token, &meter_first_token, (double)(first_ns - c->rq->start_ns) * 1e-9);
    if (out > 1)
        meter_observe(&m->per_token, &meter_per_token, seconds_since(first_ns) / (double)(out - 1));
}

/* ---- writing ---- */

static void put_plain(buf *out, const char *name, const char *type, const char *help, int64_t v) {
    meter_put_head(out, name, type, help);
    meter_put_int(out, name, NULL, v);
}

static void put_build(buf *out, const api *a) {
    meter_labels l = {.n = 0};
    meter_label(&l, "version", a->o.build.n ? a->o.build : STR("unknown"));
    meter_put_head(out, "bantam_build_info", "gauge", "Which program this is; always 1.");
    meter_put_int(out, "bantam_build_info", &l, 1);
}

/* Behind the table's end stands what was no route. */
static void label_route(meter_labels *l, const api *a, size_t i) {
    meter_label(l, "method", i < a->routes_n ? str_from(a->routes[i].method) : STR("none"));
    meter_label(l, "route", i < a->routes_n ? str_from(a->routes[i].pattern) : STR("none"));
}

static void put_requests(buf *out, const api *a) {
    const api_meter *m = &a->meter;
    const char *name = "bantam_requests_total";
    meter_put_head(out, name, "counter", "Requests answered, by route and status; 499: left.");
    for (size_t i = 0; i < API_METER_ROUTES; i++)
        for (size_t k = 0; k <= N_CODES; k++) {
            int64_t n = value_of(&m->answers[i][k]);
            char code[16];
            meter_labels l = {.n = 0};
            if (n == 0) continue;
            label_route(&l, a, i);
            snprintf(code, sizeof code, k < N_CODES ? "%d" : "other", k < N_CODES ? codes[k] : 0);
            meter_label(&l, "code", str_from(code));
            meter_put_int(out, name, &l, n);
        }
    name = "bantam_request_duration_seconds";
    meter_put_head(out, name, "histogram", "From the request's head to the end of its answer.");
    for (size_t i = 0; i < API_METER_ROUTES; i++) {
        meter_labels l = {.n = 0};
        if (meter_observed(&m->duration[i]) == 0) continue;
        label_route(&l, a, i);
        meter_put_histogram(out, name, &l, &m->duration[i], &meter_durations);
    }
}

static void put_tokens(buf *out, const api_meter *m) {
    static const char *const finishes[API_METER_FINISHES] = {[GEN_STOP] = "stop",
                                                             [GEN_LENGTH] = "length",
                                                             [GEN_FINISH_CANCELLED] = "cancelled",
                                                             [GEN_CALLS] = "tool_calls"};
    const char *name = "bantam_generations_total";
    put_plain(out, "bantam_prompt_tokens_total", "counter", "Tokens of prompts and other inputs.",
              value_of(&m->prompt_tokens));
    put_plain(out, "bantam_prompt_tokens_cached_total", "counter",
              "Tokens of prompts that a known prefix saved.", value_of(&m->prompt_tokens_known));
    put_plain(out, "bantam_generation_tokens_total", "counter", "Tokens of answers.",
              value_of(&m->made_tokens));
    meter_put_head(out, name, "counter", "Answers of models and tasks, by why they ended.");
    for (size_t i = 0; i < API_METER_FINISHES; i++) {
        meter_labels l = {.n = 0};
        meter_label(&l, "finish_reason", str_from(finishes[i]));
        meter_put_int(out, name, &l, value_of(&m->finished[i]));
    }
    meter_labels l = {.n = 0};
    meter_label(&l, "finish_reason", STR("error"));
    meter_put_int(out, name, &l, value_of(&m->failed));
    name = "bantam_time_to_first_token_seconds";
    meter_put_head(out, name, "histogram", "From the request's head to the answer's first token.");
    meter_put_histogram(out, name, NULL, &m->first_token, &meter_first_token);
    name = "bantam_time_per_output_token_seconds";
    meter_put_head(out, name, "histogram", "Of an answer, behind its first token.");
    meter_put_histogram(out, name, NULL, &m->per_token, &meter_per_token);
}

static void put_server(buf *out, api *a) {
    http_server *server = atomic_load(&a->server);
    http_counts n;
    if (!server) return;
    http_server_counts(server, &n);
    put_plain(out, "bantam_requests_running", "gauge", "Requests on a worker.", n.running);
    put_plain(out, "bantam_requests_waiting", "gauge", "Requests that wait for a worker.",
              n.queued);
    put_plain(out, "bantam_requests_parked", "gauge", "Requests that wait for a person.", n.parked);
    put_plain(out, "bantam_connections", "gauge", "Open connections.", n.connections);
    put_plain(out, "bantam_requests_refused_total", "counter",
              "Requests that were refused before a route saw them.", n.refused);
    put_plain(out, "bantam_requests_cancelled_total", "counter", "Clients that left.", n.cancelled);
}

static void put_record(buf *out, api *a) {
    audit_health h;
    audit_get_health(a->o.audit, &h);
    put_plain(out, "bantam_audit_records_total", "counter", "Requests kept on record.", h.kept);
    put_plain(out, "bantam_audit_backlog_bytes", "gauge", "Of the journal, not yet in the tables.",
              h.journal_bytes);
    put_plain(out, "bantam_audit_damaged_total", "counter", "Damaged records that were cut out.",
              h.damaged);
    put_plain(out, "bantam_ready", "gauge", "1 when requests should be sent here.",
              h.syncing && !atomic_load(&a->draining));
}

/* ---- the models ---- */

typedef struct model_row {
    const char *name, *type, *help;
    size_t at; /* of an int64_t in api_engine */
} model_row;
#define ROW(name, type, field, help) \
    { name, type, help, offsetof(api_engine, field) }

static const model_row engine_rows[] = {
    ROW("bantam_engine_sequences_running", "gauge", running, "Sequences that are computed."),
    ROW("bantam_engine_sequences_waiting", "gauge", waiting, "Sequences that wait for a place."),
    ROW("bantam_kv_cache_pages", "gauge", pages, "Pages of keys and values."),
    ROW("bantam_kv_cache_pages_free", "gauge", pages_free, "Pages that no sequence holds."),
    ROW("bantam_kv_cache_pages_kept", "gauge", pages_kept, "Free pages, known as prefixes."),
    ROW("bantam_prefix_cache_queries_total", "counter", queried, "Tokens of prompts looked up."),
    ROW("bantam_prefix_cache_hits_total", "counter", known, "Of those, tokens that were known."),
    ROW("bantam_spec_decode_draft_tokens_total", "counter", drafted, "Tokens guessed."),
    ROW("bantam_spec_decode_accepted_tokens_total", "counter", held, "Of those, right."),
    ROW("bantam_preemptions_total", "counter", postponed, "Times that one gave its pages back."),
    ROW("bantam_engine_refused_total", "counter", refused, "Sequences without a place to wait."),
};
static const model_row vllm_rows[] = {
    ROW("vllm:num_requests_running", "gauge", running, "Sequences that are computed."),
    ROW("vllm:num_requests_waiting", "gauge", waiting, "Sequences that wait for a place."),
    ROW("vllm:prefix_cache_queries_total", "counter", queried, "Tokens of prompts looked up."),
    ROW("vllm:prefix_cache_hits_total", "counter", known, "Of those, tokens that were known."),
};

/* Itself, open, and no alias nor a model with an adapter: those are counted with it. */
static bool counts(const api_model *m) {
    return m->loaded && m->kind != API_TASK && !m->parent.n;
}

static void put_rows(buf *out, const model_row *rows, size_t n_rows, const char *label,
                     const api_model *models, size_t n) {
    for (size_t r = 0; r < n_rows; r++) {
        meter_put_head(out, rows[r].name, rows[r].type, rows[r].help);
        for (size_t i = 0; i < n; i++) {
            meter_labels l = {.n = 0};
            if (!counts(&models[i]) || !models[i].engine.present) continue;
            meter_label(&l, label, models[i].id);
            const char *at = (const char *)&models[i].engine + rows[r].at;
            meter_put_int(out, rows[r].name, &l, *(const int64_t *)(const void *)at);
        }
    }
}

static void put_usage(buf *out, const char *name, const char *label, const api_model *models,
                      size_t n) {
    meter_put_head(out, name, "gauge", "Share of the pages that sequences hold; 1 is all.");
    for (size_t i = 0; i < n; i++) {
        const api_engine *e = &models[i].engine;
        meter_labels l = {.n = 0};
        if (!counts(&models[i]) || !e->present || e->pages <= 0) continue;
        meter_label(&l, label, models[i].id);
        meter_put_double(out, name, &l, (double)(e->pages - e->pages_free) / (double)e->pages);
    }
}

static void put_models(buf *out, const api_model *models, size_t n) {
    int64_t loaded = 0;
    for (size_t i = 0; i < n; i++) loaded += counts(&models[i]);
    put_plain(out, "bantam_models_loaded", "gauge", "Models that are open.", loaded);
    meter_put_head(out, "bantam_model_memory_bytes", "gauge",
                   "Memory that an open model takes, with its keys and values.");
    for (size_t i = 0; i < n; i++) {
        meter_labels l = {.n = 0};
        if (!counts(&models[i])) continue;
        meter_label(&l, "model", models[i].id);
        meter_put_int(out, "bantam_model_memory_bytes", &l, models[i].bytes);
    }
    put_rows(out, engine_rows, sizeof engine_rows / sizeof *engine_rows, "model", models, n);
    put_usage(out, "bantam_kv_cache_usage_ratio", "model", models, n);
}

static void put_vllm(buf *out, const api_meter *m, const api_model *models, size_t n) {
    const char *name = "vllm:request_success_total";
    put_rows(out, vllm_rows, sizeof vllm_rows / sizeof *vllm_rows, "model_name", models, n);
    put_usage(out, "vllm:kv_cache_usage_perc", "model_name", models, n);
    put_plain(out, "vllm:prompt_tokens_total", "counter", "Tokens of prompts and other inputs.",
              value_of(&m->prompt_tokens));
    put_plain(out, "vllm:generation_tokens_total", "counter", "Tokens of answers.",
              value_of(&m->made_tokens));
    meter_put_head(out, name, "counter", "Answers, by why they ended.");
    static const char *const finishes[] = {[GEN_STOP] = "stop", [GEN_LENGTH] = "length"};
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++) {
        meter_labels l = {.n = 0};
        meter_label(&l, "finished_reason", str_from(finishes[i]));
        meter_put_int(out, name, &l, value_of(&m->finished[i]));
    }
    name = "vllm:time_to_first_token_seconds";
    meter_put_head(out, name, "histogram", "From the request's head to the answer's first token.");
    meter_put_histogram(out, name, NULL, &m->first_token, &meter_first_token);
}

static void put_telemetry(buf *out, const api *a) {
    otel_counts n;
    if (!a->o.otel) return;
    otel_counts_get(a->o.otel, &n);
    put_plain(out, "bantam_telemetry_sent_total", "counter", "Spans that a collector took.",
              n.sent);
    put_plain(out, "bantam_telemetry_dropped_total", "counter",
              "Spans that found no room, were refused or given up.", n.dropped);
    put_plain(out, "bantam_telemetry_tries_total", "counter", "Bodies posted to a collector.",
              n.tries);
    put_plain(out, "bantam_telemetry_failures_total", "counter", "Of those, not taken.",
              n.failures);
}

static void put_all(buf *out, api *a, const api_model *models, size_t n) {
    put_build(out, a);
    put_requests(out, a);
    put_tokens(out, &a->meter);
    put_server(out, a);
    put_record(out, a);
    put_telemetry(out, a);
    put_models(out, models, n);
}

err api_metrics_put(api *a, arena *mem, buf *out, fail *f) {
    api_model *models;
    size_t n;
    TRY(a->o.models.list(a->o.models.self, mem, &models, &n, f));
    put_all(out, a, models, n);
    meter_put_process(out, a->started_ms);
    return buf_ok(out, f);
}

err api_metrics(api_call *c, fail *f) {
    api_model *models;
    size_t n;
    str names = api_query(c, "names");
    bool vllm = str_is(names, "vllm");
    if (names.n && !vllm)
        return api_refuse(c, f, "names", "names is vllm or left out, not \"%.*s\"",
                          STR_ARG(str_slice(names, 0, 40)));
    TRY(c->api->o.models.list(c->api->o.models.self, c->a, &models, &n, f));
    put_all(&c->out, c->api, models, n);
    if (vllm) put_vllm(&c->out, &c->api->meter, models, n);
    meter_put_process(&c->out, c->api->started_ms);
    TRY(buf_ok(&c->out, f));
    c->done = true;
    return http_send(c->rp, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&c->out), f);
}

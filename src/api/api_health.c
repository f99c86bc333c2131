/* api_health.c - is it alive, can it be asked: GET /health, /ready, /healthz/live, /healthz/ready.
 *
 * They are answered on the loop's own thread (api_quick), so that a server whose workers are all
 * busy still answers; what would make the loop wait is left to a worker. */
#include "api/api_routes.h"

#include "base/clock.h"

#include <string.h>

/* Whole numbers only, so that two of them are compared as memory. */
enum { SYNCING, STOPPING, UPTIME_S, KEPT, JOURNAL_BYTES, RUNNING, QUEUED, WAITING, FACTS };

_Static_assert(sizeof((api_check *)0)->facts / sizeof(int64_t) == FACTS, "one place for each");

static void take_facts(api *a, const http_request *rq, const audit_health *record,
                       int64_t facts[FACTS]) {
    http_server *server = atomic_load(&a->server);
    http_counts n = {0};
    if (server) http_server_counts(server, &n);
    facts[SYNCING] = record->syncing;
    facts[STOPPING] = atomic_load(&a->draining) || rq->stopping;
    facts[UPTIME_S] = (clock_now_ms() - a->started_ms) / 1000;
    facts[KEPT] = record->kept;
    facts[JOURNAL_BYTES] = record->journal_bytes;
    facts[RUNNING] = n.running;
    facts[QUEUED] = n.queued;
    facts[WAITING] = n.parked;
}

static err send_state(api_call *c, bool ok, fail *f) {
    TRY(buf_ok(&c->out, f));
    c->done = true;
    return http_send(c->rp, ok ? 200 : 503, "application/json", buf_str(&c->out), f);
}

static bool put_health(json_writer *w, const int64_t facts[FACTS]) {
    json_begin_object(w);
    json_field_z(w, "status", facts[SYNCING] ? "ok" : "record_not_kept");
    json_field_int(w, "uptime_s", facts[UPTIME_S]);
    json_field_int(w, "requests_recorded", facts[KEPT]);
    json_field_int(w, "journal_bytes", facts[JOURNAL_BYTES]);
    json_field_int(w, "running", facts[RUNNING]);
    json_field_int(w, "queued", facts[QUEUED]);
    json_field_int(w, "waiting", facts[WAITING]);
    json_end_object(w);
    return facts[SYNCING];
}

static bool put_ready(json_writer *w, const int64_t facts[FACTS]) {
    bool ready = !facts[STOPPING] && facts[SYNCING];
    json_begin_object(w);
    json_field_z(w, "status", ready ? "ready" : facts[STOPPING] ? "draining" : "record_not_kept");
    json_end_object(w);
    return ready;
}

/* The process runs and its loop turns; nothing else is asked. */
static bool put_live(json_writer *w, const int64_t facts[FACTS]) {
    (void)facts;
    json_begin_object(w);
    json_field_z(w, "status", "alive");
    json_end_object(w);
    return true;
}

/* 503 while the disk refuses the record: requests would be refused too. */
err api_health(api_call *c, fail *f) {
    audit_health record;
    int64_t facts[FACTS];
    audit_get_health(c->api->o.audit, &record);
    take_facts(c->api, c->rq, &record, facts);
    return send_state(c, put_health(&c->w, facts), f);
}

/* 503 for those who choose whom to send requests to: from the moment the server is to stop. */
err api_ready(api_call *c, fail *f) {
    audit_health record;
    int64_t facts[FACTS];
    audit_get_health(c->api->o.audit, &record);
    take_facts(c->api, c->rq, &record, facts);
    return send_state(c, put_ready(&c->w, facts), f);
}

err api_live(api_call *c, fail *f) {
    return send_state(c, put_live(&c->w, NULL), f);
}

/* ---- on the loop ---- */

static const struct {
    str path;
    bool (*put)(json_writer *w, const int64_t facts[FACTS]);
    bool asks; /* for facts */
} checks[API_CHECKS] = {{{"/health", 7}, put_health, true},
                        {{"/ready", 6}, put_ready, true},
                        {{"/healthz/ready", 14}, put_ready, true},
                        {{"/healthz/live", 13}, put_live, false}};

void api_health_init(api *a) {
    str arg;
    api_allowed allow;
    for (size_t i = 0; i < API_CHECKS; i++)
        a->checks[i].route = api_route_find(a, STR("GET"), checks[i].path, &arg, &allow);
}

void api_health_deinit(api *a) {
    for (size_t i = 0; i < API_CHECKS; i++) buf_deinit(&a->checks[i].body);
}

void api_drain(api *a) {
    atomic_store(&a->draining, true);
}

static bool is_plain(const http_request *rq) {
    bool get = str_is(rq->method, "GET") || str_is(rq->method, "HEAD");
    return get && !http_header_get(rq, "origin").p && !http_header_get(rq, "traceparent").p;
}

/* The body is made anew only where it would differ from the last one. */
static void remake(api_check *known, size_t check, const int64_t facts[FACTS]) {
    if (known->status && memcmp(known->facts, facts, sizeof known->facts) == 0) return;
    memcpy(known->facts, facts, sizeof known->facts);
    buf_reset(&known->body);
    bool ok = checks[check].put(&(json_writer){.out = &known->body}, facts);
    known->status = known->body.failed ? 0 : ok ? 200 : 503;
}

bool api_quick(void *ctx, http_request *rq, http_reply *rp) {
    api *a = ctx;
    audit_health record = {0};
    int64_t facts[FACTS] = {0};
    size_t check = 0;
    while (check < API_CHECKS && !str_eq(rq->path, checks[check].path)) check++;
    if (check == API_CHECKS || !is_plain(rq)) return false;
    if (checks[check].asks) {
        if (!audit_try_health(a->o.audit, &record)) return false;
        take_facts(a, rq, &record, facts);
    }
    api_check *known = &a->checks[check];
    remake(known, check, facts);
    if (!known->status) return false;
    api_put_safety(rp);
    (void)!http_send(rp, known->status, "application/json", buf_str(&known->body),
                     NULL); /* or the client left */
    api_meter_request(&(api_call){.api = a, .rq = rq, .rp = rp, .route = known->route});
    return rp->sent;
}

/* api_health.c - is it alive, can it be asked: GET /health, /ready, /healthz/live, /healthz/ready.
 *
 * They are answered on the loop's own thread (api_quick), so that a server whose workers are all
 * busy still answers; what would make the loop wait is left to a worker. */
#include "api/api_int.h"

#include "base/clock.h"

static void put_counts(api_call *c) {
    http_server *server = atomic_load(&c->api->server);
    http_counts n;
    if (!server) return;
    http_server_counts(server, &n);
    json_field_int(&c->w, "running", n.running);
    json_field_int(&c->w, "queued", n.queued);
    json_field_int(&c->w, "waiting", n.parked);
}

static err send_state(api_call *c, bool ok, fail *f) {
    TRY(buf_ok(&c->out, f));
    c->done = true;
    return http_send(c->rp, ok ? 200 : 503, "application/json", buf_str(&c->out), f);
}

static void put_health(api_call *c, const audit_health *record) {
    json_begin_object(&c->w);
    api_put_z(&c->w, "status", record->syncing ? "ok" : "record_not_kept");
    json_field_int(&c->w, "uptime_s", (clock_now_ms() - c->api->started_ms) / 1000);
    json_field_int(&c->w, "requests_recorded", record->kept);
    json_field_int(&c->w, "journal_bytes", record->journal_bytes);
    put_counts(c);
    json_end_object(&c->w);
}

static bool put_ready(api_call *c, const audit_health *record) {
    bool draining = atomic_load(&c->api->draining) || c->rq->stopping;
    bool ready = !draining && record->syncing;
    json_begin_object(&c->w);
    api_put_z(&c->w, "status", ready ? "ready" : draining ? "draining" : "record_not_kept");
    json_end_object(&c->w);
    return ready;
}

/* 503 while the disk refuses the record: requests would be refused too. */
err api_health(api_call *c, fail *f) {
    audit_health record;
    audit_get_health(c->api->o.audit, &record);
    put_health(c, &record);
    return send_state(c, record.syncing, f);
}

/* 503 for those who choose whom to send requests to: from the moment the server is to stop. */
err api_ready(api_call *c, fail *f) {
    audit_health record;
    audit_get_health(c->api->o.audit, &record);
    return send_state(c, put_ready(c, &record), f);
}

static void put_live(api_call *c) {
    json_begin_object(&c->w);
    api_put_z(&c->w, "status", "alive");
    json_end_object(&c->w);
}

/* The process runs and its loop turns; nothing else is asked. */
err api_live(api_call *c, fail *f) {
    put_live(c);
    return send_state(c, true, f);
}

/* ---- on the loop ---- */

static const char *const checks[API_CHECKS] = {"/health", "/ready", "/healthz/ready",
                                               "/healthz/live"};
enum { CHECK_HEALTH = 0, CHECK_LIVE = 3 };

void api_health_init(api *a) {
    for (size_t i = 0; i < API_CHECKS; i++) a->check_routes[i] = api_route_find("GET", checks[i]);
}

void api_drain(api *a) {
    atomic_store(&a->draining, true);
}

static bool is_plain(const http_request *rq) {
    bool get = str_is(rq->method, "GET") || str_is(rq->method, "HEAD");
    return get && !http_header_get(rq, "origin").p && !http_header_get(rq, "traceparent").p;
}

static void answer_check(api_call *c, size_t check, const audit_health *record) {
    bool ok = true;
    if (check == CHECK_HEALTH) {
        put_health(c, record);
        ok = record->syncing;
    } else if (check == CHECK_LIVE) {
        put_live(c);
    } else {
        ok = put_ready(c, record);
    }
    (void)!send_state(c, ok, NULL); /* or the client left */
}

bool api_quick(void *ctx, http_request *rq, http_reply *rp) {
    api *a = ctx;
    audit_health record = {0};
    size_t check = 0;
    while (check < API_CHECKS && !str_is(rq->path, checks[check])) check++;
    if (check == API_CHECKS || !is_plain(rq)) return false;
    if (check != CHECK_LIVE && !audit_try_health(a->o.audit, &record)) return false;
    api_call c = {.api = a, .rq = rq, .rp = rp, .a = rq->arena, .route = a->check_routes[check]};
    c.w = (json_writer){.out = &c.out};
    api_put_safety(rp);
    answer_check(&c, check, &record);
    api_meter_request(&c);
    buf_deinit(&c.out);
    return rp->sent;
}

/* api_async.c - Prefer: respond-async (RFC 7240): 202 and an address, where the answer can be asked
 * for when it is there.
 *
 *     GET /v1/async/ID?wait=S: parked until the job ends or the time is up; costs no worker */
#include "api/api_keep.h"
#include "api/api_routes.h"

#include "base/clock.h"

#include <stdio.h>

enum { WAKE_KEY_BYTES = 64 };

static str wake_key(str ref, char out[WAKE_KEY_BYTES]) {
    int n = snprintf(out, WAKE_KEY_BYTES, "async:%.*s", STR_ARG(str_slice(ref, 0, KEEP_REF_BYTES)));
    return (str){out, (size_t)n};
}

void api_async_wake(api *a, str ref) {
    char key[WAKE_KEY_BYTES];
    http_server *server = atomic_load(&a->server);
    if (server) http_wake(server, wake_key(ref, key));
}

/* ---- taking a request ---- */

static bool wants_async(const api_call *c) {
    str rest = http_header_get(c->rq, "prefer");
    while (rest.p) {
        str one = str_cut(&rest, ',');
        if (str_eq_nocase(str_trim(str_cut(&one, ';')), STR("respond-async"))) return true;
    }
    return false;
}

static void put_state(api_call *c, const keep_job *j) {
    static const char *const states[] = {"queued", "completed", "cancelled", "expired"};
    json_writer *w = &c->w;
    bool runs = j->state == KEEP_QUEUED && api_runner_is_at(c->api->runner, j->id);
    json_begin_object(w);
    json_field_str(w, "id", j->ref);
    json_field_z(w, "object", "async");
    json_field_z(w, "status", runs ? "in_progress" : states[j->state]);
    json_field_str(w, "endpoint", j->path);
    json_field_str(
        w, "url",
        arena_printf(c->a, "%.*s/v1/async/%.*s", STR_ARG(c->api->o.url_base), STR_ARG(j->ref)));
    api_put_seconds(w, "created_at", j->created_ms);
    api_put_seconds(w, "completed_at", j->ended_ms);
    api_put_seconds(w, "expires_at", j->expires_ms);
    json_key(w, "response");
    if (j->state != KEEP_DONE) {
        json_put_null(w);
    } else {
        json_begin_object(w);
        json_field_int(w, "status_code", j->status);
        json_field_text(w, "request_id", j->request);
        json_key(w, "body");
        json_put_raw(w, j->answer);
        json_end_object(w);
    }
    json_end_object(w);
}

static err add_job(api_call *c, keep_job *j, fail *f) {
    store_tx *tx;
    bool added;
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    err e = keep_job_add(tx, j, &added, f);
    if (e == E_OK) put_state(c, j);
    return api_keep_commit(c, tx, e, f);
}

err api_async_take(api_call *c, bool *taken, fail *f) {
    const api_deferral *d = api_deferral_of(c->rq->path);
    bool stream;
    *taken = false;
    if (!d || !d->later || !c->api->runner || !c->body || !wants_async(c)) return E_OK;
    TRY(api_get_bool(c, "stream", false, &stream, f));
    if (stream)
        return api_refuse(c, f, "stream", "\"stream\": true does not go with respond-async");
    char ref[KEEP_REF_BYTES];
    keep_ref("async_", ref);
    keep_job j = {.kind = KEEP_ASYNC,
                  .ref = arena_str(c->a, str_from(ref)),
                  .owner = api_owner(c),
                  .subject = api_subject_of(c->body),
                  .path = c->rq->path,
                  .body = c->rq->body,
                  .created_ms = clock_now_ms()};
    j.expires_ms = j.created_ms + KEEP_JOB_MS;
    c->location = arena_printf(c->a, "/v1/async/%s", ref);
    if (!j.ref.p || !c->location.p) return fail_memory(f, "a request");
    c->status = 202;
    TRY(add_job(c, &j, f));
    http_reply_header(c->rp, "Location", c->location);
    http_reply_header(c->rp, "Preference-Applied", STR("respond-async"));
    api_runner_wake(c->api->runner);
    *taken = true;
    return E_OK;
}

/* ---- asking for it ---- */

static int64_t mono_ms(void) {
    return clock_mono_ns() / 1000000;
}

/* Parks before looking, so that no wake is lost between. */
static err park(api_call *c, bool *parked, fail *f) {
    char key[WAKE_KEY_BYTES];
    int64_t wait_s, *end_ms = c->rq->state;
    TRY(api_query_int(c, "wait", 0, 0, API_WAIT_S_MAX, &wait_s, f));
    if (!end_ms) {
        end_ms = arena_new(c->a, int64_t);
        if (!end_ms) return fail_memory(f, "a wait");
        *end_ms = mono_ms() + wait_s * 1000;
        c->rq->state = end_ms;
    }
    *parked = mono_ms() < *end_ms && !c->rq->stopping;
    return *parked ? http_park(c->rq, wake_key(c->arg, key), *end_ms, f) : E_OK;
}

/* A background response is not one of these. */
static err find(api_call *c, keep_job *j, fail *f) {
    err e = keep_job_get(c->api->o.store, api_owner(c).tenant, c->arg, c->a, j, f);
    if (e == E_OK && j->kind != KEEP_ASYNC)
        return fail_set(f, E_NOT_FOUND, "there is no request \"%.*s\"", STR_ARG(j->ref));
    return e;
}

err api_async_get(api_call *c, fail *f) {
    keep_job j;
    bool parked;
    TRY(park(c, &parked, f));
    TRY(find(c, &j, f));
    if (parked && j.state == KEEP_QUEUED)
        c->done = true; /* stays parked */
    else
        put_state(c, &j);
    return E_OK;
}

err api_async_delete(api_call *c, fail *f) {
    store_tx *tx;
    keep_job j;
    str tenant = api_owner(c).tenant;
    TRY(find(c, &j, f));
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    TRY(keep_finish(tx, keep_job_delete(tx, tenant, c->arg, f), f));
    api_runner_leave(c->api->runner, j.id, 0);
    api_async_wake(c->api, c->arg);
    api_put_deleted(c, "async", c->arg);
    return E_OK;
}

/* api_inside.c - a request that no connection brought: the same route reads the same body and
 * writes the same answer, on the caller's thread. Errors become the body that a client would read.
 */
#include "api/api_keep.h"

#include "base/clock.h"
#include "base/rand.h"

#include <stdio.h>

static void name_request(http_request *rq) {
    char id[17];
    rand_id(id, 16);
    snprintf(rq->id, sizeof rq->id, "req_%s", id);
}

static who_actor actor_of(const keep_owner *o) {
    return (who_actor){.kind = (who_kind)o->kind,
                       .id = o->id,
                       .name = o->name,
                       .tenant = o->tenant,
                       .scopes = (who_scopes)o->scopes,
                       .role = (who_role)o->role};
}

static err no_stream(api_call *c, fail *f) {
    bool stream;
    TRY(api_get_bool(c, "stream", false, &stream, f));
    if (!stream) return E_OK;
    return api_refuse(c, f, "stream", "nobody listens here: stream must be false or left out");
}

static err run_route(api_call *c, fail *f) {
    const api_deferral *d = api_deferral_of(c->rq->path);
    api_allowed allow;
    const api_route_row *row = api_route_find(c->api, c->rq->method, c->rq->path, &c->arg, &allow);
    if (!d || !d->later || !row)
        return fail_set(f, E_UNSUPPORTED, "%.*s is not run in the background",
                        STR_ARG(c->rq->path));
    if (c->api->o.who) TRY(who_check_still(c->api->o.who, &c->who, f));
    c->code = "invalid_json";
    TRY(json_parse(c->a, c->rq->body, &c->body, f));
    if (c->body->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT, "the body is %s, not an object", json_kind_name(c->body->kind));
    c->code = NULL;
    TRY(no_stream(c, f));
    TRY(row->run(c, f));
    return buf_ok(&c->out, f);
}

err api_inside_run(api *a, const keep_job *job, const atomic_bool *left, arena *mem,
                   api_inside_answer *out, fail *f) {
    http_request rq = {.method = STR("POST"),
                       .target = job->path,
                       .path = job->path,
                       .query = STR(""),
                       .body = job->body,
                       .start_ns = clock_mono_ns(),
                       .arena = mem,
                       .left = left};
    http_reply rp = {0};
    api_told told;
    api_inside inside = {.job = job, .priority = job->kind == KEEP_LINE ? API_PRIORITY_BATCH : 0};
    api_call c = {.api = a, .rq = &rq, .rp = &rp, .a = mem, .inside = &inside};
    name_request(&rq);
    c.w = (json_writer){.out = &c.out};
    c.dialect = api_dialect_of(rq.path);
    api_trace_begin(&c, &told);
    c.who = actor_of(&job->owner);
    *out = (api_inside_answer){.status = 200};
    out->why = run_route(&c, &out->fail);
    if (a->o.who) who_spend(a->o.who, &c.who, c.tokens);
    if (out->why != E_OK) {
        told.error = api_error_word(&c, out->why);
        out->status = api_error_make(&c, &out->fail);
    }
    rp.status = out->status;
    api_trace_end(&c);
    out->code = c.code;
    out->ended = inside.ended;
    out->body = arena_str(mem, buf_str(&c.out));
    out->request = arena_str(mem, str_from(rq.id));
    bool failed = c.out.failed || !out->body.p || !out->request.p;
    buf_deinit(&c.out);
    buf_deinit(&rp.headers);
    if (atomic_load(left) && out->why != E_OK)
        return fail_set(f, E_CANCELLED, "the request was broken off");
    return failed ? fail_memory(f, "an answer") : E_OK;
}

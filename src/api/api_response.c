/* api_response.c - POST /v1/responses and what is asked of a kept one.
 *
 *     queued (background) -> in_progress -> completed | incomplete | failed
 *     queued, in_progress --cancel--> cancelled
 *
 * How it is kept: api_response_keep.c. */
#include "api/api_response.h"
#include "api/api_chat.h"
#include "api/api_routes.h"

#include "base/clock.h"

/* ---- answering ---- */

static err answer_whole(api_response *r, gen_exchange *x, fail *f) {
    api_call *c = r->chat.call;
    TRY(api_run_chat(&r->chat, x, f));
    response_end end = {.status = api_response_status(x), .x = x};
    TRY(api_chat_content(&r->chat, x, &end.content, f));
    api_response_put(r, &c->w, &end);
    TRY(buf_ok(&c->out, f));
    return r->store ? api_response_keep(r, &end, buf_str(&c->out), f) : E_OK;
}

/* Is there such a model? Said now, not when it runs. */
static err check_model(api_response *r, fail *f) {
    api_call *c = r->chat.call;
    const api_models *m = &c->api->o.models;
    gen_provider provider;
    route *task;
    str task_id;
    err e = r->chat.is_task ? m->task(m->self, r->chat.task_name, &task, &task_id, f)
                            : m->provider(m->self, r->chat.request.model, &provider, f);
    if (e == E_OK) return E_OK;
    c->param = "model";
    if (e == E_NOT_FOUND) c->code = "model_not_found";
    return e;
}

static err queue_in(api_response *r, store_tx *tx, fail *f) {
    api_call *c = r->chat.call;
    int64_t id;
    bool added;
    keep_job job = {.kind = KEEP_RESPONSE,
                    .ref = r->id,
                    .owner = api_owner(c),
                    .subject = r->chat.request.subject,
                    .path = STR("/v1/responses"),
                    .body = c->rq->body,
                    .created_ms = r->created_ms,
                    .expires_ms = r->created_ms + KEEP_RESPONSE_MS};
    TRY(api_response_add(r, tx, "queued", buf_str(&c->out), &id, f));
    return keep_job_add(tx, &job, &added, f);
}

static err answer_later(api_response *r, fail *f) {
    api_call *c = r->chat.call;
    store_tx *tx;
    TRY(check_model(r, f));
    api_response_put(r, &c->w, &(response_end){.status = "queued"});
    TRY(buf_ok(&c->out, f));
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    TRY(api_keep_commit(c, tx, queue_in(r, tx, f), f));
    api_runner_wake(c->api->runner);
    return E_OK;
}

err api_responses(api_call *c, fail *f) {
    api_response r = {.chat = {.call = c}};
    gen_reply reply = {0};
    TRY(api_response_read(c, &r, f));
    r.created_ms = api_response_is_kept(&r) ? c->inside->job->created_ms : clock_now_ms();
    r.chat.id = r.id;
    r.chat.at_s = r.created_ms / 1000;
    if (r.background && !c->inside) return answer_later(&r, f);
    gen_exchange x = {.request = &r.chat.request, .reply = &reply};
    return r.chat.stream ? api_response_stream(&r, &x, f) : answer_whole(&r, &x, f);
}

/* ---- counting ---- */

err api_response_count(api_call *c, fail *f) {
    api_response r = {.chat = {.call = c}, .counting = true};
    int64_t tokens = 0;
    TRY(api_response_read(c, &r, f));
    TRY(check_model(&r, f));
    TRY(api_count_tokens(&r.chat, &tokens, f));
    json_begin_object(&c->w);
    json_field_z(&c->w, "object", "response.input_tokens");
    json_field_int(&c->w, "input_tokens", tokens);
    json_end_object(&c->w);
    return E_OK;
}

/* ---- kept ones ---- */

/* Which job runs is no row's matter: a queued one that runs is in progress. */
static err put_kept(api_call *c, const keep_response *row, fail *f) {
    str object = row->object;
    keep_job job;
    fail none;
    bool runs = str_is(STR("queued"), row->status) &&
                keep_job_get(c->api->o.store, row->tenant, row->ref, c->a, &job, &none) == E_OK &&
                api_runner_is_at(c->api->runner, job.id);
    if (runs) TRY(api_response_rewrite(c->a, object, "in_progress", NULL, NULL, &object, f));
    json_put_raw(&c->w, object);
    return E_OK;
}

err api_response_get(api_call *c, fail *f) {
    keep_response row;
    str stream = api_query(c, "stream");
    if (stream.n && !str_is(stream, "false"))
        return api_refuse(c, f, "stream", "a kept response is not streamed again");
    TRY(keep_response_get(c->api->o.store, api_owner(c).tenant, c->arg, c->a, &row, f));
    return put_kept(c, &row, f);
}

err api_response_delete(api_call *c, fail *f) {
    keep_job job;
    fail none;
    str tenant = api_owner(c).tenant;
    bool queued = keep_job_get(c->api->o.store, tenant, c->arg, c->a, &job, &none) == E_OK;
    TRY(keep_response_delete(c->api->o.store, tenant, c->arg, f));
    if (queued) api_runner_leave(c->api->runner, job.id, 0);
    api_put_deleted(c, "response", c->arg);
    return E_OK;
}

static err cancel_in(api_call *c, store_tx *tx, const keep_job *job, str object, bool *changed,
                     fail *f) {
    keep_job over = {.id = job->id, .kind = job->kind, .state = KEEP_CANCELLED};
    bool ended;
    TRY(keep_response_set(tx, c->arg, "queued", "cancelled", object, changed, f));
    return *changed ? keep_job_end(tx, &over, &ended, f) : E_OK;
}

err api_response_cancel(api_call *c, fail *f) {
    keep_response row;
    keep_job job;
    store_tx *tx;
    str object;
    bool changed = false;
    str tenant = api_owner(c).tenant;
    TRY(keep_response_get(c->api->o.store, tenant, c->arg, c->a, &row, f));
    err e = keep_job_get(c->api->o.store, tenant, c->arg, c->a, &job, f);
    if (e == E_NOT_FOUND)
        return fail_set(f, E_INPUT, "only a background response can be cancelled");
    TRY(e);
    TRY(api_response_rewrite(c->a, row.object, "cancelled", NULL, NULL, &object, f));
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    TRY(keep_finish(tx, cancel_in(c, tx, &job, object, &changed, f), f));
    if (changed) api_runner_leave(c->api->runner, job.id, 0);
    TRY(keep_response_get(c->api->o.store, tenant, c->arg, c->a, &row, f)); /* as it is now */
    return put_kept(c, &row, f);
}

/* ---- input items ---- */

static err find_after(const keep_item *items, size_t n, str after, size_t *at, api_call *c,
                      fail *f) {
    for (*at = 0; *at < n; (*at)++)
        if (str_eq(items[*at].ref, after)) return E_OK;
    return api_refuse(c, f, "after", "after \"%.*s\" is none of the items",
                      STR_ARG(str_slice(after, 0, 64)));
}

err api_response_items(api_call *c, fail *f) {
    keep_page page;
    keep_item *items, *sorted;
    size_t n, at = 0, shown = 0;
    TRY(api_read_page(c, 20, 100, &page, f));
    TRY(keep_item_list(c->api->o.store, page.tenant, c->arg, c->a, &items, &n, f));
    sorted = arena_new_n(c->a, keep_item, n + 1);
    if (!sorted) return fail_memory(f, "items");
    for (size_t i = 0; i < n; i++) sorted[i] = items[page.ascending ? i : n - 1 - i];
    if (page.after.n) TRY(find_after(sorted, n, page.after, &at, c, f));
    if (page.after.n) at++;
    api_put_list_begin(c);
    for (; at + shown < n && (int64_t)shown < page.limit; shown++)
        json_put_raw(&c->w, sorted[at + shown].text);
    api_put_list_end(c, shown ? sorted[at].ref : STR(""),
                     shown ? sorted[at + shown - 1].ref : STR(""), at + shown < n);
    return E_OK;
}

/* api_response_keep.c - how a response is kept: with its items, in one commit, before its last byte
 * leaves; one in the background is a row and a job in one commit, and its answer and the job's end
 * in another. */
#include "api/api_response.h"

typedef struct item_list {
    keep_item *items;
    size_t n;
    buf text; /* of the item being written */
    bool failed;
} item_list;

static void add_item(item_list *l, arena *a, str ref) {
    keep_item *item = &l->items[l->n++];
    *item = (keep_item){.ref = ref, .side = KEEP_OUTPUT, .text = arena_str(a, buf_str(&l->text))};
    l->failed |= l->text.failed || !item->ref.p || !item->text.p;
    buf_reset(&l->text);
}

static err output_items(api_response *r, const response_end *end, keep_item **out, size_t *n,
                        fail *f) {
    arena *a = r->chat.request.arena;
    const gen_reply *g = end->x->reply;
    const char *status = api_response_status(end->x);
    item_list l = {.items = arena_new_n(a, keep_item, g->n_calls + 2)};
    if (!l.items) return fail_memory(f, "items");
    if (g->reasoning.n) {
        api_response_put_thought(r, &(json_writer){.out = &l.text}, g->reasoning, status);
        add_item(&l, a, api_response_thought_id(r));
    }
    if (end->content.n || !g->n_calls) {
        api_response_put_message(r, &(json_writer){.out = &l.text},
                                 end->content.p ? end->content : STR(""), NULL, 0, status);
        add_item(&l, a, api_response_message_id(r));
    }
    for (size_t i = 0; i < g->n_calls; i++) {
        api_response_put_call(r, &(json_writer){.out = &l.text}, &g->calls[i], i,
                              g->calls[i].arguments, status);
        add_item(&l, a, api_response_call_id(r, i));
    }
    buf_deinit(&l.text);
    *out = l.items;
    *n = l.n;
    return l.failed ? fail_memory(f, "items") : E_OK;
}

err api_response_add(api_response *r, store_tx *tx, const char *status, str object, int64_t *id,
                     fail *f) {
    keep_response row = {.ref = r->id,
                         .tenant = api_owner(r->chat.call).tenant,
                         .subject = r->chat.request.subject,
                         .previous = r->previous,
                         .status = status,
                         .object = object,
                         .created_ms = r->created_ms,
                         .expires_ms = r->created_ms + KEEP_RESPONSE_MS};
    TRY(keep_response_add(tx, &row, f));
    *id = row.id;
    return keep_item_add(tx, row.id, r->input, r->n_input, f);
}

/* The row of a background response, unless it was cancelled or deleted meanwhile. */
static err finish_old(api_response *r, store_tx *tx, const char *status, str object,
                      const keep_item *items, size_t n, fail *f) {
    const keep_job *job = r->chat.call->inside->job;
    keep_job over = {.id = job->id, .kind = job->kind, .state = KEEP_DONE, .status = 200};
    bool changed;
    int64_t id;
    TRY(keep_response_set(tx, r->id, "queued", status, object, &changed, f));
    if (changed) {
        TRY(keep_response_id(tx, r->id, &id, f));
        TRY(keep_item_add(tx, id, items, n, f));
    }
    return keep_job_end(tx, &over, &changed, f);
}

bool api_response_is_kept(const api_response *r) {
    const api_inside *inside = r->chat.call->inside;
    return inside && inside->job->kind == KEEP_RESPONSE;
}

err api_response_keep(api_response *r, const response_end *end, str object, fail *f) {
    api_call *c = r->chat.call;
    keep_item *items = NULL;
    size_t n = 0;
    store_tx *tx;
    int64_t id;
    TRY(output_items(r, end, &items, &n, f));
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    err e;
    if (api_response_is_kept(r)) {
        e = finish_old(r, tx, end->status, object, items, n, f);
    } else {
        e = api_response_add(r, tx, end->status, object, &id, f);
        if (e == E_OK) e = keep_item_add(tx, id, items, n, f);
    }
    TRY(api_keep_commit(c, tx, e, f));
    if (api_response_is_kept(r)) c->inside->ended = true;
    return E_OK;
}

err api_response_fail(api *a, const keep_job *job, const api_inside_answer *why, fail *f) {
    keep_response row;
    store_tx *tx;
    arena mem;
    str object = STR("");
    bool changed;
    keep_job over = {.id = job->id,
                     .kind = job->kind,
                     .state = KEEP_DONE,
                     .status = why->status,
                     .answer = why->body};
    arena_init(&mem, 0);
    err e = keep_response_get(a->o.store, job->owner.tenant, job->ref, &mem, &row, f);
    bool gone = e == E_NOT_FOUND; /* deleted meanwhile: the job is, too */
    if (e == E_OK)
        e = api_response_rewrite(&mem, row.object, "failed", &why->fail, why->code, &object, f);
    if (e == E_OK) e = store_begin(a->o.store, STORE_WRITE, &tx, f);
    if (e == E_OK) {
        e = keep_response_set(tx, job->ref, "queued", "failed", object, &changed, f);
        if (e == E_OK) e = keep_job_end(tx, &over, &changed, f);
        e = keep_finish(tx, e, f);
    }
    arena_deinit(&mem);
    return gone ? E_OK : e;
}

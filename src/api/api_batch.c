/* api_batch.c - batches: POST /v1/batches, list, get, cancel. What becomes of them:
 * api_batch_run.c. */
#include "api/api_keep.h"
#include "api/api_routes.h"

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

static const api_field fields[] = {{"input_file_id", API_FIELD_READ, NULL},
                                   {"endpoint", API_FIELD_READ, NULL},
                                   {"completion_window", API_FIELD_WORD, "24h"},
                                   {"metadata", API_FIELD_READ, NULL},
                                   {"output_expires_after", API_FIELD_EMPTY, NULL}};

/* ---- the object ---- */

static void put_problems(json_writer *w, const keep_batch *b) {
    json_key(w, "errors");
    if (!b->problems.n) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_field_z(w, "object", "list");
    json_key(w, "data");
    json_put_raw(w, b->problems);
    json_end_object(w);
}

static void put_times(json_writer *w, const keep_batch *b) {
    static const char *const ends[][2] = {{"completed", "completed_at"},
                                          {"failed", "failed_at"},
                                          {"expired", "expired_at"},
                                          {"cancelled", "cancelled_at"}};
    api_put_seconds(w, "created_at", b->created_ms);
    api_put_seconds(w, "in_progress_at", b->started_ms);
    api_put_seconds(w, "expires_at", b->expires_ms);
    api_put_seconds(w, "finalizing_at", b->finalizing_ms);
    api_put_seconds(w, "cancelling_at", b->cancelling_ms);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        api_put_seconds(w, ends[i][1], str_is(b->status, ends[i][0]) ? b->ended_ms : 0);
}

static void put_batch(json_writer *w, const keep_batch *b) {
    json_begin_object(w);
    json_field_str(w, "id", b->ref);
    json_field_z(w, "object", "batch");
    json_field_str(w, "endpoint", b->endpoint);
    put_problems(w, b);
    json_field_str(w, "input_file_id", b->input);
    json_field_z(w, "completion_window", "24h");
    json_field_str(w, "status", b->status);
    json_field_text(w, "output_file_id", b->output);
    json_field_text(w, "error_file_id", b->failures);
    put_times(w, b);
    json_key(w, "request_counts");
    json_begin_object(w);
    json_field_int(w, "total", b->total);
    json_field_int(w, "completed", b->done);
    json_field_int(w, "failed", b->failed);
    json_end_object(w);
    json_key(w, "metadata");
    if (b->metadata.n)
        json_put_raw(w, b->metadata);
    else
        json_put_null(w);
    json_end_object(w);
}

/* ---- adding ---- */

static err read_metadata(api_call *c, str *out, fail *f) {
    const json *v = json_get(c->body, "metadata");
    *out = STR("");
    if (!v || v->kind == JSON_NULL) return E_OK;
    if (v->kind != JSON_OBJECT || v->count > 16)
        return api_refuse(c, f, "metadata", "metadata must be an object of at most 16 texts");
    for (size_t i = 0; i < v->count; i++)
        if (v->members[i].value.kind != JSON_STRING || v->members[i].value.string.n > 512)
            return api_refuse(c, f, "metadata", "metadata maps names to texts of up to 512 bytes");
    return api_json_text(c, v, out, f);
}

static err read_endpoint(api_call *c, str *out, fail *f) {
    TRY(api_get_str(c, "endpoint", STR(""), out, f));
    const api_deferral *d = api_deferral_of(*out);
    str arg;
    api_allowed allow;
    const api_route_row *row = api_route_find(c->api, STR("POST"), *out, &arg, &allow);
    if (d && d->batch && row) return api_may(c, row->action, f);
    return api_refuse(c, f, "endpoint",
                      "endpoint must be /v1/chat/completions, /v1/completions, /v1/embeddings or "
                      "/v1/responses");
}

static err read_input(api_call *c, str *out, fail *f) {
    keep_file file;
    TRY(api_get_str(c, "input_file_id", STR(""), out, f));
    c->param = "input_file_id";
    TRY(keep_file_get(c->api->o.store, api_owner(c).tenant, *out, c->a, &file, f));
    if (!str_is(file.purpose, "batch"))
        return fail_set(f, E_INPUT, "the file's purpose is \"%.*s\", not \"batch\"",
                        STR_ARG(file.purpose));
    c->param = NULL;
    return E_OK;
}

err api_batch_add(api_call *c, fail *f) {
    char ref[KEEP_REF_BYTES];
    keep_batch b = {.owner = api_owner(c)};
    store_tx *tx;
    TRY(api_check_fields(c, c->body, "", ROWS(fields), f));
    if (api_is_empty(json_get(c->body, "completion_window")))
        return api_refuse(c, f, "completion_window", "completion_window must be \"24h\"");
    if (!c->api->runner) return fail_set(f, E_UNSUPPORTED, "nothing is run in the background here");
    TRY(read_endpoint(c, &b.endpoint, f));
    TRY(read_input(c, &b.input, f));
    TRY(read_metadata(c, &b.metadata, f));
    keep_ref("batch_", ref);
    b.ref = str_from(ref);
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    err e = keep_batch_add(tx, &b, f);
    if (e == E_OK) put_batch(&c->w, &b);
    TRY(api_keep_commit(c, tx, e, f));
    api_runner_wake(c->api->runner);
    return E_OK;
}

/* ---- asking ---- */

static err put_found(api_call *c, fail *f) {
    keep_batch b;
    TRY(keep_batch_get(c->api->o.store, api_owner(c).tenant, c->arg, c->a, &b, f));
    put_batch(&c->w, &b);
    return E_OK;
}

err api_batch_get(api_call *c, fail *f) {
    return put_found(c, f);
}

err api_batch_list(api_call *c, fail *f) {
    keep_page page;
    keep_batch *all;
    size_t n;
    bool more;
    TRY(api_read_page(c, 20, 100, &page, f));
    if (page.ascending) return api_refuse(c, f, "order", "batches are listed newest first");
    TRY(keep_batch_list(c->api->o.store, &page, c->a, &all, &n, &more, f));
    api_put_list_begin(c);
    for (size_t i = 0; i < n; i++) put_batch(&c->w, &all[i]);
    api_put_list_end(c, n ? all[0].ref : STR(""), n ? all[n - 1].ref : STR(""), more);
    return E_OK;
}

err api_batch_cancel(api_call *c, fail *f) {
    keep_batch b;
    str tenant = api_owner(c).tenant;
    TRY(keep_batch_cancel(c->api->o.store, tenant, c->arg, f));
    TRY(keep_batch_get(c->api->o.store, tenant, c->arg, c->a, &b, f));
    api_runner_leave(c->api->runner, 0, b.id);
    api_runner_wake(c->api->runner);
    put_batch(&c->w, &b);
    return E_OK;
}

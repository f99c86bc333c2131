/* api_keep.c - see api_keep.h: which requests can be deferred, and what lists and owners share. */
#include "api/api_keep.h"

static const api_deferral deferrals[] = {
    {"/v1/chat/completions", true, true, true, false}, {"/v1/completions", true, true, true, false},
    {"/v1/embeddings", true, true, true, false},       {"/v1/responses", true, true, true, false},
    {"/v1/files", true, false, false, true},           {"/v1/batches", true, false, false, false},
};

const api_deferral *api_deferral_of(str path) {
    for (size_t i = 0; i < sizeof deferrals / sizeof *deferrals; i++)
        if (str_is(path, deferrals[i].path)) return &deferrals[i];
    return NULL;
}

keep_owner api_owner(const api_call *c) {
    return (keep_owner){.kind = c->who.kind,
                        .id = c->who.id,
                        .scopes = c->who.scopes,
                        .role = c->who.role,
                        .name = c->who.name.p ? c->who.name : STR(""),
                        .tenant = c->who.tenant.p ? c->who.tenant : STR("")};
}

str api_subject_of(const json *body) {
    str user = api_text_of(body, "user");
    return user.n ? user : api_text_of(body, "safety_identifier");
}

/* ---- lists ---- */

err api_read_page(api_call *c, int64_t fallback, int64_t max, keep_page *out, fail *f) {
    str order = http_query(c->rq, "order");
    *out = (keep_page){.tenant = api_owner(c).tenant, .after = api_query(c, "after")};
    TRY(api_query_int(c, "limit", fallback, 1, max, &out->limit, f));
    out->ascending = str_is(order, "asc");
    if (order.p && !out->ascending && !str_is(order, "desc"))
        return api_refuse(c, f, "order", "order is asc or desc");
    return E_OK;
}

void api_put_list_begin(api_call *c) {
    json_begin_object(&c->w);
    json_field_z(&c->w, "object", "list");
    json_key(&c->w, "data");
    json_begin_array(&c->w);
}

void api_put_list_end(api_call *c, str first, str last, bool more) {
    json_end_array(&c->w);
    json_field_text(&c->w, "first_id", first);
    json_field_text(&c->w, "last_id", last);
    json_field_bool(&c->w, "has_more", more);
    json_end_object(&c->w);
}

void api_put_deleted(api_call *c, const char *object, str id) {
    json_begin_object(&c->w);
    json_field_str(&c->w, "id", id);
    json_field_z(&c->w, "object", object);
    json_field_bool(&c->w, "deleted", true);
    json_end_object(&c->w);
}

void api_put_seconds(json_writer *w, const char *key, int64_t ms) {
    json_key(w, key);
    if (ms)
        json_put_int(w, ms / 1000);
    else
        json_put_null(w);
}

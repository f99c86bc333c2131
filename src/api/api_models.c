/* api_models.c - GET /v1/models, /v1/models/ID: what can be asked for. POST /v1/models/load and
 * /unload for those who run the server. */
#include "api/api_field.h"
#include "api/api_routes.h"

#include "base/clock.h"

static const char *const kind_names[] = {"generator", "encoder", "task"};

static void put_state(json_writer *w, const api_model *m) {
    if (!m->state) return;
    json_field_z(w, "state", m->state);
    if (str_is(str_from(m->state), "loading")) json_field_int(w, "percent", m->percent);
    if (m->bytes) json_field_int(w, "memory_bytes", m->bytes);
    if (m->users) json_field_int(w, "requests", m->users);
    if (m->retry_s) json_field_int(w, "retry_s", m->retry_s);
    if (m->is_alias) json_field_text(w, "alias_of", m->parent);
    if (m->adapter.n) json_field_text(w, "adapter", m->adapter);
}

/* What goes in and what comes out, as clients of typed decisions look for it. */
static void put_architecture(json_writer *w, api_kind kind) {
    static const char *const out[][3] = {[API_GENERATOR] = {"text", "decisions", NULL},
                                         [API_ENCODER] = {"embeddings", "scores", NULL},
                                         [API_TASK] = {"text", NULL}};
    json_key(w, "architecture");
    json_begin_object(w);
    json_key(w, "input_modalities");
    json_begin_array(w);
    json_put_z(w, "text");
    json_end_array(w);
    json_key(w, "output_modalities");
    json_begin_array(w);
    for (size_t i = 0; out[kind][i]; i++) json_put_z(w, out[kind][i]);
    json_end_array(w);
    json_end_object(w);
}

static void put_model(const api *api, json_writer *w, const api_model *m) {
    json_begin_object(w);
    json_field_text(w, "id", m->id);
    json_field_z(w, "object", "model");
    json_field_int(w, "created", (m->created_ms ? m->created_ms : api->started_ms) / 1000);
    json_field_z(w, "owned_by", "bantam");
    if (m->parent.n) json_field_text(w, "parent", m->parent);
    put_architecture(w, m->kind);
    json_key(w, "bantam");
    json_begin_object(w);
    json_field_z(w, "kind", kind_names[m->kind]);
    json_field_text(w, "title", m->title);
    json_field_bool(w, "loaded", m->loaded);
    put_state(w, m);
    json_end_object(w);
    json_end_object(w);
}

err api_model_list(api_call *c, fail *f) {
    api_model *all;
    size_t n;
    TRY(c->api->o.models.list(c->api->o.models.self, c->a, &all, &n, f));
    json_begin_object(&c->w);
    json_field_z(&c->w, "object", "list");
    json_key(&c->w, "data");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) put_model(c->api, &c->w, &all[i]);
    json_end_array(&c->w);
    json_end_object(&c->w);
    return E_OK;
}

err api_model_get(api_call *c, fail *f) {
    api_model *all;
    size_t n;
    TRY(c->api->o.models.list(c->api->o.models.self, c->a, &all, &n, f));
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].id, c->arg)) {
            put_model(c->api, &c->w, &all[i]);
            return E_OK;
        }
    c->param = "model";
    c->code = "model_not_found";
    fail_set(f, E_NOT_FOUND, "there is no model \"%.*s\"", STR_ARG(str_slice(c->arg, 0, 128)));
    return fail_hint(f, "GET /v1/models lists what is here");
}

static err change(api_call *c, err (*how)(void *self, str model, fail *f), fail *f) {
    static const char *const names[] = {"model", NULL};
    str name;
    TRY(api_check_names(c, names, f));
    TRY(api_get_str(c, "model", STR(""), &name, f));
    if (!name.n) return api_refuse(c, f, "model", "model must name a model");
    if (!how) return fail_set(f, E_UNSUPPORTED, "models stay as they are here");
    c->param = "model";
    err e = how(c->api->o.models.self, name, f);
    if (e == E_NOT_FOUND) c->code = "model_not_found";
    if (e != E_OK) return e;
    c->param = NULL;
    c->arg = name;
    return api_model_get(c, f);
}

/* {"model"}: answers when it is loaded, with what GET /v1/models/ID says. */
err api_model_load(api_call *c, fail *f) {
    return change(c, c->api->o.models.load, f);
}

err api_model_unload(api_call *c, fail *f) {
    return change(c, c->api->o.models.unload, f);
}

/* api_ollama_models.c - Ollama's routes about models: tags, show, ps, version; what it does with
 * models' files is done by Bantam's commands, and the answer says which. */
#include "api/api_ollama.h"
#include "api/api_routes.h"

#include "base/clock.h"

#include <stdio.h>

void api_ollama_put_now(json_writer *w, const char *key) {
    char text[CLOCK_TEXT_BYTES];
    clock_text(clock_now_ms(), text);
    json_field_z(w, key, text);
}

/* ---- loaded or not ---- */

err api_ollama_load(api_call *c, str model, int64_t *ns, fail *f) {
    const api_models *models = &c->api->o.models;
    int64_t start_ns = clock_mono_ns();
    if (str_starts(model, STR("task:")) || !models->load) return E_OK;
    TRY(models->load(models->self, model, f));
    *ns = clock_mono_ns() - start_ns;
    return E_OK;
}

err api_ollama_settle(api_call *c, str model, const ollama_keep *keep, fail *f) {
    const api_models *models = &c->api->o.models;
    if (!keep->said) return E_OK;
    if (!models->keep || str_starts(model, STR("task:")))
        return api_refuse(c, f, "keep_alive", "keep_alive: what is served here stays loaded");
    return models->keep(models->self, model, keep->ms, f);
}

/* ---- what a model is ---- */

/* "smollm2:latest": a name of theirs has a tag. */
static void put_name(json_writer *w, api_call *c, str id) {
    str name = str_find_char(id, ':') == STR_INDEX_NONE
                   ? arena_printf(c->a, "%.*s:latest", STR_ARG(id))
                   : id;
    json_field_str(w, "name", name);
    json_field_str(w, "model", name);
}

static void put_count(json_writer *w, const char *key, int64_t n) {
    char text[32] = "";
    if (n >= 1000000000)
        snprintf(text, sizeof text, "%.1fB", (double)n * 1e-9);
    else if (n > 0)
        snprintf(text, sizeof text, "%.2fM", (double)n * 1e-6);
    json_field_z(w, key, text);
}

static void put_details(json_writer *w, const api_about *about) {
    str family = about->family.p ? about->family : STR("");
    json_key(w, "details");
    json_begin_object(w);
    json_field_str(w, "parent_model", STR(""));
    json_field_str(w, "format", about->format.p ? about->format : STR(""));
    json_field_str(w, "family", family);
    json_key(w, "families");
    json_begin_array(w);
    if (family.n) json_put_str(w, family);
    json_end_array(w);
    put_count(w, "parameter_size", about->parameters);
    json_field_str(w, "quantization_level", about->quantisation.p ? about->quantisation : STR(""));
    json_end_object(w);
}

/* What is known of a model's file; a task and a file that cannot be read have nothing to tell. */
static void look_up(api_call *c, const api_model *m, api_about *out) {
    *out = (api_about){.digest = STR("")};
    if (m->kind == API_TASK) out->family = STR("task");
    if (m->kind == API_TASK || !c->api->o.models.about) return;
    if (c->api->o.models.about(c->api->o.models.self, c->a, m->id, out, NULL) != E_OK)
        *out = (api_about){.digest = STR("")};
}

static void put_time(json_writer *w, const char *key, int64_t ms) {
    char text[CLOCK_TEXT_BYTES];
    if (!ms) return;
    clock_text(ms, text);
    json_field_z(w, key, text);
}

static err list(api_call *c, api_model **out, size_t *n, fail *f) {
    return c->api->o.models.list(c->api->o.models.self, c->a, out, n, f);
}

/* ---- routes ---- */

err api_ollama_tags(api_call *c, fail *f) {
    json_writer *w = &c->w;
    api_model *all;
    size_t n;
    TRY(list(c, &all, &n, f));
    json_begin_object(w);
    json_key(w, "models");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        api_about about;
        look_up(c, &all[i], &about);
        json_begin_object(w);
        put_name(w, c, all[i].id);
        put_time(w, "modified_at", about.modified_ms);
        json_field_int(w, "size", about.bytes);
        json_field_str(w, "digest", about.digest);
        put_details(w, &about);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    return E_OK;
}

/* What is never unloaded by time is given the last moment that clients can read. */
static void put_expiry(json_writer *w, const api_model *m) {
    if (m->left_ms < 0)
        json_field_z(w, "expires_at", "9999-12-31T23:59:59Z");
    else
        put_time(w, "expires_at", clock_now_ms() + m->left_ms);
}

err api_ollama_ps(api_call *c, fail *f) {
    json_writer *w = &c->w;
    api_model *all;
    size_t n;
    TRY(list(c, &all, &n, f));
    json_begin_object(w);
    json_key(w, "models");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        api_about about;
        if (!all[i].loaded || all[i].kind == API_TASK || all[i].is_alias) continue;
        look_up(c, &all[i], &about);
        json_begin_object(w);
        put_name(w, c, all[i].id);
        json_field_int(w, "size", all[i].bytes ? all[i].bytes : about.bytes);
        json_field_str(w, "digest", about.digest);
        put_details(w, &about);
        put_expiry(w, &all[i]);
        json_field_int(w, "size_vram", 0); /* there is no GPU */
        json_field_int(w, "context_length", about.context);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
    return E_OK;
}

static void put_info(json_writer *w, api_call *c, const api_about *about) {
    const struct {
        const char *name;
        int64_t n;
    } rows[] = {{"context_length", about->context},
                {"embedding_length", about->width},
                {"block_count", about->layers},
                {"attention.head_count", about->heads},
                {"attention.head_count_kv", about->kv_heads}};
    json_key(w, "model_info");
    json_begin_object(w);
    json_field_str(w, "general.architecture", about->family);
    json_field_int(w, "general.parameter_count", about->parameters);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n > 0)
            json_field_int(w, api_place(c, "%.*s.%s", STR_ARG(about->family), rows[i].name),
                           rows[i].n);
    json_end_object(w);
}

static void put_capabilities(json_writer *w, const api_model *m, const api_about *about) {
    bool thinks = str_find(about->chat_template, STR("enable_thinking")) != STR_INDEX_NONE;
    json_key(w, "capabilities");
    json_begin_array(w);
    json_put_z(w, m->kind == API_ENCODER ? "embedding" : "completion");
    if (m->kind == API_GENERATOR && about->chat_template.n) json_put_z(w, "tools");
    if (thinks) json_put_z(w, "thinking");
    json_end_array(w);
}

static err find_model(api_call *c, str name, api_model *out, fail *f) {
    api_model *all;
    size_t n;
    TRY(list(c, &all, &n, f));
    for (size_t i = 0; i < n; i++)
        if (str_eq(all[i].id, name)) {
            *out = all[i];
            return E_OK;
        }
    fail_set(f, E_NOT_FOUND, "model \"%.*s\" not found", STR_ARG(str_slice(name, 0, 128)));
    return fail_hint(f, "GET /api/tags lists what is here; bantam pull fetches more");
}

err api_ollama_show(api_call *c, fail *f) {
    static const api_field fields[] = {{"model", API_FIELD_READ, NULL},
                                       {"name", API_FIELD_READ, NULL},
                                       {"verbose", API_FIELD_IGNORED, NULL}};
    json_writer *w = &c->w;
    str asked, name;
    api_model m = {0};
    api_about about;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_ollama_read_model(c, &asked, &name, f));
    TRY(find_model(c, name, &m, f));
    look_up(c, &m, &about);
    json_begin_object(w);
    json_field_str(w, "license", about.licence.p ? about.licence : STR(""));
    json_field_str(w, "modelfile", arena_printf(c->a, "FROM %.*s\n", STR_ARG(asked)));
    json_field_str(w, "parameters", STR(""));
    json_field_str(w, "template", about.chat_template.p ? about.chat_template : STR(""));
    put_details(w, &about);
    put_info(w, c, &about);
    put_capabilities(w, &m, &about);
    put_time(w, "modified_at", about.modified_ms);
    json_end_object(w);
    return E_OK;
}

err api_ollama_version(api_call *c, fail *f) {
    (void)f;
    json_begin_object(&c->w);
    json_field_str(&c->w, "version", c->api->o.build.n ? c->api->o.build : STR("0.0.0"));
    json_end_object(&c->w);
    return E_OK;
}

/* What changes models' files is done on the machine, by those who may. */
err api_ollama_elsewhere(api_call *c, fail *f) {
    static const struct {
        const char *path, *text;
    } rows[] = {
        {"/api/pull", "models are fetched on the machine itself: bantam pull NAME"},
        {"/api/push", "models are not published from here: bantam show NAME tells where the file "
                      "lies"},
        {"/api/create", "models are made on the machine itself: bantam convert, bantam quantize; "
                        "other names by bantam serve --alias NAME=MODEL"},
        {"/api/copy", "a model gets another name by bantam serve --alias NAME=MODEL"},
        {"/api/delete", "models are removed on the machine itself: bantam rm NAME"},
    };
    const char *text = "files are not taken here: bantam pull FILE uses one where it lies";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_is(c->rq->path, rows[i].path)) text = rows[i].text;
    json_begin_object(&c->w);
    json_field_z(&c->w, "error", text);
    json_end_object(&c->w);
    TRY(buf_ok(&c->out, f));
    c->done = true;
    return http_send(c->rp, 501, "application/json", buf_str(&c->out), f);
}

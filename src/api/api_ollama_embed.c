/* api_ollama_embed.c - POST /api/embed (one text or many) and the older /api/embeddings (one).
 * Unlike Ollama's, a text that is longer than the model reads is refused unless the body says
 * "truncate": true. */
#include "api/api_ollama.h"

#include "base/clock.h"

typedef struct embedding {
    str asked, model;
    const str *texts;
    size_t n, width;
    bool truncate;
    int64_t dimensions; /* 0 not said */
    ollama_keep keep;
    int64_t load_ns, tokens;
    const float *v; /* [n, width] */
} embedding;

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},    {"input", API_FIELD_READ, NULL},
    {"truncate", API_FIELD_READ, NULL}, {"dimensions", API_FIELD_READ, NULL},
    {"options", API_FIELD_READ, NULL},  {"keep_alive", API_FIELD_READ, NULL}};
static const api_field old_fields[] = {{"model", API_FIELD_READ, NULL},
                                       {"prompt", API_FIELD_READ, NULL},
                                       {"options", API_FIELD_READ, NULL},
                                       {"keep_alive", API_FIELD_READ, NULL}};

static err read_texts(api_call *c, embedding *m, fail *f) {
    const json *v = json_get(c->body, "input");
    if (!v || (v->kind != JSON_STRING && v->kind != JSON_ARRAY) ||
        (v->kind == JSON_ARRAY && v->count > API_INPUTS_MAX))
        return api_refuse(c, f, "input", "input must be a text or an array of at most %d texts",
                          API_INPUTS_MAX);
    const json *items = v->kind == JSON_ARRAY ? v->items : v;
    m->n = v->kind == JSON_ARRAY ? v->count : 1;
    str *texts = arena_new_n(c->a, str, m->n + 1);
    if (!texts) return fail_memory(f, "texts");
    for (size_t i = 0; i < m->n; i++) {
        if (items[i].kind != JSON_STRING || !items[i].string.n)
            return api_refuse(c, f, "input", "input[%zu] must be a text, not empty", i);
        texts[i] = items[i].string;
    }
    m->texts = texts;
    return E_OK;
}

/* Options that matter to generators are checked and do nothing here. */
static err read_rest(api_call *c, embedding *m, fail *f) {
    gen_request unused = {0};
    int64_t context;
    TRY(api_ollama_read_model(c, &m->asked, &m->model, f));
    TRY(api_ollama_read_keep(c, &m->keep, f));
    TRY(api_get_bool(c, "truncate", false, &m->truncate, f));
    TRY(api_get_int(c, "dimensions", 0, 0, INT32_MAX, &m->dimensions, f));
    return api_ollama_read_options(c, &unused, &context, f);
}

static err run(api_call *c, embedding *m, fail *f) {
    const api_models *models = &c->api->o.models;
    const gen_embedder *embedder;
    TRY(api_ollama_load(c, m->model, &m->load_ns, f));
    TRY(models->embedder(models->self, m->model, &embedder, f));
    m->width = (size_t)embedder->width;
    if (m->dimensions && m->dimensions != embedder->width)
        return api_refuse(c, f, "dimensions", "the model's embeddings have %d dimensions, always",
                          embedder->width);
    float *v = arena_array(c->a, m->n + 1, m->width * sizeof *v);
    if (!v) return fail_memory(f, "embeddings");
    if (m->n) TRY(embedder->embed(embedder->self, m->texts, m->n, m->truncate, v, &m->tokens, f));
    m->v = v;
    c->tokens += m->tokens;
    api_meter_input(c, m->tokens);
    return api_ollama_settle(c, m->model, &m->keep, f);
}

static void put_vector(json_writer *w, const float *v, size_t width) {
    json_begin_array(w);
    for (size_t i = 0; i < width; i++) json_put_double(w, (double)v[i]);
    json_end_array(w);
}

err api_ollama_embed(api_call *c, fail *f) {
    embedding m = {0};
    json_writer *w = &c->w;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(read_texts(c, &m, f));
    TRY(read_rest(c, &m, f));
    TRY(run(c, &m, f));
    json_begin_object(w);
    json_field_text(w, "model", m.asked);
    json_key(w, "embeddings");
    json_begin_array(w);
    for (size_t i = 0; i < m.n; i++) put_vector(w, m.v + i * m.width, m.width);
    json_end_array(w);
    json_field_int(w, "total_duration", clock_mono_ns() - c->rq->start_ns);
    json_field_int(w, "load_duration", m.load_ns);
    json_field_int(w, "prompt_eval_count", m.tokens);
    json_end_object(w);
    return E_OK;
}

err api_ollama_embeddings(api_call *c, fail *f) {
    embedding m = {0};
    str *text = arena_new(c->a, str);
    if (!text) return fail_memory(f, "a text");
    TRY(api_check_fields(c, c->body, "", old_fields, sizeof old_fields / sizeof *old_fields, f));
    TRY(api_get_str(c, "prompt", STR(""), text, f));
    m.texts = text;
    m.n = text->n > 0;
    TRY(read_rest(c, &m, f));
    TRY(run(c, &m, f));
    json_begin_object(&c->w);
    json_key(&c->w, "embedding");
    put_vector(&c->w, m.v, m.n ? m.width : 0);
    json_end_object(&c->w);
    return E_OK;
}

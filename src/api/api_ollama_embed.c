/* api_ollama_embed.c - POST /api/embed (one text or many) and the older /api/embeddings (one).
 * As Ollama does, a text that is longer than the model reads is cut unless the body says
 * "truncate": false; but the answer, the log and the record say so: "truncated": true. */
#include "api/api_encode.h"
#include "api/api_ollama.h"
#include "api/api_routes.h"

#include "base/clock.h"
#include "base/log.h"

typedef struct embedding {
    api_call *call;
    api_encoding e;
    api_inputs in;
    str asked;
    size_t width;
    bool truncate, cut;
    int64_t dimensions; /* 0 not said */
    ollama_keep keep;
    int64_t load_ns, tokens;
    float *v; /* [n, width] */
} embedding;

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},    {"input", API_FIELD_READ, NULL},
    {"truncate", API_FIELD_READ, NULL}, {"dimensions", API_FIELD_READ, NULL},
    {"options", API_FIELD_READ, NULL},  {"keep_alive", API_FIELD_READ, NULL}};
static const api_field old_fields[] = {{"model", API_FIELD_READ, NULL},
                                       {"prompt", API_FIELD_READ, NULL},
                                       {"options", API_FIELD_READ, NULL},
                                       {"keep_alive", API_FIELD_READ, NULL}};

/* Options that matter to generators are checked and do nothing here. */
static err read_rest(api_call *c, embedding *m, fail *f) {
    gen_request unused = {0};
    int64_t context;
    TRY(api_ollama_read_model(c, &m->asked, &m->e.model, f));
    TRY(api_ollama_read_keep(c, &m->keep, f));
    TRY(api_get_bool(c, "truncate", true, &m->truncate, f));
    TRY(api_get_int(c, "dimensions", 0, 0, INT32_MAX, &m->dimensions, f));
    return api_ollama_read_options(c, &unused, &context, f);
}

/* Whole where that is possible; else cut, and noted. */
static err embed(embedding *m, const gen_embedder *g, int64_t *tokens, fail *f) {
    arena *a = m->call->a;
    fail why = {0};
    err e = api_encode_vectors(a, g, &m->in, false, &m->v, tokens, &why);
    if (e != E_CONTEXT || !m->truncate) {
        if (e != E_OK && f) *f = why;
        return e;
    }
    m->cut = true;
    m->e.note = arena_printf(a, "%.*s; what the model cannot read was cut", STR_ARG(m->e.note));
    log_info("api", "%s: %.*s cut a text that is longer than it reads", m->call->rq->id,
             STR_ARG(m->e.model));
    return api_encode_vectors(a, g, &m->in, true, &m->v, tokens, f);
}

static err run(void *self, const gen_embedder *g, str *answer, int64_t *tokens, fail *f) {
    embedding *m = self;
    if (m->dimensions && m->dimensions != g->width)
        return api_refuse(m->call, f, "dimensions",
                          "the model's embeddings have %d dimensions, always", g->width);
    m->width = (size_t)g->width;
    TRY(embed(m, g, tokens, f));
    return api_encode_answer(m->call->a, g, m->in.n, answer, f);
}

static err answer(embedding *m, fail *f) {
    api_call *c = m->call;
    m->e.self = m;
    TRY(read_rest(c, m, f));
    TRY(api_encode_keep(c, &m->in, &m->e, f));
    TRY(api_ollama_load(c, m->e.model, &m->load_ns, f));
    TRY(api_encode_run(c, &m->e, &m->tokens, f));
    return api_ollama_settle(c, m->e.model, &m->keep, f);
}

static void put_cut(json_writer *w, const embedding *m) {
    if (!m->cut) return;
    json_field_bool(w, "truncated", true);
}

static void put_vector(json_writer *w, const float *v, size_t width) {
    json_begin_array(w);
    for (size_t i = 0; i < width; i++) json_put_double(w, (double)v[i]);
    json_end_array(w);
}

err api_ollama_embed(api_call *c, fail *f) {
    embedding m = {.call = c, .e = {.purpose = "embed", .field = "input", .run = run}};
    json_writer *w = &c->w;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_read_inputs(c, true, &m.in, f));
    if (m.in.ids) return api_refuse(c, f, "input", "input must be a text or an array of texts");
    TRY(answer(&m, f));
    json_begin_object(w);
    json_field_text(w, "model", m.asked);
    json_key(w, "embeddings");
    json_begin_array(w);
    for (size_t i = 0; i < m.in.n; i++) put_vector(w, m.v + i * m.width, m.width);
    json_end_array(w);
    json_field_int(w, "total_duration", clock_mono_ns() - c->rq->start_ns);
    json_field_int(w, "load_duration", m.load_ns);
    json_field_int(w, "prompt_eval_count", m.tokens);
    put_cut(w, &m);
    json_end_object(w);
    return E_OK;
}

err api_ollama_embeddings(api_call *c, fail *f) {
    embedding m = {.call = c, .e = {.purpose = "embed", .field = "prompt", .run = run}};
    str *text = arena_new(c->a, str);
    if (!text) return fail_memory(f, "a text");
    TRY(api_check_fields(c, c->body, "", old_fields, sizeof old_fields / sizeof *old_fields, f));
    TRY(api_get_str(c, "prompt", STR(""), text, f));
    m.in = (api_inputs){.texts = text, .n = text->n > 0};
    TRY(answer(&m, f));
    json_begin_object(&c->w);
    json_key(&c->w, "embedding");
    put_vector(&c->w, m.v, m.in.n ? m.width : 0);
    put_cut(&c->w, &m);
    json_end_object(&c->w);
    return E_OK;
}

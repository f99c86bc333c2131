/* api_encode.c - see api_encode.h. */
#include "api/api_encode.h"

#include "api/api_field.h"
#include "base/clock.h"
#include "text/utf8.h"

#include <math.h>

/* ---- texts and tokens ---- */

static err read_one_text(api_call *c, const json *v, size_t at, str *out, fail *f) {
    if (v->kind != JSON_STRING)
        return api_refuse(c, f, "input", "input[%zu] is %s, where texts are asked for", at,
                          json_kind_name(v->kind));
    if (!v->string.n) return api_refuse(c, f, "input", "input[%zu] is empty", at);
    *out = v->string;
    return E_OK;
}

static err read_one_ids(api_call *c, const json *v, size_t at, gen_ids *out, fail *f) {
    if (v->kind != JSON_ARRAY || !v->count)
        return api_refuse(c, f, "input", "input[%zu] must be an array of token ids, not empty", at);
    return api_read_ids(c, v, "input", out, f);
}

static err read_texts(api_call *c, const json *items, api_inputs *in, fail *f) {
    str *texts = arena_new_n(c->a, str, in->n + 1);
    if (!texts) return fail_memory(f, "texts");
    for (size_t i = 0; i < in->n; i++) TRY(read_one_text(c, &items[i], i, &texts[i], f));
    in->texts = texts;
    return E_OK;
}

static err read_tokens(api_call *c, const json *items, api_inputs *in, fail *f) {
    gen_ids *ids = arena_new_n(c->a, gen_ids, in->n);
    if (!ids) return fail_memory(f, "tokens");
    for (size_t i = 0; i < in->n; i++) TRY(read_one_ids(c, &items[i], i, &ids[i], f));
    in->ids = ids;
    return E_OK;
}

err api_read_inputs(api_call *c, bool empty, api_inputs *out, fail *f) {
    const json *v = json_get(c->body, "input");
    if (!v || (v->kind != JSON_STRING && v->kind != JSON_ARRAY))
        return api_refuse(c, f, "input",
                          "input must be a text, an array of texts, or token ids in arrays");
    bool list = v->kind == JSON_ARRAY;
    json_kind first = list && v->count ? v->items[0].kind : JSON_STRING;
    bool numbers = first == JSON_NUMBER; /* one array of ids */
    api_inputs in = {.n = list && !numbers ? v->count : 1};
    if ((in.n == 0 && !empty) || in.n > API_INPUTS_MAX)
        return api_refuse(c, f, "input", "input holds %zu texts; 1 to %d are taken", in.n,
                          API_INPUTS_MAX);
    const json *items = list && !numbers ? v->items : v;
    if (numbers || first == JSON_ARRAY)
        TRY(read_tokens(c, items, &in, f));
    else
        TRY(read_texts(c, items, &in, f));
    *out = in;
    return E_OK;
}

/* ---- the record ---- */

static void put_ids(buf *b, gen_ids ids) {
    buf_put_char(b, '[');
    for (size_t i = 0; i < ids.n && b->n < API_ENCODE_KEPT_BYTES; i++)
        buf_printf(b, "%s%d", i ? "," : "", ids.p[i]);
    buf_put_char(b, ']');
}

err api_encode_keep(api_call *c, const api_inputs *in, api_encoding *e, fail *f) {
    buf b = {0};
    size_t i = 0;
    for (; i < in->n && b.n < API_ENCODE_KEPT_BYTES; i++) {
        if (i) buf_put_char(&b, '\n');
        if (in->ids)
            put_ids(&b, in->ids[i]);
        else
            buf_put(&b, str_slice(in->texts[i], 0, API_ENCODE_KEPT_BYTES));
    }
    bool cut = b.n > API_ENCODE_KEPT_BYTES || i < in->n;
    str kept = utf8_cut(buf_str(&b), API_ENCODE_KEPT_BYTES);
    err bad = buf_ok(&b, f);
    e->question = bad == E_OK ? arena_str(c->a, kept) : STR_NONE;
    e->note = arena_printf(c->a, "%zu %s%s%s", in->n, in->ids ? "array" : "text",
                           in->n == 1 ? "" : "s", in->ids ? " of token ids" : "");
    if (cut && e->note.p)
        e->note = arena_printf(c->a, "%.*s; the record holds the first %zu bytes", STR_ARG(e->note),
                               kept.n);
    buf_deinit(&b);
    TRY(bad);
    return e->question.p && e->note.p ? E_OK : fail_memory(f, "a record");
}

typedef struct encode_stage {
    const api_encoding *e;
    const gen_embedder *m;
} encode_stage;

static err run_stage(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)rest; /* the last of its stages: it answers */
    const encode_stage *s = self;
    gen_trace *t = x->trace;
    int64_t start_ns = clock_mono_ns();
    str answer = STR("");
    t->purpose = str_from(s->e->purpose);
    t->question = s->e->question;
    TRY(s->e->run(s->e->self, s->m, &answer, &x->reply->prompt_tokens, f));
    t->answer = answer;
    t->steps[t->n_steps++] = (gen_step){.outcome = GEN_ANSWERED,
                                        .model = str_from(s->m->name),
                                        .confidence = (double)NAN,
                                        .threshold = (double)NAN,
                                        .tokens_in = x->reply->prompt_tokens,
                                        .latency_us = (clock_mono_ns() - start_ns) / 1000,
                                        .note = s->e->note};
    return E_OK;
}

err api_encode_run(api_call *c, const api_encoding *e, int64_t *tokens, fail *f) {
    const api_models *models = &c->api->o.models;
    encode_stage own = {.e = e};
    gen_reply reply = {0};
    c->param = "model";
    err bad = models->embedder(models->self, e->model, &own.m, f);
    if (bad == E_NOT_FOUND) c->code = "model_not_found";
    TRY(bad);
    c->param = NULL;
    gen_request rq = {.id = str_from(c->rq->id),
                      .model = str_from(own.m->name),
                      .tenant = c->who.tenant,
                      .subject = e->subject,
                      .arena = c->a};
    gen_exchange x = {.request = &rq, .reply = &reply};
    TRY(api_trace_name(c, &rq, f));
    c->told->model = rq.model;
    c->told->question = e->question;
    c->told->purpose = e->purpose;
    const gen_stage stages[] = {
        audit_stage(c->api->o.audit), {.name = "encoder", .self = &own, .run = run_stage}, {0}};
    bad = gen_next(&x, stages, f);
    if ((bad == E_CONTEXT || bad == E_INPUT || bad == E_UNSUPPORTED) && !c->param)
        c->param = e->field;
    TRY(bad);
    *tokens = reply.prompt_tokens;
    c->tokens += *tokens;
    api_meter_input(c, *tokens);
    return E_OK;
}

err api_encode_vectors(arena *a, const gen_embedder *m, const api_inputs *in, bool truncate,
                       float **out, int64_t *tokens, fail *f) {
    float *v = arena_array(a, in->n + 1, (size_t)m->width * sizeof *v);
    if (!v) return fail_memory(f, "embeddings");
    *tokens = 0;
    if (in->ids && !m->embed_ids)
        return fail_set(f, E_UNSUPPORTED, "%s takes texts only, no token ids", m->name);
    if (in->ids)
        TRY(m->embed_ids(m->self, in->ids, in->n, truncate, v, tokens, f));
    else if (in->n)
        TRY(m->embed(m->self, in->texts, in->n, truncate, v, tokens, f));
    *out = v;
    return E_OK;
}

err api_encode_answer(arena *a, const gen_embedder *m, size_t n, str *out, fail *f) {
    *out = arena_printf(a, "%zu vector%s of %d", n, n == 1 ? "" : "s", m->width);
    return out->p ? E_OK : fail_memory(f, "a record");
}

/* api_rerank.c - POST /v1/rerank, /rerank, /v2/rerank: which documents answer a query best, in the
 * shape of Cohere's and Jina's clients. A cross-encoder reads query and document together; its
 * relevance_score is the sigmoid of its logit. Another encoder compares their vectors; its
 * relevance_score is their cosine. Higher is better in both; they cannot be compared to each other.
 * A document that is too long for a cross-encoder is cut, as its makers do; for vectors it is
 * refused unless "truncate" says otherwise. On the record like a chat: the query is its question,
 * the best documents' numbers and scores its answer; the documents are not held. */
#include "api/api_encode.h"
#include "api/api_field.h"
#include "api/api_routes.h"

#include "text/utf8.h"

#include <math.h>
#include <stdlib.h>

static const api_field fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"query", API_FIELD_READ, NULL},
    {"documents", API_FIELD_READ, NULL},
    {"top_n", API_FIELD_READ, NULL},
    {"return_documents", API_FIELD_READ, NULL},
    {"truncate", API_FIELD_READ, NULL},
    {"user", API_FIELD_READ, NULL},
    {"safety_identifier", API_FIELD_READ, NULL},
    {"rank_fields", API_FIELD_EMPTY, NULL},
    {"max_chunks_per_doc", API_FIELD_EMPTY, NULL},
    {"max_tokens_per_doc", API_FIELD_EMPTY, NULL},
};

enum { KEPT_RESULTS = 100 }; /* on the record */

typedef struct ranked {
    size_t index;
    double score;
} ranked;

typedef struct rerank_ask {
    api_call *call;
    api_encoding e;
    str query;
    str *texts; /* [n + 1]; the last is the query, for comparing vectors */
    size_t n;
    int64_t top;
    bool give_documents, truncate;
    ranked *all; /* [n], best first */
    int64_t tokens;
} rerank_ask;

static err read_documents(api_call *c, rerank_ask *ask, fail *f) {
    const json *all = json_get(c->body, "documents");
    if (!all || all->kind != JSON_ARRAY || !all->count || all->count > API_INPUTS_MAX)
        return api_refuse(c, f, "documents", "documents must be an array of 1 to %d texts",
                          API_INPUTS_MAX);
    ask->n = all->count;
    ask->texts = arena_new_n(c->a, str, ask->n + 1);
    if (!ask->texts) return fail_memory(f, "documents");
    for (size_t i = 0; i < ask->n; i++) {
        const json *v = &all->items[i];
        const json *text = v->kind == JSON_OBJECT ? json_get(v, "text") : v;
        if (!text || text->kind != JSON_STRING || !text->string.n)
            return api_refuse(c, f, "documents",
                              "documents[%zu] must be a text or {\"text\": ...}, not empty", i);
        ask->texts[i] = text->string;
    }
    ask->texts[ask->n] = ask->query;
    return E_OK;
}

static err read_ask(api_call *c, rerank_ask *ask, fail *f) {
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_get_str(c, "model", STR(""), &ask->e.model, f));
    TRY(api_read_subject(c, &ask->e.subject, f));
    if (!ask->e.model.n) return api_refuse(c, f, "model", "model must name an encoder");
    TRY(api_get_str(c, "query", STR(""), &ask->query, f));
    if (!ask->query.n) return api_refuse(c, f, "query", "query must be a text, not empty");
    TRY(api_get_bool(c, "return_documents", false, &ask->give_documents, f));
    TRY(api_get_bool(c, "truncate", false, &ask->truncate, f));
    TRY(read_documents(c, ask, f));
    ask->e.question = utf8_cut(ask->query, API_ENCODE_KEPT_BYTES);
    ask->e.note = arena_printf(
        c->a, "%zu documents%s", ask->n,
        ask->e.question.n < ask->query.n ? "; the record holds the query's beginning" : "");
    if (!ask->e.note.p) return fail_memory(f, "a record");
    return api_get_int(c, "top_n", (int64_t)ask->n, 1, INT32_MAX, &ask->top, f);
}

static err by_head(const rerank_ask *ask, const gen_embedder *m, int64_t *tokens, fail *f) {
    float *scores = arena_new_n(ask->call->a, float, ask->n);
    if (!scores) return fail_memory(f, "scores");
    TRY(m->rank(m->self, ask->query, ask->texts, ask->n, scores, tokens, f));
    for (size_t i = 0; i < ask->n; i++)
        ask->all[i] = (ranked){i, 1 / (1 + exp(-(double)scores[i]))};
    return E_OK;
}

static err by_vectors(const rerank_ask *ask, const gen_embedder *m, int64_t *tokens, fail *f) {
    api_inputs in = {.texts = ask->texts, .n = ask->n + 1};
    size_t width = (size_t)m->width;
    float *v;
    ask->call->param = "documents";
    TRY(api_encode_vectors(ask->call->a, m, &in, ask->truncate, &v, tokens, f));
    ask->call->param = NULL;
    const float *query = v + ask->n * width;
    for (size_t i = 0; i < ask->n; i++) {
        double sum = 0;
        for (size_t k = 0; k < width; k++) sum += (double)v[i * width + k] * (double)query[k];
        ask->all[i] = (ranked){i, fmax(-1, fmin(1, sum))}; /* of rounded unit vectors */
    }
    return E_OK;
}

/* Best first; at a tie the earlier document. */
static int compare(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->score < b->score) return 1;
    if (a->score > b->score) return -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void put_results(json_writer *w, const rerank_ask *ask, int64_t most, bool documents) {
    json_begin_array(w);
    for (size_t i = 0; i < ask->n && (int64_t)i < most; i++) {
        json_begin_object(w);
        json_field_int(w, "index", (int64_t)ask->all[i].index);
        json_field_double(w, "relevance_score", ask->all[i].score);
        if (documents) {
            json_key(w, "document");
            json_begin_object(w);
            json_field_text(w, "text", ask->texts[ask->all[i].index]);
            json_end_object(w);
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static err keep_results(const rerank_ask *ask, str *out, fail *f) {
    buf b = {0};
    json_writer w = {.out = &b};
    put_results(&w, ask, ask->top < KEPT_RESULTS ? ask->top : KEPT_RESULTS, false);
    err e = buf_ok(&b, f);
    *out = e == E_OK ? arena_str(ask->call->a, buf_str(&b)) : STR_NONE;
    buf_deinit(&b);
    return e == E_OK && !out->p ? fail_memory(f, "a record") : e;
}

static err run(void *self, const gen_embedder *m, str *answer, int64_t *tokens, fail *f) {
    rerank_ask *ask = self;
    ask->all = arena_new_n(ask->call->a, ranked, ask->n);
    if (!ask->all) return fail_memory(f, "documents");
    TRY(m->rank ? by_head(ask, m, tokens, f) : by_vectors(ask, m, tokens, f));
    qsort(ask->all, ask->n, sizeof *ask->all, compare);
    return keep_results(ask, answer, f);
}

static void put_answer(api_call *c, const rerank_ask *ask) {
    json_writer *w = &c->w;
    json_begin_object(w);
    json_field_z(w, "id", c->rq->id);
    json_field_text(w, "model", ask->e.model);
    json_key(w, "results");
    put_results(w, ask, ask->top, ask->give_documents);
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "prompt_tokens", ask->tokens);
    json_field_int(w, "total_tokens", ask->tokens);
    json_end_object(w);
    json_end_object(w);
}

err api_rerank(api_call *c, fail *f) {
    rerank_ask ask = {.call = c, .e = {.purpose = "rerank", .field = "query", .run = run}};
    ask.e.self = &ask;
    TRY(read_ask(c, &ask, f));
    TRY(api_encode_run(c, &ask.e, &ask.tokens, f));
    put_answer(c, &ask);
    return E_OK;
}

/* model_embed.c - texts into an encoder's ragged batches: embeddings and the scores of pairs; see
 * model.h. Texts are read until a batch is full; nothing is sorted or padded. Under the model's
 * lock. */
#include "model/model_encoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH_ROWS = 512 }; /* a longer text is a batch of its own */

typedef struct embed_job {
    model *m;
    encoder *e;
    const model_embed_options *o;
    const str *texts; /* [n]; NULL: given */
    const token_ids *given;
    size_t n;
    arena scratch;       /* of one batch */
    int64_t most;        /* tokens of a sequence */
    const str *query;    /* NULL: texts alone */
    token_ids query_ids; /* in an arena of the whole call */
    int64_t tokens;
    int32_t *ids; /* the batch: [room] */
    uint8_t *kinds;
    size_t *first, rows, count, room;
} embed_job;

static err too_long(const embed_job *j, size_t at, size_t tokens, fail *f) {
    fail_set(f, E_CONTEXT, "text %zu of %zu has %zu tokens, above the limit of %lld", at + 1, j->n,
             tokens, (long long)j->most);
    return fail_hint(f, "shorten it, or ask for truncation");
}

static err plain_ids(embed_job *j, arena *a, str text, token_ids *out, fail *f) {
    return tokenizer_encode(j->m->tokenizer, a, text, &(token_encode_options){0}, out, f);
}

/* Tokens around and between: [CLS] text [SEP], or [CLS] query [SEP] text [SEP]. */
static size_t marks_of(const embed_job *j) {
    const tokenizer *t = j->m->tokenizer;
    size_t ends = (tokenizer_bos(t) != TOKEN_NONE) + (size_t)(tokenizer_eos(t) != TOKEN_NONE);
    if (!j->query) return ends;
    return ends +
           (tokenizer_eos(t) == TOKEN_NONE ? 0
            : j->e->spec.two_separators    ? 2
                                           : 1) +
           j->query_ids.n;
}

static void put(embed_job *j, int32_t id, uint8_t kind) {
    if (id == TOKEN_NONE) return;
    j->ids[j->rows] = id;
    j->kinds[j->rows++] = kind;
}

static void put_sequence(embed_job *j, token_ids text) {
    const tokenizer *t = j->m->tokenizer;
    uint8_t kind = j->query ? 1 : 0;
    put(j, tokenizer_bos(t), 0);
    if (j->query) {
        for (size_t i = 0; i < j->query_ids.n; i++) put(j, j->query_ids.p[i], 0);
        put(j, tokenizer_eos(t), 0);
        if (j->e->spec.two_separators) put(j, tokenizer_eos(t), 0);
    }
    for (size_t i = 0; i < text.n; i++) put(j, text.p[i], kind);
    put(j, tokenizer_eos(t), kind);
    j->first[++j->count] = j->rows;
}

/* Tokens that came as such, without the marks that may stand around them. */
static err given_ids(const embed_job *j, token_ids ids, token_ids *out, fail *f) {
    const tokenizer *t = j->m->tokenizer;
    for (size_t i = 0; i < ids.n; i++)
        if (ids.p[i] < 0 || (size_t)ids.p[i] >= tokenizer_count(t))
            return fail_set(f, E_INPUT, "token %d is outside the vocabulary of %zu", ids.p[i],
                            tokenizer_count(t));
    if (ids.n && ids.p[0] == tokenizer_bos(t)) ids = (token_ids){ids.p + 1, ids.n - 1};
    if (ids.n && ids.p[ids.n - 1] == tokenizer_eos(t)) ids.n--;
    *out = ids;
    return E_OK;
}

/* One text's ids, cut to what fits where that is asked for. */
static err read_text(embed_job *j, size_t at, token_ids *out, fail *f) {
    size_t marks = marks_of(j);
    TRY(j->texts ? plain_ids(j, &j->scratch, j->texts[at], out, f)
                 : given_ids(j, j->given[at], out, f));
    if ((int64_t)(out->n + marks) <= j->most) return E_OK;
    if (!j->o->truncate || (int64_t)marks >= j->most) return too_long(j, at, out->n + marks, f);
    out->n = (size_t)j->most - marks;
    return E_OK;
}

static err take_batch(embed_job *j, size_t rows, fail *f) {
    j->ids = arena_new_n(&j->scratch, int32_t, rows);
    j->kinds = arena_new_n(&j->scratch, uint8_t, rows);
    j->first = arena_new_n(&j->scratch, size_t, rows + 1);
    j->room = rows;
    j->rows = j->count = 0;
    return j->ids && j->kinds && j->first ? E_OK : fail_memory(f, "tokens");
}

/* As many of the texts as fit one batch; at least one. */
static err fill_batch(embed_job *j, size_t at, fail *f) {
    token_ids one;
    arena_reset(&j->scratch);
    TRY(read_text(j, at, &one, f));
    size_t marks = marks_of(j), rows = one.n + marks;
    TRY(take_batch(j, rows > BATCH_ROWS ? rows : BATCH_ROWS, f));
    put_sequence(j, one);
    while (at + j->count < j->n && j->rows + marks < j->room) {
        TRY(read_text(j, at + j->count, &one, f));
        if (j->rows + one.n + marks > j->room) break;
        put_sequence(j, one);
    }
    j->tokens += (int64_t)j->rows;
    if (j->rows == 0) return fail_set(f, E_INPUT, "an empty text, and a tokenizer without markers");
    return E_OK;
}

static void make_unit(float *v, int64_t width) {
    double length = 0;
    for (int64_t i = 0; i < width; i++) length += (double)v[i] * (double)v[i];
    float inverse = length > 0 ? (float)(1 / sqrt(length)) : 0;
    for (int64_t i = 0; i < width; i++) v[i] *= inverse;
}

/* x [n] */
static err check_numbers(const embed_job *j, const float *x, size_t n, fail *f) {
    for (size_t i = 0; i < n; i++) {
        if (isfinite(x[i])) continue;
        fail_set(f, E_CORRUPT, "%.*s gives what are not numbers", STR_ARG(j->m->info.path));
        return fail_hint(f, "its weights may be damaged: fetch the model again");
    }
    return E_OK;
}

static err run_batch(embed_job *j, float *out, fail *f) {
    encoder *e = j->e;
    int64_t width = e->spec.width;
    const float *hidden;
    encoder_batch b = {j->ids, j->kinds, j->first, j->count};
    TRY(encoder_forward(j->m, &b, &hidden, f));
    if (!j->query) {
        encoder_pool(e, &b, e->pooling, out);
        for (size_t i = 0; e->unit && i < b.n; i++) make_unit(out + (int64_t)i * width, width);
        return check_numbers(j, out, b.n * (size_t)width, f);
    }
    float *pooled = arena_new_n(&j->scratch, float, b.n *(size_t)width);
    if (!pooled) return fail_memory(f, "pooled vectors");
    encoder_pool(e, &b, e->spec.head_pooling, pooled);
    encoder_head(e, pooled, b.n, out);
    return check_numbers(j, out, b.n * (size_t)j->m->info.labels, f);
}

static err run_all(embed_job *j, int64_t width, float *out, fail *f) {
    for (size_t at = 0; at < j->n; at += j->count) {
        TRY(fill_batch(j, at, f));
        TRY(run_batch(j, out + (int64_t)at * width, f));
    }
    return E_OK;
}

static err open_job(embed_job *j, model *m, const model_embed_options *o, fail *f) {
    if (!m->arch || !m->arch->encoder) {
        fail_set(f, E_UNSUPPORTED, "%.*s is no encoder, so it gives no embeddings",
                 STR_ARG(m->info.path));
        return fail_hint(f, "use minilm");
    }
    *j = (embed_job){.m = m, .e = m->state, .o = o, .most = m->info.context};
    if (o->tokens_max && o->tokens_max < j->most) j->most = o->tokens_max;
    arena_init(&j->scratch, 0);
    return E_OK;
}

static err run_job(embed_job *j, int64_t width, float *out, int64_t *tokens, fail *f) {
    mutex_lock(&j->m->lock);
    err e = run_all(j, width, out, f);
    mutex_unlock(&j->m->lock);
    arena_deinit(&j->scratch);
    if (e == E_OK && tokens) *tokens = j->tokens;
    return e;
}

err model_embed(model *m, const str *texts, size_t n, const model_embed_options *o, float *out,
                int64_t *tokens, fail *f) {
    embed_job j;
    TRY(open_job(&j, m, o, f));
    j.texts = texts;
    j.n = n;
    return run_job(&j, m->info.width, out, tokens, f);
}

err model_embed_ids(model *m, const token_ids *texts, size_t n, const model_embed_options *o,
                    float *out, int64_t *tokens, fail *f) {
    embed_job j;
    TRY(open_job(&j, m, o, f));
    j.given = texts;
    j.n = n;
    return run_job(&j, m->info.width, out, tokens, f);
}

static err check_head(const model *m, fail *f) {
    const encoder *e = m->state;
    if (!e->out.w) {
        fail_set(f, E_UNSUPPORTED, "%.*s has no classification head, so it scores no pairs",
                 STR_ARG(m->info.path));
        return fail_hint(f, "use a cross-encoder, such as bge-reranker");
    }
    if (e->dense.w) return E_OK;
    fail_set(f, E_UNSUPPORTED, "%.*s lacks the first layer of its classification head",
             STR_ARG(m->info.path));
    return fail_hint(f, "its converter left the pooler out: use the model's own folder");
}

err model_rank(model *m, str query, const str *texts, size_t n, const model_embed_options *o,
               float *scores, int64_t *tokens, fail *f) {
    embed_job j;
    arena asked;
    TRY(open_job(&j, m, o, f));
    TRY(check_head(m, f));
    arena_init(&asked, 0);
    j.query = &query;
    j.texts = texts;
    j.n = n;
    err e = plain_ids(&j, &asked, query, &j.query_ids, f);
    if (e == E_OK)
        e = run_job(&j, m->info.labels, scores, tokens, f);
    else
        arena_deinit(&j.scratch);
    arena_deinit(&asked);
    return e;
}

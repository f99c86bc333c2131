/* route_vectors.c - embeddings of a task's own texts (examples, labels, sentences), remembered in
 * the store by the text's SHA-256 and the model's identity, so that a restart or a refit embeds
 * only what is new. Questions of customers are not remembered here. Any thread. */
#include "base/log.h"
#include "base/mem.h"
#include "route/route_int.h"
#include "text/hash.h"

#include <string.h>

typedef struct vector_job {
    route *r;
    const str *texts;
    size_t n, width;
    float *out;
    char (*hashes)[65]; /* [n] */
    size_t *missing;    /* [n_missing] indices */
    size_t n_missing;
} vector_job;

static err look_up(vector_job *j, store_tx *tx, fail *f) {
    store_stmt *q;
    bool row;
    arena a;
    arena_init(&a, 4096);
    err e = store_prepare(
        tx, "SELECT vector FROM route_vectors WHERE embedder = ? AND text_hash = ?", &q, f);
    for (size_t i = 0; e == E_OK && i < j->n; i++) {
        str bytes = STR_NONE;
        hash_sha256_hex(j->texts[i], j->hashes[i]);
        store_bind_str(q, 1, str_from(j->r->o.embedder_digest));
        store_bind_str(q, 2, str_from(j->hashes[i]));
        e = store_step(q, &row, f);
        if (e == E_OK && row) e = store_str(q, 0, &a, &bytes, f);
        store_reset(q);
        if (e == E_OK && bytes.n == j->width * sizeof(float))
            memcpy(j->out + i * j->width, bytes.p, bytes.n);
        else
            j->missing[j->n_missing++] = i;
        arena_reset(&a);
    }
    arena_deinit(&a);
    return e;
}

static err embed_missing(vector_job *j, fail *f) {
    const gen_embedder *m = j->r->o.embedder;
    str batch[ROUTE_EMBED_BATCH];
    float *vectors = mem_alloc(ROUTE_EMBED_BATCH * j->width * sizeof *vectors);
    if (!vectors) return fail_memory(f, "embeddings");
    err e = E_OK;
    for (size_t at = 0; e == E_OK && at < j->n_missing; at += ROUTE_EMBED_BATCH) {
        if (at && route_fit_must_end(j->r)) { /* one batch always: a label taught is one text */
            e = fail_set(f, E_CANCELLED, "embedding was cancelled at %zu of %zu texts", at,
                         j->n_missing);
            break;
        }
        size_t n = j->n_missing - at < ROUTE_EMBED_BATCH ? j->n_missing - at : ROUTE_EMBED_BATCH;
        for (size_t i = 0; i < n; i++) batch[i] = j->texts[j->missing[at + i]];
        e = m->embed(m->self, batch, n, true, vectors, NULL, f);
        for (size_t i = 0; e == E_OK && i < n; i++)
            memcpy(j->out + j->missing[at + i] * j->width, vectors + i * j->width,
                   j->width * sizeof(float));
        if (j->r->o.progress)
            j->r->o.progress(j->r->o.progress_self, "embedding", at + n, j->n_missing);
    }
    mem_free(vectors);
    return e;
}

static err remember(vector_job *j, store_tx *tx, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(
        tx, "INSERT OR IGNORE INTO route_vectors(embedder, text_hash, vector) VALUES(?, ?, ?)", &q,
        f));
    for (size_t k = 0; k < j->n_missing; k++) {
        size_t i = j->missing[k];
        store_bind_str(q, 1, str_from(j->r->o.embedder_digest));
        store_bind_str(q, 2, str_from(j->hashes[i]));
        store_bind_blob(q, 3,
                        (str){(const char *)(j->out + i * j->width), j->width * sizeof(float)});
        err e = store_step(q, &row, f);
        store_reset(q);
        if (e != E_OK) return e;
    }
    return E_OK;
}

/* A full or read-only store costs time at the next start, no answer. */
static void keep_missing(vector_job *j) {
    store_tx *tx;
    fail f = {0};
    err e = store_begin(j->r->o.store, STORE_WRITE, &tx, &f);
    if (e == E_OK) {
        e = remember(j, tx, &f);
        if (e == E_OK)
            e = store_commit(tx, &f);
        else
            store_rollback(tx);
    }
    if (e != E_OK) log_error("route", "embeddings are not kept for the next start: %s", f.text);
}

static err run_job(vector_job *j, fail *f) {
    store_tx *tx;
    TRY(store_begin(j->r->o.store, STORE_READ, &tx, f));
    err e = look_up(j, tx, f);
    store_rollback(tx);
    if (e != E_OK || j->n_missing == 0) return e;
    TRY(embed_missing(j, f));
    keep_missing(j);
    return E_OK;
}

err route_vectors(route *r, const str *texts, size_t n, float *out, fail *f) {
    if (n == 0) return E_OK;
    vector_job j = {
        .r = r, .texts = texts, .n = n, .width = (size_t)r->o.embedder->width, .out = out};
    j.hashes = mem_alloc(n * sizeof *j.hashes);
    j.missing = mem_alloc(n * sizeof *j.missing);
    err e = j.hashes && j.missing ? run_job(&j, f) : fail_memory(f, "embeddings");
    mem_free(j.missing);
    mem_free(j.hashes);
    return e;
}

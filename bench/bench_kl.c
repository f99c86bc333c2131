/* bench_kl.c - what serving kernels and pages cost in quality: the mean Kullback-Leibler divergence
 * a token of a model's answers from those of its float reference (float kernels on dequantised
 * weights, float pages), on a text.
 *
 *     build/bench/bench_kl MODEL TEXT.txt TOKENS THREADS [KERN [f16|f32|q8]]
 *
 * The text is cut and scored as by llama.cpp's llama-perplexity --kl-divergence, so that both can
 * be set beside each other: whole chunks of CHUNK tokens, the first replaced by BOS where the model
 * wants one, the last half of each scored. Prints one JSON object: kl (nats a token), kl of the
 * worst chunk, the share of tokens whose best token is the same, both perplexities. */
#include "base/file.h"
#include "base/mem.h"
#include "model/model_forward.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 512, SCORED = CHUNK / 2 - 1, STEP = 32 };

typedef struct side {
    model *m;
    model_run *run;
    kv_pool *pool;
    kv_sequence *kv;
    float *logits; /* [STEP, vocabulary] */
} side;

typedef struct totals {
    double kl, worst, logprob[2];
    int64_t tokens, same;
} totals;

static err open_side(side *s, const char *path, const char *kernels, const char *kv, team *team,
                     fail *f) {
    const kern_table *kern;
    kv_type type;
    TRY(kern_select(kernels, &kern, f));
    TRY(kv_type_of(kv, &type, f));
    TRY(model_open(&s->m, path, &(model_options){.kern = kern, .team = team}, f));
    const model_info *about = model_about(s->m);
    model_run_options o = {.rows_max = STEP, .sequences_max = 1, .positions_max = CHUNK};
    TRY(model_run_open(&s->run, s->m, &o, f));
    kv_pool_options p = {.shape = {about->layers, about->kv_heads, about->head_width, type},
                         .tokens_max = CHUNK,
                         .sequences_max = 1,
                         .bytes_max = (size_t)1 << 30};
    TRY(kv_pool_open(&s->pool, &p, f));
    s->logits = mem_alloc_aligned((size_t)STEP * (size_t)about->vocabulary * sizeof(float));
    return s->logits ? E_OK : fail_memory(f, "logits");
}

static void close_side(side *s) {
    if (s->kv) kv_sequence_give(s->pool, s->kv);
    kv_pool_close(s->pool);
    model_run_close(s->run);
    model_close(s->m);
    mem_free(s->logits);
}

static err forward(side *s, const int32_t *ids, int64_t from, int64_t n, fail *f) {
    int32_t positions[STEP], zeros[STEP] = {0};
    int64_t wanted[STEP];
    for (int64_t i = 0; i < n; i++) {
        positions[i] = (int32_t)(from + i);
        wanted[i] = i;
    }
    TRY(kv_sequence_grow(s->pool, s->kv, from + n, f));
    model_batch b = {.n_rows = n,
                     .tokens = ids + from,
                     .positions = positions,
                     .sequences = zeros,
                     .n_sequences = 1,
                     .pool = s->pool,
                     .kv = &s->kv,
                     .wanted = wanted,
                     .n_wanted = n,
                     .logits = s->logits};
    return model_forward(s->run, &b, f);
}

static double log_sum(const float *x, int64_t n, int64_t *best) {
    double sum = 0;
    *best = 0;
    for (int64_t i = 1; i < n; i++) *best = x[i] > x[*best] ? i : *best;
    for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - (double)x[*best]);
    return (double)x[*best] + log(sum);
}

/* One row of both, and the token that follows it. */
static double compare(const float *a, const float *b, int64_t n, int32_t next, totals *t) {
    int64_t best[2];
    double sa = log_sum(a, n, &best[0]), sb = log_sum(b, n, &best[1]), kl = 0;
    for (int64_t i = 0; i < n; i++) {
        double p = (double)a[i] - sa;
        kl += exp(p) * (p - ((double)b[i] - sb));
    }
    t->same += best[0] == best[1];
    t->logprob[0] += (double)a[next] - sa;
    t->logprob[1] += (double)b[next] - sb;
    t->tokens++;
    return kl;
}

static err run_chunk(side sides[2], const int32_t *ids, totals *t, fail *f) {
    int64_t vocabulary = model_about(sides[0].m)->vocabulary;
    double sum = 0;
    for (int k = 0; k < 2; k++) TRY(kv_sequence_take(sides[k].pool, &sides[k].kv, f));
    for (int64_t from = 0; from < CHUNK - 1; from += STEP) {
        int64_t n = CHUNK - 1 - from < STEP ? CHUNK - 1 - from : STEP;
        for (int k = 0; k < 2; k++) TRY(forward(&sides[k], ids, from, n, f));
        for (int64_t i = 0; i < n; i++)
            if (from + i >= CHUNK / 2)
                sum += compare(sides[0].logits + i * vocabulary, sides[1].logits + i * vocabulary,
                               vocabulary, ids[from + i + 1], t);
    }
    for (int k = 0; k < 2; k++) {
        kv_sequence_give(sides[k].pool, sides[k].kv);
        sides[k].kv = NULL;
    }
    t->kl += sum;
    if (sum / SCORED > t->worst) t->worst = sum / SCORED;
    return E_OK;
}

static err run_text(side sides[2], arena *a, const char *path, int64_t most, totals *t, fail *f) {
    str text;
    token_ids all;
    int32_t ids[CHUNK];
    const tokenizer *tok = model_tokenizer(sides[0].m);
    TRY(file_read(a, path, 0, &text, f));
    token_encode_options o = {.special = TOKEN_SPECIAL_USER, .add_bos = tokenizer_adds_bos(tok)};
    TRY(tokenizer_encode(tok, a, text, &o, &all, f));
    for (size_t at = 0; at + CHUNK <= all.n && t->tokens < most; at += CHUNK) {
        memcpy(ids, all.p + at, CHUNK * sizeof *ids);
        if (tokenizer_adds_bos(tok)) ids[0] = tokenizer_bos(tok);
        TRY(run_chunk(sides, ids, t, f));
    }
    return t->tokens ? E_OK : fail_set(f, E_INPUT, "\"%s\" is shorter than a chunk", path);
}

int main(int argc, char **argv) {
    side sides[2] = {{0}, {0}};
    totals t = {0};
    fail f = {0};
    team *team = NULL;
    arena a;
    if (argc < 5) {
        fprintf(stderr, "usage: bench_kl MODEL TEXT.txt TOKENS THREADS [KERN [f16|f32|q8]]\n");
        return 2;
    }
    arena_init(&a, 1 << 20);
    err e = team_open(&team, atoi(argv[4]), &f);
    if (e == E_OK) e = open_side(&sides[0], argv[1], "f32", "f32", team, &f);
    if (e == E_OK)
        e = open_side(&sides[1], argv[1], argc > 5 ? argv[5] : NULL, argc > 6 ? argv[6] : "f16",
                      team, &f);
    if (e == E_OK) e = run_text(sides, &a, argv[2], atoll(argv[3]), &t, &f);
    if (e != E_OK)
        fprintf(stderr, "bench_kl: %s\n", f.text);
    else
        printf("{\"kl\":%.3e,\"kl_worst_chunk\":%.3e,\"tokens\":%lld,\"same_best\":%.4f,"
               "\"ppl_reference\":%.4f,\"ppl\":%.4f}\n",
               t.kl / (double)t.tokens, t.worst, (long long)t.tokens,
               (double)t.same / (double)t.tokens, exp(-t.logprob[0] / (double)t.tokens),
               exp(-t.logprob[1] / (double)t.tokens));
    close_side(&sides[0]);
    close_side(&sides[1]);
    team_close(team);
    arena_deinit(&a);
    return err_exit_code(e);
}

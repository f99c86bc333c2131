/* t_model_gemma.c - Gemma 3 270M (Q4_K_M) against transformers on its dequantised weights, at
 * positions before and past the window of its local layers: float kernels, float pages. Needs the
 * model, which is not fetched by itself: its terms must be accepted. */
#include "model/model_forward.h"

#include "golden_llama.h"

#include "base/mem.h"

#include <math.h>

enum { VOCABULARY = 262144, CHUNK = 128 };

static double log_sum_exp(const float *x) {
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < VOCABULARY; i++) most = fmax(most, (double)x[i]);
    for (int i = 0; i < VOCABULARY; i++) sum += exp((double)x[i] - most);
    return most + log(sum);
}

static double compare_row(const golden_row *want, const float *have) {
    double worst = fabs(log_sum_exp(have) - want->lse);
    int best = 0;
    for (int i = 1; i < VOCABULARY; i++) best = have[i] > have[best] ? i : best;
    assert_int_equal(best, want->best);
    for (int i = 0; i < GOLDEN_TOP; i++)
        worst = fmax(worst, fabs((double)have[want->top_id[i]] - want->top[i]));
    return worst / want->most;
}

/* Rows [from, from + n); the worst difference at golden rows among them. */
static double forward_chunk(model_run *run, kv_pool *pool, kv_sequence *s, const golden *g,
                            int from, int n, float *logits) {
    fail f = {0};
    int32_t positions[CHUNK], zeros[CHUNK] = {0};
    int64_t wanted[GOLDEN_ROWS];
    const golden_row *rows[GOLDEN_ROWS];
    int n_wanted = 0;
    for (int i = 0; i < n; i++) positions[i] = from + i;
    for (int i = 0; i < g->n_rows; i++)
        if (g->rows[i].position >= from && g->rows[i].position < from + n) {
            rows[n_wanted] = &g->rows[i];
            wanted[n_wanted++] = g->rows[i].position - from;
        }
    model_batch b = {.n_rows = n,
                     .tokens = g->ids + from,
                     .positions = positions,
                     .sequences = zeros,
                     .n_sequences = 1,
                     .pool = pool,
                     .kv = &s,
                     .wanted = wanted,
                     .n_wanted = n_wanted,
                     .logits = logits};
    assert_ok(model_forward(run, &b, &f), &f);
    double worst = 0;
    for (int i = 0; i < n_wanted; i++)
        worst = fmax(worst, compare_row(rows[i], logits + (int64_t)i * VOCABULARY));
    return worst;
}

static void agrees_with_transformers(void **state) {
    (void)state;
    static golden g[1];
    fail f = {0};
    team *team;
    model *m;
    model_run *run;
    kv_pool *pool;
    kv_sequence *s;
    const kern_table *kern;
    const char *path = test_model("gemma3/gemma-3-270m-q4_k_m.gguf");
    golden_read_file("tests/model/golden/gemma3.txt", g, 1);
    assert_ok(kern_select("f32", &kern, &f), &f);
    assert_ok(team_open(&team, 2, &f), &f);
    assert_ok(model_open(&m, path, &(model_options){.kern = kern, .team = team}, &f), &f);
    const model_info *about = model_about(m);
    assert_int_equal(about->vocabulary, VOCABULARY);
    assert_string_equal(about->quantisation, "Q4_K_M");
    model_run_options o = {.rows_max = CHUNK, .sequences_max = 1, .positions_max = GOLDEN_IDS};
    assert_ok(model_run_open(&run, m, &o, &f), &f);
    kv_pool_options p = {.shape = {about->layers, about->kv_heads, about->head_width, OP_KV_F32},
                         .tokens_max = GOLDEN_IDS,
                         .sequences_max = 1,
                         .bytes_max = 256u << 20};
    assert_ok(kv_pool_open(&pool, &p, &f), &f);
    assert_ok(kv_sequence_take(pool, &s, &f), &f);
    assert_ok(kv_sequence_grow(pool, s, g->n, &f), &f);
    float *logits = mem_alloc_aligned((size_t)GOLDEN_ROWS * VOCABULARY * sizeof *logits);
    assert_non_null(logits);
    double worst = 0;
    for (int from = 0; from < g->n; from += CHUNK)
        worst = fmax(worst, forward_chunk(run, pool, s, g, from,
                                          g->n - from < CHUNK ? g->n - from : CHUNK, logits));
    print_message("Gemma 3 270M: largest difference to transformers %.2e of the largest logit\n",
                  worst);
    assert_true(worst <= 1e-4);
    mem_free(logits);
    kv_sequence_give(pool, s);
    kv_pool_close(pool);
    model_run_close(run);
    model_close(m);
    team_close(team);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

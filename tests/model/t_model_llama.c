/* t_model_llama.c - the Llama forward on SmolLM2 against PyTorch (float kernels, float pages), the
 * serving kernels against the float ones, and that a row never depends on its company. Needs the
 * model; what it measures is printed. */
#include "model/model_forward.h"

#include "golden_llama.h"

#include "base/mem.h"

#include <math.h>

static const char *const model_file = "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
enum { VOCABULARY = 49152, ROWS = 256 };

/* A model with one workspace and its pages. */
typedef struct rig {
    team *team;
    model *m;
    model_run *run;
    kv_pool *pool;
} rig;

static rig rig_open(const char *kernels, kv_type kv, int threads) {
    fail f = {0};
    rig r = {0};
    const kern_table *kern = NULL;
    const char *path = test_model(model_file);
    assert_ok(kern_select(kernels, &kern, &f), &f);
    assert_ok(team_open(&r.team, threads, &f), &f);
    assert_ok(model_open(&r.m, path, &(model_options){.kern = kern, .team = r.team}, &f), &f);
    const model_info *info = model_about(r.m);
    assert_int_equal(info->vocabulary, VOCABULARY);
    assert_int_equal(info->context, 8192);
    assert_ok(
        model_run_open(&r.run, r.m, &(model_run_options){.rows_max = ROWS, .sequences_max = 8}, &f),
        &f);
    kv_pool_options o = {.shape = {info->layers, info->kv_heads, info->head_width, kv},
                         .tokens_max = info->context,
                         .sequences_max = 8,
                         .bytes_max = 256u << 20};
    assert_ok(kv_pool_open(&r.pool, &o, &f), &f);
    return r;
}

static void rig_close(rig *r) {
    kv_pool_close(r->pool);
    model_run_close(r->run);
    model_close(r->m);
    team_close(r->team);
}

/* Rows [from, from + n) of one sequence; logits of the rows wanted. */
static void forward_rows(rig *r, kv_sequence *s, const int32_t *ids, int from, int n,
                         const int64_t *wanted, int64_t n_wanted, float *logits) {
    fail f = {0};
    int32_t positions[ROWS], sequences[ROWS] = {0};
    for (int i = 0; i < n; i++) positions[i] = from + i;
    if (s) assert_ok(kv_sequence_grow(r->pool, s, from + n, &f), &f);
    model_batch b = {.n_rows = n,
                     .tokens = ids + from,
                     .positions = positions,
                     .sequences = sequences,
                     .n_sequences = 1,
                     .pool = s ? r->pool : NULL,
                     .kv = &s,
                     .wanted = wanted,
                     .n_wanted = n_wanted,
                     .logits = logits};
    assert_ok(model_forward(r->run, &b, &f), &f);
}

static float *new_logits(int64_t rows) {
    float *p = mem_alloc_aligned((size_t)rows * VOCABULARY * sizeof(float));
    assert_non_null(p);
    return p;
}

static double log_sum_exp(const float *x) {
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < VOCABULARY; i++) most = fmax(most, (double)x[i]);
    for (int i = 0; i < VOCABULARY; i++) sum += exp((double)x[i] - most);
    return most + log(sum);
}

static int best_of(const float *x) {
    int best = 0;
    for (int i = 1; i < VOCABULARY; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static double compare_row(const golden_row *want, const float *have) {
    double worst = 0;
    for (int i = 0; i < GOLDEN_TOP; i++)
        worst = fmax(worst, fabs((double)have[want->top_id[i]] - want->top[i]));
    assert_true(fabs(log_sum_exp(have) - want->lse) <= 1e-4 * want->most);
    assert_int_equal(best_of(have), want->best);
    return worst / want->most;
}

static void float_kernels_agree_with_pytorch(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    fail f = {0};
    golden_read(g);
    rig r = rig_open("f32", OP_KV_F32, 2);
    float *logits = new_logits(GOLDEN_ROWS);
    double worst = 0;
    for (int p = 0; p < 2; p++) { /* the third is long: measure below uses it */
        kv_sequence *s = NULL;
        int64_t wanted[GOLDEN_ROWS];
        for (int i = 0; i < g[p].n_rows; i++) wanted[i] = g[p].rows[i].position;
        assert_ok(kv_sequence_take(r.pool, &s, &f), &f);
        forward_rows(&r, s, g[p].ids, 0, g[p].n, wanted, g[p].n_rows, logits);
        for (int i = 0; i < g[p].n_rows; i++)
            worst = fmax(worst, compare_row(&g[p].rows[i], logits + (int64_t)i * VOCABULARY));
        kv_sequence_give(r.pool, s);
    }
    print_message("float kernels: largest difference to PyTorch %.2e of the largest logit\n",
                  worst);
    assert_true(worst <= 1e-4);
    mem_free(logits);
    rig_close(&r);
}

static void greedy_equals_pytorch(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    fail f = {0};
    golden_read(g);
    rig r = rig_open("f32", OP_KV_F32, 2);
    float *logits = new_logits(1);
    for (int p = 0; p < 1; p++) {
        int32_t ids[GOLDEN_IDS + GOLDEN_GREEDY];
        kv_sequence *s = NULL;
        memcpy(ids, g[p].ids, (size_t)g[p].n * sizeof *ids);
        assert_ok(kv_sequence_take(r.pool, &s, &f), &f);
        for (int made = 0, from = 0, n = g[p].n; made < GOLDEN_GREEDY; made++) {
            int64_t last = n - from - 1;
            forward_rows(&r, s, ids, from, n - from, &last, 1, logits);
            from = n;
            ids[n++] = best_of(logits);
            assert_int_equal(ids[n - 1], g[p].greedy[made]);
        }
        kv_sequence_give(r.pool, s);
    }
    mem_free(logits);
    rig_close(&r);
}

/* mean over tokens of KL(reference || served) */
static double mean_kl(const float *reference, const float *served, int64_t rows) {
    double sum = 0;
    for (int64_t t = 0; t < rows; t++) {
        const float *a = reference + t * VOCABULARY, *b = served + t * VOCABULARY;
        double la = log_sum_exp(a), lb = log_sum_exp(b);
        for (int i = 0; i < VOCABULARY; i++) {
            double p = (double)a[i] - la;
            sum += exp(p) * (p - ((double)b[i] - lb));
        }
    }
    return sum / (double)rows;
}

static void serving_kernels_stay_close(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    fail f = {0};
    golden_read(g);
    const golden *text = &g[2];
    int64_t wanted[GOLDEN_IDS];
    for (int i = 0; i < text->n; i++) wanted[i] = i;
    float *logits[2] = {new_logits(text->n), new_logits(text->n)};
    for (int i = 0; i < 2; i++) {
        rig r = rig_open(i ? NULL : "f32", i ? OP_KV_F16 : OP_KV_F32, 2);
        kv_sequence *s = NULL;
        assert_ok(kv_sequence_take(r.pool, &s, &f), &f);
        forward_rows(&r, s, text->ids, 0, text->n, wanted, text->n, logits[i]);
        rig_close(&r);
    }
    for (int i = 0; i < text->n_rows; i++)
        compare_row(&text->rows[i], logits[0] + (int64_t)text->rows[i].position * VOCABULARY);
    double kl = mean_kl(logits[0], logits[1], text->n);
    print_message("serving kernels: mean KL to the float ones %.2e a token over %d tokens\n", kl,
                  text->n);
    assert_true(kl <= 5e-3);
    mem_free(logits[0]);
    mem_free(logits[1]);
}

/* The same prompt alone in one go, in pieces, without pages in floats, and among others: the same
 * bits (without pages: of F32 pages). */
static void company_changes_nothing(void **state) {
    (void)state;
    static golden g[GOLDEN_PROMPTS];
    fail f = {0};
    golden_read(g);
    rig r = rig_open(NULL, OP_KV_F32, 2);
    float *logits[4];
    kv_sequence *s[4] = {NULL};
    for (int i = 0; i < 4; i++) {
        logits[i] = new_logits(3);
        assert_ok(kv_sequence_take(r.pool, &s[i], &f), &f);
    }
    int n = g[0].n;
    int64_t last = n - 1;
    forward_rows(&r, s[0], g[0].ids, 0, n, &last, 1, logits[0]);
    forward_rows(&r, s[1], g[0].ids, 0, 5, NULL, 0, NULL);
    forward_rows(&r, s[1], g[0].ids, 5, n - 6, NULL, 0, NULL);
    last = 0;
    forward_rows(&r, s[1], g[0].ids, n - 1, 1, &last, 1, logits[1]);
    last = n - 1;
    forward_rows(&r, NULL, g[0].ids, 0, n, &last, 1, logits[2]);
    int32_t tokens[ROWS], positions[ROWS], sequences[ROWS];
    int rows = 0;
    int64_t wanted[3];
    kv_sequence *kv[3] = {s[2], s[3], s[1]};
    const golden *of[3] = {&g[1], &g[0], &g[1]};
    kv_sequence_give(r.pool, s[1]);
    assert_ok(kv_sequence_take(r.pool, &kv[2], &f), &f);
    for (int q = 0; q < 3; q++) {
        assert_ok(kv_sequence_grow(r.pool, kv[q], of[q]->n, &f), &f);
        for (int i = 0; i < of[q]->n; i++, rows++) {
            tokens[rows] = of[q]->ids[i];
            positions[rows] = i;
            sequences[rows] = q;
        }
        wanted[q] = rows - 1;
    }
    model_batch b = {.n_rows = rows,
                     .tokens = tokens,
                     .positions = positions,
                     .sequences = sequences,
                     .n_sequences = 3,
                     .pool = r.pool,
                     .kv = kv,
                     .wanted = wanted,
                     .n_wanted = 3,
                     .logits = logits[3]};
    assert_ok(model_forward(r.run, &b, &f), &f);
    size_t bytes = VOCABULARY * sizeof(float);
    assert_memory_equal(logits[0], logits[1], bytes);
    assert_memory_equal(logits[0], logits[2], bytes);
    assert_memory_equal(logits[0], logits[3] + VOCABULARY, bytes);
    assert_memory_equal(logits[3], logits[3] + 2 * VOCABULARY, bytes);
    for (int i = 0; i < 4; i++) mem_free(logits[i]);
    rig_close(&r);
}

static void bad_batches_are_refused(void **state) {
    (void)state;
    fail f = {0};
    rig r = rig_open(NULL, OP_KV_F16, 1);
    kv_sequence *s = NULL;
    assert_ok(kv_sequence_take(r.pool, &s, &f), &f);
    assert_ok(kv_sequence_grow(r.pool, s, 3, &f), &f);
    int32_t token = 5, position = 0, sequence = 0;
    model_batch b = {.n_rows = 1,
                     .tokens = &token,
                     .positions = &position,
                     .sequences = &sequence,
                     .n_sequences = 1,
                     .pool = r.pool,
                     .kv = &s};
    assert_ok(model_forward(r.run, &b, &f), &f);
    token = VOCABULARY;
    assert_int_equal(model_forward(r.run, &b, &f), E_INPUT);
    token = 5;
    position = 8192;
    assert_int_equal(model_forward(r.run, &b, &f), E_CONTEXT);
    position = KV_PAGE_TOKENS; /* no page there */
    assert_int_equal(model_forward(r.run, &b, &f), E_INPUT);
    position = 0;
    sequence = 1;
    assert_int_equal(model_forward(r.run, &b, &f), E_INPUT);
    sequence = 0;
    b.n_rows = ROWS + 1;
    assert_int_equal(model_forward(r.run, &b, &f), E_INPUT);
    rig_close(&r);
}

/* The place for adapters: what a hook adds to an output is what the next layers see. */
typedef struct seen {
    int calls, heads;
    float add;
} seen;
static void see(void *self, int32_t layer, model_linear which, const float *x, int64_t rows,
                int64_t cols, float *y, int64_t outs) {
    seen *s = self;
    s->calls++;
    s->heads += which == MODEL_HEAD;
    assert_true(layer >= 0 && layer <= 30 && isfinite(x[rows * cols - 1]));
    if (which == MODEL_HEAD) y[outs - 1] += s->add;
}

static void a_hook_sees_each_linear_layer(void **state) {
    (void)state;
    fail f = {0};
    rig r = rig_open(NULL, OP_KV_F32, 1);
    float *plain = new_logits(1), *hooked = new_logits(1);
    int32_t token = 504, zero = 0;
    int64_t wanted = 0;
    seen s = {.add = 2};
    model_batch b = {.n_rows = 1,
                     .tokens = &token,
                     .positions = &zero,
                     .sequences = &zero,
                     .n_sequences = 1,
                     .wanted = &wanted,
                     .n_wanted = 1,
                     .logits = plain};
    assert_ok(model_forward(r.run, &b, &f), &f);
    b.logits = hooked;
    b.hook = &(model_hook){&s, see};
    assert_ok(model_forward(r.run, &b, &f), &f);
    assert_int_equal(s.calls, 30 * 7 + 1);
    assert_int_equal(s.heads, 1);
    assert_memory_equal(plain, hooked, (VOCABULARY - 1) * sizeof(float));
    assert_true(hooked[VOCABULARY - 1] == plain[VOCABULARY - 1] + 2);
    mem_free(plain);
    mem_free(hooked);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_batches_are_refused),
        cmocka_unit_test(a_hook_sees_each_linear_layer),
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(float_kernels_agree_with_pytorch),
        cmocka_unit_test(greedy_equals_pytorch),
        cmocka_unit_test(serving_kernels_stay_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* t_model_adapter.c - LoRA adapters on tiny models: PEFT and GGUF on folders and GGUF files against
 * merged weights in torch, each sequence its own, what is wrong named. */
#include "model/model_forward.h"

#include <math.h>

#include "tiny_adapter.h"

enum { ROWS = 96, TOP = 64, V = TINY_VOCABULARY };

typedef struct rig {
    team *team;
    model *m;
    model_run *run;
} rig;

static rig rig_open(const char *path, const char *kernels) {
    fail f = {0};
    rig r = {0};
    const kern_table *kern;
    assert_ok(kern_select(kernels, &kern, &f), &f);
    assert_ok(team_open(&r.team, 2, &f), &f);
    assert_ok(model_open(&r.m, path, &(model_options){.kern = kern, .team = r.team}, &f), &f);
    model_run_options o = {.rows_max = ROWS, .sequences_max = 4};
    assert_ok(model_run_open(&r.run, r.m, &o, &f), &f);
    return r;
}

static void rig_close(rig *r) {
    model_run_close(r->run);
    model_close(r->m);
    team_close(r->team);
}

/* Sequences of n rows each of the same ids, sequence i with adapters[i]: all logits. */
static void forward_rows(rig *r, const int32_t *ids, int n, const model_adapter *const *adapters,
                         int sequences, float *logits) {
    fail f = {0};
    int32_t tokens[ROWS], positions[ROWS], of[ROWS];
    int64_t wanted[ROWS];
    for (int i = 0; i < sequences * n; i++) {
        tokens[i] = ids[i % n];
        positions[i] = i % n;
        of[i] = i / n;
        wanted[i] = i;
    }
    model_batch b = {.n_rows = sequences * n,
                     .tokens = tokens,
                     .positions = positions,
                     .sequences = of,
                     .n_sequences = sequences,
                     .adapters = adapters,
                     .wanted = wanted,
                     .n_wanted = sequences * n,
                     .logits = logits};
    assert_ok(model_forward(r->run, &b, &f), &f);
}

/* The worst difference of the golden rows, in shares of the largest logit. */
static double compare(str golden, const float *logits) {
    str row, top, pair;
    double worst = 0, most = 1, want;
    int64_t at, id;
    int rows = 0;
    for (; tiny_line(&golden, "row", &row) && tiny_line(&golden, "top", &top); rows++) {
        assert_true(str_to_int(str_cut(&top, ' '), &at));
        for (int i = 0; i < 4; i++) assert_true(str_to_double(str_cut(&row, ' '), &most));
        for (int i = 0; i < TOP; i++) {
            pair = str_cut(&top, ' ');
            assert_true(str_to_int(str_cut(&pair, ':'), &id) && str_to_double(pair, &want));
            worst = fmax(worst, fabs((double)logits[at * V + id] - want) / most);
        }
    }
    assert_int_equal(rows, 4);
    return worst;
}

static double agree_one(const char *model_path, const char *adapter_path, const tiny_adapter *a) {
    static float logits[ROWS * V], plain[ROWS * V];
    fail f = {0};
    model_adapter *adapter = NULL;
    int32_t ids[ROWS];
    str rest = a->t.golden, line;
    rig r = rig_open(model_path, "f32");
    assert_ok(model_adapter_open(&adapter, r.m, adapter_path, &f), &f);
    assert_int_equal(model_adapter_about(adapter)->rank, a->rank);
    assert_true(tiny_line(&rest, "ids", &line));
    int n = tiny_ids(line, ids, ROWS);
    forward_rows(&r, ids, n, &(const model_adapter *){adapter}, 1, logits);
    forward_rows(&r, ids, n, NULL, 1, plain);
    assert_true(compare(a->t.golden, plain) > 1e-2); /* it does something */
    double worst = compare(a->t.golden, logits);
    model_adapter_close(adapter);
    rig_close(&r);
    return worst;
}

static void agrees_with_merged_weights(void **state) {
    (void)state;
    static const char *const names[][3] = {
        {"llama", "llama", "llama"}, {"qwen3", "qwen3", "qwen3"}, {"phi3", "phi3-window", "phi3"}};
    for (int i = 0; i < 3; i++) {
        tiny base;
        tiny_adapter a;
        tiny_open(&base, names[i][1]);
        tiny_adapter_open(&a, names[i][0]);
        const char *models[] = {tiny_folder(&base, "config"), tiny_gguf(&base)};
        const char *adapters[] = {tiny_adapter_peft(&a), tiny_adapter_gguf(&a, names[i][2])};
        for (int m = 0; m < 2; m++)
            for (int k = 0; k < 2; k++) {
                double worst = agree_one(models[m], adapters[k], &a);
                print_message("%s, %s on %s: %.1e of the largest logit\n", names[i][0],
                              k ? "GGUF" : "PEFT", m ? "GGUF" : "folder", worst);
                assert_true(worst <= 1e-4);
            }
        tiny_close(&a.t);
        tiny_close(&base);
    }
}

/* Three sequences, two adapters, one none: the bits of each alone. */
static void each_sequence_has_its_own(void **state) {
    (void)state;
    enum { N = 21 };
    static float alone[3][N * V], together[3 * N * V];
    fail f = {0};
    tiny base;
    tiny_adapter a;
    int32_t ids[N];
    model_adapter *one = NULL, *two = NULL;
    tiny_open(&base, "llama");
    tiny_adapter_open(&a, "llama");
    rig r = rig_open(tiny_folder(&base, "config"), NULL);
    assert_ok(model_adapter_open(&one, r.m, tiny_adapter_peft(&a), &f), &f);
    a.alpha = 3;
    assert_ok(model_adapter_open(&two, r.m, tiny_adapter_config(&a, ""), &f), &f);
    assert_true(model_adapter_about(one)->id != model_adapter_about(two)->id);
    for (int i = 0; i < N; i++) ids[i] = 5 + 7 * i;
    const model_adapter *const each[] = {one, NULL, two};
    for (int i = 0; i < 3; i++) forward_rows(&r, ids, N, &each[i], 1, alone[i]);
    forward_rows(&r, ids, N, each, 3, together);
    for (int i = 0; i < 3; i++)
        assert_memory_equal(alone[i], together + (size_t)i * N * V, sizeof alone[i]);
    assert_memory_not_equal(alone[0], alone[1], sizeof alone[0]);
    assert_memory_not_equal(alone[0], alone[2], sizeof alone[0]);
    model_adapter_close(one);
    model_adapter_close(two);
    rig_close(&r);
    tiny_close(&a.t);
    tiny_close(&base);
}

static void refused(const model *m, const char *path, err code, const char *named) {
    fail f = {0};
    model_adapter *a = NULL;
    err e = model_adapter_open(&a, m, path, &f);
    if (e != code || !strstr(f.text, named))
        fail_msg("%d \"%s\", not %d \"%s\"", e, f.text, code, named);
    assert_null(a);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    tiny base, other;
    tiny_adapter a;
    tiny_open(&base, "llama");
    tiny_open(&other, "qwen3moe");
    tiny_adapter_open(&a, "llama");
    rig r = rig_open(tiny_folder(&base, "config"), NULL);
    refused(r.m, "build/no-such-adapter", E_NOT_FOUND, "no-such-adapter");
    tiny_adapter_tensors(&a, "layers.1.mlp.up_proj.lora_B", NULL);
    refused(r.m, tiny_adapter_config(&a, ""), E_CORRUPT, "its other half is not there");
    tiny_adapter_tensors(&a, NULL, "base_model.model.model.embed_tokens.lora_embedding_A 4 160");
    refused(r.m, a.t.dir, E_UNSUPPORTED, "embed_tokens.lora_embedding_A");
    tiny_adapter_tensors(&a, "layers.0.mlp.up_proj.lora_A",
                         "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight 4 65");
    refused(r.m, a.t.dir, E_CORRUPT, "does not fit the model");
    tiny_adapter_tensors(&a, "layers.0.mlp.up_proj.lora_B",
                         "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight 96 5");
    refused(r.m, a.t.dir, E_CORRUPT, "does not fit the model");
    tiny_adapter_tensors(&a, NULL, "base_model.model.model.layers.2.mlp.up_proj.lora_A.weight 4 4");
    refused(r.m, a.t.dir, E_UNSUPPORTED, "layers.2.mlp.up_proj");
    tiny_adapter_tensors(&a, "lora", NULL);
    refused(r.m, a.t.dir, E_CORRUPT, "is empty");
    tiny_adapter_tensors(&a, NULL, NULL);
    static const char *const configs[][2] = {
        {",\"use_dora\":true", "DoRA"},
        {",\"bias\":\"all\"", "biases"},
        {",\"fan_in_fan_out\":true", "turned round"},
        {",\"modules_to_save\":[\"lm_head\"]", "modules_to_save"},
        {",\"alpha_pattern\":{\"q_proj\":2}", "alpha_pattern"},
        {",\"alora_invocation_tokens\":[1]", "aLoRA"},
        {",\"peft_type\":\"IA3\"", "not LORA"}};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++)
        refused(r.m, tiny_adapter_config(&a, configs[i][0]), E_UNSUPPORTED, configs[i][1]);
    refused(r.m, tiny_adapter_gguf(&a, "qwen2"), E_UNSUPPORTED, "architecture \"qwen2\"");
    refused(r.m, tiny_gguf(&base), E_UNSUPPORTED, "is a model and no adapter");
    rig_close(&r);
    r = rig_open(tiny_folder(&other, "config"), NULL);
    tiny_adapter_config(&a, "");
    tiny_adapter_tensors(&a, "self_attn", NULL);
    refused(r.m, a.t.dir, E_CORRUPT, "experts");
    rig_close(&r);
    tiny_close(&a.t);
    tiny_close(&base);
    tiny_close(&other);
}

static void no_memory_is_said(void **state) {
    (void)state;
    fail f = {0};
    tiny base;
    tiny_adapter a;
    tiny_open(&base, "llama");
    tiny_adapter_open(&a, "llama");
    rig r = rig_open(tiny_folder(&base, "config"), NULL);
    const char *paths[] = {tiny_adapter_peft(&a), tiny_adapter_gguf(&a, "llama")};
    for (int k = 0; k < 2; k++) {
        int failed = 0;
        for (int64_t n = 1; n < 200; n++, failed++) {
            model_adapter *got = NULL;
            mem_fail_at(n, false);
            err e = model_adapter_open(&got, r.m, paths[k], &f);
            mem_fail_at(0, false);
            model_adapter_close(got);
            if (e == E_OK) break;
            assert_int_equal(e, E_NO_MEMORY);
        }
        assert_in_range(failed, 3, 198);
    }
    rig_close(&r);
    tiny_close(&a.t);
    tiny_close(&base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_merged_weights),
        cmocka_unit_test(each_sequence_has_its_own),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* t_model_stories.c - stories260K, turned into GGUF by tools/stories_to_gguf.py: its 200 greedy
 * steps are those of llama2.c, byte for byte. Needs the shared data and python3. */
#include "model/model_forward.h"

#include "base/file.h"
#include "test.h"

#include <unistd.h>

enum { STEPS = 200, VOCABULARY = 512, BOS = 1 };

static void make_gguf(char out[64]) {
    char command[4600], folder[4096];
    snprintf(folder, sizeof folder, "%s", test_data("stories260K/stories260K.bin"));
    *strrchr(folder, '/') = 0;
    snprintf(out, 64, "build/stories-%d.gguf", (int)getpid());
    snprintf(command, sizeof command, "python3 tools/stories_to_gguf.py '%s' %s", folder, out);
    if (system("command -v python3 >/dev/null") != 0) {
        print_message("skipped: no python3\n");
        skip();
    }
    assert_int_equal(system(command), 0);
}

static int best_of(const float *x) {
    int best = 0;
    for (int i = 1; i < VOCABULARY; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

static void tell(const model *m, kv_pool *pool, buf *out) {
    fail f = {0};
    model_run *run;
    kv_sequence *s;
    static float logits[VOCABULARY];
    int32_t token = BOS, made[STEPS], position = 0, zero = 0;
    int64_t wanted = 0;
    model_run_options o = {.rows_max = 1, .sequences_max = 1};
    assert_ok(model_run_open(&run, m, &o, &f), &f);
    assert_ok(kv_sequence_take(pool, &s, &f), &f);
    assert_ok(kv_sequence_grow(pool, s, STEPS, &f), &f);
    model_batch b = {.n_rows = 1,
                     .tokens = &token,
                     .positions = &position,
                     .sequences = &zero,
                     .n_sequences = 1,
                     .pool = pool,
                     .kv = &s,
                     .wanted = &wanted,
                     .n_wanted = 1,
                     .logits = logits};
    for (; position < STEPS; position++) {
        assert_ok(model_forward(run, &b, &f), &f);
        made[position] = token = best_of(logits);
    }
    tokenizer_decode(model_tokenizer(m), made, STEPS, true, out);
    kv_sequence_give(pool, s);
    model_run_close(run);
}

static void tells_the_story(const char *kernels) {
    fail f = {0};
    team *team;
    model *m;
    kv_pool *pool;
    const kern_table *kern;
    char path[64];
    arena a;
    str want;
    buf have = {0};
    arena_init(&a, 0);
    make_gguf(path);
    assert_ok(kern_select(kernels, &kern, &f), &f);
    assert_ok(team_open(&team, 1, &f), &f);
    assert_ok(model_open(&m, path, &(model_options){.kern = kern, .team = team}, &f), &f);
    const model_info *about = model_about(m);
    kv_pool_options p = {.shape = {about->layers, about->kv_heads, about->head_width, OP_KV_F32},
                         .tokens_max = about->context,
                         .sequences_max = 1,
                         .bytes_max = 16u << 20};
    assert_ok(kv_pool_open(&pool, &p, &f), &f);
    tell(m, pool, &have);
    assert_ok(file_read(&a, test_data("stories260K/expected_greedy_200.txt"), 0, &want, &f), &f);
    assert_true(str_eq(str_trim(want), str_trim(buf_str(&have))));
    buf_deinit(&have);
    kv_pool_close(pool);
    model_close(m);
    team_close(team);
    arena_deinit(&a);
    assert_ok(file_remove(path, &f), &f);
}

static void with_float_kernels(void **state) {
    (void)state;
    tells_the_story("f32");
}
static void with_the_fastest_kernels(void **state) {
    (void)state;
    tells_the_story(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_float_kernels),
        cmocka_unit_test(with_the_fastest_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

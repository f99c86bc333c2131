/* t_model_bert.c - MiniLM against PyTorch (tests/model/golden/minilm.txt, made by
 * tools/golden_minilm.py): cosine above 0.9999 with both kernel tables, and the same bits alone and
 * in a batch. */
#include "base/file.h"
#include "model/model.h"
#include "text/json.h"
#include "test.h"

#include <math.h>

enum { TEXTS_MAX = 32, WIDTH = 384 };

typedef struct golden {
    arena a;
    str texts[TEXTS_MAX];
    float vectors[TEXTS_MAX][WIDTH];
    size_t n;
} golden;

static void load_golden(golden *g) {
    fail f;
    str all;
    arena_init(&g->a, 0);
    assert_ok(file_read(&g->a, "tests/model/golden/minilm.txt", 0, &all, &f), &f);
    while (all.p) {
        str line = str_cut(&all, '\n');
        if (str_starts(line, STR("text "))) {
            const json *v;
            assert_ok(json_parse(&g->a, str_slice(line, 5, line.n), &v, &f), &f);
            g->texts[g->n] = v->string;
        } else if (str_starts(line, STR("vector "))) {
            str rest = str_slice(line, 7, line.n);
            for (int i = 0; i < WIDTH; i++) {
                double x;
                assert_true(str_to_double(str_cut(&rest, ' '), &x));
                g->vectors[g->n][i] = (float)x;
            }
            g->n++;
        }
    }
    assert_true(g->n >= 10);
}

static model *open_model(team *t, const char *kern) {
    model *m;
    fail f;
    const kern_table *k;
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", test_model("minilm/config.json"));
    *strrchr(dir, '/') = 0;
    assert_ok(kern_select(kern, &k, &f), &f);
    assert_ok(model_open(&m, dir, &(model_options){.kern = k, .team = t}, &f), &f);
    return m;
}

/* A text's tokens, with the model's own around them and without, give the text's bits. */
static void assert_tokens_agree(model *m, str text, const float *want) {
    static float out[2][WIDTH];
    const tokenizer *t = model_tokenizer(m);
    model_embed_options o = {.tokens_max = 256, .truncate = true};
    token_ids ids[2];
    arena a;
    fail f;
    arena_init(&a, 0);
    for (int i = 0; i < 2; i++) {
        token_encode_options how = {.add_bos = i == 1, .add_eos = i == 1};
        assert_ok(tokenizer_encode(t, &a, text, &how, &ids[i], &f), &f);
    }
    if (ids[0].n) { /* of an empty text there is none */
        assert_ok(model_embed_ids(m, ids, 2, &o, out[0], NULL, &f), &f);
        assert_memory_equal(out[0], want, sizeof out[0]);
        assert_memory_equal(out[1], want, sizeof out[1]);
    }
    const int32_t outside[] = {7, (int32_t)tokenizer_count(t)};
    ids[0] = (token_ids){outside, 2};
    assert_int_equal(model_embed_ids(m, ids, 1, &o, out[0], NULL, &f), E_INPUT);
    arena_deinit(&a);
}

static void agrees(const char *kern) {
    static golden g;
    static float out[TEXTS_MAX][WIDTH], alone[WIDTH];
    team *t;
    fail f;
    g.n = 0;
    assert_ok(team_open(&t, 2, &f), &f);
    model *m = open_model(t, kern);
    load_golden(&g);
    int64_t tokens;
    model_embed_options o = {.tokens_max = 256, .truncate = true};
    assert_ok(model_embed(m, g.texts, g.n, &o, out[0], &tokens, &f), &f);
    for (size_t i = 0; i < g.n; i++) {
        double dot = 0;
        for (int k = 0; k < WIDTH; k++) dot += (double)out[i][k] * (double)g.vectors[i][k];
        if (dot < 0.9999) fail_msg("%s, text %zu: cosine %.6f", kern, i, dot);
        assert_ok(model_embed(m, &g.texts[i], 1, &o, alone, NULL, &f), &f);
        assert_memory_equal(alone, out[i], sizeof alone);
        assert_tokens_agree(m, g.texts[i], out[i]);
    }
    model_close(m);
    team_close(t);
    arena_deinit(&g.a);
}

static void reference_agrees(void **state) {
    (void)state;
    agrees("f32");
}
static void avx2_agrees(void **state) {
    (void)state;
    const kern_table *k;
    fail f;
    if (kern_select("avx2", &k, &f) != E_OK) skip();
    agrees("avx2");
}

static void long_text_is_an_error(void **state) {
    (void)state;
    team *t;
    fail f;
    static float out[WIDTH];
    static char text[4000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = i % 2 ? ' ' : 'a';
    assert_ok(team_open(&t, 1, &f), &f);
    model *m = open_model(t, NULL);
    str s = {text, sizeof text};
    assert_int_equal(
        model_embed(m, &s, 1, &(model_embed_options){.tokens_max = 256}, out, NULL, &f), E_CONTEXT);
    assert_ok(model_embed(m, &s, 1, &(model_embed_options){.tokens_max = 256, .truncate = true},
                          out, NULL, &f),
              &f);
    model_close(m);
    team_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_agrees),
        cmocka_unit_test(avx2_agrees),
        cmocka_unit_test(long_text_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* t_model_encoder.c - BERT, XLM-RoBERTa and ModernBERT on tiny random models against transformers:
 * the first row and the mean of the last hidden state, and the heads of cross-encoders; from
 * folders with both ages of config.json and from GGUF files; alone and in a batch the same bits. */
#include "model/model.h"
#include "tiny.h"

#include <math.h>

enum { TEXTS = 3, WIDTH = 64, IDS = 128 };

typedef struct sample {
    str text[TEXTS];               /* without its markers */
    float vector[TEXTS][2][WIDTH]; /* first row, mean; unit length */
    str query;
    double score[TEXTS];
    int n;
} sample;

static void read_numbers(str line, float *out, int n) {
    for (int i = 0; i < n; i++) {
        double x;
        assert_true(str_to_double(str_cut(&line, ' '), &x));
        out[i] = (float)x;
    }
}

static void read_sample(tiny *t, sample *s) {
    int vectors = 0;
    memset(s, 0, sizeof *s);
    for (str rest = t->golden; rest.p;) {
        str line = str_cut(&rest, '\n'), word = str_cut(&line, ' ');
        int32_t ids[IDS];
        if (str_is(word, "ids")) {
            int n = tiny_ids(line, ids, IDS);
            assert_true(s->n < TEXTS);
            s->text[s->n++] = s->query.p ? tiny_text(t, ids, n) : tiny_text(t, ids + 1, n - 2);
            vectors = 0;
        } else if (str_is(word, "query")) {
            s->query = tiny_text(t, ids, tiny_ids(line, ids, IDS));
        } else if (str_is(word, "vector")) {
            assert_true(vectors < 2);
            read_numbers(line, s->vector[s->n - 1][vectors++], WIDTH);
        } else if (str_is(word, "score")) {
            assert_true(str_to_double(line, &s->score[s->n - 1]));
        }
    }
    assert_int_equal(s->n, TEXTS);
}

static model *open_int8(const char *path, team *team) {
    fail f = {0};
    model *m;
    assert_ok(model_open(&m, path, &(model_options){.team = team, .int8 = true}, &f), &f);
    return m;
}

static model *open_model(const char *path, team *team, const char *kernels) {
    fail f = {0};
    model *m;
    const kern_table *kern;
    assert_ok(kern_select(kernels, &kern, &f), &f);
    assert_ok(model_open(&m, path, &(model_options){.kern = kern, .team = team}, &f), &f);
    return m;
}

/* The least cosine of the texts' vectors with the golden ones. */
static double check_vectors(const char *path, const sample *s, bool cls) {
    fail f = {0};
    team *team;
    float out[TEXTS][WIDTH], alone[WIDTH];
    double least = 1;
    model_embed_options o = {0};
    assert_ok(team_open(&team, 2, &f), &f);
    model *m = open_model(path, team, "f32");
    assert_ok(model_embed(m, s->text, TEXTS, &o, out[0], NULL, &f), &f);
    for (int i = 0; i < TEXTS; i++) {
        double dot = 0, length = 0;
        for (int k = 0; k < WIDTH; k++) {
            dot += (double)out[i][k] * (double)s->vector[i][cls ? 0 : 1][k];
            length += (double)out[i][k] * (double)out[i][k];
        }
        assert_true(fabs(length - 1) < 1e-5);
        least = fmin(least, dot);
        assert_ok(model_embed(m, &s->text[i], 1, &o, alone, NULL, &f), &f);
        assert_memory_equal(alone, out[i], sizeof alone);
    }
    model_close(m);
    team_close(team);
    return least;
}

static void check_model(const char *name) {
    static sample s;
    tiny t;
    tiny_open(&t, name);
    read_sample(&t, &s);
    double least = 1;
    for (int cls = 0; cls < 2; cls++) {
        tiny_pooling(&t, cls);
        least = fmin(least, check_vectors(tiny_folder(&t, "config"), &s, cls));
        least = fmin(least, check_vectors(tiny_folder(&t, "config4"), &s, cls));
        t.pooling = cls ? 2 : 1;
        least = fmin(least, check_vectors(tiny_gguf(&t), &s, cls));
    }
    print_message("%-12s least cosine 1 - %.1e\n", name, 1 - least);
    assert_true(least > 0.999999);
    tiny_close(&t);
}

/* Rounded to int8 at open: near the floats, the same bits in company. */
static void rounded_stays_close(void **state) {
    (void)state;
    static sample s;
    fail f = {0};
    tiny t;
    team *team;
    float out[TEXTS][WIDTH], alone[WIDTH];
    tiny_open(&t, "bert");
    read_sample(&t, &s);
    tiny_pooling(&t, false);
    assert_ok(team_open(&team, 2, &f), &f);
    model *m = open_int8(tiny_folder(&t, "config"), team);
    assert_ok(model_embed(m, s.text, TEXTS, &(model_embed_options){0}, out[0], NULL, &f), &f);
    for (int i = 0; i < TEXTS; i++) {
        double dot = 0;
        for (int k = 0; k < WIDTH; k++) dot += (double)out[i][k] * (double)s.vector[i][1][k];
        if (dot < 0.995) fail_msg("text %d: cosine %.5f", i, dot);
        assert_ok(model_embed(m, &s.text[i], 1, &(model_embed_options){0}, alone, NULL, &f), &f);
        assert_memory_equal(alone, out[i], sizeof alone);
    }
    model_close(m);
    team_close(team);
    tiny_close(&t);
}

/* The worst difference of the pairs' scores. */
static double check_scores(const char *path, const sample *s) {
    fail f = {0};
    team *team;
    float out[TEXTS], alone;
    double worst = 0;
    model_embed_options o = {0};
    assert_ok(team_open(&team, 2, &f), &f);
    model *m = open_model(path, team, "f32");
    assert_int_equal(model_about(m)->labels, 1);
    assert_ok(model_rank(m, s->query, s->text, TEXTS, &o, out, NULL, &f), &f);
    for (int i = 0; i < TEXTS; i++) {
        worst = fmax(worst, fabs((double)out[i] - s->score[i]));
        assert_ok(model_rank(m, s->query, &s->text[i], 1, &o, &alone, NULL, &f), &f);
        assert_memory_equal(&alone, &out[i], sizeof alone);
    }
    model_close(m);
    team_close(team);
    return worst;
}

static void check_pairs(const char *name, bool gguf_too) {
    static sample s;
    tiny t;
    tiny_open(&t, name);
    read_sample(&t, &s);
    double worst = check_scores(tiny_folder(&t, "config"), &s);
    worst = fmax(worst, check_scores(tiny_folder(&t, "config4"), &s));
    if (gguf_too) worst = fmax(worst, check_scores(tiny_gguf(&t), &s));
    print_message("%-12s worst difference of a score %.1e\n", name, worst);
    assert_true(worst < 1e-5);
    tiny_close(&t);
}

/* llama.cpp's converter leaves BERT's pooler out; without it there is no score. */
static void bert_pairs(void **state) {
    (void)state;
    fail f = {0};
    tiny t;
    team *team;
    float score;
    str text = STR("taf tag");
    check_pairs("bert-rank", false);
    tiny_open(&t, "bert-rank");
    assert_ok(team_open(&team, 1, &f), &f);
    model *m = open_model(tiny_gguf(&t), team, "f32");
    assert_int_equal(model_rank(m, text, &text, 1, &(model_embed_options){0}, &score, NULL, &f),
                     E_UNSUPPORTED);
    model_close(m);
    team_close(team);
    tiny_close(&t);
}
static void xlmr_pairs(void **state) {
    (void)state;
    check_pairs("xlmr-rank", true);
}
static void modernbert_pairs(void **state) {
    (void)state;
    check_pairs("modernbert-rank", true);
}

static void bert(void **state) {
    (void)state;
    check_model("bert");
}
static void xlmr(void **state) {
    (void)state;
    check_model("xlmr");
}
static void modernbert(void **state) {
    (void)state;
    check_model("modernbert");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert),
        cmocka_unit_test(xlmr),
        cmocka_unit_test(modernbert),
        cmocka_unit_test(rounded_stays_close),
        cmocka_unit_test(bert_pairs),
        cmocka_unit_test(xlmr_pairs),
        cmocka_unit_test(modernbert_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

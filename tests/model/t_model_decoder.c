/* t_model_decoder.c - every decoder family on tiny random models against transformers: from a
 * folder with both ages of config.json and from a GGUF file, in one go, in pieces through pages, at
 * positions past every window and every boundary of rotation; that weights that are missing or of
 * another shape are named; and that numbers of a description are checked. */
#include "model/model_forward.h"
#include "tiny.h"

#include <math.h>

enum { ROWS = 96, TOP = 64 };

static double log_sum_exp(const float *x) {
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < TINY_VOCABULARY; i++) most = fmax(most, (double)x[i]);
    for (int i = 0; i < TINY_VOCABULARY; i++) sum += exp((double)x[i] - most);
    return most + log(sum);
}

static double number(str *line) {
    double x = NAN;
    assert_true(str_to_double(str_cut(line, ' '), &x));
    return x;
}

/* One golden row and the line of its largest logits, against ours: the worst difference in shares
 * of the largest logit. */
static double compare(str row, str top, const float *have) {
    double best = number(&row), sum = number(&row), most = number(&row);
    double worst = fabs(log_sum_exp(have) - sum);
    int ours = 0;
    for (int i = 1; i < TINY_VOCABULARY; i++) ours = have[i] > have[ours] ? i : ours;
    assert_true(ours == (int)best);
    for (int i = 0; i < TOP; i++) {
        str pair = str_cut(&top, ' ');
        int64_t id;
        double want = NAN;
        assert_true(str_to_int(str_cut(&pair, ':'), &id) && str_to_double(pair, &want));
        worst = fmax(worst, fabs((double)have[id] - want));
    }
    return worst / most;
}

typedef struct rig {
    team *team;
    model *m;
    model_run *run;
    kv_pool *pool;
} rig;

static rig rig_open(const char *path, int64_t context) {
    fail f = {0};
    rig r = {0};
    const kern_table *kern;
    assert_ok(kern_select("f32", &kern, &f), &f);
    assert_ok(team_open(&r.team, 2, &f), &f);
    assert_ok(model_open(&r.m, path, &(model_options){.kern = kern, .team = r.team}, &f), &f);
    const model_info *about = model_about(r.m);
    model_run_options o = {.rows_max = ROWS, .sequences_max = 2, .positions_max = context};
    assert_ok(model_run_open(&r.run, r.m, &o, &f), &f);
    kv_pool_options p = {.shape = {about->layers, about->kv_heads, about->head_width, OP_KV_F32},
                         .tokens_max = about->context,
                         .sequences_max = 2,
                         .bytes_max = 64u << 20};
    assert_ok(kv_pool_open(&r.pool, &p, &f), &f);
    return r;
}

static void rig_close(rig *r) {
    kv_pool_close(r->pool);
    model_run_close(r->run);
    model_close(r->m);
    team_close(r->team);
}

/* Logits of all n rows, `step` rows at a time through pages; 0: at once, without pages. */
static void forward_rows(rig *r, const int32_t *ids, int n, int step, float *logits) {
    fail f = {0};
    kv_sequence *s = NULL;
    int32_t positions[ROWS], zeros[ROWS] = {0};
    int64_t wanted[ROWS];
    for (int i = 0; i < n; i++) positions[i] = i;
    for (int i = 0; i < n; i++) wanted[i] = i;
    if (step) {
        assert_ok(kv_sequence_take(r->pool, &s, &f), &f);
        assert_ok(kv_sequence_grow(r->pool, s, n, &f), &f);
    }
    for (int from = 0; from < n; from += step ? step : n) {
        int rows = step && n - from > step ? step : n - from;
        model_batch b = {.n_rows = rows,
                         .tokens = ids + from,
                         .positions = positions + from,
                         .sequences = zeros,
                         .n_sequences = 1,
                         .pool = s ? r->pool : NULL,
                         .kv = &s,
                         .wanted = wanted,
                         .n_wanted = rows,
                         .logits = logits + (int64_t)from * TINY_VOCABULARY};
        assert_ok(model_forward(r->run, &b, &f), &f);
    }
    kv_sequence_give(r->pool, s);
}

/* One golden run at a time: the model opened for its context, its logits, its rows compared. */
typedef struct check {
    rig r;
    bool open;
    int64_t rows_max; /* rows at positions from here on are not compared */
    str row;
    float logits[2][ROWS * TINY_VOCABULARY];
    double worst;
} check;

static void check_ids(check *c, str line) {
    int32_t ids[ROWS];
    int n = tiny_ids(line, ids, ROWS);
    forward_rows(&c->r, ids, n, 0, c->logits[0]);
    forward_rows(&c->r, ids, n, 7, c->logits[1]);
    assert_memory_equal(c->logits[0], c->logits[1], (size_t)n * TINY_VOCABULARY * sizeof(float));
}

static void check_line(check *c, const char *path, str word, str line) {
    int64_t at;
    if (str_is(word, "run")) {
        if (c->open) rig_close(&c->r);
        assert_true(str_to_int(line, &at));
        c->r = rig_open(path, at);
        c->open = true;
    } else if (str_is(word, "ids")) {
        check_ids(c, line);
    } else if (str_is(word, "row")) {
        c->row = line;
    } else if (str_is(word, "top")) {
        assert_true(str_to_int(str_cut(&line, ' '), &at));
        str_cut(&c->row, ' '); /* the same position */
        if (at < c->rows_max)
            c->worst = fmax(c->worst, compare(c->row, line, c->logits[0] + at * TINY_VOCABULARY));
    }
}

static double check_file(const tiny *t, const char *path, int64_t rows_max) {
    static check c;
    c = (check){.rows_max = rows_max};
    for (str rest = t->golden; rest.p;) {
        str line = str_cut(&rest, '\n'), word = str_cut(&line, ' ');
        check_line(&c, path, word, line);
    }
    assert_true(c.open);
    rig_close(&c.r);
    return c.worst;
}

static void check_model(const char *name, int64_t gguf_rows) {
    tiny t;
    tiny_open(&t, name);
    double worst = check_file(&t, tiny_folder(&t, "config"), ROWS);
    double old = check_file(&t, tiny_folder(&t, "config4"), ROWS);
    double gguf = check_file(&t, tiny_gguf(&t), gguf_rows);
    print_message("%-12s folder %.1e, older config %.1e, GGUF %.1e of the largest logit\n", name,
                  worst, old, gguf);
    assert_true(worst <= 1e-4 && old <= 1e-4 && gguf <= 1e-4);
    tiny_close(&t);
}

#define FAMILY(function, name, gguf_rows) \
    static void function(void **state) {  \
        (void)state;                      \
        check_model(name, gguf_rows);     \
    }
FAMILY(llama, "llama", ROWS)
FAMILY(llama_linear, "llama-linear", ROWS)
FAMILY(mistral, "mistral", 24) /* GGUF files of Mistral do not say its window */
FAMILY(smollm3, "smollm3", ROWS)
FAMILY(qwen2, "qwen2", ROWS)
FAMILY(qwen3, "qwen3", ROWS)
FAMILY(gemma3, "gemma3", ROWS)
FAMILY(phi3, "phi3", ROWS)
FAMILY(phi3_window, "phi3-window", ROWS)
FAMILY(granite, "granite", ROWS)
FAMILY(ernie4_5, "ernie4_5", ROWS)
FAMILY(olmo2, "olmo2", ROWS)
FAMILY(qwen3moe, "qwen3moe", ROWS)
FAMILY(olmoe, "olmoe", ROWS)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama),    cmocka_unit_test(llama_linear), cmocka_unit_test(mistral),
        cmocka_unit_test(smollm3),  cmocka_unit_test(qwen2),        cmocka_unit_test(qwen3),
        cmocka_unit_test(gemma3),   cmocka_unit_test(phi3),         cmocka_unit_test(phi3_window),
        cmocka_unit_test(granite),  cmocka_unit_test(ernie4_5),     cmocka_unit_test(olmo2),
        cmocka_unit_test(qwen3moe), cmocka_unit_test(olmoe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

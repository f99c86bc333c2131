/* t_model_hostile.c - files that lie: each weight missing or of another shape is named; each number
 * of config.json and of GGUF metadata replaced by what it must not be either is refused or gives a
 * model that can be run. A sanitizer sees what they would break. */
#include "model/model_forward.h"
#include "tiny.h"

#include <math.h>

static const char *const names[] = {"llama",  "mistral", "smollm3",   "qwen2",          "qwen3",
                                    "gemma3", "phi3",    "granite",   "olmo2",          "qwen3moe",
                                    "olmoe",  "bert",    "xlmr-rank", "modernbert-rank"};
enum { NAMES = sizeof names / sizeof *names };
static team *crew;

static int open_teams(void **state) {
    (void)state;
    fail f;
    return team_open(&crew, 1, &f) != E_OK;
}
static int close_teams(void **state) {
    (void)state;
    team_close(crew);
    return 0;
}

static err open_path(const char *path, model **out, fail *f) {
    const kern_table *kern;
    assert_ok(kern_select("f32", &kern, f), f);
    return model_open(out, path, &(model_options){.kern = kern, .team = crew}, f);
}

/* What opens must also run. */
static void run_little(model *m) {
    fail f = {0};
    if (model_about(m)->is_encoder) {
        float *out = mem_alloc((size_t)model_about(m)->width * sizeof *out);
        str text = STR("taf tag tah");
        assert_non_null(out);
        err e = model_embed(m, &text, 1, &(model_embed_options){.truncate = true}, out, NULL, &f);
        (void)e;
        mem_free(out);
        return;
    }
    model_run *run;
    int32_t ids[4] = {0, 0, 0, 0}, positions[4] = {0, 1, 2, 3}, zeros[4] = {0};
    int64_t last = 0, vocabulary = model_about(m)->vocabulary;
    float *logits = mem_alloc((size_t)vocabulary * sizeof *logits);
    model_run_options o = {.rows_max = 4, .sequences_max = 1, .positions_max = 4};
    assert_non_null(logits);
    assert_ok(model_run_open(&run, m, &o, &f), &f);
    model_batch b = {.n_rows = model_about(m)->context < 4 ? 1 : 4,
                     .tokens = ids,
                     .positions = positions,
                     .sequences = zeros,
                     .n_sequences = 1,
                     .wanted = &last,
                     .n_wanted = 1,
                     .logits = logits};
    assert_ok(model_forward(run, &b, &f), &f);
    model_run_close(run);
    mem_free(logits);
}

static void expect_named(const char *path, const char *name) {
    fail f = {0};
    model *m;
    if (open_path(path, &m, &f) != E_CORRUPT) fail_msg("%s without %s opens", path, name);
    if (!strstr(f.text, name)) fail_msg("\"%s\" does not name %s", f.text, name);
}

static void a_wrong_weight_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < NAMES; i++) {
        tiny t;
        str rest, line;
        tiny_open(&t, names[i]);
        rest = t.golden;
        for (int n = 0; tiny_line(&rest, "tensor", &line); n++) {
            if (n % 5 != (int)(i % 5)) continue; /* each fifth, in each model others */
            str name = str_cut(&line, ' ');
            bool head = str_starts(name, STR("classifier")) || str_starts(name, STR("head."));
            if (head) continue; /* an encoder without one is no cross-encoder */
            t.without = arena_str(&t.a, name).p;
            expect_named(tiny_folder(&t, "config"), t.without);
            t.misshape = t.without;
            t.without = NULL;
            if (strstr(t.misshape, "token_type")) t.misshape = NULL; /* XLM-R's is one row */
            if (!t.misshape) continue;
            expect_named(tiny_folder(&t, "config"), t.misshape);
            t.misshape = NULL;
        }
        tiny_close(&t);
    }
}

static const char *const hostile[] = {"0",    "-1",    "1",    "3",     "1e9", "2147483647", "0.37",
                                      "1e30", "\"x\"", "null", "[1,2]", "{}",  "true"};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static bool digit(char c) {
    return c >= '0' && c <= '9';
}

/* The next number of a JSON text at or behind `from`: [*from, *to); false: none. */
static bool next_number(str s, size_t *from, size_t *to) {
    bool quoted = false;
    for (size_t i = *from; i < s.n; i++) {
        if (s.p[i] == '"') quoted = !quoted;
        if (quoted || !digit(s.p[i]) || (i && (digit(s.p[i - 1]) || s.p[i - 1] == '.'))) continue;
        for (*from = i; i < s.n && (digit(s.p[i]) || strchr(".e-+", s.p[i]));) i++;
        *to = i;
        return true;
    }
    return false;
}

static void each_number_of_config_is_checked(void **state) {
    (void)state;
    int opened = 0, refused = 0;
    for (size_t i = 0; i < NAMES; i++) {
        tiny t;
        str rest, config;
        tiny_open(&t, names[i]);
        rest = t.golden;
        assert_true(tiny_line(&rest, "config", &config));
        const char *path = tiny_folder(&t, "config");
        for (size_t from = 0, to = 0; next_number(config, &from, &to); from = to)
            for (int h = 0; h < HOSTILE; h++) {
                fail f = {0};
                model *m;
                buf b = {0};
                buf_put(&b, str_slice(config, 0, from));
                buf_put_z(&b, hostile[h]);
                buf_put(&b, str_slice(config, to, config.n));
                tiny_write(&t, "config.json", &b);
                err e = open_path(path, &m, &f);
                opened += e == E_OK;
                refused += e != E_OK;
                if (e != E_OK) continue;
                run_little(m);
                model_close(m);
            }
        tiny_close(&t);
    }
    print_message("config.json: %d changed numbers refused, %d opened and run\n", refused, opened);
    assert_true(refused > 1000);
}

static void each_number_of_gguf_is_checked(void **state) {
    (void)state;
    static const double values[] = {0, 1, 3, 1e9, 4294967295.0, 0.37, 1e30};
    int opened = 0, refused = 0;
    for (size_t i = 0; i < NAMES; i++) {
        tiny t;
        str rest, line;
        tiny_open(&t, names[i]);
        rest = t.golden;
        for (t.key = 1; tiny_line(&rest, "key", &line); t.key++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                fail f = {0};
                model *m;
                t.value = values[v];
                err e = open_path(tiny_gguf(&t), &m, &f);
                opened += e == E_OK;
                refused += e != E_OK;
                if (e != E_OK) continue;
                run_little(m);
                model_close(m);
            }
        tiny_close(&t);
    }
    print_message("GGUF: %d changed numbers refused, %d opened and run\n", refused, opened);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_weight_is_named),
        cmocka_unit_test(each_number_of_config_is_checked),
        cmocka_unit_test(each_number_of_gguf_is_checked),
    };
    return cmocka_run_group_tests(tests, open_teams, close_teams);
}

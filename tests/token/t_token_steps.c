/* t_token_steps.c - tests token/token_norm.c, token_cut.c, the models over characters and what
 * reads them from a tokenizer.json, against the tokenizers package: golden_steps.jsonl, made by
 * tools/golden_token_steps.py, whose head says what the lines are. With a file as argument, that
 * one. */
#include "base/file.h"
#include "text/json.h"
#include "token/token.h"
#include "test.h"

enum { MODELS_MAX = 16 };

static const char *golden = "tests/token/golden_steps.jsonl";

typedef struct steps {
    arena a;
    fail f;
    str models[MODELS_MAX]; /* names */
    const json *bodies[MODELS_MAX];
    size_t model_count, cases, texts, wrong;
    tokenizer *t; /* of the case */
    str name;
} steps;

/* {"model": ..., the rest} as one tokenizer.json. */
static void open_case(steps *s, const json *row) {
    buf whole = {0};
    json_writer w = {.out = &whole};
    const json *rest = json_get(row, "json"), *model = NULL;
    str name = json_get(row, "model")->string;
    for (size_t i = 0; i < s->model_count; i++)
        if (str_eq(s->models[i], name)) model = s->bodies[i];
    assert_non_null(model);
    json_begin_object(&w);
    for (size_t i = 0; i < rest->count; i++) {
        json_key_str(&w, rest->members[i].key);
        json_put_value(&w, &rest->members[i].value);
    }
    json_key(&w, "model");
    json_put_value(&w, model);
    json_end_object(&w);
    tokenizer_close(s->t);
    s->t = NULL;
    s->name = json_get(row, "case")->string;
    s->cases++;
    assert_ok(tokenizer_open_json(&s->t, buf_str(&whole), &s->f), &s->f);
    buf_deinit(&whole);
}

static bool same_ids(token_ids ids, const json *want) {
    bool same = ids.n == want->count;
    for (size_t i = 0; same && i < ids.n; i++) same = json_at(want, i)->integer == ids.p[i];
    return same;
}

static void check_text(steps *s, const json *row) {
    const json *back = json_get(row, "back"), *want = json_get(row, "ids");
    token_encode_options o = {.special = TOKEN_SPECIAL_ALL,
                              .add_bos = tokenizer_adds_bos(s->t),
                              .add_eos = tokenizer_adds_eos(s->t)};
    token_ids ids;
    buf out = {0};
    arena a;
    arena_init(&a, 0);
    str text = json_get(row, "text")->string;
    assert_ok(tokenizer_encode(s->t, &a, text, &o, &ids, &s->f), &s->f);
    tokenizer_decode(s->t, ids.p, ids.n, true, &out);
    bool same = same_ids(ids, want) && (!back || str_eq(buf_str(&out), back->string));
    if (!same)
        print_message("%.*s differs: \"%.*s\" (back: \"%.*s\")\n", STR_ARG(s->name), STR_ARG(text),
                      STR_ARG(buf_str(&out)));
    s->wrong += !same;
    s->texts++;
    buf_deinit(&out);
    arena_deinit(&a);
}

static void steps_as_published(void **state) {
    (void)state;
    steps s = {.cases = 0};
    str rest;
    arena_init(&s.a, 0);
    assert_ok(file_read(&s.a, golden, 0, &rest, &s.f), &s.f);
    while (rest.p) {
        str line = str_cut(&rest, '\n');
        const json *row;
        if (!line.n) continue;
        assert_ok(json_parse(&s.a, line, &row, &s.f), &s.f);
        if (json_get(row, "case")) {
            open_case(&s, row);
        } else if (json_get(row, "model")) {
            assert_true(s.model_count < MODELS_MAX);
            s.models[s.model_count] = json_get(row, "model")->string;
            s.bodies[s.model_count++] = json_get(row, "json");
        } else {
            check_text(&s, row);
        }
    }
    tokenizer_close(s.t);
    arena_deinit(&s.a);
    assert_true(s.cases > 60 && s.texts >= 12 * s.cases);
    assert_int_equal(s.wrong, 0);
}

int main(int argc, char **argv) {
    if (argc > 1) golden = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_as_published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

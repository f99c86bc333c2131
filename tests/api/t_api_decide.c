/* t_api_decide.c - typed decisions and reranking: what is asked of the model, what the numbers are,
 * what is refused. */
#include "api_fake.h"

#define ROUTE "/v1/systemone"
#define ASK(model, questions) \
    "{\"model\":\"" model "\",\"state\":\"It rains.\",\"questions\":{" questions "}}"
#define CHOICE                                                                             \
    "\"q\":{\"type\":\"choice\",\"instructions\":\"What now?\",\"criteria\":{\"go\":null," \
    "\"stay\":\"at home\"}}"
#define NEAR(v, path, wanted) assert_true(fabs(at(v, path)->number - (wanted)) < 1e-12)

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    return 0;
}

static void chooses(void **state) {
    (void)state;
    const json *v = ask(ROUTE, ASK("echo", CHOICE), 200);
    assert_text(v, "model", "echo");
    assert_text(v, "answers.q.type", "choice");
    assert_text(v, "answers.q.choice", "go");
    NEAR(v, "answers.q.probabilities.go", 2.0 / 3);
    NEAR(v, "answers.q.probabilities.stay", 1.0 / 3);
    NEAR(v, "answers.q.confidence", 2.0 / 3);
    assert_null(at(v, "answers.q.abstain"));
    assert_int_equal(at(v, "usage.input_tokens")->integer, 9);
    assert_int_equal(at(v, "usage.output_tokens")->integer, 0);
    assert_non_null(strstr(last_prompt, "It rains."));
    assert_non_null(strstr(last_prompt, "B. stay: at home"));
}

static void scores_and_judges(void **state) {
    (void)state;
    const json *v = ask(
        ROUTE,
        ASK("echo", "\"s\":{\"type\":\"score\",\"instructions\":\"How wet?\",\"criteria\":[\"dry\","
                    "\"damp\",\"wet\"]},\"n\":{\"type\":\"noul\",\"instructions\":\"Wet?\"}"),
        200);
    NEAR(v, "answers.s.score", (4 * 1 + 2 * 2 + 1 * 3) / 7.0);
    assert_text(v, "answers.s.legend", "dry");
    NEAR(v, "answers.s.probabilities.1", 2.0 / 7);
    NEAR(v, "answers.n.noul", 2.0 / 3);
    assert_null(at(v, "answers.n.probabilities"));
    assert_int_equal(at(v, "usage.input_tokens")->integer, 18);
}

static void abstains(void **state) {
    (void)state;
    const json *v = ask("/v1/decide",
                        "{\"model\":\"echo\",\"state\":{\"a\":1},\"abstain_below\":0.7,"
                        "\"questions\":{" CHOICE "}}",
                        200);
    assert_true(at(v, "answers.q.abstain")->boolean);
    assert_int_equal(at(v, "answers.q.calibration")->kind, JSON_NULL);
    assert_non_null(strstr(last_prompt, "{\"a\":1}"));
    v = ask("/v1/decide", "{\"model\":\"nick\",\"state\":\"x\",\"questions\":{" CHOICE "}}", 200);
    assert_text(v, "model", "echo"); /* an alias answers in its model's name */
}

static void refuses_questions(void **state) {
    (void)state;
    assert_text(ask(ROUTE, ASK("echo", ""), 400), "error.param", "questions");
    assert_text(ask(ROUTE,
                    ASK("echo", "\"q\":{\"type\":\"choice\",\"instructions\":\"x\",\"criteria\":"
                                "{\"\":null,\"a\":null}}"),
                    400),
                "error.param", "questions.q");
    assert_text(ask(ROUTE, ASK("echo", "\"q\":{\"type\":\"choice\",\"instructions\":\"x\"}"), 400),
                "error.param", "questions.q");
    assert_text(ask(ROUTE, ASK("echo", "\"q\":{\"type\":\"dream\",\"instructions\":\"x\"}"), 400),
                "error.param", "questions.q");
    assert_text(
        ask(ROUTE, ASK("echo", "\"q\":{\"type\":\"noul\",\"instructions\":\"x\",\"why\":1}"), 400),
        "error.param", "questions.q.why");
    assert_text(ask(ROUTE, "{\"model\":\"echo\",\"questions\":{" CHOICE "}}", 400), "error.param",
                "state");
    ask(ROUTE, ASK("phone", CHOICE), 501);
    assert_text(ask(ROUTE, ASK("task:desk", CHOICE), 501), "error.code", "cannot_decide");
    assert_text(ask(ROUTE, ASK("nobody", CHOICE), 404), "error.code", "model_not_found");
}

#define TASK_ASK(state, question)                                                                \
    "{\"model\":\"task:desk\",\"state\":\"" state "\",\"user\":\"kim\",\"questions\":{" question \
    "}}"
#define TASK_CHOICE(more) "\"q\":{\"type\":\"choice\"" more "}"
#define KNOWN "please how do i cancel my car policy"

static void a_task_decides(void **state) {
    (void)state;
    const json *before = ask("/v1/reviews?status=all", NULL, 200);
    const json *v = ask("/v1/decide", TASK_ASK(KNOWN, TASK_CHOICE("")), 200);
    assert_text(v, "model", "task:desk");
    assert_text(v, "answers.q.choice", "cancel");
    double p = at(v, "answers.q.confidence")->number;
    assert_true(p > 0.5 && p <= 1);
    NEAR(v, "answers.q.probabilities.cancel", p);
    NEAR(v, "answers.q.rest", 1 - p);
    assert_int_equal(at(v, "answers.q.probabilities")->count, 1);
    assert_false(at(v, "answers.q.abstain")->boolean);
    assert_true(at(v, "answers.q.automatic")->boolean);
    assert_text(v, "answers.q.reason", "sure");
    assert_true(p >= at(v, "answers.q.threshold")->number);
    assert_int_equal(at(v, "answers.q.calibration.examples")->integer, 72);
    assert_int_equal(at(v, "answers.q.calibration.out_of_scope")->integer, 0);
    assert_true(at(v, "answers.q.calibration.ece")->number >= 0);
    assert_int_equal(at(v, "answers.q.calibration.folds")->integer, 5);
    assert_true(at(v, "answers.q.calibration.fitted_ms")->integer > 0);
    assert_true(text_at(v, "answers.q.calibration.covers").n > 20);
    assert_true(at(v, "usage.input_tokens")->integer > 0);
    /* on the record, and nobody was asked */
    const json *list = ask("/v1/requests?limit=1", NULL, 200);
    str id = text_at(list, "requests.0.id");
    v = ask(arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(id)).p, NULL, 200);
    assert_text(v, "purpose", "decide");
    assert_text(v, "subject", "kim");
    assert_text(v, "answer", "cancel");
    assert_int_equal(at(v, "steps")->count, 1);
    v = ask("/v1/decide", TASK_ASK("i want to speak to a real person", TASK_CHOICE("")), 200);
    assert_true(at(v, "answers.q.abstain")->boolean && !at(v, "answers.q.automatic")->boolean);
    const json *after = ask("/v1/reviews?status=all", NULL, 200);
    assert_int_equal(at(after, "total")->integer, at(before, "total")->integer);
}

static void a_task_abstains(void **state) {
    (void)state;
    /* a label that always goes to a person is known all the same */
    const json *v = ask("/v1/decide",
                        TASK_ASK("please your car service made me furious", TASK_CHOICE("")), 200);
    assert_text(v, "answers.q.choice", "angry");
    assert_text(v, "answers.q.reason", "always_human");
    assert_false(at(v, "answers.q.automatic")->boolean);
    /* what is not listed is not chosen */
    v = ask("/v1/decide", TASK_ASK(KNOWN, TASK_CHOICE(",\"criteria\":{\"angry\":null}")), 200);
    assert_null_at(v, "answers.q.choice");
    assert_text(v, "answers.q.reason", "not_listed");
    assert_true(at(v, "answers.q.abstain")->boolean);
    assert_int_equal(at(v, "answers.q.probabilities")->count, 0);
    v = ask("/v1/decide",
            TASK_ASK(KNOWN, TASK_CHOICE(",\"instructions\":\"What?\",\"criteria\":{\"angry\":null,"
                                        "\"cancel\":\"ends it\"}")),
            200);
    assert_text(v, "answers.q.choice", "cancel");
    v = ask("/v1/decide",
            "{\"model\":\"task:desk\",\"state\":\"" KNOWN
            "\",\"abstain_below\":1,\"questions\":{" TASK_CHOICE("") "}}",
            200);
    assert_true(at(v, "answers.q.abstain")->boolean);
}

static void a_task_refuses(void **state) {
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {TASK_ASK(KNOWN, "\"q\":{\"type\":\"noul\"}"), "questions.q"},
        {TASK_ASK(KNOWN, TASK_CHOICE(",\"criteria\":{\"fly\":null}")), "questions.q"},
        {TASK_ASK(KNOWN, TASK_CHOICE(",\"criteria\":[\"cancel\"]")), "questions.q"},
        {TASK_ASK(KNOWN, TASK_CHOICE("") ",\"r\":{\"type\":\"choice\"}"), "questions"},
        {TASK_ASK(KNOWN, TASK_CHOICE(",\"why\":1")), "questions.why"},
        {TASK_ASK(" ", TASK_CHOICE("")), "state"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_text(ask("/v1/decide", rows[i].body, 400), "error.param", rows[i].param);
    const json *v =
        ask("/v1/decide",
            "{\"model\":\"task:none\",\"state\":\"a\",\"questions\":{" TASK_CHOICE("") "}}", 404);
    assert_text(v, "error.code", "model_not_found");
    assert_text(ask("/v1/systemone", TASK_ASK(KNOWN, TASK_CHOICE("")), 501), "error.code",
                "cannot_decide");
}

#define DOCUMENTS "\"documents\":[\"red apple\",{\"text\":\"green pear tree\"},\"apple\"]"
static void reranks(void **state) {
    (void)state;
    const json *v = ask(
        "/v1/rerank",
        "{\"model\":\"cross\",\"query\":\"q\",\"top_n\":2,\"return_documents\":true," DOCUMENTS "}",
        200);
    assert_int_equal(at(v, "results")->count, 2);
    assert_int_equal(at(v, "results.0.index")->integer, 1);
    NEAR(v, "results.0.relevance_score", 1 / (1 + exp(-5)));
    assert_text(v, "results.0.document.text", "green pear tree");
    v = ask("/rerank", "{\"model\":\"bag\",\"query\":\"apple\"," DOCUMENTS "}", 200);
    assert_int_equal(at(v, "results.0.index")->integer, 2); /* the same words: cosine 1 */
    assert_true(fabs(at(v, "results.0.relevance_score")->number - 1) < 1e-5);
    assert_null(at(v, "results.0.document"));
    assert_text(ask("/v2/rerank", "{\"model\":\"bag\"," DOCUMENTS "}", 400), "error.param",
                "query");
    assert_text(ask("/v2/rerank", "{\"model\":\"bag\",\"query\":\"q\",\"documents\":[7]}", 400),
                "error.param", "documents");
    assert_text(ask("/v1/rerank", "{\"model\":\"no\",\"query\":\"q\"," DOCUMENTS "}", 404),
                "error.code", "model_not_found");
}

static void reranking_is_on_the_record(void **state) {
    (void)state;
    ask("/v1/rerank",
        "{\"model\":\"cross\",\"query\":\"which?\",\"top_n\":1,\"user\":\"kim\"," DOCUMENTS "}",
        200);
    const json *list = ask("/v1/requests?limit=1", NULL, 200);
    assert_text(list, "requests.0.question", "which?");
    str id = text_at(list, "requests.0.id");
    const json *v = ask(arena_printf(&fx.arena, "/v1/requests/%.*s", STR_ARG(id)).p, NULL, 200);
    assert_text(v, "purpose", "rerank");
    assert_text(v, "subject", "kim");
    assert_text(v, "steps.0.note", "3 documents");
    assert_int_equal(at(v, "steps.0.tokens_in")->integer, 3);
    assert_true(str_starts(text_at(v, "answer"), STR("[{\"index\":1,\"relevance_score\":0.99")));
    assert_true(str_find(text_at(v, "answer"), STR("pear")) == STR_INDEX_NONE);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(chooses, reset),
        cmocka_unit_test_setup(scores_and_judges, reset),
        cmocka_unit_test_setup(a_task_decides, reset),
        cmocka_unit_test_setup(a_task_abstains, reset),
        cmocka_unit_test_setup(a_task_refuses, reset),
        cmocka_unit_test_setup(abstains, reset),
        cmocka_unit_test_setup(refuses_questions, reset),
        cmocka_unit_test_setup(reranks, reset),
        cmocka_unit_test_setup(reranking_is_on_the_record, reset),
    };
    return cmocka_run_group_tests_name("api: decisions", tests, fake_open, fake_close);
}

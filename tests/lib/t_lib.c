/* t_lib.c - tests include/bantam.h as a stranger would use it: sessions go on where they stopped,
 * step by step equals the callback, errors name their cause, refusals leave the session usable. */
#include "bantam.h"

#include "base/file.h"
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static const char *smollm2(void) {
    return test_model("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
}

static bantam_model *open_model(const char *path, const bantam_model_options *o) {
    bantam_error error;
    bantam_model *m;
    if (bantam_model_open(&m, path, o, &error)) fail_msg("%s: %s", path, error.text);
    return m;
}

static bool keep(void *user, const bantam_token *token) {
    strcat(user, token->text);
    return true;
}

static void packed_weights_are_kept_where_the_caller_says(void **state) {
    (void)state;
    bantam_error error;
    char dir[] = "/tmp/bantam-t-lib-XXXXXX", first[256] = "", second[256] = "";
    char *said[] = {first, second};
    arena a;
    fail f;
    str *names;
    size_t n;
    assert_non_null(mkdtemp(dir));
    arena_init(&a, 0);
    for (int i = 0; i < 2; i++) {
        bantam_session *s;
        bantam_model *m =
            open_model(smollm2(), &(bantam_model_options){.context = 64, .cache = dir});
        assert_int_equal(bantam_session_open(&s, m, &error), BANTAM_OK);
        assert_int_equal(bantam_session_put_text(s, "The sea is", &error), BANTAM_OK);
        assert_int_equal(bantam_generate(s, &(bantam_generate_options){.max_tokens = 6}, keep,
                                         said[i], NULL, &error),
                         BANTAM_OK);
        bantam_session_close(s);
        bantam_model_close(m);
        assert_ok(file_list(&a, dir, &names, &n, &f), &f);
        assert_int_equal(n, 1);
    }
    assert_string_equal(first, second);
    assert_ok(file_remove_tree(dir, &f), &f);
    arena_deinit(&a);
}

static void generation_is_the_same_in_steps(void **state) {
    (void)state;
    bantam_error error;
    bantam_session *s;
    bantam_token token = {.finish = BANTAM_RUNNING};
    bantam_result result;
    bantam_generate_options o = {.max_tokens = 8};
    char at_once[512] = "", stepped[512] = "", split[512] = "";
    bantam_model *m = open_model(smollm2(), &(bantam_model_options){.threads = 2, .context = 256});
    assert_int_equal(bantam_session_open(&s, m, &error), BANTAM_OK);
    assert_int_equal(bantam_session_put_text(s, "The capital of France is", &error), BANTAM_OK);
    size_t prompt = bantam_session_tokens(s);
    assert_int_equal(bantam_generate(s, &o, keep, at_once, &result, &error), BANTAM_OK);
    assert_int_equal(result.finish, BANTAM_LENGTH);
    assert_int_equal(result.prompt_tokens, prompt);
    assert_int_equal(bantam_session_tokens(s), prompt + 8);
    bantam_session_clear(s);
    assert_int_equal(bantam_session_put_text(s, "The capital of France is", &error), BANTAM_OK);
    assert_int_equal(bantam_session_start(s, &o, &error), BANTAM_OK);
    while (token.finish == BANTAM_RUNNING) {
        assert_int_equal(bantam_session_next(s, &token, &error), BANTAM_OK);
        strcat(stepped, token.text);
    }
    assert_string_equal(stepped, at_once);
    bantam_session_clear(s); /* 3 and then 5 tokens: a session goes on behind what it said */
    assert_int_equal(bantam_session_put_text(s, "The capital of France is", &error), BANTAM_OK);
    o.max_tokens = 3;
    assert_int_equal(bantam_generate(s, &o, keep, split, NULL, &error), BANTAM_OK);
    o.max_tokens = 5;
    assert_int_equal(bantam_generate(s, &o, keep, split, NULL, &error), BANTAM_OK);
    assert_string_equal(split, at_once);
    bantam_session_close(s);
    bantam_model_close(m);
}

static bool refuse(void *user, const bantam_token *token) {
    (void)token;
    return --*(int *)user > 0;
}

static void refusals_leave_the_session_usable(void **state) {
    (void)state;
    bantam_error error;
    bantam_session *s;
    bantam_token token;
    int left = 2;
    bantam_model *m = open_model(smollm2(), &(bantam_model_options){.context = 64});
    assert_int_equal(bantam_session_open(&s, m, &error), BANTAM_OK);
    assert_int_equal(bantam_session_start(s, NULL, &error), BANTAM_USAGE);
    assert_int_equal(bantam_session_next(s, &token, &error), BANTAM_USAGE);
    assert_int_equal(bantam_session_put_chat(s, "{}", NULL, &error), BANTAM_INPUT);
    assert_int_equal(bantam_session_put_text(s, "One two three", &error), BANTAM_OK);
    assert_int_equal(bantam_session_start(s, &(bantam_generate_options){.max_tokens = 100}, &error),
                     BANTAM_CONTEXT);
    assert_non_null(strstr(error.text, "64"));
    assert_int_equal(bantam_generate(s, &(bantam_generate_options){.max_tokens = 8}, refuse, &left,
                                     NULL, &error),
                     BANTAM_CANCELLED);
    assert_int_equal(bantam_session_start(s, &(bantam_generate_options){.max_tokens = 4}, &error),
                     BANTAM_OK);
    bantam_session_cancel(s);
    bantam_status status = BANTAM_OK;
    for (int i = 0; i < 8 && status == BANTAM_OK; i++)
        status = bantam_session_next(s, &token, NULL);
    assert_int_not_equal(status, BANTAM_OK);
    assert_int_equal(
        bantam_generate(s, &(bantam_generate_options){.max_tokens = 2}, NULL, NULL, NULL, &error),
        BANTAM_OK);
    bantam_session_close(s);
    bantam_model_close(m);
}

static void *generate_alone(void *at) {
    bantam_session *s;
    char *text = at;
    bantam_model *m = *(bantam_model **)at;
    text[0] = 0;
    if (bantam_session_open(&s, m, NULL) == BANTAM_OK) {
        if (bantam_session_put_text(s, "Water boils at", NULL) == BANTAM_OK)
            bantam_generate(s, &(bantam_generate_options){.max_tokens = 6}, keep, text, NULL, NULL);
        bantam_session_close(s);
    }
    return NULL;
}

static void threads_share_a_model(void **state) {
    (void)state;
    enum { N = 3 };
    static _Alignas(16) char texts[N][256];
    pthread_t threads[N];
    bantam_model *m = open_model(smollm2(), &(bantam_model_options){.context = 64});
    for (int i = 0; i < N; i++) {
        memcpy(texts[i], &m, sizeof m);
        assert_int_equal(pthread_create(&threads[i], NULL, generate_alone, texts[i]), 0);
    }
    for (int i = 0; i < N; i++) pthread_join(threads[i], NULL);
    assert_true(strlen(texts[0]) > 0);
    for (int i = 1; i < N; i++) assert_string_equal(texts[i], texts[0]);
    bantam_model_close(m);
}

static void text_and_tokens(void **state) {
    (void)state;
    bantam_error error;
    bantam_model_info about;
    size_t n, bytes;
    int32_t ids[16];
    char *rendered, text[64] = "";
    bantam_model *m = open_model(smollm2(), &(bantam_model_options){.vocabulary_only = true});
    bantam_model_about(m, &about);
    assert_int_equal(about.vocabulary, 49152);
    assert_false(about.generates);
    assert_true(about.has_template);
    assert_int_equal(bantam_tokenise(m, "one two", 7, false, NULL, 0, &n, &error), BANTAM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(bantam_tokenise(m, "one two", 7, false, ids, 16, &n, &error), BANTAM_OK);
    for (size_t i = 0; i < n; i++) {
        const char *piece = bantam_token_text(m, ids[i], &bytes);
        strncat(text, piece, bytes);
    }
    assert_string_equal(text, "one two");
    assert_int_equal(bantam_tokenise(m, "<|im_end|>", 10, true, ids, 16, &n, &error), BANTAM_OK);
    assert_int_equal(n, 1);
    assert_true(bantam_token_ends(m, ids[0]));
    assert_int_equal(bantam_tokenise(m, "<|im_end|>", 10, false, ids, 16, &n, &error), BANTAM_OK);
    assert_true(n > 1);
    assert_int_equal(bantam_render(m, "[{\"role\": \"user\", \"content\": \"Hi\"}]", NULL, true,
                                   &rendered, &error),
                     BANTAM_OK);
    assert_non_null(strstr(rendered, "<|im_start|>user\nHi<|im_end|>"));
    bantam_text_free(rendered);
    bantam_session *s;
    assert_int_equal(bantam_session_open(&s, m, &error), BANTAM_USAGE);
    bantam_model_close(m);
}

static void scores_and_embeddings(void **state) {
    (void)state;
    bantam_error error;
    double logprob[2];
    bantam_model *m = open_model(smollm2(), &(bantam_model_options){.context = 64});
    assert_int_equal(bantam_score(m, "The capital of France is",
                                  (const char *const[]){" Paris", " Berlin"}, 2, logprob, &error),
                     BANTAM_OK);
    assert_true(logprob[0] > logprob[1] && logprob[0] < 0);
    float out[3 * 384];
    assert_int_equal(bantam_embed(m, (const char *const[]){"a"}, 1, out, &error),
                     BANTAM_UNSUPPORTED);
    bantam_model_close(m);
    test_model("minilm/model.safetensors");
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/minilm", getenv("BANTAM_TEST_MODELS"));
    m = open_model(folder, NULL);
    assert_int_equal(
        bantam_embed(m, (const char *const[]){"a cat", "a kitten", "tax law"}, 3, out, &error),
        BANTAM_OK);
    double near = 0, far = 0;
    for (int i = 0; i < 384; i++) {
        near += (double)out[i] * (double)out[384 + i];
        far += (double)out[i] * (double)out[768 + i];
    }
    assert_true(near > 0.6 && far < 0.4);
    bantam_session *s;
    assert_int_equal(bantam_session_open(&s, m, &error), BANTAM_UNSUPPORTED);
    bantam_model_close(m);
}

static void errors_name_their_cause(void **state) {
    (void)state;
    bantam_error error;
    bantam_model *m = NULL;
    assert_int_equal(bantam_model_open(&m, "/nowhere.gguf", NULL, &error), BANTAM_NOT_FOUND);
    assert_null(m);
    assert_non_null(strstr(error.text, "/nowhere.gguf"));
    assert_int_equal(bantam_model_open(&m, "/nowhere.gguf", NULL, NULL), BANTAM_NOT_FOUND);
    assert_int_equal(
        bantam_model_open(&m, "x", &(bantam_model_options){.kernels = "abacus"}, &error),
        BANTAM_UNSUPPORTED);
    assert_non_null(strstr(error.text, "abacus"));
    assert_string_equal(bantam_status_name(BANTAM_NO_MEMORY), "out of memory");
    assert_string_equal(bantam_status_name((bantam_status)99), "unknown status");
    bantam_model_close(NULL);
    bantam_session_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_weights_are_kept_where_the_caller_says),
        cmocka_unit_test(generation_is_the_same_in_steps),
        cmocka_unit_test(refusals_leave_the_session_usable),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(text_and_tokens),
        cmocka_unit_test(scores_and_embeddings),
        cmocka_unit_test(errors_name_their_cause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* t_gen_think.c - tests gen_think without a model: what is thought is told apart in whatever pieces
 * it comes; where an answer begins, by the templates as published; a grammar holds behind it. */
#include "gen/gen_calls.h"
#include "gen/gen_think.h"

#include "../token/chat_make.h"

#include <stdlib.h>

static arena a;
static tokenizer *bytes; /* 256 bytes, <think>, </think>, ">{", "> ", an end */

enum { OPEN_ID = 256, CLOSE_ID, GOES_ON_ID, SPACE_ID, END_ID, VOCABULARY };

/* ---- pieces ---- */

typedef struct taken {
    buf thought, said;
    int events_n;
    size_t tokens_n;
} taken;

static err take(void *self, const gen_event *event, fail *f) {
    taken *t = self;
    (void)f;
    buf_put(event->thinks ? &t->thought : &t->said, event->text);
    t->events_n++;
    t->tokens_n += event->n_tokens;
    return E_OK;
}

static void cut_every(const char *text, gen_think_state state, bool as_text, size_t step,
                      const char *thought, const char *said) {
    fail f = {0};
    taken t = {0};
    gen_think think;
    gen_token token = {.n_top = 0};
    str all = str_from(text);
    size_t n = 0;
    gen_think_init(&think, gen_think_find(STR("</think>")), state, as_text);
    think.sink = think.rest = (gen_sink){.self = &t, .put = take};
    for (size_t i = 0; i < all.n; i += step, n++)
        assert_ok(
            gen_think_put(
                &think,
                &(gen_event){.text = str_slice(all, i, i + step), .tokens = &token, .n_tokens = 1},
                1, &f),
            &f);
    assert_ok(gen_think_end(&think, &f), &f);
    assert_int_equal(t.tokens_n, n); /* each token goes out with something */
    assert_string_equal(arena_z(&a, buf_str(&t.thought)), thought);
    assert_string_equal(arena_z(&a, buf_str(&t.said)), said);
    if (!as_text) assert_string_equal(arena_z(&a, buf_str(&think.text)), thought);
    gen_think_deinit(&think);
    buf_deinit(&t.thought);
    buf_deinit(&t.said);
}

static void is_told_apart_however_it_is_cut(void **state) {
    (void)state;
    static const struct {
        const char *text;
        gen_think_state state;
        const char *thought, *said;
    } rows[] = {
        {"<think>\nOne. Two.\n</think>\n\nThree.", GEN_THINK_MAYBE, "One. Two.", "Three."},
        {"\n <think>a</think>b", GEN_THINK_MAYBE, "a", "b"},
        {"a < b\n\n</think>\nc", GEN_THINK_ON, "a < b", "c"},
        {"a </thin k</think>", GEN_THINK_ON, "a </thin k", ""},
        {"never ends </thi", GEN_THINK_ON, "never ends </thi", ""},
        {"never ends \n", GEN_THINK_ON, "never ends", ""},
        {"<think>\n\n</think>\n\nhi", GEN_THINK_MAYBE, "", "hi"},
        {"hello <think>x</think>", GEN_THINK_MAYBE, "", "hello <think>x</think>"},
        {"<thinker> is a word", GEN_THINK_MAYBE, "", "<thinker> is a word"},
        {"<thi", GEN_THINK_MAYBE, "", "<thi"},
        {" \n", GEN_THINK_MAYBE, "", " \n"},
        {"<think>a</think>b</think>c", GEN_THINK_OFF, "", "<think>a</think>b</think>c"},
        {"a</think>b</think>c", GEN_THINK_ON, "a", "b</think>c"},
        {"\xc3\xa9</think>\xc3\xa9", GEN_THINK_ON, "\xc3\xa9", "\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step <= strlen(rows[i].text); step++) {
            cut_every(rows[i].text, rows[i].state, false, step, rows[i].thought, rows[i].said);
            cut_every(rows[i].text, rows[i].state, true, step, "", rows[i].text);
        }
}

static void tokens_are_counted(void **state) {
    (void)state;
    fail f = {0};
    static const char *const pieces[] = {"<think>", "a", "b", "</think>", "\n", "c"};
    gen_think think;
    gen_think_init(&think, gen_think_find(STR("</think>")), GEN_THINK_MAYBE, false);
    for (size_t i = 0; i < 6; i++)
        assert_ok(gen_think_put(&think, &(gen_event){.text = str_from(pieces[i])}, 1, &f), &f);
    assert_ok(gen_think_end(&think, &f), &f);
    assert_int_equal(think.tokens, 4);
    gen_think_deinit(&think);
    gen_think_init(&think, gen_think_find(STR("</think>")), GEN_THINK_MAYBE, false);
    assert_ok(gen_think_put(&think, &(gen_event){.text = STR("<th")}, 1, &f), &f);
    assert_ok(gen_think_put(&think, &(gen_event){.text = STR("e")}, 1, &f), &f);
    assert_int_equal(think.tokens, 0);
    gen_think_deinit(&think);
}

/* ---- stops and calls behind it ---- */

static err into_calls(void *self, const gen_event *event, fail *f) {
    return gen_calls_put(self, event, f);
}

static void stops_count_in_what_is_said(void **state) {
    (void)state;
    fail f = {0};
    taken t = {0};
    gen_think think;
    gen_calls calls;
    const str stop = STR("END");
    gen_request rq = {.stops = &stop, .n_stops = 1, .arena = &a};
    gen_sink sink = {.self = &t, .put = take};
    gen_calls_init(&calls, NULL, &rq, sink);
    gen_think_init(&think, gen_think_find(STR("</think>")), GEN_THINK_ON, false);
    think.sink = sink;
    think.rest = (gen_sink){.self = &calls, .put = into_calls};
    str text = STR("an END here</think>said END more");
    for (size_t i = 0; i < text.n; i++)
        assert_ok(gen_think_put(&think, &(gen_event){.text = str_slice(text, i, i + 1)}, 1, &f),
                  &f);
    assert_true(calls.stopped && calls.stop == 0);
    assert_string_equal(arena_z(&a, buf_str(&t.thought)), "an END here");
    assert_string_equal(arena_z(&a, buf_str(&t.said)), "said ");
    gen_calls_deinit(&calls);
    gen_think_deinit(&think);
    buf_deinit(&t.thought);
    buf_deinit(&t.said);
}

/* ---- templates ---- */

static gen_think_state state_of(const char *file, const char *kwargs) {
    const char *data = getenv("BANTAM_TEST_DATA");
    const char *path = arena_printf(&a, "%s/chat-templates/%s.jinja", data, file).p;
    fail f = {0};
    str source, shown;
    chat_input in = {.add_generation_prompt = true, .now_ms = 1};
    chat_text text;
    assert_ok(file_read(&a, path, 1 << 20, &source, &f), &f);
    chat *c = chat_make(bytes, source);
    assert_ok(json_parse(&a, STR("[{\"role\":\"user\",\"content\":\"Why?\"}]"), &in.messages, &f),
              &f);
    if (kwargs) assert_ok(json_parse(&a, str_from(kwargs), &in.extra, &f), &f);
    assert_ok(chat_render(c, &a, &in, &text, &f), &f);
    assert_ok(chat_join(&a, &text, &shown, &f), &f);
    gen_think_state begins = gen_think_begin(gen_think_find(source), shown);
    chat_close(c);
    return begins;
}

static void published_templates_say_where_it_begins(void **state) {
    (void)state;
    static const struct {
        const char *file, *kwargs;
        gen_think_state begins;
    } rows[] = {
        {"Qwen-Qwen3-0.6B", NULL, GEN_THINK_MAYBE},
        {"Qwen-Qwen3-0.6B", "{\"enable_thinking\":false}", GEN_THINK_OFF},
        {"HuggingFaceTB-SmolLM3-3B", NULL, GEN_THINK_MAYBE},
        {"HuggingFaceTB-SmolLM3-3B", "{\"enable_thinking\":false}", GEN_THINK_OFF},
        {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", NULL, GEN_THINK_ON},
        {"Qwen-QwQ-32B", "{\"enable_thinking\":true}", GEN_THINK_ON},
        {"deepseek-ai-DeepSeek-V3.1", NULL, GEN_THINK_OFF},
        {"deepseek-ai-DeepSeek-V3.1", "{\"thinking\":true}", GEN_THINK_ON},
        {"GLM-4.6", NULL, GEN_THINK_MAYBE},
        {"GLM-4.6", "{\"enable_thinking\":false}", GEN_THINK_OFF},
        {"Qwen-Qwen2.5-7B-Instruct", NULL, GEN_THINK_OFF},
        {"meta-llama-Llama-3.2-3B-Instruct", NULL, GEN_THINK_OFF},
    };
    if (!getenv("BANTAM_TEST_DATA")) {
        print_message("skipped: BANTAM_TEST_DATA is not set\n");
        skip();
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (state_of(rows[i].file, rows[i].kwargs) != rows[i].begins)
            fail_msg("%s %s", rows[i].file, rows[i].kwargs ? rows[i].kwargs : "");
}

/* ---- the mask ---- */

static str accepted; /* by the inner one */

static err inner_allowed(void *self, uint64_t *bits, bool *all, fail *f) {
    (void)self, (void)f;
    *all = false;
    bits['{' / 64] |= UINT64_C(1) << ('{' % 64);
    return E_OK;
}
static err inner_accept(void *self, int32_t id, fail *f) {
    (void)self, (void)f;
    accepted = arena_printf(&a, "%.*s%c", STR_ARG(accepted), id);
    return E_OK;
}
static int32_t inner_forced(void *self, int32_t *ids, int32_t max) {
    (void)self, (void)max;
    ids[0] = '{';
    return 1;
}
static const engine_mask inner = {
    .allowed = inner_allowed, .accept = inner_accept, .forced = inner_forced};

static bool may(gen_think_mask *m, int32_t id) {
    uint64_t bits[(VOCABULARY + 63) / 64] = {0};
    bool all;
    fail f = {0};
    assert_ok(m->mask.allowed(m->mask.self, bits, &all, &f), &f);
    return all || (bits[id / 64] >> (id % 64) & 1);
}

static void go(gen_think_mask *m, const char *text) {
    fail f = {0};
    for (; *text; text++) {
        assert_true(may(m, (unsigned char)*text));
        assert_ok(m->mask.accept(m->mask.self, (unsigned char)*text, &f), &f);
    }
}

static void a_grammar_holds_behind_it(void **state) {
    (void)state;
    fail f = {0};
    int32_t ids[4];
    gen_think_vocabulary v;
    gen_think_mask m;
    accepted = STR("");
    assert_ok(gen_think_vocabulary_init(&v, gen_think_find(STR("</think>")), bytes, &f), &f);
    assert_int_equal(v.open_id, OPEN_ID);
    /* begun by the prompt; the tag comes byte by byte */
    gen_think_mask_init(&m, &v, GEN_THINK_ON, &inner);
    assert_true(!may(&m, END_ID) && may(&m, GOES_ON_ID));
    go(&m, "x </b> y </think");
    assert_true(!may(&m, GOES_ON_ID) && may(&m, SPACE_ID)); /* ">{" would be the grammar's */
    assert_int_equal(m.mask.forced(m.mask.self, ids, 4), 0);
    go(&m, ">");
    assert_true(!may(&m, 'x') && !may(&m, OPEN_ID) && may(&m, '{'));
    assert_int_equal(m.mask.forced(m.mask.self, ids, 4), 1);
    go(&m, "{");
    assert_string_equal(accepted.p, "{");
    /* the model may think or not */
    gen_think_mask_init(&m, &v, GEN_THINK_MAYBE, &inner);
    assert_true(may(&m, OPEN_ID) && may(&m, '{') && !may(&m, 'x') && !may(&m, END_ID));
    assert_int_equal(m.mask.forced(m.mask.self, ids, 4), 0);
    assert_ok(m.mask.accept(m.mask.self, OPEN_ID, &f), &f);
    go(&m, "x");
    assert_ok(m.mask.accept(m.mask.self, CLOSE_ID, &f), &f);
    go(&m, "{");
    assert_string_equal(accepted.p, "{{");
    gen_think_mask_init(&m, &v, GEN_THINK_MAYBE, &inner);
    go(&m, "{");
    assert_true(!may(&m, OPEN_ID));
    gen_think_vocabulary_deinit(&v);
}

/* ---- a small tokenizer ---- */

static int setup(void **state) {
    (void)state;
    static str pieces[VOCABULARY];
    static int32_t types[VOCABULARY];
    static float scores[VOCABULARY];
    static const char *const more[] = {"<think>", "</think>", ">{", "> ", "<|end|>"};
    fail f = {0};
    arena_init(&a, 0);
    for (int i = 0; i < 256; i++) {
        pieces[i] = arena_printf(&a, "<0x%02X>", i);
        types[i] = TOKEN_BYTE;
    }
    for (int i = OPEN_ID; i < VOCABULARY; i++) {
        pieces[i] = str_from(more[i - OPEN_ID]);
        types[i] = i == END_ID ? TOKEN_CONTROL : TOKEN_USER;
    }
    token_source s = TOKEN_SOURCE_NONE;
    s.kind = STR("llama");
    s.pieces = pieces;
    s.piece_count = VOCABULARY;
    s.types = types;
    s.scores = scores;
    s.eos = END_ID;
    s.add_space_prefix = 0;
    assert_ok(tokenizer_open(&bytes, &s, &f), &f);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    tokenizer_close(bytes);
    arena_deinit(&a);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_told_apart_however_it_is_cut),
        cmocka_unit_test(tokens_are_counted),
        cmocka_unit_test(stops_count_in_what_is_said),
        cmocka_unit_test(published_templates_say_where_it_begins),
        cmocka_unit_test(a_grammar_holds_behind_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

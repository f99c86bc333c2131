/* t_gen_tools.c - tests gen_tools, gen_prompt and gen_calls without a model: which form a
 * template's calls have, what the template sees, and that what is written by a form is written by
 * its grammar and read back the same, in whatever pieces it comes. */
#include "test_arena.h"

#include "gen/gen_calls.h"
#include "gen/gen_prompt.h"

#include "../token/chat_make.h"

/* ---- templates, small ones of each family ---- */

#define TALK(begin, call, end)                                                           \
    "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<{{ m.role }}>" \
    "{{ m.content }}{% if m.tool_calls %}" begin "{% for t in m.tool_calls %}" call      \
    "{% endfor %}" end "{% endif %}{% endfor %}"
#define NAMED(key) \
    "{\"name\": \"{{ t.function.name }}\", \"" key "\": {{ t.function.arguments | tojson }}}"

static const char hermes[] = TALK("", "<tool_call>\n" NAMED("arguments") "\n</tool_call>", "");
static const char llama[] = TALK("", NAMED("parameters"), "");
static const char mistral[] = TALK("[TOOL_CALLS][", NAMED("arguments"), "]");
static const char mistral_args[] =
    TALK("", "[TOOL_CALLS]{{ t.function.name }}[ARGS]{{ t.function.arguments | tojson }}", "");
static const char granite[] =
    "{% if tools %}{{ tools | tojson }} write <|tool_call|> followed by a JSON list{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
static const char phi[] =
    "{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and "
    "message['tools'] is not none %}{{ '<|system|>' + message['content'] + '<|tool|>' + "
    "message['tools'] + '<|/tool|>' }}{% else %}{{ '<|' + message['role'] + '|>' + "
    "message['content'] }}{% endif %}{% endfor %}";
static const char plain[] = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
static const char strict[] = /* no system, turn by turn */
    "{% for m in messages %}{% if m.role not in ['user', 'assistant'] or (m.role == 'user') != "
    "(loop.index0 % 2 == 0) %}{{ raise_exception('no') }}{% endif %}<{{ m.role }}>{{ m.content }}"
    "{% endfor %}";

static const struct family {
    const char *template, *name;
    bool calls_as_text, results_as_user, no_system;
} families[] = {
    {hermes, "hermes", false, false, false},
    {llama, "llama 3", false, false, false},
    {mistral, "mistral", false, false, false},
    {mistral_args, "mistral with [ARGS]", false, false, false},
    {granite, "granite 3", true, false, false},
    {phi, "phi 4", true, false, false},
    {plain, "words", true, true, false},
    {strict, "words", true, true, true},
};
enum { FAMILIES = sizeof families / sizeof *families };

static tokenizer *some_tokenizer;

static chat *open_family(size_t i, gen_tools *t) {
    fail f;
    chat *c = chat_make(some_tokenizer, str_from(families[i].template));
    assert_ok(gen_tools_find(t, c, str_from(families[i].template), &f), &f);
    return c;
}

static void families_are_told_apart(void **state) {
    (void)state;
    for (size_t i = 0; i < FAMILIES; i++) {
        gen_tools t;
        chat_close(open_family(i, &t));
        assert_string_equal(t.format->name, families[i].name);
        assert_int_equal(t.calls_as_text, families[i].calls_as_text);
        assert_int_equal(t.results_as_user, families[i].results_as_user);
        assert_int_equal(t.no_system, families[i].no_system);
    }
    gen_tools t;
    fail f;
    assert_ok(gen_tools_find(&t, NULL, STR(""), &f), &f);
    assert_string_equal(t.format->name, "words");
}

/* Templates as they are published. */
static void published_templates(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"Qwen-Qwen2.5-7B-Instruct", "hermes"},
        {"Qwen-Qwen3-0.6B", "hermes"},
        {"Qwen-QwQ-32B", "hermes"},
        {"ibm-granite-granite-4.0", "hermes"},
        {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "hermes"},
        {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "hermes"},
        {"meta-llama-Llama-3.1-8B-Instruct", "llama 3"},
        {"meta-llama-Llama-3.2-3B-Instruct", "llama 3"},
        {"meta-llama-Llama-3.3-70B-Instruct", "llama 3"},
        {"mistralai-Mistral-Nemo-Instruct-2407", "mistral"},
        {"unsloth-mistral-Devstral-Small-2507", "mistral with [ARGS]"},
        {"ibm-granite-granite-3.3-2B-Instruct", "granite 3"},
        {"HuggingFaceTB-SmolLM3-3B", "words"},
        {"microsoft-Phi-3.5-mini-instruct", "words"},
        {"google-gemma-2-2b-it", "words"},
        {"Qwen3-Coder", "words"}, /* calls in XML: no row */
        {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "words"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str path = arena_printf(&a, "chat-templates/%s.jinja", rows[i][0]), text;
        gen_tools t;
        fail f;
        assert_ok(file_read(&a, test_data(path.p), 0, &text, &f), &f);
        chat *c = chat_make(some_tokenizer, text);
        assert_ok(gen_tools_find(&t, c, text, &f), &f);
        if (strcmp(t.format->name, rows[i][1]) != 0)
            fail_msg("%s: %s, not %s", rows[i][0], t.format->name, rows[i][1]);
        chat_close(c);
    }
}

/* ---- what the template sees ---- */

static gen_tool tools[] = {{.name = STR("add"), .description = STR("Adds two numbers")},
                           {.name = STR("math.sub-2"), .description = STR("")}};
static const gen_call made[] = {{STR("call00001"), STR("add"), STR("{\"a\": 1}")},
                                {STR("call00002"), STR("math.sub-2"), STR("{}")}};

static gen_request some_request(void) {
    static gen_message m[] = {
        {.role = GEN_USER, .content = STR("1+1?")},
        {.role = GEN_ASSISTANT, .content = STR(""), .calls = made, .n_calls = 2},
        {.role = GEN_TOOL, .content = STR("two"), .call_id = STR("call00001")},
        {.role = GEN_TOOL, .content = STR("none"), .call_id = STR("call00002")},
        {.role = GEN_USER, .content = STR("And?")}};
    tools[0].parameters =
        chat_make_json(&a, "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}");
    return (gen_request){.messages = m, .n_messages = 5, .tools = tools, .n_tools = 2, .arena = &a};
}

static const char *prompt_of(size_t family, const gen_request *rq) {
    gen_tools t;
    fail f;
    chat_input in;
    chat_text text;
    str all;
    chat *c = open_family(family, &t);
    assert_ok(gen_prompt_make(&in, &t, rq, &f), &f);
    if (chat_render(c, &a, &in, &text, &f) != E_OK)
        fail_msg("%s: %s", families[family].name, f.text);
    assert_ok(chat_join(&a, &text, &all, &f), &f);
    chat_close(c);
    return arena_z(&a, all);
}

static void every_template_sees_all(void **state) {
    (void)state;
    gen_request rq = some_request();
    for (size_t i = 0; i < FAMILIES; i++) {
        const char *p = prompt_of(i, &rq);
        const char *const parts[] = {
            "Adds two numbers", "1+1?", "add", "math.sub-2", "two", "none", "And?", "{\"a\": 1}"};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            if (!strstr(p, parts[k])) fail_msg("%s: no %s in %s", families[i].name, parts[k], p);
    }
    rq.tool_choice = GEN_TOOLS_NONE;
    for (size_t i = 0; i < FAMILIES; i++)
        assert_null(strstr(prompt_of(i, &rq), "Adds two numbers"));
}

static void words_are_exact(void **state) {
    (void)state;
    gen_request rq = some_request();
    rq.n_tools = 1;
    const char *p = prompt_of(6, &rq);
    assert_ptr_equal(strstr(p, "<system>You can call functions."), p);
    assert_non_null(strstr(p, "\n{\"name\":\"add\",\"description\":\"Adds two numbers\","
                              "\"parameters\":{\"type\":\"object\""));
    assert_non_null(
        strstr(p, "<assistant><tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n"
                  "</tool_call>\n<tool_call>\n{\"name\": \"math.sub-2\", \"arguments\": {}}\n"
                  "</tool_call><user><tool_response>\ntwo\n</tool_response>\n"
                  "<tool_response>\nnone\n</tool_response>\n\nAnd?"));
    p = prompt_of(7, &rq); /* no system: the words stand in the first question */
    assert_ptr_equal(strstr(p, "<user>You can call functions."), p);
}

static void refuses_what_cannot_be(void **state) {
    (void)state;
    gen_tools t;
    fail f;
    const gen_tools_plan *plan;
    chat_close(open_family(1, &t)); /* llama: calls are bare JSON */
    gen_request rq = some_request();
    rq.shape.kind = GEN_SHAPE_JSON;
    assert_int_equal(gen_tools_plan_make(&plan, &t, &rq, &f), E_UNSUPPORTED);
    rq.shape.kind = GEN_SHAPE_NONE;
    rq.tool_choice = GEN_TOOLS_ONE;
    rq.tool_name = STR("mul");
    assert_int_equal(gen_tools_plan_make(&plan, &t, &rq, &f), E_INPUT);
    assert_non_null(strstr(f.text, "\"mul\""));
    rq.tool_choice = GEN_TOOLS_AUTO;
    gen_tool twice[] = {tools[0], tools[0]}, bad[] = {{.name = STR("a b")}};
    rq.tools = twice;
    assert_int_equal(gen_tools_plan_make(&plan, &t, &rq, &f), E_INPUT);
    rq.tools = bad;
    rq.n_tools = 1;
    assert_int_equal(gen_tools_plan_make(&plan, &t, &rq, &f), E_INPUT);
    assert_non_null(strstr(f.text, "\"a b\""));
    rq.n_tools = 0;
    assert_ok(gen_tools_plan_make(&plan, &t, &rq, &f), &f);
    assert_null(plan);
}

/* ---- written, held, read ---- */

typedef struct heard {
    char text[512], arguments[GEN_CALLS_MAX][512], names[GEN_CALLS_MAX][64];
    size_t n;
} heard;

static err hear(void *self, const gen_event *e, fail *f) {
    heard *h = self;
    (void)f;
    if (!e->call) {
        strncat(h->text, arena_z(&a, e->text), sizeof h->text - strlen(h->text) - 1);
        return E_OK;
    }
    assert_int_equal(e->call_index, e->call_begins ? h->n : h->n - 1);
    if (e->call_begins) {
        assert_true(e->call->id.n >= 9);
        snprintf(h->names[h->n++], sizeof h->names[0], "%.*s", STR_ARG(e->call->name));
    }
    strncat(h->arguments[e->call_index], arena_z(&a, e->text), 500);
    return E_OK;
}

/* Feeds the text in pieces of 1 to `most` bytes. */
static void read_back(const gen_tools_plan *plan, const gen_request *rq, const char *text,
                      uint64_t most, heard *h, gen_calls *c) {
    fail f;
    static uint64_t x = 88172645463325252ull;
    size_t n = strlen(text);
    memset(h, 0, sizeof *h);
    gen_calls_init(c, plan, rq, (gen_sink){.self = h, .put = hear});
    for (size_t at = 0; at < n;) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t step = 1 + (size_t)(x % most);
        if (step > n - at) step = n - at;
        assert_ok(gen_calls_put(c, &(gen_event){.text = {text + at, step}}, &f), &f);
        at += step;
    }
    assert_ok(gen_calls_end(c, &f), &f);
}

static bool written(const gen_tools_plan *plan, const char *text) {
    grammar *g;
    fail f;
    bool yes;
    assert_ok(grammar_open_calls(&g, &plan->grammar, &f), &f);
    assert_ok(grammar_matches(g, str_from(text), &yes, &f), &f);
    grammar_close(g);
    return yes;
}

static const char *calls_text(const gen_tools_format *format, size_t n, const char *before) {
    buf b = {0};
    buf_put_z(&b, before);
    gen_tools_write_calls(format, made, n, &b);
    const char *z = arena_z(&a, buf_str(&b));
    buf_deinit(&b);
    return z;
}

static void forms_are_held_and_read(void **state) {
    (void)state;
    for (size_t i = 0; i < FAMILIES; i++) {
        gen_tools t;
        fail f;
        heard h;
        gen_calls c;
        const gen_tools_plan *plan;
        gen_request rq = some_request();
        chat_close(open_family(i, &t));
        assert_ok(gen_tools_plan_make(&plan, &t, &rq, &f), &f);
        const gen_tools_format *format = t.format;
        size_t n = format->single ? 1 : 2;
        bool anchored = format->anchored;
        const char *text = calls_text(format, n, anchored ? "" : "Wait, \xc3\xa4 < [ {\n\n");
        assert_true(written(plan, text));
        assert_true(written(plan, "An answer { [TOOL <tool_cal"));
        char cut[512];
        snprintf(cut, sizeof cut, "%.*s", (int)strlen(text) - 1, text);
        assert_false(written(plan, cut));
        for (uint64_t most = 1; most < 40; most += 3) {
            read_back(plan, &rq, text, most, &h, &c);
            assert_int_equal(h.n, n);
            assert_int_equal(c.n_calls, n);
            assert_string_equal(h.text, anchored ? "" : "Wait, \xc3\xa4 < [ {");
            for (size_t k = 0; k < n; k++) {
                assert_true(str_is(made[k].name, h.names[k]));
                assert_true(str_is(made[k].arguments, h.arguments[k]));
                assert_true(str_eq(made[k].arguments, c.calls[k].arguments));
                assert_true(!format->short_ids || c.calls[k].id.n == 9);
            }
            gen_calls_deinit(&c);
            read_back(plan, &rq, "An answer { [TOOL <tool_cal ", most, &h, &c);
            assert_string_equal(h.text, "An answer { [TOOL <tool_cal ");
            assert_int_equal(c.n_calls, 0);
            gen_calls_deinit(&c);
        }
    }
}

/* However many bytes of it came, only whole calls count. */
static void cut_calls_do_not_count(void **state) {
    (void)state;
    for (size_t i = 0; i < FAMILIES; i++) {
        gen_tools t;
        fail f;
        heard h;
        gen_calls c;
        const gen_tools_plan *plan;
        gen_request rq = some_request();
        chat_close(open_family(i, &t));
        assert_ok(gen_tools_plan_make(&plan, &t, &rq, &f), &f);
        const char *text = calls_text(t.format, 1, "");
        size_t whole = (size_t)(strstr(text, "{\"a\": 1}") - text) + 8;
        for (size_t n = 0; n <= strlen(text); n++) {
            char part[512];
            snprintf(part, sizeof part, "%.*s", (int)n, text);
            read_back(plan, &rq, part, 5, &h, &c);
            assert_int_equal(c.n_calls, n >= whole);
            gen_calls_deinit(&c);
        }
    }
}

static void stops_count_in_the_text_only(void **state) {
    (void)state;
    static const str stops[] = {STR("END"), STR("\n\n"), STR("add")};
    gen_tools t;
    fail f;
    heard h;
    gen_calls c;
    const gen_tools_plan *plan;
    gen_request rq = some_request();
    rq.stops = stops;
    rq.n_stops = 3;
    chat_close(open_family(0, &t));
    assert_ok(gen_tools_plan_make(&plan, &t, &rq, &f), &f);
    for (uint64_t most = 1; most < 12; most++) {
        read_back(plan, &rq, calls_text(t.format, 2, "Let EN me "), most, &h, &c);
        assert_string_equal(h.text, "Let EN me");
        assert_int_equal(c.n_calls, 2); /* one of them is named as a stop */
        assert_false(c.stopped);
        gen_calls_deinit(&c);
        read_back(plan, &rq, "ab END <tool_call>", most, &h, &c);
        assert_string_equal(h.text, "ab ");
        assert_true(c.stopped && c.stop == 0);
        gen_calls_deinit(&c);
        read_back(plan, &rq, "ab\n\ncd", most, &h, &c);
        assert_string_equal(h.text, "ab");
        assert_true(c.stopped && c.stop == 1);
        gen_calls_deinit(&c);
    }
}

/* JSON for an answer that calls nothing may hold the trigger's text. */
static void an_answer_of_a_form(void **state) {
    (void)state;
    gen_tools t;
    fail f;
    heard h;
    gen_calls c;
    const gen_tools_plan *plan;
    gen_request rq = some_request();
    rq.shape.kind = GEN_SHAPE_JSON;
    chat_close(open_family(0, &t));
    assert_ok(gen_tools_plan_make(&plan, &t, &rq, &f), &f);
    assert_true(written(plan, "{\"x\": \"<tool_call>\"}"));
    assert_true(written(plan, calls_text(t.format, 2, "")));
    assert_false(written(plan, "words"));
    assert_false(written(plan, calls_text(t.format, 2, "words ")));
    read_back(plan, &rq, "{\"x\": \"<tool_call>\"}", 7, &h, &c);
    assert_string_equal(h.text, "{\"x\": \"<tool_call>\"}");
    gen_calls_deinit(&c);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(families_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(published_templates, setup, teardown),
        cmocka_unit_test_setup_teardown(every_template_sees_all, setup, teardown),
        cmocka_unit_test_setup_teardown(words_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(forms_are_held_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_calls_do_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_count_in_the_text_only, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_of_a_form, setup, teardown),
    };
    some_tokenizer = chat_make_tokenizer(0);
    int failed = cmocka_run_group_tests_name("gen: tools", tests, NULL, NULL);
    tokenizer_close(some_tokenizer);
    return failed;
}

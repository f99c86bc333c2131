/* t_grammar_calls.c - tests grammar/grammar_calls.c: what is a call and what is free text, tokens
 * that reach from one into the other, schemas that close objects; and over the tools of the
 * Berkeley Function Calling Leaderboard: how many schemas are held, and that the answers which it
 * calls right can be written. */
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "grammar/grammar.h"

#include "test_arena.h"

static const json *parsed(const char *text) {
    const json *v;
    fail f;
    char *copy = arena_z(&a, str_from(text));
    for (char *c = copy; *c; c++)
        if (*c == '\'') *c = '"';
    assert_ok(json_parse(&a, str_from(copy), &v, &f), &f);
    return v;
}

static bool writes(const grammar_calls *calls, const char *text) {
    grammar *g;
    fail f;
    bool yes;
    assert_ok(grammar_open_calls(&g, calls, &f), &f);
    assert_ok(grammar_matches(g, str_from(text), &yes, &f), &f);
    grammar_close(g);
    return yes;
}

/* <c>[add {...}, sub {};] */
static grammar_calls two_tools(void) {
    static grammar_call items[2];
    items[0] = (grammar_call){
        .name = STR("add"),
        .before = STR("add "),
        .arguments =
            parsed("{'type':'object','properties':{'a':{'type':'integer'}},'required':['a']}")};
    items[1] = (grammar_call){.name = STR("sub"), .before = STR("sub "), .after = STR(";")};
    return (grammar_calls){.trigger = STR("<c>"),
                           .lead = STR("["),
                           .items = items,
                           .n = 2,
                           .between = STR(", "),
                           .close = STR("]"),
                           .most = 3};
}

static void free_text_and_calls(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool automatic, required, anchored;
    } rows[] = {
        {"", true, false, true},
        {"Hello <c <b>c>", true, false, true},
        {"<c>[add {\"a\":1}]", true, true, true},
        {"Well: <c>[add {\"a\": 1}, sub {};, add {\"a\":-7}]", true, false, true},
        {"<<c>[sub {};]", true, false, true},
        {"Well: <c>", false, false, true},
        {"<c>[add {\"a\":1}", false, false, false},
        {"<c>[]", false, false, false},
        {"<c>[add {}]", false, false, false},
        {"<c>[add {\"a\":\"1\"}]", false, false, false},
        {"<c>[add {\"a\":1,\"b\":2}]", false, false, false}, /* it names its properties */
        {"<c>[mul {\"a\":1}]", false, false, false},
        {"<c>[add {\"a\":1}] and", false, false, false},
        {"<c>[sub {};, sub {};, sub {};, sub {};]", false, false, false},
        {"\xff\xfe raw \x80", true, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        grammar_calls c = two_tools();
        if (writes(&c, rows[i].text) != rows[i].automatic) fail_msg("auto: %s", rows[i].text);
        c.required = true;
        if (writes(&c, rows[i].text) != rows[i].required) fail_msg("required: %s", rows[i].text);
        c.required = false;
        c.anchored = true;
        if (writes(&c, rows[i].text) != rows[i].anchored) fail_msg("anchored: %s", rows[i].text);
    }
}

static void errors_name_the_tool(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"{'properties':{'x':{'type':'array','uniqueItems':true}}}", "add: "},
        {"{'type':'string'}", "add: no arguments"},
        {"{'properties':{'x':false},'required':['x']}", "add: no arguments"},
        {"{'type':7}", "add: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        grammar_calls c = two_tools();
        grammar_call item = c.items[0];
        grammar *g;
        fail f;
        item.arguments = parsed(bad[i][0]);
        c.items = &item;
        c.n = 1;
        assert_int_not_equal(grammar_open_calls(&g, &c, &f), E_OK);
        if (strncmp(f.text, bad[i][1], strlen(bad[i][1])) != 0) fail_msg("%s", f.text);
    }
}

static void objects_are_closed_where_they_name(void **state) {
    (void)state;
    static const struct {
        const char *schema, *yes, *no;
    } rows[] = {
        {"{}", "{\"x\":1}", "[1]"},
        {"{'type':'object','properties':{}}", "{}", "{\"x\":1}"},
        {"{'properties':{'a':{}},'additionalProperties':true}", "{\"x\":1}", "1"},
        {"{'properties':{'o':{'type':'object','properties':{'a':{}}}}}", "{\"o\":{\"a\":2}}",
         "{\"o\":{\"b\":2}}"},
        {"{'properties':{'o':{'type':'object'}}}", "{\"o\":{\"b\":2}}", "{\"o\":1}"},
        {"{'properties':{'a':{}},'minProperties':2}", "{\"a\":1,\"x\":1}", "{\"a\":1}"},
        {"{'$defs':{'n':{'type':'integer'}},'properties':{'a':{'$ref':'#/$defs/n'}}}", "{\"a\":2}",
         "{\"a\":\"2\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        grammar_call item = {
            .name = STR("f"), .before = STR("f "), .arguments = parsed(rows[i].schema)};
        grammar_calls c = {
            .trigger = STR("!"), .items = &item, .n = 1, .most = 1, .required = true};
        char text[128];
        snprintf(text, sizeof text, "!f %s", rows[i].yes);
        if (!writes(&c, text)) fail_msg("%s: not %s", rows[i].schema, rows[i].yes);
        snprintf(text, sizeof text, "!f %s", rows[i].no);
        if (writes(&c, text)) fail_msg("%s: %s", rows[i].schema, rows[i].no);
    }
}

/* ---- masks: every token tried byte by byte, wherever a random walk comes ---- */

static const char *const words[] = {"a",   "<",   "c",  ">",      "[",      "add ", "{\"", "a\"",
                                    ":",   "1",   "}",  "]",      "sub ",   "{}",   ";",   ", ",
                                    "<c>", "><c", ">[", "x<c>[s", "<c>[ad", "d {",  "\"",  "\xc3"};
enum { WORDS = sizeof words / sizeof *words, STEPS = 24, RUNS = 60 };

static grammar_vocabulary *open_vocabulary(void) {
    grammar_token tokens[WORDS + 1] = {0};
    grammar_vocabulary *v;
    fail f;
    for (int i = 0; i < WORDS; i++) tokens[i].bytes = str_from(words[i]);
    tokens[WORDS].ends = true;
    assert_ok(grammar_vocabulary_open(&v, tokens, WORDS + 1, &f), &f);
    return v;
}

/* Whether the words, and then one more, are the beginning of what the grammar writes. */
static bool begins(const grammar *g, grammar_vocabulary *v, const int32_t *ids, int n, int32_t id) {
    grammar_walk *w;
    fail f;
    assert_ok(grammar_walk_open(&w, g, v, &f), &f);
    for (int i = 0; i < n; i++) assert_ok(grammar_walk_accept(w, ids[i], &f), &f);
    bool yes = grammar_walk_accept(w, id, NULL) == E_OK;
    grammar_walk_close(w);
    return yes;
}

/* One of the words that may come; -1: none. */
static int32_t step(const grammar *g, grammar_vocabulary *v, grammar_walk *w, const int32_t *ids,
                    int n, uint64_t *seed) {
    uint64_t bits[1] = {0};
    fail f;
    err e = grammar_walk_allowed(w, bits, &f);
    if (e == E_UNSUPPORTED) { /* these few tokens lack the letter */
        for (int32_t k = 0; k < WORDS; k++) assert_false(begins(g, v, ids, n, k));
        return -1;
    }
    assert_ok(e, &f);
    assert_int_equal(bits[0] >> WORDS & 1, grammar_walk_may_end(w));
    for (int32_t k = 0; k < WORDS; k++)
        if ((bits[0] >> k & 1) != begins(g, v, ids, n, k))
            fail_msg("token %s after %d", words[k], n);
    uint64_t may = bits[0] & ((1ull << WORDS) - 1);
    int32_t id = -1;
    while (may && (id < 0 || !(may >> id & 1))) {
        *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
        id = (int32_t)(*seed >> 33) % WORDS;
    }
    return id;
}

static void masks_reach_across_the_trigger(void **state) {
    (void)state;
    grammar_vocabulary *v = open_vocabulary();
    uint64_t seed = 7;
    int across = 0;
    for (int run = 0; run < RUNS; run++) {
        grammar_calls c = two_tools();
        grammar *g;
        grammar_walk *w;
        fail f;
        int32_t ids[STEPS];
        c.required = run % 3 == 1;
        c.anchored = run % 3 == 2;
        assert_ok(grammar_open_calls(&g, &c, &f), &f);
        assert_ok(grammar_walk_open(&w, g, v, &f), &f);
        for (int n = 0; n < STEPS; n++) {
            int32_t id = step(g, v, w, ids, n, &seed);
            if (id < 0) break;
            ids[n] = id;
            across += strstr(words[id], "<c>[") != NULL;
            assert_ok(grammar_walk_accept(w, id, &f), &f);
        }
        grammar_walk_close(w);
        grammar_close(g);
    }
    assert_true(across > 0);
    grammar_vocabulary_close(v);
}

/* ---- the leaderboard's tools ---- */

typedef struct counted {
    int tools, held, answers, reached;
    char why[4096];
} counted;

static void note(counted *n, str name, str what) {
    size_t used = strlen(n->why);
    snprintf(n->why + used, sizeof n->why - used, "  %.*s: %.*s\n", STR_ARG(name), STR_ARG(what));
}

/* Its own names of types as JSON Schema's; NULL: not one of them. */
static const char *type_name(str name) {
    static const char *const names[][2] = {
        {"dict", "object"},     {"HashMap", "object"}, {"Hashtable", "object"},
        {"float", "number"},    {"double", "number"},  {"long", "integer"},
        {"short", "integer"},   {"byte", "integer"},   {"tuple", "array"},
        {"list", "array"},      {"Array", "array"},    {"ArrayList", "array"},
        {"Set", "array"},       {"Queue", "array"},    {"Stack", "array"},
        {"Boolean", "boolean"}, {"String", "string"},  {"char", "string"},
        {"Bigint", "integer"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i][0])) return names[i][1];
    return NULL;
}

static void put_schema(json_writer *w, const json *v, bool type) {
    if (v->kind == JSON_OBJECT) {
        json_begin_object(w);
        for (size_t i = 0; i < v->count; i++) {
            const json_member *m = &v->members[i];
            bool is_type = str_is(m->key, "type") && m->value.kind == JSON_STRING;
            if (is_type && str_is(m->value.string, "any")) continue;
            json_key_str(w, m->key);
            put_schema(w, &m->value, is_type);
        }
        json_end_object(w);
    } else if (v->kind == JSON_ARRAY) {
        json_begin_array(w);
        for (size_t i = 0; i < v->count; i++) put_schema(w, &v->items[i], false);
        json_end_array(w);
    } else if (type && type_name(v->string)) {
        json_put_z(w, type_name(v->string));
    } else {
        json_put_value(w, v);
    }
}

static const json *as_schema(const json *parameters) {
    buf b = {0};
    json_writer w = {.out = &b};
    const json *out;
    fail f;
    put_schema(&w, parameters, false);
    assert_ok(json_parse(&a, arena_str(&a, buf_str(&b)), &out, &f), &f);
    buf_deinit(&b);
    return out;
}

static grammar *open_tool(const json *tool, counted *n) {
    grammar_call item = {.name = json_get(tool, "name")->string,
                         .before = STR("f "),
                         .arguments = as_schema(json_get(tool, "parameters"))};
    grammar_calls c = {.trigger = STR("!"), .items = &item, .n = 1, .most = 1, .required = true};
    grammar *g = NULL;
    fail f;
    n->tools++;
    if (grammar_open_calls(&g, &c, &f) != E_OK) {
        note(n, item.name, str_from(f.text));
        return NULL;
    }
    n->held++;
    return g;
}

/* The first value that is given for each argument; "" there: it may be left out. Objects have
 * values inside of values. */
static void put_right(json_writer *w, const json *v) {
    if (v->kind == JSON_OBJECT) {
        json_begin_object(w);
        for (size_t i = 0; i < v->count; i++) {
            const json *all = &v->members[i].value;
            const json *first = all->kind == JSON_ARRAY && all->count ? &all->items[0] : all;
            if (first->kind == JSON_STRING && !first->string.n) continue;
            json_key_str(w, v->members[i].key);
            put_right(w, first);
        }
        json_end_object(w);
    } else if (v->kind == JSON_ARRAY) {
        json_begin_array(w);
        for (size_t i = 0; i < v->count; i++) put_right(w, &v->items[i]);
        json_end_array(w);
    } else {
        json_put_value(w, v);
    }
}

/* Members in the order of the schema: the order in which they are written. */
static void put_ordered(json_writer *w, const json *call, const json *parameters) {
    const json *p = json_get(parameters, "properties");
    json_begin_object(w);
    for (size_t i = 0; p && i < p->count; i++) {
        const json *v = json_get(call, arena_z(&a, p->members[i].key));
        if (!v || v->kind != JSON_ARRAY || !v->count) continue;
        if (v->items[0].kind == JSON_STRING && !v->items[0].string.n) continue;
        json_key_str(w, p->members[i].key);
        put_right(w, &v->items[0]);
    }
    json_end_object(w);
}

static void check_answer(const grammar *g, const json *tool, const json *call, counted *n) {
    buf b = {0};
    json_writer w = {.out = &b};
    bool yes;
    fail f;
    buf_put_z(&b, "!f ");
    put_ordered(&w, call, json_get(tool, "parameters"));
    n->answers++;
    assert_ok(grammar_matches(g, buf_str(&b), &yes, &f), &f);
    n->reached += yes;
    if (!yes) note(n, json_get(tool, "name")->string, buf_str(&b));
    buf_deinit(&b);
}

static const json *answer_for(const json *right, str id) {
    for (size_t i = 0; right && i < right->count; i++)
        if (str_eq(json_get(&right->items[i], "id")->string, id)) return &right->items[i];
    return NULL;
}

/* JSON Lines as an array. */
static const json *lines(const char *path) {
    str text, line;
    buf b = {0};
    const json *out;
    fail f;
    assert_ok(file_read(&a, test_data(path), 0, &text, &f), &f);
    buf_put_char(&b, '[');
    while (text.p) {
        line = str_trim(str_cut(&text, '\n'));
        if (!line.n) continue;
        if (b.n > 1) buf_put_char(&b, ',');
        buf_put(&b, line);
    }
    buf_put_char(&b, ']');
    assert_ok(json_parse(&a, arena_str(&a, buf_str(&b)), &out, &f), &f);
    buf_deinit(&b);
    return out;
}

static void count_row(const json *row, const json *right, counted *n) {
    const json *all = json_get(row, "function");
    const json *answer = answer_for(right, json_get(row, "id")->string);
    for (size_t i = 0; all && i < all->count; i++) {
        const json *tool = json_at(all, i), *truth = json_get(answer, "ground_truth");
        grammar *g = open_tool(tool, n);
        for (size_t k = 0; g && truth && k < truth->count; k++) {
            const json *call =
                json_get(json_at(truth, k), arena_z(&a, json_get(tool, "name")->string));
            if (call) check_answer(g, tool, call, n);
        }
        grammar_close(g);
    }
}

static void say(const char *name, const counted *n, counted *sum) {
    print_message("%-18s %d of %d schemas held, %d of %d right answers written\n%s", name, n->held,
                  n->tools, n->reached, n->answers, n->why);
    sum->tools += n->tools, sum->held += n->held;
    sum->answers += n->answers, sum->reached += n->reached;
}

/* The tools of its talks of several turns, which stand in files of their own. */
static void count_documents(counted *sum) {
    static const char *const names[] = {"gorilla_file_system", "math_api",        "memory_kv",
                                        "memory_rec_sum",      "memory_vector",   "message_api",
                                        "posting_api",         "ticket_api",      "trading_bot",
                                        "travel_booking",      "vehicle_control", "web_search"};
    counted n = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json *all = lines(arena_printf(&a, "bfcl/multi_turn_func_doc/%s.json", names[i]).p);
        for (size_t k = 0; k < all->count; k++) grammar_close(open_tool(json_at(all, k), &n));
    }
    say("multi_turn", &n, sum);
}

/* docs/QUALITY.md has what this prints. */
static void the_leaderboards_tools(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool answers; /* in JSON */
    } files[] = {{"simple_python", true},     {"multiple", true},     {"parallel", true},
                 {"parallel_multiple", true}, {"irrelevance", false}, {"simple_java", false},
                 {"simple_javascript", false}};
    counted sum = {0};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        counted n = {0};
        str path = arena_printf(&a, "bfcl/BFCL_v4_%s.json", files[i].name),
            right = arena_printf(&a, "bfcl/possible_answer/BFCL_v4_%s.json", files[i].name);
        const json *rows = lines(path.p), *truth = files[i].answers ? lines(right.p) : NULL;
        for (size_t k = 0; k < rows->count; k++) count_row(json_at(rows, k), truth, &n);
        say(files[i].name, &n, &sum);
        arena_reset(&a);
    }
    count_documents(&sum);
    print_message("all                %d of %d schemas held, %d of %d right answers written\n",
                  sum.held, sum.tools, sum.reached, sum.answers);
    assert_true(sum.tools > 2000 && sum.answers > 1700);
    assert_int_equal(sum.held, sum.tools - 1);      /* one has the type "" */
    assert_int_equal(sum.reached, sum.answers - 3); /* three break their own schemas */
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(free_text_and_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_name_the_tool, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_are_closed_where_they_name, setup, teardown),
        cmocka_unit_test_setup_teardown(masks_reach_across_the_trigger, setup, teardown),
        cmocka_unit_test_setup_teardown(the_leaderboards_tools, setup, teardown),
    };
    return cmocka_run_group_tests_name("grammar: calls", tests, NULL, NULL);
}

/* t_template.c - tests the template engine: against Jinja2 (goldens of tools/golden_template.py),
 * who wrote each byte, limits, damage, memory. */
#include "base/file.h"
#include "base/mem.h"
#include "text/csv.h"
#include "text/template.h"
#include "test.h"

static arena a;
static fail f;
static const json *chats; /* golden_template_chats.json */

enum { NOW_MS = 1795466751 }; /* seconds: 2026-11-23 20:45:51 UTC */

static int setup(void **state) {
    (void)state;
    str text;
    arena_init(&a, 0);
    if (file_read(&a, "tests/text/golden_template_chats.json", 0, &text, &f) != E_OK) return -1;
    return json_parse(&a, text, &chats, &f) == E_OK ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    arena_deinit(&a);
    return 0;
}

static err render(str source, const json *values, const json *trusted, buf *out,
                  template_spans *spans) {
    const template *t;
    template_input in = {.values = values, .trusted = trusted, .now_ms = (int64_t)NOW_MS * 1000};
    TRY(template_compile(&a, source, &t, &f));
    return template_render(t, &a, &in, out, spans, &f);
}

static str text_of(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind == JSON_STRING ? x->string : STR_NONE;
}

static const json *chat_named(str name) {
    char key[64];
    snprintf(key, sizeof key, "%.*s", STR_ARG(name));
    return json_get(json_get(chats, "chats"), key);
}

static void same_as_jinja(void **state) {
    (void)state;
    str text;
    size_t line = 0, bad = 0;
    assert_ok(file_read(&a, "tests/text/golden_template.jsonl", 0, &text, &f), &f);
    for (;;) {
        const json *row;
        assert_ok(jsonl_next(&a, "golden", &text, &line, &row, &f), &f);
        if (!row) break;
        str source = text_of(row, "template"), expect = text_of(row, "expect"),
            chat = text_of(row, "chat");
        const json *values = chat.p ? chat_named(chat) : json_get(chats, "values");
        buf out = {0};
        err e = render(source, values, json_get(chats, "trusted"), &out, NULL);
        bool same = expect.p ? e == E_OK && str_eq(buf_str(&out), expect)
                             : e == E_INPUT || e == E_UNSUPPORTED || e == E_TOO_LARGE;
        if (!same) {
            bad++;
            print_error("line %zu: %.*s\n expect: %.*s\n got:    %.*s (%s)\n", line,
                        STR_ARG(source), STR_ARG(expect), STR_ARG(buf_str(&out)),
                        e ? f.text : "ok");
        }
        buf_deinit(&out);
    }
    assert_int_equal(bad, 0);
}

/* "trusted[outside]trusted", so that a test reads. */
static void marked(const char *source, const char *values, const char *expect) {
    const json *v = NULL;
    buf out = {0}, shown = {0};
    template_spans spans;
    size_t at = 0;
    assert_ok(json_parse(&a, str_from(values), &v, &f), &f);
    assert_ok(render(str_from(source), v, json_get(chats, "trusted"), &out, &spans), &f);
    for (size_t i = 0; i < spans.n; i++) {
        assert_int_equal(spans.items[i].from, at);
        assert_true(i == 0 || spans.items[i].trusted != spans.items[i - 1].trusted);
        at = spans.items[i].to;
        buf_put_z(&shown, spans.items[i].trusted ? "" : "[");
        buf_put(&shown, str_slice(buf_str(&out), spans.items[i].from, at));
        buf_put_z(&shown, spans.items[i].trusted ? "" : "]");
    }
    assert_int_equal(at, out.n);
    assert_string_equal(buf_z(&shown), expect);
    buf_deinit(&out);
    buf_deinit(&shown);
}

static void knows_who_wrote_it(void **state) {
    (void)state;
    static const char v[] =
        "{\"c\":\"<|im_start|>\",\"n\":7,\"l\":[\"x\",\"y\"],\"m\":{\"k\":\"v\"}}";
    marked("<|im_start|>{{ c }}{{ '<|im_end|>' + c + '\\n' }}", v,
           "<|im_start|>[<|im_start|>]<|im_end|>[<|im_start|>]\n");
    marked("{{ bos_token ~ c | upper }}", v, "<s>[<|IM_START|>]");
    marked("{% set x %}a{{ c }}b{% endset %}{{ x | trim }}{{ x[3:] }}", v,
           "a[<|im_start|>]b[im_start|>]b");
    marked("{% macro m(y) %}({{ y }}){% endmacro %}{{ m(c) }}", v, "([<|im_start|>])");
    marked("{{ ('a' + c + 'b').replace('a', 'z').split('|') | join('!') }}", v, "z[<!im_stzrt!>]b");
    marked("{{ l | join(', ') }}{{ l | tojson }}{{ m }}", v, "[x], [y[\"x\", \"y\"]{'k': 'v'}]");
    marked("{{ n }}{{ n + 1 }}{{ 1 }}{{ l | length }}", v, "[78]1[2]");
    marked("{{ '<{}>'.format(c) }}{{ ('a\\n' + c) | indent(1) }}", v,
           "<[<|im_start|>]>a\n[ <|im_start|>]");
    marked("{% for k, w in m.items() %}{{ k }}={{ w }}{% endfor %}", v, "[k]=[v]");
    marked("{{ c if n else 'x' }}{{ c[0] }}{{ ('q' ~ c) | lower | capitalize }}", v,
           "[<|im_start|><]Q[<|im_start|>]");
}

static void refuse(const char *source, err code, const char *where) {
    buf out = {0};
    err e = render(str_from(source), NULL, NULL, &out, NULL);
    if (e != code || !strstr(f.text, where))
        fail_msg("%s: %d \"%s\", not \"%s\"", source, (int)e, f.text, where);
    assert_int_equal(out.n, 0);
    buf_deinit(&out);
}

static void names_what_is_wrong(void **state) {
    (void)state;
    refuse("a\n\n{% include 'x' %}", E_UNSUPPORTED, "template line 3: the tag \"include\"");
    refuse("\n{{ 1 | foo }}", E_UNSUPPORTED, "line 2: the filter \"foo\"");
    refuse("\n{{ 1 is foo }}", E_UNSUPPORTED, "line 2: the test \"foo\"");
    refuse("{% if true %}\n{{ 1 | foo }}{% endif %}", E_UNSUPPORTED, "line 2: the filter \"foo\"");
    refuse("{{ 'a'.encode() }}", E_UNSUPPORTED, "the method \"encode\"");
    refuse("{{ 'a'.swapcase() }}", E_UNSUPPORTED, "the method \"swapcase\"");
    refuse("{{ '%a' % 1 }}", E_UNSUPPORTED, "line 1");
    refuse("{{ '{:{}}'.format(1, 2) }}", E_UNSUPPORTED, "fields inside fields");
    refuse("{{ [1] | select | string }}", E_UNSUPPORTED, "writing out a stream");
    refuse("{{ 9223372036854775807 + 1 }}", E_UNSUPPORTED, "64 bits");
    refuse("\n{% if true %}", E_INPUT, "ends before \"elif\"");
    refuse("{{ x.y }}", E_INPUT, "\"x\" is undefined");
    refuse("{{ raise_exception('Roles must alternate') }}", E_INPUT,
           "refuses these messages: Roles must alternate");
    refuse("\xFF", E_INPUT, "UTF-8");
}

static void is_bounded(void **state) {
    (void)state;
    refuse("{% set l = range(9000) %}{% for a in l %}{% for b in l %}{% endfor %}{% endfor %}",
           E_TOO_LARGE, "steps");
    refuse("{{ range(1000000000000) | length }}", E_TOO_LARGE, "template line 1");
    refuse("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", E_TOO_LARGE, "macros");
    refuse("{% set n = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set n.x = n.x "
           "+ n.x %}{% endfor %}",
           E_TOO_LARGE, "template line 1");
    refuse("{% set x = 'a' * 1000000 %}{% for i in range(1000) %}{{ x }}{% endfor %}", E_TOO_LARGE,
           "output");
    refuse("{{ 'a' * 1000000000000 }}", E_TOO_LARGE, "repeated");
    refuse("{{ range(100001) }}", E_TOO_LARGE, "a range of more than 100000");
    refuse("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", E_TOO_LARGE, "loops");
    refuse("{% set n = namespace(x=1) %}{% for i in range(300) %}{% set n.x = [n.x] %}{% endfor %}",
           E_TOO_LARGE, "inside each other more than 200");
    /* 2^60 items to compare or to write, in 60 lists */
    refuse(
        "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor "
        "%}{{ n.x == n.x }}",
        E_TOO_LARGE, "steps");
    refuse(
        "{% set n = namespace(x=1) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor "
        "%}{{ n.x | tojson }}",
        E_TOO_LARGE, "template line 1");
    refuse("{% macro f(x) %}{% if 1 %}{% if 1 %}{% for i in [1] %}{{ [[[f(x)]]] | string | trim }}"
           "{% endfor %}{% endif %}{% endif %}{% endmacro %}{{ f(1) }}",
           E_TOO_LARGE, "levels deep");
    refuse("{{ '%1000000000s' % 1 }}", E_TOO_LARGE, "wide");
    refuse("{{ 'a'.center(100000000) }}", E_TOO_LARGE, "repeated");
    refuse("{{ [1] | batch(1000000000, 0) | list }}", E_TOO_LARGE, "pieces");
    static char text[200000], large[TEMPLATE_SOURCE_BYTES_MAX + 2];
    size_t end = sizeof text - 1;
    memset(large, 'a', sizeof large - 1);
    refuse(large, E_TOO_LARGE, "above the limit");
    memset(text, '(', end);
    memcpy(text, "{{ ", 3);
    refuse(text, E_INPUT, "never closed");
    memset(text + end / 2, ')', end - end / 2);
    memcpy(text + end - 3, " }}", 3);
    refuse(text, E_TOO_LARGE, "nested");
    memset(text + 3, '-', end - 8);
    memcpy(text + end - 5, "1  }}", 5);
    refuse(text, E_TOO_LARGE, "nested");
    for (size_t i = 0; i + 13 < sizeof text; i += 12) memcpy(text + i, "{% if 1 -%} ", 13);
    refuse(text, E_TOO_LARGE, "nested");
    for (size_t i = 3; i < end; i++) text[i] = i & 1 ? '1' : '+';
    memcpy(text, "{{ ", 3);
    memcpy(text + end - 5, " 1 }}", 5);
    refuse(text, E_INPUT, "too long");
}

static void damaged_anyhow(void **state) {
    (void)state;
    static const char doc[] = "{%- set ns = namespace(x='a\\n') -%}\n{% for m in l if m %}{{ "
                              "loop.index ~ m['a'] | tojson(indent=1) }}"
                              "{% else %}{# c #}{{ ns.x[1:] }}{% endfor %}{% macro q(a, b=1) %}{{ "
                              "a }}{% endmacro %}{{ q(2) }}\n";
    size_t n = sizeof doc - 1;
    const json *v = NULL;
    assert_ok(json_parse(&a, STR("{\"l\":[{\"a\":1},{\"a\":[\"x\"]}]}"), &v, &f), &f);
    for (size_t i = 0; i < n * 9; i++) {
        size_t length = i < n ? i : n;
        char *copy = mem_alloc(length ? length : 1);
        memcpy(copy, doc, length);
        if (i >= n) copy[(i - n) / 8] = (char)(copy[(i - n) / 8] ^ (1 << (i & 7)));
        buf out = {0};
        err e = render((str){copy, length}, v, NULL, &out, NULL);
        assert_true(e == E_OK || e == E_INPUT || e == E_UNSUPPORTED || e == E_TOO_LARGE);
        buf_deinit(&out);
        mem_free(copy);
    }
}

static void memory_runs_out(void **state) {
    (void)state;
    err e = E_NO_MEMORY;
    const json *v = NULL;
    assert_ok(json_parse(&a, STR("{\"l\":[\"x\",\"y\"]}"), &v, &f), &f);
    for (int64_t nth = 1; e != E_OK; nth++) {
        arena small;
        const template *t = NULL;
        template_spans spans;
        buf out = {0};
        arena_init(&small, 256);
        mem_fail_at(nth, false);
        e = template_compile(
            &small,
            STR("{% set x %}a{{ l | join('-') }}{% endset %}{{ x }}{{ l | tojson }}{{ l }}"), &t,
            &f);
        template_input in = {.values = v};
        if (e == E_OK) e = template_render(t, &small, &in, &out, &spans, &f);
        mem_fail_at(0, false);
        assert_true(e == E_OK || e == E_NO_MEMORY);
        assert_true(nth < 1000);
        buf_deinit(&out);
        arena_deinit(&small);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_as_jinja, setup, teardown),
        cmocka_unit_test_setup_teardown(knows_who_wrote_it, setup, teardown),
        cmocka_unit_test_setup_teardown(names_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_anyhow, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

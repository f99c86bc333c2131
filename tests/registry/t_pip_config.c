/* Tests of registry/pip_config.c: files and variables as pip reads them. */
#include "test_arena.h"

#include "base/file.h"
#include "registry/pip_config.h"

#include <unistd.h>

static void one_file(void **state) {
    (void)state;
    pip_config c;
    fail f;
    pip_config_init(&c);
    assert_true(str_is(c.index_url, "https://pypi.org/simple"));
    str text = STR("# comment\n[global]\nindex-url = https://u:p@h/simple  \n"
                   "extra_index_url =\n    https://a/simple\n    ; not this\n    https://b/simple\n"
                   "\n; other\nFind-Links: /opt/wheels file:///x\ntrusted-host = h\n"
                   "[download]\nindex-url = https://wrong/\n[install]\nno-index = yes\n");
    assert_ok(pip_config_read(&c, &a, text, "pip.conf", &f), &f);
    assert_true(str_is(c.index_url, "https://u:p@h/simple"));
    assert_int_equal(c.extra_index_url.n, 2);
    assert_true(str_is(c.extra_index_url.items[1], "https://b/simple"));
    assert_int_equal(c.find_links.n, 2);
    assert_true(str_is(c.find_links.items[0], "/opt/wheels"));
    assert_int_equal(c.trusted_host.n, 1);
    assert_true(c.no_index);
    static const char *const bad[] = {"[global\n", "[global]\nnonsense\n", "= x\n"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pip_config_read(&c, &a, str_from(bad[i]), "pip.conf", &f), E_INPUT);
        assert_non_null(strstr(f.text, "\"pip.conf\", line "));
    }
}

static char dir[64];
static const char *vars[8][2];
static const char *get(void *ctx, const char *name) {
    (void)ctx;
    for (size_t i = 0; i < 8 && vars[i][0]; i++)
        if (!strcmp(vars[i][0], name)) return vars[i][1];
    return NULL;
}

static const char *put_file(const char *name, const char *text) {
    char path[256];
    fail f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_ok(file_make_dirs(path, &f), &f);
    *slash = '/';
    assert_ok(file_write(path, str_from(text), 0644, &f), &f);
    return arena_z(&a, str_from(path));
}

static void all_together(void **state) {
    (void)state;
    fail f;
    pip_config c;
    strcpy(dir, "/tmp/bantam-pip-XXXXXX");
    assert_non_null(mkdtemp(dir));
    put_file(".config/pip/pip.conf", "[global]\nindex-url = https://user/\nfind-links = /user\n");
    const char *named = put_file("named.conf", "[global]\nfind-links = /named\n");
    memset(vars, 0, sizeof vars);
    vars[0][0] = "HOME", vars[0][1] = dir;
    assert_ok(pip_config_load(&c, &a, get, NULL, &f), &f);
    assert_true(str_is(c.index_url, "https://user/") && str_is(c.find_links.items[0], "/user"));
    vars[1][0] = "PIP_CONFIG_FILE", vars[1][1] = named;
    vars[2][0] = "PIP_INDEX_URL", vars[2][1] = "https://env/";
    vars[3][0] = "PIP_EXTRA_INDEX_URL", vars[3][1] = "https://e1/ https://e2/";
    vars[4][0] = "PIP_NO_INDEX", vars[4][1] = "";
    assert_ok(pip_config_load(&c, &a, get, NULL, &f), &f);
    assert_true(str_is(c.index_url, "https://env/") && str_is(c.find_links.items[0], "/named"));
    assert_int_equal(c.extra_index_url.n, 2);
    assert_false(c.no_index);
    vars[1][1] = "/dev/null"; /* pip: read no file */
    assert_ok(pip_config_load(&c, &a, get, NULL, &f), &f);
    assert_int_equal(c.find_links.n, 0);
    assert_ok(file_remove_tree(dir, &f), &f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(all_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

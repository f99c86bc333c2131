/* t_cores.c - tests base/cores.c on trees as sysfs shows them. */
#include "base/cores.h"

#include "base/thread.h"
#include "test_files.h"

#include <stdlib.h>

static char root[64];

static void put(const char *path, const char *text) {
    put_file(root, path, text);
}

static int tree_begin(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/bantam-cores-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}
static int tree_end(void **state) {
    (void)state;
    fail f;
    return file_remove_tree(root, &f) == E_OK ? 0 : -1;
}

static void threads_of_a_core_count_once(void **state) {
    (void)state;
    bool allowed[8] = {true, true, true, true, true, true, false, false};
    assert_int_equal(cores_distinct(root, allowed, 8), 6); /* nothing told */
    static const char *const siblings[] = {"0,4\n", "1,5\n", "2-3\n", "2-3\n", "0,4\n", "1,5\n"};
    for (int p = 0; p < 6; p++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 p);
        put(path, siblings[p]);
    }
    assert_int_equal(cores_distinct(root, allowed, 8), 3);
    allowed[0] = allowed[2] = false; /* their siblings stay */
    assert_int_equal(cores_distinct(root, allowed, 8), 3);
    assert_true(cores_count() >= 1 && thread_cores() == cores_count());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_of_a_core_count_once, tree_begin, tree_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

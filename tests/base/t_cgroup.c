/* t_cgroup.c - tests base/cgroup.c on trees as cgroup v1 and v2 show them. */
#include "base/cgroup.h"

#include "test_files.h"

#include <stdlib.h>

static char root[64];

static void put(const char *path, const char *text) {
    put_file(root, path, text);
}

static int tree_begin(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/bantam-cgroup-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}
static int tree_end(void **state) {
    (void)state;
    fail f;
    return file_remove_tree(root, &f) == E_OK ? 0 : -1;
}

static void the_smallest_quota_counts(void **state) {
    (void)state;
    assert_int_equal(cgroup_cores(root), 0);
    put("/proc/self/cgroup", "0::/pod/box\n");
    put("/sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
    assert_int_equal(cgroup_cores(root), 0);
    put("/sys/fs/cgroup/pod/cpu.max", "400000 100000\n");
    assert_int_equal(cgroup_cores(root), 4);
    put("/sys/fs/cgroup/pod/box/cpu.max", "140000 100000\n");
    assert_int_equal(cgroup_cores(root), 1);
    put("/sys/fs/cgroup/pod/box/cpu.max", "160000 100000\n");
    assert_int_equal(cgroup_cores(root), 2);
    put("/sys/fs/cgroup/pod/box/cpu.max", "10000 100000\n");
    assert_int_equal(cgroup_cores(root), 1);
}

static void a_container_sees_its_root(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    assert_int_equal(cgroup_cores(root), 3);
}

static void version_one_counts_too(void **state) {
    (void)state;
    put("/proc/self/cgroup", "9:memory:/x\n5:cpuset:/a\n4:cpu,cpuacct:/docker/ab\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cgroup_cores(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "50000\n");
    assert_int_equal(cgroup_cores(root), 5);
    /* inside a container the group's own folder is mounted at the top */
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cgroup_cores(root), 2);
}

static void rubbish_is_no_limit(void **state) {
    (void)state;
    static const char *const lines[] = {
        "", ":", "0:", "0::", "::::\n", "4:cpu:", "\n\n0::/../..\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put("/proc/self/cgroup", lines[i]);
        assert_int_equal(cgroup_cores(root), 0);
    }
    put("/proc/self/cgroup", "0::/\n");
    static const char *const limits[] = {"", "max", "x y", "100000", "100000 0", "-5 100000"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        put("/sys/fs/cgroup/cpu.max", limits[i]);
        assert_int_equal(cgroup_cores(root), 0);
    }
}

static void memory_is_limited_by_the_smallest_too(void **state) {
    (void)state;
    put("/proc/self/cgroup", "9:memory:/x/y\n0::/unit\n");
    assert_int_equal(cgroup_memory(root), 0);
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/unit/memory.max", "max\n");
    assert_int_equal(cgroup_memory(root), 0);
    put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "314572800\n");
    assert_int_equal(cgroup_memory(root), 314572800);
    put("/sys/fs/cgroup/memory.max", "268435456\n");
    assert_int_equal(cgroup_memory(root), 268435456);
    put("/sys/fs/cgroup/unit/memory.max", "5368709120\n"); /* above 32 bits, and not the smallest */
    assert_int_equal(cgroup_memory(root), 268435456);
    assert_int_equal(cgroup_cores(root), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_smallest_quota_counts, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(a_container_sees_its_root, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(version_one_counts_too, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(rubbish_is_no_limit, tree_begin, tree_end),
        cmocka_unit_test_setup_teardown(memory_is_limited_by_the_smallest_too, tree_begin,
                                        tree_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* t_cores.c - tests base/cores.c on trees as cgroup v1, v2 and sysfs show them. */
#include "base/cores.h"

#include "base/file.h"
#include "base/thread.h"
#include "test.h"

#include <stdlib.h>

static char root[64];

static void put(const char *path, const char *text) {
    char full[512], dir[512];
    fail f;
    snprintf(full, sizeof full, "%s%s", root, path);
    snprintf(dir, sizeof dir, "%s", full);
    *strrchr(dir, '/') = 0;
    assert_ok(file_make_dirs(dir, &f), &f);
    assert_ok(file_write(full, str_from(text), 0644, &f), &f);
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

static void the_smallest_quota_counts(void **state) {
    (void)state;
    assert_int_equal(cores_quota(root), 0);
    put("/proc/self/cgroup", "0::/pod/box\n");
    put("/sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
    assert_int_equal(cores_quota(root), 0);
    put("/sys/fs/cgroup/pod/cpu.max", "400000 100000\n");
    assert_int_equal(cores_quota(root), 4);
    put("/sys/fs/cgroup/pod/box/cpu.max", "140000 100000\n");
    assert_int_equal(cores_quota(root), 1);
    put("/sys/fs/cgroup/pod/box/cpu.max", "160000 100000\n");
    assert_int_equal(cores_quota(root), 2);
    put("/sys/fs/cgroup/pod/box/cpu.max", "10000 100000\n");
    assert_int_equal(cores_quota(root), 1);
}

static void a_container_sees_its_root(void **state) {
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    assert_int_equal(cores_quota(root), 3);
}

static void version_one_counts_too(void **state) {
    (void)state;
    put("/proc/self/cgroup", "9:memory:/x\n5:cpuset:/a\n4:cpu,cpuacct:/docker/ab\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_quota(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "50000\n");
    assert_int_equal(cores_quota(root), 5);
    /* inside a container the group's own folder is mounted at the top */
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_quota(root), 2);
}

static void rubbish_is_no_limit(void **state) {
    (void)state;
    static const char *const lines[] = {
        "", ":", "0:", "0::", "::::\n", "4:cpu:", "\n\n0::/../..\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put("/proc/self/cgroup", lines[i]);
        assert_int_equal(cores_quota(root), 0);
    }
    put("/proc/self/cgroup", "0::/\n");
    static const char *const limits[] = {"", "max", "x y", "100000", "100000 0", "-5 100000"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        put("/sys/fs/cgroup/cpu.max", limits[i]);
        assert_int_equal(cores_quota(root), 0);
    }
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
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_begin, tree_end)
    const struct CMUnitTest tests[] = {
        IN_TREE(the_smallest_quota_counts),    IN_TREE(a_container_sees_its_root),
        IN_TREE(version_one_counts_too),       IN_TREE(rubbish_is_no_limit),
        IN_TREE(threads_of_a_core_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

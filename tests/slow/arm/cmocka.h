/* cmocka.h - as much of cmocka as the kernels' tests use, for a machine that has no cmocka: they
 * are built for Arm and run under an emulator (tests/slow/t_neon.sh). Groups of tests with an
 * initial state and a setup; a failed assertion ends the test; the group returns how many failed.
 */
#ifndef BANTAM_TEST_ARM_CMOCKA_H
#define BANTAM_TEST_ARM_CMOCKA_H

#include <stdio.h>

static jmp_buf arm_back;

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);
    void *initial;
};

#define cmocka_unit_test(f) \
    { #f, f, NULL, NULL }
#define cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, state) \
    { #f, f, setup, state }

#define print_message(...) printf(__VA_ARGS__)
#define fail_msg(...)                                                             \
    do {                                                                          \
        printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"); \
        longjmp(arm_back, 1);                                                     \
    } while (0)
#define skip() longjmp(arm_back, 2)
#define assert_true(x)                \
    do {                              \
        if (!(x)) fail_msg("%s", #x); \
    } while (0)
#define assert_false(x) assert_true(!(x))
#define assert_non_null(x) assert_true((x) != NULL)
#define assert_int_equal(a, b) assert_true((long long)(a) == (long long)(b))
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_memory_equal(a, b, n) assert_true(!memcmp(a, b, n))

static inline int arm_run(const struct CMUnitTest *t, size_t n) {
    volatile int failed = 0;
    for (volatile size_t i = 0; i < n; i++) {
        void *state = t[i].initial;
        int how = setjmp(arm_back);
        if (!how) {
            if (!t[i].setup || !t[i].setup(&state)) t[i].test(&state);
        }
        printf("%s %s\n", how == 1 ? "FAILED" : how == 2 ? "skipped" : "ok", t[i].name);
        if (how == 1) failed++;
    }
    return failed;
}
#define cmocka_run_group_tests(tests, setup, teardown) arm_run(tests, sizeof tests / sizeof *tests)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    (printf("%s:\n", name), arm_run(tests, sizeof tests / sizeof *tests))

#endif

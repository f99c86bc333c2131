/* Tests of base/machine.c: against what the C library and the kernel say by other ways. */
#include "test.h"

#include "base/machine.h"
#include "base/mem.h"
#include "base/thread.h"

#include <string.h>
#include <unistd.h>

static void this_machine(void **state) {
    (void)state;
    static machine m;
    machine_look(&m);
    int64_t pages = sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    assert_true(m.memory_bytes > pages / 10 * 9 && m.memory_bytes < pages / 9 * 10);
    assert_true(m.memory_free_bytes > 0 && m.memory_free_bytes <= m.memory_bytes);
    assert_true(m.cores_allowed >= 1 && m.cores_allowed <= m.cores_online);
    assert_true(thread_cores() <= m.cores_allowed);
    assert_false(machine_has(&m, "no_such_feature"));
#if defined(__x86_64__)
    assert_int_equal(machine_has(&m, "avx2"), __builtin_cpu_supports("avx2") != 0);
    assert_true(machine_has(&m, "sse2"));
    assert_false(machine_has(&m, "ss")); /* a part of a word is no word */
#endif
}

static void the_peak_grows(void **state) {
    (void)state;
    enum { BYTES = 64 << 20 };
    int64_t before = machine_peak_bytes();
    char *p = mem_alloc(BYTES);
    assert_non_null(p);
    memset(p, 1, BYTES);
    __asm__ volatile("" ::"r"(p) : "memory");
    int64_t after = machine_peak_bytes();
    mem_free(p);
    assert_true(before > 0 && after >= before && after >= BYTES / 10 * 8);
    assert_true(machine_peak_bytes() >= after / 100 * 95); /* it is the peak, about */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(this_machine),
                                       cmocka_unit_test(the_peak_grows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kern.c - picks a table by the processor or by name. See kern.h. */
#include "kern/kern.h"

#include "kern/kern_amx_check.h"

#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

static bool always(void) {
    return true;
}
#if defined(__x86_64__)
/* f16c is read from cpuid itself: clang 14 does not know the name. */
static bool has_avx2(void) {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
/* the names stand for what kern_avx512.c is compiled with; the run-time check covers the system's
 * saving of the registers too */
static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}
static bool has_amx(void) {
    return has_avx512() && kern_amx_runs();
}
#elif defined(__aarch64__)
static bool has_dot_products(void) {
    const unsigned long dot_products = 1ul << 20; /* HWCAP_ASIMDDP */
    return (getauxval(AT_HWCAP) & dot_products) != 0;
}
static bool has_matrix_products(void) {
    const unsigned long matrix_products = 1ul << 13; /* HWCAP2_I8MM */
    return has_dot_products() && (getauxval(AT_HWCAP2) & matrix_products) != 0;
}
#endif

/* best first; "f32" is the same sums with or without AVX2 */
static const struct {
    const kern_table *table;
    bool (*runs_here)(void);
    bool automatic;
    bool another_follows; /* of the same name, that runs anywhere */
} kernels[] = {
#if defined(__x86_64__)
    {&kern_amx_table, has_amx, true, false},       {&kern_avx512_table, has_avx512, true, false},
    {&kern_avx2_table, has_avx2, true, false},
#elif defined(__aarch64__)
    {&kern_i8mm_table, has_matrix_products, true, false},
    {&kern_neon_table, has_dot_products, true, false},
#endif
    {&kern_ref_table, always, true, false},
#if defined(__x86_64__)
    {&kern_avx2_f32_table, has_avx2, false, true},
#endif
    {&kern_f32_table, always, false, false},
};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static err no_such(const char *name, fail *f) {
    char built[96] = "";
    size_t n = 0;
    for (int i = 0; i < KERNELS; i++) {
        if (kernels[i].another_follows) continue;
        n += (size_t)snprintf(built + n, sizeof built - n, "%s%s", n ? ", " : "",
                              kernels[i].table->name);
        CHECK(n < sizeof built);
    }
    fail_set(f, E_UNSUPPORTED, "there are no \"%s\" kernels", name);
    return fail_hint(f,
                     "this build has %s (ref: portable, f32: the float reference); without a name "
                     "the fastest is taken",
                     built);
}

err kern_select(const char *name, const kern_table **out, fail *f) {
    for (int i = 0; i < KERNELS; i++) {
        bool wanted = name ? !strcmp(name, kernels[i].table->name) : kernels[i].automatic;
        if (!wanted || (kernels[i].another_follows && !kernels[i].runs_here())) continue;
        if (kernels[i].runs_here()) {
            *out = kernels[i].table;
            return E_OK;
        }
        if (name)
            return fail_set(f, E_UNSUPPORTED, "this processor cannot run the \"%s\" kernels", name);
    }
    return no_such(name ? name : "", f);
}

/* kern_probe.c - picks the probe of a kernel table; a portable one. See kern_probe.h. */
#include "kern/kern_probe.h"

#include "kern/kern.h"

#include <string.h>

enum { LANES = 32, LINE = 64, AHEAD = 4096 };

/* The compiler may not know that nothing changes from round to round. */
#define KEEP(v) __asm__ volatile("" : "+m"(v))

static void ref_int8(int64_t rounds) {
    int32_t sum[LANES] = {0}, a[LANES] = {1}, b[LANES] = {2};
    for (int64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < LANES; i++) sum[i] += a[i] * b[i];
        KEEP(sum);
    }
}

static void ref_f32(int64_t rounds) {
    float sum[LANES] = {0}, a[LANES] = {1}, b[LANES] = {2};
    for (int64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < LANES; i++) sum[i] += a[i] * b[i];
        KEEP(sum);
    }
}

static uint64_t ref_read(const void *p, size_t bytes) {
    const char *from = p;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += LINE) {
        uint64_t v[LINE / sizeof(uint64_t)];
        __builtin_prefetch(from + i + AHEAD);
        memcpy(v, from + i, sizeof v);
        for (size_t k = 0; k < sizeof v / sizeof *v; k++) sum += v[k];
    }
    return sum;
}

const kern_probe kern_probe_ref = {.int8_ops = 2 * LANES,
                                   .f32_ops = 2 * LANES,
                                   .int8 = ref_int8,
                                   .f32 = ref_f32,
                                   .read = ref_read};

const kern_probe *kern_probe_of(const kern_table *table) {
#if defined(__x86_64__)
    /* AMX's own peak is not measured: its kernels are bounded by AVX-512's floats */
    if (!strcmp(table->name, "avx512") || !strcmp(table->name, "amx"))
        return __builtin_cpu_supports("avx512bf16") ? &kern_probe_avx512_bf16 : &kern_probe_avx512;
    if (!strcmp(table->name, "avx2")) return &kern_probe_avx2;
#endif
    (void)table;
    return &kern_probe_ref;
}

/* kern_probe.h - what a machine could do at most: loops that keep the multipliers or the memory
 * busy and nothing else, with the instructions that the kernels use. A benchmark times them on one
 * thread or on all at once and sets its own figures beside them.
 *
 *   start = clock; probe->int8(rounds); GOP/s = rounds * probe->int8_ops / time
 *   start = clock; kept += probe->read(p, bytes);  p far larger than the caches
 *
 * Pure functions, any thread. A multiplication with its addition counts as two operations. */
#ifndef BANTAM_KERN_KERN_PROBE_H
#define BANTAM_KERN_KERN_PROBE_H

#include <stddef.h>
#include <stdint.h>

typedef struct kern_probe {
    int64_t int8_ops, f32_ops, bf16_ops; /* of one round */
    void (*int8)(int64_t rounds);
    void (*f32)(int64_t rounds);
    void (*bf16)(int64_t rounds); /* NULL: no such instruction here */
    /* adds all bytes up, prefetching 4 KiB ahead; bytes a multiple of 64 */
    uint64_t (*read)(const void *p, size_t bytes);
} kern_probe;

extern const kern_probe kern_probe_ref, kern_probe_avx2, kern_probe_avx512;
/* kern_probe_avx512 or, where the processor multiplies bf16 too, this one */
extern const kern_probe kern_probe_avx512_bf16;

struct kern_table;
/* that of the instruction set the table uses */
const kern_probe *kern_probe_of(const struct kern_table *table);

#endif

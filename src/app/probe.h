/* probe.h - what this machine does at most with a team of threads, so that a speed can be set
 * beside it: int8, bf16 and f32 multiplications, and reading memory.
 *
 * Each call measures once for a few hundredths of a second and keeps the best so far: a limit is
 * what was reached when nobody disturbed. One thread. */
#ifndef BANTAM_APP_PROBE_H
#define BANTAM_APP_PROBE_H

#include "base/team.h"
#include "kern/kern.h"

typedef struct probe {
    double int8_gops, bf16_gops,
        f32_gops; /* 1e9 a second; a multiplication and an addition are two */
    double read_gb_s;
} probe;

void probe_compute(probe *p, team *t, const kern_table *kern);
/* Reads a buffer that no cache holds; it is there for this call only. */
err probe_memory(probe *p, team *t, const kern_table *kern, int repetitions, fail *f) MUST_CHECK;

#endif

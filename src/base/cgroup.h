/* cgroup.h - what the control groups of this process allow: its own group and all above it,
 * versions 1 and 2. Any thread. */
#ifndef BANTAM_BASE_CGROUP_H
#define BANTAM_BASE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* `root` stands before every path that is read ("" as a rule; tests have their own trees). The
 * smallest limit counts; 0: none is set. */

/* cpu.max (v2), cpu.cfs_quota_us (v1), to the nearest whole number of cores, at least 1. */
int cgroup_cores(const char *root);
/* memory.max (v2), memory.limit_in_bytes (v1). */
int64_t cgroup_memory(const char *root);

#endif

/* cores.h - how many processor cores this process really has: affinity mask, core topology, cgroup
 * quota. Any thread. thread_cores() in thread.h is what others call. */
#ifndef BANTAM_BASE_CORES_H
#define BANTAM_BASE_CORES_H

#include <stdbool.h>

/* `root` stands before every path that is read ("" as a rule; tests have their own trees). */

/* Cores by the quota of the process's cgroup and of all above it: cpu.max (v2), cpu.cfs_quota_us
 * (v1); the smallest, to the nearest whole number, at least 1. 0: none is set. */
int cores_quota(const char *root);
/* Cores behind the processors p with allowed[p], p < n: threads of one core count once. */
int cores_distinct(const char *root, const bool *allowed, int n);
int cores_count(void);

#endif

/* cores.h - how many processor cores this process really has: affinity mask, core topology, cgroup
 * quota. Any thread. thread_cores() in thread.h is what others call. */
#ifndef BANTAM_BASE_CORES_H
#define BANTAM_BASE_CORES_H

#include <stdbool.h>

/* `root` stands before every path that is read ("" as a rule; tests have their own trees). */

/* Cores behind the processors p with allowed[p], p < n: threads of one core count once. */
int cores_distinct(const char *root, const bool *allowed, int n);
int cores_count(void);

#endif

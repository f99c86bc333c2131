/* cores.c - see cores.h. What cannot be read is taken as no limit: a count too high costs speed, an
 * error here would cost the start. */
#include "base/cores.h"

#include "base/cgroup.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 1024, CPUS_MAX = CPU_SETSIZE };

static bool read_line(const char *path, char *out, int bytes) {
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(out, bytes, file);
    if (file) fclose(file);
    return ok;
}

/* The lowest processor of p's core; p itself where that is not told. "0,64" or "0-1" */
static int first_sibling(const char *root, int p) {
    char path[PATH_BYTES], line[256];
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
             root, p);
    if (!read_line(path, line, sizeof line)) return p;
    int first = atoi(line);
    return first >= 0 && first < CPUS_MAX ? first : p;
}

int cores_distinct(const char *root, const bool *allowed, int n) {
    bool seen[CPUS_MAX] = {false};
    int count = 0;
    for (int p = 0; p < n && p < CPUS_MAX; p++) {
        if (!allowed[p]) continue;
        int core = first_sibling(root, p);
        count += !seen[core];
        seen[core] = true;
    }
    return count;
}

int cores_count(void) {
    cpu_set_t set;
    bool allowed[CPUS_MAX] = {false};
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (size_t p = 0; p < CPUS_MAX; p++) allowed[p] = CPU_ISSET(p, &set);
    int cores = cores_distinct("", allowed, CPUS_MAX), quota = cgroup_cores("");
    if (quota > 0 && quota < cores) cores = quota;
    return cores < 1 ? 1 : cores;
}

/* cores.c - see cores.h. What cannot be read is taken as no limit: a count too high costs speed, an
 * error here would cost the start. */
#include "base/cores.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024, LINES_MAX = 64, DEPTH_MAX = 32, CPUS_MAX = CPU_SETSIZE };

/* ---- quota ---- */

static bool read_line(const char *path, char *out, int bytes) {
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(out, bytes, file);
    if (file) fclose(file);
    return ok;
}

/* quota / period microseconds as whole cores; 0: no limit */
static int cores_of(long long quota_us, long long period_us) {
    if (quota_us <= 0 || period_us <= 0) return 0;
    long long cores = (quota_us + period_us / 2) / period_us;
    return cores < 1 ? 1 : cores > CPUS_MAX ? CPUS_MAX : (int)cores;
}

static int quota_v2(const char *dir) {
    char path[PATH_BYTES + 32], line[128];
    long long quota_us, period_us;
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (!read_line(path, line, sizeof line)) return 0;
    if (sscanf(line, "%lld %lld", &quota_us, &period_us) != 2) return 0; /* "max 100000" */
    return cores_of(quota_us, period_us);
}

static int quota_v1(const char *dir) {
    char path[PATH_BYTES + 32], quota[64], period[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (!read_line(path, quota, sizeof quota)) return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!read_line(path, period, sizeof period)) return 0;
    return cores_of(atoll(quota), atoll(period));
}

static int smaller(int a, int b) {
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

/* The group's folder and every one above it, down to `mount`. */
static int quota_upwards(const char *mount, const char *group, int (*quota)(const char *)) {
    char dir[PATH_BYTES];
    int least = 0, n = snprintf(dir, sizeof dir, "%s%s", mount, strcmp(group, "/") ? group : "");
    if (n < 0 || n >= (int)sizeof dir) return quota(mount);
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        least = smaller(least, quota(dir));
        char *slash = strrchr(dir, '/');
        if (!slash || slash < dir + strlen(mount)) break;
        *slash = 0;
    }
    return smaller(least, quota(mount));
}

/* "cpu" among the controllers "cpu,cpuacct" */
static bool names_cpu(const char *controllers) {
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, "cpu", 3) && (at[3] == ',' || !at[3])) return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static int quota_of_line(const char *root, char *line) {
    char mount[PATH_BYTES];
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return 0;
    *controllers++ = 0;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (!*controllers) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return quota_upwards(mount, group, quota_v2);
    }
    if (!names_cpu(controllers)) return 0;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controllers);
    int least = quota_upwards(mount, group, quota_v1);
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu", root);
    return smaller(least, quota_upwards(mount, group, quota_v1));
}

int cores_quota(const char *root) {
    char path[PATH_BYTES], line[PATH_BYTES];
    int least = 0;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof line, file); i++)
        least = smaller(least, quota_of_line(root, line));
    fclose(file);
    return least;
}

/* ---- topology ---- */

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
    int cores = cores_distinct("", allowed, CPUS_MAX), quota = cores_quota("");
    if (quota > 0 && quota < cores) cores = quota;
    return cores < 1 ? 1 : cores;
}

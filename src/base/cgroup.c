/* cgroup.c - see cgroup.h. A limit too high costs speed or memory, an error here would cost the
 * start: what cannot be read is taken as no limit. */
#include "base/cgroup.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024, LINES_MAX = 64, DEPTH_MAX = 32, CPUS_MAX = CPU_SETSIZE };

/* The limit that one group's folder sets; 0: none. */
typedef int64_t limit_read(const char *dir);

/* A controller, and how its limit is read in version 2 and 1. */
typedef struct controller {
    const char *name;
    limit_read *v2, *v1;
} controller;

static bool read_line(const char *dir, const char *name, char *out, int bytes) {
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    bool ok = file && fgets(out, bytes, file);
    if (file) fclose(file);
    return ok;
}

/* ---- cores ---- */

/* quota / period microseconds as whole cores; 0: no limit */
static int64_t cores_of(long long quota_us, long long period_us) {
    if (quota_us <= 0 || period_us <= 0) return 0;
    long long cores = (quota_us + period_us / 2) / period_us;
    return cores < 1 ? 1 : cores > CPUS_MAX ? CPUS_MAX : cores;
}

static int64_t cores_v2(const char *dir) {
    char line[128];
    long long quota_us, period_us;
    if (!read_line(dir, "cpu.max", line, sizeof line)) return 0;
    if (sscanf(line, "%lld %lld", &quota_us, &period_us) != 2) return 0; /* "max 100000" */
    return cores_of(quota_us, period_us);
}

static int64_t cores_v1(const char *dir) {
    char quota[64], period[64];
    if (!read_line(dir, "cpu.cfs_quota_us", quota, sizeof quota)) return 0;
    if (!read_line(dir, "cpu.cfs_period_us", period, sizeof period)) return 0;
    return cores_of(atoll(quota), atoll(period));
}

/* ---- memory ---- */

/* Version 1 writes "none" as a number near the largest; "max" is no number. */
static int64_t bytes_of(const char *text) {
    long long bytes = atoll(text);
    return bytes > 0 && bytes < (1ll << 60) ? bytes : 0;
}

static int64_t memory_v2(const char *dir) {
    char line[64];
    return read_line(dir, "memory.max", line, sizeof line) ? bytes_of(line) : 0;
}

static int64_t memory_v1(const char *dir) {
    char line[64];
    return read_line(dir, "memory.limit_in_bytes", line, sizeof line) ? bytes_of(line) : 0;
}

/* ---- the groups ---- */

static int64_t smaller(int64_t a, int64_t b) {
    return a == 0 ? b : b == 0 || a < b ? a : b;
}

/* The group's folder and every one above it, down to `mount`. */
static int64_t least_upwards(const char *mount, const char *group, limit_read *limit) {
    char dir[PATH_BYTES];
    int64_t least = 0;
    int n = snprintf(dir, sizeof dir, "%s%s", mount, strcmp(group, "/") ? group : "");
    if (n < 0 || n >= (int)sizeof dir) return limit(mount);
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        least = smaller(least, limit(dir));
        char *slash = strrchr(dir, '/');
        if (!slash || slash < dir + strlen(mount)) break;
        *slash = 0;
    }
    return smaller(least, limit(mount));
}

/* "cpu" among the controllers "cpu,cpuacct" */
static bool names(const char *controllers, const char *name) {
    size_t n = strlen(name);
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, n) && (at[n] == ',' || !at[n])) return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static int64_t limit_of_line(const char *root, char *line, const controller *what) {
    char mount[PATH_BYTES];
    char *controllers = strchr(line, ':'),
         *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return 0;
    *controllers++ = 0;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (!*controllers) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        return least_upwards(mount, group, what->v2);
    }
    if (!names(controllers, what->name)) return 0;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controllers);
    int64_t least = least_upwards(mount, group, what->v1);
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, what->name);
    return smaller(least, least_upwards(mount, group, what->v1));
}

static int64_t least_of(const char *root, const controller *what) {
    char path[PATH_BYTES], line[PATH_BYTES];
    int64_t least = 0;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof line, file); i++)
        least = smaller(least, limit_of_line(root, line, what));
    fclose(file);
    return least;
}

int cgroup_cores(const char *root) {
    static const controller cpu = {"cpu", cores_v2, cores_v1};
    return (int)least_of(root, &cpu);
}

int64_t cgroup_memory(const char *root) {
    static const controller memory = {"memory", memory_v2, memory_v1};
    return least_of(root, &memory);
}

/* machine.c - see machine.h. */
#include "base/machine.h"

#include "base/cgroup.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 };

/* The text after "key   : " of the first line that begins so; false when there is none. */
static int find_line(const char *path, const char *key, char *out, size_t bytes) {
    char line[LINE_BYTES];
    size_t length = strlen(key);
    int found = 0;
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    while (!found && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, length) != 0 || !strchr(" \t:", line[length])) continue;
        const char *at = line + length + strspn(line + length, " \t:");
        snprintf(out, bytes, "%s", at);
        out[strcspn(out, "\n")] = 0;
        found = 1;
    }
    fclose(file);
    return found;
}

/* "MemTotal:  16384 kB" in bytes */
static int64_t find_kilobytes(const char *path, const char *key) {
    char text[64];
    if (!find_line(path, key, text, sizeof text)) return -1;
    return (int64_t)strtoll(text, NULL, 10) * 1024;
}

static void read_word(const char *path, char *out, size_t bytes) {
    FILE *file = fopen(path, "re");
    out[0] = 0;
    if (!file) return;
    if (!fgets(out, (int)bytes, file)) out[0] = 0;
    fclose(file);
    out[strcspn(out, "\n")] = 0;
}

static double read_quota(void) {
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file) return 0;
    long long quota_us, period_us;
    int got = fscanf(file, "%lld %lld", &quota_us, &period_us);
    fclose(file);
    return got == 2 && quota_us > 0 && period_us > 0 ? (double)quota_us / (double)period_us : 0;
}

static void look_processor(machine *m) {
    char flags[MACHINE_FLAGS_BYTES - 2];
    const char *file = "/proc/cpuinfo";
    if (!find_line(file, "model name", m->cpu, sizeof m->cpu))
        if (!find_line(file, "Model", m->cpu, sizeof m->cpu)) m->cpu[0] = 0;
    m->flags[0] = 0;
    if (find_line(file, "flags", flags, sizeof flags) ||
        find_line(file, "Features", flags, sizeof flags))
        snprintf(m->flags, sizeof m->flags, " %s ", flags);
}

void machine_look(machine *m) {
    cpu_set_t set;
    *m = (machine){0};
    look_processor(m);
    m->cores_online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->cores_allowed =
        sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : m->cores_online;
    m->cores_quota = read_quota();
    if (m->cores_quota <= 0) m->cores_quota = cgroup_cores(""); /* another group's, rounded */
    m->memory_bytes = find_kilobytes("/proc/meminfo", "MemTotal");
    m->memory_free_bytes = find_kilobytes("/proc/meminfo", "MemAvailable");
    if (getloadavg(&m->load, 1) != 1) m->load = 0;
    read_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", m->governor,
              sizeof m->governor);
    int64_t limit = cgroup_memory("");
    m->memory_limit_bytes = limit ? limit : -1;
}

int machine_has(const machine *m, const char *flag) {
    char padded[64];
    snprintf(padded, sizeof padded, " %s ", flag);
    return strstr(m->flags, padded) != NULL;
}

int64_t machine_peak_bytes(void) {
    return find_kilobytes("/proc/self/status", "VmHWM");
}

int64_t machine_files_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) soft = limit.rlim_max;
    return soft > INT32_MAX ? INT32_MAX : (int64_t)soft;
}

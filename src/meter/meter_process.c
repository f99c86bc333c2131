/* meter_process.c - see meter_process.h. proc(5): statm counts pages, fd/ has an entry for each. */
#include "meter/meter_process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static int64_t open_files(void) {
    DIR *d = opendir("/proc/self/fd");
    int64_t n = -1; /* itself is one of them */
    if (!d) return -1;
    for (const struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void put_one(buf *out, const char *name, const char *type, const char *help, double v) {
    meter_put_head(out, name, type, help);
    meter_put_double(out, name, NULL, v);
}

static void put_memory(buf *out) {
    long long all = 0, resident = 0;
    FILE *s = fopen("/proc/self/statm", "re");
    if (!s) return;
    int n = fscanf(s, "%lld %lld", &all, &resident);
    fclose(s);
    if (n != 2) return;
    double page = (double)sysconf(_SC_PAGESIZE);
    put_one(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
            (double)resident * page);
    put_one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
            (double)all * page);
}

void meter_put_process(buf *out, int64_t start_ms) {
    struct rusage u;
    struct rlimit files;
    int64_t n = open_files();
    if (getrusage(RUSAGE_SELF, &u) == 0)
        put_one(out, "process_cpu_seconds_total", "counter",
                "Total user and system CPU time spent in seconds.",
                seconds_of(u.ru_utime) + seconds_of(u.ru_stime));
    put_memory(out);
    if (n >= 0)
        put_one(out, "process_open_fds", "gauge", "Number of open file descriptors.", (double)n);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        put_one(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
                (double)files.rlim_cur);
    put_one(out, "process_start_time_seconds", "gauge",
            "When it began to serve, in seconds since the Unix epoch.", (double)start_ms * 1e-3);
}

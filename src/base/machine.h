/* machine.h - what this machine is and gives us: processor, cores, memory, our own peak.
 *
 * Read from /proc, /sys/fs/cgroup and the scheduler; what cannot be read is 0, -1 or empty, never
 * an error: these figures inform, nothing rests on them. Any thread. */
#ifndef BANTAM_BASE_MACHINE_H
#define BANTAM_BASE_MACHINE_H

#include <stdint.h>

enum { MACHINE_NAME_BYTES = 96, MACHINE_FLAGS_BYTES = 4096 };

typedef struct machine {
    char cpu[MACHINE_NAME_BYTES];    /* "AMD EPYC 9R14"; "" not known */
    char flags[MACHINE_FLAGS_BYTES]; /* as the kernel names them, blanks between and around */
    int cores_online, cores_allowed; /* in the machine; in our affinity mask */
    double cores_quota;              /* of the cgroup; 0 = none */
    int64_t memory_bytes, memory_free_bytes; /* in all; to be had without swapping. -1 not known */
    int64_t memory_limit_bytes;              /* of the cgroup; -1 = none */
    double load;                             /* processes that wanted to run, of the last minute */
    char governor[32];                       /* of the clock: "performance"; "" not known */
} machine;

void machine_look(machine *out);
/* Does the kernel name this feature ("avx512_vnni")? */
int machine_has(const machine *m, const char *flag);
/* Lets this process open as many files as it may (the hard limit); how many that is, -1 not known.
 */
int64_t machine_files_raise(void);
int64_t machine_peak_bytes(void); /* most memory this process has had resident; -1 not known */

#endif

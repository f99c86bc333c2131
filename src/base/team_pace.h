/* team_pace.h - whether a team is worth its helpers just now. Pure bookkeeping: no clock, no lock.
 *
 * Beside busy neighbours a helper may be descheduled in the middle of its piece, or take processor
 * time that the caller would otherwise have had. So time is cut into windows, together or alone:
 *
 *     together --slower than alone was, or kept waiting--> alone (ALONE_MIN, then doubling)
 *     alone    --window over--------------------------------> together
 *
 * Rate together: the caller's share of a processor (less what it waited), divided by its share of
 * the pieces; alone: that share. Quiet, they are 2 (for two threads) and 1. A window in which the
 * caller slept of its own will says nothing. Owner: whoever runs the team. */
#ifndef BANTAM_BASE_TEAM_PACE_H
#define BANTAM_BASE_TEAM_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* The calling thread so far. */
typedef struct team_usage {
    uint64_t thread;
    int64_t now_ns, cpu_ns;
    int64_t sleeps; /* times it gave up the processor of its own will */
} team_usage;

typedef struct team_pace {
    bool alone;
    int64_t end_ns;    /* of this window */
    int64_t alone_ns;  /* length of the last pause; 0: none lately */
    double alone_rate; /* in the last window alone; 0: not known */
    team_usage start;
    int64_t pieces, helped, waited_ns, slept; /* in this window */
} team_pace;

/* A run of `pieces`, of which helpers did `helped`; the caller waited, or even slept, for them. */
void team_pace_run(team_pace *p, int64_t pieces, int64_t helped, int64_t waited_ns, bool slept);
/* At end_ns, before a run: what the next window will be. */
void team_pace_judge(team_pace *p, const team_usage *u);
/* A run kept the caller waiting much longer than a piece takes: alone from here on. */
void team_pace_late(team_pace *p, const team_usage *u);

#endif

/* team.h - the compute team: the one group of threads that does numeric work in a process.
 *
 * team_run(work, n) calls work(arg, index, worker) for each index in [0, n) exactly once, spread
 * over the workers (the caller is worker 0) by an atomic counter, and returns when all are done.
 * Results never depend on who ran which index. One run at a time: a second caller waits its turn.
 * Waiting is a short spin and then a futex (condition variable). Where neighbours keep the cores
 * busy, so that helpers are descheduled in the middle of their work, the caller works alone for a
 * while (team_pace.h): two threads are never many times slower than one.
 */
#ifndef BANTAM_BASE_TEAM_H
#define BANTAM_BASE_TEAM_H

#include "base/err.h"

#include <stdint.h>

typedef struct team team;

err team_open(team **out, int threads, fail *f) MUST_CHECK; /* threads < 1: thread_cores() */
void team_close(team *t);                                   /* NULL is fine */
int team_threads(const team *t);
void team_run(team *t, void (*work)(void *arg, int64_t index, int worker), void *arg, int64_t n);

#endif

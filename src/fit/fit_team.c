/* fit_team.c - work over a team, or without one; see fit_int.h. */
#include "fit/fit_int.h"

void fit_run(team *t, void (*work)(void *, int64_t, int), void *arg, int64_t n) {
    if (t) {
        team_run(t, work, arg, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) work(arg, i, 0);
}

int fit_workers(team *t) {
    return t ? team_threads(t) : 1;
}

/* team_pace.c - see team_pace.h. */
#include "base/team_pace.h"

#define MS 1000000ll
static const int64_t TOGETHER_NS = 10 * MS, ALONE_NS_MIN = 20 * MS, ALONE_NS_MAX = 320 * MS;
static const double WORTH = 0.95, CLEARLY = 1.2; /* of the rate alone */

void team_pace_run(team_pace *p, int64_t pieces, int64_t helped, int64_t waited_ns, bool slept) {
    p->pieces += pieces;
    p->helped += helped;
    p->waited_ns += waited_ns;
    p->slept += slept;
}

static void window(team_pace *p, const team_usage *u, bool alone) {
    *p = (team_pace){.alone = alone,
                     .alone_ns = p->alone_ns,
                     .alone_rate = p->alone_rate,
                     .start = *u,
                     .end_ns = u->now_ns + (alone ? p->alone_ns : TOGETHER_NS)};
}

static void pause(team_pace *p, const team_usage *u) {
    p->alone_ns = p->alone_ns ? 2 * p->alone_ns : ALONE_NS_MIN;
    if (p->alone_ns > ALONE_NS_MAX) p->alone_ns = ALONE_NS_MAX;
    window(p, u, true);
}

void team_pace_judge(team_pace *p, const team_usage *u) {
    double wall = (double)(u->now_ns - p->start.now_ns);
    double share = (double)(u->cpu_ns - p->start.cpu_ns - p->waited_ns) / wall;
    bool says = u->thread == p->start.thread && wall > 0 && u->sleeps - p->start.sleeps <= p->slept;
    if (p->alone) {
        if (says) p->alone_rate = share;
        window(p, u, false);
        return;
    }
    if (!says || p->pieces == p->helped || p->pieces == 0) {
        window(p, u, false);
        return;
    }
    double rate = share * (double)p->pieces / (double)(p->pieces - p->helped);
    double alone = p->alone_rate > 0 ? p->alone_rate : 1;
    if (rate >= CLEARLY * alone) p->alone_ns = 0;
    if (rate < WORTH * alone)
        pause(p, u);
    else
        window(p, u, false);
}

void team_pace_late(team_pace *p, const team_usage *u) {
    pause(p, u);
}

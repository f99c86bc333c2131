/* progress.c - see progress.h. */
#include "app/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { PROGRESS_FIRST_NS = 500000000, PROGRESS_EVERY_NS = 100000000 };

void progress_init(progress *p, progress_unit unit) {
    *p = (progress){.unit = unit, .start_ns = clock_mono_ns(), .on = isatty(STDERR_FILENO) == 1};
}

static void put_amount(char out[32], double v, progress_unit unit) {
    if (unit == PROGRESS_COUNT)
        snprintf(out, 32, "%.0f", v);
    else if (v >= 1e9)
        snprintf(out, 32, "%.2f GB", v / 1e9);
    else
        snprintf(out, 32, "%.1f MB", v / 1e6);
}

void progress_put(progress *p, const char *what, uint64_t done, uint64_t total) {
    int64_t now_ns = clock_mono_ns();
    if (!p->on || now_ns - p->start_ns < PROGRESS_FIRST_NS) return;
    if (now_ns - p->last_ns < PROGRESS_EVERY_NS && done < total) return;
    p->last_ns = now_ns;
    p->shown = true;
    double seconds = (double)(now_ns - p->start_ns) * 1e-9, rate = (double)done / seconds;
    char have[32], all[32], each[32];
    put_amount(have, (double)done, p->unit);
    put_amount(all, (double)total, p->unit);
    put_amount(each, rate, p->unit);
    if (!total) {
        fprintf(stderr, "\r\033[K%s  %s  %s/s", what, have, each);
    } else {
        int filled = (int)(20 * done / total);
        double left_s = rate > 0 ? (double)(total - done) / rate : 0;
        fprintf(stderr, "\r\033[K%s  [%.*s%*s] %3d %%  %s of %s  %s/s  %.0f s left", what, filled,
                "====================", 20 - filled, "", (int)(100 * done / total), have, all, each,
                left_s);
    }
    fflush(stderr);
}

void progress_end(progress *p) {
    if (p->shown) fprintf(stderr, "\r\033[K");
    p->shown = false;
    p->on = false; /* a server fits again in the background, and says so in its log */
}

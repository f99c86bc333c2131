/* meter.h - counts and histograms that many threads add to and one reader writes out.
 *
 * A histogram has fixed buckets: adding is two atomic additions, no lock, no memory. A reader sees
 * each number whole, but not all of one instant; as they only grow, a later reading mends it. The
 * text is Prometheus' exposition format 0.0.4.
 *
 * Any thread. Not here: which numbers there are and who may see them (api). */
#ifndef BANTAM_METER_METER_H
#define BANTAM_METER_METER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

typedef _Atomic int64_t meter_count;

enum { METER_BOUNDS_MAX = 20, METER_LABELS_BYTES = 512 };

/* Upper bounds of buckets in seconds, rising; one bucket more takes what is above. */
typedef struct meter_scale {
    const double *bounds; /* [n] */
    size_t n;             /* <= METER_BOUNDS_MAX */
} meter_scale;
extern const meter_scale meter_durations;   /* 10 ms to 82 s, doubling */
extern const meter_scale meter_first_token; /* 1 ms to 10 s */
extern const meter_scale meter_per_token;   /* 0.5 ms to 2.5 s */

typedef struct meter_histogram {
    meter_count counts[METER_BOUNDS_MAX + 1]; /* of each bucket alone */
    meter_count sum_ns;
} meter_histogram; /* all zero = empty */

/* Less than zero and NAN are left out. */
void meter_observe(meter_histogram *h, const meter_scale *scale, double seconds);
int64_t meter_observed(const meter_histogram *h); /* how many */

/* ---- as text ---- */

/* name="value",... with the value escaped; one that has no room is left out. */
typedef struct meter_labels {
    char text[METER_LABELS_BYTES];
    size_t n;
} meter_labels;
void meter_label(meter_labels *l, const char *name, str value);

/* "# HELP" and "# TYPE"; type: "counter", "gauge", "histogram". */
void meter_put_head(buf *out, const char *name, const char *type, const char *help);
/* l may be NULL: none. NAN is written as NaN. */
void meter_put_int(buf *out, const char *name, const meter_labels *l, int64_t v);
void meter_put_double(buf *out, const char *name, const meter_labels *l, double v);
void meter_put_histogram(buf *out, const char *name, const meter_labels *l,
                         const meter_histogram *h, const meter_scale *scale);

#endif

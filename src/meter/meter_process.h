/* meter_process.h - what the kernel says about this process. Any thread; Linux's /proc. */
#ifndef BANTAM_METER_METER_PROCESS_H
#define BANTAM_METER_METER_PROCESS_H

#include "meter/meter.h"

/* The process_* family, as Prometheus' own client libraries name it; what /proc does not tell is
 * left out. start_ms: when the process began to serve. */
void meter_put_process(buf *out, int64_t start_ms);

#endif

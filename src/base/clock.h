/* clock.h - time: wall in milliseconds since 1970 (UTC), monotonic in nanoseconds. Any thread.
 * Tests stop the wall clock with clock_set_test_ms. */
#ifndef BANTAM_BASE_CLOCK_H
#define BANTAM_BASE_CLOCK_H

#include "base/str.h"

enum { CLOCK_TEXT_BYTES = 32 };

int64_t clock_now_ms(void);
int64_t clock_wall_ns(void); /* the same in nanoseconds, and never a test's */
int64_t clock_mono_ns(void);
void clock_sleep_ms(int64_t ms);
void clock_set_test_ms(int64_t now_ms);                  /* 0 = the real clock again */
void clock_text(int64_t ms, char out[CLOCK_TEXT_BYTES]); /* 2026-11-23T20:45:51.123Z */

#endif

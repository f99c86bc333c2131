/* clock.c - see clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_llong clock_test_ms;

static int64_t clock_read(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_now_ms(void) {
    int64_t stopped = atomic_load_explicit(&clock_test_ms, memory_order_relaxed);
    return stopped ? stopped : clock_read(CLOCK_REALTIME) / 1000000;
}
int64_t clock_wall_ns(void) {
    return clock_read(CLOCK_REALTIME);
}
int64_t clock_mono_ns(void) {
    return clock_read(CLOCK_MONOTONIC);
}
void clock_set_test_ms(int64_t now_ms) {
    atomic_store(&clock_test_ms, now_ms);
}

void clock_sleep_ms(int64_t ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

void clock_text(int64_t ms, char out[CLOCK_TEXT_BYTES]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    char date[24];
    gmtime_r(&seconds, &t);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(out, CLOCK_TEXT_BYTES, "%s.%03dZ", date, (int)(ms % 1000));
}

/* stop.c - see stop.h. */
#include "app/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_bool wanted; /* lock-free: a handler may store it, and threads read it */

bool stop_wanted(void) {
    return atomic_load(&wanted);
}

static void on_signal(int number) {
    if (atomic_exchange(&wanted, true)) _exit(128 + number);
}

void stop_take_signals(void) {
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

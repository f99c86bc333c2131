/* stop.c - see stop.h. */
#include "app/stop.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t wanted;

bool stop_wanted(void) {
    return wanted != 0;
}

static void on_signal(int number) {
    if (wanted) _exit(128 + number);
    wanted = 1;
}

void stop_take_signals(void) {
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

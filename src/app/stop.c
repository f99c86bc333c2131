/* stop.c - see stop.h. */
#include "app/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* lock-free: a handler may store them, and threads read them */
static atomic_bool wanted, patient, term, reload;
static atomic_int presses;

bool stop_wanted(void) {
    return atomic_load(&wanted);
}

bool stop_gone(void *ctx) {
    (void)ctx;
    return stop_wanted();
}

void stop_be_patient(void) {
    atomic_store(&patient, true);
}
bool stop_is_term(void) {
    return atomic_load(&term);
}
void stop_forget(void) {
    if (atomic_load(&term)) return;
    atomic_store(&presses, 0);
    atomic_store(&wanted, false);
}

static void on_signal(int number) {
    bool again = atomic_exchange(&wanted, true);
    if (number == SIGTERM) atomic_store(&term, true);
    int most = atomic_load(&patient) && number == SIGINT ? STOP_PRESSES : 1;
    if (atomic_fetch_add(&presses, 1) >= most && again) _exit(128 + number);
}

void stop_take_signals(void) {
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void on_reload(int number) {
    (void)number;
    atomic_store(&reload, true);
}

void stop_take_reload(void) {
    struct sigaction act = {.sa_handler = on_reload, .sa_flags = SA_RESTART};
    sigaction(SIGHUP, &act, NULL);
}

bool stop_reload_wanted(void) {
    return atomic_exchange(&reload, false);
}

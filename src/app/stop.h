/* stop.h - Ctrl-C, SIGTERM and SIGHUP: the first asks politely, the second ends the process. */
#ifndef BANTAM_APP_STOP_H
#define BANTAM_APP_STOP_H

#include <stdbool.h>

/* Patient (a chat): Ctrl-C stops what runs and not the program; only when it is pressed
 * STOP_PRESSES times and nobody looked, the process ends. */
enum { STOP_PRESSES = 5 };
void stop_be_patient(void);
void stop_forget(void);       /* what was asked by Ctrl-C has been done */
bool stop_is_term(void);      /* it was SIGTERM: the program ends */
void stop_take_signals(void); /* main, once; SIGPIPE is ignored too */
bool stop_wanted(void);       /* any thread */
bool stop_gone(void *ctx); /* the same, as a request asks whether it is still wanted; ctx unused */
/* serve: SIGHUP asks to read again what can change; elsewhere it ends the process, as it should. */
void stop_take_reload(void);
bool stop_reload_wanted(void); /* true once for each time it was asked */

#endif

/* stop.h - Ctrl-C and SIGTERM: the first asks politely, the second ends the process. */
#ifndef BANTAM_APP_STOP_H
#define BANTAM_APP_STOP_H

#include <stdbool.h>

void stop_take_signals(void); /* main, once; SIGPIPE is ignored too */
bool stop_wanted(void);       /* any thread */

#endif

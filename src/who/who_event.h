/* who_event.h - what happened to keys, users and logins, so that it shows when it was changed.
 *
 *     chain = SHA-256(chain of the row before, then each field with its length)
 *
 * A row that was altered, taken out or put in breaks the chain there. Who can write the database
 * can also compute a new chain: keep `head` outside to notice that. The record of requests (audit)
 * has a chain of the same kind; it holds requests only, so these have a table of their own. */
#ifndef BANTAM_WHO_WHO_EVENT_H
#define BANTAM_WHO_WHO_EVENT_H

#include "who/who.h"

typedef struct who_event {
    int64_t id, at_ms;
    str what;    /* "key added", "login", "login failed", "role changed", ... */
    str by;      /* who did it; "" unknown */
    str target;  /* key or user */
    str address; /* of a client; "" = the command line */
    str detail;
} who_event;

/* Inside the transaction of the change itself. */
err who_event_put(store_tx *tx, const who_event *event, fail *f) MUST_CHECK;
/* The newest first. */
err who_event_list(who_book *w, int64_t limit, arena *a, who_event **out, size_t *n,
                   fail *f) MUST_CHECK;

typedef struct who_event_check {
    int64_t rows, bad, first_bad; /* id; 0 none */
    str head;
} who_event_check;
err who_event_verify(who_book *w, arena *a, who_event_check *out, fail *f) MUST_CHECK;

#endif

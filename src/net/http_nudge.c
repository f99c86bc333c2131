/* http_nudge.c - wakes the loop, from any thread: there is something in one of its inboxes. */
#include "net/http_int.h"

#include <unistd.h>

void http_nudge(http_server *s) {
    uint64_t one = 1;
    ssize_t n = write(s->event_fd, &one, sizeof one);
    (void)n; /* full means that the loop is awake already */
}

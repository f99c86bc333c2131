/* notify.h - one datagram to a service manager's socket, as sd_notify(3) describes the protocol:
 * lines of NAME=VALUE to the address in NOTIFY_SOCKET. Any thread; blocks for no longer than a
 * local datagram takes. */
#ifndef BANTAM_NET_NOTIFY_H
#define BANTAM_NET_NOTIFY_H

#include "base/err.h"
#include "base/str.h"

/* address: "/path", or "@name" in the abstract space. E_INPUT for any other or one that is too
 * long; E_IO and its like when nobody takes it. */
err notify_send(const char *address, str message, fail *f) MUST_CHECK;

#endif

/* notify.c - see notify.h. */
#include "net/notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

err notify_send(const char *address, str message, fail *f) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(address);
    if ((address[0] != '/' && address[0] != '@') || n < 2 || n >= sizeof to.sun_path)
        return fail_set(f, E_INPUT, "NOTIFY_SOCKET \"%.80s\" is no address of a socket", address);
    memcpy(to.sun_path, address, n);
    if (address[0] == '@') to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail_errno(f, "cannot make a socket");
    socklen_t to_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t sent = sendto(fd, message.p, message.n, MSG_NOSIGNAL, (struct sockaddr *)&to, to_n);
    err e = sent == (ssize_t)message.n
                ? E_OK
                : fail_errno(f, "cannot tell the service manager at \"%s\"", address);
    close(fd);
    return e;
}

/* Tests of net/notify.c: a datagram reaches a path and an abstract name as it is; what is no
 * address is refused. The listener is the system's own socket calls. */
#include "test.h"

#include "net/notify.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void reaches(const char *address) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(address);
    char got[64];
    fail f;
    memcpy(at.sun_path, address, n);
    if (address[0] == '@') at.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
        0);
    assert_ok(notify_send(address, STR("READY=1\nSTATUS=x\n"), &f), &f);
    assert_int_equal(recv(fd, got, sizeof got, 0), 17);
    assert_memory_equal(got, "READY=1\nSTATUS=x\n", 17);
    close(fd);
}

static void both_kinds(void **state) {
    (void)state;
    char path[64], name[64];
    snprintf(path, sizeof path, "/tmp/t_notify-%d", (int)getpid());
    snprintf(name, sizeof name, "@t_notify-%d", (int)getpid());
    unlink(path);
    reaches(path);
    unlink(path);
    reaches(name);
}

static void refusals(void **state) {
    (void)state;
    char longest[200];
    fail f;
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = 0;
    static const char *const bad[] = {"", "x", "@", "/", "vsock:1:2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(notify_send(bad[i], STR("READY=1"), &f), E_INPUT);
    assert_int_equal(notify_send(longest, STR("READY=1"), &f), E_INPUT);
    assert_int_equal(notify_send("/nonexistent/notify", STR("READY=1"), &f), E_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_kinds), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

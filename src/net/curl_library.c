/* curl_library.c - see curl_library.h. curl_global_init is only thread-safe in newer builds; the
 * first caller does it for all. */
#include "net/curl_library.h"

#include "base/thread.h"

curl_functions curl_library;

err curl_library_load(fail *f) {
    static const char *const names[] = {CURL_FUNCTIONS(LIBRARY_NAME)};
    static library curl = {.file = "libcurl.so.4",
                           .package = "libcurl4",
                           .names = names,
                           .pointers = &curl_library,
                           .n = sizeof names / sizeof *names};
    static mutex lock = PTHREAD_MUTEX_INITIALIZER;
    static bool started;
    mutex_lock(&lock);
    err e = library_load(&curl, f);
    if (e == E_OK && !started) started = curl_library.curl_global_init(CURL_GLOBAL_DEFAULT) == 0;
    bool ok = started;
    mutex_unlock(&lock);
    TRY(e);
    return ok ? E_OK : fail_set(f, E_INTERNAL, "libcurl does not start");
}

/* test.h - what every test needs: cmocka with its includes in the right order, and where data lies.
 */
#ifndef BANTAM_TEST_H
#define BANTAM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* An err that must be E_OK; prints the text of the fail otherwise. */
#define assert_ok(expr, f)                                                         \
    do {                                                                           \
        int test_err_ = (int)(expr);                                               \
        if (test_err_ != 0) fail_msg("%s -> %d: %s", #expr, test_err_, (f)->text); \
    } while (0)

/* A file under the shared test data / the default models' folder; skips the test with a message
 * where it is absent. The result lies in a static buffer. */
static inline const char *test_path(const char *env, const char *name) {
    static char path[4096];
    const char *root = getenv(env);
    snprintf(path, sizeof path, "%s/%s", root ? root : "/nonexistent", name);
    FILE *file = fopen(path, "re");
    if (file) {
        fclose(file);
        return path;
    }
    print_message("skipped: %s/%s is not here\n", env, name);
    skip();
    return NULL;
}
static inline const char *test_data(const char *name) {
    return test_path("BANTAM_TEST_DATA", name);
}
static inline const char *test_model(const char *name) {
    return test_path("BANTAM_TEST_MODELS", name);
}

#endif

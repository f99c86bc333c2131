/* t_library.c - tests base/library.c: a library is loaded once, its functions are where they were
 * asked for; one that is not there, or lacks a function, is an error that names the package. */
#include "base/library.h"

#include "test.h"

#include <math.h>

#define FUNCTIONS(X) X(cos) X(hypot)
typedef struct functions {
    FUNCTIONS(LIBRARY_POINTER)
} functions;
static const char *const names[] = {FUNCTIONS(LIBRARY_NAME)};
static const char *const wrong[] = {"cos", "bantam_has_no_such_function"};

static void functions_are_found(void **state) {
    (void)state;
    fail f;
    functions m = {0};
    library l = {.file = "libm.so.6", .package = "libc6", .names = names, .pointers = &m, .n = 2};
    for (int i = 0; i < 2; i++) assert_ok(library_load(&l, &f), &f);
    assert_true(fabs(m.cos(0) - 1) < 1e-12);
    assert_true(fabs(m.hypot(3, 4) - 5) < 1e-12);
}

static void what_lacks_is_named(void **state) {
    (void)state;
    fail f;
    functions m = {0};
    library none = {.file = "libnosuch-bantam.so.1", .package = "libnosuch1", .names = names};
    assert_int_equal(library_load(&none, &f), E_UNDONE);
    assert_non_null(strstr(f.text, "libnosuch-bantam.so.1"));
    assert_string_equal(f.hint, "install the package libnosuch1");
    library old = {.file = "libm.so.6", .package = "libc6", .names = wrong, .pointers = &m, .n = 2};
    assert_int_equal(library_load(&old, &f), E_UNDONE);
    assert_non_null(strstr(f.text, "bantam_has_no_such_function"));
    assert_false(atomic_load(&old.loaded));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(functions_are_found),
                                       cmocka_unit_test(what_lacks_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_arena.h - an arena for each test of a file: cmocka_unit_test_setup_teardown(x, setup,
 * teardown).
 */
#ifndef BANTAM_TEST_ARENA_H
#define BANTAM_TEST_ARENA_H

#include "base/arena.h"
#include "test.h"

static arena a;

static int setup(void **state) {
    (void)state;
    arena_init(&a, 0);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    arena_deinit(&a);
    return 0;
}

#endif

/* test_files.h - what a test that writes files asks of its folder. */
#ifndef BANTAM_TEST_FILES_H
#define BANTAM_TEST_FILES_H

#include "base/file.h"
#include "test.h"

static inline size_t files_in(const char *dir) {
    arena scratch;
    str *names;
    size_t n;
    fail f;
    arena_init(&scratch, 0);
    assert_ok(file_list(&scratch, dir, &names, &n, &f), &f);
    arena_deinit(&scratch);
    return n;
}

#endif

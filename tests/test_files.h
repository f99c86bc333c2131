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

/* A file below `root`, with the folders that lead to it. */
static inline void put_file(const char *root, const char *path, const char *text) {
    char full[512], dir[512];
    fail f;
    snprintf(full, sizeof full, "%s%s", root, path);
    snprintf(dir, sizeof dir, "%s", full);
    *strrchr(dir, '/') = 0;
    assert_ok(file_make_dirs(dir, &f), &f);
    assert_ok(file_write(full, str_from(text), 0644, &f), &f);
}

#endif

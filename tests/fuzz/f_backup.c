/* Fuzz: bytes that claim to be a backup. The first byte chooses: an archive as it stands, or a
 * manifest.json in a folder beside one sound file. Nothing may appear outside the folder it is
 * unpacked into. */
#include "app/backup.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[64], archive[96], folder[96], into[96];

static void put(const char *dir_path, const char *name, const void *p, size_t n) {
    char path[192];
    snprintf(path, sizeof path, "%s/%s", dir_path, name);
    FILE *file = fopen(path, "we");
    CHECK(file);
    CHECK(fwrite(p, 1, n, file) == n);
    CHECK(fclose(file) == 0);
}

static void remove_all(void) {
    (void)!file_remove_tree(dir, NULL);
}

static void begin(void) {
    strcpy(dir, "/tmp/bantam-f-backup-XXXXXX");
    CHECK(mkdtemp(dir));
    atexit(remove_all);
    snprintf(archive, sizeof archive, "%s/a.tar", dir);
    snprintf(folder, sizeof folder, "%s/f", dir);
    snprintf(into, sizeof into, "%s/into", dir);
    CHECK(file_make_dirs(folder, NULL) == E_OK);
    put(folder, "a", "x", 1);
}

/* Only what stood there before, and the folder. */
static void check_outside(void) {
    arena a;
    str *names;
    size_t count;
    arena_init(&a, 0);
    CHECK(file_list(&a, dir, &names, &count, NULL) == E_OK);
    for (size_t i = 0; i < count; i++)
        CHECK(str_is(names[i], "a.tar") || str_is(names[i], "f") || str_is(names[i], "into"));
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    backup_sum sum;
    fail f = {0};
    if (!dir[0]) begin();
    if (!n) return 0;
    bool tar = data[0] & 1;
    if (tar)
        put(dir, "a.tar", data + 1, n - 1);
    else
        put(folder, "manifest.json", data + 1, n - 1);
    err e = backup_unpack(tar ? archive : folder, into, &sum, &f);
    CHECK(e == E_OK || f.text[0]);
    check_outside();
    CHECK(file_remove_tree(into, NULL) == E_OK);
    return 0;
}

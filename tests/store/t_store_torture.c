/* t_store_torture.c - tests store/store.c against a disk that refuses: each write, sync and
 * truncate of SQLite fails in turn, in a layer over its file system. What was acknowledged is there
 * afterwards, no half transaction is, and every failure has a name. */
#include "store/store.h"

#include "test.h"

#include <sqlite3.h>

/* ---- the layer: passes everything on, and counts ---- */

typedef struct layer_file {
    sqlite3_file base;
    sqlite3_file *real; /* lies behind */
} layer_file;

static sqlite3_vfs layer;
static sqlite3_vfs *real_vfs;
static int calls_left; /* the call that fails; 0 = none */
static bool and_all_after;

static bool must_fail(void) {
    if (!calls_left) return false;
    if (calls_left == 1) {
        if (!and_all_after) calls_left = 0;
        return true;
    }
    calls_left--;
    return false;
}

#define REAL(file) (((layer_file *)(file))->real)
#define CALL(file, method, ...) REAL(file)->pMethods->method(REAL(file), ##__VA_ARGS__)

static int f_close(sqlite3_file *file) {
    return CALL(file, xClose);
}
static int f_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at) {
    return CALL(file, xRead, p, n, at);
}
static int f_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
    if (!must_fail()) return CALL(file, xWrite, p, n, at);
    int rc = CALL(file, xWrite, p, n / 2, at); /* half of it arrives */
    return rc == SQLITE_OK ? SQLITE_FULL : rc;
}
static int f_truncate(sqlite3_file *file, sqlite3_int64 bytes) {
    return must_fail() ? SQLITE_IOERR_TRUNCATE : CALL(file, xTruncate, bytes);
}
static int f_sync(sqlite3_file *file, int flags) {
    return must_fail() ? SQLITE_IOERR_FSYNC : CALL(file, xSync, flags);
}
static int f_size(sqlite3_file *file, sqlite3_int64 *bytes) {
    return CALL(file, xFileSize, bytes);
}
static int f_lock(sqlite3_file *file, int level) {
    return CALL(file, xLock, level);
}
static int f_unlock(sqlite3_file *file, int level) {
    return CALL(file, xUnlock, level);
}
static int f_reserved(sqlite3_file *file, int *held) {
    return CALL(file, xCheckReservedLock, held);
}
static int f_control(sqlite3_file *file, int op, void *arg) {
    return CALL(file, xFileControl, op, arg);
}
static int f_sector(sqlite3_file *file) {
    return CALL(file, xSectorSize);
}
static int f_device(sqlite3_file *file) {
    return CALL(file, xDeviceCharacteristics);
}
static int f_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **out) {
    return CALL(file, xShmMap, page, bytes, extend, out);
}
static int f_shm_lock(sqlite3_file *file, int at, int n, int flags) {
    return CALL(file, xShmLock, at, n, flags);
}
static void f_barrier(sqlite3_file *file) {
    CALL(file, xShmBarrier);
}
static int f_unmap(sqlite3_file *file, int remove) {
    return CALL(file, xShmUnmap, remove);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = f_close,
                                           .xRead = f_read,
                                           .xWrite = f_write,
                                           .xTruncate = f_truncate,
                                           .xSync = f_sync,
                                           .xFileSize = f_size,
                                           .xLock = f_lock,
                                           .xUnlock = f_unlock,
                                           .xCheckReservedLock = f_reserved,
                                           .xFileControl = f_control,
                                           .xSectorSize = f_sector,
                                           .xDeviceCharacteristics = f_device,
                                           .xShmMap = f_map,
                                           .xShmLock = f_shm_lock,
                                           .xShmBarrier = f_barrier,
                                           .xShmUnmap = f_unmap};

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    layer_file *l = (layer_file *)file;
    l->real = (sqlite3_file *)(l + 1);
    int rc = real_vfs->xOpen(real_vfs, name, l->real, flags, out);
    l->base.pMethods = l->real->pMethods ? &methods : NULL;
    return rc;
}

static int layer_set_up(void **state) {
    (void)state;
    real_vfs = sqlite3_vfs_find(NULL);
    layer = *real_vfs;
    layer.szOsFile = (int)sizeof(layer_file) + real_vfs->szOsFile;
    layer.zName = "layer";
    layer.xOpen = layer_open;
    layer.pNext = NULL;
    return sqlite3_vfs_register(&layer, 1);
}

/* ---- the test ---- */

enum { ROWS = 20, COMMITS = 3 };
static const store_migration migrations[] = {
    {"desk", 1, "CREATE TABLE item(id INTEGER PRIMARY KEY, data BLOB) STRICT;"}};
static char path[128];

static err write_some(store *s, int64_t *committed, fail *f) {
    for (int c = 0; c < COMMITS; c++) {
        store_tx *tx;
        err e = E_OK;
        TRY(store_begin(s, STORE_WRITE, &tx, f));
        for (int i = 0; i < ROWS && e == E_OK; i++)
            e = store_run(tx, "INSERT INTO item(data) VALUES(zeroblob(900))", f);
        if (e == E_OK)
            e = store_commit(tx, f);
        else
            store_rollback(tx);
        if (e != E_OK) return e;
        ++*committed;
    }
    return E_OK;
}

static err cycle(int64_t *committed, fail *f) {
    store *s = NULL;
    TRY(store_open(&s, path, migrations, 1, f));
    err e = write_some(s, committed, f);
    store_close(s);
    return e;
}

static int64_t items(void) {
    store *s = NULL;
    store_tx *tx;
    store_stmt *q;
    bool row;
    fail f;
    assert_ok(store_open(&s, path, migrations, 1, &f), &f);
    assert_ok(store_begin(s, STORE_READ, &tx, &f), &f);
    assert_ok(store_prepare(tx, "SELECT count(*) FROM item", &q, &f), &f);
    assert_ok(store_step(q, &row, &f), &f);
    int64_t n = store_int(q, 0);
    store_rollback(tx);
    store_close(s);
    return n;
}

static void refuse_each(bool all_after) {
    char dir[] = "/tmp/bantam-t-torture-XXXXXX", command[128];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    int64_t before = 0, failures = 0;
    and_all_after = all_after;
    for (int n = 1;; n++) {
        fail f = {0};
        int64_t committed = 0;
        calls_left = n;
        err e = cycle(&committed, &f);
        bool reached = calls_left <= 1;
        calls_left = 0;
        if (e != E_OK && e != E_NO_SPACE && e != E_IO) fail_msg("call %d: %s", n, f.text);
        failures += e != E_OK;
        int64_t now = items();
        assert_int_equal(now % ROWS, 0);
        assert_true(now >= before + committed * ROWS);
        assert_true(now <= before + committed * ROWS + (e != E_OK) * ROWS);
        before = now;
        if (!reached) break;
        assert_true(n < 10000);
    }
    assert_true(failures > 5);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

static void one_refused_call(void **state) {
    (void)state;
    refuse_each(false);
}
static void refused_from_a_call_on(void **state) {
    (void)state;
    refuse_each(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_refused_call),
                                       cmocka_unit_test(refused_from_a_call_on)};
    return cmocka_run_group_tests(tests, layer_set_up, NULL);
}

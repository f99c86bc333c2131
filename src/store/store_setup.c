/* store_setup.c - the library itself and one connection: allocator, pragmas, codes of failure.
 *
 * SQLite allocates through mem_*, so the torture test fails its allocations as well; each block
 * carries its size in 16 bytes in front, which SQLite asks for. Any thread; the set-up runs once.
 */
#include "store/store_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK_HEAD = 16 };

static void *block_alloc(int bytes) {
    char *p = mem_alloc((size_t)bytes + BLOCK_HEAD);
    if (!p) return NULL;
    memcpy(p, &bytes, sizeof bytes);
    return p + BLOCK_HEAD;
}

static void block_free(void *p) {
    if (p) mem_free((char *)p - BLOCK_HEAD);
}

static void *block_resize(void *p, int bytes) {
    char *grown = mem_resize((char *)p - BLOCK_HEAD, (size_t)bytes + BLOCK_HEAD);
    if (!grown) return NULL;
    memcpy(grown, &bytes, sizeof bytes);
    return grown + BLOCK_HEAD;
}

static int block_size(void *p) {
    int bytes = 0;
    if (p) memcpy(&bytes, (char *)p - BLOCK_HEAD, sizeof bytes);
    return bytes;
}

static int block_round(int bytes) {
    return (bytes + 7) & ~7;
}
static int block_init(void *unused) {
    (void)unused;
    return SQLITE_OK;
}
static void block_deinit(void *unused) {
    (void)unused;
}

err store_setup(fail *f) {
    static mutex lock = PTHREAD_MUTEX_INITIALIZER;
    static bool done;
    static const sqlite3_mem_methods methods = {.xMalloc = block_alloc,
                                                .xFree = block_free,
                                                .xRealloc = block_resize,
                                                .xSize = block_size,
                                                .xRoundup = block_round,
                                                .xInit = block_init,
                                                .xShutdown = block_deinit};
    mutex_lock(&lock);
    int rc = SQLITE_OK;
    if (!done) {
        /* refused (SQLITE_MISUSE) when a test has already used the library: its own malloc is fine
         */
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
        rc = sqlite3_initialize();
        done = rc == SQLITE_OK;
    }
    mutex_unlock(&lock);
    return rc == SQLITE_OK ? E_OK : fail_memory(f, "the database library");
}

static err fail_corrupt(const store *s, const char *why, fail *f) {
    fail_set(f, E_CORRUPT, "database \"%s\" is damaged: %s", s->path, why);
    if (f)
        fail_hint(f,
                  "stop bantam, keep a copy, then restore a backup or try: sqlite3 \"%s\" .recover",
                  s->path);
    return E_CORRUPT;
}

static err fail_full(const store *s, const char *what, fail *f) {
    fail_set(f, E_NO_SPACE, "no space left to %s database \"%s\"", what, s->path);
    if (f) fail_hint(f, "free some disk space and try again; what was committed is still there");
    return E_NO_SPACE;
}

/* A full disk mostly comes as SQLITE_FULL; where it hits the shared-memory file it comes as an I/O
 * error, and errno may have been overwritten since: so the disk is asked as well. */
static bool disk_is_full(const store *s, sqlite3 *db) {
    enum { SPACE_LEAST = 64 * 1024 };
    int number = db ? sqlite3_system_errno(db) : 0;
    char dir[FILE_PATH_BYTES];
    int64_t bytes = 0;
    snprintf(dir, sizeof dir, "%s", s->path);
    char *slash = strrchr(dir, '/');
    if (slash) slash[slash == dir] = 0;
    bool none_left = file_disk_free(slash ? dir : ".", &bytes, NULL) == E_OK && bytes < SPACE_LEAST;
    return number == ENOSPC || number == EDQUOT || number == EFBIG || none_left;
}

static err fail_input_output(const store *s, sqlite3 *db, int rc, const char *what, fail *f) {
    if (rc == SQLITE_IOERR_NOMEM) return fail_memory(f, "the database");
    if (disk_is_full(s, db)) return fail_full(s, what, f);
    fail_set(f, E_IO, "cannot %s database \"%s\": %s (code %d)", what, s->path, sqlite3_errstr(rc),
             rc);
    if (f)
        fail_hint(f,
                  "check the disk, its limits and its cables; what was committed is still there");
    return E_IO;
}

err store_fail(const store *s, sqlite3 *db, int rc, const char *what, fail *f) {
    int extended = db ? sqlite3_extended_errcode(db) : rc;
    if ((extended & 0xff) != (rc & 0xff)) extended = rc;
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        fail_set(f, E_BUSY, "cannot %s database \"%s\": another writer held it for %d seconds",
                 what, s->path, STORE_WAIT_MS / 1000);
        if (f) fail_hint(f, "try again; nothing was changed");
        return E_BUSY;
    case SQLITE_NOMEM: return fail_memory(f, "the database");
    case SQLITE_FULL: return fail_full(s, what, f);
    case SQLITE_IOERR: return fail_input_output(s, db, extended, what, f);
    case SQLITE_CORRUPT: return fail_corrupt(s, "its pages do not fit together", f);
    case SQLITE_NOTADB: return fail_corrupt(s, "the file is not a database", f);
    case SQLITE_TOOBIG:
        return fail_set(f, E_TOO_LARGE, "a value is too large for database \"%s\"", s->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        fail_set(f, E_DENIED, "cannot %s database \"%s\": %s", what, s->path,
                 sqlite3_errstr(extended));
        if (f) fail_hint(f, "check that the folder exists and that you may write in it");
        return E_DENIED;
    case SQLITE_CONSTRAINT:
        if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY)
            return fail_set(f, E_EXISTS, "there is such a record already: %s", sqlite3_errmsg(db));
        return fail_set(f, E_INPUT, "the record is not allowed: %s",
                        db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    default:
        return fail_set(f, E_INTERNAL, "cannot %s database \"%s\": %s", what, s->path,
                        db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    }
}

/* The change to WAL does not wait for a lock by itself; two programs that start at once meet here.
 * It is also the first to touch the file, so damage shows here. */
static err connect_wal(const store *s, sqlite3 *db, fail *f) {
    enum { TRY_EVERY_MS = 20 };
    int rc = SQLITE_BUSY;
    for (int i = 0; i < STORE_WAIT_MS / TRY_EVERY_MS && (rc & 0xff) == SQLITE_BUSY; i++) {
        if (i) clock_sleep_ms(TRY_EVERY_MS);
        rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? E_OK : store_fail(s, db, rc, "open", f);
}

static err connect_prepare(const store *s, sqlite3 *db, bool fresh, fail *f) {
    static const char pragmas[] = "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                  "PRAGMA trusted_schema=OFF; PRAGMA secure_delete=ON;"
                                  "PRAGMA temp_store=MEMORY";
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, STORE_WAIT_MS);
    if (fresh && chmod(s->path, 0600) != 0) /* customers' questions will lie in it */
        return fail_errno(f, "cannot set the rights of \"%s\"", s->path);
    TRY(connect_wal(s, db, f));
    int rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
    return rc == SQLITE_OK ? E_OK : store_fail(s, db, rc, "open", f);
}

err store_here(const store *s, fail *f) {
    struct stat now;
    if (!s->known) return E_OK;
    if (stat(s->path, &now) == 0 && now.st_dev == s->device && now.st_ino == s->inode) return E_OK;
    fail_set(f, E_IO, "database \"%s\" was moved, deleted or replaced while it is in use", s->path);
    if (f) fail_hint(f, "put it back, or start bantam again");
    return E_IO;
}

err store_connect(const store *s, sqlite3 **out, fail *f) {
    sqlite3 *db = NULL;
    TRY(store_here(s, f));
    bool fresh = !s->known && !file_exists(s->path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (s->known ? 0 : SQLITE_OPEN_CREATE);
    int rc = sqlite3_open_v2(s->path, &db, flags, NULL);
    err e = rc == SQLITE_OK ? connect_prepare(s, db, fresh, f) : store_fail(s, db, rc, "open", f);
    if (e != E_OK) {
        sqlite3_close(db);
        return e;
    }
    *out = db;
    return E_OK;
}

/* store_backup.c - a consistent copy of a database in use, and the check of one that comes back. */
#include "store/store_int.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGES_A_STEP = 1024 };

static err open_target(store *s, const char *to, sqlite3 **out, fail *f) {
    if (file_exists(to)) return fail_set(f, E_EXISTS, "\"%s\" exists already", to);
    int fd;
    TRY(file_open_new(&fd, to, f));
    file_close(fd);
    int rc = sqlite3_open_v2(to, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    return rc == SQLITE_OK ? E_OK : store_fail(s, *out, rc, "copy", f);
}

/* The read transaction of the source keeps its moment: what is written meanwhile is not seen. */
static err copy_pages(store *s, sqlite3 *from, sqlite3 *to, fail *f) {
    int rc = sqlite3_exec(from, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (rc != SQLITE_OK) return store_fail(s, from, rc, "read", f);
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (!copy) return store_fail(s, to, sqlite3_errcode(to), "copy", f);
    do {
        rc = sqlite3_backup_step(copy, PAGES_A_STEP);
    } while (rc == SQLITE_OK);
    int end = sqlite3_backup_finish(copy);
    if (rc == SQLITE_DONE) rc = end;
    return rc == SQLITE_OK ? E_OK : store_fail(s, to, rc, "copy", f);
}

/* One file, without a log beside it. */
static err settle_target(store *s, sqlite3 *to, fail *f) {
    int rc = sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    return rc == SQLITE_OK ? E_OK : store_fail(s, to, rc, "copy", f);
}

err store_copy(store *s, const char *to, fail *f) {
    sqlite3 *source = NULL, *target = NULL;
    int fd;
    TRY(store_connect(s, &source, f));
    err e = open_target(s, to, &target, f);
    if (e == E_OK) e = copy_pages(s, source, target, f);
    if (e == E_OK) e = settle_target(s, target, f);
    sqlite3_close(target);
    sqlite3_close(source);
    TRY(e);
    TRY(file_open_read(&fd, to, f));
    e = file_sync(fd, to, f);
    file_close(fd);
    return e;
}

/* ---- checking ---- */

static err one_row(sqlite3 *db, const char *sql, const char *wanted, bool *same, char seen[200]) {
    sqlite3_stmt *q = NULL;
    *same = false;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK) return E_CORRUPT;
    bool row = sqlite3_step(q) == SQLITE_ROW;
    const char *text = row ? (const char *)sqlite3_column_text(q, 0) : NULL;
    snprintf(seen, 200, "%s", text ? text : "");
    *same = text && str_is(str_from(wanted), text);
    sqlite3_finalize(q);
    return row ? E_OK : E_CORRUPT;
}

static err check_open(sqlite3 *db, const char *path, fail *f) {
    char id[16], seen[200];
    bool same;
    snprintf(id, sizeof id, "%d", STORE_APPLICATION_ID);
    if (one_row(db, "PRAGMA application_id", id, &same, seen) != E_OK)
        return fail_set(f, E_CORRUPT, "\"%s\" is not a database", path);
    if (!same) return fail_set(f, E_UNSUPPORTED, "\"%s\" is a database of another program", path);
    if (one_row(db, "PRAGMA integrity_check(1)", "ok", &same, seen) != E_OK || !same)
        return fail_set(f, E_CORRUPT, "database \"%s\" is damaged: %s", path, seen);
    return E_OK;
}

err store_check_file(const char *path, fail *f) {
    sqlite3 *db = NULL;
    TRY(store_setup(f));
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    err e = rc == SQLITE_OK ? check_open(db, path, f)
                            : fail_set(f, E_CORRUPT, "\"%s\" cannot be opened as a database", path);
    sqlite3_close(db);
    return e;
}

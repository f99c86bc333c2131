/* store_migrate.c - brings a database to the versions that this program's rooms know.
 *
 * Table bantam_schema holds one row a room with its version; the file's header holds our
 * application id, so that another program's database is never touched. All steps of one open run in
 * one transaction under the write lock: two programs that start at once do it once. */
#include "store/store_int.h"

#include <string.h>

static err exec(const store *s, sqlite3 *db, const char *sql, fail *f) {
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? E_OK : store_fail(s, db, rc, "migrate", f);
}

/* One number of a query with at most one text parameter; 0 when there is no row. */
static err query_int(const store *s, sqlite3 *db, const char *sql, const char *parameter,
                     int64_t *out, fail *f) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    if (rc == SQLITE_OK && parameter) rc = sqlite3_bind_text(q, 1, parameter, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    err e = E_OK;
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(q, 0);
    else if (rc == SQLITE_DONE)
        *out = 0;
    else
        e = store_fail(s, db, rc, "read", f);
    sqlite3_finalize(q);
    return e;
}

/* A file with tables but without our id belongs to somebody else. Tables are counted first: another
 * process that makes the database commits both at once, so whoever saw its tables then sees its id.
 */
static err check_owner(const store *s, sqlite3 *db, fail *f) {
    int64_t id = 0, tables = 0;
    TRY(query_int(s, db, "SELECT count(*) FROM sqlite_schema", NULL, &tables, f));
    TRY(query_int(s, db, "PRAGMA application_id", NULL, &id, f));
    if (id == STORE_APPLICATION_ID) return E_OK;
    if (id == 0 && tables == 0) return E_OK;
    fail_set(f, E_UNSUPPORTED, "\"%s\" is a database of another program", s->path);
    if (f) fail_hint(f, "choose another folder for bantam's data");
    return E_UNSUPPORTED;
}

static err version_of(const store *s, sqlite3 *db, const char *room, int64_t *out, fail *f) {
    int64_t there = 0;
    TRY(query_int(s, db, "SELECT count(*) FROM sqlite_schema WHERE name='bantam_schema'", NULL,
                  &there, f));
    *out = 0;
    if (!there) return E_OK;
    return query_int(s, db, "SELECT version FROM bantam_schema WHERE room=?1", room, out, f);
}

static int64_t newest_known(const store_migration *migrations, size_t n, const char *room) {
    int64_t newest = 0;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(migrations[i].room, room)) newest = migrations[i].version;
    return newest;
}

/* *behind: some room's tables are older than the program. */
static err compare_versions(const store *s, sqlite3 *db, const store_migration *migrations,
                            size_t n, bool *behind, fail *f) {
    *behind = false;
    for (size_t i = 0; i < n; i++) {
        int64_t have, know = newest_known(migrations, n, migrations[i].room);
        TRY(version_of(s, db, migrations[i].room, &have, f));
        if (have > know) {
            fail_set(f, E_UNSUPPORTED,
                     "database \"%s\" is newer than this program: its tables of %s have version "
                     "%lld, this program knows %lld",
                     s->path, migrations[i].room, (long long)have, (long long)know);
            if (f) fail_hint(f, "use the newer bantam, or another data folder");
            return E_UNSUPPORTED;
        }
        *behind |= have < know;
    }
    return E_OK;
}

static err note_version(const store *s, sqlite3 *db, const store_migration *m, fail *f) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "INSERT INTO bantam_schema(room,version) VALUES(?1,?2)"
                                " ON CONFLICT(room) DO UPDATE SET version=excluded.version",
                                -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(q, 1, m->room, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int(q, 2, m->version);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    err e = rc == SQLITE_DONE ? E_OK : store_fail(s, db, rc, "migrate", f);
    sqlite3_finalize(q);
    return e;
}

static err apply(const store *s, sqlite3 *db, const store_migration *migrations, size_t n,
                 fail *f) {
    static const char *const first =
        "CREATE TABLE IF NOT EXISTS bantam_schema"
        "(room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
        "PRAGMA application_id=1111576148"; /* STORE_APPLICATION_ID in decimal */
    TRY(exec(s, db, first, f));
    for (size_t i = 0; i < n; i++) {
        int64_t have;
        TRY(version_of(s, db, migrations[i].room, &have, f));
        if (migrations[i].version <= have) continue;
        CHECK(migrations[i].version == have + 1); /* no gaps, in order */
        TRY(exec(s, db, migrations[i].sql, f));
        TRY(note_version(s, db, &migrations[i], f));
    }
    return E_OK;
}

err store_migrate(const store *s, sqlite3 *db, const store_migration *migrations, size_t n,
                  fail *f) {
    bool behind;
    int64_t id = 0;
    TRY(check_owner(s, db, f));
    TRY(query_int(s, db, "PRAGMA application_id", NULL, &id, f));
    TRY(compare_versions(s, db, migrations, n, &behind, f));
    if (!behind && id == STORE_APPLICATION_ID) return E_OK;
    TRY(exec(s, db, "BEGIN IMMEDIATE", f));
    err e = apply(s, db, migrations, n, f);
    if (e == E_OK) e = exec(s, db, "COMMIT", f);
    if (e != E_OK && !sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

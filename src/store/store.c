/* store.c - the pool of connections, transactions and statements; see store.h.
 *
 * A store_tx is a connection while it is borrowed. Free ones wait in a list under `lock`; writers
 * of this process queue there as well, so that SQLite's own waiting (which polls) is needed only
 * between processes. When SQLite rolls a transaction back by itself (disk full, memory), the
 * transaction is `broken`: every later call on it returns that error, so nothing can slip out in
 * autocommit. A store must not be used across fork(). */
#include "store/store_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- connections ---- */

static void connection_close(store_tx *tx) {
    for (size_t i = 0; i < tx->n_stmts; i++) {
        sqlite3_finalize(tx->stmts[i]->raw);
        mem_free(tx->stmts[i]);
    }
    sqlite3_close(tx->db);
    mem_free(tx);
}

static err connection_open(store *s, store_tx **out, fail *f) {
    store_tx *tx = mem_zero(sizeof *tx);
    if (!tx) return fail_memory(f, "a database connection");
    tx->owner = s;
    err e = store_connect(s, &tx->db, f);
    if (e != E_OK) {
        mem_free(tx);
        return e;
    }
    *out = tx;
    return E_OK;
}

/* Waits until this process has no writer (for writers) and a connection is free or may be opened.
 * *out NULL: the caller opens one, its place is already counted. */
static err place_take(store *s, store_mode mode, store_tx **out, fail *f) {
    int64_t end_ms = clock_mono_ns() / 1000000 + STORE_WAIT_MS;
    err e = E_OK;
    mutex_lock(&s->lock);
    while ((mode == STORE_WRITE && s->writing) ||
           (!s->free_list && s->connections >= STORE_CONNECTIONS_MAX)) {
        int64_t left_ms = end_ms - clock_mono_ns() / 1000000;
        if (left_ms > 0) {
            (void)cond_wait_ms(&s->changed, &s->lock, left_ms);
            continue;
        }
        e = store_fail(s, NULL, SQLITE_BUSY, "use", f);
        goto out;
    }
    if (mode == STORE_WRITE) s->writing = true;
    s->borrowed++;
    *out = s->free_list;
    if (s->free_list)
        s->free_list = s->free_list->next_free;
    else
        s->connections++;
out:
    mutex_unlock(&s->lock);
    return e;
}

/* tx NULL: the connection could not be opened. */
static void place_give(store *s, store_mode mode, store_tx *tx) {
    mutex_lock(&s->lock);
    if (mode == STORE_WRITE) s->writing = false;
    s->borrowed--;
    if (tx) {
        tx->next_free = s->free_list;
        s->free_list = tx;
    } else {
        s->connections--;
    }
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

/* ---- opening ---- */

/* ":memory:" becomes a private folder, so that tests see the same locking as a server. */
static err path_choose(store *s, const char *path, fail *f) {
    if (strcmp(path, ":memory:")) {
        size_t n = strlen(path);
        if (n + 16 >= sizeof s->path)
            return fail_set(f, E_INPUT, "path of %zu bytes is too long for a database", n);
        memcpy(s->path, path, n + 1);
        return E_OK;
    }
    char dir[] = "/tmp/bantam-store-XXXXXX";
    if (!mkdtemp(dir)) return fail_errno(f, "cannot create a folder in /tmp");
    s->temporary = true;
    return file_join(s->path, dir, "db", f);
}

static err watch_open(store *s, fail *f) {
    TRY(store_connect(s, &s->watch, f));
    int rc = sqlite3_prepare_v3(s->watch, "PRAGMA data_version", -1, SQLITE_PREPARE_PERSISTENT,
                                &s->watch_query, NULL);
    return rc == SQLITE_OK ? E_OK : store_fail(s, s->watch, rc, "open", f);
}

static err know_file(store *s, fail *f) {
    struct stat at;
    if (stat(s->path, &at) != 0) return fail_errno(f, "cannot look at database \"%s\"", s->path);
    s->device = at.st_dev;
    s->inode = at.st_ino;
    s->known = true;
    return E_OK;
}

err store_open(store **out, const char *path, const store_migration *migrations, size_t n,
               fail *f) {
    TRY(store_setup(f));
    store *s = mem_zero(sizeof *s);
    if (!s) return fail_memory(f, "a database");
    mutex_init(&s->lock);
    mutex_init(&s->watch_lock);
    cond_init(&s->changed);
    err e;
    TRY_OUT(path_choose(s, path, f));
    TRY_OUT(connection_open(s, &s->free_list, f));
    s->connections = 1;
    TRY_OUT(store_migrate(s, s->free_list->db, migrations, n, f));
    TRY_OUT(watch_open(s, f));
    TRY_OUT(know_file(s, f));
    *out = s;
    return E_OK;
out:
    store_close(s);
    return e;
}

static void folder_remove(const char *path) {
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char name[FILE_PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        (void)unlink(name);
    }
    snprintf(name, sizeof name, "%s", path);
    char *slash = strrchr(name, '/');
    if (slash) *slash = 0;
    (void)rmdir(name);
}

void store_close(store *s) {
    if (!s) return;
    CHECK(s->borrowed == 0); /* a transaction is still open */
    sqlite3_finalize(s->watch_query);
    sqlite3_close(s->watch);
    while (s->free_list) {
        store_tx *next = s->free_list->next_free;
        connection_close(s->free_list);
        s->free_list = next;
    }
    if (s->temporary) folder_remove(s->path);
    cond_deinit(&s->changed);
    mutex_deinit(&s->watch_lock);
    mutex_deinit(&s->lock);
    mem_free(s);
}

/* ---- transactions ---- */

err store_begin(store *s, store_mode mode, store_tx **out, fail *f) {
    store_tx *tx = NULL;
    TRY(place_take(s, mode, &tx, f));
    err e = tx ? E_OK : connection_open(s, &tx, f);
    if (e == E_OK && mode == STORE_WRITE) e = store_here(s, f);
    if (e == E_OK) {
        int rc = sqlite3_exec(tx->db, mode == STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", NULL, NULL,
                              NULL);
        if (rc != SQLITE_OK) e = store_fail(s, tx->db, rc, "use", f);
    }
    if (e != E_OK) {
        place_give(s, mode, tx);
        return e;
    }
    tx->mode = mode;
    tx->broken = E_OK;
    tx->number++;
    *out = tx;
    return E_OK;
}

/* Without memory even ROLLBACK can fail: then the connection goes, which rolls back as well. */
static void tx_end(store_tx *tx) {
    store *s = tx->owner;
    store_mode mode = tx->mode;
    for (size_t i = 0; i < tx->n_stmts; i++)
        if (tx->stmts[i]->used_at == tx->number) store_reset(tx->stmts[i]);
    if (!sqlite3_get_autocommit(tx->db)) (void)sqlite3_exec(tx->db, "ROLLBACK", NULL, NULL, NULL);
    if (!sqlite3_get_autocommit(tx->db)) {
        connection_close(tx);
        tx = NULL;
    }
    place_give(s, mode, tx);
}

static err tx_broken(store_tx *tx, fail *f) {
    return fail_set(f, tx->broken, "the transaction on \"%s\" was rolled back: %s", tx->owner->path,
                    err_name(tx->broken));
}

err store_commit(store_tx *tx, fail *f) {
    err e = E_OK;
    for (size_t i = 0; i < tx->n_stmts; i++) /* an unfinished statement would hold the commit up */
        if (tx->stmts[i]->used_at == tx->number) store_reset(tx->stmts[i]);
    if (tx->broken != E_OK) {
        e = tx_broken(tx, f);
    } else {
        int rc = sqlite3_exec(tx->db, "COMMIT", NULL, NULL, NULL);
        if (rc != SQLITE_OK) e = store_fail(tx->owner, tx->db, rc, "write to", f);
    }
    tx_end(tx);
    return e;
}

void store_rollback(store_tx *tx) {
    if (tx) tx_end(tx);
}

/* ---- statements ---- */

static store_stmt *stmt_find(store_tx *tx, const char *sql) {
    for (size_t i = 0; i < tx->n_stmts; i++)
        if (!strcmp(tx->stmts[i]->sql, sql)) return tx->stmts[i];
    return NULL;
}

/* Makes room for one more: drops the one unused for longest, never one of this transaction. */
static bool stmt_make_room(store_tx *tx) {
    if (tx->n_stmts < STORE_STATEMENTS_MAX) return true;
    size_t oldest = 0;
    for (size_t i = 1; i < tx->n_stmts; i++)
        if (tx->stmts[i]->used_at < tx->stmts[oldest]->used_at) oldest = i;
    if (tx->stmts[oldest]->used_at == tx->number) return false;
    sqlite3_finalize(tx->stmts[oldest]->raw);
    mem_free(tx->stmts[oldest]);
    tx->stmts[oldest] = tx->stmts[--tx->n_stmts];
    return true;
}

/* SQLite may have rolled back on its own; remember it. */
static err stmt_failed(store_tx *tx, int rc, const char *what, fail *f) {
    err e = store_fail(tx->owner, tx->db, rc, what, f);
    if (sqlite3_get_autocommit(tx->db)) tx->broken = e;
    return e;
}

static err stmt_make(store_tx *tx, const char *sql, store_stmt **out, fail *f) {
    if (!stmt_make_room(tx))
        return fail_set(f, E_TOO_LARGE, "more than %d different statements in one transaction",
                        STORE_STATEMENTS_MAX);
    size_t n = strlen(sql) + 1;
    store_stmt *q = mem_zero(sizeof *q + n);
    if (!q) return fail_memory(f, "a database statement");
    memcpy((char *)(q + 1), sql, n);
    q->sql = (const char *)(q + 1);
    q->tx = tx;
    int rc = sqlite3_prepare_v3(tx->db, sql, (int)n, SQLITE_PREPARE_PERSISTENT, &q->raw, NULL);
    if (rc != SQLITE_OK) {
        mem_free(q);
        return stmt_failed(tx, rc, "query", f);
    }
    CHECK(q->raw); /* an empty statement */
    tx->stmts[tx->n_stmts++] = q;
    *out = q;
    return E_OK;
}

err store_prepare(store_tx *tx, const char *sql, store_stmt **out, fail *f) {
    if (tx->broken != E_OK) return tx_broken(tx, f);
    store_stmt *q = stmt_find(tx, sql);
    if (q)
        store_reset(q);
    else
        TRY(stmt_make(tx, sql, &q, f));
    CHECK(tx->mode == STORE_WRITE || sqlite3_stmt_readonly(q->raw));
    q->used_at = tx->number;
    *out = q;
    return E_OK;
}

static void bind_note(store_stmt *q, int rc) {
    CHECK(rc != SQLITE_RANGE && rc != SQLITE_MISUSE); /* an index the statement does not have */
    if (q->bind_rc == SQLITE_OK) q->bind_rc = rc;
}

void store_bind_int(store_stmt *q, int index, int64_t v) {
    bind_note(q, sqlite3_bind_int64(q->raw, index, v));
}
void store_bind_double(store_stmt *q, int index, double v) {
    bind_note(q, sqlite3_bind_double(q->raw, index, v));
}
void store_bind_str(store_stmt *q, int index, str v) {
    bind_note(q, sqlite3_bind_text64(q->raw, index, v.p, v.n, SQLITE_TRANSIENT, SQLITE_UTF8));
}
void store_bind_blob(store_stmt *q, int index, str v) {
    bind_note(q, sqlite3_bind_blob64(q->raw, index, v.p, v.n, SQLITE_TRANSIENT));
}
void store_bind_null(store_stmt *q, int index) {
    bind_note(q, sqlite3_bind_null(q->raw, index));
}

err store_step(store_stmt *q, bool *row, fail *f) {
    if (q->tx->broken != E_OK) return tx_broken(q->tx, f);
    int rc = q->bind_rc != SQLITE_OK ? q->bind_rc : sqlite3_step(q->raw);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        *row = rc == SQLITE_ROW;
        return E_OK;
    }
    return stmt_failed(q->tx, rc, sqlite3_stmt_readonly(q->raw) ? "read" : "write to", f);
}

int64_t store_int(store_stmt *q, int column) {
    return sqlite3_column_int64(q->raw, column);
}
double store_double(store_stmt *q, int column) {
    return sqlite3_column_double(q->raw, column);
}
bool store_is_null(store_stmt *q, int column) {
    return sqlite3_column_type(q->raw, column) == SQLITE_NULL;
}

err store_str(store_stmt *q, int column, arena *a, str *out, fail *f) {
    if (store_is_null(q, column)) {
        *out = STR_NONE;
        return E_OK;
    }
    /* the pointer first: asking for it may convert the value and change its length */
    const char *p = sqlite3_column_blob(q->raw, column);
    size_t n = (size_t)sqlite3_column_bytes(q->raw, column);
    if (!p && (n || sqlite3_errcode(q->tx->db) == SQLITE_NOMEM))
        return fail_memory(f, "a value of the database");
    str s = arena_str(a, (str){p ? p : "", n});
    if (!s.p) return fail_memory(f, "a value of the database");
    *out = s;
    return E_OK;
}

void store_reset(store_stmt *q) {
    (void)sqlite3_reset(q->raw); /* repeats the error of the last step, which was reported there */
    (void)sqlite3_clear_bindings(q->raw);
    q->bind_rc = SQLITE_OK;
}

err store_run(store_tx *tx, const char *sql, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, sql, &q, f));
    TRY(store_step(q, &row, f));
    store_reset(q);
    return E_OK;
}

int64_t store_changes(store_tx *tx) {
    return sqlite3_changes64(tx->db);
}
int64_t store_last_id(store_tx *tx) {
    return sqlite3_last_insert_rowid(tx->db);
}

err store_generation(store *s, int64_t *out, fail *f) {
    mutex_lock(&s->watch_lock);
    int rc = sqlite3_step(s->watch_query);
    int64_t version = rc == SQLITE_ROW ? sqlite3_column_int64(s->watch_query, 0) : 0;
    err e = rc == SQLITE_ROW ? E_OK : store_fail(s, s->watch, rc, "read", f);
    (void)sqlite3_reset(s->watch_query);
    mutex_unlock(&s->watch_lock);
    if (e == E_OK) *out = version;
    return e;
}

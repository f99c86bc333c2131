/* store.h - one SQL interface; SQLite below it (WAL, foreign keys on, busy timeout,
 * synchronous=FULL).
 *
 * A `store` is one database file with a small pool of connections: any thread may call store_begin,
 * which borrows a connection for one transaction; the transaction and its statements then belong to
 * that thread. Writers are one at a time (BEGIN IMMEDIATE, waits up to 10 s then E_BUSY), readers
 * see a snapshot. A commit that returns E_OK is on the disk. Nobody outside this room sees sqlite3.
 *
 * Each room owns its tables and hands its migrations over at open: applied in order, once, in one
 * transaction; a database newer than the program is refused (E_UNSUPPORTED, says which version). */
#ifndef BANTAM_STORE_STORE_H
#define BANTAM_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"

typedef struct store store;
typedef struct store_tx store_tx;
typedef struct store_stmt store_stmt;

typedef struct store_migration {
    const char *room; /* "desk" */
    int version;      /* 1, 2, ... within the room, without gaps */
    const char *sql;  /* may hold several statements */
} store_migration;

/* path ":memory:" gives a private one for tests (a folder in /tmp, removed by store_close). A
 * damaged file is E_CORRUPT with the remedy as hint, a full disk E_NO_SPACE here and in every call
 * below. */
err store_open(store **out, const char *path, const store_migration *migrations, size_t n,
               fail *f) MUST_CHECK;
void store_close(store *s);

typedef enum store_mode { STORE_READ, STORE_WRITE } store_mode;
err store_begin(store *s, store_mode mode, store_tx **out, fail *f) MUST_CHECK;
err store_commit(store_tx *tx, fail *f) MUST_CHECK; /* ends tx also on failure (rolled back) */
void store_rollback(store_tx *tx);                  /* NULL is fine */

/* Statements are cached per connection by their text, so sql should be a literal; preparing the
 * same text again resets the earlier one, so nested queries need different texts. */
err store_prepare(store_tx *tx, const char *sql, store_stmt **out, fail *f) MUST_CHECK;
void store_bind_int(store_stmt *q, int index, int64_t v); /* index from 1; copies */
void store_bind_double(store_stmt *q, int index, double v);
void store_bind_str(store_stmt *q, int index, str v); /* .p == NULL binds NULL */
void store_bind_blob(store_stmt *q, int index, str v);
void store_bind_null(store_stmt *q, int index);
/* *row = false at the end. Bind errors (memory) surface here. */
err store_step(store_stmt *q, bool *row, fail *f) MUST_CHECK;
int64_t store_int(store_stmt *q, int column); /* column from 0 */
double store_double(store_stmt *q, int column);
bool store_is_null(store_stmt *q, int column);
err store_str(store_stmt *q, int column, arena *a, str *out,
              fail *f) MUST_CHECK; /* copy in a; NULL column: STR_NONE */
void store_reset(store_stmt *q);   /* before the next use; clears binds */
/* prepare + step of a statement without parameters and rows */
err store_run(store_tx *tx, const char *sql, fail *f) MUST_CHECK;
int64_t store_changes(store_tx *tx); /* rows changed by the last statement */
int64_t store_last_id(store_tx *tx);

/* A copy of the whole database as it is at one moment, while others read and write (SQLite's online
 * backup inside one read transaction); `to` must not exist, gets mode 0600, and is on the disk when
 * this returns E_OK. */
err store_copy(store *s, const char *to, fail *f) MUST_CHECK;
/* Is the file a database of ours whose pages fit together? E_CORRUPT, E_UNSUPPORTED. */
err store_check_file(const char *path, fail *f) MUST_CHECK;

/* Changes whenever any process commits to the file: cheap enough to ask before each request. */
err store_generation(store *s, int64_t *out, fail *f) MUST_CHECK;

#endif

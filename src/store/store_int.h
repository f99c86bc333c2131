/* store_int.h - what the files of store/ share: the connection, the mapping of SQLite's codes, and
 * the once-only set-up of the library. Not for other rooms. */
#ifndef BANTAM_STORE_STORE_INT_H
#define BANTAM_STORE_STORE_INT_H

#include "store/store.h"

#include "base/file.h"
#include "base/thread.h"

#include <sqlite3.h>
#include <sys/types.h>

enum {
    STORE_CONNECTIONS_MAX = 12,       /* transactions open at once in one process */
    STORE_STATEMENTS_MAX = 192,       /* cached per connection */
    STORE_WAIT_MS = 10000,            /* for the write lock or for a free connection */
    STORE_APPLICATION_ID = 0x42414e54 /* "BANT", in the file's header */
};

struct store_stmt {
    sqlite3_stmt *raw;
    struct store_tx *tx;
    const char *sql; /* owned copy */
    int bind_rc;     /* first failed bind since the last reset */
    int64_t used_at; /* number of the transaction that used it last */
};

/* One connection and the one transaction it may have: a store_tx is its connection. */
struct store_tx {
    store *owner;
    sqlite3 *db;
    store_mode mode;
    err broken;     /* SQLite rolled back by itself: nothing more may run */
    int64_t number; /* of the transaction, counted per connection */
    store_stmt *stmts[STORE_STATEMENTS_MAX];
    size_t n_stmts;
    store_tx *next_free;
};

struct store {
    char path[FILE_PATH_BYTES];
    bool temporary; /* ":memory:": a private folder, removed at close */
    bool known;     /* which file it is, set once by store_open: */
    dev_t device;
    ino_t inode;
    mutex lock; /* guards what stands below */
    cond changed;
    store_tx *free_list;
    int connections, borrowed;
    bool writing;
    mutex watch_lock; /* guards watch */
    sqlite3 *watch;   /* never writes, so PRAGMA data_version shows everybody's commits */
    sqlite3_stmt *watch_query;
};

/* Turns a result code of SQLite into ours, with the text and the remedy. `what`: "write to". */
err store_fail(const store *s, sqlite3 *db, int rc, const char *what, fail *f);
err store_setup(fail *f) MUST_CHECK;
/* E_IO when another file, or none, stands at the path: what is written would be lost with the file
 * that nobody can name any more, and a new connection would begin an empty one. */
err store_here(const store *s, fail *f) MUST_CHECK;
err store_connect(const store *s, sqlite3 **out, fail *f) MUST_CHECK;
err store_migrate(const store *s, sqlite3 *db, const store_migration *migrations, size_t n,
                  fail *f) MUST_CHECK;

#endif

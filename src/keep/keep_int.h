/* keep_int.h - what the files of keep/ share. */
#ifndef BANTAM_KEEP_KEEP_INT_H
#define BANTAM_KEEP_KEEP_INT_H

#include "keep/keep.h"

/* Texts of a row: column -> where. */
typedef struct keep_text {
    int column;
    str *to;
} keep_text;
err keep_texts(store_stmt *q, arena *a, const keep_text *texts, size_t n, fail *f) MUST_CHECK;
bool keep_is_over(int64_t expires_ms); /* its row may wait for the housekeeping; 0 = it stays */
str keep_filled(str s);                /* "" for none, so that no column is NULL */
/* Runs a prepared statement that gives no row. */
err keep_do(store_stmt *q, fail *f) MUST_CHECK;
/* E_NOT_FOUND: "there is no file \"file-x\"". */
err keep_none(const char *what, str ref, fail *f);
/* The one row of `sql` ("... WHERE ref=?1 AND tenant=?2"), standing at it; what: its name in an
 * error. */
err keep_find(store_tx *tx, const char *sql, const char *what, str tenant, str ref,
              store_stmt **out, fail *f) MUST_CHECK;
/* Runs such a statement that deletes; E_NOT_FOUND where there was nothing. */
err keep_delete(store_tx *tx, const char *sql, const char *what, str tenant, str ref,
                fail *f) MUST_CHECK;
/* Binds the six columns of an owner from index on; reads them from column on. */
void keep_owner_bind(store_stmt *q, int index, const keep_owner *o);
err keep_owner_read(store_stmt *q, int column, arena *a, keep_owner *out, fail *f) MUST_CHECK;
/* A list that grows in an arena. */
void *keep_grow(arena *a, void *list, size_t n, size_t *cap, size_t bytes);
/* The row id behind page->after, for "id < ?" and "id > ?"; the end of the scale when there is
 * none. `sql`: "SELECT id FROM t WHERE tenant=?1 AND ref=?2". */
err keep_page_from(store_tx *tx, const char *sql, const keep_page *page, const char *what,
                   int64_t *from, fail *f) MUST_CHECK;
/* The next row of a page whose statement asks for one row more than page->limit, n being read:
 * *row false at the end; *more: there is another page. */
err keep_page_step(store_stmt *q, const keep_page *page, size_t n, bool *row, bool *more,
                   fail *f) MUST_CHECK;
/* E_LIMIT where `sql` counts `most` or more of what, which says so: "batches are open". */
err keep_check_room(store_tx *tx, const char *sql, int64_t most, const char *what, int retry_s,
                    fail *f) MUST_CHECK;
err keep_file_limits(store_tx *tx, fail *f) MUST_CHECK;
/* One chunk of a file; "" behind the end. */
err keep_file_piece(store_tx *tx, int64_t file, int64_t ord, arena *a, str *out,
                    fail *f) MUST_CHECK;

#define KEEP_OWNER_COLUMNS "who_kind,who_id,who_scopes,who_role,who_name,tenant"

#endif

/* keep_file.c - files in pieces of KEEP_CHUNK_BYTES, written and deleted whole by one transaction,
 * so a killed process or a full disk leaves no half of one. */
#include "keep/keep_int.h"

#include "base/clock.h"

/* ---- writing ---- */

err keep_file_limits(store_tx *tx, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT count(*), coalesce(sum(bytes),0) FROM keep_file", &q, f));
    TRY(store_step(q, &row, f));
    int64_t n = store_int(q, 0), bytes = store_int(q, 1);
    store_reset(q);
    if (n < KEEP_FILES_MAX && bytes < KEEP_FILES_BYTES_MAX) return E_OK;
    fail_set(f, E_NO_SPACE,
             "%lld files with %lld bytes are kept, and no more than %d or %lld may be",
             (long long)n, (long long)bytes, KEEP_FILES_MAX, (long long)KEEP_FILES_BYTES_MAX);
    return fail_hint(f, "delete some: DELETE /v1/files/ID");
}

err keep_file_begin(keep_writer *w, store_tx *tx, keep_file *file, fail *f) {
    store_stmt *q;
    *w = (keep_writer){.tx = tx, .file = file};
    TRY(keep_file_limits(tx, f));
    file->created_ms = clock_now_ms();
    file->bytes = 0;
    TRY(store_prepare(tx,
                      "INSERT INTO keep_file(ref,tenant,name,purpose,bytes,created_ms,expires_ms)"
                      " VALUES(?1,?2,?3,?4,0,?5,?6)",
                      &q, f));
    store_bind_str(q, 1, file->ref);
    store_bind_str(q, 2, keep_filled(file->tenant));
    store_bind_str(q, 3, keep_filled(file->name));
    store_bind_str(q, 4, keep_filled(file->purpose));
    store_bind_int(q, 5, file->created_ms);
    store_bind_int(q, 6, file->expires_ms);
    TRY(keep_do(q, f));
    file->id = store_last_id(tx);
    return E_OK;
}

static err put_chunk(keep_writer *w, str bytes, fail *f) {
    store_stmt *q;
    TRY(store_prepare(w->tx, "INSERT INTO keep_chunk(file,ord,bytes) VALUES(?1,?2,?3)", &q, f));
    store_bind_int(q, 1, w->file->id);
    store_bind_int(q, 2, w->ord++);
    store_bind_blob(q, 3, bytes);
    w->file->bytes += (int64_t)bytes.n;
    return keep_do(q, f);
}

err keep_file_put(keep_writer *w, str bytes, fail *f) {
    while (bytes.n) {
        size_t room = KEEP_CHUNK_BYTES - w->chunk.n;
        str piece = str_slice(bytes, 0, room);
        bytes = str_slice(bytes, piece.n, bytes.n);
        buf_put(&w->chunk, piece);
        TRY(buf_ok(&w->chunk, f));
        if (w->chunk.n < KEEP_CHUNK_BYTES) continue;
        TRY(put_chunk(w, buf_str(&w->chunk), f));
        buf_reset(&w->chunk);
    }
    return E_OK;
}

err keep_file_end(keep_writer *w, fail *f) {
    store_stmt *q;
    if (w->chunk.n) TRY(put_chunk(w, buf_str(&w->chunk), f));
    TRY(store_prepare(w->tx, "UPDATE keep_file SET bytes=?2 WHERE id=?1", &q, f));
    store_bind_int(q, 1, w->file->id);
    store_bind_int(q, 2, w->file->bytes);
    return keep_do(q, f);
}

void keep_file_drop(keep_writer *w) {
    buf_deinit(&w->chunk);
}

/* ---- reading ---- */

#define FILE_COLUMNS "id,ref,tenant,name,purpose,bytes,created_ms,expires_ms"

static err read_file(store_stmt *q, arena *a, keep_file *out, fail *f) {
    keep_file x = {.id = store_int(q, 0),
                   .bytes = store_int(q, 5),
                   .created_ms = store_int(q, 6),
                   .expires_ms = store_int(q, 7)};
    const keep_text texts[] = {{1, &x.ref}, {2, &x.tenant}, {3, &x.name}, {4, &x.purpose}};
    TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
    *out = x;
    return E_OK;
}

static err find_file(store_tx *tx, str tenant, str ref, arena *a, keep_file *out, fail *f) {
    store_stmt *q;
    TRY(keep_find(tx, "SELECT " FILE_COLUMNS " FROM keep_file WHERE ref=?1 AND tenant=?2", "file",
                  tenant, ref, &q, f));
    TRY(read_file(q, a, out, f));
    return keep_is_over(out->expires_ms) ? keep_none("file", ref, f) : E_OK;
}

err keep_file_get(store *s, str tenant, str ref, arena *a, keep_file *out, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_file(tx, tenant, ref, a, out, f);
    store_rollback(tx);
    return e;
}

err keep_file_delete(store *s, str tenant, str ref, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    err e =
        keep_delete(tx, "DELETE FROM keep_file WHERE ref=?1 AND tenant=?2", "file", tenant, ref, f);
    return keep_finish(tx, e, f);
}

static err list_files(store_tx *tx, const keep_page *page, str purpose, arena *a, keep_file **out,
                      size_t *n, bool *more, fail *f) {
    store_stmt *q;
    int64_t from;
    size_t count = 0, cap = 0;
    keep_file *list = NULL;
    TRY(keep_page_from(tx, "SELECT id FROM keep_file WHERE tenant=?1 AND ref=?2", page, "file",
                       &from, f));
    TRY(store_prepare(tx,
                      page->ascending
                          ? "SELECT " FILE_COLUMNS " FROM keep_file WHERE tenant=?1 AND id>?2 AND"
                            " (?3='' OR purpose=?3) AND (expires_ms=0 OR expires_ms>?5)"
                            " ORDER BY id LIMIT ?4"
                          : "SELECT " FILE_COLUMNS " FROM keep_file WHERE tenant=?1 AND id<?2 AND"
                            " (?3='' OR purpose=?3) AND (expires_ms=0 OR expires_ms>?5)"
                            " ORDER BY id DESC LIMIT ?4",
                      &q, f));
    store_bind_str(q, 1, keep_filled(page->tenant));
    store_bind_int(q, 2, from);
    store_bind_str(q, 3, keep_filled(purpose));
    store_bind_int(q, 4, page->limit + 1);
    store_bind_int(q, 5, clock_now_ms());
    for (;;) {
        bool row;
        TRY(keep_page_step(q, page, count, &row, more, f));
        if (!row) break;
        list = keep_grow(a, list, count, &cap, sizeof *list);
        if (!list) return fail_memory(f, "a list of files");
        TRY(read_file(q, a, &list[count++], f));
    }
    *out = list;
    *n = count;
    return E_OK;
}

err keep_file_list(store *s, const keep_page *page, str purpose, arena *a, keep_file **out,
                   size_t *n, bool *more, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = list_files(tx, page, purpose, a, out, n, more, f);
    store_rollback(tx);
    return e;
}

err keep_file_piece(store_tx *tx, int64_t file, int64_t ord, arena *a, str *out, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT bytes FROM keep_chunk WHERE file=?1 AND ord=?2", &q, f));
    store_bind_int(q, 1, file);
    store_bind_int(q, 2, ord);
    TRY(store_step(q, &row, f));
    if (row) return store_str(q, 0, a, out, f);
    *out = STR("");
    return E_OK;
}

err keep_file_chunk(store *s, int64_t file, int64_t ord, arena *a, str *out, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = keep_file_piece(tx, file, ord, a, out, f);
    store_rollback(tx);
    return e;
}

static err read_whole(store_tx *tx, const keep_file *file, arena *scratch, char *to, fail *f) {
    size_t at = 0, most = (size_t)file->bytes;
    for (int64_t ord = 0; at < most; ord++) {
        str piece;
        arena_reset(scratch);
        TRY(keep_file_piece(tx, file->id, ord, scratch, &piece, f));
        if (!piece.n || piece.n > most - at)
            return fail_set(f, E_CORRUPT, "the file \"%.*s\" is not whole", STR_ARG(file->ref));
        for (size_t i = 0; i < piece.n; i++) to[at + i] = piece.p[i];
        at += piece.n;
    }
    return E_OK;
}

err keep_file_read(store *s, const keep_file *file, arena *a, str *out, fail *f) {
    store_tx *tx;
    arena scratch;
    if (file->bytes > KEEP_FILE_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "the file \"%.*s\" has %lld bytes, above the limit of %d",
                        STR_ARG(file->ref), (long long)file->bytes, KEEP_FILE_BYTES_MAX);
    char *to = arena_alloc(a, (size_t)file->bytes + 1);
    if (!to) return fail_memory(f, "a file");
    TRY(store_begin(s, STORE_READ, &tx, f));
    arena_init(&scratch, KEEP_CHUNK_BYTES + 64);
    err e = read_whole(tx, file, &scratch, to, f);
    arena_deinit(&scratch);
    store_rollback(tx);
    if (e == E_OK) *out = (str){to, (size_t)file->bytes};
    return e;
}

/* keep_erase.c - what a batch holds of one person: lines that wait or were answered, and lines of
 * files. A file is first looked through; where lines go it is cut where it lies: what remains is
 * never longer than what was read, so a chunk is written only after it was read. */
#include "keep/keep_int.h"

/* ---- lines of open batches ---- */

static err list_lines(store_tx *tx, str subject, arena *a, keep_line **out, size_t *n, fail *f) {
    store_stmt *q;
    size_t cap = 0, count = 0;
    keep_line *list = NULL;
    TRY(store_prepare(tx,
                      "SELECT j.id,j.batch,j.state,j.status,j.custom,j.request,b.input FROM"
                      " keep_job j JOIN keep_batch b ON b.id=j.batch WHERE j.subject=?1",
                      &q, f));
    store_bind_str(q, 1, subject);
    for (;;) {
        bool row;
        TRY(store_step(q, &row, f));
        if (!row) break;
        list = keep_grow(a, list, count, &cap, sizeof *list);
        if (!list) return fail_memory(f, "lines of batches");
        keep_line x = {.job = store_int(q, 0),
                       .batch = store_int(q, 1),
                       .state = (keep_state)store_int(q, 2),
                       .status = store_int(q, 3)};
        const keep_text texts[] = {{4, &x.custom}, {5, &x.request}, {6, &x.input}};
        TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
        list[count++] = x;
    }
    *out = list;
    *n = count;
    return E_OK;
}

/* An answered line has been counted: one that was good counts as failed from now on. */
static err count_again(store_tx *tx, const keep_line *line, fail *f) {
    store_stmt *q;
    if (line->state != KEEP_DONE || line->status >= 400) return E_OK;
    TRY(store_prepare(tx, "UPDATE keep_batch SET done=done-1, failed=failed+1 WHERE id=?1", &q, f));
    store_bind_int(q, 1, line->batch);
    return keep_do(q, f);
}

static err erase_line(store_tx *tx, const keep_line *line, const keep_job *end, fail *f) {
    store_stmt *q;
    bool changed;
    keep_job job = *end;
    job.id = line->job;
    job.kind = KEEP_LINE;
    job.batch = line->batch;
    job.state = KEEP_DONE;
    TRY(keep_job_end(tx, &job, &changed, f));
    if (!changed) TRY(count_again(tx, line, f));
    TRY(store_prepare(tx,
                      "UPDATE keep_job SET subject='', body='', request='', answer=?2, status=?3,"
                      " state=?4 WHERE id=?1",
                      &q, f));
    store_bind_int(q, 1, line->job);
    store_bind_str(q, 2, end->answer);
    store_bind_int(q, 3, end->status);
    store_bind_int(q, 4, KEEP_DONE);
    return keep_do(q, f);
}

err keep_erase_lines(store_tx *tx, str subject, const keep_job *end, arena *a, keep_line **out,
                     size_t *n, fail *f) {
    TRY(list_lines(tx, subject, a, out, n, f));
    for (size_t i = 0; i < *n; i++) TRY(erase_line(tx, &(*out)[i], end, f));
    return E_OK;
}

/* ---- files ---- */

err keep_file_all(store_tx *tx, arena *a, keep_file **out, size_t *n, fail *f) {
    store_stmt *q;
    size_t cap = 0, count = 0;
    keep_file *list = NULL;
    TRY(store_prepare(tx, "SELECT id,ref,tenant,name,purpose,bytes FROM keep_file ORDER BY id", &q,
                      f));
    for (;;) {
        bool row;
        TRY(store_step(q, &row, f));
        if (!row) break;
        list = keep_grow(a, list, count, &cap, sizeof *list);
        if (!list) return fail_memory(f, "a list of files");
        keep_file x = {.id = store_int(q, 0), .bytes = store_int(q, 5)};
        const keep_text texts[] = {{1, &x.ref}, {2, &x.tenant}, {3, &x.name}, {4, &x.purpose}};
        TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
        list[count++] = x;
    }
    *out = list;
    *n = count;
    return E_OK;
}

err keep_file_of_batch(store_tx *tx, str file, arena *a, str *input, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT input FROM keep_batch WHERE output=?1 OR failures=?1 LIMIT 1", &q,
                      f));
    store_bind_str(q, 1, file);
    TRY(store_step(q, &row, f));
    *input = STR("");
    err e = row ? store_str(q, 0, a, input, f) : E_OK;
    store_reset(q);
    return e;
}

typedef struct cutting {
    store_tx *tx;
    const keep_file *file;
    keep_line_goes goes;
    void *ctx;
    bool looks;     /* and writes nothing */
    buf line, kept; /* kept: of the chunk to be written */
    int64_t ord, bytes, cut;
} cutting;

static err write_chunk(cutting *c, fail *f) {
    store_stmt *q;
    TRY(store_prepare(c->tx,
                      "INSERT INTO keep_chunk(file,ord,bytes) VALUES(?1,?2,?3)"
                      " ON CONFLICT(file,ord) DO UPDATE SET bytes=excluded.bytes",
                      &q, f));
    store_bind_int(q, 1, c->file->id);
    store_bind_int(q, 2, c->ord++);
    store_bind_blob(q, 3, buf_str(&c->kept));
    c->bytes += (int64_t)c->kept.n;
    TRY(keep_do(q, f));
    buf_reset(&c->kept);
    return E_OK;
}

static err keep_bytes(cutting *c, str bytes, fail *f) {
    while (bytes.n) {
        str piece = str_slice(bytes, 0, KEEP_CHUNK_BYTES - c->kept.n);
        bytes = str_slice(bytes, piece.n, bytes.n);
        buf_put(&c->kept, piece);
        TRY(buf_ok(&c->kept, f));
        if (c->kept.n == KEEP_CHUNK_BYTES) TRY(write_chunk(c, f));
    }
    return E_OK;
}

/* With its line feed, where it has one. */
static err end_line(cutting *c, fail *f) {
    TRY(buf_ok(&c->line, f));
    if (c->goes(c->ctx, str_trim(buf_str(&c->line))))
        c->cut++;
    else if (!c->looks)
        TRY(keep_bytes(c, buf_str(&c->line), f));
    buf_reset(&c->line);
    return E_OK;
}

static err take_chunk(cutting *c, str bytes, fail *f) {
    while (bytes.n) {
        size_t at = str_find(bytes, STR("\n"));
        bool whole = at != STR_INDEX_NONE;
        str piece = whole ? str_slice(bytes, 0, at + 1) : bytes;
        bytes = str_slice(bytes, piece.n, bytes.n);
        buf_put(&c->line, piece);
        if (c->line.n > KEEP_FILE_BYTES_MAX)
            return fail_set(f, E_TOO_LARGE, "a line of the file \"%.*s\" is larger than %d bytes",
                            STR_ARG(c->file->ref), KEEP_FILE_BYTES_MAX);
        if (whole) TRY(end_line(c, f));
    }
    return E_OK;
}

static err finish_cut(cutting *c, fail *f) {
    store_stmt *q;
    if (c->line.n) TRY(end_line(c, f));
    if (c->looks) return E_OK;
    if (c->kept.n) TRY(write_chunk(c, f));
    TRY(store_prepare(c->tx, "DELETE FROM keep_chunk WHERE file=?1 AND ord>=?2", &q, f));
    store_bind_int(q, 1, c->file->id);
    store_bind_int(q, 2, c->ord);
    TRY(keep_do(q, f));
    TRY(store_prepare(c->tx, "UPDATE keep_file SET bytes=?2 WHERE id=?1", &q, f));
    store_bind_int(q, 1, c->file->id);
    store_bind_int(q, 2, c->bytes);
    return keep_do(q, f);
}

static err cut_file(cutting *c, arena *mem, fail *f) {
    int64_t seen = 0;
    for (int64_t ord = 0; seen < c->file->bytes; ord++) {
        str piece;
        arena_reset(mem);
        TRY(keep_file_piece(c->tx, c->file->id, ord, mem, &piece, f));
        if (!piece.n)
            return fail_set(f, E_CORRUPT, "the file \"%.*s\" is not whole", STR_ARG(c->file->ref));
        seen += (int64_t)piece.n;
        TRY(take_chunk(c, piece, f));
    }
    return finish_cut(c, f);
}

static err pass(cutting *c, fail *f) {
    arena mem;
    arena_init(&mem, KEEP_CHUNK_BYTES + 64);
    err e = cut_file(c, &mem, f);
    arena_deinit(&mem);
    buf_deinit(&c->line);
    buf_deinit(&c->kept);
    return e;
}

err keep_file_cut(store_tx *tx, const keep_file *file, keep_line_goes goes, void *ctx,
                  int64_t *lines, fail *f) {
    cutting look = {.tx = tx, .file = file, .goes = goes, .ctx = ctx, .looks = true}, c = look;
    *lines = 0;
    TRY(pass(&look, f));
    if (!look.cut) return E_OK;
    c.looks = false;
    TRY(pass(&c, f));
    *lines = c.cut;
    return E_OK;
}

/* audit_move.c - from the bytes of a journal into the tables.
 *
 * Reads a chunk, moves the whole records in it in one transaction, goes on behind them. A chunk
 * holds more than the longest record, so a record is never split for good. What is no record is
 * skipped and counted; only what is committed counts as moved. */
#include "audit/audit_int.h"

#include "audit/audit_frame.h"
#include "base/mem.h"

enum { CHUNK_BYTES = 4 << 20 };

/* *used: bytes of this chunk that are done with. last: no byte will ever follow this chunk. */
static err move_chunk(store_tx *tx, str chunk, bool last, size_t *used, audit_moved *m, fail *f) {
    size_t done = 0;
    while (done < chunk.n) {
        size_t n;
        str record, rest = str_slice(chunk, done, chunk.n);
        audit_frame_kind kind = audit_frame_next(rest, &n, &record);
        if (kind == AUDIT_FRAME_PARTIAL && !last) break;
        if (kind == AUDIT_FRAME_PARTIAL) {
            n = audit_frame_skip(rest); /* a damaged length may hide whole records behind it */
            m->torn |= done + n == chunk.n;
            m->damaged += done + n != chunk.n;
        } else if (kind == AUDIT_FRAME_RECORD) {
            err e = audit_table_put(tx, record, f);
            if (e != E_OK && e != E_INPUT) return e;
            m->records += e == E_OK;
            m->damaged += e == E_INPUT;
        } else {
            m->damaged++;
        }
        done += n;
    }
    *used = done;
    return E_OK;
}

static err commit_chunk(store *s, str chunk, bool last, size_t *used, audit_moved *m, fail *f) {
    store_tx *tx;
    audit_moved before = *m;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    err e = move_chunk(tx, chunk, last, used, m, f);
    if (e == E_OK)
        e = store_commit(tx, f);
    else
        store_rollback(tx);
    if (e != E_OK) *m = before;
    return e;
}

static err move_all(store *s, audit_source *source, char *space, audit_moved *m, fail *f) {
    for (;;) {
        size_t want = CHUNK_BYTES, got, used = 0;
        if (source->end >= 0 && source->end - source->offset < CHUNK_BYTES)
            want = (size_t)(source->end - source->offset);
        TRY(file_read_at(source->fd, source->offset, space, want, &got, source->name, f));
        if (!got) return E_OK;
        bool last = source->final && got < CHUNK_BYTES;
        TRY(commit_chunk(s, (str){space, got}, last, &used, m, f));
        source->offset += (int64_t)used;
        if (!used) return E_OK; /* an unfinished record of a living process */
    }
}

err audit_move(store *s, audit_source *source, audit_moved *out, fail *f) {
    char *space = mem_alloc(CHUNK_BYTES);
    if (!space) return fail_memory(f, "reading a journal");
    err e = move_all(s, source, space, out, f);
    mem_free(space);
    return e;
}

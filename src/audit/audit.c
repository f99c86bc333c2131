/* audit.c - puts traces into the journal, and moves journals into the tables; see audit.h.
 *
 * put:     lock; one write                                   (the request's own thread)
 * move:    move_lock; fsync; records behind `moved` into the tables, committed; lock; when nothing
 *          came in between, the file is emptied, else it grows until JOURNAL_BYTES_MAX, where puts
 *          wait for one last move                            (flusher, or a reader)
 * settle:  move; then the other files: a dead process's is taken over and removed, a living one's
 * is only read (its owner moves it too: a known request id is left alone)
 *
 * Lock order: move_lock, lock, the folder's lock. */
#include "audit/audit_int.h"

#include "audit/audit_frame.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    JOURNAL_BYTES_MAX = 32 << 20, /* beyond this, puts wait until the journal is empty */
    ADOPT_EVERY_MS = 5000,        /* how often the flusher looks for dead processes' journals */
    RETRY_MS = 1000               /* after a move that failed */
};
_Static_assert((int)AUDIT_TRACE_BYTES_MAX == (int)AUDIT_FRAME_JSON_BYTES_MAX, "one limit");

/* ---- putting ---- */

/* Under lock. */
static err put_frame(audit *a, str frame, fail *f) {
    if (a->sync_failed) {
        fail_set(f, E_IO, "the record in \"%s\" cannot reach the disk, so nothing is answered",
                 a->folder);
        if (f) fail_hint(f, "look at the disk; the log says what it refused");
        return E_IO;
    }
    if (!a->journal.open) TRY(audit_journal_open(&a->journal, a->folder, f));
    bool idle = a->journal.size == a->journal.moved;
    TRY(audit_journal_put(&a->journal, frame, f));
    a->health.kept++;
    if (idle) cond_signal(&a->changed); /* else the flusher knows that there is work */
    return E_OK;
}

static err render(const gen_trace *t, buf *record, buf *frame, fail *f) {
    json_writer w = {.out = record};
    record->bytes_max = AUDIT_TRACE_BYTES_MAX;
    gen_trace_put_json(&w, t);
    if (record->too_large)
        return fail_set(f, E_TOO_LARGE,
                        "the record of request \"%.*s\" is above the limit of %d bytes",
                        STR_ARG(t->request_id), AUDIT_TRACE_BYTES_MAX);
    TRY(buf_ok(record, f));
    audit_frame_put(frame, buf_str(record));
    return buf_ok(frame, f);
}

err audit_put(audit *a, const gen_trace *t, fail *f) {
    buf record = {0}, frame = {0};
    CHECK(t->request_id.n); /* the edge gives every request an id */
    err e = render(t, &record, &frame, f);
    if (e == E_OK) {
        mutex_lock(&a->lock);
        e = put_frame(a, buf_str(&frame), f);
        mutex_unlock(&a->lock);
    }
    buf_deinit(&record);
    buf_deinit(&frame);
    return e;
}

/* ---- moving our own ---- */

static int64_t journal_left(audit *a, int64_t *size) {
    mutex_lock(&a->lock);
    *size = a->journal.size;
    int64_t left = a->journal.size - a->journal.moved;
    mutex_unlock(&a->lock);
    return left;
}

/* The records up to `end` into the tables. What we wrote ourselves reads back whole, unless
 * somebody else has touched the file: *damaged. */
static err move_until(audit *a, int64_t end, bool *damaged, fail *f) {
    audit_moved moved = {0};
    audit_source source = {
        .fd = a->journal.lock.fd, .name = a->journal.path, .offset = a->journal.moved, .end = end};
    TRY(audit_move(a->store, &source, &moved, f));
    *damaged |= source.offset != end || moved.damaged;
    return E_OK;
}

/* Under lock: everything up to `end` is in the tables, which are synced. Empties the file, when
 * need be after a last move for which puts wait. */
static err finish_move(audit *a, int64_t end, bool *damaged, fail *f) {
    a->journal.moved = end;
    a->sync_failed = false;
    if (a->journal.size > end && a->journal.size > JOURNAL_BYTES_MAX) {
        TRY(move_until(a, a->journal.size, damaged, f));
        a->journal.moved = a->journal.size;
    }
    return a->journal.moved == a->journal.size ? audit_journal_empty(&a->journal, f) : E_OK;
}

/* Under move_lock. Nobody else changes moved, and the file only grows. */
static err move_own(audit *a, fail *f) {
    int64_t end;
    bool damaged = false;
    if (!journal_left(a, &end)) return E_OK;
    if (file_sync(a->journal.lock.fd, a->journal.path, f) != E_OK) {
        mutex_lock(&a->lock);
        a->sync_failed = true; /* until the move below has brought it to the disk another way */
        mutex_unlock(&a->lock);
    }
    TRY(move_until(a, end, &damaged, f));
    mutex_lock(&a->lock);
    err e = finish_move(a, end, &damaged, f);
    a->health.damaged += damaged;
    if (damaged)
        log_error("audit", "%s was changed by somebody else: records lost", a->journal.path);
    mutex_unlock(&a->lock);
    return e;
}

/* ---- moving others' ---- */

static void report_import(const char *path, const audit_moved *m, audit_moved *total) {
    total->records += m->records;
    total->damaged += m->damaged + m->torn;
    if (m->torn) log_warn("audit", "%s: its last record was torn and cut off", path);
    if (m->damaged)
        log_error("audit", "%s: %lld damaged records skipped; the file is kept as %s.damaged", path,
                  (long long)m->damaged, path);
    if (m->records)
        log_info("audit", "%s: %lld records of a process that ended were moved", path,
                 (long long)m->records);
}

static err import_dead(audit *a, const char *path, int fd, audit_moved *total, fail *f) {
    audit_moved moved = {0};
    char kept[FILE_PATH_BYTES + 16];
    audit_source source = {.fd = fd, .name = path, .end = -1, .final = true};
    TRY(audit_move(a->store, &source, &moved, f));
    report_import(path, &moved, total);
    if (!moved.damaged) return file_remove(path, f);
    snprintf(kept, sizeof kept, "%s.damaged", path);
    return file_rename(path, kept, f);
}

/* Its owner may empty it under our eyes: what does not fit together is left to the owner. */
static err read_living(audit *a, const char *path, fail *f) {
    int fd;
    int64_t bytes = 0;
    audit_moved moved = {0};
    if (file_size(path, &bytes, NULL) != E_OK || bytes == 0) return E_OK;
    err e = file_open_read(&fd, path, f);
    if (e == E_NOT_FOUND) return E_OK; /* it has just ended, and everything was moved */
    if (e != E_OK) return e;
    audit_source source = {.fd = fd, .name = path, .end = -1};
    e = audit_move(a->store, &source, &moved, f);
    file_close(fd);
    return e;
}

static err take_one(audit *a, str name, audit_moved *total, fail *f) {
    char path[FILE_PATH_BYTES];
    file_lock lock = {-1};
    TRY(file_join(path, a->folder, name.p, f));
    if (!file_exists(path)) return E_OK;
    err e = file_lock_take(&lock, path, f);
    if (e == E_BUSY) return read_living(a, path, f);
    if (e != E_OK) return e;
    e = import_dead(a, path, lock.fd, total, f);
    file_lock_give(&lock);
    return e;
}

/* Under the folder's lock, which nobody waits for who holds what we may still take. */
static err take_listed(audit *a, const str *names, size_t n, audit_moved *total, fail *f) {
    file_lock folder_lock = {-1};
    TRY(audit_folder_lock(&folder_lock, a->folder, f));
    err e = E_OK;
    for (size_t i = 0; i < n && e == E_OK; i++) e = take_one(a, names[i], total, f);
    file_lock_give(&folder_lock);
    return e;
}

/* The journals in the folder that are not ours. */
static err list_others(audit *a, arena *mem, str **out, size_t *n, fail *f) {
    str *names, own = STR_NONE;
    size_t all, others = 0;
    mutex_lock(&a->lock);
    if (a->journal.open) own = arena_str(mem, str_from(strrchr(a->journal.path, '/') + 1));
    mutex_unlock(&a->lock);
    TRY(file_list(mem, a->folder, &names, &all, f));
    for (size_t i = 0; i < all; i++)
        if (audit_journal_name(names[i]) && !str_eq(names[i], own)) names[others++] = names[i];
    *out = names;
    *n = others;
    return E_OK;
}

/* Under move_lock. */
static err take_others(audit *a, fail *f) {
    arena mem;
    str *names;
    size_t n = 0;
    audit_moved total = {0};
    arena_init(&mem, 0);
    err e = list_others(a, &mem, &names, &n, f);
    if (e == E_OK && n) e = take_listed(a, names, n, &total, f);
    arena_deinit(&mem);
    mutex_lock(&a->lock);
    a->health.imported += total.records;
    a->health.damaged += total.damaged;
    mutex_unlock(&a->lock);
    return e;
}

err audit_settle(audit *a, fail *f) {
    mutex_lock(&a->move_lock);
    err e = move_own(a, f);
    if (e == E_OK) e = take_others(a, f);
    mutex_unlock(&a->move_lock);
    return e;
}

/* ---- the flusher ---- */

/* Waits for work. Returns false when it is time to stop. */
static bool flusher_wait(audit *a, int64_t wait_ms) {
    mutex_lock(&a->lock);
    if (!a->stopping && a->journal.size == a->journal.moved)
        (void)cond_wait_ms(&a->changed, &a->lock, ADOPT_EVERY_MS);
    int64_t end_ms = clock_mono_ns() / 1000000 + wait_ms, left_ms = wait_ms;
    while (!a->stopping && left_ms > 0) { /* gathers the group */
        (void)cond_wait_ms(&a->changed, &a->lock, left_ms);
        left_ms = end_ms - clock_mono_ns() / 1000000;
    }
    bool go_on = !a->stopping;
    mutex_unlock(&a->lock);
    return go_on;
}

static void flusher_run(void *arg) {
    audit *a = arg;
    int64_t wait_ms = a->flush_ms, adopted_ms = clock_mono_ns() / 1000000;
    while (flusher_wait(a, wait_ms)) {
        fail f = {0};
        bool adopt = clock_mono_ns() / 1000000 - adopted_ms >= ADOPT_EVERY_MS;
        mutex_lock(&a->move_lock);
        err e = move_own(a, &f);
        if (e == E_OK && adopt) e = take_others(a, &f);
        mutex_unlock(&a->move_lock);
        if (adopt) adopted_ms = clock_mono_ns() / 1000000;
        if (e != E_OK) log_error("audit", "records stay in their journal for now: %s", f.text);
        wait_ms = e == E_OK ? a->flush_ms : RETRY_MS;
    }
}

/* ---- opening ---- */

err audit_open(audit **out, const audit_options *o, fail *f) {
    TRY(file_make_dirs(o->folder, f));
    audit *a = mem_zero(sizeof *a);
    if (!a) return fail_memory(f, "the record");
    a->store = o->store;
    a->flush_ms = o->flush_ms > 0 ? o->flush_ms : AUDIT_FLUSH_MS;
    a->journal.lock.fd = -1;
    snprintf(a->folder, sizeof a->folder, "%s", o->folder);
    mutex_init(&a->move_lock);
    mutex_init(&a->lock);
    cond_init(&a->changed);
    err e = audit_settle(a, f);
    if (e == E_OK && o->background) e = thread_start(&a->flusher, "audit", flusher_run, a, f);
    if (e != E_OK) {
        audit_close(a);
        return e;
    }
    *out = a;
    return E_OK;
}

void audit_close(audit *a) {
    if (!a) return;
    fail f = {0};
    mutex_lock(&a->lock);
    a->stopping = true;
    cond_broadcast(&a->changed);
    mutex_unlock(&a->lock);
    thread_join(&a->flusher);
    mutex_lock(&a->move_lock);
    if (move_own(a, &f) != E_OK)
        log_error("audit", "records stay in their journal for now: %s", f.text);
    mutex_unlock(&a->move_lock);
    audit_journal_close(&a->journal);
    cond_deinit(&a->changed);
    mutex_deinit(&a->lock);
    mutex_deinit(&a->move_lock);
    mem_free(a);
}

static void health_locked(const audit *a, audit_health *out) {
    *out = a->health;
    out->journal_bytes = a->journal.size - a->journal.moved;
    out->syncing = !a->sync_failed;
}

void audit_get_health(audit *a, audit_health *out) {
    mutex_lock(&a->lock);
    health_locked(a, out);
    mutex_unlock(&a->lock);
}

bool audit_try_health(audit *a, audit_health *out) {
    if (!mutex_try_lock(&a->lock)) return false;
    health_locked(a, out);
    mutex_unlock(&a->lock);
    return true;
}

/* ---- reading: what was acknowledged is moved first ---- */

err audit_list(audit *a, const audit_filter *filter, arena *mem, audit_row **out, size_t *n,
               fail *f) {
    TRY(audit_settle(a, f));
    return audit_table_list(a->store, filter, mem, out, n, f);
}
err audit_newest(audit *a, int64_t *id, fail *f) {
    TRY(audit_settle(a, f));
    return audit_table_newest(a->store, id, f);
}
err audit_get(audit *a, str request_id, arena *mem, str *record, fail *f) {
    TRY(audit_settle(a, f));
    return audit_table_get(a->store, request_id, mem, record, f);
}

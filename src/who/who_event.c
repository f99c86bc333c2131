/* who_event.c - see who_event.h. */
#include "who/who_int.h"

#include "base/clock.h"
#include "text/hash.h"

#include <stdio.h>

static void put_field(hash_sha256_stream *s, str field) {
    char length[32];
    int n = snprintf(length, sizeof length, "|%zu:", field.n);
    hash_sha256_put(s, (str){length, (size_t)n});
    hash_sha256_put(s, field);
}

static void chain_of(str before, const who_event *e, char out[HASH_SHA256_HEX_BYTES]) {
    hash_sha256_stream s;
    unsigned char sum[HASH_SHA256_BYTES];
    char at[32];
    int n = snprintf(at, sizeof at, "%lld", (long long)e->at_ms);
    hash_sha256_begin(&s);
    hash_sha256_put(&s, before);
    put_field(&s, (str){at, (size_t)n});
    put_field(&s, e->what);
    put_field(&s, e->by);
    put_field(&s, e->target);
    put_field(&s, e->address);
    put_field(&s, e->detail);
    hash_sha256_end(&s, sum);
    hash_hex(sum, sizeof sum, out);
}

static err last_chain(store_tx *tx, arena *a, str *out, fail *f) {
    store_stmt *q;
    bool row;
    *out = STR("");
    TRY(store_prepare(tx, "SELECT chain FROM who_event ORDER BY id DESC LIMIT 1", &q, f));
    TRY(store_step(q, &row, f));
    if (row) TRY(store_str(q, 0, a, out, f));
    store_reset(q);
    return E_OK;
}

static str or_empty(str s) {
    return s.p ? s : STR("");
}

static err insert_event(store_tx *tx, const who_event *e, str before, fail *f) {
    char chain[HASH_SHA256_HEX_BYTES];
    store_stmt *q;
    bool row;
    chain_of(before, e, chain);
    TRY(store_prepare(tx,
                      "INSERT INTO who_event(at_ms,what,by_whom,target,address,detail,chain)"
                      " VALUES(?1,?2,?3,?4,?5,?6,?7)",
                      &q, f));
    store_bind_int(q, 1, e->at_ms);
    store_bind_str(q, 2, or_empty(e->what));
    store_bind_str(q, 3, or_empty(e->by));
    store_bind_str(q, 4, or_empty(e->target));
    store_bind_str(q, 5, or_empty(e->address));
    store_bind_str(q, 6, or_empty(e->detail));
    store_bind_str(q, 7, str_from(chain));
    return store_step(q, &row, f);
}

err who_event_put(store_tx *tx, const who_event *event, fail *f) {
    who_event e = *event;
    arena a;
    str before;
    if (!e.at_ms) e.at_ms = clock_now_ms();
    arena_init(&a, 256);
    err result = last_chain(tx, &a, &before, f);
    if (result == E_OK) result = insert_event(tx, &e, before, f);
    arena_deinit(&a);
    return result;
}

/* ---- reading ---- */

#define COLUMNS "SELECT id, at_ms, what, by_whom, target, address, detail, chain FROM who_event"

static err read_event(store_stmt *q, arena *a, who_event *e, fail *f) {
    str *const texts[] = {&e->what, &e->by, &e->target, &e->address, &e->detail};
    *e = (who_event){.id = store_int(q, 0), .at_ms = store_int(q, 1)};
    for (int i = 0; i < 5; i++) TRY(store_str(q, 2 + i, a, texts[i], f));
    return E_OK;
}

static err list_in(store_tx *tx, int64_t limit, arena *a, who_event *all, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, COLUMNS " ORDER BY id DESC LIMIT ?1", &q, f));
    store_bind_int(q, 1, limit);
    for (*n = 0;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(read_event(q, a, &all[(*n)++], f));
    }
}

err who_event_list(who_book *w, int64_t limit, arena *a, who_event **out, size_t *n, fail *f) {
    store_tx *tx;
    if (limit < 1 || limit > WHO_KEYS_MAX)
        return fail_set(f, E_INPUT, "a list holds 1 to %d events", WHO_KEYS_MAX);
    who_event *all = arena_new_n(a, who_event, (size_t)limit);
    if (!all) return fail_memory(f, "a list of events");
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = list_in(tx, limit, a, all, n, f);
    store_rollback(tx);
    if (e == E_OK) *out = all;
    return e;
}

/* ---- verifying ---- */

/* chain: of the row before, replaced by what this row says of itself. */
static err check_row(store_stmt *q, arena *step, char chain[HASH_SHA256_HEX_BYTES],
                     who_event_check *out, fail *f) {
    who_event e;
    str stored;
    char want[HASH_SHA256_HEX_BYTES];
    TRY(read_event(q, step, &e, f));
    TRY(store_str(q, 7, step, &stored, f));
    chain_of(str_from(chain), &e, want);
    bool good = str_is(stored, want);
    out->rows++;
    out->bad += !good;
    if (!good && !out->first_bad) out->first_bad = e.id;
    snprintf(chain, HASH_SHA256_HEX_BYTES, "%.*s", STR_ARG(stored));
    return E_OK;
}

static err verify_in(store_tx *tx, arena *a, who_event_check *out, fail *f) {
    store_stmt *q;
    bool row;
    arena step;
    err e;
    char chain[HASH_SHA256_HEX_BYTES] = "";
    TRY(store_prepare(tx, COLUMNS " ORDER BY id", &q, f));
    arena_init(&step, 0);
    while ((e = store_step(q, &row, f)) == E_OK && row) {
        if ((e = check_row(q, &step, chain, out, f)) != E_OK) break;
        arena_reset(&step);
    }
    arena_deinit(&step);
    TRY(e);
    out->head = arena_str(a, str_from(chain));
    return out->head.p ? E_OK : fail_memory(f, "the chain of events");
}

err who_event_verify(who_book *w, arena *a, who_event_check *out, fail *f) {
    store_tx *tx;
    who_event_check check = {0};
    TRY(store_begin(w->store, STORE_READ, &tx, f));
    err e = verify_in(tx, a, &check, f);
    store_rollback(tx);
    if (e == E_OK) *out = check;
    return e;
}

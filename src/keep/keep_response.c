/* keep_response.c - responses and the items they were asked with and answered with. */
#include "keep/keep_int.h"

#include "base/clock.h"

err keep_response_add(store_tx *tx, keep_response *r, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "INSERT INTO keep_response(ref,tenant,subject,previous,status,object,"
                      "created_ms,expires_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
                      &q, f));
    store_bind_str(q, 1, r->ref);
    store_bind_str(q, 2, keep_filled(r->tenant));
    store_bind_str(q, 3, keep_filled(r->subject));
    store_bind_str(q, 4, keep_filled(r->previous));
    store_bind_str(q, 5, str_from(r->status));
    store_bind_str(q, 6, r->object);
    store_bind_int(q, 7, r->created_ms);
    store_bind_int(q, 8, r->expires_ms);
    TRY(keep_do(q, f));
    r->id = store_last_id(tx);
    return E_OK;
}

err keep_response_id(store_tx *tx, str ref, int64_t *id, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT id FROM keep_response WHERE ref=?1", &q, f));
    store_bind_str(q, 1, ref);
    TRY(store_step(q, &row, f));
    if (!row) return keep_none("response", ref, f);
    *id = store_int(q, 0);
    store_reset(q);
    return E_OK;
}

err keep_item_add(store_tx *tx, int64_t response, const keep_item *items, size_t n, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx, "INSERT INTO keep_item(response,side,ref,text) VALUES(?1,?2,?3,?4)", &q,
                      f));
    for (size_t i = 0; i < n; i++) {
        store_reset(q);
        store_bind_int(q, 1, response);
        store_bind_int(q, 2, items[i].side);
        store_bind_str(q, 3, keep_filled(items[i].ref));
        store_bind_str(q, 4, items[i].text);
        TRY(keep_do(q, f));
    }
    return E_OK;
}

err keep_response_set(store_tx *tx, str ref, const char *from, const char *status, str object,
                      bool *changed, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "UPDATE keep_response SET status=?2, object=?3 WHERE ref=?1 AND"
                      " (?4='' OR status=?4)",
                      &q, f));
    store_bind_str(q, 1, ref);
    store_bind_str(q, 2, str_from(status));
    store_bind_str(q, 3, object);
    store_bind_str(q, 4, str_from(from));
    TRY(keep_do(q, f));
    *changed = store_changes(tx) > 0;
    return E_OK;
}

static err find_response(store_tx *tx, str tenant, str ref, arena *a, keep_response *out, fail *f) {
    store_stmt *q;
    str status;
    TRY(keep_find(tx,
                  "SELECT id,ref,subject,previous,status,object,created_ms,expires_ms FROM"
                  " keep_response WHERE ref=?1 AND tenant=?2",
                  "response", tenant, ref, &q, f));
    keep_response r = {.id = store_int(q, 0),
                       .tenant = tenant,
                       .created_ms = store_int(q, 6),
                       .expires_ms = store_int(q, 7)};
    const keep_text texts[] = {
        {1, &r.ref}, {2, &r.subject}, {3, &r.previous}, {4, &status}, {5, &r.object}};
    TRY(keep_texts(q, a, texts, sizeof texts / sizeof *texts, f));
    r.status = status.p;
    store_reset(q);
    if (keep_is_over(r.expires_ms)) return keep_none("response", ref, f);
    *out = r;
    return E_OK;
}

err keep_response_get(store *s, str tenant, str ref, arena *a, keep_response *out, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_response(tx, tenant, ref, a, out, f);
    store_rollback(tx);
    return e;
}

static err delete_response(store_tx *tx, str tenant, str ref, fail *f) {
    TRY(keep_delete(tx, "DELETE FROM keep_response WHERE ref=?1 AND tenant=?2", "response", tenant,
                    ref, f));
    err e = keep_delete(tx, "DELETE FROM keep_job WHERE ref=?1 AND tenant=?2", "request", tenant,
                        ref, f);
    return e == E_NOT_FOUND ? E_OK : e; /* only one in the background has a job */
}

err keep_response_delete(store *s, str tenant, str ref, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_WRITE, &tx, f));
    return keep_finish(tx, delete_response(tx, tenant, ref, f), f);
}

/* ---- items ---- */

typedef struct item_list {
    arena *a;
    keep_item *items;
    size_t n, cap;
} item_list;

/* q gives side, ref, text. */
static err add_rows(item_list *list, store_stmt *q, fail *f) {
    for (;;) {
        bool row;
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        if (list->n == KEEP_ITEMS_MAX)
            return fail_set(f, E_TOO_LARGE, "the responses before this one have more than %d items",
                            KEEP_ITEMS_MAX);
        list->items = keep_grow(list->a, list->items, list->n, &list->cap, sizeof *list->items);
        if (!list->items) return fail_memory(f, "items");
        keep_item *item = &list->items[list->n++];
        item->side = (keep_side)store_int(q, 0);
        TRY(store_str(q, 1, list->a, &item->ref, f));
        TRY(store_str(q, 2, list->a, &item->text, f));
    }
}

static err add_items(item_list *list, store_tx *tx, int64_t response, int64_t side_max, fail *f) {
    store_stmt *q;
    TRY(store_prepare(tx,
                      "SELECT side,ref,text FROM keep_item WHERE response=?1 AND side<=?2 ORDER BY"
                      " side,id",
                      &q, f));
    store_bind_int(q, 1, response);
    store_bind_int(q, 2, side_max);
    return add_rows(list, q, f);
}

/* The rows of the chain, last first, into ids [KEEP_CHAIN_MAX]. */
static err walk_back(store_tx *tx, str tenant, str ref, arena *a, int64_t *ids, size_t *n,
                     fail *f) {
    for (*n = 0; ref.n; (*n)++) {
        keep_response r;
        if (*n == KEEP_CHAIN_MAX)
            return fail_set(f, E_TOO_LARGE, "more than %d responses lie before this one",
                            KEEP_CHAIN_MAX);
        TRY(find_response(tx, tenant, ref, a, &r, f));
        ids[*n] = r.id;
        ref = r.previous;
    }
    return E_OK;
}

static err read_chain(store_tx *tx, str tenant, str ref, item_list *list, fail *f) {
    size_t n;
    int64_t *ids = arena_new_n(list->a, int64_t, KEEP_CHAIN_MAX);
    if (!ids) return fail_memory(f, "a chain of responses");
    TRY(walk_back(tx, tenant, ref, list->a, ids, &n, f));
    while (n > 0) TRY(add_items(list, tx, ids[--n], KEEP_OUTPUT, f));
    return E_OK;
}

err keep_chain(store *s, str tenant, str ref, arena *a, keep_item **out, size_t *n, fail *f) {
    store_tx *tx;
    item_list list = {.a = a};
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = read_chain(tx, tenant, ref, &list, f);
    store_rollback(tx);
    if (e != E_OK) return e;
    *out = list.items;
    *n = list.n;
    return E_OK;
}

static err find_item(store_tx *tx, str tenant, str ref, arena *a, keep_item *out, fail *f) {
    store_stmt *q;
    item_list list = {.a = a};
    TRY(store_prepare(tx,
                      "SELECT i.side,i.ref,i.text FROM keep_item i JOIN keep_response r ON"
                      " r.id=i.response WHERE i.ref=?1 AND r.tenant=?2 AND r.expires_ms>?3 ORDER "
                      "BY i.id DESC LIMIT 1",
                      &q, f));
    store_bind_str(q, 1, ref);
    store_bind_str(q, 2, keep_filled(tenant));
    store_bind_int(q, 3, clock_now_ms());
    TRY(add_rows(&list, q, f));
    if (!list.n) return keep_none("item", ref, f);
    *out = list.items[0];
    return E_OK;
}

err keep_item_get(store *s, str tenant, str ref, arena *a, keep_item *out, fail *f) {
    store_tx *tx;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_item(tx, tenant, ref, a, out, f);
    store_rollback(tx);
    return e;
}

err keep_item_list(store *s, str tenant, str response, arena *a, keep_item **out, size_t *n,
                   fail *f) {
    store_tx *tx;
    keep_response r;
    item_list list = {.a = a};
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = find_response(tx, tenant, response, a, &r, f);
    if (e == E_OK) e = add_items(&list, tx, r.id, KEEP_INPUT, f);
    store_rollback(tx);
    if (e != E_OK) return e;
    *out = list.items;
    *n = list.n;
    return E_OK;
}

/* desk_read.c - what the queue holds: lists with filters and search, one review, its history
 * and counts. Reads only; any thread. */
#include "desk/desk_int.h"

#include "base/clock.h"

enum { LIST_DEFAULT = 50, SEARCH_BYTES_MAX = 256 };

#define LIST_WHERE                                                          \
    " FROM desk_review WHERE (?1='' OR task_name=?1 OR task_id=?1)"         \
    " AND (CASE ?2 WHEN 'open' THEN status<>'answered'"                     \
    "      WHEN 'claimed' THEN status='claimed' AND claimed_until_ms>?3"    \
    "      WHEN 'answered' THEN status='answered' ELSE 1 END)"              \
    " AND (?4='' OR text LIKE ?4 ESCAPE '\\' OR answer LIKE ?4 ESCAPE '\\'" \
    "      OR ref LIKE ?4 ESCAPE '\\')"                                     \
    " AND (?7='' OR tenant=?7)"

/* "50%" becomes "%50\%%": what people type is never a pattern. "" stays "". */
static err like_pattern(str search, arena *a, str *out, fail *f) {
    if (search.n > SEARCH_BYTES_MAX)
        return fail_set(f, E_INPUT, "the search text of %zu bytes is above the limit of %d",
                        search.n, SEARCH_BYTES_MAX);
    char *p = arena_alloc(a, 2 * search.n + 3);
    if (!p) return fail_memory(f, "a search");
    size_t n = 0;
    if (search.n) p[n++] = '%';
    for (size_t i = 0; i < search.n; i++) {
        char c = search.p[i];
        if (c == '%' || c == '_' || c == '\\') p[n++] = '\\';
        p[n++] = c;
    }
    if (search.n) p[n++] = '%';
    *out = (str){p, n};
    return E_OK;
}

static err list_status(str given, str *out, fail *f) {
    static const char *const known[] = {"open", "claimed", "answered", "all"};
    str s = given.n ? given : STR("open");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(s, known[i])) {
            *out = s;
            return E_OK;
        }
    return fail_set(f, E_INPUT, "status \"%.*s\" is none of open, claimed, answered, all",
                    STR_ARG(str_slice(s, 0, 64)));
}

/* The parts of a filter as they are bound, and the time of reading. */
typedef struct list_query {
    str task, tenant, status, pattern;
    int64_t now_ms, limit, offset;
} list_query;

static err list_prepare(const desk_filter *filter, arena *a, list_query *out, fail *f) {
    list_query l = {.task = filter->task.p ? filter->task : STR(""),
                    .tenant = filter->tenant.p ? filter->tenant : STR(""),
                    .now_ms = clock_now_ms()};
    TRY(list_status(filter->status, &l.status, f));
    TRY(like_pattern(filter->search, a, &l.pattern, f));
    if (filter->limit < 0 || filter->limit > DESK_LIST_MAX || filter->offset < 0)
        return fail_set(f, E_INPUT, "offset %lld and limit %lld: limit is at most %d, neither < 0",
                        (long long)filter->offset, (long long)filter->limit, DESK_LIST_MAX);
    l.limit = filter->limit ? filter->limit : LIST_DEFAULT;
    l.offset = filter->offset;
    *out = l;
    return E_OK;
}

static void list_bind(store_stmt *q, const list_query *l) {
    store_bind_str(q, 1, l->task);
    store_bind_str(q, 2, l->status);
    store_bind_int(q, 3, l->now_ms);
    store_bind_str(q, 4, l->pattern);
    store_bind_str(q, 7, l->tenant);
}

static err list_rows(store_tx *tx, const desk_filter *filter, const list_query *l, arena *a,
                     desk_review **out, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    desk_row one;
    size_t count = 0;
    desk_review *list = arena_new_n(a, desk_review, (size_t)l->limit);
    if (!list) return fail_memory(f, "a list of reviews");
    TRY(store_prepare(tx,
                      filter->newest_first
                          ? "SELECT " DESK_COLUMNS LIST_WHERE " ORDER BY id DESC LIMIT ?5 OFFSET ?6"
                          : "SELECT " DESK_COLUMNS LIST_WHERE " ORDER BY id LIMIT ?5 OFFSET ?6",
                      &q, f));
    list_bind(q, l);
    store_bind_int(q, 5, l->limit);
    store_bind_int(q, 6, l->offset);
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) break;
        TRY(desk_row_read(q, l->now_ms, a, &one, f));
        list[count++] = one.review;
    }
    *out = list;
    *n = count;
    return E_OK;
}

static err list_total(store_tx *tx, const list_query *l, int64_t *total, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT count(*)" LIST_WHERE, &q, f));
    list_bind(q, l);
    TRY(store_step(q, &row, f));
    *total = store_int(q, 0);
    return E_OK;
}

err desk_list(desk *d, const desk_filter *filter, arena *a, desk_review **out, size_t *n,
              int64_t *total, fail *f) {
    list_query l = {0};
    store_tx *tx;
    int64_t all = 0;
    TRY(list_prepare(filter, a, &l, f));
    TRY(store_begin(d->store, STORE_READ, &tx, f));
    err e = total ? list_total(tx, &l, &all, f) : E_OK;
    if (e == E_OK) e = list_rows(tx, filter, &l, a, out, n, f);
    store_rollback(tx);
    if (e == E_OK && total) *total = all;
    return e;
}

err desk_get(desk *d, str ref, arena *a, desk_review *out, fail *f) {
    store_tx *tx;
    desk_row row;
    TRY(store_begin(d->store, STORE_READ, &tx, f));
    err e = desk_row_get(tx, ref, clock_now_ms(), a, &row, f);
    store_rollback(tx);
    if (e == E_OK) *out = row.review;
    return e;
}

static err history_rows(store_tx *tx, int64_t review, arena *a, desk_event **out, size_t *n,
                        fail *f) {
    enum { EVENTS_MAX = 1000 };
    store_stmt *q;
    bool row;
    size_t count = 0, cap = 0;
    desk_event *list = NULL;
    TRY(store_prepare(tx,
                      "SELECT at_ms, what, by, text, label FROM desk_event WHERE review=?1"
                      " ORDER BY id LIMIT ?2",
                      &q, f));
    store_bind_int(q, 1, review);
    store_bind_int(q, 2, EVENTS_MAX);
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) break;
        if (count == cap) {
            cap = cap ? 2 * cap : 16;
            desk_event *grown = arena_new_n(a, desk_event, cap);
            if (!grown) return fail_memory(f, "a review's history");
            for (size_t i = 0; i < count; i++) grown[i] = list[i];
            list = grown;
        }
        desk_event *one = &list[count++];
        one->at_ms = store_int(q, 0);
        TRY(store_str(q, 1, a, &one->what, f));
        TRY(store_str(q, 2, a, &one->by, f));
        TRY(store_str(q, 3, a, &one->text, f));
        TRY(store_str(q, 4, a, &one->label, f));
    }
    *out = list;
    *n = count;
    return E_OK;
}

err desk_history(desk *d, str ref, arena *a, desk_event **out, size_t *n, fail *f) {
    store_tx *tx;
    desk_row row;
    TRY(store_begin(d->store, STORE_READ, &tx, f));
    err e = desk_row_get(tx, ref, clock_now_ms(), a, &row, f);
    if (e == E_OK) e = history_rows(tx, row.id, a, out, n, f);
    store_rollback(tx);
    return e;
}

/* Numbers are given again when the newest events were erased. */
static err newest_event(store_tx *tx, int64_t *id, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT coalesce(max(id),0) FROM desk_event", &q, f));
    TRY(store_step(q, &row, f));
    *id = store_int(q, 0);
    store_reset(q);
    return E_OK;
}

static err changed_rows(store_tx *tx, int64_t *last, arena *a, str *list, size_t *n, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "SELECT e.id, r.ref FROM desk_event e JOIN desk_review r ON r.id=e.review"
                      " WHERE e.id>?1 ORDER BY e.id LIMIT ?2",
                      &q, f));
    store_bind_int(q, 1, *last);
    store_bind_int(q, 2, DESK_LIST_MAX);
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(store_str(q, 1, a, &list[*n], f));
        *last = store_int(q, 0);
        ++*n;
    }
}

err desk_changed_since(desk *d, int64_t *last, arena *a, str **out, size_t *n, fail *f) {
    store_tx *tx;
    int64_t newest = 0, at = *last;
    size_t count = 0;
    str *list = NULL;
    TRY(store_begin(d->store, STORE_READ, &tx, f));
    err e = newest_event(tx, &newest, f);
    if (e == E_OK && at >= 0 && newest > at) {
        list = arena_new_n(a, str, DESK_LIST_MAX);
        e = list ? changed_rows(tx, &at, a, list, &count, f) : fail_memory(f, "the queue's news");
    }
    store_rollback(tx);
    if (e != E_OK) return e;
    *last = count ? at : newest;
    *out = list;
    *n = count;
    return E_OK;
}

err desk_count(desk *d, str task, str tenant, desk_counts *out, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    TRY(store_begin(d->store, STORE_READ, &tx, f));
    err e = store_prepare(tx,
                          "SELECT count(*) FILTER (WHERE status<>'answered'),"
                          " count(*) FILTER (WHERE status='claimed' AND claimed_until_ms>?2),"
                          " count(*) FILTER (WHERE status<>'answered' AND"
                          "   (told>1 OR expected_by_ms<=?2)),"
                          " count(*) FILTER (WHERE status='answered'),"
                          " min(created_ms) FILTER (WHERE status<>'answered')"
                          " FROM desk_review WHERE (?1='' OR task_name=?1 OR task_id=?1)"
                          " AND (?3='' OR tenant=?3)",
                          &q, f);
    if (e == E_OK) {
        store_bind_str(q, 1, task.p ? task : STR(""));
        store_bind_int(q, 2, clock_now_ms());
        store_bind_str(q, 3, tenant.p ? tenant : STR(""));
        e = store_step(q, &row, f);
    }
    if (e == E_OK)
        *out = (desk_counts){.open = store_int(q, 0),
                             .claimed = store_int(q, 1),
                             .overdue = store_int(q, 2),
                             .answered = store_int(q, 3),
                             .oldest_ms = store_int(q, 4)};
    store_rollback(tx);
    return e;
}

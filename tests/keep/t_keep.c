/* t_keep.c - tests keep/: tenants, chains, files in chunks, jobs that end once, batches, keys, what
 * is due or erased, a full disk, and a process that is killed. */
#include "test.h"

#include "base/clock.h"
#include "keep/keep.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static store *s;
static arena a;
static fail f;
static char path[64];

static void open_it(void) {
    size_t n;
    const store_migration *m = keep_migrations(&n);
    assert_ok(store_open(&s, path, m, n, &f), &f);
}

static int setup(void **state) {
    (void)state;
    strcpy(path, "/tmp/bantam-t-keep-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    open_it();
    arena_init(&a, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char more[80];
    store_close(s);
    arena_deinit(&a);
    clock_set_test_ms(0);
    unlink(path);
    snprintf(more, sizeof more, "%s-wal", path);
    unlink(more);
    snprintf(more, sizeof more, "%s-shm", path);
    unlink(more);
    return 0;
}

static store_tx *begin(void) {
    store_tx *tx;
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    return tx;
}

/* ---- responses ---- */

static void add_response(const char *ref, const char *previous, const char *subject) {
    store_tx *tx = begin();
    keep_response r = {.ref = str_from(ref),
                       .tenant = STR("t"),
                       .subject = str_from(subject),
                       .previous = str_from(previous),
                       .status = "completed",
                       .object = STR("{}"),
                       .created_ms = clock_now_ms(),
                       .expires_ms = clock_now_ms() + KEEP_RESPONSE_MS};
    keep_item items[] = {
        {.ref = arena_printf(&a, "out-%s", ref), .side = KEEP_OUTPUT, .text = STR("\"out\"")},
        {.ref = arena_printf(&a, "in-%s", ref), .side = KEEP_INPUT, .text = STR("\"in\"")}};
    assert_ok(keep_response_add(tx, &r, &f), &f);
    assert_ok(keep_item_add(tx, r.id, items, 2, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
}

static void a_chain_is_in_order(void **state) {
    (void)state;
    static const char *const wanted[] = {"in-r1", "out-r1", "in-r2", "out-r2", "in-r3", "out-r3"};
    keep_item *items, item;
    size_t n;
    add_response("r1", "", "");
    add_response("r2", "r1", "");
    add_response("r3", "r2", "");
    assert_ok(keep_chain(s, STR("t"), STR("r3"), &a, &items, &n, &f), &f);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) assert_true(str_is(items[i].ref, wanted[i]));
    assert_ok(keep_item_list(s, STR("t"), STR("r2"), &a, &items, &n, &f), &f);
    assert_int_equal(n, 1);
    assert_ok(keep_response_delete(s, STR("t"), STR("r2"), &f), &f);
    assert_int_equal(keep_chain(s, STR("t"), STR("r3"), &a, &items, &n, &f), E_NOT_FOUND);
    assert_int_equal(keep_item_get(s, STR("t"), STR("in-r2"), &a, &item, &f), E_NOT_FOUND);
}

static void another_tenant_finds_nothing(void **state) {
    (void)state;
    keep_response r;
    keep_item *items, item;
    size_t n;
    add_response("r1", "", "");
    assert_int_equal(keep_response_get(s, STR("u"), STR("r1"), &a, &r, &f), E_NOT_FOUND);
    assert_int_equal(keep_response_delete(s, STR(""), STR("r1"), &f), E_NOT_FOUND);
    assert_int_equal(keep_chain(s, STR("u"), STR("r1"), &a, &items, &n, &f), E_NOT_FOUND);
    assert_int_equal(keep_item_get(s, STR("u"), STR("in-r1"), &a, &item, &f), E_NOT_FOUND);
    assert_ok(keep_item_get(s, STR("t"), STR("in-r1"), &a, &item, &f), &f);
}

static void a_chain_has_an_end(void **state) {
    (void)state;
    keep_item *items;
    size_t n;
    store_tx *tx = begin();
    for (int i = 0; i <= KEEP_CHAIN_MAX; i++) {
        keep_response r = {.ref = arena_printf(&a, "c%d", i),
                           .previous = i ? arena_printf(&a, "c%d", i - 1) : STR(""),
                           .status = "completed",
                           .object = STR("{}")};
        assert_ok(keep_response_add(tx, &r, &f), &f);
    }
    assert_ok(store_commit(tx, &f), &f);
    str last = arena_printf(&a, "c%d", KEEP_CHAIN_MAX);
    assert_int_equal(keep_chain(s, STR(""), last, &a, &items, &n, &f), E_TOO_LARGE);
    last = arena_printf(&a, "c%d", KEEP_CHAIN_MAX - 1);
    assert_ok(keep_chain(s, STR(""), last, &a, &items, &n, &f), &f);
}

/* ---- files ---- */

static err add_file(const char *ref, str bytes, int64_t expires_ms) {
    store_tx *tx;
    keep_writer w;
    keep_file file = {.ref = str_from(ref),
                      .tenant = STR("t"),
                      .name = STR("a.txt"),
                      .purpose = STR("batch"),
                      .expires_ms = expires_ms};
    TRY(store_begin(s, STORE_WRITE, &tx, &f));
    err e = keep_file_begin(&w, tx, &file, &f);
    if (e == E_OK) e = keep_file_put(&w, str_slice(bytes, 0, 3), &f);
    if (e == E_OK) e = keep_file_put(&w, str_slice(bytes, 3, bytes.n), &f);
    if (e == E_OK) e = keep_file_end(&w, &f);
    keep_file_drop(&w);
    return keep_finish(tx, e, &f);
}

static void files_come_back_whole(void **state) {
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   KEEP_CHUNK_BYTES - 1,
                                   KEEP_CHUNK_BYTES,
                                   KEEP_CHUNK_BYTES + 1,
                                   3 * KEEP_CHUNK_BYTES + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = arena_alloc(&a, sizes[i] + 1);
        keep_file file;
        str back;
        const char *ref = arena_printf(&a, "f%zu", i).p;
        for (size_t k = 0; k < sizes[i]; k++) p[k] = (char)(k * 2654435761u >> 11);
        assert_ok(add_file(ref, (str){p, sizes[i]}, 0), &f);
        assert_ok(keep_file_get(s, STR("t"), str_from(ref), &a, &file, &f), &f);
        assert_int_equal(file.bytes, sizes[i]);
        assert_ok(keep_file_read(s, &file, &a, &back, &f), &f);
        assert_int_equal(back.n, sizes[i]);
        assert_memory_equal(back.p, p, sizes[i]);
        assert_ok(keep_file_delete(s, STR("t"), str_from(ref), &f), &f);
        assert_ok(keep_file_chunk(s, file.id, 0, &a, &back, &f), &f);
        assert_int_equal(back.n, 0);
    }
}

static void lists_go_on(void **state) {
    (void)state;
    keep_file *files;
    size_t n;
    bool more;
    for (int i = 0; i < 5; i++)
        assert_ok(add_file(arena_printf(&a, "f%d", i).p, STR("abcdef"), 0), &f);
    keep_page page = {.tenant = STR("t"), .after = STR(""), .limit = 2};
    assert_ok(keep_file_list(s, &page, STR(""), &a, &files, &n, &more, &f), &f);
    assert_true(n == 2 && more && str_is(files[0].ref, "f4"));
    page.after = STR("f3");
    page.limit = 3;
    assert_ok(keep_file_list(s, &page, STR("batch"), &a, &files, &n, &more, &f), &f);
    assert_true(n == 3 && !more && str_is(files[2].ref, "f0"));
    page.ascending = true;
    assert_ok(keep_file_list(s, &page, STR("other"), &a, &files, &n, &more, &f), &f);
    assert_int_equal(n, 0);
    page.after = STR("nosuch");
    assert_int_equal(keep_file_list(s, &page, STR(""), &a, &files, &n, &more, &f), E_NOT_FOUND);
}

static void a_full_disk_leaves_no_half(void **state) {
    (void)state;
    store_tx *tx = begin();
    keep_file file;
    assert_ok(store_run(tx, "PRAGMA max_page_count=400", &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    char *p = arena_alloc(&a, 3 << 20);
    assert_ok(add_file("small", STR("abcdef"), 0), &f);
    assert_int_equal(add_file("large", (str){p, 3 << 20}, 0), E_NO_SPACE);
    assert_int_equal(keep_file_get(s, STR("t"), STR("large"), &a, &file, &f), E_NOT_FOUND);
    assert_ok(add_file("small2", STR("abcdef"), 0), &f);
}

/* ---- jobs ---- */

static int64_t add_job(const char *ref, keep_kind kind, int64_t batch, int64_t ord) {
    store_tx *tx = begin();
    bool added;
    keep_job j = {
        .kind = kind,
        .ref = str_from(ref),
        .owner = {.kind = 1, .id = 7, .scopes = 3, .name = STR("key"), .tenant = STR("t")},
        .subject = STR("kim"),
        .path = STR("/p"),
        .body = STR("{\"a\":1}"),
        .batch = batch,
        .ord = ord,
        .custom = str_from(ref),
        .created_ms = clock_now_ms(),
        .expires_ms = clock_now_ms() + KEEP_JOB_MS};
    assert_ok(keep_job_add(tx, &j, &added, &f), &f);
    assert_true(added);
    assert_ok(store_commit(tx, &f), &f);
    return j.id;
}

static bool end_job(int64_t id, keep_kind kind, int64_t batch, int64_t status) {
    store_tx *tx = begin();
    bool changed;
    keep_job j = {.id = id,
                  .kind = kind,
                  .batch = batch,
                  .state = KEEP_DONE,
                  .status = status,
                  .answer = STR("{}")};
    assert_ok(keep_job_end(tx, &j, &changed, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    return changed;
}

static void jobs_come_in_order_and_end_once(void **state) {
    (void)state;
    int64_t first = add_job("j1", KEEP_ASYNC, 0, 0), second = add_job("j2", KEEP_ASYNC, 0, 0);
    keep_job j;
    bool found;
    assert_ok(keep_job_next(s, false, NULL, 0, &a, &j, &found, &f), &f);
    assert_true(found && j.id == first && str_is(j.body, "{\"a\":1}") && j.owner.id == 7);
    assert_true(str_is(j.owner.tenant, "t") && str_is(j.owner.name, "key"));
    assert_ok(keep_job_next(s, false, &first, 1, &a, &j, &found, &f), &f);
    assert_true(found && j.id == second);
    assert_ok(keep_job_next(s, true, NULL, 0, &a, &j, &found, &f), &f);
    assert_false(found);
    assert_true(end_job(first, KEEP_ASYNC, 0, 200));
    assert_false(end_job(first, KEEP_ASYNC, 0, 500));
    assert_ok(keep_job_get(s, STR("t"), STR("j1"), &a, &j, &f), &f);
    assert_true(j.state == KEEP_DONE && j.status == 200 && j.body.n == 0);
    assert_int_equal(keep_job_get(s, STR("u"), STR("j1"), &a, &j, &f), E_NOT_FOUND);
}

/* ---- batches ---- */

static keep_batch add_batch(const char *ref) {
    store_tx *tx = begin();
    keep_batch b = {.ref = str_from(ref),
                    .owner = {.tenant = STR("t"), .name = STR("")},
                    .endpoint = STR("/p"),
                    .input = STR("file-x")};
    assert_ok(keep_batch_add(tx, &b, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    return b;
}

static void start_batch(keep_batch *b, int64_t total) {
    store_tx *tx = begin();
    b->total = total;
    assert_ok(keep_batch_start(tx, b, true, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
}

static bool next_batch(int64_t now_ms, keep_batch *out) {
    bool found;
    assert_ok(keep_batch_next(s, now_ms, &a, out, &found, &f), &f);
    return found;
}

static void a_batch_goes_its_way(void **state) {
    (void)state;
    keep_batch b = add_batch("b1"), got;
    int64_t now_ms = clock_now_ms();
    keep_job *lines;
    size_t n;
    assert_true(next_batch(now_ms, &got) && str_is(got.status, "validating"));
    int64_t one = add_job("l1", KEEP_LINE, b.id, 0), two = add_job("l2", KEEP_LINE, b.id, 1);
    start_batch(&b, 2);
    assert_false(next_batch(now_ms, &got));
    assert_true(end_job(one, KEEP_LINE, b.id, 200));
    assert_false(next_batch(now_ms, &got));
    assert_true(end_job(two, KEEP_LINE, b.id, 404));
    assert_true(next_batch(now_ms, &got));
    assert_true(got.done == 1 && got.failed == 1 && got.total == 2);
    store_tx *tx = begin();
    assert_ok(keep_batch_lines(tx, b.id, -1, 10, &a, &lines, &n, &f), &f);
    assert_true(n == 2 && str_is(lines[0].custom, "l1") && lines[1].status == 404);
    got.status = STR("completed");
    got.ended_ms = now_ms;
    assert_ok(keep_batch_end(tx, &got, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_false(next_batch(now_ms, &got));
    assert_int_equal(keep_batch_cancel(s, STR("t"), STR("b1"), &f), E_EXISTS);
}

static void a_batch_is_cancelled_or_expires(void **state) {
    (void)state;
    keep_batch b = add_batch("b1"), got;
    int64_t line = add_job("l1", KEEP_LINE, b.id, 0), now_ms = clock_now_ms();
    start_batch(&b, 1);
    assert_true(next_batch(now_ms + KEEP_WINDOW_MS, &got));
    assert_ok(keep_batch_cancel(s, STR("t"), STR("b1"), &f), &f);
    assert_false(end_job(line, KEEP_LINE, b.id, 200));
    assert_true(next_batch(now_ms, &got) && str_is(got.status, "cancelling"));
    store_tx *tx = begin();
    assert_int_equal(keep_batch_start(tx, &b, true, &f), E_CANCELLED);
    store_rollback(tx);
}

static void lines_have_names_of_their_own(void **state) {
    (void)state;
    keep_batch b = add_batch("b1");
    bool added;
    add_job("l1", KEEP_LINE, b.id, 0);
    store_tx *tx = begin();
    keep_job j = {.kind = KEEP_LINE,
                  .ref = STR("l2"),
                  .path = STR(""),
                  .body = STR(""),
                  .batch = b.id,
                  .ord = 1,
                  .custom = STR("l1")};
    assert_ok(keep_job_add(tx, &j, &added, &f), &f);
    assert_false(added);
    store_rollback(tx);
}

/* ---- once, housekeeping, erasure ---- */

static void add_once(const char *key, const char *subject) {
    store_tx *tx = begin();
    keep_once o = {.actor = STR("me"),
                   .key = str_from(key),
                   .digest = STR("d"),
                   .status = 202,
                   .location = STR("/x"),
                   .answer = STR("{}"),
                   .subject = str_from(subject)};
    assert_ok(keep_once_add(tx, &o, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
}

static bool has_once(const char *actor, const char *key) {
    keep_once o;
    bool found;
    assert_ok(keep_once_find(s, str_from(actor), str_from(key), &a, &o, &found, &f), &f);
    if (found) assert_true(o.status == 202 && str_is(o.location, "/x"));
    return found;
}

/* What is past its time is gone at once, not at the next hour's housekeeping. */
static void what_is_over_is_not_found(void **state) {
    (void)state;
    int64_t now_ms = clock_now_ms();
    keep_file file, *files;
    keep_response r;
    keep_item *items;
    keep_job j;
    size_t n;
    bool more;
    keep_page page = {.tenant = STR("t"), .limit = 10};
    clock_set_test_ms(now_ms);
    add_response("r1", "", "");
    add_job("j1", KEEP_ASYNC, 0, 0);
    assert_ok(add_file("kept", STR("abcdef"), 0), &f);
    assert_ok(add_file("goes", STR("abcdef"), now_ms + 5), &f);
    clock_set_test_ms(now_ms + 4);
    assert_ok(keep_file_get(s, STR("t"), STR("goes"), &a, &file, &f), &f);
    clock_set_test_ms(now_ms + 5);
    assert_int_equal(keep_file_get(s, STR("t"), STR("goes"), &a, &file, &f), E_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        page.ascending = i;
        assert_ok(keep_file_list(s, &page, STR(""), &a, &files, &n, &more, &f), &f);
        assert_int_equal(n, 1);
        assert_true(str_is(files[0].ref, "kept"));
    }
    assert_ok(keep_job_get(s, STR("t"), STR("j1"), &a, &j, &f), &f);
    clock_set_test_ms(now_ms + KEEP_RESPONSE_MS);
    assert_int_equal(keep_job_get(s, STR("t"), STR("j1"), &a, &j, &f), E_NOT_FOUND);
    assert_int_equal(keep_response_get(s, STR("t"), STR("r1"), &a, &r, &f), E_NOT_FOUND);
    assert_int_equal(keep_chain(s, STR("t"), STR("r1"), &a, &items, &n, &f), E_NOT_FOUND);
}

static void what_is_due_goes(void **state) {
    (void)state;
    int64_t now_ms = clock_now_ms(), n;
    keep_file file;
    keep_response r;
    keep_job j;
    clock_set_test_ms(now_ms);
    add_response("r1", "", "");
    add_once("k", "");
    add_job("j1", KEEP_ASYNC, 0, 0);
    assert_ok(add_file("kept", STR("abcdef"), 0), &f);
    assert_ok(add_file("goes", STR("abcdef"), now_ms + 5), &f);
    assert_ok(keep_forget(s, now_ms, &n, &f), &f);
    assert_int_equal(n, 0);
    assert_true(has_once("me", "k") && !has_once("you", "k"));
    assert_ok(keep_forget(s, now_ms + KEEP_ONCE_MS, &n, &f), &f);
    assert_int_equal(n, 3);
    assert_int_equal(keep_file_get(s, STR("t"), STR("goes"), &a, &file, &f), E_NOT_FOUND);
    assert_int_equal(keep_job_get(s, STR("t"), STR("j1"), &a, &j, &f), E_NOT_FOUND);
    clock_set_test_ms(now_ms + KEEP_RESPONSE_MS);
    assert_false(has_once("me", "k"));
    assert_ok(keep_forget(s, clock_now_ms(), &n, &f), &f);
    assert_int_equal(keep_response_get(s, STR("t"), STR("r1"), &a, &r, &f), E_NOT_FOUND);
    assert_ok(keep_file_get(s, STR("t"), STR("kept"), &a, &file, &f), &f);
}

static void a_subject_is_erased(void **state) {
    (void)state;
    int64_t n;
    keep_response r;
    add_response("r1", "", "kim");
    add_response("r2", "", "lee");
    add_once("k", "kim");
    add_job("j1", KEEP_ASYNC, 0, 0);
    store_tx *tx = begin();
    assert_int_equal(keep_erase_subject(tx, STR(""), &n, &f), E_INPUT);
    assert_ok(keep_erase_subject(tx, STR("kim"), &n, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(n, 3);
    assert_int_equal(keep_response_get(s, STR("t"), STR("r1"), &a, &r, &f), E_NOT_FOUND);
    assert_ok(keep_response_get(s, STR("t"), STR("r2"), &a, &r, &f), &f);
    assert_false(has_once("me", "k"));
}

/* ---- files are cut ---- */

static bool holds_x(void *ctx, str line) {
    (void)ctx;
    return str_find(line, STR("x")) != STR_INDEX_NONE;
}

static void cut_to(str whole, str want, int64_t lines) {
    keep_file file;
    str back;
    int64_t n;
    assert_ok(add_file("c", whole, 0), &f);
    assert_ok(keep_file_get(s, STR("t"), STR("c"), &a, &file, &f), &f);
    store_tx *tx = begin();
    assert_ok(keep_file_cut(tx, &file, holds_x, NULL, &n, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(n, lines);
    assert_ok(keep_file_get(s, STR("t"), STR("c"), &a, &file, &f), &f);
    assert_int_equal(file.bytes, want.n);
    assert_ok(keep_file_read(s, &file, &a, &back, &f), &f);
    assert_true(str_eq(back, want));
    assert_ok(keep_file_delete(s, STR("t"), STR("c"), &f), &f);
}

static void lines_are_cut_out(void **state) {
    (void)state;
    cut_to(STR("one\ntwo\n"), STR("one\ntwo\n"), 0);
    cut_to(STR("one\ntwx\nthree"), STR("one\nthree"), 1);
    cut_to(STR("xne\r\n\ntwo\r\nx"), STR("\ntwo\r\n"), 2);
    cut_to(STR("xxx"), STR(""), 1);
    /* over the borders of chunks, which are 1 MiB: every third line goes */
    buf whole = {0}, want = {0};
    for (int i = 0; i < 9000; i++) {
        buf line = {0};
        buf_printf(&line, "%d %0*d%s\n", i, 300 + i % 77, 0, i % 3 ? "" : "x");
        buf_put(&whole, buf_str(&line));
        if (i % 3) buf_put(&want, buf_str(&line));
        buf_deinit(&line);
    }
    assert_true(whole.n > 2 * KEEP_CHUNK_BYTES);
    cut_to(buf_str(&whole), buf_str(&want), 3000);
    buf_deinit(&whole);
    buf_deinit(&want);
}

/* ---- killed ---- */

/* Adds files until it is killed; says the number of each that is acknowledged. */
static void add_until_killed(int out) {
    char bytes[4000];
    memset(bytes, 'x', sizeof bytes);
    open_it();
    for (int i = 0;; i++) {
        char ref[16];
        snprintf(ref, sizeof ref, "f%d", i);
        if (add_file(ref, (str){bytes, sizeof bytes}, 0) != E_OK) _exit(1);
        if (write(out, &i, sizeof i) != sizeof i) _exit(1);
    }
}

static void what_was_acknowledged_is_there(void **state) {
    (void)state;
    int ends[2], last = -1, seen;
    keep_file file;
    str back;
    store_close(s);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) add_until_killed(ends[1]);
    close(ends[1]);
    while (last < 20 && read(ends[0], &seen, sizeof seen) == sizeof seen) last = seen;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &seen, sizeof seen) == sizeof seen) last = seen;
    close(ends[0]);
    assert_true(last >= 20);
    open_it();
    for (int i = 0; i <= last; i++) {
        assert_ok(keep_file_get(s, STR("t"), arena_printf(&a, "f%d", i), &a, &file, &f), &f);
        assert_ok(keep_file_read(s, &file, &a, &back, &f), &f);
        assert_int_equal(back.n, 4000);
    }
}

int main(void) {
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_chain_is_in_order),
        T(another_tenant_finds_nothing),
        T(a_chain_has_an_end),
        T(files_come_back_whole),
        T(lists_go_on),
        T(a_full_disk_leaves_no_half),
        T(jobs_come_in_order_and_end_once),
        T(a_batch_goes_its_way),
        T(a_batch_is_cancelled_or_expires),
        T(lines_have_names_of_their_own),
        T(what_is_due_goes),
        T(what_is_over_is_not_found),
        T(a_subject_is_erased),
        T(lines_are_cut_out),
        T(what_was_acknowledged_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

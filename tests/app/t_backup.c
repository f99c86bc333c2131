/* t_backup.c - tests app/backup: a store is copied while traces are put and moved; in the copy
 * every trace that was acknowledged before is there, and the record's chain is whole. */
#include "test.h"

#include "app/backup.h"
#include "audit/audit.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/thread.h"

#include <math.h>
#include <stdatomic.h>

enum { WRITERS = 3, ROUNDS = 3 };

static char dir[64];
static fail f;
static arena a;
static audit *record;
static store *db;
static atomic_int put_so_far;
static atomic_bool stop_now;

static const char *in_dir(const char *name) {
    return arena_printf(&a, "%s/%s", dir, name).p;
}

static void put_trace(int n) {
    char id[32];
    snprintf(id, sizeof id, "req_%06d", n);
    gen_trace t = {.request_id = str_from(id),
                   .at_ms = clock_now_ms(),
                   .task_id = STR("t"),
                   .question = STR("What is it?"),
                   .confidence = (double)NAN,
                   .tier = GEN_TIER_SLM};
    fail failed = {0};
    assert_ok(audit_put(record, &t, &failed), &failed);
}

/* Numbers are counted when they were acknowledged. */
static void writer(void *arg) {
    int at = (int)(intptr_t)arg * 100000; /* ids of its own */
    while (!atomic_load(&stop_now)) {
        put_trace(at++);
        atomic_fetch_add(&put_so_far, 1);
        clock_sleep_ms(1);
    }
}

static void open_at(const char *home, store **s, audit **out, bool background) {
    store_migration all[16];
    size_t n;
    const store_migration *m = audit_migrations(&n);
    memcpy(all, m, n * sizeof *m);
    assert_ok(file_make_dirs(home, &f), &f);
    char *db_path = arena_z(&a, arena_printf(&a, "%s/bantam.db", home));
    assert_ok(store_open(s, db_path, all, n, &f), &f);
    audit_options o = {.store = *s,
                       .folder = arena_printf(&a, "%s/journal", home).p,
                       .flush_ms = 5,
                       .background = background};
    assert_ok(audit_open(out, &o, &f), &f);
}

/* What the copy has; at least `least` rows, all in one chain. */
static void check_copy(const char *from, const char *into, int least) {
    backup_sum sum;
    store *copy;
    audit *copied;
    audit_check check;
    assert_ok(backup_unpack(from, into, &sum, &f), &f);
    assert_true(sum.files >= 1);
    open_at(into, &copy, &copied, false);
    assert_ok(audit_verify(copied, STR("t"), &a, &check, &f), &f);
    assert_int_equal(check.bad, 0);
    if (check.rows < least) fail_msg("%lld rows of %d", (long long)check.rows, least);
    audit_close(copied);
    store_close(copy);
}

static void copies_under_writes(void **state) {
    (void)state;
    thread threads[WRITERS];
    const char *home_dir = in_dir("home");
    home h = {.dir = home_dir, .journal = in_dir("home/journal"), .db = in_dir("home/bantam.db")};
    open_at(home_dir, &db, &record, true);
    for (int i = 0; i < WRITERS; i++) {
        threads[i] = (thread){0};
        assert_ok(thread_start(&threads[i], "writer", writer, (void *)(intptr_t)i, &f), &f);
    }
    for (int round = 0; round < ROUNDS; round++) {
        backup_sum sum;
        while (atomic_load(&put_so_far) < 300 * (round + 1)) clock_sleep_ms(1);
        int before = atomic_load(&put_so_far);
        const char *to = in_dir(round % 2 ? "folder" : arena_printf(&a, "%d.tar.zst", round).p);
        assert_ok(backup_make(&h, db, to, &sum, &f), &f);
        check_copy(to, in_dir(arena_printf(&a, "copy%d", round).p), before);
    }
    atomic_store(&stop_now, true);
    for (int i = 0; i < WRITERS; i++) thread_join(&threads[i]);
    audit_close(record);
    store_close(db);
}

/* Fails at each write, rename and sync in turn: nothing under the final name. */
static void a_full_disk_leaves_nothing(void **state) {
    (void)state;
    const char *home_dir = in_dir("small");
    home h = {.dir = home_dir, .journal = in_dir("small/journal"), .db = in_dir("small/bantam.db")};
    open_at(home_dir, &db, &record, false);
    put_trace(1);
    const char *to = in_dir("full");
    err e = E_IO;
    for (int64_t n = 1; e != E_OK; n++) {
        backup_sum sum;
        assert_true(n < 100);
        file_fail_at(n);
        e = backup_make(&h, db, to, &sum, &f);
        file_fail_at(0);
        assert_true(e == E_OK || e == E_NO_SPACE);
        if (e != E_OK && file_exists(to)) /* only the sync after its naming failed: it is whole */
            assert_ok(backup_unpack(to, in_dir("whole"), &sum, &f), &f);
        if (e != E_OK) {
            assert_ok(file_remove_tree(to, &f), &f);
            assert_ok(file_remove_tree(in_dir("whole"), &f), &f);
        }
        arena_reset(&a);
        home_dir = in_dir("small");
        h = (home){
            .dir = home_dir, .journal = in_dir("small/journal"), .db = in_dir("small/bantam.db")};
        to = in_dir("full");
    }
    audit_close(record);
    store_close(db);
}

static int begin(void **state) {
    (void)state;
    arena_init(&a, 0);
    strcpy(dir, "/tmp/bantam-t-backup-XXXXXX");
    return mkdtemp(dir) ? 0 : 1;
}

static int end(void **state) {
    (void)state;
    arena_deinit(&a);
    return file_remove_tree(dir, &f) == E_OK ? 0 : 1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_under_writes),
        cmocka_unit_test(a_full_disk_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

/* t_store.c - tests store/store.c with its set-up and migrations: transactions, two processes, a
 * killed writer, a full disk, damage, newer databases, and each allocation failing in turn. */
#include "store/store.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const store_migration migrations[] = {
    {"desk", 1, "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB) STRICT;"},
    {"desk", 2, "CREATE TABLE part(item INTEGER NOT NULL REFERENCES item(id), n REAL) STRICT;"},
    {"audit", 1, "CREATE TABLE seen(n INTEGER) STRICT;"},
};

static char dir[64], path[128];

static int dir_make(void **state) {
    (void)state;
    strcpy(dir, "/tmp/bantam-t-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    return 0;
}
static int dir_drop(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static store *open_here(void) {
    store *s = NULL;
    fail f;
    assert_ok(store_open(&s, path, migrations, 3, &f), &f);
    return s;
}

static err insert(store_tx *tx, str name, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "INSERT INTO item(name,data) VALUES(?1,?2)", &q, f));
    store_bind_str(q, 1, name);
    store_bind_blob(q, 2, STR("\0\1\2"));
    return store_step(q, &row, f);
}

static err count_items(store *s, int64_t *out, fail *f) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    TRY(store_begin(s, STORE_READ, &tx, f));
    err e = store_prepare(tx, "SELECT count(*) FROM item", &q, f);
    if (e == E_OK) e = store_step(q, &row, f);
    if (e == E_OK) *out = store_int(q, 0);
    store_rollback(tx);
    return e;
}

static void moved_away_is_told(void **state) {
    (void)state;
    store *s = open_here();
    store_tx *tx, *reader;
    char aside[160];
    int64_t n;
    fail f;
    snprintf(aside, sizeof aside, "%s.aside", path);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR("before"), &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(store_begin(s, STORE_WRITE, &tx, &f), E_IO); /* nobody would find it again */
    assert_non_null(strstr(f.text, "was moved, deleted or replaced"));
    assert_ok(store_begin(s, STORE_READ, &reader, &f), &f);
    assert_int_equal(store_begin(s, STORE_READ, &tx, &f), E_IO); /* a second connection */
    store_rollback(reader);
    assert_int_equal(access(path, F_OK), -1); /* and no empty one was begun */
    FILE *other = fopen(path, "w");
    assert_non_null(other);
    fclose(other);
    assert_int_equal(store_begin(s, STORE_WRITE, &tx, &f), E_IO);
    assert_int_equal(rename(aside, path), 0);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR("after"), &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_ok(count_items(s, &n, &f), &f);
    assert_int_equal(n, 2);
    store_close(s);
}
static int64_t items(store *s) {
    int64_t n = -1;
    fail f;
    assert_ok(count_items(s, &n, &f), &f);
    return n;
}

static void values_round_trip(void **state) {
    (void)state;
    store *s = NULL;
    store_tx *tx;
    store_stmt *q;
    bool row;
    fail f;
    arena a;
    arena_init(&a, 0);
    assert_ok(store_open(&s, ":memory:", migrations, 3, &f), &f);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR("Robert'); DROP TABLE item;--"), &f), &f);
    assert_int_equal(store_last_id(tx), 1);
    assert_int_equal(store_changes(tx), 1);
    assert_ok(insert(tx, STR(""), &f), &f);
    assert_ok(insert(tx, STR_NONE, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_ok(store_begin(s, STORE_READ, &tx, &f), &f);
    assert_ok(store_prepare(tx, "SELECT name, data, 0.5 FROM item ORDER BY id", &q, &f), &f);
    str name, data;
    assert_ok(store_step(q, &row, &f), &f);
    assert_true(row);
    assert_ok(store_str(q, 0, &a, &name, &f), &f);
    assert_ok(store_str(q, 1, &a, &data, &f), &f);
    assert_true(str_is(name, "Robert'); DROP TABLE item;--"));
    assert_true(str_eq(data, STR("\0\1\2")));
    assert_true(store_double(q, 2) == 0.5);
    assert_ok(store_step(q, &row, &f), &f);
    assert_ok(store_str(q, 0, &a, &name, &f), &f);
    assert_true(name.p && name.n == 0);
    assert_ok(store_step(q, &row, &f), &f);
    assert_true(store_is_null(q, 0));
    assert_ok(store_str(q, 0, &a, &name, &f), &f);
    assert_null(name.p);
    assert_ok(store_step(q, &row, &f), &f);
    assert_false(row);
    store_rollback(tx);
    store_close(s);
    arena_deinit(&a);
}

static void errors_are_named(void **state) {
    (void)state;
    store *s = open_here();
    store_tx *tx;
    fail f;
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR("once"), &f), &f);
    assert_int_equal(insert(tx, STR("once"), &f), E_EXISTS);
    assert_int_equal(store_run(tx, "INSERT INTO part VALUES(77, 1.0)", &f),
                     E_INPUT); /* no item 77 */
    assert_int_equal(store_run(tx, "SELECT nonsense", &f), E_INTERNAL);
    assert_ok(store_commit(tx, &f), &f); /* a refused row does not undo the others */
    assert_int_equal(items(s), 1);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR("undone"), &f), &f);
    store_rollback(tx);
    assert_int_equal(items(s), 1);
    store_close(s);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void generation_sees_every_commit(void **state) {
    (void)state;
    store *s = open_here(), *other = open_here();
    store_tx *tx;
    fail f;
    int64_t before, after, same;
    assert_ok(store_generation(s, &before, &f), &f);
    assert_ok(store_generation(s, &same, &f), &f);
    assert_int_equal(before, same);
    store *writers[] = {s, other};
    for (int i = 0; i < 2; i++) {
        assert_ok(store_begin(writers[i], STORE_WRITE, &tx, &f), &f);
        assert_ok(insert(tx, STR_NONE, &f), &f);
        assert_ok(store_commit(tx, &f), &f);
        assert_ok(store_generation(s, &after, &f), &f);
        assert_int_not_equal(before, after);
        before = after;
    }
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR_NONE, &f), &f);
    store_rollback(tx);
    assert_ok(store_generation(s, &after, &f), &f);
    assert_int_equal(before, after);
    store_close(s);
    store_close(other);
}

static void newer_database_is_refused(void **state) {
    (void)state;
    store_close(open_here());
    store *s = NULL;
    fail f;
    assert_int_equal(store_open(&s, path, migrations, 1, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "newer"));
    assert_null(s);
    store_close(open_here());
}

static void old_database_migrates_once(void **state) {
    (void)state;
    store *s = NULL;
    fail f;
    assert_ok(store_open(&s, path, migrations, 1, &f), &f);
    store_close(s);
    const store_migration broken[] = {
        migrations[0], migrations[1], {"audit", 1, "CREATE nonsense"}};
    assert_int_equal(store_open(&s, path, broken, 3, &f), E_INTERNAL);
    store_close(open_here()); /* step 2 was rolled back with the broken one, else it would exist */
}

static void foreign_database_is_left_alone(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "sqlite3 %s 'CREATE TABLE theirs(x)' 2>/dev/null", path);
    if (system(command) != 0) {
        print_message("skipped: the sqlite3 program is not here\n");
        skip();
    }
    store *s = NULL;
    fail f;
    assert_int_equal(store_open(&s, path, migrations, 3, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "another program"));
}

static void damage_is_named(void **state) {
    (void)state;
    store *s = open_here();
    store_tx *tx;
    fail f;
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    for (int i = 0; i < 500; i++) assert_ok(insert(tx, STR_NONE, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    store_close(s);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    int named = 0;
    for (int64_t at = 0; at < info.st_size; at += 509) { /* one page-sized wound at a time */
        FILE *file = fopen(path, "r+b");
        char good[64], bad[64];
        memset(bad, 0xa5, sizeof bad);
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        size_t n = fread(good, 1, sizeof good, file);
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        fwrite(bad, 1, n, file);
        fclose(file);
        int64_t count;
        err e = store_open(&s, path, migrations, 3, &f);
        if (e == E_OK) {
            e = count_items(s, &count, &f);
            store_close(s);
        }
        if (e == E_CORRUPT) {
            named++;
            assert_true(f.hint[0] != 0);
        }
        file = fopen(path, "r+b");
        assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
        fwrite(good, 1, n, file);
        fclose(file);
    }
    assert_true(named >= 3); /* wounds in unused bytes cannot be seen */
    assert_ok(store_open(&s, path, migrations, 3, &f), &f);
    assert_int_equal(items(s), 500);
    store_close(s);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(store_open(&s, path, migrations, 3, &f), E_CORRUPT);
}

/* Fills the database until it refuses; limit is a statement run first in each transaction. */
static err fill(store *s, const char *limit, fail *f) {
    store_tx *tx;
    err e = E_OK;
    for (int i = 0; i < 1000 && e == E_OK; i++) {
        TRY(store_begin(s, STORE_WRITE, &tx, f));
        e = store_run(tx, limit, f);
        for (int j = 0; j < 100 && e == E_OK; j++) e = insert(tx, STR_NONE, f);
        if (e != E_OK && e != E_INTERNAL) /* the transaction cannot be used any more */
            assert_int_not_equal(insert(tx, STR_NONE, NULL), E_OK);
        if (e == E_OK)
            e = store_commit(tx, f);
        else
            store_rollback(tx);
    }
    return e;
}

static void full_disk_is_named(void **state) {
    (void)state;
    store *s = open_here();
    store_tx *tx;
    fail f;
    assert_int_equal(fill(s, "PRAGMA max_page_count=20", &f), E_NO_SPACE);
    assert_true(f.hint[0] != 0);
    int64_t n = items(s);
    assert_int_equal(n % 100, 0); /* no half transaction */
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(store_run(tx, "PRAGMA max_page_count=1000", &f), &f); /* space again: it goes on */
    assert_ok(insert(tx, STR_NONE, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(items(s), n + 1);
    store_close(s);
}

/* The system refuses writes (here beyond a file size): an error, nothing committed is lost. */
static void refused_writes_lose_nothing(void **state) {
    (void)state;
    store_close(open_here());
    pid_t child = fork();
    if (child == 0) {
        struct rlimit small = {200 * 1024, 200 * 1024};
        store *s = NULL;
        fail f;
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(9);
        if (store_open(&s, path, migrations, 3, &f) != E_OK) _exit(8);
        err e = fill(s, "SELECT 1", &f);
        _exit((e == E_NO_SPACE || e == E_IO) && f.hint[0] ? 0 : 6);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    store *s = open_here();
    assert_true(items(s) >= 100 && items(s) % 100 == 0);
    store_close(s);
}

/* The child reports each commit through the pipe; the parent kills it in the middle of one. */
static void killed_writer_loses_nothing(void **state) {
    (void)state;
    store_close(open_here());
    for (int round = 0; round < 5; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            store *s = NULL;
            store_tx *tx;
            fail f;
            if (store_open(&s, path, migrations, 3, &f) != E_OK) _exit(1);
            for (;;) {
                if (store_begin(s, STORE_WRITE, &tx, &f) != E_OK) _exit(2);
                for (int i = 0; i < 20; i++)
                    if (insert(tx, STR_NONE, &f) != E_OK) _exit(3);
                if (store_commit(tx, &f) != E_OK) _exit(4);
                if (write(ends[1], "x", 1) != 1) _exit(5);
            }
        }
        close(ends[1]);
        char seen;
        int64_t acknowledged = 0;
        store *s = open_here();
        int64_t before = items(s);
        for (int i = 0; i < 10 + round; i++)
            if (read(ends[0], &seen, 1) == 1) acknowledged++;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &seen, 1) == 1) acknowledged++;
        close(ends[0]);
        int64_t now = items(s);
        assert_int_equal(now % 20, 0);         /* no half transaction */
        assert_true(now >= 20 * acknowledged); /* nothing acknowledged is lost */
        assert_true(now - before <= 20 * acknowledged + 20);
        store_close(s);
    }
}

static void two_processes_write(void **state) {
    (void)state;
    enum { PROCESSES = 3, ROUNDS = 30 };
    pid_t children[PROCESSES];
    for (int c = 0; c < PROCESSES; c++) {
        children[c] = fork();
        if (children[c] != 0) continue;
        store *s = NULL; /* all three create and migrate the same new file at once */
        store_tx *tx;
        fail f;
        err e = store_open(&s, path, migrations, 3, &f);
        for (int i = 0; i < ROUNDS && e == E_OK; i++) {
            e = store_begin(s, STORE_WRITE, &tx, &f);
            if (e == E_OK) e = insert(tx, STR_NONE, &f);
            if (e == E_OK) e = store_commit(tx, &f);
        }
        if (e != E_OK) fprintf(stderr, "%s\n", f.text);
        _exit((int)e);
    }
    for (int c = 0; c < PROCESSES; c++) {
        int status;
        waitpid(children[c], &status, 0);
        assert_int_equal(status, 0);
    }
    store *s = open_here();
    assert_int_equal(items(s), PROCESSES * ROUNDS);
    store_close(s);
}

static void write_many(void *arg) {
    store *s = arg;
    store_tx *tx;
    fail f;
    for (int i = 0; i < 40; i++) {
        assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
        assert_ok(insert(tx, STR_NONE, &f), &f);
        assert_ok(store_commit(tx, &f), &f);
        (void)items(s);
    }
}
static void threads_share_the_pool(void **state) {
    (void)state;
    enum { THREADS = 16 }; /* more than there are connections */
    store *s = open_here();
    thread threads[THREADS] = {0};
    fail f;
    for (int i = 0; i < THREADS; i++)
        assert_ok(thread_start(&threads[i], "writer", write_many, s, &f), &f);
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    assert_int_equal(items(s), 40 * THREADS);
    store_close(s);
}

/* A reader sees the state of its first read until it ends, while a writer goes on. */
static void readers_see_a_snapshot(void **state) {
    (void)state;
    store *s = open_here();
    store_tx *reader, *writer;
    store_stmt *q;
    bool row;
    fail f;
    assert_ok(store_begin(s, STORE_READ, &reader, &f), &f);
    assert_ok(store_prepare(reader, "SELECT count(*) FROM item", &q, &f), &f);
    assert_ok(store_step(q, &row, &f), &f);
    assert_int_equal(store_int(q, 0), 0);
    assert_ok(store_begin(s, STORE_WRITE, &writer, &f), &f);
    assert_ok(insert(writer, STR_NONE, &f), &f);
    assert_ok(store_commit(writer, &f), &f);
    store_reset(q);
    assert_ok(store_step(q, &row, &f), &f);
    assert_int_equal(store_int(q, 0), 0);
    store_rollback(reader);
    assert_int_equal(items(s), 1);
    store_close(s);
}

static err one_cycle(int64_t *committed, fail *f) {
    store *s = NULL;
    store_tx *tx = NULL;
    int64_t generation;
    TRY(store_open(&s, path, migrations, 3, f));
    err e = store_begin(s, STORE_WRITE, &tx, f);
    if (e == E_OK) {
        e = insert(tx, STR_NONE, f);
        if (e == E_OK) {
            e = store_commit(tx, f);
            *committed += e == E_OK;
        } else {
            store_rollback(tx);
        }
    }
    if (e == E_OK) e = store_generation(s, &generation, f);
    store_close(s);
    return e;
}
static void torture_allocations(void **state) {
    (void)state;
    fail f = {0};
    int64_t committed = 0, n = 0;
    int step = 1;
    store_close(open_here());
    for (err e = E_NO_MEMORY; e != E_OK; n += step) {
        mem_fail_at(n + 1, true);
        e = one_cycle(&committed, &f);
        mem_fail_at(0, false);
        if (e != E_OK && e != E_NO_MEMORY) fail_msg("allocation %d: %s", (int)n, f.text);
        assert_true(n < 100000);
    }
    assert_true(n > 50);
    store *s = open_here();
    assert_int_equal(items(s), committed);
    store_close(s);
}

/* Also a rollback may find no memory; the next transaction must not meet what it left. */
static void rollback_without_memory(void **state) {
    (void)state;
    store *s = open_here();
    store_tx *tx;
    fail f;
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR_NONE, &f), &f);
    mem_fail_at(1, true);
    store_rollback(tx);
    mem_fail_at(0, false);
    assert_int_equal(items(s), 0);
    assert_ok(store_begin(s, STORE_WRITE, &tx, &f), &f);
    assert_ok(insert(tx, STR_NONE, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(items(s), 1);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, dir_make, dir_drop)
        T(values_round_trip),
        T(moved_away_is_told),
        T(errors_are_named),
        T(generation_sees_every_commit),
        T(newer_database_is_refused),
        T(old_database_migrates_once),
        T(foreign_database_is_left_alone),
        T(damage_is_named),
        T(full_disk_is_named),
        T(refused_writes_lose_nothing),
        T(killed_writer_loses_nothing),
        T(two_processes_write),
        T(threads_share_the_pool),
        T(readers_see_a_snapshot),
        T(torture_allocations),
        T(rollback_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

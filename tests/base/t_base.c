/* t_base.c - tests base/: strings, arena, buf, map, files, queue, team. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/file_draft.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/rand.h"
#include "base/team.h"
#include "base/thread.h"
#include "base/clock.h"
#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void str_basics(void **state) {
    (void)state;
    str rest = STR("a,b,,c");
    size_t parts = 0;
    while (rest.p) {
        str_cut(&rest, ',');
        parts++;
    }
    assert_int_equal(parts, 4);
    int64_t v;
    assert_true(str_to_int(STR("-42"), &v) && v == -42);
    assert_false(str_to_int(STR("42x"), &v));
    assert_false(str_to_int(STR("99999999999999999999"), &v));
    double d;
    assert_true(str_to_double(STR("1e3"), &d) && d == 1000.0);
    assert_false(str_to_double(STR("nan"), &d));
    assert_true(str_eq(str_trim(STR("  x \n")), STR("x")));
    assert_int_equal(str_find(STR("hello"), STR("ll")), 2);
    assert_true(str_ends(STR("a.gguf"), STR(".gguf")));
}

/* The nearest of a few names, or "". */
static str nearest(const char *wanted) {
    static const char *const names[] = {"serve", "run", "pull", "temperature", "naïve"};
    near n = near_to(str_from(wanted));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) near_try(&n, str_from(names[i]));
    return n.best;
}

static void names_that_were_meant(void **state) {
    (void)state;
    assert_true(str_is(nearest("srve"), "serve"));   /* one is missing */
    assert_true(str_is(nearest("servve"), "serve")); /* one too many */
    assert_true(str_is(nearest("sevre"), "serve"));  /* two change places: one step */
    assert_true(str_is(nearest("rnu"), "run"));
    assert_true(str_is(nearest("tempratur"), "temperature"));
    assert_true(str_is(nearest("pull"), "pull"));
    assert_true(str_eq(nearest(""), STR("")));
    assert_true(str_eq(nearest("x"), STR("")));
    assert_true(str_eq(nearest("quantize"), STR("")));
    assert_true(
        str_eq(nearest("a name that is much longer than all that could be meant by it"), STR("")));
}

static void arena_limits(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 128);
    a.bytes_max = 1000;
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, 200));
    assert_null(arena_array(&a, (size_t)-1, 16));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 200));
    str s = arena_printf(&a, "%d-%s", 7, "x");
    assert_true(str_is(s, "7-x"));
    arena_deinit(&a);
}

static void buf_sticks(void **state) {
    (void)state;
    buf b = {.bytes_max = 8};
    fail f;
    buf_put_z(&b, "12345678");
    assert_int_equal(buf_ok(&b, &f), E_OK);
    buf_put_char(&b, '9');
    assert_int_equal(buf_ok(&b, &f), E_TOO_LARGE);
    buf_deinit(&b);
    buf c = {0};
    mem_fail_at(1, false);
    buf_put_z(&c, "x");
    mem_fail_at(0, false);
    assert_int_equal(buf_ok(&c, &f), E_NO_MEMORY);
    buf_deinit(&c);
}

static void map_many(void **state) {
    (void)state;
    arena a;
    arena_init(&a, 0);
    map m;
    map_init(&m, &a);
    fail f;
    char key[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(map_put(&m, str_from(key), i, &f), E_OK);
    }
    int64_t v = 0;
    assert_true(map_get(&m, STR("key-4321"), &v));
    assert_int_equal(v, 4321);
    assert_false(map_get(&m, STR("key-x"), &v));
    size_t seen = 0;
    for (const map_slot *s = NULL; (s = map_next(&m, s));) seen++;
    assert_int_equal(seen, 5000);
    map_deinit(&m);
    arena_deinit(&a);
}

static void file_all_or_nothing(void **state) {
    (void)state;
    char dir[] = "/tmp/bantam-t-XXXXXX", path[FILE_PATH_BYTES];
    assert_non_null(mkdtemp(dir));
    fail f;
    assert_int_equal(file_join(path, dir, "x", &f), E_OK);
    assert_int_equal(file_write(path, STR("old"), 0600, &f), E_OK);
    for (int n = 1; n <= 3; n++) { /* write, fsync, rename fail in turn: the old bytes stay */
        file_fail_at(n);
        assert_int_equal(file_write(path, STR("new"), 0600, &f), E_NO_SPACE);
        file_fail_at(0);
        arena a;
        arena_init(&a, 0);
        str s, *names;
        size_t count;
        assert_int_equal(file_read(&a, path, 0, &s, &f), E_OK);
        assert_true(str_is(s, "old"));
        assert_int_equal(file_list(&a, dir, &names, &count, &f), E_OK);
        assert_int_equal(count, 1);
        arena_deinit(&a);
    }
    file_lock l = {-1}, l2 = {-1};
    assert_int_equal(file_lock_take(&l, path, &f), E_OK);
    assert_int_equal(file_lock_take(&l2, path, &f), E_BUSY);
    file_lock_give(&l);
    assert_int_equal(file_remove(path, &f), E_OK);
    assert_int_equal(rmdir(dir), 0);
}

static void what_cannot_be_a_file_is_refused(void **state) {
    (void)state;
    char dir[] = "/tmp/bantam-t-XXXXXX", path[FILE_PATH_BYTES], inner[FILE_PATH_BYTES];
    assert_non_null(mkdtemp(dir));
    fail f;
    file_map m;
    assert_ok(file_join(path, dir, "pipe", &f), &f);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(file_is_special(path) && !file_is_special(dir));
    assert_int_equal(file_map_open(&m, path, &f), E_INPUT); /* and does not wait for a writer */
    assert_int_equal(file_draft_check(path, &f), E_EXISTS);
    assert_int_equal(file_draft_check(dir, &f), E_EXISTS);
    assert_int_equal(file_draft_check("", &f), E_INPUT);
    assert_ok(file_join(inner, dir, "none/x", &f), &f);
    assert_int_equal(file_draft_check(inner, &f), E_NOT_FOUND);
    assert_ok(file_join(inner, dir, "new", &f), &f);
    assert_ok(file_draft_check(inner, &f), &f);
    assert_int_equal(file_make_dirs("/dev/null/x", &f), E_IO);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
    static const char *const paths[][2] = {{"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"a/", "a"}};
    for (size_t i = 0; i < 4; i++) {
        file_dir_of(path, paths[i][0]);
        assert_string_equal(path, paths[i][1]);
    }
}

static atomic_llong team_sum;
static void team_work(void *arg, int64_t i, int worker) {
    (void)arg, (void)worker;
    atomic_fetch_add(&team_sum, i);
}

static void a_map_is_copied_from(void **state) {
    (void)state;
    fail f;
    file_map m = {0}, empty = {0};
    char path[] = "/tmp/t_base_map_XXXXXX", out[4] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_ok(file_put(fd, STR("0123456789"), path, &f), &f);
    assert_ok(file_map_open(&m, path, &f), &f);
    assert_true(file_map_copy(&m, m.p + 3, 4, out));
    assert_memory_equal(out, "3456", 4);
    assert_true(file_map_copy(&m, m.p + 6, 4, out));
    assert_false(file_map_copy(&m, m.p + 7, 4, out)); /* past its end */
    assert_false(file_map_copy(&m, out, 1, out));     /* not in it */
    assert_false(file_map_copy(&empty, m.p, 1, out));
    file_map_close(&m);
    close(fd);
    unlink(path);
}

static void team_covers_all(void **state) {
    (void)state;
    team *t;
    fail f;
    assert_int_equal(team_open(&t, 3, &f), E_OK);
    for (int round = 0; round < 2000; round++) {
        atomic_store(&team_sum, 0);
        team_run(t, team_work, NULL, 50);
        assert_int_equal(atomic_load(&team_sum), 49 * 50 / 2);
    }
    team_close(t);
}

static void queue_bounds(void **state) {
    (void)state;
    queue q;
    fail f;
    void *item;
    assert_int_equal(queue_init(&q, 2, &f), E_OK);
    assert_true(queue_put(&q, &f));
    assert_true(queue_put(&q, &f));
    assert_false(queue_put(&q, &f));
    assert_true(queue_take(&q, &item, 0));
    queue_close(&q);
    assert_true(queue_take(&q, &item, -1));
    assert_false(queue_take(&q, &item, -1));
    queue_deinit(&q);
}

typedef struct taker {
    thread thread;
    queue *q;
    int64_t wait_ms;
    void *item;
    long taken;
} taker;

static void take_one(void *arg) {
    taker *t = arg;
    t->taken = queue_take(t->q, &t->item, -1);
}

static void *newest_taker(queue *q, const void *before) {
    void *now = NULL;
    for (int i = 0; i < 5000 && !(now && now != before); i++) {
        clock_sleep_ms(1);
        mutex_lock(&q->lock);
        now = q->takers;
        mutex_unlock(&q->lock);
    }
    assert_true(now && now != before);
    return now;
}

static void who_waits_last_works_first(void **state) {
    (void)state;
    queue q;
    fail f;
    assert_int_equal(queue_init(&q, 2, &f), E_OK);
    taker first = {.q = &q}, last = {.q = &q};
    assert_int_equal(thread_start(&first.thread, "first", take_one, &first, &f), E_OK);
    const void *seen = newest_taker(&q, NULL);
    assert_int_equal(thread_start(&last.thread, "last", take_one, &last, &f), E_OK);
    newest_taker(&q, seen);
    assert_true(queue_put(&q, &f));
    thread_join(&last.thread);
    assert_true(last.taken && last.item == &f);
    queue_close(&q);
    thread_join(&first.thread);
    assert_false(first.taken);
    queue_deinit(&q);
}

enum { TAKERS = 6, PUTTERS = 3, ITEMS = 20000 };

static bool is_closed(queue *q) {
    mutex_lock(&q->lock);
    bool closed = q->closed && q->count == 0;
    mutex_unlock(&q->lock);
    return closed;
}

static void take_all(void *arg) { /* gives up and comes again, as callers with a limit do */
    taker *t = arg;
    for (;;) {
        if (queue_take(t->q, &t->item, t->wait_ms))
            t->taken++;
        else if (is_closed(t->q))
            return;
    }
}

static void put_many(void *arg) {
    taker *t = arg;
    for (int i = 0; i < ITEMS; i++)
        while (!queue_put(t->q, t)) clock_sleep_ms(1);
}

/* None is lost between giving up and being called, none is taken twice. */
static void each_item_is_taken_once(void **state) {
    (void)state;
    queue q;
    fail f;
    long taken = 0;
    taker takers[TAKERS], putters[PUTTERS];
    assert_int_equal(queue_init(&q, 16, &f), E_OK);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (taker){.q = &q, .wait_ms = i % 3 - 1}; /* for ever, 2 ms, 1 ms */
        if (takers[i].wait_ms == 0) takers[i].wait_ms = 2;
        assert_int_equal(thread_start(&takers[i].thread, "taker", take_all, &takers[i], &f), E_OK);
    }
    for (int i = 0; i < PUTTERS; i++) {
        putters[i] = (taker){.q = &q};
        assert_int_equal(thread_start(&putters[i].thread, "putter", put_many, &putters[i], &f),
                         E_OK);
    }
    for (int i = 0; i < PUTTERS; i++) thread_join(&putters[i].thread);
    queue_close(&q);
    for (int i = 0; i < TAKERS; i++) {
        thread_join(&takers[i].thread);
        taken += takers[i].taken;
    }
    assert_int_equal(taken, PUTTERS * ITEMS);
    assert_null(q.takers);
    queue_deinit(&q);
}

static void rand_is_a_function(void **state) {
    (void)state;
    assert_int_equal(rand_at(1, 2), rand_at(1, 2));
    assert_int_not_equal(rand_at(1, 2), rand_at(1, 3));
    char id[11], when[CLOCK_TEXT_BYTES];
    rand_id(id, 10);
    assert_int_equal(strlen(id), 10);
    clock_text(0, when);
    assert_string_equal(when, "1970-01-01T00:00:00.000Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_basics),
        cmocka_unit_test(names_that_were_meant),
        cmocka_unit_test(arena_limits),
        cmocka_unit_test(buf_sticks),
        cmocka_unit_test(map_many),
        cmocka_unit_test(file_all_or_nothing),
        cmocka_unit_test(what_cannot_be_a_file_is_refused),
        cmocka_unit_test(team_covers_all),
        cmocka_unit_test(a_map_is_copied_from),
        cmocka_unit_test(queue_bounds),
        cmocka_unit_test(who_waits_last_works_first),
        cmocka_unit_test(each_item_is_taken_once),
        cmocka_unit_test(rand_is_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

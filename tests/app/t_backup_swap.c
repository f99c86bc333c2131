/* t_backup_swap.c - tests app/backup_swap.c: a swap that stops at each of its writes, renames and
 * syncs in turn is moved back as a whole, or had come to its end. */
#include "test.h"

#include "app/backup_swap.h"
#include "base/file.h"

static char home[64], lock_path[96];
static fail f;

static void put(const char *name, const char *text) {
    char path[256], dir[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    assert_ok(file_make_dirs(dir, &f), &f);
    assert_ok(file_write(path, str_from(text), 0600, &f), &f);
}

/* "old", "new", or "" when there is none. */
static const char *read_file(const char *name) {
    static char text[16];
    char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *in = fopen(path, "re");
    memset(text, 0, sizeof text);
    if (!in) return text;
    assert_true(fread(text, 1, sizeof text - 1, in) > 0);
    fclose(in);
    return text;
}

static void set_up(void) {
    strcpy(home, "/tmp/bantam-t-swap-XXXXXX");
    assert_non_null(mkdtemp(home));
    snprintf(lock_path, sizeof lock_path, "%s/serve.lock", home);
    put("bantam.db", "old");
    put("bantam.db-wal", "old"); /* must not meet the new database */
    put("tasks/a.yaml", "old");
    put("chats/c", "old");  /* is not in the backup */
    put("models/m", "own"); /* stays where it is */
    put(".restore/new/bantam.db", "new");
    put(".restore/new/tasks/a.yaml", "new");
    put(".restore/new/files/f", "new"); /* was not there */
}

static void tear_down(void) {
    assert_ok(file_remove_tree(home, &f), &f);
}

static void assert_all(bool is_new) {
    assert_string_equal(read_file("bantam.db"), is_new ? "new" : "old");
    assert_string_equal(read_file("bantam.db-wal"), is_new ? "" : "old");
    assert_string_equal(read_file("tasks/a.yaml"), is_new ? "new" : "old");
    assert_string_equal(read_file("chats/c"), is_new ? "" : "old");
    assert_string_equal(read_file("files/f"), is_new ? "new" : "");
    assert_string_equal(read_file("models/m"), "own");
}

static void swaps_and_keeps_the_old(void **state) {
    (void)state;
    char kept[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
    set_up();
    assert_ok(swap_run(home, kept, sizeof kept, &f), &f);
    assert_all(true);
    snprintf(path, sizeof path, "%s/chats/c", strrchr(kept, '/') + 1);
    assert_string_equal(read_file(path), "old");
    snprintf(path, sizeof path, "%s/bantam.db-wal", strrchr(kept, '/') + 1);
    assert_string_equal(read_file(path), "old");
    assert_string_equal(read_file(".restore/swap"), "");
    assert_ok(swap_recover(home, lock_path, &f), &f);
    assert_all(true);
    tear_down();
}

static void stopped_anywhere_it_goes_back(void **state) {
    (void)state;
    int back = 0, through = 0;
    for (int64_t n = 1; through == 0; n++) {
        char kept[FILE_PATH_BYTES];
        assert_true(n < 200);
        set_up();
        file_fail_at(n);
        err e = swap_run(home, kept, sizeof kept, &f);
        file_fail_at(0);
        assert_ok(swap_recover(home, lock_path, &f), &f);
        bool is_new = !strcmp(read_file("bantam.db"), "new");
        assert_all(is_new);
        assert_true(e != E_OK || is_new);
        back += !is_new;
        through += e == E_OK;
        tear_down();
    }
    assert_true(back > 8);
}

static void a_stopped_way_back_goes_on(void **state) {
    (void)state;
    for (int64_t n = 1; n < 40; n++)
        for (int64_t m = 1; m < 12; m++) {
            char kept[FILE_PATH_BYTES];
            set_up();
            file_fail_at(n);
            (void)!swap_run(home, kept, sizeof kept, &f);
            file_fail_at(m);
            (void)!swap_recover(home, lock_path, &f);
            file_fail_at(0);
            assert_ok(swap_recover(home, lock_path, &f), &f);
            assert_all(!strcmp(read_file("bantam.db"), "new"));
            tear_down();
        }
}

static void a_running_restore_is_left_alone(void **state) {
    (void)state;
    file_lock lock = {-1};
    set_up();
    put(".restore/swap", "+bantam.db\n");
    assert_ok(file_lock_take(&lock, lock_path, &f), &f);
    assert_int_equal(swap_recover(home, lock_path, &f), E_BUSY);
    file_lock_give(&lock);
    assert_ok(swap_recover(home, lock_path, &f), &f);
    assert_all(false);
    tear_down();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swaps_and_keeps_the_old),
        cmocka_unit_test(stopped_anywhere_it_goes_back),
        cmocka_unit_test(a_stopped_way_back_goes_on),
        cmocka_unit_test(a_running_restore_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

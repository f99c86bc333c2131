/* backup_swap.c - see backup_swap.h. */
#include "app/backup_swap.h"

#include "app/backup.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"

#include <stdio.h>

enum { LIST_BYTES_MAX = 1 << 20 };

typedef struct swap {
    const char *home;
    char dir[FILE_PATH_BYTES], fresh[FILE_PATH_BYTES], old[FILE_PATH_BYTES], list[FILE_PATH_BYTES];
    arena a;
} swap;

static err swap_open(swap *s, const char *home, fail *f) {
    s->home = home;
    TRY(file_join(s->dir, home, ".restore", f));
    TRY(file_join(s->fresh, s->dir, "new", f));
    TRY(file_join(s->old, s->dir, "old", f));
    TRY(file_join(s->list, s->dir, "swap", f));
    arena_init(&s->a, 0);
    return E_OK;
}

/* Does a restore replace this entry of the home folder? */
static bool is_replaced(str name) {
    static const char *const more[] = {"bantam.db", "bantam.db-wal", "bantam.db-shm", "journal"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (str_is(name, more[i])) return true;
    return !backup_leaves(name);
}

static err move(const char *from_dir, const char *to_dir, const char *name, fail *f) {
    char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    TRY(file_join(from, from_dir, name, f));
    TRY(file_join(to, to_dir, name, f));
    return file_rename(from, to, f);
}

static bool has(const char *dir, const char *name) {
    char path[FILE_PATH_BYTES];
    return file_join(path, dir, name, NULL) == E_OK && file_exists(path);
}

/* ---- forward ---- */

/* "+name" where the home has one, "-name" where it has none. */
static err write_list(swap *s, buf *list, fail *f) {
    str *there, *coming;
    size_t n_there, n_coming;
    TRY(file_list(&s->a, s->home, &there, &n_there, f));
    TRY(file_list(&s->a, s->fresh, &coming, &n_coming, f));
    for (size_t i = 0; i < n_there; i++)
        if (is_replaced(there[i])) buf_printf(list, "+%.*s\n", STR_ARG(there[i]));
    for (size_t i = 0; i < n_coming; i++)
        if (!has(s->home, coming[i].p)) buf_printf(list, "-%.*s\n", STR_ARG(coming[i]));
    TRY(buf_ok(list, f));
    return file_write(s->list, buf_str(list), 0600, f);
}

static err move_all(swap *s, str list, fail *f) {
    while (list.n) {
        str line = str_cut(&list, '\n');
        const char *name = arena_z(&s->a, str_slice(line, 1, line.n));
        if (!name) return fail_memory(f, "a restore");
        if (!line.n) continue;
        if (line.p[0] == '+') TRY(move(s->home, s->old, name, f));
        if (has(s->fresh, name)) TRY(move(s->fresh, s->home, name, f));
    }
    return E_OK;
}

static err keep_old(swap *s, char *kept, size_t kept_bytes, fail *f) {
    char when[CLOCK_TEXT_BYTES];
    clock_text(clock_now_ms(), when);
    for (char *c = when; *c; c++)
        if (*c == ':') *c = '.';
    int n = snprintf(kept, kept_bytes, "%s/before-restore-%s", s->home, when);
    if (n < 0 || (size_t)n >= kept_bytes) return fail_set(f, E_INPUT, "the path is too long");
    TRY(file_rename(s->old, kept, f));
    return file_remove_tree(s->dir, f);
}

static err run_in(swap *s, char *kept, size_t kept_bytes, buf *list, fail *f) {
    TRY(file_make_dirs(s->old, f));
    TRY(write_list(s, list, f));
    TRY(move_all(s, buf_str(list), f));
    TRY(file_remove(s->list, f));
    TRY(file_sync_dir_of(s->list, f));
    return keep_old(s, kept, kept_bytes, f);
}

err swap_run(const char *home, char *kept, size_t kept_bytes, fail *f) {
    swap s;
    buf list = {0};
    TRY(swap_open(&s, home, f));
    err e = run_in(&s, kept, kept_bytes, &list, f);
    buf_deinit(&list);
    arena_deinit(&s.a);
    return e;
}

/* ---- back ---- */

/* Whatever was done of one name is undone; what was not done is left. */
static err move_back(swap *s, str line, fail *f) {
    const char *name = arena_z(&s->a, str_slice(line, 1, line.n));
    if (!name) return fail_memory(f, "a restore");
    bool had = line.p[0] == '+', saved = has(s->old, name);
    bool arrived = has(s->home, name) && !has(s->fresh, name) && (had ? saved : true);
    if (arrived) TRY(move(s->home, s->fresh, name, f));
    return had && saved ? move(s->old, s->home, name, f) : E_OK;
}

static err recover_in(swap *s, fail *f) {
    str list;
    TRY(file_read(&s->a, s->list, LIST_BYTES_MAX, &list, f));
    while (list.n) {
        str line = str_cut(&list, '\n');
        if (line.n > 1) TRY(move_back(s, line, f));
    }
    TRY(file_remove(s->list, f));
    TRY(file_sync_dir_of(s->list, f));
    return file_remove_tree(s->dir, f);
}

err swap_recover(const char *home, const char *lock_path, fail *f) {
    swap s;
    file_lock lock = {-1};
    TRY(swap_open(&s, home, f));
    if (!file_exists(s.list)) {
        arena_deinit(&s.a);
        return E_OK;
    }
    err e = file_lock_take(&lock, lock_path, f);
    if (e == E_BUSY) {
        fail_set(f, E_BUSY, "a restore into \"%s\" is under way", home);
        fail_hint(f, "wait until it has ended");
    }
    if (e == E_OK && file_exists(s.list)) e = recover_in(&s, f);
    file_lock_give(&lock);
    arena_deinit(&s.a);
    return e;
}

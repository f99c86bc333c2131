/* cmd_backup.c - bantam backup, bantam restore. */
#include "app/backup.h"
#include "app/backup_swap.h"
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "base/file.h"

#include <stdio.h>

static err put_sum(const char *what, const char *path, const backup_sum *sum, const char *kept,
                   fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_str(&j, what, str_from(path));
    json_field_int(&j, "files", sum->files);
    json_field_int(&j, "bytes", sum->bytes);
    json_field_str(&j, "manifest_sha256", str_from(sum->manifest));
    if (kept) json_field_str(&j, "before", str_from(kept));
    json_end_object(&j);
    return out_json(&b, f);
}

static err backup(const cli *c, world *w, fail *f) {
    backup_sum sum;
    TRY(backup_make(&w->home, w->store, c->args[0], &sum, f));
    if (cli_flag(c, "json")) return put_sum("backup", c->args[0], &sum, NULL, f);
    printf("%s holds %lld files, %lld bytes; its manifest's SHA-256 is\n%s\n", c->args[0],
           (long long)sum.files, (long long)sum.bytes, sum.manifest);
    return E_OK;
}

/* ---- restore ---- */

/* The checked copy is opened as this program would: an older one is brought up to date there, a
 * newer one refused, before anything is replaced. */
static err try_database(const char *dir, fail *f) {
    char path[FILE_PATH_BYTES];
    TRY(file_join(path, dir, "bantam.db", f));
    if (!file_exists(path)) return fail_set(f, E_CORRUPT, "the backup holds no database");
    TRY(store_check_file(path, f));
    return world_try_store(path, f);
}

static err restore_locked(const cli *c, const home *h, backup_sum *sum, char kept[FILE_PATH_BYTES],
                          fail *f) {
    char staging[FILE_PATH_BYTES], fresh[FILE_PATH_BYTES];
    TRY(file_join(staging, h->dir, ".restore", f));
    TRY(file_join(fresh, staging, "new", f));
    TRY(file_remove_tree(staging, f));
    err e = backup_unpack(c->args[0], fresh, sum, f);
    if (e == E_OK) e = try_database(fresh, f);
    if (e == E_OK && cli_flag(c, "check")) return file_remove_tree(staging, f);
    if (e == E_OK) return swap_run(h->dir, kept, FILE_PATH_BYTES, f);
    (void)!file_remove_tree(staging, NULL);
    return e;
}

static err restore(const cli *c, world *w, fail *f) {
    backup_sum sum;
    int64_t port = 0, pid = 0;
    file_lock lock = {-1};
    static char kept[FILE_PATH_BYTES];
    if (home_server_runs(&w->home, &port, &pid)) {
        fail_set(f, E_BUSY, "a Bantam (process %lld) serves this home folder on port %lld",
                 (long long)pid, (long long)port);
        return fail_hint(f, "stop it first; a restore replaces what it works on");
    }
    TRY(file_lock_take(&lock, w->home.lock, f));
    err e = restore_locked(c, &w->home, &sum, kept, f);
    file_lock_give(&lock);
    if (e != E_OK) { /* a swap that failed half-way is moved back at once */
        fail back = {0};
        if (swap_recover(w->home.dir, w->home.lock, &back) != E_OK) out_fail(&back);
        return e;
    }
    bool check = cli_flag(c, "check");
    if (cli_flag(c, "json")) return put_sum("restored", c->args[0], &sum, check ? NULL : kept, f);
    printf("%s holds %lld files, %lld bytes, each as its hash says\n", c->args[0],
           (long long)sum.files, (long long)sum.bytes);
    if (!check) printf("they are in place; what was there before lies in %s\n", kept);
    return E_OK;
}

static err run_backup(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, backup, f);
}
static err run_restore(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, restore, f);
}

static const cli_option backup_options[] = {CLI_JSON_OPTION};
static const cli_option restore_options[] = {
    {"check", 0, NULL, "unpack and check, then replace nothing", false}, CLI_JSON_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"backup", "FILE.tar.zst|FOLDER", "copy all but the models, also while a server runs",
     "Record, reviews, labels and fits, keys and users, stored files, tasks of the home folder.\n\n"
     "  bantam backup /backups/bantam-2026-11-25.tar.zst\n",
     OPTIONS(backup_options), 1, 1, run_backup},
    {"restore", "FILE.tar.zst|FOLDER", "put a backup in the place of what is there",
     "Each file is checked before anything is replaced; what was there is kept aside.\n\n"
     "  bantam restore /backups/bantam-2026-11-25.tar.zst --check\n",
     OPTIONS(restore_options), 1, 1, run_restore},
};

cmd_group cmd_backup(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

/* audit_journal.c - see audit_journal.h. */
#include "audit/audit_journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"

#include <stdio.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 10000, LOCK_EVERY_MS = 5 };

err audit_folder_lock(file_lock *l, const char *folder, fail *f) {
    char path[FILE_PATH_BYTES];
    err e = E_BUSY;
    TRY(file_join(path, folder, "folder.lock", f));
    for (int i = 0; i < LOCK_WAIT_MS / LOCK_EVERY_MS && e == E_BUSY; i++) {
        if (i) clock_sleep_ms(LOCK_EVERY_MS);
        e = file_lock_take(l, path, f);
    }
    return e;
}

bool audit_journal_name(str name) {
    return str_starts(name, STR("journal-")) && str_ends(name, STR(".log"));
}

/* Under the folder's lock. */
static err journal_make(audit_journal *j, fail *f) {
    TRY(file_lock_take(&j->lock, j->path, f));
    err e = file_sync_dir_of(j->path, f);
    if (e != E_OK) file_lock_give(&j->lock); /* stays as a dead, empty file: removed by the next */
    return e;
}

err audit_journal_open(audit_journal *j, const char *folder, fail *f) {
    char id[8], name[96];
    file_lock folder_lock = {-1};
    audit_journal fresh = {.lock = {-1}, .open = true};
    rand_id(id, 4);
    snprintf(name, sizeof name, "journal-%d-%lld-%s.log", (int)getpid(), (long long)clock_now_ms(),
             id);
    TRY(file_join(fresh.path, folder, name, f));
    TRY(audit_folder_lock(&folder_lock, folder, f));
    err e = journal_make(&fresh, f);
    file_lock_give(&folder_lock);
    if (e == E_OK) *j = fresh;
    return e;
}

err audit_journal_put(audit_journal *j, str frame, fail *f) {
    if (j->torn) { /* the disk may have room again */
        TRY(file_cut(j->lock.fd, j->size, j->path, f));
        j->torn = false;
    }
    err e = file_put(j->lock.fd, frame, j->path, f);
    if (e == E_OK) {
        j->size += (int64_t)frame.n;
        return E_OK;
    }
    j->torn = file_cut(j->lock.fd, j->size, j->path, NULL) != E_OK;
    return e;
}

err audit_journal_empty(audit_journal *j, fail *f) {
    CHECK(j->moved == j->size);
    TRY(file_cut(j->lock.fd, 0, j->path, f));
    j->size = j->moved = 0;
    return E_OK;
}

void audit_journal_close(audit_journal *j) {
    fail f = {0};
    if (!j->open) return;
    if (j->moved == j->size && file_remove(j->path, &f) != E_OK) log_warn("audit", "%s", f.text);
    file_lock_give(&j->lock);
    *j = (audit_journal){.lock = {-1}};
}

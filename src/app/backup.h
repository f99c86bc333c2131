/* backup.h - all that a home folder holds, as one file or folder, and back.
 *
 *   NAME.tar.zst or NAME/
 *     journal/...   records on their way into the tables, taken first: what is moved meanwhile is
 *                   in the database, and a record that is in both is kept once
 *     bantam.db     the database as it was at one moment (SQLite's online backup)
 *     ...           everything else: tasks/, stored files, chats; without models and their cache
 *     manifest.json
 * {"bantam":"backup","format":1,"program","created_ms","files":[{"path","bytes","sha256"}]}
 *
 * Taken of a running store. It appears under its name when it is whole and on the disk; a process
 * that is killed leaves NAME.partial, which the next one removes. A restore unpacks beside the old,
 * checks each hash and the database, and then swaps (backup_swap.h). Main thread. */
#ifndef BANTAM_APP_BACKUP_H
#define BANTAM_APP_BACKUP_H

#include "app/home.h"
#include "store/store.h"

enum { BACKUP_FORMAT = 1, BACKUP_FILES_MAX = 1000000, BACKUP_DEPTH_MAX = 12 };

typedef struct backup_sum {
    int64_t files, bytes;
    char manifest[65]; /* SHA-256 of manifest.json */
} backup_sum;

/* to must not exist. */
err backup_make(const home *h, store *s, const char *to, backup_sum *out, fail *f) MUST_CHECK;
/* Unpacks and checks `from` into the folder `into`, which is made. E_CORRUPT names the first file
 * that is not what its hash says. */
err backup_unpack(const char *from, const char *into, backup_sum *out, fail *f) MUST_CHECK;

/* Is this entry of the home folder left where it is: models, cache, locks, earlier copies? */
bool backup_leaves(str name);

#endif

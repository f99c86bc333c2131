/* backup_swap.h - what lies in HOME/.restore/new takes the place of what lies in HOME.
 *
 *   HOME/.restore/new/    the checked backup
 *   HOME/.restore/swap    written and synced before the first move: the names, and which had one
 * before HOME/.restore/old/    what was there
 *
 *   write swap -> each: HOME/NAME to old, new/NAME to HOME -> remove swap (from here on it counts)
 *              -> old becomes HOME/before-restore-TIME
 *
 * A process that is killed between leaves `swap`: swap_recover, which every command calls when it
 * opens the home folder, moves all back. So either all is old or all is new. Under the server's
 * lock. */
#ifndef BANTAM_APP_BACKUP_SWAP_H
#define BANTAM_APP_BACKUP_SWAP_H

#include "base/err.h"

/* *kept: the folder with what was there before. */
err swap_run(const char *home, char *kept, size_t kept_bytes, fail *f) MUST_CHECK;
/* Moves an interrupted swap back; nothing to do is fine and costs one look. E_BUSY while a
 * restore runs. */
err swap_recover(const char *home, const char *lock_path, fail *f) MUST_CHECK;

#endif

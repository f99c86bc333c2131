/* task.h - what a task file says, read and checked once for all who need it.
 *
 * One YAML file is one task (docs/task-file.md). task_load reads and checks everything: unknown
 * keys, duplicate labels or examples, a reply without its passage, a literal key, are E_INPUT with
 * file, line and column. A loaded task is immutable and may be shared by threads; everything in it
 * lives in the arena given. Nothing here knows models, the store or people. */
#ifndef BANTAM_TASK_TASK_H
#define BANTAM_TASK_TASK_H

#include "base/arena.h"
#include "base/err.h"

typedef enum task_kind { TASK_CLASSIFY, TASK_ANSWER } task_kind;
typedef enum task_mode { TASK_SUGGEST, TASK_AUTO, TASK_ALL_TO_PEOPLE } task_mode;

enum {
    TASK_FILE_BYTES_MAX = 64 << 20,
    TASK_LABELS_MAX = 2000,
    TASK_EXAMPLES_MAX = 200000,
    TASK_TEXT_BYTES_MAX = 16384, /* one example, reply or passage */
    TASK_NAME_BYTES_MAX = 64,
    TASK_LANGUAGES_MAX = 8,
    TASK_RETENTION_DAYS = 365 /* where a task file names none; of chats without a task */
};

typedef struct task_passage {
    str id, title, text;
} task_passage;

typedef struct task_label {
    str name, about;
    bool always_human;
    bool needs_record;
    bool is_other;
    int32_t passage;     /* index into passages; -1 none */
    str reply;           /* approved text; "" none */
    const str *examples; /* [n_examples] */
    size_t n_examples;
} task_label;

typedef struct task_tier_slm {
    bool present;
    str model;
    double cost_usd; /* assumed, a question */
} task_tier_slm;

typedef struct task_tier_llm {
    bool present;
    str url, key_env, model;
    double usd_per_million_in, usd_per_million_out; /* assumed */
    int64_t timeout_ms;
    int32_t retries;
    bool private_ok; /* false: privacy.never_to names it */
} task_tier_llm;

typedef struct task_tier_human {
    bool present;
    double cost_usd; /* assumed, a review */
    int64_t expected_minutes;
} task_tier_human;

typedef struct task {
    str path, name; /* name = file name without .yaml */
    str id;         /* keys its state */
    str title;
    task_kind kind;
    task_mode mode;
    str languages[TASK_LANGUAGES_MAX];
    size_t n_languages;
    double max_wrong; /* (0, 0.5] */
    double threshold; /* NAN = auto */
    bool generate_draft;
    int64_t retention_days; /* 0 = for ever */
    task_tier_slm slm;
    task_tier_llm llm;
    task_tier_human human;
    const task_passage *passages;
    size_t n_passages;
    const task_label *labels; /* `other`, when there is one, is among them */
    size_t n_labels;
    int32_t other;            /* index of `other`; -1 none */
    char digest[65];          /* SHA-256 hex of the file's bytes */
    char examples_digest[65]; /* of labels and examples only: what a fitted head depends on */
} task;

err task_load(arena *a, const char *path, task **out, fail *f) MUST_CHECK;
/* The same from bytes; `path` only names it. */
err task_parse(arena *a, const char *path, str yaml, task **out, fail *f) MUST_CHECK;
int32_t task_find_label(const task *t, str name); /* -1 absent */
const char *task_mode_name(task_mode m);
bool task_name_ok(str name); /* of a task: [a-z0-9][a-z0-9_-]*, at most 64 */
bool task_label_ok(
    str name); /* of a label: one line of UTF-8, 1 to 64 bytes, no blanks around it */

/* ---- where tasks lie: ./tasks, then home/tasks --------------------------------------------------
 */

typedef struct task_place {
    str name, path;
} task_place;
/* Every task found, the first folder wins, sorted by name. dirs: [n_dirs], absent ones are skipped.
 */
err task_list(arena *a, const char *const *dirs, size_t n_dirs, task_place **out, size_t *n,
              fail *f) MUST_CHECK;
/* NAME, or a path ending in .yaml. E_NOT_FOUND says where it looked and what is there. */
err task_find(arena *a, const char *const *dirs, size_t n_dirs, str name_or_path, str *path,
              fail *f) MUST_CHECK;

/* ---- writing a task file (`task init`, `task import`, `task export`)
 * ----------------------------- */

typedef struct task_row {
    str text, label, reply; /* reply: "" none */
} task_row;
/* People's labels and imported rows go into the store, not here: a task file is written once, and
 * then by its people. A new classify task from rows, with a new id; the caller refuses to
 * overwrite. */
err task_write_new(const char *path, str name, str model, const task_row *rows, size_t n,
                   fail *f) MUST_CHECK;
#endif

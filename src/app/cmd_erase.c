/* cmd_erase.c - bantam erase: what is held of one person, by the name that clients gave as `user`.
 *
 * The record keeps its rows without their content (costs and chain stay true); reviews go with
 * what they taught; stored responses, background jobs and answers kept under a key are deleted;
 * lines of batches end unanswered, and lines of their files are cut out. Files that hold the name
 * and are no batch's are told, for whoever uploaded them to look at. */
#include "api/api_batch_erase.h"
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "keep/keep.h"

#include <stdio.h>

typedef struct erased {
    int64_t requests, reviews, kept;
    api_batch_erased batches;
} erased;

static err erase_in(world *w, store_tx *tx, str subject, arena *a, erased *out, fail *f) {
    str *ids;
    size_t n = 0;
    TRY(audit_erase_subject(tx, subject, a, &ids, &n, f));
    out->requests = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        int64_t reviews = 0;
        TRY(desk_erase(&w->desk, tx, ids[i], &reviews, f));
        out->reviews += reviews;
    }
    TRY(api_batch_erase(tx, subject, ids, n, a, &out->batches, f));
    return keep_erase_subject(tx, subject, &out->kept, f);
}

/* One transaction: whoever is killed has erased all or nothing, and may ask again. */
static err erase_all(world *w, str subject, arena *a, erased *out, fail *f) {
    store_tx *tx;
    *out = (erased){0};
    TRY(audit_settle(w->audit, f));
    TRY(store_begin(w->store, STORE_WRITE, &tx, f));
    return keep_finish(tx, erase_in(w, tx, subject, a, out, f), f);
}

static void say(const erased *x) {
    const api_batch_erased *b = &x->batches;
    printf(
        "Erased: %lld requests of the record, %lld reviews, %lld kept answers and jobs, %lld lines "
        "of batches, %lld lines of their files.\n",
        (long long)x->requests, (long long)x->reviews, (long long)x->kept, (long long)b->lines,
        (long long)b->file_lines);
    if (!b->n_uncut) return;
    printf(
        "These files hold the name and were left, as their lines are not a batch's: look at them, "
        "and delete those that are about this person.\n");
    for (size_t i = 0; i < b->n_uncut; i++) printf("  %.*s\n", STR_ARG(b->uncut[i]));
}

static err say_json(const erased *x, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_int(&j, "requests", x->requests);
    json_field_int(&j, "reviews", x->reviews);
    json_field_int(&j, "kept", x->kept);
    json_field_int(&j, "lines", x->batches.lines);
    json_field_int(&j, "file_lines", x->batches.file_lines);
    json_key(&j, "uncut");
    json_begin_array(&j);
    for (size_t i = 0; i < x->batches.n_uncut; i++) json_put_str(&j, x->batches.uncut[i]);
    json_end_array(&j);
    json_end_object(&j);
    return out_json(&b, f);
}

static err erase(const cli *c, world *w, fail *f) {
    erased x;
    TRY(erase_all(w, str_from(c->args[0]), c->arena, &x, f));
    if (cli_flag(c, "json")) return say_json(&x, f);
    say(&x);
    return E_OK;
}

static err run_erase(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, erase, f);
}

static const cli_option options[] = {CLI_JSON_OPTION};
static const cli_verb verbs[] = {
    {"erase", "SUBJECT", "erase what is held of one person",
     "SUBJECT is what clients sent as `user`, safety_identifier or metadata.user_id.\n\n"
     "  bantam erase kim@example.com\n",
     options, 1, 1, 1, run_erase},
};

cmd_group cmd_erase(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

/* eval.h - measures a task on rows whose answers are known; stores nothing.
 *
 * The subject is handed in as a function, so this room knows no router. Definitions (they are a
 * contract): accuracy           best label is right, over rows whose label is not `other`, whatever
 * would be done oos_auroc          1 - confidence tells `other` rows from the rest; null without
 * both kinds answered           rows that would be answered without a person accuracy_answered
 * right among those; an answered `other` row is wrong auto_rate          answered / n ece expected
 * calibration error of the confidence, 15 equal bins, over answered rows cost               assumed
 * cost of all rows, people included */
#ifndef BANTAM_EVAL_EVAL_H
#define BANTAM_EVAL_EVAL_H

#include "gen/gen.h"

typedef struct eval_row {
    str text, label, group; /* group "" none */
} eval_row;

typedef struct eval_result { /* of one row, by the subject */
    str best_label;          /* whatever would be done */
    str label;               /* of the answer */
    double confidence;       /* NAN none */
    gen_tier tier;           /* that answered; GEN_TIER_HUMAN = would go to a person */
    gen_reason reason;
    double cost_usd;
    int64_t latency_us;
} eval_result;

typedef struct eval_subject {
    void *self;
    err (*answer)(void *self, str text, eval_result *out,
                  fail *f); /* strings live as long as self */
} eval_subject;

typedef struct eval_group {
    str name;
    size_t n, answered, answered_right, in_scope, right;
    double auto_low, auto_high; /* Wilson 95 % of answered / n */
    double accuracy_answered;   /* NAN when nothing was answered */
} eval_group;

enum { EVAL_GROUPS_MAX = 64, EVAL_ROWS_MAX = 1000000 };

typedef struct eval_report {
    size_t n, answered, answered_right, in_scope, right;
    double accuracy, oos_auroc, ece, accuracy_answered, auto_rate; /* NAN = undefined */
    double wrong_low, wrong_high; /* Wilson 95 % of wrong among answered */
    size_t by_tier[GEN_TIER_HUMAN + 1];
    eval_group groups[EVAL_GROUPS_MAX];
    size_t n_groups;
    double cost_usd;
    double latency_us_p50, latency_us_p99;
    const eval_result *results; /* [n], in the arena, for who wants to list them */
} eval_report;

err eval_run(arena *a, eval_subject subject, const eval_row *rows, size_t n,
             void (*progress)(void *self, size_t done, size_t total), void *progress_self,
             eval_report *out, fail *f) MUST_CHECK;
void eval_put_json(json_writer *w, const eval_report *r);

#endif

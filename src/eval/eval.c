/* eval.c - see eval.h. One pass over the rows; figures from stat/. Owner: the caller's thread. */
#include "eval/eval.h"

#include "base/mem.h"
#include "stat/stat_histogram.h"
#include "stat/stat_interval.h"
#include "stat/stat_score.h"

#include <math.h>

#define EVAL_LEVEL 0.95
#define LATENCY_QUANTILE_HIGH 0.99

static double share(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : (double)NAN;
}

static bool is_other(const eval_row *row) {
    return str_is(row->label, "other");
}

static eval_group *group_of(eval_report *r, str name) {
    for (size_t i = 0; i < r->n_groups; i++)
        if (str_eq(r->groups[i].name, name)) return &r->groups[i];
    if (r->n_groups == EVAL_GROUPS_MAX) return NULL;
    r->groups[r->n_groups] = (eval_group){.name = name};
    return &r->groups[r->n_groups++];
}

static bool was_answered(const eval_result *result) {
    return result->tier != GEN_TIER_HUMAN && result->tier != GEN_TIER_NONE;
}

static bool answer_is_right(const eval_row *row, const eval_result *result) {
    return !is_other(row) && str_eq(result->label, row->label);
}

static err count_row(eval_report *r, const eval_row *row, const eval_result *result, fail *f) {
    bool answered = was_answered(result),
         right = !is_other(row) && str_eq(result->best_label, row->label);
    eval_group *g = group_of(r, row->group.n ? row->group : STR("all"));
    if (!g) return fail_set(f, E_INPUT, "more than %d groups", EVAL_GROUPS_MAX);
    r->n++, g->n++;
    r->in_scope += !is_other(row), g->in_scope += !is_other(row);
    r->right += right, g->right += right;
    r->answered += answered, g->answered += answered;
    r->answered_right += answered && answer_is_right(row, result);
    g->answered_right += answered && answer_is_right(row, result);
    r->by_tier[result->tier]++;
    r->cost_usd += result->cost_usd;
    return E_OK;
}

/* Scratch of the scores: confidence of all rows, then of the answered ones. */
static err score(eval_report *r, const eval_row *rows, const eval_result *results, double *values,
                 bool *marks, fail *f) {
    for (size_t i = 0; i < r->n; i++) {
        values[i] = isnan(results[i].confidence) ? 1 : 1 - results[i].confidence;
        marks[i] = is_other(&rows[i]);
    }
    TRY(stat_auroc(values, marks, r->n, &r->oos_auroc, f));
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!was_answered(&results[i]) || isnan(results[i].confidence)) continue;
        values[n] = results[i].confidence;
        marks[n++] = answer_is_right(&rows[i], &results[i]);
    }
    r->ece = n ? stat_ece(values, marks, n, STAT_ECE_BINS) : (double)NAN;
    return E_OK;
}

static void finish(eval_report *r, const stat_histogram *latency) {
    r->accuracy = share(r->right, r->in_scope);
    r->accuracy_answered = share(r->answered_right, r->answered);
    r->auto_rate = share(r->answered, r->n);
    stat_interval wrong =
        stat_wilson((int64_t)(r->answered - r->answered_right), (int64_t)r->answered, EVAL_LEVEL);
    r->wrong_low = wrong.low;
    r->wrong_high = wrong.high;
    for (size_t i = 0; i < r->n_groups; i++) {
        eval_group *g = &r->groups[i];
        stat_interval rate = stat_wilson((int64_t)g->answered, (int64_t)g->n, EVAL_LEVEL);
        g->auto_low = rate.low;
        g->auto_high = rate.high;
        g->accuracy_answered = share(g->answered_right, g->answered);
    }
    r->latency_us_p50 = (double)stat_histogram_quantile(latency, 0.5);
    r->latency_us_p99 = (double)stat_histogram_quantile(latency, LATENCY_QUANTILE_HIGH);
}

static err run_rows(eval_subject subject, const eval_row *rows, size_t n, eval_result *results,
                    stat_histogram *latency, void (*progress)(void *, size_t, size_t),
                    void *progress_self, eval_report *r, fail *f) {
    for (size_t i = 0; i < n; i++) {
        TRY(subject.answer(subject.self, rows[i].text, &results[i], f));
        TRY(count_row(r, &rows[i], &results[i], f));
        stat_histogram_put(latency, results[i].latency_us);
        if (progress) progress(progress_self, i + 1, n);
    }
    return E_OK;
}

err eval_run(arena *a, eval_subject subject, const eval_row *rows, size_t n,
             void (*progress)(void *self, size_t done, size_t total), void *progress_self,
             eval_report *out, fail *f) {
    if (n == 0 || n > EVAL_ROWS_MAX)
        return fail_set(f, E_INPUT, "%zu rows; 1 to %d are measured", n, EVAL_ROWS_MAX);
    err e = E_OK;
    eval_report *r = arena_new(a, eval_report);
    eval_result *results = arena_new_n(a, eval_result, n);
    stat_histogram *latency = mem_zero(sizeof *latency);
    double *values = mem_zero(n * sizeof *values);
    bool *marks = mem_zero(n * sizeof *marks);
    if (!r || !results || !latency || !values || !marks) TRY_OUT(fail_memory(f, "an evaluation"));
    TRY_OUT(run_rows(subject, rows, n, results, latency, progress, progress_self, r, f));
    TRY_OUT(score(r, rows, results, values, marks, f));
    finish(r, latency);
    r->results = results;
    *out = *r;
out:
    mem_free(marks);
    mem_free(values);
    mem_free(latency);
    return e;
}

static void put_count(json_writer *w, const char *key, size_t v) {
    json_field_int(w, key, (int64_t)v);
}

static void put_group(json_writer *w, const eval_group *g) {
    json_key_str(w, g->name);
    json_begin_object(w);
    put_count(w, "n", g->n);
    json_field_double(w, "accuracy", share(g->right, g->in_scope));
    put_count(w, "answered", g->answered);
    json_field_double(w, "auto_rate", share(g->answered, g->n));
    json_field_double(w, "auto_rate_low", g->auto_low);
    json_field_double(w, "auto_rate_high", g->auto_high);
    json_field_double(w, "accuracy_answered", g->accuracy_answered);
    json_end_object(w);
}

void eval_put_json(json_writer *w, const eval_report *r) {
    json_begin_object(w);
    put_count(w, "n", r->n);
    json_field_double(w, "accuracy", r->accuracy);
    json_field_double(w, "oos_auroc", r->oos_auroc);
    json_field_double(w, "ece", r->ece);
    put_count(w, "answered", r->answered);
    json_field_double(w, "accuracy_answered", r->accuracy_answered);
    json_field_double(w, "wrong_low", r->wrong_low);
    json_field_double(w, "wrong_high", r->wrong_high);
    json_field_double(w, "auto_rate", r->auto_rate);
    json_key(w, "by_tier");
    json_begin_object(w);
    for (int t = 0; t <= GEN_TIER_HUMAN; t++)
        if (r->by_tier[t]) put_count(w, gen_tier_name((gen_tier)t), r->by_tier[t]);
    json_end_object(w);
    json_key(w, "by_group");
    json_begin_object(w);
    for (size_t i = 0; i < r->n_groups; i++) put_group(w, &r->groups[i]);
    json_end_object(w);
    json_field_double(w, "cost", r->cost_usd);
    json_key(w, "latency_us");
    json_begin_object(w);
    json_field_double(w, "p50", r->latency_us_p50);
    json_field_double(w, "p99", r->latency_us_p99);
    json_end_object(w);
    json_end_object(w);
}

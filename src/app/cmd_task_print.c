/* cmd_task_print.c - what the task commands print alike; see cmd_task_int.h. */
#include "app/cmd_task_int.h"

#include <math.h>
#include <stdio.h>

void task_put_count(json_writer *w, const char *key, size_t v) {
    json_field_int(w, key, (int64_t)v);
}
/* ---- figures of a head, in words ---- */

void task_put_report(json_writer *w, const route_fit_report *r) {
    task_put_count(w, "examples", r->n_examples);
    task_put_count(w, "labels", r->n_labels);
    json_field_double(w, "threshold", r->threshold);
    json_field_double(w, "max_wrong", r->max_wrong);
    json_key(w, "cross_validated");
    json_begin_object(w);
    task_put_count(w, "rows", r->cv_rows);
    task_put_count(w, "answered", r->cv_answered);
    task_put_count(w, "wrong", r->cv_wrong);
    json_field_double(w, "accuracy", r->cv_accuracy);
    json_end_object(w);
    json_key(w, "changes");
    json_begin_array(w);
    for (size_t i = 0; i < r->n_changes; i++) {
        const route_change *c = &r->changes[i];
        json_begin_object(w);
        json_field_text(w, "text", c->text);
        json_field_text(w, "label_before", c->label_before);
        json_field_text(w, "label_after", c->label_after);
        json_field_bool(w, "automatic_before", c->auto_before);
        json_field_bool(w, "automatic_after", c->auto_after);
        json_end_object(w);
    }
    json_end_array(w);
}

void task_print_report(const route_fit_report *r) {
    printf("fitted on %zu examples of %zu labels", r->n_examples, r->n_labels);
    if (r->embed_ms + r->fit_ms) /* unknown where the head was fitted before */
        printf(" (%.1f s to embed, %.1f s to fit)", (double)r->embed_ms * 1e-3,
               (double)r->fit_ms * 1e-3);
    printf("\n");
    if (isnan(r->threshold)) {
        printf("nothing is automatic: no threshold holds the limit of %.1f %% wrong. Add examples, "
               "above all of\n"
               "`other`, and of what gets mixed up; until then every question goes up a tier.\n",
               r->max_wrong * 100);
        return;
    }
    printf("automatic from confidence %.3f on: cross-validated, %zu of %zu rows would be answered, "
           "%zu of them wrong\n"
           "(limit %.1f %%). This rests on questions to come being like these rows.\n",
           r->threshold, r->cv_answered, r->cv_rows, r->cv_wrong, r->max_wrong * 100);
}

void task_print_changes(const route_fit_report *r) {
    printf("%zu answer%s changed%s\n", r->n_changes, r->n_changes == 1 ? "" : "s",
           r->n_changes ? ":" : "");
    for (size_t i = 0; i < r->n_changes; i++) {
        const route_change *c = &r->changes[i];
        printf("  %.*s%s -> %.*s%s   %.*s\n", STR_ARG(c->label_before),
               c->auto_before ? "" : " (goes up)", STR_ARG(c->label_after),
               c->auto_after ? "" : " (goes up)", STR_ARG(c->text));
    }
}

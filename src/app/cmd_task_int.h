/* cmd_task_int.h - what the task commands share. */
#ifndef BANTAM_APP_CMD_TASK_INT_H
#define BANTAM_APP_CMD_TASK_INT_H

#include "app/cmd.h"
#include "app/out.h"
#include "app/rows.h"
#include "app/world.h"

#define KERN_OPTION \
    { "kern", 0, "NAME", "numeric kernels: f32, ref or avx2 (default: the fastest)", false }
#define INT8_OPTION \
    { "int8", 0, NULL, "multiply the encoder's matrices of floats in int8: faster", false }
#define THREADS_OPTION \
    { "threads", 't', "N", "compute threads (default: the cores there are)", false }

void task_put_count(json_writer *w, const char *key, size_t v);
/* A fit's figures: as JSON members, and in words. */
void task_put_report(json_writer *w, const route_fit_report *r);
void task_print_report(const route_fit_report *r);
void task_print_changes(const route_fit_report *r);

#endif

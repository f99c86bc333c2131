/* engine_select.h - passes over a row of the vocabulary: the largest, the k largest, sums of
 * exponentials. Owner: the engine thread.
 *
 * The row is seen in blocks of SELECT_BLOCK numbers. One pass finds each block's peak; the k-th
 * largest peak is a bound that at least k numbers reach, and in practice few more, so only those
 * are put on a heap: no row is ever sorted. Larger first, at a tie the lower id. */
#ifndef BANTAM_ENGINE_SELECT_H
#define BANTAM_ENGINE_SELECT_H

#include "base/err.h"

#include <stdint.h>

enum { SELECT_BLOCK = 64 };

typedef struct select_item {
    int32_t id;
    float key;
} select_item;

typedef struct selection {
    int64_t n, blocks;
    float *peaks;      /* [blocks] largest of each block of the row seen last */
    float *order;      /* [blocks] scratch */
    double *sums;      /* [blocks] of select_exp_sum */
    select_item *heap; /* [n] the heap, largest on top */
    int64_t heap_n;
} selection;

err select_open(selection *s, int64_t n, fail *f) MUST_CHECK;
void select_close(selection *s);

/* Looks at a row [n]: fills the peaks. *finite = every number is one. Returns the largest. */
float select_look(selection *s, const float *row, bool *finite);
/* Index of the largest number of the row seen last. */
int32_t select_first(const selection *s, const float *row);
/* Puts at least the k largest of the row seen last on the heap; returns how many it holds. */
int64_t select_gather(selection *s, const float *row, int64_t k);
/* Puts all that are >= least on the heap. */
int64_t select_above(selection *s, const float *row, float least);
void select_push(selection *s, select_item item);
select_item select_pop(selection *s); /* the heap is not empty */

/* Sum of e^((row[i] - most) * scale) with its parts by block in s->sums; most: the largest. Numbers
 * more than 87 / scale below it count as that. Relative error below 1e-6. */
double select_exp_sum(selection *s, const float *row, float most, float scale);
/* The same of any row, without a selection; and the sum of e^(d) d with d = row[i] - most. */
double select_exp_total(const float *row, int64_t n, float most);
double select_exp_moment(const float *row, int64_t n, float most);
/* The index at which the running sum of select_exp_sum's terms passes `target`. */
int32_t select_exp_find(const selection *s, const float *row, float most, float scale,
                        double target);

#endif

/* fit_matrix.c - from texts to the sparse matrix that the linear classifier learns from.
 *
 * Every text's grams are taken once; a gram stays when at least FIT_GRAM_ROWS_MIN rows have it, and
 * when there are more than FIT_GRAM_FEATURES_MAX such, those that most rows have. Owner: the
 * fitting thread; texts are read by the team. */
#include "base/mem.h"
#include "fit/fit_int.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Grams of all rows while features are chosen. */
typedef struct collected {
    const fit_rows *rows;
    fit_gram **grams; /* [rows][count] heap */
    size_t *count;
    atomic_bool failed;
} collected;

typedef struct gram_rows {
    uint32_t hash, rows;
} gram_rows;

static void collect_row(void *arg, int64_t index, int worker) {
    (void)worker;
    collected *c = arg;
    fit_grams g;
    if (fit_grams_of(&g, c->rows->texts[index], NULL) != E_OK) {
        atomic_store(&c->failed, true);
        return;
    }
    c->count[index] = g.n;
    c->grams[index] = mem_alloc(g.n * sizeof(fit_gram));
    if (c->grams[index])
        memcpy(c->grams[index], g.grams, g.n * sizeof(fit_gram));
    else
        atomic_store(&c->failed, true);
    fit_grams_deinit(&g);
}

static int hash_compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int rows_compare(const void *a, const void *b) {
    const gram_rows *x = a, *y = b;
    if (x->rows != y->rows) return x->rows < y->rows ? 1 : -1;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* all [n] hashes sorted -> list of grams in enough rows, in place of a second array. */
static size_t grams_in_rows(const uint32_t *all, size_t n, gram_rows *list) {
    size_t kept = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && all[end] == all[i]) end++;
        if (end - i >= FIT_GRAM_ROWS_MIN) list[kept++] = (gram_rows){all[i], (uint32_t)(end - i)};
        i = end;
    }
    return kept;
}

static err choose_grams(fit_head *h, const collected *c, fail *f) {
    size_t total = 0;
    for (size_t i = 0; i < c->rows->n; i++) total += c->count[i];
    uint32_t *all = mem_alloc(total * sizeof *all);
    gram_rows *list = all ? mem_alloc((total / FIT_GRAM_ROWS_MIN + 1) * sizeof *list) : NULL;
    err e = E_OK;
    if (!list) {
        e = fail_memory(f, "the choice of n-grams");
        goto out;
    }
    size_t n = 0;
    for (size_t i = 0; i < c->rows->n; i++)
        for (size_t k = 0; k < c->count[i]; k++) all[n++] = c->grams[i][k].hash;
    qsort(all, n, sizeof *all, hash_compare);
    size_t kept = grams_in_rows(all, n, list);
    qsort(list, kept, sizeof *list, rows_compare);
    h->features = kept < FIT_GRAM_FEATURES_MAX ? kept : FIT_GRAM_FEATURES_MAX;
    h->gram = arena_new_n(&h->memory, uint32_t, h->features);
    if (!h->gram) {
        e = fail_memory(f, "the chosen n-grams");
        goto out;
    }
    for (size_t i = 0; i < h->features; i++) h->gram[i] = list[i].hash;
    qsort(h->gram, h->features, sizeof *h->gram, hash_compare);
    e = fit_head_index_grams(h, f);
out:
    mem_free(list);
    mem_free(all);
    return e;
}

err fit_head_index_grams(fit_head *h, fail *f) {
    h->gram_slots = 16;
    while (h->gram_slots < 2 * h->features) h->gram_slots *= 2;
    h->gram_slot = arena_new_n(&h->memory, uint32_t, h->gram_slots);
    if (!h->gram_slot) return fail_memory(f, "the table of n-grams");
    for (size_t i = 0; i < h->features; i++) {
        size_t at = (h->gram[i] >> 1) & (h->gram_slots - 1);
        while (h->gram_slot[at]) at = (at + 1) & (h->gram_slots - 1);
        h->gram_slot[at] = (uint32_t)i + 1;
    }
    return E_OK;
}

int64_t fit_head_gram(const fit_head *h, uint32_t hash) {
    size_t at = (hash >> 1) & (h->gram_slots - 1);
    for (; h->gram_slot[at]; at = (at + 1) & (h->gram_slots - 1))
        if (h->gram[h->gram_slot[at] - 1] == hash) return (int64_t)h->gram_slot[at] - 1;
    return -1;
}

size_t fit_head_sparse(const fit_head *h, const fit_gram *grams, size_t n, uint32_t *column,
                       float *value) {
    double squares[2] = {0, 0};
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t at = fit_head_gram(h, grams[i].hash);
        if (at < 0) continue;
        column[kept] = (uint32_t)at;
        value[kept] = fit_gram_weight(grams[i].count);
        squares[grams[i].hash & 1] += (double)value[kept] * (double)value[kept];
        kept++;
    }
    for (size_t i = 0; i < kept; i++) value[i] /= (float)sqrt(squares[h->gram[column[i]] & 1]);
    return kept;
}

/* Row lengths |x|^2: dense, both sparse blocks where they are not empty, and the bias. */
static void measure_rows(fit_matrix *m, float *squared) {
    for (size_t i = 0; i < m->rows; i++) {
        double sum = 1;
        for (size_t k = 0; k < m->dim; k++) {
            double x = (double)(m->dense[i * m->dim + k] * m->dense_scale);
            sum += x * x;
        }
        for (size_t k = m->start[i]; k < m->start[i + 1]; k++)
            sum += (double)m->value[k] * (double)m->value[k];
        squared[i] = (float)sum;
    }
    m->squared = squared;
}

static err fill_matrix(arena *a, fit_matrix *out, const fit_head *h, const collected *c, fail *f) {
    const fit_rows *rows = c->rows;
    size_t total = 0;
    for (size_t i = 0; i < rows->n; i++) total += c->count[i];
    size_t *start = arena_new_n(a, size_t, rows->n + 1);
    uint32_t *column = arena_new_n(a, uint32_t, total);
    float *value = arena_new_n(a, float, total), *squared = arena_new_n(a, float, rows->n);
    if (!start || !column || !value || !squared) return fail_memory(f, "the rows to learn from");
    for (size_t i = 0; i < rows->n; i++) {
        size_t n =
            fit_head_sparse(h, c->grams[i], c->count[i], column + start[i], value + start[i]);
        start[i + 1] = start[i] + n;
    }
    fit_matrix m = {.rows = rows->n,
                    .dim = rows->dim,
                    .features = h->features,
                    .dense = rows->vectors,
                    .dense_scale = FIT_DENSE_SCALE,
                    .start = start,
                    .column = column,
                    .value = value};
    measure_rows(&m, squared);
    *out = m;
    return E_OK;
}

err fit_matrix_build(arena *a, fit_matrix *out, fit_head *h, const fit_rows *rows, team *t,
                     fail *f) {
    collected c = {.rows = rows};
    c.grams = mem_zero(rows->n * sizeof *c.grams);
    c.count = c.grams ? mem_zero(rows->n * sizeof *c.count) : NULL;
    err e = E_OK;
    if (!c.count) {
        e = fail_memory(f, "the n-grams of the examples");
        goto out;
    }
    fit_run(t, collect_row, &c, (int64_t)rows->n);
    if (atomic_load(&c.failed)) {
        e = fail_memory(f, "the n-grams of the examples");
        goto out;
    }
    TRY_OUT(choose_grams(h, &c, f));
    TRY_OUT(fill_matrix(a, out, h, &c, f));
out:
    for (size_t i = 0; c.grams && i < rows->n; i++) mem_free(c.grams[i]);
    mem_free(c.grams);
    mem_free(c.count);
    return e;
}

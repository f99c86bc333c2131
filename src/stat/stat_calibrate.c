/* stat_calibrate.c - see stat_calibrate.h.
 *
 * Logistic: Newton on standardised features with step halving; the Hessian is at most 17 x 17 and
 * is solved by Cholesky. Isotonic: pool adjacent violators over scores with ties pooled first. */
#include "stat/stat_calibrate.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEWTON_STEPS_MAX = 50, HALVINGS_MAX = 30, WIDE = STAT_LOGISTIC_FEATURES_MAX + 1 };
#define NEWTON_EXACT 1e-10
#define HESSIAN_FLOOR 1e-9

/* The fit in progress; theta[0] is the bias. */
typedef struct newton {
    const stat_logistic_rows *rows;
    const stat_logistic *m; /* for mean and scale */
    double target_yes, target_no, ridge;
    int wide; /* features + 1 */
} newton;

static double row_weight(const stat_logistic_rows *rows, size_t i) {
    return rows->weight ? rows->weight[i] : 1;
}

static double sigmoid(double z) {
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

/* log(1 + exp(z)) without overflow */
static double softplus(double z) {
    return z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
}

/* Standardised row i with a leading 1 for the bias. */
static void newton_row(const newton *w, size_t i, double z[WIDE]) {
    const double *x = w->rows->x + i * (size_t)w->rows->features;
    z[0] = 1;
    for (int j = 1; j < w->wide; j++) z[j] = (x[j - 1] - w->m->mean[j - 1]) / w->m->scale[j - 1];
}

static double dot(const double *a, const double *b, int n) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += a[j] * b[j];
    return sum;
}

static double newton_loss(const newton *w, const double theta[WIDE]) {
    double loss = w->ridge / 2 * dot(theta + 1, theta + 1, w->wide - 1), z[WIDE];
    for (size_t i = 0; i < w->rows->n; i++) {
        newton_row(w, i, z);
        double s = dot(theta, z, w->wide);
        double target = w->rows->positive[i] ? w->target_yes : w->target_no;
        loss += row_weight(w->rows, i) * (softplus(s) - target * s);
    }
    return loss;
}

static void newton_derive(const newton *w, const double theta[WIDE], double gradient[WIDE],
                          double hessian[WIDE][WIDE]) {
    double z[WIDE];
    for (int j = 0; j < w->wide; j++) {
        gradient[j] = j ? w->ridge * theta[j] : 0;
        for (int k = 0; k < w->wide; k++) hessian[j][k] = 0;
        hessian[j][j] = (j ? w->ridge : 0) + HESSIAN_FLOOR;
    }
    for (size_t i = 0; i < w->rows->n; i++) {
        newton_row(w, i, z);
        double p = sigmoid(dot(theta, z, w->wide)), weight = row_weight(w->rows, i);
        double target = w->rows->positive[i] ? w->target_yes : w->target_no;
        for (int j = 0; j < w->wide; j++) {
            gradient[j] += weight * (p - target) * z[j];
            for (int k = 0; k <= j; k++) hessian[j][k] += weight * p * (1 - p) * z[j] * z[k];
        }
    }
}

/* In place: hessian's lower triangle becomes L with L L' = hessian. */
static void cholesky(double h[WIDE][WIDE], int n) {
    for (int j = 0; j < n; j++) {
        for (int k = 0; k <= j; k++) {
            double sum = h[j][k] - dot(h[j], h[k], k);
            h[j][k] = j == k ? sqrt(fmax(sum, HESSIAN_FLOOR)) : sum / h[k][k];
        }
    }
}

static void cholesky_solve(double l[WIDE][WIDE], int n, double x[WIDE]) {
    for (int j = 0; j < n; j++) x[j] = (x[j] - dot(l[j], x, j)) / l[j][j];
    for (int j = n - 1; j >= 0; j--) {
        for (int k = j + 1; k < n; k++) x[j] -= l[k][j] * x[k];
        x[j] /= l[j][j];
    }
}

/* One Newton step, halved until the loss falls; false when it no longer does. */
static bool newton_step(const newton *w, double theta[WIDE], double *loss) {
    double step[WIDE], hessian[WIDE][WIDE], next[WIDE];
    newton_derive(w, theta, step, hessian);
    cholesky(hessian, w->wide);
    cholesky_solve(hessian, w->wide, step);
    double size = 1;
    for (int i = 0; i < HALVINGS_MAX; i++, size /= 2) {
        for (int j = 0; j < w->wide; j++) next[j] = theta[j] - size * step[j];
        double next_loss = newton_loss(w, next);
        if (!(next_loss < *loss)) continue;
        bool moved = *loss - next_loss > NEWTON_EXACT * (1 + fabs(*loss));
        memcpy(theta, next, sizeof next);
        *loss = next_loss;
        return moved;
    }
    return false;
}

static void standardise(stat_logistic *m, const stat_logistic_rows *rows) {
    for (int j = 0; j < rows->features; j++) {
        double total = 0, sum = 0, squares = 0;
        for (size_t i = 0; i < rows->n; i++) {
            total += row_weight(rows, i);
            sum += row_weight(rows, i) * rows->x[i * (size_t)rows->features + (size_t)j];
        }
        m->mean[j] = sum / total;
        for (size_t i = 0; i < rows->n; i++) {
            double d = rows->x[i * (size_t)rows->features + (size_t)j] - m->mean[j];
            squares += row_weight(rows, i) * d * d;
        }
        double spread = sqrt(squares / total);
        m->scale[j] = spread > 1e-12 ? spread : 1;
    }
}

static err rows_check(const stat_logistic_rows *rows, fail *f) {
    if (rows->n == 0 || rows->features < 1 || rows->features > STAT_LOGISTIC_FEATURES_MAX)
        return fail_set(f, E_INPUT, "a logistic fit of %zu rows with %d features", rows->n,
                        rows->features);
    for (size_t i = 0; i < rows->n * (size_t)rows->features; i++) {
        if (!isfinite(rows->x[i]))
            return fail_set(f, E_INPUT,
                            "a logistic fit with a feature that is not finite (row %zu)",
                            i / (size_t)rows->features);
    }
    return E_OK;
}

err stat_logistic_fit(stat_logistic *out, const stat_logistic_rows *rows, double ridge, fail *f) {
    TRY(rows_check(rows, f));
    stat_logistic m = {.features = rows->features};
    standardise(&m, rows);
    double yes = 0, no = 0;
    for (size_t i = 0; i < rows->n; i++) {
        double weight = row_weight(rows, i);
        if (rows->positive[i])
            yes += weight;
        else
            no += weight;
    }
    newton w = {.rows = rows, .m = &m, .ridge = ridge, .wide = rows->features + 1};
    w.target_yes = (yes + 1) / (yes + 2);
    w.target_no = 1 / (no + 2);
    double theta[WIDE] = {log((yes + 1) / (no + 1))}, loss = newton_loss(&w, theta);
    for (int i = 0; i < NEWTON_STEPS_MAX && newton_step(&w, theta, &loss); i++) {
    }
    m.bias = theta[0];
    for (int j = 0; j < m.features; j++) m.weight[j] = theta[j + 1];
    *out = m;
    return E_OK;
}

double stat_logistic_p(const stat_logistic *m, const double *x) {
    double z = m->bias;
    for (int j = 0; j < m->features; j++) z += m->weight[j] * (x[j] - m->mean[j]) / m->scale[j];
    return sigmoid(z);
}

/* One step of the isotonic function while pooling. */
typedef struct pool {
    double from, sum, n;
} pool;

typedef struct scored_row {
    double score;
    bool positive;
} scored_row;

static int score_compare(const void *a, const void *b) {
    double x = ((const scored_row *)a)->score, y = ((const scored_row *)b)->score;
    return (x > y) - (x < y);
}

/* rows ascending -> pools with strictly rising means; returns their number. */
static size_t pool_rows(pool *pools, const scored_row *rows, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (count > 0 && rows[i].score == rows[i - 1].score) {
            pools[count - 1].sum += rows[i].positive;
            pools[count - 1].n += 1;
        } else {
            pools[count++] = (pool){rows[i].score, rows[i].positive, 1};
        }
        bool tied = i + 1 < n && rows[i + 1].score == rows[i].score;
        while (!tied && count > 1 &&
               pools[count - 2].sum * pools[count - 1].n >=
                   pools[count - 1].sum * pools[count - 2].n) {
            pools[count - 2].sum += pools[count - 1].sum;
            pools[count - 2].n += pools[count - 1].n;
            count--;
        }
    }
    return count;
}

static err isotonic_store(arena *a, stat_isotonic *out, const pool *pools, size_t count, fail *f) {
    double *from = arena_new_n(a, double, count), *value = arena_new_n(a, double, count);
    if (!from || !value) return fail_memory(f, "an isotonic calibration");
    for (size_t i = 0; i < count; i++) {
        from[i] = pools[i].from;
        value[i] = pools[i].sum / pools[i].n;
    }
    *out = (stat_isotonic){.n = count, .from = from, .value = value};
    return E_OK;
}

err stat_isotonic_fit(arena *a, stat_isotonic *out, const double *score, const bool *positive,
                      size_t n, fail *f) {
    if (n == 0) return fail_set(f, E_INPUT, "an isotonic fit of no rows");
    size_t row_bytes = 0, pool_bytes = 0;
    bool fits =
        mem_size(n, sizeof(scored_row), &row_bytes) && mem_size(n, sizeof(pool), &pool_bytes);
    scored_row *rows = fits ? mem_alloc(row_bytes) : NULL;
    pool *pools = rows ? mem_alloc(pool_bytes) : NULL;
    err e = E_OK;
    if (!pools) {
        e = fail_memory(f, "an isotonic calibration");
        goto out;
    }
    for (size_t i = 0; i < n; i++) rows[i] = (scored_row){score[i], positive[i]};
    qsort(rows, n, sizeof *rows, score_compare);
    e = isotonic_store(a, out, pools, pool_rows(pools, rows, n), f);
out:
    mem_free(pools);
    mem_free(rows);
    return e;
}

double stat_isotonic_p(const stat_isotonic *m, double score) {
    size_t low = 0, high = m->n; /* the last step with from <= score lies in [low, high) */
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (m->from[mid] <= score)
            low = mid;
        else
            high = mid;
    }
    return m->n ? m->value[low] : 0.5;
}

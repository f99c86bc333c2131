/* model_expert.c - a mixture of experts as feed-forward (Shazeer et al. 2017; OLMoE, Qwen3-MoE): a
 * router's softmax chooses some experts for each row, whose outputs are summed by their shares.
 *
 * Rows are grouped by expert, so that each expert is one multiplication of all that chose it. A
 * row's sum goes through its experts in ascending order: the same bits whatever stands beside it.
 */
#include "model/model_decoder.h"

#include <math.h>
#include <string.h>

/* In place: the shares of all experts. */
static void softmax(float *x, int64_t n) {
    float most = x[0];
    double sum = 0;
    for (int64_t e = 1; e < n; e++) most = x[e] > most ? x[e] : most;
    for (int64_t e = 0; e < n; e++) {
        x[e] = expf(x[e] - most);
        sum += (double)x[e];
    }
    for (int64_t e = 0; e < n; e++) x[e] = (float)((double)x[e] / sum);
}

/* Is e before k in the order of shares, largest first, of equal ones the first? */
static bool precedes(const float *x, int64_t e, int64_t k) {
    return x[e] > x[k] || (x[e] == x[k] && e < k);
}

/* Keeps the `used` first of that order, zeroes the others. */
static void keep_largest(float *x, int64_t n, int64_t used, bool normed) {
    int64_t last = -1;
    double sum = 0;
    for (int64_t k = 0; k < used; k++) {
        int64_t best = -1;
        for (int64_t e = 0; e < n; e++)
            if ((last < 0 || precedes(x, last, e)) && (best < 0 || precedes(x, e, best))) best = e;
        sum += (double)x[best];
        last = best;
    }
    float least = x[last];
    for (int64_t e = 0; e < n; e++) {
        bool kept = x[e] > least || (x[e] == least && e <= last);
        float share = normed && sum > 0 ? (float)((double)x[e] / sum) : x[e];
        x[e] = kept ? share : 0;
    }
}

/* The rows whose share of expert e is not zero, one after the other in expert_x; their count. */
static int64_t gather(const decoder_spec *s, model_run *r, const float *x, int64_t T, int64_t e) {
    int64_t n = 0;
    for (int64_t t = 0; t < T; t++) {
        if (r->route[t * s->experts + e] == 0) continue;
        memcpy(r->expert_x + n * s->width, x + t * s->width, (size_t)s->width * sizeof *x);
        r->expert_row[n++] = (int32_t)t;
    }
    return n;
}

static void run_expert(const decoder_spec *s, model_run *r, const decoder_expert *e, int64_t n) {
    op_linears(&r->op, r->expert_x, n,
               (op_output[]){{&e->gate, r->gate, s->ff}, {&e->up, r->up, s->ff}}, 2);
    op_glu(&r->op, s->activation, r->gate, r->up, r->up, n, s->ff);
    op_linear(&r->op, &e->down, r->up, n, r->expert_x, s->width);
}

static void scatter(const decoder_spec *s, model_run *r, int64_t n, int64_t e) {
    for (int64_t i = 0; i < n; i++) {
        int64_t t = r->expert_row[i];
        float share = r->route[t * s->experts + e];
        const float *from = r->expert_x + i * s->width;
        float *to = r->expert_y + t * s->width;
        for (int64_t k = 0; k < s->width; k++) to[k] += share * from[k];
    }
}

void decoder_experts(const decoder_spec *s, const decoder_layer *l, model_run *r, const float *x,
                     int64_t T) {
    op_linear(&r->op, &l->router, x, T, r->route, s->experts);
    for (int64_t t = 0; t < T; t++) {
        softmax(r->route + t * s->experts, s->experts);
        keep_largest(r->route + t * s->experts, s->experts, s->experts_used, s->experts_normed);
    }
    memset(r->expert_y, 0, (size_t)(T * s->width) * sizeof *r->expert_y);
    for (int64_t e = 0; e < s->experts; e++) {
        int64_t n = gather(s, r, x, T, e);
        if (n == 0) continue;
        run_expert(s, r, &l->expert[e], n);
        scatter(s, r, n, e);
    }
}

/* op_attend.c - see op_attend.h. A page: [OP_PAGE, kv_heads, dim]. Work is split by row and head.
 */
#include "tensor/op_attend.h"

#include "tensor/op_int.h"

#include <string.h>

size_t op_page_bytes(op_kv_type type, int64_t kv_heads, int64_t dim) {
    return (size_t)(OP_PAGE * kv_heads * dim) * (type == OP_KV_F16 ? 2 : 4);
}

void op_keep(op_context *c, const op_attention *o, const op_sequence *s, int64_t n, const float *k,
             const float *v) {
    int64_t width = o->kv_heads * o->dim;
    for (; n > 0; n--, s++)
        for (int64_t i = 0; i < s->rows; i++) {
            int64_t position = s->position + i, at = position % OP_PAGE * width;
            const op_page *page = &s->pages[position / OP_PAGE];
            const float *from[2] = {k + (s->first_row + i) * width, v + (s->first_row + i) * width};
            void *to[2] = {page->k, page->v};
            for (int part = 0; part < 2; part++) {
                if (o->type == OP_KV_F16)
                    c->kern->f32_to_f16(from[part], (uint16_t *)to[part] + at, width);
                else
                    memcpy((float *)to[part] + at, from[part], (size_t)width * sizeof(float));
            }
        }
}

typedef struct attend_job {
    op_context *c;
    const op_attention *o;
    const op_sequence *s;
    int64_t row; /* first of the sequence */
    const float *q;
    const float *k, *v; /* without pages */
    float *out;
} attend_job;

/* Positions [from, from + n) that lie together, of one key/value head. */
static kern_span span_of(const attend_job *j, bool values, int64_t kv, int64_t from, int64_t n) {
    const op_attention *o = j->o;
    int64_t width = o->kv_heads * o->dim, at = from;
    const char *base = (const char *)(values ? j->v : j->k);
    size_t bytes = sizeof(float);
    if (j->s->pages) {
        const op_page *page = &j->s->pages[from / OP_PAGE];
        base = values ? page->v : page->k;
        at = from % OP_PAGE;
        if (o->type == OP_KV_F16) bytes = sizeof(uint16_t);
    } else {
        at += j->s->first_row;
    }
    return (kern_span){.at = base + (size_t)(at * width + kv * o->dim) * bytes,
                       .n = n,
                       .stride = width,
                       .dim = o->dim};
}

static int64_t span_end(const attend_job *j, int64_t at, int64_t end) {
    int64_t next = j->s->pages ? (at / OP_PAGE + 1) * OP_PAGE : end;
    return next < end ? next : end;
}

/* What position p sees: [*from, *to). */
static void range_of(const attend_job *j, int64_t p, int64_t *from, int64_t *to) {
    const op_attention *o = j->o;
    int64_t last = j->s->position + j->s->rows;
    int64_t behind = o->both_ways ? o->window / 2 : o->window - 1;
    *from = o->window && p > behind ? p - behind : 0;
    *to = !o->both_ways ? p + 1 : o->window && p + behind + 1 < last ? p + behind + 1 : last;
}

static void attend_head(void *arg, int64_t index, int worker) {
    attend_job *j = arg;
    const op_attention *o = j->o;
    const kern_table *kern = j->c->kern;
    bool half = j->s->pages && o->type == OP_KV_F16;
    int64_t t = index / o->heads, h = index % o->heads, kv = h / (o->heads / o->kv_heads), from, to;
    range_of(j, j->s->position + t, &from, &to);
    int64_t at = (j->s->first_row + t) * o->heads * o->dim + h * o->dim;
    float *score = j->c->workspace + worker * j->c->workspace_floats, *out = j->out + at;
    CHECK(to - from >= 1 && to - from <= j->c->workspace_floats);
    for (int64_t i = from, next; i < to; i = next) {
        next = span_end(j, i, to);
        (half ? kern->scores_f16 : kern->scores_f32)(j->q + at, span_of(j, false, kv, i, next - i),
                                                     o->scale, score + i - from);
    }
    kern->softmax(score, to - from);
    memset(out, 0, (size_t)o->dim * sizeof *out);
    for (int64_t i = from, next; i < to; i = next) {
        next = span_end(j, i, to);
        (half ? kern->mix_f16 : kern->mix_f32)(score + i - from, span_of(j, true, kv, i, next - i),
                                               out);
    }
}

static void attend_all(attend_job *j, const op_sequence *s, int64_t n) {
    for (; n > 0; n--, s++) {
        j->s = s;
        op_spread(j->c, attend_head, j, s->rows * j->o->heads,
                  2 * (s->position + s->rows) * j->o->dim);
    }
}

void op_attend(op_context *c, const op_attention *o, const op_sequence *s, int64_t n,
               const float *q, float *out) {
    attend_all(&(attend_job){.c = c, .o = o, .q = q, .out = out}, s, n);
}

void op_attend_batch(op_context *c, const op_attention *o, const op_sequence *s, int64_t n,
                     const float *q, const float *k, const float *v, float *out) {
    attend_all(&(attend_job){.c = c, .o = o, .q = q, .k = k, .v = v, .out = out}, s, n);
}

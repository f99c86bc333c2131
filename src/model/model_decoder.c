/* model_decoder.c - one forward of a decoder over a ragged batch; see model_decoder.h. Runs on the
 * thread that owns the model_run; allocates nothing. */
#include "model/model_decoder.h"

#include <string.h>

void decoder_shape(const model *m, model_run_shape *out) {
    const decoder *d = m->state;
    const decoder_spec *s = &d->spec;
    *out = (model_run_shape){.width = s->width,
                             .q_width = s->heads * s->head_width,
                             .kv_width = s->kv_heads * s->head_width,
                             .ff = s->ff,
                             .experts = s->experts};
    for (int i = 0; i < MODEL_ROPES; i++) out->turned[i] = s->rope[i].half;
}

static void embed(const decoder *d, model_run *r, const model_batch *b) {
    const decoder_spec *s = &d->spec;
    for (int64_t i = 0; i < b->n_rows; i++)
        model_run_look_up(r, d->embedding, b->tokens[i], r->x + i * s->width);
    if (s->embedding_scale != 1) op_scale(&r->op, s->embedding_scale, r->x, b->n_rows, s->width);
}

static void turn(const decoder_spec *s, model_run *r, const model_batch *b) {
    for (int i = 0; i < MODEL_ROPES; i++) {
        const model_rope *rope = &s->rope[i];
        bool beyond = rope->freq_long && r->o.positions_max > rope->original;
        if (rope->half)
            op_angles_fill(&r->angles[i], b->positions, b->n_rows,
                           beyond ? rope->freq_long : rope->freq, rope->magnitude);
    }
}

/* The block's input: x, normed where the model norms before. */
static const float *before(const decoder_spec *s, model_run *r, const float *norm, int64_t T) {
    if (!norm) return r->x;
    op_rmsnorm(&r->op, r->x, norm, s->eps, T, s->width, r->h);
    return r->h;
}

/* x += scale * norm(y), the norm where the model norms after. */
static void after(const decoder_spec *s, model_run *r, const float *norm, float *y, int64_t T) {
    if (norm) op_rmsnorm(&r->op, y, norm, s->eps, T, s->width, y);
    if (s->residual_scale != 1) op_scale(&r->op, s->residual_scale, y, T, s->width);
    op_add(&r->op, y, r->x, T, s->width);
}

static void norm_heads(const decoder_spec *s, model_run *r, const decoder_layer *l, int64_t T) {
    int64_t d = s->head_width;
    if (s->qk_norm == DECODER_NORM_HEAD) {
        op_rmsnorm(&r->op, r->q, l->q_norm, s->eps, T * s->heads, d, r->q);
        op_rmsnorm(&r->op, r->k, l->k_norm, s->eps, T * s->kv_heads, d, r->k);
    } else if (s->qk_norm == DECODER_NORM_WIDTH) {
        op_rmsnorm(&r->op, r->q, l->q_norm, s->eps, T, s->heads * d, r->q);
        op_rmsnorm(&r->op, r->k, l->k_norm, s->eps, T, s->kv_heads * d, r->k);
    }
}

static void attention(const decoder_spec *s, model_run *r, const model_batch *b,
                      const decoder_layer *l, int64_t i) {
    int64_t T = b->n_rows;
    const decoder_sight *sight = &s->sight[i];
    const float *x = before(s, r, l->attention_norm, T);
    model_run_linears(r, b, i, x, T,
                      (model_product[]){{MODEL_QUERY, &l->q, r->q},
                                        {MODEL_KEY, &l->k, r->k},
                                        {MODEL_VALUE, &l->v, r->v}},
                      3);
    norm_heads(s, r, l, T);
    if (sight->rope >= 0) {
        const op_angles *angles = &r->angles[sight->rope];
        op_rope(&r->op, r->q, T, s->heads, s->head_width, angles, s->pairs);
        op_rope(&r->op, r->k, T, s->kv_heads, s->head_width, angles, s->pairs);
    }
    model_run_attend(r, b, i,
                     &(op_attention){.heads = s->heads,
                                     .kv_heads = s->kv_heads,
                                     .dim = s->head_width,
                                     .scale = s->attention_scale,
                                     .window = sight->window});
    model_run_linears(r, b, i, r->a, T, &(model_product){MODEL_OUTPUT, &l->o, r->h}, 1);
    after(s, r, l->attention_after, r->h, T);
}

static void feed_forward(const decoder_spec *s, model_run *r, const model_batch *b,
                         const decoder_layer *l, int64_t i) {
    int64_t T = b->n_rows;
    const float *x = before(s, r, l->ff_norm, T);
    const decoder_expert *e = &l->dense;
    if (s->experts) {
        decoder_experts(s, l, r, x, T);
        after(s, r, l->ff_after, r->expert_y, T);
        return;
    }
    model_run_linears(r, b, i, x, T,
                      (model_product[]){{MODEL_GATE, &e->gate, r->gate}, {MODEL_UP, &e->up, r->up}},
                      2);
    op_glu(&r->op, s->activation, r->gate, r->up, r->up, T, s->ff);
    model_run_linears(r, b, i, r->up, T, &(model_product){MODEL_DOWN, &e->down, r->h}, 1);
    after(s, r, l->ff_after, r->h, T);
}

/* The wanted rows of x, normed, at the front of h. */
static void gather(const decoder *d, model_run *r, const model_batch *b) {
    const decoder_spec *s = &d->spec;
    for (int64_t i = 0; i < b->n_wanted; i++)
        memcpy(r->h + i * s->width, r->x + b->wanted[i] * s->width,
               (size_t)s->width * sizeof *r->h);
    op_rmsnorm(&r->op, r->h, d->norm, s->eps, b->n_wanted, s->width, r->h);
}

err decoder_forward(model_run *r, const model_batch *b, fail *f) {
    const decoder *d = r->m->state;
    const decoder_spec *s = &d->spec;
    if (b->pooled) return fail_set(f, E_UNSUPPORTED, "a decoder gives no pooled vectors");
    embed(d, r, b);
    turn(s, r, b);
    for (int64_t i = 0; i < s->layers; i++) {
        attention(s, r, b, &d->layer[i], i);
        feed_forward(s, r, b, &d->layer[i], i);
    }
    if (b->n_wanted == 0) return E_OK;
    gather(d, r, b);
    if (b->hidden) memcpy(b->hidden, r->h, (size_t)(b->n_wanted * s->width) * sizeof *b->hidden);
    if (!b->logits) return E_OK;
    model_run_linears(r, b, s->layers, r->h, b->n_wanted,
                      &(model_product){MODEL_HEAD, &d->head, b->logits}, 1);
    if (s->logit_scale != 1)
        op_scale(&r->op, s->logit_scale, b->logits, b->n_wanted, s->vocabulary);
    return E_OK;
}

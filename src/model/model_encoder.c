/* model_encoder.c - one forward of an encoder over a ragged batch, pooling, heads; see
 * model_encoder.h. Under the model's lock. */
#include "model/model_encoder.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { ROWS_LEAST = 256 };

/* ---- scratch ---- */

static void close_scratch(encoder *e) {
    op_close(&e->op);
    for (int i = 0; i < MODEL_ROPES; i++) op_angles_close(&e->angles[i]);
    mem_free(e->memory);
    mem_free(e->positions);
    mem_free(e->sequences);
    e->memory = NULL;
    e->positions = NULL;
    e->sequences = NULL;
    e->rows = 0;
}

static err take_floats(encoder *e, int64_t rows, fail *f) {
    const encoder_spec *s = &e->spec;
    size_t bytes;
    int64_t each = 5 * s->width + s->ff * (s->gated ? 2 : 1);
    if (!mem_size((size_t)rows, (size_t)each * sizeof(float), &bytes))
        return fail_memory(f, "activations");
    e->memory = mem_alloc_aligned(bytes);
    e->positions = mem_alloc((size_t)rows * sizeof *e->positions);
    e->sequences = mem_alloc((size_t)rows * sizeof *e->sequences);
    if (!e->memory || !e->positions || !e->sequences)
        return fail_set(f, E_NO_MEMORY, "no %zu bytes for the activations of %lld tokens", bytes,
                        (long long)rows);
    float **parts[] = {&e->x, &e->h, &e->q, &e->k, &e->v};
    for (int i = 0; i < 5; i++) *parts[i] = e->memory + (int64_t)i * rows * s->width;
    e->up = e->memory + 5 * rows * s->width;
    e->gate = e->up + rows * s->ff; /* used where gated */
    return E_OK;
}

static err open_scratch(const model *m, encoder *e, int64_t rows, fail *f) {
    const encoder_spec *s = &e->spec;
    op_options o = {.rows_max = rows,
                    .cols_max = s->ff > s->width ? s->ff : s->width,
                    .positions_max = rows,
                    .head_max = s->head_width};
    TRY(op_open(&e->op, m->o.kern, m->o.team, &o, f));
    for (int i = 0; i < MODEL_ROPES; i++)
        if (s->rope[i].half) TRY(op_angles_open(&e->angles[i], rows, s->rope[i].half, f));
    TRY(take_floats(e, rows, f));
    e->rows = rows;
    return E_OK;
}

static err grow(const model *m, encoder *e, int64_t rows, fail *f) {
    int64_t room = ROWS_LEAST;
    if (rows <= e->rows) return E_OK;
    while (room < rows) room *= 2;
    close_scratch(e);
    err x = open_scratch(m, e, room, f);
    if (x != E_OK) close_scratch(e);
    return x;
}

void encoder_close(model *m) {
    close_scratch(m->state);
}

/* ---- forward ---- */

static void add_row(const tensor *w, int64_t index, float *x, float *scratch, int64_t width) {
    op_row(w, index, scratch);
    for (int64_t i = 0; i < width; i++) x[i] += scratch[i];
}

static void norm(encoder *e, const encoder_norm *n, const float *x, int64_t T, float *y) {
    op_layernorm(&e->op, x, n->weight, n->bias, e->spec.eps, T, e->spec.width, y);
}

static void embed(encoder *e, const encoder_batch *b) {
    const encoder_spec *s = &e->spec;
    for (size_t i = 0; i < b->n; i++)
        for (size_t t = b->first[i]; t < b->first[i + 1]; t++) {
            float *x = e->x + (int64_t)t * s->width;
            int64_t kind = b->kinds && b->kinds[t] < s->kinds ? b->kinds[t] : 0;
            op_row(e->words, b->ids[t], x);
            if (e->places)
                add_row(e->places, s->first_place + (int64_t)(t - b->first[i]), x, e->h, s->width);
            if (e->kinds) add_row(e->kinds, kind, x, e->h, s->width);
        }
    norm(e, &e->norm, e->x, (int64_t)b->first[b->n], e->x);
}

static void place(encoder *e, const encoder_batch *b) {
    for (size_t i = 0; i < b->n; i++) {
        e->sequences[i] = (op_sequence){.first_row = (int64_t)b->first[i],
                                        .rows = (int64_t)(b->first[i + 1] - b->first[i])};
        for (size_t t = b->first[i]; t < b->first[i + 1]; t++)
            e->positions[t] = (int32_t)(t - b->first[i]);
    }
    for (int i = 0; i < MODEL_ROPES; i++) {
        const model_rope *rope = &e->spec.rope[i];
        if (rope->half)
            op_angles_fill(&e->angles[i], e->positions, (int64_t)b->first[b->n], rope->freq,
                           rope->magnitude);
    }
}

/* From x into h: attention of all rows. */
static void attention(encoder *e, const encoder_layer *l, const encoder_sight *sight,
                      const encoder_batch *b, const float *x) {
    const encoder_spec *s = &e->spec;
    int64_t T = (int64_t)b->first[b->n], D = s->width;
    op_linears(&e->op, x, T, (op_output[]){{&l->q, e->q, D}, {&l->k, e->k, D}, {&l->v, e->v, D}},
               3);
    if (sight->rope >= 0) {
        const op_angles *angles = &e->angles[sight->rope];
        op_rope(&e->op, e->q, T, s->heads, s->head_width, angles, ROPE_HALF);
        op_rope(&e->op, e->k, T, s->heads, s->head_width, angles, ROPE_HALF);
    }
    op_attention o = {.heads = s->heads,
                      .kv_heads = s->heads,
                      .dim = s->head_width,
                      .scale = 1 / sqrtf((float)s->head_width),
                      .window = sight->window,
                      .both_ways = true};
    op_attend_batch(&e->op, &o, e->sequences, (int64_t)b->n, e->q, e->k, e->v, e->h);
    op_linear(&e->op, &l->o, e->h, T, e->q, D);
}

/* From x into q. */
static void feed_forward(encoder *e, const encoder_layer *l, int64_t T, const float *x) {
    const encoder_spec *s = &e->spec;
    if (s->gated) {
        op_linears(&e->op, x, T, (op_output[]){{&l->gate, e->gate, s->ff}, {&l->up, e->up, s->ff}},
                   2);
        op_glu(&e->op, s->activation, e->gate, e->up, e->up, T, s->ff);
    } else {
        op_linear_curve(&e->op, &l->up, s->activation, x, T, e->up, s->ff);
    }
    op_linear(&e->op, &l->down, e->up, T, e->q, s->width);
}

/* The block's input where norms come first: h, or x in a layer that has none. */
static const float *before(encoder *e, const encoder_norm *n, int64_t T) {
    if (!e->spec.norm_first || !n->weight) return e->x;
    norm(e, n, e->x, T, e->h);
    return e->h;
}

static void after(encoder *e, const encoder_norm *n, int64_t T) {
    const encoder_spec *s = &e->spec;
    if (s->norm_first)
        op_add(&e->op, e->q, e->x, T, s->width);
    else
        op_add_layernorm(&e->op, e->q, n->weight, n->bias, s->eps, T, s->width, e->x);
}

err encoder_forward(model *m, const encoder_batch *b, const float **hidden, fail *f) {
    encoder *e = m->state;
    const encoder_spec *s = &e->spec;
    int64_t T = (int64_t)b->first[b->n];
    TRY(grow(m, e, T, f));
    place(e, b);
    embed(e, b);
    for (int64_t i = 0; i < s->layers; i++) {
        const encoder_layer *l = &e->layer[i];
        attention(e, l, &s->sight[i], b, before(e, &l->attention_norm, T));
        after(e, &l->attention_norm, T);
        feed_forward(e, l, T, before(e, &l->ff_norm, T));
        after(e, &l->ff_norm, T);
    }
    if (e->last_norm.weight) norm(e, &e->last_norm, e->x, T, e->x);
    *hidden = e->x;
    return E_OK;
}

/* ---- pooling and heads ---- */

static void mean(const float *rows, size_t n, int64_t width, float *out) {
    for (int64_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t t = 0; t < n; t++) sum += (double)rows[(int64_t)t * width + i];
        out[i] = (float)(sum / (double)n);
    }
}

void encoder_pool(const encoder *e, const encoder_batch *b, encoder_pooling how, float *out) {
    int64_t D = e->spec.width;
    for (size_t i = 0; i < b->n; i++, out += D) {
        const float *rows = e->x + (int64_t)b->first[i] * D;
        if (how == ENCODER_CLS)
            memcpy(out, rows, (size_t)D * sizeof *out);
        else
            mean(rows, b->first[i + 1] - b->first[i], D, out);
    }
}

void encoder_head(encoder *e, float *pooled, size_t n, float *out) {
    const encoder_spec *s = &e->spec;
    int64_t T = (int64_t)n, labels = tensor_rows(e->out.w);
    op_linear(&e->op, &e->dense, pooled, T, e->q, s->width);
    if (s->head_tanh)
        for (int64_t i = 0; i < T * s->width; i++) e->q[i] = tanhf(e->q[i]);
    else
        op_activate(&e->op, s->head_activation, e->q, T, s->width);
    if (e->dense_norm.weight) norm(e, &e->dense_norm, e->q, T, e->q);
    op_linear(&e->op, &e->out, e->q, T, out, labels);
}

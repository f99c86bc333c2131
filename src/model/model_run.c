/* model_run.c - the workspace and the checks of a batch, whatever the architecture; see
 * model_forward.h and model_run.h. */
#include "model/model_run.h"

#include "base/mem.h"
#include "model/model_decoder.h"

/* Buffers of `width` floats a row, one behind the other. */
typedef struct buffer {
    float **at;
    int64_t width;
} buffer;

static int64_t widths_of(const buffer *b, size_t n) {
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += b[i].width;
    return sum;
}

static float *place_buffers(const buffer *b, size_t n, int64_t rows, float *at) {
    for (size_t i = 0; i < n; i++) {
        *b[i].at = at;
        at += b[i].width * rows;
    }
    return at;
}

/* One block of floats. What attention needs is done with when the feed-forward begins, which takes
 * its place. */
static err take_buffers(model_run *r, fail *f) {
    const model_run_shape *s = &r->shape;
    int64_t experts_width = s->experts ? s->width : 0, rows = r->o.rows_max;
    const buffer both[] = {{&r->x, s->width},
                           {&r->h, s->width},
                           {&r->route, s->experts},
                           {&r->expert_x, experts_width},
                           {&r->expert_y, experts_width}};
    const buffer attention[] = {
        {&r->q, s->q_width}, {&r->a, s->q_width}, {&r->k, s->kv_width}, {&r->v, s->kv_width}};
    const buffer feed_forward[] = {{&r->gate, s->ff}, {&r->up, s->ff}};
    int64_t first = widths_of(attention, 4), second = widths_of(feed_forward, 2);
    int64_t each = widths_of(both, 5) + (first > second ? first : second);
    size_t bytes;
    if (!mem_size((size_t)rows, (size_t)each * sizeof(float), &bytes))
        return fail_memory(f, "activations");
    r->memory = mem_alloc_aligned(bytes);
    if (!r->memory)
        return fail_set(f, E_NO_MEMORY, "no %zu bytes for the activations of %lld tokens", bytes,
                        (long long)rows);
    float *behind = place_buffers(both, 5, rows, r->memory);
    place_buffers(attention, 4, rows, behind);
    place_buffers(feed_forward, 2, rows, behind);
    return E_OK;
}

static err take_lists(model_run *r, fail *f) {
    size_t pages;
    r->pages_max = kv_pages_for(r->o.positions_max);
    if (!mem_size((size_t)r->o.sequences_max, (size_t)r->pages_max * sizeof(op_page), &pages))
        return fail_memory(f, "the lists of pages");
    r->pages = mem_alloc(pages);
    r->sequences = mem_alloc((size_t)r->o.sequences_max * sizeof *r->sequences);
    if (r->shape.experts) r->expert_row = mem_alloc((size_t)r->o.rows_max * sizeof(int32_t));
    if (!r->pages || !r->sequences || (r->shape.experts && !r->expert_row))
        return fail_memory(f, "the lists of pages");
    return E_OK;
}

err model_run_open(model_run **out, const model *m, const model_run_options *o, fail *f) {
    if (!m->arch || !m->arch->decoder)
        return fail_set(f, E_UNSUPPORTED, "%.*s has no forward pass by batches",
                        STR_ARG(m->info.path));
    if (o->rows_max < 1 || o->rows_max > INT32_MAX || o->sequences_max < 1 ||
        o->sequences_max > INT32_MAX)
        return fail_set(f, E_INPUT, "a forward of %lld tokens and %lld sequences is impossible",
                        (long long)o->rows_max, (long long)o->sequences_max);
    model_run *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "a forward pass");
    r->m = m;
    r->o = *o;
    if (r->o.positions_max <= 0 || r->o.positions_max > m->info.context)
        r->o.positions_max = m->info.context;
    decoder_shape(m, &r->shape);
    int64_t widest = r->shape.ff > r->shape.width ? r->shape.ff : r->shape.width;
    if (r->shape.q_width > widest) widest = r->shape.q_width;
    err e = op_open(&r->op, m->o.kern, m->o.team,
                    &(op_options){.rows_max = r->o.rows_max,
                                  .cols_max = widest,
                                  .positions_max = r->o.positions_max,
                                  .head_max = m->info.head_width},
                    f);
    for (int i = 0; e == E_OK && i < MODEL_ROPES; i++)
        if (r->shape.turned[i])
            e = op_angles_open(&r->angles[i], r->o.rows_max, r->shape.turned[i], f);
    if (e == E_OK) e = take_buffers(r, f);
    if (e == E_OK) e = take_lists(r, f);
    if (e != E_OK) {
        model_run_close(r);
        return e;
    }
    *out = r;
    return E_OK;
}

void model_run_close(model_run *r) {
    if (!r) return;
    op_close(&r->op);
    for (int i = 0; i < MODEL_ROPES; i++) op_angles_close(&r->angles[i]);
    mem_free(r->expert_row);
    mem_free(r->memory);
    mem_free(r->pages);
    mem_free(r->sequences);
    mem_free(r);
}

/* ---- the batch ---- */

static err check_row(const model_run *r, const model_batch *b, int64_t i, fail *f) {
    int32_t position = b->positions[i], sequence = b->sequences[i];
    if (b->tokens[i] < 0 || b->tokens[i] >= r->m->info.vocabulary)
        return fail_set(f, E_INPUT, "token %d is outside the vocabulary of %lld", b->tokens[i],
                        (long long)r->m->info.vocabulary);
    if (position < 0 || position >= r->o.positions_max)
        return fail_set(f, E_CONTEXT, "position %d is outside the context of %lld", position,
                        (long long)r->o.positions_max);
    bool first = i == 0 || sequence != b->sequences[i - 1];
    bool ok = sequence >= 0 && sequence < b->n_sequences &&
              (i == 0 || sequence >= b->sequences[i - 1]) &&
              (first ? b->pool || position == 0 : position == b->positions[i - 1] + 1) &&
              (!b->pool || position < kv_sequence_room(b->kv[sequence]));
    if (!ok)
        return fail_set(f, E_INPUT,
                        "row %lld of the batch (sequence %d, position %d) is out of order",
                        (long long)i, sequence, position);
    return E_OK;
}

static err check_batch(const model_run *r, const model_batch *b, fail *f) {
    if (b->n_rows < 1 || b->n_rows > r->o.rows_max || b->n_sequences > r->o.sequences_max ||
        b->n_wanted > b->n_rows)
        return fail_set(f, E_INPUT, "a batch of %lld rows and %lld sequences; %lld and %lld fit",
                        (long long)b->n_rows, (long long)b->n_sequences, (long long)r->o.rows_max,
                        (long long)r->o.sequences_max);
    for (int64_t i = 0; i < b->n_rows; i++) TRY(check_row(r, b, i, f));
    for (int64_t i = 0; i < b->n_wanted; i++)
        if (b->wanted[i] < 0 || b->wanted[i] >= b->n_rows)
            return fail_set(f, E_INPUT, "row %lld is wanted, the batch has %lld",
                            (long long)b->wanted[i], (long long)b->n_rows);
    return E_OK;
}

/* The batch's sequences, found once for all layers. */
static void list_sequences(model_run *r, const model_batch *b) {
    for (int64_t i = 0, from = 0, to; i < b->n_sequences; i++, from = to) {
        for (to = from; to < b->n_rows && b->sequences[to] == i;) to++;
        r->sequences[i] = (op_sequence){.first_row = from,
                                        .rows = to - from,
                                        .position = to > from ? b->positions[from] : 0,
                                        .pages = b->pool ? r->pages + i * r->pages_max : NULL};
    }
}

err model_forward(model_run *r, const model_batch *b, fail *f) {
    TRY(check_batch(r, b, f));
    list_sequences(r, b);
    return decoder_forward(r, b, f);
}

/* model_run_step.c - steps that every architecture's forward has: embedding rows, linear layers,
 * keys and values into pages, attention. See model_run.h. */
#include "model/model_run.h"

#include "model/model_int.h"

void model_run_look_up(model_run *r, const tensor *embedding, int64_t index, float *out) {
    size_t bytes = tensor_row_bytes(embedding);
    const char *row = (const char *)embedding->data + (size_t)index * bytes;
    bool fits = bytes <= (size_t)r->op.workspace_floats * sizeof(float);
    tensor one = {.type = embedding->type,
                  .n_dims = 1,
                  .dims = {tensor_cols(embedding)},
                  .data = fits && model_copy(r->m, row, bytes, r->op.workspace)
                              ? (const void *)r->op.workspace
                              : row,
                  .bytes = bytes};
    op_row(&one, 0, out);
}

void model_run_linears(model_run *r, const model_batch *b, int64_t layer, const float *x,
                       int64_t rows, const model_product *p, int32_t n) {
    op_output out[OP_OUTPUTS_MAX] = {0};
    CHECK(n <= OP_OUTPUTS_MAX);
    for (int32_t i = 0; i < n; i++)
        out[i] = (op_output){.w = p[i].w, .y = p[i].y, .ldy = tensor_rows(p[i].w->w)};
    op_linears(&r->op, x, rows, out, n);
    for (int32_t i = 0; b->adapters && i < n; i++) model_run_adapt(r, b, layer, x, rows, &p[i]);
    for (int32_t i = 0; b->hook && i < n; i++)
        b->hook->linear(b->hook->self, (int32_t)layer, p[i].which, x, rows, tensor_cols(p[i].w->w),
                        p[i].y, out[i].ldy);
}

static void list_pages(model_run *r, const model_batch *b, int64_t layer) {
    for (int64_t i = 0; i < b->n_sequences; i++) {
        const op_sequence *s = &r->sequences[i];
        op_page *pages = r->pages + i * r->pages_max;
        for (int64_t page = 0; page < kv_pages_for(s->position + s->rows); page++)
            pages[page] = (op_page){.k = kv_keys(b->pool, b->kv[i], page, layer),
                                    .v = kv_values(b->pool, b->kv[i], page, layer)};
    }
}

void model_run_attend(model_run *r, const model_batch *b, int64_t layer, const op_attention *o) {
    op_attention how = *o;
    if (!b->pool) {
        op_attend_batch(&r->op, &how, r->sequences, b->n_sequences, r->q, r->k, r->v, r->a);
        return;
    }
    how.type = kv_pool_shape(b->pool)->type;
    list_pages(r, b, layer);
    op_keep(&r->op, &how, r->sequences, b->n_sequences, r->k, r->v);
    op_attend(&r->op, &how, r->sequences, b->n_sequences, r->q, r->a);
}

/* steps.c - see steps.h. */
#include "app/steps.h"

#include "base/mem.h"

static err open_memory(steps *s, fail *f) {
    size_t rows = (size_t)s->o.rows, wanted = (size_t)s->o.wanted, logits;
    if (!mem_size(wanted, (size_t)s->vocabulary * sizeof(float), &logits))
        return fail_memory(f, "logits");
    s->kv = mem_zero((size_t)s->o.sequences * sizeof *s->kv);
    s->tokens = mem_zero(rows * sizeof *s->tokens);
    s->positions = mem_zero(rows * sizeof *s->positions);
    s->sequence = mem_zero(rows * sizeof *s->sequence);
    s->which = mem_zero(wanted * sizeof *s->which);
    s->logits = mem_alloc_aligned(logits);
    bool ok = s->kv && s->tokens && s->positions && s->sequence && s->which && s->logits;
    return ok ? E_OK : fail_memory(f, "a batch");
}

static err open_parts(steps *s, fail *f) {
    const model_info *about = model_about(s->model);
    const steps_options *o = &s->o;
    kv_shape shape = {.layers = about->layers,
                      .heads = about->kv_heads,
                      .head_width = about->head_width,
                      .type = o->kv};
    kv_pool_options pool = {.shape = shape,
                            .tokens_max = o->positions,
                            .sequences_max = o->sequences,
                            .bytes_max = (size_t)(kv_pages_for(o->positions) * o->sequences) *
                                         kv_page_bytes(&shape)};
    TRY(kv_pool_open(&s->pool, &pool, f));
    TRY(model_run_open(&s->run, s->model,
                       &(model_run_options){.rows_max = o->rows,
                                            .sequences_max = o->sequences,
                                            .positions_max = o->positions},
                       f));
    TRY(open_memory(s, f));
    return steps_reset(s, f);
}

err steps_open(steps *s, const model *m, const steps_options *o, fail *f) {
    const model_info *about = model_about(m);
    *s = (steps){.model = m, .o = *o, .vocabulary = about->vocabulary};
    if (about->is_encoder || !about->has_weights)
        return fail_set(f, E_UNSUPPORTED, "\"%.*s\" generates no text", STR_ARG(about->path));
    if (o->positions > about->context) {
        fail_set(f, E_CONTEXT, "%lld tokens are above the context of %lld of \"%.*s\"",
                 (long long)o->positions, (long long)about->context, STR_ARG(about->path));
        return fail_hint(f, "ask for at most %lld", (long long)about->context);
    }
    err e = open_parts(s, f);
    if (e != E_OK) steps_close(s);
    return e;
}

static void give_all(steps *s) {
    for (int64_t i = 0; s->kv && i < s->o.sequences; i++) {
        kv_sequence_give(s->pool, s->kv[i]);
        s->kv[i] = NULL;
    }
}

void steps_close(steps *s) {
    if (s->pool) give_all(s);
    model_run_close(s->run);
    kv_pool_close(s->pool);
    mem_free(s->kv);
    mem_free(s->tokens);
    mem_free(s->positions);
    mem_free(s->sequence);
    mem_free(s->which);
    mem_free(s->logits);
    *s = (steps){0};
}

err steps_reset(steps *s, fail *f) {
    give_all(s);
    for (int64_t i = 0; i < s->o.sequences; i++) {
        TRY(kv_sequence_take(s->pool, &s->kv[i], f));
        TRY(kv_sequence_grow(s->pool, s->kv[i], s->o.positions, f));
    }
    return E_OK;
}

err steps_run(steps *s, int64_t n, int64_t each, int64_t position, int64_t wanted, fail *f) {
    int64_t rows = n * each;
    CHECK(n <= s->o.sequences && rows <= s->o.rows && wanted <= s->o.wanted && wanted <= rows);
    for (int64_t i = 0; i < rows; i++) {
        s->positions[i] = (int32_t)(position + i % each);
        s->sequence[i] = (int32_t)(i / each);
    }
    for (int64_t i = 0; i < wanted; i++) s->which[i] = rows - wanted + i;
    model_batch batch = {.n_rows = rows,
                         .tokens = s->tokens,
                         .positions = s->positions,
                         .sequences = s->sequence,
                         .n_sequences = n,
                         .pool = s->pool,
                         .kv = s->kv,
                         .wanted = s->which,
                         .n_wanted = wanted,
                         .logits = wanted ? s->logits : NULL};
    return model_forward(s->run, &batch, f);
}

/* engine.c - opening, closing and looking at an engine; see engine.h. Submitting is
 * engine_submit.c, reading engine_read.c, the loop of the engine thread engine_step.c. */
#include "engine/engine.h"

#include "base/mem.h"
#include "engine/engine_int.h"

enum { SEQUENCES = 16, WAITING = 64, ROWS = 160, RESERVE = 256, DRAFT = 8, WANTED_LEAST = 16 };
enum { SEQUENCES_MAX = 4096 };
static const size_t kv_bytes_usual = (size_t)1 << 30;

/* ---- open and close ---- */

static err fill_options(engine *e, const engine_options *o, fail *f) {
    e->o = *o;
    e->about = model_about(o->model);
    if (e->about->is_encoder || !e->about->has_weights)
        return fail_set(f, E_UNSUPPORTED, "%.*s generates no text", STR_ARG(e->about->path));
    if (!e->o.sequences_max) e->o.sequences_max = SEQUENCES;
    if (!e->o.waiting_max) e->o.waiting_max = WAITING;
    if (!e->o.rows_max) e->o.rows_max = e->o.sequences_max > ROWS ? e->o.sequences_max : ROWS;
    if (!e->o.reserve) e->o.reserve = RESERVE;
    if (!e->o.draft_max) e->o.draft_max = DRAFT;
    if (!e->o.context_max || e->o.context_max > e->about->context)
        e->o.context_max = (int32_t)e->about->context;
    bool ok = e->o.sequences_max > 0 && e->o.sequences_max <= SEQUENCES_MAX &&
              e->o.waiting_max > 0 && e->o.waiting_max <= SEQUENCES_MAX &&
              e->o.rows_max >= e->o.sequences_max && e->o.context_max > 0 && e->o.rows_busy >= 0 &&
              e->o.reserve > 0;
    if (ok) return E_OK;
    return fail_set(f, E_INPUT,
                    "an engine with %d sequences, %d waiting, %d tokens a step (%d of prompts) and "
                    "a context of %d",
                    e->o.sequences_max, e->o.waiting_max, e->o.rows_max, e->o.rows_busy,
                    e->o.context_max);
}

static err open_pages(engine *e, fail *f) {
    kv_pool_options o = {.shape = {.layers = e->about->layers,
                                   .heads = e->about->kv_heads,
                                   .head_width = e->about->head_width,
                                   .type = e->o.kv},
                         .tokens_max = e->o.context_max,
                         .sequences_max = e->o.sequences_max,
                         .bytes_max = e->o.kv_bytes_max ? e->o.kv_bytes_max : kv_bytes_usual};
    return kv_pool_open(&e->pool, &o, f);
}

static size_t longest_piece(const tokenizer *t) {
    size_t most = 0, n = tokenizer_count(t);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = tokenizer_piece(t, (int32_t)i).n;
        if (bytes > most) most = bytes;
    }
    return most;
}

static err open_slots(engine *e, fail *f) {
    size_t tokens, texts, text = engine_text_bytes(longest_piece(model_tokenizer(e->o.model)));
    e->n_slots = e->o.sequences_max + e->o.waiting_max;
    size_t n = (size_t)e->n_slots, context = (size_t)e->o.context_max;
    bool fits = mem_size(n, context * sizeof(int32_t), &tokens) && mem_size(n, 2 * text, &texts);
    if (fits) {
        e->slots = mem_zero(n * sizeof *e->slots);
        e->tokens = mem_zero(tokens);
        e->breaks = mem_zero(n * context);
        e->texts = mem_zero(texts);
        e->tenants = mem_zero(n * sizeof *e->tenants);
    }
    if (!e->slots || !e->tokens || !e->breaks || !e->texts || !e->tenants)
        return fail_memory(f, "the engine's sequences");
    for (size_t i = 0; i < n; i++) {
        engine_sequence *s = &e->slots[i];
        s->e = e;
        s->tokens = e->tokens + i * context;
        s->breaks = e->breaks + i * context;
        s->text.held = e->texts + i * 2 * text;
        s->text.cap = text;
        cond_init(&s->ready);
    }
    return E_OK;
}

static err open_batch(engine *e, fail *f) {
    size_t rows = (size_t)e->o.rows_max, sequences = (size_t)e->o.sequences_max, logits;
    e->wanted_max = e->o.sequences_max > WANTED_LEAST ? e->o.sequences_max : WANTED_LEAST;
    if (e->wanted_max > e->o.rows_max) e->wanted_max = e->o.rows_max;
    if (!mem_size((size_t)e->wanted_max, (size_t)e->about->vocabulary * sizeof(float), &logits))
        return fail_memory(f, "logits");
    e->row_tokens = mem_alloc(rows * sizeof *e->row_tokens);
    e->row_positions = mem_alloc(rows * sizeof *e->row_positions);
    e->row_sequences = mem_alloc(rows * sizeof *e->row_sequences);
    e->wanted = mem_alloc((size_t)e->wanted_max * sizeof *e->wanted);
    e->logits = mem_alloc_aligned(logits);
    e->parts = mem_alloc(sequences * sizeof *e->parts);
    e->part_kv = mem_alloc(sequences * sizeof *e->part_kv);
    e->part_adapters = mem_alloc(sequences * sizeof *e->part_adapters);
    e->running = mem_alloc(sequences * sizeof *e->running);
    e->waiting = mem_alloc((size_t)e->n_slots * sizeof *e->waiting);
    e->mask = mem_alloc(((size_t)e->about->vocabulary + 63) / 64 * sizeof *e->mask);
    bool ok = e->row_tokens && e->row_positions && e->row_sequences && e->wanted && e->logits &&
              e->parts && e->part_kv && e->part_adapters && e->running && e->waiting && e->mask;
    if (!ok) return fail_memory(f, "the engine's batch");
    return sampler_open(&e->sampler, e->about->vocabulary, e->o.context_max, f);
}

static err open_parts(engine *e, const engine_options *o, fail *f) {
    TRY(fill_options(e, o, f));
    TRY(open_pages(e, f));
    TRY(model_run_open(&e->run, o->model,
                       &(model_run_options){.rows_max = e->o.rows_max,
                                            .sequences_max = e->o.sequences_max,
                                            .positions_max = e->o.context_max},
                       f));
    TRY(open_slots(e, f));
    TRY(open_batch(e, f));
    if (o->draft && e->o.draft_max > 0)
        TRY(drafter_open(&e->drafter,
                         &(drafter_options){.draft = o->draft,
                                            .target = o->model,
                                            .kv = e->o.kv,
                                            .kv_bytes_max = o->draft_kv_bytes_max,
                                            .rows_max = e->o.rows_max,
                                            .context_max = e->o.context_max,
                                            .sequences_max = e->o.sequences_max},
                         f));
    return thread_start(&e->thread, "bantam-engine", engine_main, e, f);
}

err engine_open(engine **out, const engine_options *o, fail *f) {
    engine *e = mem_zero(sizeof *e);
    if (!e) return fail_memory(f, "an engine");
    mutex_init(&e->lock);
    cond_init(&e->work);
    err result = open_parts(e, o, f);
    if (result != E_OK) {
        engine_close(e);
        return result;
    }
    *out = e;
    return E_OK;
}

void engine_close(engine *e) {
    if (!e) return;
    mutex_lock(&e->lock);
    e->stop = true;
    engine_wake(e);
    mutex_unlock(&e->lock);
    thread_join(&e->thread);
    for (int32_t i = 0; e->slots && i < e->n_slots; i++)
        if (e->slots[i].e) cond_deinit(&e->slots[i].ready);
    sampler_close(&e->sampler);
    drafter_close(&e->drafter);
    model_run_close(e->run);
    kv_pool_close(e->pool);
    void *blocks[] = {e->slots,         e->tokens,     e->breaks,        e->texts,
                      e->waiting,       e->row_tokens, e->row_positions, e->row_sequences,
                      e->wanted,        e->logits,     e->parts,         e->part_kv,
                      e->part_adapters, e->running,    e->mask,          e->tenants};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) mem_free(blocks[i]);
    cond_deinit(&e->work);
    mutex_deinit(&e->lock);
    mem_free(e);
}

/* ---- looking ---- */

void engine_stats_get(engine *e, engine_stats *out) {
    mutex_lock(&e->lock);
    *out = e->stats;
    out->running = e->n_running;
    out->waiting = e->n_waiting;
    out->pages = kv_pool_pages(e->pool);
    mutex_unlock(&e->lock);
}

static int64_t pool_bytes(const kv_pool *p) {
    return p ? kv_pool_pages(p) * (int64_t)kv_page_bytes(kv_pool_shape(p)) : 0;
}

int64_t engine_kv_bytes(const engine *e) {
    return pool_bytes(e->pool) + pool_bytes(e->drafter.pool);
}

int32_t engine_context(const engine *e) {
    return e->o.context_max;
}

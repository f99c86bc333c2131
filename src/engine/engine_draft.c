/* engine_draft.c - see engine_draft.h. */
#include "engine/engine_draft.h"

#include "base/clock.h"
#include "base/mem.h"

static const double row_share = 0.3; /* of one row's time, that one more is taken to cost */
static const double remember = 0.9;  /* of a record at each guess */
static const double fade = 0.98;     /* of a record where no guess is made */
static const double learn = 0.2;     /* of a new time */
static const size_t kv_bytes_usual = (size_t)256 << 20;

/* ---- what it costs ---- */

void draft_cost_learn(draft_cost *c, int64_t rows, double ns) {
    if (rows > DRAFT_ROWS_MAX) return;
    c->ns[rows] = c->ns[rows] > 0 ? (1 - learn) * c->ns[rows] + learn * ns : ns;
}

double draft_cost_of(const draft_cost *c, int64_t rows) {
    int64_t below = rows < DRAFT_ROWS_MAX ? rows : DRAFT_ROWS_MAX, above = rows;
    while (below > 0 && c->ns[below] <= 0) below--;
    while (above <= DRAFT_ROWS_MAX && c->ns[above] <= 0) above++;
    if (below == 0) return above <= DRAFT_ROWS_MAX ? c->ns[above] : 0;
    if (below == rows) return c->ns[rows];
    if (above > DRAFT_ROWS_MAX) {
        double one = c->ns[1] > 0 ? c->ns[1] : c->ns[below] / (double)below;
        return c->ns[below] + row_share * one * (double)(rows - below);
    }
    double part = (double)(rows - below) / (double)(above - below);
    return c->ns[below] + part * (c->ns[above] - c->ns[below]);
}

void draft_record_add(draft_record *r, int64_t guessed, int64_t held) {
    r->tries = remember * r->tries + (double)(held < guessed ? held + 1 : held);
    r->hits = remember * r->hits + (double)held;
}

int64_t draft_length(draft_record *r, const draft_cost *c, draft_step *step, int64_t most,
                     double each_ns) {
    double p = (r->hits + 1) / (r->tries + 2), gain = 0, right = 1, best_gain = 0;
    double plain = draft_cost_of(c, step->rows) + step->ns, best = step->tokens / plain;
    int64_t length = 0;
    if (draft_cost_of(c, step->rows) <= 0) return 0;
    for (int64_t k = 1; k <= most; k++) {
        double ns = draft_cost_of(c, step->rows + k) + step->ns + each_ns * (double)k;
        right *= p;
        gain += right;
        if ((step->tokens + gain) / ns <= best) continue;
        best = (step->tokens + gain) / ns;
        best_gain = gain;
        length = k;
    }
    step->rows += length;
    step->tokens += best_gain;
    step->ns += each_ns * (double)length;
    if (length == 0) {
        r->tries *= fade;
        r->hits *= fade;
    }
    return length;
}

/* ---- from the past ---- */

int64_t draft_find(const int32_t *tokens, int64_t n, int64_t *match) {
    int64_t best = 0, at = -1, first = n > DRAFT_LOOK_BACK ? n - DRAFT_LOOK_BACK : 0;
    for (int64_t i = n - 1; i > first && best < DRAFT_MATCH_MAX; i--) { /* i: what followed */
        if (tokens[i - 1] != tokens[n - 1]) continue;
        int64_t length = 1;
        while (length < DRAFT_MATCH_MAX && i - 1 - length >= first &&
               tokens[i - 1 - length] == tokens[n - 1 - length])
            length++;
        if (length <= best) continue;
        best = length;
        at = i;
    }
    *match = best;
    return best >= 2 ? at : -1;
}

/* ---- the draft model ---- */

static err check_vocabulary(const drafter_options *o, fail *f) {
    const tokenizer *a = model_tokenizer(o->draft), *b = model_tokenizer(o->target);
    size_t n = tokenizer_count(b);
    for (size_t i = 0; i < n; i++) {
        str x = tokenizer_piece(a, (int32_t)i), y = tokenizer_piece(b, (int32_t)i);
        if (i < tokenizer_count(a) && str_eq(x, y)) continue;
        fail_set(f, E_INPUT,
                 "the draft model %.*s (%zu tokens) does not speak the vocabulary of %.*s (%zu): "
                 "token %zu differs",
                 STR_ARG(model_about(o->draft)->path), tokenizer_count(a),
                 STR_ARG(model_about(o->target)->path), n, i);
        return fail_hint(f, "take a smaller model of the same family");
    }
    return E_OK;
}

static err open_parts(drafter *d, const drafter_options *o, fail *f) {
    const model_info *about = model_about(o->draft);
    size_t rows = (size_t)d->rows_max;
    kv_pool_options pages = {.shape = {.layers = about->layers,
                                       .heads = about->kv_heads,
                                       .head_width = about->head_width,
                                       .type = o->kv},
                             .tokens_max = d->context,
                             .sequences_max = o->sequences_max,
                             .bytes_max = o->kv_bytes_max ? o->kv_bytes_max : kv_bytes_usual};
    model_run_options run = {
        .rows_max = d->rows_max, .sequences_max = 1, .positions_max = d->context};
    TRY(kv_pool_open(&d->pool, &pages, f));
    TRY(model_run_open(&d->run, o->draft, &run, f));
    TRY(select_open(&d->select, about->vocabulary, f));
    d->positions = mem_alloc(rows * sizeof *d->positions);
    d->sequences = mem_zero(rows * sizeof *d->sequences);
    d->logits = mem_alloc_aligned((size_t)about->vocabulary * sizeof *d->logits);
    return d->positions && d->sequences && d->logits ? E_OK : fail_memory(f, "the draft model");
}

err drafter_open(drafter *d, const drafter_options *o, fail *f) {
    const model_info *about = model_about(o->draft);
    if (about->is_encoder || !about->has_weights)
        return fail_set(f, E_UNSUPPORTED, "%.*s generates no text, so it drafts none",
                        STR_ARG(about->path));
    TRY(check_vocabulary(o, f));
    *d = (drafter){.m = o->draft,
                   .rows_max = o->rows_max,
                   .context = o->context_max < about->context ? o->context_max : about->context};
    err e = open_parts(d, o, f);
    if (e != E_OK) drafter_close(d);
    return e;
}

void drafter_close(drafter *d) {
    model_run_close(d->run);
    kv_pool_close(d->pool);
    select_close(&d->select);
    mem_free(d->positions);
    mem_free(d->sequences);
    mem_free(d->logits);
    *d = (drafter){0};
}

/* Rows [*done, n) of the tokens; the last one's likeliest continuation, or TOKEN_NONE. */
static int32_t forward(drafter *d, kv_sequence *kv, int64_t *done, const int32_t *tokens,
                       int64_t n) {
    int64_t rows = n - *done, last = rows - 1;
    bool finite;
    for (int64_t i = 0; i < rows; i++) d->positions[i] = (int32_t)(*done + i);
    model_batch b = {.n_rows = rows,
                     .tokens = tokens + *done,
                     .positions = d->positions,
                     .sequences = d->sequences,
                     .n_sequences = 1,
                     .pool = d->pool,
                     .kv = &kv,
                     .wanted = &last,
                     .n_wanted = 1,
                     .logits = d->logits};
    if (model_forward(d->run, &b, NULL) != E_OK) return TOKEN_NONE;
    *done = n;
    select_look(&d->select, d->logits, &finite);
    int32_t id = select_first(&d->select, d->logits);
    return finite && id < (int32_t)tokenizer_count(model_tokenizer(d->m)) ? id : TOKEN_NONE;
}

int64_t drafter_guess(drafter *d, kv_sequence **kv, int64_t *done, int32_t *tokens, int64_t n,
                      int64_t k) {
    const kv_root root = {0};
    if (n + k > d->context) return 0;
    if (!*kv) {
        if (kv_sequence_take(d->pool, kv, NULL) != E_OK) return 0;
        *done = kv_sequence_match(d->pool, *kv, &root, tokens, n - 1);
    }
    if (kv_sequence_grow(d->pool, *kv, n + k, NULL) != E_OK) return 0;
    if (n - *done > d->rows_max) {
        forward(d, *kv, done, tokens, *done + d->rows_max);
        kv_sequence_publish(d->pool, *kv, &root, tokens, *done);
        return 0;
    }
    int64_t made = 0;
    for (int32_t id; made < k; made++) {
        int64_t started = clock_mono_ns();
        bool one = n + made - *done == 1;
        id = forward(d, *kv, done, tokens, n + made);
        if (id == TOKEN_NONE) break;
        if (made == 0) kv_sequence_publish(d->pool, *kv, &root, tokens, n);
        double ns = (double)(clock_mono_ns() - started);
        if (one) d->row_ns = d->row_ns > 0 ? (1 - learn) * d->row_ns + learn * ns : ns;
        tokens[n + made] = id;
    }
    return made;
}

void drafter_forget(drafter *d, kv_sequence **kv) {
    if (d->pool) kv_sequence_give(d->pool, *kv);
    *kv = NULL;
}

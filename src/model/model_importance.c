/* model_importance.c - see model_importance.h. Layers that share an input (q, k and v; gate and up)
 * share its squares. */
#include "model/model_importance.h"

#include "base/mem.h"
#include "model/model_forward.h"

#include <stdio.h>
#include <string.h>

enum { LAYERS_MAX = 1024 };

/* Inputs of a block's linear layers; the head's stands behind the last block. */
typedef enum input { INPUT_ATTENTION, INPUT_OUT, INPUT_FEED, INPUT_DOWN, INPUT_HEAD, INPUTS } input;

typedef struct squares {
    double *sum; /* [cols]; NULL: not met */
    float *mean; /* [cols], once measured */
    int64_t cols, rows;
} squares;

struct model_importance {
    arena arena;
    squares of[LAYERS_MAX][INPUTS];
    bool no_memory;
};

static void add_rows(model_importance *m, squares *s, const float *x, int64_t rows, int64_t cols) {
    if (!s->sum) {
        s->sum = arena_new_n(&m->arena, double, (size_t)cols);
        s->cols = cols;
    }
    if (!s->sum || s->cols != cols) {
        m->no_memory |= !s->sum;
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < cols; i++) {
            double v = (double)x[r * cols + i];
            s->sum[i] += v * v;
        }
    s->rows += rows;
}

/* One of the layers that share an input stands for all of them. */
static input input_of(model_linear which) {
    switch (which) {
    case MODEL_QUERY: return INPUT_ATTENTION;
    case MODEL_OUTPUT: return INPUT_OUT;
    case MODEL_UP: return INPUT_FEED;
    case MODEL_DOWN: return INPUT_DOWN;
    default: return INPUTS;
    }
}

static void see(void *self, int32_t layer, model_linear which, const float *x, int64_t rows,
                int64_t cols, float *y, int64_t outs) {
    model_importance *m = self;
    input at = input_of(which);
    (void)y, (void)outs;
    if (at != INPUTS && layer >= 0 && layer < LAYERS_MAX)
        add_rows(m, &m->of[layer][at], x, rows, cols);
}

/* ---- running the text ---- */

typedef struct measuring {
    model_importance *m;
    model_run *run;
    const model_watch *watch;
    int64_t width;
    int32_t first; /* token that begins each chunk; TOKEN_NONE: the text's own */
    int32_t tokens[MODEL_IMPORTANCE_CHUNK], positions[MODEL_IMPORTANCE_CHUNK],
        sequences[MODEL_IMPORTANCE_CHUNK];
    int64_t wanted[MODEL_IMPORTANCE_CHUNK];
    float *hidden; /* [CHUNK, width] */
} measuring;

static err run_chunk(measuring *r, const int32_t *tokens, int64_t n, fail *f) {
    model_hook hook = {r->m, see};
    for (int64_t i = 0; i < n; i++) {
        r->tokens[i] = tokens[i];
        r->positions[i] = (int32_t)i;
        r->sequences[i] = 0;
        r->wanted[i] = i;
    }
    if (r->first != TOKEN_NONE) r->tokens[0] = r->first;
    TRY(model_forward(r->run,
                      &(model_batch){.n_rows = n,
                                     .tokens = r->tokens,
                                     .positions = r->positions,
                                     .sequences = r->sequences,
                                     .n_sequences = 1,
                                     .hook = &hook,
                                     .wanted = r->wanted,
                                     .n_wanted = n,
                                     .hidden = r->hidden},
                      f));
    add_rows(r->m, &r->m->of[0][INPUT_HEAD], r->hidden, n, r->width);
    return r->m->no_memory ? fail_memory(f, "importance") : E_OK;
}

/* *tokens: those that were run; a rest too short to say anything is left out. */
static err run_text(measuring *r, token_ids ids, int64_t *tokens, fail *f) {
    for (size_t at = 0; at < ids.n; at += MODEL_IMPORTANCE_CHUNK) {
        size_t n = ids.n - at < MODEL_IMPORTANCE_CHUNK ? ids.n - at : MODEL_IMPORTANCE_CHUNK;
        if (r->watch->stop && r->watch->stop(r->watch->self))
            return fail_set(f, E_CANCELLED, "stopped; nothing has been written");
        if (at && n < MODEL_IMPORTANCE_TOKENS_LEAST) break;
        TRY(run_chunk(r, ids.p + at, (int64_t)n, f));
        *tokens = (int64_t)(at + n);
        if (r->watch->progress)
            r->watch->progress(r->watch->self, "calibration tokens", at + n, ids.n);
    }
    return E_OK;
}

/* Mean squares around 1. A column that was never seen keeps a little weight. */
static err finish(model_importance *m, fail *f) {
    for (int l = 0; l < LAYERS_MAX; l++)
        for (int k = 0; k < INPUTS; k++) {
            squares *s = &m->of[l][k];
            double total = 0;
            if (!s->sum) continue;
            for (int64_t i = 0; i < s->cols; i++) total += s->sum[i];
            s->mean = arena_new_n(&m->arena, float, (size_t)s->cols);
            if (!s->mean) return fail_memory(f, "importance");
            double scale = total > 0 ? (double)s->cols / total : 0;
            for (int64_t i = 0; i < s->cols; i++) {
                float v = (float)(s->sum[i] * scale);
                s->mean[i] = v > 1e-3f ? v : 1e-3f;
            }
        }
    return E_OK;
}

static err measure(measuring *r, const model *m, str text, int64_t *tokens, fail *f) {
    const tokenizer *t = model_tokenizer(m);
    token_ids ids;
    r->width = model_about(m)->width;
    TRY(tokenizer_encode(t, &r->m->arena, text, &(token_encode_options){.add_bos = true}, &ids, f));
    if (ids.n < MODEL_IMPORTANCE_TOKENS_LEAST) {
        fail_set(f, E_INPUT, "the calibration text has %zu tokens; %d are the least", ids.n,
                 MODEL_IMPORTANCE_TOKENS_LEAST);
        return fail_hint(f, "take some thousand words of what the model will be used for");
    }
    if (tokenizer_bos(t) != TOKEN_NONE && ids.p[0] == tokenizer_bos(t)) r->first = ids.p[0];
    r->hidden = arena_new_n(&r->m->arena, float, (size_t)(MODEL_IMPORTANCE_CHUNK * r->width));
    if (!r->hidden) return fail_memory(f, "importance");
    TRY(model_run_open(&r->run, m,
                       &(model_run_options){.rows_max = MODEL_IMPORTANCE_CHUNK,
                                            .sequences_max = 1,
                                            .positions_max = MODEL_IMPORTANCE_CHUNK},
                       f));
    TRY(run_text(r, ids, tokens, f));
    return finish(r->m, f);
}

err model_importance_measure(model_importance **out, const char *model_path, str text,
                             const model_importance_options *o, int64_t *tokens, fail *f) {
    model *m = NULL;
    measuring *r = mem_zero(sizeof *r);
    model_importance *made = mem_zero(sizeof *made);
    if (made) arena_init(&made->arena, 0);
    err e = r && made ? E_OK : fail_memory(f, "importance");
    if (e == E_OK)
        e = model_open(&m, model_path, &(model_options){.kern = o->kern, .team = o->team}, f);
    if (e == E_OK && model_about(m)->is_encoder)
        e = fail_set(f, E_UNSUPPORTED, "\"%s\" is an encoder; importance is measured on decoders",
                     model_path);
    if (e == E_OK) {
        r->m = made;
        r->watch = &o->watch;
        r->first = TOKEN_NONE;
        e = measure(r, m, text, tokens, f);
        model_run_close(r->run);
    }
    model_close(m);
    mem_free(r);
    if (e == E_OK)
        *out = made;
    else
        model_importance_close(made);
    return e;
}

void model_importance_close(model_importance *m) {
    if (!m) return;
    arena_deinit(&m->arena);
    mem_free(m);
}

/* ---- asking ---- */

static const struct {
    const char *suffix;
    input at;
} names[] = {
    {"attn_q.weight", INPUT_ATTENTION}, {"attn_k.weight", INPUT_ATTENTION},
    {"attn_v.weight", INPUT_ATTENTION}, {"attn_qkv.weight", INPUT_ATTENTION},
    {"attn_output.weight", INPUT_OUT},  {"ffn_gate.weight", INPUT_FEED},
    {"ffn_up.weight", INPUT_FEED},      {"ffn_down.weight", INPUT_DOWN},
};

static const squares *find(const model_importance *m, str name) {
    int64_t layer;
    if (str_is(name, "output.weight") || str_is(name, "token_embd.weight"))
        return &m->of[0][INPUT_HEAD];
    if (!str_starts(name, STR("blk."))) return NULL;
    str rest = str_slice(name, 4, name.n);
    if (!str_to_int(str_cut(&rest, '.'), &layer) || layer < 0 || layer >= LAYERS_MAX) return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(rest, names[i].suffix)) return &m->of[layer][names[i].at];
    return NULL;
}

const float *model_importance_of(const model_importance *m, str tensor_name, int64_t cols) {
    const squares *s = m ? find(m, tensor_name) : NULL;
    return s && s->mean && s->cols == cols ? s->mean : NULL;
}

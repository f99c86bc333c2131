/* model_adapter.c - an adapter's matrices checked against the model and laid out for use; see
 * model_adapter.h. Both are kept in float, B by columns, so that a delta is r dot products and r
 * additions of a scaled row. */
#include "model/model_adapter_int.h"

#include "base/mem.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

static const weight *weight_of(const decoder *d, int64_t layer, model_linear which) {
    if (which == MODEL_HEAD) return &d->head;
    const decoder_layer *l = &d->layer[layer];
    const weight *of[] = {&l->q, &l->k, &l->v, &l->o, &l->dense.gate, &l->dense.up, &l->dense.down};
    return of[which]->w ? of[which] : NULL; /* none where there are experts */
}

static err wrong(const adapter_file *file, const tensor *t, const char *why, fail *f) {
    char shown[TENSOR_PRINT_BYTES], shape[96];
    tensor_describe(t, shape);
    return fail_set(f, E_CORRUPT, "adapter %.*s: \"%s\" is %s, %s", STR_ARG(file->path),
                    tensor_print_name(t->name, shown), shape, why);
}

/* Do q's and k's rows stand in another order in the model than in this file? Folders have halves
 * of a head that turn together; GGUF files of some architectures have them side by side. */
static bool turns(const adapter_file *file, model_linear which) {
    const model *m = file->m;
    return (which == MODEL_QUERY || which == MODEL_KEY) && m->arch->gguf_turned &&
           !m->gguf != !file->gguf;
}

/* The file's row for the model's row i. */
static int64_t row_of(const adapter_file *file, model_linear which, int64_t i) {
    const decoder *d = file->m->state;
    int64_t width = d->spec.head_width, at = i % width, half = width / 2;
    if (!turns(file, which)) return i;
    return i - at + (file->m->gguf ? at % 2 * half + at / 2 : at % half * 2 + at / half);
}

static err copy_a(model_adapter *a, const tensor *from, const float **out, fail *f) {
    int64_t rank = tensor_rows(from), cols = tensor_cols(from);
    float *to = arena_new_n(&a->arena, float, (size_t)(rank * cols));
    if (!to) return fail_memory(f, "an adapter");
    for (int64_t i = 0; i < rank; i++) op_row(from, i, to + i * cols);
    *out = to;
    return E_OK;
}

/* Rows [from, from + rows) of B, turned round where the model's stand otherwise, as columns. */
static err copy_b(model_adapter *a, const adapter_file *file, const tensor *b, model_linear which,
                  int64_t from, int64_t rows, const float **out, fail *f) {
    int64_t rank = tensor_cols(b);
    float row[MODEL_ADAPTER_RANK_MAX], *to = arena_new_n(&a->arena, float, (size_t)(rank * rows));
    if (!to) return fail_memory(f, "an adapter");
    for (int64_t i = 0; i < rows; i++) {
        op_row(b, from + row_of(file, which, i), row);
        for (int64_t j = 0; j < rank; j++) to[j * rows + i] = row[j];
    }
    *out = to;
    return E_OK;
}

/* Shapes of a pair: a [r, cols], b [rows, r] with the rows of all its linear layers. */
static err check_pair(const adapter_file *file, const adapter_pair *p, const adapter_target *t,
                      int64_t layer, fail *f) {
    const decoder *d = file->m->state;
    if (!p->a || !p->b)
        return wrong(file, p->a ? p->a : p->b, "and its other half is not there", f);
    int64_t rank = tensor_rows(p->a), cols = 0, rows = 0;
    for (int i = 0; i < t->n; i++) {
        const weight *w = weight_of(d, layer, t->linear[i]);
        if (!w) return wrong(file, p->a, "but that layer has experts", f);
        cols = tensor_cols(w->w);
        rows += tensor_rows(w->w);
    }
    if (p->a->n_dims != 2 || p->b->n_dims != 2) return wrong(file, p->a, "no pair of matrices", f);
    if (rank > MODEL_ADAPTER_RANK_MAX) return wrong(file, p->a, "a rank above 1024", f);
    if (tensor_cols(p->a) != cols) return wrong(file, p->a, "which does not fit the model", f);
    if (tensor_rows(p->b) != rows || tensor_cols(p->b) != rank)
        return wrong(file, p->b, "which does not fit the model", f);
    return E_OK;
}

static err bind_pair(model_adapter *a, const adapter_file *file, int64_t layer, int target,
                     fail *f) {
    const adapter_pair *p = &file->pairs[layer * ADAPTER_TARGETS + target];
    const adapter_target *t = &adapter_targets[target];
    if (!p->a && !p->b) return E_OK;
    TRY(check_pair(file, p, t, layer, f));
    adapter_delta common = {.rank = tensor_rows(p->a)};
    double r = (double)common.rank;
    common.scale =
        (float)(file->gguf && file->alpha == 0 ? 1 : file->alpha / (file->root ? sqrt(r) : r));
    TRY(copy_a(a, p->a, &common.a, f));
    for (int64_t i = 0, from = 0, rows; i < t->n; i++, from += rows) {
        adapter_delta *to = &a->delta[layer * ADAPTER_LINEARS + (int64_t)t->linear[i]];
        rows = tensor_rows(weight_of(file->m->state, layer, t->linear[i])->w);
        *to = common;
        TRY(copy_b(a, file, p->b, t->linear[i], from, rows, &to->b, f));
        a->info.layers++;
    }
    if (common.rank > a->info.rank) a->info.rank = common.rank;
    return E_OK;
}

static err bind(model_adapter *a, const adapter_file *file, fail *f) {
    a->delta = arena_new_n(&a->arena, adapter_delta, (size_t)(a->layers + 1) * ADAPTER_LINEARS);
    a->info.path = arena_str(&a->arena, file->path);
    if (!a->delta || !a->info.path.p) return fail_memory(f, "an adapter");
    for (int64_t layer = 0; layer <= a->layers; layer++)
        for (int target = 0; target < ADAPTER_TARGETS; target++)
            TRY(bind_pair(a, file, layer, target, f));
    if (a->info.layers == 0)
        return fail_set(f, E_CORRUPT, "adapter %.*s is empty", STR_ARG(file->path));
    a->info.bytes = (int64_t)a->arena.bytes_used;
    return E_OK;
}

err model_adapter_open(model_adapter **out, const model *m, const char *path, fail *f) {
    static _Atomic uint64_t last_id;
    adapter_file file;
    if (!m->arch || !m->arch->decoder || !m->info.has_weights)
        return fail_set(f, E_UNSUPPORTED, "%.*s takes no adapter: it is no decoder with weights",
                        STR_ARG(m->info.path));
    model_adapter *a = mem_zero(sizeof *a);
    if (!a) return fail_memory(f, "an adapter");
    arena_init(&a->arena, 1 << 20);
    a->layers = m->info.layers;
    a->info.model = m;
    a->info.id = atomic_fetch_add(&last_id, 1) + 1;
    err e = adapter_file_open(&file, m, path, f);
    if (e == E_OK) e = bind(a, &file, f);
    adapter_file_close(&file);
    if (e != E_OK) {
        model_adapter_close(a);
        return e;
    }
    *out = a;
    return E_OK;
}

void model_adapter_close(model_adapter *a) {
    if (!a) return;
    arena_deinit(&a->arena);
    mem_free(a);
}

const model_adapter_info *model_adapter_about(const model_adapter *a) {
    return &a->info;
}

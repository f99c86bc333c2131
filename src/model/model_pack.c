/* model_pack.c - see model_pack.h. Work is cut into pieces of rows; the file's pages behind a
 * packed piece are given back at once, so that the weights are never in memory twice. */
#include "model/model_pack.h"

#include "base/mem.h"
#include "model/model_cache.h"
#include "tensor/quantise.h"

#include <stdatomic.h>
#include <string.h>

enum { PIECE_ROWS = 512, STRIP_ROWS = 16 };

/* Floats that are to be multiplied in int8 (options.int8): w becomes a Q8_0 tensor without data,
 * which packing makes; *rounded the floats. Kernels without that layout keep the floats. */
static err round_weight(model *m, weight *w, const tensor **rounded, fail *f) {
    dtype type = w->w->type;
    bool floats = type == DTYPE_F32 || type == DTYPE_F16 || type == DTYPE_BF16;
    *rounded = NULL;
    if (!m->o.int8 || !floats) return E_OK;
    tensor as = *w->w, *made;
    as.type = DTYPE_Q8_0;
    as.data = NULL;
    if (tensor_cols(&as) % dtype_get(DTYPE_Q8_0)->block != 0 ||
        op_packed_bytes(m->o.kern, &as) == 0)
        return E_OK;
    made = arena_new(&m->arena, tensor);
    if (!made) return fail_memory(f, "packed weights");
    as.bytes = (size_t)tensor_rows(&as) * tensor_row_bytes(&as);
    *made = as;
    *rounded = w->w;
    w->w = made;
    return E_OK;
}

err model_pack(model *m, weight *w, fail *f) {
    const tensor *rounded;
    model_packing *p = m->packing;
    int64_t numbers = tensor_rows(w->w) * tensor_cols(w->w);
    m->info.parameters += numbers;
    m->numbers[w->w->type] += numbers;
    if (!p) p = m->packing = mem_zero(sizeof *p);
    if (!p) return fail_memory(f, "packed weights");
    if (p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 512;
        pack_item *items = mem_resize(p->items, room * sizeof *items);
        if (!items) return fail_memory(f, "packed weights");
        p->items = items;
        p->room = room;
    }
    TRY(round_weight(m, w, &rounded, f));
    size_t bytes = op_packed_bytes(m->o.kern, w->w);
    p->items[p->n++] = (pack_item){w, p->bytes, bytes, rounded};
    p->bytes += (bytes + MODEL_PACK_ALIGN - 1) / MODEL_PACK_ALIGN * MODEL_PACK_ALIGN;
    return E_OK;
}

/* ---- over the team ---- */

typedef struct pack_piece {
    size_t item;
    int64_t from, rows;
} pack_piece;

typedef struct pack_job {
    const model *m;
    pack_piece *pieces;
    char *to;
    float *rows; /* of each worker, for rounding: [STRIP_ROWS, cols], floats and then blocks */
    int64_t rows_floats;
    atomic_bool not_numbers; /* floats that no block can hold */
    atomic_llong done;       /* pieces, of n_pieces */
    int64_t n_pieces;
} pack_job;

static tensor rows_of(const tensor *w, int64_t from, int64_t rows) {
    tensor t = {.name = w->name,
                .type = w->type,
                .n_dims = 2,
                .dims = {rows, tensor_cols(w)},
                .data = w->data ? (const char *)w->data + (size_t)from * tensor_row_bytes(w) : NULL,
                .bytes = (size_t)rows * tensor_row_bytes(w)};
    return t;
}

static void release_rows(const model *m, const tensor *rows) {
    if (m->safetensors)
        safetensors_release_part(m->safetensors, rows->data, rows->bytes);
    else
        file_map_release_part(&m->map, rows->data, rows->bytes);
}

bool model_copy(const model *m, const void *p, size_t n, void *out) {
    return m->safetensors ? safetensors_copy(m->safetensors, p, n, out)
                          : file_map_copy(&m->map, p, n, out);
}

static size_t packed_before(const pack_job *j, const pack_item *item, int64_t row) {
    tensor before = rows_of(item->w->w, 0, row);
    return row ? op_packed_bytes(j->m->o.kern, &before) : 0;
}

/* The piece's floats as Q8_0, a strip at a time. */
static void pack_rounded(pack_job *j, const pack_item *item, const pack_piece *p, int worker) {
    const tensor *w = item->w->w;
    int64_t cols = tensor_cols(w);
    float *floats = j->rows + worker * j->rows_floats;
    char *blocks = (char *)(floats + cols);
    for (int64_t r = p->from; r < p->from + p->rows; r += STRIP_ROWS) {
        int64_t left = p->from + p->rows - r, n = left < STRIP_ROWS ? left : STRIP_ROWS;
        tensor strip = rows_of(w, 0, n);
        strip.data = blocks;
        for (int64_t i = 0; i < n; i++) {
            op_row(item->rounded, r + i, floats);
            if (!quantise_fits(floats, cols)) {
                memset(floats, 0, (size_t)cols * sizeof *floats);
                atomic_store(&j->not_numbers, true);
            }
            dtype_get(DTYPE_Q8_0)
                ->quantise(floats, NULL, blocks + (size_t)i * tensor_row_bytes(w), cols);
        }
        op_pack(j->m->o.kern, &strip, j->to + item->offset + packed_before(j, item, r));
    }
}

static void pack_one(void *arg, int64_t index, int worker) {
    pack_job *j = arg;
    const pack_piece *p = &j->pieces[index];
    const pack_item *item = &j->m->packing->items[p->item];
    tensor rows = rows_of(item->w->w, p->from, p->rows);
    if (item->rounded)
        pack_rounded(j, item, p, worker);
    else
        op_pack(j->m->o.kern, &rows, j->to + item->offset + packed_before(j, item, p->from));
    tensor source = rows_of(model_pack_source(item), p->from, p->rows);
    release_rows(j->m, &source);
    int64_t done = atomic_fetch_add(&j->done, 1) + 1;
    const model_options *o = &j->m->o;
    if (o->progress) o->progress(o->progress_self, done, j->n_pieces);
}

static size_t count_pieces(const model_packing *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].bytes)
            n += (size_t)((tensor_rows(p->items[i].w->w) + PIECE_ROWS - 1) / PIECE_ROWS);
    return n;
}

static void list_pieces(const model_packing *p, pack_piece *out) {
    for (size_t i = 0; i < p->n; i++) {
        int64_t rows = tensor_rows(p->items[i].w->w);
        for (int64_t r = 0; p->items[i].bytes && r < rows; r += PIECE_ROWS)
            *out++ = (pack_piece){i, r, rows - r < PIECE_ROWS ? rows - r : PIECE_ROWS};
    }
}

/* Of one worker: a row of floats and a strip of blocks, which are smaller than a half. */
static int64_t rounding_floats(const model_packing *p) {
    int64_t most = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].rounded && tensor_cols(p->items[i].w->w) > most)
            most = tensor_cols(p->items[i].w->w);
    return most + most * STRIP_ROWS / 2;
}

static err pack_into(model *m, void *to, fail *f) {
    size_t n = count_pieces(m->packing);
    pack_job j = {
        .m = m, .to = to, .pieces = mem_alloc(n * sizeof(pack_piece)), .n_pieces = (int64_t)n};
    j.rows_floats = rounding_floats(m->packing);
    if (j.rows_floats)
        j.rows = mem_alloc_aligned((size_t)team_threads(m->o.team) * (size_t)j.rows_floats *
                                   sizeof *j.rows);
    bool ok = j.pieces && (j.rows || !j.rows_floats);
    if (ok) {
        list_pieces(m->packing, j.pieces);
        team_run(m->o.team, pack_one, &j, (int64_t)n);
    }
    mem_free(j.pieces);
    mem_free(j.rows);
    if (atomic_load(&j.not_numbers))
        return fail_set(f, E_CORRUPT, "%.*s has weights that are no numbers or beyond %g",
                        STR_ARG(m->info.path), (double)QUANTISE_MAX);
    return ok ? E_OK : fail_memory(f, "packed weights");
}

static void point_to(model_packing *p, const void *base) {
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].bytes) p->items[i].w->packed = (const char *)base + p->items[i].offset;
}

static err pack_in_memory(model *m, fail *f) {
    model_packing *p = m->packing;
    p->memory = mem_pages(p->bytes);
    if (!p->memory)
        return fail_set(f, E_NO_MEMORY, "no %zu bytes for the packed weights of %.*s", p->bytes,
                        STR_ARG(m->info.path));
    return pack_into(m, p->memory, f);
}

/* Memory whose bytes are in the file now is given back before the file is mapped. */
static bool swap_for_file(model *m, const void **base) {
    model_packing *p = m->packing;
    if (!model_cache_keep(m, p->memory)) return false;
    mem_pages_free(p->memory, p->bytes);
    p->memory = NULL;
    return model_cache_find(m, base);
}

/* What was read while binding and packing is not read there again. */
static void release_source(const model *m) {
    file_map_release(&m->map);
    if (m->safetensors) safetensors_release(m->safetensors);
}

err model_pack_all(model *m, fail *f) {
    model_packing *p = m->packing;
    const void *base;
    if (!p || p->bytes == 0) return E_OK;
    if (!model_cache_find(m, &base)) {
        TRY(pack_in_memory(m, f));
        if (!swap_for_file(m, &base)) {
            if (!p->memory) TRY(pack_in_memory(m, f));
            base = p->memory;
        }
    }
    point_to(p, base);
    release_source(m);
    return E_OK;
}

void model_pack_close(model *m) {
    model_packing *p = m->packing;
    if (!p) return;
    mem_pages_free(p->memory, p->bytes);
    file_map_close(&p->map);
    mem_free(p->items);
    mem_free(p);
    m->packing = NULL;
}

/* model_pack.c - see model_pack.h. Work is cut into pieces of rows; the file's pages behind a
 * packed piece are given back at once, so that the weights are never in memory twice. */
#include "model/model_pack.h"

#include "base/mem.h"
#include "model/model_cache.h"

enum { PIECE_ROWS = 512 };

err model_pack(model *m, weight *w, fail *f) {
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
    size_t bytes = op_packed_bytes(m->o.kern, w->w);
    p->items[p->n++] = (pack_item){w, p->bytes, bytes};
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
} pack_job;

static tensor rows_of(const tensor *w, int64_t from, int64_t rows) {
    tensor t = {.name = w->name,
                .type = w->type,
                .n_dims = 2,
                .dims = {rows, tensor_cols(w)},
                .data = (const char *)w->data + (size_t)from * tensor_row_bytes(w),
                .bytes = (size_t)rows * tensor_row_bytes(w)};
    return t;
}

static void pack_one(void *arg, int64_t index, int worker) {
    (void)worker;
    const pack_job *j = arg;
    const pack_piece *p = &j->pieces[index];
    const pack_item *item = &j->m->packing->items[p->item];
    const kern_table *kern = j->m->o.kern;
    tensor before = rows_of(item->w->w, 0, p->from), rows = rows_of(item->w->w, p->from, p->rows);
    size_t at = p->from ? op_packed_bytes(kern, &before) : 0;
    op_pack(kern, &rows, j->to + item->offset + at);
    if (j->m->safetensors)
        safetensors_release_part(j->m->safetensors, rows.data, rows.bytes);
    else
        file_map_release_part(&j->m->map, rows.data, rows.bytes);
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

static err pack_into(model *m, void *to, fail *f) {
    size_t n = count_pieces(m->packing);
    pack_job j = {.m = m, .to = to, .pieces = mem_alloc(n * sizeof(pack_piece))};
    if (!j.pieces) return fail_memory(f, "packed weights");
    list_pieces(m->packing, j.pieces);
    team_run(m->o.team, pack_one, &j, (int64_t)n);
    mem_free(j.pieces);
    return E_OK;
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

/* model_write.c - see model_write.h. */
#include "model/model_write.h"

#include "base/mem.h"
#include "tensor/quantise.h"

#include <stdatomic.h>
#include <string.h>

enum { WAVE_BYTES = 16 << 20, ROWS_A_STEP = 4 };

typedef struct write_job {
    const model_piece *p;
    const tensor *source;
    int64_t cols, rows_all;     /* rows_all: of the whole output tensor */
    int64_t row0;               /* of the source, that the wave begins with */
    int64_t row_offset;         /* of the source in the output tensor */
    int64_t rows;               /* of the wave */
    size_t in_bytes, out_bytes; /* of a row */
    char *out;                  /* [rows, out_bytes] */
    float *scratch;             /* [threads, cols] */
    atomic_bool too_large;
} write_job;

static err put_gguf(void *self, const void *bytes, size_t n, fail *f) {
    return gguf_writer_data(self, bytes, n, f);
}
static err put_safetensors(void *self, const void *bytes, size_t n, fail *f) {
    return safetensors_writer_data(self, bytes, n, f);
}
model_sink model_sink_gguf(gguf_writer *w) {
    return (model_sink){w, put_gguf};
}
model_sink model_sink_safetensors(safetensors_writer *w) {
    return (model_sink){w, put_safetensors};
}

/* Which row of the source stands at row r of the output: heads of h rows, halves become pairs or
 * pairs halves. */
static int64_t source_row(const write_job *j, int64_t r) {
    int64_t heads = j->p->change.turn_heads;
    if (!heads) return r;
    int64_t h = tensor_rows(j->source) / heads, i = r % h;
    if (j->p->change.turn_back) return r - i + i % (h / 2) * 2 + i / (h / 2);
    return r - i + i % 2 * (h / 2) + i / 2;
}

static bool copies(const write_job *j) {
    return j->source->type == j->p->type && j->p->change.add == 0;
}

static void write_row(write_job *j, int64_t r, float *x) {
    const char *from =
        (const char *)j->source->data + (size_t)source_row(j, j->row0 + r) * j->in_bytes;
    char *to = j->out + (size_t)r * j->out_bytes;
    const float *importance = j->p->importance;
    if (copies(j)) {
        memcpy(to, from, j->in_bytes);
        return;
    }
    dtype_get(j->source->type)->dequantise(from, x, j->cols);
    for (int64_t i = 0; j->p->change.add != 0 && i < j->cols; i++) x[i] += j->p->change.add;
    if (j->p->type != DTYPE_F32 && j->p->type != DTYPE_BF16 && !quantise_fits(x, j->cols)) {
        atomic_store(&j->too_large, true);
        return;
    }
    if (importance && j->p->experts > 1) {
        int64_t rows_a_matrix = j->rows_all / j->p->experts;
        importance += (j->row_offset + j->row0 + r) / rows_a_matrix * j->cols;
    }
    dtype_get(j->p->type)->quantise(x, importance, to, j->cols);
}

static void write_step(void *arg, int64_t index, int worker) {
    write_job *j = arg;
    int64_t from = index * ROWS_A_STEP,
            to = from + ROWS_A_STEP < j->rows ? from + ROWS_A_STEP : j->rows;
    for (int64_t r = from; r < to; r++) write_row(j, r, j->scratch + worker * j->cols);
}

static err write_wave(const model_sink *sink, team *team, write_job *j, fail *f) {
    char name[TENSOR_PRINT_BYTES];
    team_run(team, write_step, j, (j->rows + ROWS_A_STEP - 1) / ROWS_A_STEP);
    if (atomic_load(&j->too_large)) {
        fail_set(f, E_UNSUPPORTED, "tensor \"%s\" has a number that %s cannot hold",
                 tensor_print_name(j->source->name, name), dtype_get(j->p->type)->name);
        return fail_hint(f, "the largest is 65504; not a number and infinity mean that the weights "
                            "are broken; F32 and BF16 hold them");
    }
    return sink->put(sink->self, j->out, (size_t)j->rows * j->out_bytes, f);
}

static err write_source(const model_sink *sink, team *team, write_job *j, const model_watch *watch,
                        uint64_t *done, uint64_t total, fail *f) {
    char name[TENSOR_PRINT_BYTES];
    int64_t rows = tensor_rows(j->source), wave = WAVE_BYTES / (int64_t)j->out_bytes;
    if (wave < 1) wave = 1;
    tensor_print_name(j->source->name, name);
    for (j->row0 = 0; j->row0 < rows; j->row0 += wave) {
        if (watch->stop && watch->stop(watch->self))
            return fail_set(f, E_CANCELLED, "stopped; nothing has been written");
        j->rows = rows - j->row0 < wave ? rows - j->row0 : wave;
        TRY(write_wave(sink, team, j, f));
        *done += (uint64_t)j->rows * j->in_bytes;
        if (watch->progress) watch->progress(watch->self, name, *done, total);
    }
    return E_OK;
}

err model_write_piece(const model_sink *sink, team *team, const model_piece *p,
                      const model_watch *watch, uint64_t *done, uint64_t total, fail *f) {
    const dtype_info *type = dtype_get(p->type);
    int64_t cols = tensor_cols(p->sources[0]), rows_all = 0, rows_most = 0;
    for (size_t i = 0; i < p->n_sources; i++) {
        int64_t rows = tensor_rows(p->sources[i]);
        rows_all += rows;
        rows_most = rows > rows_most ? rows : rows_most;
    }
    write_job j = {.p = p,
                   .cols = cols,
                   .rows_all = rows_all,
                   .out_bytes = (size_t)(cols / type->block) * (size_t)type->block_bytes};
    size_t wave = j.out_bytes * (size_t)rows_most;
    if (wave > WAVE_BYTES) wave = j.out_bytes > WAVE_BYTES ? j.out_bytes : WAVE_BYTES;
    j.out = mem_alloc(wave);
    j.scratch = mem_alloc((size_t)team_threads(team) * (size_t)cols * sizeof *j.scratch);
    err e = j.out && j.scratch ? E_OK : fail_memory(f, "a tensor");
    for (size_t i = 0; e == E_OK && i < p->n_sources; i++) {
        j.source = p->sources[i];
        j.in_bytes = tensor_row_bytes(j.source);
        e = write_source(sink, team, &j, watch, done, total, f);
        j.row_offset += tensor_rows(j.source);
    }
    mem_free(j.out);
    mem_free(j.scratch);
    return e;
}

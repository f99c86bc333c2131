/* safetensors_writer.c - see safetensors_writer.h; the layout stands in safetensors.c. Shards are
 * sealed one after the other under temporary names; commit only renames them and writes the index.
 */
#include "format/safetensors_writer.h"

#include "base/arena.h"
#include "base/file_draft.h"
#include "base/map.h"
#include "base/mem.h"
#include "text/json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SHARD_BYTES ((int64_t)5000000000)
enum { HEADER_ALIGN = 8 };

typedef struct row {
    str name;
    dtype type;
    int32_t n_dims;
    int64_t dims[TENSOR_DIMS_MAX];
    size_t bytes;
    size_t shard;
} row;

typedef struct shard {
    file_draft draft;
    bool kept;
} shard;

struct safetensors_writer {
    arena arena;
    const char *folder;
    int64_t shard_bytes_max, bytes;
    row *rows; /* [n of cap] */
    size_t n, cap;
    map names;
    shard *shards; /* [n_shards] */
    size_t n_shards;
    size_t at_row, at_byte; /* where the next data goes */
    bool done;
};

err safetensors_writer_open(safetensors_writer **out, const char *folder, int64_t shard_bytes_max,
                            fail *f) {
    if (!file_is_dir(folder)) return fail_set(f, E_NOT_FOUND, "there is no folder \"%s\"", folder);
    safetensors_writer *w = mem_zero(sizeof *w);
    if (!w) return fail_memory(f, folder);
    arena_init(&w->arena, 0);
    map_init(&w->names, NULL);
    w->shard_bytes_max = shard_bytes_max > 0 ? shard_bytes_max : SHARD_BYTES;
    if (w->shard_bytes_max < SAFETENSORS_SHARD_BYTES_LEAST)
        w->shard_bytes_max = SAFETENSORS_SHARD_BYTES_LEAST;
    w->folder = arena_z(&w->arena, str_from(folder));
    if (!w->folder) {
        safetensors_writer_close(w);
        return fail_memory(f, folder);
    }
    *out = w;
    return E_OK;
}

void safetensors_writer_close(safetensors_writer *w) {
    fail ignored;
    if (!w) return;
    for (size_t i = 0; i < w->n_shards; i++) {
        char path[FILE_PATH_BYTES];
        snprintf(path, sizeof path, "%s", w->shards[i].draft.path);
        file_draft_drop(&w->shards[i].draft);
        if (w->shards[i].kept && !w->done && file_remove(path, &ignored) != E_OK) continue;
    }
    mem_free(w->shards);
    mem_free(w->rows);
    map_deinit(&w->names);
    arena_deinit(&w->arena);
    mem_free(w);
}

static err grow(safetensors_writer *w, fail *f) {
    if (w->n < w->cap) return E_OK;
    size_t cap = w->cap ? 2 * w->cap : 256;
    row *grown = mem_resize(w->rows, cap * sizeof *grown);
    if (!grown) return fail_memory(f, w->folder);
    w->rows = grown;
    w->cap = cap;
    return E_OK;
}

err safetensors_writer_tensor(safetensors_writer *w, str name, dtype type, int32_t n_dims,
                              const int64_t *dims, fail *f) {
    row r = {.type = type, .n_dims = n_dims};
    char text[TENSOR_PRINT_BYTES];
    TRY(tensor_bytes(type, n_dims, dims, name, &r.bytes, f));
    if (dtype_get(type)->block > 1)
        return fail_set(f, E_UNSUPPORTED, "tensor \"%s\": safetensors has no %s",
                        tensor_print_name(name, text), dtype_get(type)->name);
    if (w->n == SAFETENSORS_TENSORS_MAX || name.n == 0 ||
        r.bytes > SSIZE_MAX / 2 - (size_t)w->bytes)
        return fail_set(f, E_TOO_LARGE, "tensor \"%s\" does not fit",
                        tensor_print_name(name, text));
    if (map_find(&w->names, name))
        return fail_set(f, E_INPUT, "tensor \"%s\" stands twice", tensor_print_name(name, text));
    TRY(grow(w, f));
    r.name = arena_str(&w->arena, name);
    if (!r.name.p) return fail_memory(f, w->folder);
    memcpy(r.dims, dims, (size_t)n_dims * sizeof *dims);
    TRY(map_put(&w->names, r.name, (int64_t)w->n, f));
    w->bytes += (int64_t)r.bytes;
    w->rows[w->n++] = r;
    return E_OK;
}

/* ---- headers ---- */

static const char *shard_name(const safetensors_writer *w, size_t i, char out[64]) {
    if (w->n_shards == 1)
        snprintf(out, 64, "model.safetensors");
    else
        snprintf(out, 64, "model-%05zu-of-%05zu.safetensors", i + 1, w->n_shards);
    return out;
}

static void put_row(json_writer *j, const row *r, int64_t from) {
    json_key_str(j, r->name);
    json_begin_object(j);
    json_field_str(j, "dtype", str_from(dtype_get(r->type)->name));
    json_key(j, "shape");
    json_begin_array(j);
    for (int32_t i = 0; i < r->n_dims; i++) json_put_int(j, r->dims[i]);
    json_end_array(j);
    json_key(j, "data_offsets");
    json_begin_array(j);
    json_put_int(j, from);
    json_put_int(j, from + (int64_t)r->bytes);
    json_end_array(j);
    json_end_object(j);
}

static err put_header(safetensors_writer *w, size_t shard, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    int64_t from = 0;
    buf_put_bytes(&b, "\0\0\0\0\0\0\0\0", 8);
    json_begin_object(&j);
    json_key(&j, "__metadata__");
    json_begin_object(&j);
    json_field_str(&j, "format", STR("pt"));
    json_end_object(&j);
    for (size_t i = w->at_row; i < w->n && w->rows[i].shard == shard; i++) {
        put_row(&j, &w->rows[i], from);
        from += (int64_t)w->rows[i].bytes;
    }
    json_end_object(&j);
    while (b.n % HEADER_ALIGN && !b.failed) buf_put_char(&b, ' ');
    err e = buf_ok(&b, f);
    if (e == E_OK) {
        uint64_t n = b.n - 8;
        memcpy(b.p, &n, sizeof n);
        e = file_draft_put(&w->shards[shard].draft, buf_str(&b), f);
    }
    buf_deinit(&b);
    return e;
}

/* ---- writing ---- */

static void plan(safetensors_writer *w) {
    int64_t filled = 0;
    w->n_shards = 1;
    for (size_t i = 0; i < w->n; i++) {
        int64_t bytes = (int64_t)w->rows[i].bytes;
        if (filled && filled + bytes > w->shard_bytes_max) {
            w->n_shards++;
            filled = 0;
        }
        filled += bytes;
        w->rows[i].shard = w->n_shards - 1;
    }
}

static err open_shard(safetensors_writer *w, size_t i, fail *f) {
    char name[64], path[FILE_PATH_BYTES];
    TRY(file_join(path, w->folder, shard_name(w, i, name), f));
    TRY(file_draft_open(&w->shards[i].draft, path, f));
    return put_header(w, i, f);
}

err safetensors_writer_begin(safetensors_writer *w, fail *f) {
    int64_t left;
    TRY(file_disk_free(w->folder, &left, f));
    if (left < w->bytes) {
        fail_set(f, E_NO_SPACE, "the weights take %lld kB, and \"%s\" has %lld kB left",
                 (long long)(w->bytes / 1000 + 1), w->folder, (long long)(left / 1000));
        return fail_hint(f, "free some space or write them elsewhere");
    }
    plan(w);
    size_t n = w->n_shards;
    w->n_shards = 0; /* until they are there */
    if (n > SAFETENSORS_SHARDS_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu files are above the limit of %d", n,
                        SAFETENSORS_SHARDS_MAX);
    w->shards = mem_zero(n * sizeof *w->shards);
    if (!w->shards) return fail_memory(f, w->folder);
    for (size_t i = 0; i < n; i++) w->shards[i].draft.fd = -1;
    w->n_shards = n;
    return open_shard(w, 0, f);
}

/* A tensor is whole: on to the next, and to the next file where that one begins another. */
static err next_row(safetensors_writer *w, fail *f) {
    size_t shard = w->rows[w->at_row].shard;
    w->at_row++;
    w->at_byte = 0;
    if (w->at_row < w->n && w->rows[w->at_row].shard == shard) return E_OK;
    TRY(file_draft_seal(&w->shards[shard].draft, f));
    return w->at_row < w->n ? open_shard(w, shard + 1, f) : E_OK;
}

err safetensors_writer_data(safetensors_writer *w, const void *bytes, size_t n, fail *f) {
    while (n) {
        CHECK(w->at_row < w->n);
        const row *r = &w->rows[w->at_row];
        size_t left = r->bytes - w->at_byte, now = n < left ? n : left;
        TRY(file_draft_put(&w->shards[r->shard].draft, (str){bytes, now}, f));
        bytes = (const char *)bytes + now;
        n -= now;
        w->at_byte += now;
        if (w->at_byte == r->bytes) TRY(next_row(w, f));
    }
    return E_OK;
}

static err put_index(const safetensors_writer *w, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b, .pretty = true};
    char name[64], path[FILE_PATH_BYTES];
    json_begin_object(&j);
    json_key(&j, "metadata");
    json_begin_object(&j);
    json_field_int(&j, "total_size", w->bytes);
    json_end_object(&j);
    json_key(&j, "weight_map");
    json_begin_object(&j);
    for (size_t i = 0; i < w->n; i++) {
        json_key_str(&j, w->rows[i].name);
        json_put_z(&j, shard_name(w, w->rows[i].shard, name));
    }
    json_end_object(&j);
    json_end_object(&j);
    buf_put_char(&b, '\n');
    err e = buf_ok(&b, f);
    if (e == E_OK) e = file_join(path, w->folder, "model.safetensors.index.json", f);
    if (e == E_OK) e = file_write(path, buf_str(&b), 0644, f);
    buf_deinit(&b);
    return e;
}

err safetensors_writer_commit(safetensors_writer *w, fail *f) {
    CHECK(w->at_row == w->n);
    for (size_t i = 0; i < w->n_shards; i++) {
        TRY(file_draft_keep(&w->shards[i].draft, f));
        w->shards[i].kept = true;
    }
    if (w->n_shards > 1) TRY(put_index(w, f));
    w->done = true;
    return E_OK;
}

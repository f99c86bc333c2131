/* gguf_writer.c - see gguf_writer.h; the layout stands in gguf.c. Header and tensor table are built
 * in memory (a vocabulary is some megabytes), tensor bytes go straight to the file. */
#include "format/gguf_writer.h"

#include "base/buf.h"
#include "base/file_draft.h"
#include "base/map.h"
#include "base/mem.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 3, HEAD_BYTES = 24, PAD_BYTES = 1 << 16 };

struct gguf_writer {
    arena arena;
    const char *path;
    size_t alignment;
    buf keys, table; /* as the file will hold them */
    uint64_t n_keys, n_tensors;
    map names; /* of both, keys prefixed with 'k', tensors with 't': each stands once */
    bool twice, failed;
    size_t data_bytes; /* declared, padding included */
    size_t *sizes;     /* [sizes_cap] of the tensors, unpadded */
    size_t sizes_cap;
    file_draft draft;
    size_t at_tensor, at_byte; /* where the next data goes */
};

err gguf_writer_open(gguf_writer **out, const char *path, int64_t alignment, fail *f) {
    if (alignment < TENSOR_DATA_ALIGN || alignment > PAD_BYTES || (alignment & (alignment - 1)))
        return fail_set(f, E_INPUT, "an alignment of %lld is not possible", (long long)alignment);
    gguf_writer *w = mem_zero(sizeof *w);
    if (!w) return fail_memory(f, path);
    arena_init(&w->arena, 0);
    map_init(&w->names, NULL);
    w->draft.fd = -1;
    w->alignment = (size_t)alignment;
    w->path = arena_z(&w->arena, str_from(path));
    if (!w->path) {
        gguf_writer_close(w);
        return fail_memory(f, path);
    }
    if (alignment != GGUF_ALIGNMENT) gguf_put_u32(w, "general.alignment", (uint32_t)alignment);
    *out = w;
    return E_OK;
}

void gguf_writer_close(gguf_writer *w) {
    if (!w) return;
    file_draft_drop(&w->draft);
    buf_deinit(&w->keys);
    buf_deinit(&w->table);
    mem_free(w->sizes);
    map_deinit(&w->names);
    arena_deinit(&w->arena);
    mem_free(w);
}

/* ---- metadata ---- */

static void put_u32(buf *b, uint32_t v) {
    buf_put_bytes(b, &v, sizeof v);
}
static void put_u64(buf *b, uint64_t v) {
    buf_put_bytes(b, &v, sizeof v);
}
static void put_text(buf *b, str s) {
    put_u64(b, s.n);
    buf_put(b, s);
}

static void note_name(gguf_writer *w, char room, str name) {
    char *copy = arena_alloc(&w->arena, name.n + 1);
    fail ignored;
    if (!copy) {
        w->failed = true;
        return;
    }
    copy[0] = room;
    if (name.n) memcpy(copy + 1, name.p, name.n);
    str key = {copy, name.n + 1};
    if (map_find(&w->names, key)) w->twice = true;
    if (map_put(&w->names, key, 1, &ignored) != E_OK) w->failed = true;
}

static void begin_key(gguf_writer *w, str key, gguf_kind kind) {
    note_name(w, 'k', key);
    put_text(&w->keys, key);
    put_u32(&w->keys, kind);
    w->n_keys++;
}

static void put_bytes(gguf_writer *w, const char *key, gguf_kind kind, const void *p, size_t n) {
    begin_key(w, str_from(key), kind);
    buf_put_bytes(&w->keys, p, n);
}

void gguf_put_u32(gguf_writer *w, const char *key, uint32_t v) {
    put_bytes(w, key, GGUF_U32, &v, sizeof v);
}
void gguf_put_i32(gguf_writer *w, const char *key, int32_t v) {
    put_bytes(w, key, GGUF_I32, &v, sizeof v);
}
void gguf_put_f32(gguf_writer *w, const char *key, float v) {
    put_bytes(w, key, GGUF_F32, &v, sizeof v);
}
void gguf_put_bool(gguf_writer *w, const char *key, bool v) {
    put_bytes(w, key, GGUF_BOOL, &(char){v}, 1);
}
void gguf_put_str(gguf_writer *w, const char *key, str v) {
    begin_key(w, str_from(key), GGUF_STR);
    put_text(&w->keys, v);
}

static void begin_array(gguf_writer *w, str key, gguf_kind kind, uint64_t n) {
    begin_key(w, key, GGUF_ARRAY);
    put_u32(&w->keys, kind);
    put_u64(&w->keys, n);
}

void gguf_put_array(gguf_writer *w, const char *key, gguf_kind kind, const void *items, size_t n) {
    begin_array(w, str_from(key), kind, n);
    buf_put_bytes(&w->keys, items, n * gguf_kind_bytes(kind));
}

void gguf_put_strs(gguf_writer *w, const char *key, const str *items, size_t n) {
    begin_array(w, str_from(key), GGUF_STR, n);
    for (size_t i = 0; i < n; i++) put_text(&w->keys, items[i]);
}

void gguf_put_value(gguf_writer *w, const gguf_value *v) {
    if (v->kind == GGUF_ARRAY)
        begin_array(w, v->key, v->item_kind, v->count);
    else
        begin_key(w, v->key, v->kind);
    buf_put(&w->keys, v->bytes);
}

/* ---- tensors ---- */

static size_t aligned(const gguf_writer *w, size_t n) {
    return (n + w->alignment - 1) / w->alignment * w->alignment;
}

static err note_size(gguf_writer *w, size_t bytes, fail *f) {
    if (w->n_tensors == w->sizes_cap) {
        size_t cap = w->sizes_cap ? 2 * w->sizes_cap : 512;
        size_t *grown = mem_resize(w->sizes, cap * sizeof *grown);
        if (!grown) return fail_memory(f, w->path);
        w->sizes = grown;
        w->sizes_cap = cap;
    }
    w->sizes[w->n_tensors++] = bytes;
    return E_OK;
}

err gguf_writer_tensor(gguf_writer *w, str name, dtype type, int32_t n_dims, const int64_t *dims,
                       fail *f) {
    size_t bytes;
    char text[TENSOR_PRINT_BYTES];
    TRY(tensor_bytes(type, n_dims, dims, name, &bytes, f));
    if (name.n == 0 || name.n > TENSOR_NAME_BYTES_MAX || w->n_tensors == GGUF_TENSORS_MAX ||
        bytes > SSIZE_MAX / 2 - w->data_bytes)
        return fail_set(f, E_TOO_LARGE, "tensor \"%s\" does not fit a GGUF file",
                        tensor_print_name(name, text));
    TRY(note_size(w, bytes, f));
    note_name(w, 't', name);
    put_text(&w->table, name);
    put_u32(&w->table, (uint32_t)n_dims);
    for (int32_t i = n_dims - 1; i >= 0; i--) put_u64(&w->table, (uint64_t)dims[i]);
    put_u32(&w->table, gguf_type_number(type));
    put_u64(&w->table, w->data_bytes);
    w->data_bytes += aligned(w, bytes);
    return E_OK;
}

static size_t data_start(const gguf_writer *w) {
    return aligned(w, HEAD_BYTES + w->keys.n + w->table.n);
}

int64_t gguf_writer_bytes(const gguf_writer *w) {
    return (int64_t)(data_start(w) + w->data_bytes);
}

/* ---- writing ---- */

static err check_declared(const gguf_writer *w, fail *f) {
    if (w->failed) return fail_memory(f, w->path);
    TRY(buf_ok(&w->keys, f));
    TRY(buf_ok(&w->table, f));
    if (!w->twice && w->n_keys <= GGUF_KEYS_MAX) return E_OK;
    return fail_set(f, E_INPUT, "\"%s\" would have %s", w->path,
                    w->twice ? "a key or a tensor twice" : "too many keys");
}

static err check_space(const gguf_writer *w, fail *f) {
    char dir[FILE_PATH_BYTES];
    int64_t left, bytes = gguf_writer_bytes(w);
    file_dir_of(dir, w->path);
    TRY(file_disk_free(dir, &left, f));
    if (left >= bytes) return E_OK;
    fail_set(f, E_NO_SPACE, "\"%s\" takes %lld kB, and \"%s\" has %lld kB left", w->path,
             (long long)(bytes / 1000 + 1), dir, (long long)(left / 1000));
    return fail_hint(f, "free some space or write it elsewhere");
}

static err put_padding(gguf_writer *w, size_t n, fail *f) {
    static const char zeros[PAD_BYTES];
    return file_draft_put(&w->draft, (str){zeros, n}, f);
}

err gguf_writer_begin(gguf_writer *w, fail *f) {
    const uint32_t version = VERSION;
    char head[HEAD_BYTES] = "GGUF";
    TRY(check_declared(w, f));
    TRY(file_draft_check(w->path, f));
    TRY(check_space(w, f));
    memcpy(head + 4, &version, 4);
    memcpy(head + 8, &w->n_tensors, 8);
    memcpy(head + 16, &w->n_keys, 8);
    TRY(file_draft_open(&w->draft, w->path, f));
    TRY(file_draft_put(&w->draft, (str){head, sizeof head}, f));
    TRY(file_draft_put(&w->draft, buf_str(&w->keys), f));
    TRY(file_draft_put(&w->draft, buf_str(&w->table), f));
    return put_padding(w, data_start(w) - HEAD_BYTES - w->keys.n - w->table.n, f);
}

err gguf_writer_data(gguf_writer *w, const void *bytes, size_t n, fail *f) {
    while (n) {
        CHECK(w->at_tensor < w->n_tensors);
        size_t whole = w->sizes[w->at_tensor], left = whole - w->at_byte, now = n < left ? n : left;
        TRY(file_draft_put(&w->draft, (str){bytes, now}, f));
        bytes = (const char *)bytes + now;
        n -= now;
        w->at_byte += now;
        if (w->at_byte < whole) return E_OK;
        TRY(put_padding(w, aligned(w, whole) - whole, f));
        w->at_tensor++;
        w->at_byte = 0;
    }
    return E_OK;
}

err gguf_writer_commit(gguf_writer *w, fail *f) {
    CHECK(w->at_tensor == w->n_tensors);
    return file_draft_keep(&w->draft, f);
}

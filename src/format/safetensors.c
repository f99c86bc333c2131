/* safetensors.c - see safetensors.h. A part is one file.
 *
 *   u64 header bytes | {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [from, to]}, ..} |
 * data */
#include "format/safetensors.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct slot {
    tensor t;
    const char *foreign; /* why we cannot compute with it, NULL = we can */
    uint64_t from, to;   /* bytes of the data */
} slot;

typedef struct part {
    const char *name;
    file_map map; /* empty: the bytes are the caller's */
    slot *slots;
    size_t n;
} part;

struct safetensors {
    arena arena;
    const char *name; /* of the part being read, then of the whole */
    part *parts;      /* [n_parts] */
    size_t n_parts, n;
    int64_t bytes;
    map index; /* to slots */
};

/* The format's element types. */
static const struct {
    const char *name;
    int64_t bytes;
    int ours; /* dtype or -1 */
} types[] = {
    {"F32", 4, DTYPE_F32}, {"F16", 2, DTYPE_F16}, {"BF16", 2, DTYPE_BF16}, {"F64", 8, -1},
    {"I64", 8, -1},        {"I32", 4, -1},        {"I16", 2, -1},          {"I8", 1, -1},
    {"U64", 8, -1},        {"U32", 4, -1},        {"U16", 2, -1},          {"U8", 1, -1},
    {"BOOL", 1, -1},       {"F8_E4M3", 1, -1},    {"F8_E5M2", 1, -1},
};
enum { TYPES = sizeof types / sizeof *types };

static err corrupt(const safetensors *s, const char *what, str which, fail *f) {
    char name[TENSOR_PRINT_BYTES];
    if (which.n)
        fail_set(f, E_CORRUPT, "\"%s\" is damaged: tensor \"%s\" has %s", s->name,
                 tensor_print_name(which, name), what);
    else
        fail_set(f, E_CORRUPT, "\"%s\" is damaged: %s", s->name, what);
    return fail_hint(f, "fetch the file again; a download may have been cut");
}

static int type_find(str name) {
    for (int i = 0; i < TYPES; i++)
        if (str_is(name, types[i].name)) return i;
    return -1;
}

/* Dimensions of any number into *count; those of the tensor as far as ours can be. */
static err read_shape(const safetensors *s, slot *x, const json *shape, int64_t *count, fail *f) {
    if (!shape || shape->kind != JSON_ARRAY) return corrupt(s, "no shape", x->t.name, f);
    *count = 1;
    for (size_t i = 0; i < shape->count; i++) {
        const json *d = json_at(shape, i);
        if (d->kind != JSON_NUMBER || !d->is_int || d->integer < 0 ||
            __builtin_mul_overflow(*count, d->integer, count))
            return corrupt(s, "an impossible shape", x->t.name, f);
        if (i < TENSOR_DIMS_MAX) x->t.dims[i] = d->integer;
    }
    x->t.n_dims = shape->count ? (int32_t)shape->count : 1; /* [] is a single number */
    if (!shape->count) x->t.dims[0] = 1;
    if (*count == 0) x->foreign = "no numbers in it";
    if (shape->count > TENSOR_DIMS_MAX) x->foreign = "more than four dimensions";
    return E_OK;
}

static bool read_offsets(const json *v, uint64_t data_bytes, slot *x) {
    const json *o = json_get(v, "data_offsets"), *from = json_at(o, 0), *to = json_at(o, 1);
    if (!from || !to || o->count != 2 || from->kind != JSON_NUMBER || to->kind != JSON_NUMBER ||
        !from->is_int || !to->is_int)
        return false;
    if (from->integer < 0 || to->integer < from->integer || (uint64_t)to->integer > data_bytes)
        return false;
    x->from = (uint64_t)from->integer;
    x->to = (uint64_t)to->integer;
    return true;
}

static err read_slot(safetensors *s, slot *x, const json *v, str data, fail *f) {
    str type;
    fail ignored;
    int64_t count = 1, bytes;
    if (json_get_str(v, "dtype", STR(""), &type, &ignored) != E_OK || !type.n)
        return corrupt(s, "no dtype", x->t.name, f);
    int known = type_find(type);
    char name[TENSOR_PRINT_BYTES], text[TENSOR_PRINT_BYTES];
    if (known < 0)
        return fail_set(f, E_UNSUPPORTED, "\"%s\": tensor \"%s\" has the unknown dtype \"%s\"",
                        s->name, tensor_print_name(x->t.name, name), tensor_print_name(type, text));
    if (types[known].ours < 0) x->foreign = types[known].name;
    TRY(read_shape(s, x, json_get(v, "shape"), &count, f));
    if (!read_offsets(v, data.n, x)) return corrupt(s, "offsets outside the file", x->t.name, f);
    if (__builtin_mul_overflow(count, types[known].bytes, &bytes) ||
        (uint64_t)bytes != x->to - x->from)
        return corrupt(s, "offsets that do not fit its shape", x->t.name, f);
    x->t.type = types[known].ours < 0 ? DTYPE_F32 : (dtype)types[known].ours;
    x->t.bytes = (size_t)bytes;
    x->t.data = data.p + x->from;
    return E_OK;
}

static int by_offset(const void *a, const void *b) {
    const slot *x = *(const slot *const *)a, *y = *(const slot *const *)b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* The format allows neither holes nor overlaps. */
static err check_cover(safetensors *s, const part *p, uint64_t data_bytes, fail *f) {
    const slot **order = arena_new_n(&s->arena, const slot *, p->n + 1);
    uint64_t at = 0;
    if (!order) return fail_memory(f, s->name);
    for (size_t i = 0; i < p->n; i++) order[i] = &p->slots[i];
    qsort(order, p->n, sizeof *order, by_offset);
    for (size_t i = 0; i < p->n; i++) {
        if (order[i]->from != at)
            return corrupt(s, "offsets that leave a gap or overlap", order[i]->t.name, f);
        at = order[i]->to;
    }
    return at == data_bytes ? E_OK : corrupt(s, "bytes behind the last tensor", STR(""), f);
}

static err align(safetensors *s, const part *p, fail *f) {
    for (size_t i = 0; i < p->n; i++) {
        tensor *t = &p->slots[i].t;
        if (p->slots[i].foreign || (uintptr_t)t->data % TENSOR_DATA_ALIGN == 0) continue;
        void *copy = arena_alloc_aligned(&s->arena, t->bytes);
        if (!copy) return fail_memory(f, s->name);
        memcpy(copy, t->data, t->bytes);
        t->data = copy;
    }
    return E_OK;
}

static err read_header(safetensors *s, str bytes, const json **out, str *data, fail *f) {
    uint64_t n;
    fail cause = {0};
    if (bytes.n < sizeof n) return corrupt(s, "it is shorter than its header", STR(""), f);
    memcpy(&n, bytes.p, sizeof n);
    if (n > bytes.n - sizeof n) return corrupt(s, "its header ends behind its end", STR(""), f);
    if (n > SAFETENSORS_HEADER_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "\"%s\": a header of %llu bytes is above the limit of %d",
                        s->name, (unsigned long long)n, SAFETENSORS_HEADER_BYTES_MAX);
    *data = (str){bytes.p + sizeof n + n, bytes.n - sizeof n - (size_t)n};
    err e = json_parse(&s->arena, (str){bytes.p + sizeof n, (size_t)n}, out, &cause);
    if (e == E_NO_MEMORY) return fail_memory(f, s->name);
    if (e != E_OK || (*out)->kind != JSON_OBJECT)
        return corrupt(s, "its header is no JSON object", STR(""), f);
    if ((*out)->count > SAFETENSORS_TENSORS_MAX)
        return fail_set(f, E_TOO_LARGE, "\"%s\": %zu tensors are above the limit of %d", s->name,
                        (*out)->count, SAFETENSORS_TENSORS_MAX);
    return E_OK;
}

static err read_part(safetensors *s, part *p, str bytes, fail *f) {
    const json *header;
    str data;
    s->name = p->name;
    s->bytes += (int64_t)bytes.n;
    TRY(read_header(s, bytes, &header, &data, f));
    p->slots = arena_new_n(&s->arena, slot, header->count + 1);
    if (!p->slots) return fail_memory(f, s->name);
    for (size_t i = 0; i < header->count; i++) {
        const json_member *m = &header->members[i];
        if (str_is(m->key, "__metadata__")) continue;
        slot *x = &p->slots[p->n];
        x->t.name = m->key;
        TRY(read_slot(s, x, &m->value, data, f));
        if (map_find(&s->index, m->key)) return corrupt(s, "a twin in another file", m->key, f);
        TRY(map_put_ptr(&s->index, m->key, x, f));
        p->n++;
    }
    s->n += p->n;
    TRY(check_cover(s, p, data.n, f));
    return align(s, p, f);
}

static err begin(safetensors **out, const char *name, size_t parts, fail *f) {
    safetensors *s = mem_zero(sizeof *s);
    if (!s) return fail_memory(f, name);
    arena_init(&s->arena, 0);
    map_init(&s->index, NULL);
    s->name = arena_z(&s->arena, str_from(name));
    s->parts = arena_new_n(&s->arena, part, parts);
    if (!s->name || !s->parts) {
        safetensors_close(s);
        return fail_memory(f, name);
    }
    *out = s;
    return E_OK;
}

err safetensors_open(safetensors **out, str bytes, const char *name, fail *f) {
    safetensors *s;
    TRY(begin(&s, name, 1, f));
    s->n_parts = 1;
    s->parts[0].name = s->name;
    err e = read_part(s, &s->parts[0], bytes, f);
    if (e != E_OK) {
        safetensors_close(s);
        return e;
    }
    *out = s;
    return E_OK;
}

/* ---- folders ---- */

static err map_part(safetensors *s, const char *folder, str file, fail *f) {
    char path[FILE_PATH_BYTES], name[256];
    part *p = &s->parts[s->n_parts++];
    snprintf(name, sizeof name, "%.*s", STR_ARG(file));
    TRY(file_join(path, folder, name, f));
    p->name = arena_z(&s->arena, str_from(path));
    if (!p->name) return fail_memory(f, path);
    err e = file_map_open(&p->map, path, f);
    if (e == E_NOT_FOUND)
        return fail_hint(f, "the folder is not whole: fetch this file of it, too");
    TRY(e);
    return read_part(s, p, (str){(const char *)p->map.p, p->map.n}, f);
}

/* An index may name files beside it, nothing else. */
static bool is_plain_name(str file) {
    return file.n > 0 && file.n < 256 && file.p[0] != '.' &&
           str_find_char(file, '/') == STR_INDEX_NONE && str_find_char(file, 0) == STR_INDEX_NONE &&
           str_ends(file, STR(".safetensors"));
}

/* The files that the index names, each once, into files[]; the map says which is a tensor's. */
static err list_shards(safetensors *s, const json *weight_map, map *files, str *names, size_t *n,
                       fail *f) {
    char text[TENSOR_PRINT_BYTES];
    *n = 0;
    for (size_t i = 0; i < weight_map->count; i++) {
        const json *file = &weight_map->members[i].value;
        if (file->kind != JSON_STRING || !is_plain_name(file->string))
            return corrupt(s, "no file of this folder in the index", weight_map->members[i].key, f);
        if (map_find(files, file->string)) continue;
        if (*n == SAFETENSORS_SHARDS_MAX)
            return fail_set(f, E_TOO_LARGE, "\"%s\" names more than %d files, such as \"%s\"",
                            s->name, SAFETENSORS_SHARDS_MAX, tensor_print_name(file->string, text));
        TRY(map_put(files, file->string, (int64_t)*n, f));
        names[(*n)++] = file->string;
    }
    return E_OK;
}

static const part *part_of(const safetensors *s, const slot *x) {
    size_t i = 0;
    while (x < s->parts[i].slots || x >= s->parts[i].slots + s->parts[i].n) i++;
    return &s->parts[i];
}

/* Each tensor of the index stands in the file it names. */
static err check_index(const safetensors *s, const json *weight_map, const map *files, fail *f) {
    for (size_t i = 0; i < weight_map->count; i++) {
        const json_member *m = &weight_map->members[i];
        const slot *x = map_get_ptr(&s->index, m->key);
        int64_t file = -1;
        (void)map_get(files, m->value.string, &file);
        if (!x || part_of(s, x) - s->parts != file)
            return corrupt(s, "no place in the file that the index names", m->key, f);
    }
    return E_OK;
}

static err read_shards(safetensors *s, const char *folder, const json *weight_map, map *files,
                       fail *f) {
    const char *index_name = s->name;
    str *names = arena_new_n(&s->arena, str, SAFETENSORS_SHARDS_MAX);
    size_t n;
    if (!names) return fail_memory(f, s->name);
    TRY(list_shards(s, weight_map, files, names, &n, f));
    for (size_t i = 0; i < n; i++) TRY(map_part(s, folder, names[i], f));
    s->name = index_name;
    return check_index(s, weight_map, files, f);
}

static err open_index(safetensors **out, const char *folder, const char *path, fail *f) {
    safetensors *s;
    const json *index, *weight_map;
    str text;
    map files;
    fail cause = {0};
    TRY(begin(&s, path, SAFETENSORS_SHARDS_MAX, f));
    map_init(&files, NULL);
    err e = file_read(&s->arena, path, SAFETENSORS_HEADER_BYTES_MAX, &text, f);
    if (e == E_OK && json_parse(&s->arena, text, &index, &cause) != E_OK)
        e = cause.code == E_NO_MEMORY ? fail_memory(f, path)
                                      : corrupt(s, "it is no JSON", STR(""), f);
    if (e == E_OK) {
        weight_map = json_get(index, "weight_map");
        e = weight_map && weight_map->kind == JSON_OBJECT && weight_map->count
                ? read_shards(s, folder, weight_map, &files, f)
                : corrupt(s, "it has no \"weight_map\"", STR(""), f);
    }
    map_deinit(&files);
    if (e == E_OK)
        *out = s;
    else
        safetensors_close(s);
    return e;
}

err safetensors_open_folder(safetensors **out, const char *folder, fail *f) {
    char path[FILE_PATH_BYTES];
    safetensors *s;
    TRY(file_join(path, folder, "model.safetensors", f));
    if (!file_exists(path)) {
        TRY(file_join(path, folder, "model.safetensors.index.json", f));
        if (file_exists(path)) return open_index(out, folder, path, f);
        fail_set(f, E_NOT_FOUND, "\"%s\" has no model.safetensors", folder);
        return fail_hint(f, "nor a model.safetensors.index.json; PyTorch's own .bin files are not "
                            "read");
    }
    TRY(begin(&s, path, 1, f));
    err e = map_part(s, folder, STR("model.safetensors"), f);
    if (e == E_OK)
        *out = s;
    else
        safetensors_close(s);
    return e;
}

void safetensors_close(safetensors *s) {
    if (!s) return;
    for (size_t i = 0; i < s->n_parts; i++) file_map_close(&s->parts[i].map);
    map_deinit(&s->index);
    arena_deinit(&s->arena);
    mem_free(s);
}

void safetensors_release(const safetensors *s) {
    for (size_t i = 0; i < s->n_parts; i++) file_map_release(&s->parts[i].map);
}

void safetensors_release_part(const safetensors *s, const void *p, size_t n) {
    for (size_t i = 0; i < s->n_parts; i++) file_map_release_part(&s->parts[i].map, p, n);
}

bool safetensors_copy(const safetensors *s, const void *p, size_t n, void *out) {
    for (size_t i = 0; i < s->n_parts; i++)
        if (file_map_copy(&s->parts[i].map, p, n, out)) return true;
    return false;
}

int64_t safetensors_mtime_ns(const safetensors *s) {
    int64_t newest = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].map.mtime_ns > newest) newest = s->parts[i].map.mtime_ns;
    return newest;
}

int64_t safetensors_bytes(const safetensors *s) {
    return s->bytes;
}

const tensor *safetensors_at(const safetensors *s, size_t index, const char **foreign) {
    size_t p = 0;
    CHECK(index < s->n);
    for (; index >= s->parts[p].n; p++) index -= s->parts[p].n;
    *foreign = s->parts[p].slots[index].foreign;
    return &s->parts[p].slots[index].t;
}

size_t safetensors_count(const safetensors *s) {
    return s->n;
}

err safetensors_tensor(const safetensors *s, str name, const tensor **out, fail *f) {
    char text[TENSOR_PRINT_BYTES];
    const slot *x = map_get_ptr(&s->index, name);
    if (!x)
        return fail_set(f, E_NOT_FOUND, "\"%s\" has no tensor \"%s\"", s->name,
                        tensor_print_name(name, text));
    if (x->foreign) {
        fail_set(f, E_UNSUPPORTED, "\"%s\": we cannot compute with tensor \"%s\": %s", s->name,
                 tensor_print_name(name, text), x->foreign);
        return fail_hint(f, "F32, F16 and BF16 of up to %d dimensions are computed with",
                         TENSOR_DIMS_MAX);
    }
    *out = &x->t;
    return E_OK;
}

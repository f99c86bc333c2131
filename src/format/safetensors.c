/* safetensors.c - see safetensors.h.
 *
 *   u64 header bytes | {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [from, to]}, ..} |
 * data */
#include "format/safetensors.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

typedef struct slot {
    tensor t;
    const char *foreign; /* why we cannot compute with it, NULL = we can */
    uint64_t from, to;   /* bytes of the data */
} slot;

struct safetensors {
    arena arena;
    const char *name;
    slot *slots;
    size_t n;
    map index;
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
static err check_cover(safetensors *s, uint64_t data_bytes, fail *f) {
    const slot **order = arena_new_n(&s->arena, const slot *, s->n + 1);
    uint64_t at = 0;
    if (!order) return fail_memory(f, s->name);
    for (size_t i = 0; i < s->n; i++) order[i] = &s->slots[i];
    qsort(order, s->n, sizeof *order, by_offset);
    for (size_t i = 0; i < s->n; i++) {
        if (order[i]->from != at)
            return corrupt(s, "offsets that leave a gap or overlap", order[i]->t.name, f);
        at = order[i]->to;
    }
    return at == data_bytes ? E_OK : corrupt(s, "bytes behind the last tensor", STR(""), f);
}

static err align(safetensors *s, fail *f) {
    for (size_t i = 0; i < s->n; i++) {
        tensor *t = &s->slots[i].t;
        if (s->slots[i].foreign || (uintptr_t)t->data % TENSOR_DATA_ALIGN == 0) continue;
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

static err read_all(safetensors *s, str bytes, fail *f) {
    const json *header;
    str data;
    TRY(read_header(s, bytes, &header, &data, f));
    s->slots = arena_new_n(&s->arena, slot, header->count + 1);
    if (!s->slots) return fail_memory(f, s->name);
    for (size_t i = 0; i < header->count; i++) {
        const json_member *m = &header->members[i];
        if (str_is(m->key, "__metadata__")) continue;
        slot *x = &s->slots[s->n];
        x->t.name = m->key;
        TRY(read_slot(s, x, &m->value, data, f));
        TRY(map_put(&s->index, m->key, (int64_t)s->n, f));
        s->n++;
    }
    TRY(check_cover(s, data.n, f));
    return align(s, f);
}

err safetensors_open(safetensors **out, str bytes, const char *name, fail *f) {
    safetensors *s = mem_zero(sizeof *s);
    if (!s) return fail_memory(f, name);
    arena_init(&s->arena, 0);
    map_init(&s->index, NULL);
    s->name = arena_z(&s->arena, str_from(name));
    err e = s->name ? read_all(s, bytes, f) : fail_memory(f, name);
    if (e != E_OK) {
        safetensors_close(s);
        return e;
    }
    *out = s;
    return E_OK;
}

void safetensors_close(safetensors *s) {
    if (!s) return;
    map_deinit(&s->index);
    arena_deinit(&s->arena);
    mem_free(s);
}

size_t safetensors_count(const safetensors *s) {
    return s->n;
}

err safetensors_tensor(const safetensors *s, str name, const tensor **out, fail *f) {
    int64_t i;
    char text[TENSOR_PRINT_BYTES];
    if (!map_get(&s->index, name, &i))
        return fail_set(f, E_NOT_FOUND, "\"%s\" has no tensor \"%s\"", s->name,
                        tensor_print_name(name, text));
    if (s->slots[i].foreign) {
        fail_set(f, E_UNSUPPORTED, "\"%s\": we cannot compute with tensor \"%s\": %s", s->name,
                 tensor_print_name(name, text), s->slots[i].foreign);
        return fail_hint(f, "F32, F16 and BF16 of up to %d dimensions are computed with",
                         TENSOR_DIMS_MAX);
    }
    *out = &s->slots[i].t;
    return E_OK;
}

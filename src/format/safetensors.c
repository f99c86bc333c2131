/* safetensors.c - see safetensors.h. */
#include "format/safetensors.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "text/json.h"

#include <string.h>

typedef struct slot {
    tensor t;
    bool known; /* a type we compute with */
    str type;
} slot;

struct safetensors {
    arena arena;
    const char *name;
    slot *slots;
    size_t n;
    map index;
};

static err corrupt(const safetensors *s, const char *what, str which, fail *f) {
    fail_set(f, E_CORRUPT, "\"%s\" is damaged: %s%s%.*s%s", s->name, what,
             which.n ? " (tensor \"" : "", STR_ARG(which), which.n ? "\")" : "");
    return fail_hint(f, "fetch the file again; a download may have been cut");
}

static bool type_of(str name, dtype *out) {
    static const dtype known[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(name, dtype_get(known[i])->name)) {
            *out = known[i];
            return true;
        }
    return false;
}

static err read_shape(const safetensors *s, slot *x, const json *shape, fail *f) {
    if (!shape || shape->kind != JSON_ARRAY || shape->count > TENSOR_DIMS_MAX)
        return corrupt(s, "a shape that is none", x->t.name, f);
    x->t.n_dims = shape->count ? (int32_t)shape->count : 1; /* [] is a single number */
    x->t.dims[0] = 1;
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->items[i].kind != JSON_NUMBER || !shape->items[i].is_int ||
            shape->items[i].integer < 1)
            return corrupt(s, "a dimension that is none", x->t.name, f);
        x->t.dims[i] = shape->items[i].integer;
    }
    return E_OK;
}

static err read_slot(safetensors *s, slot *x, const json *v, str data, fail *f) {
    const json *offsets = json_get(v, "data_offsets"), *from = json_at(offsets, 0),
               *to = json_at(offsets, 1);
    fail ignored;
    if (json_get_str(v, "dtype", STR(""), &x->type, &ignored) != E_OK || !x->type.n)
        return corrupt(s, "no dtype", x->t.name, f);
    TRY(read_shape(s, x, json_get(v, "shape"), f));
    if (!from || !to || !from->is_int || !to->is_int || offsets->count != 2 || from->integer < 0 ||
        to->integer < from->integer || (uint64_t)to->integer > data.n)
        return corrupt(s, "offsets outside the file", x->t.name, f);
    x->t.data = data.p + from->integer;
    x->t.bytes = (size_t)(to->integer - from->integer);
    x->known = type_of(x->type, &x->t.type);
    if (!x->known) return E_OK;
    size_t bytes;
    TRY(tensor_bytes(x->t.type, x->t.n_dims, x->t.dims, x->t.name, &bytes, f));
    return bytes == x->t.bytes ? E_OK
                               : corrupt(s, "offsets that do not fit the shape", x->t.name, f);
}

static err read_all(safetensors *s, str bytes, fail *f) {
    uint64_t n;
    const json *header;
    fail cause = {0};
    if (bytes.n < 8) return corrupt(s, "shorter than its header", STR(""), f);
    memcpy(&n, bytes.p, sizeof n);
    if (n > SAFETENSORS_HEADER_BYTES_MAX || n > bytes.n - 8)
        return corrupt(s, "an impossible header length", STR(""), f);
    err e = json_parse(&s->arena, (str){bytes.p + 8, (size_t)n}, &header, &cause);
    if (e == E_NO_MEMORY) return fail_memory(f, s->name);
    if (e != E_OK || header->kind != JSON_OBJECT)
        return corrupt(s, "a header that is not JSON", STR(""), f);
    if (header->count > SAFETENSORS_TENSORS_MAX) return corrupt(s, "too many tensors", STR(""), f);
    s->slots = arena_new_n(&s->arena, slot, header->count + 1);
    if (!s->slots) return fail_memory(f, s->name);
    str data = {bytes.p + 8 + n, bytes.n - 8 - (size_t)n};
    for (size_t i = 0; i < header->count; i++) {
        if (str_is(header->members[i].key, "__metadata__")) continue;
        slot *x = &s->slots[s->n];
        x->t.name = header->members[i].key;
        if (map_find(&s->index, x->t.name))
            return corrupt(s, "a tensor that stands twice", x->t.name, f);
        TRY(read_slot(s, x, &header->members[i].value, data, f));
        TRY(map_put(&s->index, x->t.name, (int64_t)s->n, f));
        s->n++;
    }
    return E_OK;
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
    if (!map_get(&s->index, name, &i))
        return fail_set(f, E_NOT_FOUND, "\"%s\" has no tensor \"%.*s\"", s->name, STR_ARG(name));
    if (!s->slots[i].known)
        return fail_set(f, E_UNSUPPORTED,
                        "\"%s\": tensor \"%.*s\" is %.*s; F32, F16 and BF16 are computed with",
                        s->name, STR_ARG(name), STR_ARG(s->slots[i].type));
    *out = &s->slots[i].t;
    return E_OK;
}

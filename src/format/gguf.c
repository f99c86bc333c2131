/* gguf.c - see gguf.h.
 *
 *   "GGUF" u32 version u64 tensors u64 keys
 *   keys    x { string key, u32 type, value }          string = u64 bytes, text
 *   tensors x { string name, u32 n_dims, u64 dims[n_dims] (innermost first), u32 type, u64 offset }
 *   padding to alignment, then the tensors' bytes at their offsets */
#include "format/gguf.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { ALIGNMENT = 32, ALIGNMENT_MAX = 1 << 16, TYPES_KNOWN = 42 };

static const uint8_t kind_bytes[GGUF_KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* GGUF's tensor types: name for people, block layout (0: obsolete), and ours where we compute with
 * it */
static const struct {
    const char *name;
    int32_t block, bytes;
    int ours; /* dtype or -1 */
} types[TYPES_KNOWN] = {
    [0] = {"F32", 1, 4, DTYPE_F32},
    [1] = {"F16", 1, 2, DTYPE_F16},
    [2] = {"Q4_0", 32, 18, DTYPE_Q4_0},
    [3] = {"Q4_1", 32, 20, DTYPE_Q4_1},
    [6] = {"Q5_0", 32, 22, DTYPE_Q5_0},
    [7] = {"Q5_1", 32, 24, DTYPE_Q5_1},
    [8] = {"Q8_0", 32, 34, DTYPE_Q8_0},
    [9] = {"Q8_1", 32, 36, -1},
    [10] = {"Q2_K", 256, 84, DTYPE_Q2_K},
    [11] = {"Q3_K", 256, 110, DTYPE_Q3_K},
    [12] = {"Q4_K", 256, 144, DTYPE_Q4_K},
    [13] = {"Q5_K", 256, 176, DTYPE_Q5_K},
    [14] = {"Q6_K", 256, 210, DTYPE_Q6_K},
    [15] = {"Q8_K", 256, 292, -1},
    [16] = {"IQ2_XXS", 256, 66, -1},
    [17] = {"IQ2_XS", 256, 74, -1},
    [18] = {"IQ3_XXS", 256, 98, -1},
    [19] = {"IQ1_S", 256, 50, -1},
    [20] = {"IQ4_NL", 32, 18, DTYPE_IQ4_NL},
    [21] = {"IQ3_S", 256, 110, -1},
    [22] = {"IQ2_S", 256, 82, -1},
    [23] = {"IQ4_XS", 256, 136, DTYPE_IQ4_XS},
    [24] = {"I8", 1, 1, -1},
    [25] = {"I16", 1, 2, -1},
    [26] = {"I32", 1, 4, -1},
    [27] = {"I64", 1, 8, -1},
    [28] = {"F64", 1, 8, -1},
    [29] = {"IQ1_M", 256, 56, -1},
    [30] = {"BF16", 1, 2, DTYPE_BF16},
    [34] = {"TQ1_0", 256, 54, -1},
    [35] = {"TQ2_0", 256, 66, -1},
    [39] = {"MXFP4", 32, 17, -1},
    [40] = {"NVFP4", 64, 36, -1},
    [41] = {"Q1_0", 128, 18, -1},
};

typedef struct entry { /* one key: where its value lies */
    uint32_t kind, item_kind;
    uint64_t count; /* array items */
    size_t at, end; /* offset of the value (array: of the first item), and behind it */
    str key;
} entry;

typedef struct slot {
    tensor t;
    uint32_t type;
} slot;

struct gguf {
    arena arena;
    str bytes;
    const char *name;
    int32_t version;
    uint64_t alignment;
    entry *entries;
    slot *slots;
    size_t n_slots, n_entries;
    map keys, tensors; /* to index */
};

/* ---- reading bytes ---- */

typedef struct reader {
    gguf *g;
    size_t at;
    fail *f;
} reader;

static err corrupt(const reader *r, const char *what) {
    fail_set(r->f, E_CORRUPT, "\"%s\" is damaged at byte %zu: %s", r->g->name, r->at, what);
    return fail_hint(r->f, "fetch the file again; a download may have been cut");
}

static err take(reader *r, void *out, size_t n) {
    if (r->g->bytes.n - r->at < n) return corrupt(r, "the file ends here");
    memcpy(out, r->g->bytes.p + r->at, n);
    r->at += n;
    return E_OK;
}

static err take_u32(reader *r, uint32_t *out) {
    return take(r, out, sizeof *out);
}
static err take_u64(reader *r, uint64_t *out) {
    return take(r, out, sizeof *out);
}

static err take_str(reader *r, str *out) {
    uint64_t n = 0;
    TRY(take_u64(r, &n));
    if (n > r->g->bytes.n - r->at) return corrupt(r, "a string is longer than the file");
    *out = (str){r->g->bytes.p + r->at, (size_t)n};
    r->at += (size_t)n;
    return E_OK;
}

static err skip(reader *r, uint64_t n) {
    if (n > r->g->bytes.n - r->at) return corrupt(r, "the file ends here");
    r->at += (size_t)n;
    return E_OK;
}

static err skip_array(reader *r, entry *e) {
    TRY(take_u32(r, &e->item_kind));
    TRY(take_u64(r, &e->count));
    if (e->item_kind >= GGUF_KINDS || e->item_kind == GGUF_ARRAY)
        return corrupt(r, "an array of an unknown type");
    if (e->count > GGUF_ARRAY_MAX) return corrupt(r, "an array with too many items");
    e->at = r->at;
    if (e->item_kind != GGUF_STR) return skip(r, e->count * kind_bytes[e->item_kind]);
    for (uint64_t i = 0; i < e->count; i++) {
        str s;
        TRY(take_str(r, &s));
    }
    return E_OK;
}

static err read_entry(reader *r, entry *e, str *key) {
    str s;
    TRY(take_str(r, key));
    TRY(take_u32(r, &e->kind));
    if (key->n == 0 || key->n > 65535) return corrupt(r, "a key with an impossible length");
    if (e->kind >= GGUF_KINDS) return corrupt(r, "a value of an unknown type");
    e->at = r->at;
    if (e->kind == GGUF_ARRAY) return skip_array(r, e);
    if (e->kind == GGUF_STR) return take_str(r, &s);
    return skip(r, kind_bytes[e->kind]);
}

static err read_dims(reader *r, tensor *t) {
    uint32_t n = 0;
    TRY(take_u32(r, &n));
    if (n < 1 || n > TENSOR_DIMS_MAX)
        return corrupt(r, "a tensor with an impossible number of dimensions");
    t->n_dims = (int32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t d = 0;
        TRY(take_u64(r, &d));
        if (d < 1 || d > INT64_MAX) return corrupt(r, "a tensor with an impossible dimension");
        t->dims[n - 1 - i] = (int64_t)d;
    }
    return E_OK;
}

/* Size of any type that GGUF has, also of those we cannot compute with. */
static err size_of(reader *r, slot *s) {
    const int32_t block = types[s->type].block;
    int64_t count = 1, bytes;
    bool fits = true;
    for (int32_t i = 0; i < s->t.n_dims; i++)
        fits = fits && !__builtin_mul_overflow(count, s->t.dims[i], &count);
    if (!fits || s->t.dims[s->t.n_dims - 1] % block ||
        __builtin_mul_overflow(count / block, (int64_t)types[s->type].bytes, &bytes))
        return corrupt(r, "a tensor whose shape does not fit its type");
    s->t.bytes = (size_t)bytes;
    return E_OK;
}

static err read_slot(reader *r, slot *s, uint64_t *offset) {
    char name[TENSOR_PRINT_BYTES];
    TRY(take_str(r, &s->t.name));
    if (s->t.name.n == 0 || s->t.name.n > TENSOR_NAME_BYTES_MAX)
        return corrupt(r, "a tensor name with an impossible length");
    TRY(read_dims(r, &s->t));
    TRY(take_u32(r, &s->type));
    TRY(take_u64(r, offset));
    if (s->type >= TYPES_KNOWN || !types[s->type].name)
        return fail_set(r->f, E_UNSUPPORTED,
                        "\"%s\": tensor \"%s\" has type number %u, which we do not know",
                        r->g->name, tensor_print_name(s->t.name, name), s->type);
    TRY(size_of(r, s));
    if (types[s->type].ours >= 0) s->t.type = (dtype)types[s->type].ours;
    return E_OK;
}

/* Tensors follow each other with nothing but padding between, as llama.cpp demands too: so none
 * overlaps another and no small file poses as a large one. *next: where this one must begin. */
static err place(reader *r, slot *s, uint64_t start, uint64_t offset, uint64_t *next) {
    gguf *g = r->g;
    char name[TENSOR_PRINT_BYTES];
    if (offset != *next) {
        fail_set(r->f, E_CORRUPT, "\"%s\": tensor \"%s\" begins at %llu of the data, not at %llu",
                 g->name, tensor_print_name(s->t.name, name), (unsigned long long)offset,
                 (unsigned long long)*next);
        return fail_hint(r->f, "fetch the file again; it is damaged");
    }
    if (start > g->bytes.n || offset > g->bytes.n - start ||
        s->t.bytes > g->bytes.n - start - offset) {
        fail_set(r->f, E_CORRUPT, "\"%s\" is cut: tensor \"%s\" ends behind the end of the file",
                 g->name, tensor_print_name(s->t.name, name));
        return fail_hint(r->f, "fetch the file again; a download may have been cut");
    }
    s->t.data = g->bytes.p + start + offset;
    *next = (offset + s->t.bytes + g->alignment - 1) / g->alignment * g->alignment;
    return E_OK;
}

static err read_keys(reader *r, uint64_t n) {
    gguf *g = r->g;
    g->entries = arena_new_n(&g->arena, entry, n + 1);
    if (!g->entries) return fail_memory(r->f, g->name);
    for (uint64_t i = 0; i < n; i++) {
        str key;
        TRY(read_entry(r, &g->entries[i], &key));
        g->entries[i].key = key;
        g->entries[i].end = r->at;
        g->n_entries++;
        if (map_find(&g->keys, key)) return corrupt(r, "a key that stands twice");
        TRY(map_put(&g->keys, key, (int64_t)i, r->f));
    }
    return E_OK;
}

static err read_tensors(reader *r, uint64_t n) {
    gguf *g = r->g;
    uint64_t *offsets = arena_new_n(&g->arena, uint64_t, n + 1);
    g->slots = arena_new_n(&g->arena, slot, n + 1);
    if (!g->slots || !offsets) return fail_memory(r->f, g->name);
    for (uint64_t i = 0; i < n; i++) {
        TRY(read_slot(r, &g->slots[i], &offsets[i]));
        if (map_find(&g->tensors, g->slots[i].t.name))
            return corrupt(r, "a tensor that stands twice");
        TRY(map_put(&g->tensors, g->slots[i].t.name, (int64_t)i, r->f));
    }
    g->n_slots = (size_t)n;
    uint64_t start = (r->at + g->alignment - 1) / g->alignment * g->alignment;
    if (n && (uintptr_t)g->bytes.p % TENSOR_DATA_ALIGN)
        return fail_set(r->f, E_USAGE, "\"%s\" lies at an address that is not a multiple of %d",
                        g->name, TENSOR_DATA_ALIGN);
    uint64_t next = 0;
    for (uint64_t i = 0; i < n; i++) TRY(place(r, &g->slots[i], start, offsets[i], &next));
    return E_OK;
}

static err read_all(reader *r) {
    gguf *g = r->g;
    char magic[4];
    uint32_t version;
    uint64_t tensors, keys;
    int64_t alignment;
    TRY(take(r, magic, 4));
    if (memcmp(magic, "GGUF", 4) != 0)
        return fail_set(r->f, E_CORRUPT, "\"%s\" is not a GGUF file", g->name);
    TRY(take_u32(r, &version));
    if (version != 2 && version != 3)
        return fail_set(r->f, E_UNSUPPORTED, "\"%s\" is GGUF version %u; 2 and 3 are read", g->name,
                        version);
    g->version = (int32_t)version;
    TRY(take_u64(r, &tensors));
    TRY(take_u64(r, &keys));
    /* a key takes 13 bytes at least, a tensor 33: counts beyond that are damage, not a reason to
     * allocate */
    if (keys > GGUF_KEYS_MAX || keys > g->bytes.n / 13)
        return corrupt(r, "an impossible number of keys");
    if (tensors > GGUF_TENSORS_MAX || tensors > g->bytes.n / 33)
        return corrupt(r, "an impossible number of tensors");
    TRY(read_keys(r, keys));
    TRY(gguf_get_int(g, "general.alignment", ALIGNMENT, &alignment, r->f));
    if (alignment < TENSOR_DATA_ALIGN || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)))
        return corrupt(r, "an impossible alignment");
    g->alignment = (uint64_t)alignment;
    return read_tensors(r, tensors);
}

err gguf_open(gguf **out, str bytes, const char *name, fail *f) {
    gguf *g = mem_zero(sizeof *g);
    if (!g) return fail_memory(f, name);
    arena_init(&g->arena, 0);
    map_init(&g->keys, NULL);
    map_init(&g->tensors, NULL);
    g->bytes = bytes;
    g->name = arena_z(&g->arena, str_from(name));
    reader r = {.g = g, .f = f};
    err e = g->name ? read_all(&r) : fail_memory(f, name);
    if (e != E_OK) {
        gguf_close(g);
        return e;
    }
    *out = g;
    return E_OK;
}

void gguf_close(gguf *g) {
    if (!g) return;
    map_deinit(&g->keys);
    map_deinit(&g->tensors);
    arena_deinit(&g->arena);
    mem_free(g);
}

/* ---- asking ---- */

int32_t gguf_version(const gguf *g) {
    return g->version;
}
size_t gguf_tensor_count(const gguf *g) {
    return g->n_slots;
}

err gguf_tensor(const gguf *g, str name, const tensor **out, fail *f) {
    int64_t i;
    if (!map_get(&g->tensors, name, &i))
        return fail_set(f, E_NOT_FOUND, "\"%s\" has no tensor \"%.*s\"", g->name, STR_ARG(name));
    const slot *s = &g->slots[i];
    if (types[s->type].ours < 0) {
        fail_set(f, E_UNSUPPORTED, "\"%s\": tensor \"%.*s\" is %s, which we cannot compute with",
                 g->name, STR_ARG(name), types[s->type].name);
        return fail_hint(f, "take the model in F16, Q8_0, Q4_K_M or another of the common types");
    }
    *out = &s->t;
    return E_OK;
}

err gguf_tensor_at(const gguf *g, size_t index, tensor *out, const char **type_name, fail *f) {
    if (index >= g->n_slots)
        return fail_set(f, E_NOT_FOUND, "\"%s\" has no tensor %zu", g->name, index);
    const slot *s = &g->slots[index];
    *out = s->t;
    *type_name = types[s->type].name;
    if (types[s->type].ours < 0) out->data = NULL;
    return E_OK;
}

err gguf_check_whole(const gguf *g, fail *f) {
    int64_t parts, part;
    TRY(gguf_get_int(g, "split.count", 1, &parts, f));
    TRY(gguf_get_int(g, "split.no", 0, &part, f));
    if (parts <= 1) return E_OK;
    fail_set(f, E_UNSUPPORTED, "\"%s\" is part %lld of %lld of a model", g->name,
             (long long)part + 1, (long long)parts);
    return fail_hint(f,
                     "join the parts first: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf");
}

size_t gguf_kind_bytes(gguf_kind k) {
    return kind_bytes[k];
}

uint32_t gguf_type_number(dtype t) {
    uint32_t i = 0;
    while (types[i].ours != (int)t || !types[i].name) i++;
    return i;
}

const char *gguf_file_type_name(int64_t type) {
    static const struct {
        int64_t type;
        const char *name;
    } rows[] = {{0, "F32"},     {1, "F16"},     {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
                {8, "Q5_0"},    {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},
                {13, "Q3_K_L"}, {14, "Q4_K_S"}, {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},
                {18, "Q6_K"},   {25, "IQ4_NL"}, {30, "IQ4_XS"}, {32, "BF16"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type) return rows[i].name;
    return NULL;
}

size_t gguf_key_count(const gguf *g) {
    return g->n_entries;
}

gguf_value gguf_key_at(const gguf *g, size_t index) {
    CHECK(index < g->n_entries);
    const entry *e = &g->entries[index];
    return (gguf_value){.key = e->key,
                        .kind = (gguf_kind)e->kind,
                        .item_kind = (gguf_kind)e->item_kind,
                        .count = e->count,
                        .bytes = {g->bytes.p + e->at, e->end - e->at}};
}

static const entry *find(const gguf *g, const char *key) {
    int64_t i;
    return map_get(&g->keys, str_from(key), &i) ? &g->entries[i] : NULL;
}

bool gguf_has(const gguf *g, const char *key) {
    return find(g, key) != NULL;
}

static err wrong(const gguf *g, const char *key, const char *wanted, fail *f) {
    return fail_set(f, E_CORRUPT, "\"%s\": \"%s\" is not %s", g->name, key, wanted);
}

/* Any integer type at `at`; u64 beyond int64 is refused. */
static bool int_at(const gguf *g, uint32_t kind, size_t at, int64_t *out) {
    uint8_t raw[8] = {0};
    if (kind == GGUF_F32 || kind == GGUF_F64 || kind == GGUF_STR || kind == GGUF_ARRAY ||
        kind == GGUF_BOOL)
        return false;
    memcpy(raw, g->bytes.p + at, kind_bytes[kind]);
    uint64_t u;
    memcpy(&u, raw, sizeof u);
    switch (kind) {
    case GGUF_I8: *out = (int8_t)u; return true;
    case GGUF_I16: *out = (int16_t)u; return true;
    case GGUF_I32: *out = (int32_t)u; return true;
    default: break;
    }
    *out = (int64_t)u;
    return kind == GGUF_I64 || u <= INT64_MAX;
}

static bool float_at(const gguf *g, uint32_t kind, size_t at, double *out) {
    float small;
    int64_t whole;
    if (kind == GGUF_F32) {
        memcpy(&small, g->bytes.p + at, sizeof small);
        *out = (double)small;
        return true;
    }
    if (kind == GGUF_F64) {
        memcpy(out, g->bytes.p + at, sizeof *out);
        return true;
    }
    if (!int_at(g, kind, at, &whole)) return false;
    *out = (double)whole;
    return true;
}

static str str_at(const gguf *g, size_t at, size_t *next) {
    uint64_t n = 0;
    memcpy(&n, g->bytes.p + at, sizeof n);
    *next = at + 8 + (size_t)n;
    return (str){g->bytes.p + at + 8, (size_t)n};
}

err gguf_get_str(const gguf *g, const char *key, str fallback, str *out, fail *f) {
    const entry *e = find(g, key);
    size_t next;
    if (e && e->kind != GGUF_STR) return wrong(g, key, "a string", f);
    *out = e ? str_at(g, e->at, &next) : fallback;
    return E_OK;
}

err gguf_get_int(const gguf *g, const char *key, int64_t fallback, int64_t *out, fail *f) {
    const entry *e = find(g, key);
    int64_t v = fallback;
    if (e && !int_at(g, e->kind, e->at, &v)) return wrong(g, key, "a whole number", f);
    *out = v;
    return E_OK;
}

err gguf_get_float(const gguf *g, const char *key, double fallback, double *out, fail *f) {
    const entry *e = find(g, key);
    double v = fallback;
    if (e && (!float_at(g, e->kind, e->at, &v) || !isfinite(v)))
        return wrong(g, key, "a finite number", f);
    *out = v;
    return E_OK;
}

err gguf_get_bool(const gguf *g, const char *key, bool fallback, bool *out, fail *f) {
    const entry *e = find(g, key);
    if (e && e->kind != GGUF_BOOL) return wrong(g, key, "true or false", f);
    *out = e ? g->bytes.p[e->at] != 0 : fallback;
    return E_OK;
}

static err array_of(const gguf *g, const char *key, bool strings, const entry **out, fail *f) {
    const entry *e = find(g, key);
    *out = e;
    if (!e) return E_OK;
    if (e->kind != GGUF_ARRAY || (e->item_kind == GGUF_STR) != strings)
        return wrong(g, key, strings ? "an array of strings" : "an array of numbers", f);
    return E_OK;
}

err gguf_get_strs(const gguf *g, const char *key, arena *a, str **out, size_t *n, fail *f) {
    const entry *e;
    TRY(array_of(g, key, true, &e, f));
    size_t count = e ? (size_t)e->count : 0, at = e ? e->at : 0;
    str *items = arena_new_n(a, str, count + 1);
    if (!items) return fail_memory(f, key);
    for (size_t i = 0; i < count; i++) items[i] = str_at(g, at, &at);
    *out = items;
    *n = count;
    return E_OK;
}

err gguf_get_ints(const gguf *g, const char *key, arena *a, int32_t **out, size_t *n, fail *f) {
    const entry *e;
    TRY(array_of(g, key, false, &e, f));
    size_t count = e ? (size_t)e->count : 0;
    int32_t *items = arena_new_n(a, int32_t, count + 1);
    if (!items) return fail_memory(f, key);
    for (size_t i = 0; i < count; i++) {
        int64_t v;
        bool ok = int_at(g, e->item_kind, e->at + i * kind_bytes[e->item_kind], &v) &&
                  v >= INT32_MIN && v <= INT32_MAX;
        if (!ok) return wrong(g, key, "an array of 32-bit numbers", f);
        items[i] = (int32_t)v;
    }
    *out = items;
    *n = count;
    return E_OK;
}

err gguf_get_floats(const gguf *g, const char *key, arena *a, float **out, size_t *n, fail *f) {
    const entry *e;
    TRY(array_of(g, key, false, &e, f));
    size_t count = e ? (size_t)e->count : 0;
    float *items = arena_new_n(a, float, count + 1);
    if (!items) return fail_memory(f, key);
    for (size_t i = 0; i < count; i++) {
        double v;
        if (!float_at(g, e->item_kind, e->at + i * kind_bytes[e->item_kind], &v))
            return wrong(g, key, "an array of numbers", f);
        items[i] = (float)v;
    }
    *out = items;
    *n = count;
    return E_OK;
}

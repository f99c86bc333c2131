/* tensor.c - see tensor.h. */
#include "tensor/tensor.h"

#include "kern/kern.h"

#include <stdio.h>
#include <string.h>

static void from_f32(const void *from, float *to, int64_t n) {
    memcpy(to, from, (size_t)n * sizeof *to);
}

static void from_f16(const void *from, float *to, int64_t n) {
    const unsigned char *p = from;
    for (int64_t i = 0; i < n; i++)
        to[i] = kern_f16_to_f32((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

static void from_bf16(const void *from, float *to, int64_t n) {
    const unsigned char *p = from;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)(p[2 * i] | p[2 * i + 1] << 8) << 16;
        memcpy(&to[i], &bits, sizeof bits);
    }
}

/* n numbers are n / KERN_BLOCK whole blocks */
static void from_q8_0(const void *from, float *to, int64_t n) {
    const kern_q8_0 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK) {
        float scale = kern_f16_to_f32(b->d);
        for (int i = 0; i < KERN_BLOCK; i++) to[i] = scale * (float)b->q[i];
    }
}

/* value = scale * (nibble - zero) + least, as the gguf package rounds it */
static void from_nibbles(const uint8_t *q, float scale, int zero, float least, float *to) {
    for (int i = 0; i < KERN_BLOCK / 2; i++) {
        to[i] = scale * (float)((q[i] & 15) - zero) + least;
        to[i + KERN_BLOCK / 2] = scale * (float)((q[i] >> 4) - zero) + least;
    }
}

static void from_q4_0(const void *from, float *to, int64_t n) {
    const kern_q4_0 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK)
        from_nibbles(b->q, kern_f16_to_f32(b->d), 8, 0, to);
}

static void from_q4_1(const void *from, float *to, int64_t n) {
    const kern_q4_1 *b = from;
    for (const float *end = to + n; to < end; b++, to += KERN_BLOCK)
        from_nibbles(b->q, kern_f16_to_f32(b->d), 0, kern_f16_to_f32(b->m), to);
}

static const dtype_info infos[DTYPE_COUNT] = {
    [DTYPE_F32] = {"F32", 1, 4, from_f32},
    [DTYPE_F16] = {"F16", 1, 2, from_f16},
    [DTYPE_BF16] = {"BF16", 1, 2, from_bf16},
    [DTYPE_Q8_0] = {"Q8_0", KERN_BLOCK, sizeof(kern_q8_0), from_q8_0},
    [DTYPE_Q4_0] = {"Q4_0", KERN_BLOCK, sizeof(kern_q4_0), from_q4_0},
    [DTYPE_Q4_1] = {"Q4_1", KERN_BLOCK, sizeof(kern_q4_1), from_q4_1},
};

const dtype_info *dtype_get(dtype t) {
    CHECK(t < DTYPE_COUNT);
    return &infos[t];
}

err tensor_bytes(dtype t, int32_t n_dims, const int64_t *dims, str name, size_t *out, fail *f) {
    const dtype_info *info = dtype_get(t);
    int64_t count = 1, bytes;
    char text[TENSOR_PRINT_BYTES];
    if (n_dims < 1 || n_dims > TENSOR_DIMS_MAX)
        return fail_set(f, E_CORRUPT, "tensor \"%s\" has %d dimensions; 1 to %d are possible",
                        tensor_print_name(name, text), n_dims, TENSOR_DIMS_MAX);
    for (int32_t i = 0; i < n_dims; i++) {
        if (dims[i] < 1 || __builtin_mul_overflow(count, dims[i], &count))
            return fail_set(f, E_CORRUPT, "tensor \"%s\": dimension %lld is impossible",
                            tensor_print_name(name, text), (long long)dims[i]);
    }
    if (dims[n_dims - 1] % info->block)
        return fail_set(f, E_CORRUPT,
                        "tensor \"%s\": rows of %lld numbers are no whole blocks of %s",
                        tensor_print_name(name, text), (long long)dims[n_dims - 1], info->name);
    if (__builtin_mul_overflow(count / info->block, (int64_t)info->block_bytes, &bytes))
        return fail_set(f, E_CORRUPT, "tensor \"%s\" is impossibly large",
                        tensor_print_name(name, text));
    *out = (size_t)bytes;
    return E_OK;
}

int64_t tensor_cols(const tensor *t) {
    return t->dims[t->n_dims - 1];
}

int64_t tensor_rows(const tensor *t) {
    int64_t rows = 1;
    for (int32_t i = 0; i + 1 < t->n_dims; i++) rows *= t->dims[i];
    return rows;
}

size_t tensor_row_bytes(const tensor *t) {
    const dtype_info *info = dtype_get(t->type);
    return (size_t)(tensor_cols(t) / info->block) * (size_t)info->block_bytes;
}

void tensor_describe(const tensor *t, char out[96]) {
    int n = snprintf(out, 96, "[");
    for (int32_t i = 0; i < t->n_dims && n < 80; i++)
        n += snprintf(out + n, 96 - (size_t)n, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
    if (n < 90) snprintf(out + n, 96 - (size_t)n, "] %s", dtype_get(t->type)->name);
}

const char *tensor_print_name(str name, char out[TENSOR_PRINT_BYTES]) {
    enum { SHOWN = TENSOR_PRINT_BYTES - 4 };
    size_t n = name.n < SHOWN ? name.n : SHOWN;
    for (size_t i = 0; i < n; i++) out[i] = name.p[i] >= ' ' && name.p[i] <= '~' ? name.p[i] : '?';
    memcpy(out + n, name.n > n ? "..." : "", name.n > n ? 4 : 1);
    return out;
}

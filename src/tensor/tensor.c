/* tensor.c - see tensor.h. */
#include "tensor/tensor.h"

#include "kern/kern_block.h"
#include "tensor/dequantise.h"
#include "tensor/quantise.h"

#include <stdio.h>
#include <string.h>

static const dtype_info infos[DTYPE_COUNT] = {
    [DTYPE_F32] = {"F32", 1, 4, dequantise_f32, quantise_f32},
    [DTYPE_F16] = {"F16", 1, 2, dequantise_f16, quantise_f16},
    [DTYPE_BF16] = {"BF16", 1, 2, dequantise_bf16, quantise_bf16},
    [DTYPE_Q8_0] = {"Q8_0", KERN_BLOCK, sizeof(kern_q8_0), dequantise_q8_0, quantise_q8_0},
    [DTYPE_Q4_0] = {"Q4_0", KERN_BLOCK, sizeof(kern_q4_0), dequantise_q4_0, quantise_q4_0},
    [DTYPE_Q4_1] = {"Q4_1", KERN_BLOCK, sizeof(kern_q4_1), dequantise_q4_1, quantise_q4_1},
    [DTYPE_Q5_0] = {"Q5_0", KERN_BLOCK, sizeof(kern_q5_0), dequantise_q5_0, quantise_q5_0},
    [DTYPE_Q5_1] = {"Q5_1", KERN_BLOCK, sizeof(kern_q5_1), dequantise_q5_1, quantise_q5_1},
    [DTYPE_IQ4_NL] = {"IQ4_NL", KERN_BLOCK, sizeof(kern_iq4_nl), dequantise_iq4_nl,
                      quantise_iq4_nl},
    [DTYPE_Q2_K] = {"Q2_K", KERN_SUPER, sizeof(kern_q2_K), dequantise_q2_k, NULL},
    [DTYPE_Q3_K] = {"Q3_K", KERN_SUPER, sizeof(kern_q3_K), dequantise_q3_k, NULL},
    [DTYPE_Q4_K] = {"Q4_K", KERN_SUPER, sizeof(kern_q4_K), dequantise_q4_k, quantise_q4_k},
    [DTYPE_Q5_K] = {"Q5_K", KERN_SUPER, sizeof(kern_q5_K), dequantise_q5_k, quantise_q5_k},
    [DTYPE_Q6_K] = {"Q6_K", KERN_SUPER, sizeof(kern_q6_K), dequantise_q6_k, quantise_q6_k},
    [DTYPE_IQ4_XS] = {"IQ4_XS", KERN_SUPER, sizeof(kern_iq4_xs), dequantise_iq4_xs, NULL},
};

const dtype_info *dtype_get(dtype t) {
    CHECK(t < DTYPE_COUNT);
    return &infos[t];
}

bool dtype_find(str name, dtype *out) {
    for (dtype t = 0; t < DTYPE_COUNT; t++)
        if (str_eq_nocase(name, str_from(infos[t].name))) {
            *out = t;
            return true;
        }
    return false;
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

/* model_convert_rope.c - factors of rotation that GGUF keeps as tensors: Llama 3's by formula,
 * Phi-3's longrope as its config lists them. */
#include "model/model_convert_int.h"

#include <math.h>
#include <string.h>

enum { FACTORS_MAX = 4096 };

static err factor_tensor(convert *c, const char *name, const float *numbers, int64_t n,
                         convert_tensor *out, fail *f) {
    tensor *t = arena_new(&c->arena, tensor);
    const tensor **sources = arena_new(&c->arena, const tensor *);
    if (!t || !sources) return fail_memory(f, c->name);
    *t = (tensor){.name = str_from(name),
                  .type = DTYPE_F32,
                  .n_dims = 1,
                  .dims = {n},
                  .data = numbers,
                  .bytes = (size_t)n * sizeof *numbers};
    sources[0] = t;
    *out = (convert_tensor){.shape = *t, .sources = sources, .n_sources = 1};
    return E_OK;
}

/* Meta's scaling for Llama 3.1: short waves stay, long ones are stretched by `factor`, between them
 * it goes over smoothly. Single precision for the frequencies, as the converter's torch has it. */
static err llama3(convert *c, const json *rope, convert_tensor *out, fail *f) {
    double base, factor, low, high, context, pi = 3.14159265358979323846;
    int64_t half = c->head_width / 2;
    TRY(convert_real(c->config, "rope_theta", 10000, &base, f));
    TRY(convert_real(rope, "rope_theta", base, &base, f));
    TRY(convert_real(rope, "factor", 8, &factor, f));
    TRY(convert_real(rope, "low_freq_factor", 1, &low, f));
    TRY(convert_real(rope, "high_freq_factor", 4, &high, f));
    TRY(convert_real(rope, "original_max_position_embeddings", 8192, &context, f));
    if (!(base > 0 && factor > 0 && low > 0 && high > low && context > 0) || half < 1 ||
        half > FACTORS_MAX)
        return fail_set(f, E_CORRUPT, "\"%s\": rotation is described wrongly", c->name);
    float *factors = arena_new_n(&c->arena, float, (size_t)half);
    if (!factors) return fail_memory(f, c->name);
    for (int64_t i = 0; i < half; i++) {
        float frequency = 1 / powf((float)base, (float)(2 * i) / (float)c->head_width);
        double wave = 2 * pi / (double)frequency;
        double smooth = (context / wave - low) / (high - low);
        factors[i] = wave < context / high  ? 1
                     : wave > context / low ? (float)factor
                                            : (float)(1 / ((1 - smooth) / factor + smooth));
    }
    return factor_tensor(c, "rope_freqs.weight", factors, half, out, f);
}

static err list_of(convert *c, const json *rope, const char *key, const float **out, int64_t *n,
                   fail *f) {
    const json *list = json_get(rope, key);
    if (!list || list->kind != JSON_ARRAY || !list->count || list->count > FACTORS_MAX)
        return fail_set(f, E_CORRUPT, "\"%s\": config.json has no list \"%s\"", c->name, key);
    float *numbers = arena_new_n(&c->arena, float, list->count);
    if (!numbers) return fail_memory(f, c->name);
    for (size_t i = 0; i < list->count; i++) {
        const json *v = json_at(list, i);
        if (v->kind != JSON_NUMBER || !(v->number > 0) || v->number > 1e6)
            return fail_set(f, E_CORRUPT, "\"%s\": \"%s\" holds an impossible factor", c->name,
                            key);
        numbers[i] = (float)v->number;
    }
    *out = numbers;
    *n = (int64_t)list->count;
    return E_OK;
}

static err longrope(convert *c, const json *rope, convert_tensor *out, size_t *count, fail *f) {
    const float *long_factors, *short_factors;
    int64_t n, n_short, context;
    double original;
    TRY(list_of(c, rope, "long_factor", &long_factors, &n, f));
    TRY(list_of(c, rope, "short_factor", &short_factors, &n_short, f));
    if (n != n_short)
        return fail_set(f, E_CORRUPT, "\"%s\": %lld long factors and %lld short ones", c->name,
                        (long long)n, (long long)n_short);
    TRY(convert_int(c, "max_position_embeddings", -1, &context, f));
    TRY(convert_real(c->config, "original_max_position_embeddings", (double)context, &original, f));
    TRY(convert_real(rope, "original_max_position_embeddings", original, &original, f));
    double scale = (double)context / original;
    double attention = scale > 1 && original > 1 ? sqrt(1 + log(scale) / log(original)) : 1;
    gguf_put_f32(c->out, "phi3.rope.scaling.attn_factor", (float)attention);
    TRY(factor_tensor(c, "rope_factors_long.weight", long_factors, n, &out[0], f));
    TRY(factor_tensor(c, "rope_factors_short.weight", short_factors, n, &out[1], f));
    *count = 2;
    return E_OK;
}

err convert_factors(convert *c, convert_tensor *out, size_t *n, fail *f) {
    const json *rope = convert_rope(c), *type = convert_find(rope, "rope_type type");
    *n = 0;
    if (!type || type->kind != JSON_STRING) return E_OK;
    if (str_is(type->string, "llama3")) {
        TRY(llama3(c, rope, &out[0], f));
        *n = 1;
        return E_OK;
    }
    if (str_is(type->string, "longrope") || str_is(type->string, "su"))
        return longrope(c, rope, out, n, f);
    return E_OK;
}

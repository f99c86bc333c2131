/* model_recipe.c - see model_recipe.h. */
#include "model/model_recipe.h"

#include <stdio.h>
#include <string.h>

static const model_recipe recipes[] = {
    {"F32", DTYPE_F32, 0, "32 bits, as large as it gets"},
    {"F16", DTYPE_F16, 1, "16 bits"},
    {"BF16", DTYPE_BF16, 32, "16 bits, the range of F32"},
    {"Q8_0", DTYPE_Q8_0, 7, "8.5 bits, as good as F16"},
    {"Q6_K", DTYPE_Q6_K, 18, "6.6 bits, hardly worse than F16"},
    {"Q5_K_M", DTYPE_Q5_K, 17, "5.7 bits"},
    {"Q5_1", DTYPE_Q5_1, 9, "6 bits"},
    {"Q5_0", DTYPE_Q5_0, 8, "5.5 bits"},
    {"Q4_K_M", DTYPE_Q4_K, 15, "4.8 bits, the usual choice"},
    {"Q4_1", DTYPE_Q4_1, 3, "5 bits"},
    {"IQ4_NL", DTYPE_IQ4_NL, 25, "4.5 bits, uneven levels"},
    {"Q4_0", DTYPE_Q4_0, 2, "4.5 bits, the fastest"},
};
enum { RECIPES = sizeof recipes / sizeof *recipes, RECIPE_LAYERS_MAX = 1024 };

const model_recipe *model_recipe_at(size_t index) {
    return index < RECIPES ? &recipes[index] : NULL;
}

err model_recipe_find(const char *name, const model_recipe **out, fail *f) {
    char names[160] = "";
    size_t at = 0;
    for (size_t i = 0; i < RECIPES; i++) {
        if (str_eq_nocase(str_from(name), str_from(recipes[i].name))) {
            *out = &recipes[i];
            return E_OK;
        }
        at +=
            (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? " " : "", recipes[i].name);
    }
    fail_set(f, E_INPUT, "\"%.40s\" is no type that can be written", name);
    return fail_hint(f, "choose one of: %s", names);
}

/* ---- what a tensor is ---- */

typedef enum part { PART_OTHER, PART_HEAD, PART_EMBEDDING, PART_VALUES, PART_DOWN, PART_OUT } part;

static bool has(str name, const char *piece) {
    return str_find(name, str_from(piece)) != STR_INDEX_NONE;
}

static part part_of(str name) {
    if (str_is(name, "output.weight")) return PART_HEAD;
    if (str_is(name, "token_embd.weight")) return PART_EMBEDDING;
    if (has(name, "attn_v.weight") || has(name, "attn_qkv.weight") || has(name, "attn_kv_b.weight"))
        return PART_VALUES;
    if (has(name, "attn_output.weight")) return PART_OUT;
    return has(name, "ffn_down") ? PART_DOWN : PART_OTHER;
}

/* Vectors, norms, routers and the small tables of encoders stay as they are. */
static bool is_matrix(const tensor *t) {
    static const char *const kept[] = {
        "_norm.weight",      "ffn_gate_inp.weight", "position_embd.",  "token_types.weight",
        "attn_rel_b.weight", "ssm_conv1d",          "shortconv.conv.", "per_layer_model_proj"};
    int32_t dims = t->n_dims;
    while (dims > 1 && t->dims[t->n_dims - dims] == 1) dims--; /* leading ones do not count */
    if (dims < 2 || !str_ends(t->name, STR("weight"))) return false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (has(t->name, kept[i])) return false;
    return true;
}

static int64_t layer_of(str name) {
    int64_t layer;
    if (!str_starts(name, STR("blk."))) return -1;
    str rest = str_slice(name, 4, name.n);
    return str_to_int(str_cut(&rest, '.'), &layer) ? layer : -1;
}

/* ---- the choice ---- */

typedef struct place {
    int64_t index, count; /* of its kind, in order of layers */
} place;

static bool use_more_bits(place p) {
    return p.index < p.count / 8 || p.index >= 7 * p.count / 8 || (p.index - p.count / 8) % 3 == 2;
}
static bool early(place p) {
    return p.index < p.count / 8;
}

static bool is_k_mix(const model_recipe *r) {
    return r->base == DTYPE_Q4_K || r->base == DTYPE_Q5_K;
}

static dtype values_type(const model_recipe *r, const model_recipe_scope *s, place p) {
    if (s->experts == 8) return DTYPE_Q8_0;
    if (r->base == DTYPE_IQ4_NL && s->kv_heads > 0 && s->heads / s->kv_heads >= 4)
        return DTYPE_Q5_K;
    return is_k_mix(r) && use_more_bits(p) ? DTYPE_Q6_K : r->base;
}

static dtype down_type(const model_recipe *r, const model_recipe_scope *s, place p) {
    if (is_k_mix(r) && use_more_bits(p)) return DTYPE_Q6_K;
    if (r->base == DTYPE_IQ4_NL && early(p) && !s->important) return DTYPE_Q5_K;
    if (s->important && early(p) && r->base == DTYPE_Q4_0) return DTYPE_Q4_1;
    return s->important && early(p) && r->base == DTYPE_Q5_0 ? DTYPE_Q5_1 : r->base;
}

static dtype wanted(const model_recipe *r, const model_recipe_scope *s, str name, place p) {
    part what = part_of(name);
    if (what == PART_HEAD || (what == PART_EMBEDDING && s->tied))
        return r->base == DTYPE_Q8_0 ? DTYPE_Q8_0 : DTYPE_Q6_K;
    if (what == PART_VALUES) return values_type(r, s, p);
    if (what == PART_DOWN) return down_type(r, s, p);
    if (s->experts != 8) return r->base;
    if (has(name, "attn_k.weight")) return DTYPE_Q8_0;
    bool raised = r->base == DTYPE_IQ4_NL || r->base == DTYPE_Q4_K;
    return what == PART_OUT && raised ? DTYPE_Q5_K : r->base;
}

static dtype fall_back(dtype t, int64_t cols) {
    if (cols % dtype_get(t)->block == 0) return t;
    dtype small = t == DTYPE_Q4_K   ? DTYPE_Q5_0
                  : t == DTYPE_Q5_K ? DTYPE_Q5_1
                  : t == DTYPE_Q6_K ? DTYPE_Q8_0
                                    : t;
    return cols % dtype_get(small)->block ? DTYPE_F16 : small;
}

/* How many tensors of a part stand in the layers before each one. */
typedef struct census {
    int64_t before[RECIPE_LAYERS_MAX + 1];
} census;

static int64_t layer_bound(str name) {
    int64_t layer = layer_of(name);
    return layer < 0 ? 0 : layer < RECIPE_LAYERS_MAX ? layer : RECIPE_LAYERS_MAX - 1;
}

static void count_part(census *c, const model_recipe_row *rows, size_t n, part what) {
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < n; i++)
        if (is_matrix(rows[i].t) && part_of(rows[i].t->name) == what)
            c->before[layer_bound(rows[i].t->name) + 1]++;
    for (int i = 0; i < RECIPE_LAYERS_MAX; i++) c->before[i + 1] += c->before[i];
}

static place place_of(const model_recipe_scope *s, const census *values, const census *down,
                      str name) {
    part what = part_of(name);
    if (what == PART_VALUES)
        return (place){values->before[layer_bound(name)], values->before[RECIPE_LAYERS_MAX]};
    if (what != PART_DOWN) return (place){0, 0};
    return (place){s->experts > 1 ? layer_of(name) : down->before[layer_bound(name)], s->layers};
}

void model_recipe_apply(const model_recipe *r, const model_recipe_scope *scope,
                        model_recipe_row *rows, size_t n) {
    bool quantised = dtype_get(r->base)->block > 1;
    census values, down;
    count_part(&values, rows, n, PART_VALUES);
    count_part(&down, rows, n, PART_DOWN);
    for (size_t i = 0; i < n; i++) {
        const tensor *t = rows[i].t;
        rows[i].fell_back = false;
        rows[i].type = t->type;
        if (!is_matrix(t)) continue;
        place p = place_of(scope, &values, &down, t->name);
        dtype first = quantised ? wanted(r, scope, t->name, p) : r->base;
        rows[i].type = fall_back(first, tensor_cols(t));
        rows[i].fell_back = rows[i].type != first;
    }
}

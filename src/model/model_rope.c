/* model_rope.c - how a model's heads rotate: the frequencies of RoPE (Su et al. 2021) and what is
 * declared to stretch them over longer contexts.
 *
 * freq[i] = base^(-2i/d) for the pairs that turn. Scaled: linear (all divided by a factor), llama3
 * (long waves divided, short ones kept, a smooth step between; GGUF files hold the divisors as
 * rope_freqs), yarn (Peng et al. 2023: a ramp between kept and divided, over pairs) and longrope
 * (Ding et al. 2024: a divisor for each pair, one list up to the original context and one beyond;
 * which one holds is chosen once for a workspace by its longest span, as llama.cpp does, so that
 * kept keys stay valid). A folder says so in rope_parameters (transformers 5) or rope_theta and
 * rope_scaling (before). Runs at open. */
#include "model/model_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TURN 6.283185307179586

typedef struct scaling {
    str type; /* "" none */
    double base, factor, magnitude, beta_fast, beta_slow, low, high, part;
    bool exact_ends; /* yarn's ramp begins and ends between pairs */
    int64_t original;
    const float *divisors, *divisors_long; /* [half] or NULL */
    int64_t half;
} scaling;

/* ---- config.json ---- */

static err read_list(model *m, const json *of, const char *key, int64_t half, const float **out,
                     fail *f) {
    const json *list = json_get(of, key);
    if (!list || list->kind != JSON_ARRAY || (int64_t)list->count != half)
        return fail_set(f, E_CORRUPT, "%.*s: rope's %s is no list of %lld numbers",
                        STR_ARG(m->info.path), key, (long long)half);
    float *v = arena_new_n(&m->arena, float, (size_t)half);
    if (!v) return fail_memory(f, "a model");
    for (int64_t i = 0; i < half; i++) {
        if (list->items[i].kind != JSON_NUMBER)
            return fail_set(f, E_CORRUPT, "%.*s: rope's %s holds %s", STR_ARG(m->info.path), key,
                            json_kind_name(list->items[i].kind));
        v[i] = (float)list->items[i].number;
    }
    *out = v;
    return E_OK;
}

/* The object that holds for these layers; an empty answer (NULL) has no scaling. */
static const json *parameters(const json *config, bool local) {
    const json *all = json_get(config, "rope_parameters");
    if (!all || all->kind != JSON_OBJECT) all = json_get(config, "rope_scaling");
    if (!all || all->kind != JSON_OBJECT) return NULL;
    const json *full = json_get(all, "full_attention");
    if (local) return json_get(all, "sliding_attention");
    return full ? full : all;
}

static err read_attention(const json *p, const scaling *s, double *out, fail *f) {
    double up, down, usual = s->factor > 1 ? 0.1 * log(s->factor) + 1 : 1;
    if (!str_is(s->type, "yarn")) return E_OK;
    TRY(json_get_double(p, "mscale", 0, &up, f));
    TRY(json_get_double(p, "mscale_all_dim", 0, &down, f));
    if (up > 0 && down > 0 && s->factor > 1)
        usual = (0.1 * up * log(s->factor) + 1) / (0.1 * down * log(s->factor) + 1);
    return json_get_double(p, "attention_factor", usual, out, f);
}

static err longrope_factor(const model *m, const json *p, scaling *s, fail *f) {
    int64_t context;
    TRY(json_get_int(m->config, "max_position_embeddings", 0, 0, INT32_MAX, &context, f));
    double factor, usual = (double)context / (double)s->original;
    TRY(json_get_double(p, "factor", usual, &factor, f));
    usual = factor > 1 && s->original > 1 ? sqrt(1 + log(factor) / log((double)s->original)) : 1;
    return json_get_double(p, "attention_factor", usual, &s->magnitude, f);
}

static err read_folder(model *m, const model_rope_options *o, scaling *s, fail *f) {
    const json *p = parameters(m->config, o->local);
    double top, part;
    int64_t original;
    TRY(json_get_double(m->config, o->local ? "local_rope_theta" : "global_rope_theta", o->base,
                        &top, f)); /* ModernBERT's names, then the usual ones */
    TRY(json_get_double(m->config, o->local ? "rope_local_base_freq" : "rope_theta", top, &top, f));
    TRY(json_get_double(p, "rope_theta", top, &s->base, f));
    TRY(json_get_double(m->config, "partial_rotary_factor", 1, &part, f));
    TRY(json_get_double(p, "partial_rotary_factor", part, &s->part, f));
    TRY(json_get_str(p, "type", STR(""), &s->type, f));
    TRY(json_get_str(p, "rope_type", s->type, &s->type, f));
    TRY(json_get_double(p, "factor", 1, &s->factor, f));
    TRY(json_get_double(p, "beta_fast", 32, &s->beta_fast, f));
    TRY(json_get_double(p, "beta_slow", 1, &s->beta_slow, f));
    TRY(json_get_double(p, "low_freq_factor", 1, &s->low, f));
    TRY(json_get_double(p, "high_freq_factor", 4, &s->high, f));
    TRY(json_get_bool(p, "truncate", true, &s->exact_ends, f));
    s->exact_ends = !s->exact_ends;
    TRY(json_get_int(m->config, "max_position_embeddings", 0, 0, INT32_MAX, &original, f));
    TRY(json_get_int(m->config, "original_max_position_embeddings", original, 0, INT32_MAX,
                     &original, f));
    TRY(json_get_int(p, "original_max_position_embeddings", original, 0, INT32_MAX, &s->original,
                     f));
    return read_attention(p, s, &s->magnitude, f);
}

static err read_folder_lists(model *m, const model_rope_options *o, scaling *s, fail *f) {
    const json *p = parameters(m->config, o->local);
    if (str_is(s->type, "su")) s->type = STR("longrope");
    if (!str_is(s->type, "longrope")) return E_OK;
    TRY(longrope_factor(m, p, s, f));
    TRY(read_list(m, p, "short_factor", s->half, &s->divisors, f));
    return read_list(m, p, "long_factor", s->half, &s->divisors_long, f);
}

/* ---- GGUF ---- */

static err read_gguf(model *m, const model_rope_options *o, scaling *s, fail *f) {
    int64_t turned;
    char key[160];
    double attention;
    snprintf(key, sizeof key, "%.*s.rope.scaling.type", STR_ARG(m->info.architecture));
    TRY(gguf_get_str(m->gguf, key, STR(""), &s->type, f));
    TRY(model_real(m, NULL, o->local ? "rope.freq_base_swa" : "rope.freq_base", o->base, &s->base,
                   f));
    TRY(model_real(m, NULL, "rope.scale_linear", 1, &s->factor, f));
    if (s->factor > 1 && s->type.n == 0) s->type = STR("linear");
    TRY(model_real(m, NULL, "rope.scaling.factor", s->factor, &s->factor, f));
    TRY(model_real(m, NULL, "rope.scaling.yarn_beta_fast", 32, &s->beta_fast, f));
    TRY(model_real(m, NULL, "rope.scaling.yarn_beta_slow", 1, &s->beta_slow, f));
    TRY(model_real(m, NULL, "rope.scaling.attn_factor", 1, &attention, f));
    TRY(model_real(m, NULL, "rope.scaling.yarn_attn_factor", attention, &s->magnitude, f));
    TRY(model_number(m, NULL, "context_length", 0, &s->original, f));
    TRY(model_number(m, NULL, "rope.scaling.original_context_length", s->original, &s->original,
                     f));
    TRY(model_number(m, NULL, "rope.dimension_count", o->head_width, &turned, f));
    s->part = (double)turned / (double)o->head_width;
    if (str_is(s->type, "yarn") && s->factor > 1) s->magnitude *= 0.1 * log(s->factor) + 1;
    if (o->local) s->type = STR("");
    return E_OK;
}

static err read_gguf_lists(model *m, const model_rope_options *o, scaling *s, fail *f) {
    if (o->local) return E_OK;
    if (model_has(m, NULL, "rope_freqs.weight"))
        TRY(model_vector(m, NULL, "rope_freqs.weight", s->half, &s->divisors, f));
    if (!model_has(m, NULL, "rope_factors_long.weight")) return E_OK;
    s->type = STR("longrope");
    TRY(model_vector(m, NULL, "rope_factors_short.weight", s->half, &s->divisors, f));
    return model_vector(m, NULL, "rope_factors_long.weight", s->half, &s->divisors_long, f);
}

/* ---- frequencies ---- */

static double llama3(const scaling *s, double freq) {
    double turns = (double)s->original * freq / TURN; /* over the original context */
    if (turns > s->high) return freq;
    if (turns < s->low) return freq / s->factor;
    double smooth = (turns - s->low) / (s->high - s->low);
    return (1 - smooth) * freq / s->factor + smooth * freq;
}

/* The pair that turns `turns` times over the original context. */
static double yarn_pair(const scaling *s, double turns) {
    double dim = 2.0 * (double)s->half;
    return dim * log((double)s->original / (turns * TURN)) / (2 * log(s->base));
}

static double yarn(const scaling *s, int64_t i, double freq) {
    double from = yarn_pair(s, s->beta_fast), to = yarn_pair(s, s->beta_slow);
    if (!s->exact_ends) {
        from = floor(from);
        to = ceil(to);
    }
    from = fmax(from, 0);
    to = fmin(to, 2.0 * (double)s->half - 1);
    if (from == to) to += 0.001;
    double ramp = fmin(fmax(((double)i - from) / (to - from), 0), 1);
    return freq / s->factor * ramp + freq * (1 - ramp);
}

static double scaled(const scaling *s, int64_t i, double freq) {
    if (str_is(s->type, "linear")) return freq / s->factor;
    if (str_is(s->type, "llama3")) return llama3(s, freq);
    if (str_is(s->type, "yarn")) return yarn(s, i, freq);
    return freq;
}

static err frequencies(model *m, const scaling *s, const float *divisors, const float **out,
                       fail *f) {
    float *freq = arena_new_n(&m->arena, float, (size_t)s->half);
    if (!freq) return fail_memory(f, "a model");
    for (int64_t i = 0; i < s->half; i++) {
        double plain = pow(s->base, -(double)i / (double)s->half);
        freq[i] = (float)(scaled(s, i, plain) / (divisors ? (double)divisors[i] : 1));
        if (!isfinite(freq[i]))
            return fail_set(f, E_CORRUPT, "%.*s: rotation of pair %lld is no number",
                            STR_ARG(m->info.path), (long long)i);
    }
    *out = freq;
    return E_OK;
}

static err check(const model *m, const scaling *s, fail *f) {
    static const char *const known[] = {"",       "none", "default", "linear",
                                        "llama3", "yarn", "longrope"};
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        found = found || str_is(s->type, known[i]);
    if (!found) {
        fail_set(f, E_UNSUPPORTED, "%.*s stretches its context by \"%.*s\"", STR_ARG(m->info.path),
                 STR_ARG(str_slice(s->type, 0, 40)));
        return fail_hint(f, "linear, llama3, yarn and longrope can be computed");
    }
    bool ok = s->base > 1 && isfinite(s->base) && s->factor > 0 && isfinite(s->factor) &&
              s->magnitude > 0 && isfinite(s->magnitude) && s->part > 0 && s->part <= 1 &&
              s->beta_fast > 0 && s->beta_slow > 0 && s->high > s->low && s->original > 0;
    if (ok) return E_OK;
    return fail_set(f, E_CORRUPT,
                    "%.*s describes an impossible rotation: base %g, factor %g, part %g of a head, "
                    "original context %lld",
                    STR_ARG(m->info.path), s->base, s->factor, s->part, (long long)s->original);
}

err model_rope_read(model *m, const model_rope_options *o, model_rope *out, fail *f) {
    scaling s = {.factor = 1, .magnitude = 1, .beta_fast = 32, .beta_slow = 1, .low = 1, .high = 4};
    model_rope rope = {0};
    TRY(m->gguf ? read_gguf(m, o, &s, f) : read_folder(m, o, &s, f));
    if (!(s.part > 0 && s.part <= 1))
        s.half = 0;
    else
        s.half = (int64_t)((double)o->head_width * s.part + 1e-6) / 2;
    if (s.half < 1)
        return fail_set(f, E_CORRUPT, "%.*s rotates %g of heads of %lld", STR_ARG(m->info.path),
                        s.part, (long long)o->head_width);
    TRY(m->gguf ? read_gguf_lists(m, o, &s, f) : read_folder_lists(m, o, &s, f));
    TRY(check(m, &s, f));
    rope.half = s.half;
    rope.magnitude = (float)s.magnitude;
    rope.original = s.original;
    TRY(frequencies(m, &s, s.divisors, &rope.freq, f));
    if (s.divisors_long) TRY(frequencies(m, &s, s.divisors_long, &rope.freq_long, f));
    *out = rope;
    return E_OK;
}

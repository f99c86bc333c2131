/* api_ollama_options.c - Ollama's options as sampling, with Ollama's defaults; keep_alive. */
#include "api/api_chat.h"
#include "api/api_ollama.h"

#include "base/rand.h"

#include <math.h>
#include <string.h>

#define OPTIONS "options."

static const api_field fields[] = {
    {"num_ctx", API_FIELD_READ, NULL},
    {"num_predict", API_FIELD_READ, NULL},
    {"temperature", API_FIELD_READ, NULL},
    {"top_k", API_FIELD_READ, NULL},
    {"top_p", API_FIELD_READ, NULL},
    {"min_p", API_FIELD_READ, NULL},
    {"typical_p", API_FIELD_READ, NULL},
    {"repeat_penalty", API_FIELD_READ, NULL},
    {"repeat_last_n", API_FIELD_READ, NULL},
    {"presence_penalty", API_FIELD_READ, NULL},
    {"frequency_penalty", API_FIELD_READ, NULL},
    {"seed", API_FIELD_READ, NULL},
    {"stop", API_FIELD_READ, NULL},
    {"num_keep", API_FIELD_IGNORED, NULL}, /* nothing is ever cut */
    {"numa", API_FIELD_IGNORED, NULL},
    {"num_batch", API_FIELD_IGNORED, NULL},
    {"num_gpu", API_FIELD_IGNORED, NULL},
    {"main_gpu", API_FIELD_IGNORED, NULL},
    {"num_thread", API_FIELD_IGNORED, NULL},
    {"low_vram", API_FIELD_IGNORED, NULL},
    {"f16_kv", API_FIELD_IGNORED, NULL},
    {"use_mmap", API_FIELD_IGNORED, NULL},
    {"use_mlock", API_FIELD_IGNORED, NULL},
    {"mirostat", API_FIELD_EMPTY, NULL},
    {"mirostat_eta", API_FIELD_IGNORED, NULL}, /* without mirostat they mean nothing */
    {"mirostat_tau", API_FIELD_IGNORED, NULL},
    {"tfs_z", API_FIELD_WORD, "1"},
    {"penalize_newline", API_FIELD_WORD, "true"},
    {"vocab_only", API_FIELD_EMPTY, NULL},
    {"logits_all", API_FIELD_EMPTY, NULL},
};

static err get_double(api_call *c, const json *v, const char *key, double fallback, double min,
                      double max, double *out, fail *f) {
    c->param = api_place(c, OPTIONS "%s", key);
    TRY(json_get_double(v, key, fallback, out, f));
    if (!(*out >= min && *out <= max))
        return api_refuse(c, f, c->param, "%s is %g, which is not within %g and %g", c->param, *out,
                          min, max);
    c->param = NULL;
    return E_OK;
}

static err get_int(api_call *c, const json *v, const char *key, int64_t fallback, int64_t min,
                   int64_t max, int64_t *out, fail *f) {
    c->param = api_place(c, OPTIONS "%s", key);
    TRY(json_get_int(v, key, fallback, min, max, out, f));
    c->param = NULL;
    return E_OK;
}

/* -1 and -2 of num_predict: as many as the context holds. A seed below 0: another each time. */
static err read_numbers(api_call *c, const json *v, gen_request *rq, int64_t *context, fail *f) {
    int64_t n, top_k, last_n, seed;
    TRY(get_int(c, v, "num_ctx", 0, 0, INT32_MAX, context, f));
    TRY(get_int(c, v, "num_predict", -1, -2, INT32_MAX, &n, f));
    TRY(get_int(c, v, "top_k", 40, 0, INT32_MAX, &top_k, f));
    TRY(get_int(c, v, "repeat_last_n", 64, -1, INT32_MAX, &last_n, f));
    TRY(get_int(c, v, "seed", -1, INT64_MIN, INT64_MAX, &seed, f));
    rq->max_tokens = n > 0 ? (int32_t)n : 0;
    rq->sampling.top_k = (int32_t)top_k;
    rq->sampling.penalty_last_n = (int32_t)last_n;
    rq->sampling.seed = (uint64_t)seed;
    if (seed < 0) rand_secret(&rq->sampling.seed, sizeof rq->sampling.seed);
    return E_OK;
}

err api_ollama_read_options(api_call *c, gen_request *rq, int64_t *context, fail *f) {
    const json *v = json_get(c->body, "options");
    gen_sampling *s = &rq->sampling;
    if (v && v->kind == JSON_NULL) v = NULL;
    if (v && v->kind != JSON_OBJECT)
        return api_refuse(c, f, "options", "options must be an object");
    if (v) TRY(api_check_fields(c, v, OPTIONS, fields, sizeof fields / sizeof *fields, f));
    TRY(read_numbers(c, v, rq, context, f));
    TRY(get_double(c, v, "temperature", 0.8, 0, 2, &s->temperature, f));
    TRY(get_double(c, v, "top_p", 0.9, 0, 1, &s->top_p, f));
    TRY(get_double(c, v, "min_p", 0, 0, 1, &s->min_p, f));
    TRY(get_double(c, v, "typical_p", 1, 0, 1, &s->typical_p, f));
    TRY(get_double(c, v, "repeat_penalty", 1.1, 0, 2, &s->repeat_penalty, f));
    TRY(get_double(c, v, "presence_penalty", 0, -2, 2, &s->presence_penalty, f));
    TRY(get_double(c, v, "frequency_penalty", 0, -2, 2, &s->frequency_penalty, f));
    if (s->penalty_last_n == 0) s->repeat_penalty = 1; /* theirs: look at no token */
    const json *stop = json_get(v, "stop");
    return api_is_empty(stop) ? E_OK : api_ask_stops(c, stop, OPTIONS "stop", rq, f);
}

err api_ollama_check_context(api_call *c, str model, int64_t context, fail *f) {
    int32_t has = 0;
    if (!context || str_starts(model, STR("task:")) || !c->api->o.models.context) return E_OK;
    TRY(c->api->o.models.context(c->api->o.models.self, model, &has, f));
    if (context <= has) return E_OK;
    c->param = OPTIONS "num_ctx";
    return fail_set(f, E_CONTEXT, "num_ctx is %lld; %.*s reads at most %d tokens here",
                    (long long)context, STR_ARG(model), has);
}

/* ---- keep_alive ---- */

/* "1h30m", "300ms", "-1"; a number alone is seconds. */
static bool read_duration(str text, double *seconds) {
    static const struct {
        const char *name;
        double s;
    } units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"h", 3600}, {"m", 60}, {"s", 1}};
    double sign = 1, sum = 0;
    if (str_to_double(text, seconds)) return true;
    if (text.n && text.p[0] == '-') {
        sign = -1;
        text = str_slice(text, 1, text.n);
    }
    while (text.n) {
        size_t n = 0, k = 0;
        double number;
        while (n < text.n && strchr("0123456789.", text.p[n])) n++;
        if (!n || !str_to_double(str_slice(text, 0, n), &number)) return false;
        text = str_slice(text, n, text.n);
        while (k < sizeof units / sizeof *units && !str_starts(text, str_from(units[k].name))) k++;
        if (k == sizeof units / sizeof *units) return false;
        text = str_slice(text, strlen(units[k].name), text.n);
        sum += number * units[k].s;
    }
    *seconds = sign * sum;
    return true;
}

/* How long a model stays is for those who run the server to say, where keys are asked for. */
static err may_keep(api_call *c, fail *f) {
    if (c->who.kind == WHO_NOBODY || who_may(&c->who, WHO_ADMIN)) return E_OK;
    c->param = "keep_alive";
    fail_set(f, E_DENIED, "keep_alive needs a key of scope admin");
    return fail_hint(f, "leave it out");
}

err api_ollama_read_keep(api_call *c, ollama_keep *out, fail *f) {
    const json *v = json_get(c->body, "keep_alive");
    double seconds = 0;
    *out = (ollama_keep){0};
    if (!v || v->kind == JSON_NULL || (v->kind == JSON_STRING && !v->string.n)) return E_OK;
    bool good = v->kind == JSON_STRING && read_duration(v->string, &seconds);
    if (v->kind == JSON_NUMBER) {
        seconds = v->number;
        good = true;
    }
    if (!good)
        return api_refuse(c, f, "keep_alive",
                          "keep_alive must be a number of seconds or a time such as \"5m\"");
    TRY(may_keep(c, f));
    out->said = true;
    out->ms = seconds < 0 ? -1 : (int64_t)ceil(fmin(seconds, 1e12) * 1000);
    return E_OK;
}

/* parameters.c - see parameters.h. */
#include "app/parameters.h"

#include <stdio.h>
#include <string.h>

typedef enum kind { KIND_DOUBLE, KIND_INT, KIND_INT64, KIND_SEED } kind;

typedef struct row {
    const char *name; /* as it is shown and saved */
    const char *also; /* other names, blanks around each */
    kind kind;
    size_t at; /* in parameters */
    double fallback, least, most;
} row;

#define AT(field) offsetof(parameters, field)
static const row rows[] = {
    {"temperature", " temp ", KIND_DOUBLE, AT(sampling.temperature), 0, 0, 10},
    {"top_k", "", KIND_INT, AT(sampling.top_k), 0, 0, 1 << 20},
    {"top_p", "", KIND_DOUBLE, AT(sampling.top_p), 1, 0, 1},
    {"min_p", "", KIND_DOUBLE, AT(sampling.min_p), 0, 0, 1},
    {"typical_p", " typical ", KIND_DOUBLE, AT(sampling.typical_p), 0, 0, 1},
    {"repeat_penalty", "", KIND_DOUBLE, AT(sampling.repeat_penalty), 0, 0, 10},
    {"presence_penalty", "", KIND_DOUBLE, AT(sampling.presence_penalty), 0, -10, 10},
    {"frequency_penalty", "", KIND_DOUBLE, AT(sampling.frequency_penalty), 0, -10, 10},
    {"repeat_last_n", " penalty_last_n ", KIND_INT, AT(sampling.penalty_last_n), 0, -1, 1 << 20},
    {"dry_multiplier", "", KIND_DOUBLE, AT(sampling.dry_multiplier), 0, 0, 100},
    {"seed", "", KIND_SEED, AT(sampling.seed), 0, 0, 9e18},
    {"num_predict", " max_tokens n ", KIND_INT64, AT(max_tokens), 0, 0, 1 << 30},
};
enum { ROWS = sizeof rows / sizeof *rows, NAME_BYTES_MAX = 32 };

static double read_value(const parameters *p, const row *r) {
    const char *at = (const char *)p + r->at;
    switch (r->kind) {
    case KIND_DOUBLE: return *(const double *)(const void *)at;
    case KIND_INT: return *(const int32_t *)(const void *)at;
    case KIND_INT64: return (double)*(const int64_t *)(const void *)at;
    case KIND_SEED: return (double)*(const uint64_t *)(const void *)at;
    }
    return 0;
}

static void write_value(parameters *p, const row *r, double number, int64_t whole) {
    char *at = (char *)p + r->at;
    switch (r->kind) {
    case KIND_DOUBLE: *(double *)(void *)at = number; break;
    case KIND_INT: *(int32_t *)(void *)at = (int32_t)whole; break;
    case KIND_INT64: *(int64_t *)(void *)at = whole; break;
    case KIND_SEED: *(uint64_t *)(void *)at = (uint64_t)whole; break;
    }
}

void parameters_init(parameters *p) {
    *p = (parameters){0};
    for (size_t i = 0; i < ROWS; i++)
        write_value(p, &rows[i], rows[i].fallback, (int64_t)rows[i].fallback);
}

void parameters_init_chat(parameters *p, uint64_t seed) {
    parameters_init(p);
    p->sampling.temperature = 0.7;
    p->sampling.top_p = 0.9;
    p->sampling.repeat_penalty = 1.1;
    p->sampling.seed = seed;
}

/* "top-p" and "top_p" are one. */
static const row *find_row(str name) {
    char plain[NAME_BYTES_MAX], padded[NAME_BYTES_MAX + 2];
    if (!name.n || name.n >= sizeof plain) return NULL;
    memcpy(plain, name.p, name.n);
    plain[name.n] = 0;
    for (char *c = plain; *c; c++)
        if (*c == '-') *c = '_';
    snprintf(padded, sizeof padded, " %s ", plain);
    for (size_t i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].name, plain) || strstr(rows[i].also, padded)) return &rows[i];
    return NULL;
}

static err unknown(str name, fail *f) {
    char names[FAIL_HINT_BYTES] = "";
    size_t n = 0;
    for (size_t i = 0; i < ROWS && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s ", rows[i].name);
    fail_set(f, E_USAGE, "there is no parameter \"%.*s\"", STR_ARG(str_slice(name, 0, 60)));
    return fail_hint(f, "there are: %sstop", names);
}

static err set_stop(parameters *p, arena *a, str value, fail *f) {
    str kept = arena_str(a, value);
    if (!kept.p) return fail_memory(f, "a stop text");
    if (!value.n) return fail_set(f, E_USAGE, "a stop text must not be empty");
    if (p->n_stops == PARAMETERS_STOPS_MAX)
        return fail_set(f, E_USAGE, "more than %d stop texts", PARAMETERS_STOPS_MAX);
    p->stops[p->n_stops++] = kept;
    return E_OK;
}

err parameters_set(parameters *p, arena *a, str name, str value, fail *f) {
    if (str_is(name, "stop")) return set_stop(p, a, value, f);
    const row *r = find_row(name);
    double number = 0;
    int64_t whole = 0;
    if (!r) return unknown(name, f);
    bool ok = r->kind == KIND_DOUBLE ? str_to_double(value, &number) : str_to_int(value, &whole);
    if (r->kind != KIND_DOUBLE) number = (double)whole;
    if (!ok || number < r->least || number > r->most)
        return fail_set(f, E_USAGE, "%.*s must be a %s from %.10g to %.10g, not \"%.*s\"",
                        STR_ARG(name), r->kind == KIND_DOUBLE ? "number" : "whole number", r->least,
                        r->most, STR_ARG(str_slice(value, 0, 60)));
    write_value(p, r, number, whole);
    return E_OK;
}

err parameters_read(parameters *p, const cli *c, fail *f) {
    for (size_t i = 0; i < c->verb->n_options; i++) {
        const char *name = c->verb->options[i].name;
        bool is_stop = !strcmp(name, "stop");
        if (!is_stop && !find_row(str_from(name))) continue;
        for (size_t k = 0; k < cli_count(c, name); k++)
            TRY(parameters_set(p, c->arena, str_from(name), str_from(cli_value_at(c, name, k)), f));
    }
    return E_OK;
}

void parameters_print(const parameters *p) {
    size_t shown = 0;
    for (size_t i = 0; i < ROWS; i++) {
        double value = read_value(p, &rows[i]);
        if (value == rows[i].fallback) continue;
        if (rows[i].kind == KIND_SEED) /* with all its digits: it is typed again */
            printf("  %-18s %llu\n", rows[i].name, (unsigned long long)p->sampling.seed);
        else
            printf("  %-18s %g\n", rows[i].name, value);
        shown++;
    }
    for (size_t i = 0; i < p->n_stops; i++)
        printf("  %-18s \"%.*s\"\n", "stop", STR_ARG(p->stops[i]));
    if (!shown && !p->n_stops) printf("  all at their defaults: the likeliest token each time\n");
}

void parameters_put_json(const parameters *p, json_writer *w) {
    json_begin_object(w);
    for (size_t i = 0; i < ROWS; i++) {
        if (read_value(p, &rows[i]) == rows[i].fallback) continue;
        json_key(w, rows[i].name);
        if (rows[i].kind == KIND_DOUBLE)
            json_put_double(w, read_value(p, &rows[i]));
        else
            json_put_int(w, rows[i].kind == KIND_SEED ? (int64_t)p->sampling.seed
                                                      : (int64_t)read_value(p, &rows[i]));
    }
    json_key(w, "stop");
    json_begin_array(w);
    for (size_t i = 0; i < p->n_stops; i++) json_put_str(w, p->stops[i]);
    json_end_array(w);
    json_end_object(w);
}

err parameters_from_json(parameters *p, arena *a, const json *object, fail *f) {
    parameters_init(p);
    for (size_t i = 0; i < ROWS; i++) {
        double number = rows[i].fallback;
        int64_t whole = (int64_t)rows[i].fallback;
        int64_t most = rows[i].kind == KIND_SEED ? INT64_MAX : (int64_t)rows[i].most;
        if (rows[i].kind == KIND_DOUBLE)
            TRY(json_get_double(object, rows[i].name, number, &number, f));
        else
            TRY(json_get_int(object, rows[i].name, whole, (int64_t)rows[i].least, most, &whole, f));
        if (number < rows[i].least || number > rows[i].most)
            return fail_set(f, E_INPUT, "%s %g is outside of %g to %g", rows[i].name, number,
                            rows[i].least, rows[i].most);
        write_value(p, &rows[i], number, whole);
    }
    const json *stops = json_get(object, "stop");
    for (size_t i = 0; stops && stops->kind == JSON_ARRAY && i < stops->count; i++)
        if (json_at(stops, i)->kind == JSON_STRING)
            TRY(set_stop(p, a, json_at(stops, i)->string, f));
    return E_OK;
}

void parameters_use(const parameters *p, gen_request *rq) {
    rq->sampling = p->sampling;
    rq->max_tokens = p->max_tokens > INT32_MAX ? INT32_MAX : (int32_t)p->max_tokens;
    rq->stops = p->stops;
    rq->n_stops = p->n_stops;
}

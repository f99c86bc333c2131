/* fit_sample.h - a small made-up task for the tests of fit/: sentences from templates, and
 * embeddings that are random projections of their words, so that like sentences lie near each
 * other. */
#ifndef BANTAM_TEST_FIT_SAMPLE_H
#define BANTAM_TEST_FIT_SAMPLE_H

#include "base/rand.h"
#include "fit/fit_head.h"
#include "test.h"

#include <math.h>

enum { SAMPLE_DIM = 40, SAMPLE_LABELS = 6, SAMPLE_OTHER = 5, SAMPLE_ROWS_MAX = 600 };

static const str sample_names[SAMPLE_LABELS] = {{"cancel", 6},  {"lost_card", 9}, {"address", 7},
                                                {"balance", 7}, {"fees", 4},      {"other", 5}};

typedef struct sample {
    size_t n;
    str texts[SAMPLE_ROWS_MAX];
    float vectors[SAMPLE_ROWS_MAX * SAMPLE_DIM];
    int32_t labels[SAMPLE_ROWS_MAX];
    char bytes[SAMPLE_ROWS_MAX][120];
} sample;

static inline void sample_embed(const char *text, float *v) {
    for (int k = 0; k < SAMPLE_DIM; k++) v[k] = 0;
    str rest = str_from(text);
    while (rest.p) {
        str word = str_cut(&rest, ' ');
        uint64_t seed = str_hash(word);
        double weight = word.n > 3 ? 1 : .3; /* short words say little */
        for (int k = 0; k < SAMPLE_DIM; k++)
            v[k] += (float)(weight * (rand_unit_at(seed, (uint64_t)k) - .5));
    }
    double square = 0;
    for (int k = 0; k < SAMPLE_DIM; k++) square += (double)v[k] * (double)v[k];
    for (int k = 0; k < SAMPLE_DIM; k++) v[k] /= (float)sqrt(square > 0 ? square : 1);
}

static inline void sample_put(sample *s, int32_t label, const char *text) {
    size_t i = s->n++;
    snprintf(s->bytes[i], sizeof s->bytes[i], "%s", text);
    s->texts[i] = str_from(s->bytes[i]);
    s->labels[i] = label;
    sample_embed(text, s->vectors + i * SAMPLE_DIM);
}

static inline const char *sample_pick(const char *const *list, uint64_t n, uint64_t seed,
                                      uint64_t at) {
    return list[rand_at(seed, at) % n];
}

/* `each` sentences a label, 2 * each of `other`; another seed gives other sentences of the same
 * kinds */
static inline void sample_make(sample *s, int each, uint64_t seed) {
    static const char *const verbs[5][4] = {{"cancel", "terminate", "stop", "end"},
                                            {"lost", "misplaced", "stolen", "missing"},
                                            {"change", "update", "correct", "move"},
                                            {"balance", "amount", "money left", "funds"},
                                            {"charged", "pay", "cost", "billed"}};
    static const char *const things[5][4] = {
        {"my policy", "the contract", "my insurance", "membership"},
        {"my card", "the debit card", "credit card", "my plastic"},
        {"my address", "where I live", "street name", "postal address"},
        {"on my account", "in savings", "on checking", "of the account"},
        {"fee for transfer", "monthly fee", "penalty fee", "service fee"}};
    static const char *const before[5] = {"please I want", "how do I", "can you tell me about",
                                          "hi", "so"};
    static const char *const far[8] = {"weather in paris", "play some jazz",  "recipe for soup",
                                       "who won the game", "write me a poem", "capital of peru",
                                       "time in tokyo",    "tell a joke"};
    char text[120];
    s->n = 0;
    for (int32_t label = 0; label < SAMPLE_OTHER; label++) {
        for (int i = 0; i < each; i++) {
            uint64_t at = (uint64_t)(label * 1000 + i) * 8;
            snprintf(text, sizeof text, "%s %s %s %s", sample_pick(before, 5, seed, at),
                     sample_pick(verbs[label], 4, seed, at + 1),
                     sample_pick(things[label], 4, seed, at + 2), i % 3 ? "today" : "now");
            sample_put(s, label, text);
        }
    }
    for (int i = 0; i < 2 * each; i++) {
        uint64_t at = 900000 + (uint64_t)i * 8;
        snprintf(text, sizeof text, "%s %s number %d", sample_pick(before, 5, seed, at),
                 sample_pick(far, 8, seed, at + 1), i);
        sample_put(s, SAMPLE_OTHER, text);
    }
}

static inline fit_rows sample_rows(const sample *s) {
    return (fit_rows){.n = s->n,
                      .dim = SAMPLE_DIM,
                      .texts = s->texts,
                      .vectors = s->vectors,
                      .labels = s->labels};
}

static inline fit_options sample_options(void) {
    return (fit_options){.labels_n = SAMPLE_LABELS,
                         .label_names = sample_names,
                         .other = SAMPLE_OTHER,
                         .max_wrong = 0.02,
                         .seed = 1};
}

static inline fit_head *sample_fit(const sample *s) {
    fit_head *h = NULL;
    fail f;
    fit_rows rows = sample_rows(s);
    fit_options o = sample_options();
    assert_ok(fit_head_fit(&h, &rows, &o, &f), &f);
    return h;
}

static inline fit_answer sample_ask(const fit_head *h, fit_taught *t, const char *text) {
    float v[SAMPLE_DIM];
    fit_answer a;
    fail f;
    sample_embed(text, v);
    assert_ok(fit_head_predict(h, t, str_from(text), v, &a, &f), &f);
    return a;
}

#endif

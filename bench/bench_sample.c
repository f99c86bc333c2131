/* bench_sample.c - what choosing a token costs: microseconds a token over a vocabulary of 262,144
 * (or bench_sample N), the least of many rounds. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "engine/engine_sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 40, PAST = 1000 };

static int32_t past[PAST];

static void measure(sampler *s, const float *logits, const char *name, const engine_sampling *o) {
    int64_t best = INT64_MAX, sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int32_t id = 0;
        sampler_past before = {past, PAST, NULL};
        int64_t from = clock_mono_ns();
        if (sampler_pick(s, logits, o, &before, NULL, &id, NULL) != E_OK) exit(1);
        int64_t took = clock_mono_ns() - from;
        best = took < best ? took : best;
        sum += id;
    }
    printf("%-40s %8.1f us   (ids sum to %lld)\n", name, (double)best / 1000, (long long)sum);
}

int main(int argc, char **argv) {
    int64_t n = argc > 1 ? atoll(argv[1]) : 262144;
    sampler s;
    float *logits = mem_alloc_aligned((size_t)n * sizeof *logits);
    if (!logits || sampler_open(&s, n, PAST, NULL) != E_OK) return 1;
    for (int64_t i = 0; i < n; i++) { /* a bell of width 3, some dozens far above it */
        double sum = 0;
        for (uint64_t j = 0; j < 12; j++) sum += rand_unit_at(1, (uint64_t)i * 12 + j);
        logits[i] = (float)(3 * (sum - 6) + (i % 5003 == 0 ? 12 : 0));
    }
    for (int i = 0; i < PAST; i++) past[i] = (int32_t)(rand_at(2, (uint64_t)i) % (uint64_t)n);
    const struct {
        const char *name;
        engine_sampling o;
    } asks[] = {
        {"greedy", {.temperature = 0}},
        {"temperature alone", {.temperature = 0.8, .seed = 1}},
        {"top_k 40, top_p 0.95", {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .seed = 1}},
        {"top_p 0.95", {.temperature = 0.8, .top_p = 0.95, .seed = 1}},
        {"min_p 0.05", {.temperature = 0.8, .min_p = 0.05, .seed = 1}},
        {"typical_p 0.9", {.temperature = 0.8, .typical_p = 0.9, .seed = 1}},
        {"all penalties, DRY, top_k 40, top_p 0.95",
         {.temperature = 0.8,
          .top_k = 40,
          .top_p = 0.95,
          .seed = 1,
          .repeat_penalty = 1.1,
          .presence_penalty = 0.5,
          .penalty_last_n = -1,
          .dry_multiplier = 0.8}},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        measure(&s, logits, asks[i].name, &asks[i].o);
    int64_t best = INT64_MAX;
    double sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        engine_candidate top[ENGINE_TOP_MAX];
        int64_t from = clock_mono_ns();
        sum = sampler_log_sum(logits, n);
        sampler_top(&s, logits, sum, ENGINE_TOP_MAX, top);
        int64_t took = clock_mono_ns() - from;
        best = took < best ? took : best;
    }
    printf("%-40s %8.1f us   (log-sum %.4f)\n", "20 log-probabilities", (double)best / 1000, sum);
    sampler_close(&s);
    mem_free(logits);
    return 0;
}

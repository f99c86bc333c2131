/* bench_engine.c - speed of the engine on real models: prefill of 512 tokens and decode of 128 of
 * one stream, sixteen streams together, and sentences a second of an encoder.
 *
 *   make benches && build/bench/bench_engine THREADS REPEATS MODEL.gguf [ENCODER_FOLDER]
 *
 * As llama-bench measures: prompt ids do not matter, one warm-up, then the median of REPEATS (the
 * lowest and highest in brackets). Run it beside a peer in the same minutes. */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFILL = 512,
    DECODE = 128,
    REPEATS_MAX = 64,
    TOGETHER = 16,
    SENTENCES = 512,
    WAIT_MS = 600000
};

static fail f;
static int repeats;

static void must(err e) {
    if (e == E_OK) return;
    fprintf(stderr, "%s\n", f.text);
    exit(1);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show(const char *what, double v[REPEATS_MAX], const char *unit) {
    qsort(v, (size_t)repeats, sizeof *v, by_value);
    printf("%-28s %8.1f %s (%.1f-%.1f)\n", what, v[repeats / 2], unit, v[0], v[repeats - 1]);
}

static engine_sequence *start(engine *e, size_t prompt, int32_t made) {
    static int32_t ids[PREFILL];
    engine_sequence *s;
    for (size_t i = 0; i < prompt; i++) ids[i] = (int32_t)(100 + i * 37 % 20000);
    must(engine_submit(e,
                       &(engine_ask){.prompt = ids,
                                     .n_prompt = prompt,
                                     .max_tokens = made,
                                     .ignore_end = true,
                                     .cache_off = true,
                                     .draft_off = true,
                                     .top_logprobs = -1},
                       &s, &f));
    return s;
}

static void finish(engine_sequence *s, engine_timings *t) {
    engine_event ev;
    do must(engine_next(s, WAIT_MS, &ev, &f));
    while (ev.id != TOKEN_NONE);
    engine_timings_get(s, t);
    engine_release(s);
}

static double together(engine *e) {
    engine_sequence *s[TOGETHER];
    engine_timings t;
    for (int i = 0; i < TOGETHER; i++) s[i] = start(e, 16, DECODE);
    int64_t from = 0;
    for (int i = 0; i < TOGETHER; i++) {
        engine_event ev;
        must(engine_next(s[i], WAIT_MS, &ev, &f));
        from = clock_mono_ns();
    }
    /* read round by round, so that no queue fills */
    for (int n = 0; n < DECODE; n++)
        for (int i = 0; i < TOGETHER; i++) {
            engine_event ev;
            must(engine_next(s[i], WAIT_MS, &ev, &f));
        }
    double seconds = (double)(clock_mono_ns() - from) / 1e9;
    for (int i = 0; i < TOGETHER; i++) {
        engine_timings_get(s[i], &t);
        engine_release(s[i]);
    }
    return TOGETHER * (DECODE - 1) / seconds;
}

static void bench_decoder(const char *path, team *team) {
    model *m;
    engine *e;
    engine_timings t;
    double prefill[REPEATS_MAX], decode[REPEATS_MAX], many[REPEATS_MAX];
    int64_t from = clock_mono_ns();
    must(model_open(&m, path, &(model_options){.team = team}, &f));
    must(engine_open(&e, &(engine_options){.model = m, .context_max = 1024}, &f));
    printf("open %.0f ms, kernels %s\n", (double)(clock_mono_ns() - from) / 1e6,
           model_kernels(m)->name);
    finish(start(e, PREFILL, 1), &t);
    for (int i = 0; i < repeats; i++) {
        finish(start(e, PREFILL, 1), &t);
        prefill[i] = t.prefill_tok_s;
        finish(start(e, 1, DECODE + 1), &t);
        decode[i] = t.decode_tok_s;
        many[i] = repeats > 1 ? together(e) : NAN;
    }
    show("prefill of 512", prefill, "tok/s");
    show("decode of 128, alone", decode, "tok/s");
    show("decode of 128, 16 together", many, "tok/s");
    engine_close(e);
    model_close(m);
}

static void bench_encoder(const char *path, team *team) {
    static const char *const words[] = {"how", "do",   "I",      "report", "water", "damage",
                                        "in",  "a",    "rented", "flat",   "when",  "nobody",
                                        "is",  "home", "at",     "night"};
    static char texts[SENTENCES][256];
    static str list[SENTENCES];
    model *m;
    double one[REPEATS_MAX], all[REPEATS_MAX];
    int64_t tokens = 0;
    must(model_open(&m, path, &(model_options){.team = team}, &f));
    int64_t width = model_about(m)->width;
    float *out = mem_alloc((size_t)(SENTENCES * width) * sizeof *out);
    if (!out) exit(1);
    for (int i = 0; i < SENTENCES; i++) {
        for (int w = 0; w < 6 + i % 11; w++) {
            strcat(texts[i], words[(i + w * 5) % 16]);
            strcat(texts[i], " ");
        }
        list[i] = str_from(texts[i]);
    }
    const model_embed_options o = {0};
    for (int i = 0; i < repeats; i++) {
        enum { ONE = 50 };
        must(model_embed(m, list, 1, &o, out, NULL, &f));
        int64_t from = clock_mono_ns();
        for (int n = 0; n < ONE; n++) must(model_embed(m, list + n, 1, &o, out, NULL, &f));
        one[i] = (double)(clock_mono_ns() - from) / 1e6 / ONE;
        from = clock_mono_ns();
        must(model_embed(m, list, SENTENCES, &o, out, &tokens, &f));
        all[i] = SENTENCES * 1e9 / (double)(clock_mono_ns() - from);
    }
    show("one sentence", one, "ms");
    show("512 sentences", all, "sentences/s");
    printf("%.1f tokens a sentence\n", (double)tokens / SENTENCES);
    mem_free(out);
    model_close(m);
}

int main(int n, char **arg) {
    team *team;
    repeats = n > 2 ? atoi(arg[2]) : 0;
    if (n < 4 || repeats < 1 || repeats > REPEATS_MAX) {
        fprintf(stderr, "usage: %s THREADS REPEATS MODEL.gguf [ENCODER_FOLDER]\n", arg[0]);
        return 2;
    }
    must(team_open(&team, atoi(arg[1]), &f));
    bench_decoder(arg[3], team);
    if (n > 4) bench_encoder(arg[4], team);
    team_close(team);
    return 0;
}

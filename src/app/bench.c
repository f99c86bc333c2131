/* bench.c - see bench.h. */
#include "app/bench.h"

#include "app/steps.h"
#include "app/stop.h"
#include "app/weights.h"
#include "base/clock.h"
#include "base/machine.h"
#include "base/rand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPETITIONS_MAX = 1000,
    ROWS = 256,     /* tokens of one step of a prompt: the fastest of 64 to 512 */
    SENTENCES = 64, /* of our own, for encoders */
    WORDS = 32,     /* of each */
    READ_TRIES = 5,
    SEED = 7
};

typedef struct bench {
    const bench_options *o;
    arena *arena;
    weights weights;
    team *team;
    model *model;
    bench_result *out;
    double *each; /* [repetitions] of the figure at work */
    fail *f;
} bench;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bench_figure figure_of(double *each, int64_t n) {
    qsort(each, (size_t)n, sizeof *each, by_value);
    double median = n % 2 ? each[n / 2] : (each[n / 2 - 1] + each[n / 2]) / 2;
    return (bench_figure){.median = median, .least = each[0], .most = each[n - 1], .runs = n};
}

/* Between repetitions: limits once more, progress, Ctrl-C. */
static err between(bench *b, const char *what, int64_t done) {
    probe_compute(&b->out->limits, b->team, model_kernels(b->model));
    if (b->o->progress)
        progress_put(b->o->progress, what, (uint64_t)done, (uint64_t)b->o->repetitions);
    return stop_wanted() ? fail_set(b->f, E_CANCELLED, "stopped") : E_OK;
}

static void fill_tokens(steps *s, int64_t n, int64_t salt) {
    for (int64_t i = 0; i < n; i++)
        s->tokens[i] = (int32_t)(rand_at(SEED, (uint64_t)(salt + i)) % (uint64_t)s->vocabulary);
}

/* ---- decoders ---- */

static err prefill_once(bench *b, steps *s, double *tok_s) {
    int64_t n = b->o->prompt;
    TRY(steps_reset(s, b->f));
    int64_t start = clock_mono_ns();
    for (int64_t at = 0; at < n;) {
        int64_t rows = n - at < s->o.rows ? n - at : s->o.rows;
        fill_tokens(s, rows, at);
        TRY(steps_run(s, 1, rows, at, at + rows == n, b->f));
        at += rows;
    }
    *tok_s = (double)n / ((double)(clock_mono_ns() - start) * 1e-9);
    return E_OK;
}

static err measure_prefill(bench *b) {
    const bench_options *o = b->o;
    steps s;
    steps_options so = {.kv = o->kv,
                        .sequences = 1,
                        .positions = o->prompt,
                        .rows = o->prompt < ROWS ? o->prompt : ROWS,
                        .wanted = 1};
    double warm;
    TRY(steps_open(&s, b->model, &so, b->f));
    err e = prefill_once(b, &s, &warm);
    for (int64_t i = 0; i < o->repetitions && e == E_OK; i++) {
        e = prefill_once(b, &s, &b->each[i]);
        if (e == E_OK) e = between(b, "prefill", i + 1);
    }
    steps_close(&s);
    if (e != E_OK) return e;
    b->out->prefill = figure_of(b->each, o->repetitions);
    b->out->prefill_gops = 2e-9 * b->weights.step_parameters * b->out->prefill.median;
    return E_OK;
}

/* The positions before those that are decoded, of every sequence. */
static err fill_depth(bench *b, steps *s, int64_t batch) {
    int64_t each = s->o.rows / batch;
    for (int64_t at = 0; at < b->o->depth; at += each) {
        int64_t n = b->o->depth - at < each ? b->o->depth - at : each;
        fill_tokens(s, batch * n, at * batch);
        TRY(steps_run(s, batch, n, at, 0, b->f));
        if (stop_wanted()) return fail_set(b->f, E_CANCELLED, "stopped");
    }
    return E_OK;
}

/* Again and again at the same positions. */
static err decode_once(bench *b, steps *s, int64_t batch, int64_t tokens, double *tok_s) {
    int64_t start = clock_mono_ns();
    for (int64_t at = 0; at < tokens; at++) {
        fill_tokens(s, batch, at * batch);
        TRY(steps_run(s, batch, 1, b->o->depth + at, batch, b->f));
        if (stop_wanted()) return fail_set(b->f, E_CANCELLED, "stopped");
    }
    *tok_s = (double)(batch * tokens) / ((double)(clock_mono_ns() - start) * 1e-9);
    return E_OK;
}

static err measure_decode(bench *b, int64_t batch) {
    const bench_options *o = b->o;
    bench_decode *d = &b->out->decode[b->out->n_decode];
    char what[32];
    steps s;
    steps_options so = {.kv = o->kv,
                        .sequences = batch,
                        .positions = o->depth + o->tokens,
                        .rows = o->depth && batch < ROWS ? ROWS : batch,
                        .wanted = batch};
    double warm;
    snprintf(what, sizeof what, "decode %lld", (long long)batch);
    TRY(steps_open(&s, b->model, &so, b->f));
    err e = fill_depth(b, &s, batch);
    if (e == E_OK) e = decode_once(b, &s, batch, o->tokens < 8 ? o->tokens : 8, &warm);
    for (int64_t i = 0; i < o->repetitions && e == E_OK; i++) {
        e = decode_once(b, &s, batch, o->tokens, &b->each[i]);
        if (e == E_OK) e = between(b, what, i + 1);
    }
    steps_close(&s);
    if (e != E_OK) return e;
    d->batch = batch;
    d->tok_s = figure_of(b->each, o->repetitions);
    d->gb_s = 1e-9 * (double)b->weights.step_bytes * d->tok_s.median / (double)batch;
    b->out->n_decode++;
    return E_OK;
}

static err measure_decoder(bench *b) {
    if (b->o->prompt) TRY(measure_prefill(b));
    for (size_t i = 0; b->o->tokens && i < b->o->n_batches; i++)
        TRY(measure_decode(b, b->o->batches[i]));
    return E_OK;
}

/* ---- encoders ---- */

/* Sentences of common words, some long, some short: WORDS on average. */
static err make_sentences(arena *a, str **out, fail *f) {
    static const char *const words[] = {"the",   "invoice", "of",    "our",  "last", "order",
                                        "is",    "late",    "and",   "they", "ask",  "whether",
                                        "price", "has",     "moved", "with", "it"};
    str *texts = arena_new_n(a, str, SENTENCES);
    if (!texts) return fail_memory(f, "sentences");
    for (uint64_t i = 0; i < SENTENCES; i++) {
        buf b = {0};
        uint64_t n = WORDS / 2 + rand_at(SEED, i) % WORDS;
        for (uint64_t k = 0; k < n; k++)
            buf_printf(&b, "%s ", words[rand_at(SEED + i + 1, k) % (sizeof words / sizeof *words)]);
        texts[i] = arena_str(a, buf_str(&b));
        err e = buf_ok(&b, f);
        buf_deinit(&b);
        TRY(e);
        if (!texts[i].p) return fail_memory(f, "sentences");
    }
    *out = texts;
    return E_OK;
}

static err measure_encoder(bench *b) {
    const str *texts = b->o->sentences;
    size_t n = b->o->n_sentences, width = (size_t)model_about(b->model)->width;
    int64_t tokens = 0;
    model_embed_options o = {.truncate = true};
    if (!texts) {
        str *own = NULL;
        TRY(make_sentences(b->arena, &own, b->f));
        texts = own;
        n = SENTENCES;
    }
    float *out = arena_new_n(b->arena, float, n *width);
    if (!out) return fail_memory(b->f, "embeddings");
    TRY(model_embed(b->model, texts, n, &o, out, &tokens, b->f));
    for (int64_t i = 0; i < b->o->repetitions; i++) {
        int64_t start = clock_mono_ns();
        TRY(model_embed(b->model, texts, n, &o, out, &tokens, b->f));
        b->each[i] = (double)n / ((double)(clock_mono_ns() - start) * 1e-9);
        TRY(between(b, "encode", i + 1));
    }
    bench_result *r = b->out;
    double each = (double)tokens / (double)n;
    r->sentences_s = figure_of(b->each, b->o->repetitions);
    r->prefill = (bench_figure){.median = each * r->sentences_s.median,
                                .least = each * r->sentences_s.least,
                                .most = each * r->sentences_s.most,
                                .runs = r->sentences_s.runs};
    r->prefill_gops = 2e-9 * b->weights.step_parameters * r->prefill.median;
    return E_OK;
}

/* ---- the whole ---- */

static err measure(bench *b) {
    const bench_options *o = b->o;
    const kern_table *kern;
    TRY(kern_select(o->kern, &kern, b->f));
    TRY(weights_read(&b->weights, b->arena, o->path, b->f));
    TRY(team_open(&b->team, o->threads, b->f));
    model_options options = {
        .kern = kern, .team = b->team, .cache_dir = o->cache_dir, .int8 = o->int8};
    TRY(model_open(&b->model, o->path, &options, b->f));
    const model_info *about = model_about(b->model);
    b->out->is_encoder = about->is_encoder;
    b->out->kern = kern->name;
    b->out->int8 = o->int8;
    b->out->threads = team_threads(b->team);
    b->out->quantisation = b->weights.quantisation;
    TRY(between(b, "limits", 0));
    TRY(about->is_encoder ? measure_encoder(b) : measure_decoder(b));
    b->out->rss_bytes = machine_peak_bytes();
    return probe_memory(&b->out->limits, b->team, kern, READ_TRIES, b->f);
}

err bench_run(const bench_options *o, arena *a, bench_result *out, fail *f) {
    CHECK(o->repetitions >= 1 && o->repetitions <= REPETITIONS_MAX);
    *out = (bench_result){.model = o->name, .kv = o->kv_name};
    bench b = {.o = o, .arena = a, .out = out, .f = f};
    b.each = arena_new_n(a, double, (size_t)o->repetitions);
    if (!b.each) return fail_memory(f, "a benchmark");
    if (o->progress) progress_init(o->progress, PROGRESS_COUNT);
    err e = measure(&b);
    if (o->progress) progress_end(o->progress);
    model_close(b.model);
    team_close(b.team);
    return e;
}

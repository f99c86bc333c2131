/* bench.h - the measuring behind bantam bench and bantam doctor --measure; see cmd_bench.c. Opens
 * the model with a team of its own. One thread. */
#ifndef BANTAM_APP_BENCH_H
#define BANTAM_APP_BENCH_H

#include "app/probe.h"
#include "app/progress.h"
#include "base/arena.h"
#include "base/str.h"
#include "kv/kv.h"

enum { BENCH_BATCHES_MAX = 16 };

typedef struct bench_options {
    const char *path;
    str name;
    int threads;           /* 0 = the cores there are */
    const char *kern;      /* NULL = the fastest */
    bool int8;             /* matrices of floats are multiplied in int8 */
    const char *cache_dir; /* of packed weights, as every command uses it; NULL = none */
    kv_type kv;
    const char *kv_name;
    int64_t prompt, tokens, repetitions;
    int64_t depth; /* positions before the tokens that are made */
    int64_t batches[BENCH_BATCHES_MAX];
    size_t n_batches;
    const str *sentences; /* encoders; NULL = our own */
    size_t n_sentences;
    progress *progress; /* NULL = silent */
} bench_options;

/* A second: median, least and most of the repetitions. */
typedef struct bench_figure {
    double median, least, most;
    int64_t runs; /* 0 = not measured */
} bench_figure;

typedef struct bench_decode {
    int64_t batch;
    bench_figure tok_s; /* of all sequences together */
    double gb_s;
} bench_decode;

typedef struct bench_result {
    str model;
    bool is_encoder, int8;
    const char *quantisation, *kern, *kv;
    int threads;
    bench_figure prefill; /* tokens; of an encoder's sentences too */
    bench_figure sentences_s;
    double prefill_gops;
    bench_decode decode[BENCH_BATCHES_MAX];
    size_t n_decode;
    int64_t rss_bytes;
    probe limits;
} bench_result;

/* E_CANCELLED after Ctrl-C; E_CONTEXT when prompt or tokens are above the model's context. */
err bench_run(const bench_options *o, arena *a, bench_result *out, fail *f) MUST_CHECK;

#endif

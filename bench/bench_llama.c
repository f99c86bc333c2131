/* bench_llama.c - speed of a decoder from a GGUF file: prefill of 512 tokens, decode of one stream,
 * decode of several streams together.
 *
 *   make benches && build/bench/bench_llama MODEL.gguf [THREADS [KERNELS [STREAMS]]]
 *
 * Wall time, best of three; processor time per thread is shown beside it, for hosts with
 * neighbours. Compare with llama-bench -p 512 -n 64 on the same file and threads in the same
 * minutes. */
#include "base/clock.h"
#include "base/mem.h"
#include "model/model_forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROMPT = 512, DECODE = 64, STREAMS_MAX = 32, REPEATS = 3 };

typedef struct rig {
    team *team;
    model *m;
    model_run *run;
    kv_pool *pool;
    kv_sequence *kv[STREAMS_MAX];
    float *logits;
} rig;

static err open_rig(rig *r, int argc, char **argv, fail *f) {
    const kern_table *kern;
    TRY(kern_select(argc > 3 ? argv[3] : NULL, &kern, f));
    TRY(team_open(&r->team, argc > 2 ? atoi(argv[2]) : 1, f));
    int64_t start = clock_mono_ns();
    TRY(model_open(&r->m, argv[1], &(model_options){.kern = kern, .team = r->team}, f));
    const model_info *info = model_about(r->m);
    printf("%s kernels, %d threads, opened in %.0f ms\n", kern->name, team_threads(r->team),
           1e-6 * (double)(clock_mono_ns() - start));
    TRY(model_run_open(&r->run, r->m,
                       &(model_run_options){
                           .rows_max = PROMPT, .sequences_max = STREAMS_MAX, .positions_max = 1024},
                       f));
    TRY(kv_pool_open(
        &r->pool,
        &(kv_pool_options){.shape = {info->layers, info->kv_heads, info->head_width, OP_KV_F16},
                           .tokens_max = 1024,
                           .sequences_max = STREAMS_MAX,
                           .bytes_max = 1u << 30},
        f));
    r->logits = mem_alloc_aligned((size_t)info->vocabulary * STREAMS_MAX * sizeof(float));
    return r->logits ? E_OK : fail_memory(f, "logits");
}

/* n rows of each of `streams` sequences at positions from.. */
static err step(rig *r, int64_t streams, int64_t from, int64_t n, fail *f) {
    int32_t tokens[PROMPT], positions[PROMPT], sequences[PROMPT];
    int64_t wanted[STREAMS_MAX];
    for (int64_t i = 0; i < streams * n; i++) {
        tokens[i] = (int32_t)((i * 37 + from) % 4000 + 100);
        positions[i] = (int32_t)(from + i % n);
        sequences[i] = (int32_t)(i / n);
    }
    for (int64_t s = 0; s < streams; s++) {
        wanted[s] = (s + 1) * n - 1;
        TRY(kv_sequence_grow(r->pool, r->kv[s], from + n, f));
    }
    model_batch b = {.n_rows = streams * n,
                     .tokens = tokens,
                     .positions = positions,
                     .sequences = sequences,
                     .n_sequences = streams,
                     .pool = r->pool,
                     .kv = r->kv,
                     .wanted = wanted,
                     .n_wanted = streams,
                     .logits = r->logits};
    return model_forward(r->run, &b, f);
}

typedef struct rate {
    double wall, cpu; /* tokens a second; of wall time, of one thread's processor time */
} rate;

static void keep_best(rate *best, const rig *r, int64_t tokens, int64_t wall, clock_t cpu) {
    double by_wall = 1e9 * (double)tokens / (double)(clock_mono_ns() - wall);
    double by_cpu =
        (double)tokens * team_threads(r->team) / ((double)(clock() - cpu) / (double)CLOCKS_PER_SEC);
    if (by_wall > best->wall) best->wall = by_wall;
    if (by_cpu > best->cpu) best->cpu = by_cpu;
}

static err measure(rig *r, int64_t streams, rate *prefill, rate *decode, fail *f) {
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        int64_t context = streams > 1 ? 16 : PROMPT;
        for (int64_t s = 0; s < streams; s++) TRY(kv_sequence_take(r->pool, &r->kv[s], f));
        int64_t wall = clock_mono_ns();
        clock_t cpu = clock();
        TRY(step(r, streams, 0, context, f));
        keep_best(prefill, r, streams * context, wall, cpu);
        wall = clock_mono_ns();
        cpu = clock();
        for (int64_t i = 0; i < DECODE; i++) TRY(step(r, streams, context + i, 1, f));
        keep_best(decode, r, streams * DECODE, wall, cpu);
        for (int64_t s = 0; s < streams; s++) kv_sequence_give(r->pool, r->kv[s]);
    }
    return E_OK;
}

int main(int argc, char **argv) {
    rig r = {0};
    fail f = {0};
    rate prefill = {0, 0}, decode = {0, 0};
    int64_t streams = argc > 4 ? atoi(argv[4]) : 1;
    if (argc < 2 || streams < 1 || streams > STREAMS_MAX) {
        fprintf(stderr, "bench_llama MODEL.gguf [THREADS [KERNELS [STREAMS]]]\n");
        return 2;
    }
    err e = open_rig(&r, argc, argv, &f);
    if (e == E_OK) e = measure(&r, streams, &prefill, &decode, &f);
    if (e == E_OK)
        printf("%lld streams: prefill %.0f tok/s (%.0f by processor time), decode %.0f (%.0f)\n",
               (long long)streams, prefill.wall, prefill.cpu, decode.wall, decode.cpu);
    else
        fprintf(stderr, "%s\n", f.text);
    mem_free(r.logits);
    kv_pool_close(r.pool);
    model_run_close(r.run);
    model_close(r.m);
    team_close(r.team);
    return err_exit_code(e);
}

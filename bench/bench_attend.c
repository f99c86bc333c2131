/* bench_attend.c - speed of the attention kernels on one key/value head, one thread.
 *
 *   make benches && build/bench/bench_attend [f32|f16|q8]
 *
 * Prefill: 512 tokens after the context, in tiles; GFLOP/s count what a query really sees (causal).
 * Decode: one token; GB/s of keys and values from memory (the heads are cycled through 256 MB).
 * Processor time, best of short bursts. */
#include "base/mem.h"
#include "base/rand.h"
#include "kern/kern.h"
#include "kern/kern_attend.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BURSTS = 5, BURST_MS = 30, TOKENS_MAX = 512, DECODE_BYTES = 256 << 20 };

static const struct {
    const char *name;
    const kern_attend_table *table;
} tables[] = {{"avx512", &kern_attend_avx512}, {"avx2", &kern_attend_avx2}};

typedef struct job {
    const kern_attend_table *table;
    kern_kv type;
    int64_t dim, group, context, tokens;
    int64_t copies; /* heads side by side in a page */
    size_t head_bytes;
    kern_page *pages;
    float *q, *out, *scratch;
} job;

static double cpu_seconds(void) {
    return (double)clock() / (double)CLOCKS_PER_SEC;
}

static void once(const job *j, int64_t copy) {
    size_t at = (size_t)copy * j->head_bytes;
    kern_pages kv = {j->pages, at, at, j->type, j->dim};
    int64_t step = KERN_QUERIES_MAX / j->group, width = j->group * j->dim;
    int32_t from[KERN_QUERIES_MAX] = {0}, to[KERN_QUERIES_MAX];
    for (int64_t t = 0; t < j->tokens; t += step) {
        int64_t n = j->tokens - t < step ? j->tokens - t : step;
        for (int64_t i = 0; i < n; i++) to[i] = (int32_t)(j->context + t + i + 1);
        kern_queries q = {.q = j->q + t * width,
                          .out = j->out + t * width,
                          .q_stride = width,
                          .out_stride = width,
                          .tokens = (int32_t)n,
                          .group = (int32_t)j->group,
                          .from = from,
                          .to = to,
                          .scale = 0.1f};
        j->table->attend(&kv, &q, j->scratch);
    }
}

static double seconds(const job *j) {
    double best = 1e9;
    for (int b = 0; b < BURSTS; b++) {
        int64_t n = 0;
        double start = cpu_seconds(), took;
        do once(j, n++ % j->copies);
        while ((took = cpu_seconds() - start) < BURST_MS * 1e-3);
        best = took / (double)n < best ? took / (double)n : best;
    }
    return best;
}

static void *take(size_t bytes) {
    void *p = mem_alloc_aligned(bytes);
    CHECK(p);
    return p;
}

static void measure(job j) {
    int64_t pages = (j.context + j.tokens + KERN_PAGE - 1) / KERN_PAGE;
    j.head_bytes = kern_keys_bytes(j.type, j.dim) + kern_values_bytes(j.type, j.dim);
    size_t page_bytes = j.head_bytes;
    j.copies = j.tokens > 1 ? 1 : DECODE_BYTES / (int64_t)(j.head_bytes * (size_t)pages) + 1;
    page_bytes *= (size_t)j.copies;
    char *memory = take(page_bytes * (size_t)pages);
    for (size_t i = 0; i < page_bytes * (size_t)pages / 2; i++)
        ((uint16_t *)(void *)memory)[i] = j.type == KERN_KV_F16 ? 0x3400 : 0x3e3e; /* finite */
    j.pages = take((size_t)pages * sizeof *j.pages);
    for (int64_t p = 0; p < pages; p++) {
        char *at = memory + (size_t)p * page_bytes;
        j.pages[p] = (kern_page){at, at + kern_keys_bytes(j.type, j.dim)};
    }
    j.q = take(sizeof(float) * (size_t)(j.tokens * j.group * j.dim));
    j.out = take(sizeof(float) * (size_t)(j.tokens * j.group * j.dim));
    j.scratch = take(sizeof(float) * (size_t)kern_attend_scratch(j.dim));
    rand_stream rs = {.seed = 1};
    for (int64_t i = 0; i < j.tokens * j.group * j.dim; i++) j.q[i] = (float)rand_next_unit(&rs);
    double s = seconds(&j), seen = 0;
    for (int64_t t = 0; t < j.tokens; t++) seen += (double)(j.context + t + 1);
    double flop = 4 * seen * (double)(j.group * j.dim);
    printf("  dim %3lld group %lld context %5lld T %3lld  %9.1f us  %6.1f GFLOP/s  %5.1f GB/s\n",
           (long long)j.dim, (long long)j.group, (long long)j.context, (long long)j.tokens, s * 1e6,
           1e-9 * flop / s, 1e-9 * (double)(j.context + 1) / KERN_PAGE * (double)j.head_bytes / s);
    mem_free(memory);
    mem_free(j.pages);
    mem_free(j.q);
    mem_free(j.out);
    mem_free(j.scratch);
}

int main(int n, char **args) {
    static const int64_t dims[] = {32, 64, 128, 256}, groups[] = {1, 3, 4, 8};
    const char *type = n > 1 ? args[1] : "f16";
    kern_kv kv = !strcmp(type, "q8")    ? KERN_KV_Q8
                 : !strcmp(type, "f32") ? KERN_KV_F32
                                        : KERN_KV_F16;
    bool brief = n > 2;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (size_t d = 0; d < 4; d++)
            for (size_t g = 0; g < 4; g++) {
                if (brief && (dims[d] != 64 || groups[g] != 3)) continue;
                job j = {.table = tables[i].table, .type = kv, .dim = dims[d], .group = groups[g]};
                printf("%s %s\n", tables[i].name, type);
                j.tokens = TOKENS_MAX;
                measure(j);
                j.context = 2048;
                measure(j);
                j.tokens = 1;
                j.context = 511;
                measure(j);
                j.context = 8191;
                measure(j);
            }
    return 0;
}

/* bench_kern.c - speed of the matrix kernels on the shapes of real models, one thread.
 *
 *   make benches && build/bench/bench_kern [KERNELS]
 *
 * Time is processor time (clock()), best of a few short bursts, so that neighbours disturb less.
 * The first line is how fast a plain loop with prefetch reads 200 MB in the same run: a yardstick
 * for T 1, not a ceiling (a kernel with better prefetch passes it). The arithmetic peak is not
 * measured here: that takes intrinsics, which live in kern/ only. */
#include "base/mem.h"
#include "base/rand.h"
#include "kern/kern.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BURSTS = 5, BURST_MS = 40, TOKENS = 128 };

typedef struct job {
    const kern_table *kern;
    kern_gemm_q quantised; /* or float */
    int64_t T, rows, k, row_bytes,
        copies; /* copies of the matrix, so that it is not in the cache */
    char *w;
    float *x, *y;
    kern_act act;
} job;

static void once(const job *j, int64_t copy) {
    const char *w = j->w + copy * j->rows * j->row_bytes;
    if (j->quantised)
        j->quantised(j->act, j->T, w, j->row_bytes, j->rows, j->k, j->y, j->rows);
    else
        j->kern->gemm_f32(j->x, j->T, (const float *)(const void *)w, j->rows, j->k, j->y, j->rows);
}

static double cpu_seconds(void) {
    return (double)clock() / (double)CLOCKS_PER_SEC;
}

/* seconds of one product, best burst */
static double seconds(const job *j) {
    double best = 1e9;
    for (int b = 0; b < BURSTS; b++) {
        int64_t n = 0;
        double start = cpu_seconds(), took;
        do once(j, n++ % j->copies);
        while ((took = cpu_seconds() - start) < BURST_MS * 1e-3);
        double each = took / (double)n;
        best = each < best ? each : best;
    }
    return best;
}

static void show(const char *what, job *j) {
    double s = seconds(j), bytes = (double)(j->rows * j->row_bytes);
    printf("%-28s T %4lld  %5lld x %-5lld  %8.1f us  %7.1f GOP/s  %6.1f GB/s\n", what,
           (long long)j->T, (long long)j->rows, (long long)j->k, s * 1e6,
           2e-9 * (double)(j->T * j->rows * j->k) / s, 1e-9 * bytes / s);
}

static void fill(void *p, size_t n) {
    rand_stream r = {.seed = 1};
    for (size_t i = 0; i < n; i++) ((unsigned char *)p)[i] = (unsigned char)(rand_next(&r) & 0x3f);
}

static double read_limit(const char *p, size_t n) {
    double best = 0;
    for (int b = 0; b < BURSTS; b++) {
        uint64_t sum = 0, v;
        double start = cpu_seconds();
        for (size_t i = 0; i + 64 <= n; i += 64) {
            __builtin_prefetch(p + i + 4096);
            for (size_t l = 0; l < 64; l += 8) {
                memcpy(&v, p + i + l, 8);
                sum += v;
            }
        }
        double rate = 1e-9 * (double)n / (cpu_seconds() - start + (double)(sum & 1) * 1e-9);
        best = rate > best ? rate : best;
    }
    return best;
}

int main(int argc, char **argv) {
    static const struct { int64_t rows, k; } shapes[] = {{1536, 576}, {576, 1536}, {8192, 2048}};
    const kern_table *kern;
    fail f;
    if (kern_select(argc > 1 ? argv[1] : NULL, &kern, &f) != E_OK) {
        fprintf(stderr, "%s\n", f.text);
        return 1;
    }
    enum { WEIGHT_BYTES = 200 << 20 };
    char *w = mem_alloc_aligned(WEIGHT_BYTES + 8192);
    float *x = mem_alloc_aligned(TOKENS * 8192 * sizeof *x),
          *y = mem_alloc_aligned(TOKENS * 8192 * sizeof *y);
    kern_act act = {mem_alloc_aligned(TOKENS * 8192), mem_alloc_aligned(TOKENS * 1024),
                    mem_alloc_aligned(TOKENS * 1024)};
    if (!w || !x || !y || !act.q || !act.d || !act.sum) return 1;
    fill(w, WEIGHT_BYTES);
    fill(act.q, TOKENS * 8192);
    memset(x, 0, TOKENS * 8192 * sizeof *x);
    memset(act.d, 0, TOKENS * 1024);
    memset(act.sum, 0, TOKENS * 1024);
    printf("kernels %s; reading 200 MB: %.1f GB/s\n", kern->name, read_limit(w, WEIGHT_BYTES));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct {
            const char *name;
            kern_gemm_q gemm;
            int64_t block_bytes;
        } kinds[] = {{"Q4_1 packed", kern->packed_q4_1.gemm, 20},
                     {"Q4_1", kern->gemm_q4_1, 20},
                     {"Q4_0 packed", kern->packed_q4_0.gemm, 18},
                     {"Q8_0", kern->gemm_q8_0, 34},
                     {"F32", NULL, 128}};
        for (size_t n = 0; n < sizeof kinds / sizeof *kinds; n++)
            for (int64_t T = 1; T <= TOKENS; T = T == 1 ? 8 : T * 16) {
                job j = {.kern = kern,
                         .quantised = kinds[n].gemm,
                         .T = T,
                         .rows = shapes[i].rows,
                         .k = shapes[i].k,
                         .w = w,
                         .x = x,
                         .y = y,
                         .act = act};
                if (!j.quantised && kinds[n].block_bytes != 128) continue;
                j.row_bytes = j.k / KERN_BLOCK * kinds[n].block_bytes;
                j.copies = WEIGHT_BYTES / (j.rows * j.row_bytes);
                show(kinds[n].name, &j);
            }
    }
    return 0;
}

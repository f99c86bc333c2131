/* bench_kern.c - speed of the matrix products on the shapes of real models, beside what the machine
 * could do at most.
 *
 *   make benches && build/bench/bench_kern [-k KERNELS] [-t THREADS] [-l LAYOUT] [-s SHAPE]
 *
 * Each figure is the best of BURSTS short bursts, taken by turns over all cases, so that neighbours
 * on the same cores disturb less; peaks and the reading of memory are measured in the same turns.
 * Weights for T = 1 come from a pool far larger than the cache. A part is a few strips, claimed by
 * a counter, as in tensor/op_linear.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/team.h"
#include "kern/kern.h"
#include "kern/kern_probe.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BURSTS = 9, T_MAX = 512, COLS_MAX = 8192, THREADS_MAX = 64 };
#define BURST_S 0.02
enum { POOL_BYTES = 256 << 20, READ_BYTES = 16 << 20, PROBE_ROUNDS = 100000 };

static const struct {
    int64_t rows, cols;
} shapes[] = {{384, 384},  {1536, 384},  {384, 1536},  {1536, 576},
              {576, 1536}, {2048, 2048}, {8192, 2048}, {2048, 8192}};
static const int64_t counts[] = {1, 4, 8, 16, 512};
enum { SHAPES = sizeof shapes / sizeof *shapes, COUNTS = sizeof counts / sizeof *counts };

typedef struct bench {
    const kern_table *kern;
    const kern_probe *probe;
    team *team;
    int threads;
    char *pool, *scratch, *from;
    float *x, *y;
    void *input;
    double int8, f32, bf16, read; /* best of this machine: GOP/s, GB/s */
} bench;

typedef struct one {
    const bench *b;
    kern_weight w;
    kern_input in;
    int64_t strips, part;
} one;

static void run_part(void *arg, int64_t index, int worker) {
    const one *o = arg;
    int64_t left = o->strips - index * o->part;
    kern_part part = {index * o->part, left < o->part ? left : o->part, 0, o->in.tiles};
    o->b->kern->products->gemm[o->w.layout](&o->w, &o->in, part, o->b->y, o->w.rows,
                                            o->b->scratch +
                                                (size_t)worker * kern_scratch_bytes(COLS_MAX));
}

/* One thread counts the processor's time, which neighbours on the same core do not add to. */
static double now(const bench *b) {
    return b->threads == 1 ? (double)clock() / (double)CLOCKS_PER_SEC
                           : 1e-9 * (double)clock_mono_ns();
}

/* seconds of one product, the best of a burst; the pool holds many copies of the matrix */
static double burst(one *o) {
    size_t bytes = (size_t)o->strips * o->w.strip_bytes;
    int64_t copies = (int64_t)(POOL_BYTES / bytes), n = 0;
    double best = 1e9;
    double start = now(o->b);
    do {
        o->w.strips = o->b->pool + (size_t)(n++ % copies) * bytes;
        double before = now(o->b);
        team_run(o->b->team, run_part, o, (o->strips + o->part - 1) / o->part);
        double took = now(o->b) - before;
        best = took < best ? took : best;
    } while (now(o->b) - start < BURST_S);
    return best;
}

static void probe_int8(void *arg, int64_t i, int worker) {
    (void)i, (void)worker;
    ((bench *)arg)->probe->int8(PROBE_ROUNDS);
}
static void probe_f32(void *arg, int64_t i, int worker) {
    (void)i, (void)worker;
    ((bench *)arg)->probe->f32(PROBE_ROUNDS);
}
static void probe_bf16(void *arg, int64_t i, int worker) {
    (void)i, (void)worker;
    ((bench *)arg)->probe->bf16(PROBE_ROUNDS);
}
static atomic_ullong kept;
static void probe_read(void *arg, int64_t i, int worker) {
    (void)worker;
    bench *b = arg;
    size_t each = READ_BYTES / (size_t)b->threads / 64 * 64;
    atomic_fetch_add(&kept, b->probe->read(b->from + (size_t)i * each, each));
}

static void better(double *best, double rate) {
    if (rate > *best) *best = rate;
}
static double timed(bench *b, void (*work)(void *, int64_t, int)) {
    double start = now(b);
    team_run(b->team, work, b, b->threads);
    return now(b) - start;
}
static void measure_limits(bench *b) {
    double rounds = 1e-9 * PROBE_ROUNDS * b->threads;
    for (int i = 0; i < 5; i++) {
        better(&b->int8, rounds * (double)b->probe->int8_ops / timed(b, probe_int8));
        better(&b->f32, rounds * (double)b->probe->f32_ops / timed(b, probe_f32));
        if (b->probe->bf16)
            better(&b->bf16, rounds * (double)b->probe->bf16_ops / timed(b, probe_bf16));
    }
    for (size_t at = 0; at < POOL_BYTES; at += READ_BYTES) {
        b->from = b->pool + at;
        better(&b->read, 1e-9 * READ_BYTES / timed(b, probe_read));
    }
}

static void show(const bench *b, const one *o, double seconds) {
    int64_t T = o->in.T;
    double gops = 2e-9 * (double)(T * o->w.rows * o->w.cols) / seconds,
           gbs = 1e-9 * (double)o->strips * (double)o->w.strip_bytes / seconds;
    bool floats = o->w.layout <= KERN_BF16;
    double peak = floats ? b->f32 : b->int8;
    printf("%-7s %5lld x %-5lld T %3lld  %9.1f us  %7.1f GOP/s %5.1f %%",
           kern_shape_of(o->w.layout)->name, (long long)o->w.rows, (long long)o->w.cols,
           (long long)T, seconds * 1e6, gops, 100 * gops / peak);
    printf("  %6.1f GB/s %5.1f %%\n", gbs, 100 * gbs / b->read);
}

/* Bytes that are ordinary scales wherever one begins, as f16 (1.0) and as f32 (0.01): numbers below
 * the normal range would cost a hundred times as much. */
static void fill_pool(char *p, size_t n) {
    rand_stream r = {.seed = 1};
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = (rand_next(&r) & 0x007f007f007f007full) | 0x3c003c003c003c00ull;
        memcpy(p + i, &v, 8);
    }
}

static one make(bench *b, kern_layout l, int64_t rows, int64_t cols, int64_t T) {
    one o = {.b = b, .w = {.layout = l, .rows = rows, .cols = cols}};
    o.w.strip_bytes = kern_strip_bytes(l, cols);
    o.strips = (rows + KERN_ROWS - 1) / KERN_ROWS;
    int64_t each = T == 1 ? (24 << 10) / (int64_t)o.w.strip_bytes : (4 << 20) / (T * cols * 32) * 2;
    o.part = each < 1 ? (T == 1 ? 1 : 2) : each;
    kern_input_place(&o.in, b->x, T, cols, b->input);
    for (int64_t t = 0; t < o.in.tiles; t++) b->kern->products->quantise_tile(&o.in, t);
    return o;
}

static bool chosen(const char *wanted, const char *name) {
    return !wanted || !strcmp(wanted, name);
}

static void run_cases(bench *b, const char *layout, const char *shape) {
    for (kern_layout l = KERN_NONE + 1; l < KERN_LAYOUTS; l++)
        for (int s = 0; s < SHAPES; s++) {
            char name[32];
            snprintf(name, sizeof name, "%lldx%lld", (long long)shapes[s].rows,
                     (long long)shapes[s].cols);
            if (!b->kern->products->gemm[l] || !kern_fits(l, shapes[s].cols) ||
                !chosen(layout, kern_shape_of(l)->name) || !chosen(shape, name))
                continue;
            double best[COUNTS] = {1e9, 1e9, 1e9, 1e9, 1e9};
            for (int burst_i = 0; burst_i < BURSTS; burst_i++) {
                measure_limits(b);
                for (int n = 0; n < COUNTS; n++) {
                    one o = make(b, l, shapes[s].rows, shapes[s].cols, counts[n]);
                    double took = burst(&o);
                    best[n] = took < best[n] ? took : best[n];
                }
            }
            for (int n = 0; n < COUNTS; n++) {
                one o = make(b, l, shapes[s].rows, shapes[s].cols, counts[n]);
                show(b, &o, best[n]);
            }
        }
}

int main(int argc, char **argv) {
    const char *kernels = NULL, *layout = NULL, *shape = NULL;
    bench b = {.threads = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "-k")) kernels = argv[i + 1];
        if (!strcmp(argv[i], "-t")) b.threads = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "-l")) layout = argv[i + 1];
        if (!strcmp(argv[i], "-s")) shape = argv[i + 1];
    }
    if (b.threads < 1 || b.threads > THREADS_MAX) b.threads = 1;
    fail f;
    if (kern_select(kernels, &b.kern, &f) != E_OK || team_open(&b.team, b.threads, &f) != E_OK) {
        fprintf(stderr, "%s\n", f.text);
        return 1;
    }
    if (!b.kern->products) return 1;
    b.probe = kern_probe_of(b.kern);
    b.pool = mem_alloc_aligned(POOL_BYTES + (64 << 10));
    b.scratch = mem_alloc_aligned((size_t)b.threads * kern_scratch_bytes(COLS_MAX));
    b.x = mem_alloc_aligned(T_MAX * COLS_MAX * sizeof(float));
    b.y = mem_alloc_aligned(T_MAX * COLS_MAX * sizeof(float));
    b.input = mem_alloc_aligned(kern_input_bytes(T_MAX, COLS_MAX));
    if (!b.pool || !b.scratch || !b.x || !b.y || !b.input) return 1;
    fill_pool(b.pool, POOL_BYTES);
    rand_stream r = {.seed = 2};
    for (int64_t i = 0; i < T_MAX * COLS_MAX; i++) b.x[i] = (float)rand_next_unit(&r) - 0.5f;
    run_cases(&b, layout, shape);
    printf("kernels %s, threads %d, best seen: int8 %.0f GOP/s, f32 %.0f, bf16 %.0f GFLOP/s, read "
           "%.1f GB/s\n",
           b.kern->name, b.threads, b.int8, b.f32, b.bf16, b.read);
    team_close(b.team);
    return 0;
}

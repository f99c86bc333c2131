/* probe.c - see probe.h. */
#include "app/probe.h"

#include "base/clock.h"
#include "base/machine.h"
#include "base/mem.h"
#include "kern/kern_probe.h"

#include <stdatomic.h>
#include <string.h>

enum {
    PIECES = 16,              /* of one run for each thread: who is late gets fewer */
    PIECE_NS = 1500000,       /* about how long one takes */
    BUFFER_BYTES = 512 << 20, /* above any cache we know */
    BUFFER_LEAST = 64 << 20,  /* above most */
    BUFFER_PART = 4,          /* of the memory to be had, where that is less */
    READ_BYTES = 1 << 20,     /* a piece of it */
};

typedef struct compute {
    void (*work)(int64_t rounds);
    int64_t rounds;
} compute;

static void compute_piece(void *arg, int64_t index, int worker) {
    const compute *c = arg;
    (void)index, (void)worker;
    c->work(c->rounds);
}

/* Rounds that take about PIECE_NS on one thread. */
static int64_t find_rounds(void (*work)(int64_t)) {
    for (int64_t rounds = 1000;; rounds *= 4) {
        int64_t start = clock_mono_ns();
        work(rounds);
        int64_t ns = clock_mono_ns() - start;
        if (ns > PIECE_NS / 8 || rounds > (int64_t)1 << 40) return rounds * PIECE_NS / (ns + 1) + 1;
    }
}

static void compute_best(team *t, void (*work)(int64_t), int64_t ops, double *best) {
    if (!work) return;
    compute c = {work, find_rounds(work)};
    int64_t pieces = (int64_t)PIECES * team_threads(t), start = clock_mono_ns();
    team_run(t, compute_piece, &c, pieces);
    double seconds = (double)(clock_mono_ns() - start) * 1e-9;
    double gops = (double)ops * (double)c.rounds * (double)pieces * 1e-9 / seconds;
    if (gops > *best) *best = gops;
}

void probe_compute(probe *p, team *t, const kern_table *kern) {
    const kern_probe *k = kern_probe_of(kern);
    compute_best(t, k->int8, k->int8_ops, &p->int8_gops);
    compute_best(t, k->bf16, k->bf16_ops, &p->bf16_gops);
    compute_best(t, k->f32, k->f32_ops, &p->f32_gops);
}

typedef struct reading {
    const kern_probe *kern;
    const char *buffer;
    atomic_ullong kept; /* so that the reading is not left out */
} reading;

static void read_piece(void *arg, int64_t index, int worker) {
    reading *r = arg;
    (void)worker;
    uint64_t sum = r->kern->read(r->buffer + index * READ_BYTES, READ_BYTES);
    atomic_fetch_add_explicit(&r->kept, sum, memory_order_relaxed);
}

/* In a small container all of it would end the process. */
static int64_t buffer_bytes(void) {
    machine m;
    machine_look(&m);
    int64_t room = m.memory_free_bytes, limit = m.memory_limit_bytes;
    if (limit > 0 && (room < 0 || limit < room)) room = limit;
    if (room < 0 || room / BUFFER_PART >= BUFFER_BYTES) return BUFFER_BYTES;
    int64_t part = room / BUFFER_PART / READ_BYTES * READ_BYTES;
    return part > BUFFER_LEAST ? part : BUFFER_LEAST;
}

err probe_memory(probe *p, team *t, const kern_table *kern, int repetitions, fail *f) {
    reading r = {.kern = kern_probe_of(kern)};
    int64_t bytes = buffer_bytes();
    char *buffer = mem_alloc_aligned((size_t)bytes);
    if (!buffer) return fail_memory(f, "a buffer to measure reading with");
    memset(buffer, 1, (size_t)bytes);
    r.buffer = buffer;
    for (int i = 0; i < repetitions; i++) {
        int64_t start = clock_mono_ns();
        team_run(t, read_piece, &r, bytes / READ_BYTES);
        double gb_s = (double)bytes / (double)(clock_mono_ns() - start);
        if (gb_s > p->read_gb_s) p->read_gb_s = gb_s;
    }
    mem_free(buffer);
    return E_OK;
}

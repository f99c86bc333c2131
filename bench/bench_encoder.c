/* bench_encoder.c - sentences a second of an encoder, F32 and int8.
 *
 *     build/bench/bench_encoder FOLDER SENTENCES.txt THREADS ROUNDS [f32|int8]
 *
 * One sentence a line. Prints for each round "seconds sentences_s tokens_s"; with VECTORS=FILE the
 * vectors go there as float32, in order, for the cosine with another program's. bench_encoder.py
 * runs it by turns with onnxruntime and PyTorch. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENTENCES_MAX = 1 << 20 };

typedef struct bench {
    arena a;
    str *sentences;
    size_t n;
    team *team;
    model *m;
    float *out;
} bench;

static err read_sentences(bench *b, const char *path, fail *f) {
    str all;
    TRY(file_read(&b->a, path, 0, &all, f));
    b->sentences = arena_new_n(&b->a, str, SENTENCES_MAX);
    if (!b->sentences) return fail_memory(f, "sentences");
    while (all.p && b->n < SENTENCES_MAX) {
        str line = str_trim(str_cut(&all, '\n'));
        if (line.n) b->sentences[b->n++] = line;
    }
    return b->n ? E_OK : fail_set(f, E_INPUT, "\"%s\" has no sentences", path);
}

static err measure(bench *b, int rounds, fail *f) {
    model_embed_options o = {.truncate = true};
    for (int i = 0; i < rounds; i++) {
        int64_t tokens, start = clock_mono_ns();
        TRY(model_embed(b->m, b->sentences, b->n, &o, b->out, &tokens, f));
        double seconds = (double)(clock_mono_ns() - start) / 1e9;
        printf("%.4f %.1f %.0f\n", seconds, (double)b->n / seconds, (double)tokens / seconds);
        fflush(stdout);
    }
    return E_OK;
}

static err run(bench *b, char **argv, bool int8, fail *f) {
    TRY(read_sentences(b, argv[2], f));
    TRY(team_open(&b->team, atoi(argv[3]), f));
    TRY(model_open(&b->m, argv[1], &(model_options){.team = b->team, .int8 = int8}, f));
    size_t floats = b->n * (size_t)model_about(b->m)->width;
    b->out = mem_alloc(floats * sizeof *b->out);
    if (!b->out) return fail_memory(f, "vectors");
    TRY(measure(b, atoi(argv[4]), f));
    const char *vectors = getenv("VECTORS");
    if (!vectors) return E_OK;
    return file_write(vectors, (str){(const char *)b->out, floats * sizeof *b->out}, 0644, f);
}

int main(int argc, char **argv) {
    bench b = {0};
    fail f = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: bench_encoder FOLDER SENTENCES.txt THREADS ROUNDS [f32|int8]\n");
        return 2;
    }
    arena_init(&b.a, 0);
    err e = run(&b, argv, argc > 5 && !strcmp(argv[5], "int8"), &f);
    if (e != E_OK) fprintf(stderr, "bench_encoder: %s\n", f.text);
    model_close(b.m);
    team_close(b.team);
    mem_free(b.out);
    arena_deinit(&b.a);
    return err_exit_code(e);
}

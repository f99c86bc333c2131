/* bench_token.c - tokenizer throughput on a text file, in CPU time of one thread.
 *
 *   build/bench/bench_token MODEL.gguf|tokenizer.json TEXT [PIECE_BYTES [SECONDS]]
 *
 * The text is cut into pieces (default 4000 bytes, like a long prompt), each encoded by one call,
 * until SECONDS (2) have gone by. Prints the time to open and MB/s. Beside the packages of others:
 * bench/bench_token_peers.py. */
#include "../tests/token/vocab.h"

#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void) {
    struct timespec s;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &s);
    return (double)s.tv_sec + (double)s.tv_nsec / 1e9;
}

static err open_any(const char *path, tokenizer **t, arena *a, fail *f) {
    str bytes;
    if (!str_ends(str_from(path), STR(".json"))) return vocab_open(path, t, NULL, NULL, f);
    TRY(file_read(a, path, 0, &bytes, f));
    return tokenizer_open_json(t, bytes, f);
}

/* One pass over the text; returns the tokens. */
static size_t pass(const tokenizer *t, str text, size_t piece_bytes, err *e, fail *f) {
    size_t tokens = 0;
    arena a;
    arena_init(&a, 0);
    while (text.n && *e == E_OK) {
        token_ids ids = {0};
        str piece = utf8_cut(text, piece_bytes);
        if (!piece.n) piece = str_slice(text, 0, piece_bytes);
        *e = tokenizer_encode(t, &a, piece, NULL, &ids, f);
        text = str_slice(text, piece.n, text.n);
        tokens += ids.n;
        arena_reset(&a);
    }
    arena_deinit(&a);
    return tokens;
}

typedef struct bench_options {
    const char *model, *text;
    size_t piece_bytes;
    double seconds;
} bench_options;

static err run(const bench_options *o, arena *a, fail *f) {
    tokenizer *t = NULL;
    str text;
    size_t tokens = 0, passes = 0;
    err e = E_OK;
    TRY(file_read(a, o->text, 0, &text, f));
    double start = cpu_seconds();
    TRY(open_any(o->model, &t, a, f));
    double opened = cpu_seconds(), end = opened;
    for (; end - opened < o->seconds && e == E_OK; end = cpu_seconds(), passes++)
        tokens = pass(t, text, o->piece_bytes, &e, f);
    tokenizer_close(t);
    double bytes = (double)text.n * (double)passes;
    printf("open %.1f ms, %.1f MB/s, %.2f bytes a token (%zu bytes, %zu tokens)\n",
           (opened - start) * 1e3, bytes / (end - opened) / 1e6,
           (double)text.n / (double)(tokens ? tokens : 1), text.n, tokens);
    return e;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr,
                "usage: bench_token MODEL.gguf|tokenizer.json TEXT [PIECE_BYTES [SECONDS]]\n");
        return 2;
    }
    int64_t piece_bytes = 4000;
    if (argc > 3 && (!str_to_int(str_from(argv[3]), &piece_bytes) || piece_bytes < 4)) return 2;
    bench_options o = {argv[1], argv[2], (size_t)piece_bytes, 2};
    if (argc > 4 && !str_to_double(str_from(argv[4]), &o.seconds)) return 2;
    arena a;
    fail f = {0};
    arena_init(&a, 0);
    err e = run(&o, &a, &f);
    if (e != E_OK) fprintf(stderr, "%s\n", f.text);
    arena_deinit(&a);
    return err_exit_code(e);
}

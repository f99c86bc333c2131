/* bench_guess.c - what guessing tokens brings: greedy continuation of a text, without, from the
 * past, and by a draft model; and what a known prefix saves before the first token.
 *
 *   make benches && build/bench/bench_guess THREADS TOKENS MODEL.gguf TEXT_FILE [DRAFT.gguf]
 *
 * Each line is the median of REPEATS in tokens a second (the lowest and highest in brackets), the
 * three ways in turn within each repeat. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPEATS = 5, WAIT_MS = 600000, TEXT_BYTES_MAX = 64 << 10, WAYS = 3 };

static fail f;

static void must(err e) {
    if (e == E_OK) return;
    fprintf(stderr, "%s\n", f.text);
    exit(1);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t ask(engine *e, token_ids prompt, int32_t made, bool plain, bool forget,
                    engine_timings *t) {
    engine_sequence *s;
    engine_event ev;
    uint64_t sum = 0;
    engine_ask a = {.prompt = prompt.p,
                    .n_prompt = prompt.n,
                    .max_tokens = made,
                    .ignore_end = true,
                    .cache_off = forget,
                    .draft_off = plain,
                    .top_logprobs = -1};
    must(engine_submit(e, &a, &s, &f));
    do {
        must(engine_next(s, WAIT_MS, &ev, &f));
        sum = sum * 31 + (uint64_t)ev.id;
    } while (ev.id != TOKEN_NONE);
    engine_timings_get(s, t);
    engine_release(s);
    return sum;
}

static void show(const char *what, double v[REPEATS], const engine_timings *t, const char *unit) {
    qsort(v, REPEATS, sizeof *v, by_value);
    printf("%-22s %8.1f %s (%.1f-%.1f)", what, v[REPEATS / 2], unit, v[0], v[REPEATS - 1]);
    if (t->drafted)
        printf(", %lld of %lld guesses held", (long long)t->drafts_held, (long long)t->drafted);
    printf("\n");
}

int main(int n, char **arg) {
    static const char *const names[WAYS] = {"no guesses", "from the past", "by the draft model"};
    team *team;
    model *m, *draft = NULL;
    engine *e[2] = {NULL, NULL};
    arena a;
    str text;
    token_ids prompt;
    engine_timings t[WAYS] = {{0}}, first = {0};
    double speed[WAYS][REPEATS], wait[2][REPEATS];
    if (n < 5) {
        fprintf(stderr, "usage: %s THREADS TOKENS MODEL.gguf TEXT_FILE [DRAFT.gguf]\n", arg[0]);
        return 2;
    }
    int ways = n > 5 ? 3 : 2, made = atoi(arg[2]);
    arena_init(&a, 0);
    must(team_open(&team, atoi(arg[1]), &f));
    must(model_open(&m, arg[3], &(model_options){.team = team}, &f));
    if (n > 5) must(model_open(&draft, arg[5], &(model_options){.team = team}, &f));
    must(file_read(&a, arg[4], TEXT_BYTES_MAX, &text, &f));
    must(tokenizer_encode(model_tokenizer(m), &a, text, NULL, &prompt, &f));
    engine_options o = {.model = m, .context_max = (int32_t)prompt.n + made + 8};
    must(engine_open(&e[0], &o, &f));
    o.draft = draft;
    if (draft) must(engine_open(&e[1], &o, &f));
    for (int i = 0; i < REPEATS; i++) {
        uint64_t sums[WAYS];
        for (int way = 0; way < ways; way++) {
            sums[way] = ask(e[way == 2], prompt, made, way == 0, false, &t[way]);
            speed[way][i] = t[way].decode_tok_s;
            if (sums[way] != sums[0]) fprintf(stderr, "%s gave other tokens\n", names[way]);
        }
        for (int forget = 0; forget < 2; forget++) {
            ask(e[0], prompt, 1, true, forget, &first);
            wait[forget][i] = first.first_token_ms;
        }
    }
    printf("%zu tokens of %s, %d made\n", prompt.n, arg[4], made);
    for (int way = 0; way < ways; way++) show(names[way], speed[way], &t[way], "tok/s");
    show("first token", wait[1], &(engine_timings){0}, "ms");
    show("first token, known", wait[0], &(engine_timings){0}, "ms");
    for (int i = 0; i < 2; i++) engine_close(e[i]);
    model_close(draft);
    model_close(m);
    team_close(team);
    arena_deinit(&a);
    return 0;
}

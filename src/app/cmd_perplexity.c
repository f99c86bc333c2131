/* cmd_perplexity.c - bantam perplexity: how surprised a model is by a text.
 *
 * As llama.cpp defines it, so that figures compare: the whole text is tokenised once; whole chunks
 * of N tokens, each with an empty context; BOS, where the model's metadata adds it, takes the place
 * of a chunk's first token; the tokens at N/2 + 1 .. N - 1 are scored (N - 1 - N/2 of them), so
 * each has at least half a context before it. ppl = exp(mean of -log p). */
#include "app/cmd.h"
#include "app/out.h"
#include "app/steps.h"
#include "app/stop.h"
#include "app/world.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONTEXT = 512, ROWS = 256, LOGITS_BYTES = 64 << 20, TEXT_BYTES_MAX = 16 << 20 };

typedef struct scoring {
    steps steps;
    const kern_table *kern;
    token_ids text;
    int64_t n;            /* tokens of a chunk */
    int32_t bos;          /* TOKEN_NONE: none is put */
    const int32_t *chunk; /* [n], the one at work */
    int64_t first;        /* of the rows in s->logits: its position */
    double *minus_log;    /* [ROWS], of one step's rows */
    double sum;
    int64_t count;
} scoring;

/* -log softmax(x)[target]. The likeliest entry of the softmax is 1 / sum(exp(x - max)), so the
 * sum's logarithm is had without a second pass. x is used up. */
static double surprise(const kern_table *kern, float *x, int64_t n, int32_t target) {
    int64_t best = 0;
    double wanted = (double)x[target];
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    double most = (double)x[best];
    kern->rows->softmax(x, n);
    return most - log((double)x[best]) - wanted;
}

static void score_row(void *arg, int64_t row, int worker) {
    scoring *s = arg;
    (void)worker;
    int32_t target = s->chunk[s->first + row + 1];
    float *x = s->steps.logits + row * s->steps.vocabulary;
    s->minus_log[row] = surprise(s->kern, x, s->steps.vocabulary, target);
}

/* Rows [from, from + rows) of a chunk; those at or behind `scored` are wanted. */
static err score_piece(scoring *s, int64_t from, int64_t rows, bool wanted, fail *f) {
    memcpy(s->steps.tokens, s->chunk + from, (size_t)rows * sizeof(int32_t));
    if (from == 0 && s->bos != TOKEN_NONE) s->steps.tokens[0] = s->bos;
    TRY(steps_run(&s->steps, 1, rows, from, wanted ? rows : 0, f));
    if (!wanted) return E_OK;
    s->first = from;
    team_run(model_team(s->steps.model), score_row, s, rows);
    for (int64_t i = 0; i < rows; i++) s->sum += s->minus_log[i];
    s->count += rows;
    return E_OK;
}

/* The last row predicts what is outside of the chunk, so it is left out. */
static err score_chunk(scoring *s, int64_t at, fail *f) {
    int64_t half = s->n / 2, end = s->n - 1;
    s->chunk = s->text.p + at;
    TRY(steps_reset(&s->steps, f));
    for (int64_t from = 0; from < end;) {
        bool wanted = from >= half;
        int64_t to = wanted ? end : half, most = wanted ? s->steps.o.wanted : s->steps.o.rows;
        int64_t rows = to - from < most ? to - from : most;
        TRY(score_piece(s, from, rows, wanted, f));
        from += rows;
    }
    return E_OK;
}

static err no_numbers(int64_t chunk, fail *f) {
    fail_set(f, E_CORRUPT, "the model's logits in chunk %lld are not numbers",
             (long long)(chunk + 1));
    return fail_hint(f, "its weights may be damaged: fetch the model again");
}

static err score_all(scoring *s, world *w, fail *f) {
    int64_t chunks = (int64_t)s->text.n / s->n;
    err e = E_OK;
    progress_init(&w->progress, PROGRESS_COUNT);
    for (int64_t c = 0; c < chunks && e == E_OK; c++) {
        e = score_chunk(s, c * s->n, f);
        if (e == E_OK && isnan(s->sum)) e = no_numbers(c, f);
        progress_put(&w->progress, "tokens scored", (uint64_t)((c + 1) * s->n),
                     (uint64_t)(chunks * s->n));
        if (e == E_OK && stop_wanted()) {
            e = fail_set(f, E_CANCELLED, "stopped after %lld of %lld chunks; so far %.4f",
                         (long long)(c + 1), (long long)chunks, exp(s->sum / (double)s->count));
        }
    }
    progress_end(&w->progress);
    return e;
}

static err read_tokens(const cli *c, const model *m, scoring *s, fail *f) {
    const tokenizer *t = model_tokenizer(m);
    const char *path = cli_value(c, "file");
    str text;
    if (!path) {
        fail_set(f, E_USAGE, "bantam perplexity needs a text: --file F");
        return fail_hint(f, "a plain text of some thousand words that the model has not learned");
    }
    token_encode_options o = {.special = TOKEN_SPECIAL_USER,
                              .add_bos = tokenizer_adds_bos(t),
                              .add_eos = tokenizer_adds_eos(t)};
    TRY(file_read(c->arena, path, TEXT_BYTES_MAX, &text, f));
    TRY(tokenizer_encode(t, c->arena, text, &o, &s->text, f));
    s->bos = o.add_bos ? tokenizer_bos(t) : TOKEN_NONE;
    if ((int64_t)s->text.n >= s->n) return E_OK;
    fail_set(f, E_INPUT, "\"%s\" is %zu tokens, less than one chunk of --ctx %lld", path, s->text.n,
             (long long)s->n);
    return fail_hint(f, "give a longer text, or a smaller --ctx");
}

static err print_result(const cli *c, const scoring *s, fail *f) {
    double ppl = exp(s->sum / (double)s->count);
    if (!cli_flag(c, "json")) {
        printf("perplexity %.4f over %lld tokens (%lld chunks of %lld)\n", ppl, (long long)s->count,
               (long long)((int64_t)s->text.n / s->n), (long long)s->n);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_double(&j, "ppl", ppl);
    json_field_int(&j, "tokens", s->count);
    json_end_object(&j);
    return out_json(&b, f);
}

static err perplexity(const cli *c, world *w, fail *f) {
    static double minus_log[ROWS];
    scoring s = {.minus_log = minus_log};
    world_model *opened;
    kv_type kv;
    TRY(cli_int(c, "ctx", CONTEXT, 4, 1 << 24, &s.n, f));
    TRY(kv_type_of(cli_value(c, "kv"), &kv, f));
    TRY(world_open_model(w, str_from(c->args[0]), &opened, f));
    const model *m = world_model_of(opened);
    s.kern = model_kernels(m);
    TRY(read_tokens(c, m, &s, f));
    int64_t wanted = LOGITS_BYTES / (model_about(m)->vocabulary * (int64_t)sizeof(float));
    wanted = wanted < 16 ? 16 : wanted > ROWS ? ROWS : wanted;
    steps_options o = {.kv = kv, .sequences = 1, .positions = s.n, .rows = ROWS, .wanted = wanted};
    TRY(steps_open(&s.steps, m, &o, f));
    err e = score_all(&s, w, f);
    steps_close(&s.steps);
    return e == E_OK ? print_result(c, &s, f) : e;
}

static err run_perplexity(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, perplexity, f);
}

static const cli_option options[] = {
    {"file", 'f', "F", "the text", false},
    {"ctx", 'c', "N", "tokens of a chunk (default 512)", false},
    {"kern", 0, "NAME", "numeric kernels (default: the fastest; bantam doctor lists them)", false},
    {"kv", 0, "TYPE", "type of keys and values: f32, f16 or q8 (default f16)", false},
    {"threads", 't', "N", "compute threads (default: the cores there are)", false},
    {"json", 0, NULL, "print {\"ppl\",\"tokens\"}", false}};

static const cli_verb verbs[] = {
    {"perplexity", "MODEL --file F", "how surprised a model is by a text: lower is better",
     "Whole chunks of N tokens; in each the second half is scored, as llama.cpp does, so figures\n"
     "compare: between quantisations of one model, never between models of different "
     "tokenizers.\n\n"
     "  bantam perplexity smollm2 --file book.txt\n"
     "  bantam perplexity ./model-q4.gguf --file book.txt --ctx 2048 --json\n",
     options, sizeof options / sizeof *options, 1, 1, run_perplexity},
};

cmd_group cmd_perplexity(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

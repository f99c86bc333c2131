/* cmd_quantize.c - bantam quantize: a GGUF file in smaller types. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/stop.h"
#include "app/progress.h"
#include "base/clock.h"
#include "base/file.h"
#include "model/model_quantise.h"

#include <stdio.h>

enum { CALIBRATION_BYTES_MAX = 64 << 20 };

/* ---- what is told while it runs ---- */

static void watch_put(void *self, const char *what, uint64_t done, uint64_t total) {
    progress_put(self, what, done, total);
}
static bool watch_stop(void *self) {
    (void)self;
    return stop_wanted();
}

/* ---- importance ---- */

static err measure(const cli *c, team *team, const char *path, model_importance **out,
                   int64_t *tokens, fail *f) {
    str text;
    progress bar;
    TRY(file_read(c->arena, path, CALIBRATION_BYTES_MAX, &text, f));
    progress_init(&bar, PROGRESS_COUNT);
    model_importance_options o = {.team = team, .watch = {&bar, watch_put, watch_stop}};
    err e = model_importance_measure(out, c->args[0], text, &o, tokens, f);
    progress_end(&bar);
    return e;
}

/* ---- the result ---- */

typedef struct outcome {
    model_quantise_report r;
    const char *type;
    int64_t calibration_tokens;
    double seconds;
} outcome;

static err print_json(const cli *c, const outcome *o, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_str(&j, "input", str_from(c->args[0]));
    json_field_str(&j, "output", str_from(c->args[1]));
    json_field_str(&j, "type", str_from(o->type));
    json_field_int(&j, "bytes_in", o->r.bytes_in);
    json_field_int(&j, "bytes_out", o->r.bytes_out);
    json_field_double(&j, "bits_per_weight",
                      (double)o->r.bytes_out * 8 / (double)(o->r.weights ? o->r.weights : 1));
    json_field_int(&j, "tensors", o->r.tensors);
    json_field_int(&j, "fallbacks", o->r.fallbacks);
    json_field_int(&j, "calibration_tokens", o->calibration_tokens);
    json_field_int(&j, "weighed_tensors", o->r.weighed);
    json_key(&j, "types");
    json_begin_object(&j);
    for (dtype t = 0; t < DTYPE_COUNT; t++)
        if (o->r.of_type[t]) json_field_int(&j, dtype_get(t)->name, o->r.of_type[t]);
    json_end_object(&j);
    json_field_double(&j, "seconds", o->seconds);
    json_end_object(&j);
    return out_json(&b, f);
}

static void print_text(const cli *c, const outcome *o) {
    printf("%s: %s, %.1f MB (from %.1f MB), %.2f bits a weight, %.1f s\n", c->args[1], o->type,
           (double)o->r.bytes_out * 1e-6, (double)o->r.bytes_in * 1e-6,
           (double)o->r.bytes_out * 8 / (double)(o->r.weights ? o->r.weights : 1), o->seconds);
    printf("  %lld tensors:", (long long)o->r.tensors);
    for (dtype t = 0; t < DTYPE_COUNT; t++)
        if (o->r.of_type[t]) printf(" %lld %s", (long long)o->r.of_type[t], dtype_get(t)->name);
    printf("\n");
    if (o->r.fallbacks)
        printf("  of %lld the rows are no multiple of 256: they got a type that fits\n",
               (long long)o->r.fallbacks);
    if (o->calibration_tokens)
        printf("  %lld weighed by %lld calibration tokens\n", (long long)o->r.weighed,
               (long long)o->calibration_tokens);
}

static err quantise(const cli *c, team *team, fail *f) {
    const char *calibration = cli_value(c, "imatrix");
    model_importance *importance = NULL;
    outcome o = {0};
    progress bar;
    model_quantise_options how = {.team = team,
                                  .allow_requantize = cli_flag(c, "allow-requantize"),
                                  .watch = {&bar, watch_put, watch_stop}};
    int64_t start = clock_mono_ns();
    TRY(model_recipe_find(c->args[2], &how.recipe, f));
    o.type = how.recipe->name;
    if (file_is_dir(c->args[0])) {
        fail_set(f, E_INPUT, "\"%s\" is a folder; quantize reads a GGUF file", c->args[0]);
        return fail_hint(f, "bantam convert %s FILE.gguf makes one", c->args[0]);
    }
    if (calibration) TRY(model_quantise_check(c->args[0], c->args[1], &how, f));
    if (calibration) TRY(measure(c, team, calibration, &importance, &o.calibration_tokens, f));
    how.importance = importance;
    progress_init(&bar, PROGRESS_BYTES);
    err e = model_quantise(c->args[0], c->args[1], &how, &o.r, f);
    progress_end(&bar);
    model_importance_close(importance);
    if (e != E_OK) return e;
    o.seconds = (double)(clock_mono_ns() - start) * 1e-9;
    if (cli_flag(c, "json")) return print_json(c, &o, f);
    print_text(c, &o);
    return E_OK;
}

static err run_quantize(const cli *c, fail *f) {
    int64_t threads;
    team *team = NULL;
    TRY(cli_int(c, "threads", 0, 0, 256, &threads, f));
    TRY(team_open(&team, (int)threads, f));
    err e = quantise(c, team, f);
    team_close(team);
    return e;
}

static const cli_option options[] = {
    {"imatrix", 0, "TEXT", "weigh rounding errors by what matters on this calibration text", false},
    {"allow-requantize", 0, NULL, "start from a file that is quantised already (loses more)",
     false},
    {"threads", 't', "N", "compute threads (default: the cores there are)", false},
    CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"quantize", "IN.gguf OUT.gguf TYPE", "write a model in a smaller type",
     "Types, from large to small (bits a weight of a 1B model):\n"
     "  F32 F16 BF16   32 and 16 bits: what the others start from\n"
     "  Q8_0           8.5 bits; no loss that anyone has measured on answers\n"
     "  Q6_K           6.6 bits\n"
     "  Q5_K_M         5.7 bits\n"
     "  Q4_K_M         4.9 bits; the usual choice\n"
     "  Q4_0 Q4_1      4.6 and 5.1 bits; Q4_0 is the fastest\n"
     "  Q5_0 Q5_1 IQ4_NL  for rows that are no multiple of 256, and for those who ask\n\n"
     "Which tensor gets which type is what llama.cpp does under these names: norms and biases "
     "stay,\n"
     "the output head gets Q6_K or Q8_0, the _M types give more bits where it counts. Rows that\n"
     "are no multiple of 256 get Q5_0, Q5_1 or Q8_0 instead of Q4_K, Q5_K or Q6_K.\n\n"
     "--imatrix runs the text through the model first and rounds with more care where its inputs\n"
     "are large: some thousand words of what the model is for. It pays most at 4 bits.\n\n"
     "  bantam quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M\n"
     "  bantam quantize model-f16.gguf model-q4_0.gguf Q4_0 --imatrix calibration.txt\n\n"
     "A folder as published (config.json, safetensors) becomes a GGUF file with bantam convert.\n",
     options, sizeof options / sizeof *options, 3, 3, run_quantize},
};

cmd_group cmd_quantize(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

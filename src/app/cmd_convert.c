/* cmd_convert.c - bantam convert: a model folder as published becomes one GGUF file, and back. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/progress.h"
#include "app/stop.h"
#include "base/clock.h"
#include "base/file.h"
#include "model/model_convert.h"
#include "model/model_export.h"

#include <stdio.h>

static void watch_put(void *self, const char *what, uint64_t done, uint64_t total) {
    progress_put(self, what, done, total);
}
static bool watch_stop(void *self) {
    (void)self;
    return stop_wanted();
}

static err print_json(const cli *c, const model_convert_report *r, double seconds, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_str(&j, "input", str_from(c->args[0]));
    json_field_str(&j, "output", str_from(c->args[1]));
    json_field_str(&j, "architecture", str_from(r->architecture));
    json_field_str(&j, "type", str_from(r->recipe->name));
    json_field_str(&j, "tokenizer", str_from(r->tokenizer));
    json_field_text(&j, "pre_tokenizer", str_from(r->pre));
    json_field_int(&j, "tokens", r->tokens);
    json_field_int(&j, "tensors", r->tensors);
    json_field_int(&j, "bytes_in", r->bytes_in);
    json_field_int(&j, "bytes_out", r->bytes_out);
    json_key(&j, "types");
    json_begin_object(&j);
    for (dtype t = 0; t < DTYPE_COUNT; t++)
        if (r->of_type[t]) json_field_int(&j, dtype_get(t)->name, r->of_type[t]);
    json_end_object(&j);
    json_field_double(&j, "seconds", seconds);
    json_end_object(&j);
    return out_json(&b, f);
}

static void print_text(const cli *c, const model_convert_report *r, double seconds) {
    printf("%s: %s, %s, %.1f MB (from %.1f MB), %.1f s\n", c->args[1], r->architecture,
           r->recipe->name, (double)r->bytes_out * 1e-6, (double)r->bytes_in * 1e-6, seconds);
    printf("  %lld tensors:", (long long)r->tensors);
    for (dtype t = 0; t < DTYPE_COUNT; t++)
        if (r->of_type[t]) printf(" %lld %s", (long long)r->of_type[t], dtype_get(t)->name);
    printf("\n  %lld tokens, tokenizer %s, cut as %s\n", (long long)r->tokens, r->tokenizer,
           r->pre);
}

static err convert_folder(const cli *c, team *team, fail *f) {
    model_convert_report r;
    progress bar;
    model_convert_options o = {.team = team, .watch = {&bar, watch_put, watch_stop}};
    int64_t start = clock_mono_ns();
    if (cli_value(c, "type")) TRY(model_recipe_find(cli_value(c, "type"), &o.recipe, f));
    progress_init(&bar, PROGRESS_BYTES);
    err e = model_convert(c->args[0], c->args[1], &o, &r, f);
    progress_end(&bar);
    if (e != E_OK) return e;
    double seconds = (double)(clock_mono_ns() - start) * 1e-9;
    if (cli_flag(c, "json")) return print_json(c, &r, seconds, f);
    print_text(c, &r, seconds);
    return E_OK;
}

/* ---- back ---- */

static err print_export(const cli *c, const model_export_report *r, const char *type,
                        double seconds, fail *f) {
    if (!cli_flag(c, "json")) {
        printf("%s: %s, %s, %lld tensors (from %.1f MB), %lld tokens, %.1f s\n", c->args[1],
               r->architecture, type, (long long)r->tensors, (double)r->bytes_in * 1e-6,
               (long long)r->tokens, seconds);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_str(&j, "input", str_from(c->args[0]));
    json_field_str(&j, "output", str_from(c->args[1]));
    json_field_str(&j, "architecture", str_from(r->architecture));
    json_field_str(&j, "type", str_from(type));
    json_field_int(&j, "tokens", r->tokens);
    json_field_int(&j, "tensors", r->tensors);
    json_field_int(&j, "bytes_in", r->bytes_in);
    json_field_double(&j, "seconds", seconds);
    json_end_object(&j);
    return out_json(&b, f);
}

static err export_file(const cli *c, team *team, fail *f) {
    const model_recipe *recipe;
    const char *type = cli_value(c, "type") ? cli_value(c, "type") : "BF16";
    model_export_report r;
    progress bar;
    int64_t start = clock_mono_ns();
    TRY(model_recipe_find(type, &recipe, f));
    if (dtype_get(recipe->base)->block > 1) {
        fail_set(f, E_INPUT, "a folder's weights cannot be %s", recipe->name);
        return fail_hint(f, "--type F32, F16 or BF16");
    }
    model_export_options o = {
        .type = recipe->base, .team = team, .watch = {&bar, watch_put, watch_stop}};
    progress_init(&bar, PROGRESS_BYTES);
    err e = model_export(c->args[0], c->args[1], &o, &r, f);
    progress_end(&bar);
    if (e != E_OK) return e;
    return print_export(c, &r, recipe->name, (double)(clock_mono_ns() - start) * 1e-9, f);
}

static err run_convert(const cli *c, fail *f) {
    int64_t threads;
    team *team = NULL;
    TRY(cli_int(c, "threads", 0, 0, 256, &threads, f));
    TRY(team_open(&team, (int)threads, f));
    bool back = file_exists(c->args[0]) && !file_is_dir(c->args[0]);
    err e = back ? export_file(c, team, f) : convert_folder(c, team, f);
    team_close(team);
    return e;
}

static const cli_option options[] = {
    {"type", 0, "TYPE", "F16, BF16, F32, Q8_0, Q4_K_M...: see bantam quantize --help", false},
    {"threads", 't', "N", "compute threads (default: the cores there are)", false},
    CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"convert", "FOLDER OUT.gguf | IN.gguf FOLDER",
     "make one GGUF file of a model folder as published, or a folder of a file",
     "The folder holds config.json, tokenizer.json and model.safetensors (or its shards with\n"
     "model.safetensors.index.json), as on Hugging Face; tokenizer_config.json and\n"
     "chat_template.jinja are read where they are. Names, metadata and the order of rows are "
     "those\n"
     "of llama.cpp's converter, so the file runs there, too. The folder itself runs here as it "
     "is.\n\n"
     "Without --type the file is F16, or BF16 where the folder is. A tokenizer that GGUF has no "
     "name\n"
     "for, or a weight that we do not know, is refused; nothing is written then.\n\n"
     "Models: Llama, Mistral, SmolLM2/3, TinyLlama, Qwen2/2.5, Qwen3, Qwen3-MoE, Gemma 3 (text),\n"
     "Phi-3/4-mini, Granite 3, OLMo 2, OLMoE, BERT, XLM-RoBERTa, ModernBERT.\n\n"
     "The way back writes config.json, tokenizer.json and safetensors (BF16, F16 or F32) of "
     "Llama,\n"
     "SmolLM3, Granite, Qwen2, Qwen3, OLMo 2 and Gemma 3 files.\n\n"
     "  bantam convert ./Qwen3-0.6B qwen3-0.6b-f16.gguf\n"
     "  bantam convert ./all-MiniLM-L6-v2 minilm-q8_0.gguf --type Q8_0\n"
     "  bantam convert smollm2-q4_1.gguf ./smollm2\n",
     options, sizeof options / sizeof *options, 2, 2, run_convert},
};

cmd_group cmd_convert(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

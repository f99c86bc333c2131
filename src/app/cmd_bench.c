/* cmd_bench.c - bantam bench: how fast a model runs here, beside what this machine could do at
 * most.
 *
 * Decoders: prefill of -p tokens, and -n steps of -b sequences from an empty context, straight
 * through the forward pass (no sampling, no queue). Encoders: sentences a second. Each is repeated
 * -r times; the median counts, least and most stand beside it. Between the repetitions the same
 * threads multiply int8 numbers as fast as they can, at the end they read memory: percent_peak and
 * percent_bandwidth are shares of the best of those.
 *
 *   GOP     = 2 x weights that are no embedding and no head x tokens / 1e9
 *   GB/s    = bytes of the weights that a step reads (the head too) x steps a second / 1e9
 *   RSS     = the most memory this process has had, before the probe of the memory takes its own */
#include "app/bench.h"
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>

enum { THREADS_MAX = 16, TEXT_BYTES_MAX = 64 << 20 };

/* "1,16" */
static err read_numbers(const cli *c, const char *name, int64_t fallback, int64_t min, int64_t max,
                        int64_t *out, size_t out_max, size_t *n, fail *f) {
    str rest = str_from(cli_value(c, name) ? cli_value(c, name) : "");
    *n = 1;
    out[0] = fallback;
    if (!rest.n) return E_OK;
    for (*n = 0; rest.p;) {
        str one = str_trim(str_cut(&rest, ','));
        int64_t value;
        if (!str_to_int(one, &value) || value < min || value > max || *n == out_max)
            return fail_set(f, E_USAGE,
                            "--%s takes up to %zu numbers from %lld to %lld with commas between, "
                            "not \"%s\"",
                            name, out_max, (long long)min, (long long)max, cli_value(c, name));
        out[(*n)++] = value;
    }
    return E_OK;
}

static err read_sentences(const cli *c, bench_options *o, fail *f) {
    str text;
    size_t lines = 1;
    if (!cli_value(c, "file")) return E_OK;
    TRY(file_read(c->arena, cli_value(c, "file"), TEXT_BYTES_MAX, &text, f));
    for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
    str *out = arena_new_n(c->arena, str, lines);
    if (!out) return fail_memory(f, "sentences");
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n'));
        if (line.n) out[o->n_sentences++] = line;
    }
    o->sentences = out;
    if (o->n_sentences) return E_OK;
    return fail_set(f, E_INPUT, "\"%s\" has no lines", cli_value(c, "file"));
}

/* ---- output ---- */

static void put_share(json_writer *j, const char *key, double part, double whole) {
    json_field_double(j, key, whole > 0 ? 100 * part / whole : NAN);
}

static void put_range(json_writer *j, const bench_figure *v) {
    json_begin_array(j);
    json_put_double(j, v->least);
    json_put_double(j, v->most);
    json_end_array(j);
}

static void put_spread(json_writer *j, const bench_result *r) {
    json_key(j, "spread_tok_s");
    json_begin_object(j);
    if (r->prefill.runs) json_key(j, "prefill");
    if (r->prefill.runs) put_range(j, &r->prefill);
    json_key(j, "decode");
    json_begin_array(j);
    for (size_t i = 0; i < r->n_decode; i++) put_range(j, &r->decode[i].tok_s);
    json_end_array(j);
    json_end_object(j);
}

static void put_machine(json_writer *j, const bench_result *r) {
    json_key(j, "machine");
    json_begin_object(j);
    json_field_double(j, "int8_gops", r->limits.int8_gops);
    json_field_double(j, "read_gb_s", r->limits.read_gb_s);
    json_end_object(j);
}

static void put_decoder(json_writer *j, const bench_result *r) {
    json_key(j, "prefill");
    if (r->prefill.runs) {
        json_begin_object(j);
        json_field_double(j, "tok_s", r->prefill.median);
        json_field_double(j, "gops", r->prefill_gops);
        put_share(j, "percent_peak", r->prefill_gops, r->limits.int8_gops);
        json_end_object(j);
    } else {
        json_put_null(j);
    }
    json_key(j, "decode");
    json_begin_array(j);
    for (size_t i = 0; i < r->n_decode; i++) {
        json_begin_object(j);
        json_field_int(j, "batch", r->decode[i].batch);
        json_field_double(j, "tok_s", r->decode[i].tok_s.median);
        json_field_double(j, "gb_s", r->decode[i].gb_s);
        put_share(j, "percent_bandwidth", r->decode[i].gb_s, r->limits.read_gb_s);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_encoder(json_writer *j, const bench_result *r) {
    json_key(j, "encode");
    json_begin_object(j);
    json_field_double(j, "sentences_s", r->sentences_s.median);
    json_field_double(j, "tok_s", r->prefill.median);
    json_field_double(j, "gops", r->prefill_gops);
    put_share(j, "percent_peak", r->prefill_gops, r->limits.int8_gops);
    json_end_object(j);
}

static void put_result(json_writer *j, const bench_result *r) {
    if (r->is_encoder)
        put_encoder(j, r);
    else
        put_decoder(j, r);
    json_field_int(j, "rss_bytes", r->rss_bytes);
    json_field_str(j, "model", r->model);
    json_field_z(j, "quantisation", r->quantisation);
    json_field_int(j, "threads", r->threads);
    json_field_z(j, "kern", r->kern);
    json_field_bool(j, "int8", r->int8);
    json_field_z(j, "kv", r->kv);
    if (!r->is_encoder) put_spread(j, r);
    put_machine(j, r);
}

static err print_json(const bench_result *r, size_t n, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    put_result(&j, &r[0]);
    if (n > 1) json_key(&j, "runs");
    if (n > 1) json_begin_array(&j);
    for (size_t i = 0; n > 1 && i < n; i++) {
        json_begin_object(&j);
        put_result(&j, &r[i]);
        json_end_object(&j);
    }
    if (n > 1) json_end_array(&j);
    json_end_object(&j);
    err e = out_json(&b, f);
    buf_deinit(&b);
    return e;
}

static void print_line(const char *what, const bench_figure *v, const char *unit, double per_s,
                       const char *per_unit, double limit) {
    char range[48];
    snprintf(range, sizeof range, "%.1f - %.1f", v->least, v->most);
    printf("  %-16s %10.1f %-6s %-18s %8.1f %-6s", what, v->median, unit, range, per_s, per_unit);
    if (limit > 0) printf(" %5.1f %%", 100 * per_s / limit);
    printf("\n");
}

static void print_table(const bench_result *r) {
    char what[32];
    printf("%.*s (%s%s), %d thread%s, kernels %s%s%s\n", STR_ARG(r->model), r->quantisation,
           r->int8 ? ", floats in int8" : "", r->threads, r->threads > 1 ? "s" : "", r->kern,
           r->is_encoder ? "" : ", keys and values ", r->is_encoder ? "" : r->kv);
    printf("  %-16s %10s %-6s %-18s %15s %7s\n", "", "median", "", "least - most", "", "of limit");
    if (r->is_encoder)
        print_line("encode", &r->sentences_s, "text/s", r->prefill_gops, "GOP/s",
                   r->limits.int8_gops);
    else if (r->prefill.runs)
        print_line("prefill", &r->prefill, "tok/s", r->prefill_gops, "GOP/s", r->limits.int8_gops);
    for (size_t i = 0; i < r->n_decode; i++) {
        snprintf(what, sizeof what, "decode %d", (int)r->decode[i].batch);
        print_line(what, &r->decode[i].tok_s, "tok/s", r->decode[i].gb_s, "GB/s",
                   r->limits.read_gb_s);
    }
    printf("  limits measured in this run: int8 %.1f GOP/s, reading %.1f GB/s; most memory %.1f "
           "MB\n",
           r->limits.int8_gops, r->limits.read_gb_s, (double)r->rss_bytes * 1e-6);
}

/* ---- the command ---- */

static err read_options(const cli *c, bench_options *o, fail *f) {
    TRY(cli_int(c, "prompt", 512, 0, 1 << 20, &o->prompt, f));
    TRY(cli_int(c, "tokens", 128, 0, 1 << 20, &o->tokens, f));
    TRY(cli_int(c, "repetitions", 5, 1, 1000, &o->repetitions, f));
    TRY(cli_int(c, "depth", 0, 0, 1 << 20, &o->depth, f));
    TRY(read_numbers(c, "batch", 1, 1, 1024, o->batches, BENCH_BATCHES_MAX, &o->n_batches, f));
    TRY(kv_type_of(cli_value(c, "kv"), &o->kv, f));
    o->kv_name = cli_value(c, "kv") ? cli_value(c, "kv") : "f16";
    o->kern = cli_value(c, "kern");
    o->int8 = cli_flag(c, "int8");
    TRY(read_sentences(c, o, f));
    if (o->prompt || o->tokens) return E_OK;
    return fail_set(f, E_USAGE, "with -p 0 and -n 0 there is nothing to measure");
}

static err bench(const cli *c, world *w, fail *f) {
    bench_options o = {.progress = &w->progress};
    bench_result results[THREADS_MAX];
    int64_t threads[THREADS_MAX];
    size_t n;
    registry_model found;
    TRY(read_options(c, &o, f));
    TRY(read_numbers(c, "threads", 0, 0, 256, threads, THREADS_MAX, &n, f));
    TRY(world_find_model(w, str_from(c->args[0]), &found, f));
    str cache = arena_printf(c->arena, "%s/cache", w->home.dir);
    if (!cache.p) return fail_memory(f, "a path");
    o.cache_dir = cache.p;
    o.path = found.path;
    o.name = str_from(c->args[0]);
    for (size_t i = 0; i < n; i++) {
        o.threads = (int)threads[i];
        TRY(bench_run(&o, c->arena, &results[i], f));
        if (!cli_flag(c, "json")) print_table(&results[i]);
        if (!cli_flag(c, "json")) TRY(out_flush(f));
    }
    return cli_flag(c, "json") ? print_json(results, n, f) : E_OK;
}

/* Without world_run: here --threads is a list, and the teams are bench_run's own. */
static err run_bench(const cli *c, fail *f) {
    static world w;
    err e = world_open(&w, WORLD_MODELS, f);
    if (e == E_OK) e = bench(c, &w, f);
    world_close(&w);
    return e;
}

static const cli_option options[] = {
    {"prompt", 'p', "N", "tokens of the prompt (default 512; 0: no prefill)", false},
    {"tokens", 'n', "N", "tokens to make (default 128; 0: no decoding)", false},
    {"depth", 'd', "N", "context that is there before the tokens are made (default 0)", false},
    {"batch", 'b', "B,B", "sequences together (default 1)", false},
    {"threads", 't', "T,T", "compute threads (default: the cores there are); several in turn",
     false},
    {"repetitions", 'r', "R", "the median of R counts (default 5)", false},
    {"file", 'f', "F", "encoders: the sentences, one a line (default: 64 of 32 words)", false},
    {"kern", 0, "NAME", "numeric kernels (default: the fastest; bantam doctor lists them)", false},
    {"int8", 0, NULL, "multiply matrices of floats (F32, F16, BF16) in int8", false},
    {"kv", 0, "TYPE", "type of keys and values: f32, f16 or q8 (default f16)", false},
    CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"bench", "MODEL", "how fast a model runs here, beside what the machine could do at most",
     "Let nothing else run meanwhile. Percentages are of the int8 operations a second and of the\n"
     "bytes a second that the same threads reached in this run.\n\n"
     "  bantam bench smollm2\n"
     "  bantam bench ./model.gguf -p 512 -n 128 -b 1,16 -t 1,2 -r 5 --json\n"
     "  bantam bench minilm --file sentences.txt --int8\n",
     options, sizeof options / sizeof *options, 1, 1, run_bench},
};

cmd_group cmd_bench(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

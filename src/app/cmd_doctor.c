/* cmd_doctor.c - bantam doctor: what this machine can do, which models it serves and how fast, and
 * what stands in the way. */
#include "app/cmd.h"
#include "app/doctor.h"
#include "app/out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Features that kernels use or could use, as /proc/cpuinfo names them. */
static const char *const features[] = {"avx2",     "fma",         "f16c",        "avx_vnni",
                                       "avx512f",  "avx512_vnni", "avx512_bf16", "amx_int8",
                                       "amx_bf16", "asimddp",     "i8mm",        "bf16"};
enum { FEATURES = sizeof features / sizeof *features };

/* ---- for people ---- */

static void print_features(const machine *m) {
    printf("  features   ");
    for (size_t i = 0; i < FEATURES; i++)
        if (machine_has(m, features[i])) printf(" %s", features[i]);
    printf("\n");
}

static void print_limits(const char *name, int threads, const probe *p) {
    printf("  %-11s int8 %.0f GOP/s, f32 %.0f", name, p->int8_gops, p->f32_gops);
    if (p->bf16_gops > 0) printf(", bf16 %.0f", p->bf16_gops);
    printf("; reading %.1f GB/s (%d thread%s)\n", p->read_gb_s, threads, threads > 1 ? "s" : "");
}

static void print_machine(const doctor *d) {
    const machine *m = &d->machine;
    printf("This machine\n");
    printf("  processor   %s\n", m->cpu[0] ? m->cpu : "not known");
    printf("  cores       %d in the machine, %d allowed", m->cores_online, m->cores_allowed);
    if (m->cores_quota > 0) printf(", quota %.2f", m->cores_quota);
    printf("; threads used: %d\n", d->threads);
    print_features(m);
    printf("  kernels     %s is used; here run:", d->kern);
    for (size_t i = 0; i < d->n_kernels; i++) printf(" %s", d->kernels[i]);
    printf("\n  memory      %.1f GB, %.1f GB to be had", (double)m->memory_bytes * 1e-9,
           (double)d->memory_bytes * 1e-9);
    if (m->memory_limit_bytes > 0)
        printf(" (limit of the group %.1f GB)", (double)m->memory_limit_bytes * 1e-9);
    printf("\n");
    print_limits("measured", d->threads, &d->limits);
    if (d->threads > 1) print_limits("", 1, &d->one_thread);
    printf("  home        %s, %.1f GB free\n", d->home, (double)d->disk_free_bytes * 1e-9);
    printf("  cache       %s, %.1f MB of packed weights\n\n", d->cache,
           (double)d->cache_bytes * 1e-6);
}

static void print_model(const doctor_model *m) {
    char prefill[16] = "-", decode[16] = "-";
    if (!isnan(m->prefill_tok_s)) snprintf(prefill, sizeof prefill, "%.0f", m->prefill_tok_s);
    if (!isnan(m->decode_tok_s)) snprintf(decode, sizeof decode, "%.0f", m->decode_tok_s);
    printf("  %-16.*s %7.1f GB  %-7s %8s %8s  %s%s\n", STR_ARG(m->found.name),
           (double)m->memory_bytes * 1e-9, m->fits ? "fits" : "too big", m->fits ? prefill : "-",
           m->fits ? decode : "-",
           m->measured        ? "measured"
           : m->found.path    ? "here, estimate"
           : m->found.untried ? "hf:, untried, estimate"
                              : "not fetched, estimate",
           "");
}

static void print_models(const doctor *d) {
    printf("Generators        %7s  %-7s %8s %8s\n", "memory", "", "prompt", "answer");
    printf("                                      tok/s    tok/s\n");
    for (size_t i = 0; i < d->n_models; i++) print_model(&d->models[i]);
    printf("  Estimates are %.0f %% of the measured int8 operations (prompt) and %.0f %% of the "
           "measured reading\n  (answer), which the engine reaches as a rule; --measure runs those "
           "that are here.\n\n",
           100 * doctor_prefill_share, 100 * doctor_decode_share);
}

static void print_problems(const doctor *d) {
    if (!d->n_problems) printf("Nothing stands in the way.\n");
    for (size_t i = 0; i < d->n_problems; i++)
        printf("%s%s%s\n  %s\n", out_bold(), d->problems[i].text, out_plain(),
               d->problems[i].remedy);
}

/* ---- JSON ---- */

static void field_int(json_writer *j, const char *key, int64_t n) {
    json_key(j, key);
    if (n < 0)
        json_put_null(j);
    else
        json_put_int(j, n);
}

static void put_limits(json_writer *j, const char *key, int threads, const probe *p) {
    json_key(j, key);
    json_begin_object(j);
    field_int(j, "threads", threads);
    json_field_double(j, "int8_gops", p->int8_gops);
    json_field_double(j, "f32_gops", p->f32_gops);
    json_field_double(j, "bf16_gops", p->bf16_gops > 0 ? p->bf16_gops : NAN);
    json_field_double(j, "read_gb_s", p->read_gb_s);
    json_end_object(j);
}

static void put_machine(json_writer *j, const doctor *d) {
    const machine *m = &d->machine;
    json_key(j, "machine");
    json_begin_object(j);
    json_field_z(j, "cpu", m->cpu);
    field_int(j, "cores_online", m->cores_online);
    field_int(j, "cores_allowed", m->cores_allowed);
    json_field_double(j, "cores_quota", m->cores_quota > 0 ? m->cores_quota : NAN);
    field_int(j, "threads", d->threads);
    json_key(j, "features");
    json_begin_array(j);
    for (size_t i = 0; i < FEATURES; i++)
        if (machine_has(m, features[i])) json_put_z(j, features[i]);
    json_end_array(j);
    json_field_z(j, "kern", d->kern);
    json_key(j, "kernels");
    json_begin_array(j);
    for (size_t i = 0; i < d->n_kernels; i++) json_put_z(j, d->kernels[i]);
    json_end_array(j);
    field_int(j, "memory_bytes", m->memory_bytes);
    field_int(j, "memory_usable_bytes", d->memory_bytes);
    field_int(j, "memory_limit_bytes", m->memory_limit_bytes);
    json_end_object(j);
}

static void put_models(json_writer *j, const doctor *d) {
    json_key(j, "models");
    json_begin_array(j);
    for (size_t i = 0; i < d->n_models; i++) {
        const doctor_model *m = &d->models[i];
        json_begin_object(j);
        json_field_str(j, "name", m->found.name);
        json_field_bool(j, "here", m->found.path != NULL);
        json_field_bool(j, "untried", m->found.untried);
        field_int(j, "memory_bytes", m->memory_bytes);
        json_field_bool(j, "fits", m->fits);
        json_field_bool(j, "measured", m->measured);
        json_field_double(j, "prefill_tok_s", m->prefill_tok_s);
        json_field_double(j, "decode_tok_s", m->decode_tok_s);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_problems(json_writer *j, const doctor *d) {
    json_key(j, "problems");
    json_begin_array(j);
    for (size_t i = 0; i < d->n_problems; i++) {
        json_begin_object(j);
        json_field_z(j, "problem", d->problems[i].text);
        json_field_z(j, "remedy", d->problems[i].remedy);
        json_end_object(j);
    }
    json_end_array(j);
}

static err print_json(const doctor *d, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    put_machine(&j, d);
    put_limits(&j, "limits", d->threads, &d->limits);
    put_limits(&j, "limits_one_thread", 1, &d->one_thread);
    json_field_z(&j, "home", d->home);
    field_int(&j, "disk_free_bytes", d->disk_free_bytes);
    json_field_z(&j, "cache", d->cache);
    field_int(&j, "cache_bytes", d->cache_bytes);
    json_field_double(&j, "estimate_prefill_share", doctor_prefill_share);
    json_field_double(&j, "estimate_decode_share", doctor_decode_share);
    put_models(&j, d);
    put_problems(&j, d);
    json_end_object(&j);
    return out_json(&b, f);
}

/* ---- the command ---- */

static err doctor_body(const cli *c, world *w, fail *f) {
    static doctor d; /* large */
    TRY(doctor_look(&d, w, c->arena, cli_flag(c, "measure"), f));
    if (cli_flag(c, "json")) return print_json(&d, f);
    print_machine(&d);
    print_models(&d);
    print_problems(&d);
    return E_OK;
}

static err run_doctor(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, doctor_body, f);
}

static const cli_option options[] = {
    {"measure", 0, NULL, "run the models that are here for some seconds each", false},
    {"threads", 't', "N", "compute threads (default: the cores there are)", false},
    CLI_JSON_OPTION};

static const cli_verb verbs[] = {
    {"doctor", "", "what this machine can do, which models it serves, what stands in the way",
     "Takes some seconds, in which nothing else should run.\n\n"
     "  bantam doctor\n  bantam doctor --measure\n  bantam doctor --json\n",
     options, sizeof options / sizeof *options, 0, 0, run_doctor},
};

cmd_group cmd_doctor(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

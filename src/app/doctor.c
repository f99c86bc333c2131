/* doctor.c - see doctor.h. */
#include "app/doctor.h"

#include "app/stop.h"
#include "app/weights.h"
#include "base/file.h"
#include "base/thread.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    TRIES = 5,              /* of each limit */
    TALK_BYTES = 192 << 20, /* keys and values of a short conversation, and the program */
    MEASURE_PROMPT = 128,
    MEASURE_TOKENS = 32,
    MEASURE_TIMES = 3
};

/* Rounded down from bantam bench on machines with AVX-512 and AVX2; docs/SPEED.md has each. */
const double doctor_prefill_share = 0.4, doctor_decode_share = 0.7;

/* ---- the machine ---- */

static err look_kernels(doctor *d, const kern_table **best, fail *f) {
    static const char *const names[] = {"f32", "ref", "avx2", "avx512", "amx", "neon", "i8mm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const kern_table *k;
        if (kern_select(names[i], &k, NULL) == E_OK) d->kernels[d->n_kernels++] = names[i];
    }
    TRY(kern_select(NULL, best, f));
    d->kern = (*best)->name;
    return E_OK;
}

static err measure_limits(probe *p, int threads, const kern_table *kern, fail *f) {
    team *team;
    TRY(team_open(&team, threads, f));
    for (int i = 0; i < TRIES && !stop_wanted(); i++) probe_compute(p, team, kern);
    err e = probe_memory(p, team, kern, TRIES, f);
    team_close(team);
    if (e == E_OK && stop_wanted()) e = fail_set(f, E_CANCELLED, "stopped");
    return e;
}

static int64_t folder_bytes(arena *a, const char *dir) {
    char path[FILE_PATH_BYTES];
    str *names;
    size_t n;
    int64_t sum = 0, bytes;
    if (!file_is_dir(dir) || file_list(a, dir, &names, &n, NULL) != E_OK) return 0;
    for (size_t i = 0; i < n; i++)
        if (file_join(path, dir, names[i].p, NULL) == E_OK && !file_is_dir(path) &&
            file_size(path, &bytes, NULL) == E_OK)
            sum += bytes;
    return sum;
}

static err look_home(doctor *d, world *w, arena *a, fail *f) {
    str cache = arena_printf(a, "%s/cache", w->home.dir);
    if (!cache.p) return fail_memory(f, "a path");
    d->home = w->home.dir;
    d->cache = cache.p;
    d->cache_bytes = folder_bytes(a, cache.p);
    return file_disk_free(w->home.dir, &d->disk_free_bytes, f);
}

static void look_memory(doctor *d) {
    const machine *m = &d->machine;
    d->memory_bytes = m->memory_free_bytes;
    if (m->memory_limit_bytes > 0 &&
        (d->memory_bytes < 0 || m->memory_limit_bytes < d->memory_bytes))
        d->memory_bytes = m->memory_limit_bytes;
}

/* ---- models ---- */

/* bytes: read for a token; work: parameters that a token of a prompt is multiplied with. */
static void estimate(const doctor *d, doctor_model *m, double bytes, double work) {
    if (work > 0) m->prefill_tok_s = doctor_prefill_share * d->limits.int8_gops * 1e9 / (2 * work);
    if (bytes > 0) m->decode_tok_s = doctor_decode_share * d->limits.read_gb_s * 1e9 / bytes;
}

static err measure_model(const doctor *d, doctor_model *m, world *w, arena *a, fail *f) {
    bench_result r;
    bench_options o = {.path = m->found.path,
                       .name = m->found.name,
                       .threads = d->threads,
                       .cache_dir = d->cache,
                       .kv = OP_KV_F16,
                       .kv_name = "f16",
                       .prompt = MEASURE_PROMPT,
                       .tokens = MEASURE_TOKENS,
                       .repetitions = MEASURE_TIMES,
                       .batches = {1},
                       .n_batches = 1,
                       .progress = &w->progress};
    TRY(bench_run(&o, a, &r, f));
    m->prefill_tok_s = r.prefill.median;
    m->decode_tok_s = r.decode[0].tok_s.median;
    m->memory_bytes = r.rss_bytes > m->memory_bytes ? r.rss_bytes : m->memory_bytes;
    m->measured = true;
    return E_OK;
}

static err add_model(doctor *d, world *w, arena *a, const registry_model *found, bool measure,
                     fail *f) {
    doctor_model *m = &d->models[d->n_models];
    weights x;
    *m = (doctor_model){.found = *found, .prefill_tok_s = NAN, .decode_tok_s = NAN};
    double bytes = (double)found->bytes, work = (double)found->parameters_work;
    if (found->path && weights_read(&x, a, found->path, NULL) == E_OK) {
        bytes = (double)x.step_bytes;
        work = x.step_parameters;
        m->memory_bytes = x.bytes + TALK_BYTES;
    } else if (found->bytes > 0) {
        m->memory_bytes = found->bytes + TALK_BYTES;
    } else {
        return E_OK; /* nothing is known of it */
    }
    m->fits = d->memory_bytes < 0 || m->memory_bytes <= d->memory_bytes;
    estimate(d, m, bytes, work);
    if (measure && found->path && m->fits) {
        fail ignored;
        if (measure_model(d, m, w, a, &ignored) == E_CANCELLED || stop_wanted())
            return fail_set(f, E_CANCELLED, "stopped");
    }
    d->n_models++;
    return E_OK;
}

static err look_models(doctor *d, world *w, arena *a, bool measure, fail *f) {
    registry_model *all;
    size_t n;
    TRY(registry_list(w->registry, a, &all, &n, f));
    for (size_t i = 0; i < n && d->n_models < DOCTOR_MODELS_MAX; i++)
        if (all[i].kind == REGISTRY_GENERATOR && !all[i].is_gone)
            TRY(add_model(d, w, a, &all[i], measure, f));
    return E_OK;
}

/* ---- problems ---- */

static doctor_problem *add_problem(doctor *d) {
    static doctor_problem spare;
    return d->n_problems < DOCTOR_PROBLEMS_MAX ? &d->problems[d->n_problems++] : &spare;
}

#define PROBLEM(d, what, ...)                                 \
    do {                                                      \
        doctor_problem *p_ = add_problem(d);                  \
        snprintf(p_->text, sizeof p_->text, what);            \
        snprintf(p_->remedy, sizeof p_->remedy, __VA_ARGS__); \
    } while (0)

static void find_machine_problems(doctor *d) {
    const machine *m = &d->machine;
    if (!strcmp(d->kern, "ref") || !strcmp(d->kern, "f32"))
        PROBLEM(d, "the processor has no AVX2: portable kernels are used, many times slower",
                "take an x86-64 machine of 2015 or later; a virtual machine may hide AVX2: ask for "
                "the host's processor model");
    if (m->cores_quota > 0 && m->cores_quota < m->cores_allowed)
        PROBLEM(d, "a quota gives fewer cores than there are: threads are held back in bursts",
                "%d threads are used; raise the container's CPU limit for more", d->threads);
    if (m->load > d->threads + 0.5)
        PROBLEM(d, "other programs keep the cores busy: all figures here are too low",
                "%.1f processes wanted to run in the last minute; look with top, try again when "
                "it is quiet",
                m->load);
    if (!strcmp(m->governor, "powersave"))
        PROBLEM(d, "the clock's governor is powersave: the processor may run slower than it can",
                "as root: cpupower frequency-set -g performance");
    if (d->limits.read_gb_s < 1.1 * d->one_thread.read_gb_s && d->threads > 1)
        PROBLEM(d, "more threads read memory no faster than one",
                "answers come no faster with more threads; prompts do");
}

static void find_room_problems(doctor *d) {
    if (d->memory_bytes >= 0 && d->memory_bytes < (int64_t)1 << 30)
        PROBLEM(d, "less than 1 GiB of memory is free",
                "%lld MB: close other programs, or take a small model (smollm2 needs 300 MB)",
                (long long)(d->memory_bytes / 1000000));
    if (d->disk_free_bytes < (int64_t)2 << 30)
        PROBLEM(d, "less than 2 GiB of disk is free where models are kept",
                "free some in %.100s, or set BANTAM_HOME to another disk", d->home);
    size_t here = 0;
    for (size_t i = 0; i < d->n_models; i++) here += d->models[i].found.path != NULL;
    if (!here) PROBLEM(d, "no generator is on this machine yet", "%s", "bantam pull smollm2");
}

err doctor_look(doctor *d, world *w, arena *a, bool measure, fail *f) {
    const kern_table *kern;
    *d = (doctor){.threads = w->threads > 0 ? w->threads : thread_cores()};
    machine_look(&d->machine);
    look_memory(d);
    TRY(look_kernels(d, &kern, f));
    TRY(look_home(d, w, a, f));
    TRY(measure_limits(&d->limits, d->threads, kern, f));
    d->one_thread = d->limits;
    if (d->threads > 1) {
        d->one_thread = (probe){0};
        TRY(measure_limits(&d->one_thread, 1, kern, f));
    }
    TRY(look_models(d, w, a, measure, f));
    find_machine_problems(d);
    find_room_problems(d);
    return E_OK;
}

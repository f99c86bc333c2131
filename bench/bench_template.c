/* bench_template.c - how long a chat template takes to compile and to render, CPU time, one thread.
 *
 *   build/bench/bench_template TEMPLATE.jinja VALUES.json [SECONDS]
 *
 * VALUES: the template's variables, special tokens included. Compiles and renders for SECONDS (1)
 * each; prints microseconds to compile, microseconds to render (median of single renderings), bytes
 * rendered. bench/bench_template.py runs it beside Jinja2. */
#include "base/file.h"
#include "text/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES_MAX = 1 << 20 };

static double cpu_us(void) {
    struct timespec s;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &s);
    return (double)s.tv_sec * 1e6 + (double)s.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static err once(const template *t, const json *values, size_t *bytes, fail *f) {
    arena a;
    buf out = {0};
    template_spans spans;
    template_input in = {.values = values, .now_ms = 1};
    arena_init(&a, 0);
    err e = template_render(t, &a, &in, &out, &spans, f);
    *bytes = out.n;
    buf_deinit(&out);
    arena_deinit(&a);
    return e;
}

static err compiling(str source, double limit_us, double *median, fail *f) {
    static double samples[SAMPLES_MAX];
    size_t n = 0;
    for (double start = cpu_us(); n < SAMPLES_MAX && cpu_us() - start < limit_us;) {
        arena a;
        const template *t;
        arena_init(&a, 0);
        double before = cpu_us();
        err e = template_compile(&a, source, &t, f);
        samples[n++] = cpu_us() - before;
        arena_deinit(&a);
        if (e != E_OK) return e;
    }
    qsort(samples, n, sizeof *samples, by_value);
    *median = samples[n / 2];
    return E_OK;
}

static err rendering(const template *t, const json *values, double limit_us, double *median,
                     size_t *bytes, fail *f) {
    static double samples[SAMPLES_MAX];
    size_t n = 0;
    for (double start = cpu_us(); n < SAMPLES_MAX && cpu_us() - start < limit_us;) {
        double before = cpu_us();
        err e = once(t, values, bytes, f);
        samples[n++] = cpu_us() - before;
        if (e != E_OK) return e;
    }
    qsort(samples, n, sizeof *samples, by_value);
    *median = samples[n / 2];
    return E_OK;
}

static err run(arena *a, const char *template_path, const char *values_path, double limit_us,
               fail *f) {
    str source, text;
    const json *values;
    const template *t;
    double compile_us = 0, render_us = 0;
    size_t bytes = 0;
    TRY(file_read(a, template_path, 0, &source, f));
    TRY(file_read(a, values_path, 0, &text, f));
    TRY(json_parse(a, text, &values, f));
    TRY(template_compile(a, source, &t, f));
    TRY(compiling(source, limit_us, &compile_us, f));
    TRY(rendering(t, values, limit_us, &render_us, &bytes, f));
    printf("%.2f %.2f %zu\n", compile_us, render_us, bytes);
    return E_OK;
}

int main(int argc, char **argv) {
    arena a;
    fail f = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: bench_template TEMPLATE.jinja VALUES.json [SECONDS]\n");
        return 2;
    }
    arena_init(&a, 0);
    err e = run(&a, argv[1], argv[2], (argc > 3 ? atof(argv[3]) : 1) * 1e6, &f);
    if (e != E_OK) fprintf(stderr, "%s\n", f.text);
    arena_deinit(&a);
    return e == E_OK ? 0 : 1;
}

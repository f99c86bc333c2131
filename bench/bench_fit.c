/* bench_fit.c - the small tier's figures on labelled rows with ready embeddings.
 *
 *   bench_fit DIR TRAIN TEST [THREADS]
 * reads DIR/TRAIN.tsv (label TAB text), DIR/TRAIN.f32 (raw floats, 384 a row) and the same for
 * TEST; fits, predicts every test row and prints one line of figures. tools/fit_vectors.py writes
 * such files from ../shared/data. Not here: the embedder; `bantam task eval` measures the whole. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/team.h"
#include "fit/fit_head.h"
#include "stat/stat_histogram.h"
#include "stat/stat_score.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { DIM = 384, LABELS_MAX = 1024 };

typedef struct set {
    size_t n;
    str *texts;
    int32_t *labels;
    const float *vectors;
} set;

typedef struct names {
    str name[LABELS_MAX];
    size_t n;
} names;

static void must(err e, const fail *f) {
    if (e == E_OK) return;
    fprintf(stderr, "bench_fit: %s\n", f->text);
    exit(1);
}

static int32_t name_of(names *names, str label) {
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->name[i], label)) return (int32_t)i;
    if (names->n == LABELS_MAX) exit(1);
    names->name[names->n++] = label;
    return (int32_t)names->n - 1;
}

static set read_set(arena *a, names *names, const char *dir, const char *name) {
    fail f;
    char path[4096];
    str tsv, raw;
    snprintf(path, sizeof path, "%s/%s.tsv", dir, name);
    must(file_read(a, path, 0, &tsv, &f), &f);
    snprintf(path, sizeof path, "%s/%s.f32", dir, name);
    must(file_read(a, path, 0, &raw, &f), &f);
    set s = {.vectors = (const float *)(const void *)raw.p};
    size_t rows = raw.n / (DIM * sizeof(float));
    s.texts = arena_new_n(a, str, rows);
    s.labels = arena_new_n(a, int32_t, rows);
    while (tsv.p && tsv.n && s.n < rows) {
        str line = str_cut(&tsv, '\n');
        s.labels[s.n] = name_of(names, str_cut(&line, '\t'));
        s.texts[s.n++] = line;
    }
    return s;
}

static bool show(void *arg, const char *step, double done) {
    (void)arg;
    fprintf(stderr, "%3.0f %% %s\n", 100 * done, step);
    return true;
}

static void print_report(const fit_head *h, double seconds) {
    const fit_report *r = fit_head_report(h);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("fit: %zu rows, %zu labels, %zu n-grams, %.1f s, peak %.0f MB\n", r->rows, r->labels,
           r->features, seconds, (double)use.ru_maxrss / 1024);
    printf("cross-validated: accuracy %.4f oos_auroc %.4f ece %.4f auto_rate %.4f "
           "accuracy_answered %.4f threshold %.4f (wrong %zu of %zu, at most %.4f)\n",
           r->accuracy, r->oos_auroc, r->ece, r->auto_rate, r->accuracy_answered, r->threshold.at,
           r->threshold.wrong, r->threshold.answered, r->threshold.high);
}

static void print_test(const fit_head *h, const set *t, int32_t other) {
    size_t scope = 0, right_n = 0, answered = 0, answered_right = 0, leaked = 0;
    double *confidence = calloc(t->n, sizeof *confidence), auroc = 0;
    bool *in_scope = calloc(t->n, sizeof *in_scope), *right = calloc(t->n, sizeof *right);
    stat_histogram *ns = calloc(1, sizeof *ns);
    fail f;
    for (size_t i = 0; i < t->n; i++) {
        fit_answer a;
        int64_t start = clock_mono_ns();
        must(fit_head_predict(h, NULL, t->texts[i], t->vectors + i * DIM, &a, &f), &f);
        stat_histogram_put(ns, clock_mono_ns() - start);
        in_scope[i] = t->labels[i] != other;
        right[i] = in_scope[i] && a.label == t->labels[i];
        confidence[i] = a.confidence;
        scope += in_scope[i];
        right_n += right[i];
        answered += a.above;
        answered_right += a.above && right[i];
        leaked += a.above && !in_scope[i];
    }
    must(stat_auroc(confidence, in_scope, t->n, &auroc, &f), &f);
    printf("test: n %zu accuracy %.4f oos_auroc %.4f ece_all %.4f auto_rate %.4f "
           "accuracy_answered %.4f (out of scope answered: %zu of %zu) us p50 %.0f p99 %.0f\n",
           t->n, (double)right_n / (double)scope, auroc,
           stat_ece(confidence, right, t->n, STAT_ECE_BINS), (double)answered / (double)t->n,
           (double)answered_right / (double)answered, leaked, t->n - scope,
           (double)stat_histogram_quantile(ns, 0.5) / 1e3,
           (double)stat_histogram_quantile(ns, 0.99) / 1e3);
    free(confidence);
    free(in_scope);
    free(right);
    free(ns);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: bench_fit DIR TRAIN TEST [THREADS]\n");
        return 2;
    }
    arena a;
    arena_init(&a, 0);
    static names names;
    set train = read_set(&a, &names, argv[1], argv[2]),
        test = read_set(&a, &names, argv[1], argv[3]);
    int32_t other = -1;
    for (size_t i = 0; i < names.n; i++)
        if (str_is(names.name[i], "other")) other = (int32_t)i;
    fail f;
    team *team = NULL;
    must(team_open(&team, argc > 4 ? atoi(argv[4]) : 0, &f), &f);
    fit_rows rows = {.n = train.n,
                     .dim = DIM,
                     .texts = train.texts,
                     .vectors = train.vectors,
                     .labels = train.labels};
    fit_options o = {.labels_n = names.n,
                     .label_names = names.name,
                     .other = other,
                     .max_wrong = 0.02,
                     .seed = 1,
                     .team = team,
                     .progress = show};
    fit_head *h = NULL;
    int64_t start = clock_mono_ns();
    must(fit_head_fit(&h, &rows, &o, &f), &f);
    print_report(h, (double)(clock_mono_ns() - start) / 1e9);
    print_test(h, &test, other);
    fit_head_close(h);
    team_close(team);
    arena_deinit(&a);
    return 0;
}

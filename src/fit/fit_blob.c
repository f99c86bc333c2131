/* fit_blob.c - a head as bytes: saved, and read back with every number distrusted.
 *
 *   at  bytes  what (little endian)
 *    0      4  "BFIT"
 *    4      4  version (1)
 *    8      8  bytes in all
 *   16      8  str_hash of everything behind byte 24
 *   24      4 x 5  dim, labels, n-grams, examples, index of `other` (-1: none)
 *   44      8  max_wrong
 *    .   per label: length, name, flags (1 automatic, 2 has rows)
 *    .   n-gram hashes u32, ascending; sparse weights i16 [n-grams, labels]; their scales f32
 * [labels]; dense weights f32 [labels, dim]; bias f32 [labels] .   example vectors i16 [examples,
 * stride]; labels i32; ids i64; text hashes u64; cross-validated label i32 and confidence f32 . the
 * calibration: bias, then weight, mean, scale [features] f64 .   the report: 8 counts u64 (the
 * threshold's too), 8 numbers f64
 *
 * Reading checks the sizes against what is there before anything is allocated, so a hostile blob
 * costs no more memory than its own length. */
#include "base/buf.h"
#include "base/mem.h"
#include "fit/fit_int.h"

#include <math.h>
#include <string.h>

enum { BLOB_VERSION = 1, BLOB_HEAD = 24, BLOB_LABEL_BYTES_MAX = 4096 };

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "blobs are little endian"
#endif

/* ---- writing ---- */

#define PUT(b, value) buf_put_bytes(b, &(value), sizeof(value))
#define PUT_N(b, array, n) buf_put_bytes(b, array, (n) * sizeof *(array))

static void put_count(buf *b, size_t n) {
    uint64_t wide = n;
    PUT(b, wide);
}

static void put_sizes(buf *b, const fit_head *h) {
    uint32_t sizes[4] = {(uint32_t)h->dim, (uint32_t)h->labels_n, (uint32_t)h->features,
                         (uint32_t)h->examples_n};
    PUT(b, sizes);
    PUT(b, h->other);
    PUT(b, h->max_wrong);
    for (size_t i = 0; i < h->labels_n; i++) {
        uint32_t length = (uint32_t)h->label_names[i].n;
        PUT(b, length);
        buf_put(b, h->label_names[i]);
        buf_put_char(b, (char)(h->automatic[i] | h->usable[i] << 1));
    }
}

static void put_weights(buf *b, const fit_head *h) {
    PUT_N(b, h->gram, h->features);
    PUT_N(b, h->sparse, h->features * h->labels_n);
    PUT_N(b, h->sparse_scale, h->labels_n);
    PUT_N(b, h->dense, h->labels_n * h->dim);
    PUT_N(b, h->bias, h->labels_n);
}

static void put_examples(buf *b, const fit_head *h) {
    PUT_N(b, h->vectors, h->examples_n * fit_stride(h->dim));
    PUT_N(b, h->example_label, h->examples_n);
    PUT_N(b, h->example_id, h->examples_n);
    PUT_N(b, h->example_hash, h->examples_n);
    PUT_N(b, h->held, h->examples_n);
}

static void put_figures(buf *b, const fit_head *h) {
    const stat_logistic *m = &h->confidence;
    PUT(b, m->bias);
    PUT_N(b, m->weight, (size_t)FIT_FEATURES);
    PUT_N(b, m->mean, (size_t)FIT_FEATURES);
    PUT_N(b, m->scale, (size_t)FIT_FEATURES);
    const fit_report *r = &h->report;
    const size_t counts[] = {
        r->rows,        r->other_rows,         r->labels,          (size_t)r->folds,
        r->threshold.n, r->threshold.answered, r->threshold.wrong, r->threshold.any};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) put_count(b, counts[i]);
    const double numbers[] = {
        r->accuracy,     r->oos_auroc,      r->ece, r->auto_rate, r->accuracy_answered,
        r->threshold.at, r->threshold.high, 0};
    PUT(b, numbers);
}

err fit_head_save(arena *a, const fit_head *h, str *out, fail *f) {
    buf b = {0};
    uint64_t head[3] = {0};
    PUT(&b, head);
    put_sizes(&b, h);
    put_weights(&b, h);
    put_examples(&b, h);
    put_figures(&b, h);
    err e = buf_ok(&b, f);
    if (e == E_OK) {
        uint32_t version = BLOB_VERSION;
        head[1] = b.n;
        head[2] = str_hash((str){b.p + BLOB_HEAD, b.n - BLOB_HEAD});
        memcpy(head, "BFIT", 4);
        memcpy((char *)head + 4, &version, sizeof version);
        memcpy(b.p, head, sizeof head);
        str copy = arena_str(a, buf_str(&b));
        if (copy.p)
            *out = copy;
        else
            e = fail_memory(f, "a classifier to save");
    }
    buf_deinit(&b);
    return e;
}

/* ---- reading ---- */

typedef struct reader {
    str rest;
    fail *f;
} reader;

static err corrupt(reader *r, const char *what) {
    fail_set(r->f, E_CORRUPT, "a stored classifier is damaged: %s", what);
    fail_hint(r->f, "it is rebuilt from the examples by a refit");
    return E_CORRUPT;
}

static err get_bytes(reader *r, void *out, size_t n, const char *what) {
    if (n > r->rest.n) return corrupt(r, what);
    if (n) memcpy(out, r->rest.p, n);
    r->rest = str_slice(r->rest, n, r->rest.n);
    return E_OK;
}

#define GET(r, value, what) get_bytes(r, &(value), sizeof(value), what)
#define GET_N(r, array, n, what) get_bytes(r, array, (n) * sizeof *(array), what)

static err check_finite(reader *r, const float *v, size_t n, const char *what) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return corrupt(r, what);
    return E_OK;
}

static err get_head(reader *r) {
    uint64_t head[3];
    uint32_t version;
    str blob = r->rest;
    TRY(GET(r, head, "it is too short"));
    memcpy(&version, (const char *)head + 4, sizeof version);
    if (memcmp(head, "BFIT", 4) != 0) return corrupt(r, "it is something else");
    if (version != BLOB_VERSION) {
        fail_set(r->f, E_UNSUPPORTED, "a stored classifier of format %u; this program reads %d",
                 version, BLOB_VERSION);
        fail_hint(r->f, "it is rebuilt from the examples by a refit");
        return E_UNSUPPORTED;
    }
    if (head[1] != blob.n) return corrupt(r, "its length is not what it says");
    if (head[2] != str_hash(r->rest)) return corrupt(r, "its checksum differs");
    return E_OK;
}

/* What the sizes ask for must be there, before it is allocated. */
static err check_sizes(reader *r, const fit_head *h) {
    if (h->dim < 1 || h->dim > FIT_DIM_MAX || h->labels_n < 1 || h->labels_n > FIT_LABELS_MAX ||
        h->examples_n < 1 || h->examples_n > FIT_ROWS_MAX || h->features > FIT_GRAM_FEATURES_MAX ||
        h->other < -1 || h->other >= (int32_t)h->labels_n)
        return corrupt(r, "its sizes are impossible");
    size_t needed = h->features * (4 + 2 * h->labels_n) + h->labels_n * (5 + 8 + 4 * h->dim) +
                    h->examples_n * (2 * fit_stride(h->dim) + 28);
    if (needed > r->rest.n) return corrupt(r, "it is shorter than its sizes");
    return E_OK;
}

static err get_labels(reader *r, fit_head *h) {
    h->label_names = arena_new_n(&h->memory, str, h->labels_n);
    h->automatic = arena_new_n(&h->memory, bool, h->labels_n);
    h->usable = arena_new_n(&h->memory, bool, h->labels_n);
    if (!h->label_names || !h->automatic || !h->usable) return fail_memory(r->f, "the labels");
    bool some = false;
    for (size_t i = 0; i < h->labels_n; i++) {
        uint32_t length;
        unsigned char flags;
        TRY(GET(r, length, "a label is cut off"));
        if (length > BLOB_LABEL_BYTES_MAX || length > r->rest.n)
            return corrupt(r, "a label is too long");
        h->label_names[i] = arena_str(&h->memory, str_slice(r->rest, 0, length));
        if (!h->label_names[i].p) return fail_memory(r->f, "the labels");
        r->rest = str_slice(r->rest, length, r->rest.n);
        TRY(GET(r, flags, "a label is cut off"));
        if (flags > 3) return corrupt(r, "a label has unknown flags");
        h->automatic[i] = flags & 1;
        h->usable[i] = flags & 2;
        some |= h->usable[i] && (int32_t)i != h->other;
    }
    return some ? E_OK : corrupt(r, "it has no label with examples");
}

static err get_sizes(reader *r, fit_head *h) {
    uint32_t sizes[4];
    TRY(GET(r, sizes, "it is too short"));
    TRY(GET(r, h->other, "it is too short"));
    TRY(GET(r, h->max_wrong, "it is too short"));
    h->dim = sizes[0];
    h->labels_n = sizes[1];
    h->features = sizes[2];
    h->examples_n = sizes[3];
    if (!(h->max_wrong > 0 && h->max_wrong < 1)) return corrupt(r, "max_wrong is impossible");
    TRY(check_sizes(r, h));
    return get_labels(r, h);
}

static err get_weights(reader *r, fit_head *h) {
    size_t dense = h->labels_n * h->dim;
    TRY(GET_N(r, h->gram, h->features, "n-grams are missing"));
    for (size_t i = 1; i < h->features; i++)
        if (h->gram[i - 1] >= h->gram[i]) return corrupt(r, "its n-grams are out of order");
    TRY(GET_N(r, h->sparse, h->features * h->labels_n, "weights are missing"));
    TRY(GET_N(r, h->sparse_scale, h->labels_n, "weights are missing"));
    TRY(GET_N(r, h->dense, dense, "weights are missing"));
    TRY(GET_N(r, h->bias, h->labels_n, "weights are missing"));
    TRY(check_finite(r, h->sparse_scale, h->labels_n, "a weight is not a number"));
    TRY(check_finite(r, h->dense, dense, "a weight is not a number"));
    return check_finite(r, h->bias, h->labels_n, "a weight is not a number");
}

static err get_examples(reader *r, fit_head *h) {
    size_t n = h->examples_n, stride = fit_stride(h->dim);
    TRY(GET_N(r, h->vectors, n * stride, "examples are missing"));
    TRY(GET_N(r, h->example_label, n, "examples are missing"));
    TRY(GET_N(r, h->example_id, n, "examples are missing"));
    TRY(GET_N(r, h->example_hash, n, "examples are missing"));
    TRY(GET_N(r, h->held, n, "examples are missing"));
    for (size_t i = 0; i < n; i++) {
        int32_t label = h->example_label[i], held = h->held[i].label;
        if (label < 0 || held < 0 || (size_t)label >= h->labels_n || (size_t)held >= h->labels_n)
            return corrupt(r, "an example has an impossible label");
        if (!(h->held[i].confidence >= 0 && h->held[i].confidence <= 1))
            return corrupt(r, "a confidence is impossible");
        if (!fit_packed_ok(h->vectors + i * stride, stride))
            return corrupt(r, "an example's vector is too long");
    }
    return E_OK;
}

static err get_calibration(reader *r, stat_logistic *m) {
    *m = (stat_logistic){.features = FIT_FEATURES};
    TRY(GET(r, m->bias, "the calibration is missing"));
    TRY(GET_N(r, m->weight, (size_t)FIT_FEATURES, "the calibration is missing"));
    TRY(GET_N(r, m->mean, (size_t)FIT_FEATURES, "the calibration is missing"));
    TRY(GET_N(r, m->scale, (size_t)FIT_FEATURES, "the calibration is missing"));
    bool good = isfinite(m->bias);
    for (int i = 0; i < FIT_FEATURES; i++)
        good = good && isfinite(m->weight[i]) && isfinite(m->mean[i]) && isfinite(m->scale[i]) &&
               m->scale[i] > 0;
    return good ? E_OK : corrupt(r, "the calibration is not a number");
}

static err get_report(reader *r, fit_head *h) {
    uint64_t counts[8];
    double numbers[8];
    TRY(GET(r, counts, "the report is missing"));
    TRY(GET(r, numbers, "the report is missing"));
    if (r->rest.n) return corrupt(r, "something is behind its end");
    if (counts[3] > FIT_FOLDS_MAX || counts[7] > 1 || !isfinite(numbers[5]))
        return corrupt(r, "the report is impossible");
    h->report = (fit_report){.rows = counts[0],
                             .other_rows = counts[1],
                             .labels = counts[2],
                             .features = h->features,
                             .folds = (int)counts[3],
                             .accuracy = numbers[0],
                             .oos_auroc = numbers[1],
                             .ece = numbers[2],
                             .auto_rate = numbers[3],
                             .accuracy_answered = numbers[4],
                             .threshold = {.any = counts[7],
                                           .at = numbers[5],
                                           .n = counts[4],
                                           .answered = counts[5],
                                           .wrong = counts[6],
                                           .high = numbers[6]}};
    return E_OK;
}

static err get_all(reader *r, fit_head *h) {
    TRY(get_head(r));
    TRY(get_sizes(r, h));
    h->gram = arena_new_n(&h->memory, uint32_t, h->features);
    if (!h->gram) return fail_memory(r->f, "a stored classifier");
    TRY(fit_head_make_room(h, r->f));
    TRY(get_weights(r, h));
    TRY(get_examples(r, h));
    TRY(get_calibration(r, &h->confidence));
    TRY(get_report(r, h));
    return fit_head_index_grams(h, r->f);
}

err fit_head_load(fit_head **out, str blob, fail *f) {
    fit_head *h = mem_zero(sizeof *h);
    if (!h) return fail_memory(f, "a stored classifier");
    arena_init(&h->memory, 0);
    reader r = {.rest = blob, .f = f};
    err e = get_all(&r, h);
    if (e == E_OK)
        *out = h;
    else
        fit_head_close(h);
    return e;
}

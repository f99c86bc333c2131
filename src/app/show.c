/* show.c - see show.h. */
#include "app/show.h"

#include "app/out.h"

#include <stdio.h>

static void print_count(const char *name, double count) {
    if (count >= 1e9)
        printf("  %-14s %.2f B\n", name, count * 1e-9);
    else
        printf("  %-14s %.1f M\n", name, count * 1e-6);
}

static void print_number(const char *name, int64_t n) {
    if (n >= 0) printf("  %-14s %lld\n", name, (long long)n);
}

static void print_text(const char *name, str text) {
    if (text.n) printf("  %-14s %.*s\n", name, STR_ARG(text));
}

static void print_facts(const weights *w, arena *a) {
    print_text("architecture", out_safe(a, w->architecture, true));
    print_count("parameters", (double)w->parameters);
    print_count("no embedding", (double)w->parameters_work);
    printf("  %-14s %s\n", "quantisation", w->quantisation);
    print_number("context", w->context);
    print_number("width", w->width);
    print_number("layers", w->layers);
    print_number("heads", w->heads);
    print_number("of keys", w->kv_heads);
    printf("  %-14s %s\n", "chat template", w->has_template ? "yes" : "no (run --raw)");
}

err show_print(const registry_model *m, arena *a, fail *f) {
    weights w;
    TRY(weights_read(&w, a, m->path, f));
    printf("%.*s:%.*s\n", STR_ARG(m->name), STR_ARG(m->tag));
    print_text("purpose", m->purpose);
    print_facts(&w, a);
    printf("  %-14s %.1f MB\n", "weights", (double)w.bytes * 1e-6);
    printf("  %-14s %zu\n", "tensors", w.n);
    print_text("licence", m->licence.n ? m->licence : STR("not known: see its source"));
    print_text("terms", m->terms);
    print_text("accepted", m->accepted);
    print_text("source", m->source);
    printf("  %-14s %s%s\n", "path", m->path, m->is_link ? " (used in place)" : "");
    print_text("sha256", m->sha256);
    return E_OK;
}

static void shape_text(const weights_tensor *t, char out[96]) {
    int n = 0;
    for (int32_t d = 0; d < t->n_dims && n < 80; d++)
        n += snprintf(out + n, 96 - (size_t)n, "%s%lld", d ? " x " : "", (long long)t->dims[d]);
    if (!t->n_dims) snprintf(out, 96, "1");
}

void show_print_tensors(const weights *w, arena *a) {
    for (size_t i = 0; i < w->n; i++) {
        const weights_tensor *t = &w->tensors[i];
        char shape[96];
        str name = out_safe(a, t->name, true);
        shape_text(t, shape);
        printf("  %-44.*s %-8s %-20s %12lld bytes\n", STR_ARG(name), t->type, shape,
               (long long)t->bytes);
    }
}

static void put_number(json_writer *j, const char *key, int64_t n) {
    json_key(j, key);
    if (n < 0)
        json_put_null(j);
    else
        json_put_int(j, n);
}

static void put_tensor(json_writer *j, const weights_tensor *t) {
    json_begin_object(j);
    json_field_text(j, "name", t->name);
    json_field_z(j, "type", t->type);
    json_key(j, "shape");
    json_begin_array(j);
    for (int32_t d = 0; d < t->n_dims; d++) json_put_int(j, t->dims[d]);
    json_end_array(j);
    put_number(j, "bytes", t->bytes);
    json_end_object(j);
}

void show_put_json(json_writer *j, const registry_model *m, const weights *w, bool tensors) {
    json_field_text(j, "name", m->name);
    json_field_text(j, "tag", m->tag);
    json_field_text(j, "kind", str_from(registry_kind_name(m->kind)));
    json_field_text(j, "architecture", w->architecture);
    put_number(j, "parameters", w->parameters);
    put_number(j, "parameters_work", w->parameters_work);
    json_field_text(j, "quantisation", str_from(w->quantisation));
    put_number(j, "context", w->context);
    put_number(j, "width", w->width);
    put_number(j, "layers", w->layers);
    put_number(j, "heads", w->heads);
    put_number(j, "kv_heads", w->kv_heads);
    json_field_bool(j, "template", w->has_template);
    json_field_text(j, "licence", m->licence);
    json_field_text(j, "terms", m->terms);
    json_field_text(j, "terms_accepted", m->accepted);
    json_field_text(j, "source", m->source);
    json_field_text(j, "purpose", m->purpose);
    json_field_text(j, "path", str_from(m->path));
    json_field_text(j, "sha256", m->sha256);
    put_number(j, "bytes", w->bytes);
    put_number(j, "n_tensors", (int64_t)w->n);
    if (!tensors) return;
    json_key(j, "tensors");
    json_begin_array(j);
    for (size_t i = 0; i < w->n; i++) put_tensor(j, &w->tensors[i]);
    json_end_array(j);
}

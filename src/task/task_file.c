/* task_file.c - where task files lie, and writing a new one. See task.h. */
#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "base/rand.h"
#include "task/task.h"
#include "text/yaml.h"

#include <stdlib.h>
#include <string.h>

enum { TASK_PLACES_MAX = 4096 };

/* ---- finding ---- */

static int place_order(const void *a, const void *b) {
    return str_compare(((const task_place *)a)->name, ((const task_place *)b)->name);
}

static bool known(const task_place *places, size_t n, str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(places[i].name, name)) return true;
    return false;
}

static err list_dir(arena *a, const char *dir, task_place *places, size_t *n, fail *f) {
    str *names;
    size_t count;
    if (!file_is_dir(dir)) return E_OK;
    TRY(file_list(a, dir, &names, &count, f));
    for (size_t i = 0; i < count && *n < TASK_PLACES_MAX; i++) {
        if (!str_ends(names[i], STR(".yaml"))) continue;
        str name = str_slice(names[i], 0, names[i].n - 5);
        if (!task_name_ok(name) || known(places, *n, name)) continue;
        str path = arena_printf(a, "%s/%.*s", dir, STR_ARG(names[i]));
        if (!path.p) return fail_memory(f, "tasks");
        places[(*n)++] = (task_place){name, path};
    }
    return E_OK;
}

err task_list(arena *a, const char *const *dirs, size_t n_dirs, task_place **out, size_t *n,
              fail *f) {
    task_place *places = arena_new_n(a, task_place, TASK_PLACES_MAX);
    size_t count = 0;
    if (!places) return fail_memory(f, "tasks");
    for (size_t i = 0; i < n_dirs; i++) TRY(list_dir(a, dirs[i], places, &count, f));
    if (count) qsort(places, count, sizeof *places, place_order);
    *out = places;
    *n = count;
    return E_OK;
}

static err not_found(arena *a, const char *const *dirs, size_t n_dirs, str name, fail *f) {
    task_place *places;
    size_t n;
    char there[200] = "";
    size_t at = 0;
    TRY(task_list(a, dirs, n_dirs, &places, &n, f));
    for (size_t i = 0; i < n && at + places[i].name.n + 3 < sizeof there; i++) {
        if (i) memcpy(there + at, ", ", 2), at += 2;
        memcpy(there + at, places[i].name.p, places[i].name.n);
        at += places[i].name.n;
    }
    there[at] = 0;
    fail_set(f, E_NOT_FOUND, "there is no task \"%.*s\" in %s%s%s", STR_ARG(name), dirs[0],
             n_dirs > 1 ? " or " : "", n_dirs > 1 ? dirs[1] : "");
    if (n)
        fail_hint(f, "there is: %s", there);
    else
        fail_hint(f, "make one: bantam task init NAME --from rows.csv");
    return E_NOT_FOUND;
}

err task_find(arena *a, const char *const *dirs, size_t n_dirs, str name, str *path, fail *f) {
    if (str_ends(name, STR(".yaml"))) {
        str p = arena_str(a, name);
        if (!p.p) return fail_memory(f, "a path");
        if (!file_exists(p.p)) return fail_set(f, E_NOT_FOUND, "there is no file \"%s\"", p.p);
        *path = p;
        return E_OK;
    }
    if (!task_name_ok(name))
        return fail_set(f, E_INPUT, "\"%.*s\" is neither a task's name nor a .yaml file",
                        STR_ARG(name));
    for (size_t i = 0; i < n_dirs; i++) {
        str p = arena_printf(a, "%s/%.*s.yaml", dirs[i], STR_ARG(name));
        if (!p.p) return fail_memory(f, "a path");
        if (!file_exists(p.p)) continue;
        *path = p;
        return E_OK;
    }
    return not_found(a, dirs, n_dirs, name, f);
}

/* ---- writing ---- */

typedef struct row_order {
    const task_row *row;
    size_t label; /* order of the label's first appearance */
    size_t index;
} row_order;

static int by_label(const void *a, const void *b) {
    const row_order *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void put_key(buf *b, const char *key, str value, int indent) {
    buf_put_z(b, key);
    buf_put_z(b, ": ");
    yaml_put(b, value, indent);
    buf_put_char(b, '\n');
}

static void put_head(buf *b, str name, str model, bool answers) {
    char id[17];
    rand_id(id, 16);
    buf_printf(b,
               "# A Bantam task. docs/task-file.md explains every key; `bantam task check %.*s` "
               "reads it.\n"
               "id: t-%s # keys its state; never change or reuse it\n"
               "kind: %s\n",
               STR_ARG(name), id, answers ? "answer" : "classify");
    put_key(b, "title", name, 0);
    buf_put_z(b, "language: en\nmode: auto\nmax_wrong: 0.02 # of what is answered automatically, "
                 "at most this share wrong\n"
                 "tiers:\n  - slm:\n");
    put_key(b, "      model", model, 6);
    buf_put_z(b, "      cost_usd: 0.00002 # assumed\n  - human:\n      cost_usd: 6.00 # assumed\n  "
                 "    expected_minutes: 60\n"
                 "labels:\n");
}

static void put_label(buf *b, const row_order *rows, size_t n) {
    put_key(b, "  - name", rows[0].row->label, 4);
    for (size_t i = 0; i < n; i++)
        if (rows[i].row->reply.n) {
            put_key(b, "    reply", rows[i].row->reply, 6);
            break;
        }
    buf_put_z(b, "    examples:\n");
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].row->text.n) continue;
        buf_put_z(b, "      - ");
        yaml_put(b, rows[i].row->text, 8);
        buf_put_char(b, '\n');
    }
}

/* Sorted by label; texts that stand twice under one label are kept once, under two labels refused.
 */
static err sort_rows(arena *a, const task_row *rows, size_t n, row_order **out, size_t *kept,
                     bool *answers, fail *f) {
    map labels, texts;
    row_order *sorted = arena_new_n(a, row_order, n + 1);
    size_t count = 0;
    err e = sorted ? E_OK : fail_memory(f, "rows");
    map_init(&labels, NULL);
    map_init(&texts, NULL);
    for (size_t i = 0; e == E_OK && i < n; i++) {
        int64_t label = 0, before = 0;
        if (!task_label_ok(rows[i].label)) {
            e = fail_set(f, E_INPUT, "row %zu: \"%.*s\" is not a label's name", i + 1,
                         STR_ARG(str_slice(rows[i].label, 0, 80)));
            fail_hint(f, "labels are one line of 1 to %d bytes", TASK_NAME_BYTES_MAX);
            break;
        }
        if (!map_get(&labels, rows[i].label, &label)) {
            label = (int64_t)labels.count;
            e = map_put(&labels, rows[i].label, label, f);
        }
        if (rows[i].reply.n) *answers = true;
        if (rows[i].text.n && map_get(&texts, rows[i].text, &before)) {
            if (before == label) continue;
            e = fail_set(f, E_INPUT, "row %zu: \"%.*s\" has two labels", i + 1,
                         STR_ARG(str_slice(rows[i].text, 0, 80)));
            break;
        }
        if (e == E_OK && rows[i].text.n) e = map_put(&texts, rows[i].text, label, f);
        sorted[count++] = (row_order){&rows[i], (size_t)label, i};
    }
    map_deinit(&texts);
    map_deinit(&labels);
    if (e != E_OK) return e;
    qsort(sorted, count, sizeof *sorted, by_label);
    *out = sorted;
    *kept = count;
    return E_OK;
}

err task_write_new(const char *path, str name, str model, const task_row *rows, size_t n, fail *f) {
    arena a;
    buf b = {.bytes_max = TASK_FILE_BYTES_MAX};
    row_order *sorted = NULL;
    size_t kept = 0;
    bool answers = false;
    arena_init(&a, 0);
    err e = n ? sort_rows(&a, rows, n, &sorted, &kept, &answers, f)
              : fail_set(f, E_INPUT, "there are no rows");
    if (e == E_OK) {
        put_head(&b, name, model, answers);
        for (size_t i = 0, next; i < kept; i = next) {
            for (next = i; next < kept && sorted[next].label == sorted[i].label;) next++;
            put_label(&b, sorted + i, next - i);
        }
        e = buf_ok(&b, f);
    }
    if (e == E_OK) e = file_write(path, buf_str(&b), 0644, f);
    buf_deinit(&b);
    arena_deinit(&a);
    return e;
}

/* task.c - reads and checks a task file; see task.h and docs/task-file.md. Errors name file, line
 * and column. */
#include "task/task.h"

#include "base/file.h"
#include "base/map.h"
#include "text/hash.h"
#include "text/utf8.h"
#include "text/yaml.h"

#include <math.h>
#include <string.h>

enum {
    TASK_PASSAGES_MAX = 10000,
    TASK_TIMEOUT_MS = 20000,
    TASK_RETRIES = 2,
    TASK_MINUTES = 60
};
#define TASK_MAX_WRONG 0.02

typedef struct loader {
    arena *a;
    task *t;
    fail *f;
} loader;

static const char *const mode_names[] = {"suggest", "auto", "all-to-people"};

const char *task_mode_name(task_mode m) {
    CHECK(m <= TASK_ALL_TO_PEOPLE);
    return mode_names[m];
}

bool task_name_ok(str name) {
    if (name.n == 0 || name.n > TASK_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '_' && c != '-'))) return false;
    }
    return true;
}

bool task_label_ok(str name) {
    if (name.n == 0 || name.n > TASK_NAME_BYTES_MAX || !utf8_ok(name)) return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127) return false;
    return str_trim(name).n == name.n;
}

int32_t task_find_label(const task *t, str name) {
    for (size_t i = 0; i < t->n_labels; i++)
        if (str_eq(t->labels[i].name, name)) return (int32_t)i;
    return -1;
}

#define ONLY(node, ...)                                 \
    yaml_only(node, (const char *const[]){__VA_ARGS__}, \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), l->f)

/* ---- scalars ---- */

static err text_of(loader *l, const yaml *v, const char *what, str *out) {
    str s;
    TRY(yaml_text(v, what, &s, l->f));
    s = str_trim(s);
    if (!s.n) return yaml_fail(v, l->f, "%s is empty", what);
    if (s.n > TASK_TEXT_BYTES_MAX)
        return yaml_fail(v, l->f, "%s has %zu bytes, above the limit of %d", what, s.n,
                         TASK_TEXT_BYTES_MAX);
    *out = s;
    return E_OK;
}

static err choice(loader *l, const yaml *map, const char *key, const char *const *names, int n,
                  int fallback, int *out) {
    str s;
    TRY(yaml_get_str(map, key, str_from(names[fallback]), &s, l->f));
    for (int i = 0; i < n; i++)
        if (str_is(s, names[i])) {
            *out = i;
            return E_OK;
        }
    return yaml_fail(yaml_get(map, key), l->f, "\"%s\" is \"%.*s\"; it may be %s%s%s%s%s", key,
                     STR_ARG(s), names[0], n > 2 ? ", " : " or ", names[1], n > 2 ? " or " : "",
                     n > 2 ? names[2] : "");
}

/* ---- passages ---- */

static err read_passage(loader *l, const yaml *v, task_passage *out) {
    const yaml *text, *id;
    TRY(ONLY(v, "id", "title", "text"));
    TRY(yaml_need(v, "id", &id, l->f));
    TRY(text_of(l, id, "a passage's id", &out->id));
    TRY(yaml_need(v, "text", &text, l->f));
    TRY(text_of(l, text, "a passage's text", &out->text));
    return yaml_get_str(v, "title", out->id, &out->title, l->f);
}

static int32_t find_passage(const task *t, str id) {
    for (size_t i = 0; i < t->n_passages; i++)
        if (str_eq(t->passages[i].id, id)) return (int32_t)i;
    return -1;
}

static err read_passages(loader *l, const yaml *root) {
    const yaml *list;
    TRY(yaml_get_list(root, "passages", &list, l->f));
    if (!list) return E_OK;
    if (list->count > TASK_PASSAGES_MAX)
        return yaml_fail(list, l->f, "more than %d passages", TASK_PASSAGES_MAX);
    task_passage *p = arena_new_n(l->a, task_passage, list->count + 1);
    if (!p) return fail_memory(l->f, "passages");
    l->t->passages = p;
    for (size_t i = 0; i < list->count; i++) {
        task_passage one = {0};
        TRY(read_passage(l, &list->items[i], &one));
        if (find_passage(l->t, one.id) >= 0)
            return yaml_fail(&list->items[i], l->f, "passage \"%.*s\" stands twice",
                             STR_ARG(one.id));
        p[l->t->n_passages++] = one;
    }
    return E_OK;
}

/* ---- labels ---- */

static err read_examples(loader *l, const yaml *v, task_label *out, map *seen, size_t *total) {
    const yaml *list;
    TRY(yaml_get_list(v, "examples", &list, l->f));
    size_t n = list ? list->count : 0;
    if (*total + n > TASK_EXAMPLES_MAX)
        return yaml_fail(v, l->f, "more than %d examples", TASK_EXAMPLES_MAX);
    str *texts = arena_new_n(l->a, str, n + 1);
    if (!texts) return fail_memory(l->f, "examples");
    for (size_t i = 0; i < n; i++) {
        TRY(text_of(l, &list->items[i], "an example", &texts[i]));
        const map_slot *before = map_find(seen, texts[i]);
        if (before)
            return yaml_fail(
                &list->items[i], l->f, "example \"%.*s\" stands already under \"%.*s\"",
                STR_ARG(str_slice(texts[i], 0, 80)), STR_ARG(l->t->labels[before->value.i].name));
        TRY(map_put(seen, texts[i], (int64_t)l->t->n_labels, l->f));
    }
    out->examples = texts;
    out->n_examples = n;
    *total += n;
    return E_OK;
}

static err read_answer(loader *l, const yaml *v, task_label *out) {
    str always, passage, reply;
    TRY(yaml_get_str(v, "always", STR(""), &always, l->f));
    if (always.n && !str_is(always, "human"))
        return yaml_fail(yaml_get(v, "always"), l->f, "\"always\" can only be human");
    out->always_human = always.n > 0;
    TRY(yaml_get_bool(v, "needs_record", false, &out->needs_record, l->f));
    TRY(yaml_get_str(v, "passage", STR(""), &passage, l->f));
    out->passage = -1;
    if (passage.n) {
        out->passage = find_passage(l->t, passage);
        if (out->passage < 0)
            return yaml_fail(yaml_get(v, "passage"), l->f, "there is no passage \"%.*s\"",
                             STR_ARG(passage));
    }
    TRY(yaml_get_str(v, "reply", STR(""), &reply, l->f));
    out->reply = str_trim(reply);
    if (out->reply.n > TASK_TEXT_BYTES_MAX)
        return yaml_fail(yaml_get(v, "reply"), l->f, "the reply is above the limit of %d bytes",
                         TASK_TEXT_BYTES_MAX);
    if (out->reply.n && out->is_other)
        return yaml_fail(yaml_get(v, "reply"), l->f,
                         "`other` is in nobody's scope and cannot have a reply");
    return E_OK;
}

static err read_label(loader *l, const yaml *v, task_label *out, map *seen, size_t *total) {
    const yaml *name;
    TRY(ONLY(v, "name", "about", "always", "needs_record", "passage", "reply", "examples"));
    TRY(yaml_need(v, "name", &name, l->f));
    TRY(yaml_text(name, "a label's name", &out->name, l->f));
    if (!task_label_ok(out->name))
        return yaml_fail(name, l->f, "\"%.*s\" is not a label's name: one line, at most %d bytes",
                         STR_ARG(out->name), TASK_NAME_BYTES_MAX);
    if (task_find_label(l->t, out->name) >= 0)
        return yaml_fail(name, l->f, "label \"%.*s\" stands twice", STR_ARG(out->name));
    out->is_other = str_is(out->name, "other");
    TRY(yaml_get_str(v, "about", STR(""), &out->about, l->f));
    TRY(read_answer(l, v, out));
    return read_examples(l, v, out, seen, total);
}

static err read_labels(loader *l, const yaml *root) {
    const yaml *list;
    size_t total = 0;
    map seen;
    TRY(yaml_need(root, "labels", &list, l->f));
    if (list->kind != YAML_LIST || list->count == 0)
        return yaml_fail(list, l->f, "\"labels\" must be a list of at least one label");
    if (list->count > TASK_LABELS_MAX)
        return yaml_fail(list, l->f, "more than %d labels", TASK_LABELS_MAX);
    task_label *labels = arena_new_n(l->a, task_label, list->count);
    if (!labels) return fail_memory(l->f, "labels");
    map_init(&seen, NULL);
    l->t->labels = labels;
    l->t->other = -1;
    err e = E_OK;
    for (size_t i = 0; e == E_OK && i < list->count; i++) {
        task_label one = {.passage = -1};
        e = read_label(l, &list->items[i], &one, &seen, &total);
        labels[i] = one;
        if (e == E_OK && one.is_other) l->t->other = (int32_t)i;
        if (e == E_OK) l->t->n_labels++;
    }
    map_deinit(&seen);
    return e;
}

/* ---- tiers ---- */

static err read_slm(loader *l, const yaml *v) {
    task_tier_slm *s = &l->t->slm;
    TRY(ONLY(v, "model", "cost_usd"));
    s->present = true;
    TRY(yaml_get_str(v, "model", STR("minilm"), &s->model, l->f));
    return yaml_get_double(v, "cost_usd", 0, 0, 1e6, &s->cost_usd, l->f);
}

/* A key in the file would end up in backups and chats; only the name of the variable belongs here.
 */
static err check_key_env(loader *l, const yaml *v, str name) {
    bool ok = name.n < 128;
    for (size_t i = 0; i < name.n; i++)
        ok = ok && ((name.p[i] >= 'A' && name.p[i] <= 'Z') || name.p[i] == '_' ||
                    (i && name.p[i] >= '0' && name.p[i] <= '9'));
    if (ok) return E_OK;
    yaml_fail(yaml_get(v, "key_env"), l->f,
              "\"key_env\" must be the NAME of an environment variable (A-Z, 0-9, _)");
    return fail_hint(l->f, "never write the key itself into a task file; if this was one, replace "
                           "it at your provider");
}

static err read_llm(loader *l, const yaml *v) {
    task_tier_llm *s = &l->t->llm;
    int64_t retries;
    const yaml *url;
    TRY(ONLY(v, "url", "key_env", "model", "usd_per_million_in", "usd_per_million_out",
             "timeout_ms", "retries"));
    s->present = s->private_ok = true;
    TRY(yaml_need(v, "url", &url, l->f));
    TRY(text_of(l, url, "\"url\"", &s->url));
    if (!str_starts(s->url, STR("http://")) && !str_starts(s->url, STR("https://")))
        return yaml_fail(url, l->f, "\"url\" must begin with https:// or http://");
    TRY(yaml_get_str(v, "key_env", STR(""), &s->key_env, l->f));
    TRY(check_key_env(l, v, s->key_env));
    TRY(yaml_get_str(v, "model", STR(""), &s->model, l->f));
    TRY(yaml_get_double(v, "usd_per_million_in", 0, 0, 1e6, &s->usd_per_million_in, l->f));
    TRY(yaml_get_double(v, "usd_per_million_out", 0, 0, 1e6, &s->usd_per_million_out, l->f));
    TRY(yaml_get_int(v, "timeout_ms", TASK_TIMEOUT_MS, 100, 600000, &s->timeout_ms, l->f));
    TRY(yaml_get_int(v, "retries", TASK_RETRIES, 0, 10, &retries, l->f));
    s->retries = (int32_t)retries;
    return E_OK;
}

static err read_human(loader *l, const yaml *v) {
    task_tier_human *s = &l->t->human;
    TRY(ONLY(v, "cost_usd", "expected_minutes"));
    s->present = true;
    TRY(yaml_get_double(v, "cost_usd", 0, 0, 1e6, &s->cost_usd, l->f));
    return yaml_get_int(v, "expected_minutes", TASK_MINUTES, 1, 60 * 24 * 60, &s->expected_minutes,
                        l->f);
}

static const struct {
    const char *name;
    err (*read)(loader *l, const yaml *v);
} tier_rows[] = {{"slm", read_slm}, {"llm", read_llm}, {"human", read_human}};
enum { TIER_ROWS = sizeof tier_rows / sizeof *tier_rows };

static err read_tiers(loader *l, const yaml *root) {
    const yaml *list;
    int next = 0;
    TRY(yaml_need(root, "tiers", &list, l->f));
    if (list->kind != YAML_LIST || list->count == 0)
        return yaml_fail(list, l->f, "\"tiers\" must be a list: slm, llm, human");
    for (size_t i = 0; i < list->count; i++) {
        const yaml *item = &list->items[i];
        str name = item->kind == YAML_MAP && item->count == 1 ? item->members[0].key
                   : item->kind == YAML_SCALAR                ? item->text
                                                              : STR("");
        int row = 0;
        while (row < TIER_ROWS && !str_is(name, tier_rows[row].name)) row++;
        if (row == TIER_ROWS) return yaml_fail(item, l->f, "a tier is slm, llm or human");
        if (row < next)
            return yaml_fail(item, l->f,
                             "tiers stand in order of price, once each: slm, llm, human");
        next = row + 1;
        /* `- human` alone takes every default */
        static const yaml nothing = {.kind = YAML_MAP};
        const yaml *body = item->kind == YAML_MAP ? &item->members[0].value : &nothing;
        if (yaml_is_null(body)) body = &nothing;
        TRY(tier_rows[row].read(l, body));
    }
    return E_OK;
}

static err read_privacy(loader *l, const yaml *root) {
    const yaml *map, *list;
    TRY(yaml_get_map(root, "privacy", &map, l->f));
    if (!map) return E_OK;
    TRY(ONLY(map, "never_to"));
    TRY(yaml_get_list(map, "never_to", &list, l->f));
    for (size_t i = 0; list && i < list->count; i++) {
        str tier;
        TRY(yaml_text(&list->items[i], "a tier", &tier, l->f));
        if (!str_is(tier, "llm"))
            return yaml_fail(&list->items[i], l->f,
                             "only llm can be kept from seeing a question; slm runs here");
        l->t->llm.private_ok = false;
    }
    return E_OK;
}

/* ---- the whole file ---- */

static err read_languages(loader *l, const yaml *root) {
    const yaml *v = yaml_get(root, "language");
    task *t = l->t;
    t->n_languages = 1;
    t->languages[0] = STR("en");
    if (!v) return E_OK;
    size_t n = v->kind == YAML_LIST ? v->count : 1;
    if (n == 0 || n > TASK_LANGUAGES_MAX)
        return yaml_fail(v, l->f, "\"language\" names 1 to %d languages", TASK_LANGUAGES_MAX);
    for (size_t i = 0; i < n; i++) {
        const yaml *item = v->kind == YAML_LIST ? &v->items[i] : v;
        TRY(yaml_text(item, "a language", &t->languages[i], l->f));
        if (t->languages[i].n != 2)
            return yaml_fail(item, l->f, "a language is its two letters, such as en or de");
    }
    t->n_languages = n;
    return E_OK;
}

static err read_threshold(loader *l, const yaml *root) {
    str word;
    l->t->threshold = (double)NAN;
    const yaml *v = yaml_get(root, "threshold");
    if (!v) return E_OK;
    TRY(yaml_text(v, "\"threshold\"", &word, l->f));
    if (str_is(word, "auto")) return E_OK;
    return yaml_get_double(root, "threshold", 0, 0, 1, &l->t->threshold, l->f);
}

static err read_head(loader *l, const yaml *root) {
    static const char *const kinds[] = {"classify", "answer"}, *const drafts[] = {"never", "draft"};
    const yaml *id;
    int kind, mode, generate;
    task *t = l->t;
    TRY(ONLY(root, "id", "kind", "title", "language", "mode", "max_wrong", "generate",
             "retention_days", "tiers", "privacy", "threshold", "passages", "labels"));
    TRY(yaml_need(root, "id", &id, l->f));
    TRY(text_of(l, id, "\"id\"", &t->id));
    if (!task_name_ok(t->id))
        return yaml_fail(id, l->f, "\"id\" may have a-z, 0-9, _ and -, at most %d",
                         TASK_NAME_BYTES_MAX);
    TRY(choice(l, root, "kind", kinds, 2, TASK_CLASSIFY, &kind));
    TRY(choice(l, root, "mode", mode_names, 3, TASK_AUTO, &mode));
    TRY(choice(l, root, "generate", drafts, 2, 0, &generate));
    t->kind = (task_kind)kind;
    t->mode = (task_mode)mode;
    t->generate_draft = generate == 1;
    TRY(yaml_get_str(root, "title", t->name, &t->title, l->f));
    TRY(yaml_get_double(root, "max_wrong", TASK_MAX_WRONG, 0.0001, 0.5, &t->max_wrong, l->f));
    TRY(yaml_get_int(root, "retention_days", TASK_RETENTION_DAYS, 0, 36500, &t->retention_days,
                     l->f));
    TRY(read_languages(l, root));
    return read_threshold(l, root);
}

/* What a fitted head depends on: labels, whether they may answer, their examples, and the error
 * limit. */
static void digest_examples(const task *t, char out[65]) {
    hash_sha256_stream s;
    unsigned char bytes[32];
    hash_sha256_begin(&s);
    hash_sha256_put(&s, (str){(const char *)&t->max_wrong, sizeof t->max_wrong});
    for (size_t i = 0; i < t->n_labels; i++) {
        const task_label *l = &t->labels[i];
        char flags[3] = {l->always_human ? 'h' : '-', l->needs_record ? 'r' : '-',
                         l->reply.n || t->kind == TASK_CLASSIFY ? 'a' : '-'};
        hash_sha256_put(&s, (str){l->name.p, l->name.n});
        hash_sha256_put(&s, (str){flags, 3});
        for (size_t e = 0; e < l->n_examples; e++) {
            hash_sha256_put(&s, STR("\n"));
            hash_sha256_put(&s, l->examples[e]);
        }
        hash_sha256_put(&s, STR("\n\n"));
    }
    hash_sha256_end(&s, bytes);
    hash_hex(bytes, sizeof bytes, out);
}

static str name_of(str path) {
    for (size_t i = path.n; i-- > 0;)
        if (path.p[i] == '/') {
            path = str_slice(path, i + 1, path.n);
            break;
        }
    return str_ends(path, STR(".yaml")) ? str_slice(path, 0, path.n - 5) : path;
}

err task_parse(arena *a, const char *path, str text, task **out, fail *f) {
    const yaml *root;
    task *t = arena_new(a, task);
    loader l = {a, t, f};
    if (!t) return fail_memory(f, path);
    t->path = arena_str(a, str_from(path));
    if (!t->path.p) return fail_memory(f, path);
    t->name = name_of(t->path);
    if (!task_name_ok(t->name))
        return fail_set(f, E_INPUT,
                        "\"%s\" is not a task's file name: NAME.yaml, NAME of a-z, 0-9, _ and -",
                        path);
    TRY(yaml_parse(a, t->path.p, text, &root, f));
    if (root->kind != YAML_MAP) return yaml_fail(root, f, "a task file is a map of keys");
    TRY(read_head(&l, root));
    TRY(read_tiers(&l, root));
    TRY(read_privacy(&l, root));
    TRY(read_passages(&l, root));
    TRY(read_labels(&l, root));
    hash_sha256_hex(text, t->digest);
    digest_examples(t, t->examples_digest);
    *out = t;
    return E_OK;
}

err task_load(arena *a, const char *path, task **out, fail *f) {
    str text;
    TRY(file_read(a, path, TASK_FILE_BYTES_MAX, &text, f));
    return task_parse(a, path, text, out, f);
}

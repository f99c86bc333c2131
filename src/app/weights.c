/* weights.c - see weights.h. */
#include "app/weights.h"

#include "base/file.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

enum { EXPERTS_MAX = 100000, CONFIG_BYTES_MAX = 16 << 20 };

/* What a tensor is for, by the names that GGUF and Hugging Face use. */
typedef enum role { ROLE_WORK, ROLE_EMBEDDING, ROLE_HEAD, ROLE_EXPERT } role;

static role role_of(str name) {
    static const char *const embeddings[] = {"token_embd.weight",
                                             "position_embd.weight",
                                             "token_types.weight",
                                             "embed_tokens.weight",
                                             "wte.weight",
                                             "word_embeddings.weight",
                                             "position_embeddings.weight",
                                             "token_type_embeddings.weight",
                                             "tok_embeddings.weight",
                                             "per_layer_token_embd.weight"};
    static const char *const heads[] = {"output.weight", "lm_head.weight"};
    for (size_t i = 0; i < sizeof embeddings / sizeof *embeddings; i++)
        if (str_ends(name, str_from(embeddings[i]))) return ROLE_EMBEDDING;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (str_is(name, heads[i])) return ROLE_HEAD;
    bool expert = str_find(name, STR("_exps.")) != STR_INDEX_NONE ||
                  str_find(name, STR(".experts.")) != STR_INDEX_NONE;
    return expert ? ROLE_EXPERT : ROLE_WORK;
}

/* The embedding of words: where there is no head of its own, it is the head as well. */
static bool is_word_embedding(str name) {
    return str_ends(name, STR("token_embd.weight")) || str_ends(name, STR("embed_tokens.weight"));
}

static void sum_up(weights *w, double experts_share) {
    bool has_head = false;
    double step_bytes = 0;
    for (size_t i = 0; i < w->n; i++) has_head |= role_of(w->tensors[i].name) == ROLE_HEAD;
    for (size_t i = 0; i < w->n; i++) {
        const weights_tensor *t = &w->tensors[i];
        role r = role_of(t->name);
        double share = r == ROLE_EXPERT ? experts_share : 1;
        bool read = r != ROLE_EMBEDDING || (!has_head && is_word_embedding(t->name));
        w->parameters += t->count;
        w->bytes += t->bytes;
        if (r == ROLE_WORK || r == ROLE_EXPERT) {
            w->parameters_work += t->count;
            w->step_parameters += share * (double)t->count;
        }
        if (read) step_bytes += share * (double)t->bytes;
    }
    w->step_bytes = (int64_t)step_bytes;
}

/* The type that most bytes have, for files that do not say. */
static const char *main_type(const weights *w) {
    const char *best = "";
    int64_t most = 0;
    for (size_t i = 0; i < w->n; i++) {
        int64_t bytes = 0;
        for (size_t k = 0; k < w->n; k++)
            if (!strcmp(w->tensors[k].type, w->tensors[i].type)) bytes += w->tensors[k].bytes;
        if (bytes > most) {
            most = bytes;
            best = w->tensors[i].type;
        }
        if (most > w->bytes / 2) break;
    }
    return best;
}

static err put_tensor(weights *w, arena *a, const tensor *t, const char *type, fail *f) {
    weights_tensor *out = &w->tensors[w->n];
    *out =
        (weights_tensor){.type = type, .n_dims = t->n_dims, .count = 1, .bytes = (int64_t)t->bytes};
    out->name = arena_str(a, t->name);
    if (!out->name.p) return fail_memory(f, "the list of tensors");
    for (int32_t d = 0; d < t->n_dims; d++) {
        out->dims[d] = t->dims[d];
        out->count *= t->dims[d];
    }
    w->n++;
    return E_OK;
}

static err take_list(weights *w, arena *a, size_t n, fail *f) {
    w->tensors = arena_new_n(a, weights_tensor, n + 1);
    return w->tensors ? E_OK : fail_memory(f, "the list of tensors");
}

/* ---- GGUF ---- */

/* Of a mixture of experts, the share that a token uses. */
static err experts_share(const gguf *g, double *out, fail *f) {
    char key[160];
    str architecture;
    int64_t all, used;
    *out = 1;
    TRY(gguf_get_str(g, "general.architecture", STR(""), &architecture, f));
    if (architecture.n > 100) return E_OK;
    snprintf(key, sizeof key, "%.*s.expert_count", STR_ARG(architecture));
    TRY(gguf_get_int(g, key, 0, &all, f));
    snprintf(key, sizeof key, "%.*s.expert_used_count", STR_ARG(architecture));
    TRY(gguf_get_int(g, key, 0, &used, f));
    if (all > 0 && all < EXPERTS_MAX && used > 0 && used <= all) *out = (double)used / (double)all;
    return E_OK;
}

static err gguf_number(const weights *w, const gguf *g, const char *name, int64_t *out, fail *f) {
    char key[160];
    *out = -1;
    if (w->architecture.n > 100) return E_OK;
    snprintf(key, sizeof key, "%.*s.%s", STR_ARG(w->architecture), name);
    return gguf_get_int(g, key, -1, out, f);
}

static err gguf_facts(weights *w, arena *a, const gguf *g, fail *f) {
    str text;
    TRY(gguf_get_str(g, "tokenizer.chat_template", STR(""), &text, f));
    w->has_template = text.n > 0;
    w->chat_template = arena_str(a, text);
    if (!w->chat_template.p) return fail_memory(f, "a model's facts");
    TRY(gguf_get_str(g, "general.architecture", STR(""), &text, f));
    w->architecture = arena_str(a, text);
    if (!w->architecture.p) return fail_memory(f, "a model's facts");
    TRY(gguf_number(w, g, "context_length", &w->context, f));
    TRY(gguf_number(w, g, "embedding_length", &w->width, f));
    TRY(gguf_number(w, g, "block_count", &w->layers, f));
    TRY(gguf_number(w, g, "attention.head_count", &w->heads, f));
    return gguf_number(w, g, "attention.head_count_kv", &w->kv_heads, f);
}

static err read_gguf(weights *w, arena *a, const gguf *g, fail *f) {
    int64_t type;
    double share;
    TRY(gguf_facts(w, a, g, f));
    TRY(take_list(w, a, gguf_tensor_count(g), f));
    for (size_t i = 0; i < gguf_tensor_count(g); i++) {
        tensor t;
        const char *name;
        TRY(gguf_tensor_at(g, i, &t, &name, f));
        TRY(put_tensor(w, a, &t, name, f));
    }
    TRY(experts_share(g, &share, f));
    TRY(gguf_get_int(g, "general.file_type", -1, &type, f));
    sum_up(w, share);
    w->quantisation = gguf_file_type_name(type) ? gguf_file_type_name(type) : main_type(w);
    return E_OK;
}

static err open_gguf(weights *w, arena *a, const file_map *map, const char *path, fail *f) {
    gguf *g;
    TRY(gguf_open(&g, (str){(const char *)map->p, map->n}, path, f));
    err e = read_gguf(w, a, g, f);
    gguf_close(g);
    return e;
}

/* ---- safetensors ---- */

static err read_folder(weights *w, arena *a, const safetensors *s, fail *f) {
    TRY(take_list(w, a, safetensors_count(s), f));
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const char *foreign = NULL;
        const tensor *t = safetensors_at(s, i, &foreign);
        if (foreign) continue; /* position numbers and the like: no weights */
        TRY(put_tensor(w, a, t, dtype_get(t->type)->name, f));
    }
    sum_up(w, 1);
    w->quantisation = main_type(w);
    return E_OK;
}

/* config.json, whose names differ between families; what is absent stays -1. */
static err folder_facts(weights *w, arena *a, const char *path, fail *f) {
    char file[FILE_PATH_BYTES];
    str text;
    const json *v;
    TRY(file_join(file, path, "config.json", f));
    if (!file_exists(file)) {
        fail_set(f, E_NOT_FOUND, "the folder \"%s\" is no whole model: it has no config.json",
                 path);
        return fail_hint(f, "a GGUF file in it is given by its own path");
    }
    TRY(file_read(a, file, CONFIG_BYTES_MAX, &text, f));
    if (json_parse(a, text, &v, f) != E_OK)
        return fail_set(f, E_CORRUPT, "\"%s\" is not JSON", file);
    const struct {
        const char *name;
        int64_t *out;
    } rows[] = {{"max_position_embeddings", &w->context},
                {"hidden_size", &w->width},
                {"num_hidden_layers", &w->layers},
                {"num_attention_heads", &w->heads},
                {"num_key_value_heads", &w->kv_heads}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        TRY(json_get_int(v, rows[i].name, -1, -1, INT32_MAX, rows[i].out, f));
    TRY(json_get_str(v, "model_type", STR(""), &w->architecture, f));
    TRY(file_join(file, path, "chat_template.jinja", f));
    w->has_template = file_exists(file);
    TRY(file_join(file, path, "tokenizer_config.json", f));
    if (!file_exists(file)) return E_OK;
    TRY(file_read(a, file, CONFIG_BYTES_MAX, &text, f));
    if (json_parse(a, text, &v, NULL) == E_OK && json_get(v, "chat_template"))
        w->has_template = true;
    return E_OK;
}

static err open_folder(weights *w, arena *a, const char *path, fail *f) {
    safetensors *s;
    TRY(folder_facts(w, a, path, f));
    TRY(safetensors_open_folder(&s, path, f));
    err e = read_folder(w, a, s, f);
    safetensors_close(s);
    return e;
}

err weights_read(weights *w, arena *a, const char *path, fail *f) {
    file_map map;
    *w = (weights){
        .quantisation = "", .context = -1, .width = -1, .layers = -1, .heads = -1, .kv_heads = -1};
    if (file_is_dir(path)) return open_folder(w, a, path, f);
    TRY(file_map_open(&map, path, f));
    err e = open_gguf(w, a, &map, path, f);
    file_map_close(&map);
    return e;
}

/* model.c - opens a model file or folder, picks its architecture, binds its tokenizer; see model.h.
 */
#include "model/model_decoder.h"
#include "model/model_encoder.h"
#include "model/model_pack.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const model_arch *const archs[] = {
    &model_bert,       &model_ernie4_5, &model_gemma3, &model_granite, &model_llama,
    &model_modernbert, &model_olmo2,    &model_olmoe,  &model_phi3,    &model_qwen2,
    &model_qwen3,      &model_qwen3moe, &model_roberta};
enum { ARCHS = sizeof archs / sizeof *archs };
enum { CONFIG_BYTES_MAX = 1 << 20, TOKENIZER_BYTES_MAX = 256 << 20 };

/* ---- tokenizers ---- */

static err gguf_id(const model *m, const char *name, int32_t *out, fail *f) {
    char key[96];
    int64_t v;
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
    TRY(gguf_get_int(m->gguf, key, TOKEN_NONE, &v, f));
    *out = v >= 0 && v < INT32_MAX ? (int32_t)v : TOKEN_NONE;
    return E_OK;
}

static err gguf_flag(const model *m, const char *key, int *out, fail *f) {
    bool v;
    if (!gguf_has(m->gguf, key)) return E_OK;
    TRY(gguf_get_bool(m->gguf, key, false, &v, f));
    *out = v;
    return E_OK;
}

static err gguf_charsmap(const model *m, arena *scratch, str *out, fail *f) {
    int32_t *numbers;
    size_t n;
    TRY(gguf_get_ints(m->gguf, "tokenizer.ggml.precompiled_charsmap", scratch, &numbers, &n, f));
    char *bytes = arena_alloc(scratch, n);
    if (!bytes) return fail_memory(f, "a character map");
    for (size_t i = 0; i < n; i++) bytes[i] = (char)numbers[i];
    *out = (str){bytes, n};
    return E_OK;
}

/* What a GGUF file's metadata says of its vocabulary; scratch lives until the tokenizer is open. */
static err read_source(const model *m, arena *scratch, token_source *s, fail *f) {
    str *pieces, *merges;
    float *scores;
    int32_t *kinds;
    size_t n_scores, n_types;
    *s = TOKEN_SOURCE_NONE;
    TRY(gguf_get_str(m->gguf, "tokenizer.ggml.model", STR(""), &s->kind, f));
    TRY(gguf_get_str(m->gguf, "tokenizer.ggml.pre", STR(""), &s->pre, f));
    TRY(gguf_get_strs(m->gguf, "tokenizer.ggml.tokens", scratch, &pieces, &s->piece_count, f));
    TRY(gguf_get_floats(m->gguf, "tokenizer.ggml.scores", scratch, &scores, &n_scores, f));
    TRY(gguf_get_ints(m->gguf, "tokenizer.ggml.token_type", scratch, &kinds, &n_types, f));
    TRY(gguf_get_strs(m->gguf, "tokenizer.ggml.merges", scratch, &merges, &s->merge_count, f));
    if ((n_scores && n_scores != s->piece_count) || (n_types && n_types != s->piece_count))
        return fail_set(f, E_CORRUPT, "%.*s: the vocabulary's arrays differ in length",
                        STR_ARG(m->info.path));
    s->pieces = pieces;
    s->merges = merges;
    s->scores = n_scores ? scores : NULL;
    s->types = n_types ? kinds : NULL;
    const struct {
        const char *name;
        int32_t *out;
    } ids[] = {{"bos", &s->bos},
               {"eos", &s->eos},
               {"eot", &s->eot},
               {"unknown", &s->unknown},
               {"padding", &s->padding},
               {"cls", &s->cls},
               {"seperator", &s->separator},
               {"mask", &s->mask}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        TRY(gguf_id(m, ids[i].name, ids[i].out, f));
    TRY(gguf_flag(m, "tokenizer.ggml.add_space_prefix", &s->add_space_prefix, f));
    TRY(gguf_flag(m, "tokenizer.ggml.remove_extra_whitespaces", &s->remove_extra_whitespaces, f));
    TRY(gguf_flag(m, "tokenizer.ggml.add_bos_token", &s->add_bos, f));
    TRY(gguf_flag(m, "tokenizer.ggml.add_eos_token", &s->add_eos, f));
    return gguf_charsmap(m, scratch, &s->charsmap, f);
}

static err open_gguf_tokenizer(model *m, fail *f) {
    arena scratch;
    token_source source;
    arena_init(&scratch, 1 << 20);
    err e = read_source(m, &scratch, &source, f);
    if (e == E_OK) e = tokenizer_open(&m->tokenizer, &source, f);
    arena_deinit(&scratch);
    return e;
}

/* ---- opening ---- */

/* Is `name` among the words of `names`? */
static bool named(const char *names, str name) {
    str rest = str_from(names);
    while (rest.p)
        if (str_eq(str_cut(&rest, ' '), name)) return name.n > 0;
    return false;
}

static err open_arch(model *m, const model_arch *arch, fail *f) {
    m->arch = arch;
    m->info.is_encoder = arch->encoder != NULL;
    m->info.has_weights = true;
    TRY(arch->decoder ? decoder_open(m, f) : encoder_open(m, f));
    TRY(model_pack_all(m, f));
    return model_name_type(m, f);
}

static err choose_arch(model *m, fail *f) {
    char names[256] = "";
    size_t at = 0;
    for (size_t i = 0; i < ARCHS; i++) {
        const model_arch *arch = archs[i];
        if (named(m->gguf ? arch->gguf : arch->hf, m->info.architecture))
            return open_arch(m, arch, f);
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", arch->name);
    }
    fail_set(f, E_UNSUPPORTED, "%.*s has the architecture \"%.*s\", which we cannot run",
             STR_ARG(m->info.path), STR_ARG(m->info.architecture));
    return fail_hint(f, "we run: %s; tokenize and template work with every file", names);
}

static err open_gguf(model *m, const char *path, fail *f) {
    TRY(file_map_open(&m->map, path, f));
    m->info.file_bytes = (int64_t)m->map.n;
    TRY(gguf_open(&m->gguf, (str){(const char *)m->map.p, m->map.n}, path, f));
    TRY(gguf_get_str(m->gguf, "general.architecture", STR(""), &m->info.architecture, f));
    TRY(gguf_get_str(m->gguf, "general.name", STR(""), &m->info.name, f));
    TRY(gguf_get_str(m->gguf, "tokenizer.chat_template", STR(""), &m->info.chat_template, f));
    TRY(open_gguf_tokenizer(m, f));
    m->info.vocabulary = (int64_t)tokenizer_count(m->tokenizer);
    if (m->o.vocabulary_only) return E_OK;
    TRY(gguf_check_whole(m->gguf, f));
    if (gguf_tensor_count(m->gguf)) return choose_arch(m, f);
    fail_set(f, E_UNSUPPORTED, "\"%s\" holds a vocabulary and no weights", path);
    return fail_hint(f,
                     "tokenize and template work with it; for anything else get the whole model");
}

/* A file of the folder that need not be there; *out is empty then. */
static err folder_file(arena *a, const char *path, const char *name, str *out, fail *f) {
    char file[FILE_PATH_BYTES];
    *out = STR("");
    TRY(file_join(file, path, name, f));
    return file_exists(file) ? file_read(a, file, TOKENIZER_BYTES_MAX, out, f) : E_OK;
}

/* The chat template: a file of its own, or in tokenizer_config.json as a text or a list of named
 * ones, of which "default" is meant. */
static err folder_template(model *m, const char *path, str config, arena *scratch, fail *f) {
    const json *root, *v;
    TRY(folder_file(&m->arena, path, "chat_template.jinja", &m->info.chat_template, f));
    if (m->info.chat_template.n || !config.n) return E_OK;
    TRY(json_parse(scratch, config, &root, f));
    v = json_get(root, "chat_template");
    for (size_t i = 0; v && v->kind == JSON_ARRAY && i < v->count; i++) {
        const json *name = json_get(json_at(v, i), "name");
        if (name && name->kind == JSON_STRING && str_is(name->string, "default"))
            v = json_get(json_at(v, i), "template");
    }
    if (!v || v->kind != JSON_STRING) return E_OK;
    m->info.chat_template = arena_str(&m->arena, v->string);
    return m->info.chat_template.p ? E_OK : fail_memory(f, path);
}

/* What a folder must have. */
static err folder_needs(const char *path, const char *name, char file[FILE_PATH_BYTES], fail *f) {
    TRY(file_join(file, path, name, f));
    if (file_exists(file)) return E_OK;
    fail_set(f, E_NOT_FOUND, "the folder \"%s\" is no whole model: it has no %s", path, name);
    return fail_hint(f, "a model folder has config.json, tokenizer.json and model.safetensors; a "
                        "GGUF file is given by its own path");
}

/* Passes on what is wrong with a file's text, with the file's name; it is the file that is bad. */
static err of_file(const char *file, const fail *why, fail *f) {
    err e = why->code == E_INPUT ? E_CORRUPT : why->code;
    fail_set(f, e, "\"%.200s\": %.250s", file, why->text);
    if (why->hint[0]) fail_hint(f, "%s", why->hint);
    return e;
}

static err folder_tokenizer(model *m, const char *path, arena *scratch, fail *f) {
    char file[FILE_PATH_BYTES];
    str text, config;
    TRY(folder_needs(path, "tokenizer.json", file, f));
    TRY(file_read(scratch, file, TOKENIZER_BYTES_MAX, &text, f));
    TRY(folder_file(scratch, path, "tokenizer_config.json", &config, f));
    fail why = {0};
    err e = tokenizer_open_folder(&m->tokenizer, text, config, &why);
    if (e != E_OK) return of_file(file, &why, f);
    TRY(file_join(file, path, "tokenizer_config.json", f));
    e = folder_template(m, path, config, scratch, &why);
    return e == E_OK ? E_OK : of_file(file, &why, f);
}

static err folder_config(model *m, const char *path, fail *f) {
    char file[FILE_PATH_BYTES];
    str text;
    TRY(folder_needs(path, "config.json", file, f));
    TRY(file_read(&m->arena, file, CONFIG_BYTES_MAX, &text, f));
    fail why = {0};
    if (json_parse(&m->arena, text, &m->config, &why) != E_OK) return of_file(file, &why, f);
    TRY(json_get_str(m->config, "model_type", STR(""), &m->info.architecture, f));
    if (!m->info.architecture.n && !m->o.vocabulary_only)
        return fail_set(f, E_CORRUPT, "\"%s\" names no model_type", file);
    return json_get_str(m->config, "_name_or_path", STR(""), &m->info.name, f);
}

/* A vocabulary is read of a folder with tokenizer.json alone, too. */
static err open_folder(model *m, const char *path, fail *f) {
    arena scratch;
    fail why = {0};
    err e = folder_config(m, path, &why);
    if (e != E_OK && !(e == E_NOT_FOUND && m->o.vocabulary_only)) {
        if (f) *f = why;
        return e;
    }
    arena_init(&scratch, 1 << 20);
    e = folder_tokenizer(m, path, &scratch, f);
    arena_deinit(&scratch);
    if (e != E_OK) return e;
    m->info.vocabulary = (int64_t)tokenizer_count(m->tokenizer);
    if (m->o.vocabulary_only) return E_OK;
    TRY(safetensors_open_folder(&m->safetensors, path, f));
    m->info.file_bytes = safetensors_bytes(m->safetensors);
    return choose_arch(m, f);
}

err model_open(model **out, const char *path, const model_options *o, fail *f) {
    model *m = mem_zero(sizeof *m);
    if (!m) return fail_memory(f, path);
    arena_init(&m->arena, 0);
    mutex_init(&m->lock);
    m->o = *o;
    m->info.path = arena_str(&m->arena, str_from(path));
    err e = m->info.path.p ? E_OK : fail_memory(f, path);
    if (e == E_OK && !m->o.kern) e = kern_select(NULL, &m->o.kern, f);
    if (e == E_OK) e = file_is_dir(path) ? open_folder(m, path, f) : open_gguf(m, path, f);
    if (e != E_OK) {
        model_close(m);
        return e;
    }
    *out = m;
    return E_OK;
}

void model_close(model *m) {
    if (!m) return;
    if (m->arch && m->arch->encoder && m->state) encoder_close(m);
    model_pack_close(m);
    tokenizer_close(m->tokenizer);
    gguf_close(m->gguf);
    safetensors_close(m->safetensors);
    file_map_close(&m->map);
    mutex_deinit(&m->lock);
    arena_deinit(&m->arena);
    mem_free(m);
}

const model_info *model_about(const model *m) {
    return &m->info;
}
const tokenizer *model_tokenizer(const model *m) {
    return m->tokenizer;
}
const kern_table *model_kernels(const model *m) {
    return m->o.kern;
}
team *model_team(const model *m) {
    return m->o.team;
}

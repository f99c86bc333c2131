/* lib_model.c - models, tokens, chat rendering, scores and embeddings of bantam.h. */
#include "base/mem.h"
#include "lib/lib_int.h"

#include <stdio.h>
#include <string.h>

#ifndef BANTAM_VERSION
#define BANTAM_VERSION "0.2.0"
#endif

enum { LIB_CHAT_BYTES_MAX = 16 << 20, LIB_TEXTS_MAX = 1 << 20 };

_Static_assert((int)BANTAM_INTERNAL == (int)E_INTERNAL, "bantam_status mirrors err");
/* E_LIMIT and E_UNDONE, the last, are a server's: no function of the library returns them */
_Static_assert((int)BANTAM_INTERNAL + 3 == (int)ERR_COUNT && E_UNDONE + 1 == ERR_COUNT,
               "each other err has a bantam_status");

const char *bantam_version(void) {
    return BANTAM_VERSION;
}

const char *bantam_status_name(bantam_status status) {
    return (int)status >= 0 && (int)status < ERR_COUNT ? err_name((err)status) : "unknown status";
}

bantam_status lib_result(err e, const fail *f, bantam_error *error) {
    if (!error) return (bantam_status)e;
    *error = (bantam_error){.status = (bantam_status)e};
    if (e == E_OK) return BANTAM_OK;
    snprintf(error->text, sizeof error->text, "%s", f->text);
    snprintf(error->hint, sizeof error->hint, "%s", f->hint);
    return error->status;
}

/* ---- models ---- */

static err copy_z(str from, char **out, fail *f) {
    char *z = mem_alloc(from.n + 1);
    if (!z) return fail_memory(f, "a name");
    if (from.n) memcpy(z, from.p, from.n);
    z[from.n] = 0;
    *out = z;
    return E_OK;
}

static err model_fill(bantam_model *b, const char *path, fail *f) {
    TRY(kern_select(b->o.kernels, &b->kern, f));
    TRY(kv_type_of(b->o.kv, &b->kv, f));
    if (b->o.context < 0 || b->o.sessions < 0 || b->o.threads < 0)
        return fail_set(f, E_INPUT, "threads, context and sessions are not negative");
    if (!b->o.vocabulary_only) TRY(team_open(&b->team, b->o.threads, f));
    TRY(model_open(&b->m, path,
                   &(model_options){.kern = b->kern,
                                    .team = b->team,
                                    .cache_dir = b->o.cache,
                                    .vocabulary_only = b->o.vocabulary_only},
                   f));
    const model_info *about = model_about(b->m);
    TRY(copy_z(about->architecture, &b->architecture, f));
    TRY(copy_z(about->name, &b->name, f));
    err e = chat_open(&b->chat, model_tokenizer(b->m), about->chat_template, &b->chat_fail);
    if (e == E_NO_MEMORY) return fail_memory(f, "a chat template");
    if (e != E_OK) b->chat = NULL;
    return E_OK;
}

bantam_status bantam_model_open(bantam_model **out, const char *path,
                                const bantam_model_options *options, bantam_error *error) {
    fail f = {0};
    bantam_model *b = mem_zero(sizeof *b);
    if (!b) return lib_result(fail_memory(&f, path), &f, error);
    if (options) b->o = *options;
    mutex_init(&b->lock);
    err e = model_fill(b, path, &f);
    if (e == E_OK)
        *out = b;
    else
        bantam_model_close(b);
    return lib_result(e, &f, error);
}

void bantam_model_close(bantam_model *b) {
    if (!b) return;
    engine_close(b->engine);
    chat_close(b->chat);
    model_close(b->m);
    team_close(b->team);
    mutex_deinit(&b->lock);
    mem_free(b->architecture);
    mem_free(b->name);
    mem_free(b);
}

void bantam_model_about(const bantam_model *b, bantam_model_info *out) {
    const model_info *about = model_about(b->m);
    *out = (bantam_model_info){.architecture = b->architecture,
                               .name = b->name,
                               .kernels = b->kern->name,
                               .file_bytes = about->file_bytes,
                               .context = (int32_t)about->context,
                               .width = (int32_t)about->width,
                               .layers = (int32_t)about->layers,
                               .vocabulary = (int32_t)about->vocabulary,
                               .threads = b->team ? team_threads(b->team) : 0,
                               .generates = about->has_weights && !about->is_encoder,
                               .embeds = about->has_weights && about->is_encoder,
                               .has_template = b->chat != NULL};
}

err lib_engine(bantam_model *b, engine **out, fail *f) {
    mutex_lock(&b->lock);
    err e = E_OK;
    if (b->o.vocabulary_only)
        e = fail_set(f, E_USAGE, "the model was opened for its vocabulary only");
    else if (!b->engine)
        e = engine_open(&b->engine,
                        &(engine_options){.model = b->m,
                                          .kv = b->kv,
                                          .kv_bytes_max = b->o.kv_bytes,
                                          .sequences_max = b->o.sessions,
                                          .context_max = b->o.context},
                        f);
    mutex_unlock(&b->lock);
    if (e == E_OK) *out = b->engine;
    return e;
}

/* ---- text and tokens ---- */

bantam_status bantam_tokenise(const bantam_model *b, const char *text, size_t bytes, bool control,
                              int32_t *ids, size_t room, size_t *count, bantam_error *error) {
    fail f = {0};
    arena a;
    token_ids found;
    arena_init(&a, 0);
    token_encode_options o = {.special = control ? TOKEN_SPECIAL_ALL : TOKEN_SPECIAL_NONE};
    err e = tokenizer_encode(model_tokenizer(b->m), &a, (str){text, bytes}, &o, &found, &f);
    if (e == E_OK) {
        size_t n = found.n < room ? found.n : room;
        if (n) memcpy(ids, found.p, n * sizeof *ids);
        *count = found.n;
    }
    arena_deinit(&a);
    return lib_result(e, &f, error);
}

const char *bantam_token_text(const bantam_model *b, int32_t id, size_t *bytes) {
    str piece = tokenizer_piece(model_tokenizer(b->m), id);
    *bytes = piece.n;
    return piece.n ? piece.p : "";
}

int32_t bantam_token_bos(const bantam_model *b) {
    return tokenizer_bos(model_tokenizer(b->m));
}

int32_t bantam_token_eos(const bantam_model *b) {
    return tokenizer_eot(model_tokenizer(b->m));
}

bool bantam_token_ends(const bantam_model *b, int32_t id) {
    return tokenizer_is_end(model_tokenizer(b->m), id);
}

/* ---- chats ---- */

err lib_chat(const bantam_model *b, const chat **out, fail *f) {
    *out = b->chat;
    if (b->chat) return E_OK;
    fail_set(f, E_UNSUPPORTED, "this model cannot chat: %s", b->chat_fail.text);
    return fail_hint(f, "put plain text instead");
}

static err read_json(arena *a, const char *text, const char *what, const json **out, fail *f) {
    size_t n = strlen(text);
    if (n > LIB_CHAT_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "%s of %zu bytes are above the limit of %d", what, n,
                        LIB_CHAT_BYTES_MAX);
    TRY(json_parse(a, (str){text, n}, out, f));
    if ((*out)->kind == JSON_ARRAY) return E_OK;
    return fail_set(f, E_INPUT, "%s must be a JSON array", what);
}

err lib_chat_input(arena *a, const char *messages, const char *tools, bool ask, chat_input *out,
                   fail *f) {
    chat_input in = {.add_generation_prompt = ask};
    TRY(read_json(a, messages, "messages", &in.messages, f));
    if (tools) TRY(read_json(a, tools, "tools", &in.tools, f));
    *out = in;
    return E_OK;
}

static err render(const bantam_model *b, arena *a, const chat_input *in, char **out, fail *f) {
    const chat *c;
    chat_text text;
    str joined;
    TRY(lib_chat(b, &c, f));
    TRY(chat_render(c, a, in, &text, f));
    TRY(chat_join(a, &text, &joined, f));
    return copy_z(joined, out, f);
}

bantam_status bantam_render(const bantam_model *b, const char *messages, const char *tools,
                            bool ask_for_answer, char **out, bantam_error *error) {
    fail f = {0};
    arena a;
    chat_input in;
    arena_init(&a, 0);
    err e = lib_chat_input(&a, messages, tools, ask_for_answer, &in, &f);
    if (e == E_OK) e = render(b, &a, &in, out, &f);
    arena_deinit(&a);
    return lib_result(e, &f, error);
}

void bantam_text_free(char *text) {
    mem_free(text);
}

/* ---- numbers ---- */

static err score(bantam_model *b, arena *a, const char *prompt, const char *const *choices,
                 size_t count, double *logprob, fail *f) {
    engine *engine;
    const tokenizer *t = model_tokenizer(b->m);
    token_encode_options with_bos = {.add_bos = tokenizer_adds_bos(t)};
    token_ids head, *tails = arena_new_n(a, token_ids, count + 1);
    if (!tails) return fail_memory(f, "choices");
    TRY(lib_engine(b, &engine, f));
    TRY(tokenizer_encode(t, a, str_from(prompt), &with_bos, &head, f));
    if (head.n == 0) return fail_set(f, E_INPUT, "the prompt is empty: nothing to score behind");
    for (size_t i = 0; i < count; i++) {
        TRY(tokenizer_encode(t, a, str_from(choices[i]), NULL, &tails[i], f));
        if (tails[i].n == 0) return fail_set(f, E_INPUT, "choice %zu is empty", i + 1);
    }
    return engine_score(engine, &head, tails, count, NULL, logprob, f);
}

bantam_status bantam_score(bantam_model *b, const char *prompt, const char *const *choices,
                           size_t count, double *logprob, bantam_error *error) {
    fail f = {0};
    arena a;
    arena_init(&a, 0);
    err e = score(b, &a, prompt, choices, count, logprob, &f);
    arena_deinit(&a);
    return lib_result(e, &f, error);
}

bantam_status bantam_embed(bantam_model *b, const char *const *texts, size_t count, float *out,
                           bantam_error *error) {
    fail f = {0};
    if (count > LIB_TEXTS_MAX)
        return lib_result(
            fail_set(&f, E_TOO_LARGE, "%zu texts are above the limit of %d", count, LIB_TEXTS_MAX),
            &f, error);
    str *all = mem_alloc((count + 1) * sizeof *all);
    if (!all) return lib_result(fail_memory(&f, "texts"), &f, error);
    for (size_t i = 0; i < count; i++) all[i] = str_from(texts[i]);
    err e = b->o.vocabulary_only
                ? fail_set(&f, E_USAGE, "the model was opened for its vocabulary only")
                : model_embed(b->m, all, count, &(model_embed_options){0}, out, NULL, &f);
    mem_free(all);
    return lib_result(e, &f, error);
}

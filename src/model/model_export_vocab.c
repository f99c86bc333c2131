/* model_export_vocab.c - tokenizer.* metadata back into tokenizer.json and tokenizer_config.json.
 * See model_export.h.
 *
 * Byte-level BPE: the file's merges, and the expression that its pre-tokenizer's name stands for.
 * SentencePiece: merges out of scores, as a pair is joined before another when what it makes scores
 * better. What has been written is read again and must give the file's ids on a text of traps. */
#include "base/map.h"
#include "base/mem.h"
#include "model/model_export_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANK "\xE2\x96\x81"
#define LLAMA3                                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+" \
    "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2                                                                                 \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+" \
    "[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* What the names of pre-tokenizers stand for; no expression: ByteLevel's own. */
static const struct {
    const char *names, *regex;
    bool digits, ignore_merges;
} cuts[] = {{"gpt-2 olmo jais phi-2 mpt", NULL, false, false},
            {"smollm starcoder refact command-r codeshell", NULL, true, false},
            {"llama-bpe llama3 llama-v3", LLAMA3, false, true},
            {"dbrx smaug-bpe", LLAMA3, false, false},
            {"qwen2 deepseek-r1-qwen", QWEN2, false, false}};

typedef struct words {
    export_job *j;
    str *pieces, *merges, kind, pre;
    float *scores;
    int32_t *types;
    size_t n, n_scores, n_types, n_merges;
    bool prefix; /* a blank before each text */
} words;

static err read_words(words *w, fail *f) {
    const gguf *g = w->j->in;
    arena *a = &w->j->arena;
    TRY(gguf_get_str(g, "tokenizer.ggml.model", STR(""), &w->kind, f));
    TRY(gguf_get_str(g, "tokenizer.ggml.pre", STR(""), &w->pre, f));
    TRY(gguf_get_strs(g, "tokenizer.ggml.tokens", a, &w->pieces, &w->n, f));
    TRY(gguf_get_floats(g, "tokenizer.ggml.scores", a, &w->scores, &w->n_scores, f));
    TRY(gguf_get_ints(g, "tokenizer.ggml.token_type", a, &w->types, &w->n_types, f));
    TRY(gguf_get_strs(g, "tokenizer.ggml.merges", a, &w->merges, &w->n_merges, f));
    TRY(gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", true, &w->prefix, f));
    if (w->n_types == w->n && (w->n_scores == w->n || !str_is(w->kind, "llama"))) return E_OK;
    return fail_set(f, E_UNSUPPORTED, "\"%s\": the vocabulary does not say what its tokens are",
                    w->j->file);
}

static bool is_added(int32_t type) {
    return type == TOKEN_CONTROL || type == TOKEN_USER;
}

/* ---- parts of tokenizer.json ---- */

static void put_added(const words *w, json_writer *o) {
    json_key(o, "added_tokens");
    json_begin_array(o);
    for (size_t i = 0; i < w->n; i++) {
        if (!is_added(w->types[i]) && w->types[i] != TOKEN_UNKNOWN) continue;
        json_begin_object(o);
        json_field_int(o, "id", (int64_t)i);
        json_field_str(o, "content", w->pieces[i]);
        json_field_bool(o, "single_word", false);
        json_field_bool(o, "lstrip", false);
        json_field_bool(o, "rstrip", false);
        json_field_bool(o, "normalized", false);
        json_field_bool(o, "special", w->types[i] != TOKEN_USER);
        json_end_object(o);
    }
    json_end_array(o);
}

static void put_vocab(const words *w, json_writer *o) {
    json_key(o, "vocab");
    json_begin_object(o);
    for (size_t i = 0; i < w->n; i++) {
        if (is_added(w->types[i]) && w->types[i] != TOKEN_USER) continue;
        if (w->types[i] == TOKEN_UNUSED) continue;
        json_key_str(o, w->pieces[i]);
        json_put_int(o, (int64_t)i);
    }
    json_end_object(o);
}

static void put_type(json_writer *o, const char *key, const char *type) {
    if (key) json_key(o, key);
    json_begin_object(o);
    json_field_str(o, "type", str_from(type));
}

static void put_replace(json_writer *o, const char *from, const char *to) {
    put_type(o, NULL, "Replace");
    json_key(o, "pattern");
    json_begin_object(o);
    json_field_str(o, "String", str_from(from));
    json_end_object(o);
    json_field_str(o, "content", str_from(to));
    json_end_object(o);
}

static void put_text(json_writer *o, const char *id) {
    json_begin_object(o);
    json_key(o, "Sequence");
    json_begin_object(o);
    json_field_str(o, "id", str_from(id));
    json_field_int(o, "type_id", 0);
    json_end_object(o);
    json_end_object(o);
}
static void put_special(json_writer *o, str piece) {
    json_begin_object(o);
    json_key(o, "SpecialToken");
    json_begin_object(o);
    json_field_str(o, "id", piece);
    json_field_int(o, "type_id", 0);
    json_end_object(o);
    json_end_object(o);
}

/* BOS before a text, where the file says so. */
static err put_post(const words *w, json_writer *o, fail *f) {
    int64_t bos;
    bool add;
    TRY(gguf_get_int(w->j->in, "tokenizer.ggml.bos_token_id", -1, &bos, f));
    TRY(gguf_get_bool(w->j->in, "tokenizer.ggml.add_bos_token", str_is(w->kind, "llama"), &add, f));
    if (!add || bos < 0 || bos >= (int64_t)w->n) return E_OK;
    put_type(o, "post_processor", "TemplateProcessing");
    json_key(o, "single");
    json_begin_array(o);
    put_special(o, w->pieces[bos]);
    put_text(o, "A");
    json_end_array(o);
    json_key(o, "pair");
    json_begin_array(o);
    put_special(o, w->pieces[bos]);
    put_text(o, "A");
    put_text(o, "B");
    json_end_array(o);
    json_key(o, "special_tokens");
    json_begin_object(o);
    json_key_str(o, w->pieces[bos]);
    json_begin_object(o);
    json_field_str(o, "id", w->pieces[bos]);
    json_key(o, "ids");
    json_begin_array(o);
    json_put_int(o, bos);
    json_end_array(o);
    json_key(o, "tokens");
    json_begin_array(o);
    json_put_str(o, w->pieces[bos]);
    json_end_array(o);
    json_end_object(o);
    json_end_object(o);
    json_end_object(o);
    return E_OK;
}

/* ---- byte-level BPE ---- */

static void put_byte_level(json_writer *o, const char *key, bool regex) {
    put_type(o, key, "ByteLevel");
    json_field_bool(o, "add_prefix_space", false);
    json_field_bool(o, "trim_offsets", true);
    json_field_bool(o, "use_regex", regex);
    json_end_object(o);
}

static err put_gpt2(const words *w, json_writer *o, fail *f) {
    size_t at = 0;
    while (at < sizeof cuts / sizeof *cuts) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", STR_ARG(str_slice(w->pre, 0, 63)));
        if (convert_has_word(cuts[at].names, name)) break;
        at++;
    }
    if (at == sizeof cuts / sizeof *cuts)
        return fail_set(f, E_UNSUPPORTED, "\"%s\": we cannot spell out the pre-tokenizer \"%.*s\"",
                        w->j->file, STR_ARG(str_slice(w->pre, 0, 40)));
    put_type(o, "pre_tokenizer", "Sequence");
    json_key(o, "pretokenizers");
    json_begin_array(o);
    if (cuts[at].digits) {
        put_type(o, NULL, "Digits");
        json_field_bool(o, "individual_digits", true);
        json_end_object(o);
    }
    if (cuts[at].regex) {
        put_type(o, NULL, "Split");
        json_key(o, "pattern");
        json_begin_object(o);
        json_field_str(o, "Regex", str_from(cuts[at].regex));
        json_end_object(o);
        json_field_str(o, "behavior", STR("Isolated"));
        json_field_bool(o, "invert", false);
        json_end_object(o);
    }
    put_byte_level(o, NULL, !cuts[at].regex);
    json_end_array(o);
    json_end_object(o);
    put_byte_level(o, "decoder", true);
    put_type(o, "model", "BPE");
    json_field_bool(o, "ignore_merges", cuts[at].ignore_merges);
    put_vocab(w, o);
    json_key(o, "merges");
    json_begin_array(o);
    for (size_t i = 0; i < w->n_merges; i++) json_put_str(o, w->merges[i]);
    json_end_array(o);
    json_end_object(o);
    return E_OK;
}

/* ---- SentencePiece ---- */

typedef struct pair {
    float score;
    int32_t left, right;
} pair;

static int better_first(const void *a, const void *b) {
    const pair *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->left != y->left) return x->left < y->left ? -1 : 1;
    return (x->right > y->right) - (x->right < y->right);
}

/* All pairs of pieces that make a piece; into `out` unless that is NULL. How many. */
static size_t pairs_of(const words *w, const map *ids, pair *out) {
    enum { PIECE_BYTES_MAX = 256 }; /* longer ones would make this quadratic; none are published */
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        str s = w->pieces[i];
        if (w->types[i] != TOKEN_NORMAL || s.n > PIECE_BYTES_MAX) continue;
        for (size_t k = 1; k < s.n; k++) {
            int64_t left, right;
            if (!map_get(ids, str_slice(s, 0, k), &left) ||
                !map_get(ids, str_slice(s, k, s.n), &right))
                continue;
            if (out) out[n] = (pair){w->scores[i], (int32_t)left, (int32_t)right};
            n++;
        }
    }
    return n;
}

static err put_merges_of_scores(const words *w, json_writer *o, fail *f) {
    map ids;
    err e = E_OK;
    map_init(&ids, NULL);
    for (size_t i = 0; e == E_OK && i < w->n; i++)
        if (w->types[i] == TOKEN_NORMAL) e = map_put(&ids, w->pieces[i], (int64_t)i, f);
    size_t n = e == E_OK ? pairs_of(w, &ids, NULL) : 0;
    pair *pairs = mem_alloc((n + 1) * sizeof *pairs);
    if (e == E_OK && !pairs) e = fail_memory(f, w->j->file);
    if (e == E_OK) {
        pairs_of(w, &ids, pairs);
        qsort(pairs, n, sizeof *pairs, better_first);
        json_key(o, "merges");
        json_begin_array(o);
        for (size_t i = 0; i < n; i++) {
            json_begin_array(o);
            json_put_str(o, w->pieces[pairs[i].left]);
            json_put_str(o, w->pieces[pairs[i].right]);
            json_end_array(o);
        }
        json_end_array(o);
    }
    mem_free(pairs);
    map_deinit(&ids);
    return e;
}

static void put_blanks(const words *w, json_writer *o) {
    put_type(o, "normalizer", "Sequence");
    json_key(o, "normalizers");
    json_begin_array(o);
    if (w->prefix) {
        put_type(o, NULL, "Prepend");
        json_field_str(o, "prepend", STR(BLANK));
        json_end_object(o);
    }
    put_replace(o, " ", BLANK);
    json_end_array(o);
    json_end_object(o);
    put_type(o, "decoder", "Sequence");
    json_key(o, "decoders");
    json_begin_array(o);
    put_replace(o, BLANK, " ");
    put_type(o, NULL, "ByteFallback");
    json_end_object(o);
    put_type(o, NULL, "Fuse");
    json_end_object(o);
    if (w->prefix) {
        put_type(o, NULL, "Strip");
        json_field_str(o, "content", STR(" "));
        json_field_int(o, "start", 1);
        json_field_int(o, "stop", 0);
        json_end_object(o);
    }
    json_end_array(o);
    json_end_object(o);
}

static err put_llama(const words *w, json_writer *o, fail *f) {
    put_blanks(w, o);
    put_type(o, "model", "BPE");
    for (size_t i = 0; i < w->n; i++)
        if (w->types[i] == TOKEN_UNKNOWN) {
            json_field_str(o, "unk_token", w->pieces[i]);
            break;
        }
    json_field_bool(o, "fuse_unk", true);
    json_field_bool(o, "byte_fallback", true);
    put_vocab(w, o);
    TRY(put_merges_of_scores(w, o, f));
    json_end_object(o);
    return E_OK;
}

/* ---- files ---- */

static err agree(const words *w, str tokenizer_json, fail *f) {
    tokenizer *made;
    bool same;
    TRY(tokenizer_open_json(&made, tokenizer_json, f));
    err e = convert_same_ids(&w->j->arena, model_tokenizer(w->j->vocabulary), made,
                             !str_is(w->kind, "gpt2"), &same, f);
    tokenizer_close(made);
    if (e != E_OK || same) return e;
    return fail_set(f, E_UNSUPPORTED, "\"%s\": tokenizer.json cannot say how this tokenizer cuts",
                    w->j->file);
}

static err put_tokenizer(words *w, fail *f) {
    buf b = {0};
    json_writer o = {.out = &b};
    json_begin_object(&o);
    json_field_str(&o, "version", STR("1.0"));
    put_added(w, &o);
    err e = put_post(w, &o, f);
    if (e == E_OK) e = str_is(w->kind, "gpt2") ? put_gpt2(w, &o, f) : put_llama(w, &o, f);
    json_end_object(&o);
    if (e == E_OK) e = buf_ok(&b, f);
    if (e == E_OK) e = agree(w, buf_str(&b), f);
    if (e == E_OK) e = export_put(w->j, "tokenizer.json", &b, f);
    buf_deinit(&b);
    return e;
}

static err put_settings(const words *w, fail *f) {
    static const char *const names[][2] = {{"bos", "bos_token"},
                                           {"eos", "eos_token"},
                                           {"padding", "pad_token"},
                                           {"unknown", "unk_token"}};
    buf b = {0};
    json_writer o = {.out = &b, .pretty = true};
    str template = model_about(w->j->vocabulary)->chat_template;
    bool add;
    err e =
        gguf_get_bool(w->j->in, "tokenizer.ggml.add_bos_token", str_is(w->kind, "llama"), &add, f);
    json_begin_object(&o);
    json_field_str(&o, "tokenizer_class", STR("PreTrainedTokenizerFast"));
    if (e == E_OK) json_field_bool(&o, "add_bos_token", add);
    for (size_t i = 0; e == E_OK && i < sizeof names / sizeof *names; i++) {
        char key[64];
        int64_t id;
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", names[i][0]);
        e = gguf_get_int(w->j->in, key, -1, &id, f);
        if (e == E_OK && id >= 0 && id < (int64_t)w->n)
            json_field_str(&o, names[i][1], w->pieces[id]);
    }
    if (template.n) json_field_str(&o, "chat_template", template);
    json_end_object(&o);
    buf_put_char(&b, '\n');
    if (e == E_OK) e = export_put(w->j, "tokenizer_config.json", &b, f);
    buf_deinit(&b);
    return e;
}

err export_tokenizer(export_job *j, fail *f) {
    words w = {.j = j};
    TRY(read_words(&w, f));
    if (!str_is(w.kind, "gpt2") && !str_is(w.kind, "llama"))
        return fail_set(f, E_UNSUPPORTED,
                        "\"%s\": we cannot write a tokenizer.json of kind \"%.*s\"", j->file,
                        STR_ARG(str_slice(w.kind, 0, 32)));
    j->report->tokens = (int64_t)w.n;
    TRY(put_tokenizer(&w, f));
    return put_settings(&w, f);
}

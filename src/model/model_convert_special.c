/* model_convert_special.c - the special tokens of a folder, and which of them are put around a
 * text: tokenizer_config.json names them by their text, the post-processor by its template,
 * config.json by their number; the first that does counts. See model_convert_vocab.h. */
#include "model/model_convert_vocab.h"

#include <stdio.h>

enum {
    BOS = CONVERT_BOS,
    EOS = CONVERT_EOS,
    SEP = CONVERT_SEP,
    CLS = CONVERT_CLS,
    EOT = CONVERT_EOT,
    SPECIALS = CONVERT_SPECIALS
};

/* "bos" of "bos_token" and "bos_token_id"; in GGUF's key */
static const struct {
    const char *hf, *gguf;
} names[SPECIALS] = {[CONVERT_BOS] = {"bos", "bos"},     [CONVERT_EOS] = {"eos", "eos"},
                     [CONVERT_UNK] = {"unk", "unknown"}, [CONVERT_SEP] = {"sep", "seperator"},
                     [CONVERT_PAD] = {"pad", "padding"}, [CONVERT_CLS] = {"cls", "cls"},
                     [CONVERT_MASK] = {"mask", "mask"},  [CONVERT_EOT] = {"eot", "eot"},
                     [CONVERT_EOM] = {"eom", "eom"}};

static str content_of(const json *v) {
    const json *content = json_get(v, "content");
    if (v && v->kind == JSON_STRING) return v->string;
    return content && content->kind == JSON_STRING ? content->string : STR_NONE;
}

static str special_at(const json *list, size_t i) {
    const json *id = json_get(json_get(json_at(list, i), "SpecialToken"), "id");
    return id && id->kind == JSON_STRING ? id->string : STR_NONE;
}

/* [CLS] A [SEP] B [SEP] says which marks are added, and that EOS is what really ends a text. */
static void read_template(const json *v, bool has_settings, str said[SPECIALS],
                          convert_specials *out) {
    const json *single = json_get(v, "single"), *pair = json_get(v, "pair");
    if (!single || single->kind != JSON_ARRAY || single->count < 2) return;
    str first = special_at(single, 0), last = special_at(single, single->count - 1);
    if (first.p) {
        if (!has_settings) said[BOS] = first;
        out->bos = str_eq(first, said[BOS]) || str_eq(first, said[CLS]);
    }
    if (last.p) {
        if (has_settings && !str_eq(last, said[EOS])) said[EOT] = said[EOS];
        said[EOS] = last;
        out->eos = true;
    }
    if (!pair || pair->kind != JSON_ARRAY) return;
    size_t from = first.p && str_eq(special_at(pair, 0), first),
           to = pair->count -
                (last.p && pair->count && str_eq(special_at(pair, pair->count - 1), last));
    if (to < from + 3) return; /* A, marks, B */
    str one = special_at(pair, from + 1),
        two = to > from + 3 ? special_at(pair, from + 2) : STR_NONE;
    bool known = str_eq(one, said[SEP]) || str_eq(one, said[EOS]);
    out->separator = known && !last.p;
    if (two.p && (str_eq(two, said[SEP]) || str_eq(two, said[EOS]))) out->separator = true;
}

static void read_post(const convert_vocab *v, str said[SPECIALS], convert_specials *out) {
    const json *post = json_get(v->root, "post_processor"),
               *template = convert_component(post, "TemplateProcessing"),
               *bert = convert_component(post, "BertProcessing"),
               *roberta = convert_component(post, "RobertaProcessing");
    if (template) read_template(template, v->settings != NULL, said, out);
    if (roberta || bert) out->bos = out->eos = 1;
    if (roberta || bert) out->separator = roberta != NULL && !bert;
    const json *both = roberta ? roberta : bert;
    if (!both) return;
    const json *cls = json_at(json_get(both, "cls"), 0), *sep = json_at(json_get(both, "sep"), 0);
    if (!said[CLS].p) said[CLS] = content_of(cls);
    if (!said[SEP].p) said[SEP] = content_of(sep);
    if (!said[BOS].p) said[BOS] = said[CLS];
    if (!said[EOS].p) said[EOS] = said[SEP];
}

static int32_t id_of(const convert_vocab *v, const char *name, str said) {
    char key[32];
    int64_t id;
    snprintf(key, sizeof key, "%s_token_id", name);
    const json *number = json_get(v->c->config, key);
    if (said.p && map_get(&v->ids, said, &id)) return (int32_t)id;
    bool fits = number && number->kind == JSON_NUMBER && number->is_int && number->integer >= 0 &&
                number->integer < (int64_t)v->n;
    return fits ? (int32_t)number->integer : TOKEN_NONE;
}

void convert_specials_find(const convert_vocab *v, convert_specials *out) {
    str said[SPECIALS];
    *out = (convert_specials){.bos = -1, .eos = -1, .separator = -1};
    for (int i = 0; i < SPECIALS; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s_token", names[i].hf);
        said[i] = content_of(json_get(v->settings, key));
    }
    if (!said[BOS].p) said[BOS] = said[CLS];
    if (!said[EOS].p) said[EOS] = said[SEP];
    read_post(v, said, out);
    for (int i = 0; i < SPECIALS; i++) out->id[i] = id_of(v, names[i].hf, said[i]);
    const json *bos = json_get(v->settings, "add_bos_token"),
               *eos = json_get(v->settings, "add_eos_token"); /* said outright, it counts most */
    if (bos && bos->kind == JSON_BOOL) out->bos = bos->boolean;
    if (eos && eos->kind == JSON_BOOL) out->eos = eos->boolean;
}

void convert_specials_put(const convert_vocab *v, const convert_specials *s) {
    gguf_writer *w = v->c->out;
    char key[64];
    for (int i = 0; i < SPECIALS; i++) {
        if (s->id[i] == TOKEN_NONE) continue;
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", names[i].gguf);
        gguf_put_u32(w, key, (uint32_t)s->id[i]);
    }
    if (s->bos >= 0) gguf_put_bool(w, "tokenizer.ggml.add_bos_token", s->bos);
    if (s->eos >= 0) gguf_put_bool(w, "tokenizer.ggml.add_eos_token", s->eos);
    if (s->separator >= 0) gguf_put_bool(w, "tokenizer.ggml.add_sep_token", s->separator);
}

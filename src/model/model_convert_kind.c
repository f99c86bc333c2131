/* model_convert_kind.c - which kind of tokenizer GGUF calls what tokenizer.json spells out ("gpt2",
 * "llama", "t5", "bert"), and its pieces, scores and merges as that kind has them. See
 * model_convert_vocab.h. */
#include "model/model_convert_vocab.h"

#include "text/base64.h"

#include <string.h>

/* "<0x0A>" */
static bool is_byte_piece(str s) {
    return s.n == 6 && str_starts(s, STR("<0x")) && s.p[5] == '>';
}

/* "left right" as GGUF writes it: one blank, between two parts. */
static err merge_text(convert_vocab *v, const json *m, str *out, fail *f) {
    const json *left = json_at(m, 0), *right = json_at(m, 1);
    if (m->kind == JSON_STRING) {
        str second = m->string, first = str_cut(&second, ' ');
        *out = m->string;
        return first.n && second.n ? E_OK
                                   : convert_damaged(v, "has a merge of less than two parts", f);
    }
    if (m->kind != JSON_ARRAY || m->count != 2 || left->kind != JSON_STRING ||
        right->kind != JSON_STRING)
        return convert_damaged(v, "has a merge that is neither \"a b\" nor [\"a\", \"b\"]", f);
    if (!left->string.n || !right->string.n || str_find_char(left->string, ' ') != STR_INDEX_NONE ||
        str_find_char(right->string, ' ') != STR_INDEX_NONE)
        return fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF has no merges with blanks in their parts",
                        v->c->name);
    *out = arena_printf(&v->c->arena, "%.*s %.*s", STR_ARG(left->string), STR_ARG(right->string));
    return out->p ? E_OK : fail_memory(f, v->c->name);
}

static err take_merges(convert_vocab *v, fail *f) {
    const json *merges = json_get(v->model, "merges");
    if (!merges || merges->kind != JSON_ARRAY) return convert_damaged(v, "has no merges", f);
    v->merges = arena_new_n(&v->c->arena, str, merges->count + 1);
    if (!v->merges) return fail_memory(f, v->c->name);
    for (size_t i = 0; i < merges->count; i++)
        TRY(merge_text(v, json_at(merges, i), &v->merges[i], f));
    v->source.merges = v->merges;
    v->source.merge_count = merges->count;
    return E_OK;
}

/* SentencePiece joins the pair whose piece scores best. Merges stand in that order, so pieces score
 * by the first merge that makes them; what no merge makes comes behind, in order of ids. Bytes and
 * special tokens score 0, as in a SentencePiece file. */
static err score_by_merges(convert_vocab *v, fail *f) {
    const float none = 1;
    float rank = 0;
    for (size_t i = 0; i < v->n; i++) v->scores[i] = v->types[i] == TOKEN_NORMAL ? none : 0;
    for (size_t i = 0; i < v->source.merge_count; i++) {
        char joined[512];
        str right = v->merges[i], left = str_cut(&right, ' ');
        int64_t id;
        if (left.n + right.n > sizeof joined)
            return convert_damaged(v, "has a merge of great length", f);
        memcpy(joined, left.p, left.n);
        memcpy(joined + left.n, right.p, right.n);
        if (!map_get(&v->ids, (str){joined, left.n + right.n}, &id)) continue;
        if (v->scores[id] == none) v->scores[id] = -rank++;
    }
    for (size_t i = 0; i < v->n; i++)
        if (v->scores[i] == none) v->scores[i] = -rank++;
    return E_OK;
}

static err plan_llama(convert_vocab *v, fail *f) {
    const json *norm = json_get(v->root, "normalizer"), *pre = json_get(v->root, "pre_tokenizer"),
               *meta = convert_component(pre, "Metaspace");
    str unknown, scheme;
    int64_t id;
    bool prefix;
    TRY(take_merges(v, f));
    TRY(json_get_str(v->model, "unk_token", STR(""), &unknown, f));
    if (map_get(&v->ids, unknown, &id)) {
        v->source.unknown = (int32_t)id;
        v->types[id] = TOKEN_UNKNOWN;
    }
    for (size_t i = 0; i < v->n; i++)
        if (v->types[i] == TOKEN_NORMAL && is_byte_piece(v->pieces[i])) v->types[i] = TOKEN_BYTE;
    TRY(score_by_merges(v, f));
    TRY(json_get_bool(meta, "add_prefix_space", true, &prefix, f));
    TRY(json_get_str(meta, "prepend_scheme", prefix ? STR("always") : STR("never"), &scheme, f));
    v->source.add_space_prefix =
        convert_component(norm, "Prepend") != NULL || (meta && !str_is(scheme, "never"));
    v->source.kind = STR("llama");
    v->source.pre = STR("default");
    v->source.merge_count = 0; /* the scores say it */
    v->source.scores = v->scores;
    return E_OK;
}

static err plan_unigram(convert_vocab *v, fail *f) {
    const json *norm = json_get(v->root, "normalizer"), *pre = json_get(v->root, "pre_tokenizer"),
               *map = convert_component(norm, "Precompiled"),
               *meta = convert_component(pre, "Metaspace");
    str written, scheme;
    int64_t unknown;
    bool prefix;
    TRY(json_get_int(v->model, "unk_id", 3, 0, (int64_t)v->n - 1, &unknown, f));
    if (unknown >= (int64_t)v->n) return convert_damaged(v, "has no unk_id", f);
    TRY(json_get_str(map, "precompiled_charsmap", STR(""), &written, f));
    if (written.n)
        TRY(base64_decode(&v->c->arena, BASE64_STANDARD, written, &v->source.charsmap, f));
    TRY(json_get_bool(meta, "add_prefix_space", true, &prefix, f));
    TRY(json_get_str(meta, "prepend_scheme", prefix ? STR("always") : STR("never"), &scheme, f));
    v->types[unknown] = TOKEN_UNKNOWN;
    v->source.unknown = (int32_t)unknown;
    v->source.add_space_prefix = meta && !str_is(scheme, "never");
    v->source.remove_extra_whitespaces = convert_component(pre, "WhitespaceSplit") != NULL ||
                                         convert_component(norm, "Replace") != NULL;
    v->source.kind = STR("t5");
    v->source.pre = STR("default");
    v->source.scores = v->scores;
    return E_OK;
}

/* GGUF marks beginnings of words, not their continuations. */
static err plan_wordpiece(convert_vocab *v, fail *f) {
    str unknown;
    int64_t id;
    TRY(json_get_str(v->model, "unk_token", STR("[UNK]"), &unknown, f));
    if (map_get(&v->ids, unknown, &id)) v->source.unknown = (int32_t)id;
    for (size_t i = 0; i < v->n; i++) {
        str s = v->pieces[i];
        if (v->types[i] == TOKEN_CONTROL || (int64_t)i == v->source.unknown) continue;
        if (str_starts(s, STR("##"))) {
            v->pieces[i] = str_slice(s, 2, s.n);
            continue;
        }
        v->pieces[i] = arena_printf(&v->c->arena, CONVERT_BLANK "%.*s", STR_ARG(s));
        if (!v->pieces[i].p) return fail_memory(f, v->c->name);
    }
    v->source.kind = STR("bert");
    v->source.pre = STR("bert-bge");
    return E_OK;
}

err convert_kind(convert_vocab *v, fail *f) {
    str type = convert_type_of(v->model);
    char shown[TENSOR_PRINT_BYTES];
    if (!type.n) type = json_get(v->model, "merges") ? STR("BPE") : STR("WordPiece");
    if (str_is(type, "WordPiece")) return plan_wordpiece(v, f);
    if (str_is(type, "Unigram")) return plan_unigram(v, f);
    if (!str_is(type, "BPE"))
        return fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF has no tokenizer like \"%s\"", v->c->name,
                        tensor_print_name(type, shown));
    if (!convert_component(json_get(v->root, "pre_tokenizer"), "ByteLevel"))
        return plan_llama(v, f);
    v->source.kind = STR("gpt2");
    return take_merges(v, f);
}

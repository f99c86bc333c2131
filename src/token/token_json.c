/* token_json.c - reads a Hugging Face tokenizer.json into a token_source and builds from that.
 *
 * Each component (normalizer, pre_tokenizer, model, post_processor) has one reader that takes what
 * we do exactly and refuses the rest by the component's type. The decoder, truncation and padding
 * are not read. All of it lies in one scratch arena that is gone when the call returns. */
#include "token/token_int.h"

#include "text/json.h"

#include <string.h>

enum { TOKEN_JSON_BYTES_MAX = 64 << 20, ID_HOLES_MAX = 65536, NAME_SHOWN = 80 };

typedef struct json_reader {
    arena *a;
    const json *root, *model;
    token_source source;
    token_extra extra;
    token_pre pre; /* built from the pre_tokenizer */
    size_t stages;
    str *pieces;
    int32_t *types;
    bool byte_level; /* a ByteLevel has been seen */
} json_reader;

static str shown(str s) {
    return str_slice(s, 0, NAME_SHOWN);
}
static bool is_null(const json *v) {
    return !v || v->kind == JSON_NULL;
}
static str type_of(const json *v) {
    const json *type = json_get(v, "type");
    return type && type->kind == JSON_STRING ? type->string : STR("");
}
static err refuse(const char *component, const json *v, fail *f) {
    str type = shown(type_of(v));
    fail_set(f, E_UNSUPPORTED,
             "tokenizer.json has the %s \"%.*s\" (or an option of it) that is not "
             "supported",
             component, STR_ARG(type));
    return fail_hint(f, "WordPiece with BertNormalizer and byte-level BPE can be read");
}
/* A flag must have this value where it is given. */
static err require_flag(const json *v, const char *key, bool usual, bool wanted,
                        const char *component, fail *f) {
    bool is;
    TRY(json_get_bool(v, key, usual, &is, f));
    return is == wanted ? E_OK : refuse(component, v, f);
}
static err require_empty(const json *v, const char *key, const char *component, fail *f) {
    str s;
    TRY(json_get_str(v, key, STR(""), &s, f));
    return s.n ? refuse(component, v, f) : E_OK;
}

/* Calls read for v, or for each member of the Sequence v in its list `key`. */
static err each_of(json_reader *r, const json *v, const char *key,
                   err (*read)(json_reader *r, const json *v, fail *f), fail *f) {
    if (is_null(v)) return E_OK;
    if (!str_is(type_of(v), "Sequence")) return read(r, v, f);
    const json *list = json_get(v, key);
    for (size_t i = 0; list && i < list->count; i++) TRY(read(r, json_at(list, i), f));
    return E_OK;
}

/* Vocabulary ---------------------------------------------------------------------------------- */

static err bad_vocabulary(fail *f, const char *what, str text) {
    text = shown(text);
    return fail_set(f, E_CORRUPT, "tokenizer.json: %s \"%.*s\"", what, STR_ARG(text));
}

static err id_of(const json *v, str text, int32_t *id, fail *f) {
    if (!v || v->kind != JSON_NUMBER || !v->is_int || v->integer < 0 ||
        v->integer >= TOKEN_PIECES_MAX)
        return bad_vocabulary(f, "no usable id for the token", text);
    *id = (int32_t)v->integer;
    return E_OK;
}

/* The number of ids, and that it is not out of proportion to what is listed. */
static err count_ids(json_reader *r, const json *vocab, const json *added, fail *f) {
    int32_t id, last = -1;
    for (size_t i = 0; i < vocab->count; i++) {
        TRY(id_of(&vocab->members[i].value, vocab->members[i].key, &id, f));
        if (id > last) last = id;
    }
    for (size_t i = 0; added && i < added->count; i++) {
        TRY(id_of(json_get(json_at(added, i), "id"), STR("an added token"), &id, f));
        if (id > last) last = id;
    }
    r->source.piece_count = (size_t)(last + 1);
    if (r->source.piece_count > vocab->count + (added ? added->count : 0) + ID_HOLES_MAX)
        return fail_set(f, E_CORRUPT, "tokenizer.json: ids up to %d for %zu pieces", (int)last,
                        vocab->count);
    return E_OK;
}

static err read_vocab(json_reader *r, const json *vocab, fail *f) {
    for (size_t i = 0; i < vocab->count; i++) {
        int32_t id;
        TRY(id_of(&vocab->members[i].value, vocab->members[i].key, &id, f));
        if (r->pieces[id].p) return bad_vocabulary(f, "an id is given twice, to", r->pieces[id]);
        r->pieces[id] = vocab->members[i].key;
        r->types[id] = TOKEN_NORMAL;
    }
    return E_OK;
}

static err read_added(json_reader *r, const json *list, fail *f) {
    size_t n = list ? list->count : 0;
    token_added *added = arena_new_n(r->a, token_added, n + 1);
    if (!added) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < n; i++) {
        const json *v = json_at(list, i);
        bool special;
        str content;
        TRY(json_get_str(v, "content", STR(""), &content, f));
        TRY(id_of(json_get(v, "id"), content, &added[i].id, f));
        TRY(json_get_bool(v, "special", false, &special, f));
        TRY(json_get_bool(v, "lstrip", false, &added[i].strip_left, f));
        TRY(json_get_bool(v, "rstrip", false, &added[i].strip_right, f));
        TRY(require_flag(v, "single_word", false, false, "single_word added token", f));
        r->pieces[added[i].id] = content.p ? content : STR("");
        r->types[added[i].id] = special ? TOKEN_CONTROL : TOKEN_USER;
    }
    r->extra.added = added;
    r->extra.added_count = n;
    return E_OK;
}

static err read_pieces(json_reader *r, fail *f) {
    const json *vocab = json_get(r->model, "vocab"), *added = json_get(r->root, "added_tokens");
    if (!vocab || vocab->kind != JSON_OBJECT)
        return fail_set(f, E_UNSUPPORTED, "tokenizer.json: the model's vocab is not an object");
    if (is_null(added)) added = NULL;
    if (added && added->kind != JSON_ARRAY)
        return fail_set(f, E_INPUT, "tokenizer.json: added_tokens is not an array");
    TRY(count_ids(r, vocab, added, f));
    r->pieces = arena_new_n(r->a, str, r->source.piece_count + 1);
    r->types = arena_new_n(r->a, int32_t, r->source.piece_count + 1);
    if (!r->pieces || !r->types) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < r->source.piece_count; i++) r->types[i] = TOKEN_UNUSED;
    r->source.pieces = r->pieces;
    r->source.types = r->types;
    TRY(read_vocab(r, vocab, f));
    return read_added(r, added, f);
}

/* The id of a token that is named by its text; E_CORRUPT when there is none. */
static err named_id(json_reader *r, str text, int32_t *id, fail *f) {
    for (size_t i = 0; i < r->source.piece_count; i++)
        if (r->pieces[i].p && str_eq(r->pieces[i], text)) {
            *id = (int32_t)i;
            return E_OK;
        }
    return bad_vocabulary(f, "the vocabulary lacks the special token", text);
}

/* Models -------------------------------------------------------------------------------------- */

static err read_wordpiece(json_reader *r, fail *f) {
    str unknown, prefix;
    int64_t most;
    TRY(json_get_str(r->model, "unk_token", STR("[UNK]"), &unknown, f));
    TRY(json_get_str(r->model, "continuing_subword_prefix", STR("##"), &prefix, f));
    TRY(json_get_int(r->model, "max_input_chars_per_word", 100, 1, 1 << 20, &most, f));
    if (!str_is(prefix, "##")) return refuse("model", r->model, f);
    r->source.kind = STR("bert");
    r->extra.hashes = true;
    r->extra.word_chars_max = (size_t)most;
    return named_id(r, unknown, &r->source.unknown, f);
}

static err read_merge(json_reader *r, const json *v, str *out, fail *f) {
    const json *left = json_at(v, 0), *right = json_at(v, 1);
    if (v->kind == JSON_STRING) {
        *out = v->string;
        return E_OK;
    }
    if (v->kind != JSON_ARRAY || v->count != 2 || left->kind != JSON_STRING ||
        right->kind != JSON_STRING || left->string.n > 4096 || right->string.n > 4096)
        return fail_set(f, E_CORRUPT,
                        "tokenizer.json: a merge is neither \"a b\" nor [\"a\", \"b\"]");
    *out = arena_printf(r->a, "%.*s %.*s", STR_ARG(left->string), STR_ARG(right->string));
    return out->p ? E_OK : fail_memory(f, "a tokenizer.json");
}

static err read_bpe(json_reader *r, fail *f) {
    const json *m = r->model, *merges = json_get(m, "merges"), *dropout = json_get(m, "dropout");
    TRY(require_empty(m, "continuing_subword_prefix", "model", f));
    TRY(require_empty(m, "end_of_word_suffix", "model", f));
    TRY(require_flag(m, "byte_fallback", false, false, "model", f));
    TRY(json_get_bool(m, "ignore_merges", false, &r->extra.ignore_merges, f));
    if (!is_null(dropout) && dropout->number != 0) return refuse("model", m, f);
    if (!merges || merges->kind != JSON_ARRAY)
        return fail_set(f, E_CORRUPT, "tokenizer.json: a BPE model without a list of merges");
    str *out = arena_new_n(r->a, str, merges->count + 1);
    if (!out) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < merges->count; i++) TRY(read_merge(r, json_at(merges, i), &out[i], f));
    r->source.kind = STR("gpt2");
    r->source.merges = out;
    r->source.merge_count = merges->count;
    str unknown;
    TRY(json_get_str(m, "unk_token", STR(""), &unknown, f));
    return unknown.n ? named_id(r, unknown, &r->source.unknown, f) : E_OK;
}

/* Older files leave the model's type out. */
static err read_model(json_reader *r, fail *f) {
    str type = type_of(r->model);
    bool merges = json_get(r->model, "merges") != NULL;
    if (!type.n) type = merges ? STR("BPE") : STR("WordPiece");
    bool wordpiece = str_is(type, "WordPiece");
    if (!wordpiece && !str_is(type, "BPE")) return refuse("model", r->model, f);
    TRY(read_pieces(r, f));
    return wordpiece ? read_wordpiece(r, f) : read_bpe(r, f);
}

/* Normalizers and pre-tokenizers -------------------------------------------------------------- */

static err read_bert_normaliser(json_reader *r, const json *v, fail *f) {
    token_normaliser *to = &r->extra.normaliser;
    if (!str_is(type_of(v), "BertNormalizer")) return refuse("normalizer", v, f);
    TRY(json_get_bool(v, "clean_text", true, &to->clean_text, f));
    TRY(json_get_bool(v, "handle_chinese_chars", true, &to->chinese_apart, f));
    TRY(json_get_bool(v, "lowercase", true, &to->lowercase, f));
    return json_get_bool(v, "strip_accents", to->lowercase, &to->strip_accents, f);
}
static err read_bpe_normaliser(json_reader *r, const json *v, fail *f) {
    if (!str_is(type_of(v), "NFC")) return refuse("normalizer", v, f);
    r->extra.nfc = true;
    return E_OK;
}
static err read_bert_pre(json_reader *r, const json *v, fail *f) {
    (void)r;
    return str_is(type_of(v), "BertPreTokenizer") ? E_OK : refuse("pre_tokenizer", v, f);
}

static err add_stage(json_reader *r, token_match match, const json *v, fail *f) {
    if (!match || r->stages == TOKEN_PRE_STAGES) return refuse("pre_tokenizer", v, f);
    r->pre.stages[r->stages++] = match;
    return E_OK;
}

static err read_split(json_reader *r, const json *v, fail *f) {
    const json *pattern = json_get(v, "pattern");
    str behaviour, regex;
    TRY(json_get_str(v, "behavior", STR(""), &behaviour, f));
    TRY(json_get_str(pattern, "Regex", STR(""), &regex, f));
    TRY(require_flag(v, "invert", false, false, "pre_tokenizer", f));
    if (!str_is(behaviour, "Isolated")) return refuse("pre_tokenizer", v, f);
    token_match match = token_pre_regex(regex);
    if (match) return add_stage(r, match, v, f);
    regex = str_slice(regex, 0, 200);
    return fail_set(f, E_UNSUPPORTED,
                    "tokenizer.json splits by \"%.*s\", which has no scanner here", STR_ARG(regex));
}

static err read_bpe_pre(json_reader *r, const json *v, fail *f) {
    str type = type_of(v);
    bool flag;
    if (r->byte_level) return refuse("pre_tokenizer after ByteLevel", v, f);
    if (str_is(type, "Split")) return read_split(r, v, f);
    if (str_is(type, "Digits")) {
        TRY(json_get_bool(v, "individual_digits", false, &flag, f));
        return add_stage(r, token_pre_digits(flag), v, f);
    }
    if (!str_is(type, "ByteLevel")) return refuse("pre_tokenizer", v, f);
    r->byte_level = true;
    TRY(require_flag(v, "add_prefix_space", true, false, "pre_tokenizer", f));
    TRY(json_get_bool(v, "use_regex", true, &flag, f));
    return flag ? add_stage(r, token_pre_gpt2(), v, f) : E_OK;
}

static err read_cutting(json_reader *r, fail *f) {
    bool wordpiece = str_is(r->source.kind, "bert");
    const json *normalizer = json_get(r->root, "normalizer");
    const json *pre = json_get(r->root, "pre_tokenizer");
    TRY(each_of(r, normalizer, "normalizers",
                wordpiece ? read_bert_normaliser : read_bpe_normaliser, f));
    if (is_null(pre)) return fail_set(f, E_UNSUPPORTED, "tokenizer.json without a pre_tokenizer");
    TRY(each_of(r, pre, "pretokenizers", wordpiece ? read_bert_pre : read_bpe_pre, f));
    if (wordpiece) return E_OK;
    if (!r->byte_level) return refuse("pre_tokenizer without ByteLevel", pre, f);
    r->extra.pre = &r->pre;
    return E_OK;
}

/* Post-processors: which tokens stand at the two ends ----------------------------------------- */

static err read_template(json_reader *r, const json *v, fail *f) {
    const json *single = json_get(v, "single");
    bool seen = false;
    for (size_t i = 0; single && i < single->count; i++) {
        const json *special = json_get(json_at(single, i), "SpecialToken");
        str text;
        if (!special) {
            seen = true;
            continue;
        }
        TRY(json_get_str(special, "id", STR(""), &text, f));
        int32_t *end = seen ? &r->source.eos : &r->source.bos;
        if (*end != TOKEN_NONE) return refuse("post_processor", v, f); /* two at one end */
        TRY(named_id(r, text, end, f));
        *(seen ? &r->source.add_eos : &r->source.add_bos) = 1;
    }
    return E_OK;
}

static err read_pair(json_reader *r, const json *v, const char *key, int32_t *id, fail *f) {
    const json *text = json_at(json_get(v, key), 0);
    if (!text || text->kind != JSON_STRING) return refuse("post_processor", v, f);
    return named_id(r, text->string, id, f);
}

static err read_post(json_reader *r, const json *v, fail *f) {
    str type = type_of(v);
    if (str_is(type, "ByteLevel")) return E_OK;
    if (str_is(type, "TemplateProcessing")) return read_template(r, v, f);
    if (!str_is(type, "BertProcessing")) return refuse("post_processor", v, f);
    r->source.add_bos = r->source.add_eos = 1;
    TRY(read_pair(r, v, "cls", &r->source.bos, f));
    return read_pair(r, v, "sep", &r->source.eos, f);
}

/* The call ------------------------------------------------------------------------------------ */

/* Where bytes of UTF-8 have no token, an unknown token would be put: we leave such bytes out. */
static err check_bytes(const tokenizer *t, fail *f) {
    if (t->algorithm != TOKEN_BPE || t->unknown == TOKEN_NONE) return E_OK;
    for (int b = 0; b < 0xF5; b++)
        if (t->byte_ids[b] == TOKEN_NONE && b != 0xC0 && b != 0xC1)
            return fail_set(f, E_UNSUPPORTED,
                            "tokenizer.json: no token for byte 0x%02X, and an unk_token", b);
    return E_OK;
}

static err read_all(json_reader *r, str text, fail *f) {
    if (text.n > TOKEN_JSON_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "a tokenizer.json of %zu bytes (%d can be read)", text.n,
                        TOKEN_JSON_BYTES_MAX);
    TRY(json_parse(r->a, text, &r->root, f));
    r->model = json_get(r->root, "model");
    if (is_null(r->model))
        return fail_set(f, E_INPUT, "this is no tokenizer.json: it has no model");
    TRY(read_model(r, f));
    TRY(read_cutting(r, f));
    return each_of(r, json_get(r->root, "post_processor"), "processors", read_post, f);
}

err tokenizer_open_json(tokenizer **out, str tokenizer_json, fail *f) {
    arena a;
    arena_init(&a, 1 << 20);
    json_reader r = {.a = &a, .source = TOKEN_SOURCE_NONE, .pre = {.names = "tokenizer.json"}};
    r.source.add_bos = r.source.add_eos = 0;
    tokenizer *t = NULL;
    err e;
    TRY_OUT(read_all(&r, tokenizer_json, f));
    TRY_OUT(token_build(&t, &r.source, &r.extra, f));
    TRY_OUT(check_bytes(t, f));
    t->pre = NULL;
    if (t->algorithm == TOKEN_BPE) {
        token_pre *pre = arena_new(&t->a, token_pre);
        if (!pre) TRY_OUT(fail_memory(f, "a tokenizer"));
        *pre = r.pre;
        t->pre = pre;
    }
    *out = t;
    t = NULL;
out:
    tokenizer_close(t);
    arena_deinit(&a);
    return e;
}

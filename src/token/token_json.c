/* token_json.c - reads a Hugging Face tokenizer.json into a token_source and builds from that.
 *
 * Here: the vocabulary, the model and the post-processor; token_json_steps.c has the rest,
 * token_json_read.c what both read with. What we do not do exactly is refused by the component's
 * type. Truncation and padding are not read. All of it lies in one scratch arena that is gone when
 * the call returns. */
#include "token/token_json_int.h"

enum { TOKEN_JSON_BYTES_MAX = 64 << 20, ID_HOLES_MAX = 65536 };

static err require_empty(const json *v, const char *key, const char *component, fail *f) {
    str s;
    TRY(json_get_str(v, key, STR(""), &s, f));
    return s.n ? token_json_refuse(component, v, f) : E_OK;
}

/* Vocabulary ---------------------------------------------------------------------------------- */

static err bad_vocabulary(fail *f, const char *what, str text) {
    text = str_slice(text, 0, TOKEN_JSON_SHOWN);
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
    if (vocab->count > TOKEN_PIECES_MAX)
        return fail_set(f, E_TOO_LARGE, "tokenizer.json: %zu pieces are above the limit of %d",
                        vocab->count, TOKEN_PIECES_MAX);
    if (vocab->kind == JSON_ARRAY) last = (int32_t)vocab->count - 1;
    for (size_t i = 0; vocab->kind == JSON_OBJECT && i < vocab->count; i++) {
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

/* {"piece": id, ...} */
static err read_vocab_object(json_reader *r, const json *vocab, fail *f) {
    for (size_t i = 0; i < vocab->count; i++) {
        int32_t id;
        TRY(id_of(&vocab->members[i].value, vocab->members[i].key, &id, f));
        if (r->pieces[id].p) return bad_vocabulary(f, "an id is given twice, to", r->pieces[id]);
        r->pieces[id] = vocab->members[i].key;
        r->types[id] = TOKEN_NORMAL;
        r->in_model[id] = 1;
    }
    return E_OK;
}

/* [["piece", score], ...] */
static err read_vocab_array(json_reader *r, const json *vocab, fail *f) {
    double *scores = arena_new_n(r->a, double, r->source.piece_count + 1);
    if (!scores) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < vocab->count; i++) {
        const json *piece = json_at(json_at(vocab, i), 0), *score = json_at(json_at(vocab, i), 1);
        if (!piece || piece->kind != JSON_STRING || !score || score->kind != JSON_NUMBER)
            return fail_set(f, E_CORRUPT,
                            "tokenizer.json: entry %zu of the vocabulary is not [piece, score]", i);
        r->pieces[i] = piece->string;
        r->types[i] = TOKEN_NORMAL;
        r->in_model[i] = 1;
        scores[i] = score->number;
    }
    r->extra.scores = scores;
    return E_OK;
}

static err read_added_one(json_reader *r, const json *v, token_added *to, fail *f) {
    bool special;
    TRY(json_get_str(v, "content", STR(""), &to->text, f));
    TRY(id_of(json_get(v, "id"), to->text, &to->id, f));
    TRY(json_get_bool(v, "special", false, &special, f));
    TRY(json_get_bool(v, "lstrip", false, &to->strip_left, f));
    TRY(json_get_bool(v, "rstrip", false, &to->strip_right, f));
    TRY(json_get_bool(v, "single_word", false, &to->single_word, f));
    TRY(json_get_bool(v, "normalized", !special, &to->normalised, f));
    if (!to->text.p) to->text = STR("");
    r->pieces[to->id] = to->text;
    r->types[to->id] = special ? TOKEN_CONTROL : TOKEN_USER;
    return E_OK;
}

static err read_added(json_reader *r, const json *list, fail *f) {
    size_t n = list ? list->count : 0;
    token_added *added = arena_new_n(r->a, token_added, n + 1);
    if (!added) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < n; i++) TRY(read_added_one(r, json_at(list, i), &added[i], f));
    r->extra.added = added;
    r->extra.added_count = n;
    return E_OK;
}

static err read_pieces(json_reader *r, bool scored, fail *f) {
    const json *vocab = json_get(r->model, "vocab"), *added = json_get(r->root, "added_tokens");
    if (!vocab || vocab->kind != (scored ? JSON_ARRAY : JSON_OBJECT))
        return fail_set(f, E_UNSUPPORTED, "tokenizer.json: the model's vocab is not %s",
                        scored ? "an array" : "an object");
    if (token_json_is_null(added)) added = NULL;
    if (added && added->kind != JSON_ARRAY)
        return fail_set(f, E_INPUT, "tokenizer.json: added_tokens is not an array");
    TRY(count_ids(r, vocab, added, f));
    r->pieces = arena_new_n(r->a, str, r->source.piece_count + 1);
    r->types = arena_new_n(r->a, int32_t, r->source.piece_count + 1);
    r->extra.in_model = r->in_model = arena_alloc(r->a, r->source.piece_count + 1);
    if (!r->pieces || !r->types || !r->in_model) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < r->source.piece_count; i++) r->types[i] = TOKEN_UNUSED;
    r->source.pieces = r->pieces;
    r->source.types = r->types;
    TRY(scored ? read_vocab_array(r, vocab, f) : read_vocab_object(r, vocab, f));
    return read_added(r, added, f);
}

err token_json_named(json_reader *r, str text, int32_t *id, fail *f) {
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
    TRY(read_pieces(r, false, f));
    TRY(json_get_str(r->model, "unk_token", STR("[UNK]"), &unknown, f));
    TRY(json_get_str(r->model, "continuing_subword_prefix", STR("##"), &prefix, f));
    TRY(json_get_int(r->model, "max_input_chars_per_word", 100, 1, 1 << 20, &most, f));
    if (!str_is(prefix, "##")) return token_json_refuse("model", r->model, f);
    r->source.kind = STR("bert");
    r->extra.algorithm = TOKEN_WORDPIECE;
    r->extra.hashes = true;
    r->extra.word_chars_max = (size_t)most;
    return token_json_named(r, unknown, &r->source.unknown, f);
}

/* "a b" or ["a", "b"] */
static err read_merge(const json *v, token_merge_text *out, fail *f) {
    const json *left = json_at(v, 0), *right = json_at(v, 1);
    if (v->kind == JSON_STRING) {
        out->right = v->string;
        out->left = str_cut(&out->right, ' ');
        if (out->right.p) return E_OK;
    }
    if (v->kind != JSON_ARRAY || v->count != 2 || left->kind != JSON_STRING ||
        right->kind != JSON_STRING)
        return fail_set(f, E_CORRUPT,
                        "tokenizer.json: a merge is neither \"a b\" nor [\"a\", \"b\"]");
    *out = (token_merge_text){left->string, right->string};
    return E_OK;
}

static err read_merges(json_reader *r, const json *merges, fail *f) {
    if (!merges || merges->kind != JSON_ARRAY)
        return fail_set(f, E_CORRUPT, "tokenizer.json: a BPE model without a list of merges");
    token_merge_text *out = arena_new_n(r->a, token_merge_text, merges->count + 1);
    if (!out) return fail_memory(f, "a tokenizer.json");
    for (size_t i = 0; i < merges->count; i++) TRY(read_merge(json_at(merges, i), &out[i], f));
    r->extra.merges = out;
    r->source.merge_count = merges->count;
    return E_OK;
}

/* With byte_fallback, "<0x0A>" is a byte. */
static void mark_bytes(json_reader *r) {
    for (size_t i = 0; i < r->source.piece_count && r->extra.byte_fallback; i++)
        if (r->types[i] == TOKEN_NORMAL && token_byte_of(r->pieces[i]) >= 0)
            r->types[i] = TOKEN_BYTE;
}

static err read_bpe(json_reader *r, fail *f) {
    const json *m = r->model, *dropout = json_get(m, "dropout");
    str unknown;
    TRY(read_pieces(r, false, f));
    TRY(require_empty(m, "continuing_subword_prefix", "model", f));
    TRY(require_empty(m, "end_of_word_suffix", "model", f));
    TRY(json_get_bool(m, "byte_fallback", false, &r->extra.byte_fallback, f));
    TRY(json_get_bool(m, "fuse_unk", false, &r->extra.fuse_unknown, f));
    TRY(json_get_bool(m, "ignore_merges", false, &r->extra.ignore_merges, f));
    if (!token_json_is_null(dropout) && dropout->number != 0)
        return token_json_refuse("model", m, f);
    TRY(read_merges(r, json_get(m, "merges"), f));
    mark_bytes(r);
    r->source.kind = STR("gpt2");
    r->extra.algorithm = TOKEN_BPE_CHARS;
    TRY(json_get_str(m, "unk_token", STR(""), &unknown, f));
    r->extra.unknown_bytes = unknown.n > 0;
    return unknown.n ? token_json_named(r, unknown, &r->source.unknown, f) : E_OK;
}

static err read_unigram(json_reader *r, fail *f) {
    int64_t unknown;
    TRY(read_pieces(r, true, f));
    TRY(json_get_int(r->model, "unk_id", TOKEN_NONE, TOKEN_NONE, INT32_MAX, &unknown, f));
    TRY(json_get_bool(r->model, "byte_fallback", false, &r->extra.byte_fallback, f));
    mark_bytes(r);
    r->source.kind = STR("t5");
    r->source.unknown = (int32_t)unknown;
    r->extra.algorithm = TOKEN_UNIGRAM;
    return E_OK;
}

/* Older files leave the model's type out. */
static err read_model(json_reader *r, fail *f) {
    str type = token_json_type(r->model);
    bool merges = json_get(r->model, "merges") != NULL;
    if (!type.n) type = merges ? STR("BPE") : STR("WordPiece");
    if (str_is(type, "WordPiece")) return read_wordpiece(r, f);
    if (str_is(type, "Unigram")) return read_unigram(r, f);
    return str_is(type, "BPE") ? read_bpe(r, f) : token_json_refuse("model", r->model, f);
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
        if (*end != TOKEN_NONE)
            return token_json_refuse("post_processor", v, f); /* two at an end */
        TRY(token_json_named(r, text, end, f));
        *(seen ? &r->source.add_eos : &r->source.add_bos) = 1;
    }
    return E_OK;
}

static err read_end(json_reader *r, const json *v, const char *key, int32_t *id, fail *f) {
    const json *text = json_at(json_get(v, key), 0);
    if (!text || text->kind != JSON_STRING) return token_json_refuse("post_processor", v, f);
    return token_json_named(r, text->string, id, f);
}

static err read_post(json_reader *r, const json *v, fail *f) {
    str type = token_json_type(v);
    if (str_is(type, "ByteLevel")) return E_OK;
    if (str_is(type, "TemplateProcessing")) return read_template(r, v, f);
    if (!str_is(type, "BertProcessing") && !str_is(type, "RobertaProcessing"))
        return token_json_refuse("post_processor", v, f);
    r->source.add_bos = r->source.add_eos = 1;
    TRY(read_end(r, v, "cls", &r->source.bos, f));
    return read_end(r, v, "sep", &r->source.eos, f);
}

/* The call ------------------------------------------------------------------------------------ */

static err read_all(json_reader *r, str text, fail *f) {
    if (text.n > TOKEN_JSON_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "a tokenizer.json of %zu bytes (%d can be read)", text.n,
                        TOKEN_JSON_BYTES_MAX);
    TRY(json_parse(r->a, text, &r->root, f));
    r->model = json_get(r->root, "model");
    if (token_json_is_null(r->model))
        return fail_set(f, E_INPUT, "this is no tokenizer.json: it has no model");
    TRY(read_model(r, f));
    TRY(token_json_steps(r, f));
    return token_json_each(r, json_get(r->root, "post_processor"), "processors", read_post, f);
}

/* Special tokens by the text that tokenizer_config.json gives them, "x" or {"content": "x"}, where
 * tokenizer.json has not named them; what is not in the vocabulary is left out. */
static err read_config(json_reader *r, str text, fail *f) {
    struct {
        const char *key;
        int32_t *id;
    } names[] = {{"bos_token", &r->source.bos},
                 {"eos_token", &r->source.eos},
                 {"unk_token", &r->source.unknown},
                 {"pad_token", &r->source.padding},
                 {"mask_token", &r->source.mask}};
    const json *config;
    if (!text.n) return E_OK;
    TRY(json_parse(r->a, text, &config, f));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json *v = json_get(config, names[i].key);
        if (v && v->kind == JSON_OBJECT) v = json_get(v, "content");
        if (!v || v->kind != JSON_STRING || *names[i].id != TOKEN_NONE) continue;
        if (token_json_named(r, v->string, names[i].id, NULL) != E_OK) *names[i].id = TOKEN_NONE;
    }
    return E_OK;
}

err tokenizer_open_folder(tokenizer **out, str tokenizer_json, str tokenizer_config, fail *f) {
    arena a;
    arena_init(&a, 1 << 20);
    json_reader r = {.a = &a, .source = TOKEN_SOURCE_NONE};
    r.source.add_bos = r.source.add_eos = 0;
    r.extra.norm = &r.norm;
    r.extra.cuts = r.cuts;
    r.extra.regexes = r.regexes;
    err e = read_all(&r, tokenizer_json, f);
    if (e == E_OK) e = read_config(&r, tokenizer_config, f);
    if (e == E_OK)
        e = token_build(out, &r.source, &r.extra, f);
    else
        for (size_t i = 0; i < r.extra.regex_count; i++) token_regex_close(r.regexes[i]);
    arena_deinit(&a);
    return e;
}

err tokenizer_open_json(tokenizer **out, str tokenizer_json, fail *f) {
    return tokenizer_open_folder(out, tokenizer_json, STR(""), f);
}

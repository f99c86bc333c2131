/* model_convert_vocab.c - tokenizer.json and tokenizer_config.json into tokenizer.* metadata: the
 * pieces, and the order of the work. See model_convert_vocab.h.
 *
 * GGUF names a kind of tokenizer ("gpt2", "llama", "t5", "bert") and, for byte-level BPE, one of
 * some dozen pre-tokenizers, where tokenizer.json spells out the steps. So what has been chosen is
 * tried: the vocabulary as the GGUF file will say it must cut a text full of traps into the very
 * ids that tokenizer.json gives. */
#include "model/model_convert_vocab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PIECES_MAX = TOKEN_PIECES_MAX };

/* ---- pieces ---- */

static err take_piece(convert_vocab *v, str piece, double id, int32_t type, fail *f) {
    if (!(id >= 0) || id >= (double)v->n || id != floor(id))
        return convert_damaged(v, "has an id outside the vocabulary", f);
    size_t i = (size_t)id;
    v->pieces[i] = piece.p ? piece : STR("");
    v->types[i] = type;
    return map_put(&v->ids, v->pieces[i], (int64_t)i, f);
}

static err count_pieces(convert_vocab *v, int64_t rows, fail *f) {
    const json *vocab = json_get(v->model, "vocab"), *added = json_get(v->root, "added_tokens");
    double last = -1;
    if (!vocab || (vocab->kind != JSON_OBJECT && vocab->kind != JSON_ARRAY))
        return convert_damaged(v, "has no vocabulary", f);
    if (vocab->kind == JSON_ARRAY) last = (double)vocab->count - 1;
    for (size_t i = 0; vocab->kind == JSON_OBJECT && i < vocab->count; i++)
        last = fmax(last, vocab->members[i].value.number);
    for (size_t i = 0; added && added->kind == JSON_ARRAY && i < added->count; i++) {
        const json *id = json_get(json_at(added, i), "id");
        if (id) last = fmax(last, id->number);
    }
    if (!(last >= 0) || last >= PIECES_MAX) return convert_damaged(v, "has an impossible id", f);
    v->n = (size_t)last + 1;
    if (rows > 0 && (int64_t)v->n > rows)
        return fail_set(f, E_CORRUPT, "\"%s\": %zu tokens, but the embedding has %lld rows",
                        v->c->name, v->n, (long long)rows);
    if (rows > 0) v->n = (size_t)rows;
    return E_OK;
}

static err take_vocab(convert_vocab *v, fail *f) {
    const json *vocab = json_get(v->model, "vocab");
    for (size_t i = 0; i < vocab->count; i++) {
        if (vocab->kind == JSON_OBJECT) {
            const json_member *m = &vocab->members[i];
            if (m->value.kind != JSON_NUMBER)
                return convert_damaged(v, "has an id that is no number", f);
            TRY(take_piece(v, m->key, m->value.number, TOKEN_NORMAL, f));
            continue;
        }
        const json *piece = json_at(json_at(vocab, i), 0), *score = json_at(json_at(vocab, i), 1);
        if (!piece || piece->kind != JSON_STRING || !score || score->kind != JSON_NUMBER)
            return convert_damaged(v, "has an entry that is not [piece, score]", f);
        TRY(take_piece(v, piece->string, (double)i, TOKEN_NORMAL, f));
        v->scores[i] = (float)score->number;
    }
    return E_OK;
}

/* Added tokens that are meant as marks although they are not called special. */
static bool looks_special(str s) {
    static const char *const marks[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
    static const struct {
        const char *head, *tail;
    } frames[] = {{"<|", "|>"}, {"<\xEF\xBD\x9C", "\xEF\xBD\x9C>"}, {"<unused", ">"}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (str_is(s, marks[i])) return true;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        if (str_starts(s, str_from(frames[i].head)) && str_ends(s, str_from(frames[i].tail)))
            return true;
    return false;
}

/* GGUF's added tokens are written with blanks, not with what stands for them. */
static err with_blanks(convert_vocab *v, str s, str *out, fail *f) {
    buf b = {0};
    for (size_t i = 0; i < s.n;) {
        bool blank = str_starts(str_slice(s, i, s.n), STR(CONVERT_BLANK));
        buf_put(&b, blank ? STR(" ") : str_slice(s, i, i + 1));
        i += blank ? strlen(CONVERT_BLANK) : 1;
    }
    err e = buf_ok(&b, f);
    if (e == E_OK) {
        *out = arena_str(&v->c->arena, buf_str(&b));
        if (!out->p) e = fail_memory(f, v->c->name);
    }
    buf_deinit(&b);
    return e;
}

static err take_added(convert_vocab *v, fail *f) {
    const json *added = json_get(v->root, "added_tokens");
    for (size_t i = 0; added && added->kind == JSON_ARRAY && i < added->count; i++) {
        const json *one = json_at(added, i), *id = json_get(one, "id");
        str content;
        bool special;
        TRY(json_get_str(one, "content", STR(""), &content, f));
        TRY(json_get_bool(one, "special", false, &special, f));
        if (!id || id->kind != JSON_NUMBER)
            return convert_damaged(v, "has an added token without id", f);
        special = special || looks_special(content);
        TRY(take_piece(v, content, id->number, special ? TOKEN_CONTROL : TOKEN_USER, f));
        if (!special && str_find(content, STR(CONVERT_BLANK)) != STR_INDEX_NONE)
            TRY(with_blanks(v, content, &v->pieces[(size_t)id->number], f));
    }
    return E_OK;
}

static err fill_holes(convert_vocab *v, fail *f) {
    for (size_t i = 0; i < v->n; i++) {
        if (v->pieces[i].p) continue;
        v->pieces[i] = arena_printf(&v->c->arena, "[PAD%zu]", i);
        v->types[i] = TOKEN_UNUSED;
        if (!v->pieces[i].p) return fail_memory(f, v->c->name);
    }
    return E_OK;
}

/* ---- all of it ---- */

static err put_vocabulary(convert_vocab *v, fail *f) {
    gguf_writer *w = v->c->out;
    const token_source *s = &v->source;
    int64_t types;
    gguf_put_str(w, "tokenizer.ggml.model", s->kind);
    gguf_put_str(w, "tokenizer.ggml.pre", s->pre);
    gguf_put_strs(w, "tokenizer.ggml.tokens", v->pieces, v->n);
    if (s->scores) gguf_put_array(w, "tokenizer.ggml.scores", GGUF_F32, v->scores, v->n);
    gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, v->types, v->n);
    if (s->merge_count) gguf_put_strs(w, "tokenizer.ggml.merges", v->merges, s->merge_count);
    if (s->add_space_prefix >= 0)
        gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", s->add_space_prefix);
    if (s->remove_extra_whitespaces >= 0)
        gguf_put_bool(w, "tokenizer.ggml.remove_extra_whitespaces", s->remove_extra_whitespaces);
    if (s->charsmap.n)
        gguf_put_array(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, s->charsmap.p,
                       s->charsmap.n);
    if (v->c->family->names == CONVERT_BERT) {
        TRY(convert_int(v->c, "type_vocab_size", 1, &types, f));
        gguf_put_u32(w, "tokenizer.ggml.token_type_count", (uint32_t)types);
    }
    return E_OK;
}

static err read_files(convert_vocab *v, fail *f) {
    enum { BYTES_MAX = 256 << 20 };
    char path[FILE_PATH_BYTES];
    fail cause = {0};
    TRY(file_join(path, v->c->folder, "tokenizer.json", f));
    if (!file_exists(path)) {
        fail_set(f, E_NOT_FOUND, "\"%s\" has no tokenizer.json", v->c->name);
        return fail_hint(f, "transformers writes one: AutoTokenizer.from_pretrained(X)"
                            ".save_pretrained(X)");
    }
    TRY(file_read(&v->c->arena, path, BYTES_MAX, &v->text, f));
    err e = json_parse(&v->c->arena, v->text, &v->root, &cause);
    if (e != E_OK)
        return e == E_NO_MEMORY ? fail_memory(f, path) : convert_damaged(v, "is not JSON", f);
    v->model = json_get(v->root, "model");
    return convert_json(v->c, "tokenizer_config.json", &v->settings, f);
}

static err take_pieces(convert_vocab *v, int64_t rows, fail *f) {
    TRY(count_pieces(v, rows, f));
    v->pieces = arena_new_n(&v->c->arena, str, v->n);
    v->types = arena_new_n(&v->c->arena, int32_t, v->n);
    v->scores = arena_new_n(&v->c->arena, float, v->n);
    if (!v->pieces || !v->types || !v->scores) return fail_memory(f, v->c->name);
    TRY(take_vocab(v, f));
    TRY(take_added(v, f));
    return fill_holes(v, f);
}

static err run(convert_vocab *v, int64_t rows, fail *f) {
    convert_specials specials;
    int32_t *ids = specials.id;
    TRY(read_files(v, f));
    TRY(take_pieces(v, rows, f));
    convert_specials_find(v, &specials);
    TRY(convert_kind(v, f));
    v->source.pieces = v->pieces;
    v->source.piece_count = v->n;
    v->source.types = v->types;
    v->source.bos = ids[CONVERT_BOS];
    v->source.eos = ids[CONVERT_EOS];
    v->source.cls = ids[CONVERT_CLS];
    v->source.separator = ids[CONVERT_SEP];
    if (v->source.unknown == TOKEN_NONE) v->source.unknown = ids[CONVERT_UNK];
    TRY(convert_probe(v, f));
    if (ids[CONVERT_UNK] == TOKEN_NONE) ids[CONVERT_UNK] = v->source.unknown;
    TRY(put_vocabulary(v, f));
    convert_specials_put(v, &specials);
    return convert_template(v, f);
}

err convert_vocabulary(convert *c, int64_t rows, fail *f) {
    convert_vocab v = {.c = c, .source = TOKEN_SOURCE_NONE};
    map_init(&v.ids, NULL);
    err e = run(&v, rows, f);
    map_deinit(&v.ids);
    if (e != E_OK) return e;
    c->report->tokens = (int64_t)v.n;
    snprintf(c->report->tokenizer, sizeof c->report->tokenizer, "%.*s", STR_ARG(v.source.kind));
    snprintf(c->report->pre, sizeof c->report->pre, "%.*s", STR_ARG(v.source.pre));
    return E_OK;
}

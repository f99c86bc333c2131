/* model_convert_vocab.c - tokenizer.json, tokenizer_config.json and chat templates into tokenizer.*
 * metadata. See model_convert.h.
 *
 * GGUF names a kind of tokenizer ("gpt2", "llama", "t5", "bert") and, for byte-level BPE, one of
 * some dozen pre-tokenizers, where tokenizer.json spells out the steps. So what has been chosen is
 * tried: the vocabulary as the GGUF file will say it must cut a text full of traps into the very
 * ids that tokenizer.json gives. Pre-tokenizers are tried one after the other until one does; none:
 * a named refusal. */
#include "base/map.h"
#include "model/model_convert_int.h"
#include "text/base64.h"
#include "token/token.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLANK "\xE2\x96\x81" /* U+2581 */

enum { PIECES_MAX = TOKEN_PIECES_MAX, TEMPLATES_MAX = 64 };

typedef struct vocabulary {
    convert *c;
    const json *root, *model, *settings; /* tokenizer.json, its model, tokenizer_config.json */
    token_source source;                 /* as the GGUF file will say it */
    str *pieces;
    int32_t *types;
    float *scores;
    str *merges;
    size_t n;
    map ids;  /* of what tokenizer.json calls the pieces */
    str text; /* of tokenizer.json */
} vocabulary;

static err damaged(const vocabulary *v, const char *what, fail *f) {
    return fail_set(f, E_CORRUPT, "\"%s\": tokenizer.json %s", v->c->name, what);
}

static str type_of(const json *v) {
    const json *t = json_get(v, "type");
    return t && t->kind == JSON_STRING ? t->string : STR("");
}

/* The first component of this type, in a component or in the members of a Sequence. */
static const json *component(const json *v, const char *type) {
    static const char *const lists[] = {"normalizers", "pretokenizers", "processors"};
    if (str_is(type_of(v), type)) return v;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        const json *members = json_get(v, lists[l]);
        for (size_t i = 0; members && members->kind == JSON_ARRAY && i < members->count; i++) {
            const json *m = json_at(members, i);
            if (str_is(type_of(m), type)) return m;
        }
    }
    return NULL;
}

/* ---- pieces ---- */

static err take_piece(vocabulary *v, str piece, double id, int32_t type, fail *f) {
    if (!(id >= 0) || id >= (double)v->n || id != floor(id))
        return damaged(v, "has an id outside the vocabulary", f);
    size_t i = (size_t)id;
    v->pieces[i] = piece.p ? piece : STR("");
    v->types[i] = type;
    return map_put(&v->ids, v->pieces[i], (int64_t)i, f);
}

static err count_pieces(vocabulary *v, int64_t rows, fail *f) {
    const json *vocab = json_get(v->model, "vocab"), *added = json_get(v->root, "added_tokens");
    double last = -1;
    if (!vocab || (vocab->kind != JSON_OBJECT && vocab->kind != JSON_ARRAY))
        return damaged(v, "has no vocabulary", f);
    if (vocab->kind == JSON_ARRAY) last = (double)vocab->count - 1;
    for (size_t i = 0; vocab->kind == JSON_OBJECT && i < vocab->count; i++)
        last = fmax(last, vocab->members[i].value.number);
    for (size_t i = 0; added && added->kind == JSON_ARRAY && i < added->count; i++) {
        const json *id = json_get(json_at(added, i), "id");
        if (id) last = fmax(last, id->number);
    }
    if (!(last >= 0) || last >= PIECES_MAX) return damaged(v, "has an impossible id", f);
    v->n = (size_t)last + 1;
    if (rows > 0 && (int64_t)v->n > rows)
        return fail_set(f, E_CORRUPT, "\"%s\": %zu tokens, but the embedding has %lld rows",
                        v->c->name, v->n, (long long)rows);
    if (rows > 0) v->n = (size_t)rows;
    return E_OK;
}

static err take_vocab(vocabulary *v, fail *f) {
    const json *vocab = json_get(v->model, "vocab");
    for (size_t i = 0; i < vocab->count; i++) {
        if (vocab->kind == JSON_OBJECT) {
            const json_member *m = &vocab->members[i];
            if (m->value.kind != JSON_NUMBER) return damaged(v, "has an id that is no number", f);
            TRY(take_piece(v, m->key, m->value.number, TOKEN_NORMAL, f));
            continue;
        }
        const json *piece = json_at(json_at(vocab, i), 0), *score = json_at(json_at(vocab, i), 1);
        if (!piece || piece->kind != JSON_STRING || !score || score->kind != JSON_NUMBER)
            return damaged(v, "has an entry that is not [piece, score]", f);
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
static err with_blanks(vocabulary *v, str s, str *out, fail *f) {
    buf b = {0};
    for (size_t i = 0; i < s.n;) {
        bool blank = str_starts(str_slice(s, i, s.n), STR(BLANK));
        buf_put(&b, blank ? STR(" ") : str_slice(s, i, i + 1));
        i += blank ? strlen(BLANK) : 1;
    }
    err e = buf_ok(&b, f);
    if (e == E_OK) {
        *out = arena_str(&v->c->arena, buf_str(&b));
        if (!out->p) e = fail_memory(f, v->c->name);
    }
    buf_deinit(&b);
    return e;
}

static err take_added(vocabulary *v, fail *f) {
    const json *added = json_get(v->root, "added_tokens");
    for (size_t i = 0; added && added->kind == JSON_ARRAY && i < added->count; i++) {
        const json *one = json_at(added, i), *id = json_get(one, "id");
        str content;
        bool special;
        TRY(json_get_str(one, "content", STR(""), &content, f));
        TRY(json_get_bool(one, "special", false, &special, f));
        if (!id || id->kind != JSON_NUMBER) return damaged(v, "has an added token without id", f);
        special = special || looks_special(content);
        TRY(take_piece(v, content, id->number, special ? TOKEN_CONTROL : TOKEN_USER, f));
        if (!special && str_find(content, STR(BLANK)) != STR_INDEX_NONE)
            TRY(with_blanks(v, content, &v->pieces[(size_t)id->number], f));
    }
    return E_OK;
}

static err fill_holes(vocabulary *v, fail *f) {
    for (size_t i = 0; i < v->n; i++) {
        if (v->pieces[i].p) continue;
        v->pieces[i] = arena_printf(&v->c->arena, "[PAD%zu]", i);
        v->types[i] = TOKEN_UNUSED;
        if (!v->pieces[i].p) return fail_memory(f, v->c->name);
    }
    return E_OK;
}

/* ---- kinds ---- */

/* "<0x0A>" */
static bool is_byte_piece(str s) {
    return s.n == 6 && str_starts(s, STR("<0x")) && s.p[5] == '>';
}

/* "left right" as GGUF writes it: one blank, between two parts. */
static err merge_text(vocabulary *v, const json *m, str *out, fail *f) {
    const json *left = json_at(m, 0), *right = json_at(m, 1);
    if (m->kind == JSON_STRING) {
        str second = m->string, first = str_cut(&second, ' ');
        *out = m->string;
        return first.n && second.n ? E_OK : damaged(v, "has a merge of less than two parts", f);
    }
    if (m->kind != JSON_ARRAY || m->count != 2 || left->kind != JSON_STRING ||
        right->kind != JSON_STRING)
        return damaged(v, "has a merge that is neither \"a b\" nor [\"a\", \"b\"]", f);
    if (!left->string.n || !right->string.n || str_find_char(left->string, ' ') != STR_INDEX_NONE ||
        str_find_char(right->string, ' ') != STR_INDEX_NONE)
        return fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF has no merges with blanks in their parts",
                        v->c->name);
    *out = arena_printf(&v->c->arena, "%.*s %.*s", STR_ARG(left->string), STR_ARG(right->string));
    return out->p ? E_OK : fail_memory(f, v->c->name);
}

static err take_merges(vocabulary *v, fail *f) {
    const json *merges = json_get(v->model, "merges");
    if (!merges || merges->kind != JSON_ARRAY) return damaged(v, "has no merges", f);
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
static err score_by_merges(vocabulary *v, fail *f) {
    const float none = 1;
    float rank = 0;
    for (size_t i = 0; i < v->n; i++) v->scores[i] = v->types[i] == TOKEN_NORMAL ? none : 0;
    for (size_t i = 0; i < v->source.merge_count; i++) {
        char joined[512];
        str right = v->merges[i], left = str_cut(&right, ' ');
        int64_t id;
        if (left.n + right.n > sizeof joined) return damaged(v, "has a merge of great length", f);
        memcpy(joined, left.p, left.n);
        memcpy(joined + left.n, right.p, right.n);
        if (!map_get(&v->ids, (str){joined, left.n + right.n}, &id)) continue;
        if (v->scores[id] == none) v->scores[id] = -rank++;
    }
    for (size_t i = 0; i < v->n; i++)
        if (v->scores[i] == none) v->scores[i] = -rank++;
    return E_OK;
}

static err plan_llama(vocabulary *v, fail *f) {
    const json *norm = json_get(v->root, "normalizer"), *pre = json_get(v->root, "pre_tokenizer"),
               *meta = component(pre, "Metaspace");
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
        component(norm, "Prepend") != NULL || (meta && !str_is(scheme, "never"));
    v->source.kind = STR("llama");
    v->source.pre = STR("default");
    v->source.merge_count = 0; /* the scores say it */
    v->source.scores = v->scores;
    return E_OK;
}

static err plan_unigram(vocabulary *v, fail *f) {
    const json *norm = json_get(v->root, "normalizer"), *pre = json_get(v->root, "pre_tokenizer"),
               *map = component(norm, "Precompiled"), *meta = component(pre, "Metaspace");
    str written, scheme;
    int64_t unknown;
    bool prefix;
    TRY(json_get_int(v->model, "unk_id", 3, 0, (int64_t)v->n - 1, &unknown, f));
    TRY(json_get_str(map, "precompiled_charsmap", STR(""), &written, f));
    if (written.n)
        TRY(base64_decode(&v->c->arena, BASE64_STANDARD, written, &v->source.charsmap, f));
    TRY(json_get_bool(meta, "add_prefix_space", true, &prefix, f));
    TRY(json_get_str(meta, "prepend_scheme", prefix ? STR("always") : STR("never"), &scheme, f));
    v->types[unknown] = TOKEN_UNKNOWN;
    v->source.unknown = (int32_t)unknown;
    v->source.add_space_prefix = meta && !str_is(scheme, "never");
    v->source.remove_extra_whitespaces =
        component(pre, "WhitespaceSplit") != NULL || component(norm, "Replace") != NULL;
    v->source.kind = STR("t5");
    v->source.pre = STR("default");
    v->source.scores = v->scores;
    return E_OK;
}

/* GGUF marks beginnings of words, not their continuations. */
static err plan_wordpiece(vocabulary *v, fail *f) {
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
        v->pieces[i] = arena_printf(&v->c->arena, BLANK "%.*s", STR_ARG(s));
        if (!v->pieces[i].p) return fail_memory(f, v->c->name);
    }
    v->source.kind = STR("bert");
    v->source.pre = STR("bert-bge");
    return E_OK;
}

static err plan_kind(vocabulary *v, fail *f) {
    str type = type_of(v->model);
    char shown[TENSOR_PRINT_BYTES];
    if (!type.n) type = json_get(v->model, "merges") ? STR("BPE") : STR("WordPiece");
    if (str_is(type, "WordPiece")) return plan_wordpiece(v, f);
    if (str_is(type, "Unigram")) return plan_unigram(v, f);
    if (!str_is(type, "BPE"))
        return fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF has no tokenizer like \"%s\"", v->c->name,
                        tensor_print_name(type, shown));
    if (!component(json_get(v->root, "pre_tokenizer"), "ByteLevel")) return plan_llama(v, f);
    v->source.kind = STR("gpt2");
    return take_merges(v, f);
}

/* ---- special tokens ---- */

typedef struct special {
    const char *hf, *gguf; /* "bos" of "bos_token" and "bos_token_id"; key in GGUF */
    int32_t id;
    str content; /* as tokenizer_config.json or the post-processor says it */
} special;
enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, EOT, EOM, SPECIALS };

static str content_of(const json *v) {
    const json *content = json_get(v, "content");
    if (v && v->kind == JSON_STRING) return v->string;
    return content && content->kind == JSON_STRING ? content->string : STR_NONE;
}

static str special_at(const json *list, size_t i) {
    const json *id = json_get(json_get(json_at(list, i), "SpecialToken"), "id");
    return id && id->kind == JSON_STRING ? id->string : STR_NONE;
}

typedef struct ends { /* what the post-processor puts around a text; -1: it does not say */
    int bos, eos, separator;
} ends;

/* [CLS] A [SEP] B [SEP] says which marks are added, and that EOS is what really ends a text. */
static void read_template(const json *v, bool has_settings, special *s, ends *out) {
    const json *single = json_get(v, "single"), *pair = json_get(v, "pair");
    if (!single || single->kind != JSON_ARRAY || single->count < 2) return;
    str first = special_at(single, 0), last = special_at(single, single->count - 1);
    if (first.p) {
        if (!has_settings) s[BOS].content = first;
        out->bos = str_eq(first, s[BOS].content) || str_eq(first, s[CLS].content);
    }
    if (last.p) {
        if (has_settings && !str_eq(last, s[EOS].content)) s[EOT].content = s[EOS].content;
        s[EOS].content = last;
        out->eos = true;
    }
    if (!pair || pair->kind != JSON_ARRAY) return;
    size_t from = first.p && str_eq(special_at(pair, 0), first),
           to = pair->count -
                (last.p && pair->count && str_eq(special_at(pair, pair->count - 1), last));
    if (to < from + 3) return; /* A, marks, B */
    str one = special_at(pair, from + 1),
        two = to > from + 3 ? special_at(pair, from + 2) : STR_NONE;
    bool known = str_eq(one, s[SEP].content) || str_eq(one, s[EOS].content);
    out->separator = known && !last.p;
    if (two.p && (str_eq(two, s[SEP].content) || str_eq(two, s[EOS].content)))
        out->separator = true;
}

static void read_post(const vocabulary *v, special *s, ends *out) {
    const json *post = json_get(v->root, "post_processor"),
               *template = component(post, "TemplateProcessing"),
               *bert = component(post, "BertProcessing"),
               *roberta = component(post, "RobertaProcessing");
    if (template) read_template(template, v->settings != NULL, s, out);
    if (roberta) *out = (ends){1, 1, 1};
    if (bert) *out = (ends){1, 1, 0};
    const json *both = roberta ? roberta : bert;
    if (!both) return;
    const json *cls = json_at(json_get(both, "cls"), 0), *sep = json_at(json_get(both, "sep"), 0);
    if (!s[CLS].content.p) s[CLS].content = content_of(cls);
    if (!s[SEP].content.p) s[SEP].content = content_of(sep);
    if (!s[BOS].content.p) s[BOS].content = s[CLS].content;
    if (!s[EOS].content.p) s[EOS].content = s[SEP].content;
}

/* tokenizer_config.json names them by text, config.json by number; the first counts. */
static err find_specials(vocabulary *v, special *s, ends *out, fail *f) {
    for (int i = 0; i < SPECIALS; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s_token", s[i].hf);
        s[i].content = content_of(json_get(v->settings, key));
    }
    if (!s[BOS].content.p) s[BOS].content = s[CLS].content;
    if (!s[EOS].content.p) s[EOS].content = s[SEP].content;
    read_post(v, s, out);
    for (int i = 0; i < SPECIALS; i++) {
        char key[32];
        int64_t id;
        snprintf(key, sizeof key, "%s_token_id", s[i].hf);
        const json *number = json_get(v->c->config, key);
        s[i].id = TOKEN_NONE;
        if (s[i].content.p && map_get(&v->ids, s[i].content, &id))
            s[i].id = (int32_t)id;
        else if (number && number->kind == JSON_NUMBER && number->is_int && number->integer >= 0 &&
                 number->integer < (int64_t)v->n)
            s[i].id = (int32_t)number->integer;
    }
    for (int i = 0; i < 2; i++) { /* said outright, it counts most */
        const json *said = json_get(v->settings, i ? "add_eos_token" : "add_bos_token");
        if (said && said->kind == JSON_BOOL) *(i ? &out->eos : &out->bos) = said->boolean;
    }
    (void)f;
    return E_OK;
}

static void put_specials(const vocabulary *v, const special *s, const ends *e) {
    gguf_writer *w = v->c->out;
    char key[64];
    for (int i = 0; i < SPECIALS; i++) {
        if (s[i].id == TOKEN_NONE) continue;
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", s[i].gguf);
        gguf_put_u32(w, key, (uint32_t)s[i].id);
    }
    if (e->bos >= 0) gguf_put_bool(w, "tokenizer.ggml.add_bos_token", e->bos);
    if (e->eos >= 0) gguf_put_bool(w, "tokenizer.ggml.add_eos_token", e->eos);
    if (e->separator >= 0) gguf_put_bool(w, "tokenizer.ggml.add_sep_token", e->separator);
}

/* ---- trying it out ---- */

/* Contractions, digits in groups, runs of blanks and breaks, scripts, marks, emoji. The second is
 * for tokenizers whose treatment of odd blanks GGUF cannot say. */
static const char *const probes[] = {
    "Hello world! I'll say they're fine, we've DON'T it's 1 22 333 4444 55555 x2y 3.14159 1,000\n\n"
    " two  three   four\t\ttab \n \r\n end  \ncamelCase snake_case __init__ (a+b)*[c]={d}; // x\n"
    "caf\xC3\xA9 na\xC3\xAFve \xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, "
    "\xE4\xBD\xA0\xE5\xA5\xBD"
    "\xE4\xB8\x96\xE7\x95\x8C 12\xE5\xB9\xB4 \xE3\x81\x8B\xE3\x81\xAA \xD9\x85\xD8\xB1\xD8\xAD "
    "\xF0\x9F\x98\x80\xF0\x9F\x9A\x80!!! ???... #tag @user http://a.b/c?d=e&f 'quoted' \"text\"",
    "The quick brown fox, aged 42, jumps over 1,000 lazy dogs; isn't it 3.5 times faster? \xC3\x9C"
    "ber stra\xC3\x9F"
    "e, \xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0."};

static err ids_of(const tokenizer *t, arena *a, const char *text, token_ids *out, fail *f) {
    return tokenizer_encode(t, a, str_from(text),
                            &(token_encode_options){.special = TOKEN_SPECIAL_NONE}, out, f);
}

err convert_same_ids(arena *a, const tokenizer *x, const tokenizer *y, bool plain, bool *same,
                     fail *f) {
    token_ids of_x, of_y;
    TRY(ids_of(x, a, probes[plain], &of_x, f));
    TRY(ids_of(y, a, probes[plain], &of_y, f));
    *same = of_x.n == of_y.n && !memcmp(of_x.p, of_y.p, of_x.n * sizeof *of_x.p);
    return E_OK;
}

/* Does the vocabulary as GGUF says it give the ids that tokenizer.json gives? */
static err agrees(vocabulary *v, const tokenizer *truth, bool *out, fail *f) {
    tokenizer *t;
    fail cause = {0};
    *out = false;
    err e = tokenizer_open(&t, &v->source, &cause);
    if (e == E_NO_MEMORY) return fail_memory(f, v->c->name);
    if (e != E_OK) return E_OK; /* not this one */
    e = convert_same_ids(&v->c->arena, truth, t, !str_is(v->source.kind, "gpt2"), out, f);
    tokenizer_close(t);
    return e;
}

static const char *const all_pre = "gpt-2 smollm llama-bpe dbrx qwen2 gpt-4o tekken qwen35 falcon "
                                   "deepseek-llm deepseek-coder deepseek-v3 minicpm5 default";

static err choose_pre(vocabulary *v, const tokenizer *truth, fail *f) {
    bool fits = false;
    if (!str_is(v->source.kind, "gpt2")) {
        TRY(agrees(v, truth, &fits, f));
    } else {
        const char *lists[] = {v->c->family->pre ? v->c->family->pre : all_pre, all_pre};
        for (int l = 0; l < 2 && !fits; l++)
            for (str rest = str_from(lists[l]); rest.p && !fits;) {
                v->source.pre = str_cut(&rest, ' ');
                TRY(agrees(v, truth, &fits, f));
            }
    }
    if (fits) return E_OK;
    fail_set(f, E_UNSUPPORTED, "\"%s\": GGUF has no name for the way this tokenizer cuts a text",
             v->c->name);
    return fail_hint(f, "the folder itself runs: give it instead of a GGUF file");
}

static err check_tokenizer(vocabulary *v, fail *f) {
    tokenizer *truth;
    TRY(tokenizer_open_json(&truth, v->text, f));
    err e = choose_pre(v, truth, f);
    tokenizer_close(truth);
    return e;
}

/* ---- templates ---- */

static err put_templates(vocabulary *v, const json *list, fail *f) {
    str names[TEMPLATES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < list->count && n < TEMPLATES_MAX; i++) {
        char key[128];
        str name, text;
        TRY(json_get_str(json_at(list, i), "name", STR(""), &name, f));
        TRY(json_get_str(json_at(list, i), "template", STR(""), &text, f));
        if (str_is(name, "default")) {
            gguf_put_str(v->c->out, "tokenizer.chat_template", text);
            continue;
        }
        if (!name.n || name.n > 64) continue;
        snprintf(key, sizeof key, "tokenizer.chat_template.%.*s", STR_ARG(name));
        gguf_put_str(v->c->out, key, text);
        names[n++] = name;
    }
    if (n) gguf_put_strs(v->c->out, "tokenizer.chat_templates", names, n);
    return E_OK;
}

static err put_chat_template(vocabulary *v, fail *f) {
    enum { TEMPLATE_BYTES_MAX = 1 << 20 };
    char path[FILE_PATH_BYTES];
    const json *said = json_get(v->settings, "chat_template"), *file;
    str text = STR_NONE;
    if (said && said->kind == JSON_ARRAY) return put_templates(v, said, f);
    if (said && said->kind == JSON_STRING) text = said->string;
    TRY(file_join(path, v->c->folder, "chat_template.jinja", f));
    if (!text.p && file_exists(path))
        TRY(file_read(&v->c->arena, path, TEMPLATE_BYTES_MAX, &text, f));
    if (!text.p) {
        TRY(convert_json(v->c, "chat_template.json", &file, f));
        TRY(json_get_str(file, "chat_template", STR_NONE, &text, f));
    }
    if (text.p) gguf_put_str(v->c->out, "tokenizer.chat_template", text);
    return E_OK;
}

/* ---- all of it ---- */

static err put_vocabulary(vocabulary *v, fail *f) {
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

static err read_files(vocabulary *v, fail *f) {
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
    if (e != E_OK) return e == E_NO_MEMORY ? fail_memory(f, path) : damaged(v, "is not JSON", f);
    v->model = json_get(v->root, "model");
    return convert_json(v->c, "tokenizer_config.json", &v->settings, f);
}

static err run(vocabulary *v, int64_t rows, fail *f) {
    special specials[SPECIALS] = {
        [BOS] = {.hf = "bos", .gguf = "bos"},     [EOS] = {.hf = "eos", .gguf = "eos"},
        [UNK] = {.hf = "unk", .gguf = "unknown"}, [SEP] = {.hf = "sep", .gguf = "seperator"},
        [PAD] = {.hf = "pad", .gguf = "padding"}, [CLS] = {.hf = "cls", .gguf = "cls"},
        [MASK] = {.hf = "mask", .gguf = "mask"},  [EOT] = {.hf = "eot", .gguf = "eot"},
        [EOM] = {.hf = "eom", .gguf = "eom"}};
    ends around = {-1, -1, -1};
    TRY(read_files(v, f));
    TRY(count_pieces(v, rows, f));
    v->pieces = arena_new_n(&v->c->arena, str, v->n);
    v->types = arena_new_n(&v->c->arena, int32_t, v->n);
    v->scores = arena_new_n(&v->c->arena, float, v->n);
    if (!v->pieces || !v->types || !v->scores) return fail_memory(f, v->c->name);
    TRY(take_vocab(v, f));
    TRY(take_added(v, f));
    TRY(fill_holes(v, f));
    TRY(find_specials(v, specials, &around, f));
    TRY(plan_kind(v, f));
    v->source.pieces = v->pieces;
    v->source.piece_count = v->n;
    v->source.types = v->types;
    v->source.bos = specials[BOS].id;
    v->source.eos = specials[EOS].id;
    v->source.cls = specials[CLS].id;
    v->source.separator = specials[SEP].id;
    if (v->source.unknown == TOKEN_NONE) v->source.unknown = specials[UNK].id;
    TRY(check_tokenizer(v, f));
    if (specials[UNK].id == TOKEN_NONE) specials[UNK].id = v->source.unknown;
    TRY(put_vocabulary(v, f));
    put_specials(v, specials, &around);
    return put_chat_template(v, f);
}

err convert_vocabulary(convert *c, int64_t rows, fail *f) {
    vocabulary v = {.c = c, .source = TOKEN_SOURCE_NONE};
    map_init(&v.ids, NULL);
    err e = run(&v, rows, f);
    map_deinit(&v.ids);
    if (e != E_OK) return e;
    c->report->tokens = (int64_t)v.n;
    snprintf(c->report->tokenizer, sizeof c->report->tokenizer, "%.*s", STR_ARG(v.source.kind));
    snprintf(c->report->pre, sizeof c->report->pre, "%.*s", STR_ARG(v.source.pre));
    return E_OK;
}

/* token.c - a tokenizer's life, its added tokens and ids, and decoding; see token.h.
 *
 * token_build() makes it from what token_source.c (GGUF) or token_json.c has read; all that follows
 * only reads. Encoding begins in token_encode.c. */
#include "token/token.h"

#include "token/token_char.h"
#include "token/token_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Building ------------------------------------------------------------------------------------ */

/* Tags of HTML, which some vocabularies (Gemma's) have as added tokens: text like any other. */
static bool is_html(str text) {
    static const char names[] =
        "table caption thead tbody tfoot tr th td h1 h2 h3 h4 h5 h6 "
        "blockquote strong em b i u s sub sup code a html body img span bbox "
        "ul li div iframe footer";
    str name = str_slice(text, 1, text.n ? text.n - 1 : 0);
    if (text.n < 3 || text.p[0] != '<' || text.p[text.n - 1] != '>') return false;
    if (name.p[0] == '/') name = str_slice(name, 1, name.n);
    for (str rest = STR(names); rest.p;)
        if (str_eq(str_cut(&rest, ' '), name)) return true;
    return false;
}

/* An added token that outside text may still use: blanks and words, nothing that looks like markup
 * of a conversation. */
static bool is_plain(str text) {
    if (is_html(text)) return true;
    for (size_t i = 0; i < text.n; i++)
        if (strchr("<>[]|{}", text.p[i]) && text.p[i]) return false;
    return str_find(text, STR("\xEF\xBD\x9C")) == STR_INDEX_NONE; /* U+FF5C, DeepSeek's bar */
}

static int added_order(const void *a, const void *b) {
    return str_compare(((const token_added *)a)->text, ((const token_added *)b)->text);
}

static token_special added_least(token_type type, str text) {
    if (type != TOKEN_USER) return TOKEN_SPECIAL_ALL;
    return is_plain(text) ? TOKEN_SPECIAL_NONE : TOKEN_SPECIAL_USER;
}

/* The text of an added token as it is looked for: normalised, where it says so. */
static err added_text(tokenizer *t, token_added *one, fail *f) {
    if (!one->normalised || !one->text.n) {
        one->text = arena_str(&t->a, one->text);
        return one->text.p ? E_OK : fail_memory(f, "the added tokens");
    }
    token_work w = {.t = t};
    size_t good = token_utf8_valid(one->text);
    str text = good == one->text.n ? token_norm_run(&t->norm, &w, one->text) : one->text;
    one->text = arena_str(&t->a, text);
    bool lost = w.failed || !one->text.p;
    token_work_deinit(&w);
    return lost ? fail_memory(f, "the added tokens") : E_OK;
}

/* The tokens of `from` that are (not) normalised, in order of text. */
static err added_set(tokenizer *t, const token_added *from, size_t n, bool normalised,
                     token_added_set *out, fail *f) {
    token_added *to = arena_new_n(&t->a, token_added, n + 1);
    if (!to) return fail_memory(f, "the added tokens");
    out->p = to;
    for (size_t i = 0; i < n; i++) {
        if (from[i].normalised != normalised) continue;
        to[out->n] = from[i];
        TRY(added_text(t, &to[out->n], f));
        if (to[out->n].text.n) out->n++;
    }
    if (out->n) qsort(to, out->n, sizeof *to, added_order);
    for (size_t i = 0; i < out->n; i++) out->first[(unsigned char)to[i].text.p[0]] = true;
    return E_OK;
}

/* Phi-3's vocabulary says nowhere that its markers take the white space behind them along. */
static void added_phi3(token_added *added, size_t n) {
    bool phi3 = false;
    for (size_t i = 0; i < n; i++) phi3 = phi3 || str_is(added[i].text, "<|placeholder1|>");
    for (size_t i = 0; i < n && phi3; i++)
        added[i].strip_right = !str_is(added[i].text, "<unk>") && !str_is(added[i].text, "<s>") &&
                               !str_is(added[i].text, "<|endoftext|>");
}

/* Control, unknown and user tokens by `types`; the texts are borrowed. NULL: no memory. */
static token_added *added_by_type(tokenizer *t, const token_source *source, size_t *n) {
    size_t most = 0;
    for (size_t i = 0; i < t->count; i++)
        most += t->types[i] >= TOKEN_UNKNOWN && t->types[i] <= TOKEN_USER;
    token_added *added = arena_new_n(&t->a, token_added, most + 1);
    *n = 0;
    for (size_t i = 0; added && i < t->count; i++)
        if (t->types[i] >= TOKEN_UNKNOWN && t->types[i] <= TOKEN_USER)
            added[(*n)++] = (token_added){
                .id = (int32_t)i,
                .text = source->pieces[i],
                .strip_left = (int32_t)i == t->mask && t->algorithm != TOKEN_WORDPIECE,
            };
    if (added && t->algorithm == TOKEN_SPM) added_phi3(added, *n);
    return added;
}

/* The given added tokens, or those by type. */
static err build_added(tokenizer *t, const token_source *source, const token_extra *extra,
                       fail *f) {
    size_t n = extra->added_count;
    token_added *added =
        extra->added ? arena_new_n(&t->a, token_added, n + 1) : added_by_type(t, source, &n);
    if (!added) return fail_memory(f, "the added tokens");
    if (extra->added && n) memcpy(added, extra->added, n * sizeof *added);
    uint8_t *indexed = arena_alloc(&t->a, t->count);
    if (!indexed) return fail_memory(f, "the added tokens");
    for (size_t i = 0; i < t->count; i++) indexed[i] = t->types[i] == TOKEN_NORMAL;
    for (size_t i = 0; i < n; i++) {
        size_t id = (size_t)added[i].id;
        added[i].least = added_least((token_type)t->types[id], added[i].text);
        if (extra->in_model && extra->in_model[id])
            indexed[id] = added[i].least == TOKEN_SPECIAL_NONE;
    }
    t->indexed = indexed;
    TRY(added_set(t, added, n, false, &t->raw, f));
    return added_set(t, added, n, true, &t->normal, f);
}

static err check_id(const tokenizer *t, const char *what, int32_t id, fail *f) {
    if (id == TOKEN_NONE || (id >= 0 && (size_t)id < t->count)) return E_OK;
    return fail_set(f, E_CORRUPT, "the %s token is %d in a vocabulary of %zu pieces", what, (int)id,
                    t->count);
}

static err build_ids(tokenizer *t, const token_source *s, fail *f) {
    bool wordpiece = t->algorithm == TOKEN_WORDPIECE;
    t->bos = (wordpiece && s->cls != TOKEN_NONE) || s->bos == TOKEN_NONE ? s->cls : s->bos;
    t->eos =
        (wordpiece && s->separator != TOKEN_NONE) || s->eos == TOKEN_NONE ? s->separator : s->eos;
    t->eot = s->eot;
    t->unknown = s->unknown;
    t->padding = s->padding;
    t->mask = s->mask;
    TRY(check_id(t, "BOS", t->bos, f));
    TRY(check_id(t, "EOS", t->eos, f));
    TRY(check_id(t, "EOT", t->eot, f));
    TRY(check_id(t, "unknown", t->unknown, f));
    TRY(check_id(t, "mask", t->mask, f));
    return check_id(t, "padding", t->padding, f);
}

static err build_types(tokenizer *t, const token_source *source, fail *f) {
    uint8_t *types = arena_alloc(&t->a, t->count);
    if (!types) return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < t->count; i++) {
        int32_t type = source->types ? source->types[i] : TOKEN_NORMAL;
        if (type < 0 || type > TOKEN_BYTE)
            return fail_set(f, E_CORRUPT, "piece %zu of the vocabulary has type %d", i, (int)type);
        types[i] = type ? (uint8_t)type : TOKEN_NORMAL;
    }
    t->types = types;
    return E_OK;
}

/* The id of an added token by its text as the file has it. */
static int32_t added_find(const tokenizer *t, const char *text) {
    for (size_t i = 0; i < t->raw.n; i++)
        if (str_is(t->raw.p[i].text, text)) return t->raw.p[i].id;
    for (size_t i = 0; i < t->normal.n; i++)
        if (str_is(t->normal.p[i].text, text)) return t->normal.p[i].id;
    return TOKEN_NONE;
}

/* Generation ends at EOS and EOT, and at the tokens by which published chat models end: the first
 * of those that end a turn is EOT where none is named. */
static err build_ends(tokenizer *t, fail *f) {
    static const char *const markers[] = {
        "<|eot_id|>",
        "<|im_end|>",
        "<end_of_turn>",
        "<|end|>",
        "<|eot|>",
        "<EOT>",
        "<|EOT|>",
        "[EOT]",
        "<|endofturn|>",
        "<end_of_utterance>",
        "<|END_OF_TURN_TOKEN|>",
        "<turn|>",
        "<|return|>",
        "<|call|>",
        "<|eom_id|>",
        "<|endoftext|>",
        "<|end_of_text|>",
        "</s>",
        "<eos>",
        "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
    };
    enum { TURNS = 13 }; /* of the markers: those that end a turn */
    uint8_t *ends = arena_alloc(&t->a, t->count);
    if (!ends) return fail_memory(f, "a vocabulary");
    for (size_t m = 0; t->algorithm != TOKEN_WORDPIECE && m < sizeof markers / sizeof *markers;
         m++) {
        int32_t id = added_find(t, markers[m]);
        bool html = id != TOKEN_NONE && t->types[id] == TOKEN_USER && is_html(str_from(markers[m]));
        if (id == TOKEN_NONE || html) continue; /* Gemma's </s> is a tag */
        ends[id] = 1;
        if (t->eot == TOKEN_NONE && m < TURNS) t->eot = id;
    }
    /* gpt-oss ends a message, not a turn, with <|end|> */
    int32_t end = added_find(t, "<|end|>");
    if (end != TOKEN_NONE && added_find(t, "<|return|>") != TOKEN_NONE) {
        ends[end] = 0;
        if (t->eot == end) t->eot = added_find(t, "<|return|>");
    }
    if (t->eot == TOKEN_NONE) t->eot = t->eos;
    if (t->eos != TOKEN_NONE) ends[t->eos] = 1;
    if (t->eot != TOKEN_NONE) ends[t->eot] = 1;
    t->ends = ends;
    return E_OK;
}

/* Takes over what the reader of the file has made; the regexes first, so that they are closed. */
static err build_steps(tokenizer *t, const token_extra *extra, fail *f) {
    for (size_t i = 0; i < extra->regex_count && i < TOKEN_REGEXES; i++)
        t->regexes[t->regex_count++] = extra->regexes[i];
    if (extra->norm) t->norm = *extra->norm;
    for (size_t i = 0; i < t->norm.count; i++) {
        token_norm_step *s = &t->norm.steps[i];
        if (s->kind == TOKEN_NORM_CHARSMAP || s->kind == TOKEN_NORM_CHARSMAP_CLUSTER) {
            TRY(token_charsmap_read(&s->map, &t->a, s->from, f));
            s->from = STR("");
        }
        s->from = arena_str(&t->a, s->from);
        s->to = arena_str(&t->a, s->to);
        if (!s->from.p || !s->to.p) return fail_memory(f, "a normaliser");
    }
    token_cut *cuts = arena_new_n(&t->a, token_cut, extra->cut_count + 1);
    if (!cuts) return fail_memory(f, "a pre-tokenizer");
    for (size_t i = 0; i < extra->cut_count; i++) {
        cuts[i] = extra->cuts[i];
        cuts[i].text = arena_str(&t->a, cuts[i].text);
        if (!cuts[i].text.p) return fail_memory(f, "a pre-tokenizer");
    }
    t->cuts = cuts;
    t->cut_count = extra->cut_count;
    return E_OK;
}

static err build_algorithm(tokenizer *t, const token_source *source, const token_extra *extra,
                           fail *f) {
    switch (t->algorithm) {
    case TOKEN_BPE:
    case TOKEN_BPE_CHARS: return token_bpe_build(t, source, extra, f);
    case TOKEN_SPM: return token_spm_build(t, source, f);
    case TOKEN_UNIGRAM: return token_unigram_build(t, source, extra, f);
    case TOKEN_WORDPIECE: return token_wordpiece_build(t, source, extra, f);
    }
    return E_OK;
}

static err build_into(tokenizer *t, const token_source *source, const token_extra *extra, fail *f) {
    t->algorithm = extra->algorithm;
    t->bert = extra->bert;
    t->blanks = extra->blanks;
    t->drop_blank = extra->drop_blank;
    t->byte_fallback = extra->byte_fallback;
    TRY(build_steps(t, extra, f));
    if (source->piece_count < 1 || source->piece_count > TOKEN_PIECES_MAX)
        return fail_set(f, E_CORRUPT, "a vocabulary of %zu pieces (1 to %d can be read)",
                        source->piece_count, TOKEN_PIECES_MAX);
    t->count = source->piece_count;
    t->kind = arena_str(&t->a, source->kind);
    if (!t->kind.p) return fail_memory(f, "a tokenizer");
    TRY(build_types(t, source, f));
    TRY(build_ids(t, source, f));
    TRY(build_added(t, source, extra, f));
    TRY(build_ends(t, f));
    TRY(build_algorithm(t, source, extra, f));
    t->add_bos = t->bos != TOKEN_NONE && source->add_bos > 0;
    t->add_eos = t->eos != TOKEN_NONE && source->add_eos > 0;
    return E_OK;
}

err token_build(tokenizer **out, const token_source *source, const token_extra *extra, fail *f) {
    tokenizer *t = mem_zero(sizeof *t);
    if (!t) {
        for (size_t i = 0; i < extra->regex_count; i++) token_regex_close(extra->regexes[i]);
        return fail_memory(f, "a tokenizer");
    }
    arena_init(&t->a, 1 << 20);
    err e = build_into(t, source, extra, f);
    if (e != E_OK) {
        tokenizer_close(t);
        return e;
    }
    *out = t;
    return E_OK;
}

void tokenizer_close(tokenizer *t) {
    if (!t) return;
    for (size_t i = 0; i < t->regex_count; i++) token_regex_close(t->regexes[i]);
    token_memo_close(t->memo);
    arena_deinit(&t->a);
    mem_free(t);
}

/* Reading ------------------------------------------------------------------------------------- */

static bool is_id(const tokenizer *t, int32_t id) {
    return id >= 0 && (size_t)id < t->count;
}

str tokenizer_piece(const tokenizer *t, int32_t id) {
    return is_id(t, id) ? token_piece_of(t, id) : STR("");
}

void tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                      buf *out) {
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        str piece = tokenizer_piece(t, ids[i]);
        token_type type = tokenizer_type(t, ids[i]);
        if (skip_special && (type == TOKEN_CONTROL || type == TOKEN_UNKNOWN)) continue;
        if (first && type == TOKEN_NORMAL && t->drop_blank && str_starts(piece, STR(" ")))
            piece = str_slice(piece, 1, piece.n);
        buf_put(out, piece);
        first = false;
    }
}

size_t tokenizer_count(const tokenizer *t) {
    return t->count;
}
token_type tokenizer_type(const tokenizer *t, int32_t id) {
    return is_id(t, id) ? (token_type)t->types[id] : TOKEN_UNUSED;
}

/* Blanks as pieces write them. to: 3 * text.n bytes. */
static str write_blanks(str text, char *to) {
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool blank = text.p[i] == ' ';
        memcpy(to + n, blank ? TOKEN_BLANK : text.p + i, blank ? TOKEN_BLANK_BYTES : 1);
        n += blank ? TOKEN_BLANK_BYTES : 1;
    }
    return (str){to, n};
}

int32_t tokenizer_find(const tokenizer *t, str text) {
    for (size_t i = 0; i < t->raw.n; i++)
        if (str_eq(t->raw.p[i].text, text)) return t->raw.p[i].id;
    for (size_t i = 0; i < t->normal.n; i++)
        if (str_eq(token_piece_of(t, t->normal.p[i].id), text)) return t->normal.p[i].id;
    char escaped[TOKEN_FIND_BYTES_MAX * 3];
    if (text.n > TOKEN_FIND_BYTES_MAX) return TOKEN_NONE;
    if (t->blanks) text = write_blanks(text, escaped);
    const token_index *index = t->algorithm == TOKEN_WORDPIECE ? &t->word_starts : &t->words;
    if (t->algorithm == TOKEN_WORDPIECE && text.n > 2 && str_starts(text, STR("##"))) {
        index = &t->continuations;
        text = str_slice(text, 2, text.n);
    }
    return token_index_find(index, text, token_hash(text));
}

int32_t tokenizer_bos(const tokenizer *t) {
    return t->bos;
}
int32_t tokenizer_eos(const tokenizer *t) {
    return t->eos;
}
int32_t tokenizer_eot(const tokenizer *t) {
    return t->eot;
}
int32_t tokenizer_mask(const tokenizer *t) {
    return t->mask;
}
int32_t tokenizer_unknown(const tokenizer *t) {
    return t->unknown;
}
int32_t tokenizer_padding(const tokenizer *t) {
    return t->padding;
}
bool tokenizer_is_end(const tokenizer *t, int32_t id) {
    return is_id(t, id) && t->ends[id];
}
bool tokenizer_adds_bos(const tokenizer *t) {
    return t->add_bos;
}
bool tokenizer_adds_eos(const tokenizer *t) {
    return t->add_eos;
}
str tokenizer_kind(const tokenizer *t) {
    return t->kind;
}

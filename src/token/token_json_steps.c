/* token_json_steps.c - a tokenizer.json's normalizer, pre_tokenizer and decoder, made into steps.
 *
 * Each component has one reader, by its type; what has none, or has an option that we do not do
 * exactly, is refused by name. Expressions that are well known become scanners (token_pre.c), the
 * others run on PCRE2. BertNormalizer with BertPreTokenizer over WordPiece become one pass. */
#include "token/token_json_int.h"

#include "text/base64.h"

enum { CHARSMAP_TEXT_BYTES_MAX = 16 << 20 };

typedef struct component {
    const char *type;
    token_json_read *read;
} component;

static err component_read(json_reader *r, const component *table, size_t count, const char *what,
                          const json *v, fail *f) {
    for (size_t i = 0; i < count; i++)
        if (str_is(token_json_type(v), table[i].type)) return table[i].read(r, v, f);
    return token_json_refuse(what, v, f);
}
#define COUNT(table) (sizeof(table) / sizeof *(table))

/* A pattern is {"String": "..."} or {"Regex": "..."}. *regex stays NULL for a text. */
static err read_pattern(const json *v, str *text, bool *is_regex, fail *f) {
    const json *pattern = json_get(v, "pattern"), *regex = json_get(pattern, "Regex");
    *is_regex = regex != NULL;
    TRY(json_get_str(pattern, *is_regex ? "Regex" : "String", STR(""), text, f));
    if (!text->n) return token_json_refuse("empty pattern of a", v, f);
    return E_OK;
}

static err open_regex(json_reader *r, str pattern, const token_regex **out, fail *f) {
    if (r->extra.regex_count == TOKEN_REGEXES)
        return fail_set(f, E_UNSUPPORTED, "tokenizer.json has more than %d expressions",
                        TOKEN_REGEXES);
    token_regex **at = &r->regexes[r->extra.regex_count];
    TRY(token_regex_open(at, pattern, f));
    r->extra.regex_count++;
    *out = *at;
    return E_OK;
}

/* Normalizers --------------------------------------------------------------------------------- */

static err add_step(json_reader *r, token_norm_step step, const json *v, fail *f) {
    if (r->norm.count == TOKEN_NORM_STEPS)
        return token_json_refuse("one too many, normalizer", v, f);
    r->norm.steps[r->norm.count++] = step;
    return E_OK;
}

static err norm_plain(json_reader *r, const json *v, fail *f) {
    static const struct {
        const char *type;
        token_norm_kind kind;
    } kinds[] = {{"NFC", TOKEN_NORM_NFC},
                 {"NFD", TOKEN_NORM_NFD},
                 {"NFKC", TOKEN_NORM_NFKC},
                 {"NFKD", TOKEN_NORM_NFKD},
                 {"Lowercase", TOKEN_NORM_LOWERCASE},
                 {"StripAccents", TOKEN_NORM_STRIP_ACCENTS},
                 {"Nmt", TOKEN_NORM_NMT}};
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (str_is(token_json_type(v), kinds[i].type))
            return add_step(r, (token_norm_step){.kind = kinds[i].kind}, v, f);
    return token_json_refuse("normalizer", v, f);
}

static err norm_bert(json_reader *r, const json *v, fail *f) {
    token_norm_step s = {.kind = TOKEN_NORM_BERT};
    TRY(json_get_bool(v, "clean_text", true, &s.bert.clean_text, f));
    TRY(json_get_bool(v, "handle_chinese_chars", true, &s.bert.chinese_apart, f));
    TRY(json_get_bool(v, "lowercase", true, &s.bert.lowercase, f));
    TRY(json_get_bool(v, "strip_accents", s.bert.lowercase, &s.bert.strip_accents, f));
    r->bert_norm = r->norm.count == 0;
    r->extra.normaliser = s.bert;
    return add_step(r, s, v, f);
}

static err norm_strip(json_reader *r, const json *v, fail *f) {
    token_norm_step s = {.kind = TOKEN_NORM_STRIP};
    TRY(json_get_bool(v, "strip_left", true, &s.left, f));
    TRY(json_get_bool(v, "strip_right", true, &s.right, f));
    return add_step(r, s, v, f);
}

/* Llama 2's two steps, Prepend U+2581 and Replace the blank by it, are one here. */
static bool join_blanks(json_reader *r, const token_norm_step *s) {
    token_norm_step *last = r->norm.count ? &r->norm.steps[r->norm.count - 1] : NULL;
    if (!str_is(s->from, " ") || !str_is(s->to, TOKEN_BLANK)) return false;
    bool prepend = last && last->kind == TOKEN_NORM_PREPEND && str_is(last->to, TOKEN_BLANK);
    if (!prepend) {
        if (r->norm.count == TOKEN_NORM_STEPS) return false;
        last = &r->norm.steps[r->norm.count++];
    }
    *last = (token_norm_step){.kind = TOKEN_NORM_BLANKS, .left = prepend};
    return true;
}

static err norm_replace(json_reader *r, const json *v, fail *f) {
    token_norm_step s = {.kind = TOKEN_NORM_REPLACE};
    bool is_regex;
    TRY(json_get_str(v, "content", STR(""), &s.to, f));
    TRY(read_pattern(v, &s.from, &is_regex, f));
    if (!is_regex && join_blanks(r, &s)) return E_OK;
    if (is_regex) TRY(open_regex(r, s.from, &s.regex, f));
    return add_step(r, s, v, f);
}

static err norm_prepend(json_reader *r, const json *v, fail *f) {
    token_norm_step s = {.kind = TOKEN_NORM_PREPEND};
    TRY(json_get_str(v, "prepend", STR(""), &s.to, f));
    return add_step(r, s, v, f);
}

static err norm_precompiled(json_reader *r, const json *v, fail *f) {
    token_norm_step s = {.kind = TOKEN_NORM_CHARSMAP_CLUSTER};
    str written;
    TRY(json_get_str(v, "precompiled_charsmap", STR(""), &written, f));
    if (!written.n) return E_OK;
    if (written.n > CHARSMAP_TEXT_BYTES_MAX) return token_json_refuse("large normalizer", v, f);
    TRY(base64_decode(r->a, BASE64_STANDARD, written, &s.from, f));
    return add_step(r, s, v, f);
}

static err read_normalizer(json_reader *r, const json *v, fail *f) {
    static const component table[] = {
        {"NFC", norm_plain},       {"NFD", norm_plain},           {"NFKC", norm_plain},
        {"NFKD", norm_plain},      {"Lowercase", norm_plain},     {"StripAccents", norm_plain},
        {"Nmt", norm_plain},       {"BertNormalizer", norm_bert}, {"Strip", norm_strip},
        {"Replace", norm_replace}, {"Prepend", norm_prepend},     {"Precompiled", norm_precompiled},
    };
    return component_read(r, table, COUNT(table), "normalizer", v, f);
}

/* Pre-tokenizers ------------------------------------------------------------------------------ */

static err add_cut(json_reader *r, token_cut cut, const json *v, fail *f) {
    if (r->byte_level || r->extra.cut_count == TOKEN_CUTS)
        return token_json_refuse("pre_tokenizer after ByteLevel, or one too many,", v, f);
    r->cuts[r->extra.cut_count++] = cut;
    return E_OK;
}

static err read_behaviour(const json *v, token_behaviour *out, fail *f) {
    static const char *const names[] = {
        [TOKEN_CUT_ISOLATED] = "Isolated",
        [TOKEN_CUT_REMOVED] = "Removed",
        [TOKEN_CUT_MERGED_PREVIOUS] = "MergedWithPrevious",
        [TOKEN_CUT_MERGED_NEXT] = "MergedWithNext",
        [TOKEN_CUT_CONTIGUOUS] = "Contiguous",
    };
    str name;
    TRY(json_get_str(v, "behavior", STR("Isolated"), &name, f));
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(name, names[i])) {
            *out = (token_behaviour)i;
            return E_OK;
        }
    return token_json_refuse("behavior of the pre_tokenizer", v, f);
}

static err cut_byte_level(json_reader *r, const json *v, fail *f) {
    bool prefix, regex;
    TRY(json_get_bool(v, "add_prefix_space", true, &prefix, f));
    TRY(json_get_bool(v, "use_regex", true, &regex, f));
    if (prefix) TRY(add_cut(r, (token_cut){.kind = TOKEN_CUT_BLANK_BEFORE}, v, f));
    if (regex) TRY(add_cut(r, (token_cut){.match = token_pre_gpt2()}, v, f));
    if (r->byte_level) return token_json_refuse("second pre_tokenizer", v, f);
    r->byte_level = true;
    return E_OK;
}

static err cut_split(json_reader *r, const json *v, fail *f) {
    token_cut cut = {.kind = TOKEN_CUT_TEXT};
    bool is_regex;
    TRY(read_pattern(v, &cut.text, &is_regex, f));
    TRY(read_behaviour(v, &cut.how, f));
    TRY(json_get_bool(v, "invert", false, &cut.invert, f));
    if (is_regex) {
        cut.match = token_pre_regex(cut.text);
        cut.kind = cut.match ? TOKEN_CUT_MATCH : TOKEN_CUT_REGEX;
        if (!cut.match) TRY(open_regex(r, cut.text, &cut.regex, f));
        cut.text = STR("");
    }
    return add_cut(r, cut, v, f);
}

static err cut_metaspace(json_reader *r, const json *v, fail *f) {
    token_cut cut = {.kind = TOKEN_CUT_METASPACE};
    str scheme;
    bool prefix;
    TRY(json_get_str(v, "replacement", STR(TOKEN_BLANK), &cut.text, f));
    TRY(json_get_bool(v, "add_prefix_space", true, &prefix, f)); /* older files */
    TRY(json_get_str(v, "prepend_scheme", prefix ? STR("always") : STR("never"), &scheme, f));
    TRY(json_get_bool(v, "split", true, &cut.split, f));
    cut.prepend = str_is(scheme, "always")  ? TOKEN_PREPEND_ALWAYS
                  : str_is(scheme, "first") ? TOKEN_PREPEND_FIRST
                                            : TOKEN_PREPEND_NEVER;
    if (cut.prepend == TOKEN_PREPEND_NEVER && !str_is(scheme, "never"))
        return token_json_refuse("prepend_scheme of the pre_tokenizer", v, f);
    if (!str_is(cut.text, TOKEN_BLANK)) return token_json_refuse("replacement of the", v, f);
    return add_cut(r, cut, v, f);
}

static err cut_digits(json_reader *r, const json *v, fail *f) {
    bool individual;
    TRY(json_get_bool(v, "individual_digits", false, &individual, f));
    return add_cut(r, (token_cut){.match = token_pre_digits(individual)}, v, f);
}

static err cut_punctuation(json_reader *r, const json *v, fail *f) {
    token_cut cut = {.match = token_pre_mark()};
    TRY(read_behaviour(v, &cut.how, f));
    return add_cut(r, cut, v, f);
}

static err cut_blanks(json_reader *r, const json *v, fail *f) {
    return add_cut(r, (token_cut){.match = token_pre_space(), .how = TOKEN_CUT_REMOVED}, v, f);
}

static err cut_whitespace(json_reader *r, const json *v, fail *f) {
    token_cut cut = {.match = token_pre_word_or_marks(), .how = TOKEN_CUT_REMOVED, .invert = true};
    return add_cut(r, cut, v, f);
}

static err cut_bert(json_reader *r, const json *v, fail *f) {
    r->bert_cut = r->extra.cut_count == 0;
    TRY(cut_blanks(r, v, f));
    return add_cut(r, (token_cut){.match = token_pre_mark()}, v, f);
}

static err cut_delimiter(json_reader *r, const json *v, fail *f) {
    token_cut cut = {.kind = TOKEN_CUT_TEXT, .how = TOKEN_CUT_REMOVED};
    TRY(json_get_str(v, "delimiter", STR(""), &cut.text, f));
    if (!cut.text.n) return token_json_refuse("empty delimiter of the", v, f);
    return add_cut(r, cut, v, f);
}

static err read_pre_tokenizer(json_reader *r, const json *v, fail *f) {
    static const component table[] = {
        {"ByteLevel", cut_byte_level},         {"Split", cut_split},
        {"Metaspace", cut_metaspace},          {"Digits", cut_digits},
        {"Punctuation", cut_punctuation},      {"WhitespaceSplit", cut_blanks},
        {"Whitespace", cut_whitespace},        {"BertPreTokenizer", cut_bert},
        {"CharDelimiterSplit", cut_delimiter},
    };
    return component_read(r, table, COUNT(table), "pre_tokenizer", v, f);
}

/* Decoders: only what they do to a piece counts here ------------------------------------------ */

static err decode_nothing(json_reader *r, const json *v, fail *f) {
    (void)r, (void)v, (void)f; /* Fuse; ByteFallback goes with the model's byte_fallback */
    return E_OK;
}
static err decode_byte_level(json_reader *r, const json *v, fail *f) {
    return r->byte_level ? E_OK : token_json_refuse("decoder without its pre_tokenizer,", v, f);
}
static err decode_metaspace(json_reader *r, const json *v, fail *f) {
    str replacement, scheme;
    bool prefix;
    TRY(json_get_str(v, "replacement", STR(TOKEN_BLANK), &replacement, f));
    TRY(json_get_bool(v, "add_prefix_space", true, &prefix, f));
    TRY(json_get_str(v, "prepend_scheme", prefix ? STR("always") : STR("never"), &scheme, f));
    if (!str_is(replacement, TOKEN_BLANK)) return token_json_refuse("decoder", v, f);
    r->extra.blanks = true;
    r->extra.drop_blank = !str_is(scheme, "never");
    return E_OK;
}
static err decode_replace(json_reader *r, const json *v, fail *f) {
    str from, to;
    bool is_regex;
    TRY(read_pattern(v, &from, &is_regex, f));
    TRY(json_get_str(v, "content", STR(""), &to, f));
    if (is_regex || !str_is(from, TOKEN_BLANK) || !str_is(to, " "))
        return token_json_refuse("decoder", v, f);
    r->extra.blanks = true;
    return E_OK;
}
static err decode_strip(json_reader *r, const json *v, fail *f) {
    str content;
    int64_t start, stop;
    TRY(json_get_str(v, "content", STR(" "), &content, f));
    TRY(json_get_int(v, "start", 0, 0, 1, &start, f));
    TRY(json_get_int(v, "stop", 0, 0, 0, &stop, f));
    if (!str_is(content, " ")) return token_json_refuse("decoder", v, f);
    r->extra.drop_blank = start > 0;
    return E_OK;
}
static err decode_wordpiece(json_reader *r, const json *v, fail *f) {
    str prefix;
    TRY(json_get_str(v, "prefix", STR("##"), &prefix, f));
    if (!str_is(prefix, "##") || r->extra.algorithm != TOKEN_WORDPIECE)
        return token_json_refuse("decoder", v, f);
    return E_OK;
}

static err read_decoder(json_reader *r, const json *v, fail *f) {
    static const component table[] = {
        {"ByteLevel", decode_byte_level}, {"Metaspace", decode_metaspace},
        {"Replace", decode_replace},      {"Strip", decode_strip},
        {"WordPiece", decode_wordpiece},  {"ByteFallback", decode_nothing},
        {"Fuse", decode_nothing},
    };
    return component_read(r, table, COUNT(table), "decoder", v, f);
}

/* All three ----------------------------------------------------------------------------------- */

/* Whether added tokens are looked for in the normalised text: then BERT is not one pass. */
static bool any_normalised(const json_reader *r) {
    for (size_t i = 0; i < r->extra.added_count; i++)
        if (r->extra.added[i].normalised) return true;
    return false;
}

err token_json_steps(json_reader *r, fail *f) {
    token_extra *to = &r->extra;
    TRY(token_json_each(r, json_get(r->root, "normalizer"), "normalizers", read_normalizer, f));
    TRY(token_json_each(r, json_get(r->root, "pre_tokenizer"), "pretokenizers", read_pre_tokenizer,
                        f));
    TRY(token_json_each(r, json_get(r->root, "decoder"), "decoders", read_decoder, f));
    if (to->algorithm == TOKEN_WORDPIECE) {
        to->drop_blank = true;
        to->bert = r->bert_norm && r->bert_cut && r->norm.count == 1 && to->cut_count == 2 &&
                   !any_normalised(r);
    }
    if (r->byte_level && to->algorithm == TOKEN_BPE_CHARS) {
        to->algorithm = TOKEN_BPE;
        if (to->byte_fallback || to->blanks)
            return token_json_refuse("byte_fallback or blanks of the byte-level", r->model, f);
    } else if (r->byte_level) {
        return token_json_refuse("ByteLevel pre_tokenizer with the model", r->model, f);
    }
    return E_OK;
}

/* token_source.c - opens a tokenizer from a GGUF file's metadata: what each kind means.
 *
 * GGUF names a kind ("gpt2") and a pre-tokenizer ("qwen2") where a tokenizer.json spells out steps;
 * here the names become the same steps. llama.cpp is what such files are made for, so where it and
 * Hugging Face differ (character maps, runs of blanks) its way is followed. */
#include "token/token_int.h"

typedef struct source_plan {
    token_extra extra;
    token_norm norm;
    token_cut cuts[TOKEN_CUTS];
    token_source source; /* with what the file does not say filled in */
} source_plan;

static void plan_defaults(source_plan *p, bool add_bos, bool add_eos) {
    if (p->source.add_bos < 0) p->source.add_bos = add_bos;
    if (p->source.add_eos < 0) p->source.add_eos = add_eos;
}

/* Merges over characters, with line breaks apart from all else. */
static err plan_gemma4(source_plan *p, fail *f) {
    (void)f;
    p->extra.algorithm = TOKEN_BPE_CHARS;
    p->extra.blanks = p->extra.byte_fallback = true;
    p->extra.drop_blank = p->source.add_space_prefix > 0;
    p->norm.steps[p->norm.count++] =
        (token_norm_step){.kind = TOKEN_NORM_BLANKS, .left = p->extra.drop_blank};
    p->cuts[p->extra.cut_count++] =
        (token_cut){.kind = TOKEN_CUT_TEXT, .text = STR("\n"), .how = TOKEN_CUT_CONTIGUOUS};
    plan_defaults(p, true, false);
    return E_OK;
}

/* Pre-tokenizers of kind "gpt2" that are of the kind "gemma4" but in name. */
static bool is_gemma4(str pre) {
    return str_is(pre, "gemma4") || str_is(pre, "granite-embed-multi-311m") ||
           str_is(pre, "sarvam-moe");
}

static err plan_bpe(source_plan *p, fail *f) {
    if (is_gemma4(p->source.pre)) return plan_gemma4(p, f);
    const token_pre *pre = token_pre_find(p->source.pre);
    if (!pre) {
        str name = str_slice(p->source.pre, 0, 80);
        return fail_set(f, E_UNSUPPORTED, "pre-tokenizer \"%.*s\" of a byte-level BPE vocabulary",
                        STR_ARG(name));
    }
    p->extra.algorithm = TOKEN_BPE;
    p->extra.ignore_merges = pre->ignore_merges;
    for (size_t i = 0; pre->stages[i]; i++)
        p->cuts[p->extra.cut_count++] = (token_cut){.match = pre->stages[i]};
    plan_defaults(p, pre->add_bos, false);
    return E_OK;
}

static err plan_spm(source_plan *p, fail *f) {
    (void)f;
    p->extra.algorithm = TOKEN_SPM;
    p->extra.blanks = true;
    p->extra.drop_blank = p->source.add_space_prefix != 0;
    p->norm.steps[p->norm.count++] =
        (token_norm_step){.kind = TOKEN_NORM_BLANKS, .left = p->extra.drop_blank};
    plan_defaults(p, true, false);
    return E_OK;
}

static err plan_unigram(source_plan *p, fail *f) {
    (void)f;
    p->extra.algorithm = TOKEN_UNIGRAM;
    p->extra.blanks = true;
    p->extra.drop_blank = p->source.add_space_prefix != 0;
    if (p->source.charsmap.n)
        p->norm.steps[p->norm.count++] =
            (token_norm_step){.kind = TOKEN_NORM_CHARSMAP, .from = p->source.charsmap};
    p->norm.steps[p->norm.count++] =
        (token_norm_step){.kind = TOKEN_NORM_WORDS,
                          .left = p->extra.drop_blank,
                          .right = p->source.remove_extra_whitespaces > 0};
    plan_defaults(p, false, true);
    return E_OK;
}

static err plan_bert(source_plan *p, fail *f) {
    (void)f;
    p->extra.algorithm = TOKEN_WORDPIECE;
    p->extra.bert = p->extra.drop_blank = true;
    p->extra.normaliser = (token_normaliser){
        .clean_text = true, .chinese_apart = true, .strip_accents = true, .lowercase = true};
    p->extra.word_chars_max = 100;
    plan_defaults(p, true, true);
    return E_OK;
}

static const struct {
    const char *kind;
    err (*plan)(source_plan *p, fail *f);
} kinds[] = {{"gpt2", plan_bpe},
             {"llama", plan_spm},
             {"gemma4", plan_gemma4},
             {"t5", plan_unigram},
             {"bert", plan_bert}};

err tokenizer_open(tokenizer **out, const token_source *source, fail *f) {
    source_plan p = {.source = *source};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!str_is(source->kind, kinds[i].kind)) continue;
        TRY(kinds[i].plan(&p, f));
        p.extra.norm = &p.norm;
        p.extra.cuts = p.cuts;
        return token_build(out, &p.source, &p.extra, f);
    }
    str kind = str_slice(source->kind, 0, 80);
    fail_set(f, E_UNSUPPORTED, "tokenizer kind \"%.*s\"", STR_ARG(kind));
    return fail_hint(f,
                     "byte-level BPE (\"gpt2\"), SentencePiece (\"llama\", \"t5\", \"gemma4\") and "
                     "WordPiece (\"bert\") can be read");
}

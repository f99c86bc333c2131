/* model_convert_probe.c - whether a vocabulary, as a GGUF file will say it, cuts as tokenizer.json
 * does: tried on a text full of traps. For byte-level BPE GGUF has some dozen names of
 * pre-tokenizers, which are tried one after the other until one does; none: a named refusal. See
 * model_convert_vocab.h. */
#include "model/model_convert_vocab.h"

#include <string.h>

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
static err agrees(convert_vocab *v, const tokenizer *truth, bool *out, fail *f) {
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

static err choose_pre(convert_vocab *v, const tokenizer *truth, fail *f) {
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

err convert_probe(convert_vocab *v, fail *f) {
    tokenizer *truth;
    TRY(tokenizer_open_json(&truth, v->text, f));
    err e = choose_pre(v, truth, f);
    tokenizer_close(truth);
    return e;
}

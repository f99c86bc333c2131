/* gen_think.h - what a model thinks, told apart from what it says.
 *
 *     MAYBE -<think>-> ON -</think>-> BEHIND -a word-> OFF
 *        \------ anything else ----------------------> OFF
 *
 * Models that were trained to think write it between two tags, or between what their template's
 * prompt ends with and the second tag. Which tags, the template says; where an answer begins, the
 * end of its prompt: open tag there: ON; closed again: OFF. Answers come in pieces that may cut a
 * tag; a piece that could be a part of one is held back. What follows goes to whoever reads calls
 * and stops, so that neither counts while the model thinks.
 *
 * A grammar is held back likewise: gen_think_mask allows anything until the second tag and then
 * what the inner mask allows; at the beginning (MAYBE) also the first tag, where it is one token.
 *
 * Owner: the worker of the request; a mask's: the engine's thread. */
#ifndef BANTAM_GEN_GEN_THINK_H
#define BANTAM_GEN_GEN_THINK_H

#include "engine/engine.h"
#include "gen/gen.h"
#include "token/token.h"

enum { GEN_THINK_TAG_BYTES_MAX = 16 };

typedef struct gen_think_tags {
    str open, close;
} gen_think_tags;

typedef enum gen_think_state {
    GEN_THINK_OFF, /* first, so that zero is a model that does not think */
    GEN_THINK_MAYBE,
    GEN_THINK_ON,
    GEN_THINK_BEHIND
} gen_think_state;

/* NULL: the template speaks of no tags that we know. */
const gen_think_tags *gen_think_find(str template_text);
/* Where the answer to a prompt that ends so begins; tags may be NULL. */
gen_think_state gen_think_begin(const gen_think_tags *tags, str prompt_end);

typedef struct gen_think {
    const gen_think_tags *tags;
    gen_think_state state;
    bool as_text;   /* not told apart: it goes out as text, tags and all */
    gen_sink sink;  /* takes what is thought */
    gen_sink rest;  /* takes what follows */
    buf held;       /* not certain yet */
    buf text;       /* that was thought; as_text: with its tags */
    int64_t tokens; /* of it, tags included */
} gen_think;

void gen_think_init(gen_think *t, const gen_think_tags *tags, gen_think_state state, bool as_text);
void gen_think_deinit(gen_think *t);
/* in->text is what n tokens made; its log-probabilities go with the first event that comes of it.
 */
err gen_think_put(gen_think *t, const gen_event *in, int64_t n, fail *f) MUST_CHECK;
err gen_think_end(gen_think *t, fail *f) MUST_CHECK; /* what is held goes out */

/* ---- the mask ---- */

/* A model's tokens as thoughts are made of; immutable, shared. */
typedef struct gen_think_vocabulary {
    const tokenizer *tokenizer;
    const gen_think_tags *tags;
    uint64_t *free;  /* bits of the tokens that may be thought: all but the ends */
    int32_t open_id; /* TOKEN_NONE: the tag is several tokens, so no grammar lets it begin */
} gen_think_vocabulary;

/* Reads the whole vocabulary once. t outlives it. tags NULL: nothing is done. */
err gen_think_vocabulary_init(gen_think_vocabulary *v, const gen_think_tags *tags,
                              const tokenizer *t, fail *f) MUST_CHECK;
void gen_think_vocabulary_deinit(gen_think_vocabulary *v);

typedef struct gen_think_mask {
    engine_mask mask;
    const engine_mask *inner;
    const gen_think_vocabulary *v;
    gen_think_state state; /* never BEHIND */
    char
        tail[2 * GEN_THINK_TAG_BYTES_MAX]; /* of what was thought, where the second tag may stand */
    size_t tail_n;
} gen_think_mask;

/* All outlive it; it must not move while the sequence runs. */
void gen_think_mask_init(gen_think_mask *m, const gen_think_vocabulary *v, gen_think_state state,
                         const engine_mask *inner);

#endif

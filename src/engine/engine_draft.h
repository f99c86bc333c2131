/* engine_draft.h - guessing the next tokens of a sequence, so that one forward may bring several.
 * Owner: the engine thread.
 *
 * A guess comes from the sequence's own past (what followed the last time its end stood there) or
 * from a small draft model. The rows of a guess join the batch; of each the target's own token is
 * picked with the random number of its position, and the guess holds as far as it says the same.
 * Rows are the same bits in any batch, so the tokens are those without guessing, greedy or drawn.
 *
 * It is done where it pays: a guess of k tokens that are right with probability p each brings
 * p + p^2 + ... + p^k tokens, and the time that a step of so many rows takes is measured. p is
 * counted per sequence and source, older guesses weigh less. Where k = 0 is best, the count fades,
 * so that a guess is tried again later. */
#ifndef BANTAM_ENGINE_DRAFT_H
#define BANTAM_ENGINE_DRAFT_H

#include "engine/engine_select.h"
#include "model/model_forward.h"

enum { DRAFT_ROWS_MAX = 64 };

typedef enum draft_source { DRAFT_SHORT, DRAFT_LONG, DRAFT_MODEL, DRAFT_SOURCES } draft_source;

/* How often the guesses of one source held in one sequence. */
typedef struct draft_record {
    double tries, hits;
} draft_record;

/* What a step of so many rows takes; learned. */
typedef struct draft_cost {
    double ns[DRAFT_ROWS_MAX + 1]; /* 0 = not known */
} draft_cost;
void draft_cost_learn(draft_cost *c, int64_t rows, double ns);
/* For rows not seen yet: between neighbours; beyond them a row more costs three tenths of one
 * alone. 0 while nothing is known. */
double draft_cost_of(const draft_cost *c, int64_t rows);

void draft_record_add(draft_record *r, int64_t guessed, int64_t held);

/* A step as it is planned so far. */
typedef struct draft_step {
    int64_t rows;
    double tokens; /* that it is expected to bring */
    double ns;     /* spent beside the forward, on guessing */
} draft_step;
/* How many tokens to guess, at most `most`, each of which costs each_ns beside the forward; adds
 * them to the step. Fades the record where it says none. */
int64_t draft_length(draft_record *r, const draft_cost *c, draft_step *step, int64_t most,
                     double each_ns);

/* Where the tokens [n] go on as they may go on now: the index behind the longest earlier copy of
 * their end (2 to DRAFT_MATCH_MAX tokens, *match), of those the latest; -1 when there is none. */
enum { DRAFT_MATCH_MAX = 8, DRAFT_LOOK_BACK = 16384 };
int64_t draft_find(const int32_t *tokens, int64_t n, int64_t *match);

/* ---- the draft model ---- */

typedef struct drafter {
    const model *m;
    model_run *run;
    kv_pool *pool;
    selection select;
    int32_t *positions, *sequences; /* [rows_max] */
    float *logits;                  /* [vocabulary] */
    int64_t rows_max, context;
    double row_ns; /* what a token costs; 0 = not known */
} drafter;

typedef struct drafter_options {
    const model *draft, *target;
    kv_type kv;
    size_t kv_bytes_max; /* 0 = what sequences_max contexts need, at most 256 MiB */
    int64_t rows_max, context_max, sequences_max;
} drafter_options;

/* E_INPUT when the vocabularies differ: names the first token that does. */
err drafter_open(drafter *d, const drafter_options *o, fail *f) MUST_CHECK;
void drafter_close(drafter *d);
/* Forwards what is new of tokens [n] (*done of them are forwarded), at most rows_max of it in one
 * call, and when all is: writes its k likeliest continuations one after another behind them.
 * Returns how many; 0 when there is more to forward, no page, or an end of its context. *kv NULL:
 * taken. */
int64_t drafter_guess(drafter *d, kv_sequence **kv, int64_t *done, int32_t *tokens, int64_t n,
                      int64_t k);
void drafter_forget(drafter *d, kv_sequence **kv); /* NULL inside is fine */

#endif

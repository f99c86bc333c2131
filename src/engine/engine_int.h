/* engine_int.h - what the files of this room share: the engine, its slots, who guards what.
 *
 *     FREE -submit-> WAITING -admit-> RUNNING -finish-> DONE -release-> FREE
 *                       '--------- cancel, failure, close ------^
 *
 * Slots are a fixed array. `lock` guards state, queues, lists and flags; what is marked "engine
 * thread" is touched by it alone while the slot is RUNNING, "reader" by the one who called submit.
 */
#ifndef BANTAM_ENGINE_INT_H
#define BANTAM_ENGINE_INT_H

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/engine_sample.h"
#include "engine/engine_text.h"
#include "model/model_forward.h"

typedef enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_RUNNING, SLOT_DONE } slot_state;

typedef struct engine_token {
    int32_t id;
    float logprob;
    int32_t n_top;
    engine_candidate top[ENGINE_TOP_MAX];
} engine_token;

/* engine_score: the choices are the caller's, who waits. */
typedef struct engine_scoring {
    const token_ids *choices;
    size_t n, at; /* at: the choice whose tokens stand behind the prompt */
    double *logprob;
} engine_scoring;

struct engine_sequence {
    engine *e;
    /* guarded by the lock */
    slot_state state;
    bool cancel, released;
    engine_finish finish;
    fail failure; /* code E_OK: none */
    engine_token queue[ENGINE_QUEUE_TOKENS];
    int32_t head, count;
    cond ready;                            /* something in the queue, or DONE */
    int64_t started_ns, first_ns, last_ns; /* 0 = not yet */
    int64_t sampled;
    /* set by submit, read by all */
    engine_sampling sampling;
    int32_t stop_ids[ENGINE_STOP_IDS_MAX];
    int32_t n_stop_ids, top_logprobs;
    bool ignore_end, scores;
    int64_t n_prompt, made_max, room; /* room: positions that its pages must hold */
    int64_t submitted_ns;
    /* engine thread */
    int32_t *tokens;  /* [context] prompt, then what was made */
    int64_t n_tokens; /* of those, known */
    int64_t n_done;   /* of those, forwarded */
    engine_scoring scoring;
    kv_sequence *kv;
    /* reader */
    engine_text text;
    int64_t given;
    bool ended;
};

struct engine {
    engine_options o;
    const model_info *about;
    kv_pool *pool;
    model_run *run;
    thread thread;
    bool open; /* lock and conditions exist */
    mutex lock;
    cond work; /* something to do for the engine thread */
    bool stop;
    engine_sequence *slots; /* [n_slots] */
    int32_t n_slots;
    int32_t *tokens;           /* [n_slots, context] */
    char *texts;               /* [n_slots, 2 * text_bytes] */
    engine_sequence **waiting; /* first in, first out */
    engine_sequence **running; /* in order of admission */
    int32_t n_waiting, n_running;
    engine_stats stats;
    /* engine thread: one batch */
    int32_t *row_tokens, *row_positions, *row_sequences; /* [rows_max] */
    int64_t *wanted;                                     /* [wanted_max] */
    float *logits;                                       /* [wanted_max, vocabulary] */
    int64_t wanted_max, n_rows, n_wanted;
    struct engine_part {
        engine_sequence *s;
        int64_t first_row, rows, first_wanted, n_wanted;
    } * parts; /* [sequences_max] */
    int64_t n_parts;
    kv_sequence **part_kv; /* [sequences_max] */
    sampler sampler;
};

enum {
    ENGINE_ROWS_BUSY = 64 /* of prompts in one step while others generate: what they wait for */
};

/* The engine thread's main function. */
void engine_main(void *arg);

#endif

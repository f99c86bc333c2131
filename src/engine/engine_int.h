/* engine_int.h - what the files of this room share: the engine, its slots, who guards what.
 *
 *     FREE -submit-> WAITING -admit-> RUNNING -finish-> DONE -release-> FREE
 *                     | ^                |
 *                     | '-- postpone ----+ (no page left)
 *                     '--- cancel, failure, close ---> DONE
 *
 * Slots are a fixed array. `lock` guards state, queues, lists and flags; what is marked "engine
 * thread" is touched by it alone while the slot is WAITING or RUNNING, "reader" by the one who
 * called submit. */
#ifndef BANTAM_ENGINE_INT_H
#define BANTAM_ENGINE_INT_H

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/engine_draft.h"
#include "engine/engine_sample.h"
#include "engine/engine_text.h"
#include "kv/kv_snapshot.h"
#include "model/model_forward.h"

typedef enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_RUNNING, SLOT_DONE } slot_state;

/* A sequence of engine_snapshot: computed, or given empty pages; then held until it is released. */
typedef enum hold_kind { HOLD_NOT, HOLD_TO_SAVE, HOLD_TO_FILL } hold_kind;

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

enum { ENGINE_LEVELS = 2 * ENGINE_PRIORITY_MAX + 1 };

/* Who asks, and how much was computed for it; guarded by the lock. */
typedef struct engine_tenant {
    uint64_t id;
    bool known;
    int32_t sequences; /* waiting and running */
    int64_t served;    /* tokens */
} engine_tenant;

struct engine_sequence {
    engine *e;
    /* guarded by the lock */
    slot_state state;
    bool cancel;
    bool held;   /* computes nothing, its pages stand still */
    bool filled; /* they hold what its tokens say */
    bool postponed;
    engine_tenant *tenant; /* from queue to DONE */
    engine_finish finish;
    fail failure; /* code E_OK: none */
    engine_token queue[ENGINE_QUEUE_TOKENS];
    int32_t head, count;
    cond ready;                            /* something in the queue, held, or DONE */
    int64_t started_ns, first_ns, last_ns; /* 0 = not yet */
    int64_t sampled, drafted, drafts_held;
    /* set by submit, read by all */
    engine_sampling sampling; /* its arrays are the two below */
    engine_bias bias[ENGINE_BIAS_MAX];
    struct engine_breaker {
        char bytes[ENGINE_BREAKER_BYTES_MAX];
        size_t n;
    } breakers[ENGINE_BREAKERS_MAX];
    size_t n_breakers;
    int32_t stop_ids[ENGINE_STOP_IDS_MAX];
    int32_t n_stop_ids, top_logprobs;
    bool ignore_end, scores, cache_off, draft_off;
    hold_kind hold;
    kv_root root;
    const engine_mask *mask;
    const model_adapter *adapter;
    int64_t n_prompt, made_max;
    int64_t room_max; /* positions that it may ever need */
    int64_t submitted_ns, deadline_ns;
    uint64_t tenant_id;
    int32_t priority;
    /* engine thread */
    int32_t *tokens;  /* [context] prompt, then what was made */
    uint8_t *breaks;  /* [context] DRY: the token holds a breaker */
    int64_t n_tokens; /* of those, known */
    int64_t n_done;   /* of those, forwarded */
    int64_t n_breaks; /* of those, looked at for breakers */
    int64_t n_known;  /* of the prompt, from known pages */
    int64_t grant;    /* rows of the step that is being built */
    int64_t space;    /* tokens that its queue took when that was built */
    engine_scoring scoring;
    kv_sequence *kv;
    int64_t n_draft;  /* tokens guessed behind the others */
    int64_t draft_at; /* n_tokens when that was done */
    draft_source source;
    draft_record records[DRAFT_SOURCES];
    kv_sequence *draft_kv; /* of the draft model; NULL none */
    int64_t draft_done;    /* tokens that it has forwarded */
    /* reader */
    engine_text text;
    int64_t given;
    bool ended;
};

/* Rows of one sequence in the batch. The last n_wanted of them have logits. */
typedef struct engine_part {
    engine_sequence *s;
    int64_t first_row, rows, first_wanted, n_wanted;
} engine_part;

struct engine {
    engine_options o;
    const model_info *about;
    kv_pool *pool;
    model_run *run;
    thread thread;
    mutex lock;
    cond work; /* `news` is set: something to do for the engine thread */
    bool stop, news;
    engine_sequence *slots; /* [n_slots] */
    int32_t n_slots;
    int32_t *tokens;           /* [n_slots, context] */
    uint8_t *breaks;           /* [n_slots, context] */
    char *texts;               /* [n_slots, 2 * text_bytes] */
    engine_sequence **waiting; /* [n_slots] first in, first out; the postponed in front */
    engine_sequence **running; /* [sequences_max] in order of admission */
    int32_t n_waiting, n_running;
    engine_tenant *tenants;        /* [n_slots] */
    int32_t passed[ENGINE_LEVELS]; /* times that a higher level went before one that waits */
    bool seen[ENGINE_LEVELS];      /* scratch */
    double step_ns, gap_ns;        /* of a step; between two that end. 0 = not known yet */
    double busy_ns;                /* since one ended last */
    int32_t n_ended;               /* in the step that runs */
    engine_stats stats;
    /* engine thread: one batch */
    int32_t *row_tokens, *row_positions, *row_sequences; /* [rows_max] */
    int64_t *wanted;                                     /* [wanted_max] */
    float *logits;                                       /* [wanted_max, vocabulary] */
    int64_t wanted_max, n_rows, n_wanted;
    engine_part *parts; /* [sequences_max] */
    int64_t n_parts;
    kv_sequence **part_kv;               /* [sequences_max] */
    const model_adapter **part_adapters; /* [sequences_max] */
    bool adapters;                       /* one of them is not NULL */
    double row_ns;                       /* what a row of a large batch takes; 0 = not known yet */
    draft_cost cost;                     /* what a step takes in which all generate */
    drafter drafter;                     /* .m NULL: no draft model */
    sampler sampler;
    uint64_t *mask;                         /* [(vocabulary + 63) / 64] */
    engine_token made[ENGINE_QUEUE_TOKENS]; /* by one sequence in one step */
    int32_t n_made;
    int64_t held; /* guesses of one part that held */
};

/* ---- engine_slot.c: for engine_submit.c and engine_score.c; lock held but for the checks ---- */
/* Tells the engine thread that something changed. */
void engine_wake(engine *e);
err engine_check_ids(const engine *e, const int32_t *ids, size_t n, fail *f) MUST_CHECK;
/* A prompt of this length and `more` tokens, within context and pages. */
err engine_check_room(const engine *e, size_t prompt, size_t more, fail *f) MUST_CHECK;
err engine_check_adapter(const engine *e, const model_adapter *a, fail *f) MUST_CHECK;
/* E_LIMIT or E_CANCELLED where there is none. */
err engine_slot_take(engine *e, uint64_t tenant, engine_sequence **out, fail *f) MUST_CHECK;
void engine_slot_reset(engine_sequence *s, const int32_t *prompt, size_t n);
/* Whose prefixes it shares. */
void engine_slot_root(engine_sequence *s, uint64_t scope, const model_adapter *adapter);
void engine_slot_queue(engine *e, engine_sequence *s);

/* ---- engine_admit.c, lock held ---- */
void engine_admit_join(engine *e, engine_sequence *s); /* it waits from here on */
void engine_admit_leave(engine_sequence *s);
void engine_admit_served(engine_sequence *s, int64_t tokens);
int32_t engine_admit_next(engine *e);                  /* index in waiting, which is not empty */
void engine_admit_done(engine *e, engine_sequence *s); /* it runs, and waits no more */
bool engine_admit_expired(const engine_sequence *s, int64_t now_ns);
bool engine_admit_full(const engine *e, uint64_t tenant);
void engine_admit_pace(engine *e, double step_ns); /* after each step */
int engine_admit_retry_s(const engine *e);

/* ---- engine_list.c, engine thread, lock held ---- */
void engine_list_admit(engine *e); /* as long as sequences and pages last */
/* Ends those who were cancelled, or all. */
void engine_list_drop(engine *e, bool all);
void engine_list_postpone(engine *e, engine_sequence *s); /* back to the waiting */
void engine_list_finish(engine_sequence *s, engine_finish how);
void engine_list_hold(engine_sequence *s);
void engine_list_count_pages(engine *e);

/* ---- engine_generate.c, engine thread, lock not held: the tokens that a part's logits say ---- */
err engine_generate_part(engine *e, engine_sequence *s, const engine_part *p, engine_finish *finish,
                         fail *f) MUST_CHECK;

/* ---- engine_score.c, engine thread: what the logits of a part say ---- */
engine_finish engine_score_part(engine *e, engine_sequence *s, const engine_part *p);

/* ---- engine_guess.c, engine thread, lock not held: tokens guessed for the next step ---- */
void engine_guess(engine *e);

/* ---- engine_batch.c, engine thread, lock held: the rows of the next step ---- */
bool engine_generates(const engine_sequence *s); /* else its rows are a prompt's */
bool engine_forces(const engine_sequence *s);    /* its mask may force tokens */
void engine_batch_build(engine *e);

/* ---- engine_step.c ---- */
void engine_main(void *arg); /* the engine thread */

#endif

/* engine_batch.c - which rows the next step computes: the engine thread, lock held.
 *
 * Who generates gets its rows first. What is left goes to prompts, and only as much as those who
 * generate may be kept waiting: a quarter to the one admitted first, so that a long one never
 * starves, then the shortest first. Prompts one after the other give the same work as prompts side
 * by side, but all except the last begin to answer earlier.
 * Then pages: in order of admission, the youngest gives way. */
#include "base/clock.h"
#include "engine/engine_int.h"

enum { BUSY_ROWS_UNKNOWN = 64, BUSY_ROWS_LEAST = 16, FIRST_PART = 4 };
static const double busy_ns = 1e8;

static int64_t least_of(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Tokens that are known and not forwarded yet. */
static int64_t pending(const engine_sequence *s) {
    return s->n_tokens - s->n_done;
}

/* Not so one that was postponed and is computed anew: that is a prompt again. */
bool engine_generates(const engine_sequence *s) {
    return !s->scores && s->n_tokens > s->n_prompt && pending(s) <= ENGINE_QUEUE_TOKENS;
}

bool engine_forces(const engine_sequence *s) {
    return s->mask && s->mask->forced && s->top_logprobs < 0;
}

/* Tokens that a sampled one may bring with it: its queue has room for them before it is sampled, so
 * that what is forced never depends on who reads how fast. */
static int64_t forced_max(const engine_sequence *s) {
    return engine_forces(s) ? ENGINE_FORCED_MAX : 0;
}

static int64_t busy_rows(const engine *e) {
    if (e->o.rows_busy) return e->o.rows_busy;
    if (e->row_ns <= 0) return BUSY_ROWS_UNKNOWN;
    double rows = busy_ns / e->row_ns;
    return rows < BUSY_ROWS_LEAST ? BUSY_ROWS_LEAST
                                  : (int64_t)(rows < e->o.rows_max ? rows : e->o.rows_max);
}

/* Rows of guesses, where the queue and the logits have room; not beside prompts. */
static int64_t grant_drafts(engine *e, int64_t left, bool prompts) {
    int64_t outputs = e->wanted_max - e->n_running, given = 0;
    for (int32_t i = 0; i < e->n_running; i++) {
        engine_sequence *s = e->running[i];
        int64_t n = s->draft_at == s->n_tokens && s->grant == 1 && !prompts ? s->n_draft : 0;
        n = least_of(least_of(n, s->space - 1 - forced_max(s)),
                     least_of(outputs - given, left - given));
        s->n_draft = n > 0 ? n : 0;
        s->grant += s->n_draft;
        given += s->n_draft;
    }
    return given;
}

static bool reads_prompt(const engine_sequence *s) {
    return !engine_generates(s) && !s->held && s->grant < pending(s);
}

static int64_t grant_more(engine_sequence *s, int64_t most) {
    int64_t more = least_of(pending(s) - s->grant, most);
    s->grant += more;
    return more;
}

static void grant_prompts(engine *e, int64_t left) {
    int32_t first = 0;
    while (first < e->n_running && !reads_prompt(e->running[first])) first++;
    if (first < e->n_running && left > 0)
        left -= grant_more(e->running[first], (left + FIRST_PART - 1) / FIRST_PART);
    while (left > 0) {
        engine_sequence *shortest = NULL;
        for (int32_t i = first; i < e->n_running; i++) {
            engine_sequence *s = e->running[i];
            if (reads_prompt(s) && (!shortest || pending(s) < pending(shortest))) shortest = s;
        }
        if (!shortest) return;
        left -= grant_more(shortest, left);
    }
}

static void grant_rows(engine *e) {
    int64_t left = e->o.rows_max, generating = 0, prompts = 0;
    for (int32_t i = 0; i < e->n_running; i++) {
        engine_sequence *s = e->running[i];
        s->space = ENGINE_QUEUE_TOKENS - s->count;
        s->grant = 0;
        if (s->held) continue;
        if (!engine_generates(s)) {
            prompts++;
        } else if (s->space > forced_max(s)) {
            s->grant = least_of(pending(s), left);
            left -= s->grant;
            generating++;
        }
    }
    left -= grant_drafts(e, left, prompts > 0);
    if (generating > 0) left = least_of(left, busy_rows(e));
    grant_prompts(e, left);
}

/* Pages for what is granted, taken from the youngest that is not held where none is free; false:
 * that was s itself. */
static bool has_pages(engine *e, engine_sequence *s) {
    while (kv_sequence_grow(e->pool, s->kv, s->n_done + s->grant, NULL) != E_OK) {
        int32_t youngest = e->n_running - 1;
        while (e->running[youngest]->held) youngest--;
        bool itself = e->running[youngest] == s;
        engine_list_postpone(e, e->running[youngest]);
        if (itself) return false;
    }
    return true;
}

static void add_part(engine *e, engine_sequence *s, int64_t rows, int64_t wanted) {
    int64_t part = e->n_parts++;
    e->parts[part] = (engine_part){s, e->n_rows, rows, e->n_wanted, wanted};
    e->part_kv[part] = s->kv;
    e->part_adapters[part] = s->adapter;
    e->adapters = e->adapters || s->adapter;
    for (int64_t i = 0; i < rows; i++) {
        int64_t row = e->n_rows++;
        e->row_tokens[row] = s->tokens[s->n_done + i];
        e->row_positions[row] = (int32_t)(s->n_done + i);
        e->row_sequences[row] = (int32_t)part;
        if (i >= rows - wanted) e->wanted[e->n_wanted++] = row;
    }
}

/* The rows granted; their outputs: in a choice that is scored and in a guess every row's, else the
 * last one's when nothing stays pending. */
static void add_rows(engine *e, engine_sequence *s) {
    int64_t rows = s->grant, free_wanted = e->wanted_max - e->n_wanted;
    bool choice = s->scores && s->n_done >= s->n_prompt;
    if (choice) rows = least_of(rows, free_wanted);
    int64_t wanted = choice || s->n_draft ? rows : rows == pending(s) && !s->hold;
    if (wanted > free_wanted) { /* a prompt: all but the last */
        rows--;
        wanted = 0;
    }
    if (rows < 1) return;
    if (!s->started_ns) s->started_ns = clock_mono_ns();
    add_part(e, s, rows, wanted);
}

void engine_batch_build(engine *e) {
    e->n_rows = e->n_wanted = e->n_parts = 0;
    e->adapters = false;
    grant_rows(e);
    for (int32_t i = 0; i < e->n_running; i++)
        if (!e->running[i]->held && !has_pages(e, e->running[i])) break;
    for (int32_t i = 0; i < e->n_running; i++)
        if (e->running[i]->grant > 0) add_rows(e, e->running[i]);
}

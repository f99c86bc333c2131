/* lib_session.c - sessions of bantam.h: the tokens that a model has read and said, and the one
 * generation that may be running behind them.
 *
 *     idle --start--> running --next: finish--> idle
 *                        '------ put, clear, start, close: released ------^
 * Owner: the caller's thread; cancel alone may come from another, hence the lock around `at`. */
#include "base/mem.h"
#include "lib/lib_int.h"

#include <string.h>

enum { LIB_WAIT_MS = 1000, LIB_STOPS_MAX = ENGINE_STOPS_MAX };

struct bantam_session {
    bantam_model *model;
    engine *engine;
    int32_t *ids; /* [room], the first n in use */
    size_t n, room;
    mutex lock;          /* guards at */
    engine_sequence *at; /* the running generation; NULL: idle */
    buf text;            /* of the last step */
};

static err hold(bantam_session *s, const int32_t *ids, size_t n, fail *f) {
    if (s->n + n > s->room) {
        size_t room = 2 * (s->n + n) + 256;
        int32_t *more = mem_alloc(room * sizeof *more);
        if (!more) return fail_memory(f, "a session");
        if (s->n) memcpy(more, s->ids, s->n * sizeof *more);
        mem_free(s->ids);
        s->ids = more;
        s->room = room;
    }
    if (n) memcpy(s->ids + s->n, ids, n * sizeof *ids);
    s->n += n;
    return E_OK;
}

static void finish(bantam_session *s) {
    mutex_lock(&s->lock);
    engine_sequence *at = s->at;
    s->at = NULL;
    mutex_unlock(&s->lock);
    engine_release(at);
}

bantam_status bantam_session_open(bantam_session **out, bantam_model *model, bantam_error *error) {
    fail f = {0};
    engine *engine;
    err e = lib_engine(model, &engine, &f);
    if (e != E_OK) return lib_result(e, &f, error);
    bantam_session *s = mem_zero(sizeof *s);
    if (!s) return lib_result(fail_memory(&f, "a session"), &f, error);
    s->model = model;
    s->engine = engine;
    mutex_init(&s->lock);
    *out = s;
    return lib_result(E_OK, &f, error);
}

void bantam_session_close(bantam_session *s) {
    if (!s) return;
    finish(s);
    buf_deinit(&s->text);
    mutex_deinit(&s->lock);
    mem_free(s->ids);
    mem_free(s);
}

void bantam_session_clear(bantam_session *s) {
    finish(s);
    s->n = 0;
}

size_t bantam_session_tokens(const bantam_session *s) {
    return s->n;
}

bantam_status bantam_session_put_tokens(bantam_session *s, const int32_t *ids, size_t count,
                                        bantam_error *error) {
    fail f = {0};
    finish(s);
    return lib_result(hold(s, ids, count, &f), &f, error);
}

bantam_status bantam_session_put_text(bantam_session *s, const char *text, bantam_error *error) {
    fail f = {0};
    arena a;
    token_ids ids;
    const tokenizer *t = model_tokenizer(s->model->m);
    token_encode_options o = {.add_bos = s->n == 0 && tokenizer_adds_bos(t)};
    finish(s);
    arena_init(&a, 0);
    err e = tokenizer_encode(t, &a, str_from(text), &o, &ids, &f);
    if (e == E_OK) e = hold(s, ids.p, ids.n, &f);
    arena_deinit(&a);
    return lib_result(e, &f, error);
}

static err put_chat(bantam_session *s, arena *a, const char *messages, const char *tools, fail *f) {
    const chat *c;
    chat_input in;
    token_ids ids;
    TRY(lib_chat(s->model, &c, f));
    TRY(lib_chat_input(a, messages, tools, true, &in, f));
    TRY(chat_encode(c, a, &in, &ids, f));
    size_t was = s->n;
    s->n = 0;
    err e = hold(s, ids.p, ids.n, f);
    if (e != E_OK) s->n = was;
    return e;
}

bantam_status bantam_session_put_chat(bantam_session *s, const char *messages, const char *tools,
                                      bantam_error *error) {
    fail f = {0};
    arena a;
    finish(s);
    arena_init(&a, 0);
    err e = put_chat(s, &a, messages, tools, &f);
    arena_deinit(&a);
    return lib_result(e, &f, error);
}

/* ---- generation ---- */

static err start(bantam_session *s, const bantam_generate_options *o, fail *f) {
    str stops[LIB_STOPS_MAX];
    engine_sequence *at;
    if (s->n == 0) return fail_set(f, E_USAGE, "the session is empty: put text before generating");
    if (o->n_stops > LIB_STOPS_MAX)
        return fail_set(f, E_TOO_LARGE, "%zu stop texts are above the limit of %d", o->n_stops,
                        LIB_STOPS_MAX);
    for (size_t i = 0; i < o->n_stops; i++) stops[i] = str_from(o->stops[i]);
    engine_ask ask = {.prompt = s->ids,
                      .n_prompt = s->n,
                      .max_tokens = o->max_tokens,
                      .sampling = {.temperature = o->temperature,
                                   .top_p = o->top_p,
                                   .min_p = o->min_p,
                                   .top_k = o->top_k,
                                   .seed = o->seed},
                      .stops = stops,
                      .n_stops = o->n_stops,
                      .ignore_end = o->ignore_end,
                      .top_logprobs = -1};
    TRY(engine_submit(s->engine, &ask, &at, f));
    mutex_lock(&s->lock);
    s->at = at;
    mutex_unlock(&s->lock);
    return E_OK;
}

bantam_status bantam_session_start(bantam_session *s, const bantam_generate_options *options,
                                   bantam_error *error) {
    fail f = {0};
    bantam_generate_options none = {0};
    finish(s);
    return lib_result(start(s, options ? options : &none, &f), &f, error);
}

static err next(bantam_session *s, bantam_token *out, fail *f) {
    engine_event event;
    err e;
    if (!s->at) return fail_set(f, E_USAGE, "no generation is running: start one");
    do e = engine_next(s->at, LIB_WAIT_MS, &event, f);
    while (e == E_TIMEOUT);
    if (e != E_OK) return e;
    if (event.finish == ENGINE_CANCELLED)
        return fail_set(f, E_CANCELLED, "generation was cancelled");
    if (event.id != TOKEN_NONE) TRY(hold(s, &event.id, 1, f));
    buf_reset(&s->text);
    buf_put(&s->text, event.text);
    const char *text = buf_z(&s->text);
    TRY(buf_ok(&s->text, f));
    *out = (bantam_token){.id = event.id,
                          .text = text,
                          .finish = event.finish == ENGINE_RUNNING  ? BANTAM_RUNNING
                                    : event.finish == ENGINE_LENGTH ? BANTAM_LENGTH
                                                                    : BANTAM_STOP};
    return E_OK;
}

bantam_status bantam_session_next(bantam_session *s, bantam_token *out, bantam_error *error) {
    fail f = {0};
    bantam_token token;
    err e = next(s, &token, &f);
    if (e == E_OK) *out = token;
    if (e != E_OK || token.finish != BANTAM_RUNNING) finish(s);
    return lib_result(e, &f, error);
}

void bantam_session_cancel(bantam_session *s) {
    mutex_lock(&s->lock);
    if (s->at) engine_cancel(s->at);
    mutex_unlock(&s->lock);
}

/* Steps until the end; the sequence is left for its timings. */
static err run(bantam_session *s, bantam_put put, void *user, bantam_token *last, fail *f) {
    do {
        TRY(next(s, last, f));
        if (put && !put(user, last))
            return fail_set(f, E_CANCELLED, "the callback ended the generation");
    } while (last->finish == BANTAM_RUNNING);
    return E_OK;
}

bantam_status bantam_generate(bantam_session *s, const bantam_generate_options *options,
                              bantam_put put, void *user, bantam_result *result,
                              bantam_error *error) {
    fail f = {0};
    bantam_token last = {0};
    bantam_generate_options none = {0};
    finish(s);
    err e = start(s, options ? options : &none, &f);
    if (e == E_OK) e = run(s, put, user, &last, &f);
    if (e == E_OK && result) {
        engine_timings t;
        engine_timings_get(s->at, &t);
        *result = (bantam_result){.finish = last.finish,
                                  .prompt_tokens = t.prompt_tokens,
                                  .made_tokens = t.made_tokens,
                                  .prefill_tok_s = t.prefill_tok_s,
                                  .decode_tok_s = t.decode_tok_s,
                                  .first_token_ms = t.first_token_ms};
    }
    finish(s);
    return lib_result(e, &f, error);
}

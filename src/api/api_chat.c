/* api_chat.c - POST /v1/chat/completions: one answer or several, whole or as events.
 *
 *     role chunk, content and call chunks ..., chunk with finish_reason [and "bantam"]   (a choice)
 *     [usage chunk], [DONE]                                                              (at the
 * end)
 *
 * A stream begins with its first words, so what fails before them still has its own status. A
 * task's words come after its stages ran, that is, judged and on record.
 *
 * With n > 1 each choice is a request of its own to the stages below, on a thread of its own, with
 * its own arena, record and seed. The first runs alone until its first token, so that the others
 * find the prompt computed; then all run in the engine's batch. One lock orders what they stream;
 * one that fails makes the others leave. */
#include "api/api_chat.h"
#include "api/api_routes.h"

#include "base/clock.h"
#include "base/thread.h"

typedef struct chat_group chat_group;

typedef struct chat_choice {
    chat_group *group;
    api_call call; /* of its own: errors are noted in it */
    api_chat chat;
    arena arena; /* of all but the first, which has the request's */
    gen_reply reply;
    gen_exchange x;
    thread thread;
    fail why;
    err result;
} chat_choice;

struct chat_group {
    api_call *call;
    chat_choice *choices; /* [n] */
    int32_t n;
    bool started;       /* all of them; the first one's thread */
    atomic_bool failed; /* one did: the others leave */
    mutex lock;         /* of the stream */
    bool begun;         /* its head is out */
};

static bool choice_gone(void *self) {
    const chat_choice *k = self;
    return atomic_load(&k->group->failed) || http_gone(k->group->call->rq);
}

/* ---- events; the group's lock is held ---- */

static err begin_choice(chat_choice *k, fail *f) {
    chat_group *g = k->group;
    if (!g->begun) TRY(http_stream_begin(g->call->rp, 200, "text/event-stream", f));
    g->begun = true;
    if (k->chat.begun) return E_OK;
    k->chat.begun = true;
    return api_chat_send_role(&k->chat, f);
}

static err send_event(chat_choice *k, const gen_event *event, fail *f) {
    TRY(begin_choice(k, f));
    return api_chat_send_event(&k->chat, event, f);
}

static err send_rest(chat_choice *k, fail *f) {
    str content;
    TRY(begin_choice(k, f));
    if (k->chat.is_task) {
        TRY(api_chat_content(&k->chat, &k->x, &content, f));
        TRY(api_chat_send_event(&k->chat, &(gen_event){.text = content}, f));
    }
    return api_chat_send_finish(&k->chat, &k->x, f);
}

/* ---- choices ---- */

static err run_choice(chat_choice *k, fail *f) {
    TRY(api_run_chat(&k->chat, &k->x, f));
    if (!k->chat.stream) return E_OK;
    mutex_lock(&k->group->lock);
    err e = send_rest(k, f);
    mutex_unlock(&k->group->lock);
    return e;
}

static void choice_thread(void *self) {
    chat_choice *k = self;
    k->result = run_choice(k, &k->why);
    if (k->result != E_OK) atomic_store(&k->group->failed, true);
}

/* Once, on the first choice's thread. One that cannot be started has failed. */
static void start_others(chat_group *g) {
    if (g->started) return;
    g->started = true;
    for (int32_t i = 1; i < g->n; i++) {
        chat_choice *k = &g->choices[i];
        err e = thread_start(&k->thread, "choice", choice_thread, k, &k->why);
        if (e == E_OK) continue; /* from here on the result is the thread's to say */
        k->result = e;
        atomic_store(&g->failed, true);
    }
}

static err choice_event(void *self, const gen_event *event, fail *f) {
    chat_choice *k = self;
    start_others(k->group);
    if (choice_gone(k)) return fail_set(f, E_CANCELLED, "the client left");
    if (!k->chat.stream || k->chat.is_task) return E_OK;
    mutex_lock(&k->group->lock);
    err e = send_event(k, event, f);
    mutex_unlock(&k->group->lock);
    return e;
}

static err open_choice(chat_group *g, const api_chat *chat, int32_t i, fail *f) {
    chat_choice *k = &g->choices[i];
    *k = (chat_choice){.group = g, .call = *g->call, .chat = *chat};
    k->call.out = (buf){0};
    k->call.tokens = 0;
    arena_init(&k->arena, 0);
    gen_request *rq = &k->chat.request;
    if (i) {
        k->call.a = rq->arena = &k->arena;
        rq->id = arena_printf(&k->arena, "%.*s-%d", STR_ARG(rq->id), i);
        rq->sampling.seed += (uint64_t)i;
        if (!rq->id.p) return fail_memory(f, "a choice");
    }
    rq->gone = choice_gone;
    rq->gone_ctx = k;
    k->chat.call = &k->call;
    k->chat.index = i;
    k->x =
        (gen_exchange){.request = rq, .sink = {.self = k, .put = choice_event}, .reply = &k->reply};
    return E_OK;
}

/* Runs all of them; the error is the first one's that was not told to leave. */
static err run_choices(chat_group *g, fail *f) {
    choice_thread(&g->choices[0]);
    if (g->choices[0].result == E_OK) start_others(g);
    const chat_choice *bad = NULL;
    for (int32_t i = 0; i < g->n; i++) {
        chat_choice *k = &g->choices[i];
        thread_join(&k->thread);
        g->call->tokens += k->call.tokens - (i ? k->reply.prompt_tokens : 0); /* it is shared */
        if (k->result != E_OK && (!bad || bad->result == E_CANCELLED)) bad = k;
    }
    if (!bad) return E_OK;
    str param = bad->call.param ? arena_str(g->call->a, str_from(bad->call.param)) : STR_NONE;
    g->call->param = param.p ? arena_z(g->call->a, param) : NULL;
    g->call->code = bad->call.code;
    if (f) *f = bad->why;
    return bad->result;
}

/* ---- the answer ---- */

static gen_reply sum_of(const chat_group *g) {
    gen_reply sum = g->choices[0].reply;
    for (int32_t i = 1; i < g->n; i++) {
        sum.completion_tokens += g->choices[i].reply.completion_tokens;
        sum.reasoning_tokens += g->choices[i].reply.reasoning_tokens;
    }
    return sum;
}

static err answer_whole(chat_group *g, fail *f) {
    api_call *c = g->call;
    api_said *said = arena_new_n(c->a, api_said, (size_t)g->n);
    gen_reply sum = sum_of(g);
    if (!said) return fail_memory(f, "an answer");
    for (int32_t i = 0; i < g->n; i++) {
        said[i] = (api_said){.chat = &g->choices[i].chat, .x = &g->choices[i].x};
        TRY(api_chat_content(said[i].chat, said[i].x, &said[i].content, f));
    }
    api_chat_put_whole(&c->w, said, (size_t)g->n, &sum);
    return buf_ok(&c->out, f);
}

static err end_stream(chat_group *g, fail *f) {
    api_call *c = g->call;
    gen_reply sum = sum_of(g);
    TRY(api_chat_send_usage(&g->choices[0].chat, &sum, f));
    TRY(sse_put(c->rp, NULL, STR("[DONE]"), f));
    c->done = true;
    return http_stream_end(c->rp, f);
}

static err run_group(chat_group *g, const api_chat *chat, fail *f) {
    for (int32_t i = 0; i < g->n; i++) TRY(open_choice(g, chat, i, f));
    if (chat->stream) http_stream_promise(g->call->rp);
    TRY(run_choices(g, f));
    return chat->stream ? end_stream(g, f) : answer_whole(g, f);
}

err api_chat_completions(api_call *c, fail *f) {
    api_chat chat = {.call = c};
    TRY(api_chat_read(c, &chat, f));
    chat.at_s = clock_now_ms() / 1000;
    chat.id = arena_printf(c->a, "chatcmpl-%s", c->rq->id);
    chat_group g = {.call = c, .n = chat.n};
    g.choices = arena_new_n(c->a, chat_choice, (size_t)g.n);
    if (!chat.id.p || !g.choices) return fail_memory(f, "an answer");
    mutex_init(&g.lock);
    err e = run_group(&g, &chat, f);
    for (int32_t i = 0; i < g.n; i++) {
        buf_deinit(&g.choices[i].call.out);
        arena_deinit(&g.choices[i].arena);
    }
    mutex_deinit(&g.lock);
    return e;
}

/* api_answer.c - the address at which an asker waits for what a person answers.
 *
 *     GET /v1/answers/REF?wait=S             the answer, or how it stands when S seconds are over
 *     ... with Accept: text/event-stream     how it stands, now and whenever that changes
 *
 *       run -> park -> look -> news: the answer, or an event | none: return and stay parked
 *
 * Nobody who waits polls: an answer that is given here wakes its askers, what other processes do
 * with the queue is seen by api_tick, once a second for all, and the time at which an asker must be
 * told again is the park's deadline. Waiting costs a connection, no worker and no query. */
#include "api/api_routes.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

enum {
    WAKE_KEY_BYTES = 64,
    LOOK_MS =
        30000, /* without any news: a clock that was set, a proxy that forgets who is silent */
    LOOK_MS_MIN = 500,
    STREAM_MS_MAX = 3600000 /* then it ends; clients of event streams come again by themselves */
};

typedef struct answer_wait {
    bool streams;
    int64_t end_ms, sent_ms; /* monotonic; sent: the stream's last bytes */
    bool told;               /* the three below were told, or looked at first */
    desk_state state;
    int64_t expected_by_ms;
    bool claimed;
} answer_wait;

static int64_t mono_ms(void) {
    return clock_mono_ns() / 1000000;
}

/* ---- waking ---- */

/* A reference from outside may be longer than any real one; a cut one wakes nobody. */
static str wake_key(str ref, char out[WAKE_KEY_BYTES]) {
    int n = snprintf(out, WAKE_KEY_BYTES, "answer:%.*s", STR_ARG(str_slice(ref, 0, 40)));
    return (str){out, (size_t)n};
}

void api_answer_wake(api *a, str ref) {
    char key[WAKE_KEY_BYTES];
    http_server *server = atomic_load(&a->server);
    if (server) http_wake(server, wake_key(ref, key));
}

/* From here on news of the queue are seen. */
err api_answer_open(api *a, fail *f) {
    str *refs;
    size_t n;
    a->desk_seen = -1;
    return desk_changed_since(a->o.desk, &a->desk_seen, &a->arena, &refs, &n, f);
}

void api_tick(api *a) {
    int64_t now_ms = mono_ms();
    http_counts counts;
    http_server *server = atomic_load(&a->server);
    if (!server || now_ms < a->next_tick_ms) return;
    a->next_tick_ms = now_ms + API_TICK_MS;
    http_server_counts(server, &counts);
    if (!counts.parked) return; /* what happens meanwhile wakes at worst in vain */
    arena mem;
    arena_init(&mem, 0);
    fail f = {0};
    str *refs;
    size_t n;
    err e = desk_changed_since(a->o.desk, &a->desk_seen, &mem, &refs, &n, &f);
    if (e != E_OK) log_warn("api", "cannot look for news of the people's queue: %s", f.text);
    for (size_t i = 0; e == E_OK && i < n; i++) api_answer_wake(a, refs[i]);
    arena_deinit(&mem);
}

/* ---- waiting ---- */

static bool wants_events(const api_call *c) {
    str rest = http_header_get(c->rq, "accept");
    if (!str_is(c->rq->method, "GET")) return false; /* HEAD has no events */
    while (rest.p) {
        str one = str_cut(&rest, ',');
        if (str_eq_nocase(str_trim(str_cut(&one, ';')), STR("text/event-stream"))) return true;
    }
    return false;
}

static err wait_begin(api_call *c, fail *f) {
    int64_t wait_s;
    if (c->rq->state) return E_OK;
    TRY(api_query_int(c, "wait", 0, 0, API_WAIT_S_MAX, &wait_s, f));
    answer_wait *wait = arena_new(c->rq->arena, answer_wait);
    if (!wait) return fail_memory(f, "a wait");
    wait->streams = wants_events(c);
    wait->end_ms = mono_ms() + (wait->streams ? STREAM_MS_MAX : wait_s * 1000);
    c->rq->state = wait;
    return E_OK;
}

static int64_t sooner(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* When to look again though nobody wakes us: when the asker must be told another time. */
static int64_t next_look_ms(const answer_wait *wait, const desk_reply *r) {
    int64_t now_ms = mono_ms(), told_ms = r->expected_by_ms - clock_now_ms();
    if (told_ms < LOOK_MS_MIN) told_ms = LOOK_MS_MIN;
    return sooner(wait->end_ms, now_ms + sooner(LOOK_MS, told_ms));
}

/* Before looking, so that no wake is lost between. */
static err park(api_call *c, const answer_wait *wait, fail *f) {
    char key[WAKE_KEY_BYTES];
    return http_park(c->rq, wake_key(c->arg, key), sooner(wait->end_ms, mono_ms() + LOOK_MS), f);
}

/* ---- what is said ---- */

static str answer_sentence(api_call *c, const desk_reply *r) {
    str when = api_time_text(c->a, r->expected_by_ms);
    if (r->state == DESK_DONE) return r->text;
    return arena_printf(
        c->a, "%s %s by %.*s. Your reference is %.*s.",
        r->state == DESK_OVERDUE ? "This takes longer than we said." : "A person will answer this.",
        r->claimed ? "Somebody is looking at it; an answer is expected" : "An answer is expected",
        STR_ARG(when), STR_ARG(r->ref));
}

static void put_reply(api_call *c, const desk_reply *r) {
    static const char *const states[] = {"waiting", "overdue", "answered"};
    json_writer *w = &c->w;
    json_begin_object(w);
    json_field_text(w, "reference", r->ref);
    json_field_z(w, "status", states[r->state]);
    json_field_str(w, "answer", r->state == DESK_DONE ? r->text : STR_NONE);
    json_field_text(w, "message", answer_sentence(c, r));
    json_field_text(w, "label", r->label);
    json_field_text(w, "answered_by", r->answered_by);
    json_field_int(w, "answered_ms", r->answered_ms);
    json_field_int(w, "expected_by_ms", r->expected_by_ms);
    json_field_bool(w, "claimed", r->claimed);
    json_field_text(w, "task", r->task_name);
    json_field_text(w, "request", r->request_id);
    json_field_text(w, "before", r->before);
    json_end_object(w);
}

/* An event where something changed, a sign of life where nothing was sent for long; ends the stream
 * when there is nothing to wait for. */
static err stream_on(api_call *c, answer_wait *wait, const desk_reply *r, bool news, bool ends,
                     fail *f) {
    c->done = true;
    if (!c->rp->streaming) TRY(http_stream_begin(c->rp, 200, "text/event-stream", f));
    if (news || !wait->sent_ms) {
        put_reply(c, r);
        TRY(buf_ok(&c->out, f));
        TRY(sse_put(c->rp, NULL, buf_str(&c->out), f));
    } else if (mono_ms() - wait->sent_ms >= LOOK_MS - LOOK_MS_MIN) {
        TRY(sse_ping(c->rp, f));
    } else {
        return E_OK; /* woken by what is no news to an asker */
    }
    wait->sent_ms = mono_ms();
    return ends ? http_stream_end(c->rp, f) : E_OK;
}

err api_answer_get(api_call *c, fail *f) {
    desk_reply reply;
    TRY(api_own_review(c, f));
    TRY(wait_begin(c, f));
    answer_wait *wait = c->rq->state;
    bool may_wait = mono_ms() < wait->end_ms && !c->rq->stopping;
    if (may_wait) TRY(park(c, wait, f));
    TRY(desk_status_for_asker(c->api->o.desk, c->arg, c->a, &reply, f));
    bool moved = wait->told && wait->expected_by_ms != reply.expected_by_ms;
    bool other = wait->told && (wait->state != reply.state || wait->claimed != reply.claimed);
    bool done = reply.state == DESK_DONE;
    wait->told = true;
    wait->state = reply.state;
    wait->expected_by_ms = reply.expected_by_ms;
    wait->claimed = reply.claimed;
    if (may_wait) http_park_until(c->rq, next_look_ms(wait, &reply));
    if (wait->streams) return stream_on(c, wait, &reply, moved || other, done || !may_wait, f);
    if (may_wait && !done && !moved)
        c->done = true; /* stays parked */
    else
        put_reply(c, &reply);
    return E_OK;
}

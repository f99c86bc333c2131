/* otel_export.c - the exporter's thread: takes what waits, posts it, tries again, gives up in time.
 *
 *     waiting --delay, or a batch is full--> posting --taken--> waiting
 *                                            | refused for now: back-off, again
 *                                            '--refused, or two minutes are over--> dropped,
 * counted
 *
 * Owner of all that is sent: this thread. Others only append to the queue under its lock. */
#include "otel/otel_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/url.h"
#include "text/hash.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    QUEUE_BYTES_MAX = 16 << 20,
    BODY_BYTES = 2 << 20, /* about; a batch ends when it is reached */
    TRIES_MAX = 12,
    RETRY_BASE_MS = 1000,
    RETRY_WAIT_MS_MAX = 60000,
    RETRY_TOTAL_MS = 120000,
    METRICS_TOTAL_MS = 15000, /* the next reading says all of it again */
    ANSWER_BYTES_MAX = 64 << 10,
    NS_PER_MS = 1000000
};

static int64_t now_ms(void) {
    return clock_mono_ns() / NS_PER_MS;
}

static void add(atomic_llong *to, int64_t n) {
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static int64_t value_of(const atomic_llong *c) {
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* ---- the queue ---- */

static void free_item(otel_item *item) {
    buf_deinit(&item->json);
    mem_free(item);
}

/* false: no room */
static bool append(otel *t, otel_item *item) {
    mutex_lock(&t->lock);
    bool room = t->spans + item->spans <= (size_t)t->o.settings.queue_max &&
                t->bytes + item->json.n <= QUEUE_BYTES_MAX && !t->closing;
    size_t before = t->spans;
    if (room) {
        *t->tail = item;
        t->tail = &item->next;
        t->spans += item->spans;
        t->bytes += item->json.n;
        size_t full = (size_t)t->o.settings.batch_max;
        if (before < full && t->spans >= full) cond_signal(&t->wake);
    }
    mutex_unlock(&t->lock);
    return room;
}

void otel_send(otel *t, otel_spans *s) {
    size_t spans = t->o.settings.traces_url ? s->n : 0; /* nobody asked for them */
    otel_item *item = spans && !s->out.failed ? mem_zero(sizeof *item) : NULL;
    if (item) {
        item->json = s->out;
        item->spans = spans;
        s->out = (buf){0};
    }
    if (spans && (!item || !append(t, item))) {
        add(&t->dropped, (int64_t)spans);
        if (item) free_item(item);
    }
    buf_deinit(&s->out);
    *s = (otel_spans){.n = 0};
}

/* As much as fits one body, NULL when nothing waits. The caller frees the list. */
static otel_item *take_batch(otel *t) {
    mutex_lock(&t->lock);
    otel_item *first = t->head, **end = &first;
    size_t spans = 0, bytes = 0;
    while (*end && spans < (size_t)t->o.settings.batch_max && bytes < BODY_BYTES) {
        spans += (*end)->spans;
        bytes += (*end)->json.n;
        end = &(*end)->next;
    }
    t->head = *end;
    *end = NULL;
    if (!t->head) t->tail = &t->head;
    t->spans -= spans;
    t->bytes -= bytes;
    mutex_unlock(&t->lock);
    return first;
}

/* Waits for a full batch, at most ms; true when the end has come. */
static bool wait_for_work(otel *t, int64_t ms) {
    int64_t until_ms = now_ms() + ms;
    mutex_lock(&t->lock);
    while (!t->closing && t->spans < (size_t)t->o.settings.batch_max) {
        int64_t left_ms = until_ms - now_ms();
        if (left_ms <= 0 || !cond_wait_ms(&t->wake, &t->lock, left_ms)) break;
    }
    bool closing = t->closing;
    mutex_unlock(&t->lock);
    return closing;
}

/* ---- one body ---- */

/* Until when may be tried: `end_ms`, or the end of all when that comes first. */
static int64_t left_ms(otel *t, int64_t end_ms) {
    mutex_lock(&t->lock);
    if (t->closing && t->close_ns / NS_PER_MS < end_ms) end_ms = t->close_ns / NS_PER_MS;
    mutex_unlock(&t->lock);
    return end_ms - now_ms();
}

static bool keep_going(void *ctx, int64_t bytes, int64_t total) {
    (void)bytes, (void)total;
    return left_ms(ctx, INT64_MAX) > 0;
}

/* A pause between tries; it ends at once when all ends, for a last try. */
static void pause_ms(otel *t, int64_t ms) {
    int64_t until_ms = now_ms() + ms;
    mutex_lock(&t->lock);
    for (;;) {
        int64_t rest_ms = until_ms - now_ms();
        if (t->closing || rest_ms <= 0) break;
        (void)cond_wait_ms(&t->wake, &t->lock, rest_ms);
    }
    mutex_unlock(&t->lock);
}

static void say_failing(otel *t, const char *url, const fail *f) {
    arena a;
    if (t->failing) return;
    t->failing = true;
    t->failing_dropped = value_of(&t->dropped);
    arena_init(&a, 0);
    log_warn("otel",
             "telemetry cannot be sent to %.*s: %s; it is tried again, and what finds no room is "
             "dropped and counted",
             STR_ARG(url_public(&a, str_from(url))), f->text);
    arena_deinit(&a);
}

static void say_working(otel *t) {
    if (!t->failing) return;
    t->failing = false;
    log_info("otel", "telemetry is sent again; %lld spans were lost meanwhile",
             (long long)(value_of(&t->dropped) - t->failing_dropped));
}

static bool is_for_now(err e, const http_answer *answer) {
    if (e == E_NETWORK || e == E_TIMEOUT) return true;
    int s = answer->status;
    return e == E_OK && (s == 429 || s == 502 || s == 503 || s == 504);
}

/* {"partialSuccess":{"rejectedSpans":"3","errorMessage":"..."}}: taken, but for some. */
static int64_t rejected(arena *a, const char *key, str body) {
    const json *v;
    int64_t n = 0;
    if (json_parse(a, body, &v, NULL) != E_OK) return 0;
    const json *count = json_get(json_get(v, "partialSuccess"), key);
    if (count && count->kind == JSON_STRING) (void)str_to_int(count->string, &n);
    if (count && count->kind == JSON_NUMBER && count->is_int) n = count->integer;
    return n > 0 ? n : 0;
}

static err post_once(otel *t, arena *a, const char *url, str body, int64_t ms, http_answer *answer,
                     fail *f) {
    const otel_settings *s = &t->o.settings;
    http_field fields[OTEL_FIELDS_MAX + 1] = {{"Content-Type", STR("application/json")}};
    memcpy(fields + 1, s->fields, s->n_fields * sizeof *fields);
    http_call call = {.url = url,
                      .body = body,
                      .fields = fields,
                      .fields_n = s->n_fields + 1,
                      .connect_ms_max = ms < s->timeout_ms ? ms : s->timeout_ms,
                      .total_ms_max = ms < s->timeout_ms ? ms : s->timeout_ms,
                      .body_bytes_max = ANSWER_BYTES_MAX,
                      .redirects_max = -1,
                      .ca_file = s->ca_file,
                      .progress = keep_going,
                      .ctx = t};
    add(&t->tries, 1);
    err e = http_ask(a, &call, answer, f);
    bool bad = e != E_OK || http_status_err(&call, answer, f) != E_OK;
    if (bad) add(&t->failures, 1);
    return e;
}

/* true: taken; *refused: but for so many. */
static bool post(otel *t, const char *url, str body, int64_t total_ms, const char *refused_key,
                 int64_t *refused) {
    http_retry retry = {
        .tries_max = TRIES_MAX, .base_ms = RETRY_BASE_MS, .wait_ms_max = RETRY_WAIT_MS_MAX};
    int64_t end_ms = now_ms() + total_ms;
    *refused = 0;
    for (int n = 1;; n++) {
        fail f = {0};
        arena a;
        http_answer answer = {.retry_after_ms = -1};
        int64_t ms = left_ms(t, end_ms);
        if (ms <= 0) return false;
        arena_init(&a, 0);
        err e = post_once(t, &a, url, body, ms, &answer, &f);
        bool taken = e == E_OK && answer.status >= 200 && answer.status < 300;
        if (taken) *refused = rejected(&a, refused_key, answer.body);
        arena_deinit(&a);
        if (taken) {
            say_working(t);
            return true;
        }
        say_failing(t, url, &f);
        int64_t wait = is_for_now(e, &answer) ? http_retry_wait_ms(&retry, n, answer.retry_after_ms,
                                                                   t->seed + (uint64_t)n)
                                              : -1;
        if (wait < 0 || now_ms() + wait >= end_ms) return false;
        pause_ms(t, wait);
    }
}

/* ---- what is posted ---- */

static void begin_body(json_writer *w, const otel *t, const char *outer, const char *scope,
                       const char *list) {
    json_begin_object(w);
    json_key(w, outer);
    json_begin_array(w);
    json_begin_object(w);
    json_key(w, "resource");
    json_put_raw(w, buf_str(&t->resource));
    json_key(w, scope);
    json_begin_array(w);
    json_begin_object(w);
    json_key(w, "scope");
    json_put_raw(w, buf_str(&t->scope));
    json_key(w, list);
    json_begin_array(w);
}

static void end_body(json_writer *w) {
    for (int i = 0; i < 3; i++) { /* the list, the scopes, the resources: each in an object */
        json_end_array(w);
        json_end_object(w);
    }
}

static void send_batch(otel *t, otel_item *batch) {
    buf body = {0};
    json_writer w = {.out = &body};
    int64_t spans = 0, refused = 0;
    begin_body(&w, t, "resourceSpans", "scopeSpans", "spans");
    while (batch) {
        otel_item *item = batch;
        batch = item->next;
        json_put_raw(&w, buf_str(&item->json));
        spans += (int64_t)item->spans;
        free_item(item);
    }
    end_body(&w);
    bool taken = !body.failed && post(t, t->o.settings.traces_url, buf_str(&body), RETRY_TOTAL_MS,
                                      "rejectedSpans", &refused);
    if (!taken || refused > spans) refused = spans;
    add(&t->sent, spans - refused);
    add(&t->dropped, refused);
    buf_deinit(&body);
}

static void send_metrics(otel *t) {
    buf body = {0}, text = {0};
    json_writer w = {.out = &body};
    otel_window at = {t->start_ns, clock_wall_ns()};
    int64_t refused;
    begin_body(&w, t, "resourceMetrics", "scopeMetrics", "metrics");
    otel_metrics_put(&t->metrics, &w, &at);
    if (t->o.measure) t->o.measure(t->o.self, &text);
    if (!text.failed) otel_text_put(buf_str(&text), &w, &at);
    end_body(&w);
    if (!body.failed)
        (void)post(t, t->o.settings.metrics_url, buf_str(&body), METRICS_TOTAL_MS,
                   "rejectedDataPoints", &refused);
    buf_deinit(&text);
    buf_deinit(&body);
}

static bool is_full(otel *t) {
    mutex_lock(&t->lock);
    bool full = t->spans >= (size_t)t->o.settings.batch_max;
    mutex_unlock(&t->lock);
    return full;
}

/* A batch, and what is full behind it; the rest waits for its time, or a busy server would post
 * each handful that came while it posted the last. */
static void send_spans(otel *t, bool all) {
    do {
        otel_item *batch = take_batch(t);
        if (!batch) return;
        send_batch(t, batch);
    } while (all || is_full(t));
}

static void run(void *arg) {
    otel *t = arg;
    const otel_settings *s = &t->o.settings;
    int64_t metrics_ms = now_ms() + s->metrics_ms;
    for (;;) {
        int64_t until_metrics = metrics_ms - now_ms();
        int64_t wait = s->delay_ms < until_metrics ? s->delay_ms : until_metrics;
        bool closing = wait_for_work(t, wait > 0 ? wait : 0);
        send_spans(t, closing);
        if (s->metrics_url && (closing || now_ms() >= metrics_ms)) {
            send_metrics(t);
            metrics_ms = now_ms() + s->metrics_ms;
        } else if (!s->metrics_url) {
            metrics_ms = now_ms() + s->metrics_ms;
        }
        if (closing) return;
    }
}

/* ---- life ---- */

static void name_instance(char out[37]) { /* a random UUID (RFC 9562, version 4) */
    unsigned char b[16];
    char hex[33];
    rand_secret(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    hash_hex(b, sizeof b, hex);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static void put_about(otel *t) {
    const otel_settings *s = &t->o.settings;
    json_writer w = {.out = &t->resource};
    char instance[37];
    bool named = false, versioned = false;
    json_begin_object(&w);
    json_key(&w, "attributes");
    json_begin_array(&w);
    for (size_t i = 0; i < s->n_about; i++) {
        char key[OTEL_NAME_BYTES * 2];
        snprintf(key, sizeof key, "%.*s", STR_ARG(s->about[i].key));
        named |= str_is(s->about[i].key, "service.instance.id");
        versioned |= str_is(s->about[i].key, "service.version");
        otel_attribute_text(&w, key, s->about[i].value);
    }
    name_instance(instance);
    if (!versioned) otel_attribute_text(&w, "service.version", t->o.version);
    if (!named) otel_attribute_text(&w, "service.instance.id", str_from(instance));
    otel_attribute_int(&w, "process.pid", getpid());
    json_end_array(&w);
    json_end_object(&w);
    w = (json_writer){.out = &t->scope};
    json_begin_object(&w);
    json_field_str(&w, "name", STR("bantam"));
    json_field_str(&w, "version", t->o.version);
    json_end_object(&w);
}

static err start(otel *t, fail *f) {
    TRY(otel_metrics_init(&t->metrics, f));
    put_about(t);
    TRY(buf_ok(&t->resource, f));
    TRY(buf_ok(&t->scope, f));
    return thread_start(&t->thread, "otel", run, t, f);
}

err otel_open(otel **out, const otel_options *o, fail *f) {
    CHECK(o->settings.traces_url || o->settings.metrics_url);
    otel *t = mem_zero(sizeof *t);
    if (!t) return fail_memory(f, "telemetry");
    t->o = *o;
    t->tail = &t->head;
    t->start_ns = clock_wall_ns();
    rand_secret(&t->seed, sizeof t->seed);
    mutex_init(&t->lock);
    cond_init(&t->wake);
    err e = start(t, f);
    if (e != E_OK) {
        otel_close(t, 0);
        return e;
    }
    *out = t;
    return E_OK;
}

static void drop_rest(otel *t) {
    for (otel_item *item = t->head; item;) {
        otel_item *next = item->next;
        add(&t->dropped, (int64_t)item->spans);
        free_item(item);
        item = next;
    }
}

void otel_close(otel *t, int64_t flush_ms) {
    if (!t) return;
    mutex_lock(&t->lock);
    t->closing = true;
    t->close_ns = clock_mono_ns() + flush_ms * NS_PER_MS;
    cond_signal(&t->wake);
    mutex_unlock(&t->lock);
    thread_join(&t->thread);
    drop_rest(t);
    int64_t dropped = value_of(&t->dropped);
    if (dropped)
        log_warn("otel", "%lld spans were dropped, %lld sent", (long long)dropped,
                 (long long)value_of(&t->sent));
    otel_metrics_deinit(&t->metrics);
    buf_deinit(&t->resource);
    buf_deinit(&t->scope);
    cond_deinit(&t->wake);
    mutex_deinit(&t->lock);
    mem_free(t);
}

void otel_counts_get(const otel *t, otel_counts *out) {
    *out = (otel_counts){value_of(&t->sent), value_of(&t->dropped), value_of(&t->tries),
                         value_of(&t->failures)};
}

/* Part of the trace's last 56 bits, so that all who decide by ratio decide alike. */
void otel_sample(const otel *t, otel_context *c) {
    const otel_settings *s = &t->o.settings;
    if (c->parent && s->asks_parent) return;
    bool keep = s->sampler == OTEL_SAMPLE_ALL;
    if (s->sampler == OTEL_SAMPLE_RATIO) {
        uint64_t v = 0;
        for (size_t i = 9; i < sizeof c->trace; i++) v = v << 8 | c->trace[i];
        keep = (double)v < s->ratio * 0x1p56;
    }
    c->flags = (unsigned char)(keep ? OTEL_SAMPLED : 0);
}

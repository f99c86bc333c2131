/* http_server.c - opening and closing a server: options, order of starting and stopping. */
#include "net/http_server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_int.h"
#include "net/http_tls.h"

#include <unistd.h>

static void default_int(int *at, int value) {
    if (*at <= 0) *at = value;
}
static void default_bytes(size_t *at, size_t value) {
    if (*at == 0) *at = value;
}
static void default_ms(int64_t *at, int64_t value) {
    if (*at <= 0) *at = value;
}

static void options_complete(http_options *o) {
    default_int(&o->workers, 8);
    default_int(&o->queue_max, 64);
    default_int(&o->connections_max, 1024);
    default_bytes(&o->target_bytes_max, 8 * 1024);
    default_bytes(&o->header_bytes_max, 32 * 1024);
    default_bytes(&o->stream_bytes_max, 256 * 1024);
    default_bytes(&o->bodies_bytes_max, 1 << 30);
    default_ms(&o->write_ms_max, 30 * 1000);
}

static void server_free(http_server *s) {
    http_workers_stop(s);
    http_listen_close(s);
    http_loop_close(s);
    http_tls_close(s->tls);
    http_rules_free(s->rules);
    http_rules_free(s->next_rules);
    mutex_deinit(&s->lock);
    mem_free(s);
}

static err first_rules(http_server *s, const http_options *o, fail *f) {
    http_rules *r;
    http_live live = {.hosts = o->hosts,
                      .hosts_n = o->hosts_n,
                      .origins = o->origins,
                      .origins_n = o->origins_n,
                      .body_bytes_max = o->body_bytes_max,
                      .header_ms_max = o->header_ms_max,
                      .body_ms_max = o->body_ms_max,
                      .idle_ms_max = o->idle_ms_max,
                      .sse_ping_ms = o->sse_ping_ms};
    TRY(http_rules_make(&r, &live, f));
    http_rules_use(s, r);
    return E_OK;
}

err http_server_open(http_server **out, const http_options *o, fail *f) {
    http_server *s = mem_zero(sizeof *s);
    if (!s) return fail_memory(f, "the server");
    s->o = *o;
    options_complete(&s->o);
    s->epoll_fd = s->event_fd = s->spare_fd = -1;
    s->limits = (http_limits){s->o.target_bytes_max, s->o.header_bytes_max, 0, s->o.large_path,
                              s->o.large_bytes_max};
    mutex_init(&s->lock);
    err e;
    if (o->tls_cert) TRY_OUT(http_tls_open(&s->tls, o->tls_cert, o->tls_key, f));
    TRY_OUT(http_listen_open(s, f));
    TRY_OUT(first_rules(s, o, f));
    TRY_OUT(http_loop_open(s, f));
    TRY_OUT(http_workers_start(s, f));
    TRY_OUT(thread_start(&s->loop, "http-loop", http_loop_run, s, f));
    *out = s;
    return E_OK;
out:
    server_free(s);
    return e;
}

int http_server_port(const http_server *s) {
    return s->port;
}

void http_server_close(http_server *s, int64_t drain_ms) {
    if (!s) return;
    mutex_lock(&s->lock);
    s->stop = true;
    s->drain_end_ns = clock_mono_ns() + drain_ms * 1000000;
    mutex_unlock(&s->lock);
    http_nudge(s);
    thread_join(&s->loop);
    server_free(s);
}

int64_t http_server_turns(http_server *s) {
    int64_t turns = atomic_load(&s->turns);
    http_nudge(s);
    return turns;
}

void http_server_counts(http_server *s, http_counts *out) {
    *out = (http_counts){
        .requests = atomic_load(&s->requests),
        .refused = atomic_load(&s->refused),
        .cancelled = atomic_load(&s->left),
        .connections = atomic_load(&s->connections),
        .queued = (int)queue_count(&s->jobs),
        .running = atomic_load(&s->running),
        .parked = atomic_load(&s->parked),
    };
}

/* http_worker.c - the pool: each worker takes a whole request, runs the handler top to bottom and
 * gives the connection back to the loop. What a handler forgot is answered with 500, so no client
 * waits for ever. */
#include "base/log.h"
#include "base/mem.h"
#include "net/http_int.h"

#include <stdio.h>

static http_outcome run_request(http_conn *c) {
    http_server *s = c->server;
    c->wants_park = false;
    s->o.handler(s->o.ctx, &c->rq, &c->rp);
    if (c->rp.sent) return HTTP_OUTCOME_DONE;
    if (c->wants_park) return HTTP_OUTCOME_PARK;
    if (http_stream_begun(&c->rp)) {
        c->cut = true;
        return HTTP_OUTCOME_DONE;
    }
    if (!atomic_load(&c->gone)) {
        log_warn("net", "the handler of request %s returned without an answer", c->rq.id);
        http_reply_refuse(c, 500, "no_answer", "the server has no answer to this request");
    }
    c->cut = !c->rp.sent;
    return HTTP_OUTCOME_DONE;
}

static void worker_run(void *server) {
    http_server *s = server;
    void *item;
    while (queue_take(&s->jobs, &item, -1)) {
        atomic_fetch_add(&s->running, 1);
        http_conn *c = item;
        http_outcome outcome = run_request(c);
        atomic_fetch_sub(&s->running, 1);
        http_inbox_post(c, outcome); /* from here on c is the loop's */
    }
}

err http_workers_start(http_server *s, fail *f) {
    size_t bytes;
    TRY(queue_init(&s->jobs, (size_t)s->o.queue_max, f));
    s->workers =
        mem_size((size_t)s->o.workers, sizeof *s->workers, &bytes) ? mem_zero(bytes) : NULL;
    if (!s->workers) return fail_memory(f, "the server's workers");
    for (int i = 0; i < s->o.workers; i++) {
        char name[24];
        snprintf(name, sizeof name, "http-%d", i);
        TRY(thread_start(&s->workers[i], name, worker_run, s, f));
    }
    return E_OK;
}

void http_workers_stop(http_server *s) {
    if (s->jobs.items) queue_close(&s->jobs);
    for (int i = 0; s->workers && i < s->o.workers; i++) thread_join(&s->workers[i]);
    mem_free(s->workers);
    s->workers = NULL;
    queue_deinit(&s->jobs);
}

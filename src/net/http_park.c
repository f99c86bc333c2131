/* http_park.c - requests that wait for something slow, and the inbox in which other threads tell
 * the loop that a connection is its again.
 *
 * A request enters the table in http_park, while its handler still runs; so a wake that comes
 * between the handler's look at the state and its return is not lost: it sets `woken`, and the loop
 * runs the request again as soon as the worker lets go of it. All fields here are under
 * server->lock, which is held for a few pointer operations only. */
#include "net/http_int.h"

#include <string.h>

static void inbox_post_locked(http_conn *c) {
    http_server *s = c->server;
    if (c->in_inbox) return;
    c->in_inbox = true;
    c->inbox_next = s->inbox;
    s->inbox = c;
}

void http_inbox_post(http_conn *c, http_outcome outcome) {
    http_server *s = c->server;
    mutex_lock(&s->lock);
    c->outcome = outcome;
    bool first = s->inbox == NULL;
    inbox_post_locked(c);
    mutex_unlock(&s->lock);
    if (first) http_nudge(s); /* c is the loop's now and may be gone already */
}

http_conn *http_inbox_take(http_server *s, http_outcome *outcome, bool *woken) {
    mutex_lock(&s->lock);
    http_conn *c = s->inbox;
    if (c) {
        s->inbox = c->inbox_next;
        c->inbox_next = NULL;
        c->in_inbox = false;
        *outcome = c->outcome;
        c->outcome = HTTP_OUTCOME_NONE;
        *woken = c->woken;
    }
    mutex_unlock(&s->lock);
    return c;
}

static void park_unlink_locked(http_conn *c) {
    http_server *s = c->server;
    if (!c->parked) return;
    if (c->park_prev)
        c->park_prev->park_next = c->park_next;
    else
        s->parks[c->bucket] = c->park_next;
    if (c->park_next) c->park_next->park_prev = c->park_prev;
    c->park_next = c->park_prev = NULL;
    c->parked = false;
}

void http_park_remove(http_conn *c) {
    http_server *s = c->server;
    mutex_lock(&s->lock);
    park_unlink_locked(c);
    c->woken = false;
    for (http_conn **at = &s->inbox; c->in_inbox && *at; at = &(*at)->inbox_next) {
        if (*at != c) continue;
        *at = c->inbox_next;
        c->in_inbox = false;
        break;
    }
    mutex_unlock(&s->lock);
}

err http_park(http_request *rq, str key, int64_t deadline_ms, fail *f) {
    http_conn *c = rq->conn;
    http_server *s = c->server;
    if (!key.n || key.n >= HTTP_KEY_BYTES)
        return fail_set(f, E_INTERNAL, "a park key of %zu bytes", key.n);
    mutex_lock(&s->lock);
    park_unlink_locked(c);
    memcpy(c->key, key.p, key.n);
    c->key_n = key.n;
    c->bucket = str_hash(key) % HTTP_PARK_BUCKETS;
    c->park_next = s->parks[c->bucket];
    if (c->park_next) c->park_next->park_prev = c;
    s->parks[c->bucket] = c;
    c->parked = true;
    c->woken = false;
    mutex_unlock(&s->lock);
    rq->deadline_ms = deadline_ms;
    c->wants_park = true;
    return E_OK;
}

void http_park_until(http_request *rq, int64_t deadline_ms) {
    rq->deadline_ms = deadline_ms;
}

int http_wake(http_server *s, str key) {
    if (!key.n || key.n >= HTTP_KEY_BYTES) return 0;
    int n = 0;
    mutex_lock(&s->lock);
    for (http_conn *c = s->parks[str_hash(key) % HTTP_PARK_BUCKETS]; c; c = c->park_next) {
        if (!str_eq((str){c->key, c->key_n}, key)) continue;
        c->woken = true;
        inbox_post_locked(c);
        n++;
    }
    mutex_unlock(&s->lock);
    if (n) http_nudge(s);
    return n;
}

/* api_once.c - Idempotency-Key: the same key with the same request gets the same answer, for 24
 * hours.
 *
 *     no row, no claim -> claim, run, keep what succeeded      (an error is not kept: try again)
 *     row, same digest -> its answer, with Idempotent-Replayed: true
 *     row or claim, other digest -> 422 idempotency_key_reused
 *     claim, same digest -> 409 idempotency_in_progress, Retry-After
 *
 * A key is one caller's own: of its key or user, within its tenant. Claims are of this process,
 * under one lock; they live in their request's arena. A key that was claimed when the process died
 * is free again. */
#include "api/api_keep.h"

#include "net/http_form.h"
#include "text/hash.h"

enum { KEY_BYTES_MAX = 255 };

/* ---- what the request is ---- */

static void put_field(hash_sha256_stream *s, str text) {
    unsigned char n[8];
    for (int i = 0; i < 8; i++) n[i] = (unsigned char)((uint64_t)text.n >> (8 * i));
    hash_sha256_put(s, (str){(const char *)n, sizeof n});
    hash_sha256_put(s, text.p ? text : STR(""));
}

/* A form's boundary is another at each try, so its parts are what counts. */
static err put_form(api_call *c, hash_sha256_stream *s, str type, fail *f) {
    http_part *parts;
    size_t n;
    TRY(http_form_read(c->a, type, c->rq->body, &parts, &n, f));
    for (size_t i = 0; i < n; i++) {
        put_field(s, parts[i].name);
        put_field(s, parts[i].filename);
        put_field(s, parts[i].body);
    }
    return E_OK;
}

static err digest_request(api_call *c, char out[HASH_SHA256_HEX_BYTES], fail *f) {
    hash_sha256_stream s;
    unsigned char sum[HASH_SHA256_BYTES];
    str type = http_header_get(c->rq, "content-type");
    hash_sha256_begin(&s);
    put_field(&s, c->rq->path);
    put_field(&s, http_header_get(c->rq, "prefer"));
    if (http_is_form(type))
        TRY(put_form(c, &s, type, f));
    else
        put_field(&s, c->rq->body);
    hash_sha256_end(&s, sum);
    hash_hex(sum, sizeof sum, out);
    return E_OK;
}

static err read_key(api_call *c, str key, fail *f) {
    bool bad = !key.n || key.n > KEY_BYTES_MAX;
    for (size_t i = 0; i < key.n; i++) bad |= key.p[i] < ' ' || key.p[i] > '~';
    if (bad)
        return api_refuse(c, f, "Idempotency-Key",
                          "Idempotency-Key must be 1 to %d printable ASCII characters",
                          KEY_BYTES_MAX);
    const json *stream = c->body ? json_get(c->body, "stream") : NULL;
    if (stream && stream->kind == JSON_BOOL && stream->boolean)
        return api_refuse(
            c, f, "Idempotency-Key",
            "Idempotency-Key does not go with \"stream\": true: a stream is not kept");
    return E_OK;
}

/* ---- what was there before ---- */

static err other_request(api_call *c, fail *f) {
    c->param = "Idempotency-Key";
    c->code = "idempotency_key_reused";
    return fail_set(f, E_INPUT,
                    "this Idempotency-Key came before with another request; take a new key");
}

static err give_again(api_call *c, const api_once *once, const keep_once *row, fail *f) {
    if (!str_is(row->digest, once->digest)) return other_request(c, f);
    http_reply_header(c->rp, "Idempotent-Replayed", STR("true"));
    if (row->location.n) http_reply_header(c->rp, "Location", row->location);
    buf_put(&c->out, row->answer);
    c->status = (int)row->status;
    return E_OK;
}

static err claim(api_call *c, api_once *once, fail *f) {
    api *a = c->api;
    const api_once *other;
    mutex_lock(&a->once_lock);
    for (other = a->once_claims; other; other = other->next)
        if (str_eq(other->key, once->key) && str_eq(other->actor, once->actor)) break;
    bool same = other && str_is(str_from(other->digest), once->digest);
    if (!other) {
        once->next = a->once_claims;
        a->once_claims = once;
    }
    mutex_unlock(&a->once_lock);
    if (!other) return E_OK;
    if (!same) return other_request(c, f);
    c->param = "Idempotency-Key";
    c->code = "idempotency_in_progress";
    fail_set(f, E_EXISTS, "the first request with this Idempotency-Key is being answered");
    if (f) f->retry_s = 1;
    return E_EXISTS;
}

static void unclaim(api_call *c) {
    api *a = c->api;
    mutex_lock(&a->once_lock);
    for (api_once **at = &a->once_claims; *at; at = &(*at)->next)
        if (*at == c->once) {
            *at = c->once->next;
            break;
        }
    mutex_unlock(&a->once_lock);
    c->once = NULL;
}

/* Claims first and looks second: an answer that was kept between the two is found. */
static err look(api_call *c, api_once *once, bool *answered, fail *f) {
    keep_once row;
    TRY(claim(c, once, f));
    c->once = once;
    err e = keep_once_find(c->api->o.store, once->actor, once->key, c->a, &row, answered, f);
    if (e == E_OK && *answered) e = give_again(c, once, &row, f);
    if (e != E_OK || *answered) unclaim(c);
    return e;
}

err api_once_begin(api_call *c, bool *answered, fail *f) {
    const api_deferral *d = api_deferral_of(c->rq->path);
    str key = http_header_get(c->rq, "idempotency-key");
    keep_owner who = api_owner(c);
    *answered = false;
    if (!key.p || !d || !d->once || !str_is(c->rq->method, "POST")) return E_OK;
    TRY(read_key(c, key, f));
    api_once *once = arena_new(c->a, api_once);
    if (!once) return fail_memory(f, "a key");
    once->key = key;
    once->actor = arena_printf(c->a, "%lld %lld %.*s", (long long)who.kind, (long long)who.id,
                               STR_ARG(who.tenant));
    if (!once->actor.p) return fail_memory(f, "a key");
    TRY(digest_request(c, once->digest, f));
    return look(c, once, answered, f);
}

/* ---- keeping ---- */

static err put_answer(api_call *c, store_tx *tx, fail *f) {
    keep_once row = {.actor = c->once->actor,
                     .key = c->once->key,
                     .digest = str_from(c->once->digest),
                     .status = c->status ? c->status : 200,
                     .location = c->location,
                     .answer = buf_str(&c->out),
                     .subject = api_subject_of(c->body)};
    TRY(keep_once_add(tx, &row, f));
    c->once->kept = true;
    return E_OK;
}

static err keep_answer(api_call *c, fail *f) {
    store_tx *tx;
    TRY(buf_ok(&c->out, f));
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    return keep_finish(tx, put_answer(c, tx, f), f);
}

err api_once_end(api_call *c, err e, fail *f) {
    if (!c->once) return e;
    if (e == E_OK && !c->done && !c->once->kept) e = keep_answer(c, f);
    unclaim(c);
    return e;
}

err api_keep_commit(api_call *c, store_tx *tx, err e, fail *f) {
    if (e == E_OK) e = buf_ok(&c->out, f);
    if (e == E_OK && c->once) e = put_answer(c, tx, f);
    return keep_finish(tx, e, f);
}

/* http_live.c - what can change while the server serves: who may speak to it, limits, certificates.
 *
 * A change is made aside as one immutable piece, handed over under the server's lock and swapped in
 * by the loop between two turns; the loop alone reads it, so nothing is locked for a request. */
#include "base/mem.h"
#include "net/http_int.h"
#include "net/http_tls.h"

static err copy_names(arena *a, const char *const *names, size_t n, const char *const **out,
                      fail *f) {
    const char **all = arena_new_n(a, const char *, n + 1);
    if (!all) return fail_memory(f, "the server's rules");
    for (size_t i = 0; i < n; i++)
        if (!(all[i] = arena_z(a, str_from(names[i])))) return fail_memory(f, "the server's rules");
    *out = all;
    return E_OK;
}

static int64_t or_ms(int64_t ms, int64_t usual) {
    return ms > 0 ? ms : usual;
}

static err fill(http_rules *r, const http_live *live, fail *f) {
    r->origin.hosts_n = live->hosts_n;
    r->origin.origins_n = live->origins_n;
    r->body_bytes_max = live->body_bytes_max ? live->body_bytes_max : HTTP_BODY_BYTES;
    r->header_ms_max = or_ms(live->header_ms_max, HTTP_HEADER_MS);
    r->body_ms_max = or_ms(live->body_ms_max, HTTP_BODY_MS);
    r->sse_ping_ms = live->sse_ping_ms > 0 ? live->sse_ping_ms : 0;
    r->idle_ms_max = or_ms(live->idle_ms_max, HTTP_IDLE_MS);
    TRY(copy_names(&r->arena, live->hosts, live->hosts_n, &r->origin.hosts, f));
    return copy_names(&r->arena, live->origins, live->origins_n, &r->origin.origins, f);
}

err http_rules_make(http_rules **out, const http_live *live, fail *f) {
    http_rules *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "the server's rules");
    arena_init(&r->arena, 256);
    err e = fill(r, live, f);
    if (e == E_OK)
        *out = r;
    else
        http_rules_free(r);
    return e;
}

void http_rules_free(http_rules *r) {
    if (!r) return;
    arena_deinit(&r->arena);
    mem_free(r);
}

void http_rules_use(http_server *s, http_rules *r) {
    http_rules_free(s->rules);
    s->rules = r;
    atomic_store(&s->sse_ping_ms, r->sse_ping_ms);
    s->limits.body_bytes_max = r->body_bytes_max;
}

err http_server_change(http_server *s, const http_live *live, fail *f) {
    http_rules *r;
    TRY(http_rules_make(&r, live, f));
    err e = s->tls ? http_tls_reload(s->tls, live->tls_cert, live->tls_key, f) : E_OK;
    if (e != E_OK) {
        http_rules_free(r);
        return e;
    }
    mutex_lock(&s->lock);
    http_rules *unused = s->next_rules; /* the loop did not come to it */
    s->next_rules = r;
    mutex_unlock(&s->lock);
    http_rules_free(unused);
    http_nudge(s);
    return E_OK;
}

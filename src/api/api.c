/* api.c - the route table and what happens to every request: key, route, body, answer.
 *
 * One table says what exists; a path that matches with another method is 405, none is 404. A route
 * writes JSON into the call's buffer and returns; errors become OpenAI's shape in one place. */
#include "api/api_keep.h"
#include "api/api_routes.h"
#include "api/api_who.h"

#include "base/clock.h"
#include "base/mem.h"

static const api_route_row routes[] = {
    {"POST", "/v1/chat/completions", api_chat_completions, WHO_CHAT},
    {"POST", "/v1/completions", api_completions, WHO_CHAT},
    {"POST", "/v1/embeddings", api_embeddings, WHO_EMBED},
    {"POST", "/v1/rerank", api_rerank, WHO_EMBED},
    {"POST", "/rerank", api_rerank, WHO_EMBED},
    {"POST", "/v2/rerank", api_rerank, WHO_EMBED},
    {"POST", "/v1/systemone", api_decide, WHO_CHAT},
    {"POST", "/v1/decide", api_decide, WHO_CHAT},
    {"GET", "/v1/models", api_model_list, WHO_MODELS},
    {"GET", "/v1/models/**", api_model_get, WHO_MODELS},
    {"POST", "/v1/models/load", api_model_load, WHO_ADMIN},
    {"POST", "/v1/models/unload", api_model_unload, WHO_ADMIN},
    {"GET", "/health", api_health, WHO_OPEN},
    {"GET", "/v1/answers/*", api_answer_get, WHO_ASK},
    {"GET", "/v1/tasks", api_task_list, WHO_TASK_SEE},
    {"GET", "/v1/tasks/*", api_task_get, WHO_TASK_SEE},
    {"POST", "/v1/tasks/*/mode", api_task_mode, WHO_TASK_CHANGE},
    {"POST", "/v1/tasks/*/ask", api_task_ask, WHO_ASK},
    {"POST", "/v1/tasks/*/reply", api_task_reply, WHO_TASK_CHANGE},
    {"GET", "/v1/reviews", api_review_list, WHO_REVIEW_SEE},
    {"GET", "/v1/reviews/*", api_review_get, WHO_REVIEW_SEE},
    {"POST", "/v1/reviews/*/claim", api_review_claim, WHO_REVIEW},
    {"POST", "/v1/reviews/*/release", api_review_release, WHO_REVIEW},
    {"POST", "/v1/reviews/*/answer", api_review_answer, WHO_REVIEW},
    {"POST", "/v1/reviews/*/correct", api_review_correct, WHO_CORRECT},
    {"POST", "/v1/reviews/*/unlearn", api_review_unlearn, WHO_CORRECT},
    {"GET", "/v1/requests", api_request_list, WHO_RECORD},
    {"GET", "/v1/requests/*", api_request_get, WHO_RECORD},
    {"POST", "/v1/requests/*/verdict", api_request_verdict, WHO_VERDICT},
    {"GET", "/v1/cost", api_cost, WHO_RECORD},
    {"POST", "/v1/login", api_login, WHO_OPEN},
    {"POST", "/v1/logout", api_logout, WHO_SELF},
    {"POST", "/v1/password", api_password, WHO_SELF},
    {"GET", "/v1/me", api_me, WHO_OPEN},
    {"GET", "/", api_page, WHO_OPEN},
    {"GET", "/index.html", api_page, WHO_OPEN},
    {"GET", "/app.css", api_page, WHO_OPEN},
    {"GET", "/app.js", api_page, WHO_OPEN},
    {"GET", "/favicon.ico", api_no_icon, WHO_OPEN},
    {"POST", "/v1/messages", api_messages, WHO_CHAT},
    {"POST", "/v1/messages/count_tokens", api_messages_count, WHO_CHAT},
    {"POST", "/api/chat", api_ollama_chat, WHO_CHAT},
    {"POST", "/api/generate", api_ollama_generate, WHO_CHAT},
    {"POST", "/api/embed", api_ollama_embed, WHO_EMBED},
    {"POST", "/api/embeddings", api_ollama_embeddings, WHO_EMBED},
    {"GET", "/api/tags", api_ollama_tags, WHO_MODELS},
    {"POST", "/api/show", api_ollama_show, WHO_MODELS},
    {"GET", "/api/ps", api_ollama_ps, WHO_MODELS},
    {"GET", "/api/version", api_ollama_version, WHO_OPEN},
    {"POST", "/api/pull", api_ollama_elsewhere, WHO_MODELS},
    {"POST", "/api/push", api_ollama_elsewhere, WHO_MODELS},
    {"POST", "/api/create", api_ollama_elsewhere, WHO_MODELS},
    {"POST", "/api/copy", api_ollama_elsewhere, WHO_MODELS},
    {"DELETE", "/api/delete", api_ollama_elsewhere, WHO_MODELS},
    {"POST", "/api/blobs/*", api_ollama_elsewhere, WHO_MODELS},
    {"GET", "/metrics", api_metrics, WHO_METRICS},
    {"GET", "/ready", api_ready, WHO_OPEN},
    {"GET", "/healthz/live", api_live, WHO_OPEN},
    {"GET", "/healthz/ready", api_ready, WHO_OPEN},
    {"POST", "/tokenize", api_tokenize, WHO_CHAT},
    {"POST", "/detokenize", api_detokenize, WHO_CHAT},
    {"GET", "/openapi.json", api_description, WHO_OPEN},
    {"POST", "/v1/responses", api_responses, WHO_CHAT},
    {"POST", "/v1/responses/input_tokens", api_response_count, WHO_CHAT},
    {"GET", "/v1/responses/*", api_response_get, WHO_CHAT},
    {"DELETE", "/v1/responses/*", api_response_delete, WHO_CHAT},
    {"POST", "/v1/responses/*/cancel", api_response_cancel, WHO_CHAT},
    {"GET", "/v1/responses/*/input_items", api_response_items, WHO_CHAT},
    {"POST", "/v1/files", api_file_add, WHO_FILES},
    {"GET", "/v1/files", api_file_list, WHO_FILES},
    {"GET", "/v1/files/*", api_file_get, WHO_FILES},
    {"GET", "/v1/files/*/content", api_file_content, WHO_FILES},
    {"DELETE", "/v1/files/*", api_file_delete, WHO_FILES},
    {"POST", "/v1/batches", api_batch_add, WHO_FILES},
    {"GET", "/v1/batches", api_batch_list, WHO_FILES},
    {"GET", "/v1/batches/*", api_batch_get, WHO_FILES},
    {"POST", "/v1/batches/*/cancel", api_batch_cancel, WHO_FILES},
    {"GET", "/v1/async/*", api_async_get, WHO_SELF},
    {"DELETE", "/v1/async/*", api_async_delete, WHO_SELF},
};
enum { AGAIN_BYTES = 2048 };
_Static_assert(sizeof routes / sizeof *routes < API_METER_ROUTES,
               "the meter has a place for each, and one more");

/* ---- life ---- */

err api_open(api **out, const api_options *o, fail *f) {
    CHECK(o->store && o->audit && o->desk && o->models.list);
    if (o->require_key && !o->key.n && !o->who)
        return fail_set(f, E_USAGE, "a key is required here, and none is set");
    api *a = mem_zero(sizeof *a);
    if (!a) return fail_memory(f, "the API");
    a->o = *o;
    a->routes = routes;
    a->routes_n = sizeof routes / sizeof *routes;
    a->started_ms = clock_now_ms();
    api_health_init(a);
    arena_init(&a->arena, 1024);
    mutex_init(&a->once_lock);
    mutex_init(&a->access_lock);
    a->o.url_base = arena_str(&a->arena, o->url_base);
    a->o.build = arena_str(&a->arena, o->build);
    err e = api_set_access(a, o->key, o->origins, o->origins_n, f);
    if (e == E_OK && (!a->o.url_base.p || !a->o.build.p)) e = fail_memory(f, "the API");
    if (e == E_OK) e = api_answer_open(a, f);
    if (e == E_OK && o->background) e = api_runner_open(&a->runner, a, f);
    if (e == E_OK)
        *out = a;
    else
        api_close(a);
    return e;
}

void api_close(api *a) {
    if (!a) return;
    api_runner_close(a->runner);
    api_health_deinit(a);
    api_access_close(a);
    mutex_deinit(&a->access_lock);
    mutex_deinit(&a->once_lock);
    arena_deinit(&a->arena);
    mem_free(a);
}

void api_stop(api *a) {
    api_runner_stop(a->runner);
}

void api_set_server(api *a, http_server *server) {
    atomic_store(&a->server, server);
}

/* ---- finding the route ---- */

static err no_route(api_call *c, const api_allowed *allow, fail *f) {
    if (!allow->text[0]) {
        c->code = "not_found";
        fail_set(f, E_NOT_FOUND, "there is nothing at %.*s %.*s", STR_ARG(c->rq->method),
                 STR_ARG(str_slice(c->rq->path, 0, 200)));
        return fail_hint(f, "docs/api.md lists the routes");
    }
    http_reply_header(c->rp, "Allow", str_from(allow->text));
    c->code = "method_not_allowed";
    return fail_set(f, E_INPUT, "%.*s is not done at %.*s; what is: %s", STR_ARG(c->rq->method),
                    STR_ARG(str_slice(c->rq->path, 0, 200)), allow->text);
}

/* ---- body ---- */

/* How large it may be is the server's matter (http_limits). */
static err read_body(api_call *c, fail *f) {
    const api_deferral *d = api_deferral_of(c->rq->path);
    if (!str_is(c->rq->method, "POST")) return E_OK;
    if (d && d->form) return E_OK; /* its route reads it */
    TRY(api_check_type(c, f));
    str text = str_trim(c->rq->body);
    c->code = "invalid_json";
    TRY(json_parse(c->a, text.n ? text : STR("{}"), &c->body, f));
    if (c->body->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT, "the body is %s, not an object", json_kind_name(c->body->kind));
    c->code = NULL;
    return E_OK;
}

/* ---- one request ---- */

static err dispatch(api_call *c, fail *f) {
    api_allowed allow;
    c->route = api_route_find(c->api, c->rq->method, c->rq->path, &c->arg, &allow);
    if (!c->route) return no_route(c, &allow, f);
    TRY(api_authorise(c, c->route->action, f));
    TRY(read_body(c, f));
    bool answered;
    TRY(api_once_begin(c, &answered, f));
    if (answered) return buf_ok(&c->out, f);
    err e = api_async_take(c, &answered, f);
    if (e == E_OK && !answered) e = c->route->run(c, f);
    TRY(api_once_end(c, e, f));
    return c->done ? E_OK : buf_ok(&c->out, f);
}

static void handle(api *a, http_request *rq, http_reply *rp, arena *mem) {
    fail f = {0};
    api_told told;
    api_call c = {.api = a, .rq = rq, .rp = rp, .a = mem};
    c.w = (json_writer){.out = &c.out};
    c.dialect = api_dialect_of(rq->path);
    if (c.dialect->id_header) http_reply_header(rp, c.dialect->id_header, str_from(rq->id));
    api_put_safety(rp);
    if (api_cors(&c)) return;
    api_trace_begin(&c, &told);
    err e = dispatch(&c, &f);
    if (e != E_OK) told.error = api_error_word(&c, e);
    api_who_settle(&c);
    if (e != E_OK && !rp->sent)
        api_error_send(&c, &f);
    else if (e == E_OK && !c.done) {
        api_put_duration(&c);
        (void)!http_send(rp, c.status ? c.status : 200, "application/json", buf_str(&c.out),
                         NULL); /* or the client left */
    }
    api_meter_request(&c);
    api_trace_end(&c);
    buf_deinit(&c.out);
}

/* What a parked request needs to look once more would pile up in the request's arena. */
void api_handle(void *ctx, http_request *rq, http_reply *rp) {
    arena again;
    if (!rq->wakes) {
        handle(ctx, rq, rp, rq->arena);
        return;
    }
    arena_init(&again, AGAIN_BYTES);
    handle(ctx, rq, rp, &again);
    arena_deinit(&again);
}

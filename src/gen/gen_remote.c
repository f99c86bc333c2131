/* gen_remote.c - OpenAI-compatible client; see gen_remote.h. OpenAI's field names stand here, in
 * gen_remote_*.c and in api/ only. */
#include "gen/gen_remote.h"

#include "base/mem.h"
#include "gen/gen_remote_int.h"
#include "net/http_client.h"
#include "net/url.h"

enum { REMOTE_TIMEOUT_MS = 20000, REMOTE_CONNECT_MS = 5000 };

struct gen_remote {
    arena arena;
    const char *url;
    str authorization, model;
    int64_t timeout_ms;
    int32_t retries;
};

err gen_remote_open(gen_remote **out, const gen_remote_options *o, fail *f) {
    if (!url_has_scheme(o->url, "http") && !url_has_scheme(o->url, "https")) {
        fail_set(f, E_INPUT, "the large tier's url \"%.*s\" is not an http(s) address",
                 STR_ARG(o->url));
        return fail_hint(f, "write it as https://host/v1");
    }
    gen_remote *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "a remote model");
    arena_init(&r->arena, 1024);
    str base = o->url;
    while (str_ends(base, STR("/"))) base.n--;
    r->url = arena_printf(&r->arena, "%.*s/chat/completions", STR_ARG(base)).p;
    r->authorization = o->key.n ? arena_printf(&r->arena, "Bearer %.*s", STR_ARG(o->key)) : STR("");
    r->model = arena_str(&r->arena, o->model);
    r->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : REMOTE_TIMEOUT_MS;
    r->retries = o->retries;
    if (!r->url || !r->authorization.p || !r->model.p) {
        gen_remote_close(r);
        return fail_memory(f, "a remote model");
    }
    *out = r;
    return E_OK;
}

void gen_remote_close(gen_remote *r) {
    if (!r) return;
    arena_deinit(&r->arena);
    mem_free(r);
}

static void put_call(json_writer *w, const gen_call *call) {
    json_begin_object(w);
    json_field_str(w, "id", call->id);
    json_field_text(w, "type", STR("function"));
    json_key(w, "function");
    json_begin_object(w);
    json_field_str(w, "name", call->name);
    json_field_str(w, "arguments", call->arguments);
    json_end_object(w);
    json_end_object(w);
}

/* Calls of an assistant, and whose result a tool's message is. */
static void put_call_fields(json_writer *w, const gen_message *m) {
    if (m->role == GEN_TOOL) json_field_str(w, "tool_call_id", m->call_id);
    if (!m->n_calls) return;
    json_key(w, "tool_calls");
    json_begin_array(w);
    for (size_t i = 0; i < m->n_calls; i++) put_call(w, &m->calls[i]);
    json_end_array(w);
}

static void put_tool(json_writer *w, const gen_tool *tool) {
    json_begin_object(w);
    json_field_text(w, "type", STR("function"));
    json_key(w, "function");
    json_begin_object(w);
    json_field_str(w, "name", tool->name);
    if (tool->description.n) json_field_str(w, "description", tool->description);
    json_key(w, "parameters");
    if (tool->parameters)
        json_put_value(w, tool->parameters);
    else
        json_put_raw(w, STR("{\"type\":\"object\",\"properties\":{}}"));
    json_end_object(w);
    json_end_object(w);
}

static void put_choice(json_writer *w, const gen_request *rq) {
    json_key(w, "tool_choice");
    if (rq->tool_choice != GEN_TOOLS_ONE) {
        json_put_z(w, rq->tool_choice == GEN_TOOLS_REQUIRED ? "required" : "auto");
        return;
    }
    json_begin_object(w);
    json_field_text(w, "type", STR("function"));
    json_key(w, "function");
    json_begin_object(w);
    json_field_str(w, "name", rq->tool_name);
    json_end_object(w);
    json_end_object(w);
}

static void put_tools(json_writer *w, const gen_request *rq) {
    if (!rq->n_tools || rq->tool_choice == GEN_TOOLS_NONE) return;
    json_key(w, "tools");
    json_begin_array(w);
    for (size_t i = 0; i < rq->n_tools; i++) put_tool(w, &rq->tools[i]);
    json_end_array(w);
    put_choice(w, rq);
    if (rq->one_call) json_field_bool(w, "parallel_tool_calls", false);
}

/* A stream tells its usage when asked to, and only then. */
static void put_stream(json_writer *w, bool streams) {
    json_field_bool(w, "stream", streams);
    if (!streams) return;
    json_key(w, "stream_options");
    json_begin_object(w);
    json_field_bool(w, "include_usage", true);
    json_end_object(w);
}

static void put_body(buf *b, const gen_remote *r, const gen_request *rq, bool streams) {
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    json_writer w = {.out = b};
    json_begin_object(&w);
    json_field_str(&w, "model", rq->model.n ? rq->model : r->model);
    json_key(&w, "messages");
    json_begin_array(&w);
    for (size_t i = 0; i < rq->n_messages; i++) {
        json_begin_object(&w);
        json_field_z(&w, "role", roles[rq->messages[i].role]);
        json_field_str(&w, "content",
                       rq->messages[i].content.p ? rq->messages[i].content : STR(""));
        put_call_fields(&w, &rq->messages[i]);
        json_end_object(&w);
    }
    json_end_array(&w);
    put_tools(&w, rq);
    if (rq->max_tokens > 0) json_field_int(&w, "max_tokens", rq->max_tokens);
    json_field_double(&w, "temperature", rq->sampling.temperature);
    json_field_double(&w, "top_p", rq->sampling.top_p);
    put_stream(&w, streams);
    json_end_object(&w);
}

static bool client_gone(void *ctx) {
    const gen_remote_stream *s = ctx;
    return s->rq->gone && s->rq->gone(s->rq->gone_ctx);
}

static bool keep_going(void *ctx, int64_t bytes, int64_t total) {
    (void)bytes, (void)total;
    return !client_gone(ctx);
}

static bool take_bytes(void *ctx, str bytes) {
    return gen_remote_stream_take(ctx, bytes);
}

/* ---- asking ---- */

/* s: where the answer's bytes go as they come, when the request has a sink. */
static err ask(gen_remote *r, gen_remote_stream *s, str body, http_answer *out, fail *f) {
    const gen_request *rq = s->rq;
    http_field fields[4] = {{"Content-Type", STR("application/json")}};
    size_t n = 1;
    if (r->authorization.n) fields[n++] = (http_field){"Authorization", r->authorization};
    if (rq->traceparent.n) fields[n++] = (http_field){"traceparent", rq->traceparent};
    if (rq->tracestate.n) fields[n++] = (http_field){"tracestate", rq->tracestate};
    http_call call = {.url = r->url,
                      .body = body,
                      .fields = fields,
                      .fields_n = n,
                      .connect_ms_max =
                          REMOTE_CONNECT_MS < r->timeout_ms ? REMOTE_CONNECT_MS : r->timeout_ms,
                      .total_ms_max = r->timeout_ms,
                      .stall_ms_max = r->timeout_ms,
                      .body_bytes_max = GEN_REMOTE_REPLY_BYTES_MAX,
                      .redirects_max = -1, /* a key does not follow a redirect */
                      .sink = s->sink.put ? take_bytes : NULL,
                      .progress = keep_going,
                      .ctx = s};
    http_retry retry = {.tries_max = r->retries + 1,
                        .total_ms_max = r->timeout_ms,
                        .cancelled = client_gone,
                        .ctx = s};
    TRY(http_ask_retry(rq->arena, &call, &retry, out, f));
    return http_status_err(&call, out, f);
}

/* An answer that came whole, as events: the text, and each call. */
static err send(gen_sink sink, const gen_reply *r, fail *f) {
    if (r->text.n || !r->n_calls) TRY(sink.put(sink.self, &(gen_event){.text = r->text}, f));
    for (size_t i = 0; i < r->n_calls; i++) {
        gen_event event = {
            .text = STR(""), .call = &r->calls[i], .call_index = i, .call_begins = true};
        TRY(sink.put(sink.self, &event, f));
        event.call_begins = false;
        event.text = r->calls[i].arguments;
        TRY(sink.put(sink.self, &event, f));
    }
    return E_OK;
}

/* What a server answers with that streams nothing, though it was asked to. */
static err read_plain(gen_remote_stream *s, gen_reply *out, fail *f) {
    TRY(buf_ok(&s->body, f));
    str body = arena_str(s->rq->arena, buf_str(&s->body)); /* the reply points into it */
    if (!body.p) return fail_memory(f, "an answer");
    TRY(gen_remote_read_reply(s->rq, body, out, f));
    return send(s->sink, out, f);
}

static err converse(gen_remote *r, gen_remote_stream *s, gen_reply *out, fail *f) {
    http_answer answer;
    buf body = {0};
    put_body(&body, r, s->rq, s->sink.put != NULL);
    err e = buf_ok(&body, f);
    if (e == E_OK) e = ask(r, s, buf_str(&body), &answer, f);
    buf_deinit(&body);
    if (s->sink.put && !(s->plain && e == E_OK)) return gen_remote_stream_end(s, e, out, f);
    TRY(e);
    return s->plain ? read_plain(s, out, f) : gen_remote_read_reply(s->rq, answer.body, out, f);
}

static err generate(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    gen_remote_stream s;
    TRY(gen_remote_stream_open(&s, rq, sink, f));
    err e = converse(self, &s, out, f);
    gen_remote_stream_close(&s);
    return e;
}

gen_provider gen_remote_provider(gen_remote *r) {
    return (gen_provider){
        .name = "remote", .self = r, .url = str_from(r->url), .generate = generate};
}

/* api_trace.c - what is told of a request beside its answer: spans, gen_ai.* metrics, a log line.
 *
 *     POST /v1/chat/completions            SERVER: from the head to the last byte
 *       chat smollm2                       INTERNAL: one generation, or a task's cascade
 *         queue, prefill, decode           what the engine did for it
 *         tier slm, tier human             steps of a task
 *         chat gpt-5-mini                  CLIENT: another server's model was asked (tier llm)
 *
 * Names follow HTTP's conventions (stable) and those for generative AI (in development, 2026-11;
 * here and in otel/otel_metric.c alone). Nothing of a question or an answer is told, nor who asked,
 * unless the options say content: then two attributes hold the messages.
 *
 * Runs on the request's worker, behind the answer's last byte where it can. */
#include "api/api_chat.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/url.h"

#include <math.h>
#include <stdio.h>

enum { LEFT = 499, CONTENT_BYTES_MAX = 64 << 10, PEER_NAME_BYTES_MAX = 255 };

int api_status_of(const api_call *c) {
    if (c->rp->sent || c->inside) return c->rp->status;
    return http_gone(c->rq) ? LEFT : 0;
}

static bool is_kept(const api_call *c) {
    return c->api->o.otel && c->told->of.flags & OTEL_SAMPLED;
}

/* ---- the head ---- */

void api_trace_begin(api_call *c, api_told *told) {
    char trace[OTEL_TRACE_BYTES], parent[OTEL_PARENT_BYTES];
    *told = (api_told){.model = STR("")};
    c->told = told;
    otel_context_of(str_from(c->rq->id), http_header_get(c->rq, "traceparent"),
                    http_header_get(c->rq, "tracestate"), &told->of);
    if (c->api->o.otel) otel_sample(c->api->o.otel, &told->of);
    otel_trace_text(&told->of, trace);
    log_set_request(c->rq->id, trace);
    otel_parent_text(&told->of, told->of.span, parent);
    http_reply_header(c->rp, "traceparent", str_from(parent));
}

/* ---- one generation ---- */

err api_trace_name(const api_call *c, gen_request *rq, fail *f) {
    char trace[OTEL_TRACE_BYTES];
    otel_trace_text(&c->told->of, trace);
    rq->trace_id = arena_str(rq->arena, str_from(trace));
    return rq->trace_id.p ? E_OK : fail_memory(f, "a request's id");
}

err api_trace_open(api_chat *chat, fail *f) {
    const api_call *c = chat->call;
    const otel_context *of = &c->told->of;
    gen_request *rq = &chat->request;
    char parent[OTEL_PARENT_BYTES];
    TRY(api_trace_name(c, rq, f));
    if (!is_kept(c)) return E_OK;
    chat->span = otel_span_id(c->api->o.otel);
    chat->asked_span = otel_span_id(c->api->o.otel);
    otel_parent_text(of, chat->asked_span, parent);
    rq->traceparent = arena_str(rq->arena, str_from(parent));
    rq->tracestate = of->state;
    return rq->traceparent.p ? E_OK : fail_memory(f, "a request's id");
}

static str operation_of(const api_chat *chat) {
    if (chat->how) return STR("decide");
    return chat->request.raw ? STR("text_completion") : STR("chat");
}

static str finish_of(gen_finish x) {
    static const char *const names[] = {[GEN_STOP] = "stop",
                                        [GEN_LENGTH] = "length",
                                        [GEN_FINISH_CANCELLED] = "cancelled",
                                        [GEN_CALLS] = "tool_calls"};
    return str_from(names[x]);
}

static void put_server(otel_spans *s, str host, int port) {
    if (!host.n || host.n > PEER_NAME_BYTES_MAX) return;
    otel_put_text(s, "server.address", host);
    if (port) otel_put_int(s, "server.port", port);
}

static void put_this_server(otel_spans *s, const api_call *c) {
    str host;
    int port;
    url_host_port(c->rq->host.p ? c->rq->host : STR(""), &host, &port);
    put_server(s, host, port);
}

static void put_asked(otel_spans *s, const api_chat *chat) {
    const gen_request *rq = &chat->request;
    const gen_sampling *g = &rq->sampling;
    bool json_wanted = rq->shape.kind == GEN_SHAPE_JSON || rq->shape.kind == GEN_SHAPE_SCHEMA;
    otel_put_text(s, "gen_ai.request.model", rq->model);
    if (chat->n > 1) otel_put_int(s, "gen_ai.request.choice.count", chat->n);
    if (chat->stream) otel_put_bool(s, "gen_ai.request.stream", true);
    if (json_wanted) otel_put_text(s, "gen_ai.output.type", STR("json"));
    if (chat->is_task) return; /* what follows is the model's */
    if (rq->max_tokens > 0) otel_put_int(s, "gen_ai.request.max_tokens", rq->max_tokens);
    otel_put_double(s, "gen_ai.request.temperature", g->temperature);
    otel_put_double(s, "gen_ai.request.top_p", g->top_p);
    if (g->top_k > 0) otel_put_double(s, "gen_ai.request.top_k", (double)g->top_k);
    if (g->frequency_penalty < 0 || g->frequency_penalty > 0)
        otel_put_double(s, "gen_ai.request.frequency_penalty", g->frequency_penalty);
    if (g->presence_penalty < 0 || g->presence_penalty > 0)
        otel_put_double(s, "gen_ai.request.presence_penalty", g->presence_penalty);
}

static void put_answered(otel_spans *s, const api_chat *chat, const gen_reply *r, double first_s) {
    str finish = finish_of(r->finish);
    otel_put_text(s, "gen_ai.response.id", chat->id.p ? chat->id : STR(""));
    otel_put_text(s, "gen_ai.response.model", r->model.p ? r->model : STR(""));
    otel_put_list(s, "gen_ai.response.finish_reasons", &finish, 1);
    if (chat->stream) otel_put_double(s, "gen_ai.response.time_to_first_chunk", first_s);
    otel_put_int(s, "gen_ai.usage.input_tokens", r->prompt_tokens);
    otel_put_int(s, "gen_ai.usage.output_tokens", r->completion_tokens);
    if (r->timings.known_tokens > 0)
        otel_put_int(s, "gen_ai.usage.cache_read.input_tokens", r->timings.known_tokens);
    if (r->reasoning_tokens > 0)
        otel_put_int(s, "gen_ai.usage.reasoning.output_tokens", r->reasoning_tokens);
}

/* [{"role":"user","parts":[{"type":"text","content":"..."}]}], as an attribute's text. */
static void put_messages(otel_spans *s, const char *key, const gen_message *m, size_t n,
                         const char *finish) {
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    buf b = {.bytes_max = CONTENT_BYTES_MAX};
    json_writer w = {.out = &b};
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w);
        json_field_str(&w, "role", str_from(roles[m[i].role]));
        json_key(&w, "parts");
        json_begin_array(&w);
        json_begin_object(&w);
        json_field_str(&w, "type", STR("text"));
        json_field_str(&w, "content", m[i].content.p ? m[i].content : STR(""));
        json_end_object(&w);
        json_end_array(&w);
        if (finish) json_field_str(&w, "finish_reason", str_from(finish));
        json_end_object(&w);
    }
    json_end_array(&w);
    if (!b.failed) otel_put_text(s, key, buf_str(&b)); /* one that is too long is left out */
    buf_deinit(&b);
}

static void put_content(otel_spans *s, const api_chat *chat, err e, const gen_reply *r) {
    const gen_request *rq = &chat->request;
    gen_message said = {.role = GEN_ASSISTANT, .content = r->text};
    put_messages(s, "gen_ai.input.messages", rq->messages, rq->n_messages, NULL);
    if (e == E_OK) put_messages(s, "gen_ai.output.messages", &said, 1, finish_of(r->finish).p);
}

/* What the engine did: each is left out where its two ends are not known. */
static void put_phase(otel_spans *s, const api_chat *chat, const char *name, int64_t start_ns,
                      int64_t end_ns, const char *key, int64_t tokens) {
    const api_call *c = chat->call;
    if (!start_ns || end_ns < start_ns) return;
    otel_span_begin(s, &(otel_span){.of = &c->told->of,
                                    .id = otel_span_id(c->api->o.otel),
                                    .parent = chat->span,
                                    .kind = OTEL_INTERNAL,
                                    .name = str_from(name),
                                    .start_ns = start_ns,
                                    .end_ns = end_ns});
    if (key) otel_put_int(s, key, tokens);
    otel_span_end(s);
}

static void put_phases(otel_spans *s, const api_chat *chat, const gen_reply *r) {
    const gen_timings *t = &r->timings;
    int64_t known = t->known_tokens > 0 ? t->known_tokens : 0;
    put_phase(s, chat, "queue", t->submitted_ns, t->started_ns, NULL, 0);
    put_phase(s, chat, "prefill", t->started_ns, t->first_ns, "bantam.computed_tokens",
              r->prompt_tokens - known);
    put_phase(s, chat, "decode", t->first_ns, t->last_ns, "gen_ai.usage.output_tokens",
              r->completion_tokens);
}

/* ---- steps of a task ---- */

/* Who runs a server, as the conventions call them; a server that nobody knows speaks OpenAI's. */
static str provider_of(str host) {
    static const struct {
        const char *end, *name;
    } known[] = {{"openai.azure.com", "azure.ai.openai"},
                 {"openai.com", "openai"},
                 {"anthropic.com", "anthropic"},
                 {"mistral.ai", "mistral_ai"},
                 {"groq.com", "groq"},
                 {"deepseek.com", "deepseek"},
                 {"x.ai", "x_ai"},
                 {"perplexity.ai", "perplexity"},
                 {"moonshot.ai", "moonshot_ai"},
                 {"cohere.com", "cohere"},
                 {"googleapis.com", "gcp.gen_ai"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_ends(host, str_from(known[i].end))) return str_from(known[i].name);
    return STR("openai_compatible");
}

static bool was_asked(const gen_step *step) {
    return step->tier == GEN_TIER_LLM && step->url.n && step->outcome != GEN_SKIPPED;
}

static void count_asked(const api_call *c, const gen_step *step, str host) {
    bool failed = step->outcome == GEN_FAILED;
    otel_count(c->api->o.otel,
               &(otel_operation){.operation = STR("chat"),
                                 .provider = provider_of(host),
                                 .request_model = step->model,
                                 .address = host,
                                 .error = failed ? gen_reason_code(step->reason) : NULL,
                                 .duration_s = (double)step->latency_us * 1e-6,
                                 .first_token_s = (double)NAN,
                                 .per_token_s = (double)NAN,
                                 .input_tokens = step->tokens_in ? step->tokens_in : -1,
                                 .output_tokens = step->tokens_out ? step->tokens_out : -1});
}

static void put_step(otel_spans *s, const api_chat *chat, const gen_step *step) {
    const api_call *c = chat->call;
    bool asked = was_asked(step), failed = step->outcome == GEN_FAILED;
    str host = STR(""), name;
    int port = 0;
    if (asked) url_server(step->url, &host, &port);
    name = asked ? arena_printf(c->a, "chat %.*s", STR_ARG(step->model))
                 : arena_printf(c->a, "tier %s", gen_tier_name(step->tier));
    otel_span_begin(s, &(otel_span){.of = &c->told->of,
                                    .id = asked ? chat->asked_span : otel_span_id(c->api->o.otel),
                                    .parent = chat->span,
                                    .kind = asked ? OTEL_CLIENT : OTEL_INTERNAL,
                                    .name = name.p ? name : STR("tier"),
                                    .start_ns = step->start_ns,
                                    .end_ns = step->start_ns + step->latency_us * 1000,
                                    .error = failed ? gen_reason_code(step->reason) : NULL});
    otel_put_text(s, "bantam.tier", str_from(gen_tier_name(step->tier)));
    otel_put_text(s, "bantam.outcome", str_from(gen_outcome_name(step->outcome)));
    if (step->reason) otel_put_text(s, "bantam.reason", str_from(gen_reason_code(step->reason)));
    otel_put_double(s, "bantam.confidence", step->confidence);
    otel_put_double(s, "bantam.threshold", step->threshold);
    otel_put_double(s, "bantam.cost.usd", step->cost_usd);
    if (asked) {
        otel_put_text(s, "gen_ai.operation.name", STR("chat"));
        otel_put_text(s, "gen_ai.provider.name", provider_of(host));
        put_server(s, host, port);
    }
    otel_put_text(s, "gen_ai.request.model", step->model.p ? step->model : STR(""));
    if (step->tokens_in) otel_put_int(s, "gen_ai.usage.input_tokens", step->tokens_in);
    if (step->tokens_out) otel_put_int(s, "gen_ai.usage.output_tokens", step->tokens_out);
    otel_span_end(s);
}

static void put_steps(otel_spans *s, const api_chat *chat, const gen_trace *t) {
    for (size_t i = 0; i < t->n_steps; i++)
        if (t->steps[i].start_ns) put_step(s, chat, &t->steps[i]);
}

static void put_decision(otel_spans *s, const gen_trace *t) {
    otel_put_text(s, "bantam.tier", str_from(gen_tier_name(t->tier)));
    if (t->reason) otel_put_text(s, "bantam.reason", str_from(gen_reason_code(t->reason)));
    otel_put_double(s, "bantam.confidence", t->confidence);
    otel_put_double(s, "bantam.cost.usd", t->cost_usd);
    otel_put_bool(s, "bantam.review.required", t->review.n > 0);
}

/* ---- behind a generation ---- */

static void put_generation(otel_spans *s, const api_chat *chat, err e, const char *error,
                           int64_t start_ns, int64_t end_ns, double first_s,
                           const gen_exchange *x) {
    const api_call *c = chat->call;
    const gen_trace *t = chat->is_task ? x->trace : NULL;
    str operation = operation_of(chat);
    str name = arena_printf(chat->request.arena, "%.*s %.*s", STR_ARG(operation),
                            STR_ARG(chat->request.model));
    otel_span_begin(s, &(otel_span){.of = &c->told->of,
                                    .id = chat->span,
                                    .parent = c->told->of.span,
                                    .kind = OTEL_INTERNAL,
                                    .name = name.p ? name : operation,
                                    .start_ns = start_ns,
                                    .end_ns = end_ns,
                                    .error = error});
    otel_put_text(s, "gen_ai.operation.name", operation);
    otel_put_text(s, "gen_ai.provider.name", STR("bantam"));
    put_this_server(s, c);
    otel_put_text(s, "bantam.request.id", chat->request.id);
    put_asked(s, chat);
    if (e == E_OK) put_answered(s, chat, x->reply, first_s);
    if (t) put_decision(s, t);
    if (c->api->o.otel_content) put_content(s, chat, e, x->reply);
    otel_span_end(s);
    if (t) put_steps(s, chat, t);
    if (e == E_OK && !t) put_phases(s, chat, x->reply);
}

/* What the log's line of the request says; the first choice speaks for all. */
static void note(const api_chat *chat, const gen_reply *r) {
    api_told *told = chat->call->told;
    const gen_request *rq = &chat->request;
    if (chat->index != 0) return;
    told->model = rq->model;
    told->tokens_in += r->prompt_tokens;
    told->tokens_out += r->completion_tokens;
    for (size_t i = rq->n_messages; i > 0 && !told->question.n; i--)
        if (rq->messages[i - 1].role == GEN_USER) told->question = rq->messages[i - 1].content;
}

void api_trace_answer(api_chat *chat, err e, int64_t start_ns, int64_t first_ns,
                      const gen_exchange *x) {
    const api_call *c = chat->call;
    const gen_reply *r = x->reply;
    int64_t end_ns = clock_mono_ns(), more = r->completion_tokens - 1;
    const char *error = e == E_OK ? NULL : api_error_word(c, e);
    note(chat, r);
    if (!c->api->o.otel) return;
    if (!first_ns) first_ns = r->timings.first_ns;
    double first_s = first_ns ? (double)(first_ns - c->rq->start_ns) * 1e-9 : (double)NAN;
    otel_count(
        c->api->o.otel,
        &(otel_operation){.operation = operation_of(chat),
                          .provider = STR("bantam"),
                          .request_model = chat->request.model,
                          .response_model = e == E_OK && r->model.p ? r->model : STR(""),
                          .error = error,
                          .duration_s = (double)(end_ns - start_ns) * 1e-9,
                          .first_token_s = first_s,
                          .per_token_s = e == E_OK && first_ns && more > 0
                                             ? (double)(end_ns - first_ns) * 1e-9 / (double)more
                                             : (double)NAN,
                          .input_tokens = e == E_OK ? r->prompt_tokens : -1,
                          .output_tokens = e == E_OK ? r->completion_tokens : -1});
    if (x->trace)
        for (size_t i = 0; i < x->trace->n_steps; i++) {
            str host;
            int port;
            if (!was_asked(&x->trace->steps[i])) continue;
            url_server(x->trace->steps[i].url, &host, &port);
            count_asked(c, &x->trace->steps[i], host);
        }
    if (!is_kept(c)) return;
    otel_spans s = {.n = 0};
    put_generation(&s, chat, e, error, start_ns, end_ns, first_s, x);
    otel_send(c->api->o.otel, &s);
}

/* ---- behind the answer ---- */

/* Embeddings and rankings are operations of a model, too: one span beside the request's. */
static void tell_encoding(otel_spans *s, const api_call *c, int64_t end_ns) {
    const api_told *told = c->told;
    bool embeds = str_is(str_from(told->purpose), "embed"), good = !told->error;
    str operation = embeds ? STR("embeddings") : str_from(told->purpose), name;
    otel_count(c->api->o.otel,
               &(otel_operation){.operation = operation,
                                 .provider = STR("bantam"),
                                 .request_model = told->model,
                                 .response_model = good ? told->model : STR(""),
                                 .error = told->error,
                                 .duration_s = (double)(end_ns - c->rq->start_ns) * 1e-9,
                                 .first_token_s = (double)NAN,
                                 .per_token_s = (double)NAN,
                                 .input_tokens = good ? told->tokens_in : -1,
                                 .output_tokens = -1});
    if (!is_kept(c)) return;
    name = arena_printf(c->a, "%.*s %.*s", STR_ARG(operation), STR_ARG(told->model));
    otel_span_begin(s, &(otel_span){.of = &told->of,
                                    .id = otel_span_id(c->api->o.otel),
                                    .parent = told->of.span,
                                    .kind = OTEL_INTERNAL,
                                    .name = name.p ? name : operation,
                                    .start_ns = c->rq->start_ns,
                                    .end_ns = end_ns,
                                    .error = told->error});
    otel_put_text(s, "gen_ai.operation.name", operation);
    otel_put_text(s, "gen_ai.provider.name", STR("bantam"));
    otel_put_text(s, "gen_ai.request.model", told->model);
    if (good) otel_put_text(s, "gen_ai.response.model", told->model);
    if (good) otel_put_int(s, "gen_ai.usage.input_tokens", told->tokens_in);
    otel_span_end(s);
}

static str method_of(const http_request *rq) {
    static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_is(rq->method, known[i])) return rq->method;
    return STR("_OTHER");
}

static void put_request(otel_spans *s, const api_call *c, const char *pattern, int64_t end_ns) {
    const otel_context *of = &c->told->of;
    str method = method_of(c->rq);
    int status = api_status_of(c);
    char code[16];
    snprintf(code, sizeof code, "%d", status);
    str name = pattern ? arena_printf(c->a, "%.*s %s", STR_ARG(method), pattern) : method;
    otel_span_begin(s, &(otel_span){.of = of,
                                    .id = of->span,
                                    .parent = of->parent,
                                    .remote = of->parent != 0,
                                    .kind = c->inside ? OTEL_INTERNAL : OTEL_SERVER,
                                    .name = name.p ? name : method,
                                    .start_ns = c->rq->start_ns,
                                    .end_ns = end_ns,
                                    .error = status == LEFT   ? "cancelled"
                                             : status < 500   ? NULL
                                             : c->told->error ? c->told->error
                                                              : code});
    otel_put_text(s, "bantam.request.id", str_from(c->rq->id));
    otel_put_text(s, "http.request.method", method);
    otel_put_text(s, "url.path", str_slice(c->rq->path, 0, PEER_NAME_BYTES_MAX));
    otel_put_text(s, "url.scheme", c->api->o.secure ? STR("https") : STR("http"));
    otel_put_text(s, "http.route", pattern ? str_from(pattern) : STR(""));
    if (status && status != LEFT) otel_put_int(s, "http.response.status_code", status);
    put_this_server(s, c);
    otel_span_end(s);
}

static void log_request(const api_call *c, const char *pattern, int64_t end_ns) {
    const api_told *told = c->told;
    char masked[64] = "", message[128];
    int status = api_status_of(c);
    bool shown = c->api->o.log_content;
    if (told->question.n && !shown) log_mask(told->question, masked);
    snprintf(message, sizeof message, "%.*s %s %d", STR_ARG(method_of(c->rq)),
             pattern ? pattern : "(no route)", status);
    const log_field fields[] = {
        {"method", method_of(c->rq), 0},
        {"route", pattern ? str_from(pattern) : STR(""), 0},
        {"status", STR_NONE, status},
        {"duration_ms", STR_NONE, (double)((end_ns - c->rq->start_ns) / 1000) * 1e-3},
        {"model", told->model, 0},
        {"input_tokens", STR_NONE, told->tokens_in ? (double)told->tokens_in : (double)NAN},
        {"output_tokens", STR_NONE, told->tokens_out ? (double)told->tokens_out : (double)NAN},
        {"error", told->error ? str_from(told->error) : STR(""), 0},
        {"question", shown && told->question.n ? told->question : str_from(masked), 0}};
    log_write_fields(status >= 500 && status != LEFT ? LOG_WARN : LOG_INFO, "api", message, fields,
                     sizeof fields / sizeof *fields);
}

void api_trace_end(api_call *c) {
    int64_t end_ns = clock_mono_ns();
    if (api_status_of(c)) {
        const char *pattern = c->route ? c->route->pattern : NULL;
        /* one that ran inside has no row: its path is known to be a route's */
        if (c->inside) pattern = arena_z(c->a, c->rq->path);
        if (c->api->o.otel) {
            otel_spans s = {.n = 0};
            if (c->told->purpose) tell_encoding(&s, c, end_ns);
            if (is_kept(c)) put_request(&s, c, pattern, end_ns);
            otel_send(c->api->o.otel, &s);
        }
        if (c->api->o.log_requests) log_request(c, pattern, end_ns);
    }
    log_set_request(NULL, NULL);
}

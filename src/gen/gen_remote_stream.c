/* gen_remote_stream.c - see gen_remote_int.h. */
#include "gen/gen_remote_int.h"

err gen_remote_stream_open(gen_remote_stream *s, const gen_request *rq, gen_sink sink, fail *f) {
    *s = (gen_remote_stream){
        .rq = rq, .sink = sink, .reply = {.finish = GEN_STOP, .model = STR("")}};
    s->calls = arena_new_n(rq->arena, gen_call, GEN_REMOTE_CALLS_MAX);
    return s->calls ? E_OK : fail_memory(f, "calls");
}

void gen_remote_stream_close(gen_remote_stream *s) {
    sse_reader_deinit(&s->reader);
    buf_deinit(&s->body);
    buf_deinit(&s->text);
    buf_deinit(&s->arguments);
}

/* ---- pieces ---- */

/* A member that is text; absent, null and empty are the same. */
static err text_of(const json *v, const char *key, str *out, fail *f) {
    fail ignored;
    return json_get_str(v, key, STR(""), out, &ignored) == E_OK ? E_OK : gen_remote_not_agreed(f);
}

static err send(gen_remote_stream *s, const gen_event *event, fail *f) {
    s->said = true;
    return s->sink.put(s->sink.self, event, f);
}

static err end_call(gen_remote_stream *s, fail *f) {
    if (!s->n_calls) return E_OK;
    gen_call *last = &s->calls[s->n_calls - 1];
    TRY(buf_ok(&s->arguments, f));
    last->arguments = arena_str(s->rq->arena, s->arguments.n ? buf_str(&s->arguments) : STR(""));
    return last->arguments.p ? E_OK : fail_memory(f, "a call");
}

static err begin_call(gen_remote_stream *s, str id, str name, fail *f) {
    if (!id.n || !gen_remote_offered(s->rq, name) || s->n_calls == GEN_REMOTE_CALLS_MAX)
        return gen_remote_not_agreed(f);
    TRY(end_call(s, f));
    buf_reset(&s->arguments);
    gen_call *call = &s->calls[s->n_calls++];
    *call = (gen_call){arena_str(s->rq->arena, id), arena_str(s->rq->arena, name), STR("")};
    if (!call->id.p || !call->name.p) return fail_memory(f, "a call");
    return send(
        s,
        &(gen_event){
            .text = STR(""), .call = call, .call_index = s->n_calls - 1, .call_begins = true},
        f);
}

/* {"index", "id", "function": {"name", "arguments"}}: id and name with the first piece. A server
 * that leaves the index out begins a call with each id. */
static err take_call(gen_remote_stream *s, const json *v, fail *f) {
    const json *function = json_get(v, "function");
    str id, name, piece;
    int64_t index;
    fail ignored;
    TRY(text_of(v, "id", &id, f));
    TRY(text_of(function, "name", &name, f));
    TRY(text_of(function, "arguments", &piece, f));
    int64_t n = (int64_t)s->n_calls, guess = id.n || !n ? n : n - 1;
    if (json_get_int(v, "index", guess, 0, GEN_REMOTE_CALLS_MAX, &index, &ignored) != E_OK ||
        index > n || index < n - 1)
        return gen_remote_not_agreed(f);
    if (index == n) TRY(begin_call(s, id, name, f));
    if (!piece.n) return E_OK;
    buf_put(&s->arguments, piece);
    size_t at = s->n_calls - 1;
    return send(s, &(gen_event){.text = piece, .call = &s->calls[at], .call_index = at}, f);
}

static err take_delta(gen_remote_stream *s, const json *delta, fail *f) {
    str text;
    TRY(text_of(delta, "content", &text, f));
    if (text.n) {
        buf_put(&s->text, text);
        TRY(send(s, &(gen_event){.text = text}, f));
    }
    const json *calls = json_get(delta, "tool_calls");
    if (!calls || calls->kind == JSON_NULL) return E_OK;
    if (calls->kind != JSON_ARRAY) return gen_remote_not_agreed(f);
    for (size_t i = 0; i < calls->count; i++) TRY(take_call(s, &calls->items[i], f));
    return E_OK;
}

static err take_choice(gen_remote_stream *s, const json *choice, fail *f) {
    str finish;
    TRY(text_of(choice, "finish_reason", &finish, f));
    const json *delta = json_get(choice, "delta");
    if (!delta) return gen_remote_not_agreed(f);
    TRY(take_delta(s, delta, f));
    if (!finish.n) return E_OK;
    s->finished = true;
    s->reply.finish = str_is(finish, "length") ? GEN_LENGTH : GEN_STOP;
    return E_OK;
}

/* One event's data. A last chunk with the usage has no choice. */
static err take_data(void *ctx, str data, fail *f) {
    gen_remote_stream *s = ctx;
    const json *v, *error, *choices;
    fail ignored;
    if (s->done) return E_OK;
    s->done = str_is(data, "[DONE]");
    if (s->done) return E_OK;
    if (json_parse(s->rq->arena, data, &v, &ignored) != E_OK || v->kind != JSON_OBJECT)
        return gen_remote_not_agreed(f);
    error = json_get(v, "error");
    if (error && error->kind != JSON_NULL)
        return fail_set(f, E_NETWORK, "the large model's server ended its answer with an error");
    TRY(gen_remote_read_head(v, &s->reply, f));
    choices = json_get(v, "choices");
    if (!choices || choices->kind != JSON_ARRAY) return gen_remote_not_agreed(f);
    return choices->count ? take_choice(s, &choices->items[0], f) : E_OK;
}

/* ---- the body ---- */

bool gen_remote_stream_take(gen_remote_stream *s, str bytes) {
    if (!s->begun) {
        while (bytes.n && (unsigned char)bytes.p[0] <= ' ') bytes = str_slice(bytes, 1, bytes.n);
        if (!bytes.n) return true;
        s->begun = true;
        s->plain = bytes.p[0] == '{';
        s->reader.take = take_data;
        s->reader.ctx = s;
        s->reader.event_bytes_max = GEN_REMOTE_REPLY_BYTES_MAX;
    }
    if (s->plain)
        buf_put(&s->body, bytes);
    else
        s->error = sse_read(&s->reader, bytes, &s->why);
    return s->error == E_OK;
}

/* ---- the end ---- */

static err broke_off(const gen_remote_stream *s, err e, fail *f) {
    err code = e == E_TIMEOUT ? E_TIMEOUT : E_NETWORK;
    if (s->n_calls)
        fail_set(f, code,
                 "the large model's server broke off while it called \"%.*s\"; no call of this "
                 "answer is whole, and none may be run",
                 STR_ARG(s->calls[s->n_calls - 1].name));
    else
        fail_set(f, code, "the large model's server broke off in the middle of its answer");
    return fail_hint(f, "ask again; if it stays so, look at that server");
}

/* A limit of tokens may cut the last call: then it is none. Any other must be whole. */
static err check_calls(gen_remote_stream *s, fail *f) {
    TRY(end_call(s, f));
    for (size_t i = 0; i < s->n_calls; i++) {
        if (gen_remote_is_object(s->rq, s->calls[i].arguments)) continue;
        if (s->reply.finish != GEN_LENGTH || i + 1 < s->n_calls) return gen_remote_not_agreed(f);
        s->n_calls = i;
    }
    return E_OK;
}

err gen_remote_stream_end(gen_remote_stream *s, err e, gen_reply *out, fail *f) {
    if (s->error != E_OK) {
        if (f) *f = s->why;
        return s->error;
    }
    if (e == E_CANCELLED || e == E_TOO_LARGE || e == E_NO_MEMORY || (e != E_OK && !s->said))
        return e;
    if (!s->finished) return s->said ? broke_off(s, e, f) : gen_remote_not_agreed(f);
    TRY(check_calls(s, f));
    TRY(buf_ok(&s->text, f));
    s->reply.text = s->text.n ? arena_str(s->rq->arena, buf_str(&s->text)) : STR("");
    if (!s->reply.text.p) return fail_memory(f, "an answer");
    s->reply.calls = s->calls;
    s->reply.n_calls = s->n_calls;
    if (s->n_calls && s->reply.finish != GEN_LENGTH) s->reply.finish = GEN_CALLS;
    *out = s->reply;
    return s->said ? E_OK : send(s, &(gen_event){.text = STR("")}, f);
}

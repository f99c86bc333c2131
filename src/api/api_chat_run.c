/* api_chat_run.c - the stages of a chat; and how many tokens it has, without running it. */
#include "api/api_chat.h"
#include "api/api_keep.h"

#include "base/clock.h"

static err provider_run(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)rest; /* the last of its stages: it answers */
    const gen_provider *p = self;
    return p->generate(p->self, x->request, x->sink, x->reply, f);
}

/* The answer of a chat whose `how` is not to generate. */
typedef struct other_way {
    const gen_provider *provider;
    const api_chat *chat;
} other_way;

static err other_run(void *self, gen_exchange *x, const gen_stage *rest, fail *f) {
    (void)rest;
    const other_way *o = self;
    return o->chat->how(o->chat->how_self, o->provider, x, f);
}

/* The parameters of which tool: grammars say its name first. */
static bool blame_tool(api_chat *chat, const char *list, str text) {
    const gen_request *rq = &chat->request;
    api_call *c = chat->call;
    for (size_t i = 0; i < rq->n_tools; i++) {
        str name = rq->tools[i].name;
        if (!str_starts(text, name) || !str_starts(str_slice(text, name.n, text.n), STR(": ")))
            continue;
        str param = arena_printf(c->a, "%s[%zu]", list, i);
        c->param = param.p ? param.p : list;
        c->code = "invalid_function_parameters";
        return true;
    }
    return false;
}

/* Which field a failure of the provider is about. */
static void blame(api_chat *chat, gen_fault fault, err e, const fail *f) {
    api_call *c = chat->call;
    const char *tools = chat->legacy ? "functions" : "tools";
    if (e == E_CONTEXT) c->param = "messages";
    if (e != E_UNSUPPORTED && e != E_INPUT && e != E_TOO_LARGE) return;
    switch (fault) {
    case GEN_FAULT_UNKNOWN: break;
    case GEN_FAULT_MODEL: c->param = "model"; break;
    case GEN_FAULT_PROMPT: c->param = "prompt"; break;
    case GEN_FAULT_TOOLS: c->param = tools; break;
    case GEN_FAULT_BIAS: c->param = "logit_bias"; break;
    case GEN_FAULT_SHAPE:
        if ((f && blame_tool(chat, tools, str_from(f->text))) || !c->shaped) return;
        c->param = c->shaped; /* the schema's fault */
        c->code = "invalid_json_schema";
        break;
    }
}

/* Hands events on and notes when the first one came. */
typedef struct first_event {
    gen_sink inner;
    int64_t at_ns; /* 0 = none yet */
} first_event;

static err note_first(void *self, const gen_event *event, fail *f) {
    first_event *first = self;
    if (!first->at_ns) first->at_ns = clock_mono_ns();
    return first->inner.put(first->inner.self, event, f);
}

/* Runs the stages under the clock. */
static err run_timed(api_chat *chat, gen_exchange *x, const gen_stage *stages, fail *f) {
    TRY(api_trace_open(chat, f));
    first_event first = {.inner = x->sink};
    int64_t start_ns = clock_mono_ns();
    if (first.inner.put) x->sink = (gen_sink){.self = &first, .put = note_first};
    err e = gen_next(x, stages, f);
    x->sink = first.inner;
    api_meter_answer(chat, e, start_ns, first.at_ns, x->reply);
    api_trace_answer(chat, e, start_ns, first.at_ns, x);
    return e;
}

err api_run_chat(api_chat *chat, gen_exchange *x, fail *f) {
    api *api = chat->call->api;
    route *task = NULL;
    str task_id;
    gen_provider provider = {0};
    other_way other = {&provider, chat};
    gen_stage last = {0};
    err e;
    if (!chat->request.tenant.n && chat->call->who.tenant.n)
        chat->request.tenant = chat->call->who.tenant;
    if (chat->call->inside && !chat->request.priority)
        chat->request.priority = chat->call->inside->priority;
    TRY(api_read_admission(chat->call, &chat->request, f));
    chat->request.apart = !chat->blended;
    if (chat->is_task && chat->request.adapter.n)
        return api_refuse(chat->call, f, "adapter", "adapter is for models, not for tasks");
    if (chat->is_task) {
        e = api->o.models.task(api->o.models.self, chat->task_name, &task, &task_id, f);
        if (e == E_OK) last = chat->judges ? route_judge_stage(task) : route_stage(task);
    } else {
        e = api->o.models.provider(api->o.models.self, chat->request.model, &provider, f);
        last = chat->how ? (gen_stage){.name = "other", .self = &other, .run = other_run}
                         : (gen_stage){.name = "provider", .self = &provider, .run = provider_run};
        if (e == E_OK && provider.model.p) chat->request.model = provider.model; /* no alias */
    }
    if (e != E_OK) {
        chat->call->param = "model";
        if (e == E_NOT_FOUND) chat->call->code = "model_not_found";
        return e;
    }
    const gen_stage stages[] = {audit_stage(api->o.audit), last, {0}};
    e = run_timed(chat, x, stages, f);
    chat->call->tokens += x->reply->prompt_tokens + x->reply->completion_tokens;
    if (e == E_NOT_FOUND && chat->request.adapter.n) {
        chat->call->param = "adapter";
        chat->call->code = "adapter_not_found";
    }
    blame(chat, x->reply->fault, e, f);
    return e;
}

err api_count_tokens(api_chat *chat, int64_t *tokens, fail *f) {
    api_call *c = chat->call;
    gen_provider provider = {0};
    TRY(api_read_admission(c, &chat->request, f));
    c->param = "model";
    if (chat->is_task) return fail_set(f, E_UNSUPPORTED, "a task's tokens are not counted");
    err e = c->api->o.models.provider(c->api->o.models.self, chat->request.model, &provider, f);
    if (e == E_NOT_FOUND) c->code = "model_not_found";
    TRY(e);
    if (!provider.count)
        return fail_set(f, E_UNSUPPORTED, "%s cannot tell tokens before it has answered",
                        provider.name);
    c->param = NULL;
    return provider.count(provider.self, &chat->request, tokens, f);
}

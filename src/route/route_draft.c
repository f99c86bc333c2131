/* route_draft.c - `generate: draft`: a small generator writes a draft for a person where neither an
 * approved text nor a quotation is at hand. Its words never reach a customer from here: at this
 * size a generator is wrong more often than right (docs/QUALITY.md), so a person reads them first,
 * and sees that they are generated. */
#include "route/route_int.h"

#include <math.h>

enum { DRAFT_TOKENS_MAX = 120 };

static err ask(route_case *c, gen_reply *reply, fail *f) {
    const task *t = c->brain->file->task;
    str system =
        arena_printf(c->a,
                     "You help the team of \"%.*s\". Write two polite sentences that a colleague "
                     "could send in reply. "
                     "Do not promise anything and do not state facts that you were not given.",
                     STR_ARG(t->title));
    if (!system.p) return fail_memory(f, "a draft");
    gen_message messages[] = {{.role = GEN_SYSTEM, .content = system},
                              {.role = GEN_USER, .content = c->text}};
    gen_request rq = *c->rq;
    rq.messages = messages;
    rq.n_messages = 2;
    rq.raw = false;
    rq.max_tokens = DRAFT_TOKENS_MAX;
    rq.sampling = (gen_sampling){.top_p = 1};
    rq.n_stops = 0;
    rq.top_logprobs = -1;
    return c->r->o.drafter->generate(c->r->o.drafter->self, &rq, (gen_sink){0}, reply, f);
}

bool route_wants_draft(const route_case *c) {
    return c->r->o.drafter && c->brain->file->task->generate_draft && !c->draft.n && !c->how->dry;
}

err route_draft(route_case *c, gen_step *step, fail *f) {
    gen_reply reply = {0};
    fail local = {0};
    step->model = arena_str(c->a, str_from(c->r->o.drafter->name));
    err e = ask(c, &reply, &local);
    if (e == E_CANCELLED) return fail_set(f, E_CANCELLED, "the client left");
    step->tokens_in = reply.prompt_tokens;
    step->tokens_out = reply.completion_tokens;
    if (e != E_OK) { /* a draft is a help, its lack stops nobody */
        step->outcome = GEN_FAILED;
        step->reason = GEN_WHY_PROVIDER;
        step->note = arena_str(c->a, str_from(local.text));
        return E_OK;
    }
    step->draft = arena_str(c->a, str_slice(str_trim(reply.text), 0, ROUTE_DRAFT_BYTES_MAX));
    step->outcome = GEN_PASSED_ON;
    step->reason = GEN_WHY_DRAFT_ONLY;
    return step->draft.p ? E_OK : fail_memory(f, "a draft");
}

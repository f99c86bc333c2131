/* api_chat_say.c - what an answer says to who reads it, and our extension of it ("bantam"). */
#include "api/api_chat.h"

#include <math.h>

err api_chat_content(api_chat *chat, const gen_exchange *x, str *out, fail *f) {
    const gen_trace *t = x->reply->trace;
    arena *a = chat->request.arena;
    if (!t || t->answer.p) {
        *out = x->reply->text;
        return E_OK;
    }
    if (t->review.n)
        *out =
            api_person_sentence(a, t->review, t->expected_by_ms,
                                t->url.n ? t->url : api_answer_url(chat->call->api, a, t->review));
    else
        *out = arena_printf(a,
                            "This could not be answered: %s. Nobody is set up here to answer "
                            "what the models must not.",
                            gen_reason_text(t->reason));
    return out->p ? E_OK : fail_memory(f, "an answer");
}

void api_chat_put_extension(api_chat *chat, json_writer *w, const gen_exchange *x) {
    const gen_trace *t = x->reply->trace;
    static const gen_trace none = {.confidence = (double)NAN};
    if (!t) t = &none; /* a chat with a model: on record, but nothing was decided */
    json_key(w, "bantam");
    json_begin_object(w);
    json_field_z(w, "tier", t->tier ? gen_tier_name(t->tier) : NULL);
    json_field_text(w, "label", t->label);
    json_field_double(w, "confidence", t->confidence);
    json_field_text(w, "trace", chat->request.id);
    json_field_text(w, "review", t->review);
    json_field_text(w, "url",
                    t->review.n && !t->url.n
                        ? api_answer_url(chat->call->api, chat->request.arena, t->review)
                        : t->url);
    json_field_z(w, "reason", t->reason ? gen_reason_code(t->reason) : NULL);
    json_field_z(w, "why", t->reason ? gen_reason_text(t->reason) : NULL);
    if (t->expected_by_ms) json_field_int(w, "expected_by_ms", t->expected_by_ms);
    json_key(w, "passages");
    gen_passages_put_json(w, t->passages, t->n_passages);
    json_field_double(w, "cost_usd", chat->is_task ? t->cost_usd : (double)NAN);
    json_end_object(w);
}

/* desk_json.c - a review as JSON, for commands and the page. Evidence is JSON already. */
#include "desk/desk.h"

static void put_text(json_writer *w, const char *key, str s) {
    json_key(w, key);
    json_put_str(w, s.n ? s : STR_NONE);
}
static void put_int(json_writer *w, const char *key, int64_t v) {
    json_key(w, key);
    json_put_int(w, v);
}

static void put_decision(json_writer *w, const desk_review *r) {
    json_key(w, "answer");
    json_put_str(w, r->answer);
    put_text(w, "label", r->label);
    put_text(w, "answered_by", r->answered_by);
    put_int(w, "answered_ms", r->answered_ms);
    put_int(w, "label_id", r->label_id);
    put_int(w, "reopened", r->reopened);
}

void desk_review_put_json(json_writer *w, const desk_review *r) {
    json_begin_object(w);
    put_text(w, "id", r->ref);
    put_text(w, "task", r->task_name);
    put_text(w, "task_id", r->task_id);
    put_text(w, "request", r->request_id);
    json_key(w, "text");
    json_put_str(w, r->text);
    put_text(w, "history", r->history);
    put_text(w, "draft", r->draft);
    put_text(w, "draft_from", str_from(gen_tier_name(r->draft_from)));
    put_text(w, "guess", r->guess);
    json_key(w, "confidence");
    json_put_double(w, r->confidence);
    put_text(w, "reason", str_from(gen_reason_code(r->reason)));
    put_text(w, "why", str_from(gen_reason_text(r->reason)));
    json_key(w, "evidence");
    if (r->evidence.n)
        json_put_raw(w, r->evidence);
    else
        json_put_null(w);
    put_text(w, "status", str_from(desk_status_name(r->status)));
    put_int(w, "created_ms", r->created_ms);
    put_int(w, "expected_by_ms", r->expected_by_ms);
    put_int(w, "told", r->told);
    json_key(w, "overdue");
    json_put_bool(w, r->overdue);
    put_text(w, "claimed_by", r->claimed_by);
    put_int(w, "claimed_until_ms", r->claimed_until_ms);
    put_decision(w, r);
    json_end_object(w);
}

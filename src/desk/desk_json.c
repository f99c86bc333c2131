/* desk_json.c - a review as JSON, for commands and the page. Evidence is JSON already. */
#include "desk/desk.h"

static void put_decision(json_writer *w, const desk_review *r) {
    json_field_str(w, "answer", r->answer);
    json_field_text(w, "label", r->label);
    json_field_text(w, "answered_by", r->answered_by);
    json_field_int(w, "answered_ms", r->answered_ms);
    json_field_int(w, "label_id", r->label_id);
    json_field_int(w, "reopened", r->reopened);
}

void desk_review_put_json(json_writer *w, const desk_review *r) {
    json_begin_object(w);
    json_field_text(w, "id", r->ref);
    json_field_text(w, "task", r->task_name);
    json_field_text(w, "task_id", r->task_id);
    json_field_text(w, "request", r->request_id);
    json_field_text(w, "tenant", r->tenant);
    json_field_str(w, "text", r->text);
    json_field_text(w, "history", r->history);
    json_field_text(w, "draft", r->draft);
    json_field_text(w, "draft_from", str_from(gen_tier_name(r->draft_from)));
    json_field_text(w, "guess", r->guess);
    json_field_double(w, "confidence", r->confidence);
    json_field_text(w, "reason", str_from(gen_reason_code(r->reason)));
    json_field_text(w, "why", str_from(gen_reason_text(r->reason)));
    json_key(w, "evidence");
    if (r->evidence.n)
        json_put_raw(w, r->evidence);
    else
        json_put_null(w);
    json_field_text(w, "status", str_from(desk_status_name(r->status)));
    json_field_int(w, "created_ms", r->created_ms);
    json_field_int(w, "expected_by_ms", r->expected_by_ms);
    json_field_int(w, "told", r->told);
    json_field_bool(w, "overdue", r->overdue);
    json_field_text(w, "claimed_by", r->claimed_by);
    json_field_int(w, "claimed_until_ms", r->claimed_until_ms);
    put_decision(w, r);
    json_end_object(w);
}

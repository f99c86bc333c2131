/* api_desk.c - the people's queue. The address at which an asker waits is api_answer.c's. */
#include "api/api_field.h"
#include "api/api_routes.h"

/* ---- reading the queue ---- */

static err put_counts(api_call *c, str task, fail *f) {
    desk_counts n;
    TRY(desk_count(c->api->o.desk, task, c->who.tenant, &n, f));
    json_key(&c->w, "counts");
    json_begin_object(&c->w);
    json_field_int(&c->w, "open", n.open);
    json_field_int(&c->w, "claimed", n.claimed);
    json_field_int(&c->w, "overdue", n.overdue);
    json_field_int(&c->w, "answered", n.answered);
    json_field_int(&c->w, "oldest_ms", n.oldest_ms);
    json_end_object(&c->w);
    return E_OK;
}

err api_review_list(api_call *c, fail *f) {
    desk_filter filter = {.task = api_query(c, "task"),
                          .tenant = c->who.tenant,
                          .status = api_query(c, "status"),
                          .search = api_query(c, "search")};
    desk_review *all;
    size_t n;
    int64_t total, newest;
    TRY(api_query_int(c, "offset", 0, 0, INT32_MAX, &filter.offset, f));
    TRY(api_query_int(c, "limit", API_PAGE_LIMIT, 1, DESK_LIST_MAX, &filter.limit, f));
    TRY(api_query_int(c, "newest", 0, 0, 1, &newest, f));
    filter.newest_first = newest;
    TRY(desk_list(c->api->o.desk, &filter, c->a, &all, &n, &total, f));
    json_begin_object(&c->w);
    json_key(&c->w, "reviews");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) desk_review_put_json(&c->w, &all[i]);
    json_end_array(&c->w);
    json_field_int(&c->w, "total", total);
    TRY(put_counts(c, filter.task, f));
    json_end_object(&c->w);
    return E_OK;
}

static err put_events(api_call *c, fail *f) {
    desk_event *all;
    size_t n;
    TRY(desk_history(c->api->o.desk, c->arg, c->a, &all, &n, f));
    json_key(&c->w, "events");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&c->w);
        json_field_int(&c->w, "at_ms", all[i].at_ms);
        json_field_text(&c->w, "what", all[i].what);
        json_field_text(&c->w, "by", all[i].by);
        json_field_text(&c->w, "text", all[i].text);
        json_field_text(&c->w, "label", all[i].label);
        json_end_object(&c->w);
    }
    json_end_array(&c->w);
    return E_OK;
}

static err put_review(api_call *c, fail *f) {
    desk_review review;
    TRY(desk_get(c->api->o.desk, c->arg, c->a, &review, f));
    json_key(&c->w, "review");
    desk_review_put_json(&c->w, &review);
    return E_OK;
}

err api_review_get(api_call *c, fail *f) {
    TRY(api_own_review(c, f));
    json_begin_object(&c->w);
    TRY(put_review(c, f));
    TRY(put_events(c, f));
    json_end_object(&c->w);
    return E_OK;
}

/* ---- what people do ---- */

/* Another person's claim is a conflict; a busy database is not, and has no review to show. */
static err claimed_by_another(api_call *c, err e) {
    desk_review review;
    fail ignored;
    if (e == E_BUSY && desk_get(c->api->o.desk, c->arg, c->a, &review, &ignored) == E_OK &&
        review.status == DESK_CLAIMED)
        c->code = "claimed";
    return e;
}

static err put_review_alone(api_call *c, fail *f) {
    json_begin_object(&c->w);
    TRY(put_review(c, f));
    json_end_object(&c->w);
    return E_OK;
}

static err check_by_alone(api_call *c, fail *f) {
    static const char *const names[] = {"by", NULL};
    return api_check_names(c, names, f);
}

err api_review_claim(api_call *c, fail *f) {
    static const char *const names[] = {"by", "minutes", NULL};
    str by;
    int64_t minutes;
    TRY(api_check_names(c, names, f));
    TRY(api_get_by(c, &by, f));
    TRY(api_get_int(c, "minutes", DESK_CLAIM_MINUTES, 1, 24 * 60, &minutes, f));
    if (!by.n) return api_refuse(c, f, "by", "by must name who takes it");
    TRY(api_own_review(c, f));
    TRY(claimed_by_another(c, desk_claim(c->api->o.desk, c->arg, by, minutes, f)));
    return put_review_alone(c, f);
}

err api_review_release(api_call *c, fail *f) {
    str by;
    TRY(check_by_alone(c, f));
    TRY(api_get_by(c, &by, f));
    TRY(api_own_review(c, f));
    TRY(claimed_by_another(c, desk_release(c->api->o.desk, c->arg, by, f)));
    return put_review_alone(c, f);
}

typedef err (*decide)(desk *d, str ref, const desk_decision *x, arena *a, desk_outcome *out,
                      fail *f);

static err review_decide(api_call *c, decide act, fail *f) {
    desk_decision x = {0};
    desk_outcome outcome;
    static const char *const names[] = {"label", "text", "by", "approve", NULL};
    TRY(api_check_names(c, names, f));
    TRY(api_get_str(c, "label", STR(""), &x.label, f));
    TRY(api_get_str(c, "text", STR(""), &x.text, f));
    TRY(api_get_by(c, &x.by, f));
    TRY(api_get_bool(c, "approve", false, &x.approve, f));
    TRY(api_own_review(c, f));
    TRY(claimed_by_another(c, act(c->api->o.desk, c->arg, &x, c->a, &outcome, f)));
    api_answer_wake(c->api, c->arg);
    json_begin_object(&c->w);
    json_field_str(&c->w, "text", outcome.text);
    json_field_int(&c->w, "label_id", outcome.label_id);
    json_field_bool(&c->w, "learned", outcome.label_id != 0);
    TRY(put_review(c, f));
    json_end_object(&c->w);
    return E_OK;
}

err api_review_answer(api_call *c, fail *f) {
    return review_decide(c, desk_answer, f);
}

err api_review_correct(api_call *c, fail *f) {
    return review_decide(c, desk_correct, f);
}

err api_review_unlearn(api_call *c, fail *f) {
    str by;
    TRY(check_by_alone(c, f));
    TRY(api_get_by(c, &by, f));
    TRY(api_own_review(c, f));
    TRY(desk_unlearn(c->api->o.desk, c->arg, by, f));
    return put_review_alone(c, f);
}

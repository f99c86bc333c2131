/* api_record.c - what was asked lately, one request's trace, the customer's verdict on it, and what
 * it all is assumed to have cost. */
#include "api/api_field.h"
#include "api/api_routes.h"
#include "audit/audit_cost.h"

#include "base/clock.h"

#include <math.h>

enum { DAY_MS = 86400000 };

/* A word that no record can have is a typing mistake, and an empty list would hide it. */
static err check_words(api_call *c, const audit_filter *filter, fail *f) {
    gen_tier tier;
    str v = filter->verdict;
    if (filter->tier.n && !str_is(filter->tier, "none") && !gen_tier_of(filter->tier, &tier))
        return api_refuse(c, f, "tier", "tier \"%.*s\" is none of none, cache, slm, llm, human",
                          STR_ARG(str_slice(filter->tier, 0, 64)));
    if (v.n && !str_is(v, "right") && !str_is(v, "wrong") && !str_is(v, "wants_person"))
        return api_refuse(c, f, "verdict", "verdict \"%.*s\" is none of right, wrong, wants_person",
                          STR_ARG(str_slice(v, 0, 64)));
    return E_OK;
}

err api_request_list(api_call *c, fail *f) {
    audit_filter filter = {.task = api_query(c, "task"),
                           .tier = api_query(c, "tier"),
                           .verdict = api_query(c, "verdict"),
                           .tenant = c->who.tenant,
                           .trace = api_query(c, "trace")};
    audit_row *rows;
    size_t n;
    TRY(api_query_int(c, "since_ms", 0, 0, INT64_MAX, &filter.since_ms, f));
    TRY(api_query_int(c, "until_ms", 0, 0, INT64_MAX, &filter.until_ms, f));
    TRY(api_query_int(c, "after", 0, 0, INT64_MAX, &filter.after, f));
    TRY(api_query_int(c, "offset", 0, 0, INT32_MAX, &filter.offset, f));
    TRY(api_query_int(c, "limit", API_PAGE_LIMIT, 1, AUDIT_LIST_MAX, &filter.limit, f));
    TRY(check_words(c, &filter, f));
    TRY(audit_list(c->api->o.audit, &filter, c->a, &rows, &n, f));
    json_begin_object(&c->w);
    json_key(&c->w, "requests");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) audit_row_put_json(&c->w, &rows[i]);
    json_end_array(&c->w);
    json_end_object(&c->w);
    return E_OK;
}

static str text_of(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind == JSON_STRING ? x->string : STR("");
}

static double number_of(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind == JSON_NUMBER ? x->number : (double)NAN;
}

/* The record that the path names, as it stands and read. A key with a tenant is told of another
 * tenant's that there is none. */
static err get_own(api_call *c, str *record, const json **trace, fail *f) {
    TRY(audit_get(c->api->o.audit, c->arg, c->a, record, f));
    TRY(json_parse(c->a, *record, trace, f));
    if (!c->who.tenant.n || str_eq(text_of(*trace, "tenant"), c->who.tenant)) return E_OK;
    fail_set(f, E_NOT_FOUND, "there is no record of request \"%.*s\"",
             STR_ARG(str_slice(c->arg, 0, 64)));
    return fail_hint(f, "`bantam requests` shows the latest"); /* as of one that never was */
}

err api_request_get(api_call *c, fail *f) {
    str record;
    const json *trace;
    TRY(get_own(c, &record, &trace, f));
    json_put_raw(&c->w, record);
    return E_OK;
}

/* ---- verdict ---- */

/* What a person gets to see of a request that its customer objects to. */
static gen_review review_of(const json *trace, str request_id, str verdict) {
    gen_tier tier = GEN_TIER_NONE;
    (void)!gen_tier_of(text_of(trace, "tier"), &tier);
    return (gen_review){.request_id = request_id,
                        .tenant = text_of(trace, "tenant"),
                        .task_id = text_of(trace, "task_id"),
                        .task_name = text_of(trace, "task"),
                        .text = text_of(trace, "question"),
                        .history = STR(""),
                        .draft = text_of(trace, "answer"),
                        .draft_from = tier,
                        .label = text_of(trace, "label"),
                        .confidence = number_of(trace, "confidence"),
                        .reason =
                            str_is(verdict, "wrong") ? GEN_WHY_SAYS_WRONG : GEN_WHY_WANTS_PERSON,
                        .evidence = STR("")};
}

/* Verdict and review are one transaction: a customer who is told that a person will look has one.
 */
static err store_verdict(api_call *c, str verdict, str note, const gen_review *review,
                         gen_ticket *ticket, fail *f) {
    store_tx *tx;
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    err e = audit_set_verdict(tx, c->arg, verdict, note, f);
    if (e == E_OK && review) e = desk_object(c->api->o.desk, tx, review, c->a, ticket, f);
    if (e == E_OK) return store_commit(tx, f);
    store_rollback(tx);
    return e;
}

static void put_ticket(api_call *c, const gen_ticket *ticket) {
    json_writer *w = &c->w;
    str url = ticket->ref.n ? api_answer_url(c->api, c->a, ticket->ref) : STR("");
    json_field_text(w, "review", ticket->ref);
    json_field_int(w, "expected_by_ms", ticket->expected_by_ms);
    json_field_text(w, "url", url);
    json_field_text(w, "message",
                    ticket->ref.n
                        ? api_person_sentence(c->a, ticket->ref, ticket->expected_by_ms, url)
                        : STR(""));
}

err api_request_verdict(api_call *c, fail *f) {
    str record, verdict, note;
    const json *trace;
    gen_ticket ticket = {0};
    static const char *const names[] = {"verdict", "note", NULL};
    TRY(api_check_names(c, names, f));
    TRY(api_get_str(c, "verdict", STR(""), &verdict, f));
    TRY(api_get_str(c, "note", STR(""), &note, f));
    TRY(get_own(c, &record, &trace, f));
    gen_review review = review_of(trace, c->arg, verdict);
    bool to_people = str_is(verdict, "wrong") || str_is(verdict, "wants_person");
    if (!review.task_id.n && str_is(verdict, "wants_person")) {
        c->param = "verdict";
        return fail_set(f, E_UNSUPPORTED,
                        "request %.*s was of no task, so no people stand behind it",
                        STR_ARG(str_slice(c->arg, 0, 64)));
    }
    if (to_people && review.task_id.n && !review.text.n)
        return fail_set(f, E_NOT_FOUND, "the question of request %.*s is not kept any more",
                        STR_ARG(str_slice(c->arg, 0, 64)));
    c->param = note.n > AUDIT_NOTE_BYTES_MAX ? "note" : "verdict";
    TRY(store_verdict(c, verdict, note, to_people && review.task_id.n ? &review : NULL, &ticket,
                      f));
    c->param = NULL;
    json_begin_object(&c->w);
    json_field_text(&c->w, "id", c->arg);
    json_field_text(&c->w, "verdict", verdict);
    put_ticket(c, &ticket);
    json_end_object(&c->w);
    return E_OK;
}

/* ---- cost ---- */

err api_cost(api_call *c, fail *f) {
    audit_sum *sums;
    size_t n;
    int64_t days;
    double price = (double)NAN;
    str given = api_query(c, "large_price");
    if (given.n && (!str_to_double(given, &price) || price < 0))
        return api_refuse(c, f, "large_price", "large_price must be dollars a question");
    TRY(api_query_int(c, "days", 0, 0, 36500, &days, f));
    audit_scope of = {.task = api_query(c, "task"),
                      .tenant = c->who.tenant,
                      .since_ms = days ? clock_now_ms() - days * DAY_MS : 0};
    TRY(audit_sums(c->api->o.audit, &of, c->a, &sums, &n, f));
    audit_cost cost = audit_cost_of(sums, n, price);
    audit_cost_put_json(&c->w, &cost, sums, n);
    return E_OK;
}

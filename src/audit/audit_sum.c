/* audit_sum.c - what the tiers answered and cost, by period; and a row as JSON.
 *
 * Requests count for the tier that decided them; costs and tokens for the tier that was really
 * asked, so a question that went through two tiers costs both. Two queries are merged by period and
 * tier. */
#include "audit/audit_int.h"

#include <stdlib.h>

enum { SUMS_MAX = 4096 }; /* periods x tiers */

#define PERIOD "CASE ?4 WHEN 0 THEN ?2 ELSE r.at_ms/?4*?4 END"
#define SUM_WHERE                                                                               \
    " WHERE (?1='' OR r.task_name=?1 OR r.task_id=?1) AND r.at_ms>=?2 AND (?3=0 OR r.at_ms<?3)" \
    " AND (?5='' OR (SELECT trace->>'$.tenant' FROM audit_trace WHERE request=r.id)=?5)"

typedef struct sum_query {
    audit_scope of;
    audit_sum *sums; /* [SUMS_MAX] */
    size_t n;
} sum_query;

static err sum_of(sum_query *s, int64_t from_ms, str tier_name, audit_sum **out, fail *f) {
    gen_tier tier;
    if (!gen_tier_of(tier_name, &tier)) tier = GEN_TIER_NONE;
    for (size_t i = s->n; i > 0; i--) /* the newest period is asked for most */
        if (s->sums[i - 1].from_ms == from_ms && s->sums[i - 1].tier == tier) {
            *out = &s->sums[i - 1];
            return E_OK;
        }
    if (s->n == SUMS_MAX) {
        fail_set(f, E_TOO_LARGE, "more than %d sums of periods and tiers", SUMS_MAX);
        if (f) fail_hint(f, "ask for fewer days, or for longer periods");
        return E_TOO_LARGE;
    }
    s->sums[s->n] = (audit_sum){.from_ms = from_ms, .tier = tier};
    *out = &s->sums[s->n++];
    return E_OK;
}

static err sum_prepare(store_tx *tx, const char *sql, const sum_query *s, store_stmt **out,
                       fail *f) {
    TRY(store_prepare(tx, sql, out, f));
    store_bind_str(*out, 1, s->of.task.p ? s->of.task : STR(""));
    store_bind_int(*out, 2, s->of.since_ms);
    store_bind_int(*out, 3, s->of.until_ms);
    store_bind_int(*out, 4, s->of.period_ms);
    store_bind_str(*out, 5, s->of.tenant.p ? s->of.tenant : STR(""));
    return E_OK;
}

static err sum_requests(store_tx *tx, sum_query *s, arena *mem, fail *f) {
    store_stmt *q;
    bool row;
    str tier;
    audit_sum *sum;
    TRY(sum_prepare(tx,
                    "SELECT " PERIOD " AS period, r.tier, count(*), sum(r.verdict='wrong'),"
                    " avg(r.latency_us) FROM audit_request r" SUM_WHERE
                    " GROUP BY period, r.tier ORDER BY period",
                    s, &q, f));
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(store_str(q, 1, mem, &tier, f));
        TRY(sum_of(s, store_int(q, 0), tier, &sum, f));
        sum->requests = store_int(q, 2);
        sum->wrong = store_int(q, 3);
        sum->latency_us_mean = store_double(q, 4);
    }
}

static err sum_steps(store_tx *tx, sum_query *s, arena *mem, fail *f) {
    store_stmt *q;
    bool row;
    str tier;
    audit_sum *sum;
    TRY(sum_prepare(tx,
                    "SELECT " PERIOD " AS period, s.tier, count(*), sum(s.cost_usd),"
                    " sum(s.tokens_in), sum(s.tokens_out)"
                    " FROM audit_request r JOIN audit_step s ON s.request=r.id" SUM_WHERE
                    " AND s.outcome<>'skipped' GROUP BY period, s.tier ORDER BY period",
                    s, &q, f));
    for (;;) {
        TRY(store_step(q, &row, f));
        if (!row) return E_OK;
        TRY(store_str(q, 1, mem, &tier, f));
        TRY(sum_of(s, store_int(q, 0), tier, &sum, f));
        sum->asked = store_int(q, 2);
        sum->cost_usd = store_double(q, 3);
        sum->tokens_in = store_int(q, 4);
        sum->tokens_out = store_int(q, 5);
    }
}

static int sum_order(const void *a, const void *b) {
    const audit_sum *x = a, *y = b;
    if (x->from_ms != y->from_ms) return x->from_ms < y->from_ms ? -1 : 1;
    return (int)x->tier - (int)y->tier;
}

err audit_sums(audit *a, const audit_scope *of, arena *mem, audit_sum **out, size_t *n, fail *f) {
    store_tx *tx;
    sum_query s = {.of = *of};
    if (of->period_ms < 0)
        return fail_set(f, E_INPUT, "a period of %lld ms", (long long)of->period_ms);
    TRY(audit_settle(a, f));
    s.sums = arena_new_n(mem, audit_sum, SUMS_MAX);
    if (!s.sums) return fail_memory(f, "the sums of the record");
    TRY(store_begin(a->store, STORE_READ, &tx, f)); /* one snapshot for both */
    err e = sum_requests(tx, &s, mem, f);
    if (e == E_OK) e = sum_steps(tx, &s, mem, f);
    store_rollback(tx);
    if (e != E_OK) return e;
    qsort(s.sums, s.n, sizeof *s.sums, sum_order);
    *out = s.sums;
    *n = s.n;
    return E_OK;
}

void audit_row_put_json(json_writer *w, const audit_row *r) {
    json_begin_object(w);
    json_field_text(w, "id", r->request_id);
    json_field_text(w, "trace_id", r->trace_id);
    json_field_int(w, "row", r->id);
    json_field_int(w, "at_ms", r->at_ms);
    json_field_text(w, "task", r->task_name);
    json_field_text(w, "task_id", r->task_id);
    json_field_text(w, "question", r->question);
    json_field_str(w, "answer", r->answer);
    json_field_text(w, "tier", str_from(gen_tier_name(r->tier)));
    json_field_text(w, "reason", r->reason);
    json_field_text(w, "label", r->label);
    json_field_text(w, "review", r->review);
    json_field_double(w, "confidence", r->confidence);
    json_field_double(w, "cost_usd", r->cost_usd);
    json_field_int(w, "latency_us", r->latency_us);
    json_field_int(w, "tokens_in", r->tokens_in);
    json_field_int(w, "tokens_out", r->tokens_out);
    json_field_text(w, "verdict", r->verdict);
    json_end_object(w);
}

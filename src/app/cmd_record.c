/* cmd_record.c - bantam requests, trace, cost: what was asked, why it was answered so, what it is
 * assumed to cost. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/stop.h"
#include "app/world.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

enum { FOLLOW_MS = 500 };

#define JSON_OPTION \
    { "json", 0, NULL, "print one JSON object on stdout", false }

/* ---- requests ---- */

static void print_row(const audit_row *r, bool show_text) {
    char when[32], masked[64];
    out_time(r->at_ms, when);
    size_t words = 0;
    for (size_t i = 0; i < r->question.n; i++)
        words += r->question.p[i] != ' ' && (i == 0 || r->question.p[i - 1] == ' ');
    snprintf(masked, sizeof masked, "(%zu words)", words);
    printf("%s  %-21.*s %-6s %-15.*s %-18.*s %7.1f ms $%.5f  %.*s\n", when, STR_ARG(r->request_id),
           gen_tier_name(r->tier), STR_ARG(r->reason), STR_ARG(r->label),
           (double)r->latency_us * 1e-3, r->cost_usd,
           STR_ARG(show_text ? str_slice(r->question, 0, 80) : str_from(masked)));
}

static err follow(const cli *c, world *w, audit_filter filter, bool text, fail *f) {
    TRY(audit_newest(w->audit, &filter.after, f));
    if (filter.after == 0) filter.after = 1;
    while (!stop_wanted()) {
        audit_row *rows;
        size_t n;
        arena a;
        arena_init(&a, 0);
        err e = audit_list(w->audit, &filter, &a, &rows, &n, f);
        for (size_t i = 0; e == E_OK && i < n; i++) {
            print_row(&rows[i], text);
            filter.after = rows[i].id;
        }
        arena_deinit(&a);
        if (e != E_OK) return e;
        TRY(out_flush(f));
        clock_sleep_ms(FOLLOW_MS);
    }
    (void)c;
    return E_OK;
}

static err requests(const cli *c, world *w, fail *f) {
    const char *name = cli_value(c, "task"), *tier = cli_value(c, "tier");
    audit_filter filter = {.task = str_from(name), .tier = str_from(tier)};
    audit_row *rows;
    size_t n;
    bool text = cli_flag(c, "text");
    TRY(cli_int(c, "limit", 30, 1, AUDIT_LIST_MAX, &filter.limit, f));
    if (cli_flag(c, "follow")) return follow(c, w, filter, text, f);
    TRY(audit_list(w->audit, &filter, c->arena, &rows, &n, f));
    if (!cli_flag(c, "json")) {
        for (size_t i = n; i-- > 0;) print_row(&rows[i], text);
        if (n == 0)
            printf("nothing was asked yet\n");
        else if (!text)
            printf("questions are masked; --text shows them\n");
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "requests");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++) audit_row_put_json(&j, &rows[i]);
    json_end_array(&j);
    json_end_object(&j);
    err e = out_json(&b, f);
    buf_deinit(&b);
    return e;
}

/* ---- trace ---- */

static err trace(const cli *c, world *w, fail *f) {
    str text;
    const json *v;
    buf b = {0};
    json_writer j = {.out = &b, .pretty = !cli_flag(c, "json")};
    TRY(audit_get(w->audit, str_from(c->args[0]), c->arena, &text, f));
    TRY(json_parse(c->arena, text, &v, f));
    json_put_value(&j, v);
    err e = out_json(&b, f);
    buf_deinit(&b);
    return e;
}

/* ---- cost ---- */

typedef struct cost_sum {
    int64_t requests;
    double total, people, large;
    double per_large; /* what one question would cost with the large tier alone; NAN unknown */
} cost_sum;

static cost_sum add_up(const audit_sum *sums, size_t n) {
    cost_sum s = {.per_large = (double)NAN};
    int64_t asked_large = 0;
    for (size_t i = 0; i < n; i++) {
        s.requests += sums[i].requests;
        s.total += sums[i].cost_usd;
        if (sums[i].tier == GEN_TIER_HUMAN) s.people += sums[i].cost_usd;
        if (sums[i].tier == GEN_TIER_LLM) s.large += sums[i].cost_usd, asked_large += sums[i].asked;
    }
    if (asked_large) s.per_large = s.large / (double)asked_large;
    return s;
}

static void print_quoted_mix(void) {
    double small = 0.87 * 0.002, large = 0.11 * 0.08, people = 0.02 * 6;
    printf("\nAn often-quoted mix, 87 %% at $0.002, 11 %% at $0.08 and 2 %% at $6, is said to make "
           "$0.015 a question.\n"
           "It makes $%.4f, and people are %.0f %% of it: what goes to people decides the bill.\n",
           small + large + people, 100 * people / (small + large + people));
}

static void print_cost(const audit_sum *sums, size_t n, const cost_sum *s, double price) {
    printf("%-6s %10s %10s %12s %8s\n", "tier", "decided", "asked", "assumed $", "share");
    for (size_t i = 0; i < n; i++)
        printf("%-6s %10lld %10lld %12.4f %7.1f%%\n", gen_tier_name(sums[i].tier),
               (long long)sums[i].requests, (long long)sums[i].asked, sums[i].cost_usd,
               s->total > 0 ? 100 * sums[i].cost_usd / s->total : 0);
    printf("\n%lld questions, assumed $%.4f in all", (long long)s->requests, s->total);
    if (s->requests)
        printf(", $%.4f each; people %.1f %% of it", s->total / (double)s->requests,
               s->total > 0 ? 100 * s->people / s->total : 0);
    printf("\nlarge model only, nobody checking: ");
    if (isnan(price))
        printf("unknown; give --large-price USD a question\n");
    else
        printf("$%.4f ($%.4f a question%s)\n", price * (double)s->requests, price,
               isnan(s->per_large) ? ", as given" : "");
    printf("All of these are the assumptions of the task files times what was counted, not "
           "invoices.\n");
    print_quoted_mix();
}

static err cost(const cli *c, world *w, fail *f) {
    const char *name = cli_value(c, "task");
    audit_sum *sums;
    size_t n;
    double days, price;
    TRY(cli_double(c, "days", 0, 0, 36500, &days, f));
    TRY(cli_double(c, "large-price", (double)NAN, 0, 1e6, &price, f));
    int64_t since_ms = days > 0 ? clock_now_ms() - (int64_t)(days * 86400000) : 0;
    TRY(audit_sums(w->audit, str_from(name), since_ms, 0, 0, c->arena, &sums, &n, f));
    cost_sum s = add_up(sums, n);
    if (isnan(price)) price = s.per_large;
    if (!cli_flag(c, "json")) {
        print_cost(sums, n, &s, price);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "requests");
    json_put_int(&j, s.requests);
    json_key(&j, "cost_usd");
    json_put_double(&j, s.total);
    json_key(&j, "people_usd");
    json_put_double(&j, s.people);
    json_key(&j, "people_share");
    json_put_double(&j, s.total > 0 ? s.people / s.total : (double)NAN);
    json_key(&j, "large_only_usd");
    json_put_double(&j, price * (double)s.requests);
    json_key(&j, "by_tier");
    json_begin_object(&j);
    for (size_t i = 0; i < n; i++) {
        json_key(&j, gen_tier_name(sums[i].tier));
        json_begin_object(&j);
        json_key(&j, "requests");
        json_put_int(&j, sums[i].requests);
        json_key(&j, "asked");
        json_put_int(&j, sums[i].asked);
        json_key(&j, "cost_usd");
        json_put_double(&j, sums[i].cost_usd);
        json_end_object(&j);
    }
    json_end_object(&j);
    json_end_object(&j);
    err e = out_json(&b, f);
    buf_deinit(&b);
    return e;
}

static err run_requests(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, requests, f);
}
static err run_trace(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, trace, f);
}
static err run_cost(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, cost, f);
}

static const cli_option request_options[] = {
    {"follow", 'f', NULL, "keep showing new ones", false},
    {"task", 0, "NAME", "of this task only", false},
    {"tier", 0, "TIER", "decided by slm, llm or human", false},
    {"limit", 0, "N", "the last N (default 30)", false},
    {"text", 0, NULL, "show the questions, which are masked otherwise", false},
    JSON_OPTION};
static const cli_option trace_options[] = {JSON_OPTION};
static const cli_option cost_options[] = {
    {"task", 0, "NAME", "of this task only", false},
    {"days", 0, "N", "of the last N days", false},
    {"large-price", 0, "USD", "assumed price of one question to the large model", false},
    JSON_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"requests", "", "show what was asked lately", NULL, OPTIONS(request_options), 0, 0,
     run_requests},
    {"trace", "ID", "show one request: tiers tried, scores, reasons, cost", NULL,
     OPTIONS(trace_options), 1, 1, run_trace},
    {"cost", "", "show what the questions are assumed to have cost", NULL, OPTIONS(cost_options), 0,
     0, run_cost},
};

cmd_group cmd_record(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

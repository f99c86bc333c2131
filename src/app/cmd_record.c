/* cmd_record.c - bantam requests, trace, cost: what was asked, why it was answered so, what it is
 * assumed to cost. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/stop.h"
#include "app/world.h"
#include "audit/audit_cost.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

enum { FOLLOW_MS = 500 };

/* ---- requests ---- */

static void print_row(arena *a, const audit_row *r, bool show_text) {
    char when[32], masked[64];
    out_time(r->at_ms, when);
    size_t words = 0;
    for (size_t i = 0; i < r->question.n; i++)
        words += r->question.p[i] != ' ' && (i == 0 || r->question.p[i - 1] == ' ');
    snprintf(masked, sizeof masked, "(%zu words)", words);
    printf(
        "%s  %-21.*s %-6s %-15.*s %-18.*s %7.1f ms $%.5f  %.*s\n", when, STR_ARG(r->request_id),
        gen_tier_name(r->tier), STR_ARG(r->reason), STR_ARG(r->label), (double)r->latency_us * 1e-3,
        r->cost_usd,
        STR_ARG(show_text ? out_safe(a, str_slice(r->question, 0, 80), true) : str_from(masked)));
}

static void put_row(json_writer *j, const audit_row *r, bool show_text) {
    audit_row shown = *r;
    if (!show_text) shown.question = shown.answer = STR_NONE;
    audit_row_put_json(j, &shown);
}

/* One object a line, so that a reader downstream takes each as it comes. */
static err print_object(const audit_row *r, bool show_text, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    put_row(&j, r, show_text);
    return out_json(&b, f);
}

static err follow(const cli *c, world *w, audit_filter filter, bool text, fail *f) {
    bool as_json = cli_flag(c, "json");
    TRY(audit_newest(w->audit, &filter.after, f));
    if (filter.after == 0) filter.after = 1;
    while (!stop_wanted()) {
        audit_row *rows;
        size_t n;
        arena a;
        arena_init(&a, 0);
        err e = audit_list(w->audit, &filter, &a, &rows, &n, f);
        for (size_t i = 0; e == E_OK && i < n; i++) {
            if (as_json)
                e = print_object(&rows[i], text, f);
            else
                print_row(&a, &rows[i], text);
            filter.after = rows[i].id;
        }
        arena_deinit(&a);
        if (e != E_OK) return e;
        TRY(out_flush(f));
        clock_sleep_ms(FOLLOW_MS);
    }
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
        for (size_t i = n; i-- > 0;) print_row(c->arena, &rows[i], text);
        if (n == 0)
            printf("nothing was asked yet\n");
        else if (!text)
            printf("questions are masked; --text shows them\n");
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    out_list_begin(&j, "requests");
    for (size_t i = 0; i < n; i++) put_row(&j, &rows[i], text);
    out_list_end(&j);
    return out_json(&b, f);
}

/* ---- trace ---- */

static bool is_trace_id(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return s.n == 32;
}

/* The requests of one trace, oldest first: one as itself, several as a list. */
static err put_traced(const cli *c, world *w, str id, json_writer *j, fail *f) {
    audit_row *rows;
    size_t n;
    audit_filter filter = {.trace = id, .limit = AUDIT_LIST_MAX};
    TRY(audit_list(w->audit, &filter, c->arena, &rows, &n, f));
    if (n == 0) {
        fail_set(f, E_NOT_FOUND, "there is no record of a request of trace \"%.*s\"", STR_ARG(id));
        return fail_hint(f, "`bantam requests` shows the latest");
    }
    if (n > 1) {
        json_begin_object(j);
        json_field_str(j, "trace_id", id);
        json_key(j, "requests");
        json_begin_array(j);
    }
    for (size_t i = 0; i < n; i++) {
        str text;
        const json *v;
        TRY(audit_get(w->audit, rows[i].request_id, c->arena, &text, f));
        TRY(json_parse(c->arena, text, &v, f));
        json_put_value(j, v);
    }
    if (n > 1) {
        json_end_array(j);
        json_end_object(j);
    }
    return E_OK;
}

static err put_one(const cli *c, world *w, str id, json_writer *j, fail *f) {
    str text;
    const json *v;
    TRY(audit_get(w->audit, id, c->arena, &text, f));
    TRY(json_parse(c->arena, text, &v, f));
    json_put_value(j, v);
    return E_OK;
}

static err trace(const cli *c, world *w, fail *f) {
    str id = str_from(c->args[0]);
    buf b = {0};
    json_writer j = {.out = &b, .pretty = !cli_flag(c, "json")};
    err found = is_trace_id(id) ? put_traced(c, w, id, &j, f) : put_one(c, w, id, &j, f);
    if (found != E_OK) {
        buf_deinit(&b);
        return found;
    }
    return out_json(&b, f);
}

/* ---- cost ---- */

static void print_cost(const audit_sum *sums, size_t n, const audit_cost *c) {
    audit_mix mix = audit_quoted_mix();
    printf("%-6s %10s %10s %12s %8s\n", "tier", "decided", "asked", "assumed $", "share");
    for (size_t i = 0; i < n; i++)
        printf("%-6s %10lld %10lld %12.4f %7.1f%%\n", gen_tier_name(sums[i].tier),
               (long long)sums[i].requests, (long long)sums[i].asked, sums[i].cost_usd,
               c->total > 0 ? 100 * sums[i].cost_usd / c->total : 0);
    printf("\n%lld questions, assumed $%.4f in all", (long long)c->requests, c->total);
    if (c->requests) printf(", $%.4f each", c->total / (double)c->requests);
    if (!isnan(c->people_share)) printf("; people are %.1f %% of it", 100 * c->people_share);
    printf("\nlarge model only, nobody checking: ");
    if (isnan(c->large_price))
        printf("unknown; give --large-price USD a question\n");
    else
        printf("$%.4f ($%.4f a question, %s)\n", c->large_only, c->large_price,
               c->large_price_seen ? "the mean of those asked" : "as given");
    printf(
        "All of these are the assumptions of the task files times what was counted, not invoices.\n"
        "\nAn often-quoted mix, 87 %% at $0.002, 11 %% at $0.08 and 2 %% at $6, is said to make "
        "$%.3f a question.\n"
        "It makes $%.4f, and people are %.0f %% of it: what goes to people decides the bill.\n",
        mix.said, mix.usd, 100 * mix.people_share);
}

static err cost(const cli *c, world *w, fail *f) {
    const char *name = cli_value(c, "task");
    audit_sum *sums;
    size_t n;
    double days, price;
    TRY(cli_double(c, "days", 0, 0, 36500, &days, f));
    TRY(cli_double(c, "large-price", (double)NAN, 0, 1e6, &price, f));
    int64_t since_ms = days > 0 ? clock_now_ms() - (int64_t)(days * 86400000) : 0;
    TRY(audit_sums(w->audit, &(audit_scope){.task = str_from(name), .since_ms = since_ms}, c->arena,
                   &sums, &n, f));
    audit_cost total = audit_cost_of(sums, n, price);
    if (!cli_flag(c, "json")) {
        print_cost(sums, n, &total);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    audit_cost_put_json(&j, &total, sums, n);
    return out_json(&b, f);
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
    {"follow", 'f', NULL, "keep showing new ones; with --json one object a line", false},
    {"task", 0, "NAME", "of this task only", false},
    {"tier", 0, "TIER", "decided by slm, llm or human", false},
    {"limit", 0, "N", "the last N (default 30)", false},
    {"text", 0, NULL, "show the questions, which are masked otherwise", false},
    CLI_JSON_OPTION};
static const cli_option trace_options[] = {CLI_JSON_OPTION};
static const cli_option cost_options[] = {
    {"task", 0, "NAME", "of this task only", false},
    {"days", 0, "N", "of the last N days", false},
    {"large-price", 0, "USD", "assumed price of one question to the large model", false},
    CLI_JSON_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"requests", "", "show what was asked lately", "  bantam requests --limit 20\n",
     OPTIONS(request_options), 0, 0, run_requests},
    {"trace", "ID", "show one request: tiers tried, scores, reasons, cost",
     "ID is a request's, or a W3C trace id: then all requests of that trace.\n\n"
     "  bantam trace req_0123456789\n  bantam trace 0af7651916cd43dd8448eb211c80319c\n",
     OPTIONS(trace_options), 1, 1, run_trace},
    {"cost", "", "show what the questions are assumed to have cost", "  bantam cost\n",
     OPTIONS(cost_options), 0, 0, run_cost},
};

cmd_group cmd_record(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

/* cmd_review.c - bantam review ...: the people's queue from a terminal. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"

#include <math.h>
#include <stdio.h>

#define BY_OPTION \
    { "by", 0, "NAME", "who you are (default: your user name)", false }

static str who(const cli *c) {
    const char *by = cli_value(c, "by");
    return str_from(by ? by : out_user());
}

static void print_row(arena *a, const desk_review *r) {
    char when[32];
    out_time(r->created_ms, when);
    printf("%s%-9.*s%s %s  %-9s %-16.*s %.*s\n", out_bold(), STR_ARG(r->ref), out_plain(), when,
           r->overdue && r->status != DESK_ANSWERED ? "OVERDUE" : desk_status_name(r->status),
           STR_ARG(r->label.n ? r->label : r->guess),
           STR_ARG(out_safe(a, str_slice(r->text, 0, 100), true)));
}

static err list(const cli *c, world *w, str search, fail *f) {
    const char *task = cli_value(c, "task"), *status = cli_value(c, "status");
    desk_filter filter = {.task = str_from(task), .status = str_from(status), .search = search};
    desk_review *rows;
    size_t n;
    int64_t total;
    TRY(cli_int(c, "limit", 50, 1, DESK_LIST_MAX, &filter.limit, f));
    TRY(desk_list(&w->desk, &filter, c->arena, &rows, &n, &total, f));
    if (!cli_flag(c, "json")) {
        for (size_t i = 0; i < n; i++) print_row(c->arena, &rows[i]);
        if (n == 0)
            printf(search.n ? "none found\n" : "nobody waits for an answer\n");
        else if ((int64_t)n < total)
            printf("%zu of %lld; more with --limit\n", n, (long long)total);
        else if (rows[0].status != DESK_ANSWERED)
            printf("answer one: bantam review answer %.*s --label NAME\n", STR_ARG(rows[0].ref));
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "reviews");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++) desk_review_put_json(&j, &rows[i]);
    json_end_array(&j);
    json_field_int(&j, "total", total);
    json_end_object(&j);
    return out_json(&b, f);
}

static err review_list(const cli *c, world *w, fail *f) {
    return list(c, w, STR(""), f);
}
static err review_search(const cli *c, world *w, fail *f) {
    return list(c, w, str_from(c->args[0]), f);
}

static void print_review(arena *a, const desk_review *r) {
    char when[32];
    out_time(r->created_ms, when);
    printf("%s%.*s%s  task %.*s, asked %s, %s\n\n%.*s\n\n", out_bold(), STR_ARG(r->ref),
           out_plain(), STR_ARG(r->task_name), when, desk_status_name(r->status),
           STR_ARG(out_safe(a, r->text, false)));
    if (r->history.n) printf("said before:\n%.*s\n", STR_ARG(out_safe(a, r->history, false)));
    printf("why it came: %s\n", gen_reason_text(r->reason));
    if (r->guess.n) printf("best guess: %.*s", STR_ARG(r->guess));
    if (r->guess.n && !isnan(r->confidence)) printf(" (confidence %.2f)", r->confidence);
    if (r->guess.n) printf("\n");
    if (r->draft.n)
        printf("\ndraft, from %s:\n%.*s\n", gen_tier_name(r->draft_from),
               STR_ARG(out_safe(a, r->draft, false)));
    if (r->status == DESK_CLAIMED) printf("\nclaimed by %.*s\n", STR_ARG(r->claimed_by));
    if (r->answer.p)
        printf("\nanswered by %.*s:\n%.*s\n", STR_ARG(r->answered_by),
               STR_ARG(out_safe(a, r->answer, false)));
}

static err review_show(const cli *c, world *w, fail *f) {
    desk_review r;
    TRY(desk_get(&w->desk, str_from(c->args[0]), c->arena, &r, f));
    if (!cli_flag(c, "json")) {
        print_review(c->arena, &r);
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    desk_review_put_json(&j, &r);
    return out_json(&b, f);
}

static err review_claim(const cli *c, world *w, fail *f) {
    int64_t minutes;
    TRY(cli_int(c, "minutes", DESK_CLAIM_MINUTES, 1, 1440, &minutes, f));
    TRY(desk_claim(&w->desk, str_from(c->args[0]), who(c), minutes, f));
    printf("%s is yours for %lld minutes\n", c->args[0], (long long)minutes);
    return E_OK;
}

static err review_release(const cli *c, world *w, fail *f) {
    TRY(desk_release(&w->desk, str_from(c->args[0]), who(c), f));
    printf("%s is open again\n", c->args[0]);
    return E_OK;
}

/* After a label was stored: a running server sees it by itself, else the head is fitted before we
 * return. */
static err learn(const cli *c, world *w, str task_id, bool *refitted, fail *f) {
    int64_t port, pid;
    task_place *places;
    size_t n;
    *refitted = false;
    if (cli_flag(c, "no-refit") || home_server_runs(&w->home, &port, &pid)) return E_OK;
    TRY(task_list(c->arena, w->home.task_dirs, 2, &places, &n, f));
    for (size_t i = 0; i < n; i++) {
        task *t;
        fail ignored;
        if (task_load(c->arena, places[i].path.p, &t, &ignored) != E_OK ||
            !str_eq(t->id, task_id) || !t->slm.present)
            continue;
        world_task *open;
        route_fit_report r;
        fail why = {0};
        err e = world_task_open(w, places[i].path, &open, &why);
        if (e == E_OK) e = route_refit(open->route, NULL, 0, c->arena, &r, &why);
        *refitted = e == E_OK;
        if (e == E_CANCELLED) *f = why;
        if (e == E_CANCELLED || e == E_OK) return e;
        /* the decision stands and is stored: an error here would say that it does not */
        fprintf(stderr, "bantam: stored, but the task could not be fitted again: %s\n", why.text);
        return E_OK;
    }
    return E_OK; /* a label of a task whose file lies elsewhere is learned when that is opened */
}

static err report(const cli *c, const desk_outcome *o, bool refitted, fail *f) {
    if (!cli_flag(c, "json")) {
        printf("sent:\n%.*s\n", STR_ARG(out_safe(c->arena, o->text, false)));
        if (o->label_id) printf("learned%s\n", refitted ? ", and fitted again" : "");
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_field_z(&j, "id", c->args[0]);
    json_field_str(&j, "answer", o->text);
    json_field_bool(&j, "learned", o->label_id != 0);
    json_field_bool(&j, "refitted", refitted);
    json_end_object(&j);
    return out_json(&b, f);
}

static err decide(const cli *c, world *w, bool correct, fail *f) {
    str ref = str_from(c->args[0]);
    desk_review r;
    desk_outcome o;
    bool refitted;
    desk_decision d = {.label = str_from(cli_value(c, "label")),
                       .text = str_from(cli_value(c, "text")),
                       .by = who(c),
                       .approve = !correct && cli_flag(c, "approve")};
    TRY(desk_get(&w->desk, ref, c->arena, &r, f));
    if (correct)
        TRY(desk_correct(&w->desk, ref, &d, c->arena, &o, f));
    else
        TRY(desk_answer(&w->desk, ref, &d, c->arena, &o, f));
    refitted = false;
    if (o.label_id) TRY(learn(c, w, r.task_id, &refitted, f));
    return report(c, &o, refitted, f);
}
static err review_answer(const cli *c, world *w, fail *f) {
    return decide(c, w, false, f);
}
static err review_correct(const cli *c, world *w, fail *f) {
    return decide(c, w, true, f);
}

static err review_unlearn(const cli *c, world *w, fail *f) {
    desk_review r;
    bool refitted;
    TRY(desk_get(&w->desk, str_from(c->args[0]), c->arena, &r, f));
    TRY(desk_unlearn(&w->desk, str_from(c->args[0]), who(c), f));
    TRY(learn(c, w, r.task_id, &refitted, f));
    printf("what was learned from %s is taken back%s\n", c->args[0],
           refitted ? ", and fitted again" : "");
    return E_OK;
}

#define RUN(name)                                           \
    static err run_##name(const cli *c, fail *f) {          \
        return world_run(c, WORLD_STORE, review_##name, f); \
    }
RUN(list)
RUN(search)
RUN(show)
RUN(claim)
RUN(release)
RUN(answer)
RUN(correct)
RUN(unlearn)

static const cli_option list_options[] = {
    {"task", 0, "NAME", "of this task only", false},
    {"status", 0, "open|claimed|answered|all", "default open", false},
    {"limit", 0, "N", "at most N (default 50)", false},
    CLI_JSON_OPTION};
static const cli_option show_options[] = {CLI_JSON_OPTION};
static const cli_option claim_options[] = {BY_OPTION,
                                           {"minutes", 0, "N", "for how long (default 15)", false}};
static const cli_option by_options[] = {BY_OPTION};
static const cli_option answer_options[] = {
    {"label", 0, "NAME", "what the question is about; the task learns it", false},
    {"text", 0, "TEXT", "what the customer gets (default: the label's approved reply)", false},
    {"approve", 0, NULL, "send the draft as it is", false},
    {"no-refit", 0, NULL, "learn as nearest example only; do not fit the head again now", false},
    BY_OPTION,
    CLI_JSON_OPTION};
static const cli_option correct_options[] = {
    {"label", 0, "NAME", "the right label; the old one is unlearned", false},
    {"text", 0, "TEXT", "the right text", false},
    {"no-refit", 0, NULL, "do not fit the head again now", false},
    BY_OPTION,
    CLI_JSON_OPTION};
static const cli_option unlearn_options[] = {
    {"no-refit", 0, NULL, "do not fit the head again now", false}, BY_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"review list", "", "show who waits for a person", "  bantam review list --status open\n",
     OPTIONS(list_options), 0, 0, run_list},
    {"review search", "TEXT", "find reviews by their words", "  bantam review search parcel\n",
     OPTIONS(list_options), 1, 1, run_search},
    {"review show", "ID", "show one with draft and evidence", "  bantam review show k3f8q2mz\n",
     OPTIONS(show_options), 1, 1, run_show},
    {"review claim", "ID", "take one, so that nobody else answers it",
     "  bantam review claim k3f8q2mz --by ann\n", OPTIONS(claim_options), 1, 1, run_claim},
    {"review release", "ID", "give it back", "  bantam review release k3f8q2mz --by ann\n",
     OPTIONS(by_options), 1, 1, run_release},
    {"review answer", "ID --label NAME", "answer; the label is learned, your words are not",
     "The label is used from the next question on. Your text goes to this customer only.\n\n"
     "  bantam review answer k7w2m9qx --label cancel_policy\n"
     "  bantam review answer k7w2m9qx --approve\n"
     "  bantam review answer k7w2m9qx --label other --text \"Please call 0800 ...\"\n",
     OPTIONS(answer_options), 1, 1, run_answer},
    {"review correct", "ID", "replace a sent answer or its label",
     "  bantam review correct k3f8q2mz --text \"Sorry, this is right.\" --by ann\n",
     OPTIONS(correct_options), 1, 1, run_correct},
    {"review unlearn", "ID", "take back what was learned from one",
     "  bantam review unlearn k3f8q2mz --by ann\n", OPTIONS(unlearn_options), 1, 1, run_unlearn},
};

cmd_group cmd_review(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

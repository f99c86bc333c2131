/* t_desk.c - tests desk/: claims, answers with their labels, corrections, what askers are told, and
 * what happens when two people, two processes, a kill or a lack of memory meet. */
#include "desk/desk.h"

#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MINUTE_MS = 60000 };
static const int64_t start_ms = 1795000000000;

/* The learning side of these tests: one table. */
static const char sink_schema[] =
    "CREATE TABLE learned(id INTEGER PRIMARY KEY, text TEXT, label TEXT,"
    " source TEXT, gone INTEGER NOT NULL DEFAULT 0) STRICT;";
static bool sink_fails;

static err sink_learn(void *self, store_tx *tx, const gen_label *label, int64_t *id, fail *f) {
    (void)self;
    store_stmt *q;
    bool row;
    if (sink_fails) return fail_set(f, E_INPUT, "the sink refuses");
    TRY(store_prepare(tx, "INSERT INTO learned(text,label,source) VALUES(?1,?2,?3)", &q, f));
    store_bind_str(q, 1, label->text);
    store_bind_str(q, 2, label->label);
    store_bind_str(q, 3, label->source);
    TRY(store_step(q, &row, f));
    *id = store_last_id(tx);
    return E_OK;
}
static err sink_forget(void *self, store_tx *tx, int64_t id, fail *f) {
    (void)self;
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "UPDATE learned SET gone=1 WHERE id=?1", &q, f));
    store_bind_int(q, 1, id);
    return store_step(q, &row, f);
}

/* "cancel" has an approved reply, nothing else has. */
static err reply_text(void *self, str task_id, str label, arena *a, str *out, fail *f) {
    (void)self, (void)task_id, (void)a, (void)f;
    *out = str_is(label, "cancel") ? STR("You can cancel at any time.") : STR_NONE;
    return E_OK;
}

static char dir[64], path[128];
static desk d;
static arena a;
static fail f;

static store *open_store(void) {
    store *s = NULL;
    size_t n;
    const store_migration *own = desk_migrations(&n);
    store_migration all[8];
    for (size_t i = 0; i < n; i++) all[i] = own[i];
    all[n] = (store_migration){"test", 1, sink_schema};
    assert_ok(store_open(&s, path, all, n + 1, &f), &f);
    return s;
}

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/bantam-t-desk-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    clock_set_test_ms(start_ms);
    sink_fails = false;
    arena_init(&a, 0);
    d = (desk){.store = open_store(),
               .labels = {.learn = sink_learn, .forget = sink_forget},
               .reply_text = reply_text};
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    char command[128];
    store_close(d.store);
    arena_deinit(&a);
    clock_set_test_ms(0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static err ask_text(desk *on, const char *text, const char *request, arena *mem, str *ref,
                    fail *why) {
    gen_review review = {.request_id = str_from(request),
                         .task_id = STR("t-1"),
                         .task_name = STR("support"),
                         .text = str_from(text),
                         .draft = STR("a draft"),
                         .draft_from = GEN_TIER_SLM,
                         .label = STR("cancel"),
                         .confidence = 0.5,
                         .reason = GEN_WHY_UNSURE,
                         .evidence = STR("{\"candidates\":[]}"),
                         .expected_minutes = 30};
    gen_people people = desk_people(on);
    gen_ticket ticket;
    store_tx *tx;
    TRY(store_begin(on->store, STORE_WRITE, &tx, why));
    err e = people.ask(people.self, tx, &review, mem, &ticket, why);
    if (e != E_OK) {
        store_rollback(tx);
        return e;
    }
    TRY(store_commit(tx, why));
    *ref = ticket.ref;
    return E_OK;
}
static str ask(const char *text, const char *request) {
    str ref = STR_NONE;
    assert_ok(ask_text(&d, text, request, &a, &ref, &f), &f);
    assert_int_equal(ref.n, DESK_REF_BYTES);
    return ref;
}
static desk_review get(str ref) {
    desk_review r = {0};
    assert_ok(desk_get(&d, ref, &a, &r, &f), &f);
    return r;
}
static int64_t learned(const char *where) {
    store_tx *tx;
    store_stmt *q;
    bool row;
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM learned WHERE %s", where);
    assert_ok(store_begin(d.store, STORE_READ, &tx, &f), &f);
    assert_ok(store_prepare(tx, sql, &q, &f), &f);
    assert_ok(store_step(q, &row, &f), &f);
    int64_t n = store_int(q, 0);
    store_rollback(tx);
    return n;
}

static void a_review_keeps_what_it_was_given(void **state) {
    (void)state;
    desk_review r = get(ask("how do I cancel? 50% '\"<b>", "req-1"));
    assert_true(str_is(r.text, "how do I cancel? 50% '\"<b>"));
    assert_true(str_is(r.task_name, "support") && str_is(r.task_id, "t-1"));
    assert_true(str_is(r.draft, "a draft") && r.draft_from == GEN_TIER_SLM);
    assert_true(str_is(r.guess, "cancel") && r.confidence == 0.5);
    assert_int_equal(r.reason, GEN_WHY_UNSURE);
    assert_int_equal(r.status, DESK_OPEN);
    assert_int_equal(r.expected_by_ms, start_ms + 30 * MINUTE_MS);
    assert_null(r.answer.p);
    assert_int_equal(desk_get(&d, STR("nothere2"), &a, &r, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.text, "nothere2"));
}

static void lists_filter_search_and_page(void **state) {
    (void)state;
    str first = ask("about 100% refunds", "req-1"), second = ask("about 100 refunds", "req-2");
    desk_decision decision = {.text = STR("Your money is on its way"), .by = STR("Ann")};
    desk_outcome outcome;
    desk_review *list;
    size_t n;
    int64_t total;
    assert_ok(desk_list(&d, &(desk_filter){0}, &a, &list, &n, &total, &f), &f);
    assert_true(n == 2 && total == 2 && str_eq(list[0].ref, first));
    assert_ok(desk_list(&d, &(desk_filter){.search = STR("100%")}, &a, &list, &n, &total, &f), &f);
    assert_true(n == 1 && str_eq(list[0].ref, first)); /* % is a letter, not a pattern */
    assert_ok(
        desk_list(&d, &(desk_filter){.newest_first = true, .limit = 1}, &a, &list, &n, &total, &f),
        &f);
    assert_true(n == 1 && total == 2 && str_eq(list[0].ref, second));
    assert_ok(desk_list(&d, &(desk_filter){.offset = 1}, &a, &list, &n, NULL, &f), &f);
    assert_true(n == 1 && str_eq(list[0].ref, second));
    assert_ok(desk_answer(&d, first, &decision, &a, &outcome, &f), &f);
    assert_ok(desk_list(&d, &(desk_filter){0}, &a, &list, &n, NULL, &f), &f);
    assert_int_equal(n, 1);
    desk_filter answered = {.status = STR("answered"), .search = STR("ON ITS WAY")};
    assert_ok(desk_list(&d, &answered, &a, &list, &n, NULL, &f), &f);
    assert_true(n == 1 && str_is(list[0].answered_by, "Ann"));
    assert_ok(desk_list(&d, &(desk_filter){.task = STR("t-1"), .status = STR("all")}, &a, &list, &n,
                        NULL, &f),
              &f);
    assert_int_equal(n, 2);
    assert_ok(desk_list(&d, &(desk_filter){.task = STR("no")}, &a, &list, &n, NULL, &f), &f);
    assert_int_equal(n, 0);
    assert_int_equal(desk_list(&d, &(desk_filter){.status = STR("lost")}, &a, &list, &n, NULL, &f),
                     E_INPUT);
    desk_counts counts;
    assert_ok(desk_count(&d, STR("support"), STR(""), &counts, &f), &f);
    assert_true(counts.open == 1 && counts.answered == 1 && counts.oldest_ms == start_ms);
}

static void lists_of_a_tenant(void **state) {
    (void)state;
    gen_review review = {.request_id = STR("req-1"),
                         .task_id = STR("t-1"),
                         .task_name = STR("support"),
                         .tenant = STR("acme"),
                         .text = STR("mine"),
                         .confidence = 0.5};
    gen_people people = desk_people(&d);
    gen_ticket ticket;
    store_tx *tx;
    desk_review *list;
    size_t n;
    int64_t total;
    desk_counts counts;
    ask("of nobody", "req-2");
    assert_ok(store_begin(d.store, STORE_WRITE, &tx, &f), &f);
    assert_ok(people.ask(people.self, tx, &review, &a, &ticket, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    for (int i = 0; i < 3; i++) {
        static const char *const tenants[] = {"acme", "bolt", ""};
        desk_filter filter = {.tenant = str_from(tenants[i])};
        int64_t wanted = i == 0 ? 1 : i == 1 ? 0 : 2;
        assert_ok(desk_list(&d, &filter, &a, &list, &n, &total, &f), &f);
        assert_true((int64_t)n == wanted && total == wanted);
        assert_ok(desk_count(&d, STR(""), filter.tenant, &counts, &f), &f);
        assert_int_equal(counts.open, wanted);
    }
    assert_ok(desk_list(&d, &(desk_filter){.tenant = STR("acme")}, &a, &list, &n, NULL, &f), &f);
    assert_true(str_is(list[0].tenant, "acme"));
}

static void one_of_two_people_gets_it(void **state) {
    (void)state;
    str ref = ask("mine?", "req-1");
    desk_outcome outcome;
    assert_ok(desk_claim(&d, ref, STR("Ann"), 10, &f), &f);
    assert_int_equal(desk_claim(&d, ref, STR("Bob"), 10, &f), E_BUSY);
    assert_non_null(strstr(f.text, "Ann"));
    assert_non_null(strstr(f.text, "until 20"));
    assert_int_equal(desk_release(&d, ref, STR("Bob"), &f), E_DENIED);
    desk_decision bobs = {.text = STR("x"), .by = STR("Bob")};
    assert_int_equal(desk_answer(&d, ref, &bobs, &a, &outcome, &f), E_BUSY);
    clock_set_test_ms(start_ms + 9 * MINUTE_MS);
    assert_ok(desk_claim(&d, ref, STR("Ann"), 10, &f), &f); /* extends */
    clock_set_test_ms(start_ms + 15 * MINUTE_MS);
    assert_int_equal(desk_claim(&d, ref, STR("Bob"), 10, &f), E_BUSY);
    clock_set_test_ms(start_ms + 19 * MINUTE_MS);
    assert_int_equal(get(ref).status, DESK_OPEN); /* its time is up */
    assert_ok(desk_claim(&d, ref, STR("Bob"), 10, &f), &f);
    assert_ok(desk_release(&d, ref, STR("Bob"), &f), &f);
    assert_ok(desk_answer(&d, ref, &(desk_decision){.text = STR("x"), .by = STR("Ann")}, &a,
                          &outcome, &f),
              &f);
    assert_int_equal(desk_answer(&d, ref, &bobs, &a, &outcome, &f), E_EXISTS);
    assert_non_null(strstr(f.text, "Ann"));
    assert_int_equal(desk_claim(&d, ref, STR("Bob"), 1, &f), E_EXISTS);
    assert_int_equal(desk_claim(&d, ref, STR(""), 1, &f), E_INPUT);
}

/* Processes claim and answer the same reviews at once; each review has exactly one winner. */
static void many_processes_claim(void **state) {
    (void)state;
    enum { PROCESSES = 4, REVIEWS = 10 };
    str refs[REVIEWS];
    for (int i = 0; i < REVIEWS; i++) refs[i] = ask("race", "req-r");
    store_close(d.store);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    for (int p = 0; p < PROCESSES; p++) {
        if (fork() != 0) continue;
        char name[8];
        snprintf(name, sizeof name, "p%d", p);
        d.store = open_store();
        for (int i = 0; i < REVIEWS; i++) {
            err e = desk_claim(&d, refs[i], str_from(name), 5, &f);
            unsigned char won = (unsigned char)i;
            if (e == E_OK && write(ends[1], &won, 1) != 1) _exit(1);
            if (e != E_OK && e != E_BUSY) _exit(2);
        }
        _exit(0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        wait(&status);
        assert_int_equal(status, 0);
    }
    close(ends[1]);
    int wins[REVIEWS] = {0};
    unsigned char won;
    while (read(ends[0], &won, 1) == 1) wins[won]++;
    close(ends[0]);
    d.store = open_store();
    for (int i = 0; i < REVIEWS; i++) assert_int_equal(wins[i], 1);
}

static void an_answer_teaches_its_label(void **state) {
    (void)state;
    str ref = ask("stop my policy", "req-1");
    desk_outcome outcome;
    desk_decision nothing = {.by = STR("Ann")}, no_reply = {.label = STR("travel")};
    assert_int_equal(desk_answer(&d, ref, &nothing, &a, &outcome, &f), E_INPUT);
    assert_int_equal(desk_answer(&d, ref, &no_reply, &a, &outcome, &f), E_INPUT);
    assert_non_null(strstr(f.text, "travel"));
    desk_decision good = {.label = STR("cancel"), .by = STR("Ann")};
    assert_ok(desk_answer(&d, ref, &good, &a, &outcome, &f), &f);
    assert_true(str_is(outcome.text, "You can cancel at any time."));
    assert_true(outcome.label_id > 0);
    assert_int_equal(learned("text='stop my policy' AND label='cancel' AND source='review'"), 1);
    desk_review r = get(ref);
    assert_true(str_is(r.answered_by, "Ann") && str_is(r.label, "cancel"));
    assert_int_equal(r.answered_ms, start_ms);
    assert_int_equal(r.label_id, outcome.label_id);
    assert_ok(desk_unlearn(&d, ref, STR("Bob"), &f), &f);
    assert_int_equal(learned("gone=1"), 1);
    assert_int_equal(desk_unlearn(&d, ref, STR("Bob"), &f), E_NOT_FOUND);
    assert_true(str_is(get(ref).answer, "You can cancel at any time."));
}

static void an_answer_and_its_label_are_one(void **state) {
    (void)state;
    str ref = ask("stop my policy", "req-1");
    desk_outcome outcome;
    sink_fails = true;
    desk_decision decision = {.label = STR("cancel"), .by = STR("Ann")};
    assert_int_equal(desk_answer(&d, ref, &decision, &a, &outcome, &f), E_INPUT);
    assert_int_equal(get(ref).status, DESK_OPEN);
    sink_fails = false;
    assert_ok(desk_answer(&d, ref, &decision, &a, &outcome, &f), &f);
}

static void approving_sends_the_draft(void **state) {
    (void)state;
    str ref = ask("?", "req-1");
    desk_outcome outcome;
    assert_ok(
        desk_answer(&d, ref, &(desk_decision){.approve = true, .by = STR("Ann")}, &a, &outcome, &f),
        &f);
    assert_true(str_is(outcome.text, "a draft"));
    assert_true(str_is(get(ref).label, "cancel"));
}

static void a_correction_keeps_both_texts(void **state) {
    (void)state;
    str ref = ask("?", "req-1");
    desk_outcome outcome;
    desk_decision fix = {.label = STR("other"), .text = STR("better"), .by = STR("Bob")};
    assert_int_equal(desk_correct(&d, ref, &fix, &a, &outcome, &f), E_INPUT);
    desk_decision first = {.label = STR("cancel"), .by = STR("Ann")};
    assert_ok(desk_answer(&d, ref, &first, &a, &outcome, &f), &f);
    clock_set_test_ms(start_ms + 5);
    assert_ok(desk_correct(&d, ref, &fix, &a, &outcome, &f), &f);
    assert_int_equal(learned("label='cancel' AND gone=1"), 1);
    assert_int_equal(learned("label='other' AND gone=0 AND source='correction'"), 1);
    desk_review r = get(ref);
    assert_true(str_is(r.answer, "better") && str_is(r.answered_by, "Bob"));
    desk_event *events;
    size_t n;
    assert_ok(desk_history(&d, ref, &a, &events, &n, &f), &f);
    assert_int_equal(n, 3);
    assert_true(str_is(events[1].what, "answered") && str_is(events[1].by, "Ann"));
    assert_true(str_is(events[2].what, "corrected") && str_is(events[2].by, "Bob"));
    assert_true(str_is(events[2].text, "You can cancel at any time."));
    assert_int_equal(events[2].at_ms, start_ms + 5);
    assert_ok(desk_unlearn(&d, ref, STR("Bob"), &f), &f);
    assert_ok(desk_correct(&d, ref, &(desk_decision){.text = STR("best")}, &a, &outcome, &f), &f);
    assert_int_equal(learned("gone=0"), 0); /* other words do not teach again what was taken back */
    assert_ok(desk_correct(&d, ref, &(desk_decision){.label = STR("cancel")}, &a, &outcome, &f),
              &f);
    assert_true(str_is(outcome.text, "You can cancel at any time."));
}

static void what_changed_is_told_once(void **state) {
    (void)state;
    int64_t last = -1;
    str *refs;
    size_t n;
    desk_outcome outcome;
    char kept[DESK_REF_BYTES];
    str first = ask("?", "req-1"), second = ask("?", "req-2");
    memcpy(kept, second.p, sizeof kept);
    second.p = kept;
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_int_equal(n, 0); /* from now on */
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_int_equal(n, 0);
    assert_ok(desk_claim(&d, second, STR("Ann"), 5, &f), &f);
    assert_ok(desk_answer(&d, first, &(desk_decision){.text = STR("x")}, &a, &outcome, &f), &f);
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_int_equal(n, 2);
    assert_true(str_eq(refs[0], second) && str_eq(refs[1], first));
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_int_equal(n, 0);
    last = 0; /* more than one page of them */
    for (int i = 0; i < DESK_LIST_MAX; i++) {
        assert_ok(i % 2 ? desk_claim(&d, second, STR("Ann"), 5, &f)
                        : desk_release(&d, second, STR("Ann"), &f),
                  &f);
        arena_reset(&a);
    }
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_int_equal(n, DESK_LIST_MAX);
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_true(n > 0 && n < DESK_LIST_MAX);
    assert_true(str_eq(refs[n - 1], get(second).ref));
    last += 1000; /* the newest were erased, their numbers come again */
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_ok(desk_release(&d, second, STR("Ann"), &f), &f);
    assert_ok(desk_changed_since(&d, &last, &a, &refs, &n, &f), &f);
    assert_int_equal(n, 1);
}

static void the_asker_is_told_and_told_again(void **state) {
    (void)state;
    str ref = ask("anybody?", "req-1");
    desk_reply reply;
    assert_ok(desk_status_for_asker(&d, ref, &a, &reply, &f), &f);
    assert_int_equal(reply.state, DESK_WAITING);
    assert_int_equal(reply.expected_by_ms, start_ms + 30 * MINUTE_MS);
    int64_t later = start_ms + 31 * MINUTE_MS;
    clock_set_test_ms(later);
    for (int i = 0; i < 2; i++) { /* asking twice does not move the time twice */
        assert_ok(desk_status_for_asker(&d, ref, &a, &reply, &f), &f);
        assert_int_equal(reply.state, DESK_OVERDUE);
        assert_int_equal(reply.expected_by_ms, later + 30 * MINUTE_MS);
        assert_int_equal(get(ref).told, 2);
    }
    desk_counts counts;
    assert_ok(desk_count(&d, STR(""), STR(""), &counts, &f), &f);
    assert_int_equal(counts.overdue, 1);
    assert_ok(desk_claim(&d, ref, STR("Ann"), 5, &f), &f);
    assert_ok(desk_status_for_asker(&d, ref, &a, &reply, &f), &f);
    assert_true(reply.claimed);
    desk_outcome outcome;
    desk_decision decision = {.text = STR("Yes, I am here."), .by = STR("Ann")};
    assert_ok(desk_answer(&d, ref, &decision, &a, &outcome, &f), &f);
    assert_ok(desk_status_for_asker(&d, ref, &a, &reply, &f), &f);
    assert_int_equal(reply.state, DESK_DONE);
    assert_true(str_is(reply.text, "Yes, I am here.") && str_is(reply.answered_by, "Ann"));
    assert_int_equal(desk_status_for_asker(&d, STR("x"), &a, &reply, &f), E_NOT_FOUND);
}

static gen_ticket object(const char *request, gen_reason reason) {
    gen_review review = {.request_id = str_from(request),
                         .task_id = STR("t-1"),
                         .task_name = STR("support"),
                         .text = STR("the question"),
                         .confidence = (double)NAN,
                         .reason = reason};
    gen_ticket ticket = {0};
    store_tx *tx;
    assert_ok(store_begin(d.store, STORE_WRITE, &tx, &f), &f);
    assert_ok(desk_object(&d, tx, &review, &a, &ticket, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    return ticket;
}

static void an_objection_reopens_or_opens(void **state) {
    (void)state;
    gen_ticket fresh = object("req-slm", GEN_WHY_WANTS_PERSON); /* the small tier had answered */
    assert_int_equal(get(fresh.ref).reason, GEN_WHY_WANTS_PERSON);
    assert_true(isnan(get(fresh.ref).confidence));
    assert_true(str_eq(object("req-slm", GEN_WHY_SAYS_WRONG).ref, fresh.ref)); /* waiting already */
    str ref = ask("?", "req-1");
    desk_outcome outcome;
    desk_decision decision = {.label = STR("cancel"), .by = STR("Ann")};
    assert_ok(desk_answer(&d, ref, &decision, &a, &outcome, &f), &f);
    clock_set_test_ms(start_ms + MINUTE_MS);
    gen_ticket again = object("req-1", GEN_WHY_SAYS_WRONG);
    assert_true(str_eq(again.ref, ref));
    assert_int_equal(again.expected_by_ms, start_ms + 31 * MINUTE_MS);
    desk_reply reply;
    assert_ok(desk_status_for_asker(&d, ref, &a, &reply, &f), &f);
    assert_int_equal(reply.state, DESK_WAITING);
    assert_true(str_is(reply.before, "You can cancel at any time."));
    desk_decision right = {.label = STR("refund"), .text = STR("Sorry."), .by = STR("Bob")};
    assert_ok(desk_answer(&d, ref, &right, &a, &outcome, &f), &f);
    assert_int_equal(learned("label='cancel' AND gone=1"), 1);
    assert_int_equal(learned("label='refund' AND source='correction' AND gone=0"), 1);
    assert_int_equal(get(ref).reopened, 1);
}

static void erasing_leaves_nothing(void **state) {
    (void)state;
    str ref = ask("my secret", "req-1");
    desk_outcome outcome;
    desk_decision decision = {.label = STR("cancel"), .by = STR("Ann")};
    assert_ok(desk_answer(&d, ref, &decision, &a, &outcome, &f), &f);
    store_tx *tx;
    int64_t n;
    desk_review r;
    assert_ok(store_begin(d.store, STORE_WRITE, &tx, &f), &f);
    assert_ok(desk_erase(&d, tx, STR("req-1"), &n, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    assert_int_equal(n, 1);
    assert_int_equal(desk_get(&d, ref, &a, &r, &f), E_NOT_FOUND);
    assert_int_equal(learned("gone=0"), 0);
}

static void retention_spares_what_waits(void **state) {
    (void)state;
    str waiting = ask("?", "req-1"), done = ask("?", "req-2");
    desk_outcome outcome;
    desk_review r;
    int64_t n;
    desk_decision decision = {.label = STR("cancel"), .by = STR("Ann")};
    assert_ok(desk_answer(&d, done, &decision, &a, &outcome, &f), &f);
    assert_ok(desk_forget_before(&d, STR("t-1"), start_ms, &n, &f), &f);
    assert_int_equal(n, 0);
    assert_ok(desk_forget_before(&d, STR("t-1"), start_ms + 1, &n, &f), &f);
    assert_int_equal(n, 1);
    assert_int_equal(desk_get(&d, done, &a, &r, &f), E_NOT_FOUND);
    assert_int_equal(get(waiting).status, DESK_OPEN);
    assert_int_equal(learned("gone=0"), 1);
}

static void long_and_odd_input_is_refused(void **state) {
    (void)state;
    str ref = ask("?", "req-1");
    desk_outcome outcome;
    static char big[DESK_TEXT_BYTES_MAX + 1];
    memset(big, 'x', sizeof big);
    desk_decision decision = {.text = {big, sizeof big}};
    assert_int_equal(desk_answer(&d, ref, &decision, &a, &outcome, &f), E_TOO_LARGE);
    decision = (desk_decision){.text = STR("x"), .by = {big, 200}};
    assert_int_equal(desk_answer(&d, ref, &decision, &a, &outcome, &f), E_INPUT);
    decision = (desk_decision){.text = STR("x"), .label = STR("a\nb")};
    assert_int_equal(desk_answer(&d, ref, &decision, &a, &outcome, &f), E_INPUT);
    assert_int_equal(desk_claim(&d, ref, STR("Ann"), -1, &f), E_INPUT);
    assert_int_equal(desk_claim(&d, (str){big, 5000}, STR("Ann"), 1, &f), E_NOT_FOUND);
}

/* A child acknowledges each review and answer through a pipe and is killed at work. */
static void a_kill_loses_nothing_acknowledged(void **state) {
    (void)state;
    store_close(d.store);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        d.store = open_store();
        for (;;) {
            str ref = STR_NONE;
            desk_outcome outcome;
            desk_decision decision = {.label = STR("cancel"), .by = STR("Ann")};
            if (ask_text(&d, "?", "req-k", &a, &ref, &f) != E_OK) _exit(1);
            if (desk_answer(&d, ref, &decision, &a, &outcome, &f) != E_OK) _exit(2);
            if (write(ends[1], ref.p, ref.n) != (ssize_t)ref.n) _exit(3);
        }
    }
    close(ends[1]);
    char refs[4000][DESK_REF_BYTES];
    int n = 0;
    while (n < 40 && read(ends[0], refs[n], DESK_REF_BYTES) == DESK_REF_BYTES) n++;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (n < 4000 && read(ends[0], refs[n], DESK_REF_BYTES) == DESK_REF_BYTES) n++;
    close(ends[0]);
    d.store = open_store();
    for (int i = 0; i < n; i++)
        assert_int_equal(get((str){refs[i], DESK_REF_BYTES}).status, DESK_ANSWERED);
    assert_true(n >= 40 && learned("1") >= n);
}

static void torture_allocations(void **state) {
    (void)state;
    int64_t n = 1;
    for (err e = E_NO_MEMORY; e != E_OK; n++) {
        str ref = STR_NONE;
        desk_outcome outcome;
        desk_reply reply;
        desk_decision decision = {.label = STR("cancel"), .by = STR("Ann")};
        arena mem;
        arena_init(&mem, 0);
        mem_fail_at(n, true);
        e = ask_text(&d, "?", "req-t", &mem, &ref, &f);
        if (e == E_OK) e = desk_claim(&d, ref, STR("Ann"), 1, &f);
        if (e == E_OK) e = desk_answer(&d, ref, &decision, &mem, &outcome, &f);
        if (e == E_OK) e = desk_status_for_asker(&d, ref, &mem, &reply, &f);
        mem_fail_at(0, false);
        if (e != E_OK && e != E_NO_MEMORY) fail_msg("allocation %d: %s", (int)n, f.text);
        arena_deinit(&mem);
    }
    assert_true(n > 10);
    desk_review *list;
    size_t count;
    assert_ok(desk_list(&d, &(desk_filter){.status = STR("answered")}, &a, &list, &count, NULL, &f),
              &f);
    assert_int_equal(count,
                     learned("1")); /* never an answer without its label, nor a label alone */
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_review_keeps_what_it_was_given),
        T(lists_filter_search_and_page),
        T(lists_of_a_tenant),
        T(one_of_two_people_gets_it),
        T(many_processes_claim),
        T(an_answer_teaches_its_label),
        T(an_answer_and_its_label_are_one),
        T(approving_sends_the_draft),
        T(a_correction_keeps_both_texts),
        T(what_changed_is_told_once),
        T(the_asker_is_told_and_told_again),
        T(an_objection_reopens_or_opens),
        T(erasing_leaves_nothing),
        T(retention_spares_what_waits),
        T(long_and_odd_input_is_refused),
        T(a_kill_loses_nothing_acknowledged),
        T(torture_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

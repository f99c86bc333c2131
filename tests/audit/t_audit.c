/* t_audit.c - tests audit/: what is acknowledged is found, after kills, damage, a full disk, with
 * two processes; lists, sums, verdicts, retention, erasure; the stage. */
#include "audit/audit_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], db_path[128], folder[128];
static store *db;
static audit *a;
static arena mem;
static fail f;

static store *open_store(void) {
    store *s = NULL;
    size_t n;
    const store_migration *own = audit_migrations(&n);
    assert_ok(store_open(&s, db_path, own, n, &f), &f);
    return s;
}
static audit *open_audit(bool background) {
    audit *opened = NULL;
    assert_ok(
        audit_open(&opened,
                   &(audit_options){
                       .store = db, .folder = folder, .background = background, .flush_ms = 20},
                   &f),
        &f);
    return opened;
}
static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/bantam-t-audit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(db_path, sizeof db_path, "%s/db", dir);
    snprintf(folder, sizeof folder, "%s/journal", dir);
    log_set_level(LOG_ERROR);
    arena_init(&mem, 0);
    db = open_store();
    a = open_audit(false);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    char command[128];
    audit_close(a);
    store_close(db);
    arena_deinit(&mem);
    clock_set_test_ms(0);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* Two steps: the small tier passes on, a person is asked. */
static gen_trace trace_of(const char *id) {
    gen_trace t = {.request_id = str_from(id),
                   .at_ms = 1795000000000,
                   .task_id = STR("t-1"),
                   .task_name = STR("support"),
                   .subject = STR("customer 7"),
                   .purpose = STR("answer"),
                   .question = STR("how do I \"cancel\"?\n<b>"),
                   .tier = GEN_TIER_HUMAN,
                   .reason = GEN_WHY_UNSURE,
                   .label = STR("cancel"),
                   .confidence = 0.25,
                   .review = STR("abcd2345"),
                   .cost_usd = 6.00002,
                   .latency_us = 1500,
                   .n_steps = 2};
    t.steps[0] = (gen_step){.tier = GEN_TIER_SLM,
                            .outcome = GEN_PASSED_ON,
                            .reason = GEN_WHY_UNSURE,
                            .model = STR("minilm"),
                            .confidence = 0.25,
                            .threshold = 0.7,
                            .tokens_in = 9,
                            .cost_usd = 0.00002};
    t.steps[1] = (gen_step){.tier = GEN_TIER_HUMAN,
                            .outcome = GEN_QUEUED,
                            .reason = GEN_WHY_QUEUED,
                            .confidence = (double)NAN,
                            .threshold = (double)NAN,
                            .cost_usd = 6};
    return t;
}
static gen_trace answered(const char *id, gen_tier tier, double cost) {
    gen_trace t = trace_of(id);
    t.answer = STR("Like this.");
    t.tier = t.steps[0].tier = tier;
    t.reason = GEN_WHY_SURE;
    t.review = STR("");
    t.n_steps = 1;
    t.steps[0].outcome = GEN_ANSWERED;
    t.steps[0].cost_usd = t.cost_usd = cost;
    return t;
}
static void put(gen_trace t) {
    assert_ok(audit_put(a, &t, &f), &f);
}
static size_t rows(void) {
    audit_row *list;
    size_t n = 0;
    assert_ok(audit_list(a, &(audit_filter){.limit = AUDIT_LIST_MAX}, &mem, &list, &n, &f), &f);
    return n;
}
static int files(const char *ending) {
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));) {
        size_t length = strlen(e->d_name), end = strlen(ending);
        n += length > end && !strcmp(e->d_name + length - end, ending);
    }
    closedir(d);
    return n;
}

static void a_trace_comes_back_whole(void **state) {
    (void)state;
    gen_trace t = trace_of("req-1");
    put(t);
    str record;
    assert_ok(audit_get(a, STR("req-1"), &mem, &record, &f),
              &f); /* still in the journal until now */
    buf want = {0};
    json_writer w = {.out = &want};
    gen_trace_put_json(&w, &t);
    assert_true(str_eq(record, buf_str(&want)));
    buf_deinit(&want);
    audit_row *list;
    size_t n;
    assert_ok(audit_list(a, &(audit_filter){0}, &mem, &list, &n, &f), &f);
    assert_int_equal(n, 1);
    assert_true(str_eq(list[0].question, t.question));
    assert_null(list[0].answer.p);
    assert_true(list[0].tier == GEN_TIER_HUMAN && str_is(list[0].reason, "unsure"));
    assert_true(list[0].confidence == 0.25 && list[0].cost_usd == 6.00002);
    assert_true(list[0].tokens_in == 9 && list[0].latency_us == 1500);
    assert_true(str_is(list[0].review, "abcd2345") && str_is(list[0].verdict, ""));
    assert_int_equal(audit_get(a, STR("req-2"), &mem, &record, &f), E_NOT_FOUND);
    audit_health health;
    audit_get_health(a, &health);
    assert_true(health.kept == 1 && health.journal_bytes == 0 && health.syncing);
}

static void lists_filter_and_follow(void **state) {
    (void)state;
    int64_t none;
    assert_ok(audit_newest(a, &none, &f), &f);
    put(answered("req-1", GEN_TIER_SLM, 0.1));
    put(trace_of("req-2"));
    gen_trace other = answered("req-3", GEN_TIER_LLM, 0.2);
    other.task_name = other.task_id = STR("claims");
    other.at_ms += 1000;
    put(other);
    audit_row *list;
    size_t n;
    assert_ok(audit_list(a, &(audit_filter){0}, &mem, &list, &n, &f), &f);
    assert_true(n == 3 && str_is(list[0].request_id, "req-3")); /* newest first */
    assert_ok(audit_list(a, &(audit_filter){.task = STR("support"), .tier = STR("slm")}, &mem,
                         &list, &n, &f),
              &f);
    assert_true(n == 1 && str_is(list[0].request_id, "req-1"));
    assert_ok(audit_list(a, &(audit_filter){.since_ms = other.at_ms}, &mem, &list, &n, &f), &f);
    assert_int_equal(n, 1);
    assert_ok(audit_list(a, &(audit_filter){.after = none}, &mem, &list, &n, &f), &f);
    assert_true(n == 3 && str_is(list[0].request_id, "req-1"));
    int64_t newest, after;
    assert_ok(audit_newest(a, &newest, &f), &f);
    assert_ok(audit_list(a, &(audit_filter){.after = newest}, &mem, &list, &n, &f), &f);
    assert_int_equal(n, 0);
    put(trace_of("req-4"));
    put(trace_of("req-5"));
    assert_ok(audit_list(a, &(audit_filter){.after = newest}, &mem, &list, &n, &f), &f);
    assert_true(n == 2 && str_is(list[0].request_id, "req-4")); /* oldest first */
    assert_ok(audit_newest(a, &after, &f), &f);
    assert_int_equal(after, list[1].id);
    assert_int_equal(audit_list(a, &(audit_filter){.limit = -1}, &mem, &list, &n, &f), E_INPUT);
}

static void sums_by_tier_and_day(void **state) {
    (void)state;
    enum { DAY_MS = 86400000 };
    char id[16];
    for (int i = 0; i < 87; i++) {
        snprintf(id, sizeof id, "s%d", i);
        put(answered(id, GEN_TIER_SLM, 0.002));
    }
    for (int i = 0; i < 11; i++) {
        snprintf(id, sizeof id, "l%d", i);
        put(answered(id, GEN_TIER_LLM, 0.08));
    }
    put(trace_of("h1"));
    gen_trace tomorrow = trace_of("h2");
    tomorrow.at_ms += DAY_MS;
    put(tomorrow);
    audit_sum *sums;
    size_t n;
    assert_ok(audit_sums(a, &(audit_scope){.task = STR("")}, &mem, &sums, &n, &f), &f);
    assert_int_equal(n, 3);
    assert_true(sums[0].tier == GEN_TIER_SLM && sums[0].requests == 87 && sums[0].asked == 89);
    assert_true(sums[1].tier == GEN_TIER_LLM && sums[1].requests == 11);
    assert_true(sums[2].tier == GEN_TIER_HUMAN && sums[2].requests == 2 && sums[2].cost_usd == 12);
    double total = sums[0].cost_usd + sums[1].cost_usd + sums[2].cost_usd;
    assert_true(fabs(total - 13.05404) < 1e-9); /* 0.1305 a query */
    assert_int_equal(sums[0].tokens_in, 9 * 89);
    assert_true(sums[1].latency_us_mean == 1500);
    assert_ok(audit_sums(a, &(audit_scope){.task = STR("support"), .period_ms = DAY_MS}, &mem,
                         &sums, &n, &f),
              &f);
    assert_int_equal(n, 5);
    assert_int_equal(sums[4].from_ms, tomorrow.at_ms / DAY_MS * DAY_MS);
    assert_int_equal(sums[4].requests, 1);
    assert_ok(audit_sums(a, &(audit_scope){.task = STR("nothing"), .period_ms = DAY_MS}, &mem,
                         &sums, &n, &f),
              &f);
    assert_int_equal(n, 0);
}

static void verdicts_are_kept(void **state) {
    (void)state;
    put(answered("req-1", GEN_TIER_SLM, 0.1));
    assert_ok(audit_settle(a, &f), &f);
    store_tx *tx;
    assert_ok(store_begin(db, STORE_WRITE, &tx, &f), &f);
    assert_int_equal(audit_set_verdict(tx, STR("req-9"), STR("wrong"), STR(""), &f), E_NOT_FOUND);
    assert_int_equal(audit_set_verdict(tx, STR("req-1"), STR("bad"), STR(""), &f), E_INPUT);
    assert_ok(audit_set_verdict(tx, STR("req-1"), STR("wrong"), STR("not \"mine\""), &f), &f);
    assert_ok(store_commit(tx, &f), &f);
    str record;
    const json *v;
    assert_ok(audit_get(a, STR("req-1"), &mem, &record, &f), &f);
    assert_ok(json_parse(&mem, record, &v, &f), &f);
    assert_true(str_is(json_get(v, "verdict")->string, "wrong"));
    assert_true(str_is(json_get(v, "verdict_note")->string, "not \"mine\""));
    audit_row *list;
    size_t n;
    assert_ok(audit_list(a, &(audit_filter){.verdict = STR("wrong")}, &mem, &list, &n, &f), &f);
    assert_int_equal(n, 1);
    audit_sum *sums;
    assert_ok(audit_sums(a, &(audit_scope){.task = STR("")}, &mem, &sums, &n, &f), &f);
    assert_int_equal(sums[0].wrong, 1);
}

static void retention_and_erasure(void **state) {
    (void)state;
    gen_trace old = trace_of("old");
    old.at_ms -= 1000;
    put(old);
    put(trace_of("req-1"));
    put(trace_of("req-2"));
    gen_trace other = trace_of("req-3");
    other.subject = STR("customer 8");
    put(other);
    int64_t forgotten;
    assert_ok(audit_forget_before(a, STR("t-1"), 1795000000000, &forgotten, &f), &f);
    assert_int_equal(forgotten, 1);
    assert_ok(audit_erase_request(a, STR("req-1"), &f), &f);
    assert_int_equal(audit_erase_request(a, STR("req-1"), &f), E_NOT_FOUND);
    str record, *ids;
    size_t n;
    assert_int_equal(audit_get(a, STR("req-1"), &mem, &record, &f), E_NOT_FOUND);
    put(trace_of("req-1")); /* as from a journal that still held it: it does not come back */
    assert_int_equal(audit_get(a, STR("req-1"), &mem, &record, &f), E_NOT_FOUND);
    store_tx *tx;
    assert_ok(audit_settle(a, &f), &f);
    for (int kept = 0; kept <= 1; kept++) { /* what is taken back was not erased */
        assert_ok(store_begin(db, STORE_WRITE, &tx, &f), &f);
        assert_ok(audit_erase_subject(tx, STR("customer 7"), &mem, &ids, &n, &f), &f);
        assert_true(n == 1 && str_is(ids[0], "req-2"));
        assert_int_equal(audit_erase_subject(tx, STR(""), &mem, &ids, &n, &f), E_INPUT);
        if (kept)
            assert_ok(store_commit(tx, &f), &f);
        else
            store_rollback(tx);
    }
    assert_int_equal(rows(), 1);
    audit_sum *sums;
    assert_ok(audit_sums(a, &(audit_scope){.task = STR("")}, &mem, &sums, &n, &f), &f);
    assert_int_equal(sums[1].requests, 3); /* costs stay true */
}

static audit_check verify(void) {
    audit_check check = {0};
    assert_ok(audit_verify(a, STR("t-1"), &mem, &check, &f), &f);
    return check;
}
static void change(const char *sql) {
    store_tx *tx;
    assert_ok(store_begin(db, STORE_WRITE, &tx, &f), &f);
    assert_ok(store_run(tx, sql, &f), &f);
    assert_ok(store_commit(tx, &f), &f);
}
static void a_changed_record_shows(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof id, "c%d", i);
        gen_trace t = trace_of(id);
        t.at_ms += i;
        put(t);
    }
    audit_check check = verify();
    assert_true(check.rows == 6 && check.bad == 0 && !check.first_bad.p && check.head.n == 64);
    str head = check.head;
    int64_t forgotten;
    assert_ok(audit_forget_before(a, STR("t-1"), 1795000000001, &forgotten, &f), &f);
    assert_ok(audit_erase_request(a, STR("c3"), &f), &f);
    check = verify(); /* what may be done leaves it whole */
    assert_true(check.rows == 5 && check.bad == 0 && str_eq(check.head, head));
    change("UPDATE audit_trace SET trace=replace(trace,'cancel','renew') WHERE request=3");
    check = verify();
    assert_true(check.bad == 1 && str_is(check.first_bad, "c2"));
    change("UPDATE audit_trace SET trace=replace(trace,'renew','cancel') WHERE request=3");
    assert_int_equal(verify().bad, 0);
    change("DELETE FROM audit_trace WHERE request=5");
    assert_true(str_is(verify().first_bad, "c4"));
    change("DELETE FROM audit_request WHERE request_id='c4'");
    assert_true(str_is(verify().first_bad, "c5"));
}

/* A child acknowledges each trace through a pipe and is killed at work, several times. */
static void killed_process_loses_nothing(void **state) {
    (void)state;
    for (int round = 0; round < 4; round++) {
        int ends[2];
        audit_close(a);
        store_close(db);
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            db = open_store();
            a = open_audit(round % 2 == 0);
            for (int i = 0;; i++) {
                char id[16];
                snprintf(id, sizeof id, "r%d-%08d", round, i);
                gen_trace t = trace_of(id);
                if (audit_put(a, &t, &f) != E_OK) _exit(1);
                if (write(ends[1], &i, sizeof i) != sizeof i) _exit(2);
            }
        }
        close(ends[1]);
        int last = -1, i;
        while (last < 300 + 200 * round && read(ends[0], &i, sizeof i) == sizeof i) last = i;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &i, sizeof i) == sizeof i) last = i;
        close(ends[0]);
        db = open_store();
        a = open_audit(false);
        for (i = 0; i <= last; i++) { /* opening has moved everything */
            char id[16];
            str record;
            snprintf(id, sizeof id, "r%d-%08d", round, i);
            assert_ok(audit_table_get(db, str_from(id), &mem, &record, &f), &f);
        }
        assert_int_equal(files(".log"), 0); /* the dead one's file was taken over */
        assert_int_equal(files(".damaged"), 0);
    }
}

/* Leaves a journal of ten traces as a killed process would; returns its path. */
static void leave_journal(char path[FILE_PATH_BYTES]) {
    audit_close(a);
    store_close(db);
    pid_t child = fork();
    if (child == 0) {
        db = open_store();
        a = open_audit(false);
        for (int i = 0; i < 10; i++) {
            char id[16];
            snprintf(id, sizeof id, "left-%d", i);
            put(trace_of(id));
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
    str *names;
    size_t n;
    db = open_store();
    assert_ok(file_list(&mem, folder, &names, &n, &f), &f);
    path[0] = 0;
    for (size_t i = 0; i < n; i++)
        if (str_ends(names[i], STR(".log"))) assert_ok(file_join(path, folder, names[i].p, &f), &f);
    assert_true(path[0] != 0);
}

static void a_torn_record_is_cut_off(void **state) {
    (void)state;
    char path[FILE_PATH_BYTES];
    int64_t bytes;
    leave_journal(path);
    assert_ok(file_size(path, &bytes, &f), &f);
    assert_int_equal(truncate(path, bytes - 7), 0);
    a = open_audit(false);
    assert_int_equal(rows(), 9);
    audit_health health;
    audit_get_health(a, &health);
    assert_true(health.imported == 9 && health.damaged == 1);
    assert_int_equal(files(".log"), 0);
}

static void a_flipped_bit_costs_one_record(void **state) {
    (void)state;
    char path[FILE_PATH_BYTES];
    leave_journal(path);
    FILE *file = fopen(path, "r+b");
    assert_int_equal(fseek(file, 2000, SEEK_SET), 0);
    int c = fgetc(file);
    assert_int_equal(fseek(file, 2000, SEEK_SET), 0);
    fputc(c ^ 4, file);
    fclose(file);
    log_set_level((log_level)-1); /* it complains, as it should */
    a = open_audit(false);
    assert_int_equal(rows(), 9);
    assert_int_equal(files(".damaged"), 1); /* kept for whoever wants to look */
    assert_int_equal(files(".log"), 0);
    audit_close(a);
    a = open_audit(false); /* and not read again */
    assert_int_equal(rows(), 9);
}

static void moving_twice_is_harmless(void **state) {
    (void)state;
    char path[FILE_PATH_BYTES], copy[FILE_PATH_BYTES + 8], command[2 * FILE_PATH_BYTES + 32];
    leave_journal(path);
    snprintf(copy, sizeof copy, "%.*s-b.log", (int)strlen(path) - 4, path);
    snprintf(command, sizeof command, "cp %s %s", path, copy);
    assert_int_equal(system(command), 0);
    a = open_audit(false);
    assert_int_equal(rows(), 10);
    assert_int_equal(files(".log"), 0);
}

/* Another process's trace is found while it lives, before it has moved it itself. */
static void a_living_process_is_read(void **state) {
    (void)state;
    int ready[2], done[2];
    char c = 0;
    assert_int_equal(pipe(ready) | pipe(done), 0);
    audit_close(a);
    store_close(db);
    pid_t child = fork();
    if (child == 0) {
        close(done[1]);
        db = open_store();
        a = open_audit(false); /* moves nothing by itself */
        put(trace_of("living"));
        if (write(ready[1], "x", 1) != 1) _exit(1);
        if (read(done[0], &c, 1) != 0) _exit(2);
        audit_close(a);
        _exit(0);
    }
    close(done[0]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    db = open_store();
    a = open_audit(false);
    put(trace_of("mine"));
    str record;
    assert_ok(audit_get(a, STR("living"), &mem, &record, &f), &f);
    assert_int_equal(files(".log"), 2); /* each its own */
    close(done[1]);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(rows(), 2);
    close(ready[0]), close(ready[1]);
}

static void put_many(void *arg) {
    for (int i = 0; i < 200; i++) {
        char id[32];
        fail why;
        snprintf(id, sizeof id, "%p-%d", arg, i);
        gen_trace t = trace_of(id);
        assert_ok(audit_put(a, &t, &why), &why);
    }
}
static void threads_put_while_it_moves(void **state) {
    (void)state;
    enum { THREADS = 4 };
    thread threads[THREADS] = {0};
    audit_close(a);
    a = open_audit(true);
    for (int i = 0; i < THREADS; i++)
        assert_ok(thread_start(&threads[i], "put", put_many, &threads[i], &f), &f);
    for (int i = 0; i < 20; i++) (void)rows();
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    assert_int_equal(rows(), 200 * THREADS);
}

static void the_flusher_moves_by_itself(void **state) {
    (void)state;
    audit_close(a);
    a = open_audit(true);
    put(trace_of("req-1"));
    audit_health health = {.journal_bytes = 1};
    for (int i = 0; i < 500 && health.journal_bytes; i++) {
        clock_sleep_ms(10);
        audit_get_health(a, &health);
    }
    assert_int_equal(health.journal_bytes, 0);
}

/* A write that fails is an error of the request, and leaves no half record behind. */
static void a_full_disk_refuses_the_request(void **state) {
    (void)state;
    put(trace_of("before"));
    gen_trace t = trace_of("during");
    file_fail_at(1);
    assert_int_equal(audit_put(a, &t, &f), E_NO_SPACE);
    file_fail_at(0);
    assert_true(f.hint[0] != 0);
    struct rlimit all, small; /* the system itself refuses, in the middle of a record */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    small = all;
    small.rlim_cur = 4500;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    err e = E_OK;
    for (int i = 0; i < 100 && e == E_OK; i++) {
        char id[16];
        snprintf(id, sizeof id, "fill-%d", i);
        t.request_id = str_from(id);
        e = audit_put(a, &t, &f);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(e, E_IO);
    put(trace_of("after"));
    assert_true(rows() >= 4);
    str record;
    assert_ok(audit_get(a, STR("before"), &mem, &record, &f), &f);
    assert_ok(audit_get(a, STR("after"), &mem, &record, &f), &f);
}

static void a_failed_sync_refuses_until_it_works(void **state) {
    (void)state;
    put(trace_of("req-1"));
    file_fail_at(1); /* the fsync of the move; the tables are synced another way */
    assert_ok(audit_settle(a, &f), &f);
    file_fail_at(0);
    audit_health health;
    audit_get_health(a, &health);
    assert_true(health.syncing);
    put(trace_of("req-2"));
    assert_int_equal(rows(), 2);
}

static void a_huge_trace_is_refused(void **state) {
    (void)state;
    gen_trace t = trace_of("huge");
    char *text = mem_zero(AUDIT_TRACE_BYTES_MAX);
    memset(text, 'x', AUDIT_TRACE_BYTES_MAX);
    t.question = (str){text, AUDIT_TRACE_BYTES_MAX};
    assert_int_equal(audit_put(a, &t, &f), E_TOO_LARGE);
    t.question.n = AUDIT_TRACE_BYTES_MAX - 4000;
    assert_ok(audit_put(a, &t, &f), &f);
    assert_int_equal(rows(), 1);
    mem_free(text);
}

static void torture_allocations(void **state) {
    (void)state;
    gen_trace t = trace_of("tortured");
    audit_close(a);
    a = NULL;
    int64_t n = 1; /* each of the first, then every seventh: each round opens the record anew */
    for (err e = E_NO_MEMORY; e != E_OK; n += n < 60 ? 1 : 7) {
        audit *opened = NULL;
        str record;
        arena own;
        arena_init(&own, 0);
        mem_fail_at(n, true);
        e = audit_open(&opened, &(audit_options){.store = db, .folder = folder}, &f);
        if (e == E_OK) e = audit_put(opened, &t, &f);
        if (e == E_OK) e = audit_get(opened, t.request_id, &own, &record, &f);
        mem_fail_at(0, false);
        if (e != E_OK && e != E_NO_MEMORY) fail_msg("allocation %d: %s", (int)n, f.text);
        audit_close(opened);
        arena_deinit(&own);
    }
    assert_true(n > 10);
    a = open_audit(false);
    assert_int_equal(rows(), 1);
}

/* ---- the stage ---- */

static err answer_run(void *self, gen_exchange *x, const gen_stage *rest, fail *why) {
    (void)rest;
    if (self) return fail_set(why, E_NETWORK, "no large model today");
    x->reply->text = STR("Hello.");
    x->reply->model = STR("smollm2");
    x->reply->prompt_tokens = 3;
    return E_OK;
}
static void the_stage_keeps_every_request(void **state) {
    (void)state;
    gen_message message = {.role = GEN_USER, .content = STR("hi")};
    gen_request rq = {.id = STR("req-chat"),
                      .model = STR("smollm2"),
                      .messages = &message,
                      .n_messages = 1,
                      .arena = &mem};
    gen_reply reply = {0};
    gen_exchange x = {.request = &rq, .reply = &reply};
    gen_stage stages[] = {audit_stage(a), {"answer", NULL, answer_run}, {0}};
    assert_ok(gen_next(&x, stages, &f), &f);
    audit_row *list;
    size_t n;
    assert_ok(audit_list(a, &(audit_filter){0}, &mem, &list, &n, &f), &f);
    assert_true(n == 1 && str_is(list[0].request_id, "req-chat") && str_is(list[0].question, "hi"));
    assert_true(str_is(list[0].answer, "Hello.") && list[0].tokens_in == 3);
    x = (gen_exchange){.request = &rq, .reply = &reply};
    rq.id = STR("req-failed");
    stages[1].self = &rq;
    assert_int_equal(gen_next(&x, stages, &f), E_NETWORK);
    str record;
    assert_ok(audit_get(a, STR("req-failed"), &mem, &record, &f), &f);
    assert_true(str_find(record, STR("no large model today")) != STR_INDEX_NONE);
    stages[1].self = NULL; /* what cannot be recorded is not answered */
    x = (gen_exchange){.request = &rq, .reply = &reply};
    rq.id = STR("req-unkept");
    file_fail_at(1);
    assert_int_equal(gen_next(&x, stages, &f), E_NO_SPACE);
    file_fail_at(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_trace_comes_back_whole),
        T(lists_filter_and_follow),
        T(sums_by_tier_and_day),
        T(verdicts_are_kept),
        T(retention_and_erasure),
        T(a_changed_record_shows),
        T(killed_process_loses_nothing),
        T(a_torn_record_is_cut_off),
        T(a_flipped_bit_costs_one_record),
        T(moving_twice_is_harmless),
        T(a_living_process_is_read),
        T(threads_put_while_it_moves),
        T(the_flusher_moves_by_itself),
        T(a_full_disk_refuses_the_request),
        T(a_failed_sync_refuses_until_it_works),
        T(a_huge_trace_is_refused),
        T(torture_allocations),
        T(the_stage_keeps_every_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* api_batch_run.c - the beginning and the end of a batch; its lines are jobs of the runner.
 *
 * Beginning: every line of the input is checked and becomes a job, all in one commit; or the batch
 * fails, and says which lines are wrong. End: what was answered goes into an output file, what
 * failed, expired or was refused into an error file, in the order of the input, in one commit that
 * also deletes the lines. Killed in between, both are done again from where the database stands. */
#include "api/api_keep.h"

#include "base/clock.h"

#include <stdio.h>

enum { PROBLEMS_MAX = 50, LINES_AT_ONCE = 64 };

/* ---- the beginning ---- */

typedef struct starting {
    api *api;
    const keep_batch *batch;
    store_tx *tx;
    arena *mem; /* of a line */
    buf out;    /* problems as JSON */
    json_writer w;
    int64_t lines, problems;
} starting;

static void note_problem(starting *s, const char *code, const char *param, int64_t line,
                         const char *text) {
    if (s->problems++ >= PROBLEMS_MAX) return;
    json_begin_object(&s->w);
    json_field_z(&s->w, "code", code);
    json_field_z(&s->w, "message", text);
    json_field_z(&s->w, "param", param);
    json_key(&s->w, "line");
    if (line)
        json_put_int(&s->w, line);
    else
        json_put_null(&s->w);
    json_end_object(&s->w);
}

/* What is wrong with a line; NULL: nothing. */
static const char *fault_of(const starting *s, const json *v, const char **param) {
    const json *custom = json_get(v, "custom_id"), *body = json_get(v, "body");
    *param = NULL;
    if (v->kind != JSON_OBJECT) return "the line is no JSON object";
    for (size_t i = 0; i < v->count; i++) {
        str key = v->members[i].key;
        if (!str_is(key, "custom_id") && !str_is(key, "method") && !str_is(key, "url") &&
            !str_is(key, "body"))
            return "the line has a member besides custom_id, method, url and body";
    }
    *param = "custom_id";
    if (!custom || custom->kind != JSON_STRING || !custom->string.n ||
        custom->string.n > KEEP_NAME_BYTES_MAX)
        return "custom_id must be a string of 1 to 255 bytes";
    *param = "method";
    if (!str_is(api_text_of(v, "method"), "POST")) return "method must be POST";
    *param = "url";
    if (!str_eq(api_text_of(v, "url"), s->batch->endpoint))
        return "url must be the endpoint of the batch";
    *param = "body";
    if (!body || body->kind != JSON_OBJECT) return "body must be an object";
    *param = "body.model";
    if (!api_text_of(body, "model").n) return "body.model must name a model";
    return NULL;
}

static err add_line(starting *s, const json *v, fail *f) {
    char ref[KEEP_REF_BYTES];
    buf body = {0};
    json_writer w = {.out = &body};
    bool added = false;
    keep_ref("batch_req_", ref);
    json_put_value(&w, json_get(v, "body"));
    keep_job job = {.kind = KEEP_LINE,
                    .ref = str_from(ref),
                    .owner = s->batch->owner,
                    .subject = api_subject_of(json_get(v, "body")),
                    .path = s->batch->endpoint,
                    .body = buf_str(&body),
                    .batch = s->batch->id,
                    .ord = s->lines,
                    .custom = json_get(v, "custom_id")->string,
                    .created_ms = clock_now_ms(),
                    .expires_ms = s->batch->expires_ms};
    err e = buf_ok(&body, f);
    if (e == E_OK) e = keep_job_add(s->tx, &job, &added, f);
    buf_deinit(&body);
    if (e == E_OK && !added)
        note_problem(s, "duplicate_custom_id", "custom_id", s->lines + 1,
                     "another line has this custom_id");
    return e;
}

static err take_line(starting *s, str line, fail *f) {
    const json *v;
    const char *param, *fault;
    fail bad = {0};
    arena_reset(s->mem);
    err e = json_parse(s->mem, line, &v, &bad);
    if (e == E_NO_MEMORY) return fail_memory(f, "a line of a batch");
    if (e != E_OK) {
        note_problem(s, "invalid_json_line", NULL, s->lines + 1, bad.text);
    } else {
        fault = fault_of(s, v, &param);
        if (fault) note_problem(s, "invalid_line", param, s->lines + 1, fault);
        if (!fault) TRY(add_line(s, v, f));
    }
    s->lines++;
    return E_OK;
}

static err take_lines(starting *s, str text, fail *f) {
    while (text.p) {
        str line = str_trim(str_cut(&text, '\n'));
        if (!line.n) continue;
        if (s->lines == KEEP_LINES_MAX) {
            note_problem(s, "too_many_lines", NULL, s->lines + 1,
                         "a batch has at most 50000 lines");
            break;
        }
        TRY(take_line(s, line, f));
    }
    if (!s->lines && !s->problems)
        note_problem(s, "empty_file", NULL, 0, "the input file holds no request");
    return E_OK;
}
_Static_assert(KEEP_LINES_MAX == 50000, "as the message says");

/* A batch with problems has no lines: what was added is taken back with its transaction. */
static err start_in(starting *s, str text, fail *f) {
    api *a = s->api;
    keep_batch b = *s->batch;
    json_begin_array(&s->w);
    if (!text.p)
        note_problem(s, "input_file_deleted", "input_file_id", 0,
                     "the input file was deleted before the batch began");
    TRY(store_begin(a->o.store, STORE_WRITE, &s->tx, f));
    err e = take_lines(s, text, f);
    json_end_array(&s->w);
    if (e == E_OK && s->problems) {
        store_rollback(s->tx);
        TRY(store_begin(a->o.store, STORE_WRITE, &s->tx, f));
    }
    if (e == E_OK) e = buf_ok(&s->out, f);
    b.total = s->problems ? 0 : s->lines;
    b.problems = s->problems ? buf_str(&s->out) : STR("");
    if (e == E_OK) e = keep_batch_start(s->tx, &b, !s->problems, f);
    e = keep_finish(s->tx, e, f);
    return e == E_CANCELLED ? E_OK : e; /* cancelled before it began: it is ended next */
}

static err start_batch(api *a, const keep_batch *b, arena *mem, fail *f) {
    arena line;
    keep_file file;
    str text = STR_NONE;
    starting s = {.api = a, .batch = b, .mem = &line};
    s.w = (json_writer){.out = &s.out};
    err e = keep_file_get(a->o.store, b->owner.tenant, b->input, mem, &file, f);
    if (e == E_OK) e = keep_file_read(a->o.store, &file, mem, &text, f);
    if (e != E_OK && e != E_NOT_FOUND) return e;
    arena_init(&line, 0);
    e = start_in(&s, text, f);
    arena_deinit(&line);
    buf_deinit(&s.out);
    return e;
}

/* ---- the end ---- */

typedef struct ending {
    store_tx *tx;
    keep_batch batch;
    keep_file files[2]; /* output, errors */
    char refs[2][KEEP_REF_BYTES];
    keep_writer writers[2];
    bool begun[2];
    buf line;
} ending;

static void put_line(json_writer *w, const keep_job *j) {
    json_begin_object(w);
    json_field_str(w, "id", j->ref);
    json_field_str(w, "custom_id", j->custom);
    json_key(w, "response");
    if (j->state == KEEP_DONE) {
        json_begin_object(w);
        json_field_int(w, "status_code", j->status);
        json_field_text(w, "request_id", j->request);
        json_key(w, "body");
        json_put_raw(w, j->answer);
        json_end_object(w);
        json_key(w, "error");
        json_put_null(w);
    } else {
        bool expired = j->state == KEEP_EXPIRED;
        json_put_null(w);
        json_key(w, "error");
        json_begin_object(w);
        json_field_z(w, "code", expired ? "batch_expired" : "batch_cancelled");
        json_field_z(w, "message",
                     expired ? "the batch's time was up before this line was run"
                             : "the batch was cancelled before this line was run");
        json_end_object(w);
    }
    json_end_object(w);
}

static err begin_file(ending *x, int which, fail *f) {
    static const char *const names[] = {"output", "error"};
    keep_file *file = &x->files[which];
    char name[KEEP_REF_BYTES + 24];
    int n = snprintf(name, sizeof name, "%.*s_%s.jsonl", STR_ARG(x->batch.ref), names[which]);
    keep_ref("file-", x->refs[which]);
    *file = (keep_file){.ref = str_from(x->refs[which]),
                        .tenant = x->batch.owner.tenant,
                        .name = {name, (size_t)n},
                        .purpose = STR("batch_output"),
                        .expires_ms = clock_now_ms() + KEEP_BATCH_MS};
    x->begun[which] = true;
    return keep_file_begin(&x->writers[which], x->tx, file, f);
}

static err write_line(ending *x, const keep_job *j, fail *f) {
    bool good = j->state == KEEP_DONE && j->status < 400;
    int which = good ? 0 : 1;
    if (!x->begun[which]) TRY(begin_file(x, which, f));
    x->batch.done += good;
    x->batch.failed += !good && j->state == KEEP_DONE;
    buf_reset(&x->line);
    json_writer w = {.out = &x->line};
    put_line(&w, j);
    buf_put_char(&x->line, '\n');
    TRY(buf_ok(&x->line, f));
    return keep_file_put(&x->writers[which], buf_str(&x->line), f);
}

static err write_lines(ending *x, fail *f) {
    arena mem;
    int64_t after = -1;
    size_t n = 1;
    err e = E_OK;
    arena_init(&mem, 0);
    while (e == E_OK && n) {
        keep_job *lines;
        arena_reset(&mem);
        e = keep_batch_lines(x->tx, x->batch.id, after, LINES_AT_ONCE, &mem, &lines, &n, f);
        for (size_t i = 0; e == E_OK && i < n; i++) {
            e = write_line(x, &lines[i], f);
            after = lines[i].ord;
        }
    }
    arena_deinit(&mem);
    return e;
}

static err end_in(ending *x, const char *status, fail *f) {
    x->batch.done = x->batch.failed = 0;
    x->batch.finalizing_ms = clock_now_ms();
    TRY(write_lines(x, f));
    for (int i = 0; i < 2; i++)
        if (x->begun[i]) TRY(keep_file_end(&x->writers[i], f));
    x->batch.output = x->begun[0] ? x->files[0].ref : STR("");
    x->batch.failures = x->begun[1] ? x->files[1].ref : STR("");
    x->batch.status = str_from(status);
    x->batch.ended_ms = clock_now_ms();
    return keep_batch_end(x->tx, &x->batch, f);
}

static err end_batch(api *a, const keep_batch *b, const char *status, fail *f) {
    ending x = {.batch = *b};
    TRY(store_begin(a->o.store, STORE_WRITE, &x.tx, f));
    err e = end_in(&x, status, f);
    for (int i = 0; i < 2; i++)
        if (x.begun[i]) keep_file_drop(&x.writers[i]);
    buf_deinit(&x.line);
    return keep_finish(x.tx, e, f);
}

/* ---- which of both ---- */

static err tend_one(api *a, const keep_batch *b, int64_t now_ms, arena *mem, fail *f) {
    if (str_is(b->status, "validating") && b->expires_ms > now_ms) return start_batch(a, b, mem, f);
    if (b->cancelling_ms) return end_batch(a, b, "cancelled", f);
    if (b->expires_ms > now_ms) return end_batch(a, b, "completed", f);
    TRY(keep_batch_expire(a->o.store, b->id, f));
    api_runner_leave(a->runner, 0, b->id);
    return end_batch(a, b, "expired", f);
}

err api_batch_tend(api *a, bool *worked, fail *f) {
    arena mem;
    keep_batch b;
    int64_t now_ms = clock_now_ms();
    arena_init(&mem, 0);
    err e = keep_batch_next(a->o.store, now_ms, &mem, &b, worked, f);
    if (e == E_OK && *worked) e = tend_one(a, &b, now_ms, &mem, f);
    arena_deinit(&mem);
    return e;
}

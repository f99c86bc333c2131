/* t_api_kept.c - tests files, batches, Idempotency-Key and Prefer: respond-async against fake
 * models, through a real server on loopback. */
#include "api_fake.h"

#include "api/api_batch_erase.h"
#include "api/api_keep.h"

#include "../net/http_test.h"

enum { WIRE_BYTES = 256 * 1024 };
static char wire[WIRE_BYTES];

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    last_request = (gen_request){0};
    return 0;
}

/* ---- asking, with headers ---- */

static str header(const char *name) {
    str all = str_from(wire);
    size_t end = str_find(all, STR("\r\n\r\n"));
    all = str_slice(all, 0, end);
    while (all.p) {
        str value = str_cut(&all, '\n');
        str key = str_cut(&value, ':');
        if (str_eq_nocase(key, str_from(name))) return arena_str(&fx.arena, str_trim(value));
    }
    return STR_NONE;
}

/* Whole answer in wire; the body as JSON. more: header lines, each with CRLF. */
static const json *send_more(const char *method, const char *path, const char *more,
                             const char *type, str body, int status) {
    str head = arena_printf(&fx.arena,
                            "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
                            "Content-Type: %s\r\n%sContent-Length: %zu\r\n\r\n",
                            method, path, fx.port, type, more, body.n);
    int fd = wire_open(fx.port);
    wire_send(fd, head.p);
    for (size_t at = 0; at < body.n;) {
        ssize_t n = send(fd, body.p + at, body.n - at, MSG_NOSIGNAL);
        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_true(wire_read(fd, NULL, wire, sizeof wire, 10000));
    close(fd);
    const char *at_body = strstr(wire, "\r\n\r\n") + 4;
    if (atoi(wire + 9) != status) fail_msg("%s %s: %s", method, path, wire);
    const json *v;
    assert_ok(json_parse(&fx.arena, arena_str(&fx.arena, str_from(at_body)), &v, &fx.f), &fx.f);
    return v;
}

static const json *post_more(const char *path, const char *more, const char *body, int status) {
    return send_more("POST", path, more, "application/json", str_from(body), status);
}

static const char *below(const char *prefix, str id, const char *rest) {
    return arena_printf(&fx.arena, "%s%.*s%s", prefix, STR_ARG(id), rest).p;
}

/* ---- files ---- */

#define FORM "multipart/form-data; boundary=\"x 1\""
#define PART(name, more, body) \
    "--x 1\r\nContent-Disposition: form-data; name=\"" name "\"" more "\r\n\r\n" body "\r\n"

static const json *upload(str content, const char *purpose, const char *more, int status) {
    buf b = {0};
    buf_printf(&b, PART("purpose", "", "%s"), purpose);
    buf_put_z(&b, "--x 1\r\ncontent-disposition: form-data; name=file; filename=\"a \\\"b\\\".txt"
                  "\"\r\nContent-Type: text/plain\r\n\r\n");
    buf_put(&b, content);
    buf_put_z(&b, "\r\n--x 1--\r\n");
    const json *v =
        send_more("POST", "/v1/files", more, FORM, arena_str(&fx.arena, buf_str(&b)), status);
    buf_deinit(&b);
    return v;
}

static str content_of(str id) {
    http_answer answer;
    http_call call = {.url = url_of(below("/v1/files/", id, "/content")),
                      .body_bytes_max = 64 << 20};
    assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
    assert_int_equal(answer.status, 200);
    return answer.body;
}

static void keeps_files(void **state) {
    (void)state;
    const json *v = upload(STR("one\r\n--x\r\ntwo"), "user_data", "", 200);
    str id = text_at(v, "id");
    assert_true(str_starts(id, STR("file-")));
    assert_text(v, "object", "file");
    assert_text(v, "filename", "a \"b\".txt");
    assert_text(v, "purpose", "user_data");
    assert_int_equal(at(v, "bytes")->integer, 13);
    assert_true(str_is(content_of(id), "one\r\n--x\r\ntwo"));
    assert_text(ask(below("/v1/files/", id, ""), NULL, 200), "filename", "a \"b\".txt");
    v = ask("/v1/files?limit=1&purpose=user_data", NULL, 200);
    for (int i = 0; i < 3; i++) { /* what is no number is refused, also nothing */
        static const char *const wrong[] = {"/v1/files?limit=", "/v1/files?limit=x",
                                            "/v1/files?limit=-1"};
        ask(wrong[i], NULL, 400);
    }
    assert_true(str_eq(text_at(v, "data.0.id"), id));
    assert_true(at(ask_delete(below("/v1/files/", id, ""), 200), "deleted")->boolean);
    ask(below("/v1/files/", id, ""), NULL, 404);
    ask(below("/v1/files/", id, "/content"), NULL, 404);
}

static void keeps_large_files_whole(void **state) {
    (void)state;
    size_t n = (5 << 20) + 17;
    char *bytes = arena_alloc(&fx.arena, n);
    for (size_t i = 0; i < n; i++) bytes[i] = (char)(i * 2654435761u >> 13);
    const json *v = upload((str){bytes, n}, "assistants", "", 200);
    assert_int_equal(at(v, "bytes")->integer, n);
    str back = content_of(text_at(v, "id"));
    assert_int_equal(back.n, n);
    assert_memory_equal(back.p, bytes, n);
    ask_delete(below("/v1/files/", text_at(v, "id"), ""), 200);
    n = (32 << 20) + 1;
    bytes = arena_alloc(&fx.arena, n);
    upload((str){bytes, n}, "assistants", "", 413);
}

static void run_sql(const char *sql) {
    store_tx *tx;
    assert_ok(store_begin(fx.store, STORE_WRITE, &tx, &fx.f), &fx.f);
    assert_ok(store_run(tx, sql, &fx.f), &fx.f);
    assert_ok(store_commit(tx, &fx.f), &fx.f);
}

/* A file that is deleted while it is sent must not look whole: its stream has no end. */
static void half_a_file_is_not_taken_for_whole(void **state) {
    (void)state;
    size_t n = 2 * KEEP_CHUNK_BYTES + 7;
    char *bytes = arena_alloc(&fx.arena, n);
    for (size_t i = 0; i < n; i++) bytes[i] = 'x';
    str id = text_at(upload((str){bytes, n}, "assistants", "", 200), "id");
    assert_int_equal(content_of(id).n, n);
    run_sql("DELETE FROM keep_chunk WHERE ord>0");
    http_answer answer;
    http_call call = {.url = url_of(below("/v1/files/", id, "/content")),
                      .body_bytes_max = 64 << 20};
    assert_int_not_equal(http_ask(&fx.arena, &call, &answer, &fx.f), E_OK);
    ask_delete(below("/v1/files/", id, ""), 200);
}

static void refuses_bad_forms(void **state) {
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {PART("purpose", "", "batch") "--x 1--", "file"},
        {PART("file", "; filename=a", "x") "--x 1--", "purpose"},
        {PART("file", "; filename=a", "x") PART("purpose", "", "fun") "--x 1--", "purpose"},
        {PART("file", "; filename=a", "x") PART("color", "", "red") "--x 1--", "color"},
        {PART("file", "; filename=a", "x") PART("file", "; filename=b", "x") "--x 1--", "file"},
        {PART("file", "; filename=a", "x"), "body"},
        {"", "body"},
        {PART("file", "; filename=a", "x") PART("purpose", "", "batch")
             PART("expires_after[seconds]", "", "5") "--x 1--",
         "expires_after[anchor]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json *v = send_more("POST", "/v1/files", "", FORM, str_from(rows[i].body), 400);
        assert_text(v, "error.param", rows[i].param);
    }
    assert_text(post_more("/v1/files", "", "{}", 400), "error.param", "file");
}

/* ---- once ---- */

#define CHAT(text) \
    "{\"model\":\"seeded\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"

static void answers_a_key_once(void **state) {
    (void)state;
    const json *v = post_more("/v1/chat/completions", "Idempotency-Key: k1\r\n", CHAT("a"), 200);
    str said = text_at(v, "choices.0.message.content"); /* a random seed */
    assert_null(header("idempotent-replayed").p);
    v = post_more("/v1/chat/completions", "Idempotency-Key: k1\r\n", CHAT("a"), 200);
    assert_true(str_eq(text_at(v, "choices.0.message.content"), said));
    assert_true(str_is(header("idempotent-replayed"), "true"));
    v = post_more("/v1/chat/completions", "Idempotency-Key: k2\r\n", CHAT("a"), 200);
    assert_false(str_eq(text_at(v, "choices.0.message.content"), said));
    assert_text(post_more("/v1/chat/completions", "Idempotency-Key:\r\n", CHAT("a"), 400),
                "error.param", "Idempotency-Key");
    v = post_more("/v1/chat/completions", "Idempotency-Key: k1\r\n", CHAT("b"), 422);
    assert_text(v, "error.code", "idempotency_key_reused");
    v = post_more("/v1/chat/completions", "Idempotency-Key: k1\r\n",
                  "{\"model\":\"seeded\",\"stream\":true,\"messages\":[]}", 400);
    assert_text(v, "error.param", "Idempotency-Key");
}

static void does_not_keep_errors(void **state) {
    (void)state;
    post_more("/v1/responses", "Idempotency-Key: e1\r\n", "{\"model\":\"nosuch\",\"input\":\"a\"}",
              404);
    post_more("/v1/responses", "Idempotency-Key: e1\r\n", "{\"model\":\"echo\",\"input\":\"a\"}",
              200);
}

static void keeps_one_file_for_a_key(void **state) {
    (void)state;
    const json *v = upload(STR("z"), "user_data", "Idempotency-Key: f\r\n", 200);
    const json *again = upload(STR("z"), "user_data", "Idempotency-Key: f\r\n", 200);
    assert_true(str_eq(text_at(v, "id"), text_at(again, "id")));
    upload(STR("y"), "user_data", "Idempotency-Key: f\r\n", 422);
    assert_int_equal(at(ask("/v1/files?purpose=user_data", NULL, 200), "data")->count, 1);
    ask_delete(below("/v1/files/", text_at(v, "id"), ""), 200);
}

static void the_second_of_two_waits(void **state) {
    (void)state;
    int fd = wire_open(fx.port);
    const char *body = "{\"model\":\"stuck\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    atomic_store(&stuck_ended, 0);
    wire_send(fd, arena_printf(&fx.arena,
                               "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:%d\r\n"
                               "Idempotency-Key: s\r\nContent-Type: application/json\r\n"
                               "Content-Length: %zu\r\n\r\n%s",
                               fx.port, strlen(body), body)
                      .p);
    http_counts counts = {0};
    for (int i = 0; i < 2000 && counts.running < 1; i++) {
        clock_sleep_ms(2);
        http_server_counts(fx.server, &counts);
    }
    clock_sleep_ms(20); /* until the first has claimed its key: before, this one would run */
    const json *v = post_more("/v1/chat/completions", "Idempotency-Key: s\r\n", body, 409);
    assert_text(v, "error.code", "idempotency_in_progress");
    assert_true(str_is(header("retry-after"), "1"));
    close(fd);
    for (int i = 0; i < 2000 && !atomic_load(&stuck_ended); i++) clock_sleep_ms(5);
}

/* ---- later ---- */

static void answers_later(void **state) {
    (void)state;
    const json *v =
        post_more("/v1/chat/completions", "Prefer: respond-async, wait=5\r\nIdempotency-Key: l\r\n",
                  "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":"
                  "\"hi\"}]}",
                  202);
    str id = text_at(v, "id"), location = header("location");
    assert_true(str_starts(location, STR("/v1/async/async_")));
    assert_true(str_is(header("preference-applied"), "respond-async"));
    v = ask(below("", location, "?wait=20"), NULL, 200);
    assert_text(v, "status", "completed");
    assert_int_equal(at(v, "response.status_code")->integer, 200);
    assert_text(v, "response.body.choices.0.message.content", "You said hi");
    assert_text(v, "endpoint", "/v1/chat/completions");
    v = post_more("/v1/chat/completions", "Prefer: respond-async, wait=5\r\nIdempotency-Key: l\r\n",
                  "{\"model\":\"echo\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                  202);
    assert_true(str_eq(text_at(v, "id"), id));
    assert_true(str_eq(header("location"), location));
    ask_delete(location.p, 200);
    ask(location.p, NULL, 404);
}

static void fails_later(void **state) {
    (void)state;
    const json *v = post_more("/v1/embeddings", "Prefer: respond-async\r\n",
                              "{\"model\":\"no\",\"input\":\"a\"}", 202);
    v = ask(below("/v1/async/", text_at(v, "id"), "?wait=20"), NULL, 200);
    assert_int_equal(at(v, "response.status_code")->integer, 404);
    assert_text(v, "response.body.error.param", "model");
    assert_text(post_more("/v1/chat/completions", "Prefer: respond-async\r\n",
                          "{\"model\":\"echo\",\"stream\":true}", 400),
                "error.param", "stream");
}

static void lets_go_what_is_deleted(void **state) {
    (void)state;
    atomic_store(&stuck_ended, 0);
    const json *v = post_more("/v1/chat/completions", "Prefer: respond-async\r\n",
                              "{\"model\":\"stuck\",\"messages\":[{\"role\":\"user\",\"content\":"
                              "\"x\"}]}",
                              202);
    str id = text_at(v, "id");
    for (int i = 0; i < 2000; i++) {
        v = ask(below("/v1/async/", id, ""), NULL, 200);
        if (str_is(text_at(v, "status"), "in_progress")) break;
        clock_sleep_ms(5);
    }
    assert_text(v, "status", "in_progress");
    ask_delete(below("/v1/async/", id, ""), 200);
    for (int i = 0; i < 2000 && !atomic_load(&stuck_ended); i++) clock_sleep_ms(5);
    assert_int_equal(atomic_load(&stuck_ended), E_CANCELLED + 1);
}

/* ---- batches ---- */

#define LINE(custom, body)                                                                \
    "{\"custom_id\":\"" custom "\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\"," \
    "\"body\":" body "}\n"
#define SAY(model, text) \
    "{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"

static const json *start_batch(const char *lines, const char *endpoint) {
    const json *file = upload(str_from(lines), "batch", "", 200);
    str body = arena_printf(&fx.arena,
                            "{\"input_file_id\":\"%.*s\",\"endpoint\":\"%s\","
                            "\"completion_window\":\"24h\",\"metadata\":{\"a\":\"b\"}}",
                            STR_ARG(text_at(file, "id")), endpoint);
    return ask("/v1/batches", body.p, 200);
}

static const json *await_batch(str id, const char *status) {
    const json *v = NULL;
    for (int i = 0; i < 2000; i++) {
        v = ask(below("/v1/batches/", id, ""), NULL, 200);
        if (str_is(text_at(v, "status"), status)) return v;
        clock_sleep_ms(5);
    }
    fail_msg("the batch never became %s but %.*s", status, STR_ARG(text_at(v, "status")));
    return NULL;
}

static const json *line_of(str *rest) {
    const json *v;
    assert_ok(json_parse(&fx.arena, str_cut(rest, '\n'), &v, &fx.f), &fx.f);
    return v;
}

static void runs_a_batch(void **state) {
    (void)state;
    const json *v = start_batch(LINE("a", SAY("echo", "1")) "\n" LINE("b", SAY("nosuch", "2"))
                                    LINE("c", SAY("echo", "3")),
                                "/v1/chat/completions");
    assert_text(v, "object", "batch");
    assert_text(v, "status", "validating");
    v = await_batch(text_at(v, "id"), "completed");
    assert_int_equal(at(v, "request_counts.total")->integer, 3);
    assert_int_equal(at(v, "request_counts.completed")->integer, 2);
    assert_int_equal(at(v, "request_counts.failed")->integer, 1);
    assert_text(v, "metadata.a", "b");
    assert_null_at(v, "errors");
    assert_int_equal(last_request.priority, -5);
    str out = content_of(text_at(v, "output_file_id"));
    const json *line = line_of(&out);
    assert_text(line, "custom_id", "a");
    assert_int_equal(at(line, "response.status_code")->integer, 200);
    assert_text(line, "response.body.choices.0.message.content", "You said 1");
    assert_null_at(line, "error");
    assert_text(line_of(&out), "custom_id", "c");
    assert_int_equal(out.n, 0);
    out = content_of(text_at(v, "error_file_id"));
    line = line_of(&out);
    assert_text(line, "custom_id", "b");
    assert_int_equal(at(line, "response.status_code")->integer, 404);
    v = ask("/v1/batches?limit=1", NULL, 200);
    assert_text(v, "data.0.status", "completed");
}

static void says_what_is_wrong_with_a_batch(void **state) {
    (void)state;
    const json *v =
        start_batch(LINE("a", SAY("echo", "1"))
                        LINE("a", SAY("echo", "1")) "{no}\n"
                                                    "{\"custom_id\":\"z\",\"method\":\"GET\"}\n",
                    "/v1/chat/completions");
    v = await_batch(text_at(v, "id"), "failed");
    assert_int_equal(at(v, "errors.data")->count, 3);
    assert_text(v, "errors.data.0.code", "duplicate_custom_id");
    assert_int_equal(at(v, "errors.data.0.line")->integer, 2);
    assert_int_equal(at(v, "errors.data.1.line")->integer, 3);
    assert_text(v, "errors.data.2.param", "method");
    assert_null_at(v, "output_file_id");
    v = await_batch(text_at(start_batch("\n", "/v1/embeddings"), "id"), "failed");
    assert_text(v, "errors.data.0.code", "empty_file");
    assert_text(ask("/v1/batches",
                    "{\"input_file_id\":\"file-x\",\"endpoint\":\"/v1/embeddings\","
                    "\"completion_window\":\"24h\"}",
                    404),
                "error.param", "input_file_id");
    assert_text(
        ask("/v1/batches",
            "{\"input_file_id\":\"f\",\"endpoint\":\"/v1/x\",\"completion_window\":\"24h\"}", 400),
        "error.param", "endpoint");
    assert_text(ask("/v1/batches", "{\"completion_window\":\"1h\"}", 400), "error.param",
                "completion_window");
}

static void a_deleted_input_is_named(void **state) {
    (void)state;
    store_tx *tx;
    keep_batch b = {.ref = STR("batch_orphan"),
                    .endpoint = STR("/v1/chat/completions"),
                    .input = STR("file-gone"),
                    .owner = {.name = STR(""), .tenant = STR("")}};
    assert_ok(store_begin(fx.store, STORE_WRITE, &tx, &fx.f), &fx.f);
    assert_ok(keep_batch_add(tx, &b, &fx.f), &fx.f);
    assert_ok(store_commit(tx, &fx.f), &fx.f);
    api_runner_wake(fx.api->runner);
    const json *v = await_batch(b.ref, "failed");
    assert_int_equal(at(v, "errors.data")->count, 1);
    assert_text(v, "errors.data.0.code", "input_file_deleted");
}

static void cancels_a_batch(void **state) {
    (void)state;
    atomic_store(&stuck_ended, 0);
    const json *v = start_batch(LINE("a", SAY("stuck", "1")) LINE("b", SAY("stuck", "2")),
                                "/v1/chat/completions");
    str id = text_at(v, "id");
    await_batch(id, "in_progress");
    ask(below("/v1/batches/", id, "/cancel"), "{}", 200);
    v = await_batch(id, "cancelled");
    str out = content_of(text_at(v, "error_file_id"));
    assert_text(line_of(&out), "error.code", "batch_cancelled");
    ask(below("/v1/batches/", id, "/cancel"), "{}", 409);
}

static void what_expires_says_so(void **state) {
    (void)state;
    const json *v = start_batch(LINE("a", SAY("busy", "1")) LINE("b", SAY("echo", "2")),
                                "/v1/chat/completions");
    str id = text_at(v, "id");
    for (int i = 0; i < 2000; i++) { /* "busy" is tried again and again */
        v = ask(below("/v1/batches/", id, ""), NULL, 200);
        if (at(v, "request_counts.completed")->integer == 1) break;
        clock_sleep_ms(5);
    }
    clock_set_test_ms(clock_now_ms() + 25 * 3600000);
    ask(below("/v1/batches/", text_at(start_batch("\n", "/v1/embeddings"), "id"), ""), NULL, 200);
    v = await_batch(id, "expired");
    clock_set_test_ms(0);
    assert_int_equal(at(v, "request_counts.completed")->integer, 1);
    str out = content_of(text_at(v, "error_file_id"));
    assert_text(line_of(&out), "error.code", "batch_expired");
    out = content_of(text_at(v, "output_file_id"));
    assert_text(line_of(&out), "custom_id", "b");
}

/* ---- erasing ---- */

#define SAY_OF(model, text, user)                                                                  \
    "{\"model\":\"" model "\"," user ",\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}" \
    "]}"
#define KIM "\"user\":\"kim\""

static api_batch_erased erase_kim(int64_t records) {
    store_tx *tx;
    api_batch_erased out;
    str *ids;
    size_t n;
    assert_ok(audit_settle(fx.audit, &fx.f), &fx.f);
    assert_ok(store_begin(fx.store, STORE_WRITE, &tx, &fx.f), &fx.f);
    assert_ok(audit_erase_subject(tx, STR("kim"), &fx.arena, &ids, &n, &fx.f), &fx.f);
    assert_int_equal(n, records);
    assert_ok(api_batch_erase(tx, STR("kim"), ids, n, &fx.arena, &out, &fx.f), &fx.f);
    assert_ok(store_commit(tx, &fx.f), &fx.f);
    return out;
}

/* The record, the input, the output and the errors of a batch that is over; who else is in it
 * stays. */
static void erases_a_persons_lines(void **state) {
    (void)state;
    const json *v = start_batch(
        LINE("a", SAY_OF("echo", "I am Kim", KIM)) LINE("b", SAY("echo", "kim is a word"))
            LINE("c", SAY_OF("nosuch", "Kim again", "\"safety_identifier\":\"kim\""))
                LINE("d", SAY_OF("echo", "I am Lee", "\"user\":\"lee\"")),
        "/v1/chat/completions");
    v = await_batch(text_at(v, "id"), "completed");
    str other = text_at(upload(STR("a letter of kim"), "user_data", "", 200), "id");
    api_batch_erased out = erase_kim(1); /* c found no model: it is on no record */
    assert_int_equal(out.lines, 0);
    assert_int_equal(out.file_lines, 4);
    assert_int_equal(out.n_uncut, 1);
    assert_true(str_eq(out.uncut[0], other));
    str input = content_of(text_at(v, "input_file_id"));
    assert_text(line_of(&input), "custom_id", "b");
    assert_text(line_of(&input), "custom_id", "d");
    assert_int_equal(input.n, 0);
    str answers = content_of(text_at(v, "output_file_id"));
    assert_text(line_of(&answers), "custom_id", "b");
    assert_text(line_of(&answers), "response.body.choices.0.message.content", "You said I am Lee");
    assert_int_equal(answers.n, 0);
    assert_int_equal(content_of(text_at(v, "error_file_id")).n, 0);
    out = erase_kim(0);
    assert_int_equal(out.file_lines, 0);
    ask_delete(below("/v1/files/", other, ""), 200);
}

/* A line that waits, or runs, ends as erased; the rest of the batch goes on. */
static void erases_lines_that_wait(void **state) {
    (void)state;
    atomic_store(&slow_goes, 0);
    const json *v =
        start_batch(LINE("a", SAY_OF("slow", "I am Kim", KIM)) LINE("b", SAY("slow", "2")),
                    "/v1/chat/completions");
    str id = text_at(v, "id");
    await_batch(id, "in_progress");
    api_batch_erased out = erase_kim(0);
    assert_int_equal(out.lines, 1);
    assert_int_equal(out.file_lines, 1);
    atomic_store(&slow_goes, 1);
    v = await_batch(id, "completed");
    assert_int_equal(at(v, "request_counts.completed")->integer, 1);
    assert_int_equal(at(v, "request_counts.failed")->integer, 1);
    str failed = content_of(text_at(v, "error_file_id"));
    const json *line = line_of(&failed);
    assert_text(line, "custom_id", "a");
    assert_int_equal(at(line, "response.status_code")->integer, 410);
    assert_text(line, "response.body.error.code", "erased");
    str answers = content_of(text_at(v, "output_file_id"));
    assert_text(line_of(&answers), "custom_id", "b");
    assert_int_equal(answers.n, 0);
}

/* ---- a second start ---- */

static void what_was_queued_runs_after_a_restart(void **state) {
    (void)state;
    const json *v =
        post_more("/v1/chat/completions", "Prefer: respond-async\r\n", SAY("stuck", "x"), 202);
    str async = text_at(v, "id");
    v = start_batch(LINE("a", SAY("stuck", "1")) LINE("b", SAY("echo", "2")),
                    "/v1/chat/completions");
    str id = text_at(v, "id");
    await_batch(id, "in_progress");
    close_server();
    open_server(false);
    v = ask(below("/v1/async/", async, ""), NULL, 200);
    assert_null_at(v, "response");
    for (int i = 0; i < 2000 && !str_is(text_at(v, "status"), "in_progress"); i++) {
        clock_sleep_ms(5);
        v = ask(below("/v1/async/", async, ""), NULL, 200);
    }
    assert_text(v, "status", "in_progress");
    ask_delete(below("/v1/async/", async, ""), 200);
    ask(below("/v1/batches/", id, "/cancel"), "{}", 200);
    await_batch(id, "cancelled");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keeps_files, reset),
        cmocka_unit_test_setup(keeps_large_files_whole, reset),
        cmocka_unit_test_setup(half_a_file_is_not_taken_for_whole, reset),
        cmocka_unit_test_setup(refuses_bad_forms, reset),
        cmocka_unit_test_setup(a_deleted_input_is_named, reset),
        cmocka_unit_test_setup(answers_a_key_once, reset),
        cmocka_unit_test_setup(does_not_keep_errors, reset),
        cmocka_unit_test_setup(keeps_one_file_for_a_key, reset),
        cmocka_unit_test_setup(the_second_of_two_waits, reset),
        cmocka_unit_test_setup(answers_later, reset),
        cmocka_unit_test_setup(fails_later, reset),
        cmocka_unit_test_setup(lets_go_what_is_deleted, reset),
        cmocka_unit_test_setup(runs_a_batch, reset),
        cmocka_unit_test_setup(says_what_is_wrong_with_a_batch, reset),
        cmocka_unit_test_setup(cancels_a_batch, reset),
        cmocka_unit_test_setup(erases_a_persons_lines, reset),
        cmocka_unit_test_setup(erases_lines_that_wait, reset),
        cmocka_unit_test_setup(what_expires_says_so, reset),
        cmocka_unit_test_setup(what_was_queued_runs_after_a_restart, reset),
    };
    return cmocka_run_group_tests(tests, fake_open, fake_close);
}

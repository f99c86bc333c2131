/* api_fake.h - a whole server for tests of api/: real store, record, queue and task; models that
 * are fakes behind api_models. "echo" says three words and repeats the question, "caller" calls
 * the first tool twice, "phone" asks for two tools, "thinker" thinks
 * before it answers, "seeded" says its seed, "stuck" runs until its
 * client leaves, "slow" says nothing until slow_goes is set, "broken" fails after two words, "bag"
 * embeds by hashing words, "other" is other_provider. */
#ifndef BANTAM_TEST_API_FAKE_H
#define BANTAM_TEST_API_FAKE_H

#include "test.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/team.h"
#include "base/thread.h"
#include "keep/keep.h"
#include "net/http_client.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

enum { BAG_WIDTH = 256 };

typedef struct fake {
    char dir[64], path[128], journal[128], task_path[128];
    store *store;
    audit *audit;
    desk desk;
    team *team;
    route *route;
    api *api;
    http_server *server;
    int port;
    arena arena; /* reset before each test */
    fail f;
} fake;

static fake fx;
static atomic_int stuck_ended;   /* err + 1 */
static gen_request last_request; /* a copy: the request's own arena is gone when the test looks */
static arena last_arena;

static str kept(str s) {
    return s.p ? arena_str(&last_arena, s) : s;
}

static const json *kept_json(const json *v) {
    buf b = {0};
    const json *copy = NULL;
    if (!v) return NULL;
    json_put_value(&(json_writer){.out = &b}, v);
    if (json_parse(&last_arena, kept(buf_str(&b)), &copy, NULL) != E_OK) copy = NULL;
    buf_deinit(&b);
    return copy;
}

static gen_message kept_message(const gen_message *m) {
    gen_call *calls = arena_new_n(&last_arena, gen_call, m->n_calls + 1);
    gen_message copy = *m;
    for (size_t i = 0; i < m->n_calls; i++)
        calls[i] =
            (gen_call){kept(m->calls[i].id), kept(m->calls[i].name), kept(m->calls[i].arguments)};
    copy.content = kept(m->content);
    copy.name = kept(m->name);
    copy.reasoning = kept(m->reasoning);
    copy.call_id = kept(m->call_id);
    copy.calls = calls;
    return copy;
}

static void remember_one(const gen_request *rq) {
    arena_reset(&last_arena);
    gen_message *messages = arena_new_n(&last_arena, gen_message, rq->n_messages + 1);
    gen_tool *tools = arena_new_n(&last_arena, gen_tool, rq->n_tools + 1);
    str *stops = arena_new_n(&last_arena, str, rq->n_stops + 1);
    if (!messages || !tools || !stops) return; /* a test lets allocations fail */
    for (size_t i = 0; i < rq->n_messages; i++) messages[i] = kept_message(&rq->messages[i]);
    for (size_t i = 0; i < rq->n_tools; i++)
        tools[i] = (gen_tool){kept(rq->tools[i].name), kept(rq->tools[i].description),
                              kept_json(rq->tools[i].parameters)};
    for (size_t i = 0; i < rq->n_stops; i++) stops[i] = kept(rq->stops[i]);
    last_request = *rq;
    last_request.id = kept(rq->id);
    last_request.model = kept(rq->model);
    last_request.tenant = kept(rq->tenant);
    last_request.subject = kept(rq->subject);
    last_request.adapter = kept(rq->adapter);
    last_request.tool_name = kept(rq->tool_name);
    last_request.messages = messages;
    last_request.tools = tools;
    last_request.stops = stops;
    last_request.extra = kept_json(rq->extra);
    last_request.shape.schema = kept_json(rq->shape.schema);
    last_request.bias = NULL;
    last_request.ids = NULL;
    last_request.arena = NULL;
}

/* Choices are made by several threads; the last one to come is remembered. */
static void remember(const gen_request *rq) {
    static mutex lock = PTHREAD_MUTEX_INITIALIZER;
    mutex_lock(&lock);
    remember_one(rq);
    mutex_unlock(&lock);
}

/* ---- models ---- */

static err bag_embed(void *self, const str *texts, size_t n, bool truncate, float *out,
                     int64_t *tokens, fail *f) {
    (void)self;
    int64_t words = 0;
    for (size_t i = 0; i < n; i++) {
        float *v = out + i * BAG_WIDTH;
        memset(v, 0, BAG_WIDTH * sizeof *v);
        str rest = texts[i], word;
        double norm = 0;
        if (texts[i].n > 2000 && !truncate)
            return fail_set(f, E_CONTEXT, "the text is longer than the model reads");
        while (rest.p) {
            word = str_cut(&rest, ' ');
            if (!word.n) continue;
            v[str_hash(word) % BAG_WIDTH] += 1;
            words++;
        }
        for (size_t k = 0; k < BAG_WIDTH; k++) norm += (double)v[k] * (double)v[k];
        for (size_t k = 0; k < BAG_WIDTH; k++) v[k] = (float)((double)v[k] / sqrt(norm + 1e-12));
    }
    if (tokens) *tokens = words;
    return E_OK;
}

/* A token's number is the word; 999 is outside the vocabulary. */
static err bag_embed_ids(void *self, const gen_ids *texts, size_t n, bool truncate, float *out,
                         int64_t *tokens, fail *f) {
    int64_t words = 0;
    for (size_t i = 0; i < n; i++) {
        buf b = {0};
        for (size_t k = 0; k < texts[i].n; k++) {
            if (texts[i].p[k] == 999) return fail_set(f, E_INPUT, "token 999 is outside");
            buf_printf(&b, "%d ", texts[i].p[k]);
        }
        str text = buf_str(&b);
        err e = bag_embed(self, &text, 1, truncate, out + i * BAG_WIDTH, NULL, f);
        buf_deinit(&b);
        TRY(e);
        words += (int64_t)texts[i].n;
    }
    *tokens = words;
    return E_OK;
}
static const gen_embedder bag = {.name = "bag",
                                 .width = BAG_WIDTH,
                                 .tokens_max = 400,
                                 .embed = bag_embed,
                                 .embed_ids = bag_embed_ids};

/* A cross-encoder: how many bytes the text has less ten. */
static err longest(void *self, str query, const str *texts, size_t n, float *scores,
                   int64_t *tokens, fail *f) {
    (void)self, (void)query, (void)f;
    for (size_t i = 0; i < n; i++) scores[i] = (float)texts[i].n - 10;
    *tokens = (int64_t)n;
    return E_OK;
}
static const gen_embedder cross = {
    .name = "cross", .width = BAG_WIDTH, .tokens_max = 400, .embed = bag_embed, .rank = longest};

static err put_word(gen_sink sink, const char *word, fail *f) {
    gen_logprob top[] = {{.id = 7, .bytes = str_from(word), .logprob = -0.25},
                         {.id = 8, .bytes = STR("\xff"), .logprob = -2}};
    gen_token token = {.chosen = top[0], .top = top, .n_top = 2};
    gen_event event = {.text = str_from(word), .tokens = &token, .n_tokens = 1};
    return sink.put ? sink.put(sink.self, &event, f) : E_OK;
}

static err echo(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)self;
    remember(rq);
    str question = rq->messages[rq->n_messages - 1].content;
    gen_token *token = arena_new(rq->arena, gen_token);
    assert_non_null(token);
    *token = (gen_token){.chosen = {.id = 7, .bytes = STR("You"), .logprob = -0.25}};
    TRY(put_word(sink, "You ", f));
    TRY(put_word(sink, "said ", f));
    TRY(put_word(sink, arena_z(rq->arena, question), f));
    *out = (gen_reply){.text = arena_printf(rq->arena, "You said %.*s", STR_ARG(question)),
                       .model = STR("echo"),
                       .finish = rq->max_tokens == 3 ? GEN_LENGTH : GEN_STOP,
                       .stop = rq->n_stops ? rq->stops[0] : STR(""),
                       .prompt_tokens = 11,
                       .completion_tokens = 3,
                       .tokens = token,
                       .n_tokens = 1};
    return E_OK;
}

static err count_bytes(void *self, const gen_request *rq, int64_t *tokens, fail *f) {
    (void)self, (void)f;
    remember(rq);
    *tokens = 0;
    for (size_t i = 0; i < rq->n_messages; i++) *tokens += (int64_t)rq->messages[i].content.n;
    return E_OK;
}

static char last_prompt[1024]; /* of halve */

/* Each choice after the first is half as likely as the one before. */
static err halve(void *self, const gen_request *rq, const str *choices, size_t n, double *logprob,
                 int64_t *prompt_tokens, fail *f) {
    (void)self, (void)choices, (void)f;
    remember(rq);
    snprintf(last_prompt, sizeof last_prompt, "%.*s", STR_ARG(rq->messages[0].content));
    for (size_t i = 0; i < n; i++) logprob[i] = -1 - (double)i * log(2);
    *prompt_tokens = 9;
    return E_OK;
}

static err put_piece(gen_sink sink, const gen_call *call, size_t index, const char *text, fail *f) {
    gen_event event = {.text = str_from(text),
                       .call = call,
                       .call_index = index,
                       .call_begins = !text[0],
                       .prompt_tokens = 21};
    return sink.put ? sink.put(sink.self, &event, f) : E_OK;
}

/* Says a word and asks for two tools; 16 of its prompt's 21 tokens were known. */
static err phone(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    static const gen_call calls[] = {{STR("call_1"), STR("weather"), STR("{\"city\":\n\"Bern\"}")},
                                     {STR("call_2"), STR("now"), STR("{}")}};
    (void)self;
    remember(rq);
    TRY(put_piece(sink, NULL, 0, "Wait. ", f));
    TRY(put_piece(sink, &calls[0], 0, "", f));
    TRY(put_piece(sink, &calls[0], 0, "{\"city\": ", f));
    TRY(put_piece(sink, &calls[0], 0, "\"Bern\"}", f));
    TRY(put_piece(sink, &calls[1], 1, "", f));
    TRY(put_piece(sink, &calls[1], 1, "{}", f));
    *out = (gen_reply){.text = STR("Wait. "),
                       .calls = calls,
                       .n_calls = 2,
                       .model = STR("phone"),
                       .finish = GEN_CALLS,
                       .prompt_tokens = 21,
                       .completion_tokens = 9,
                       .timings = {.first_token_ms = 2.5, .known_tokens = 16}};
    return E_OK;
}

/* Says "Let me see", then calls the first tool twice; its arguments come in two pieces. */
static err caller(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)self;
    remember(rq);
    gen_call *calls = arena_new_n(rq->arena, gen_call, 2);
    assert_non_null(calls);
    TRY(put_word(sink, "Let me see", f));
    for (size_t i = 0; i < 2; i++) {
        calls[i] = (gen_call){.id = arena_printf(rq->arena, "call_%zu", i + 1),
                              .name = rq->tools[0].name,
                              .arguments = STR("")};
        gen_event event = {
            .text = STR(""), .call = &calls[i], .call_index = i, .call_begins = true};
        if (sink.put) TRY(sink.put(sink.self, &event, f));
        event.call_begins = false;
        event.text = STR("{\"a\":");
        if (sink.put) TRY(sink.put(sink.self, &event, f));
        event.text = STR("1}");
        if (sink.put) TRY(sink.put(sink.self, &event, f));
        calls[i].arguments = STR("{\"a\":1}");
    }
    *out = (gen_reply){
        .text = STR("Let me see"),
        .model = STR("caller"),
        .finish = GEN_CALLS,
        .calls = calls,
        .n_calls = 2,
        .prompt_tokens = 20,
        .completion_tokens = 9,
        .timings = {
            .prefill_tok_s = 100, .decode_tok_s = 50, .first_token_ms = 12.5, .known_tokens = 16}};
    return E_OK;
}

/* Thinks in two pieces, then answers; calls the first tool where there is one. */
static err thinker(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    static const gen_call call = {STR("call_1"), STR("now"), STR("{}")};
    static const char *const thoughts[] = {"Let me ", "think."};
    (void)self;
    remember(rq);
    for (size_t i = 0; i < 2 && sink.put; i++)
        TRY(sink.put(sink.self, &(gen_event){.text = str_from(thoughts[i]), .thinks = rq->apart},
                     f));
    TRY(put_word(sink, "Yes.", f));
    if (rq->n_tools) TRY(put_piece(sink, &call, 0, "", f));
    if (rq->n_tools) TRY(put_piece(sink, &call, 0, "{}", f));
    *out = (gen_reply){.text = rq->apart ? STR("Yes.") : STR("Let me think.Yes."),
                       .reasoning = rq->apart ? STR("Let me think.") : STR(""),
                       .reasoning_tokens = 5,
                       .model = STR("thinker"),
                       .calls = &call,
                       .n_calls = rq->n_tools ? 1 : 0,
                       .finish = rq->n_tools ? GEN_CALLS : GEN_STOP,
                       .prompt_tokens = 21,
                       .completion_tokens = 7};
    return E_OK;
}

/* Says its seed, one digit. */
static err seeded(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)self;
    str text = arena_printf(rq->arena, "%llu", (unsigned long long)rq->sampling.seed);
    if (rq->max_tokens == 7 && rq->sampling.seed == 3)
        return fail_set(f, E_INTERNAL, "the third broke");
    if (sink.put) TRY(sink.put(sink.self, &(gen_event){.text = text}, f));
    *out = (gen_reply){.text = text,
                       .model = STR("seeded"),
                       .finish = GEN_STOP,
                       .prompt_tokens = 5,
                       .completion_tokens = 1};
    return E_OK;
}

static err broken(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)self, (void)out, (void)rq;
    TRY(put_word(sink, "half ", f));
    return fail_set(f, E_INTERNAL, "the model broke");
}

static err busy(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)self, (void)out, (void)rq, (void)sink;
    fail_set(f, E_LIMIT, "too many are waiting");
    f->retry_s = 17;
    return E_LIMIT;
}

static err stuck(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    (void)self, (void)out;
    err e = E_OK;
    while (e == E_OK) {
        clock_sleep_ms(1);
        e = rq->gone(rq->gone_ctx) && !sink.put ? fail_set(f, E_CANCELLED, "left")
                                                : put_word(sink, "and ", f);
    }
    atomic_store(&stuck_ended, (int)e + 1);
    return e;
}

static atomic_int slow_goes; /* 1: slow answers; 2: it breaks */

static err slow(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    while (!atomic_load(&slow_goes) && !rq->gone(rq->gone_ctx)) clock_sleep_ms(1);
    if (atomic_load(&slow_goes) == 2) return fail_set(f, E_INTERNAL, "the model broke");
    return echo(self, rq, sink, out, f);
}

static int64_t sleepy_deadline_ms[2]; /* of the last two that were asked */

static err sleepy(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    sleepy_deadline_ms[0] = sleepy_deadline_ms[1];
    sleepy_deadline_ms[1] = rq->deadline_ms;
    clock_sleep_ms(20);
    return echo(self, rq, sink, out, f);
}

static gen_provider other_provider;

static err fake_list(void *self, arena *a, api_model **out, size_t *n, fail *f) {
    (void)self;
    api_model all[] = {
        {.id = STR("echo"),
         .kind = API_GENERATOR,
         .title = STR("Says it again"),
         .loaded = true,
         .left_ms = 300000,
         .bytes = 4096,
         .engine = {.present = true,
                    .running = 2,
                    .waiting = 3,
                    .pages = 8,
                    .pages_free = 6,
                    .queried = 100,
                    .known = 40}},
        {.id = STR("bag"), .kind = API_ENCODER, .title = STR("")},
        {.id = STR("task:desk"), .kind = API_TASK, .title = STR("A small desk"), .loaded = true},
        {.id = STR("lab/echo:q4"), .kind = API_GENERATOR, .title = STR(""), .parent = STR("echo")}};
    *out = arena_alloc(a, sizeof all);
    if (!*out) return fail_memory(f, "models");
    memcpy(*out, all, sizeof all);
    *n = sizeof all / sizeof *all;
    return E_OK;
}

static err fake_provider(void *self, str model, gen_provider *out, fail *f) {
    (void)self;
    if (str_is(model, "echo"))
        *out =
            (gen_provider){.name = "echo", .generate = echo, .count = count_bytes, .score = halve};
    else if (str_is(model, "phone"))
        *out = (gen_provider){.name = "phone", .generate = phone};
    else if (str_is(model, "caller"))
        *out = (gen_provider){.name = "caller", .generate = caller};
    else if (str_is(model, "thinker"))
        *out = (gen_provider){.name = "thinker", .generate = thinker};
    else if (str_is(model, "seeded"))
        *out = (gen_provider){.name = "seeded", .generate = seeded};
    else if (str_is(model, "broken"))
        *out = (gen_provider){.name = "broken", .generate = broken};
    else if (str_is(model, "busy"))
        *out = (gen_provider){.name = "busy", .generate = busy};
    else if (str_is(model, "slow"))
        *out = (gen_provider){.name = "slow", .generate = slow};
    else if (str_is(model, "sleepy"))
        *out = (gen_provider){.name = "sleepy", .generate = sleepy};
    else if (str_is(model, "nick")) /* an alias */
        *out =
            (gen_provider){.name = "echo", .model = STR("echo"), .generate = echo, .score = halve};
    else if (str_is(model, "other") && other_provider.generate)
        *out = other_provider;
    else if (str_is(model, "stuck"))
        *out = (gen_provider){.name = "stuck", .generate = stuck};
    else
        return fail_set(f, E_NOT_FOUND, "there is no model \"%.*s\"", STR_ARG(model));
    return E_OK;
}

static err fake_embedder(void *self, str model, const gen_embedder **out, fail *f) {
    (void)self;
    if (!str_is(model, "bag") && !str_is(model, "cross"))
        return fail_set(f, E_NOT_FOUND, "there is no model \"%.*s\"", STR_ARG(model));
    *out = str_is(model, "bag") ? &bag : &cross;
    return E_OK;
}

/* What was asked of the models' memory last: "load echo", "keep echo 300000". */
static char asked_last[128];

static err fake_find(str model, fail *f) {
    if (str_is(model, "echo") || str_is(model, "phone") || str_is(model, "thinker") ||
        str_is(model, "broken") || str_is(model, "stuck") || str_is(model, "bag"))
        return E_OK;
    return fail_set(f, E_NOT_FOUND, "there is no model \"%.*s\"", STR_ARG(model));
}

static err fake_load(void *self, str model, fail *f) {
    (void)self;
    snprintf(asked_last, sizeof asked_last, "load %.*s", STR_ARG(model));
    return fake_find(model, f);
}

static err fake_keep(void *self, str model, int64_t ms, fail *f) {
    (void)self;
    snprintf(asked_last, sizeof asked_last, "keep %.*s %lld", STR_ARG(model), (long long)ms);
    return fake_find(model, f);
}

static err fake_context(void *self, str model, int32_t *tokens, fail *f) {
    (void)self;
    *tokens = 512;
    return fake_find(model, f);
}

/* Every byte is a token; 256 stands before a text with its markers, 257 is "<s>" where it may be.
 */
static err bytes_encode(void *self, arena *a, str text, const gen_encode *how, gen_pieces *out,
                        fail *f) {
    (void)self, (void)f;
    int32_t *ids = arena_new_n(a, int32_t, text.n + 1);
    str *pieces = arena_new_n(a, str, text.n + 1);
    size_t n = 0;
    assert_non_null(ids);
    assert_non_null(pieces);
    if (how->markers) pieces[n] = STR(""), ids[n++] = 256;
    for (size_t i = 0; i < text.n; n++) {
        bool special = how->special && str_starts(str_slice(text, i, text.n), STR("<s>"));
        pieces[n] = str_slice(text, i, i + (special ? 3 : 1));
        ids[n] = special ? 257 : (unsigned char)text.p[i];
        i += pieces[n].n;
    }
    *out = (gen_pieces){.ids = ids, .pieces = how->pieces ? pieces : NULL, .n = n};
    return E_OK;
}

static err bytes_decode(void *self, const int32_t *ids, size_t n, buf *out, fail *f) {
    (void)self;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] > 255) return fail_set(f, E_INPUT, "token %d is outside", ids[i]);
        buf_put_char(out, (char)ids[i]);
    }
    return E_OK;
}

static err fake_vocabulary(void *self, str model, gen_vocabulary *out, fail *f) {
    (void)self;
    *out = (gen_vocabulary){.encode = bytes_encode, .decode = bytes_decode};
    return fake_find(model, f);
}

static err fake_about(void *self, arena *a, str model, api_about *out, fail *f) {
    (void)self, (void)a;
    *out = (api_about){.format = STR("gguf"),
                       .family = STR("llama"),
                       .quantisation = STR("Q4_0"),
                       .digest = STR("abc"),
                       .licence = STR("MIT"),
                       .chat_template = STR("{% if enable_thinking %}"),
                       .bytes = 1000,
                       .parameters = 134515008,
                       .context = 512,
                       .width = 64};
    return fake_find(model, f);
}

static err fake_task(void *self, str name, route **out, str *task_id, fail *f) {
    (void)self;
    if (!str_is(name, "desk"))
        return fail_set(f, E_NOT_FOUND, "there is no task \"%.*s\"", STR_ARG(name));
    *out = fx.route;
    *task_id = STR("t-desk");
    return E_OK;
}

/* ---- the task ---- */

static void write_task(void) {
    static const char *const subjects[] = {"car", "house", "boat", "travel", "pet", "bike"};
    static const char *const starts[] = {"please", "hello", "today", "kindly", "now", "so"};
    FILE *file = fopen(fx.task_path, "we");
    assert_non_null(file);
    fputs("id: t-desk\nkind: answer\ntitle: A small desk\nlanguage: en\nmode: auto\n"
          "max_wrong: 0.3\nthreshold: 0.3\nretention_days: 10\ntiers:\n"
          "  - slm:\n      model: bag\n      cost_usd: 0.00002\n"
          "  - human:\n      cost_usd: 6.00\n      expected_minutes: 30\n"
          "passages:\n  - id: p\n    title: Cancelling\n    text: |\n"
          "      You may cancel at any time. Money comes back.\nlabels:\n",
          file);
    fputs("  - name: cancel\n    about: wants to end it\n    passage: p\n    reply: |\n"
          "      You can cancel whenever you like.\n    examples:\n",
          file);
    for (size_t i = 0; i < 36; i++)
        fprintf(file, "      - %s how do i cancel my %s policy\n", starts[i / 6], subjects[i % 6]);
    fputs("  - name: angry\n    about: complains\n    always: human\n    examples:\n", file);
    for (size_t i = 0; i < 36; i++)
        fprintf(file, "      - %s your %s service made me furious\n", starts[i / 6],
                subjects[i % 6]);
    fclose(file);
}

/* What a label answers with, for the desk. */
static err reply_of(void *self, str task_id, str label, arena *a, str *out, fail *f) {
    (void)self, (void)task_id;
    return route_reply(fx.route, label, a, out, f);
}

static void open_rooms(void) {
    store_migration all[64];
    size_t total = 0, n;
    const store_migration *parts[] = {route_migrations(&n), NULL, NULL};
    for (size_t i = 0; i < n; i++) all[total++] = parts[0][i];
    parts[1] = desk_migrations(&n);
    for (size_t i = 0; i < n; i++) all[total++] = parts[1][i];
    parts[2] = audit_migrations(&n);
    for (size_t i = 0; i < n; i++) all[total++] = parts[2][i];
    const store_migration *kept_tables = keep_migrations(&n);
    for (size_t i = 0; i < n; i++) all[total++] = kept_tables[i];
    assert_ok(store_open(&fx.store, fx.path, all, total, &fx.f), &fx.f);
    assert_ok(
        audit_open(&fx.audit, &(audit_options){.store = fx.store, .folder = fx.journal}, &fx.f),
        &fx.f);
    fx.desk = (desk){.store = fx.store, .labels = route_labels(fx.store), .reply_text = reply_of};
    assert_ok(team_open(&fx.team, 1, &fx.f), &fx.f);
    assert_ok(route_open(&fx.route,
                         &(route_options){.task_path = fx.task_path,
                                          .store = fx.store,
                                          .embedder = &bag,
                                          .people = desk_people(&fx.desk),
                                          .team = fx.team,
                                          .embedder_digest = "bag",
                                          .url_base = "http://desk.test"},
                         &fx.f),
              &fx.f);
}

static void open_server(bool require_key) {
    api_options o = {.models = {.list = fake_list,
                                .provider = fake_provider,
                                .embedder = fake_embedder,
                                .task = fake_task,
                                .load = fake_load,
                                .keep = fake_keep,
                                .context = fake_context,
                                .about = fake_about,
                                .vocabulary = fake_vocabulary},
                     .store = fx.store,
                     .audit = fx.audit,
                     .desk = &fx.desk,
                     .require_key = require_key,
                     .key = STR("sesame"),
                     .build = STR("test"),
                     .background = true,
                     .url_base = STR("http://desk.test")};
    assert_ok(api_open(&fx.api, &o, &fx.f), &fx.f);
    assert_ok(http_server_open(&fx.server,
                               &(http_options){.handler = api_handle,
                                               .quick = api_quick,
                                               .error_body = api_error_body,
                                               .ctx = fx.api,
                                               .workers = 4,
                                               .large_path = "/v1/files",
                                               .large_bytes_max = 40 << 20},
                               &fx.f),
              &fx.f);
    api_set_server(fx.api, fx.server);
    fx.port = http_server_port(fx.server);
}

static void close_server(void) {
    api_stop(fx.api);
    http_server_close(fx.server, 1000);
    api_close(fx.api);
}

static int fake_open(void **state) {
    (void)state;
    strcpy(fx.dir, "/tmp/bantam-t-api-XXXXXX");
    assert_non_null(mkdtemp(fx.dir));
    snprintf(fx.path, sizeof fx.path, "%s/db", fx.dir);
    snprintf(fx.journal, sizeof fx.journal, "%s/journal", fx.dir);
    snprintf(fx.task_path, sizeof fx.task_path, "%s/desk.yaml", fx.dir);
    arena_init(&fx.arena, 0);
    write_task();
    open_rooms();
    open_server(false);
    return 0;
}

static int fake_close(void **state) {
    (void)state;
    char command[128];
    close_server();
    route_close(fx.route);
    audit_close(fx.audit);
    store_close(fx.store);
    team_close(fx.team);
    arena_deinit(&fx.arena);
    arena_deinit(&last_arena);
    snprintf(command, sizeof command, "rm -rf %s", fx.dir);
    return system(command);
}

/* ---- asking ---- */

static const char *url_of(const char *path) {
    return arena_printf(&fx.arena, "http://127.0.0.1:%d%s", fx.port, path).p;
}

/* The answer's body as JSON; body NULL: GET. */
static inline const json *ask(const char *path, const char *body, int status) {
    http_answer answer;
    http_field fields[] = {{"Content-Type", STR("application/json")}};
    http_call call = {.url = url_of(path),
                      .method = body ? "POST" : "GET",
                      .body = body ? str_from(body) : STR_NONE,
                      .fields = fields,
                      .fields_n = 1};
    const json *v = NULL;
    assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
    if (answer.status != status)
        fail_msg("%s %s -> %d: %.*s", path, body ? body : "", answer.status, STR_ARG(answer.body));
    assert_ok(json_parse(&fx.arena, answer.body, &v, &fx.f), &fx.f);
    return v;
}

static inline const json *ask_delete(const char *path, int status) {
    http_answer answer;
    const json *v = NULL;
    http_call call = {.url = url_of(path), .method = "DELETE"};
    assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
    if (answer.status != status)
        fail_msg("DELETE %s -> %d: %.*s", path, answer.status, STR_ARG(answer.body));
    assert_ok(json_parse(&fx.arena, answer.body, &v, &fx.f), &fx.f);
    return v;
}

/* "choices.0.message.content" */
static const json *at(const json *v, const char *path) {
    str rest = str_from(path);
    while (rest.p && v) {
        str key = str_cut(&rest, '.');
        int64_t index;
        v = str_to_int(key, &index) ? json_at(v, (size_t)index)
                                    : json_get(v, arena_z(&fx.arena, key));
    }
    return v;
}

static str text_at(const json *v, const char *path) {
    const json *x = at(v, path);
    if (!x || x->kind != JSON_STRING) fail_msg("%s is no text", path);
    return x->string;
}

static inline void assert_text(const json *v, const char *path, const char *want) {
    str have = text_at(v, path);
    if (!str_is(have, want)) fail_msg("%s is \"%.*s\", not \"%s\"", path, STR_ARG(have), want);
}

static inline void assert_null_at(const json *v, const char *path) {
    const json *x = at(v, path);
    if (!x || x->kind != JSON_NULL) fail_msg("%s is not null", path);
}

#endif

/* t_gen_local.c - tests gen/gen_local.c on a tiny model: tenants and what they know of each other's
 * prompts, adapters by name, deadlines. */
#include <math.h>

#include "base/clock.h"
#include "base/team.h"
#include "gen/gen_local.h"
#include "model/tiny_adapter.h"
#include "test.h"

static struct rig {
    tiny base;
    tiny_adapter files;
    team *team;
    model *m;
    model_adapter *adapter;
    int taken, given;
    arena mem;
} r;

static err take(void *self, str name, const model_adapter **out, fail *f) {
    (void)self;
    if (!str_is(name, "support"))
        return fail_set(f, E_NOT_FOUND, "there is no adapter \"%.*s\"", STR_ARG(name));
    r.taken++;
    *out = r.adapter;
    return E_OK;
}
static void give(void *self, const model_adapter *a) {
    (void)self;
    assert_ptr_equal(a, r.adapter);
    r.given++;
}

static int setup(void **state) {
    (void)state;
    fail f = {0};
    memset(&r, 0, sizeof r);
    arena_init(&r.mem, 0);
    tiny_open(&r.base, "llama");
    assert_ok(team_open(&r.team, 1, &f), &f);
    assert_ok(
        model_open(&r.m, tiny_folder(&r.base, "config"), &(model_options){.team = r.team}, &f), &f);
    tiny_adapter_open(&r.files, "llama");
    assert_ok(model_adapter_open(&r.adapter, r.m, tiny_adapter_peft(&r.files), &f), &f);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    model_adapter_close(r.adapter);
    model_close(r.m);
    team_close(r.team);
    tiny_close(&r.files.t);
    tiny_close(&r.base);
    arena_deinit(&r.mem);
    return 0;
}

static gen_local *open_local(bool isolate) {
    fail f = {0};
    gen_local *g = NULL;
    gen_local_options o = {
        .m = r.m, .name = STR("tiny"), .isolate_tenants = isolate, .adapters = {NULL, take, give}};
    assert_ok(gen_local_open(&g, &o, &f), &f);
    return g;
}

static err run(gen_local *g, gen_request rq, gen_reply *out, fail *f) {
    static const gen_message prompt = {
        .role = GEN_USER,
        .content = STR("the cat sat on the mat and the dog sat on the log and they both sat there "
                       "all day long and said not one word about it to anybody at all, not one")};
    gen_provider p = gen_local_provider(g);
    rq.messages = &prompt;
    rq.n_messages = 1;
    rq.raw = true;
    rq.max_tokens = 8;
    rq.top_logprobs = -1;
    rq.arena = &r.mem;
    return p.generate(p.self, &rq, (gen_sink){0}, out, f);
}

static int64_t known_to(gen_local *g, const char *tenant) {
    fail f = {0};
    gen_reply reply = {0};
    assert_ok(run(g, (gen_request){.tenant = str_from(tenant)}, &reply, &f), &f);
    return reply.timings.known_tokens;
}

static void tenants_do_not_share_when_isolated(void **state) {
    (void)state;
    gen_local *g = open_local(true);
    assert_int_equal(known_to(g, "ann"), 0);
    assert_true(known_to(g, "ann") > 0);
    assert_int_equal(known_to(g, "bob"), 0);
    assert_int_equal(known_to(g, ""), 0);
    assert_true(known_to(g, "bob") > 0);
    gen_local_close(g);
    g = open_local(false);
    assert_int_equal(known_to(g, "ann"), 0);
    assert_true(known_to(g, "bob") > 0);
    gen_local_close(g);
}

static bool same(const gen_reply *a, const gen_reply *b) {
    return a->n_ids == b->n_ids && !memcmp(a->ids, b->ids, a->n_ids * sizeof *a->ids);
}

static void adapters_are_named(void **state) {
    (void)state;
    fail f = {0};
    gen_reply plain = {0}, with = {0}, again = {0};
    gen_local *g = open_local(false);
    assert_ok(run(g, (gen_request){0}, &plain, &f), &f);
    assert_ok(run(g, (gen_request){.adapter = STR("support")}, &with, &f), &f);
    assert_ok(run(g, (gen_request){0}, &again, &f), &f);
    assert_true(same(&plain, &again) && !same(&plain, &with));
    assert_true(r.taken == 1 && r.given == 1);
    assert_int_equal(run(g, (gen_request){.adapter = STR("other")}, &with, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.text, "other"));
    gen_local_close(g);
}

static void a_deadline_ends_it(void **state) {
    (void)state;
    fail f = {0};
    gen_reply reply;
    gen_local *g = open_local(false);
    assert_int_equal(run(g, (gen_request){.deadline_ms = clock_now_ms() - 1}, &reply, &f),
                     E_TIMEOUT);
    assert_ok(run(g, (gen_request){.deadline_ms = clock_now_ms() + 3600000}, &reply, &f), &f);
    assert_int_equal(run(g, (gen_request){.priority = 99}, &reply, &f), E_INPUT);
    gen_local_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_do_not_share_when_isolated),
        cmocka_unit_test(adapters_are_named),
        cmocka_unit_test(a_deadline_ends_it),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

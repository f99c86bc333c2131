/* t_world_models.c - tests app/world_models.c and its neighbours on tiny models: loaded once,
 * leases, the budget, failures that pause, aliases, adapters, unloading under a crowd. */
#include <math.h>

#include "app/world_int.h"
#include "base/clock.h"
#include "model/tiny_adapter.h"
#include "test.h"

enum { THREADS = 6, ROUNDS = 12 };

static struct rig {
    world w;
    tiny a, b;
    tiny_adapter files;
    str name_a, name_b;
} r;

static int setup(void **state) {
    (void)state;
    static char home[] = "/tmp/bantam-t-world-XXXXXX";
    fail f = {0};
    memset(&r, 0, sizeof r);
    strcpy(home, "/tmp/bantam-t-world-XXXXXX");
    assert_non_null(mkdtemp(home));
    setenv("BANTAM_HOME", home, 1);
    assert_ok(world_open(&r.w, WORLD_MODELS, &f), &f);
    r.w.threads = 1;
    r.w.context = 64;
    r.w.sequences = 4;
    tiny_open(&r.a, "llama");
    tiny_open(&r.b, "qwen3");
    r.name_a = str_from(tiny_folder(&r.a, "config"));
    r.name_b = str_from(tiny_folder(&r.b, "config"));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char dir[128];
    snprintf(dir, sizeof dir, "%s", r.w.home.dir);
    world_close(&r.w);
    tiny_close(&r.a);
    tiny_close(&r.b);
    return file_remove_tree(dir, NULL) != E_OK;
}

static world_state state_of(str name) {
    world_status s;
    world_status_get(&r.w, name, &s);
    return s.state;
}

static err say(str name, str adapter, gen_reply *out, arena *mem, fail *f) {
    static const gen_message prompt = {.role = GEN_USER, .content = STR("the cat sat")};
    gen_provider p;
    gen_request rq = {.messages = &prompt,
                      .n_messages = 1,
                      .raw = true,
                      .max_tokens = 4,
                      .adapter = adapter,
                      .top_logprobs = -1,
                      .arena = mem};
    TRY(world_provider(&r.w, name, &p, NULL, f));
    return p.generate(p.self, &rq, (gen_sink){0}, out, f);
}

static void loaded_when_asked(void **state) {
    (void)state;
    fail f = {0};
    gen_reply reply = {0};
    gen_provider p;
    arena mem;
    arena_init(&mem, 0);
    assert_ok(world_provider(&r.w, r.name_a, &p, NULL, &f), &f);
    assert_int_equal(state_of(r.name_a), WORLD_UNLOADED);
    assert_ok(say(r.name_a, STR(""), &reply, &mem, &f), &f);
    assert_int_equal(state_of(r.name_a), WORLD_LOADED);
    assert_true(world_memory_used(&r.w) > 0);
    assert_ok(world_unload(&r.w, r.name_a, &f), &f);
    assert_int_equal(state_of(r.name_a), WORLD_UNLOADED);
    assert_int_equal(world_memory_used(&r.w), 0);
    assert_ok(say(r.name_a, STR(""), &reply, &mem, &f), &f);
    assert_true(str_eq(reply.model, p.model));
    arena_deinit(&mem);
}

static void a_lease_keeps_it(void **state) {
    (void)state;
    fail f = {0};
    world_model *m;
    assert_ok(world_take(&r.w, r.name_a, true, &m, &f), &f);
    assert_int_equal(world_unload(&r.w, r.name_a, &f), E_BUSY);
    assert_ok(world_keep_alive(&r.w, r.name_a, 0, &f), &f);
    clock_sleep_ms(5);
    world_models_tick(&r.w);
    assert_int_equal(state_of(r.name_a), WORLD_LOADED);
    world_give(m);
    while (state_of(r.name_a) == WORLD_LOADED) world_models_tick(&r.w);
    assert_int_equal(state_of(r.name_a), WORLD_UNLOADED);
    assert_ok(world_take(&r.w, r.name_a, true, &m, &f), &f); /* one that a command holds stays */
    world_give(m);
    gen_local *g;
    assert_ok(world_local(&r.w, r.name_a, &g, &f), &f);
    clock_sleep_ms(5);
    world_models_tick(&r.w);
    assert_int_equal(state_of(r.name_a), WORLD_LOADED);
}

static void the_least_used_makes_way(void **state) {
    (void)state;
    fail f = {0};
    world_model *a, *b;
    assert_ok(world_take(&r.w, r.name_a, true, &a, &f), &f);
    r.w.memory_max = world_memory_used(&r.w) * 3 / 2; /* room for one */
    assert_int_equal(world_take(&r.w, r.name_b, true, &b, &f), E_BUSY);
    assert_int_equal(f.retry_s, 1);
    assert_int_equal(state_of(r.name_b), WORLD_UNLOADED);
    world_give(a);
    assert_ok(world_take(&r.w, r.name_b, true, &b, &f), &f);
    assert_int_equal(state_of(r.name_a), WORLD_UNLOADED);
    world_give(b);
    r.w.memory_max = 1 << 20;
    assert_int_equal(world_take(&r.w, r.name_a, true, &a, &f), E_NO_MEMORY);
    assert_non_null(strstr(f.text, "are missing"));
}

static void a_failure_pauses(void **state) {
    (void)state;
    fail f = {0};
    world_model *m;
    r.a.misshape = "model.norm.weight";
    tiny_folder(&r.a, "config");
    err first = world_take(&r.w, r.name_a, true, &m, &f);
    assert_int_equal(first, E_CORRUPT);
    assert_int_equal(state_of(r.name_a), WORLD_FAILED);
    assert_int_equal(world_take(&r.w, r.name_a, true, &m, &f), E_BUSY);
    assert_true(f.retry_s >= 1 && f.retry_s <= 6);
    r.a.misshape = NULL;
    tiny_folder(&r.a, "config");
    mutex_lock(&r.w.lock); /* as if the pause were over */
    r.w.models->retry_ns = 0;
    mutex_unlock(&r.w.lock);
    assert_ok(world_take(&r.w, r.name_a, true, &m, &f), &f);
    world_give(m);
}

static void other_names(void **state) {
    (void)state;
    fail f = {0};
    gen_reply plain = {0}, with = {0}, reply = {0};
    arena mem;
    arena_init(&mem, 0);
    tiny_adapter_open(&r.files, "llama");
    str path = str_from(tiny_adapter_peft(&r.files));
    assert_ok(world_adapter_add(&r.w, STR("support"), path, &f), &f);
    assert_int_equal(world_adapter_add(&r.w, STR("../x"), path, &f), E_INPUT);
    assert_int_equal(world_alias_read(&r.w, STR("gpt"), &f), E_USAGE);
    assert_ok(world_alias_add(&r.w, STR("gpt"), r.name_a, &f), &f);
    assert_int_equal(world_alias_add(&r.w, STR("gpt"), r.name_b, &f), E_EXISTS);
    assert_ok(say(STR("gpt"), STR(""), &plain, &mem, &f), &f);
    assert_ok(say(STR("gpt"), STR("support"), &with, &mem, &f), &f);
    assert_true(str_ends(with.model, STR("+support")));
    assert_memory_not_equal(plain.ids, with.ids, 4 * sizeof *plain.ids);
    assert_int_equal(say(STR("gpt"), STR("nobody"), &reply, &mem, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.text, "nobody"));
    assert_int_equal(say(STR("gpt"), STR("../../etc"), &reply, &mem, &f), E_NOT_FOUND);
    int64_t used = world_memory_used(&r.w);
    mutex_lock(&r.w.lock);
    assert_true(world_lora_bytes(&r.w) > 0 && world_lora_drop(&r.w, INT64_MAX));
    assert_int_equal(world_lora_bytes(&r.w), 0);
    mutex_unlock(&r.w.lock);
    assert_true(world_memory_used(&r.w) < used);
    assert_ok(say(STR("gpt"), STR("support"), &reply, &mem, &f), &f); /* opened again */
    assert_memory_equal(reply.ids, with.ids, 4 * sizeof *with.ids);
    tiny_close(&r.files.t);
    arena_deinit(&mem);
}

/* ---- a crowd: every thread asks both models in turn, with room for one ---- */

static atomic_int answered, refused;

static void crowd(void *arg) {
    int me = *(int *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        fail f = {0};
        gen_reply reply = {0};
        arena mem;
        arena_init(&mem, 0);
        err e = say((i + me) % 2 ? r.name_a : r.name_b, STR(""), &reply, &mem, &f);
        if (e == E_OK && reply.n_ids == 4) atomic_fetch_add(&answered, 1);
        if (e == E_BUSY) {
            atomic_fetch_add(&refused, 1);
            clock_sleep_ms(1);
        } else if (e != E_OK) {
            print_message("%s\n", f.text);
        }
        arena_deinit(&mem);
    }
}

static void nothing_is_unloaded_under_a_request(void **state) {
    (void)state;
    fail f = {0};
    world_model *m;
    thread threads[THREADS] = {0};
    int number[THREADS];
    assert_ok(world_take(&r.w, r.name_a, true, &m, &f), &f);
    world_give(m);
    r.w.memory_max = world_memory_used(&r.w) * 3 / 2;
    for (int i = 0; i < THREADS; i++) {
        number[i] = i;
        assert_ok(thread_start(&threads[i], "crowd", crowd, &number[i], &f), &f);
    }
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    assert_int_equal(atomic_load(&answered) + atomic_load(&refused), THREADS * ROUNDS);
    assert_true(atomic_load(&answered) > 0);
    print_message("%d answered, %d refused for want of room\n", answered, refused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loaded_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lease_keeps_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_least_used_makes_way, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_pauses, setup, teardown),
        cmocka_unit_test_setup_teardown(other_names, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_unloaded_under_a_request, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* t_model_cache.c - packed weights in a cache file: kept, mapped at the next start, made anew when
 * it is cut, longer, flipped anywhere, or of another source; not needed where it cannot be written.
 * In every case the logits are those without a cache. */
#include "model/model_forward.h"
#include "model/model_pack.h"
#include "tiny.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { ROWS = 8 };

typedef struct rig {
    tiny t;
    team *team;
    const kern_table *kern;
    char path[256], dir[128];
    float want[TINY_VOCABULARY];
} rig;

/* The logits of a short text; *mapped: did the weights come from the cache? */
static void answer(const rig *r, const char *cache_dir, float *logits, bool *mapped) {
    fail f = {0};
    model *m;
    model_run *run;
    int32_t ids[ROWS] = {5, 9, 100, 42, 7, 7, 30, 99}, positions[ROWS], zeros[ROWS] = {0};
    int64_t last = ROWS - 1;
    for (int i = 0; i < ROWS; i++) positions[i] = i;
    model_options o = {.kern = r->kern, .team = r->team, .cache_dir = cache_dir};
    assert_ok(model_open(&m, r->path, &o, &f), &f);
    *mapped = m->packing && m->packing->map.p;
    assert_true(!m->packing || !m->packing->map.p || !m->packing->memory);
    assert_ok(
        model_run_open(&run, m, &(model_run_options){.rows_max = ROWS, .sequences_max = 1}, &f),
        &f);
    model_batch b = {.n_rows = ROWS,
                     .tokens = ids,
                     .positions = positions,
                     .sequences = zeros,
                     .n_sequences = 1,
                     .wanted = &last,
                     .n_wanted = 1,
                     .logits = logits};
    assert_ok(model_forward(run, &b, &f), &f);
    model_run_close(run);
    model_close(m);
}

static rig rig_open(void) {
    rig r = {0};
    fail f = {0};
    bool mapped;
    tiny_open(&r.t, "llama-linear");
    r.t.q8 = true;
    snprintf(r.path, sizeof r.path, "%s", tiny_gguf(&r.t));
    snprintf(r.dir, sizeof r.dir, "%s/cache", r.t.dir);
    assert_ok(kern_select("ref", &r.kern, &f), &f);
    assert_ok(team_open(&r.team, 2, &f), &f);
    answer(&r, NULL, r.want, &mapped);
    assert_false(mapped);
    return r;
}

static void rig_close(rig *r) {
    team_close(r->team);
    tiny_close(&r->t);
}

static void expect(const rig *r, const char *cache_dir, bool mapped) {
    float have[TINY_VOCABULARY];
    bool was;
    answer(r, cache_dir, have, &was);
    assert_memory_equal(have, r->want, sizeof have);
    assert_int_equal(was, mapped);
}

static const char *cache_file(rig *r) {
    fail f = {0};
    str *names;
    size_t n;
    assert_ok(file_list(&r->t.a, r->dir, &names, &n, &f), &f);
    assert_int_equal(n, 1); /* and nothing half-written */
    return arena_printf(&r->t.a, "%s/%.*s", r->dir, STR_ARG(names[0])).p;
}

static void kept_and_mapped(void **state) {
    (void)state;
    rig r = rig_open();
    fail f = {0};
    str first, second;
    expect(&r, r.dir, true); /* made and mapped at once: one copy */
    const char *path = cache_file(&r);
    assert_ok(file_read(&r.t.a, path, 0, &first, &f), &f);
    expect(&r, r.dir, true);
    assert_ok(file_read(&r.t.a, path, 0, &second, &f), &f);
    assert_true(str_eq(first, second));
    rig_close(&r);
}

/* Whatever is wrong with the file, the answer is right and the file is made anew. */
static void damage_is_noticed(void **state) {
    (void)state;
    rig r = rig_open();
    fail f = {0};
    str good, now;
    expect(&r, r.dir, true);
    const char *path = cache_file(&r);
    assert_ok(file_read(&r.t.a, path, 0, &good, &f), &f);
    char *bytes = mem_alloc(good.n + 1);
    for (size_t at = 0; at < good.n + 64; at += at < 512 ? 7 : good.n / 61) {
        size_t n = good.n;
        memcpy(bytes, good.p, n);
        if (at < good.n)
            bytes[at] ^= 0x10;
        else
            n -= at - good.n + 1; /* cut */
        assert_ok(file_write(path, (str){bytes, n}, 0644, &f), &f);
        expect(&r, r.dir, true);
        assert_ok(file_read(&r.t.a, path, 0, &now, &f), &f);
        /* bytes between list and data are not looked at, for nothing is read there */
        assert_true(str_eq(good, now) || (at < 4096 * 3 && n == good.n));
    }
    const size_t cuts[] = {0, 1, 8, 100, 4096, good.n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        assert_ok(file_write(path, (str){good.p, cuts[i]}, 0644, &f), &f);
        expect(&r, r.dir, true);
        assert_ok(file_read(&r.t.a, path, 0, &now, &f), &f);
        assert_true(str_eq(good, now));
    }
    mem_free(bytes);
    rig_close(&r);
}

static void another_source_is_noticed(void **state) {
    (void)state;
    rig r = rig_open();
    fail f = {0};
    str old, now, source;
    expect(&r, r.dir, true);
    const char *path = cache_file(&r);
    assert_ok(file_read(&r.t.a, path, 0, &old, &f), &f);
    assert_ok(file_read(&r.t.a, r.path, 0, &source, &f), &f);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, r.path, times, 0), 0); /* the same bytes at another time */
    expect(&r, r.dir, true);
    assert_ok(file_read(&r.t.a, path, 0, &now, &f), &f);
    assert_false(str_eq(old, now));
    rig_close(&r);
}

static void works_where_nothing_can_be_written(void **state) {
    (void)state;
    rig r = rig_open();
    fail f = {0};
    expect(&r, "/dev/null/nowhere", false);
    assert_ok(file_write("build/tiny-not-a-folder", STR("x"), 0644, &f), &f);
    expect(&r, "build/tiny-not-a-folder", false);
    assert_ok(file_remove("build/tiny-not-a-folder", &f), &f);
    for (int n = 1; n <= 6; n++) { /* every write, sync and rename of the draft */
        assert_ok(file_remove_tree(r.dir, &f), &f);
        file_fail_at(n);
        float have[TINY_VOCABULARY];
        bool mapped;
        answer(&r, r.dir, have, &mapped);
        file_fail_at(0);
        assert_memory_equal(have, r.want, sizeof have);
        str *names;
        size_t count;
        assert_ok(file_list(&r.t.a, r.dir, &names, &count, &f), &f);
        assert_true(count <= 1 && (count == 0 || str_ends(names[0], STR(".pack"))));
    }
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_and_mapped),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(another_source_is_noticed),
        cmocka_unit_test(works_where_nothing_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

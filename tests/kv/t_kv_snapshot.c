/* t_kv_snapshot.c - tests kv/kv_snapshot.c: what was saved comes back, what is of another origin or
 * damaged is refused by name, a full disk leaves nothing. */
#include "kv/kv_snapshot.h"

#include "base/file.h"
#include "base/rand.h"
#include "test.h"

#include <unistd.h>

enum { P = KV_PAGE_TOKENS, N = 3 * P };
static const kv_shape shape = {.layers = 2, .heads = 1, .head_width = 4, .type = OP_KV_F16};
static const kv_origin origin = {STR("sha256:0123"), STR("0.2.0"), STR("avx2")};
static int32_t tokens[N];
static char dir[64], path[96];

typedef struct rig {
    kv_pool *p;
    kv_sequence *s;
    arena a;
    fail f;
} rig;

static void rig_open(rig *r) {
    memset(r, 0, sizeof *r);
    arena_init(&r->a, 0);
    kv_pool_options o = {.shape = shape, .tokens_max = N, .sequences_max = 1, .bytes_max = 1 << 20};
    assert_ok(kv_pool_open(&r->p, &o, &r->f), &r->f);
    assert_ok(kv_sequence_take(r->p, &r->s, &r->f), &r->f);
    assert_ok(kv_sequence_grow(r->p, r->s, N, &r->f), &r->f);
    for (int i = 0; i < 3; i++)
        for (size_t j = 0; j < kv_page_bytes(&shape); j++)
            kv_page(r->p, r->s, i)[j] = (char)rand_at((uint64_t)i, j);
    for (int i = 0; i < N; i++) tokens[i] = 7 * i;
    snprintf(dir, sizeof dir, "build/t_kv_snapshot-%d", (int)getpid());
    snprintf(path, sizeof path, "%s/one.kv", dir);
    assert_ok(file_make_dirs(dir, &r->f), &r->f);
}

static void rig_close(rig *r) {
    assert_ok(file_remove_tree(dir, &r->f), &r->f);
    kv_pool_close(r->p);
    arena_deinit(&r->a);
}

static str saved(rig *r) {
    str bytes;
    assert_ok(kv_snapshot_save(path, &origin, r->p, r->s, tokens, N, &r->f), &r->f);
    assert_ok(file_read(&r->a, path, 0, &bytes, &r->f), &r->f);
    return bytes;
}

static void what_was_saved_comes_back(void **state) {
    (void)state;
    rig r;
    rig_open(&r);
    str bytes = saved(&r);
    size_t page = kv_page_bytes(&shape);
    assert_int_equal(bytes.n, 192 + N * 4 + 3 * page);
    kv_snapshot got;
    assert_ok(kv_snapshot_read(bytes, path, &origin, &shape, &got, &r.f), &r.f);
    assert_int_equal(got.n, N);
    assert_memory_equal(got.tokens, tokens, sizeof tokens);
    char *want = arena_alloc(&r.a, 3 * page);
    for (int i = 0; i < 3; i++) memcpy(want + (size_t)i * page, kv_page(r.p, r.s, i), page);
    for (int i = 0; i < 3; i++) {
        memset(kv_page(r.p, r.s, i), 0, page);
        kv_snapshot_fill(&got, r.p, r.s, i);
        assert_memory_equal(kv_page(r.p, r.s, i), want + (size_t)i * page, page);
    }
    rig_close(&r);
}

static void refused(str bytes, kv_origin o, kv_shape s, err code, const char *named) {
    fail f = {0};
    kv_snapshot got;
    assert_int_equal(kv_snapshot_read(bytes, "one.kv", &o, &s, &got, &f), code);
    if (!strstr(f.text, named)) fail_msg("\"%s\" does not say %s", f.text, named);
}

static void others_are_refused_by_name(void **state) {
    (void)state;
    rig r;
    rig_open(&r);
    str bytes = saved(&r);
    kv_origin o = origin;
    kv_shape s = shape;
    o.model = STR("sha256:0124");
    refused(bytes, o, s, E_UNSUPPORTED, "another model: \"sha256:0123\", not \"sha256:0124\"");
    o = origin;
    o.build = STR("0.2.1");
    refused(bytes, o, s, E_UNSUPPORTED, "another build: \"0.2.0\"");
    o = origin;
    o.kernels = STR("avx512");
    refused(bytes, o, s, E_UNSUPPORTED, "another kernels: \"avx2\"");
    s.type = OP_KV_F32;
    refused(bytes, origin, s, E_UNSUPPORTED, "another shape: \"type 0, 2 layers, 1 heads of 4\"");
    s = shape;
    s.layers = 3;
    refused(bytes, origin, s, E_UNSUPPORTED, "not \"type 0, 3 layers");
    kv_origin longer = {.model = {(const char *)tokens, KV_MODEL_BYTES + 1}};
    assert_int_equal(kv_snapshot_save(path, &longer, r.p, r.s, tokens, N, &r.f), E_INPUT);
    rig_close(&r);
}

/* Every bit counts, every length but the right one is wrong. */
static void damage_is_noticed(void **state) {
    (void)state;
    rig r;
    rig_open(&r);
    str bytes = saved(&r);
    char *copy = arena_alloc(&r.a, bytes.n + 8);
    memcpy(copy, bytes.p, bytes.n);
    kv_snapshot got;
    for (size_t i = 0; i < bytes.n; i++) {
        copy[i] ^= (char)(1 << i % 8);
        err e = kv_snapshot_read((str){copy, bytes.n}, "x", &origin, &shape, &got, &r.f);
        assert_true(e == E_CORRUPT || e == E_UNSUPPORTED);
        copy[i] = bytes.p[i];
    }
    for (size_t n = 0; n < bytes.n + 8; n += n < 300 ? 1 : 41) {
        if (n == bytes.n) continue;
        assert_int_equal(kv_snapshot_read((str){copy, n}, "x", &origin, &shape, &got, &r.f),
                         E_CORRUPT);
    }
    rig_close(&r);
}

static void a_full_disk_leaves_nothing(void **state) {
    (void)state;
    rig r;
    rig_open(&r);
    int failed = 0;
    for (int64_t n = 1; n < 20; n++) {
        str *names;
        size_t count;
        file_fail_at(n);
        err e = kv_snapshot_save(path, &origin, r.p, r.s, tokens, N, &r.f);
        file_fail_at(0);
        assert_ok(file_list(&r.a, dir, &names, &count, &r.f), &r.f);
        if (e == E_OK) break;
        failed++;
        assert_int_equal(e, E_NO_SPACE);
        assert_true(count == 0 || (count == 1 && str_is(names[0], "one.kv")));
    }
    assert_true(failed >= 6);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_comes_back),
        cmocka_unit_test(others_are_refused_by_name),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(a_full_disk_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

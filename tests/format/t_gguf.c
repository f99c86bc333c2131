/* t_gguf.c - tests format/gguf.c on files built here (each lie it may tell) and on real ones cut
 * and flipped. */
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "format/gguf.h"
#include "format/gguf_make.h"
#include "test.h"

/* Opens a copy of exactly these bytes, so that a sanitizer sees any read behind them. */
static err open_copy(str bytes, fail *f) {
    gguf *g = NULL;
    char *copy = mem_alloc_aligned(bytes.n ? bytes.n : 1);
    memcpy(copy, bytes.p, bytes.n);
    err e = gguf_open(&g, (str){copy, bytes.n}, "file", f);
    if (e == E_OK) {
        const char *type;
        tensor t;
        volatile unsigned char sink = 0;
        for (size_t i = 0; gguf_tensor_at(g, i, &t, &type, f) == E_OK; i++)
            if (t.data && t.bytes)
                sink = (unsigned char)(((const char *)t.data)[0] ^
                                       ((const char *)t.data)[t.bytes - 1]);
        (void)sink;
        gguf_close(g);
    }
    mem_free(copy);
    return e;
}

static void sound_file_reads(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    gguf *g;
    arena a;
    const tensor *t;
    str word, *words;
    int64_t count;
    double ratio;
    bool yes;
    int32_t *numbers;
    size_t n;
    arena_init(&a, 0);
    make_sound(&b);
    assert_ok(gguf_open(&g, buf_str(&b), "sound", &f), &f);
    assert_int_equal(gguf_tensor_count(g), 2);
    assert_ok(gguf_get_str(g, "general.architecture", STR(""), &word, &f), &f);
    assert_true(str_is(word, "test"));
    assert_ok(gguf_get_int(g, "count", 0, &count, &f), &f);
    assert_int_equal(count, 42);
    assert_ok(gguf_get_int(g, "low", 0, &count, &f), &f);
    assert_int_equal(count, -7);
    assert_ok(gguf_get_int(g, "absent", 9, &count, &f), &f);
    assert_int_equal(count, 9);
    assert_ok(gguf_get_float(g, "ratio", 0, &ratio, &f), &f);
    assert_true(ratio == 0.5);
    assert_ok(gguf_get_bool(g, "yes", false, &yes, &f), &f);
    assert_true(yes && gguf_has(g, "yes") && !gguf_has(g, "no"));
    assert_ok(gguf_get_strs(g, "words", &a, &words, &n, &f), &f);
    assert_true(n == 3 && str_is(words[0], "a") && words[1].n == 0 && str_is(words[2], "ccc"));
    assert_ok(gguf_get_ints(g, "numbers", &a, &numbers, &n, &f), &f);
    assert_true(n == 2 && numbers[0] == 1 && numbers[1] == 2);
    assert_ok(gguf_get_strs(g, "absent", &a, &words, &n, &f), &f);
    assert_int_equal(n, 0);
    assert_ok(gguf_tensor(g, STR("q"), &t, &f), &f);
    assert_true(t->type == DTYPE_Q4_1 && t->dims[0] == 1 && t->dims[1] == 32 && t->bytes == 20);
    assert_int_equal(gguf_tensor(g, STR("none"), &t, &f), E_NOT_FOUND);
    gguf_close(g);
    arena_deinit(&a);
    buf_deinit(&b);
}

static void wrong_kind_is_named(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    gguf *g;
    arena a;
    str word, *words;
    int64_t count;
    bool yes;
    int32_t *numbers;
    size_t n;
    arena_init(&a, 0);
    make_sound(&b);
    assert_ok(gguf_open(&g, buf_str(&b), "sound", &f), &f);
    assert_int_equal(gguf_get_str(g, "count", STR(""), &word, &f), E_CORRUPT);
    assert_non_null(strstr(f.text, "\"count\""));
    assert_int_equal(gguf_get_int(g, "words", 0, &count, &f), E_CORRUPT);
    assert_int_equal(gguf_get_bool(g, "count", false, &yes, &f), E_CORRUPT);
    assert_int_equal(gguf_get_strs(g, "numbers", &a, &words, &n, &f), E_CORRUPT);
    assert_int_equal(gguf_get_ints(g, "words", &a, &numbers, &n, &f), E_CORRUPT);
    assert_int_equal(gguf_get_ints(g, "count", &a, &numbers, &n, &f), E_CORRUPT);
    gguf_close(g);
    arena_deinit(&a);
    buf_deinit(&b);
}

/* ---- lies ---- */

static void lie_version(buf *b) {
    make_head(b, 1, 0, 0);
}
static void lie_keys(buf *b) {
    make_head(b, 3, 0, 1ull << 60);
    make_pad(b, 32, 1000);
}
static void lie_tensors(buf *b) {
    make_head(b, 3, 60000, 0);
    make_pad(b, 32, 1000);
}
static void lie_string(buf *b) {
    make_head(b, 3, 0, 1);
    make_u64(b, UINT64_MAX - 3);
    make_pad(b, 32, 64);
}
static void lie_array(buf *b) {
    make_head(b, 3, 0, 1);
    make_key(b, "a", MAKE_ARRAY);
    make_u32(b, MAKE_U32);
    make_u64(b, (1ull << 62) + 1);
    make_pad(b, 32, 64);
}
static void lie_nested(buf *b) {
    make_head(b, 3, 0, 1);
    make_key(b, "a", MAKE_ARRAY);
    make_u32(b, MAKE_ARRAY);
    make_u64(b, 1);
    make_pad(b, 32, 64);
}
static void lie_twice(buf *b) {
    make_head(b, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        make_key(b, "a", MAKE_U32);
        make_u32(b, 1);
    }
}
static void lie_alignment(buf *b) {
    make_head(b, 3, 0, 1);
    make_key(b, "general.alignment", MAKE_U32);
    make_u32(b, 24);
}
static void lie_overflow(buf *b) {
    make_head(b, 3, 1, 0);
    make_tensor(b, "w", 1ull << 40, 1ull << 40, 0, 0);
    make_pad(b, 32, 64);
}
static void lie_zero(buf *b) {
    make_head(b, 3, 1, 0);
    make_tensor(b, "w", 0, 4, 0, 0);
    make_pad(b, 32, 64);
}
static void lie_blocks(buf *b) {
    make_head(b, 3, 1, 0);
    make_tensor(b, "w", 2, 33, 3, 0);
    make_pad(b, 32, 640);
}
static void lie_dims(buf *b) {
    make_head(b, 3, 1, 0);
    make_str(b, "w");
    make_u32(b, 9);
    make_pad(b, 32, 640);
}
static void lie_overlap(buf *b) {
    make_head(b, 3, 2, 0);
    make_tensor(b, "v", 1, 8, 0, 0);
    make_tensor(b, "w", 1, 8, 0, 0);
    make_pad(b, 32, 64);
}
static void lie_gap(buf *b) {
    make_head(b, 3, 1, 0);
    make_tensor(b, "w", 1, 8, 0, 64);
    make_pad(b, 32, 640);
}
static void lie_name(buf *b) {
    make_head(b, 3, 2, 0);
    make_tensor(b, "w", 1, 8, 0, 0);
    make_tensor(b, "w", 1, 8, 0, 32);
    make_pad(b, 32, 640);
}
static void lie_end(buf *b) {
    make_head(b, 3, 1, 0);
    make_tensor(b, "w", 1, 1 << 20, 0, 0);
    make_pad(b, 32, 64);
}
static void lie_type(buf *b) {
    make_head(b, 3, 1, 0);
    make_tensor(b, "w\x1b[2J", 1, 8, 4, 0);
    make_pad(b, 32, 64);
}

static void lies_are_named(void **state) {
    (void)state;
    static const struct {
        void (*make)(buf *b);
        err e;
    } lies[] = {
        {lie_version, E_UNSUPPORTED}, {lie_keys, E_CORRUPT},      {lie_tensors, E_CORRUPT},
        {lie_string, E_CORRUPT},      {lie_array, E_CORRUPT},     {lie_nested, E_CORRUPT},
        {lie_twice, E_CORRUPT},       {lie_alignment, E_CORRUPT}, {lie_overflow, E_CORRUPT},
        {lie_zero, E_CORRUPT},        {lie_blocks, E_CORRUPT},    {lie_dims, E_CORRUPT},
        {lie_overlap, E_CORRUPT},     {lie_gap, E_CORRUPT},       {lie_name, E_CORRUPT},
        {lie_end, E_CORRUPT},         {lie_type, E_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        buf b = {0};
        fail f = {0};
        lies[i].make(&b);
        err e = open_copy(buf_str(&b), &f);
        if (e != lies[i].e) fail_msg("lie %zu gives %s: %s", i, err_name(e), f.text);
        assert_non_null(strstr(f.text, "\"file\""));
        assert_null(strchr(f.text, '\x1b'));
        buf_deinit(&b);
    }
}

static void every_cut_is_an_error(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    make_sound(&b);
    for (size_t n = 0; n < b.n; n++) {
        err e = open_copy((str){b.p, n}, &f);
        if (e != E_CORRUPT) fail_msg("cut at %zu gives %s", n, err_name(e));
    }
    buf_deinit(&b);
}

static void every_flip_is_read_or_named(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    make_sound(&b);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
        err e = open_copy(buf_str(&b), &f);
        assert_true(e == E_OK || e == E_CORRUPT || e == E_UNSUPPORTED);
        b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
    }
    buf_deinit(&b);
}

static void allocations_fail_one_by_one(void **state) {
    (void)state;
    buf b = {0};
    fail f;
    make_sound(&b);
    err e = E_NO_MEMORY;
    for (int64_t n = 2; e == E_NO_MEMORY && n < 100; n++) { /* the first is open_copy's own */
        mem_fail_at(n, false);
        e = open_copy(buf_str(&b), &f);
        mem_fail_at(0, false);
    }
    assert_int_equal(e, E_OK);
    buf_deinit(&b);
}

/* ---- real files ---- */

static void vocabularies_open(void **state) {
    (void)state;
    static const char *const names[] = {
        "aquila", "baichuan", "bert-bge",  "deepseek-coder", "deepseek-llm",
        "gpt-2",  "gpt-neox", "llama-bpe", "llama-spm",      "mpt",
        "phi-3",  "qwen2",    "starcoder", "nomic-bert-moe"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[96];
        file_map m;
        fail f;
        gguf *g;
        arena a;
        str *words;
        size_t n;
        snprintf(name, sizeof name, "llamacpp-vocab/ggml-vocab-%s.gguf", names[i]);
        arena_init(&a, 0);
        assert_ok(file_map_open(&m, test_data(name), &f), &f);
        assert_ok(gguf_open(&g, (str){(const char *)m.p, m.n}, name, &f), &f);
        assert_ok(gguf_get_strs(g, "tokenizer.ggml.tokens", &a, &words, &n, &f), &f);
        assert_true(n > 1000);
        gguf_close(g);
        file_map_close(&m);
        arena_deinit(&a);
    }
}

/* The keys, names and shapes of the real model are flipped, with enough data behind them. */
static void real_file_flipped(void **state) {
    (void)state;
    enum { HEAD_BYTES = 1 << 16, FLIPS = 4000 };
    file_map m;
    fail f;
    rand_stream r;
    gguf *g;
    assert_ok(file_map_open(&m, test_data("llamacpp-vocab/ggml-vocab-bert-bge.gguf"), &f), &f);
    r = (rand_stream){.seed = 7};
    char *copy = mem_alloc_aligned(m.n);
    memcpy(copy, m.p, m.n);
    for (int i = 0; i < FLIPS; i++) {
        size_t at = (size_t)(rand_next(&r) % (m.n < HEAD_BYTES ? m.n : HEAD_BYTES));
        char was = copy[at];
        copy[at] = (char)(was ^ 1 << rand_next(&r) % 8);
        err e = gguf_open(&g, (str){copy, m.n}, "flipped", &f);
        assert_true(e == E_OK || e == E_CORRUPT || e == E_UNSUPPORTED);
        if (e == E_OK) gguf_close(g);
        copy[at] = was;
    }
    mem_free(copy);
    file_map_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_file_reads),
        cmocka_unit_test(wrong_kind_is_named),
        cmocka_unit_test(lies_are_named),
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(every_flip_is_read_or_named),
        cmocka_unit_test(allocations_fail_one_by_one),
        cmocka_unit_test(vocabularies_open),
        cmocka_unit_test(real_file_flipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

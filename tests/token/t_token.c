/* t_token.c - tests token/token.c and its algorithms on vocabularies small enough to see through.
 */
#include "token/token.h"

#include "base/mem.h"
#include "base/thread.h"
#include "test.h"

enum { TINY_BYTES = 256 };

/* All 256 bytes as GPT-2 writes them, then the results of the merges, then two added tokens. */
typedef struct tiny {
    char written[TINY_BYTES][3];
    str pieces[TINY_BYTES + 16], merges[8];
    int32_t types[TINY_BYTES + 16];
    token_source source;
} tiny;

static str tiny_byte(tiny *v, int byte) {
    bool shown = (byte > 32 && byte < 127) || (byte > 0xA0 && byte != 0xAD);
    int c = byte, hidden = 0;
    for (int b = 0; b < byte; b++) hidden += !((b > 32 && b < 127) || (b > 0xA0 && b != 0xAD));
    if (!shown) c = 0x100 + hidden;
    if (c < 0x80) {
        v->written[byte][0] = (char)c;
        return (str){v->written[byte], 1};
    }
    v->written[byte][0] = (char)(0xC0 | c >> 6);
    v->written[byte][1] = (char)(0x80 | (c & 0x3F));
    return (str){v->written[byte], 2};
}

static tiny *tiny_new(void) {
    static const char *const joined[] = {"ab", "abc", "\u0120a", "aa", "aaaa"};
    static const char *const merges[] = {"a b", "ab c", "a a", "aa aa"};
    tiny *v = calloc(1, sizeof *v);
    assert_non_null(v);
    size_t n = 0;
    for (int b = 0; b < TINY_BYTES; b++) v->pieces[n++] = tiny_byte(v, b);
    for (size_t i = 0; i < 5; i++) v->pieces[n++] = str_from(joined[i]);
    v->pieces[n++] = STR("<|end|>");
    v->pieces[n++] = STR("<tool>");
    v->pieces[n++] = STR("  ");
    for (size_t i = 0; i < n; i++) v->types[i] = TOKEN_NORMAL;
    v->types[n - 3] = TOKEN_CONTROL;
    v->types[n - 2] = v->types[n - 1] = TOKEN_USER;
    for (size_t i = 0; i < 4; i++) v->merges[i] = str_from(merges[i]);
    v->source = TOKEN_SOURCE_NONE;
    v->source.kind = STR("gpt2");
    v->source.pre = STR("gpt-2");
    v->source.pieces = v->pieces;
    v->source.types = v->types;
    v->source.piece_count = n;
    v->source.merges = v->merges;
    v->source.merge_count = 4;
    v->source.eos = (int32_t)n - 3;
    return v;
}
enum { AB = 256, ABC, SPACE_A, AA, AAAA, END, TOOL, BLANKS };

typedef struct bench {
    tiny *v;
    tokenizer *t;
    arena a;
    fail f;
} bench;
static bench bench_open(void) {
    bench b = {.v = tiny_new()};
    arena_init(&b.a, 0);
    assert_ok(tokenizer_open(&b.t, &b.v->source, &b.f), &b.f);
    return b;
}
static void bench_close(bench *b) {
    tokenizer_close(b->t);
    arena_deinit(&b->a);
    free(b->v);
}

static void assert_ids(token_ids ids, const int32_t *want, size_t n) {
    assert_int_equal(ids.n, n);
    if (n) assert_memory_equal(ids.p, want, n * sizeof *want);
}
#define WANT(...) ((const int32_t[]){__VA_ARGS__}), sizeof((const int32_t[]){__VA_ARGS__}) / 4

static token_ids encode(bench *b, str text, token_special special) {
    token_ids ids;
    token_encode_options o = {.special = special};
    assert_ok(tokenizer_encode(b->t, &b->a, text, &o, &ids, &b->f), &b->f);
    return ids;
}

static void merges_in_order(void **state) {
    (void)state;
    bench b = bench_open();
    assert_ids(encode(&b, STR("abc"), TOKEN_SPECIAL_NONE), WANT(ABC));
    assert_ids(encode(&b, STR("aab"), TOKEN_SPECIAL_NONE), WANT('a', AB)); /* "a b" goes first */
    assert_ids(encode(&b, STR("aaaaa"), TOKEN_SPECIAL_NONE), WANT(AAAA, 'a'));
    assert_ids(encode(&b, STR(" a"), TOKEN_SPECIAL_NONE), WANT(' ', 'a')); /* no merge makes it */
    assert_ids(encode(&b, STR(""), TOKEN_SPECIAL_NONE), NULL, 0);
    bench_close(&b);
}

/* What the array does with short words, the heap does with long ones. */
static void long_words(void **state) {
    (void)state;
    bench b = bench_open();
    enum { N = 1 << 20 };
    char *text = malloc(N);
    assert_non_null(text);
    for (size_t i = 0; i < N; i++) text[i] = "aabcaaaaab"[i * 7 / 3 % 10];
    token_ids ids = encode(&b, (str){text, N}, TOKEN_SPECIAL_NONE);
    buf out = {0};
    tokenizer_decode(b.t, ids.p, ids.n, false, &out);
    assert_true(str_eq(buf_str(&out), (str){text, N}));
    buf_deinit(&out);
    for (size_t n = 30; n < 70; n++) { /* the same letters cut at "c": short words one by one */
        token_ids whole = encode(&b, (str){text, n}, TOKEN_SPECIAL_NONE);
        buf_reset(&out);
        tokenizer_decode(b.t, whole.p, whole.n, false, &out);
        assert_true(str_eq(buf_str(&out), (str){text, n}));
        for (size_t i = 0; i + 1 < whole.n && i < 8; i++) assert_int_equal(whole.p[i], ids.p[i]);
    }
    buf_deinit(&out);
    memset(text, 'a', N);
    ids = encode(&b, (str){text, N}, TOKEN_SPECIAL_NONE);
    assert_int_equal(ids.n, N / 4);
    free(text);
    bench_close(&b);
}

typedef struct shared {
    const tokenizer *t;
    bool same;
} shared;
static void encode_many(void *arg) {
    shared *s = arg;
    arena a;
    arena_init(&a, 0);
    s->same = true;
    for (int i = 0; i < 200; i++) {
        token_ids ids;
        err e = tokenizer_encode(s->t, &a, STR("abc aab aaaa ab"), NULL, &ids, NULL);
        s->same = s->same && e == E_OK && ids.n == 8 && ids.p[0] == ABC && ids.p[7] == AB;
        arena_reset(&a);
    }
    arena_deinit(&a);
}
/* One tokenizer, four threads, and its memo of whole words found out by all of them. */
static void threads_share(void **state) {
    (void)state;
    bench b = bench_open();
    thread threads[4];
    shared each[4];
    for (int i = 0; i < 4; i++) {
        each[i] = (shared){.t = b.t};
        assert_ok(thread_start(&threads[i], "encode", encode_many, &each[i], &b.f), &b.f);
    }
    for (int i = 0; i < 4; i++) {
        thread_join(&threads[i]);
        assert_true(each[i].same);
    }
    bench_close(&b);
}

static void outside_text_is_text(void **state) {
    (void)state;
    bench b = bench_open();
    assert_ids(encode(&b, STR("<|end|>"), TOKEN_SPECIAL_ALL), WANT(END));
    assert_ids(encode(&b, STR("<tool>"), TOKEN_SPECIAL_USER), WANT(TOOL));
    assert_int_equal(encode(&b, STR("<|end|>"), TOKEN_SPECIAL_USER).n, 7);
    assert_int_equal(encode(&b, STR("<tool>"), TOKEN_SPECIAL_NONE).n, 6);
    assert_ids(encode(&b, STR("  "), TOKEN_SPECIAL_NONE), WANT(BLANKS));
    bench_close(&b);
}

static token_ids spans(bench *b, const token_span *s, size_t n) {
    token_ids ids;
    assert_ok(tokenizer_encode_spans(b->t, &b->a, s, n, NULL, &ids, &b->f), &b->f);
    return ids;
}
#define SPANS(...)                       \
    ((const token_span[]){__VA_ARGS__}), \
        sizeof((const token_span[]){__VA_ARGS__}) / sizeof(token_span)

static void trust_ends_at_the_span(void **state) {
    (void)state;
    bench b = bench_open();
    token_span half = {STR("<|en"), true}, rest = {STR("d|>"), true}, other = {STR("d|>"), false};
    token_span evil = {STR("<|end|>"), false}, end = {STR("<|end|>"), true};
    assert_ids(spans(&b, SPANS(half, rest)), WANT(END));
    assert_int_equal(spans(&b, SPANS(half, other)).n, 7);
    assert_int_equal(spans(&b, SPANS(evil)).n, 7);
    assert_ids(spans(&b, SPANS({STR("a"), true}, {STR("b"), false}, end)), WANT(AB, END));
    token_ids mixed = spans(&b, SPANS(end, evil, end));
    assert_int_equal(mixed.n, 9);
    assert_int_equal(mixed.p[0], END);
    assert_int_equal(mixed.p[8], END);
    assert_ids(spans(&b, NULL, 0), NULL, 0);
    bench_close(&b);
}

static void invalid_utf8_is_replaced(void **state) {
    (void)state;
    bench b = bench_open();
    token_ids ids = encode(&b, STR("a\xC3(\xED\xA0\x80"), TOKEN_SPECIAL_NONE);
    buf out = {0};
    tokenizer_decode(b.t, ids.p, ids.n, false, &out);
    assert_true(str_is(buf_str(&out), "a\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
    buf_deinit(&out);
    bench_close(&b);
}

static void ids_and_ends(void **state) {
    (void)state;
    bench b = bench_open();
    assert_int_equal(tokenizer_find(b.t, STR("<|end|>")), END);
    assert_int_equal(tokenizer_find(b.t, STR("abc")), ABC);
    assert_int_equal(tokenizer_find(b.t, STR(" a")), SPACE_A);
    assert_int_equal(tokenizer_find(b.t, STR("zz")), TOKEN_NONE);
    assert_true(tokenizer_is_end(b.t, END));
    assert_false(tokenizer_is_end(b.t, -7));
    assert_int_equal(tokenizer_bos(b.t), TOKEN_NONE);
    assert_false(tokenizer_adds_bos(b.t));
    assert_int_equal(tokenizer_piece(b.t, 100000).n, 0);
    assert_int_equal(tokenizer_type(b.t, TOOL), TOKEN_USER);
    buf out = {0};
    tokenizer_decode(b.t, WANT('x', END), true, &out);
    assert_true(str_is(buf_str(&out), "x"));
    buf_deinit(&out);
    bench_close(&b);
}

static void bad_sources_are_named(void **state) {
    (void)state;
    tiny *v = tiny_new();
    tokenizer *t = NULL;
    fail f;
    token_source s = v->source;
    s.kind = STR("rwkv");
    assert_int_equal(tokenizer_open(&t, &s, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "rwkv"));
    s.kind = STR("t5");
    assert_int_equal(tokenizer_open(&t, &s, &f), E_CORRUPT); /* no scores */
    assert_non_null(strstr(f.text, "scores"));
    s = v->source;
    s.pre = STR("martian");
    assert_int_equal(tokenizer_open(&t, &s, &f), E_UNSUPPORTED);
    assert_non_null(strstr(f.text, "martian"));
    s = v->source;
    s.eos = 4711;
    assert_int_equal(tokenizer_open(&t, &s, &f), E_CORRUPT);
    s = v->source;
    v->merges[2] = STR("q z");
    assert_int_equal(tokenizer_open(&t, &s, &f), E_CORRUPT);
    assert_non_null(strstr(f.text, "q z"));
    v->types[0] = 99;
    assert_int_equal(tokenizer_open(&t, &s, &f), E_CORRUPT);
    s.piece_count = 0;
    assert_int_equal(tokenizer_open(&t, &s, &f), E_CORRUPT);
    assert_null(t);
    free(v);
}

static void memory_runs_out(void **state) {
    (void)state;
    tiny *v = tiny_new();
    fail f;
    arena a;
    int64_t failed = 0;
    for (int64_t n = 1;; n++) {
        tokenizer *t = NULL;
        token_ids ids;
        arena_init(&a, 0);
        mem_fail_at(n, true);
        err e = tokenizer_open(&t, &v->source, &f);
        if (e == E_OK) e = tokenizer_encode(t, &a, STR("abc <|end|> a\xFF"), NULL, &ids, &f);
        mem_fail_at(0, false);
        tokenizer_close(t);
        arena_deinit(&a);
        if (e == E_OK) break;
        assert_int_equal(e, E_NO_MEMORY);
        failed++;
    }
    assert_true(failed > 5);
    free(v);
}

/* SentencePiece: the pair of the highest score first, bytes for what is no piece. */
static void spm_words(void **state) {
    (void)state;
    static const char *const pieces[] = {"<unk>",  "<s>",          "</s>",    "<0xC3>",
                                         "<0xA9>", "\xE2\x96\x81", "a",       "b",
                                         "ab",     "ba",           "\u2581a", "abab"};
    static const float scores[] = {0, 0, 0, 0, 0, -9, -8, -7, -3, -2, -4, -1};
    str p[12];
    for (size_t i = 0; i < 12; i++) p[i] = str_from(pieces[i]);
    int32_t types[12] = {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 1};
    token_source s = TOKEN_SOURCE_NONE;
    s.kind = STR("llama");
    s.pieces = p;
    s.types = types;
    s.scores = scores;
    s.piece_count = 12;
    s.bos = 1;
    s.eos = 2;
    tokenizer *t;
    fail f;
    arena a;
    token_ids ids;
    arena_init(&a, 0);
    assert_ok(tokenizer_open(&t, &s, &f), &f);
    assert_ok(tokenizer_encode(t, &a, STR("aba \xC3\xA9 b"), NULL, &ids, &f), &f);
    assert_ids(ids, WANT(10, 9, 5, 3, 4, 5, 7)); /* "ba" before "ab"; then "_a" */
    buf out = {0};
    tokenizer_decode(t, ids.p, ids.n, false, &out);
    assert_true(str_is(buf_str(&out), "aba \xC3\xA9 b"));
    assert_ok(tokenizer_encode(t, &a, STR(" a"), NULL, &ids, &f), &f);
    assert_ids(ids, WANT(5, 10)); /* only the blank that was added goes again */
    buf_reset(&out);
    tokenizer_decode(t, ids.p, ids.n, false, &out);
    assert_true(str_is(buf_str(&out), " a"));
    assert_int_equal(tokenizer_find(t, STR(" a")), 10);
    assert_true(tokenizer_is_end(t, 2) && tokenizer_adds_bos(t) && !tokenizer_adds_eos(t));
    token_encode_options o = {.special = TOKEN_SPECIAL_ALL};
    assert_ok(tokenizer_encode(t, &a, STR("</s>b"), &o, &ids, &f), &f);
    assert_ids(ids, WANT(2, 5, 7));
    buf_deinit(&out);
    tokenizer_close(t);
    s.scores = NULL;
    assert_int_equal(tokenizer_open(&t, &s, &f), E_CORRUPT);
    arena_deinit(&a);
}

static void wordpiece_words(void **state) {
    (void)state;
    static const char *const pieces[] = {"[PAD]",         "[UNK]",          "[CLS]",
                                         "[SEP]",         "\xE2\x96\x81un", "able",
                                         "\xE2\x96\x81,", "\xE2\x96\x81z"};
    str p[8];
    for (size_t i = 0; i < 8; i++) p[i] = str_from(pieces[i]);
    int32_t types[8] = {3, 3, 3, 3, 1, 1, 1, 1};
    token_source s = TOKEN_SOURCE_NONE;
    s.kind = STR("bert");
    s.pieces = p;
    s.types = types;
    s.piece_count = 8;
    s.unknown = 1;
    s.cls = 2;
    s.separator = 3;
    tokenizer *t;
    fail f;
    arena a;
    arena_init(&a, 0);
    assert_ok(tokenizer_open(&t, &s, &f), &f);
    token_ids ids;
    token_encode_options o = {.add_bos = true, .add_eos = true};
    str text = STR("  \xC3\x9CNable,unx [SEP]\tz");
    assert_ok(tokenizer_encode(t, &a, text, &o, &ids, &f), &f);
    assert_ids(ids, WANT(2, 4, 5, 6, 1, 1, 1, 1, 7, 3));
    char long_word[102];
    memset(long_word, 'z', sizeof long_word);
    assert_ok(tokenizer_encode(t, &a, (str){long_word, 101}, NULL, &ids, &f), &f);
    assert_ids(ids, WANT(1));
    buf out = {0};
    tokenizer_decode(t, WANT(2, 4, 5, 6, 7), true, &out);
    assert_true(str_is(buf_str(&out), "unable , z"));
    assert_int_equal(tokenizer_find(t, STR("##able")), 5);
    assert_true(tokenizer_adds_bos(t) && tokenizer_adds_eos(t));
    buf_deinit(&out);
    tokenizer_close(t);
    arena_deinit(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_in_order),        cmocka_unit_test(long_words),
        cmocka_unit_test(threads_share),          cmocka_unit_test(outside_text_is_text),
        cmocka_unit_test(trust_ends_at_the_span), cmocka_unit_test(invalid_utf8_is_replaced),
        cmocka_unit_test(ids_and_ends),           cmocka_unit_test(bad_sources_are_named),
        cmocka_unit_test(memory_runs_out),        cmocka_unit_test(spm_words),
        cmocka_unit_test(wordpiece_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

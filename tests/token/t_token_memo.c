/* t_token_memo.c - tests token/token_memo.c: what is kept, and that threads never read a mixture.
 */
#include "token/token_memo.h"

#include "base/mem.h"
#include "base/thread.h"
#include "test.h"

static void keeps_short_words(void **state) {
    (void)state;
    token_memo *m = token_memo_open();
    assert_non_null(m);
    int32_t ids[TOKEN_MEMO_IDS] = {1, 2, 3, 4, 5, 6, 7, 8}, got[TOKEN_MEMO_IDS];
    str word = STR("abc"), zero = STR("abc\0"), most = STR("abcdefghijklmnopqrstuvwx");
    token_memo_key k = token_memo_key_of(word), z = token_memo_key_of(zero);
    assert_int_equal(token_memo_get(m, &k, word.n, got), 0);
    token_memo_put(m, &k, word.n, ids, 3);
    assert_int_equal(token_memo_get(m, &k, word.n, got), 3);
    assert_memory_equal(got, ids, 3 * sizeof *ids);
    assert_int_equal(token_memo_get(m, &z, zero.n, got), 0); /* the zero byte counts */
    k = token_memo_key_of(most);
    assert_true(k.usable);
    token_memo_put(m, &k, most.n, ids, 8);
    assert_int_equal(token_memo_get(m, &k, most.n, got), 8);
    assert_memory_equal(got, ids, sizeof ids);
    assert_false(token_memo_key_of(STR("abcdefghijklmnopqrstuvwxy")).usable);
    assert_false(token_memo_key_of(STR("")).usable);
    token_memo_close(m);
}

/* Words of three letters whose ids are a function of the word; more of them than places. */
enum { WORDS = 26 * 26 * 26, ROUNDS = 3 };
typedef struct sharer {
    token_memo *m;
    size_t wrong, known;
    int32_t start;
} sharer;
static void share(void *arg) {
    sharer *s = arg;
    for (int32_t i = 0; i < WORDS * ROUNDS; i++) {
        int32_t n = (i * 7 + s->start) % WORDS, ids[TOKEN_MEMO_IDS];
        char letters[3] = {(char)('a' + n % 26), (char)('a' + n / 26 % 26), (char)('a' + n / 676)};
        token_memo_key k = token_memo_key_of((str){letters, 3});
        size_t count = token_memo_get(s->m, &k, 3, ids), want = 1 + (size_t)n % TOKEN_MEMO_IDS;
        bool right = count == want;
        for (size_t j = 0; j < count && right; j++) right = ids[j] == n + (int32_t)j;
        s->known += count > 0;
        s->wrong += count > 0 && !right;
        for (size_t j = 0; j < want; j++) ids[j] = n + (int32_t)j;
        if (!count) token_memo_put(s->m, &k, 3, ids, want);
    }
}
static void threads_share(void **state) {
    (void)state;
    token_memo *m = token_memo_open();
    assert_non_null(m);
    thread threads[4];
    sharer each[4];
    fail f;
    for (int i = 0; i < 4; i++) {
        each[i] = (sharer){.m = m, .start = i};
        assert_ok(thread_start(&threads[i], "share", share, &each[i], &f), &f);
    }
    size_t known = 0;
    for (int i = 0; i < 4; i++) {
        thread_join(&threads[i]);
        assert_int_equal(each[i].wrong, 0);
        known += each[i].known;
    }
    assert_true(known > 0);
    token_memo_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_short_words),
        cmocka_unit_test(threads_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* golden.h - compares a tokenizer with a golden file of lines {"text":...,"ids":[...]}. */
#ifndef BANTAM_TESTS_TOKEN_GOLDEN_H
#define BANTAM_TESTS_TOKEN_GOLDEN_H

#include "base/file.h"
#include "text/json.h"
#include "token/token.h"
#include "test.h"

static inline bool golden_same(token_ids ids, const json *want) {
    if (ids.n != want->count) return false;
    for (size_t i = 0; i < ids.n; i++)
        if (json_at(want, i)->integer != ids.p[i]) return false;
    return true;
}

/* Returns the lines compared; prints and counts those that differ. */
static inline size_t golden_compare(const tokenizer *t, const char *path, size_t *wrong) {
    arena a;
    fail f;
    str rest;
    size_t lines = 0;
    arena_init(&a, 0);
    assert_ok(file_read(&a, path, 0, &rest, &f), &f);
    for (*wrong = 0; rest.p && rest.n;) {
        str line = str_cut(&rest, '\n');
        const json *row;
        token_ids ids;
        if (!line.n) continue;
        assert_ok(json_parse(&a, line, &row, &f), &f);
        str text = json_get(row, "text")->string;
        assert_ok(tokenizer_encode(t, &a, text, NULL, &ids, &f), &f);
        lines++;
        if (golden_same(ids, json_get(row, "ids"))) continue;
        ++*wrong;
        print_message("differs: %.*s\n", STR_ARG(line));
    }
    arena_deinit(&a);
    return lines;
}

/* A tokenizer.json. */
static inline tokenizer *open_json(const char *path) {
    arena scratch;
    fail f;
    str bytes;
    tokenizer *t = NULL;
    arena_init(&scratch, 0);
    assert_ok(file_read(&scratch, path, 0, &bytes, &f), &f);
    assert_ok(tokenizer_open_json(&t, bytes, &f), &f);
    arena_deinit(&scratch);
    return t;
}

#endif

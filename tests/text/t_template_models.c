/* t_template_models.c - models' own templates against Jinja2 over many conversations.
 *
 * By itself: the committed goldens of tools/golden_template.py (hashes, and some texts in full).
 * With TEMPLATE_ROWS=FILE: each row of that file instead, byte by byte; what a row asks for:
 * {"file" or "template", "values", "expect" or "error"}. tests/slow/t_templates.sh makes such
 * files. Rows with "template" may be answered by E_UNSUPPORTED, those of models' files may not. */
#include "base/file.h"
#include "text/csv.h"
#include "text/hash.h"
#include "text/template.h"
#include "test.h"

enum { DIGEST_CHARS = 16, SHOWN_MAX = 40 };
static const int64_t NOW_MS = 1795466751000; /* 2026-11-23 20:45:51 UTC */

static fail f;

typedef struct tally {
    size_t same, refused, unsupported, wrong, shown;
    size_t more; /* rendered though Jinja refuses */
} tally;

static str text_of(const json *v, const char *key) {
    const json *x = json_get(v, key);
    return x && x->kind == JSON_STRING ? x->string : STR_NONE;
}

static void read_source(arena *a, str file, str *out) {
    char name[300];
    snprintf(name, sizeof name, "chat-templates/%.*s", STR_ARG(file));
    assert_ok(file_read(a, test_data(name), 0, out, &f), &f);
}

static err render(arena *a, const template *t, const json *values, const json *trusted, buf *out) {
    template_input in = {.values = values, .trusted = trusted, .now_ms = NOW_MS};
    template_spans spans;
    return template_render(t, a, &in, out, &spans, &f);
}

static void show(tally *t, str what, str chat, err e, str expect, str got) {
    if (t->shown++ >= SHOWN_MAX) return;
    size_t at = 0;
    while (at < expect.n && at < got.n && expect.p[at] == got.p[at]) at++;
    size_t from = at > 60 ? at - 60 : 0;
    print_message("%.*s, %.*s: %s\n  expect: %.*s\n  got:    %.*s\n",
                  STR_ARG(str_slice(what, 0, 300)), STR_ARG(chat),
                  e          ? f.text
                  : expect.p ? "other bytes"
                             : "Jinja refuses",
                  STR_ARG(str_slice(expect, from, at + 60)),
                  STR_ARG(str_slice(got, from, at + 60)));
}

/* Counts one rendering; true when it is as it should be. */
static bool count(tally *t, err e, bool same, bool refused) {
    if (refused) {
        if (e == E_OK)
            t->more++;
        else
            t->refused++;
        return e != E_OK;
    }
    if (e == E_UNSUPPORTED)
        t->unsupported++;
    else if (!same)
        t->wrong++;
    else
        t->same++;
    return same;
}

static void golden_hashes(arena *a, const json *row, const json *all, tally *t, size_t *whole) {
    const json *digests = json_get(row, "sha256"), *chats = json_get(all, "chats");
    const template *compiled;
    str source;
    bool good = true;
    read_source(a, text_of(row, "file"), &source);
    assert_ok(template_compile(a, source, &compiled, &f), &f);
    assert_int_equal(digests->count, chats->count);
    for (size_t i = 0; i < chats->count; i++) {
        char hex[HASH_SHA256_HEX_BYTES];
        buf out = {0};
        str expect = json_at(digests, i)->string;
        err e = render(a, compiled, &chats->members[i].value, json_get(all, "trusted"), &out);
        hash_sha256_hex(buf_str(&out), hex);
        bool same = e == E_OK && str_is(expect, (hex[DIGEST_CHARS] = 0, hex));
        if (!count(t, e, same, expect.n == 0)) {
            good = false;
            show(t, text_of(row, "file"), chats->members[i].key, e, STR_NONE, STR_NONE);
        }
        buf_deinit(&out);
    }
    *whole += good;
}

static void golden_text(arena *a, const json *row, const json *all) {
    const template *compiled;
    char chat[64];
    str source;
    buf out = {0};
    snprintf(chat, sizeof chat, "%.*s", STR_ARG(text_of(row, "chat")));
    read_source(a, text_of(row, "file"), &source);
    assert_ok(template_compile(a, source, &compiled, &f), &f);
    assert_ok(
        render(a, compiled, json_get(json_get(all, "chats"), chat), json_get(all, "trusted"), &out),
        &f);
    assert_int_equal(out.n, text_of(row, "expect").n);
    assert_true(str_eq(buf_str(&out), text_of(row, "expect")));
    buf_deinit(&out);
}

static void goldens(void **state) {
    (void)state;
    arena a;
    str text;
    const json *all, *row;
    tally t = {0};
    size_t line = 0, whole = 0, files = 0, texts = 0;
    test_data("chat-templates/README.txt");
    arena_init(&a, 0);
    assert_ok(file_read(&a, "tests/text/golden_template_chats.json", 0, &text, &f), &f);
    assert_ok(json_parse(&a, text, &all, &f), &f);
    assert_ok(file_read(&a, "tests/text/golden_template_models.jsonl", 0, &text, &f), &f);
    for (;;) {
        assert_ok(jsonl_next(&a, "golden", &text, &line, &row, &f), &f);
        if (!row) break;
        if (json_get(row, "sha256")) {
            golden_hashes(&a, row, all, &t, &whole);
            files++;
        } else {
            golden_text(&a, row, all);
            texts++;
        }
    }
    print_message("%zu renderings as Jinja's, %zu refused by both, %zu not supported, %zu where "
                  "only Jinja refuses, %zu other; %zu of %zu templates equal throughout, %zu whole "
                  "texts\n",
                  t.same, t.refused, t.unsupported, t.more, t.wrong, whole, files, texts);
    assert_int_equal(whole, files);
    assert_true(files > 50 && texts > 5);
    arena_deinit(&a);
}

/* ---- rows of a file ---------------------------------------------------------------------------
 */

typedef struct source_cache { /* one template is compiled once, however many rows it has */
    arena a;
    char file[300];
    const template *compiled;
} source_cache;

static err row_template(source_cache *c, const json *row, const template **out) {
    str file = text_of(row, "file"), source = text_of(row, "template");
    if (file.n && str_is(file, c->file) && c->compiled) {
        *out = c->compiled;
        return E_OK;
    }
    arena_reset(&c->a);
    c->compiled = NULL;
    snprintf(c->file, sizeof c->file, "%.*s", STR_ARG(file));
    if (file.n) read_source(&c->a, file, &source);
    TRY(template_compile(&c->a, source, &c->compiled, &f));
    *out = c->compiled;
    return E_OK;
}

static void one_row(source_cache *c, arena *a, const json *row, const json *trusted, tally *t) {
    const template *compiled;
    buf out = {0};
    str expect = text_of(row, "expect"), what = text_of(row, "file");
    bool refused = json_get(row, "error") != NULL;
    err e = row_template(c, row, &compiled);
    if (e == E_OK) e = render(a, compiled, json_get(row, "values"), trusted, &out);
    bool same = e == E_OK && str_eq(buf_str(&out), expect);
    if (!count(t, e, same, refused) && (what.n || e != E_UNSUPPORTED))
        show(t, what.n ? what : text_of(row, "template"), text_of(row, "chat"), e,
             refused ? STR_NONE : expect, buf_str(&out));
    if (what.n && !refused && e == E_UNSUPPORTED) t->wrong++;
    buf_deinit(&out);
}

static void row_file(void **state) {
    (void)state;
    source_cache c = {.compiled = NULL};
    arena kept, a;
    str text;
    const json *row, *trusted;
    tally t = {0};
    size_t line = 0;
    arena_init(&kept, 0);
    arena_init(&a, 0);
    arena_init(&c.a, 0);
    assert_ok(
        json_parse(&kept, STR("{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}"), &trusted, &f), &f);
    assert_ok(file_read(&kept, getenv("TEMPLATE_ROWS"), 0, &text, &f), &f);
    for (;; arena_reset(&a)) {
        assert_ok(jsonl_next(&a, "rows", &text, &line, &row, &f), &f);
        if (!row) break;
        one_row(&c, &a, row, trusted, &t);
    }
    print_message("%zu equal, %zu refused by both, %zu named as not supported, %zu where only "
                  "Jinja refuses, %zu other\n",
                  t.same, t.refused, t.unsupported, t.more, t.wrong);
    assert_int_equal(t.wrong + t.more, 0);
    assert_true(t.same > 0);
    arena_deinit(&c.a);
    arena_deinit(&a);
    arena_deinit(&kept);
}

int main(void) {
    const struct CMUnitTest quick[] = {cmocka_unit_test(goldens)};
    const struct CMUnitTest whole[] = {cmocka_unit_test(row_file)};
    return getenv("TEMPLATE_ROWS") ? cmocka_run_group_tests(whole, NULL, NULL)
                                   : cmocka_run_group_tests(quick, NULL, NULL);
}

/* t_grammar_suite.c - JSON Schema's own test suite against grammars: each schema is either refused
 * by name, or its grammar writes every valid instance (in some order of its members) and no invalid
 * one. Prints how many schemas of each keyword are accepted.
 *
 * With a file as its argument it answers for others (tools/schema_coverage.py, tests/slow): for
 * each line {"schema", "draft7", "instances"}: {"refused": why}, or {"written": [whether each is]}.
 */
#include "base/file.h"
#include "base/mem.h"
#include "grammar/grammar.h"

#include "test.h"

#include <dirent.h>

enum { ORDERS_MAX = 720, NAMES_MAX = 128, NAME_BYTES = 256 };

static int64_t factorial(size_t n) {
    int64_t f = 1;
    for (size_t i = 2; i <= n && f <= ORDERS_MAX; i++) f *= (int64_t)i;
    return f;
}

static int64_t orders(const json *v) {
    int64_t n = v->kind == JSON_OBJECT ? factorial(v->count) : 1;
    for (size_t i = 0; i < v->count && n <= ORDERS_MAX; i++)
        n *= orders(v->kind == JSON_OBJECT ? &v->members[i].value : &v->items[i]);
    return n;
}

static void put_number(buf *b, const json *v) {
    if (v->number >= -9007199254740992.0 && v->number <= 9007199254740992.0 &&
        v->number >= (double)(int64_t)v->number && v->number <= (double)(int64_t)v->number)
        buf_printf(b, "%lld", (long long)v->number); /* 1.0 is the number 1 */
    else
        buf_put(b, v->string);
}

/* The value with its members in the order that *order says; what is used of it is divided away. */
static void put_ordered(buf *b, const json *v, int64_t *order) {
    json_writer w = {.out = b};
    if (v->kind == JSON_NUMBER) {
        put_number(b, v);
    } else if (v->kind == JSON_ARRAY) {
        buf_put_char(b, '[');
        for (size_t i = 0; i < v->count; i++) {
            if (i) buf_put_char(b, ',');
            put_ordered(b, &v->items[i], order);
        }
        buf_put_char(b, ']');
    } else if (v->kind == JSON_OBJECT) {
        size_t left[64];
        assert_true(v->count <= 64);
        for (size_t i = 0; i < v->count; i++) left[i] = i;
        buf_put_char(b, '{');
        for (size_t n = v->count; n > 0; n--) {
            size_t pick = (size_t)(*order % (int64_t)n);
            *order /= (int64_t)n;
            if (n < v->count) buf_put_char(b, ',');
            json_writer key = {.out = b};
            json_put_str(&key, v->members[left[pick]].key);
            buf_put_char(b, ':');
            put_ordered(b, &v->members[left[pick]].value, order);
            left[pick] = left[n - 1];
        }
        buf_put_char(b, '}');
    } else {
        json_put_value(&w, v);
    }
}

/* In some order of its members. */
static err is_written(const grammar *g, const json *v, bool *yes, fail *f) {
    int64_t n = orders(v);
    err e = E_OK;
    *yes = false;
    for (int64_t i = 0; i < (n < ORDERS_MAX ? n : ORDERS_MAX) && !*yes && e == E_OK; i++) {
        buf b = {0};
        int64_t order = i;
        put_ordered(&b, v, &order);
        e = grammar_matches(g, buf_str(&b), yes, f);
        buf_deinit(&b);
    }
    return e;
}

static bool written(const grammar *g, const json *v) {
    bool yes = false;
    fail f;
    assert_ok(is_written(g, v, &yes, &f), &f);
    return yes;
}

typedef struct tally {
    int schemas, accepted, tests, wrong;
} tally;

/* The schema, said to be of draft 7 where it says nothing itself. */
static const json *with_dialect(arena *a, const json *schema, bool draft7) {
    static char dialect[] = "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}";
    fail f;
    json *copy = arena_new(a, json);
    *copy = *schema;
    if (draft7 && schema->kind == JSON_OBJECT && !json_get(schema, "$schema")) {
        const json *mark;
        json_member *m = arena_new_n(a, json_member, schema->count + 1);
        assert_ok(json_parse(a, str_from(dialect), &mark, &f), &f);
        memcpy(m, schema->members, schema->count * sizeof *m);
        m[schema->count] = mark->members[0];
        copy->members = m;
        copy->count++;
    }
    return copy;
}

static void one_schema(const json *item, const char *file, bool draft7, tally *t) {
    const json *tests = json_get(item, "tests");
    arena a;
    fail f;
    grammar *g;
    arena_init(&a, 0);
    const json *copy = with_dialect(&a, json_get(item, "schema"), draft7);
    t->schemas++;
    err e = grammar_open_schema(&g, copy, GRAMMAR_SPACE_SOME, &f);
    if (e == E_OK) {
        t->accepted++;
        for (size_t i = 0; i < tests->count; i++) {
            const json *data = json_get(&tests->items[i], "data");
            bool valid = json_get(&tests->items[i], "valid")->boolean;
            t->tests++;
            if (written(g, data) == valid) continue;
            t->wrong++;
            print_message("%s: %.*s: %.*s is %s\n", file,
                          STR_ARG(json_get(item, "description")->string),
                          STR_ARG(json_get(&tests->items[i], "description")->string),
                          valid ? "valid and not written" : "invalid and written");
        }
        grammar_close(g);
    } else if (e == E_INPUT && strstr(f.text, "nothing satisfies")) {
        t->accepted++; /* so every instance must be invalid */
        for (size_t i = 0; i < tests->count; i++) {
            t->tests++;
            if (json_get(&tests->items[i], "valid")->boolean) {
                t->wrong++;
                print_message("%s: %.*s: taken for impossible\n", file,
                              STR_ARG(json_get(item, "description")->string));
            }
        }
    } else {
        assert_true(e == E_UNSUPPORTED || e == E_INPUT || e == E_TOO_LARGE);
        assert_true(f.text[0]);
    }
    arena_deinit(&a);
}

static int by_name(const void *x, const void *y) {
    return strcmp(x, y);
}

static void run_draft(const char *draft, tally *all) {
    char dir[2048], path[FILE_PATH_BYTES], name[256], names[NAMES_MAX][NAME_BYTES];
    int n = 0;
    snprintf(name, sizeof name, "json-schema-suite/tests/%s/type.json", draft);
    const char *found = test_data(name);
    assert_true(strlen(found) < sizeof dir);
    strcpy(dir, found);
    *strrchr(dir, '/') = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, ".json") && n < NAMES_MAX) strcpy(names[n++], e->d_name);
    closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) {
        arena a;
        str text;
        const json *items;
        fail f;
        tally t = {0};
        arena_init(&a, 0);
        assert_ok(file_join(path, dir, names[i], &f), &f);
        assert_ok(file_read(&a, path, 1 << 24, &text, &f), &f);
        if (json_parse(&a, text, &items, &f) == E_OK)
            for (size_t k = 0; k < items->count; k++)
                one_schema(&items->items[k], names[i], !strcmp(draft, "draft7"), &t);
        print_message("%s %-28s %3d of %3d schemas, %d tests\n", draft, names[i], t.accepted,
                      t.schemas, t.tests);
        all->schemas += t.schemas;
        all->accepted += t.accepted;
        all->tests += t.tests;
        all->wrong += t.wrong;
        arena_deinit(&a);
    }
    print_message("%s: %d of %d schemas accepted, %d tests, %d wrong\n", draft, all->accepted,
                  all->schemas, all->tests, all->wrong);
}

static void draft_7(void **state) {
    (void)state;
    tally t = {0};
    run_draft("draft7", &t);
    assert_int_equal(t.wrong, 0);
    assert_true(t.accepted >= 241);
}
static void draft_2020_12(void **state) {
    (void)state;
    tally t = {0};
    run_draft("draft2020-12", &t);
    assert_int_equal(t.wrong, 0);
    assert_true(t.accepted >= 340); /* of 383 */
}

/* ---- answers for others ---- */

static void answer(const json *line, json_writer *w) {
    const json *instances = json_get(line, "instances"), *draft7 = json_get(line, "draft7");
    arena a;
    fail f = {0};
    grammar *g = NULL;
    arena_init(&a, 0);
    const json *schema = with_dialect(&a, json_get(line, "schema"), draft7 && draft7->boolean);
    err e = grammar_open_schema(&g, schema, GRAMMAR_SPACE_SOME, &f);
    bool nothing = e == E_INPUT && strstr(f.text, "nothing satisfies");
    json_begin_object(w);
    json_key(w, e == E_OK || nothing ? "written" : "refused");
    if (e == E_OK || nothing) {
        json_begin_array(w);
        for (size_t i = 0; instances && i < instances->count; i++) {
            bool yes = false;
            if (!nothing && is_written(g, &instances->items[i], &yes, &f) != E_OK)
                json_put_null(w);
            else
                json_put_bool(w, yes);
        }
        json_end_array(w);
    } else {
        json_put_z(w, f.text);
    }
    json_end_object(w);
    grammar_close(g);
    arena_deinit(&a);
}

static int answer_lines(const char *path) {
    arena a;
    str lines;
    fail f = {0};
    arena_init(&a, 0);
    err e = file_read(&a, path, 0, &lines, &f);
    while (e == E_OK && lines.n) {
        const json *line;
        str text = str_cut(&lines, '\n');
        if (!text.n) continue;
        e = json_parse(&a, text, &line, &f);
        if (e != E_OK) break;
        buf b = {0};
        json_writer w = {.out = &b};
        answer(line, &w);
        printf("%.*s\n", STR_ARG(buf_str(&b)));
        buf_deinit(&b);
    }
    if (e != E_OK) fprintf(stderr, "%s\n", f.text);
    arena_deinit(&a);
    return e != E_OK;
}

int main(int argc, char **argv) {
    if (argc > 1) return answer_lines(argv[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(draft_7), cmocka_unit_test(draft_2020_12)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

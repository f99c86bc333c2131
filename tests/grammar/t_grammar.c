/* t_grammar.c - tests grammar/: lexers, regular expressions, JSON's numbers, schemas, masks. What a
 * mask allows is compared with the definition: every token tried byte by byte. */
#include "base/mem.h"
#include "grammar/grammar.h"
#include "grammar/grammar_json.h"
#include "grammar/grammar_regex.h"

#include "test.h"

static bool matches(const grammar *g, const char *text) {
    bool yes = false;
    fail f;
    assert_ok(grammar_matches(g, str_from(text), &yes, &f), &f);
    return yes;
}

/* The grammar of a schema in JSON with ' for ". */
static err open_schema(grammar **g, const char *schema, fail *f) {
    arena a;
    const json *parsed;
    arena_init(&a, 0);
    char *text = arena_z(&a, str_from(schema));
    for (char *c = text; *c; c++)
        if (*c == '\'') *c = '"';
    fail bad;
    assert_ok(json_parse(&a, str_from(text), &parsed, &bad), &bad);
    err e = grammar_open_schema(g, parsed, GRAMMAR_SPACE_SOME, f);
    arena_deinit(&a);
    return e;
}

static void holds(const char *schema, const char *const *yes, const char *const *no) {
    grammar *g;
    fail f;
    if (open_schema(&g, schema, &f) != E_OK) fail_msg("%s: %s", schema, f.text);
    char text[512];
    for (int k = 0; k < 2; k++)
        for (const char *const *t = k ? no : yes; *t; t++) {
            snprintf(text, sizeof text, "%s", *t);
            for (char *c = text; *c; c++)
                if (*c == '\'') *c = '"';
            if (matches(g, text) != !k)
                fail_msg("%s: %s is %s", schema, text, k ? "written" : "not");
        }
    grammar_close(g);
}
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *schema, const char *word) {
    grammar *g;
    fail f;
    if (open_schema(&g, schema, &f) == E_OK) fail_msg("%s is accepted", schema);
    if (!strstr(f.text, word)) fail_msg("%s: %s", schema, f.text);
}

static void regexes(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *yes, *no;
    } rows[] = {{"abc", "abc", "ab"},
                {"a|bc", "bc", "abc"},
                {"[a-c]+\\d{2,3}", "abc123", "abc1"},
                {"(?:ab)*c?", "abab", "aba"},
                {"[^x]", "\xc3\xa9", "x"},
                {".", "\xf0\x9f\x98\x80", "\n"},
                {"\\u00e9\\x41",
                 "\xc3\xa9"
                 "A",
                 "eA"},
                {"\\w\\W\\s", "a-\t", "aa "},
                {"^a$", "a", "aa"},
                {"a{2}", "aa", "a{2}"},
                {"a{,2}", "a{,2}", "a"},
                {"[\\]\\-x]", "-", "\\"},
                {"(a|(b|c)d)e", "cde", "ce"},
                {"a*?b+?", "aab", "a"},
                {"\\u{1F600}", "\xf0\x9f\x98\x80", "u"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        grammar *g;
        fail f;
        if (grammar_open_regex(&g, str_from(rows[i].pattern), &f) != E_OK)
            fail_msg("%s: %s", rows[i].pattern, f.text);
        if (!matches(g, rows[i].yes) || matches(g, rows[i].no)) fail_msg("%s", rows[i].pattern);
        grammar_close(g);
    }
    static const char *const bad[] = {"a(",  "a)",   "[a",     "*a",  "a{3,2}", "\\",      "(?=a)b",
                                      "\\1", "\\bx", "\\p{L}", "a^b", "[b-a]",  "(?<!a)b", "\\q"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        grammar *g;
        fail f;
        if (grammar_open_regex(&g, str_from(bad[i]), &f) == E_OK)
            fail_msg("%s is accepted", bad[i]);
    }
}

static void numbers_within_bounds(void **state) {
    (void)state;
    static const double bounds[] = {-120.5, -10, -1.25, -0.5, 0,   0.05, 1,
                                    9,      10,  12.34, 99,   100, 250};
    char schema[160], text[64];
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int kind = 0; kind < 8; kind++) {
            const char *word = kind & 1   ? kind & 2 ? "exclusiveMaximum" : "maximum"
                               : kind & 2 ? "exclusiveMinimum"
                                          : "minimum";
            bool whole = kind & 4;
            grammar *g;
            fail f;
            snprintf(schema, sizeof schema, "{'type':'%s','%s':%g}", whole ? "integer" : "number",
                     word, bounds[i]);
            if (open_schema(&g, schema, &f) != E_OK) fail_msg("%s: %s", schema, f.text);
            for (int n = -13000; n <= 26000; n += whole ? 100 : 5) {
                double v = n / 100.0, b = bounds[i];
                if (whole)
                    snprintf(text, sizeof text, "%d", n / 100);
                else
                    snprintf(text, sizeof text, n % 3 ? "%.2f" : "%.10g", v);
                bool wanted = kind & 1 ? kind & 2 ? v < b : v <= b : kind & 2 ? v > b : v >= b;
                if (!strcmp(text, "-0") || strchr(text, 'e')) continue;
                if (matches(g, text) != wanted) fail_msg("%s: %s", schema, text);
            }
            grammar_close(g);
        }
    holds("{'type':'integer','multipleOf':7}", LIST("0", "7", "-14", "700"),
          LIST("1", "7.0", "07", "-"));
    holds("{'multipleOf':0.01,'type':'number'}", LIST("1", "1.25", "-0.1"), LIST("1.255", "1e1"));
}

static void schemas(void **state) {
    (void)state;
    holds("{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'integer'}},"
          "'required':['a'],'additionalProperties':false}",
          LIST("{'a':'x'}", "{ 'a' : 'x' , 'b' : 3 }", "{'a':'\\u00e9\\n'}"),
          LIST("{}", "{'b':3}", "{'a':1}", "{'a':'x','c':1}", "{'a':'x','a':'y'}", "{'a':'\n'}"));
    holds("{'type':'object','properties':{'a':{'type':'null'}}}",
          LIST("{}", "{'a':null}", "{'x':[1,{}]}", "{'a':null,'b':1,'c':true}"),
          LIST("{'a':1}", "{'x':1,'a':2}", "{'\\u0061':1}"));
    holds("{'type':'array','items':{'enum':['x',1,null]},'minItems':1,'maxItems':3}",
          LIST("['x']", "[1, null,'x']"), LIST("[]", "['y']", "['x',1,1,1]"));
    holds("{'prefixItems':[{'type':'string'},{'type':'boolean'}],'items':{'type':'number'},'type':'"
          "array'}",
          LIST("[]", "['a']", "['a',true]", "['a',true,1,2.5]"),
          LIST("[1]", "['a',1]", "['a',true,'b']"));
    holds("{'$defs':{'n':{'type':'object','properties':{'v':{'type':'integer'},'next':{'$ref':'#/"
          "$defs/n'}},"
          "'required':['v'],'additionalProperties':false}},'$ref':'#/$defs/n'}",
          LIST("{'v':1}", "{'v':1,'next':{'v':2,'next':{'v':3}}}"),
          LIST("{'v':1,'next':{}}", "{}"));
    holds("{'anyOf':[{'type':'string','maxLength':2},{'type':'integer','minimum':5}]}",
          LIST("'ab'", "5", "''"), LIST("'abc'", "4", "null"));
    holds("{'oneOf':[{'type':'object','properties':{'k':{'const':'a'},'x':{'type':'integer'}},'"
          "required':['k','x']},"
          "{'type':'object','properties':{'k':{'const':'b'}},'required':['k']}]}",
          LIST("{'k':'a','x':1}", "{'k':'b'}", "{'k':'b','x':'any'}"),
          LIST("{'k':'a'}", "{'k':'c'}"));
    holds("{'allOf':[{'type':'integer','minimum':1},{'maximum':3}]}", LIST("1", "3"),
          LIST("0", "4", "'1'"));
    holds("{'type':'string','pattern':'^[a-z]+$','minLength':2,'maxLength':4}",
          LIST("'ab'", "'abcd'"), LIST("'a'", "'abcde'", "'AB'"));
    holds("{'type':'string','pattern':'b'}", LIST("'abc'", "'b'"), LIST("'ac'", "'\\u0062'"));
    holds("{'type':'object','patternProperties':{'^n':{'type':'integer'}},'additionalProperties':{'"
          "type':'string'}}",
          LIST("{'n1':1,'x':'y'}", "{}"), LIST("{'n1':'y'}", "{'x':1}"));
    holds("{'type':'object','minProperties':2,'maxProperties':3}",
          LIST("{'a':1,'b':2}", "{'a':1,'b':2,'c':3}"),
          LIST("{}", "{'a':1}", "{'a':1,'b':2,'c':3,'d':4}"));
    holds("true", LIST("1", "[]", "{'a':[null]}", "-1.5e3"), LIST("", "01", "[1,]", "nul"));
    refused("{'type':'array','uniqueItems':true}", "uniqueItems");
    refused("{'not':{'uniqueItems':true}}", "uniqueItems");
    refused("{'enum':[[1],2],'minItems':2}", "minItems");
    refused("false", "nothing satisfies");
    refused("{'type':'object','required':['a'],'properties':{'a':{'$ref':'#'}}}",
            "nothing satisfies");
    refused("{'type':'strin'}", "type");
    refused("{'$ref':'http://example.com/x'}", "$ref");
    refused("{'type':'string','pattern':'(?=a)'}", "look-around");
}

static void words_that_speak_of_schemas(void **state) {
    (void)state;
    holds("{'not':{'type':'string'}}", LIST("1", "[]", "null"), LIST("'a'", "''"));
    holds("{'type':'number','not':{'type':'integer'}}", LIST("1.5", "-0.25"), LIST("1", "1.0"));
    holds("{'type':'integer','not':{'multipleOf':3}}", LIST("1", "-4"), LIST("0", "9", "-3"));
    holds("{'type':'string','not':{'enum':['a','bc']}}", LIST("'ab'", "''"),
          LIST("'a'", "'bc'", "'\\u0061'"));
    holds("{'not':{'const':[1,{'x':2}]}}", LIST("[1]", "[1,{'x':3}]", "[1,{'x':2,'y':1}]", "{}"),
          LIST("[1,{'x':2}]"));
    holds("{'if':{'properties':{'k':{'const':'a'}},'required':['k']},'then':{'required':['x']},"
          "'else':{'properties':{'x':false}},'type':'object','properties':{'k':{'type':'string'},"
          "'x':{'type':'integer'}},'additionalProperties':false}",
          LIST("{'k':'a','x':1}", "{'k':'b'}", "{}"), LIST("{'k':'a'}", "{'k':'b','x':1}"));
    holds("{'type':'object','oneOf':[{'properties':{'a':{},'b':{}},'required':['a'],"
          "'additionalProperties':false},{'properties':{'a':{},'c':{}},'required':['a'],"
          "'additionalProperties':false}]}",
          LIST("{'a':1,'b':1}", "{'a':1,'c':1}"),
          LIST("{'a':1}", "{'a':1,'b':1,'c':1}", "{'a':1,'d':1}"));
    holds("{'type':'object','not':{'patternProperties':{'^a':{'type':'null'}}}}",
          LIST("{'ab':1}", "{'x':1,'a':2}"), LIST("{}", "{'ab':null}", "{'x':1}"));
    holds("{'oneOf':[{'type':'integer'},{'minimum':2}]}", LIST("1", "2.5", "'x'"),
          LIST("3", "1.5"));
    holds("{'type':'object','properties':{'a':{'type':'null'},'b':{'type':'null'}},"
          "'dependentRequired':{'a':['b']},'additionalProperties':false}",
          LIST("{}", "{'b':null}", "{'a':null,'b':null}"), LIST("{'a':null}"));
    holds("{'type':'array','contains':{'type':'string'},'minContains':2,'maxContains':3}",
          LIST("['a',1,'b']", "['a','b','c']"), LIST("['a']", "['a','b','c','d']", "[]"));
    holds("{'type':'object','propertyNames':{'pattern':'^[a-z]+$','maxLength':2}}",
          LIST("{}", "{'a':1,'bc':2}"), LIST("{'A':1}", "{'abc':1}"));
    holds("{'type':'array','items':{'enum':['x','y',1]},'uniqueItems':true,'minItems':1}",
          LIST("['x']", "[1,'x','y']"), LIST("[]", "['x','x']", "['x',1,'y','x']"));
    holds("{'enum':[1,2,'ab','c',3.5],'minimum':2,'minLength':2}", LIST("2", "3.5", "'ab'"),
          LIST("1", "'c'"));
    holds("{'type':'number','multipleOf':0.25,'minimum':0}", LIST("0.5", "1.25", "3", "0.750"),
          LIST("0.3", "-0.25", "1.125"));
    holds("{'type':'object','allOf':[{'properties':{'a':{'type':'integer'}}}],"
          "'anyOf':[{'required':['a']},{'properties':{'b':{'type':'null'}},'required':['b']}],"
          "'unevaluatedProperties':false}",
          LIST("{'a':1}", "{'a':1,'b':null}", "{'b':null}"),
          LIST("{}", "{'a':1,'c':1}", "{'c':1}"));
    holds("{'type':'array','prefixItems':[{'type':'integer'}],'unevaluatedItems':{'type':'null'}}",
          LIST("[]", "[1,null]"), LIST("[null]", "[1,2]"));
    holds("{'$id':'http://e.org/a/b.json','$ref':'c.json#n','$defs':{'x':{'$id':'/a/c.json',"
          "'$defs':{'y':{'$anchor':'n','type':'null'}}}}}",
          LIST("null"), LIST("1"));
}

/* ---- masks ---- */

static const char *const words[] = {
    "{",   "}",  "\"",  "\"a", "a\"",    "\"a\"", "\":",  "\": ",     ":",  " ",      "1",  "12",
    "\",", ",",  "\"}", "]",   "[",      "tr",    "ue",   "true",     "fa", "x",      "\n", "-",
    ".5",  "\\", "n",   "ull", "b\":\"", "\xc3",  "\xa9", "\xc3\xa9", "  ", "\"b\":", "e",  "}}"};
enum { WORDS = sizeof words / sizeof *words, TOKENS = WORDS + 2 };

static grammar_vocabulary *open_vocabulary(void) {
    grammar_token tokens[TOKENS] = {0};
    grammar_vocabulary *v;
    fail f;
    for (int i = 0; i < WORDS; i++) tokens[i].bytes = str_from(words[i]);
    tokens[WORDS] = (grammar_token){.bytes = STR("<end>"), .ends = true};
    assert_ok(grammar_vocabulary_open(&v, tokens, TOKENS, &f), &f);
    return v;
}

/* Whether some text of the grammar begins so: tried by a walk over the bytes alone. */
static bool begins(const grammar *g, grammar_vocabulary *v, const int32_t *ids, int n,
                   int32_t next) {
    grammar_walk *w;
    fail f;
    assert_ok(grammar_walk_open(&w, g, v, &f), &f);
    for (int i = 0; i < n; i++) assert_ok(grammar_walk_accept(w, ids[i], &f), &f);
    bool yes = grammar_walk_accept(w, next, &f) == E_OK;
    grammar_walk_close(w);
    return yes;
}

/* Short patterns whose automata are large: refused, or built, but not for minutes (a fuzzer's
 * find). */
static void large_automata_are_bounded(void **state) {
    (void)state;
    static const char *const refused[] = {".*a.{20}", "(a|b)*a(a|b){24}", ".*x.{11}%.{19}y"};
    static const char *const built[] = {"a{8000}", "(ab?){2000}", "..............*....%...."};
    for (size_t i = 0; i < 3; i++) {
        grammar *g = NULL;
        fail f = {0};
        assert_int_equal(grammar_open_regex(&g, str_from(refused[i]), &f), E_TOO_LARGE);
        assert_ok(grammar_open_regex(&g, str_from(built[i]), &f), &f);
        grammar_close(g);
    }
}

#define OBJECT_SCHEMA                    \
    "{'type':'object','required':['a']," \
    "'properties':{'a':{'type':'string'},'b':{'type':['boolean','null']}}}"

static void masks_are_what_can_be_accepted(void **state) {
    (void)state;
    static const char *const all[] = {
        OBJECT_SCHEMA,
        "{'type':'array','items':{'type':'number','minimum':1}}",
        "{'type':'string','maxLength':100}",
        "true",
        "{'enum':['a','ab',true,12]}",
    };
    grammar_vocabulary *v = open_vocabulary();
    uint64_t seed = 1;
    for (size_t s = 0; s < sizeof all / sizeof *all; s++) {
        grammar *g;
        fail f;
        assert_ok(open_schema(&g, all[s], &f), &f);
        for (int run = 0; run < 12; run++) {
            grammar_walk *w;
            int32_t ids[40];
            assert_ok(grammar_walk_open(&w, g, v, &f), &f);
            for (int n = 0; n < 40; n++) {
                uint64_t bits[1] = {0};
                err e = grammar_walk_allowed(w, bits, &f);
                if (e == E_UNSUPPORTED) { /* these few tokens lack the letter */
                    for (int32_t k = 0; k < WORDS; k++) assert_false(begins(g, v, ids, n, k));
                    break;
                }
                assert_ok(e, &f);
                assert_int_equal(bits[0] >> WORDS & 1, grammar_walk_may_end(w));
                assert_int_equal(bits[0] >> (WORDS + 1) & 1, 0);
                for (int32_t k = 0; k < WORDS; k++)
                    if ((bits[0] >> k & 1) != begins(g, v, ids, n, k))
                        fail_msg("%s: token %s after %d", all[s], words[k], n);
                uint64_t may = bits[0] & ((1ull << WORDS) - 1);
                if (!may) break;
                int32_t id;
                do {
                    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
                    id = (int32_t)(seed >> 33) % WORDS;
                } while (!(may >> id & 1));
                ids[n] = id;
                assert_ok(grammar_walk_accept(w, id, &f), &f);
            }
            grammar_walk_close(w);
        }
        grammar_close(g);
    }
    grammar_vocabulary_close(v);
}

/* A vocabulary of all kinds and lengths, so that every way of taking tokens as a whole is tried:
 * what a mask allows is again compared with every token, byte by byte. */
enum { MIXED = 900, MIXED_WORDS = (MIXED + 63) / 64 };

static grammar_vocabulary *open_mixed(arena *a, str *bytes) {
    static const char *const parts[] = {"a",
                                        "b",
                                        "zz",
                                        "A",
                                        "Q",
                                        "7",
                                        "0",
                                        " ",
                                        "-",
                                        "_",
                                        ".",
                                        "<",
                                        "\xc3\xa9",
                                        "\xe6\x97\xa5",
                                        "\xf0\x9f\x98\x80",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\xc3",
                                        "\xa9",
                                        "\\u00",
                                        "41",
                                        "\":",
                                        "{",
                                        "}",
                                        ",",
                                        "\xed",
                                        "\xe0",
                                        "\x9f\x98",
                                        "\x7f"};
    enum { PARTS = sizeof parts / sizeof *parts };
    static grammar_token tokens[MIXED];
    grammar_vocabulary *v;
    fail f;
    uint64_t seed = 7;
    for (int i = 0; i < MIXED; i++) {
        buf b = {0};
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        int n = i < PARTS ? 1 : 1 + (int)(seed >> 40) % (i % 10 ? 6 : 48),
            most = i % 3 ? PARTS : (int)(3 + (seed >> 50) % 12);
        for (int k = 0; k < n; k++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            buf_put_z(&b, parts[i < PARTS ? i : (int)(seed >> 33) % most]);
        }
        bytes[i] = arena_str(a, buf_str(&b));
        tokens[i].bytes = bytes[i];
        buf_deinit(&b);
    }
    assert_ok(grammar_vocabulary_open(&v, tokens, MIXED, &f), &f);
    return v;
}

static void walk_mixed(const grammar *g, grammar_vocabulary *v, uint64_t seed, const char *schema) {
    grammar_walk *w;
    int32_t ids[24];
    fail f;
    assert_ok(grammar_walk_open(&w, g, v, &f), &f);
    for (int n = 0; n < 24; n++) {
        uint64_t bits[MIXED_WORDS] = {0};
        int32_t may[MIXED], count = 0;
        err e = grammar_walk_allowed(w, bits, &f);
        assert_true(e == E_OK || e == E_UNSUPPORTED);
        for (int32_t k = 0; k < MIXED; k++) {
            if ((bits[k / 64] >> (k % 64) & 1) != begins(g, v, ids, n, k))
                fail_msg("%s: token %d after %d", schema, k, n);
            if (bits[k / 64] >> (k % 64) & 1) may[count++] = k;
        }
        if (!count) break;
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        ids[n] = may[(seed >> 33) % (uint64_t)count];
        assert_ok(grammar_walk_accept(w, ids[n], &f), &f);
    }
    grammar_walk_close(w);
}

static void groups_of_tokens_change_no_mask(void **state) {
    (void)state;
    static const char *const all[] = {
        "{'type':'string'}",
        "{'type':'string','maxLength':40}",
        "{'type':'string','minLength':3,'maxLength':9}",
        "{'type':'string','minLength':50}",
        "{'type':'string','pattern':'^[ab]{1,30}$'}",
        "{'type':'string','pattern':'^[a-zA-Z0-9_.-]+$'}",
        "{'type':'string','pattern':'^[^<A]*$','maxLength':35}",
        "{'type':'object','additionalProperties':{'type':'string','maxLength':5}}",
        "true"};
    arena a;
    str bytes[MIXED];
    arena_init(&a, 0);
    grammar_vocabulary *v = open_mixed(&a, bytes);
    for (size_t s = 0; s < sizeof all / sizeof *all; s++) {
        grammar *g;
        fail f;
        assert_ok(open_schema(&g, all[s], &f), &f);
        for (uint64_t run = 0; run < 4; run++) walk_mixed(g, v, run, all[s]);
        grammar_close(g);
    }
    grammar_vocabulary_close(v);
    arena_deinit(&a);
}

static void long_strings_cost_nothing(void **state) {
    (void)state;
    holds("{'type':'string','minLength':2,'maxLength':1000000}", LIST("'ab'", "'\\n\\u00e9'"),
          LIST("'a'", "'\\n'", "''"));
    holds("{'type':'string','pattern':'^(ab)*$','minLength':3,'maxLength':1000}",
          LIST("'abab'", "'ababab'"), LIST("'ab'", "'aba'"));
    refused("{'type':'string','minLength':3,'maxLength':2}", "nothing satisfies");
    refused("{'type':'string','minLength':100000000}", "above the limit");
}

static void what_is_forced(void **state) {
    (void)state;
    grammar *g;
    grammar_walk *w;
    grammar_vocabulary *v = open_vocabulary();
    fail f;
    char out[64];
    assert_ok(grammar_open_choices(&g, (const str[]){STR("{\"a\":true"), STR("{\"a\":1")}, 2, &f),
              &f);
    assert_ok(grammar_walk_open(&w, g, v, &f), &f);
    size_t n = grammar_walk_forced(w, out, sizeof out);
    assert_int_equal(n, 5);
    assert_memory_equal(out, "{\"a\":", 5);
    assert_ok(grammar_walk_accept(w, 0, &f), &f); /* { */
    assert_int_equal(grammar_walk_forced(w, out, 2), 2);
    assert_int_equal(grammar_walk_accept(w, 0, &f), E_INPUT);
    assert_ok(grammar_walk_accept(w, 5, &f), &f); /* "a" */
    assert_ok(grammar_walk_accept(w, 8, &f), &f); /* : */
    assert_false(grammar_walk_may_end(w));
    assert_ok(grammar_walk_accept(w, 10, &f), &f); /* 1 */
    assert_true(grammar_walk_must_end(w));
    grammar_walk_close(w);
    grammar_close(g);
    grammar_vocabulary_close(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regexes),
        cmocka_unit_test(numbers_within_bounds),
        cmocka_unit_test(schemas),
        cmocka_unit_test(words_that_speak_of_schemas),
        cmocka_unit_test(masks_are_what_can_be_accepted),
        cmocka_unit_test(groups_of_tokens_change_no_mask),
        cmocka_unit_test(long_strings_cost_nothing),
        cmocka_unit_test(large_automata_are_bounded),
        cmocka_unit_test(what_is_forced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

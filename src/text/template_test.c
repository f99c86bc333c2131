/* template_test.c - the tests of a template ("is defined", "is string"...), as Jinja 3.1 has them;
 * see template_int.h. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <string.h>

/* ---- tests that look at the kind alone --------------------------------------------------------
 */

enum { KINDS_OF_NUMBERS = 1 << VALUE_INT | 1 << VALUE_BIG | 1 << VALUE_FLOAT | 1 << VALUE_BOOL };

static const struct {
    const char *name;
    unsigned kinds;
} kind_tests[] = {
    {"undefined", 1 << VALUE_UNDEFINED},
    {"defined", ~(1u << VALUE_UNDEFINED)},
    {"none", 1 << VALUE_NONE},
    {"boolean", 1 << VALUE_BOOL},
    {"integer", 1 << VALUE_INT | 1 << VALUE_BIG},
    {"float", 1 << VALUE_FLOAT},
    {"number", KINDS_OF_NUMBERS},
    {"string", 1 << VALUE_TEXT},
    {"mapping", 1 << VALUE_MAP},
    /* what is undefined can be gone through and counted, says Jinja */
    {"iterable",
     1 << VALUE_UNDEFINED | 1 << VALUE_TEXT | 1 << VALUE_LIST | 1 << VALUE_MAP | 1 << VALUE_LOOP},
    {"callable", 1 << VALUE_MACRO | 1 << VALUE_METHOD | 1 << VALUE_FUNCTION | 1 << VALUE_UNDEFINED |
                     1 << VALUE_LOOP | 1 << VALUE_JOINER},
};

/* ---- the others -------------------------------------------------------------------------------
 */

static err yes(value *out, bool is) {
    *out = value_bool(is);
    return E_OK;
}

static err test_true(run *r, value v, const call_args *args, value *out) {
    (void)r, (void)args;
    return yes(out, v.kind == VALUE_BOOL && v.as.boolean);
}
static err test_false(run *r, value v, const call_args *args, value *out) {
    (void)r, (void)args;
    return yes(out, v.kind == VALUE_BOOL && !v.as.boolean);
}
static err test_sequence(run *r, value v, const call_args *args, value *out) {
    (void)r, (void)args;
    return yes(out, value_is_sequence(v) || v.kind == VALUE_TEXT || v.kind == VALUE_MAP ||
                        v.kind == VALUE_UNDEFINED);
}
static err test_escaped(run *r, value v, const call_args *args, value *out) {
    (void)r, (void)args;
    return yes(out, v.markup);
}

/* Identity: what has no identity here is not compared. */
static err test_same(run *r, value v, const call_args *args, value *out) {
    value other = args->items[0];
    bool single = v.kind == VALUE_NONE || v.kind == VALUE_BOOL || other.kind == VALUE_NONE ||
                  other.kind == VALUE_BOOL;
    bool same = false;
    if (!single) return run_fail(r, E_UNSUPPORTED, "sameas compares none and booleans only");
    if (v.kind == other.kind) TRY(value_equal(r, v, other, &same));
    return yes(out, same);
}

static err test_equal(run *r, value v, const call_args *args, value *out) {
    bool same;
    TRY(value_equal(r, v, args->items[0], &same));
    return yes(out, same);
}
static err test_not_equal(run *r, value v, const call_args *args, value *out) {
    bool same;
    TRY(value_equal(r, v, args->items[0], &same));
    return yes(out, !same);
}

static err order(run *r, value v, const call_args *args, int *out) {
    return value_order(r, v, args->items[0], out);
}
static err test_less(run *r, value v, const call_args *args, value *out) {
    int o;
    TRY(order(r, v, args, &o));
    return yes(out, o < 0);
}
static err test_greater(run *r, value v, const call_args *args, value *out) {
    int o;
    TRY(order(r, v, args, &o));
    return yes(out, o > 0);
}
static err test_less_equal(run *r, value v, const call_args *args, value *out) {
    int o;
    TRY(order(r, v, args, &o));
    return yes(out, o <= 0);
}
static err test_greater_equal(run *r, value v, const call_args *args, value *out) {
    int o;
    TRY(order(r, v, args, &o));
    return yes(out, o >= 0);
}

static err test_in(run *r, value v, const call_args *args, value *out) {
    bool is;
    TRY(value_contains(r, v, args->items[0], &is));
    return yes(out, is);
}

/* The remainder as Python's %, of numbers. */
static err remainder_of(run *r, value v, value by, double *out) {
    if (v.kind == VALUE_TEXT)
        return run_fail(r, E_UNSUPPORTED, "odd, even and divisibleby of a text");
    if (!value_is_number(v) || !value_is_number(by))
        return run_fail(r, E_INPUT, "numbers expected, not %s and %s", value_kind_name(v),
                        value_kind_name(by));
    if (v.kind == VALUE_BIG || by.kind == VALUE_BIG)
        return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    if (value_number(by) == 0) return run_fail(r, E_INPUT, "a division by zero");
    if (v.kind == VALUE_INT && by.kind == VALUE_INT) {
        *out = by.as.integer == -1 ? 0 : (double)(v.as.integer % by.as.integer);
        return E_OK;
    }
    *out = fmod(value_number(v), value_number(by));
    return E_OK;
}
static err test_divisible(run *r, value v, const call_args *args, value *out) {
    double rest;
    TRY(remainder_of(r, v, args->items[0], &rest));
    return yes(out, rest == 0);
}
static err test_odd(run *r, value v, const call_args *args, value *out) {
    double rest;
    (void)args;
    TRY(remainder_of(r, v, value_int(2, false), &rest));
    return yes(out, rest == 1 || rest == -1);
}
static err test_even(run *r, value v, const call_args *args, value *out) {
    double rest;
    (void)args;
    TRY(remainder_of(r, v, value_int(2, false), &rest));
    return yes(out, rest == 0);
}

/* str.islower() and isupper(): some cased letter and none of the other case. */
static err test_case(run *r, value v, bool upper, value *out) {
    bool some = false, other = false;
    value text;
    TRY(value_to_text(r, v, &text));
    TRY(run_charge(r, text.as.text.n * 32));
    for (size_t at = 0; at < text.as.text.n;) {
        int32_t c = utf8_walk(value_str(text), &at);
        bool is_upper = utf8_char_lower(c) != c, is_lower = utf8_char_upper(c) != c || c == 0xDF;
        bool title = is_upper && is_lower;
        some = some || (!title && (upper ? is_upper : is_lower));
        other = other || title || (upper ? is_lower : is_upper);
    }
    return yes(out, some && !other);
}
static err test_upper(run *r, value v, const call_args *args, value *out) {
    (void)args;
    return test_case(r, v, true, out);
}
static err test_lower(run *r, value v, const call_args *args, value *out) {
    (void)args;
    return test_case(r, v, false, out);
}

static const callable tests[] = {
    {"true", test_true, "", 0},
    {"false", test_false, "", 0},
    {"sequence", test_sequence, "", 0},
    {"escaped", test_escaped, "", 0},
    {"sameas", test_same, "other", 1},
    {"equalto", test_equal, "/ other", 1},
    {"eq", test_equal, "/ other", 1},
    {"==", test_equal, "/ other", 1},
    {"ne", test_not_equal, "/ other", 1},
    {"!=", test_not_equal, "/ other", 1},
    {"lt", test_less, "/ other", 1},
    {"<", test_less, "/ other", 1},
    {"lessthan", test_less, "/ other", 1},
    {"gt", test_greater, "/ other", 1},
    {">", test_greater, "/ other", 1},
    {"greaterthan", test_greater, "/ other", 1},
    {"le", test_less_equal, "/ other", 1},
    {"<=", test_less_equal, "/ other", 1},
    {"ge", test_greater_equal, "/ other", 1},
    {">=", test_greater_equal, "/ other", 1},
    {"in", test_in, "seq", 1},
    {"divisibleby", test_divisible, "num", 1},
    {"odd", test_odd, "", 0},
    {"even", test_even, "", 0},
    {"upper", test_upper, "", 0},
    {"lower", test_lower, "", 0},
    {NULL, NULL, NULL, 0},
};

bool template_test_known(str name) {
    for (size_t i = 0; i < sizeof kind_tests / sizeof *kind_tests; i++)
        if (str_is(name, kind_tests[i].name)) return true;
    return callable_find(tests, name) != NULL;
}

err run_test(run *r, str name, value v, const call_args *args, bool *out) {
    value result;
    TRY(run_charge(r, 0));
    for (size_t i = 0; i < sizeof kind_tests / sizeof *kind_tests; i++) {
        if (!str_is(name, kind_tests[i].name)) continue;
        if (args->n) return run_fail(r, E_INPUT, "%s takes no argument", kind_tests[i].name);
        *out = (kind_tests[i].kinds >> v.kind & 1) != 0;
        return E_OK;
    }
    const callable *c = callable_find(tests, name);
    if (!c)
        return run_fail(r, E_UNSUPPORTED, "the test \"%.*s\" is not supported",
                        STR_ARG(str_slice(name, 0, 60)));
    TRY(callable_run(r, c, v, args, &result));
    *out = value_true(result);
    return E_OK;
}

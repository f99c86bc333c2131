/* template_test.c - the tests of a template ("is defined", "is string"...), as Jinja 3.1 has them;
 * see template_int.h. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <string.h>

typedef err (*test_run)(run *r, value v, const value *arg, bool *out);

/* Tests that look at the kind alone. */
enum { KIND_ANY_NUMBER = 1 << VALUE_INT | 1 << VALUE_FLOAT | 1 << VALUE_BOOL };

static const struct {
    const char *name;
    unsigned kinds;
} kind_tests[] = {
    {"undefined", 1 << VALUE_UNDEFINED},
    {"defined", ~(1u << VALUE_UNDEFINED)},
    {"none", 1 << VALUE_NONE},
    {"boolean", 1 << VALUE_BOOL},
    {"integer", 1 << VALUE_INT},
    {"float", 1 << VALUE_FLOAT},
    {"number", KIND_ANY_NUMBER},
    {"string", 1 << VALUE_TEXT},
    {"mapping", 1 << VALUE_MAP},
    /* what is undefined can be gone through and counted, says Jinja */
    {"iterable", 1 << VALUE_UNDEFINED | 1 << VALUE_TEXT | 1 << VALUE_LIST | 1 << VALUE_MAP},
    {"sequence", 1 << VALUE_UNDEFINED | 1 << VALUE_TEXT | 1 << VALUE_LIST | 1 << VALUE_MAP},
    {"callable", 1 << VALUE_MACRO | 1 << VALUE_METHOD | 1 << VALUE_FUNCTION | 1 << VALUE_UNDEFINED},
};

static err test_true(run *r, value v, const value *arg, bool *out) {
    (void)r, (void)arg;
    *out = v.kind == VALUE_BOOL && v.as.boolean;
    return E_OK;
}
static err test_false(run *r, value v, const value *arg, bool *out) {
    (void)r, (void)arg;
    *out = v.kind == VALUE_BOOL && !v.as.boolean;
    return E_OK;
}

static err need_arg(run *r, const value *arg) {
    return arg ? E_OK : run_fail(r, E_INPUT, "this test needs a value to compare with");
}

static err test_equal(run *r, value v, const value *arg, bool *out) {
    TRY(need_arg(r, arg));
    *out = value_equal(v, *arg);
    return E_OK;
}
static err test_not_equal(run *r, value v, const value *arg, bool *out) {
    TRY(test_equal(r, v, arg, out));
    *out = !*out;
    return E_OK;
}

static err test_less(run *r, value v, const value *arg, bool *out) {
    int order;
    TRY(need_arg(r, arg));
    TRY(value_order(r, v, *arg, &order));
    *out = order < 0;
    return E_OK;
}
static err test_greater(run *r, value v, const value *arg, bool *out) {
    TRY(need_arg(r, arg));
    return test_less(r, *arg, &v, out);
}
static err test_less_equal(run *r, value v, const value *arg, bool *out) {
    TRY(test_greater(r, v, arg, out));
    *out = !*out;
    return E_OK;
}
static err test_greater_equal(run *r, value v, const value *arg, bool *out) {
    TRY(test_less(r, v, arg, out));
    *out = !*out;
    return E_OK;
}

static err test_in(run *r, value v, const value *arg, bool *out) {
    *out = false;
    TRY(need_arg(r, arg));
    TRY(run_charge(r, arg->kind == VALUE_TEXT ? arg->as.text.n : 0));
    if (arg->kind == VALUE_TEXT && v.kind == VALUE_TEXT)
        *out = str_find(value_str(*arg), value_str(v)) != STR_INDEX_NONE;
    else if (arg->kind == VALUE_MAP)
        *out = value_find(*arg, v) != NULL;
    else if (arg->kind == VALUE_LIST)
        for (size_t i = 0; i < arg->as.list.n && !*out; i++)
            *out = value_equal(arg->as.list.items[i], v);
    else if (arg->kind != VALUE_UNDEFINED)
        return run_fail(r, E_INPUT, "\"in\" does not fit %s and %s", value_kind_name(v),
                        value_kind_name(*arg));
    return E_OK;
}

static err test_divisible(run *r, value v, const value *arg, bool *out) {
    TRY(need_arg(r, arg));
    if (v.kind != VALUE_INT || arg->kind != VALUE_INT || arg->as.integer == 0 ||
        arg->as.integer == -1)
        return run_fail(r, E_INPUT, "divisibleby needs whole numbers");
    *out = v.as.integer % arg->as.integer == 0;
    return E_OK;
}
static err test_odd(run *r, value v, const value *arg, bool *out) {
    value two = value_int(2, false);
    (void)arg;
    TRY(test_divisible(r, v, &two, out));
    *out = !*out;
    return E_OK;
}
static err test_even(run *r, value v, const value *arg, bool *out) {
    value two = value_int(2, false);
    (void)arg;
    return test_divisible(r, v, &two, out);
}

/* str.islower() and isupper(): some cased letter and none of the other case. */
static err test_case(run *r, value v, bool upper, bool *out) {
    bool some = false, other = false;
    value text;
    TRY(value_to_text(r, v, &text));
    TRY(run_charge(r, text.as.text.n * 4));
    for (size_t at = 0; at < text.as.text.n;) {
        int32_t c = utf8_walk(value_str(text), &at);
        bool is_upper = utf8_char_lower(c) != c, is_lower = utf8_char_upper(c) != c;
        some = some || (upper ? is_upper : is_lower);
        other = other || (upper ? is_lower : is_upper);
    }
    *out = some && !other;
    return E_OK;
}
static err test_upper(run *r, value v, const value *arg, bool *out) {
    (void)arg;
    return test_case(r, v, true, out);
}
static err test_lower(run *r, value v, const value *arg, bool *out) {
    (void)arg;
    return test_case(r, v, false, out);
}

static const struct {
    const char *name;
    test_run run;
} tests[] = {
    {"true", test_true},
    {"false", test_false},
    {"equalto", test_equal},
    {"eq", test_equal},
    {"==", test_equal},
    {"ne", test_not_equal},
    {"!=", test_not_equal},
    {"lt", test_less},
    {"<", test_less},
    {"lessthan", test_less},
    {"gt", test_greater},
    {">", test_greater},
    {"greaterthan", test_greater},
    {"le", test_less_equal},
    {"<=", test_less_equal},
    {"ge", test_greater_equal},
    {">=", test_greater_equal},
    {"in", test_in},
    {"divisibleby", test_divisible},
    {"odd", test_odd},
    {"even", test_even},
    {"upper", test_upper},
    {"lower", test_lower},
};

bool template_test_known(str name) {
    for (size_t i = 0; i < sizeof kind_tests / sizeof *kind_tests; i++)
        if (str_is(name, kind_tests[i].name)) return true;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (str_is(name, tests[i].name)) return true;
    return false;
}

err run_test(run *r, str name, value v, const call_args *args, bool *out) {
    TRY(run_charge(r, 0));
    for (size_t i = 0; i < sizeof kind_tests / sizeof *kind_tests; i++) {
        if (!str_is(name, kind_tests[i].name)) continue;
        *out = (kind_tests[i].kinds >> v.kind & 1) != 0;
        return E_OK;
    }
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (str_is(name, tests[i].name))
            return tests[i].run(r, v, args->n ? &args->items[0] : NULL, out);
    return run_fail(r, E_UNSUPPORTED, "the test \"%.*s\" is not supported",
                    STR_ARG(str_slice(name, 0, 60)));
}

/* template_operator.c - operators on values, as Python computes them; whole numbers by 64 bits
 * (beyond is an error, not a wrap). See template_int.h. */
#include "text/template_int.h"

#include <math.h>
#include <string.h>

/* str_is of a literal, without a call: operators are compared at every step. */
#define IS(s, literal) \
    ((s).n == sizeof(literal) - 1 && memcmp((s).p, literal, sizeof(literal) - 1) == 0)

static bool is_whole(value v) {
    return v.kind == VALUE_INT || v.kind == VALUE_BOOL;
}
static int64_t integer_of(value v) {
    return v.kind == VALUE_BOOL ? v.as.boolean : v.as.integer;
}

static bool is_view(value v) {
    return v.kind == VALUE_LIST && v.shape >= SHAPE_KEYS && v.shape <= SHAPE_ITEMS;
}

static err fail_operands(run *r, str op, value a, value b) {
    if (a.kind == VALUE_UNDEFINED) return run_fail_undefined(r, a);
    if (b.kind == VALUE_UNDEFINED) return run_fail_undefined(r, b);
    if (is_view(a) || is_view(b))
        return run_fail(r, E_UNSUPPORTED, "computing with a map's keys, values or items");
    return run_fail(r, E_INPUT, "\"%.*s\" does not fit %s and %s", STR_ARG(op), value_kind_name(a),
                    value_kind_name(b));
}

static err power(run *r, int64_t base, int64_t exponent, int64_t *out) {
    int64_t result = 1;
    if (exponent > 64 && base != 0 && base != 1 && base != -1)
        return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    if (exponent > 64) exponent = 2 + (exponent & 1);
    while (exponent-- > 0)
        if (__builtin_mul_overflow(result, base, &result))
            return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    *out = result;
    return E_OK;
}

/* Python rounds // down and gives % the sign of the divisor. */
static err whole_arithmetic(run *r, str op, int64_t a, int64_t b, int64_t *out) {
    bool over = false;
    if (IS(op, "**")) return power(r, a, b, out);
    if (IS(op, "+")) over = __builtin_add_overflow(a, b, out);
    if (IS(op, "-")) over = __builtin_sub_overflow(a, b, out);
    if (IS(op, "*")) over = __builtin_mul_overflow(a, b, out);
    if (IS(op, "//") || IS(op, "%")) {
        if (b == 0) return run_fail(r, E_INPUT, "a division by zero");
        over = a == INT64_MIN && b == -1;
        int64_t quotient = over ? 0 : a / b, rest = over ? 0 : a % b;
        bool down = rest != 0 && (rest < 0) != (b < 0);
        *out = IS(op, "%") ? rest + (down ? b : 0) : quotient - down;
    }
    return over ? run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits") : E_OK;
}

static err real_arithmetic(run *r, str op, double a, double b, double *out) {
    if (b == 0 && (IS(op, "/") || IS(op, "//") || IS(op, "%")))
        return run_fail(r, E_INPUT, "a division by zero");
    if (IS(op, "+")) *out = a + b;
    if (IS(op, "-")) *out = a - b;
    if (IS(op, "*")) *out = a * b;
    if (IS(op, "/")) *out = a / b;
    if (IS(op, "//")) *out = floor(a / b);
    if (IS(op, "%")) *out = a - b * floor(a / b);
    if (IS(op, "**")) *out = pow(a, b);
    return E_OK;
}

static err arithmetic(run *r, str op, value a, value b, value *out) {
    bool outside = a.outside || b.outside;
    if (a.kind == VALUE_BIG || b.kind == VALUE_BIG)
        return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    bool whole = a.kind != VALUE_FLOAT && b.kind != VALUE_FLOAT && !IS(op, "/");
    if (whole && IS(op, "**") && integer_of(b) < 0) whole = false;
    if (whole) {
        int64_t v = 0;
        TRY(whole_arithmetic(r, op, integer_of(a), integer_of(b), &v));
        *out = value_int(v, outside);
        return E_OK;
    }
    double v = 0;
    TRY(real_arithmetic(r, op, value_number(a), value_number(b), &v));
    *out = value_float(v, outside);
    return E_OK;
}

/* Markup + text escapes the text, whichever side it stands on. */
static err add_texts(run *r, value a, value b, value *out) {
    bool markup = a.markup || b.markup;
    if (markup && !a.markup) TRY(text_escape(r, a, &a));
    if (markup && !b.markup) TRY(text_escape(r, b, &b));
    value both[2] = {a, b};
    TRY(value_concat(r, both, 2, out));
    out->markup = markup;
    return E_OK;
}

static err add_lists(run *r, value a, value b, value *out) {
    value_list l = {0};
    TRY(run_charge(r, (a.as.list.n + b.as.list.n) * 64));
    for (size_t i = 0; i < a.as.list.n; i++) TRY(value_push(r, &l, a.as.list.items[i]));
    for (size_t i = 0; i < b.as.list.n; i++) TRY(value_push(r, &l, b.as.list.items[i]));
    TRY(value_take_list(r, &l, a.shape, a.outside || b.outside, out));
    out->cut = a.cut || b.cut;
    return E_OK;
}

static err multiply(run *r, value a, int64_t times, value *out) {
    value_list l = {0};
    if (a.kind == VALUE_TEXT) return text_repeat(r, a, times, out);
    for (int64_t i = 0; a.as.list.n && i < times; i++)
        for (size_t k = 0; k < a.as.list.n; k++) {
            TRY(run_charge(r, 64));
            TRY(value_push(r, &l, a.as.list.items[k]));
        }
    TRY(value_take_list(r, &l, a.shape, a.outside, out));
    out->cut = a.cut;
    return E_OK;
}

static bool is_plain_list(value v) {
    return v.kind == VALUE_LIST && v.shape <= SHAPE_TUPLE;
}

err operator_add(run *r, value a, value b, value *out) {
    TRY(run_charge(r, 0));
    if (value_is_number(a) && value_is_number(b)) return arithmetic(r, STR("+"), a, b, out);
    if (a.kind == VALUE_TEXT && b.kind == VALUE_TEXT) return add_texts(r, a, b, out);
    if (is_plain_list(a) && is_plain_list(b) && a.shape == b.shape) return add_lists(r, a, b, out);
    return fail_operands(r, STR("+"), a, b);
}

err operator_run(run *r, str op, value a, value b, value *out) {
    if (IS(op, "+")) return operator_add(r, a, b, out);
    if (value_is_number(a) && value_is_number(b)) return arithmetic(r, op, a, b, out);
    bool times = IS(op, "*"), left = a.kind == VALUE_TEXT || is_plain_list(a),
         right = b.kind == VALUE_TEXT || is_plain_list(b);
    if (times && left && is_whole(b)) return multiply(r, a, integer_of(b), out);
    if (times && right && is_whole(a)) return multiply(r, b, integer_of(a), out);
    return fail_operands(r, op, a, b);
}

err operator_compare(run *r, str op, value a, value b, bool *out) {
    int order = 0;
    if (IS(op, "==") || IS(op, "!=")) {
        TRY(value_equal(r, a, b, out));
        *out = *out == IS(op, "==");
        return E_OK;
    }
    if (IS(op, "in") || IS(op, "not in")) {
        TRY(value_contains(r, a, b, out));
        *out = *out == IS(op, "in");
        return E_OK;
    }
    if (a.kind == VALUE_UNDEFINED || b.kind == VALUE_UNDEFINED) return fail_operands(r, op, a, b);
    TRY(value_order(r, a, b, &order));
    *out = IS(op, "<")    ? order < 0
           : IS(op, "<=") ? order <= 0
           : IS(op, ">")  ? order > 0
                          : order >= 0;
    return E_OK;
}

err operator_sign(run *r, bool plus, value v, value *out) {
    if (!value_is_number(v)) return fail_operands(r, STR("-"), v, v);
    if (plus) {
        *out = v.kind == VALUE_BOOL ? value_int(v.as.boolean, v.outside) : v;
        return E_OK;
    }
    if (v.kind == VALUE_FLOAT) {
        *out = value_float(-v.as.number, v.outside);
        return E_OK;
    }
    return arithmetic(r, STR("-"), value_int(0, false), v, out);
}

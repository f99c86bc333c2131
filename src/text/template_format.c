/* template_format.c - Python's two ways to format in a template: text % values and
 * text.format(...); see template_int.h. A value keeps where it comes from; what a field in an
 * outside text brings in is outside as well. Not here, and said so: widths given as values, %a, the
 * types n, b, o, c and _ grouping of format(), precision without a type. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH_MAX = 1 << 20, PRECISION_MAX = 40, NUMBER_BYTES = 400 };

typedef struct spec {
    str fill;   /* one character */
    char align; /* '<' '>' '^' '=' or 0 */
    char sign;  /* '+' ' ' or 0 */
    char type;  /* 0: by the value */
    bool comma;
    int64_t width, precision; /* precision -1: none */
} spec;

static err fail_format(run *r, err code, const char *what, str of) {
    return run_fail(r, code, "format \"%.*s\": %s", STR_ARG(str_slice(of, 0, 40)), what);
}

/* A number at s.p[*at], of a bounded value; -1 when no digit stands there. */
static err read_number(run *r, str s, size_t *at, int64_t most, int64_t *out) {
    *out = -1;
    for (; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; (*at)++) {
        *out = (*out < 0 ? 0 : *out * 10) + (s.p[*at] - '0');
        if (*out > most) return fail_format(r, E_TOO_LARGE, "too wide", s);
    }
    return E_OK;
}

static bool is_align(str s, size_t at) {
    return at < s.n && s.p[at] && strchr("<>^=", s.p[at]);
}

/* [[fill]align][sign][0][width][,][.precision][type] */
static err read_spec(run *r, str s, spec *out) {
    size_t at = 0, second = 0;
    *out = (spec){.fill = STR(" "), .precision = -1};
    if (s.n) utf8_walk(s, &second);
    if (second && is_align(s, second)) {
        out->fill = str_slice(s, 0, second);
        at = second;
    }
    if (is_align(s, at)) out->align = s.p[at++];
    if (at < s.n && s.p[at] && strchr("+- ", s.p[at])) out->sign = s.p[at++];
    if (out->sign == '-') out->sign = 0;
    if (at < s.n && (s.p[at] == '#' || s.p[at] == 'z'))
        return fail_format(r, E_UNSUPPORTED, "not supported", s);
    if (at < s.n && s.p[at] == '0') {
        at++;
        if (!out->align) out->align = '0'; /* '=' of numbers, '<' of texts */
        if (second == 0 || !is_align(s, second)) out->fill = STR("0");
    }
    TRY(read_number(r, s, &at, WIDTH_MAX, &out->width));
    if (at < s.n && s.p[at] == '_') return fail_format(r, E_UNSUPPORTED, "not supported", s);
    if (at < s.n && s.p[at] == ',') out->comma = (at++, true);
    if (at < s.n && s.p[at] == '.') {
        at++;
        TRY(read_number(r, s, &at, WIDTH_MAX, &out->precision));
        if (out->precision < 0) return fail_format(r, E_INPUT, "a precision is missing", s);
    }
    if (at < s.n) out->type = s.p[at++];
    return at == s.n ? E_OK : fail_format(r, E_INPUT, "not understood", s);
}

/* sign, digits and what follows them, filled up to the width. */
static err fill_number(run *r, const spec *s, bool minus, const char *body, bool outside,
                       value *out) {
    char sign[2] = {minus ? '-' : s->sign, 0};
    value parts[2] = {value_text(str_from(sign), outside), value_text(str_from(body), outside)};
    value kept[2], fill = value_text(s->fill, outside);
    bool inside = s->align == '=' || s->align == '0';
    for (int i = 0; i < 2; i++) { /* the buffers are the caller's */
        str copy = arena_str(r->arena, value_str(parts[i]));
        if (!copy.p) return run_no_memory(r);
        kept[i] = value_text(copy, outside);
    }
    int64_t width = s->width < 0 ? 0 : s->width;
    if (inside)
        TRY(text_pad(r, kept[1], width - (int64_t)kept[0].as.text.n, fill, PAD_LEFT, &kept[1]));
    TRY(value_concat(r, kept, 2, out));
    pad_side side = s->align == '<' ? PAD_RIGHT : s->align == '^' ? PAD_CENTER : PAD_LEFT;
    if (inside) return E_OK;
    if (side != PAD_CENTER) return text_pad(r, *out, width, fill, side, out);
    int64_t missing = width - (int64_t)utf8_count(value_str(*out));
    if (missing <= 0) return E_OK;
    TRY(text_pad(r, *out, width - missing + missing / 2, fill, PAD_LEFT, out));
    return text_pad(r, *out, width, fill, PAD_RIGHT, out);
}

/* Commas between the thousands of what stands before a point. */
static void put_commas(char *text, size_t size) {
    size_t n = strlen(text), whole = strspn(text, "0123456789");
    for (size_t at = whole; at > 3 && n + 1 < size;) {
        at -= 3;
        memmove(text + at + 1, text + at, n - at + 1);
        text[at] = ',';
        n++;
    }
}

static err format_whole(run *r, const spec *s, value v, value *out) {
    char body[NUMBER_BYTES];
    bool minus = v.as.integer < 0;
    unsigned long long n =
        minus ? 0 - (unsigned long long)v.as.integer : (unsigned long long)v.as.integer;
    snprintf(body, sizeof body,
             s->type == 'x'   ? "%llx"
             : s->type == 'X' ? "%llX"
             : s->type == 'o' ? "%llo"
                              : "%llu",
             n);
    if (s->comma) put_commas(body, sizeof body);
    return fill_number(r, s, minus, body, v.outside, out);
}

static err format_real(run *r, const spec *s, value v, value *out) {
    char body[NUMBER_BYTES], pattern[8] = "%.*f";
    double d = fabs(value_number(v));
    bool minus = signbit(value_number(v)), percent = s->type == '%';
    int precision = s->precision < 0 ? 6 : (int)s->precision;
    buf shortest = {0};
    if (s->precision > PRECISION_MAX)
        return run_fail(r, E_TOO_LARGE, "a precision above %d", PRECISION_MAX);
    if (s->type == 0) {
        if (s->precision >= 0)
            return run_fail(r, E_UNSUPPORTED, "a precision without a type is not supported");
        print_float(&shortest, d);
        snprintf(body, sizeof body, "%s", buf_z(&shortest));
        buf_deinit(&shortest);
    } else {
        pattern[3] = percent ? 'f' : s->type;
        snprintf(body, sizeof body - 1, pattern, precision, percent ? d * 100 : d);
        if (percent) strcat(body, "%");
    }
    if (s->comma) put_commas(body, sizeof body);
    return fill_number(r, s, minus && !isnan(d), body, v.outside, out);
}

static err format_text(run *r, const spec *s, value text, value *out) {
    pad_side side = s->align == '>' ? PAD_LEFT : s->align == '^' ? PAD_CENTER : PAD_RIGHT;
    if (s->precision >= 0)
        text = value_slice(text, 0, utf8_index(value_str(text), (size_t)s->precision));
    int64_t missing = (s->width < 0 ? 0 : s->width) - (int64_t)utf8_count(value_str(text));
    value fill = value_text(s->fill, false);
    *out = text;
    if (missing <= 0) return E_OK;
    if (side != PAD_CENTER) return text_pad(r, text, s->width, fill, side, out);
    TRY(text_pad(r, text, s->width - missing + missing / 2, fill, PAD_LEFT, out));
    return text_pad(r, *out, s->width, fill, PAD_RIGHT, out);
}

/* ---- text.format(...) -------------------------------------------------------------------------
 */

static err format_value(run *r, value v, str text, value *out) {
    spec s;
    if (!text.n) return value_to_text(r, v, out);
    TRY(read_spec(r, text, &s));
    bool whole = v.kind == VALUE_INT || v.kind == VALUE_BOOL;
    if (v.kind == VALUE_BIG) return fail_format(r, E_UNSUPPORTED, "a number beyond 64 bits", text);
    if (v.kind == VALUE_TEXT) {
        if ((s.type && s.type != 's') || s.sign || s.comma || s.align == '=')
            return fail_format(r, E_INPUT, "does not fit a text", text);
        return format_text(r, &s, v, out);
    }
    if (!value_is_number(v)) return fail_format(r, E_INPUT, value_kind_name(v), text);
    if (s.type && strchr("bcn", s.type))
        return fail_format(r, E_UNSUPPORTED, "not supported", text);
    if (v.kind == VALUE_BOOL && !s.type) return fail_format(r, E_UNSUPPORTED, "a boolean", text);
    if (v.kind == VALUE_BOOL) v = value_int(v.as.boolean, v.outside);
    if (whole && (!s.type || strchr("dxXo", s.type))) {
        if (s.precision >= 0 || (s.comma && s.type && s.type != 'd'))
            return fail_format(r, E_INPUT, "does not fit a whole number", text);
        return format_whole(r, &s, v, out);
    }
    if (s.type && !strchr("eEfFgG%", s.type))
        return fail_format(r, E_INPUT, "does not fit a number", text);
    return format_real(r, &s, v, out);
}

typedef struct braces {
    run *run;
    const call_args *args;
    int64_t next; /* of fields without a name; -1: they are numbered by hand */
} braces;

static err first_value(braces *b, str name, value *out) {
    int64_t position = -1;
    bool digits = name.n > 0 && name.p[0] >= '0' && name.p[0] <= '9';
    if (digits && !str_to_int(name, &position))
        return fail_format(b->run, E_INPUT, "no such value", name);
    if (name.n == 0 || digits) {
        if (name.n == 0 ? b->next < 0 : b->next > 0)
            return fail_format(b->run, E_INPUT, "fields with and without numbers", name);
        if (name.n == 0)
            position = b->next++;
        else
            b->next = -1;
    }
    for (size_t i = 0; i < b->args->n; i++) {
        bool named = b->args->names[i].p != NULL;
        if (position < 0 ? named && str_eq(b->args->names[i], name)
                         : !named && (int64_t)i == position) {
            *out = b->args->items[i];
            return E_OK;
        }
    }
    return fail_format(b->run, E_INPUT, "no such value", name);
}

/* name(.attribute|[item])* */
static err field_value(braces *b, str path, value *out) {
    size_t at = 0;
    int64_t index;
    while (at < path.n && path.p[at] != '.' && path.p[at] != '[') at++;
    TRY(first_value(b, str_slice(path, 0, at), out));
    while (at < path.n) {
        bool item = path.p[at++] == '[';
        size_t from = at;
        while (at < path.n && (item ? path.p[at] != ']' : path.p[at] != '.' && path.p[at] != '['))
            at++;
        str part = str_slice(path, from, at);
        if (!part.n || (item && at == path.n))
            return fail_format(b->run, E_INPUT, "not understood", path);
        if (item && ++at < path.n && path.p[at] != '.' && path.p[at] != '[')
            return fail_format(b->run, E_INPUT, "not understood", path);
        if (!item)
            TRY(eval_attribute(b->run, *out, part, out));
        else
            TRY(eval_item(
                b->run, *out,
                str_to_int(part, &index) ? value_int(index, false) : value_text(part, false), out));
    }
    return E_OK;
}

static err one_field(braces *b, str field, value *out) {
    size_t colon = 0;
    while (colon < field.n && field.p[colon] != ':' && field.p[colon] != '!') {
        bool item = field.p[colon] == '[';
        while (item && colon < field.n && field.p[colon] != ']') colon++;
        if (colon < field.n) colon++;
    }
    str path = str_slice(field, 0, colon), rest = str_slice(field, colon, field.n);
    TRY(field_value(b, path, out));
    if (str_starts(rest, STR("!"))) {
        bool repr = str_starts(rest, STR("!r")), text = str_starts(rest, STR("!s"));
        if (!repr && !text) return fail_format(b->run, E_UNSUPPORTED, "not supported", field);
        TRY(repr ? print_to_text(b->run, *out, out) : value_to_text(b->run, *out, out));
        rest = str_slice(rest, 2, rest.n);
    }
    if (rest.n && rest.p[0] != ':') return fail_format(b->run, E_INPUT, "not understood", field);
    return format_value(b->run, *out, str_slice(rest, 1, rest.n), out);
}

/* Where the field that begins behind "{" ends; STR_INDEX_NONE when it does not. */
static size_t field_end(str s, size_t at) {
    for (bool item = false; at < s.n; at++) {
        if (s.p[at] == '[') item = true;
        if (s.p[at] == ']') item = false;
        if (s.p[at] == '}' && !item) return at;
    }
    return STR_INDEX_NONE;
}

static value as_outside_as(value v, value text, size_t from, size_t to) {
    return text_is_outside(value_slice(text, from, to)) ? value_text(value_str(v), true) : v;
}

err format_braces(run *r, value text, const call_args *args, value *out) {
    braces b = {.run = r, .args = args};
    value_list parts = {0};
    str s = value_str(text);
    size_t from = 0;
    TRY(run_charge(r, s.n));
    for (size_t at = 0; at < s.n; at++) {
        char c = s.p[at];
        if (c != '{' && c != '}') continue;
        TRY(value_push(r, &parts, value_slice(text, from, at)));
        if (at + 1 < s.n && s.p[at + 1] == c) {
            from = ++at; /* a doubled brace is one */
            continue;
        }
        size_t close = c == '{' ? field_end(s, at + 1) : STR_INDEX_NONE;
        if (close == STR_INDEX_NONE) return run_fail(r, E_INPUT, "a lone brace in a format");
        str field = str_slice(s, at + 1, close);
        value v;
        if (str_find_char(field, '{') != STR_INDEX_NONE)
            return fail_format(r, E_UNSUPPORTED, "fields inside fields are not supported", field);
        TRY(one_field(&b, field, &v));
        TRY(value_push(r, &parts, as_outside_as(v, text, at, close + 1)));
        at = close;
        from = close + 1;
    }
    TRY(value_push(r, &parts, value_slice(text, from, s.n)));
    return value_concat(r, parts.items, parts.n, out);
}

/* ---- text % values ----------------------------------------------------------------------------
 */

typedef struct percent {
    run *run;
    str text;
    value values;
    size_t at, used; /* in the text; of a tuple's items */
} percent;

static err next_value(percent *p, str name, value *out) {
    bool tuple = value_is_list(p->values, SHAPE_TUPLE);
    if (name.p) {
        if (p->values.kind != VALUE_MAP) return run_fail(p->run, E_INPUT, "%% needs a map");
        const value *found = value_find(p->values, value_text(name, false));
        if (!found) return fail_format(p->run, E_INPUT, "no such value", name);
        *out = *found;
        return E_OK;
    }
    if (p->used >= (tuple ? p->values.as.list.n : 1))
        return run_fail(p->run, E_INPUT, "%% has not enough values");
    *out = tuple ? p->values.as.list.items[p->used] : p->values;
    p->used++;
    return E_OK;
}

/* (name)flags width .precision type; stands behind "%". */
static err read_percent(percent *p, spec *s, str *name) {
    str t = p->text;
    size_t from = p->at;
    bool left = false, zero = false;
    *s = (spec){.fill = STR(" "), .precision = -1};
    *name = STR_NONE;
    if (p->at < t.n && t.p[p->at] == '(') {
        size_t close = str_find_char(str_slice(t, p->at, t.n), ')');
        if (close == STR_INDEX_NONE) return fail_format(p->run, E_INPUT, "a lone (", t);
        *name = str_slice(t, p->at + 1, p->at + close);
        p->at += close + 1;
    }
    for (; p->at < t.n && t.p[p->at] && strchr("-+ 0", t.p[p->at]); p->at++) {
        char c = t.p[p->at];
        left = left || c == '-';
        zero = zero || c == '0';
        if (c == '+' || (c == ' ' && !s->sign)) s->sign = c;
    }
    TRY(read_number(p->run, t, &p->at, WIDTH_MAX, &s->width));
    if (p->at < t.n && t.p[p->at] == '.') {
        p->at++;
        TRY(read_number(p->run, t, &p->at, WIDTH_MAX, &s->precision));
        if (s->precision < 0) s->precision = 0;
    }
    while (p->at < t.n && t.p[p->at] && strchr("hlL", t.p[p->at])) p->at++;
    if (p->at >= t.n) return fail_format(p->run, E_INPUT, "a lone %", str_slice(t, from, t.n));
    s->type = t.p[p->at++];
    s->align = left ? '<' : zero ? '=' : '>';
    if (zero && !left) s->fill = STR("0");
    if (strchr("#*acu", s->type))
        return fail_format(p->run, E_UNSUPPORTED, "not supported", str_slice(t, from, p->at));
    return E_OK;
}

static err percent_number(run *r, spec *s, value v, value *out) {
    bool whole = v.kind == VALUE_INT || v.kind == VALUE_BOOL,
         hexadecimal = s->type && strchr("xXo", s->type);
    if (v.kind == VALUE_BIG) return run_fail(r, E_UNSUPPORTED, "a number beyond 64 bits");
    if (!value_is_number(v) || (hexadecimal && !whole))
        return run_fail(r, E_INPUT, "%%%c does not fit %s", s->type, value_kind_name(v));
    if (!strchr("dixXo", s->type)) return format_real(r, s, v, out);
    if (v.kind == VALUE_BOOL) v = value_int(v.as.boolean, v.outside);
    if (v.kind == VALUE_FLOAT) {
        if (!isfinite(v.as.number)) return run_fail(r, E_INPUT, "no whole number");
        if (!(fabs(v.as.number) < 9e18)) return run_fail(r, E_UNSUPPORTED, "beyond 64 bits");
        v = value_int((int64_t)v.as.number, v.outside);
    }
    if (s->precision >= 0)
        return run_fail(r, E_UNSUPPORTED, "a precision of whole numbers is not supported");
    return format_whole(r, s, v, out);
}

static err percent_value(percent *p, spec *s, str name, value *out) {
    value v;
    TRY(next_value(p, name, &v));
    if (s->type == 's' || s->type == 'r') {
        TRY(s->type == 'r' ? print_to_text(p->run, v, &v) : value_to_text(p->run, v, &v));
        if (s->align == '=') s->align = '>';
        if (s->align == '>') s->fill = STR(" ");
        return format_text(p->run, s, v, out);
    }
    if (strchr("dixXoeEfFgG", s->type)) return percent_number(p->run, s, v, out);
    return run_fail(p->run, E_INPUT, "%%%c is no format", s->type);
}

err format_percent(run *r, value text, value values, value *out) {
    percent p = {.run = r, .text = value_str(text), .values = values};
    value_list parts = {0};
    TRY(run_charge(r, p.text.n));
    if (text.markup) return run_fail(r, E_UNSUPPORTED, "%% behind `safe` is not supported");
    while (p.at < p.text.n) {
        size_t hit = str_find_char(str_slice(p.text, p.at, p.text.n), '%'), from = p.at;
        size_t sign = hit == STR_INDEX_NONE ? p.text.n : from + hit;
        TRY(value_push(r, &parts, value_slice(text, from, sign)));
        p.at = sign + 1;
        if (sign == p.text.n) break;
        spec s;
        str name;
        value v = value_slice(text, sign, sign + 1);
        TRY(read_percent(&p, &s, &name));
        if (s.type != '%') TRY(percent_value(&p, &s, name, &v));
        TRY(value_push(r, &parts, as_outside_as(v, text, sign, p.at < p.text.n ? p.at : p.text.n)));
    }
    bool tuple = value_is_list(values, SHAPE_TUPLE);
    bool lenient = values.kind == VALUE_MAP || values.kind == VALUE_UNDEFINED ||
                   (values.kind == VALUE_LIST && values.shape <= SHAPE_RANGE && !tuple);
    if (!lenient && p.used < (tuple ? values.as.list.n : 1))
        return run_fail(r, E_INPUT, "%% has more values than places");
    return value_concat(r, parts.items, parts.n, out);
}

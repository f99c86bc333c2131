/* template_print.c - values as Python prints them: str(), repr() and json.dumps(); see
 * template_int.h. A printed list or map is untrusted when anything in it is. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { PRINT_DEPTH_MAX = 256 };

/* repr(float): the shortest digits that read back; an exponent below 1e-4 and from 1e16 on. */
void print_float(buf *b, double v) {
    char text[40] = "";
    if (!isfinite(v)) {
        buf_put_z(b, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    int digits = 0;
    for (; digits <= 16; digits++) {
        snprintf(text, sizeof text, "%.*e", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        *strchr(text, 'e') = 0;
        buf_printf(b, "%se%c%02d", text, exponent < 0 ? '-' : '+', abs(exponent));
    } else {
        int decimals = digits - exponent;
        buf_printf(b, "%.*f", decimals > 1 ? decimals : 1, v);
    }
}

err print_take(run *r, buf *b, bool outside, err e, value *out) {
    str kept = STR_NONE;
    bool too_large = b->too_large;
    if (e == E_OK && !b->failed) kept = arena_str(r->arena, buf_str(b));
    buf_deinit(b);
    if (e != E_OK) return e;
    if (!kept.p && too_large) return run_too_large(r);
    if (!kept.p) return run_no_memory(r);
    *out = value_text(kept, outside);
    return E_OK;
}

static bool python_printable(int32_t c) {
    if (c == ' ') return true;
    utf8proc_category_t k = utf8proc_category(c);
    return !(k == UTF8PROC_CATEGORY_CN || k >= UTF8PROC_CATEGORY_ZS);
}

static void repr_char(buf *b, int32_t c, char quote) {
    if (c == quote || c == '\\')
        buf_printf(b, "\\%c", (char)c);
    else if (c == '\n' || c == '\r' || c == '\t')
        buf_put_z(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
    else if (python_printable(c))
        utf8_put(b, (uint32_t)c);
    else
        buf_printf(b, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
}

static void repr_text(buf *b, str s) {
    bool single = str_find_char(s, '\'') != STR_INDEX_NONE;
    char quote = single && str_find_char(s, '"') == STR_INDEX_NONE ? '"' : '\'';
    buf_put_char(b, quote);
    for (size_t at = 0; at < s.n;) repr_char(b, utf8_walk(s, &at), quote);
    buf_put_char(b, quote);
}

static bool touches_outside(value v) {
    return v.outside || (v.kind == VALUE_TEXT && v.as.text.marks);
}

static err print_enter(run *r, const buf *b, value v, int depth) {
    TRY(run_charge(r, v.kind == VALUE_TEXT ? v.as.text.n * 16 : 0));
    if (depth > PRINT_DEPTH_MAX)
        return run_fail(r, E_TOO_LARGE, "a value nested too deep to be printed");
    if (b->n > r->bytes_max || b->too_large)
        return run_fail(r, E_TOO_LARGE, "a value too long to be printed");
    return E_OK;
}

static const char *const list_marks[][2] = {[SHAPE_LIST] = {"[", "]"},
                                            [SHAPE_TUPLE] = {"(", ")"},
                                            [SHAPE_KEYS] = {"dict_keys([", "])"},
                                            [SHAPE_VALUES] = {"dict_values([", "])"},
                                            [SHAPE_ITEMS] = {"dict_items([", "])"}};

static err repr_list(run *r, buf *b, value v, bool *outside, int depth) {
    if (v.shape == SHAPE_RANGE || v.shape == SHAPE_STREAM)
        return run_fail(r, E_UNSUPPORTED, "writing out %s is not supported", value_kind_name(v));
    buf_put_z(b, list_marks[v.shape][0]);
    for (size_t i = 0; i < v.as.list.n; i++) {
        if (i) buf_put(b, STR(", "));
        TRY(print_repr(r, b, v.as.list.items[i], outside, depth + 1));
    }
    if (v.shape == SHAPE_TUPLE && v.as.list.n == 1) buf_put_char(b, ',');
    buf_put_z(b, list_marks[v.shape][1]);
    return E_OK;
}

static err repr_map(run *r, buf *b, value v, bool *outside, int depth) {
    buf_put_char(b, '{');
    for (size_t i = 0; i < v.as.map.n; i++) {
        if (i) buf_put(b, STR(", "));
        TRY(print_repr(r, b, v.as.map.pairs[i].key, outside, depth + 1));
        buf_put(b, STR(": "));
        TRY(print_repr(r, b, v.as.map.pairs[i].value, outside, depth + 1));
    }
    buf_put_char(b, '}');
    return E_OK;
}

err print_repr(run *r, buf *b, value v, bool *outside, int depth) {
    TRY(print_enter(r, b, v, depth));
    *outside = *outside || touches_outside(v);
    switch (v.kind) {
    case VALUE_UNDEFINED: buf_put(b, STR("Undefined")); return E_OK;
    case VALUE_NONE: buf_put(b, STR("None")); return E_OK;
    case VALUE_BOOL: buf_put_z(b, v.as.boolean ? "True" : "False"); return E_OK;
    case VALUE_INT: buf_printf(b, "%lld", (long long)v.as.integer); return E_OK;
    case VALUE_BIG: buf_put(b, v.as.name); return E_OK;
    case VALUE_FLOAT: print_float(b, v.as.number); return E_OK;
    case VALUE_TEXT:
        if (v.markup)
            return run_fail(r, E_UNSUPPORTED, "writing out what went through `safe`, in quotes");
        repr_text(b, value_str(v));
        return E_OK;
    case VALUE_LIST: return repr_list(r, b, v, outside, depth);
    case VALUE_MAP: return repr_map(r, b, v, outside, depth);
    default:
        return run_fail(r, E_UNSUPPORTED, "writing out %s is not supported", value_kind_name(v));
    }
}

err print_to_text(run *r, value v, value *out) {
    buf b = {.bytes_max = r->bytes_max};
    bool outside = touches_outside(v);
    err e = print_repr(r, &b, v, &outside, 0);
    return print_take(r, &b, outside, e, out);
}

err value_to_text(run *r, value v, value *out) {
    switch (v.kind) {
    case VALUE_TEXT: *out = v; return E_OK;
    case VALUE_UNDEFINED: *out = value_text(STR(""), false); return E_OK;
    default: return print_to_text(r, v, out);
    }
}

/* ---- json.dumps -------------------------------------------------------------------------------
 */

static void json_char(buf *b, int32_t c, bool ascii) {
    static const char names[] = "btn?fr"; /* \b is 8 */
    if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", (char)c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_printf(b, "\\%c", names[c - 8]);
    else if (c < 0x20 || (ascii && c >= 0x7F && c < 0x10000 && c != 0x7F))
        buf_printf(b, "\\u%04x", (unsigned)c);
    else if (ascii && c >= 0x10000)
        buf_printf(b, "\\u%04x\\u%04x", 0xD800 + ((unsigned)(c - 0x10000) >> 10),
                   0xDC00 + ((unsigned)(c - 0x10000) & 0x3FF));
    else
        utf8_put(b, (uint32_t)c);
}

static void json_text(buf *b, str s, bool ascii) {
    buf_put_char(b, '"');
    for (size_t at = 0; at < s.n;) {
        int32_t c = utf8_walk(s, &at);
        json_char(b, c < 0 ? UTF8_REPLACEMENT : c, ascii);
    }
    buf_put_char(b, '"');
}

static void json_line(buf *b, const json_style *s, int depth) {
    if (s->indent < 0) return;
    buf_put_char(b, '\n');
    for (int i = 0; i < s->indent * depth; i++) buf_put_char(b, ' ');
}

static err json_list(run *r, buf *b, value v, const json_style *s, bool *outside, int depth) {
    buf_put_char(b, '[');
    for (size_t i = 0; i < v.as.list.n; i++) {
        if (i) buf_put(b, s->item_separator);
        json_line(b, s, depth + 1);
        TRY(print_json(r, b, v.as.list.items[i], s, outside, depth + 1));
    }
    if (v.as.list.n) json_line(b, s, depth);
    buf_put_char(b, ']');
    return E_OK;
}

static int compare_pairs(const void *a, const void *b) {
    value x = ((const pair *)a)->key, y = ((const pair *)b)->key;
    return str_compare(value_str(x), value_str(y));
}

/* The pairs in order of their keys, which must be texts; json.dumps refuses a mixture as well. */
static err sorted_pairs(run *r, value v, const pair **out) {
    pair *pairs = arena_new_n(r->arena, pair, v.as.map.n);
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i < v.as.map.n; i++) {
        if (v.as.map.pairs[i].key.kind != VALUE_TEXT)
            return run_fail(r, E_UNSUPPORTED, "sorting keys that are no texts is not supported");
        pairs[i] = v.as.map.pairs[i];
    }
    if (v.as.map.n) qsort(pairs, v.as.map.n, sizeof *pairs, compare_pairs);
    *out = pairs;
    return E_OK;
}

static err json_member_name(run *r, buf *b, value key, bool ascii) {
    bool text = key.kind == VALUE_TEXT, outside = false;
    if (text) {
        json_text(b, value_str(key), ascii);
        return E_OK;
    }
    if (key.kind != VALUE_NONE && !value_is_number(key))
        return run_fail(r, E_INPUT, "%s cannot be a key in JSON", value_kind_name(key));
    buf_put_char(b, '"');
    TRY(print_json(r, b, key, &(json_style){.indent = -1}, &outside, 0));
    buf_put_char(b, '"');
    return E_OK;
}

static err json_map(run *r, buf *b, value v, const json_style *s, bool *outside, int depth) {
    const pair *pairs = v.as.map.pairs;
    if (s->sort_keys) TRY(sorted_pairs(r, v, &pairs));
    buf_put_char(b, '{');
    for (size_t i = 0; i < v.as.map.n; i++) {
        value key = pairs[i].key;
        if (i) buf_put(b, s->item_separator);
        json_line(b, s, depth + 1);
        *outside = *outside || touches_outside(key);
        TRY(json_member_name(r, b, key, s->ascii));
        buf_put(b, s->key_separator);
        TRY(print_json(r, b, pairs[i].value, s, outside, depth + 1));
    }
    if (v.as.map.n) json_line(b, s, depth);
    buf_put_char(b, '}');
    return E_OK;
}

static void json_float(buf *b, double v) {
    if (isfinite(v))
        print_float(b, v);
    else
        buf_put_z(b, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
}

err print_json(run *r, buf *b, value v, const json_style *s, bool *outside, int depth) {
    TRY(print_enter(r, b, v, depth));
    *outside = *outside || touches_outside(v);
    switch (v.kind) {
    case VALUE_NONE: buf_put(b, STR("null")); return E_OK;
    case VALUE_BOOL: buf_put_z(b, v.as.boolean ? "true" : "false"); return E_OK;
    case VALUE_INT: buf_printf(b, "%lld", (long long)v.as.integer); return E_OK;
    case VALUE_BIG: buf_put(b, v.as.name); return E_OK;
    case VALUE_FLOAT: json_float(b, v.as.number); return E_OK;
    case VALUE_TEXT: json_text(b, value_str(v), s->ascii); return E_OK;
    case VALUE_LIST:
        if (v.shape <= SHAPE_TUPLE) return json_list(r, b, v, s, outside, depth);
        break;
    case VALUE_MAP: return json_map(r, b, v, s, outside, depth);
    default: break;
    }
    return run_fail(r, E_INPUT, "%s cannot be written as JSON", value_kind_name(v));
}

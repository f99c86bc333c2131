/* template_text.c - Python's operations on texts, each keeping where its bytes come from; see
 * template_int.h. What is put into the middle of an outside text (by replace, indent, join of its
 * pieces) is outside too: who wrote that text chose the place. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <string.h>

bool text_is_space(int32_t c) {
    return utf8_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

bool text_is_outside(value text) {
    const unsigned char *marks = text.as.text.marks;
    return marks ? memchr(marks, 1, text.as.text.n) != NULL : text.outside;
}

/* What takes the place of, or stands within, a text that may be outside. */
static value put_within(value new, value text) {
    return text_is_outside(text) ? value_text(value_str(new), true) : new;
}

static bool strips(int32_t c, const value *characters) {
    if (!characters) return text_is_space(c);
    for (size_t at = 0; at < characters->as.text.n;)
        if (utf8_walk(value_str(*characters), &at) == c) return true;
    return false;
}

static size_t char_before(str s, size_t end) {
    size_t start = end - 1;
    while (start > 0 && end - start < 4 && ((unsigned char)s.p[start] & 0xC0) == 0x80) start--;
    return start;
}

value text_strip(value text, strip_side side, const value *characters) {
    str s = value_str(text);
    size_t from = 0, to = s.n;
    while ((side & STRIP_LEFT) && from < to) {
        size_t at = from;
        if (!strips(utf8_walk(s, &at), characters)) break;
        from = at;
    }
    while ((side & STRIP_RIGHT) && to > from) {
        size_t start = char_before(s, to), at = start;
        if (!strips(utf8_walk((str){s.p, to}, &at), characters)) break;
        to = start;
    }
    return value_slice(text, from, to);
}

static err concat_list(run *r, const value_list *l, value *out) {
    return value_concat(r, l->items, l->n, out);
}

/* Python puts `new` before each character and at the end when `old` is empty. */
static err replace_nothing(run *r, value text, value new, int64_t most, value *out) {
    value_list parts = {0};
    size_t at = 0;
    for (int64_t i = 0; most < 0 || i < most; i++) {
        size_t from = at;
        bool last = at >= text.as.text.n;
        if (!last) utf8_walk(value_str(text), &at);
        TRY(value_push(r, &parts,
                       put_within(new, value_slice(text, last && at ? at - 1 : from, at))));
        if (last) break;
        TRY(value_push(r, &parts, value_slice(text, from, at)));
    }
    TRY(value_push(r, &parts, value_slice(text, at, text.as.text.n)));
    return concat_list(r, &parts, out);
}

err text_replace(run *r, value text, value old, value new, int64_t most, value *out) {
    value_list parts = {0};
    size_t at = 0;
    TRY(run_charge(r, text.as.text.n));
    if (old.as.text.n == 0) return replace_nothing(r, text, new, most, out);
    for (int64_t i = 0; most < 0 || i < most; i++) {
        size_t hit = str_find(str_slice(value_str(text), at, text.as.text.n), value_str(old));
        if (hit == STR_INDEX_NONE) break;
        size_t end = at + hit + old.as.text.n;
        TRY(value_push(r, &parts, value_slice(text, at, at + hit)));
        TRY(value_push(r, &parts, put_within(new, value_slice(text, at + hit, end))));
        at = end;
    }
    TRY(value_push(r, &parts, value_slice(text, at, text.as.text.n)));
    return concat_list(r, &parts, out);
}

static err split_spaces(run *r, value text, int64_t most, value_list *parts) {
    text = text_strip(text, STRIP_LEFT, NULL);
    str s = value_str(text);
    size_t at = 0;
    while (at < s.n) {
        size_t from = at, end = at;
        if (most >= 0 && (int64_t)parts->n >= most)
            return value_push(r, parts, value_slice(text, at, s.n));
        while (at < s.n && !text_is_space(utf8_walk(s, &at))) end = at;
        TRY(value_push(r, parts, value_slice(text, from, end)));
        at = end;
        for (size_t next = at; at < s.n && text_is_space(utf8_walk(s, &next));) at = next;
    }
    return E_OK;
}

static err split_by(run *r, value text, value separator, int64_t most, value_list *parts) {
    size_t at = 0;
    while (most < 0 || (int64_t)parts->n < most) {
        size_t hit = str_find(str_slice(value_str(text), at, text.as.text.n), value_str(separator));
        if (hit == STR_INDEX_NONE) break;
        TRY(value_push(r, parts, value_slice(text, at, at + hit)));
        at += hit + separator.as.text.n;
    }
    return value_push(r, parts, value_slice(text, at, text.as.text.n));
}

/* From the right; the parts come last first. */
static err split_spaces_back(run *r, value text, int64_t most, value_list *parts) {
    text = text_strip(text, STRIP_RIGHT, NULL);
    str s = value_str(text);
    while (s.n) {
        if (most >= 0 && (int64_t)parts->n >= most)
            return value_push(r, parts, value_slice(text, 0, s.n));
        size_t from = s.n, at;
        while (from > 0) {
            size_t start = at = char_before(s, from);
            if (text_is_space(utf8_walk(s, &at))) break;
            from = start;
        }
        TRY(value_push(r, parts, value_slice(text, from, s.n)));
        s.n = text_strip(value_slice(text, 0, from), STRIP_RIGHT, NULL).as.text.n;
    }
    return E_OK;
}

static err split_back_by(run *r, value text, value separator, int64_t most, value_list *parts) {
    size_t end = text.as.text.n, n = separator.as.text.n;
    while (most < 0 || (int64_t)parts->n < most) {
        size_t at = end;
        while (at >= n && memcmp(text.as.text.p + at - n, separator.as.text.p, n) != 0) at--;
        if (at < n) break;
        TRY(value_push(r, parts, value_slice(text, at, end)));
        end = at - n;
    }
    return value_push(r, parts, value_slice(text, 0, end));
}

static void turn_round(value_list *l) {
    for (size_t i = 0, k = l->n; i + 1 < k; i++) {
        value other = l->items[--k];
        l->items[k] = l->items[i];
        l->items[i] = other;
    }
}

err text_split(run *r, value text, const value *separator, int64_t most, bool back, value *out) {
    value_list parts = {0};
    TRY(run_charge(r, text.as.text.n));
    if (separator && separator->as.text.n == 0)
        return run_fail(r, E_INPUT, "split by an empty text");
    if (back) {
        TRY(run_charge(r, separator ? text.as.text.n * 16 : 0));
        TRY(separator ? split_back_by(r, text, *separator, most, &parts)
                      : split_spaces_back(r, text, most, &parts));
        turn_round(&parts);
    } else {
        TRY(separator ? split_by(r, text, *separator, most, &parts)
                      : split_spaces(r, text, most, &parts));
    }
    TRY(value_take_list(r, &parts, SHAPE_LIST, text.outside, out));
    out->cut = text_is_outside(text);
    return E_OK;
}

static bool line_end(int32_t c) {
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

/* splitlines() */
err text_lines(run *r, value text, bool keep_ends, value_list *out) {
    str s = value_str(text);
    size_t from = 0, at = 0;
    *out = (value_list){0};
    TRY(run_charge(r, s.n * 16));
    while (at < s.n) {
        size_t before = at;
        int32_t c = utf8_walk(s, &at);
        if (!line_end(c)) continue;
        if (c == '\r' && at < s.n && s.p[at] == '\n') at++;
        TRY(value_push(r, out, value_slice(text, from, keep_ends ? at : before)));
        from = at;
    }
    return from < s.n ? value_push(r, out, value_slice(text, from, s.n)) : E_OK;
}

err text_join(run *r, value separator, const value_list *items, value *out) {
    value_list parts = {0};
    for (size_t i = 0; i < items->n; i++) {
        value text;
        TRY(run_charge(r, 0));
        if (i) TRY(value_push(r, &parts, separator));
        TRY(value_to_text(r, items->items[i], &text));
        TRY(value_push(r, &parts, text));
    }
    return concat_list(r, &parts, out);
}

/* Jinja's indent(): all lines but the first, and empty ones, unless told otherwise. */
err text_indent(run *r, value text, value by, bool first, bool blank, value *out) {
    value_list lines, parts = {0};
    value whole, newline = value_text(STR("\n"), false), both[2] = {text, newline};
    TRY(value_concat(r, both, 2, &whole));
    TRY(text_lines(r, whole, false, &lines));
    by = put_within(by, text);
    for (size_t i = 0; i < lines.n; i++) {
        bool indented = i > 0 ? lines.items[i].as.text.n > 0 || blank : first;
        if (i) TRY(value_push(r, &parts, newline));
        if (indented) TRY(value_push(r, &parts, by));
        TRY(value_push(r, &parts, lines.items[i]));
    }
    return concat_list(r, &parts, out);
}

err text_repeat(run *r, value text, int64_t times, value *out) {
    size_t n = text.as.text.n, count = times > 0 ? (size_t)times : 0;
    if (count && n > r->bytes_max / count)
        return run_fail(r, E_TOO_LARGE, "a text repeated %lld times is too long", (long long)times);
    TRY(run_charge(r, n * count));
    bool mixed = text.as.text.marks != NULL;
    char *p = arena_alloc(r->arena, n * count + 1);
    unsigned char *marks = mixed ? arena_alloc(r->arena, n * count + 1) : NULL;
    if (!p || (mixed && !marks)) return run_no_memory(r);
    for (size_t i = 0; n && i < count; i++) memcpy(p + i * n, text.as.text.p, n);
    for (size_t i = 0; mixed && i < count; i++) memcpy(marks + i * n, text.as.text.marks, n);
    *out = value_text((str){p, n * count}, text.outside);
    out->as.text.marks = marks;
    return E_OK;
}

err text_pad(run *r, value text, int64_t width, value fill, pad_side side, value *out) {
    value parts[3] = {value_text(STR(""), false), text, value_text(STR(""), false)};
    int64_t missing = width - (int64_t)utf8_count(value_str(text));
    if (utf8_count(value_str(fill)) != 1)
        return run_fail(r, E_INPUT, "a text is filled up by one character");
    if (missing < 0) missing = 0;
    int64_t left = side == PAD_LEFT    ? missing
                   : side == PAD_RIGHT ? 0
                                       : missing / 2 + (missing & width & 1);
    TRY(text_repeat(r, put_within(fill, text), left, &parts[0]));
    TRY(text_repeat(r, put_within(fill, text), missing - left, &parts[2]));
    return value_concat(r, parts, 3, out);
}

/* Markup's escapes. */
err text_escape(run *r, value text, value *out) {
    static const char *const pairs[][2] = {
        {"&", "&amp;"}, {">", "&gt;"}, {"<", "&lt;"}, {"'", "&#39;"}, {"\"", "&#34;"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        TRY(text_replace(r, text, value_text(str_from(pairs[i][0]), false),
                         value_text(str_from(pairs[i][1]), false), -1, &text));
    text.markup = true;
    *out = text;
    return E_OK;
}

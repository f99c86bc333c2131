/* template_text.c - Python's operations on texts, each keeping where its bytes come from; see
 * template_int.h. Case changes are one character to one (Python's upper() of U+00DF is "SS", ours
 * is U+00DF). */
#include "text/template_int.h"

#include "text/utf8.h"

#include <string.h>

static bool python_space(int32_t c) {
    return utf8_is_space(c) || (c >= 0x1C && c <= 0x1F);
}

static bool strips(int32_t c, const value *characters) {
    if (!characters) return python_space(c);
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
        TRY(value_push(r, &parts, new));
        if (at >= text.as.text.n) break;
        utf8_walk(value_str(text), &at);
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
        TRY(value_push(r, &parts, value_slice(text, at, at + hit)));
        TRY(value_push(r, &parts, new));
        at += hit + old.as.text.n;
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
        if (most >= 0 && (int64_t)parts->n >= most) {
            value rest = value_slice(text, at, s.n);
            return value_push(r, parts, text_strip(rest, STRIP_RIGHT, NULL));
        }
        while (at < s.n && !python_space(utf8_walk(s, &at))) end = at;
        TRY(value_push(r, parts, value_slice(text, from, end)));
        at = end;
        for (size_t next = at; at < s.n && python_space(utf8_walk(s, &next));) at = next;
    }
    return E_OK;
}

err text_split(run *r, value text, const value *separator, int64_t most, value *out) {
    value_list parts = {0};
    size_t at = 0;
    TRY(run_charge(r, text.as.text.n));
    if (separator && separator->as.text.n == 0)
        return run_fail(r, E_INPUT, "split by an empty text");
    if (!separator) {
        TRY(split_spaces(r, text, most, &parts));
        *out = value_list_of(&parts, text.outside);
        return E_OK;
    }
    while (most < 0 || (int64_t)parts.n < most) {
        size_t hit =
            str_find(str_slice(value_str(text), at, text.as.text.n), value_str(*separator));
        if (hit == STR_INDEX_NONE) break;
        TRY(value_push(r, &parts, value_slice(text, at, at + hit)));
        at += hit + separator->as.text.n;
    }
    TRY(value_push(r, &parts, value_slice(text, at, text.as.text.n)));
    *out = value_list_of(&parts, text.outside);
    return E_OK;
}

static bool line_end(int32_t c) {
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

/* splitlines() */
err text_lines(run *r, value text, value_list *out) {
    str s = value_str(text);
    size_t from = 0, at = 0;
    *out = (value_list){0};
    TRY(run_charge(r, s.n));
    while (at < s.n) {
        size_t before = at;
        int32_t c = utf8_walk(s, &at);
        if (!line_end(c)) continue;
        TRY(value_push(r, out, value_slice(text, from, before)));
        if (c == '\r' && at < s.n && s.p[at] == '\n') at++;
        from = at;
    }
    return from < s.n ? value_push(r, out, value_slice(text, from, s.n)) : E_OK;
}

/* One character to one; how many bytes it takes may change. */
static err map_characters(run *r, value text, int32_t (*map)(void *, int32_t), void *self,
                          value *out) {
    str s = value_str(text);
    TRY(run_charge(r, s.n * 4));
    if (s.n > TEMPLATE_MEMORY_BYTES_MAX / 4) return run_no_memory(r);
    char *p = arena_alloc(r->arena, s.n * 3 + 4);
    unsigned char *marks = text.as.text.marks ? arena_alloc(r->arena, s.n * 3 + 4) : NULL;
    if (!p || (text.as.text.marks && !marks)) return run_no_memory(r);
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        size_t from = at, wrote = utf8_encode(p + n, map(self, utf8_walk(s, &at)));
        if (marks) memset(marks + n, text.as.text.marks[from], wrote);
        n += wrote;
    }
    *out = value_text((str){p, n}, text.outside);
    out->as.text.marks = marks;
    return E_OK;
}

static int32_t to_upper(void *self, int32_t c) {
    (void)self;
    return utf8_char_upper(c);
}
static int32_t to_lower(void *self, int32_t c) {
    (void)self;
    return utf8_char_lower(c);
}

err text_case(run *r, value text, bool upper, value *out) {
    return map_characters(r, text, upper ? to_upper : to_lower, NULL, out);
}

typedef struct caser {
    bool title, inside; /* inside a word */
} caser;

static int32_t to_capital(void *self, int32_t c) {
    caser *s = self;
    bool first = !s->inside;
    s->inside = !s->title || utf8_is_letter(c);
    return first ? utf8_char_upper(c) : utf8_char_lower(c);
}

err text_capitalize(run *r, value text, bool title, value *out) {
    caser s = {.title = title};
    return map_characters(r, text, to_capital, &s, out);
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
    TRY(text_lines(r, whole, &lines));
    for (size_t i = 0; i < lines.n; i++) {
        bool indented = i > 0 ? lines.items[i].as.text.n > 0 || blank : first;
        if (i) TRY(value_push(r, &parts, newline));
        if (indented) TRY(value_push(r, &parts, by));
        TRY(value_push(r, &parts, lines.items[i]));
    }
    return concat_list(r, &parts, out);
}

err text_repeat(run *r, value text, int64_t times, value *out) {
    value_list parts = {0};
    if (times > 0 && text.as.text.n > (size_t)TEMPLATE_OUTPUT_BYTES_MAX / (size_t)times)
        return run_fail(r, E_TOO_LARGE, "a text repeated %lld times is too long", (long long)times);
    for (int64_t i = 0; text.as.text.n && i < times; i++) {
        TRY(run_charge(r, 0));
        TRY(value_push(r, &parts, text));
    }
    return concat_list(r, &parts, out);
}

/* The field "{...}" of a format text: nothing, a position or a name. */
static err format_field(run *r, str field, const call_args *args, size_t *next, value *out) {
    int64_t position = 0;
    const value *v = NULL;
    for (size_t i = 0; i < field.n; i++)
        if (strchr(":!.[{", field.p[i]))
            return run_fail(r, E_UNSUPPORTED, "the format field {%.*s} is not supported",
                            STR_ARG(str_slice(field, 0, 40)));
    if (field.n == 0)
        position = (int64_t)(*next)++;
    else if (!str_to_int(field, &position))
        position = -1;
    for (size_t i = 0; i < args->n; i++) {
        bool named = args->names[i].p != NULL;
        if (position < 0 ? named && str_eq(args->names[i], field)
                         : !named && (int64_t)i == position)
            v = &args->items[i];
    }
    if (!v)
        return run_fail(r, E_INPUT, "format has no value for {%.*s}",
                        STR_ARG(str_slice(field, 0, 40)));
    return value_to_text(r, *v, out);
}

err text_format(run *r, value text, const call_args *args, value *out) {
    value_list parts = {0};
    str s = value_str(text);
    size_t next = 0, from = 0;
    TRY(run_charge(r, s.n));
    for (size_t at = 0; at < s.n; at++) {
        char c = s.p[at];
        if (c != '{' && c != '}') continue;
        TRY(value_push(r, &parts, value_slice(text, from, at)));
        if (at + 1 < s.n && s.p[at + 1] == c) {
            from = ++at; /* a doubled brace is one */
            continue;
        }
        size_t close = str_find_char(str_slice(s, at, s.n), '}');
        if (c == '}' || close == STR_INDEX_NONE)
            return run_fail(r, E_INPUT, "a lone brace in a format");
        value field;
        TRY(format_field(r, str_slice(s, at + 1, at + close), args, &next, &field));
        TRY(value_push(r, &parts, field));
        at += close;
        from = at + 1;
    }
    TRY(value_push(r, &parts, value_slice(text, from, s.n)));
    return concat_list(r, &parts, out);
}

/* Markup's escapes. */
err text_escape(run *r, value text, value *out) {
    static const char *const pairs[][2] = {
        {"&", "&amp;"}, {">", "&gt;"}, {"<", "&lt;"}, {"'", "&#39;"}, {"\"", "&#34;"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        TRY(text_replace(r, text, value_text(str_from(pairs[i][0]), false),
                         value_text(str_from(pairs[i][1]), text.outside), -1, &text));
    text.markup = true;
    *out = text;
    return E_OK;
}

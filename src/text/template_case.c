/* template_case.c - upper, lower and title case of texts as Python has them, each byte keeping
 * where it comes from; see template_int.h. Python uses Unicode's full mappings. Here: the simple
 * ones, sharp s, dotted I and the final sigma; any other character whose capital is more than one
 * character is E_UNSUPPORTED, not something else. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

typedef struct caser {
    run *run;
    str text;
    char *p;
    unsigned char *marks;
    size_t n;
} caser;

enum { SHARP_S = 0xDF, DOTTED_I = 0x130, DOT_ABOVE = 0x307, SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2 };

static utf8proc_category_t category(int32_t c) {
    return c < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(c);
}

static bool is_cased(int32_t c) {
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT ||
           utf8_char_lower(c) != c || utf8_char_upper(c) != c;
}

/* Unicode's Case_Ignorable: marks, formats, modifiers and the punctuation within words. */
static bool is_ignorable(int32_t c) {
    static const int32_t within[] = {0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,
                                     0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                     0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
    utf8proc_category_t k = category(c);
    for (size_t i = 0; i < sizeof within / sizeof *within; i++)
        if (c == within[i]) return true;
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_ME || k == UTF8PROC_CATEGORY_CF ||
           k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_SK;
}

/* The characters whose capital is several: SpecialCasing.txt without sharp s. */
static bool capital_is_long(int32_t c) {
    static const struct {
        int32_t from, to;
    } ranges[] = {{0x149, 0x149},   {0x1F0, 0x1F0},   {0x390, 0x390},   {0x3B0, 0x3B0},
                  {0x587, 0x587},   {0x1E96, 0x1E9A}, {0x1F50, 0x1F50}, {0x1F52, 0x1F52},
                  {0x1F54, 0x1F54}, {0x1F56, 0x1F56}, {0x1F80, 0x1FAF}, {0x1FB2, 0x1FB4},
                  {0x1FB6, 0x1FB7}, {0x1FBC, 0x1FBC}, {0x1FC2, 0x1FC4}, {0x1FC6, 0x1FC7},
                  {0x1FCC, 0x1FCC}, {0x1FD2, 0x1FD3}, {0x1FD6, 0x1FD7}, {0x1FE2, 0x1FE4},
                  {0x1FE6, 0x1FE7}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FF7}, {0x1FFC, 0x1FFC},
                  {0xFB00, 0xFB06}, {0xFB13, 0xFB17}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to) return true;
    return false;
}

/* A sigma ends its word: a cased letter before it, none behind. */
static bool sigma_is_final(const caser *s, size_t from, size_t to) {
    bool before = false;
    while (from > 0) {
        size_t start = from - 1;
        while (start > 0 && ((unsigned char)s->text.p[start] & 0xC0) == 0x80) start--;
        size_t at = start;
        int32_t c = utf8_walk(s->text, &at);
        from = start;
        if (is_ignorable(c)) continue;
        before = is_cased(c);
        break;
    }
    while (before && to < s->text.n) {
        int32_t c = utf8_walk(s->text, &to);
        if (!is_ignorable(c)) return !is_cased(c);
    }
    return before;
}

static void put(caser *s, int32_t c, const unsigned char *mark) {
    size_t wrote = utf8_encode(s->p + s->n, c);
    if (mark) memset(s->marks + s->n, *mark, wrote);
    s->n += wrote;
}

static void put_lower(caser *s, int32_t c, size_t from, size_t to, const unsigned char *mark) {
    if (c == SIGMA && sigma_is_final(s, from, to)) {
        put(s, FINAL_SIGMA, mark);
    } else if (c == DOTTED_I) {
        put(s, 'i', mark);
        put(s, DOT_ABOVE, mark);
    } else {
        put(s, utf8_char_lower(c), mark);
    }
}

static err put_upper(caser *s, int32_t c, bool title, const unsigned char *mark) {
    if (c == SHARP_S) {
        put(s, 'S', mark);
        put(s, title ? 's' : 'S', mark);
        return E_OK;
    }
    if (capital_is_long(c))
        return run_fail(s->run, E_UNSUPPORTED, "the capital of U+%04X is not supported",
                        (unsigned)c);
    put(s, title && c >= 0 ? utf8proc_totitle(c) : utf8_char_upper(c), mark);
    return E_OK;
}

/* Behind which character a word begins. */
static bool word_ends(text_cases to, int32_t before) {
    if (to == CASE_TITLE) return !is_cased(before);
    return text_is_space(before) || before == '-' || before == '(' || before == '{' ||
           before == '[' || before == '<';
}

err text_case(run *r, value text, text_cases to, value *out) {
    str source = value_str(text);
    caser s = {.run = r, .text = source};
    bool first = true;
    const unsigned char *marks = text.as.text.marks;
    TRY(run_charge(r, source.n * 32));
    if (source.n > r->bytes_max / 4) return run_too_large(r);
    s.p = arena_alloc(r->arena, source.n * 3 + UTF8_CHAR_BYTES_MAX);
    s.marks = marks ? arena_alloc(r->arena, source.n * 3 + UTF8_CHAR_BYTES_MAX) : NULL;
    if (!s.p || (marks && !s.marks)) return run_no_memory(r);
    for (size_t at = 0; at < source.n;) {
        size_t from = at;
        int32_t c = utf8_walk(source, &at);
        const unsigned char *mark = marks ? marks + from : NULL;
        if (to == CASE_UPPER || (to != CASE_LOWER && first))
            TRY(put_upper(&s, c, to == CASE_TITLE || to == CASE_CAPITAL, mark));
        else
            put_lower(&s, c, from, at, mark);
        first = (to == CASE_TITLE || to == CASE_TITLE_JINJA) && word_ends(to, c);
    }
    bool markup = text.markup;
    *out = value_text((str){s.p, s.n}, text.outside);
    out->as.text.marks = s.marks;
    out->markup = markup;
    return E_OK;
}

/* grammar_scalar.c - numbers, strings and given values as lexers; see grammar_compile.h. */
#include "grammar/grammar_compile.h"
#include "grammar/grammar_json.h"
#include "grammar/grammar_regex.h"

#include <string.h>

enum {
    WHOLE_BITS = 53,         /* of a double: whole numbers up to 2^53 are exact */
    VALUES_BYTES_MAX = 16384 /* of values that become one lexer */
};
#define WHOLE_MAX ((double)(1ll << WHOLE_BITS))

/* x and y, where x may be NULL: everything */
static err narrow(compiler *c, const lexer **x, const lexer *y, fail *f) {
    if (*x) TRY(lexer_intersect(&y, &c->g->arena, *x, y, f));
    *x = y;
    return E_OK;
}

/* ---- texts that are given ---- */

static err write_value(buf *b, arena *a, const json *v, fail *f) {
    str text;
    switch (v->kind) {
    case JSON_STRING:
        TRY(json_string_text(a, v->string, &text, f));
        buf_put(b, text);
        return E_OK;
    case JSON_ARRAY:
        buf_put_char(b, '[');
        for (size_t i = 0; i < v->count; i++) {
            if (i) buf_put_char(b, ',');
            TRY(write_value(b, a, &v->items[i], f));
        }
        buf_put_char(b, ']');
        return E_OK;
    case JSON_OBJECT:
        buf_put_char(b, '{');
        for (size_t i = 0; i < v->count; i++) {
            if (i) buf_put_char(b, ',');
            TRY(json_string_text(a, v->members[i].key, &text, f));
            buf_put(b, text);
            buf_put_char(b, ':');
            TRY(write_value(b, a, &v->members[i].value, f));
        }
        buf_put_char(b, '}');
        return E_OK;
    case JSON_NUMBER:
        if (v->number >= -WHOLE_MAX && v->number <= WHOLE_MAX &&
            !(v->number > (double)(int64_t)v->number) &&
            !(v->number < (double)(int64_t)v->number)) {
            buf_printf(b, "%lld", (long long)v->number); /* 1.0 is the number 1 */
            return E_OK;
        }
        break;
    case JSON_NULL:
    case JSON_BOOL: break;
    }
    json_writer w = {.out = b};
    json_put_value(&w, v);
    return E_OK;
}

/* ---- numbers ---- */

/* bound `word` of every schema of the set; x and the numbers that it leaves */
static err bounded(compiler *c, const schema_set *s, const char *word, bool whole, const lexer **x,
                   fail *f) {
    bool least = strstr(word, "inimum") != NULL, exclusive = word[0] == 'e';
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], word);
        decimal d;
        const lexer *y;
        if (!v) continue;
        if (v->kind != JSON_NUMBER) return fail_set(f, E_INPUT, "\"%s\" must be a number", word);
        TRY(decimal_read(v->string, &d, f));
        TRY(lexer_build(&y, &c->g->arena,
                        least ? json_at_least(&c->a, &d, exclusive, whole)
                              : json_at_most(&c->a, &d, exclusive, whole),
                        f));
        TRY(narrow(c, x, y, f));
    }
    return E_OK;
}

/* v as m / 10^places */
static err read_multiple(const json *v, const json *schema, int32_t *m, int32_t *places, fail *f) {
    decimal d;
    int64_t all = 0;
    if (v->kind != JSON_NUMBER || !(v->number > 0))
        return fail_set(f, E_INPUT, "\"multipleOf\" must be a number above 0");
    TRY(decimal_read(v->string, &d, f));
    for (const char *part = d.whole; part; part = part == d.whole ? d.part : NULL)
        for (const char *z = part; *z; z++) {
            all = 10 * all + (*z - '0');
            if (all > SCHEMA_MULTIPLE_MAX) return schema_refuse("multipleOf", schema, f);
        }
    *m = (int32_t)all;
    *places = (int32_t)strlen(d.part);
    return E_OK;
}

static err multiples(compiler *c, const schema_set *s, bool *whole, const lexer **x, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], "multipleOf"),
                   *no = json_get(s->s[i], SCHEMA_NOT_MULTIPLE);
        const lexer *y;
        int32_t m, places;
        if (v) {
            TRY(read_multiple(v, s->s[i], &m, &places, f));
            *whole = *whole || places == 0;
            TRY(lexer_multiples(&y, &c->g->arena, m, places, f));
            TRY(narrow(c, x, y, f));
        }
        if (no) {
            TRY(read_multiple(no, s->s[i], &m, &places, f));
            TRY(lexer_multiples(&y, &c->a, m, places, f));
            if (!*x) TRY(lexer_build(x, &c->a, json_decimal_expr(&c->a, *whole), f));
            TRY(lexer_subtract(x, &c->g->arena, *x, y, f));
        }
    }
    return E_OK;
}

/* Numbers that are not whole, and those that are none of a list. */
static err left_out(compiler *c, const schema_set *s, const lexer **x, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *list = json_get(s->s[i], SCHEMA_NONE_OF);
        const lexer *y;
        decimal d;
        if (json_get(s->s[i], SCHEMA_FRACTION)) {
            TRY(lexer_build(&y, &c->g->arena, json_fraction_expr(&c->a), f));
            TRY(narrow(c, x, y, f));
        }
        for (size_t k = 0; list && k < list->count; k++) {
            if (list->items[k].kind != JSON_NUMBER) break;
            TRY(decimal_read(list->items[k].string, &d, f));
            if (!*x) TRY(lexer_build(x, &c->a, json_decimal_expr(&c->a, false), f));
            TRY(lexer_build(&y, &c->a, json_equal_expr(&c->a, &d), f));
            TRY(lexer_subtract(x, &c->g->arena, *x, y, f));
        }
    }
    return E_OK;
}

/* NULL: any number, or any whole one. */
static err number_lexer(compiler *c, const schema_set *s, bool whole, const lexer **out, fail *f) {
    static const char *const words[] = {"minimum", "maximum", "exclusiveMinimum",
                                        "exclusiveMaximum"};
    const lexer *x = NULL, *y;
    bool was_whole = whole;
    TRY(multiples(c, s, &whole, &x, f));
    for (int i = 0; i < 4; i++) TRY(bounded(c, s, words[i], whole, &x, f));
    TRY(left_out(c, s, &x, f));
    if (x && (whole || was_whole)) {
        TRY(lexer_build(&y, &c->a, json_number_expr(&c->a, true), f));
        TRY(narrow(c, &x, y, f));
    }
    *out = x;
    return E_OK;
}

static err then_lexer(compiler *c, const grammar_rule *r, const lexer *x, fail *f) {
    int32_t at = r->first, lexer;
    TRY(grammar_add_lexer(c->g, x, &lexer, f));
    TRY(grammar_then_lexer(c->g, &at, lexer, f));
    return grammar_free_edge(c->g, at, r->last, f);
}

err compile_number(compiler *c, const grammar_rule *r, const schema_set *s, bool whole, fail *f) {
    const lexer *x = NULL;
    int32_t at = r->first, *slot = whole ? &c->integer : &c->number;
    TRY(number_lexer(c, s, whole, &x, f));
    if (x) return then_lexer(c, r, x, f);
    if (*slot < 0) {
        TRY(lexer_build(&x, &c->g->arena, json_number_expr(&c->a, whole), f));
        TRY(grammar_add_lexer(c->g, x, slot, f));
    }
    TRY(grammar_then_lexer(c->g, &at, *slot, f));
    return grammar_free_edge(c->g, at, r->last, f);
}

/* ---- strings ---- */

err compile_any_string(compiler *c, bool one_way, const lexer **out, fail *f) {
    const lexer **known = one_way ? &c->one_way : &c->any_way;
    const lexer_expr *one = one_way ? json_chars(&c->a, 0, 0x10ffff) : json_any_char(&c->a);
    if (!*known)
        TRY(lexer_build(known, &c->g->arena, json_quoted(&c->a, lexer_repeat(&c->a, one, 0, -1)),
                        f));
    *out = *known;
    return E_OK;
}

static err pattern_lexer(compiler *c, const json *pattern, const lexer **out, fail *f) {
    const lexer_expr *e;
    if (pattern->kind != JSON_STRING) return fail_set(f, E_INPUT, "\"pattern\" must be a string");
    TRY(regex_parse(&e, &c->a, pattern->string, json_chars, true, f));
    return lexer_build(out, &c->g->arena, json_quoted(&c->a, e), f);
}

/* These texts as strings. */
static err texts_lexer(compiler *c, const json *const *values, size_t n, const lexer **out,
                       fail *f) {
    const lexer_expr *e = lexer_bytes(&c->a, (byte_set){0});
    for (size_t i = 0; i < n; i++) {
        str text;
        if (values[i]->kind != JSON_STRING) continue;
        TRY(json_string_text(&c->a, values[i]->string, &text, f));
        e = lexer_alt(&c->a, e, lexer_text(&c->a, text));
    }
    return lexer_build(out, &c->g->arena, e, f);
}

static err without(compiler *c, const lexer **x, const lexer *y, fail *f) {
    if (!*x) TRY(compile_any_string(c, true, x, f));
    return lexer_subtract(x, &c->g->arena, *x, y, f);
}

static err patterns(compiler *c, const schema_set *s, const lexer **x, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *pattern = json_get(s->s[i], "pattern"),
                   *no = json_get(s->s[i], SCHEMA_NOT_PATTERN),
                   *list = json_get(s->s[i], SCHEMA_NONE_OF);
        const lexer *y;
        if (pattern) {
            TRY(pattern_lexer(c, pattern, &y, f));
            TRY(narrow(c, x, y, f));
        }
        if (no) {
            TRY(pattern_lexer(c, no, &y, f));
            TRY(without(c, x, y, f));
        }
        for (size_t k = 0; list && k < list->count; k++) {
            const json *v = &list->items[k];
            if (v->kind != JSON_STRING) break;
            TRY(texts_lexer(c, &v, 1, &y, f));
            TRY(without(c, x, y, f));
        }
    }
    return E_OK;
}

/* The strings of a set; one_way: also where nothing needs it. */
static err string_lexer(compiler *c, const schema_set *s, bool one_way, const lexer **out,
                        fail *f) {
    const lexer *x = NULL, *any = NULL;
    int64_t least = -1, most = -1;
    TRY(compile_count_word(s, "minLength", true, &least, f));
    TRY(compile_count_word(s, "maxLength", false, &most, f));
    if (least > LEXER_COUNT_MAX)
        return fail_set(f, E_TOO_LARGE, "\"minLength\" %lld is above the limit of %d",
                        (long long)least, LEXER_COUNT_MAX);
    if (most > LEXER_COUNT_MAX) most = LEXER_COUNT_MAX; /* no answer is as long */
    TRY(patterns(c, s, &x, f));
    TRY(compile_any_string(c, one_way || x, &any, f));
    if (least > 0 || most >= 0)
        TRY(lexer_count(&any, &c->g->arena, any, (int32_t)least, (int32_t)most, f));
    if (x && any->inside)
        TRY(lexer_intersect(&x, &c->g->arena, x, any, f));
    else if (!x)
        x = any;
    *out = x;
    return E_OK;
}

err compile_string(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    const lexer *x = NULL;
    TRY(string_lexer(c, s, false, &x, f));
    return then_lexer(c, r, x, f);
}

err compile_keys(compiler *c, const schema_set *set, const lexer **out, fail *f) {
    schema_ways *ways = arena_new(&c->a, schema_ways);
    if (!ways) return fail_memory(f, "a grammar");
    TRY(schema_find_ways(&c->doc, set, ways, f));
    TRY(texts_lexer(c, NULL, 0, out, f));
    for (int i = 0; i < ways->n; i++) {
        const json **values = NULL;
        const lexer *x = NULL;
        int kinds, n;
        bool whole;
        TRY(schema_kinds(ways->way[i], &kinds, &whole, f));
        TRY(schema_values(&c->doc, ways->way[i], &values, &n, f));
        if (n >= 0) {
            TRY(compile_fitting(c, ways->way[i], values, &n, f));
            TRY(texts_lexer(c, values, (size_t)n, &x, f));
        } else if (kinds & 1 << JSON_STRING) {
            TRY(string_lexer(c, ways->way[i], true, &x, f));
        }
        if (x) TRY(lexer_unite(out, &c->g->arena, *out, x, f));
    }
    return E_OK;
}

/* ---- values ---- */

static err text_of(compiler *c, const json *v, str *out, fail *f) {
    buf b = {0};
    err e = write_value(&b, &c->a, v, f);
    if (e == E_OK) e = buf_ok(&b, f);
    if (e == E_OK) {
        *out = arena_str(&c->a, buf_str(&b));
        if (!out->p) e = fail_memory(f, "a grammar");
    }
    buf_deinit(&b);
    return e;
}

/* The lexer of values of this kind, where the set bounds them; NULL: it does not. */
static err bounds_of(compiler *c, const schema_set *s, json_kind kind, const lexer **out, fail *f) {
    *out = NULL;
    for (int i = 0; i < s->n; i++) {
        const char *word = schema_bound_beside(s->s[i], kind);
        if (!word) continue;
        if (kind >= JSON_ARRAY) return schema_refuse(word, s->s[i], f);
        return kind == JSON_NUMBER ? number_lexer(c, s, false, out, f)
                                   : string_lexer(c, s, true, out, f);
    }
    return E_OK;
}

err compile_fitting(compiler *c, const schema_set *s, const json **values, int *n, fail *f) {
    const lexer *bounds[JSON_OBJECT + 1] = {0};
    bool known[JSON_OBJECT + 1] = {0};
    int kept = 0;
    for (int i = 0; i < *n; i++) {
        json_kind kind = values[i]->kind;
        str text;
        if (!known[kind]) TRY(bounds_of(c, s, kind, &bounds[kind], f));
        known[kind] = true;
        TRY(text_of(c, values[i], &text, f));
        if (!bounds[kind] || lexer_matches(bounds[kind], text)) values[kept++] = values[i];
    }
    *n = kept;
    return E_OK;
}

err compile_value(compiler *c, int32_t *at, const json *v, fail *f) {
    str text;
    TRY(text_of(c, v, &text, f));
    return grammar_then_text(c->g, at, text, f);
}

/* Several short ones are one lexer, whose masks are kept; else each is a chain of bytes. */
err compile_values(compiler *c, const grammar_rule *r, const json *const *values, int n, fail *f) {
    const lexer_expr *e = lexer_bytes(&c->a, (byte_set){0});
    const lexer *x;
    size_t bytes = 0;
    for (int i = 0; i < n && bytes <= VALUES_BYTES_MAX; i++) {
        str text;
        TRY(text_of(c, values[i], &text, f));
        bytes += text.n;
        e = lexer_alt(&c->a, e, lexer_text(&c->a, text));
    }
    if (n > 1 && bytes <= VALUES_BYTES_MAX) {
        TRY(lexer_build(&x, &c->g->arena, e, f));
        return then_lexer(c, r, x, f);
    }
    for (int i = 0; i < n; i++) {
        int32_t at = r->first;
        TRY(compile_value(c, &at, values[i], f));
        TRY(grammar_free_edge(c->g, at, r->last, f));
    }
    return E_OK;
}

/* grammar_schema.c - schemas to rules; see grammar_schema.h. One rule for each set of schemas that
 * hold for one value together, made once: a schema that refers to itself becomes a rule that calls
 * itself. Rules are filled from a list of those still to be done, so nothing recurses. */
#include "grammar/grammar_schema.h"

#include "base/map.h"
#include "base/mem.h"
#include "grammar/grammar_json.h"
#include "grammar/grammar_regex.h"

#include <string.h>

enum { WHOLE_BITS = 53 }; /* of a double: whole numbers up to 2^53 are exact */
#define WHOLE_MAX ((double)(1ll << WHOLE_BITS))

typedef struct pending {
    schema_set set;
    int32_t rule;
} pending;

typedef struct compiler {
    grammar *g;
    arena a;
    schema_doc doc;
    map rules;      /* the set's pointers -> rule */
    pending **todo; /* [room] */
    int32_t n_todo, room;
    bool spaces, closed;
    int32_t space, number, integer; /* lexers; -1: not made yet */
    const lexer *any_way, *one_way; /* any string; NULL: not made yet */
} compiler;

/* ---- lexers ---- */

static err add_lexer(compiler *c, const lexer_expr *e, int32_t *out, fail *f) {
    const lexer *l;
    TRY(lexer_build(&l, &c->g->arena, e, f));
    return grammar_add_lexer(c->g, l, out, f);
}

static err shared(compiler *c, int32_t *slot, const lexer_expr *e, fail *f) {
    return *slot >= 0 ? E_OK : add_lexer(c, e, slot, f);
}

static err then_space(compiler *c, int32_t *at, fail *f) {
    if (!c->spaces) return E_OK;
    TRY(shared(c, &c->space, json_space_expr(&c->a), f));
    return grammar_then_lexer(c->g, at, c->space, f);
}

static err then_text(compiler *c, int32_t *at, const char *z, fail *f) {
    return grammar_then_text(c->g, at, str_from(z), f);
}

/* ---- rules of sets ---- */

/* Pointers in order, so that a set has one key. */
static void sort_set(schema_set *s) {
    for (int i = 1; i < s->n; i++)
        for (int k = i; k > 0 && (uintptr_t)s->s[k - 1] > (uintptr_t)s->s[k]; k--) {
            const json *t = s->s[k];
            s->s[k] = s->s[k - 1];
            s->s[k - 1] = t;
        }
}

static err rule_of(compiler *c, const schema_set *set, int32_t *out, fail *f) {
    schema_set sorted = *set;
    int64_t known;
    sort_set(&sorted);
    str key = {(const char *)sorted.s, (size_t)sorted.n * sizeof *sorted.s};
    if (sorted.n == 0) key = STR("any");
    if (map_get(&c->rules, key, &known)) {
        *out = (int32_t)known;
        return E_OK;
    }
    TRY(grammar_add_rule(c->g, out, f));
    TRY(map_put(&c->rules, key, *out, f));
    if (c->n_todo == c->room) {
        int32_t room = c->room ? 2 * c->room : 64;
        pending **more = arena_new_n(&c->a, pending *, (size_t)room);
        if (!more) return fail_memory(f, "a grammar");
        if (c->n_todo) memcpy(more, c->todo, (size_t)c->n_todo * sizeof *more);
        c->todo = more;
        c->room = room;
    }
    pending *p = arena_new(&c->a, pending);
    if (!p) return fail_memory(f, "a grammar");
    *p = (pending){sorted, *out};
    c->todo[c->n_todo++] = p;
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

static err fill_values(compiler *c, const grammar_rule *r, const json **values, int n, fail *f) {
    for (int i = 0; i < n; i++) {
        buf b = {0};
        int32_t at = r->first;
        err e = write_value(&b, &c->a, values[i], f);
        if (e == E_OK) e = buf_ok(&b, f);
        if (e == E_OK) e = grammar_then_text(c->g, &at, buf_str(&b), f);
        if (e == E_OK) e = grammar_free_edge(c->g, at, r->last, f);
        buf_deinit(&b);
        TRY(e);
    }
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
        if (*x) TRY(lexer_intersect(&y, &c->g->arena, *x, y, f));
        *x = y;
    }
    return E_OK;
}

/* Multiples of a power of ten below one are numbers of few digits behind the point. */
static err few_digits(compiler *c, const decimal *d, const lexer **out, fail *f) {
    arena *a = &c->a;
    size_t n = strlen(d->part);
    byte_set digit = byte_set_range('0', '9');
    const lexer_expr *whole = json_number_expr(a, true),
                     *part = lexer_cat(a, lexer_text(a, STR(".")),
                                       lexer_repeat(a, lexer_bytes(a, digit), 1, (int32_t)n));
    return lexer_build(out, &c->g->arena, lexer_cat(a, whole, lexer_repeat(a, part, 0, 1)), f);
}

static err multiples(compiler *c, const schema_set *s, bool *whole, const lexer **x, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], "multipleOf");
        decimal d;
        const lexer *y;
        if (!v) continue;
        if (v->kind != JSON_NUMBER || !(v->number > 0))
            return fail_set(f, E_INPUT, "\"multipleOf\" must be a number above 0");
        TRY(decimal_read(v->string, &d, f));
        size_t n = strlen(d.part);
        bool power =
            n && !strcmp(d.whole, "0") && strspn(d.part, "0") == n - 1 && d.part[n - 1] == '1';
        if (power && *whole) continue; /* every whole number is one */
        if (power) {
            TRY(few_digits(c, &d, &y, f));
        } else {
            if (n || v->number > SCHEMA_MULTIPLE_MAX)
                return schema_refuse("multipleOf", s->s[i], f);
            *whole = true;
            TRY(lexer_multiples(&y, &c->g->arena, (int32_t)v->number, f));
        }
        if (*x) TRY(lexer_intersect(&y, &c->g->arena, *x, y, f));
        *x = y;
    }
    return E_OK;
}

static err fill_number(compiler *c, const grammar_rule *r, const schema_set *s, bool whole,
                       fail *f) {
    static const char *const words[] = {"minimum", "maximum", "exclusiveMinimum",
                                        "exclusiveMaximum"};
    const lexer *x = NULL;
    int32_t at = r->first, lexer;
    TRY(multiples(c, s, &whole, &x, f));
    for (int i = 0; i < 4; i++) TRY(bounded(c, s, words[i], whole, &x, f));
    if (x) {
        TRY(grammar_add_lexer(c->g, x, &lexer, f));
    } else {
        int32_t *slot = whole ? &c->integer : &c->number;
        TRY(shared(c, slot, json_number_expr(&c->a, whole), f));
        lexer = *slot;
    }
    TRY(grammar_then_lexer(c->g, &at, lexer, f));
    return grammar_free_edge(c->g, at, r->last, f);
}

/* ---- strings ---- */

static err count_word(const schema_set *s, const char *word, bool largest, int64_t *out, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], word);
        if (!v) continue;
        if (v->kind != JSON_NUMBER || v->number < 0 || v->number > 1e15)
            return fail_set(f, E_INPUT, "\"%s\" must be a whole number from 0 on", word);
        int64_t n = (int64_t)v->number;
        if ((double)n < v->number)
            return fail_set(f, E_INPUT, "\"%s\" must be a whole number", word);
        if (*out < 0 || (largest ? n > *out : n < *out)) *out = n;
    }
    return E_OK;
}

static err with_pattern(compiler *c, const json *pattern, const lexer **x, fail *f) {
    const lexer_expr *e;
    const lexer *y;
    if (pattern->kind != JSON_STRING) return fail_set(f, E_INPUT, "\"pattern\" must be a string");
    TRY(regex_parse(&e, &c->a, pattern->string, json_chars, true, f));
    TRY(lexer_build(&y, &c->g->arena, json_quoted(&c->a, e), f));
    if (*x) TRY(lexer_intersect(&y, &c->g->arena, *x, y, f));
    *x = y;
    return E_OK;
}

/* Any string, in any way of writing or in the one way of json_chars. */
static err any_string(compiler *c, bool one_way, const lexer **out, fail *f) {
    const lexer **known = one_way ? &c->one_way : &c->any_way;
    const lexer_expr *one = one_way ? json_chars(&c->a, 0, 0x10ffff) : json_any_char(&c->a);
    if (!*known)
        TRY(lexer_build(known, &c->g->arena, json_quoted(&c->a, lexer_repeat(&c->a, one, 0, -1)),
                        f));
    *out = *known;
    return E_OK;
}

static err fill_string(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    const lexer *x = NULL, *any = NULL;
    int64_t least = -1, most = -1;
    int32_t at = r->first, lexer;
    TRY(count_word(s, "minLength", true, &least, f));
    TRY(count_word(s, "maxLength", false, &most, f));
    if (least > LEXER_COUNT_MAX)
        return fail_set(f, E_TOO_LARGE, "\"minLength\" %lld is above the limit of %d",
                        (long long)least, LEXER_COUNT_MAX);
    if (most > LEXER_COUNT_MAX) most = LEXER_COUNT_MAX; /* no answer is as long */
    for (int i = 0; i < s->n; i++) {
        const json *pattern = json_get(s->s[i], "pattern");
        if (pattern) TRY(with_pattern(c, pattern, &x, f));
    }
    TRY(any_string(c, x != NULL, &any, f));
    if (least > 0 || most >= 0)
        TRY(lexer_count(&any, &c->g->arena, any, (int32_t)least, (int32_t)most, f));
    if (x && any->inside)
        TRY(lexer_intersect(&x, &c->g->arena, x, any, f));
    else if (!x)
        x = any;
    TRY(grammar_add_lexer(c->g, x, &lexer, f));
    TRY(grammar_then_lexer(c->g, &at, lexer, f));
    return grammar_free_edge(c->g, at, r->last, f);
}

/* ---- arrays ---- */

/* the schema that item `i` of an array must satisfy by schema s; NULL: none */
static err item_schema(const schema_doc *d, const json *s, size_t i, const json **out, fail *f) {
    const json *items = json_get(s, "items"), *first = json_get(s, "prefixItems");
    *out = NULL;
    if (d->draft7 || (items && items->kind == JSON_ARRAY)) { /* the list was spelled "items" then */
        if (!items || items->kind != JSON_ARRAY) {
            *out = items;
            return E_OK;
        }
        first = items;
        items = json_get(s, "additionalItems");
    }
    if (first && first->kind != JSON_ARRAY)
        return fail_set(f, E_INPUT, "\"prefixItems\" must be a list");
    *out = first && i < first->count ? &first->items[i] : items;
    return E_OK;
}

static size_t prefix_of(const json *s) {
    const json *items = json_get(s, "items"), *first = json_get(s, "prefixItems");
    size_t n = first && first->kind == JSON_ARRAY ? first->count : 0;
    if (items && items->kind == JSON_ARRAY && items->count > n) n = items->count;
    return n;
}

static err item_rule(compiler *c, const schema_set *s, size_t i, int32_t *out, fail *f) {
    schema_set item = {.n = 0};
    for (int k = 0; k < s->n; k++) {
        const json *one;
        TRY(item_schema(&c->doc, s->s[k], i, &one, f));
        if (one) TRY(schema_set_add(&item, one, f));
    }
    return rule_of(c, &item, out, f);
}

static err unique_matters(const schema_set *s, int64_t most, fail *f) {
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], "uniqueItems");
        if (v && v->kind == JSON_BOOL && v->boolean && !(most >= 0 && most <= 1))
            return schema_refuse("uniqueItems", s->s[i], f);
    }
    return E_OK;
}

static err fill_array(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    int64_t least = -1, most = -1;
    int32_t at = r->first, item, end, after;
    size_t prefix = 0;
    TRY(count_word(s, "minItems", true, &least, f));
    TRY(count_word(s, "maxItems", false, &most, f));
    TRY(unique_matters(s, most, f));
    for (int i = 0; i < s->n; i++)
        if (prefix_of(s->s[i]) > prefix) prefix = prefix_of(s->s[i]);
    int64_t steps = (int64_t)prefix > least ? (int64_t)prefix : least;
    if (most >= 0) steps = most;
    if (steps > SCHEMA_ITEMS_MAX)
        return fail_set(f, E_TOO_LARGE, "an array of %lld counted items is above the limit of %d",
                        (long long)steps, SCHEMA_ITEMS_MAX);
    if (steps < 1) steps = most == 0 ? 0 : 1;
    TRY(then_text(c, &at, "[", f));
    TRY(then_space(c, &at, f));
    TRY(grammar_add_state(c->g, &end, f));
    for (int64_t i = 0; i <= steps; i++) {
        if (i >= least) TRY(grammar_free_edge(c->g, at, end, f));
        if (i == steps && most >= 0) break;
        after = at; /* with no maximum the last step repeats */
        if (i) {
            TRY(then_space(c, &after, f));
            TRY(then_text(c, &after, ",", f));
            TRY(then_space(c, &after, f));
        }
        TRY(item_rule(c, s, (size_t)i, &item, f));
        TRY(grammar_then_rule(c->g, &after, item, f));
        if (i == steps)
            TRY(grammar_free_edge(c->g, after, at, f));
        else
            at = after;
    }
    TRY(then_space(c, &end, f));
    TRY(then_text(c, &end, "]", f));
    return grammar_free_edge(c->g, end, r->last, f);
}

/* ---- objects ---- */

typedef struct object_member {
    str key;
    bool required;
} object_member;

typedef struct object {
    const schema_set *s;
    object_member *m;
    int n;
    const json *pattern[SCHEMA_PATTERNS_MAX]; /* the schemas behind patternProperties */
    const lexer *key[SCHEMA_PATTERNS_MAX];    /* keys as written that match */
    const lexer *raw[SCHEMA_PATTERNS_MAX];    /* keys as text */
    const json *owner[SCHEMA_PATTERNS_MAX];   /* the schema that has the pattern */
    int patterns;
} object;

static err find_member(object *o, str key, object_member **out, fail *f) {
    for (int i = 0; i < o->n; i++)
        if (str_eq(o->m[i].key, key)) {
            *out = &o->m[i];
            return E_OK;
        }
    if (o->n == SCHEMA_MEMBERS_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d properties", SCHEMA_MEMBERS_MAX);
    *out = &o->m[o->n];
    o->m[o->n++] = (object_member){.key = key};
    return E_OK;
}

static err read_members(object *o, fail *f) {
    object_member *m;
    for (int i = 0; i < o->s->n; i++) {
        const json *list = json_get(o->s->s[i], "properties");
        if (list && list->kind != JSON_OBJECT)
            return fail_set(f, E_INPUT, "\"properties\" must be an object");
        for (size_t k = 0; list && k < list->count; k++)
            TRY(find_member(o, list->members[k].key, &m, f));
    }
    for (int i = 0; i < o->s->n; i++) {
        const json *list = json_get(o->s->s[i], "required");
        if (list && list->kind != JSON_ARRAY)
            return fail_set(f, E_INPUT, "\"required\" must be a list of names");
        for (size_t k = 0; list && k < list->count; k++) {
            if (list->items[k].kind != JSON_STRING)
                return fail_set(f, E_INPUT, "\"required\" must be a list of names");
            TRY(find_member(o, list->items[k].string, &m, f));
            m->required = true;
        }
    }
    return E_OK;
}

static err read_patterns(compiler *c, object *o, fail *f) {
    for (int i = 0; i < o->s->n; i++) {
        const json *list = json_get(o->s->s[i], "patternProperties");
        if (!list) continue;
        if (list->kind != JSON_OBJECT)
            return fail_set(f, E_INPUT, "\"patternProperties\" must be an object");
        for (size_t k = 0; k < list->count; k++) {
            const lexer_expr *e;
            int p = o->patterns;
            if (p == SCHEMA_PATTERNS_MAX)
                return schema_refuse("patternProperties (more than 4)", o->s->s[i], f);
            TRY(regex_parse(&e, &c->a, list->members[k].key, json_chars, true, f));
            TRY(lexer_build(&o->key[p], &c->g->arena, json_quoted(&c->a, e), f));
            TRY(regex_parse(&e, &c->a, list->members[k].key, lexer_chars, true, f));
            TRY(lexer_build(&o->raw[p], &c->a, e, f));
            o->pattern[p] = &list->members[k].value;
            o->owner[p] = o->s->s[i];
            o->patterns++;
        }
    }
    return E_OK;
}

/* The schemas of a value: under a key that is named (key.p not NULL), or under further keys that
 * match just the patterns of the bits `match`. */
static err value_set(const object *o, str key, unsigned match, schema_set *out, fail *f) {
    out->n = 0;
    for (int i = 0; i < o->s->n; i++) {
        const json *list = json_get(o->s->s[i], "properties"), *found = NULL;
        for (size_t k = 0; list && key.p && k < list->count && !found; k++)
            if (str_eq(list->members[k].key, key)) found = &list->members[k].value;
        bool taken = found != NULL;
        if (found) TRY(schema_set_add(out, found, f));
        for (int p = 0; p < o->patterns; p++) {
            if (o->owner[p] != o->s->s[i] || !(match >> p & 1)) continue;
            TRY(schema_set_add(out, o->pattern[p], f));
            taken = true;
        }
        const json *more = json_get(o->s->s[i], "additionalProperties");
        if (!taken && more) TRY(schema_set_add(out, more, f));
    }
    return E_OK;
}

/* "key": value as a rule of its own; key by its text or by a lexer */
static err member_rule(compiler *c, str key, int32_t lexer, const schema_set *value, int32_t *out,
                       fail *f) {
    int32_t rule, at;
    str text;
    TRY(rule_of(c, value, &rule, f));
    TRY(grammar_add_rule(c->g, out, f));
    at = c->g->rules[*out].first;
    if (key.p) {
        TRY(json_string_text(&c->a, key, &text, f));
        TRY(grammar_then_text(c->g, &at, text, f));
    } else {
        TRY(grammar_then_lexer(c->g, &at, lexer, f));
    }
    TRY(then_space(c, &at, f));
    TRY(then_text(c, &at, ":", f));
    TRY(then_space(c, &at, f));
    TRY(grammar_then_rule(c->g, &at, rule, f));
    return grammar_free_edge(c->g, at, c->g->rules[*out].last, f);
}

/* Keys that are not named and match just these patterns. */
static err further_keys(compiler *c, const object *o, unsigned match, const lexer **out, fail *f) {
    arena *a = &c->a;
    const lexer *x = NULL, *names;
    TRY(any_string(c, true, &x, f));
    const lexer_expr *e = NULL;
    for (int i = 0; i < o->n; i++) {
        str text;
        TRY(json_string_text(a, o->m[i].key, &text, f));
        const lexer_expr *one = lexer_text(a, text);
        e = e ? lexer_alt(a, e, one) : one;
        if (!e) return fail_memory(f, "a grammar");
    }
    if (e) {
        TRY(lexer_build(&names, a, e, f));
        TRY(lexer_subtract(&x, &c->g->arena, x, names, f));
    }
    for (int p = 0; p < o->patterns; p++) {
        if (match >> p & 1)
            TRY(lexer_intersect(&x, &c->g->arena, x, o->key[p], f));
        else
            TRY(lexer_subtract(&x, &c->g->arena, x, o->key[p], f));
    }
    *out = x;
    return E_OK;
}

/* One more member of any further key, as a rule. */
static err further_rule(compiler *c, const object *o, int32_t *out, fail *f) {
    TRY(grammar_add_rule(c->g, out, f));
    for (unsigned match = 0; match < 1u << o->patterns; match++) {
        schema_set value;
        const lexer *keys = NULL;
        int32_t lexer, rule, at = c->g->rules[*out].first;
        TRY(value_set(o, (str){NULL, 0}, match, &value, f));
        bool never = false;
        for (int i = 0; i < value.n; i++)
            never = never || (value.s[i]->kind == JSON_BOOL && !value.s[i]->boolean);
        if (never) continue;
        TRY(further_keys(c, o, match, &keys, f));
        TRY(grammar_add_lexer(c->g, keys, &lexer, f));
        TRY(member_rule(c, (str){NULL, 0}, lexer, &value, &rule, f));
        TRY(grammar_then_rule(c->g, &at, rule, f));
        TRY(grammar_free_edge(c->g, at, c->g->rules[*out].last, f));
    }
    return E_OK;
}

static unsigned patterns_of(const object *o, str key) {
    unsigned match = 0;
    for (int p = 0; p < o->patterns; p++)
        if (lexer_matches(o->raw[p], key)) match |= 1u << p;
    return match;
}

/* States [count 0..most]: that many members stand there; the last stands for more where there is no
 * maximum. */
typedef struct counts {
    int32_t state[SCHEMA_MEMBERS_MAX + 2];
    int32_t most;
    bool open; /* no maximum: the last count repeats */
} counts;

static err new_counts(compiler *c, counts *k, fail *f) {
    for (int32_t i = 0; i <= k->most; i++) TRY(grammar_add_state(c->g, &k->state[i], f));
    return E_OK;
}

/* From each count by one member to the next count, in `to`. */
static err by_member(compiler *c, const counts *from, const counts *to, int32_t rule, fail *f) {
    for (int32_t i = 0; i <= from->most; i++) {
        int32_t at = from->state[i], next = i < from->most ? i + 1 : i;
        if (i == from->most && !from->open) break;
        if (i) {
            TRY(then_space(c, &at, f));
            TRY(then_text(c, &at, ",", f));
            TRY(then_space(c, &at, f));
        }
        TRY(grammar_then_rule(c->g, &at, rule, f));
        TRY(grammar_free_edge(c->g, at, to->state[next], f));
    }
    return E_OK;
}

/* It names its properties and says nothing of others. */
static bool names_all(const object *o) {
    static const char *const words[] = {"additionalProperties", "patternProperties",
                                        "minProperties"};
    bool names = false;
    for (int i = 0; i < o->s->n; i++) {
        names = names || json_get(o->s->s[i], "properties");
        for (int k = 0; k < 3; k++)
            if (json_get(o->s->s[i], words[k])) return false;
    }
    return names;
}

static err fill_members(compiler *c, const object *o, counts *now, fail *f) {
    counts *next = arena_new(&c->a, counts);
    if (!next) return fail_memory(f, "a grammar");
    for (int i = 0; i < o->n; i++) {
        schema_set value;
        int32_t rule;
        *next = *now;
        TRY(new_counts(c, next, f));
        TRY(value_set(o, o->m[i].key, patterns_of(o, o->m[i].key), &value, f));
        TRY(member_rule(c, o->m[i].key, -1, &value, &rule, f));
        TRY(by_member(c, now, next, rule, f));
        for (int32_t k = 0; k <= now->most && !o->m[i].required; k++)
            TRY(grammar_free_edge(c->g, now->state[k], next->state[k], f));
        *now = *next;
    }
    int32_t further;
    if (c->closed && names_all(o)) return E_OK;
    TRY(further_rule(c, o, &further, f));
    return by_member(c, now, now, further, f);
}

static err fill_object(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    object *o = arena_new(&c->a, object);
    counts *k = arena_new(&c->a, counts);
    int64_t least = -1, most = -1;
    int32_t at = r->first, end;
    if (!o || !k) return fail_memory(f, "a grammar");
    o->s = s;
    o->m = arena_new_n(&c->a, object_member, SCHEMA_MEMBERS_MAX);
    if (!o->m) return fail_memory(f, "a grammar");
    TRY(read_members(o, f));
    TRY(read_patterns(c, o, f));
    TRY(count_word(s, "minProperties", true, &least, f));
    TRY(count_word(s, "maxProperties", false, &most, f));
    k->open = most < 0;
    k->most = (int32_t)(most >= 0 ? most : least > 1 ? least : 1);
    if (most > SCHEMA_MEMBERS_MAX || least > SCHEMA_MEMBERS_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d counted members", SCHEMA_MEMBERS_MAX);
    TRY(new_counts(c, k, f));
    TRY(then_text(c, &at, "{", f));
    TRY(then_space(c, &at, f));
    TRY(grammar_free_edge(c->g, at, k->state[0], f));
    TRY(fill_members(c, o, k, f));
    TRY(grammar_add_state(c->g, &end, f));
    for (int32_t i = 0; i <= k->most; i++)
        if (i >= least) TRY(grammar_free_edge(c->g, k->state[i], end, f));
    TRY(then_space(c, &end, f));
    TRY(then_text(c, &end, "}", f));
    return grammar_free_edge(c->g, end, r->last, f);
}

/* ---- one rule ---- */

static err fill_way(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    static const char *const words[] = {"null", "true", "false"};
    const json **values = NULL;
    int kinds, n;
    bool whole;
    TRY(schema_values(&c->doc, s, &values, &n, f));
    if (n >= 0) return fill_values(c, r, values, n, f);
    TRY(schema_kinds(s, &kinds, &whole, f));
    for (int i = 0; i < 3; i++) {
        int32_t at = r->first;
        if (!(kinds & (i ? 1 << JSON_BOOL : 1 << JSON_NULL))) continue;
        TRY(then_text(c, &at, words[i], f));
        TRY(grammar_free_edge(c->g, at, r->last, f));
    }
    if (kinds & 1 << JSON_NUMBER) TRY(fill_number(c, r, s, whole, f));
    if (kinds & 1 << JSON_STRING) TRY(fill_string(c, r, s, f));
    if (kinds & 1 << JSON_ARRAY) TRY(fill_array(c, r, s, f));
    if (kinds & 1 << JSON_OBJECT) TRY(fill_object(c, r, s, f));
    return E_OK;
}

static err fill_rules(compiler *c, fail *f) {
    schema_ways *ways = arena_new(&c->a, schema_ways);
    if (!ways) return fail_memory(f, "a grammar");
    for (int32_t i = 0; i < c->n_todo; i++) {
        const pending *p = c->todo[i];
        TRY(schema_find_ways(&c->doc, &p->set, ways, f));
        for (int k = 0; k < ways->n; k++) {
            grammar_rule r = c->g->rules[p->rule];
            TRY(fill_way(c, &r, ways->way[k], f));
        }
    }
    return E_OK;
}

/* Which draft "$schema" names; none is 2020-12. */
static err read_draft(const json *schema, bool *draft7, fail *f) {
    static const char *const known[] = {"json-schema.org/draft-07", "json-schema.org/draft/2020-12",
                                        "json-schema.org/draft/2019-09"};
    const json *v = json_get(schema, "$schema");
    *draft7 = false;
    if (!v || v->kind != JSON_STRING) return E_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_find(v->string, str_from(known[i])) != STR_INDEX_NONE) {
            *draft7 = i == 0;
            return E_OK;
        }
    return schema_refuse("$schema", schema, f);
}

err schema_add_rule(grammar *g, const schema_ask *ask, int32_t *rule, fail *f) {
    schema_set top = {.n = ask->n};
    compiler c = {.g = g,
                  .spaces = ask->space == GRAMMAR_SPACE_SOME,
                  .closed = ask->closed,
                  .space = -1,
                  .number = -1,
                  .integer = -1};
    for (int i = 0; i < ask->n; i++) top.s[i] = ask->top[i];
    arena_init(&c.a, 0);
    map_init(&c.rules, &c.a);
    c.doc = (schema_doc){.root = ask->top[0], .a = &c.a};
    err e = read_draft(ask->top[0], &c.doc.draft7, f);
    if (e == E_OK) e = rule_of(&c, &top, rule, f);
    if (e == E_OK) e = fill_rules(&c, f);
    map_deinit(&c.rules);
    arena_deinit(&c.a);
    return e;
}

err grammar_open_schema(grammar **out, const json *schema, grammar_space space, fail *f) {
    grammar *g;
    TRY(grammar_new(&g, f));
    err e = schema_add_rule(g, &(schema_ask){.top = {schema}, .n = 1, .space = space}, &g->top, f);
    if (e == E_OK) e = grammar_seal(g, f);
    if (e == E_OK)
        *out = g;
    else
        grammar_close(g);
    return e;
}

err grammar_open_json(grammar **out, bool object, grammar_space space, fail *f) {
    arena a;
    const json *schema;
    arena_init(&a, 0);
    err e = json_parse(&a, object ? STR("{\"type\":\"object\"}") : STR("true"), &schema, f);
    if (e == E_OK) e = grammar_open_schema(out, schema, space, f);
    arena_deinit(&a);
    return e;
}

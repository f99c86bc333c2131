/* grammar_object.c - objects: members in the schema's order, further ones behind, counts, what may
 * be a key; see grammar_compile.h. */
#include "grammar/grammar_compile.h"
#include "grammar/grammar_json.h"
#include "grammar/grammar_regex.h"

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
    const lexer *names; /* keys that propertyNames leaves, as written; NULL: all */
    const lexer *some_key[SCHEMA_SOME_MAX];  /* there is a member with such a key, as written, */
    const json *some_value[SCHEMA_SOME_MAX]; /* and such a value; NULL: any */
    int some;
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

static err read_names(compiler *c, object *o, fail *f) {
    for (int i = 0; i < o->s->n; i++) {
        const json *names = json_get(o->s->s[i], "propertyNames");
        schema_set set = {.s = {names}, .n = 1};
        const lexer *x = NULL;
        if (!names || schema_says_nothing(names)) continue;
        TRY(compile_keys(c, &set, &x, f));
        if (o->names) TRY(lexer_intersect(&x, &c->g->arena, o->names, x, f));
        o->names = x;
    }
    return E_OK;
}

/* Keys that `of` does not name, by properties or patterns. */
static err unnamed_keys(compiler *c, const json *of, const lexer **x, fail *f) {
    const json *names = json_get(of, "properties"), *list = json_get(of, "patternProperties");
    const lexer_expr *e;
    const lexer *y;
    TRY(compile_any_string(c, true, x, f));
    for (size_t i = 0; names && i < names->count; i++) {
        str text;
        TRY(json_string_text(&c->a, names->members[i].key, &text, f));
        TRY(lexer_build(&y, &c->a, lexer_text(&c->a, text), f));
        TRY(lexer_subtract(x, &c->g->arena, *x, y, f));
    }
    for (size_t i = 0; list && i < list->count; i++) {
        TRY(regex_parse(&e, &c->a, list->members[i].key, json_chars, true, f));
        TRY(lexer_build(&y, &c->a, json_quoted(&c->a, e), f));
        TRY(lexer_subtract(x, &c->g->arena, *x, y, f));
    }
    return E_OK;
}

/* What a member must be that breaks what `of` says; see SCHEMA_SOME. */
static err read_one_some(compiler *c, object *o, const json *of, fail *f) {
    const json *names = json_get(of, "propertyNames"), *pattern = json_get(of, "pattern"),
               *rest = json_get(of, "additionalProperties");
    const lexer **keys = &o->some_key[o->some], *y;
    const lexer_expr *e;
    if (o->some == SCHEMA_SOME_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d members that must be there under any name",
                        SCHEMA_SOME_MAX);
    if (names) {
        schema_set set = {.s = {names}, .n = 1};
        TRY(compile_any_string(c, true, keys, f));
        TRY(compile_keys(c, &set, &y, f));
        TRY(lexer_subtract(keys, &c->g->arena, *keys, y, f));
    } else if (pattern) {
        TRY(regex_parse(&e, &c->a, pattern->string, json_chars, true, f));
        TRY(lexer_build(keys, &c->g->arena, json_quoted(&c->a, e), f));
        rest = json_get(of, "value");
    } else {
        TRY(unnamed_keys(c, of, keys, f));
    }
    if (!names) TRY(schema_negate(&c->doc, rest, &o->some_value[o->some], f));
    o->some++;
    return E_OK;
}

static err read_some(compiler *c, object *o, fail *f) {
    for (int i = 0; i < o->s->n; i++) {
        const json *of = json_get(o->s->s[i], SCHEMA_SOME);
        if (of) TRY(read_one_some(c, o, of, f));
    }
    return E_OK;
}

/* Whether schema i of the set speaks of the key, beside additionalProperties. */
static const json *named_by(const object *o, int i, str key) {
    const json *list = json_get(o->s->s[i], "properties");
    for (size_t k = 0; list && key.p && k < list->count; k++)
        if (str_eq(list->members[k].key, key)) return &list->members[k].value;
    return NULL;
}
static bool matched_by(const object *o, int i, unsigned match) {
    for (int p = 0; p < o->patterns; p++)
        if (o->owner[p] == o->s->s[i] && match >> p & 1) return true;
    return false;
}

/* The owner's word for members that nothing under it speaks of. */
static err add_unevaluated(const object *o, int owner, str key, unsigned match, schema_set *out,
                           fail *f) {
    const schema_set *s = o->s;
    const json *rest = json_get(s->owner[owner], "unevaluatedProperties");
    for (int i = 0; i < s->n && rest; i++) {
        if (!(s->under[i] >> owner & 1)) continue;
        bool all = json_get(s->s[i], "additionalProperties") ||
                   (s->s[i] != s->owner[owner] && json_get(s->s[i], "unevaluatedProperties"));
        if (all || named_by(o, i, key) || matched_by(o, i, match)) return E_OK;
    }
    return rest ? schema_set_add(out, rest, f) : E_OK;
}

/* The schemas of a value: under a key that is named (key.p not NULL), or under further keys that
 * match just the patterns of the bits `match`. */
static err value_set(const object *o, str key, unsigned match, schema_set *out, fail *f) {
    out->n = 0;
    for (int i = 0; i < o->s->n; i++) {
        const json *found = named_by(o, i, key),
                   *more = json_get(o->s->s[i], "additionalProperties");
        if (found) TRY(schema_set_add(out, found, f));
        for (int p = 0; p < o->patterns; p++)
            if (o->owner[p] == o->s->s[i] && match >> p & 1)
                TRY(schema_set_add(out, o->pattern[p], f));
        if (!found && !matched_by(o, i, match) && more) TRY(schema_set_add(out, more, f));
    }
    for (int k = 0; k < o->s->owners; k++) TRY(add_unevaluated(o, k, key, match, out, f));
    return E_OK;
}

/* "key": value as a rule of its own; key by its text or by a lexer */
static err member_rule(compiler *c, str key, int32_t lexer, const schema_set *value, int32_t *out,
                       fail *f) {
    int32_t rule, at;
    str text;
    TRY(compile_set(c, value, &rule, f));
    TRY(grammar_add_rule(c->g, out, f));
    at = c->g->rules[*out].first;
    if (key.p) {
        TRY(json_string_text(&c->a, key, &text, f));
        TRY(grammar_then_text(c->g, &at, text, f));
    } else {
        TRY(grammar_then_lexer(c->g, &at, lexer, f));
    }
    TRY(compile_space(c, &at, f));
    TRY(compile_text(c, &at, ":", f));
    TRY(compile_space(c, &at, f));
    TRY(grammar_then_rule(c->g, &at, rule, f));
    return grammar_free_edge(c->g, at, c->g->rules[*out].last, f);
}

/* Keys that are not named and match just these patterns. */
static err further_keys(compiler *c, const object *o, unsigned match, unsigned some,
                        const lexer **out, fail *f) {
    arena *a = &c->a;
    const lexer *x = NULL, *names;
    TRY(compile_any_string(c, true, &x, f));
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
    if (o->names) TRY(lexer_intersect(&x, &c->g->arena, x, o->names, f));
    for (int k = 0; k < o->some; k++)
        if (some >> k & 1) TRY(lexer_intersect(&x, &c->g->arena, x, o->some_key[k], f));
    *out = x;
    return E_OK;
}

/* The value is also that of the members of the bits `some` that must be there. */
static err add_some(const object *o, unsigned some, schema_set *value, fail *f) {
    for (int k = 0; k < o->some; k++)
        if (some >> k & 1 && o->some_value[k]) TRY(schema_set_add(value, o->some_value[k], f));
    return E_OK;
}

/* One more member of any further key, as a rule. */
static err further_rule(compiler *c, const object *o, unsigned some, int32_t *out, fail *f) {
    TRY(grammar_add_rule(c->g, out, f));
    for (unsigned match = 0; match < 1u << o->patterns; match++) {
        schema_set value = {.n = 0};
        const lexer *keys = NULL;
        int32_t lexer, rule, at = c->g->rules[*out].first;
        TRY(value_set(o, (str){NULL, 0}, match, &value, f));
        TRY(add_some(o, some, &value, f));
        bool never = false;
        for (int i = 0; i < value.n; i++)
            never = never || (value.s[i]->kind == JSON_BOOL && !value.s[i]->boolean);
        if (never) continue;
        TRY(further_keys(c, o, match, some, &keys, f));
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

/* States [set][count 0..most]: that many members stand there, and those of the set among them that
 * must be there under any name; the last count stands for more where there is no maximum. */
typedef struct counts {
    int32_t *state; /* [sets, most + 1] */
    int32_t sets, most;
    bool open; /* no maximum: the last count repeats */
} counts;

static int32_t counts_all(const counts *k) {
    return k->sets * (k->most + 1);
}

static err new_counts(compiler *c, counts *k, fail *f) {
    k->state = arena_new_n(&c->a, int32_t, (size_t)counts_all(k));
    if (!k->state) return fail_memory(f, "a grammar");
    for (int32_t i = 0; i < counts_all(k); i++) TRY(grammar_add_state(c->g, &k->state[i], f));
    return E_OK;
}

/* From each count by one member, which is one of the set `some`, to the next count, in `to`. */
static err by_member(compiler *c, const counts *from, const counts *to, unsigned some, int32_t rule,
                     fail *f) {
    for (int32_t k = 0; k < counts_all(from); k++) {
        int32_t at = from->state[k], i = k % (from->most + 1),
                set = k / (from->most + 1) | (int32_t)some, next = i < from->most ? i + 1 : i;
        if (i == from->most && !from->open) continue;
        if (i) {
            TRY(compile_space(c, &at, f));
            TRY(compile_text(c, &at, ",", f));
            TRY(compile_space(c, &at, f));
        }
        TRY(grammar_then_rule(c->g, &at, rule, f));
        TRY(grammar_free_edge(c->g, at, to->state[set * (to->most + 1) + next], f));
    }
    return E_OK;
}

/* It names its properties and says nothing of others. */
static bool names_all(const object *o) {
    static const char *const words[] = {"additionalProperties", "patternProperties",
                                        "minProperties", "propertyNames", "unevaluatedProperties"};
    bool names = false;
    for (int i = 0; i < o->s->n; i++) {
        if (json_get(o->s->s[i], SCHEMA_DERIVED)) continue;
        names = names || json_get(o->s->s[i], "properties");
        for (int k = 0; k < 5; k++)
            if (json_get(o->s->s[i], words[k])) return false;
    }
    return names;
}

/* Whether the key may be there, and for which of those that must be there it would do. */
static err judge_key(compiler *c, const object *o, str key, bool *allowed, unsigned *some,
                     fail *f) {
    str text;
    *some = 0;
    TRY(json_string_text(&c->a, key, &text, f));
    *allowed = !o->names || lexer_matches(o->names, text);
    for (int k = 0; k < o->some; k++) *some |= (unsigned)lexer_matches(o->some_key[k], text) << k;
    return E_OK;
}

static err fill_member(compiler *c, const object *o, const object_member *m, const counts *now,
                       const counts *next, fail *f) {
    unsigned may;
    bool allowed;
    TRY(judge_key(c, o, m->key, &allowed, &may, f));
    for (unsigned some = 0; allowed && some < 1u << o->some; some++) {
        schema_set value = {.n = 0};
        int32_t rule;
        if (some & ~may) continue;
        TRY(value_set(o, m->key, patterns_of(o, m->key), &value, f));
        TRY(add_some(o, some, &value, f));
        TRY(member_rule(c, m->key, -1, &value, &rule, f));
        TRY(by_member(c, now, next, some, rule, f));
    }
    for (int32_t k = 0; k < counts_all(now) && !m->required; k++)
        TRY(grammar_free_edge(c->g, now->state[k], next->state[k], f));
    return E_OK;
}

static err fill_members(compiler *c, const object *o, counts *now, fail *f) {
    for (int i = 0; i < o->n; i++) {
        counts next = *now;
        TRY(new_counts(c, &next, f));
        TRY(fill_member(c, o, &o->m[i], now, &next, f));
        *now = next;
    }
    if (c->closed && names_all(o)) return E_OK;
    for (unsigned some = 0; some < 1u << o->some; some++) {
        int32_t further;
        TRY(further_rule(c, o, some, &further, f));
        TRY(by_member(c, now, now, some, further, f));
    }
    return E_OK;
}

err compile_object(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
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
    TRY(read_names(c, o, f));
    TRY(read_some(c, o, f));
    TRY(compile_count_word(s, "minProperties", true, &least, f));
    TRY(compile_count_word(s, "maxProperties", false, &most, f));
    k->open = most < 0;
    k->sets = 1 << o->some;
    k->most = (int32_t)(most >= 0 ? most : least > 1 ? least : 1);
    if (most > SCHEMA_MEMBERS_MAX || least > SCHEMA_MEMBERS_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d counted members", SCHEMA_MEMBERS_MAX);
    TRY(new_counts(c, k, f));
    TRY(compile_text(c, &at, "{", f));
    TRY(compile_space(c, &at, f));
    TRY(grammar_free_edge(c->g, at, k->state[0], f));
    TRY(fill_members(c, o, k, f));
    TRY(grammar_add_state(c->g, &end, f));
    for (int32_t i = 0; i <= k->most; i++) /* with all that must be there */
        if (i >= least)
            TRY(grammar_free_edge(c->g, k->state[(k->sets - 1) * (k->most + 1) + i], end, f));
    TRY(compile_space(c, &end, f));
    TRY(compile_text(c, &end, "}", f));
    return grammar_free_edge(c->g, end, r->last, f);
}

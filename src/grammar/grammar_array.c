/* grammar_array.c - arrays: items by their place, counts, contains, unique items; see
 * grammar_compile.h. */
#include "grammar/grammar_compile.h"

/* One "contains" of the set. */
typedef struct contained {
    const json *match, *other; /* the schema; its opposite, where there is a most */
    int64_t least, most, from; /* most -1: no end */
    int32_t steps;             /* counts told apart: 0 .. steps */
} contained;

typedef struct array {
    const schema_set *s;
    int64_t least, most, steps; /* most -1: no end; items 0 .. steps are told apart */
    contained c[SCHEMA_CONTAINS_MAX];
    int n;
    int32_t counts; /* combinations of counts */
    int32_t *state; /* [steps + 1, counts] */
} array;

/* ---- what holds for an item ---- */

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

/* The owner's items from `i` on that nothing under it speaks of. */
static err add_unevaluated(const compiler *c, const schema_set *s, int o, size_t i, schema_set *out,
                           fail *f) {
    const json *rest = json_get(s->owner[o], "unevaluatedItems"), *one;
    bool known = false;
    if (!rest) return E_OK;
    for (int k = 0; k < s->n && !known; k++) {
        if (!(s->under[k] >> o & 1)) continue;
        TRY(item_schema(&c->doc, s->s[k], i, &one, f));
        known = one != NULL || (s->s[k] != s->owner[o] && json_get(s->s[k], "unevaluatedItems"));
        if (json_get(s->s[k], "contains") && !json_get(s->s[k], SCHEMA_FROM))
            return schema_refuse("unevaluatedItems", s->owner[o], f);
    }
    return known ? E_OK : schema_set_add(out, rest, f);
}

static err item_set(const compiler *c, const schema_set *s, size_t i, schema_set *out, fail *f) {
    out->n = 0;
    for (int k = 0; k < s->n; k++) {
        const json *one;
        TRY(item_schema(&c->doc, s->s[k], i, &one, f));
        if (one) TRY(schema_set_add(out, one, f));
    }
    for (int o = 0; o < s->owners; o++) TRY(add_unevaluated(c, s, o, i, out, f));
    return E_OK;
}

static size_t prefix_of(const json *s) {
    const json *items = json_get(s, "items"), *first = json_get(s, "prefixItems");
    size_t n = first && first->kind == JSON_ARRAY ? first->count : 0;
    if (items && items->kind == JSON_ARRAY && items->count > n) n = items->count;
    return n;
}

/* ---- unique items ---- */

static bool wants_unique(const schema_set *s, int64_t most) {
    bool yes = false;
    for (int i = 0; i < s->n; i++) {
        const json *v = json_get(s->s[i], "uniqueItems");
        yes = yes || (v && v->kind == JSON_BOOL && v->boolean);
    }
    return yes && !(most >= 0 && most <= 1);
}

static err refuse_unique(const schema_set *s, fail *f) {
    const json *at = s->s[0];
    for (int i = 0; i < s->n; i++)
        if (json_get(s->s[i], "uniqueItems")) at = s->s[i];
    schema_refuse("uniqueItems", at, f);
    return fail_hint(f, "it is held where the items are of an enum of at most %d values",
                     SCHEMA_UNIQUE_MAX);
}

/* The values that items may have, and by the item's place which of them. */
typedef struct distinct {
    const json *v[SCHEMA_UNIQUE_MAX];
    int n;
    unsigned at[SCHEMA_UNIQUE_MAX + 1]; /* [place] bits of v; behind the prefix always the last */
} distinct;

static err add_distinct(distinct *d, const json *v, unsigned *bits, bool *full) {
    int i = 0;
    while (i < d->n && !schema_equal(d->v[i], v)) i++;
    *full = *full || i == SCHEMA_UNIQUE_MAX;
    if (*full) return E_OK;
    if (i == d->n) d->v[d->n++] = v;
    *bits |= 1u << i;
    return E_OK;
}

/* null, true and false are values as well as those of an enum. */
static err way_values(compiler *c, const schema_set *way, const json ***out, int *n, fail *f) {
    static const json words[] = {{.kind = JSON_NULL},
                                 {.kind = JSON_BOOL, .boolean = true},
                                 {.kind = JSON_BOOL, .boolean = false}};
    int kinds;
    bool whole;
    TRY(schema_values(&c->doc, way, out, n, f));
    if (*n >= 0) return compile_fitting(c, way, *out, n, f);
    TRY(schema_kinds(way, &kinds, &whole, f));
    if (kinds & ~(1 << JSON_NULL | 1 << JSON_BOOL)) return E_OK;
    *out = arena_new_n(&c->a, const json *, 3);
    if (!*out) return fail_memory(f, "a grammar");
    *n = 0;
    for (int i = 0; i < 3; i++)
        if (kinds & 1 << words[i].kind) (*out)[(*n)++] = &words[i];
    return E_OK;
}

/* The values of a set that is not resolved yet, where they are at most `most` and known one by one;
 * else *n = -1. */
static err known_values(compiler *c, const schema_set *set, const json **out, int most, int *n,
                        fail *f) {
    schema_ways *ways = arena_new(&c->a, schema_ways);
    int found = 0;
    if (!ways) return fail_memory(f, "a grammar");
    TRY(schema_find_ways(&c->doc, set, ways, f));
    *n = -1;
    for (int i = 0; i < ways->n; i++) {
        const json **values = NULL;
        int here;
        TRY(way_values(c, ways->way[i], &values, &here, f));
        if (here < 0 || here > most - found) return E_OK;
        for (int k = 0; k < here; k++) out[found++] = values[k];
    }
    *n = found;
    return E_OK;
}

static err find_distinct(compiler *c, const array *a, distinct *d, fail *f) {
    bool full = false;
    for (size_t place = 0; place <= SCHEMA_UNIQUE_MAX && !full; place++) {
        const json *values[SCHEMA_UNIQUE_MAX];
        schema_set item = {.n = 0};
        int n = 0;
        if (a->most >= 0 && (int64_t)place >= a->most) break;
        TRY(item_set(c, a->s, place, &item, f));
        TRY(known_values(c, &item, values, SCHEMA_UNIQUE_MAX, &n, f));
        full = n < 0;
        for (int i = 0; i < n && !full; i++) TRY(add_distinct(d, values[i], &d->at[place], &full));
        if (n == 0) break; /* no item can stand here */
    }
    return full || a->n ? refuse_unique(a->s, f) : E_OK;
}

static err comma(compiler *c, int32_t *at, fail *f) {
    TRY(compile_space(c, at, f));
    TRY(compile_text(c, at, ",", f));
    return compile_space(c, at, f);
}

/* One state for each set of values that stand there already. */
static err fill_unique(compiler *c, const array *a, int32_t begin, int32_t end, fail *f) {
    distinct d = {0};
    int32_t state[1 << SCHEMA_UNIQUE_MAX];
    TRY(find_distinct(c, a, &d, f));
    for (unsigned used = 0; used < 1u << d.n; used++) {
        if (used)
            TRY(grammar_add_state(c->g, &state[used], f));
        else
            state[used] = begin;
    }
    for (unsigned used = 0; used < 1u << d.n; used++) {
        int place = __builtin_popcount(used);
        int32_t from = state[used];
        if (place >= a->least) TRY(grammar_free_edge(c->g, from, end, f));
        if (a->most >= 0 && place >= a->most) continue;
        if (place) TRY(comma(c, &from, f));
        for (int i = 0; i < d.n; i++) {
            int32_t at = from;
            if (used >> i & 1 || !(d.at[place] >> i & 1)) continue;
            TRY(compile_value(c, &at, d.v[i], f));
            TRY(grammar_free_edge(c->g, at, state[used | 1u << i], f));
        }
    }
    return E_OK;
}

/* ---- contains ---- */

static err read_contains(compiler *c, array *a, const json *s, fail *f) {
    const json *match = json_get(s, "contains"), *from = json_get(s, SCHEMA_FROM);
    schema_set one = {.s = {s}, .n = 1};
    int64_t least = -1, most = -1;
    if (!match) return E_OK;
    TRY(compile_count_word(&one, "minContains", true, &least, f));
    TRY(compile_count_word(&one, "maxContains", false, &most, f));
    if (least < 0) least = 1;
    if (least == 0 && most < 0) return E_OK;
    if (a->n == SCHEMA_CONTAINS_MAX || least > SCHEMA_ITEMS_MAX || most > SCHEMA_ITEMS_MAX)
        return fail_set(f, E_TOO_LARGE,
                        "more than %d \"contains\" of one array, or one of %d items",
                        SCHEMA_CONTAINS_MAX, SCHEMA_ITEMS_MAX);
    contained *k = &a->c[a->n++];
    *k = (contained){.match = match,
                     .least = least,
                     .most = most,
                     .from = from ? (int64_t)from->number : 0,
                     .steps = (int32_t)(most >= 0 ? most : least)};
    return most < 0 ? E_OK : schema_negate(&c->doc, match, &k->other, f);
}

/* The rule of an item that matches those of the bits; false in *possible where it cannot. */
static err matching_rule(compiler *c, const array *a, const schema_set *item, unsigned matches,
                         int32_t *out, bool *possible, fail *f) {
    schema_set all = *item;
    *possible = true;
    for (int k = 0; k < a->n; k++) {
        const json *more = matches >> k & 1 ? a->c[k].match : a->c[k].other;
        if (!more) continue;
        *possible = *possible && !(more->kind == JSON_BOOL && !more->boolean);
        TRY(schema_set_add(&all, more, f));
    }
    return *possible ? compile_set(c, &all, out, f) : E_OK;
}

/* The counts behind an item that matches those of the bits; false: one would be too many. */
static bool counted(const array *a, int32_t counts, unsigned matches, int32_t *out) {
    int32_t unit = 1;
    *out = counts;
    for (int k = 0; k < a->n; k++) {
        const contained *m = &a->c[k];
        int32_t n = counts / unit % (m->steps + 1);
        if (matches >> k & 1) {
            if (n == m->steps && m->most >= 0) return false;
            if (n < m->steps) *out += unit;
        }
        unit *= m->steps + 1;
    }
    return true;
}

static bool enough(const array *a, int32_t counts) {
    int32_t unit = 1;
    for (int k = 0; k < a->n; unit *= a->c[k++].steps + 1)
        if (counts / unit % (a->c[k].steps + 1) < a->c[k].least) return false;
    return true;
}

/* ---- items in their places ---- */

/* From item i on, in whatever counts. */
static err fill_item(compiler *c, const array *a, int64_t i, fail *f) {
    schema_set item = {.n = 0};
    unsigned open = 0;
    TRY(item_set(c, a->s, (size_t)i, &item, f));
    for (int k = 0; k < a->n; k++) open |= (unsigned)(i >= a->c[k].from) << k;
    for (unsigned matches = 0; matches < 1u << a->n; matches++) {
        int32_t rule = 0, to;
        bool possible = true;
        if (matches & ~open) continue;
        array counted_here = *a; /* what stands before `from` is not asked */
        for (int k = 0; k < a->n; k++)
            if (!(open >> k & 1)) counted_here.c[k].other = NULL;
        TRY(matching_rule(c, &counted_here, &item, matches, &rule, &possible, f));
        for (int32_t counts = 0; possible && counts < a->counts; counts++) {
            int32_t at = a->state[i * a->counts + counts];
            if (!counted(a, counts, matches, &to)) continue;
            if (i) TRY(comma(c, &at, f));
            TRY(grammar_then_rule(c->g, &at, rule, f));
            int64_t next = i < a->steps ? i + 1 : i;
            TRY(grammar_free_edge(c->g, at, a->state[next * a->counts + to], f));
        }
    }
    return E_OK;
}

static err fill_places(compiler *c, array *a, int32_t begin, int32_t end, fail *f) {
    int64_t states = (a->steps + 1) * a->counts;
    if (states > SCHEMA_ITEMS_MAX)
        return fail_set(f, E_TOO_LARGE, "an array of %lld counted items is above the limit of %d",
                        (long long)states, SCHEMA_ITEMS_MAX);
    a->state = arena_new_n(&c->a, int32_t, (size_t)states);
    if (!a->state) return fail_memory(f, "a grammar");
    for (int64_t i = 0; i < states; i++) TRY(grammar_add_state(c->g, &a->state[i], f));
    TRY(grammar_free_edge(c->g, begin, a->state[0], f));
    for (int64_t i = 0; i <= a->steps; i++) {
        for (int32_t k = 0; k < a->counts && i >= a->least; k++)
            if (enough(a, k)) TRY(grammar_free_edge(c->g, a->state[i * a->counts + k], end, f));
        if (i == a->steps && a->most >= 0) break;
        TRY(fill_item(c, a, i, f));
    }
    return E_OK;
}

/* Places that are told apart: those of a prefix, of counted items, and before a "contains". */
static void find_steps(array *a) {
    a->steps = a->least;
    for (int i = 0; i < a->s->n; i++)
        if ((int64_t)prefix_of(a->s->s[i]) > a->steps) a->steps = (int64_t)prefix_of(a->s->s[i]);
    for (int k = 0; k < a->n; k++)
        if (a->c[k].from > a->steps) a->steps = a->c[k].from;
    if (a->most >= 0) a->steps = a->most;
    if (a->steps < 1) a->steps = a->most == 0 ? 0 : 1;
}

err compile_array(compiler *c, const grammar_rule *r, const schema_set *s, fail *f) {
    array *a = arena_new(&c->a, array);
    int32_t at = r->first, end;
    if (!a) return fail_memory(f, "a grammar");
    *a = (array){.s = s, .least = -1, .most = -1, .counts = 1};
    TRY(compile_count_word(s, "minItems", true, &a->least, f));
    TRY(compile_count_word(s, "maxItems", false, &a->most, f));
    for (int i = 0; i < s->n; i++) TRY(read_contains(c, a, s->s[i], f));
    for (int k = 0; k < a->n; k++) {
        a->counts *= a->c[k].steps + 1;
        if (a->counts > SCHEMA_ITEMS_MAX)
            return fail_set(f, E_TOO_LARGE, "more than %d counts of \"contains\"",
                            SCHEMA_ITEMS_MAX);
    }
    find_steps(a);
    TRY(compile_text(c, &at, "[", f));
    TRY(compile_space(c, &at, f));
    TRY(grammar_add_state(c->g, &end, f));
    if (wants_unique(s, a->most))
        TRY(fill_unique(c, a, at, end, f));
    else
        TRY(fill_places(c, a, at, end, f));
    TRY(compile_space(c, &end, f));
    TRY(compile_text(c, &end, "]", f));
    return grammar_free_edge(c->g, end, r->last, f);
}

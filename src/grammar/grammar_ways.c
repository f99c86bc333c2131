/* grammar_ways.c - what holds for one value: references followed, allOf joined, anyOf and oneOf
 * multiplied out; see grammar_schema.h. */
#include "grammar/grammar_schema.h"

static err add_under(schema_set *s, const json *schema, uint8_t under, fail *f) {
    for (int i = 0; i < s->n; i++)
        if (s->s[i] == schema) {
            s->under[i] |= under;
            return E_OK;
        }
    if (s->n == SCHEMA_JOINED_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d schemas hold for one value",
                        SCHEMA_JOINED_MAX);
    s->under[s->n] = under;
    s->s[s->n++] = schema;
    return E_OK;
}

err schema_set_add(schema_set *s, const json *schema, fail *f) {
    return add_under(s, schema, 0, f);
}

/* ---- ways ---- */

typedef struct way_job {
    const schema_doc *d;
    schema_ways *out;
    int depth;
    int32_t compared; /* pairs of schemas, to show that they exclude each other */
} way_job;

/* Alternatives still to be chosen from. */
typedef struct groups {
    const json *g[SCHEMA_JOINED_MAX];
    uint8_t under[SCHEMA_JOINED_MAX];
    bool several[SCHEMA_JOINED_MAX]; /* which of them hold matters: each set of them is a way */
    int n;
} groups;

/* What `include` works on: the schemas found, the choices left, whether false is among them. */
typedef struct found {
    schema_set *set;
    groups *more;
    bool never;
} found;

static err check_list(const json *list, const char *word, fail *f) {
    if (list->kind == JSON_ARRAY && list->count > 0) return E_OK;
    return fail_set(f, E_INPUT, "\"%s\" must be a list of schemas that is not empty", word);
}

static err add_group(found *to, const json *list, uint8_t under, bool several, fail *f) {
    groups *more = to->more;
    for (int i = 0; i < more->n; i++)
        if (more->g[i] == list && more->under[i] == under) return E_OK;
    if (more->n == SCHEMA_JOINED_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d choices for one value", SCHEMA_JOINED_MAX);
    more->g[more->n] = list;
    more->under[more->n] = under;
    more->several[more->n++] = several;
    return E_OK;
}

/* s speaks of what no other schema within it speaks of: those included by it are marked. */
static err own(schema_set *set, const json *s, uint8_t *under, fail *f) {
    static const char *const words[] = {"unevaluatedProperties", "unevaluatedItems"};
    bool owns = false;
    for (int i = 0; i < 2; i++) {
        const json *v = json_get(s, words[i]);
        owns = owns || (v && !schema_says_nothing(v));
    }
    if (!owns) return E_OK;
    int i = 0;
    while (i < set->owners && set->owner[i] != s) i++;
    if (i == SCHEMA_OWNERS_MAX)
        return fail_set(f, E_TOO_LARGE, "more than %d \"unevaluated...\" hold for one value",
                        SCHEMA_OWNERS_MAX);
    if (i == set->owners) set->owner[set->owners++] = s;
    *under |= (uint8_t)(1 << i);
    return E_OK;
}

static err one_of_group(way_job *j, const json *list, const json **out, fail *f);
static err include(way_job *j, const json *s, found *to, uint8_t under, fail *f);

static err include_choices(way_job *j, const json *s, found *to, uint8_t under, fail *f) {
    const json *any = json_get(s, "anyOf"), *one = json_get(s, "oneOf"), *list;
    if (any) {
        TRY(check_list(any, "anyOf", f));
        TRY(add_group(to, any, under, under != 0, f));
    }
    if (one) {
        TRY(check_list(one, "oneOf", f));
        TRY(one_of_group(j, one, &list, f));
        TRY(add_group(to, list, under, false, f));
    }
    if (json_get(s, "if") && (under || json_get(s, "then") || json_get(s, "else"))) {
        TRY(schema_if(j->d, s, &list, f));
        TRY(add_group(to, list, under, false, f));
    }
    return E_OK;
}

static err include_dependents(way_job *j, const json *s, found *to, uint8_t under, fail *f) {
    static const char *const words[] = {"dependentRequired", "dependentSchemas", "dependencies"};
    for (int i = 0; i < 3; i++) {
        const json *v = json_get(s, words[i]), *list;
        if (v && v->kind != JSON_OBJECT)
            return fail_set(f, E_INPUT, "\"%s\" must be an object", words[i]);
        for (size_t k = 0; v && k < v->count; k++) {
            TRY(schema_dependent(j->d, v->members[k].key, &v->members[k].value, &list, f));
            TRY(add_group(to, list, under, false, f));
        }
    }
    return E_OK;
}

static err include_words(way_job *j, const json *s, found *to, uint8_t under, fail *f) {
    const json *all = json_get(s, "allOf"), *not_so = json_get(s, "not"), *opposite;
    if (json_get(s, "$recursiveRef")) return schema_refuse("$recursiveRef", s, f);
    if (all) TRY(check_list(all, "allOf", f));
    for (size_t i = 0; all && i < all->count; i++) TRY(include(j, &all->items[i], to, under, f));
    if (not_so) {
        TRY(schema_negate(j->d, not_so, &opposite, f));
        TRY(include(j, opposite, to, 0, f)); /* what must not hold evaluates nothing */
    }
    TRY(include_choices(j, s, to, under, f));
    return include_dependents(j, s, to, under, f);
}

/* draft 7: what stands beside a reference does not count */
static void take_out(schema_set *set, const json *s) {
    for (int i = 0; i < set->n; i++)
        if (set->s[i] == s) {
            set->s[i] = set->s[--set->n];
            set->under[i] = set->under[set->n];
        }
}

static err include_refs(way_job *j, const json *s, found *to, uint8_t under, fail *f) {
    static const char *const words[] = {"$ref", "$dynamicRef"};
    for (int i = 0; i < 2; i++) {
        const json *target;
        if (!json_get(s, words[i])) continue;
        TRY(schema_follow(j->d, s, words[i], &target, f));
        TRY(include(j, target, to, under, f));
    }
    return E_OK;
}

/* s and all that it includes without choice */
static err include(way_job *j, const json *s, found *to, uint8_t under, fail *f) {
    schema_set *set = to->set;
    if (s->kind == JSON_BOOL) {
        to->never = to->never || !s->boolean;
        return E_OK;
    }
    if (s->kind != JSON_OBJECT)
        return fail_set(f, E_INPUT, "a schema must be an object, true or false, not %s",
                        json_kind_name(s->kind));
    for (int i = 0; i < set->n; i++)
        if (set->s[i] == s && (set->under[i] & under) == under) return E_OK;
    if (++j->depth > SCHEMA_DEPTH_MAX)
        return fail_set(f, E_TOO_LARGE, "references nest deeper than %d", SCHEMA_DEPTH_MAX);
    bool alone = j->d->draft7 && json_get(s, "$ref");
    if (!alone) TRY(own(set, s, &under, f));
    TRY(add_under(set, s, under, f)); /* first, so that a circle of references ends */
    TRY(include_refs(j, s, to, under, f));
    if (alone)
        take_out(set, s);
    else
        TRY(include_words(j, s, to, under, f));
    j->depth--;
    return E_OK;
}

static err spread(way_job *j, const schema_set *set, const groups *left, fail *f);

/* The ways on with these alternatives of the last group. */
static err choose(way_job *j, const schema_set *set, const groups *left, const size_t *chosen,
                  size_t n, fail *f) {
    schema_set next = *set;
    groups rest = *left;
    found to = {.set = &next, .more = &rest};
    const int last = --rest.n;
    for (size_t i = 0; i < n; i++)
        TRY(include(j, &left->g[last]->items[chosen[i]], &to, left->under[last], f));
    return to.never ? E_OK : spread(j, &next, &rest, f);
}

/* Each set of the alternatives: the others may hold or not, which changes nothing then. */
static err choose_several(way_job *j, const schema_set *set, const groups *left, fail *f) {
    size_t count = left->g[left->n - 1]->count, chosen[SCHEMA_SEVERAL_MAX];
    if (count > SCHEMA_SEVERAL_MAX)
        return fail_set(f, E_TOO_LARGE, "\"anyOf\" of more than %d beside \"unevaluated...\"",
                        SCHEMA_SEVERAL_MAX);
    for (unsigned bits = 1; bits < 1u << count; bits++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++)
            if (bits >> i & 1) chosen[n++] = i;
        TRY(choose(j, set, left, chosen, n, f));
    }
    return E_OK;
}

static err spread(way_job *j, const schema_set *set, const groups *left, fail *f) {
    if (left->n == 0) {
        if (j->out->n == SCHEMA_WAYS_MAX)
            return fail_set(f, E_TOO_LARGE, "more than %d combinations of alternatives",
                            SCHEMA_WAYS_MAX);
        schema_set *way = arena_new(j->d->a, schema_set);
        if (!way) return fail_memory(f, "a grammar");
        *way = *set;
        j->out->way[j->out->n++] = way;
        return E_OK;
    }
    if (++j->depth > SCHEMA_DEPTH_MAX)
        return fail_set(f, E_TOO_LARGE, "alternatives nest deeper than %d", SCHEMA_DEPTH_MAX);
    if (left->several[left->n - 1])
        TRY(choose_several(j, set, left, f));
    else
        for (size_t i = 0; i < left->g[left->n - 1]->count; i++)
            TRY(choose(j, set, left, &i, 1, f));
    j->depth--;
    return E_OK;
}

static err find_ways(const schema_doc *d, const schema_set *in, schema_ways *out, int depth,
                     fail *f) {
    way_job j = {.d = d, .out = out, .depth = depth};
    schema_set set = {.n = 0};
    groups more = {.n = 0};
    found to = {.set = &set, .more = &more};
    out->n = 0;
    for (int i = 0; i < in->n; i++) TRY(include(&j, in->s[i], &to, 0, f));
    return to.never ? E_OK : spread(&j, &set, &more, f);
}

/* Every schema of x is one of y, so y says no less. */
static bool within(const schema_set *x, const schema_set *y) {
    if (x->n > y->n || x->owners || y->owners) return false;
    for (int i = 0; i < x->n; i++) {
        int k = 0;
        while (k < y->n && y->s[k] != x->s[i]) k++;
        if (k == y->n) return false;
    }
    return true;
}

/* Ways that leave no kind of value, and those that say no less than another: fewer readings are
 * open at once then. */
static err prune(schema_ways *ways, fail *f) {
    int kept = 0;
    for (int i = 0; i < ways->n; i++) {
        int kinds;
        bool whole, needless = false;
        TRY(schema_kinds(ways->way[i], &kinds, &whole, f));
        for (int k = 0; k < ways->n && !needless; k++)
            needless = k != i && ways->way[k] && within(ways->way[k], ways->way[i]);
        if (needless || !kinds) ways->way[i] = NULL;
    }
    for (int i = 0; i < ways->n; i++)
        if (ways->way[i]) ways->way[kept++] = ways->way[i];
    ways->n = kept;
    return E_OK;
}

err schema_find_ways(const schema_doc *d, const schema_set *in, schema_ways *out, fail *f) {
    TRY(find_ways(d, in, out, 0, f));
    return prune(out, f);
}

/* ---- whether two schemas exclude each other ---- */

static err apart(way_job *j, const schema_set *x, const schema_set *y, bool *out, fail *f);

/* every way of x and every way of y */
static err schemas_apart(way_job *j, const json *x, const json *y, bool *out, fail *f) {
    schema_ways *ways = arena_new_n(j->d->a, schema_ways, 2);
    schema_set one = {.n = 1}, two = {.n = 1};
    if (!ways) return fail_memory(f, "a grammar");
    one.s[0] = x;
    two.s[0] = y;
    *out = false;
    if (j->depth > 16 || ++j->compared > SCHEMA_COMPARED_MAX) return E_OK;
    TRY(find_ways(j->d, &one, &ways[0], j->depth + 1, f));
    TRY(find_ways(j->d, &two, &ways[1], j->depth + 1, f));
    *out = true;
    for (int i = 0; i < ways[0].n && *out; i++)
        for (int k = 0; k < ways[1].n && *out; k++)
            TRY(apart(j, ways[0].way[i], ways[1].way[k], out, f));
    return E_OK;
}

static bool requires(const schema_set *s, str key) {
    for (int i = 0; i < s->n; i++) {
        const json *list = json_get(s->s[i], "required");
        for (size_t k = 0; list && list->kind == JSON_ARRAY && k < list->count; k++)
            if (list->items[k].kind == JSON_STRING && str_eq(list->items[k].string, key))
                return true;
    }
    return false;
}

static const json *member(const json *v, str key) {
    for (size_t i = 0; v && v->kind == JSON_OBJECT && i < v->count; i++)
        if (str_eq(v->members[i].key, key)) return &v->members[i].value;
    return NULL;
}

/* both are objects only, and a member that both require has values that exclude each other */
static err members_apart(way_job *j, const schema_set *x, const schema_set *y, bool *out, fail *f) {
    *out = false;
    for (int i = 0; i < x->n && !*out; i++) {
        const json *mine = json_get(x->s[i], "properties");
        for (size_t k = 0; mine && mine->kind == JSON_OBJECT && k < mine->count && !*out; k++) {
            str key = mine->members[k].key;
            if (!requires(x, key) || !requires(y, key)) continue;
            for (int l = 0; l < y->n && !*out; l++) {
                const json *other = member(json_get(y->s[l], "properties"), key);
                if (other) TRY(schemas_apart(j, &mine->members[k].value, other, out, f));
            }
        }
    }
    return E_OK;
}

static bool closed_to(const schema_set *x, const schema_set *y) {
    for (int i = 0; i < x->n; i++) { /* x has no room for a member that y requires */
        const json *more = json_get(x->s[i], "additionalProperties"), *list = NULL;
        if (!more || more->kind != JSON_BOOL || more->boolean ||
            json_get(x->s[i], "patternProperties"))
            continue;
        for (int k = 0; k < y->n; k++) {
            list = json_get(y->s[k], "required");
            for (size_t l = 0; list && list->kind == JSON_ARRAY && l < list->count; l++)
                if (list->items[l].kind == JSON_STRING &&
                    !member(json_get(x->s[i], "properties"), list->items[l].string))
                    return true;
        }
    }
    return false;
}

static err apart(way_job *j, const schema_set *x, const schema_set *y, bool *out, fail *f) {
    int kx, ky, nx, ny;
    bool wx, wy;
    const json **vx = NULL, **vy = NULL;
    TRY(schema_kinds(x, &kx, &wx, f));
    TRY(schema_kinds(y, &ky, &wy, f));
    *out = (kx & ky) == 0;
    if (*out) return E_OK;
    TRY(schema_values(j->d, x, &vx, &nx, f));
    TRY(schema_values(j->d, y, &vy, &ny, f));
    if (nx >= 0 && ny >= 0) {
        *out = true;
        for (int i = 0; i < nx; i++)
            for (int k = 0; k < ny; k++) *out = *out && !schema_equal(vx[i], vy[k]);
        return E_OK;
    }
    if ((kx & ky) != 1 << JSON_OBJECT || nx >= 0 || ny >= 0) return E_OK;
    *out = closed_to(x, y) || closed_to(y, x);
    return *out ? E_OK : members_apart(j, x, y, out, f);
}

/* The list where its alternatives are shown to exclude each other; else each with the opposites of
 * those that it might hold at once with. */
static err one_of_group(way_job *j, const json *list, const json **out, fail *f) {
    uint64_t apart_from[SCHEMA_ONE_OF_MAX] = {0};
    bool all = true;
    if (list->count > SCHEMA_ONE_OF_MAX)
        return fail_set(f, E_TOO_LARGE, "\"oneOf\" of more than %d", SCHEMA_ONE_OF_MAX);
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++) {
            bool ok;
            TRY(schemas_apart(j, &list->items[i], &list->items[k], &ok, f));
            apart_from[i] |= (uint64_t)ok << k;
            apart_from[k] |= (uint64_t)ok << i;
            all = all && ok;
        }
    *out = list;
    return all ? E_OK : schema_exactly_one(j->d, list, apart_from, out, f);
}

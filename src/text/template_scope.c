/* template_scope.c - which of the caller's values a scope of a template hides; see template_int.h.
 *
 * Jinja decides when it compiles what a name means in a scope. A name that the scope sets for
 * certain, and did not read before, is the scope's own from its beginning: until it is set, loops
 * and macros inside the scope see it as undefined, even when the caller gave a value of that name.
 * This pass walks the tree once and notes those names on the block of each scope. */
#include "text/template_int.h"

#include <string.h>

enum {
    SCOPE_STEPS_MAX = 50 * 1000 * 1000,  /* names compared */
    SCOPE_SCRATCH_BYTES_MAX = 128 << 20, /* names of branches, side by side */
};

typedef struct symbol {
    str name;
    bool own;    /* set before it was read: not the caller's */
    bool stored; /* set on every way that leads here */
} symbol;

typedef struct frame {
    const struct frame *parent;
    symbol *items; /* [n] */
    size_t n, cap;
} frame;

typedef struct scoper {
    arena *arena, *kept; /* of the pass; of the template */
    int64_t steps_left;
    fail *f;
} scoper;

static symbol *find(scoper *s, const frame *of, str name) {
    for (size_t i = 0; i < of->n; i++) {
        s->steps_left--;
        if (str_eq(of->items[i].name, name)) return &of->items[i];
    }
    return NULL;
}

static bool known_outside(scoper *s, const frame *of, str name) {
    for (const frame *p = of->parent; p; p = p->parent)
        if (find(s, p, name)) return true;
    return false;
}

static err no_memory(const scoper *s) {
    if (s->arena->bytes_used < SCOPE_SCRATCH_BYTES_MAX / 2) return fail_memory(s->f, "a template");
    return fail_set(s->f, E_TOO_LARGE, "the template has too many names in too many branches");
}

static err add(scoper *s, frame *of, symbol one) {
    if (s->steps_left < 0)
        return fail_set(s->f, E_TOO_LARGE, "the template has too many names to keep apart");
    if (of->n == of->cap) {
        size_t cap = of->cap ? of->cap * 2 : 8;
        symbol *items = arena_new_n(s->arena, symbol, cap);
        if (!items) return no_memory(s);
        if (of->n) memcpy(items, of->items, of->n * sizeof *items);
        of->items = items;
        of->cap = cap;
    }
    of->items[of->n++] = one;
    return E_OK;
}

static err load(scoper *s, frame *of, str name) {
    return find(s, of, name) || known_outside(s, of, name) ? E_OK
                                                           : add(s, of, (symbol){.name = name});
}

static err store(scoper *s, frame *of, str name) {
    symbol *known = find(s, of, name);
    if (known) {
        known->stored = true;
        return E_OK;
    }
    return add(s, of, (symbol){name, !known_outside(s, of, name), true});
}

static err visit_names_at(scoper *s, frame *of, const node *n, int depth) {
    if (!n) return E_OK;
    if (n->kind == NODE_NAME) return load(s, of, n->text);
    if (depth >= TEMPLATE_EVAL_DEPTH_MAX)
        return fail_set(s->f, E_TOO_LARGE,
                        "template line %d: an expression nested more than %d levels deep", n->line,
                        TEMPLATE_EVAL_DEPTH_MAX);
    TRY(visit_names_at(s, of, n->a, depth + 1));
    TRY(visit_names_at(s, of, n->b, depth + 1));
    TRY(visit_names_at(s, of, n->c, depth + 1));
    for (size_t i = 0; i < n->n; i++) TRY(visit_names_at(s, of, n->items[i], depth + 1));
    return E_OK;
}

/* Names that an expression reads. */
static err visit_names(scoper *s, frame *of, const node *n) {
    return visit_names_at(s, of, n, 0);
}

static err visit_target(scoper *s, frame *of, const node *target) {
    if (target->kind == NODE_NAME) return store(s, of, target->text);
    if (target->kind == NODE_ATTRIBUTE) return load(s, of, target->a->text);
    for (size_t i = 0; i < target->n; i++) TRY(visit_target(s, of, target->items[i]));
    return E_OK;
}

static err visit(scoper *s, frame *of, const node *n);

static err branch(scoper *s, const frame *of, frame *out) {
    *out = (frame){.parent = of->parent};
    s->steps_left -= (int64_t)of->n;
    for (size_t i = 0; i < of->n; i++) TRY(add(s, out, of->items[i]));
    return E_OK;
}

/* What one branch knows goes into the whole; `stores` counts the branches that set a name. */
static err merge(scoper *s, frame *of, const frame *from, frame *counts, size_t *count) {
    for (size_t i = 0; i < from->n; i++) {
        symbol one = from->items[i], *known = find(s, of, one.name);
        if (known && known->stored) continue;
        if (one.stored) {
            symbol *counted = find(s, counts, one.name);
            if (!counted) TRY(add(s, counts, (symbol){.name = one.name}));
            count[counted ? (size_t)(counted - counts->items) : counts->n - 1]++;
        }
        bool own = one.own;
        if (!known)
            TRY(add(s, of, (symbol){one.name, own, false}));
        else
            known->own = own;
    }
    return E_OK;
}

enum { BRANCHES = 3 }; /* body, all the elifs, else */

static err visit_elifs(scoper *s, frame *of, const node *n);

/* Set in every branch: set. Set in some of them: the caller's value stands in the others. Jinja
 * counts three branches, also where there is no elif. */
static err visit_branches(scoper *s, frame *of, const node *body, const node *elif,
                          const node *other) {
    frame counts = {0}, branches[BRANCHES] = {{0}, {0}, {0}};
    size_t most = 1;
    TRY(branch(s, of, &branches[0]));
    TRY(visit(s, &branches[0], body));
    if (elif) TRY(branch(s, of, &branches[1]));
    if (elif) TRY(visit_elifs(s, &branches[1], elif));
    if (other) TRY(branch(s, of, &branches[2]));
    if (other) TRY(visit(s, &branches[2], other));
    for (int i = 0; i < BRANCHES; i++) most += branches[i].n;
    size_t *count = arena_new_n(s->arena, size_t, most);
    if (!count) return no_memory(s);
    for (int i = 0; i < BRANCHES; i++) TRY(merge(s, of, &branches[i], &counts, count));
    for (size_t i = 0; i < counts.n; i++) {
        symbol *known = find(s, of, counts.items[i].name);
        known->stored = true;
        if (count[i] < BRANCHES) known->own = false;
    }
    return E_OK;
}

static err visit_elifs(scoper *s, frame *of, const node *n) {
    for (; n && n->kind == NODE_IF; n = n->other) {
        TRY(visit_names(s, of, n->a));
        TRY(visit_branches(s, of, n->body, NULL, NULL));
    }
    return E_OK;
}

static err visit_if(scoper *s, frame *of, const node *n) {
    const node *other = n->other;
    while (other && other->kind == NODE_IF) other = other->other;
    TRY(visit_names(s, of, n->a));
    return visit_branches(s, of, n->body, n->other && n->other->kind == NODE_IF ? n->other : NULL,
                          other);
}

/* One statement as its own scope sees it: what lies in scopes inside is not looked at. */
static err visit(scoper *s, frame *of, const node *n) {
    switch (n->kind) {
    case NODE_BLOCK:
        for (size_t i = 0; i < n->n; i++) TRY(visit(s, of, n->items[i]));
        return E_OK;
    case NODE_IF: return visit_if(s, of, n);
    case NODE_SET: TRY(visit_names(s, of, n->a)); return visit_target(s, of, n->target);
    case NODE_SET_BLOCK: return visit_target(s, of, n->target);
    case NODE_MACRO: return store(s, of, n->text);
    case NODE_WITH:
        for (size_t i = 1; i < n->n; i += 2) TRY(visit_names(s, of, n->items[i]));
        return E_OK;
    case NODE_OUTPUT:
    case NODE_FOR:
    case NODE_CALL_BLOCK:
    case NODE_FILTER_BLOCK: return visit_names(s, of, n->a);
    default: return E_OK;
    }
}

/* ---- the scopes inside ------------------------------------------------------------------------
 */

static err scope_of(scoper *s, const frame *parent, const node *owner, const node *body);

/* The scopes that stand in a statement of a scope. */
static err inner(scoper *s, const frame *of, const node *n) {
    switch (n->kind) {
    case NODE_BLOCK:
        for (size_t i = 0; i < n->n; i++) TRY(inner(s, of, n->items[i]));
        return E_OK;
    case NODE_IF:
        for (; n && n->kind == NODE_IF; n = n->other) TRY(inner(s, of, n->body));
        return n ? inner(s, of, n) : E_OK;
    case NODE_FOR:
        TRY(scope_of(s, of, n, n->body));
        return n->other ? scope_of(s, of, NULL, n->other) : E_OK;
    case NODE_SET_BLOCK:
    case NODE_FILTER_BLOCK:
    case NODE_WITH:
    case NODE_MACRO:
    case NODE_CALL_BLOCK: return scope_of(s, of, n, n->body);
    default: return E_OK;
    }
}

/* What the scope has before its body begins. */
static err visit_owner(scoper *s, frame *of, const node *owner) {
    bool macro = owner->kind == NODE_MACRO || owner->kind == NODE_CALL_BLOCK;
    if (owner->kind == NODE_FOR) {
        TRY(add(s, of, (symbol){.name = STR("loop"), .stored = true}));
        TRY(visit_target(s, of, owner->target));
    }
    for (size_t i = 0; macro && i < owner->n; i++) {
        TRY(store(s, of, owner->names[i]));
        TRY(visit_names(s, of, owner->items[i]));
    }
    for (size_t i = 0; owner->kind == NODE_WITH && i < owner->n; i += 2)
        TRY(visit_target(s, of, owner->items[i]));
    return E_OK;
}

static err note_hidden(scoper *s, const frame *of, const node *body) {
    node *block = (node *)(uintptr_t)body; /* made by the parser a moment ago, still ours */
    str *names = arena_new_n(s->kept, str, of->n);
    if (!names) return fail_memory(s->f, "a template");
    for (size_t i = 0; i < of->n; i++)
        if (of->items[i].own) names[block->hidden_n++] = of->items[i].name;
    block->hidden = names;
    return E_OK;
}

/* Recursion is bounded by TEMPLATE_NESTING_MAX. */
static err scope_of(scoper *s, const frame *parent, const node *owner, const node *body) {
    frame own = {.parent = parent};
    if (owner) TRY(visit_owner(s, &own, owner));
    TRY(visit(s, &own, body));
    TRY(note_hidden(s, &own, body));
    return inner(s, &own, body);
}

err template_scopes(arena *a, const node *body, fail *f) {
    arena scratch;
    scoper s = {.arena = &scratch, .kept = a, .steps_left = SCOPE_STEPS_MAX, .f = f};
    arena_init(&scratch, 0);
    scratch.bytes_max = SCOPE_SCRATCH_BYTES_MAX;
    err e = scope_of(&s, NULL, NULL, body);
    arena_deinit(&scratch);
    return e;
}

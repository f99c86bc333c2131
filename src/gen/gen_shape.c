/* gen_shape.c - see gen_shape.h. Compiled grammars are kept by the text they were made of; one that
 * is in use is not thrown out. */
#include "gen/gen_shape.h"

#include "base/mem.h"
#include "base/thread.h"

#include <string.h>

enum { FORCED_BYTES = 256, FORCED_LEAST = 4 };

typedef struct kept_grammar {
    buf key;
    grammar *g;
    int32_t users;
    int64_t used; /* when last, by count */
} kept_grammar;

struct gen_shaper {
    const tokenizer *t;
    const str *marks; /* [n_marks] */
    size_t n_marks;
    mutex lock; /* of all below */
    grammar_vocabulary *vocabulary;
    kept_grammar kept[SHAPER_GRAMMARS];
    int64_t count;
};

struct gen_shape_run {
    gen_shaper *s;
    kept_grammar *kept; /* NULL: own */
    grammar *own;
    grammar_walk *walk;
    arena scratch;
    engine_mask mask;
};

err gen_shaper_open(gen_shaper **out, const tokenizer *t, const str *marks, size_t n, fail *f) {
    gen_shaper *s = mem_zero(sizeof *s);
    if (!s) return fail_memory(f, "a shaper");
    s->t = t;
    s->marks = marks;
    s->n_marks = n;
    mutex_init(&s->lock);
    *out = s;
    return E_OK;
}

void gen_shaper_close(gen_shaper *s) {
    if (!s) return;
    for (int i = 0; i < SHAPER_GRAMMARS; i++) {
        grammar_close(s->kept[i].g);
        buf_deinit(&s->kept[i].key);
    }
    grammar_vocabulary_close(s->vocabulary);
    mutex_deinit(&s->lock);
    mem_free(s);
}

static bool is_mark(const gen_shaper *s, str piece) {
    for (size_t i = 0; i < s->n_marks; i++)
        if (str_eq(piece, s->marks[i])) return true;
    return false;
}

/* lock held */
static err build_vocabulary(gen_shaper *s, fail *f) {
    size_t n = tokenizer_count(s->t);
    if (s->vocabulary) return E_OK;
    grammar_token *tokens = mem_zero(n * sizeof *tokens);
    if (!tokens) return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < n; i++) {
        token_type type = tokenizer_type(s->t, (int32_t)i);
        tokens[i].ends = tokenizer_is_end(s->t, (int32_t)i);
        str piece = tokenizer_piece(s->t, (int32_t)i);
        if (type == TOKEN_NORMAL || type == TOKEN_BYTE || type == TOKEN_USER ||
            (type == TOKEN_CONTROL && is_mark(s, piece)))
            tokens[i].bytes = piece;
    }
    err e = grammar_vocabulary_open(&s->vocabulary, tokens, (int32_t)n, f);
    mem_free(tokens);
    return e;
}

/* ---- grammars ---- */

/* What a grammar is made of; calls NULL: a shape. */
typedef struct source {
    const gen_shape *shape;
    const grammar_calls *calls;
} source;

static void put_counted(buf *b, str text) {
    buf_printf(b, "%zu ", text.n);
    buf_put(b, text);
}

static void put_schema(buf *b, const json *schema) {
    json_writer w = {.out = b};
    if (schema) json_put_value(&w, schema);
    buf_put_char(b, ' ');
}

static void put_calls(buf *b, const grammar_calls *c) {
    buf_printf(b, "calls %d %d %d ", c->most, c->required, c->anchored);
    const str around[] = {c->trigger, c->lead, c->between, c->close};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) put_counted(b, around[i]);
    for (size_t i = 0; i < c->n; i++) {
        put_counted(b, c->items[i].before);
        put_schema(b, c->items[i].arguments);
        put_counted(b, c->items[i].after);
    }
    put_schema(b, c->answer);
}

static void put_shape(buf *b, const gen_shape *shape) {
    buf_printf(b, "%d ", (int)shape->kind);
    if (shape->kind == GEN_SHAPE_SCHEMA) put_schema(b, shape->schema);
    buf_put(b, shape->pattern);
    for (size_t i = 0; i < shape->n_choices; i++) put_counted(b, shape->choices[i]);
}

static err write_key(buf *b, const source *from, fail *f) {
    b->bytes_max = SHAPER_KEY_BYTES_MAX;
    if (from->calls)
        put_calls(b, from->calls);
    else
        put_shape(b, from->shape);
    return buf_ok(b, f);
}

static err compile(const source *from, grammar **out, fail *f) {
    const gen_shape *shape = from->shape;
    if (from->calls) return grammar_open_calls(out, from->calls, f);
    switch (shape->kind) {
    case GEN_SHAPE_JSON: return grammar_open_json(out, true, GRAMMAR_SPACE_SOME, f);
    case GEN_SHAPE_SCHEMA: return grammar_open_schema(out, shape->schema, GRAMMAR_SPACE_SOME, f);
    case GEN_SHAPE_REGEX: return grammar_open_regex(out, shape->pattern, f);
    case GEN_SHAPE_CHOICES: return grammar_open_choices(out, shape->choices, shape->n_choices, f);
    case GEN_SHAPE_NONE: break;
    }
    return fail_set(f, E_INTERNAL, "a shape of no kind");
}

/* The kept grammar of this key, or the place for it: the one unused longest; NULL: all in use. Lock
 * held. */
static kept_grammar *find_kept(gen_shaper *s, str key, bool *found) {
    kept_grammar *oldest = NULL;
    *found = false;
    for (int i = 0; i < SHAPER_GRAMMARS; i++) {
        kept_grammar *k = &s->kept[i];
        if (k->g && str_eq(buf_str(&k->key), key)) {
            *found = true;
            return k;
        }
        if (!k->users && (!oldest || k->used < oldest->used)) oldest = k;
    }
    return oldest;
}

static void hold(gen_shape_run *r, kept_grammar *k) {
    k->users++;
    k->used = ++r->s->count;
    r->kept = k;
}

static err take_grammar(gen_shape_run *r, const source *from, const grammar **out, fail *f) {
    gen_shaper *s = r->s;
    buf key = {0};
    bool found;
    err e = write_key(&key, from, f);
    mutex_lock(&s->lock);
    if (e == E_OK) e = build_vocabulary(s, f);
    kept_grammar *k = e == E_OK ? find_kept(s, buf_str(&key), &found) : NULL;
    if (k && found) hold(r, k);
    mutex_unlock(&s->lock);
    if (e == E_OK && !r->kept) e = compile(from, &r->own, f); /* others need not wait for it */
    if (e == E_OK && !r->kept) {
        mutex_lock(&s->lock);
        k = find_kept(s, buf_str(&key), &found);
        if (k && !found) {
            grammar_close(k->g);
            buf_deinit(&k->key);
            *k = (kept_grammar){.key = key, .g = r->own};
            key = (buf){0};
            r->own = NULL;
            hold(r, k);
        }
        mutex_unlock(&s->lock);
    }
    buf_deinit(&key);
    if (e == E_OK) *out = r->kept ? r->kept->g : r->own;
    return e;
}

/* ---- the mask ---- */

static err allowed(void *self, uint64_t *bits, bool *all, fail *f) {
    gen_shape_run *r = self;
    *all = false;
    return grammar_walk_allowed(r->walk, bits, f);
}

static err accept(void *self, int32_t id, fail *f) {
    gen_shape_run *r = self;
    return grammar_walk_accept(r->walk, id, f);
}

/* What must come next, in the tokens that the text is usually written with. The last of them is
 * left to be chosen: it might go on into what is free again. */
static int32_t forced(void *self, int32_t *ids, int32_t max) {
    gen_shape_run *r = self;
    char text[FORCED_BYTES];
    token_ids tokens;
    int32_t n = 0;
    size_t bytes = grammar_walk_forced(r->walk, text, sizeof text);
    if (bytes < FORCED_LEAST) return 0;
    arena_reset(&r->scratch);
    /* a control token that is no mark has no text here: it is not accepted below */
    token_encode_options o = {.special = TOKEN_SPECIAL_ALL};
    if (tokenizer_encode(r->s->t, &r->scratch, (str){text, bytes}, &o, &tokens, NULL) != E_OK)
        return 0;
    while (n < max && (size_t)n + 1 < tokens.n &&
           grammar_walk_accept(r->walk, tokens.p[n], NULL) == E_OK) {
        ids[n] = tokens.p[n];
        n++;
    }
    return n;
}

err gen_shape_open(gen_shape_run **out, gen_shaper *s, const gen_shape *shape,
                   const grammar_calls *calls, fail *f) {
    const grammar *g;
    gen_shape_run *r = mem_zero(sizeof *r);
    if (!r) return fail_memory(f, "a shape");
    r->s = s;
    arena_init(&r->scratch, 0);
    r->mask = (engine_mask){.self = r, .allowed = allowed, .accept = accept, .forced = forced};
    err e = take_grammar(r, &(source){shape, calls}, &g, f);
    if (e == E_OK) e = grammar_walk_open(&r->walk, g, s->vocabulary, f);
    if (e == E_OK)
        *out = r;
    else
        gen_shape_close(r);
    return e;
}

const engine_mask *gen_shape_mask(const gen_shape_run *r) {
    return &r->mask;
}

void gen_shape_close(gen_shape_run *r) {
    if (!r) return;
    grammar_walk_close(r->walk);
    grammar_close(r->own);
    if (r->kept) {
        mutex_lock(&r->s->lock);
        r->kept->users--;
        mutex_unlock(&r->s->lock);
    }
    arena_deinit(&r->scratch);
    mem_free(r);
}

/* world_offer.c - the names that are answered: a model, an alias of it, a model with an adapter
 * ("smollm2+support-lora"). What is given out stays valid for good; each of its calls takes the
 * model, so that nothing is unloaded under a request. Any thread. */
#include "app/world_int.h"

struct world_offer {
    world_offer *next;
    str name;    /* as asked */
    str answers; /* "smollm2+support-lora": what really answers */
    str adapter; /* "" none */
    world_model *m;
    gen_embedder embedder;
};

/* ---- aliases ---- */

/* In front of *list, which nobody else sees yet or the lock guards. */
static err alias_put(world *w, world_alias **list, str alias, str target, fail *f) {
    for (const world_alias *a = *list; a; a = a->next)
        if (str_eq(a->name, alias)) {
            if (str_eq(a->target, target)) return E_OK;
            return fail_set(f, E_EXISTS, "the alias \"%.*s\" stands for %.*s already",
                            STR_ARG(alias), STR_ARG(a->target));
        }
    if (str_starts(alias, STR("task:")))
        return fail_set(f, E_INPUT, "\"%.*s\" is a task's name, not an alias", STR_ARG(alias));
    world_alias *a = arena_new(&w->arena, world_alias);
    if (!a) return fail_memory(f, "an alias");
    *a = (world_alias){
        .next = *list, .name = arena_str(&w->arena, alias), .target = arena_str(&w->arena, target)};
    if (!a->name.p || !a->target.p) return fail_memory(f, "an alias");
    *list = a;
    return E_OK;
}

static err alias_read(world *w, world_alias **list, str pair, fail *f) {
    size_t at = str_find_char(pair, '=');
    if (at == STR_INDEX_NONE || at == 0 || at + 1 == pair.n)
        return fail_set(f, E_USAGE, "an alias is NAME=MODEL, not \"%.*s\"", STR_ARG(pair));
    return alias_put(w, list, str_slice(pair, 0, at), str_slice(pair, at + 1, pair.n), f);
}

err world_alias_add(world *w, str alias, str target, fail *f) {
    mutex_lock(&w->lock);
    err e = alias_put(w, &w->aliases, alias, target, f);
    mutex_unlock(&w->lock);
    return e;
}

err world_alias_read(world *w, str pair, fail *f) {
    mutex_lock(&w->lock);
    err e = alias_read(w, &w->aliases, pair, f);
    mutex_unlock(&w->lock);
    return e;
}

/* What was found under an alias is looked for anew; who holds it keeps it. Lock held. */
static void forget_offers(world *w, const world_alias *list) {
    for (; list; list = list->next)
        for (world_offer **at = &w->offers; *at;)
            if (str_eq((*at)->name, list->name))
                *at = (*at)->next;
            else
                at = &(*at)->next;
}

err world_alias_replace(world *w, const char *const *pairs, size_t n, fail *f) {
    world_alias *list = NULL;
    err e = E_OK;
    mutex_lock(&w->lock);
    for (size_t i = 0; e == E_OK && i < n; i++) e = alias_read(w, &list, str_from(pairs[i]), f);
    if (e == E_OK) {
        forget_offers(w, w->aliases);
        forget_offers(w, list);
        w->aliases = list;
    }
    mutex_unlock(&w->lock);
    return e;
}

/* The list itself never changes: another takes its place. */
bool world_alias_next(world *w, const world_alias **at, str *alias, str *target) {
    if (*at) {
        *at = (*at)->next;
    } else {
        mutex_lock(&w->lock);
        *at = w->aliases;
        mutex_unlock(&w->lock);
    }
    if (!*at) return false;
    *alias = (*at)->name;
    *target = (*at)->target;
    return true;
}

/* ---- offers; lock held ---- */

static world_offer *find(world *w, str name) {
    for (world_offer *o = w->offers; o; o = o->next)
        if (str_eq(o->name, name)) return o;
    return NULL;
}

static err make(world *w, str name, world_offer **out, fail *f) {
    char path[FILE_PATH_BYTES];
    world_offer *o = arena_new(&w->arena, world_offer);
    str target = name;
    if (!o) return fail_memory(f, "a model");
    for (const world_alias *a = w->aliases; a; a = a->next)
        if (str_eq(a->name, name)) target = a->target;
    size_t plus = str_find_char(target, '+');
    bool file = target.n && target.p[0] == '/'; /* a path may have a plus sign of its own */
    str model = plus == STR_INDEX_NONE || file ? target : str_slice(target, 0, plus);
    o->adapter = model.n == target.n ? STR("") : str_slice(target, plus + 1, target.n);
    TRY(world_entry(w, model, &o->m, f));
    if (o->adapter.n) TRY(world_adapter_find(w, o->adapter, path, f));
    o->name = arena_str(&w->arena, name);
    o->adapter = arena_str(&w->arena, o->adapter);
    o->answers = o->adapter.n ? arena_printf(&w->arena, "%.*s+%.*s", STR_ARG(o->m->name),
                                             STR_ARG(o->adapter))
                              : o->m->name;
    if (!o->name.p || !o->adapter.p || !o->answers.p) return fail_memory(f, "a model");
    o->next = w->offers;
    w->offers = o;
    *out = o;
    return E_OK;
}

static err offer_of(world *w, str name, world_offer **out, fail *f) {
    mutex_lock(&w->lock);
    world_offer *o = find(w, name);
    err e = o ? E_OK : make(w, name, &o, f);
    mutex_unlock(&w->lock);
    if (e == E_OK) *out = o;
    return e;
}

bool world_is_known(world *w, str name) {
    mutex_lock(&w->lock);
    bool known = find(w, name) != NULL;
    mutex_unlock(&w->lock);
    return known;
}

err world_base_of(world *w, str name, str *out, fail *f) {
    world_offer *o;
    TRY(offer_of(w, name, &o, f));
    *out = o->m->name;
    return E_OK;
}

static err take(world_offer *o, bool generator, fail *f) {
    world *w = o->m->w;
    mutex_lock(&w->lock);
    err e = world_entry_take(o->m, generator, f);
    mutex_unlock(&w->lock);
    return e;
}

/* ---- generators ---- */

static err generate(void *self, const gen_request *rq, gen_sink sink, gen_reply *out, fail *f) {
    world_offer *o = self;
    gen_request asked = *rq;
    if (o->adapter.n && rq->adapter.n && !str_eq(o->adapter, rq->adapter))
        return fail_set(f, E_INPUT, "the model's name says adapter \"%.*s\", the request \"%.*s\"",
                        STR_ARG(o->adapter), STR_ARG(str_slice(rq->adapter, 0, 80)));
    if (o->adapter.n) asked.adapter = o->adapter;
    err e = take(o, true, f);
    if (e != E_OK) {
        out->fault = GEN_FAULT_MODEL;
        return e;
    }
    gen_provider p = gen_local_provider(o->m->local);
    e = p.generate(p.self, &asked, sink, out, f);
    world_give(o->m);
    if (e != E_OK || !asked.adapter.n) return e;
    out->model = o->adapter.n ? o->answers
                              : arena_printf(rq->arena, "%.*s+%.*s", STR_ARG(o->m->name),
                                             STR_ARG(asked.adapter));
    return out->model.p ? E_OK : fail_memory(f, "an answer");
}

static err count(void *self, const gen_request *rq, int64_t *tokens, fail *f) {
    world_offer *o = self;
    TRY(take(o, true, f));
    gen_provider p = gen_local_provider(o->m->local);
    err e = p.count(p.self, rq, tokens, f);
    world_give(o->m);
    return e;
}

static err score(void *self, const gen_request *rq, const str *choices, size_t n, double *logprob,
                 int64_t *prompt_tokens, fail *f) {
    world_offer *o = self;
    gen_request asked = *rq;
    if (o->adapter.n) asked.adapter = o->adapter;
    TRY(take(o, true, f));
    gen_provider p = gen_local_provider(o->m->local);
    err e = p.score(p.self, &asked, choices, n, logprob, prompt_tokens, f);
    world_give(o->m);
    return e;
}

err world_context(world *w, str name, int32_t *tokens, fail *f) {
    world_offer *o;
    TRY(offer_of(w, name, &o, f));
    TRY(take(o, true, f));
    *tokens = gen_local_context(o->m->local);
    world_give(o->m);
    return E_OK;
}

err world_provider(world *w, str name, gen_provider *out, bool *has_template, fail *f) {
    world_offer *o;
    TRY(offer_of(w, name, &o, f));
    if (has_template) {
        TRY(take(o, true, f));
        *has_template = gen_local_has_template(o->m->local);
        world_give(o->m);
    }
    *out = (gen_provider){.name = "local",
                          .self = o,
                          .model = o->answers,
                          .generate = generate,
                          .count = count,
                          .score = score};
    return E_OK;
}

/* ---- encoders ---- */

static err embed(void *self, const str *texts, size_t n, bool truncate, float *out, int64_t *tokens,
                 fail *f) {
    world_offer *o = self;
    TRY(take(o, false, f));
    const gen_embedder *g = &o->m->embedder;
    err e = g->embed(g->self, texts, n, truncate, out, tokens, f);
    world_give(o->m);
    return e;
}

static err embed_ids(void *self, const gen_ids *texts, size_t n, bool truncate, float *out,
                     int64_t *tokens, fail *f) {
    world_offer *o = self;
    TRY(take(o, false, f));
    const gen_embedder *g = &o->m->embedder;
    err e = g->embed_ids(g->self, texts, n, truncate, out, tokens, f);
    world_give(o->m);
    return e;
}

static err rank(void *self, str query, const str *texts, size_t n, float *scores, int64_t *tokens,
                fail *f) {
    world_offer *o = self;
    TRY(take(o, false, f));
    const gen_embedder *g = &o->m->embedder;
    err e = g->rank(g->self, query, texts, n, scores, tokens, f);
    world_give(o->m);
    return e;
}

static err look_up(world_offer *o, fail *f) {
    if (!o->m->embedder.embed) {
        fail_set(f, E_UNSUPPORTED, "%.*s is no encoder, so it gives no embeddings",
                 STR_ARG(o->name));
        return fail_hint(f, "use minilm");
    }
    mutex_lock(&o->m->w->lock);
    o->embedder = o->m->embedder;
    o->embedder.name = o->m->name.p;
    o->embedder.self = o;
    o->embedder.embed = embed;
    o->embedder.embed_ids = embed_ids;
    o->embedder.rank = o->m->embedder.rank ? rank : NULL;
    mutex_unlock(&o->m->w->lock);
    return E_OK;
}

err world_leased_embedder(world *w, str name, const gen_embedder **out, fail *f) {
    world_offer *o;
    TRY(offer_of(w, name, &o, f));
    mutex_lock(&w->lock);
    bool known = o->embedder.embed != NULL;
    mutex_unlock(&w->lock);
    if (!known) {
        TRY(take(o, false, f));
        err e = look_up(o, f);
        world_give(o->m);
        TRY(e);
    }
    *out = &o->embedder;
    return E_OK;
}

/* ---- vocabularies ---- */

static err copy_pieces(arena *a, const tokenizer *t, gen_pieces *out, fail *f) {
    str *pieces = arena_new_n(a, str, out->n + 1);
    if (!pieces) return fail_memory(f, "tokens");
    for (size_t i = 0; i < out->n; i++) {
        pieces[i] = arena_str(a, tokenizer_piece(t, out->ids[i]));
        if (!pieces[i].p) return fail_memory(f, "tokens");
    }
    out->pieces = pieces;
    return E_OK;
}

static err encode(void *self, arena *a, str text, const gen_encode *how, gen_pieces *out, fail *f) {
    world_offer *o = self;
    token_ids ids;
    TRY(take(o, false, f));
    const tokenizer *t = model_tokenizer(o->m->model);
    bool encoder = model_about(o->m->model)->is_encoder; /* always reads with its markers */
    token_encode_options options = {.special =
                                        how->special ? TOKEN_SPECIAL_ALL : TOKEN_SPECIAL_NONE,
                                    .add_bos = how->markers && (encoder || tokenizer_adds_bos(t)),
                                    .add_eos = how->markers && (encoder || tokenizer_adds_eos(t))};
    err e = tokenizer_encode(t, a, text, &options, &ids, f);
    if (e == E_OK) *out = (gen_pieces){.ids = ids.p, .n = ids.n};
    if (e == E_OK && how->pieces) e = copy_pieces(a, t, out, f);
    world_give(o->m);
    return e;
}

static err decode(void *self, const int32_t *ids, size_t n, buf *out, fail *f) {
    world_offer *o = self;
    TRY(take(o, false, f));
    const tokenizer *t = model_tokenizer(o->m->model);
    err e = E_OK;
    for (size_t i = 0; e == E_OK && i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= tokenizer_count(t))
            e = fail_set(f, E_INPUT, "token %d is outside the vocabulary of %zu", ids[i],
                         tokenizer_count(t));
    if (e == E_OK) tokenizer_decode(t, ids, n, false, out);
    world_give(o->m);
    return e;
}

err world_vocabulary(world *w, str name, gen_vocabulary *out, fail *f) {
    world_offer *o;
    TRY(offer_of(w, name, &o, f));
    *out = (gen_vocabulary){.self = o, .encode = encode, .decode = decode};
    return E_OK;
}

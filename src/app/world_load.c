/* world_load.c - what takes long: a model's weights mapped or packed, its engine started. Called
 * without the world's lock while the entry's state keeps others away. */
#include "app/stamp.h"
#include "app/world_int.h"
#include "gen/gen_embedder.h"
#include "kern/kern.h"

#include <stdio.h>
#include <string.h>

/* A generator's keys and values: never more than this share of the budget. */
enum { KV_SHARE = 4 };
static const int64_t kv_bytes_usual = (int64_t)1 << 30;
static const int64_t scratch_bytes = (int64_t)64 << 20; /* activations, logits, vocabulary */

err world_open_team(world *w, fail *f) {
    return w->team ? E_OK : team_open(&w->team, w->threads, f);
}

static int64_t kv_bytes(world *w) {
    int64_t share = world_memory_max(w) / KV_SHARE;
    return share < kv_bytes_usual ? share : kv_bytes_usual;
}

int64_t world_model_bytes(const world_model *m, bool generator) {
    int64_t file = m->model ? model_about(m->model)->file_bytes : m->found.bytes;
    int64_t pages = m->local ? gen_local_bytes(m->local) : generator ? kv_bytes(m->w) : 0;
    return (file > 0 ? file : 0) + pages + (m->found.kind == REGISTRY_ENCODER ? 0 : scratch_bytes);
}

static void put_percent(void *self, int64_t done, int64_t total) {
    world_model *m = self;
    atomic_store(&m->percent, total > 0 ? (int)(100 * done / total) : 0);
}

/* Its vectors are not those of the floats: what was learned of either is not used with the other.
 */
static void mark_int8(world_model *m) {
    static const char mark[] = "int8:";
    size_t n = strlen(m->digest), before = sizeof mark - 1;
    CHECK(n + before < sizeof m->digest);
    memmove(m->digest + before, m->digest, n + 1);
    memcpy(m->digest, mark, before);
}

err world_weights_open(world_model *m, fail *f) {
    world *w = m->w;
    const kern_table *kern;
    arena a;
    TRY(kern_select(w->kern, &kern, f));
    arena_init(&a, 0);
    err e = E_OK;
    if (m->found.sha256.n && !m->found.is_link)
        snprintf(m->digest, sizeof m->digest, "%.*s", STR_ARG(m->found.sha256));
    else
        e = stamp_path(&a, m->found.path, m->digest, f);
    bool int8 = w->int8 && m->found.kind == REGISTRY_ENCODER;
    if (int8) mark_int8(m);
    str cache = arena_printf(&a, "%s/cache", w->home.dir);
    if (e == E_OK && !cache.p) e = fail_memory(f, "a model");
    if (e == E_OK)
        e = model_open(&m->model, m->found.path,
                       &(model_options){.kern = kern,
                                        .team = m->vocabulary ? NULL : w->team,
                                        .cache_dir = cache.p,
                                        .int8 = int8,
                                        .vocabulary_only = m->vocabulary,
                                        .progress = put_percent,
                                        .progress_self = m},
                       f);
    arena_deinit(&a);
    if (e != E_OK) return e;
    const model_info *info = model_about(m->model);
    if (info->is_encoder && info->has_weights) m->embedder = gen_embedder_of(m->model);
    return E_OK;
}

err world_check_generates(const world_model *m, fail *f) {
    if (!model_about(m->model)->is_encoder) return E_OK;
    fail_set(f, E_UNSUPPORTED, "%.*s is an encoder: it gives embeddings, not text",
             STR_ARG(m->name));
    return fail_hint(f, "use smollm2");
}

err world_engine_open(world_model *m, model *draft, fail *f) {
    world *w = m->w;
    kv_type kv;
    TRY(kv_type_of(w->kv, &kv, f));
    if (w->lora && !m->lora) TRY(model_adapter_open(&m->lora, m->model, w->lora, f));
    return gen_local_open(&m->local,
                          &(gen_local_options){.m = m->model,
                                               .kv = kv,
                                               .name = m->name,
                                               .context_max = w->context,
                                               .kv_bytes_max = (size_t)kv_bytes(w),
                                               .sequences_max = w->sequences,
                                               .waiting_max = w->waiting,
                                               .isolate_tenants = w->isolate,
                                               .draft = draft,
                                               .adapter = m->lora,
                                               .adapters = world_adapters_of(m)},
                          f);
}

/* gen_embedder.c - see gen_embedder.h. */
#include "gen/gen_embedder.h"

static err embed(void *self, const str *texts, size_t n, bool truncate, float *out, int64_t *tokens,
                 fail *f) {
    model_embed_options o = {.tokens_max = GEN_EMBED_TOKENS_MAX, .truncate = truncate};
    return model_embed(self, texts, n, &o, out, tokens, f);
}

static err embed_ids(void *self, const gen_ids *texts, size_t n, bool truncate, float *out,
                     int64_t *tokens, fail *f) {
    model_embed_options o = {.tokens_max = GEN_EMBED_TOKENS_MAX, .truncate = truncate};
    arena a;
    arena_init(&a, 0);
    token_ids *all = arena_new_n(&a, token_ids, n + 1);
    err e = all ? E_OK : fail_memory(f, "tokens");
    for (size_t i = 0; i < n && e == E_OK; i++)
        all[i] = (token_ids){.p = texts[i].p, .n = texts[i].n};
    if (e == E_OK) e = model_embed_ids(self, all, n, &o, out, tokens, f);
    arena_deinit(&a);
    return e;
}

static err rank(void *self, str query, const str *texts, size_t n, float *scores, int64_t *tokens,
                fail *f) {
    return model_rank(self, query, texts, n, &(model_embed_options){.truncate = true}, scores,
                      tokens, f);
}

gen_embedder gen_embedder_of(model *m) {
    const model_info *info = model_about(m);
    return (gen_embedder){.name = info->architecture.p,
                          .self = m,
                          .width = (int32_t)info->width,
                          .tokens_max = GEN_EMBED_TOKENS_MAX,
                          .embed = embed,
                          .embed_ids = embed_ids,
                          .rank = info->labels == 1 ? rank : NULL};
}

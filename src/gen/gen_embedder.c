/* gen_embedder.c - see gen_embedder.h. */
#include "gen/gen_embedder.h"

static err embed(void *self, const str *texts, size_t n, bool truncate, float *out, int64_t *tokens,
                 fail *f) {
    model_embed_options o = {.tokens_max = GEN_EMBED_TOKENS_MAX, .truncate = truncate};
    return model_embed(self, texts, n, &o, out, tokens, f);
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
                          .rank = info->labels == 1 ? rank : NULL};
}

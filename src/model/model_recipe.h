/* model_recipe.h - which type each tensor of a model gets when a file is written as "Q4_K_M".
 *
 * The choices are those of llama.cpp (v0.5.0), so that a file's name means what people expect:
 * vectors, norms and small tables stay as they are; the head (the tied embedding, too) gets Q6_K;
 * attention's values and the feed-forward's last matrix get more bits in every third layer and at
 * both ends; rows that are no multiple of 256 fall back to a type with blocks of 32.
 * Immutable; any thread. */
#ifndef BANTAM_MODEL_MODEL_RECIPE_H
#define BANTAM_MODEL_MODEL_RECIPE_H

#include "format/gguf.h"

typedef struct model_recipe {
    const char *name; /* "Q4_K_M" */
    dtype base;
    uint32_t file_type; /* general.file_type */
    const char *about;
} model_recipe;

/* In either case; E_INPUT lists what there is. */
err model_recipe_find(const char *name, const model_recipe **out, fail *f) MUST_CHECK;
const model_recipe *model_recipe_at(size_t index); /* NULL behind the last */

/* What the choice depends on beside a tensor itself. */
typedef struct model_recipe_scope {
    int64_t layers, experts;
    int64_t heads, kv_heads;
    bool tied;      /* there is no head of its own */
    bool important; /* importance is known */
} model_recipe_scope;

typedef struct model_recipe_row {
    const tensor *t; /* name, shape and present type */
    dtype type;      /* chosen */
    bool fell_back;  /* its rows are no whole blocks of the type it should have had */
} model_recipe_row;

/* Fills in .type and .fell_back of all n rows. */
void model_recipe_apply(const model_recipe *r, const model_recipe_scope *scope,
                        model_recipe_row *rows, size_t n);

#endif

/* model_quantise.h - a GGUF file in smaller types: same metadata, same names, other numbers.
 *
 * All or nothing: the output appears under its name when it is whole. One thread calls; the team
 * works for it. */
#ifndef BANTAM_MODEL_MODEL_QUANTISE_H
#define BANTAM_MODEL_MODEL_QUANTISE_H

#include "model/model_importance.h"
#include "model/model_recipe.h"
#include "model/model_write.h"

typedef struct model_quantise_options {
    const model_recipe *recipe;
    team *team;
    const model_importance *importance; /* NULL none */
    bool allow_requantize;              /* the input may be quantised already */
    model_watch watch;
} model_quantise_options;

typedef struct model_quantise_report {
    int64_t bytes_in, bytes_out; /* of the files */
    int64_t weights;             /* numbers in all tensors */
    int64_t tensors, fallbacks;
    int64_t of_type[DTYPE_COUNT]; /* tensors */
    int64_t weighed;              /* tensors whose rounding was weighed by importance */
} model_quantise_report;

/* E_UNSUPPORTED: the input is quantised and that was not allowed, or holds a type that we cannot
 * read; E_INPUT: in and out are the same file; E_CANCELLED. */
err model_quantise(const char *in, const char *out, const model_quantise_options *o,
                   model_quantise_report *report, fail *f) MUST_CHECK;

/* Those of its refusals that need no work: for who measures importance first. */
err model_quantise_check(const char *in, const char *out, const model_quantise_options *o,
                         fail *f) MUST_CHECK;

#endif

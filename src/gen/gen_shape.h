/* gen_shape.h - what an answer must look like, held by a grammar while the engine makes it.
 *
 * One shaper a model: its vocabulary as a trie, and the grammars compiled last. A shaper is shared
 * by threads; a shape belongs to one request, and its mask is called by the engine's thread. */
#ifndef BANTAM_GEN_GEN_SHAPE_H
#define BANTAM_GEN_GEN_SHAPE_H

#include "engine/engine.h"
#include "gen/gen.h"
#include "grammar/grammar.h"

enum { SHAPER_GRAMMARS = 16, SHAPER_KEY_BYTES_MAX = 1 << 20 };

typedef struct gen_shaper gen_shaper;
/* Cheap: the trie is built at the first shape. t and marks outlive it; marks [n] are texts of
 * control tokens that a grammar may write. */
err gen_shaper_open(gen_shaper **out, const tokenizer *t, const str *marks, size_t n,
                    fail *f) MUST_CHECK;
void gen_shaper_close(gen_shaper *s); /* NULL is fine; no shape is open */

typedef struct gen_shape_run gen_shape_run;
/* E_UNSUPPORTED, E_INPUT, E_TOO_LARGE as grammar.h says. calls NULL: the shape; otherwise the
 * calls, and what shape says stands in them already. */
err gen_shape_open(gen_shape_run **out, gen_shaper *s, const gen_shape *shape,
                   const grammar_calls *calls, fail *f) MUST_CHECK;
const engine_mask *gen_shape_mask(const gen_shape_run *r);
void gen_shape_close(gen_shape_run *r); /* NULL is fine; after engine_release */

#endif

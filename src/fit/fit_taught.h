/* fit_taught.h - what people have taught since the head was fitted: learned at once, one example at
 * a time, without touching the head.
 *
 * Rule. A question q takes the label of the taught example t nearest to it when
 *     cos(q, t) >= FIT_TAUGHT_NEAR  and  cos(q, t) > cos(q, e) for every example e of another label
 * (fitted or taught). Its confidence is fit_taught_confidence of that cosine: .80 at .70, .92 at
 * .80, .975 at .90, .99 at 1, a fixed line through what the nearest example was worth on measured
 * data, or the head's own where the head gives the same label and is surer. It is answered
 * automatically only above the head's threshold, like all else. In every other case the head's
 * answer is untouched, bit for bit: a question far from what was taught keeps exactly its answer
 * until the refit, which takes all examples, taught ones too, into the head and starts with an
 * empty fit_taught. Any thread: an object has its own lock, held for one scan. Memory: the heap;
 * dim * 2 bytes an example, at most FIT_TAUGHT_MAX. The caller keeps the examples in its store;
 * this is a cache. */
#ifndef BANTAM_FIT_TAUGHT_H
#define BANTAM_FIT_TAUGHT_H

#include "fit/fit_head.h"

enum { FIT_TAUGHT_MAX = 100000 };
#define FIT_TAUGHT_NEAR 0.70f

err fit_taught_open(fit_taught **out, size_t dim, fail *f) MUST_CHECK;
void fit_taught_close(fit_taught *t); /* NULL is fine */
size_t fit_taught_count(fit_taught *t);

/* `label` counts like the head's; one that the head does not have yet (>= its labels) is fine: it
 * is answered with, and the next fit takes it in. `automatic` false: such an answer is never
 * `above` (a label for people, `other`). An id that is there already is replaced. */
err fit_taught_add(fit_taught *t, int64_t id, int32_t label, bool automatic, const float *vector,
                   fail *f) MUST_CHECK;
/* Forgets it: false when this id was not taught since the fit; then it is in the head, which only a
 * refit without it can unlearn. */
bool fit_taught_forget(fit_taught *t, int64_t id);

/* Confidence of a taught label at a similarity in [FIT_TAUGHT_NEAR, 1]. */
double fit_taught_confidence(double similarity);

#endif

/* fit_compare.c - which answers change from one head to the next; see fit_head.h. Reads both heads.
 */
#include "base/buf.h"
#include "fit/fit_int.h"
#include "fit/fit_taught.h"

#include <string.h>

static bool same_answer(const fit_head *before, const fit_answer *b, const fit_head *after,
                        const fit_answer *a) {
    if (b->above != a->above) return false;
    str old = fit_head_label_name(before, b->label), new = fit_head_label_name(after, a->label);
    /* a label taught since `before` has no name there: compare its number, which the next fit kept
     */
    return old.p && new.p ? str_eq(old, new) : b->label == a->label;
}

err fit_head_compare(arena *a, const fit_head *before, fit_taught *taught_before,
                     const fit_head *after, const str *texts, const float *vectors, size_t n,
                     fit_change **out, size_t *count, fail *f) {
    if (before->dim != after->dim)
        return fail_set(f, E_INPUT, "embeddings of %zu and %zu numbers cannot be compared",
                        before->dim, after->dim);
    buf found = {0};
    err e = E_OK;
    for (size_t i = 0; i < n; i++) {
        fit_change c = {.index = i};
        const float *vector = vectors + i * before->dim;
        TRY_OUT(fit_head_predict(before, taught_before, texts[i], vector, &c.before, f));
        TRY_OUT(fit_head_predict(after, NULL, texts[i], vector, &c.after, f));
        if (!same_answer(before, &c.before, after, &c.after)) buf_put_bytes(&found, &c, sizeof c);
    }
    TRY_OUT(buf_ok(&found, f));
    size_t changes = found.n / sizeof(fit_change);
    fit_change *list = arena_new_n(a, fit_change, changes);
    if (!list) {
        e = fail_memory(f, "a list of changed answers");
        goto out;
    }
    if (changes) memcpy(list, found.p, found.n);
    *out = list;
    *count = changes;
out:
    buf_deinit(&found);
    return e;
}

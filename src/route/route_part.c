/* route_part.c - a brain's parts, which are counted: the last who drops one frees it. Any thread.
 */
#include "base/mem.h"
#include "route/route_int.h"

void route_file_drop(route_file *x) {
    if (!x || atomic_fetch_sub(&x->refs, 1) != 1) return;
    arena_deinit(&x->arena);
    mem_free(x);
}

void route_head_drop(route_head *h) {
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1) return;
    fit_head_close(h->fit);
    mem_free(h);
}

void route_drop(route_brain *b) {
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
    fit_taught_close(b->taught);
    route_head_drop(b->head);
    route_file_drop(b->file);
    arena_deinit(&b->arena);
    mem_free(b);
}

route_file *route_file_keep(route_file *x) {
    atomic_fetch_add(&x->refs, 1);
    return x;
}
route_head *route_head_keep(route_head *h) {
    if (h) atomic_fetch_add(&h->refs, 1);
    return h;
}

const route_label *route_brain_label(const route_brain *b, int32_t index) {
    return index >= 0 && (size_t)index < b->n_labels ? &b->labels[index] : NULL;
}

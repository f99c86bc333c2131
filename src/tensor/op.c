/* op.c - scratch memory of the operators and how they spread over the team; see op.h. */
#include "base/mem.h"
#include "tensor/op_int.h"

enum { WHOLE_WORK = 16384 };

err op_open(op_context *c, const kern_table *kern, team *team, const op_options *o, fail *f) {
    *c = (op_context){.kern = kern, .team = team, .o = *o};
    int64_t blocks = (o->cols_max + KERN_BLOCK - 1) / KERN_BLOCK;
    int64_t dequant = OP_DEQUANT_ROWS * o->cols_max;
    c->workspace_floats = dequant > o->positions_max ? dequant : o->positions_max;
    size_t numbers, scales, floats;
    bool fits =
        mem_size((size_t)o->rows_max, (size_t)(blocks * KERN_BLOCK), &numbers) &&
        mem_size((size_t)o->rows_max, (size_t)blocks * sizeof(float), &scales) &&
        mem_size((size_t)team_threads(team), (size_t)c->workspace_floats * sizeof(float), &floats);
    if (fits) {
        c->act.q = mem_alloc_aligned(numbers);
        c->act.d = mem_alloc_aligned(scales);
        c->act.sum = mem_alloc_aligned(scales);
        c->workspace = mem_alloc_aligned(floats);
    }
    if (c->act.q && c->act.d && c->act.sum && c->workspace) return E_OK;
    op_close(c);
    return fail_memory(f, "activations");
}

void op_close(op_context *c) {
    mem_free(c->act.q);
    mem_free(c->act.d);
    mem_free(c->act.sum);
    mem_free(c->workspace);
    *c = (op_context){0};
}

void op_spread(op_context *c, void (*work)(void *, int64_t, int), void *arg, int64_t n,
               int64_t cost) {
    if (n * cost < WHOLE_WORK) {
        for (int64_t i = 0; i < n; i++) work(arg, i, 0);
        return;
    }
    team_run(c->team, work, arg, n);
}

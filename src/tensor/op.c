/* op.c - scratch memory of the operators and how they spread over the team; see op.h. */
#include "base/mem.h"
#include "tensor/op_int.h"

enum { WHOLE_WORK = 16384 };

enum { HEAD_MAX = 256, PARTIALS = 4096 /* segments x queries */ };

/* Sizes of the attention's scratch. */
static void attend_sizes(op_context *c) {
    int64_t head = c->o.head_max ? c->o.head_max : HEAD_MAX;
    int64_t rows = c->o.rows_max < c->o.positions_max ? c->o.rows_max : c->o.positions_max;
    c->attend_scratch_floats = kern_attend_scratch(head);
    c->attend_pages_max = (rows + KERN_PAGE - 1) / KERN_PAGE;
    c->attend_page_floats =
        c->attend_pages_max *
        (int64_t)((kern_keys_bytes(KERN_KV_F32, head) + kern_values_bytes(KERN_KV_F32, head)) /
                  sizeof(float));
    c->attend_partial_floats = PARTIALS * kern_partial_row(head);
}

static void *take(int64_t count, int64_t times, size_t size) {
    size_t all, bytes;
    bool fits = mem_size((size_t)count, (size_t)times, &all) && mem_size(all, size, &bytes);
    return fits ? mem_alloc_aligned(bytes) : NULL;
}

err op_open(op_context *c, const kern_table *kern, team *team, const op_options *o, fail *f) {
    *c = (op_context){.kern = kern, .team = team, .o = *o};
    int64_t threads = team_threads(team);
    int64_t dequant = OP_DEQUANT_ROWS * o->cols_max,
            unpacked = (int64_t)(kern_scratch_bytes(o->cols_max) / sizeof(float));
    c->workspace_floats = (dequant > unpacked ? dequant : unpacked) / 16 * 16 + 16; /* on lines */
    attend_sizes(c);
    c->input = mem_alloc_aligned(kern_input_bytes(o->rows_max, o->cols_max));
    c->workspace = take(threads, c->workspace_floats, sizeof(float));
    c->attend_scratch = take(threads, c->attend_scratch_floats, sizeof(float));
    c->attend_pages = take(threads, c->attend_page_floats, sizeof(float));
    c->attend_page_list = take(threads, c->attend_pages_max, sizeof(kern_page));
    c->attend_partials = take(1, c->attend_partial_floats, sizeof(float));
    if (c->input && c->workspace && c->attend_scratch && c->attend_pages && c->attend_page_list &&
        c->attend_partials)
        return E_OK;
    op_close(c);
    return fail_memory(f, "activations");
}

void op_close(op_context *c) {
    mem_free(c->input);
    mem_free(c->workspace);
    mem_free(c->attend_scratch);
    mem_free(c->attend_pages);
    mem_free(c->attend_page_list);
    mem_free(c->attend_partials);
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

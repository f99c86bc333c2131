/* kern_input.c - where the parts of a product's input lie, and how much a product unpacks into.
 * See kern.h. Pure arithmetic, any thread. */
#include "kern/kern.h"

enum { LINE = 64 };

static size_t lines(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}
static int64_t blocks_of(int64_t cols) {
    return (cols + KERN_BLOCK - 1) / KERN_BLOCK;
}

size_t kern_input_bytes(int64_t T, int64_t cols) {
    size_t blocks = (size_t)(T * blocks_of(cols));
    /* and a tile more, which kernels for a fixed number of tokens may read and drop */
    return lines(blocks * KERN_BLOCK) + 3 * lines(blocks * 4) + lines(blocks * 8) +
           KERN_TILE * KERN_BLOCK;
}

void kern_input_place(kern_input *in, const float *x, int64_t T, int64_t cols, void *memory) {
    size_t blocks = (size_t)(T * blocks_of(cols));
    int64_t tile = T <= KERN_FEW ? KERN_TILE : KERN_TILE_MANY;
    char *p = memory;
    *in = (kern_input){.x = x,
                       .T = T,
                       .cols = cols,
                       .tiles = (T + tile - 1) / tile,
                       .q = (int8_t *)p,
                       .by_halves = true};
    p += lines(blocks * KERN_BLOCK);
    in->d = (float *)(void *)p;
    p += lines(blocks * 4);
    in->sum = (float *)(void *)p;
    p += lines(blocks * 4);
    in->neg = (int32_t *)(void *)p;
    p += lines(blocks * 4);
    in->neg16 = (int32_t *)(void *)p;
}

int64_t kern_tile_start(const kern_input *in, int64_t tile) {
    return tile * in->T / in->tiles;
}

size_t kern_scratch_bytes(int64_t cols) {
    /* codes, two scales and two minima of two strips; as floats 32 columns x 32 rows x 4 bytes */
    return (size_t)blocks_of(cols) * 2 * KERN_ROWS * (KERN_BLOCK * sizeof(float));
}

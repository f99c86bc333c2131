/* kern_product_amx.c - products of many tokens with AMX's tiles of bytes: sixteen tokens by sixteen
 * rows by 32 columns an instruction (16 columns where scales are by 16).
 *
 * A block of a strip, as it is packed, has the order that TDPBSSD wants of its second operand (rows
 * as lanes, columns by fours), so opening it (kern_open.h) and taking the zero point away is all
 * the rearranging. PANEL strips are opened into the scratch; groups of up to sixteen tokens are
 * gathered beside them from the input's smaller tiles, and meet one strip after the other:
 *
 *   sums of block b + 1     tile registers, stored to one of two places in the first cache
 *   sums of block b         converted, scaled and added: 16 vectors of floats, in registers
 *
 * The float half bounds it: 3 instructions a token and block (docs/SPEED.md counts). Up to KERN_FEW
 * tokens, where memory is the limit, and float weights go to kern_avx512*.c. Sums equal
 * kern_ref_product.c's bit for bit; tested over emulated tiles (kern_amx_tile.h), never yet on a
 * processor that has them, which kern_amx_check.c minds. */
#if defined(__x86_64__) || defined(KERN_AMX_EMULATED)
#include "kern/kern_amx_tile.h"
#include "kern/kern_open.h"
#include "kern/kern_unroll.h"

enum { GROUP = 16, PANEL = 4, GROUP_BYTES = GROUP * KERN_BLOCK };

/* PANEL strips and a group of tokens, in the caller's scratch; a block has `pieces` scales */
typedef struct panel {
    int64_t blocks;
    int pieces;
    uint8_t *code;        /* [PANEL][blocks][GROUPS][64], signed */
    float *scale, *least; /* [PANEL][blocks][pieces][16] */
    int8_t *q;            /* [blocks][GROUP][32] */
    float *d;             /* [blocks][GROUP] */
    float *sum;           /* [blocks][pieces][GROUP] d * (sum of q) */
} panel;

static panel panel_place(int64_t blocks, bool halves, void *scratch) {
    panel p = {.blocks = blocks, .pieces = halves ? 2 : 1, .code = scratch};
    int64_t scales = PANEL * blocks * p.pieces * KERN_ROWS;
    p.scale = (float *)(void *)(p.code + PANEL * blocks * BYTES);
    p.least = p.scale + scales;
    p.d = p.least + scales;
    p.sum = p.d + blocks * GROUP;
    p.q = (int8_t *)(p.sum + blocks * p.pieces * GROUP);
    return p;
}
_Static_assert(PANEL *(BYTES + 4 * KERN_ROWS * (int)sizeof(float)) + GROUP_BYTES +
                       3 * GROUP * (int)sizeof(float) <=
                   2 * KERN_ROWS * KERN_BLOCK * (int)sizeof(float),
               "a panel and a group fit what kern_scratch_bytes gives a block");

OPEN void open_strip(const open_type *y, const uint8_t *p, int64_t r, const panel *to) {
    for (int64_t b = 0; b < to->blocks; b++) {
        int in_unit = (int)(b % y->unit_blocks);
        if (b && !in_unit) p += y->unit_bytes;
        open_block k;
        y->open(p, in_unit, &k);
        uint8_t *code = to->code + (r * to->blocks + b) * BYTES;
        for (int i = 0; i < BYTES; i++) code[i] = (uint8_t)(k.code[i] - y->zero);
        int64_t at = (r * to->blocks + b) * to->pieces * KERN_ROWS;
        size_t bytes = (size_t)to->pieces * sizeof k.scale[0];
        memcpy(to->scale + at, k.scale, bytes);
        if (y->least) memcpy(to->least + at, k.least, bytes);
    }
}

/* Tokens [first, first + n) of a tile of `wide` that begins at `start` become the group's from
 * `at` on. */
static void gather_tokens(const kern_input *in, int64_t start, int64_t wide, int64_t first,
                          int64_t n, const panel *to, int64_t at) {
    for (int64_t b = 0; b < to->blocks; b++) {
        int64_t from = start * to->blocks + b * wide + first - start;
        memcpy(to->q + b * GROUP_BYTES + at * KERN_BLOCK, in->q + from * KERN_BLOCK,
               (size_t)n * KERN_BLOCK);
        memcpy(to->d + b * GROUP + at, in->d + from, (size_t)n * sizeof *in->d);
        if (to->pieces == 1) {
            memcpy(to->sum + b * GROUP + at, in->sum + from, (size_t)n * sizeof *in->sum);
            continue;
        }
        for (int h = 0; h < 2; h++) {
            const int32_t *neg =
                in->neg16 + 2 * (start * to->blocks + b * wide) + h * wide + first - start;
            for (int64_t i = 0; i < n; i++)
                to->sum[(2 * b + h) * GROUP + at + i] = in->d[from + i] * (float)-neg[i];
        }
    }
}

/* tokens [first, first + n); *tile: the input's tile that holds `first`, or one before */
static void gather(const kern_input *in, int64_t first, int64_t n, int64_t *tile, const panel *to) {
    for (int64_t at = 0; at < n;) {
        int64_t start = kern_tile_start(in, *tile), end = kern_tile_start(in, *tile + 1),
                left = end - first - at;
        if (left <= 0) {
            ++*tile;
            continue;
        }
        if (left > n - at) left = n - at;
        gather_tokens(in, start, end - start, first + at, left, to, at);
        at += left;
    }
}

/* One strip and the group: n tokens, counted as N >= n (whose sums are dropped). */
typedef struct meeting {
    const uint8_t *code;
    const float *scale, *least, *d, *sum;
    const int8_t *q;
    int64_t blocks;
    int n, rows; /* of the strip that the matrix has */
    float *y;
    int64_t ldy;
} meeting;

/* y = the minima's share */
OPEN void meet_least(const int N, const int pieces, const meeting *m) {
    lanes low[GROUP];
    UNROLL for (int i = 0; i < N; i++) low[i] = lanes_all(0);
    for (int64_t p = 0; p < m->blocks * pieces; p++) {
        lanes least = lanes_load(m->least + p * KERN_ROWS);
        UNROLL for (int i = 0; i < N; i++) low[i] =
            lanes_fma(least, lanes_all(m->sum[p * GROUP + i]), low[i]);
    }
    UNROLL for (int i = 0; i < N; i++) if (i < m->n)
        lanes_store_some(m->y + i * m->ldy, low[i], m->rows);
}

OPEN void start_piece(const int which, const int pieces, const meeting *m, int64_t p,
                      int32_t *sums) {
    const int cols = KERN_BLOCK / pieces;
    tile_load_tokens(m->q + p / pieces * GROUP_BYTES + p % pieces * cols, KERN_BLOCK);
    tile_load_codes(m->code + p * cols / 4 * LINE, LINE);
    tile_multiply(which, sums);
}

OPEN void add_piece(const int N, const int pieces, const meeting *m, int64_t p, const int32_t *sums,
                    lanes acc[]) {
    lanes scale = lanes_load(m->scale + p * KERN_ROWS);
    const float *d = m->d + p / pieces * GROUP;
    UNROLL for (int i = 0; i < N; i++) acc[i] =
        lanes_fma(lanes_of_ints(sums + i * KERN_ROWS), lanes_mul(scale, lanes_all(d[i])), acc[i]);
}

/* y = (least ? y : 0) + the codes' share; the tiles run a piece ahead of the floats */
OPEN void meet_codes(const int N, const int pieces, const bool least, const meeting *m) {
    _Alignas(64) int32_t sums[2][GROUP * KERN_ROWS] = {0};
    lanes acc[GROUP];
    UNROLL for (int i = 0; i < N; i++) acc[i] = lanes_all(0);
    int64_t count = m->blocks * pieces, p = 0;
    start_piece(0, pieces, m, 0, sums[0]);
    for (; p + 2 < count; p += 2) {
        start_piece(1, pieces, m, p + 1, sums[1]);
        add_piece(N, pieces, m, p, sums[0], acc);
        start_piece(0, pieces, m, p + 2, sums[0]);
        add_piece(N, pieces, m, p + 1, sums[1], acc);
    }
    if (p + 1 < count) start_piece(1, pieces, m, p + 1, sums[1]);
    add_piece(N, pieces, m, p, sums[0], acc);
    if (p + 1 < count) add_piece(N, pieces, m, p + 1, sums[1], acc);
    UNROLL for (int i = 0; i < N; i++) if (i < m->n) {
        float *y = m->y + i * m->ldy;
        lanes low = least ? lanes_load_some(y, m->rows) : lanes_all(0);
        lanes_store_some(y, lanes_add(acc[i], low), m->rows);
    }
}

#define MEET(N)                                                                                 \
    static __attribute__((noinline)) void meet_##N(bool halves, bool least, const meeting *m) { \
        if (least) {                                                                            \
            if (halves)                                                                         \
                meet_least(N, 2, m), meet_codes(N, 2, true, m);                                 \
            else                                                                                \
                meet_least(N, 1, m), meet_codes(N, 1, true, m);                                 \
        } else if (halves) {                                                                    \
            meet_codes(N, 2, false, m);                                                         \
        } else {                                                                                \
            meet_codes(N, 1, false, m);                                                         \
        }                                                                                       \
    }
MEET(4)
MEET(8)
MEET(12)
MEET(16)

static void tiles_for(int tokens, int pieces) {
    const uint16_t line = LINE, cols = (uint16_t)(KERN_BLOCK / pieces);
    const uint8_t n = (uint8_t)tokens;
    _Alignas(64) tile_shapes s = {
        .palette = 1,
        .row_bytes =
            {[TILE_TOKENS] = cols, [TILE_CODES] = line, [TILE_SUMS] = line, [TILE_SUMS_TOO] = line},
        .rows = {[TILE_TOKENS] = n,
                 [TILE_CODES] = (uint8_t)(cols / 4),
                 [TILE_SUMS] = n,
                 [TILE_SUMS_TOO] = n}};
    tile_begin(&s);
}

/* the group of n tokens that was gathered, and R strips: y at the group's token, the panel's row */
static void meet_panel(const open_type *k, const panel *p, int n, int64_t R, int64_t rows, float *y,
                       int64_t ldy) {
    typedef void (*meet)(bool halves, bool least, const meeting *m);
    static const meet by_fours[] = {meet_4, meet_8, meet_12, meet_16};
    for (int64_t r = 0; r < R; r++) {
        int64_t at = r * p->blocks, left = rows - r * KERN_ROWS;
        meeting m = {.code = p->code + at * BYTES,
                     .scale = p->scale + at * p->pieces * KERN_ROWS,
                     .least = p->least + at * p->pieces * KERN_ROWS,
                     .d = p->d,
                     .sum = p->sum,
                     .q = p->q,
                     .blocks = p->blocks,
                     .n = n,
                     .rows = left < KERN_ROWS ? (int)left : KERN_ROWS,
                     .y = y + r * KERN_ROWS,
                     .ldy = ldy};
        by_fours[(n - 1) / 4](k->halves, k->least, &m);
    }
}

OPEN void product(const open_type *k, const kern_weight *w, const kern_input *in, kern_part part,
                  float *y, int64_t ldy, void *scratch) {
    int64_t first = kern_tile_start(in, part.tile),
            T = kern_tile_start(in, part.tile + part.tiles) - first,
            groups = (T + GROUP - 1) / GROUP, end = part.strip + part.strips;
    panel p = panel_place(in->cols / KERN_BLOCK, k->halves, scratch);
    /* a group of fewer leaves the rest as it is: numbers, if not the group's */
    memset(p.d, 0, (size_t)(p.blocks * GROUP) * sizeof *p.d);
    memset(p.sum, 0, (size_t)(p.blocks * p.pieces * GROUP) * sizeof *p.sum);
    int shaped = 0;
    for (int64_t s = part.strip; s < end; s += PANEL) {
        int64_t R = end - s < PANEL ? end - s : PANEL, tile = part.tile;
        for (int64_t r = 0; r < R; r++)
            open_strip(k, (const uint8_t *)w->strips + (size_t)(s + r) * w->strip_bytes, r, &p);
        for (int64_t g = 0; g < groups; g++) {
            int64_t at = g * T / groups, n = (g + 1) * T / groups - at;
            gather(in, first + at, n, &tile, &p);
            if (shaped != (int)n) tiles_for(shaped = (int)n, p.pieces);
            meet_panel(k, &p, shaped, R, w->rows - s * KERN_ROWS,
                       y + (first + at) * ldy + s * KERN_ROWS, ldy);
        }
    }
    tile_end();
}

#define PRODUCT(name, bytes, blocks, zero, sums, halves, least)                                  \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        static const open_type k = {open_##name, bytes, blocks, zero, sums, halves, least};      \
        if (x->T <= KERN_FEW)                                                                    \
            TILE_ELSE.gemm[KERN_##name](w, x, part, y, ldy, scratch);                            \
        else                                                                                     \
            product(&k, w, x, part, y, ldy, scratch);                                            \
    }
OPEN_TYPES(PRODUCT)

#define FLOATS(name)                                                                             \
    static void gemm_##name(const kern_weight *w, const kern_input *x, kern_part part, float *y, \
                            int64_t ldy, void *scratch) {                                        \
        TILE_ELSE.gemm[KERN_##name](w, x, part, y, ldy, scratch);                                \
    }
FLOATS(F32)
FLOATS(F16)
FLOATS(BF16)

static void quantise_tile(const kern_input *in, int64_t i) {
    TILE_ELSE.quantise_tile(in, i);
}

#define ENTRY(name, ...) [KERN_##name] = gemm_##name,
const kern_products kern_amx_products = {
    .gemm = {OPEN_TYPES(ENTRY) ENTRY(F32) ENTRY(F16) ENTRY(BF16)}, .quantise_tile = quantise_tile};
#endif

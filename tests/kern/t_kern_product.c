/* t_kern_product.c - products on strips. Three chains of proof: a packed block says the same
 * numbers as the file's block (dequantised by tensor/, which equals the gguf package bit for bit);
 * the reference product of rounded inputs equals a sum in double within 2e-6 of its absolute terms;
 * and each instruction set equals the reference in every bit, for any number of tokens and any
 * part. AMX's kernel, which hardly a machine runs, is built here once more over tiles in C. */
#include "base/mem.h"
#include "base/rand.h"
#include "kern/kern.h"
#include "kern/kern_amx_check.h"
#include "tensor/tensor.h"
#include "test.h"

#include <math.h>

#define KERN_AMX_EMULATED
#define kern_amx_products emulated_products
extern const kern_products emulated_products;
#include "kern/kern_product_amx.c"
#undef kern_amx_products

enum { ROWS = 83, COLS = 768, T_MAX = 64 };

static const struct {
    kern_layout layout;
    dtype type;
} layouts[] = {{KERN_F32, DTYPE_F32},   {KERN_F16, DTYPE_F16},       {KERN_BF16, DTYPE_BF16},
               {KERN_Q8_0, DTYPE_Q8_0}, {KERN_Q4_0, DTYPE_Q4_0},     {KERN_Q4_1, DTYPE_Q4_1},
               {KERN_Q5_0, DTYPE_Q5_0}, {KERN_Q5_1, DTYPE_Q5_1},     {KERN_Q2_K, DTYPE_Q2_K},
               {KERN_Q3_K, DTYPE_Q3_K}, {KERN_Q4_K, DTYPE_Q4_K},     {KERN_Q5_K, DTYPE_Q5_K},
               {KERN_Q6_K, DTYPE_Q6_K}, {KERN_IQ4_NL, DTYPE_IQ4_NL}, {KERN_IQ4_XS, DTYPE_IQ4_XS}};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static rand_stream rs = {.seed = 9};

static void *take(size_t bytes) {
    void *p = mem_alloc_aligned(bytes);
    assert_non_null(p);
    return p;
}

static bool is_float(kern_layout l) {
    return kern_shape_of(l)->block_cols == 1;
}
/* half a unit at the end where the type allows it */
static int64_t odd_cols(kern_layout l) {
    return is_float(l)                                  ? COLS + 7
           : kern_shape_of(l)->block_cols == KERN_BLOCK ? COLS + KERN_BLOCK
                                                        : COLS;
}

/* Any bytes are a valid block but for the f16 scales, which could be huge or no numbers. */
static void set_scale(kern_layout l, uint8_t *block, float d, float m) {
    const kern_shape *s = kern_shape_of(l);
    uint16_t scales[2] = {kern_f32_to_f16(d), kern_f32_to_f16(m)};
    uint32_t bits;
    memcpy(&bits, &d, sizeof bits);
    uint16_t top = (uint16_t)(bits >> 16);
    if (is_float(l)) {
        memcpy(block,
               l == KERN_F32   ? (void *)&d
               : l == KERN_F16 ? (void *)scales
                               : &top,
               (size_t)s->block_bytes);
        return;
    }
    size_t at = l == KERN_Q2_K                     ? 80
                : l == KERN_Q3_K || l == KERN_Q6_K ? (size_t)s->block_bytes - 2
                                                   : 0;
    memcpy(block + at, scales, s->least ? 4 : 2);
}

static void random_rows(kern_layout l, uint8_t *rows, int64_t n, int64_t cols) {
    const kern_shape *s = kern_shape_of(l);
    int64_t blocks = n * cols / s->block_cols;
    for (int64_t i = 0; i < blocks * s->block_bytes; i++) rows[i] = (uint8_t)rand_next(&rs);
    for (int64_t b = 0; b < blocks; b++)
        set_scale(l, rows + b * s->block_bytes, (float)(rand_next_unit(&rs) * 0.02 - 0.01),
                  (float)(rand_next_unit(&rs) * 0.02 - 0.01));
}

typedef struct matrix {
    kern_weight w;
    uint8_t *rows; /* of the file */
    size_t row_bytes;
    void *strips;
} matrix;

static matrix matrix_make(kern_layout l, int64_t rows, int64_t cols) {
    const kern_shape *s = kern_shape_of(l);
    matrix m = {.row_bytes = (size_t)(cols / s->block_cols * s->block_bytes)};
    m.w = (kern_weight){
        .layout = l, .rows = rows, .cols = cols, .strip_bytes = kern_strip_bytes(l, cols)};
    int64_t strips = (rows + KERN_ROWS - 1) / KERN_ROWS;
    m.rows = take((size_t)rows * m.row_bytes);
    m.strips = take((size_t)strips * m.w.strip_bytes);
    random_rows(l, m.rows, rows, cols);
    for (int64_t i = 0; i < strips; i++) {
        int64_t left = rows - i * KERN_ROWS;
        kern_pack_rows(l, m.rows + (size_t)(i * KERN_ROWS) * m.row_bytes, m.row_bytes,
                       left < KERN_ROWS ? left : KERN_ROWS, cols,
                       (char *)m.strips + (size_t)i * m.w.strip_bytes);
    }
    m.w.strips = m.strips;
    return m;
}
static void matrix_free(matrix *m) {
    mem_free(m->rows);
    mem_free(m->strips);
}

static void strips_say_what_the_file_says(void **state) {
    (void)state;
    for (int i = 0; i < LAYOUTS; i++) {
        kern_layout l = layouts[i].layout;
        int64_t cols = odd_cols(l);
        if (is_float(l)) continue;
        matrix m = matrix_make(l, ROWS, cols);
        float *row = take((size_t)cols * sizeof *row);
        for (int64_t r = 0; r < ROWS; r++) {
            dtype_get(layouts[i].type)->dequantise(m.rows + (size_t)r * m.row_bytes, row, cols);
            for (int64_t c = 0; c < cols; c++) {
                kern_codes k;
                int64_t at = r % KERN_ROWS, in = c % KERN_BLOCK, h = in / 16;
                kern_unpack(l, (char *)m.strips + (size_t)(r / KERN_ROWS) * m.w.strip_bytes,
                            c / KERN_BLOCK, &k);
                float v = k.scale[h][at] * (float)(k.code[at][in] - kern_shape_of(l)->zero) +
                          k.least[h][at];
                if (v != row[c]) /* the product of scales may round elsewhere, within one unit */
                    assert_true(fabsf(v - row[c]) <= 2.4e-7f * fabsf(row[c]) + 1e-9f);
                if (c % KERN_BLOCK == 0 && c) c += 6; /* not all, for time */
            }
        }
        mem_free(row);
        matrix_free(&m);
    }
}

/* x [T, cols] and its rounded form */
typedef struct input {
    float *x;
    kern_input in;
    void *memory;
} input;

static input input_make(const kern_products *p, const float *x, int64_t T, int64_t cols) {
    input i = {.memory = take(kern_input_bytes(T, cols))};
    kern_input_place(&i.in, x, T, cols, i.memory);
    for (int64_t t = 0; t < i.in.tiles; t++) p->quantise_tile(&i.in, t);
    return i;
}

static float *random_x(int64_t n) {
    float *x = take((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(rand_next_unit(&rs) * 2 - 1);
    for (int64_t i = 0; i < KERN_BLOCK; i++) x[i] = 0; /* a block of zeros */
    return x;
}

static void multiply(const kern_products *p, const matrix *m, const input *in, float *y,
                     int64_t ldy, int64_t strips_a_part, int64_t tiles_a_part) {
    void *scratch = take(kern_scratch_bytes(m->w.cols));
    int64_t strips = (m->w.rows + KERN_ROWS - 1) / KERN_ROWS;
    for (int64_t s = 0; s < strips; s += strips_a_part)
        for (int64_t t = 0; t < in->in.tiles; t += tiles_a_part) {
            kern_part part = {s, strips - s < strips_a_part ? strips - s : strips_a_part, t,
                              in->in.tiles - t < tiles_a_part ? in->in.tiles - t : tiles_a_part};
            p->gemm[m->w.layout](&m->w, &in->in, part, y, ldy, scratch);
        }
    mem_free(scratch);
}

static void reference_adds_up(void **state) {
    (void)state;
    enum { T = 7 };
    for (int i = 0; i < LAYOUTS; i++) {
        matrix m = matrix_make(layouts[i].layout, ROWS, COLS);
        float *x = random_x(T * COLS), *y = take(T * ROWS * sizeof *y), row[COLS];
        input in = input_make(&kern_ref_products, x, T, COLS);
        multiply(&kern_ref_products, &m, &in, y, ROWS, 2, 1);
        for (int64_t t = 0; t < T; t++) {
            int64_t tile = 0, blocks = COLS / KERN_BLOCK;
            while (kern_tile_start(&in.in, tile + 1) <= t) tile++;
            int64_t first = kern_tile_start(&in.in, tile),
                    n = kern_tile_start(&in.in, tile + 1) - first;
            for (int64_t r = 0; r < ROWS; r++) {
                double want = 0, size = 0;
                dtype_get(layouts[i].type)->dequantise(m.rows + (size_t)r * m.row_bytes, row, COLS);
                for (int64_t c = 0; c < COLS; c++) {
                    int64_t at = first * blocks + c / KERN_BLOCK * n + t - first;
                    double v = (double)in.in.d[at] * in.in.q[at * KERN_BLOCK + c % KERN_BLOCK],
                           exact = (double)x[t * COLS + c];
                    assert_true(fabs(v - exact) <= 0.501 * (double)in.in.d[at]);
                    if (is_float(layouts[i].layout)) v = exact;
                    want += v * (double)row[c];
                    size += fabs(v * (double)row[c]);
                }
                if (kern_shape_of(layouts[i].layout)->least)
                    size *= 8; /* codes and minima cancel */
                if (fabs((double)y[t * ROWS + r] - want) > 2e-6 * size)
                    fail_msg("%s: %g, not %g", kern_shape_of(layouts[i].layout)->name,
                             (double)y[t * ROWS + r], want);
            }
        }
        mem_free(x);
        mem_free(y);
        mem_free(in.memory);
        matrix_free(&m);
    }
}

static const kern_table *table;

/* What is rounded equals the reference's, by halves or without them. */
static void inputs_equal(void **state) {
    (void)state;
    enum { T = 23, COLS = 7 * KERN_BLOCK };
    const int64_t blocks = T * COLS / KERN_BLOCK;
    float *x = random_x(T * COLS);
    input want = input_make(&kern_ref_products, x, T, COLS),
          got = input_make(table->products, x, T, COLS);
    assert_memory_equal(got.in.neg16, want.in.neg16, (size_t)blocks * 2 * sizeof *want.in.neg16);
    memset(got.memory, 0, kern_input_bytes(T, COLS));
    got.in.by_halves = false;
    for (int64_t t = 0; t < got.in.tiles; t++) table->products->quantise_tile(&got.in, t);
    assert_memory_equal(got.in.q, want.in.q, T * COLS);
    assert_memory_equal(got.in.d, want.in.d, (size_t)blocks * sizeof *want.in.d);
    assert_memory_equal(got.in.sum, want.in.sum, (size_t)blocks * sizeof *want.in.sum);
    assert_memory_equal(got.in.neg, want.in.neg, (size_t)blocks * sizeof *want.in.neg);
    mem_free(want.memory);
    mem_free(got.memory);
    mem_free(x);
}

/* Every number of tokens, and parts of every size, against the reference in one piece. */
static void bits_are_the_references(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 33, T_MAX},
                         parts[] = {1, 2, 3, 100};
    for (int i = 0; i < LAYOUTS; i++) {
        kern_layout l = layouts[i].layout;
        int64_t cols = odd_cols(l);
        matrix m = matrix_make(l, ROWS, cols);
        float *x = random_x(T_MAX * cols), *want = take(T_MAX * ROWS * sizeof *want),
              *y = take((T_MAX * (ROWS + 5)) * sizeof *y);
        input all = input_make(&kern_ref_products, x, T_MAX, cols);
        multiply(&kern_ref_products, &m, &all, want, ROWS, 100, 100);
        for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
            input in = input_make(table->products, x, counts[n], cols);
            for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
                memset(y, 0xee, (T_MAX * (ROWS + 5)) * sizeof *y);
                multiply(table->products, &m, &in, y, ROWS + 5, parts[p], parts[p]);
                for (int64_t t = 0; t < counts[n]; t++) {
                    if (memcmp(y + t * (ROWS + 5), want + t * ROWS, ROWS * sizeof *y))
                        fail_msg("%s, %lld tokens: token %lld differs", kern_shape_of(l)->name,
                                 (long long)counts[n], (long long)t);
                    uint32_t beyond; /* nothing is written past the last row */
                    memcpy(&beyond, y + t * (ROWS + 5) + ROWS, sizeof beyond);
                    assert_int_equal(beyond, 0xeeeeeeeeu);
                }
            }
            mem_free(in.memory);
        }
        mem_free(all.memory);
        mem_free(x);
        mem_free(y);
        mem_free(want);
        matrix_free(&m);
    }
}

/* the largest codes against the largest activations, in few tokens and in many: nothing saturates
 */
static void nothing_saturates(void **state) {
    (void)state;
    enum { MOST = KERN_FEW + 2 };
    static float x[COLS * MOST], want[MOST * KERN_ROWS], y[MOST * KERN_ROWS];
    for (int c = 0; c < MOST * COLS; c++) x[c] = c / COLS % 2 ? -1.0f : 1.0f;
    for (int i = 0; i < LAYOUTS; i++) {
        kern_layout l = layouts[i].layout;
        matrix m = matrix_make(l, KERN_ROWS, COLS);
        for (int byte = 0; byte < 2; byte++) {
            size_t block = (size_t)kern_shape_of(l)->block_bytes;
            memset(m.rows, byte ? 0xff : 0x80, KERN_ROWS * m.row_bytes);
            for (size_t n = 0; n < KERN_ROWS * m.row_bytes; n += block)
                set_scale(l, m.rows + n, 1, 1);
            kern_pack_rows(l, m.rows, m.row_bytes, KERN_ROWS, COLS, m.strips);
            for (int64_t T = 2; T <= MOST; T += MOST - 2) {
                input a = input_make(&kern_ref_products, x, T, COLS),
                      b = input_make(table->products, x, T, COLS);
                multiply(&kern_ref_products, &m, &a, want, KERN_ROWS, 1, 1);
                multiply(table->products, &m, &b, y, KERN_ROWS, 1, 1);
                assert_memory_equal(y, want, (size_t)(T * KERN_ROWS) * sizeof *y);
                mem_free(a.memory);
                mem_free(b.memory);
            }
        }
        matrix_free(&m);
    }
}

/* how AMX's kernels are checked before they are chosen */
static kern_gemm right;
static void almost_right(const kern_weight *w, const kern_input *x, kern_part part, float *y,
                         int64_t ldy, void *scratch) {
    right(w, x, part, y, ldy, scratch);
    y[0] = nextafterf(y[0], 1e9f);
}
static void one_bit_is_noticed(void **state) {
    (void)state;
    assert_true(kern_products_agree(&emulated_products));
    assert_true(kern_products_agree(&kern_ref_products));
    for (int i = 0; i < LAYOUTS; i++) {
        if (is_float(layouts[i].layout)) continue;
        kern_products wrong = kern_ref_products;
        right = wrong.gemm[layouts[i].layout];
        wrong.gemm[layouts[i].layout] = almost_right;
        assert_false(kern_products_agree(&wrong));
    }
}

static const kern_table emulated = {.name = "amx in C", .products = &emulated_products};

static int choose(void **state) {
    fail f;
    if (!strcmp(*state, emulated.name)) {
        table = &emulated;
        return 0;
    }
    return kern_select(*state, &table, &f) == E_OK ? 0 : -1;
}

#define WITH(test, name) cmocka_unit_test_prestate_setup_teardown(test, choose, NULL, name)

int main(void) {
    static char names[][16] = {"ref", "avx2", "avx512", "amx", "amx in C", "neon", "i8mm"};
    const struct CMUnitTest reference[] = {cmocka_unit_test(strips_say_what_the_file_says),
                                           cmocka_unit_test(reference_adds_up),
                                           cmocka_unit_test(one_bit_is_noticed)};
    int failed = cmocka_run_group_tests(reference, NULL, NULL);
    fail f;
    if (kern_select(NULL, &table, &f) == E_OK) print_message("fastest here: %s\n", table->name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct CMUnitTest each[] = {WITH(inputs_equal, names[i]),
                                          WITH(bits_are_the_references, names[i]),
                                          WITH(nothing_saturates, names[i])};
        if (!strcmp(names[i], emulated.name) || kern_select(names[i], &table, &f) == E_OK)
            failed += cmocka_run_group_tests_name(names[i], each, NULL, NULL);
        else
            print_message("skipped: %s\n", f.text);
    }
    return failed;
}

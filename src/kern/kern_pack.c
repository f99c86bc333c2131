/* kern_pack.c - file blocks into strips of 16 rows (kern_layout.h has the byte tables), and one
 * block of a strip back into plain numbers. Portable C; runs once per matrix, when a model is first
 * loaded. Pure functions, any thread. */
#include "kern/kern.h"

#include <string.h>

enum { HALF = KERN_BLOCK / 2, GROUPS = KERN_BLOCK / 4, LINE = 64, SUBS = KERN_SUPER / KERN_BLOCK };
enum { NIBBLES = 4 * LINE, BYTES = 8 * LINE, PAIRS = 2 * LINE, F16S = 2 * KERN_ROWS };

static const kern_shape shapes[KERN_LAYOUTS] = {
    [KERN_F32] = {"F32", 1, 64, 1, 4, 0, false, false},
    [KERN_F16] = {"F16", 1, 32, 1, 2, 0, false, false},
    [KERN_BF16] = {"BF16", 2, 64, 1, 2, 0, false, false},
    [KERN_Q8_0] = {"Q8_0", 64, 1088, 32, sizeof(kern_q8_0), 128, false, false},
    [KERN_Q4_0] = {"Q4_0", 64, 576, 32, sizeof(kern_q4_0), 8, false, false},
    [KERN_Q4_1] = {"Q4_1", 64, 640, 32, sizeof(kern_q4_1), 0, false, true},
    [KERN_Q5_0] = {"Q5_0", 64, 704, 32, sizeof(kern_q5_0), 16, false, false},
    [KERN_Q5_1] = {"Q5_1", 64, 768, 32, sizeof(kern_q5_1), 0, false, true},
    [KERN_Q2_K] = {"Q2_K", 256, 1344, 256, sizeof(kern_q2_K), 0, true, true},
    [KERN_Q3_K] = {"Q3_K", 256, 1792, 256, sizeof(kern_q3_K), 4, true, false},
    [KERN_Q4_K] = {"Q4_K", 256, 2304, 256, sizeof(kern_q4_K), 0, false, true},
    [KERN_Q5_K] = {"Q5_K", 256, 2816, 256, sizeof(kern_q5_K), 0, false, true},
    [KERN_Q6_K] = {"Q6_K", 256, 3392, 256, sizeof(kern_q6_K), 32, true, false},
    [KERN_IQ4_NL] = {"IQ4_NL", 64, 576, 32, sizeof(kern_iq4_nl), 128, false, false},
    [KERN_IQ4_XS] = {"IQ4_XS", 256, 2176, 256, sizeof(kern_iq4_xs), 128, false, false},
};

const kern_shape *kern_shape_of(kern_layout l) {
    return &shapes[l > KERN_NONE && l < KERN_LAYOUTS ? l : KERN_NONE];
}

bool kern_fits(kern_layout l, int64_t cols) {
    const kern_shape *s = kern_shape_of(l);
    return s->unit_cols > 0 && cols > 0 && cols % s->block_cols == 0;
}

size_t kern_strip_bytes(kern_layout l, int64_t cols) {
    const kern_shape *s = kern_shape_of(l);
    if (!s->unit_cols) return 0;
    size_t bytes = (size_t)((cols + s->unit_cols - 1) / s->unit_cols) * (size_t)s->unit_bytes;
    return (bytes + LINE - 1) / LINE * LINE; /* strips begin on a line */
}

/* ---- codes of a block into and out of a strip ----
 * `code` holds one row's 32 codes; p is the block's nibbles, bit or pairs. */

static void put_bytes(uint8_t *p, int r, const uint8_t code[KERN_BLOCK]) {
    for (int c = 0; c < KERN_BLOCK; c++) p[LINE * (c / 4) + 4 * r + c % 4] = code[c];
}
static void put_nibbles(uint8_t *p, int r, const uint8_t code[KERN_BLOCK]) {
    for (int c = 0; c < HALF; c++)
        p[LINE * (c / 4) + 4 * r + c % 4] = (uint8_t)((code[c] & 15) | (code[c + HALF] & 15) << 4);
}
static void put_bit(uint8_t *p, int r, const uint8_t code[KERN_BLOCK], int bit) {
    for (int c = 0; c < KERN_BLOCK; c++)
        p[4 * r + c % 4] |= (uint8_t)((code[c] >> bit & 1) << (c / 4));
}
static void put_pairs(uint8_t *p, int r, const uint8_t code[KERN_BLOCK], int bit) {
    for (int c = 0; c < KERN_BLOCK; c++)
        p[LINE * (c / HALF) + 4 * r + c % 4] |= (uint8_t)((code[c] >> bit & 3) << 2 * (c / 4 % 4));
}

static uint8_t get_byte(const uint8_t *p, int r, int c) {
    return p[LINE * (c / 4) + 4 * r + c % 4];
}
static uint8_t get_nibble(const uint8_t *p, int r, int c) {
    return p[LINE * (c % HALF / 4) + 4 * r + c % 4] >> 4 * (c / HALF) & 15;
}
static uint8_t get_bit(const uint8_t *p, int r, int c) {
    return p[4 * r + c % 4] >> (c / 4) & 1;
}
static uint8_t get_pair(const uint8_t *p, int r, int c) {
    return p[LINE * (c / HALF) + 4 * r + c % 4] >> 2 * (c / 4 % 4) & 3;
}

static void put_f16(uint8_t *p, int r, uint16_t v) {
    memcpy(p + 2 * r, &v, sizeof v);
}
static float get_f16(const uint8_t *p, int r) {
    uint16_t v;
    memcpy(&v, p + 2 * r, sizeof v);
    return kern_f16_to_f32(v);
}
static void put_f32(uint8_t *p, int r, float v) {
    memcpy(p + 4 * r, &v, sizeof v);
}
static float get_f32(const uint8_t *p, int r) {
    float v;
    memcpy(&v, p + 4 * r, sizeof v);
    return v;
}

/* Six-bit numbers split in nibbles and bit pairs: number s of row r among `lows` x 16 low bytes and
 * `highs` x 16 high bytes; `shift` moves the pair within its byte. */
static void put_six(uint8_t *low, int lows, uint8_t *high, int highs, int shift, int r, int s,
                    int v) {
    low[KERN_ROWS * (s % lows) + r] |= (uint8_t)((v & 15) << 4 * (s / lows));
    high[KERN_ROWS * (s % highs) + r] |= (uint8_t)((v >> 4) << (2 * (s / highs) + shift));
}
static int get_six(const uint8_t *low, int lows, const uint8_t *high, int highs, int shift, int r,
                   int s) {
    return (low[KERN_ROWS * (s % lows) + r] >> 4 * (s / lows) & 15) |
           (high[KERN_ROWS * (s % highs) + r] >> (2 * (s / highs) + shift) & 3) << 4;
}

/* ---- codes of a file block ---- */

static void codes_of_nibbles(const uint8_t *q, uint8_t code[KERN_BLOCK]) {
    for (int i = 0; i < HALF; i++) {
        code[i] = q[i] & 15;
        code[i + HALF] = q[i] >> 4;
    }
}
static void add_fifth_bits(const uint8_t high[4], uint8_t code[KERN_BLOCK]) {
    for (int i = 0; i < KERN_BLOCK; i++)
        code[i] = (uint8_t)(code[i] | (high[i / 8] >> i % 8 & 1) << 4);
}
/* sub-block s of 32 in K types: 64 numbers share 32 bytes of nibbles */
static void codes_of_super_nibbles(const uint8_t *q, int s, uint8_t code[KERN_BLOCK]) {
    for (int i = 0; i < KERN_BLOCK; i++) code[i] = q[KERN_BLOCK * (s / 2) + i] >> 4 * (s % 2) & 15;
}
static void codes_of_super_pairs(const uint8_t *q, int s, uint8_t code[KERN_BLOCK]) {
    for (int i = 0; i < KERN_BLOCK; i++) code[i] = q[KERN_BLOCK * (s / 4) + i] >> 2 * (s % 4) & 3;
}
static void codes_of_q6_K(const kern_q6_K *w, int s, uint8_t code[KERN_BLOCK]) {
    const uint8_t *low = w->low + LINE * (s / 4) + KERN_BLOCK * (s % 2),
                  *high = w->high + KERN_BLOCK * (s / 4);
    for (int i = 0; i < KERN_BLOCK; i++)
        code[i] = (uint8_t)((low[i] >> 4 * (s % 4 / 2) & 15) | (high[i] >> 2 * (s % 4) & 3) << 4);
}

/* scale and minimum s of the 12 bytes that Q4_K and Q5_K share */
static void six_of_q4_K(const uint8_t p[12], int s, int *scale, int *least) {
    if (s < 4) {
        *scale = p[s] & 63;
        *least = p[s + 4] & 63;
    } else {
        *scale = (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
        *least = p[s + 4] >> 4 | p[s] >> 6 << 4;
    }
}
static int six_of_q3_K(const uint8_t p[12], int s) {
    return (p[s % 8] >> 4 * (s / 8) & 15) | (p[8 + s % 4] >> 2 * (s / 4) & 3) << 4;
}

/* ---- one file block of row r into its place; unit: the unit, b: which block of the unit ---- */

static void put_q8_0(uint8_t *unit, int b, int r, const void *from) {
    const kern_q8_0 *w = from;
    uint8_t code[KERN_BLOCK];
    for (int i = 0; i < KERN_BLOCK; i++) code[i] = (uint8_t)(w->q[i] + 128);
    put_f16(unit + b * F16S, r, w->d);
    put_bytes(unit + 2 * F16S + b * BYTES, r, code);
}
static void put_q4_0(uint8_t *unit, int b, int r, const void *from) {
    const kern_q4_0 *w = from; /* an IQ4_NL block looks the same */
    uint8_t code[KERN_BLOCK];
    codes_of_nibbles(w->q, code);
    put_f16(unit + b * F16S, r, w->d);
    put_nibbles(unit + 2 * F16S + b * NIBBLES, r, code);
}
static void put_q4_1(uint8_t *unit, int b, int r, const void *from) {
    const kern_q4_1 *w = from;
    uint8_t code[KERN_BLOCK];
    codes_of_nibbles(w->q, code);
    put_f16(unit + b * F16S, r, w->d);
    put_f16(unit + (2 + b) * F16S, r, w->m);
    put_nibbles(unit + 4 * F16S + b * NIBBLES, r, code);
}
static void put_five(uint8_t *at, int r, const uint8_t q[HALF], const uint8_t high[4]) {
    uint8_t code[KERN_BLOCK];
    codes_of_nibbles(q, code);
    add_fifth_bits(high, code);
    put_nibbles(at, r, code);
    put_bit(at + NIBBLES, r, code, 4);
}
static void put_q5_0(uint8_t *unit, int b, int r, const void *from) {
    const kern_q5_0 *w = from;
    put_f16(unit + b * F16S, r, w->d);
    put_five(unit + 2 * F16S + b * (NIBBLES + LINE), r, w->q, w->high);
}
static void put_q5_1(uint8_t *unit, int b, int r, const void *from) {
    const kern_q5_1 *w = from;
    put_f16(unit + b * F16S, r, w->d);
    put_f16(unit + (2 + b) * F16S, r, w->m);
    put_five(unit + 4 * F16S + b * (NIBBLES + LINE), r, w->q, w->high);
}

/* ---- one file super-block of row r into its unit ---- */

static void put_q2_K(uint8_t *unit, int r, const void *from) {
    const kern_q2_K *w = from;
    uint8_t code[KERN_BLOCK], *scales = unit + 2 * F16S, *at = scales + 16 * KERN_ROWS;
    put_f16(unit, r, w->d);
    put_f16(unit + F16S, r, w->dmin);
    for (int s = 0; s < 16; s++) scales[KERN_ROWS * s + r] = w->scales[s];
    for (int s = 0; s < SUBS; s++) {
        codes_of_super_pairs(w->q, s, code);
        put_pairs(at + s * PAIRS, r, code, 0);
    }
}
static void put_q3_K(uint8_t *unit, int r, const void *from) {
    const kern_q3_K *w = from;
    uint8_t code[KERN_BLOCK], *low = unit + LINE, *high = low + 2 * LINE, *at = high + LINE;
    put_f32(unit, r, kern_f16_to_f32(w->d));
    for (int s = 0; s < 16; s++) put_six(low, 8, high, 4, 0, r, s, six_of_q3_K(w->scales, s));
    for (int s = 0; s < SUBS; s++, at += PAIRS + LINE) {
        codes_of_super_pairs(w->q, s, code);
        for (int i = 0; i < KERN_BLOCK; i++)
            code[i] = (uint8_t)(code[i] | (w->high[i] >> s & 1) << 2);
        put_pairs(at, r, code, 0);
        put_bit(at + PAIRS, r, code, 2);
    }
}
static void put_six_of_q4_K(uint8_t *unit, int r, uint16_t d, uint16_t dmin, const uint8_t p[12]) {
    uint8_t *low = unit + LINE, *lows_least = low + LINE, *high = lows_least + LINE;
    put_f16(unit, r, d);
    put_f16(unit + F16S, r, dmin);
    for (int s = 0; s < SUBS; s++) {
        int scale, least;
        six_of_q4_K(p, s, &scale, &least);
        put_six(low, 4, high, 4, 0, r, s, scale);
        put_six(lows_least, 4, high, 4, 4, r, s, least);
    }
}
static void put_q4_K(uint8_t *unit, int r, const void *from) {
    const kern_q4_K *w = from;
    uint8_t code[KERN_BLOCK];
    put_six_of_q4_K(unit, r, w->d, w->dmin, w->scales);
    for (int s = 0; s < SUBS; s++) {
        codes_of_super_nibbles(w->q, s, code);
        put_nibbles(unit + 4 * LINE + s * NIBBLES, r, code);
    }
}
static void put_q5_K(uint8_t *unit, int r, const void *from) {
    const kern_q5_K *w = from;
    uint8_t code[KERN_BLOCK], *at = unit + 4 * LINE;
    put_six_of_q4_K(unit, r, w->d, w->dmin, w->scales);
    for (int s = 0; s < SUBS; s++, at += NIBBLES + LINE) {
        codes_of_super_nibbles(w->q, s, code);
        for (int i = 0; i < KERN_BLOCK; i++)
            code[i] = (uint8_t)(code[i] | (w->high[i] >> s & 1) << 4);
        put_nibbles(at, r, code);
        put_bit(at + NIBBLES, r, code, 4);
    }
}
static void put_q6_K(uint8_t *unit, int r, const void *from) {
    const kern_q6_K *w = from;
    uint8_t code[KERN_BLOCK], *scales = unit + LINE, *at = scales + 16 * KERN_ROWS;
    put_f32(unit, r, kern_f16_to_f32(w->d));
    for (int s = 0; s < 16; s++) scales[KERN_ROWS * s + r] = (uint8_t)w->scales[s];
    for (int s = 0; s < SUBS; s++, at += NIBBLES + PAIRS) {
        codes_of_q6_K(w, s, code);
        put_nibbles(at, r, code);
        put_pairs(at + NIBBLES, r, code, 4);
    }
}
static void put_iq4_xs(uint8_t *unit, int r, const void *from) {
    const kern_iq4_xs *w = from;
    uint8_t code[KERN_BLOCK], *low = unit + F16S, *high = low + LINE, *at = high + LINE / 2;
    put_f16(unit, r, w->d);
    for (int s = 0; s < SUBS; s++) {
        int scale = (w->scales_low[s / 2] >> 4 * (s % 2) & 15) | (w->scales_high >> 2 * s & 3) << 4;
        put_six(low, 4, high, 2, 0, r, s, scale);
        codes_of_nibbles(w->q + HALF * s, code);
        put_nibbles(at + s * NIBBLES, r, code);
    }
}

/* ---- rows into a strip ---- */

static void pack_small(kern_layout l, const uint8_t *row, int r, int64_t blocks, uint8_t *strip) {
    static void (*const put[KERN_LAYOUTS])(uint8_t *, int, int, const void *) = {
        [KERN_Q8_0] = put_q8_0, [KERN_Q4_0] = put_q4_0, [KERN_IQ4_NL] = put_q4_0,
        [KERN_Q4_1] = put_q4_1, [KERN_Q5_0] = put_q5_0, [KERN_Q5_1] = put_q5_1};
    for (int64_t b = 0; b < blocks; b++)
        put[l](strip + b / 2 * shapes[l].unit_bytes, (int)(b % 2), r,
               row + b * shapes[l].block_bytes);
}

static void pack_super(kern_layout l, const uint8_t *row, int r, int64_t blocks, uint8_t *strip) {
    static void (*const put[KERN_LAYOUTS])(uint8_t *, int, const void *) = {
        [KERN_Q2_K] = put_q2_K, [KERN_Q3_K] = put_q3_K, [KERN_Q4_K] = put_q4_K,
        [KERN_Q5_K] = put_q5_K, [KERN_Q6_K] = put_q6_K, [KERN_IQ4_XS] = put_iq4_xs};
    for (int64_t b = 0; b < blocks; b++)
        put[l](strip + b * shapes[l].unit_bytes, r, row + b * shapes[l].block_bytes);
}

static void pack_float(kern_layout l, const uint8_t *row, int r, int64_t cols, uint8_t *strip) {
    int64_t bytes = shapes[l].block_bytes, side = shapes[l].unit_cols;
    for (int64_t c = 0; c < cols; c++)
        memcpy(strip + c / side * shapes[l].unit_bytes + (r * side + c % side) * bytes,
               row + c * bytes, (size_t)bytes);
}

void kern_pack_rows(kern_layout l, const void *rows, size_t row_bytes, int64_t n, int64_t cols,
                    void *strip) {
    CHECK(kern_fits(l, cols) && n >= 1 && n <= KERN_ROWS);
    memset(strip, 0, kern_strip_bytes(l, cols));
    for (int r = 0; r < (int)n; r++) {
        const uint8_t *row = (const uint8_t *)rows + (size_t)r * row_bytes;
        int64_t blocks = cols / shapes[l].block_cols;
        if (shapes[l].block_cols == 1)
            pack_float(l, row, r, cols, strip);
        else if (shapes[l].block_cols == KERN_BLOCK)
            pack_small(l, row, r, blocks, strip);
        else
            pack_super(l, row, r, blocks, strip);
    }
}

/* ---- and back ---- */

/* where block b of a unit begins */
static const uint8_t *codes_at(kern_layout l, const uint8_t *unit, int b) {
    switch (l) {
    case KERN_Q8_0: return unit + 2 * F16S + b * BYTES;
    case KERN_Q4_0:
    case KERN_IQ4_NL: return unit + 2 * F16S + b * NIBBLES;
    case KERN_Q4_1: return unit + 4 * F16S + b * NIBBLES;
    case KERN_Q5_0: return unit + 2 * F16S + b * (NIBBLES + LINE);
    case KERN_Q5_1: return unit + 4 * F16S + b * (NIBBLES + LINE);
    case KERN_Q2_K: return unit + 5 * LINE + b * PAIRS;
    case KERN_Q3_K: return unit + 4 * LINE + b * (PAIRS + LINE);
    case KERN_Q4_K: return unit + 4 * LINE + b * NIBBLES;
    case KERN_Q5_K: return unit + 4 * LINE + b * (NIBBLES + LINE);
    case KERN_Q6_K: return unit + 5 * LINE + b * (NIBBLES + PAIRS);
    default: return unit + 2 * LINE + b * NIBBLES; /* IQ4_XS */
    }
}

static uint8_t get_code(kern_layout l, const uint8_t *p, int r, int c) {
    switch (l) {
    case KERN_Q8_0: return get_byte(p, r, c);
    case KERN_Q5_0:
    case KERN_Q5_1:
    case KERN_Q5_K: return (uint8_t)(get_nibble(p, r, c) | get_bit(p + NIBBLES, r, c) << 4);
    case KERN_Q6_K: return (uint8_t)(get_nibble(p, r, c) | get_pair(p + NIBBLES, r, c) << 4);
    case KERN_Q2_K: return get_pair(p, r, c);
    case KERN_Q3_K: return (uint8_t)(get_pair(p, r, c) | get_bit(p + PAIRS, r, c) << 2);
    case KERN_IQ4_NL:
    case KERN_IQ4_XS: return (uint8_t)(kern_iq4_values[get_nibble(p, r, c)] + 128);
    default: return get_nibble(p, r, c);
    }
}

/* the scale and minimum of columns 16h .. 16h + 15 of block b */
static void get_scale(kern_layout l, const uint8_t *unit, int b, int h, int r, float *scale,
                      float *least) {
    const uint8_t *low = unit + LINE, *high = low + 2 * LINE;
    float d = get_f16(unit, r), dmin = get_f16(unit + F16S, r);
    switch (l) {
    case KERN_Q4_1:
    case KERN_Q5_1:
        *scale = get_f16(unit + b * F16S, r);
        *least = get_f16(unit + (2 + b) * F16S, r);
        break;
    case KERN_Q4_K:
    case KERN_Q5_K:
        *scale = d * (float)get_six(low, 4, high, 4, 0, r, b);
        *least = -(dmin * (float)get_six(low + LINE, 4, high, 4, 4, r, b));
        break;
    case KERN_Q2_K:
        *scale = d * (float)(low[KERN_ROWS * (2 * b + h) + r] & 15);
        *least = -(dmin * (float)(low[KERN_ROWS * (2 * b + h) + r] >> 4));
        break;
    case KERN_Q3_K:
        *scale = get_f32(unit, r) * (float)(get_six(low, 8, high, 4, 0, r, 2 * b + h) - 32);
        break;
    case KERN_Q6_K:
        *scale = get_f32(unit, r) * (float)(int8_t)low[KERN_ROWS * (2 * b + h) + r];
        break;
    case KERN_IQ4_XS:
        low = unit + F16S;
        *scale = d * (float)(get_six(low, 4, low + LINE, 2, 0, r, b) - 32);
        break;
    default: *scale = get_f16(unit + b * F16S, r);
    }
}

void kern_unpack(kern_layout l, const void *strip, int64_t block, kern_codes *out) {
    const kern_shape *s = kern_shape_of(l);
    int64_t per_unit = s->unit_cols / KERN_BLOCK;
    CHECK(per_unit > 0);
    const uint8_t *unit = (const uint8_t *)strip + block / per_unit * s->unit_bytes;
    int b = (int)(block % per_unit);
    *out = (kern_codes){0};
    for (int r = 0; r < KERN_ROWS; r++) {
        for (int h = 0; h < 2; h++)
            get_scale(l, unit, b, h, r, &out->scale[h][r], &out->least[h][r]);
        for (int c = 0; c < KERN_BLOCK; c++)
            out->code[r][c] = get_code(l, codes_at(l, unit, b), r, c);
    }
}

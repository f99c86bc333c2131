/* op_attend.c - see op_attend.h. Page parts are laid out as kern_attend.h says, one kv head after
 * the other.
 *
 * Work is cut into tiles: some tokens of one sequence for one kv head, all query heads that share
 * it. Where that makes too few pieces for the team (a long context, few heads), each segment of
 * positions is a piece of its own and a second pass merges them: the kernel merges segments in
 * order in either case, so the bits are the same. Without pages, a worker lays the keys and values
 * of a sequence's head out in its own scratch pages first. */
#include "tensor/op_attend.h"

#include "tensor/op_int.h"

enum {
    PIECES_PER_THREAD = 4, /* fewer: cut at segments */
    KEEP_COST = 4,         /* of laying out one number, in op_spread's measure */
    SPARED_BY_LANES = 8    /* a multiply-add of a tile costs 1/8 */
};

static int64_t key_bytes(const op_attention *o) {
    return (int64_t)kern_keys_bytes((kern_kv)o->type, o->dim);
}
static int64_t value_bytes(const op_attention *o) {
    return (int64_t)kern_values_bytes((kern_kv)o->type, o->dim);
}

size_t op_page_bytes(op_kv_type type, int64_t kv_heads, int64_t dim) {
    return (size_t)kv_heads * kern_values_bytes((kern_kv)type, dim); /* keys are no larger */
}

/* ---- rows into pages ---- */

typedef struct keep_job {
    op_context *c;
    const op_attention *o;
    const op_sequence *s;
    const float *k, *v;
    int64_t first_page;
} keep_job;

static void keep_page(void *arg, int64_t index, int worker) {
    (void)worker;
    const keep_job *j = arg;
    const op_attention *o = j->o;
    int64_t page = j->first_page + index, begin = page * OP_PAGE, width = o->kv_heads * o->dim;
    int64_t from = begin > j->s->position ? begin : j->s->position;
    int64_t to = j->s->position + j->s->rows;
    if (to > begin + OP_PAGE) to = begin + OP_PAGE;
    int64_t row = (j->s->first_row + from - j->s->position) * width;
    for (int64_t h = 0; h < o->kv_heads; h++)
        j->c->kern->attend->keep((kern_kv)o->type, o->dim, j->k + row + h * o->dim,
                                 j->v + row + h * o->dim, width, (int32_t)(to - from),
                                 (int32_t)(from - begin),
                                 (char *)j->s->pages[page].k + h * key_bytes(o),
                                 (char *)j->s->pages[page].v + h * value_bytes(o));
}

void op_keep(op_context *c, const op_attention *o, const op_sequence *s, int64_t n, const float *k,
             const float *v) {
    CHECK(o->dim <= KERN_HEAD_MAX);
    for (; n > 0; n--, s++) {
        if (!s->rows) continue;
        keep_job j = {c, o, s, k, v, s->position / OP_PAGE};
        int64_t pages = (s->position + s->rows + OP_PAGE - 1) / OP_PAGE - j.first_page;
        op_spread(c, keep_page, &j, pages,
                  KEEP_COST * s->rows * o->kv_heads * o->dim / (pages ? pages : 1));
    }
}

/* ---- tiles ---- */

typedef struct attend_job {
    op_context *c;
    const op_attention *o;
    const op_sequence *s; /* [n] */
    const float *q;
    const float *k, *v; /* without pages */
    float *out;
    int64_t n, group;
    int64_t heads_shared; /* query heads of a tile; a group of more is cut into parts */
    int64_t tokens;       /* of a tile, at most */
    int64_t segments;     /* with them as pieces: of the longest sequence */
    int64_t partial;      /* floats of one tile's partials */
    bool single;          /* each sequence is one tile, as in decoding */
} attend_job;

/* Tokens of one sequence for some query heads that share a kv head. */
typedef struct attend_tile {
    const op_sequence *s;
    int64_t kv;  /* head of keys and values */
    int64_t row; /* first, in the sequence */
    int32_t from[KERN_QUERIES_MAX], to[KERN_QUERIES_MAX];
    int32_t least, most; /* any of it is seen in [least, most) */
    kern_pages pages;
    kern_queries q;
} attend_tile;

static int64_t tiles_of(const attend_job *j, const op_sequence *s) {
    return (s->rows + j->tokens - 1) / j->tokens;
}
/* parts of all heads: kv heads x parts of a group */
static int64_t parts_of(const attend_job *j) {
    return j->o->kv_heads * ((j->group + j->heads_shared - 1) / j->heads_shared);
}

/* What position p sees of `end` positions: [*from, *to). */
static void range_of(const op_attention *o, int64_t p, int64_t end, int32_t *from, int32_t *to) {
    int64_t behind = o->both_ways ? o->window / 2 : o->window - 1;
    int64_t last = p + 1;
    if (o->both_ways) last = o->window && p + behind + 1 < end ? p + behind + 1 : end;
    *from = o->window && p > behind ? (int32_t)(p - behind) : 0;
    *to = (int32_t)last;
}

static void tile_ranges(const attend_job *j, attend_tile *t) {
    const op_sequence *s = t->s;
    int64_t first = j->k ? 0 : s->position; /* a batch without pages begins at 0 */
    t->least = INT32_MAX;
    t->most = 0;
    for (int64_t i = 0; i < t->q.tokens; i++) {
        range_of(j->o, first + t->row + i, first + s->rows, &t->from[i], &t->to[i]);
        if (t->from[i] < t->least) t->least = t->from[i];
        if (t->to[i] > t->most) t->most = t->to[i];
    }
}

/* `tokens` rows from `row` on, part `part` of the heads */
static void tile_set(const attend_job *j, attend_tile *t, const op_sequence *s, int64_t part,
                     int64_t row, int64_t tokens) {
    const op_attention *o = j->o;
    int64_t parts = (j->group + j->heads_shared - 1) / j->heads_shared;
    int64_t kv = part / parts, head = part % parts * j->heads_shared;
    int64_t shared = j->group - head < j->heads_shared ? j->group - head : j->heads_shared;
    int64_t stride = o->heads * o->dim;
    int64_t at = (s->first_row + row) * stride + (kv * j->group + head) * o->dim;
    t->s = s;
    t->kv = kv;
    t->row = row;
    t->pages = (kern_pages){.page = s->pages,
                            .keys_at = (size_t)(kv * key_bytes(o)),
                            .values_at = (size_t)(kv * value_bytes(o)),
                            .type = (kern_kv)o->type,
                            .dim = o->dim};
    t->q = (kern_queries){.q = j->q + at,
                          .out = j->out + at,
                          .q_stride = stride,
                          .out_stride = stride,
                          .tokens = (int32_t)tokens,
                          .group = (int32_t)shared,
                          .from = t->from,
                          .to = t->to,
                          .scale = o->scale};
    tile_ranges(j, t);
}

/* The sequence of tile `index`, which is made to count from its first one. */
static const op_sequence *sequence_of(const attend_job *j, int64_t *index) {
    int64_t parts = parts_of(j);
    if (j->single) {
        const op_sequence *s = j->s + *index / parts;
        *index %= parts;
        return s;
    }
    const op_sequence *s = j->s, *last = j->s + j->n - 1;
    for (; s < last && *index >= tiles_of(j, s) * parts; s++) *index -= tiles_of(j, s) * parts;
    return s;
}

/* Tile `index` of all sequences; of each, the last tokens first: they see the most. */
static void tile_find(const attend_job *j, int64_t index, attend_tile *t) {
    const op_sequence *s = sequence_of(j, &index);
    int64_t parts = parts_of(j), row = (tiles_of(j, s) - 1 - index / parts) * j->tokens;
    int64_t tokens = s->rows - row < j->tokens ? s->rows - row : j->tokens;
    tile_set(j, t, s, index % parts, row, tokens);
}

static float *scratch_of(const attend_job *j, int worker) {
    return j->c->attend_scratch + worker * j->c->attend_scratch_floats;
}

static void attend_tile_run(void *arg, int64_t index, int worker) {
    const attend_job *j = arg;
    attend_tile t;
    tile_find(j, index, &t);
    j->c->kern->attend->attend(&t.pages, &t.q, scratch_of(j, worker));
}

/* ---- segments as pieces ---- */

static float *partials_of(const attend_job *j, int64_t tile) {
    return j->c->attend_partials + tile * j->partial;
}

static void attend_segment_run(void *arg, int64_t index, int worker) {
    const attend_job *j = arg;
    int64_t tile = index / j->segments;
    attend_tile t;
    tile_find(j, tile, &t);
    int32_t first = t.least / KERN_SEGMENT, segment = first + (int32_t)(index % j->segments);
    if (segment * KERN_SEGMENT >= t.most) return;
    int64_t queries = (int64_t)t.q.tokens * t.q.group;
    j->c->kern->attend->segment(&t.pages, &t.q, segment, scratch_of(j, worker),
                                partials_of(j, tile) +
                                    (segment - first) * queries * kern_partial_row(j->o->dim));
}

static void attend_merge_run(void *arg, int64_t tile, int worker) {
    (void)worker;
    const attend_job *j = arg;
    attend_tile t;
    tile_find(j, tile, &t);
    int32_t segments = (t.most + KERN_SEGMENT - 1) / KERN_SEGMENT - t.least / KERN_SEGMENT;
    j->c->kern->attend->merge(&t.q, j->o->dim, segments, partials_of(j, tile));
}

/* Whether tiles are too few for the team and their partials have room. */
static bool cut_at_segments(attend_job *j, int64_t tiles, int64_t longest) {
    int threads = team_threads(j->c->team);
    j->segments = (longest + KERN_SEGMENT - 1) / KERN_SEGMENT;
    if (j->o->window && !j->o->both_ways) {
        int64_t most = (j->o->window + j->tokens - 2) / KERN_SEGMENT + 2;
        j->segments = most < j->segments ? most : j->segments;
    }
    j->partial = j->segments * j->tokens * j->heads_shared * kern_partial_row(j->o->dim);
    return threads > 1 && tiles < PIECES_PER_THREAD * threads && j->segments > 1 &&
           tiles * j->partial <= j->c->attend_partial_floats;
}

static void job_tiles(attend_job *j) {
    int64_t most = 1;
    for (int64_t i = 0; i < j->n; i++) most = j->s[i].rows > most ? j->s[i].rows : most;
    j->group = j->o->heads / j->o->kv_heads;
    j->heads_shared = j->group < KERN_QUERIES_MAX ? j->group : KERN_QUERIES_MAX;
    j->tokens = KERN_QUERIES_MAX / j->heads_shared;
    if (j->tokens > most) j->tokens = most;
    CHECK(kern_attend_scratch(j->o->dim) <= j->c->attend_scratch_floats);
}

void op_attend(op_context *c, const op_attention *o, const op_sequence *s, int64_t n,
               const float *q, float *out) {
    attend_job j = {.c = c, .o = o, .s = s, .n = n, .q = q, .out = out};
    int64_t tiles = 0, seen = 0, longest = 0;
    job_tiles(&j);
    j.single = true;
    for (int64_t i = 0; i < n; i++) {
        j.single = j.single && tiles_of(&j, &s[i]) == 1;
        int64_t last = s[i].position + s[i].rows;
        tiles += tiles_of(&j, &s[i]) * parts_of(&j);
        seen += last * s[i].rows;
        longest = last > longest ? last : longest;
    }
    if (!tiles) return;
    int64_t cost = 2 * seen * o->heads * o->dim / SPARED_BY_LANES;
    if (cut_at_segments(&j, tiles, longest)) {
        op_spread(c, attend_segment_run, &j, tiles * j.segments, cost / (tiles * j.segments));
        op_spread(c, attend_merge_run, &j, tiles, j.partial / SPARED_BY_LANES);
        return;
    }
    op_spread(c, attend_tile_run, &j, tiles, cost / tiles);
}

/* ---- without pages ---- */

typedef struct batch_job {
    attend_job j;
    int64_t slices; /* of a sequence's rows: one unless heads are fewer than workers */
    int64_t pages;  /* of a worker's scratch */
} batch_job;

/* Keys and values [0, n) of one head into the worker's own pages. */
static void lay_out(const batch_job *b, attend_tile *t, int64_t n, int worker) {
    const op_attention *o = b->j.o;
    int64_t width = o->kv_heads * o->dim, at = t->s->first_row * width + t->kv * o->dim;
    const op_context *c = b->j.c;
    char *memory = (char *)(c->attend_pages + worker * c->attend_page_floats);
    kern_page *page = c->attend_page_list + worker * c->attend_pages_max;
    size_t keys = kern_keys_bytes(KERN_KV_F32, o->dim);
    size_t bytes = keys + kern_values_bytes(KERN_KV_F32, o->dim);
    for (int64_t p = 0; p * OP_PAGE < n; p++, memory += bytes) {
        int64_t rows = n - p * OP_PAGE < OP_PAGE ? n - p * OP_PAGE : OP_PAGE;
        page[p] = (kern_page){memory, memory + keys};
        b->j.c->kern->attend->keep(KERN_KV_F32, o->dim, b->j.k + at + p * OP_PAGE * width,
                                   b->j.v + at + p * OP_PAGE * width, width, (int32_t)rows, 0,
                                   page[p].k, page[p].v);
    }
    t->pages = (kern_pages){.page = page, .type = KERN_KV_F32, .dim = o->dim};
}

/* One slice of rows of one sequence for one part of the heads. */
static void attend_batch_run(void *arg, int64_t index, int worker) {
    const batch_job *b = arg;
    const attend_job *j = &b->j;
    int64_t parts = parts_of(j), part = index % parts, slice = index / parts % b->slices;
    const op_sequence *s = &j->s[index / parts / b->slices];
    int64_t first = s->rows * slice / b->slices, last = s->rows * (slice + 1) / b->slices;
    attend_tile t;
    if (first == last) return;
    tile_set(j, &t, s, part, first, 0);
    lay_out(b, &t, j->o->both_ways ? s->rows : last, worker);
    kern_pages pages = t.pages;
    for (int64_t row = first; row < last; row += j->tokens) {
        tile_set(j, &t, s, part, row, last - row < j->tokens ? last - row : j->tokens);
        j->c->kern->attend->attend(&pages, &t.q, scratch_of(j, worker));
    }
}

void op_attend_batch(op_context *c, const op_attention *o, const op_sequence *s, int64_t n,
                     const float *q, const float *k, const float *v, float *out) {
    batch_job b = {.j = {.c = c, .o = o, .s = s, .n = n, .q = q, .k = k, .v = v, .out = out},
                   .slices = 1};
    int64_t seen = 0, longest = 0, threads = team_threads(c->team);
    job_tiles(&b.j);
    for (int64_t i = 0; i < n; i++) {
        seen += s[i].rows * s[i].rows;
        longest = s[i].rows > longest ? s[i].rows : longest;
    }
    CHECK(longest <= c->attend_pages_max * OP_PAGE);
    int64_t heads = n * parts_of(&b.j);
    if (!heads || !longest) return;
    if (threads > 1 && heads < PIECES_PER_THREAD * threads)
        b.slices = (PIECES_PER_THREAD * threads + heads - 1) / heads;
    op_spread(c, attend_batch_run, &b, heads * b.slices,
              2 * seen * o->heads * o->dim / SPARED_BY_LANES / (heads * b.slices));
}

/* model_cache.c - see model_cache.h. */
#include "model/model_cache.h"

#include "base/file_draft.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    CACHE_VERSION = 1,
    CACHE_PAGE = 4096,
    HEADER_BYTES_MAX = 64 << 20, /* of the source: what lies before its numbers */
    SUM_BYTES = 1 << 20,         /* of data in one sum */
    PATTERN_COLS = 256,
    PATTERN_BYTES_MAX = 16 * PATTERN_COLS * 4 + 4096
};

typedef struct model_cache_head {
    char magic[8];
    uint32_t version, head_bytes;
    int64_t source_bytes, source_mtime_ns;
    uint64_t source_path, source_header; /* sums */
    uint64_t packing;                    /* sum of the pattern, packed */
    uint64_t count, data_at, data_bytes, data_sum;
    uint64_t sum; /* of head and list, with this field zero */
} model_cache_head;

typedef struct pack_entry {
    uint64_t name; /* sum */
    uint64_t offset, bytes;
    int64_t type, rows, cols;
} pack_entry;

static const char cache_magic[8] = "BANTPACK";

/* ---- sums: eight lanes that each take every word one to one; for damage, not for attackers ----
 */

enum { LANES = 8 };

static uint64_t mix(uint64_t h, uint64_t word) {
    h ^= word;
    return (h << 29 | h >> 35) * 0x9E3779B97F4A7C15u;
}

static uint64_t sum_of(const void *p, size_t n) {
    uint64_t lane[LANES] = {1, 2, 3, 4, 5, 6, 7, 8}, word[LANES], h = n;
    const char *at = p;
    size_t left = n;
    for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
        memcpy(word, at, sizeof word);
        for (int i = 0; i < LANES; i++) lane[i] = mix(lane[i], word[i]);
    }
    memset(word, 0, sizeof word);
    if (left) memcpy(word, at, left);
    for (int i = 0; i < LANES; i++) h = mix(h, mix(lane[i], word[i]));
    return h;
}

typedef struct sum_job {
    const char *p;
    size_t n;
    uint64_t *sums;
} sum_job;

static void sum_piece(void *arg, int64_t i, int worker) {
    (void)worker;
    const sum_job *j = arg;
    size_t from = (size_t)i * SUM_BYTES, n = j->n - from < SUM_BYTES ? j->n - from : SUM_BYTES;
    j->sums[i] = sum_of(j->p + from, n);
}

/* Over the team; false when memory is out. */
static bool sum_data(model *m, const void *p, size_t n, uint64_t *out) {
    size_t pieces = (n + SUM_BYTES - 1) / SUM_BYTES;
    sum_job j = {p, n, mem_alloc(pieces * sizeof *j.sums)};
    if (!j.sums) return false;
    team_run(m->o.team, sum_piece, &j, (int64_t)pieces);
    *out = sum_of(j.sums, pieces * sizeof *j.sums);
    mem_free(j.sums);
    return true;
}

/* ---- identity ---- */

/* What this build's packing makes of a fixed pattern, for each type that it packs. */
static bool packing_sum(const kern_table *kern, uint64_t *out) {
    char *from = mem_alloc_aligned(PATTERN_BYTES_MAX), *to = mem_alloc_aligned(PATTERN_BYTES_MAX);
    uint64_t h = CACHE_VERSION;
    for (size_t i = 0; from && i < PATTERN_BYTES_MAX; i++) from[i] = (char)(i * 37 + i / 97);
    for (int type = 0; from && to && type < DTYPE_COUNT; type++) {
        tensor t = {.type = (dtype)type, .n_dims = 2, .dims = {16, PATTERN_COLS}, .data = from};
        size_t bytes = op_packed_bytes(kern, &t);
        if (bytes == 0 || bytes > PATTERN_BYTES_MAX) continue;
        op_pack(kern, &t, to);
        h = mix(mix(h, (uint64_t)type), sum_of(to, bytes));
    }
    mem_free(from);
    mem_free(to);
    *out = h;
    return from && to;
}

/* A GGUF file's bytes before its first tensor: names, shapes and metadata; of a folder the list of
 * weights says as much. */
static size_t header_bytes(const model *m) {
    const unsigned char *first = m->map.p + m->map.n;
    for (size_t i = 0; i < m->packing->n; i++) {
        const unsigned char *at = model_pack_source(&m->packing->items[i])->data;
        if (at >= m->map.p && at < first) first = at;
    }
    size_t n = (size_t)(first - m->map.p);
    return n < HEADER_BYTES_MAX ? n : HEADER_BYTES_MAX;
}

static bool describe(model *m, model_cache_head *h, uint64_t path) {
    const model_packing *p = m->packing;
    *h = (model_cache_head){.version = CACHE_VERSION,
                            .head_bytes = sizeof *h,
                            .source_bytes = m->info.file_bytes,
                            .source_mtime_ns =
                                m->gguf ? m->map.mtime_ns : safetensors_mtime_ns(m->safetensors),
                            .source_path = path,
                            .source_header = sum_of(m->map.p, header_bytes(m)),
                            .count = p->n,
                            .data_bytes = p->bytes};
    size_t list = sizeof *h + p->n * sizeof(pack_entry);
    memcpy(h->magic, cache_magic, sizeof h->magic);
    h->data_at = (list + CACHE_PAGE - 1) / CACHE_PAGE * CACHE_PAGE;
    return packing_sum(m->o.kern, &h->packing);
}

static pack_entry entry_of(const pack_item *item) {
    const tensor *w = item->w->w;
    return (pack_entry){.name = sum_of(w->name.p, w->name.n),
                        .offset = item->offset,
                        .bytes = item->bytes,
                        .type = w->type,
                        .rows = tensor_rows(w),
                        .cols = tensor_cols(w)};
}

/* DIR/NAME-SUM.pack: one file for each path, so that a changed model replaces its own. */
static bool file_of(const model *m, char out[FILE_PATH_BYTES], uint64_t *path) {
    char real[FILE_PATH_BYTES], file[256];
    if (!m->o.cache_dir || file_real_path(real, m->info.path.p, NULL) != E_OK) return false;
    str name = str_slice(str_after_last(str_from(real), '/'), 0, 100);
    *path = mix(sum_of(real, strlen(real)), m->o.int8);
    snprintf(file, sizeof file, "%.*s-%016llx.pack", STR_ARG(name), (unsigned long long)*path);
    return file_join(out, m->o.cache_dir, file, NULL) == E_OK;
}

/* ---- reading ---- */

static bool list_fits(const model *m, const char *p) {
    for (size_t i = 0; i < m->packing->n; i++, p += sizeof(pack_entry)) {
        pack_entry want = entry_of(&m->packing->items[i]);
        if (memcmp(p, &want, sizeof want) != 0) return false;
    }
    return true;
}

static bool head_fits(const file_map *map, model_cache_head want) {
    model_cache_head have;
    if (map->n != want.data_at + want.data_bytes) return false;
    memcpy(&have, map->p, sizeof have);
    want.data_sum = have.data_sum;
    want.sum = have.sum;
    return memcmp(&have, &want, sizeof have) == 0;
}

static bool sums_fit(model *m, const file_map *map) {
    model_cache_head head;
    uint64_t data, sum;
    memcpy(&head, map->p, sizeof head);
    sum = head.sum;
    head.sum = 0;
    uint64_t list = sum_of(map->p + sizeof head, head.count * sizeof(pack_entry));
    if (mix(sum_of(&head, sizeof head), list) != sum) return false;
    return sum_data(m, map->p + head.data_at, head.data_bytes, &data) && data == head.data_sum;
}

bool model_cache_find(model *m, const void **base) {
    char path[FILE_PATH_BYTES];
    uint64_t source;
    model_cache_head want;
    file_map map = {0};
    if (!file_of(m, path, &source) || file_map_open(&map, path, NULL) != E_OK) return false;
    bool fits = describe(m, &want, source) && head_fits(&map, want) &&
                list_fits(m, (const char *)map.p + sizeof want) && sums_fit(m, &map);
    if (!fits) {
        log_info("model",
                 "the cache of packed weights \"%s\" is of another model or build, or damaged: "
                 "made anew",
                 path);
        file_map_close(&map);
        return false;
    }
    m->packing->map = map;
    *base = map.p + want.data_at;
    return true;
}

/* ---- writing ---- */

static err put_all(model *m, file_draft *d, model_cache_head *h, const void *packed, fail *f) {
    arena a;
    arena_init(&a, h->data_at);
    char *front = arena_alloc(&a, h->data_at);
    err e = front ? E_OK : fail_memory(f, "a cache file");
    if (e == E_OK) {
        pack_entry *list = (pack_entry *)(void *)(front + sizeof *h);
        for (size_t i = 0; i < h->count; i++) list[i] = entry_of(&m->packing->items[i]);
        h->sum = mix(sum_of(h, sizeof *h), sum_of(list, h->count * sizeof *list));
        memcpy(front, h, sizeof *h);
        e = file_draft_put(d, (str){front, h->data_at}, f);
    }
    arena_deinit(&a);
    return e == E_OK ? file_draft_put(d, (str){packed, h->data_bytes}, f) : e;
}

static err write_file(model *m, const char *path, uint64_t source, const void *packed, fail *f) {
    model_cache_head head;
    file_draft d = {.fd = -1};
    int64_t room;
    TRY(file_make_dirs(m->o.cache_dir, f));
    TRY(file_disk_free(m->o.cache_dir, &room, f));
    if (!describe(m, &head, source) || !sum_data(m, packed, head.data_bytes, &head.data_sum))
        return fail_memory(f, "a cache file");
    if (room < (int64_t)(head.data_at + head.data_bytes))
        return fail_set(f, E_NO_SPACE, "%lld bytes are free in \"%s\"", (long long)room,
                        m->o.cache_dir);
    TRY(file_draft_open(&d, path, f));
    err e = put_all(m, &d, &head, packed, f);
    if (e == E_OK) e = file_draft_keep(&d, f);
    file_draft_drop(&d);
    return e;
}

bool model_cache_keep(model *m, const void *packed) {
    char path[FILE_PATH_BYTES];
    uint64_t source;
    fail f = {0};
    if (!file_of(m, path, &source)) return false;
    if (write_file(m, path, source, packed, &f) == E_OK) return true;
    log_info("model", "packed weights are not kept for the next start: %s", f.text);
    return false;
}

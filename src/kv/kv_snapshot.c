/* kv_snapshot.c - see kv_snapshot.h. */
#include "kv/kv_snapshot.h"

#include "base/file.h"
#include "base/rand.h"

#include <stdio.h>
#include <string.h>

enum { VERSION = 1, HEAD_BYTES = 192, ID_BYTES = 8 };

typedef struct head {
    char magic[8];
    uint32_t version, page_tokens;
    char model[KV_MODEL_BYTES], build[KV_BUILD_BYTES], kernels[KV_KERNELS_BYTES];
    uint32_t type, zero;
    uint64_t layers, heads, head_width, page_bytes, tokens, sum, rest;
} head;
_Static_assert(sizeof(head) == HEAD_BYTES, "the head has no holes");

static const char magic[] = "BANTAMKV";

/* ---- checksum: of chunks one after another ---- */

static uint64_t sum_add(uint64_t sum, const void *p, size_t n) {
    return (sum ^ str_hash((str){p, n})) * 0x9e3779b97f4a7c15u;
}

static uint64_t sum_of(const head *h, const void *tokens, const char *pages) {
    head plain = *h;
    plain.sum = 0;
    uint64_t sum = sum_add(1, &plain, sizeof plain);
    sum = sum_add(sum, tokens, (size_t)h->tokens * sizeof(int32_t));
    for (uint64_t i = 0; pages && i < h->tokens / KV_PAGE_TOKENS; i++)
        sum = sum_add(sum, pages + i * h->page_bytes, h->page_bytes);
    return sum;
}

/* ---- save ---- */

static err put_text(char *to, size_t size, str from, const char *what, fail *f) {
    if (from.n > size)
        return fail_set(f, E_INPUT, "the name of the %s has %zu bytes, a snapshot holds %zu", what,
                        from.n, size);
    memset(to, 0, size);
    memcpy(to, from.p, from.n);
    return E_OK;
}

static err fill_head(head *h, const kv_origin *o, const kv_shape *s, int64_t n, fail *f) {
    *h = (head){.version = VERSION,
                .page_tokens = KV_PAGE_TOKENS,
                .type = (uint32_t)s->type,
                .layers = (uint64_t)s->layers,
                .heads = (uint64_t)s->heads,
                .head_width = (uint64_t)s->head_width,
                .page_bytes = kv_page_bytes(s),
                .tokens = (uint64_t)n};
    memcpy(h->magic, magic, sizeof h->magic);
    TRY(put_text(h->model, sizeof h->model, o->model, "model", f));
    TRY(put_text(h->build, sizeof h->build, o->build, "build", f));
    return put_text(h->kernels, sizeof h->kernels, o->kernels, "kernels", f);
}

/* Everything into the opened file. */
static err put_all(int fd, const char *path, head *h, const kv_pool *p, const kv_sequence *s,
                   const int32_t *tokens, fail *f) {
    int64_t pages = (int64_t)h->tokens / KV_PAGE_TOKENS;
    h->sum = sum_of(h, tokens, NULL);
    for (int64_t i = 0; i < pages; i++) h->sum = sum_add(h->sum, kv_page(p, s, i), h->page_bytes);
    TRY(file_put(fd, (str){(const char *)h, sizeof *h}, path, f));
    TRY(file_put(fd, (str){(const char *)tokens, (size_t)h->tokens * sizeof *tokens}, path, f));
    for (int64_t i = 0; i < pages; i++)
        TRY(file_put(fd, (str){kv_page(p, s, i), h->page_bytes}, path, f));
    return file_sync(fd, path, f);
}

err kv_snapshot_save(const char *path, const kv_origin *o, const kv_pool *p, const kv_sequence *s,
                     const int32_t *tokens, int64_t n, fail *f) {
    head h;
    char part[FILE_PATH_BYTES], id[ID_BYTES + 1];
    int fd;
    int64_t bytes;
    CHECK(n > 0 && n % KV_PAGE_TOKENS == 0 && n <= kv_sequence_room(s));
    TRY(fill_head(&h, o, kv_pool_shape(p), n, f));
    rand_id(id, ID_BYTES);
    if (snprintf(part, sizeof part, "%s.tmp-%s", path, id) >= (int)sizeof part)
        return fail_set(f, E_TOO_LARGE, "the path of a snapshot is too long: \"%.200s...\"", path);
    TRY(file_open_append(&fd, part, &bytes, f));
    err e = put_all(fd, part, &h, p, s, tokens, f);
    file_close(fd);
    if (e == E_OK) e = file_rename(part, path, f);
    if (e == E_OK) return file_sync_dir_of(path, f);
    err removed = file_remove(part, NULL); /* what went wrong first is what is said */
    (void)removed;
    return e;
}

/* ---- read ---- */

static err differs(const char *name, const char *what, str have, str want, fail *f) {
    char a[TENSOR_PRINT_BYTES], b[TENSOR_PRINT_BYTES];
    fail_set(f, E_UNSUPPORTED, "%s is a snapshot of another %s: \"%s\", not \"%s\"", name, what,
             tensor_print_name(have, a), tensor_print_name(want, b));
    return fail_hint(f, "remove it and save it anew");
}

static err check_text(const char *name, const char *what, const char *have, size_t size, str want,
                      fail *f) {
    str text = {have, strnlen(have, size)};
    return str_eq(text, want) ? E_OK : differs(name, what, text, want, f);
}

static err check_shape(const char *name, const head *h, const kv_shape *s, fail *f) {
    char have[96], want[96];
    snprintf(have, sizeof have, "type %u, %llu layers, %llu heads of %llu", h->type,
             (unsigned long long)h->layers, (unsigned long long)h->heads,
             (unsigned long long)h->head_width);
    snprintf(want, sizeof want, "type %u, %lld layers, %lld heads of %lld", (uint32_t)s->type,
             (long long)s->layers, (long long)s->heads, (long long)s->head_width);
    if (strcmp(have, want)) return differs(name, "shape", str_from(have), str_from(want), f);
    return E_OK;
}

static err check_head(const char *name, const head *h, const kv_origin *want, const kv_shape *s,
                      fail *f) {
    if (h->version != VERSION)
        return fail_set(f, E_UNSUPPORTED, "%s is a snapshot of version %u, we read %d", name,
                        h->version, VERSION);
    TRY(check_text(name, "model", h->model, sizeof h->model, want->model, f));
    TRY(check_text(name, "build", h->build, sizeof h->build, want->build, f));
    TRY(check_text(name, "kernels", h->kernels, sizeof h->kernels, want->kernels, f));
    return check_shape(name, h, s, f);
}

err kv_snapshot_read(str bytes, const char *name, const kv_origin *want, const kv_shape *shape,
                     kv_snapshot *out, fail *f) {
    head h;
    if (bytes.n < sizeof h || memcmp(bytes.p, magic, sizeof h.magic))
        return fail_set(f, E_CORRUPT, "%s is no snapshot of a prefix", name);
    memcpy(&h, bytes.p, sizeof h);
    TRY(check_head(name, &h, want, shape, f));
    size_t page_bytes = kv_page_bytes(shape), left = bytes.n - sizeof h;
    size_t each = KV_PAGE_TOKENS * sizeof(int32_t) + page_bytes;
    bool fits = h.page_tokens == KV_PAGE_TOKENS && h.page_bytes == page_bytes && h.tokens > 0 &&
                h.tokens % KV_PAGE_TOKENS == 0 && left % each == 0 &&
                h.tokens / KV_PAGE_TOKENS == left / each;
    if (!fits)
        return fail_set(f, E_CORRUPT,
                        "%s: %zu bytes do not hold %llu tokens in pages of %llu bytes", name,
                        bytes.n, (unsigned long long)h.tokens, (unsigned long long)h.page_bytes);
    const char *tokens = bytes.p + sizeof h, *pages = tokens + h.tokens * sizeof(int32_t);
    if (sum_of(&h, tokens, pages) != h.sum)
        return fail_set(f, E_CORRUPT, "%s is damaged: its checksum does not match", name);
    *out = (kv_snapshot){.tokens = (const int32_t *)(const void *)tokens,
                         .n = (int64_t)h.tokens,
                         .pages = pages,
                         .page_bytes = page_bytes};
    return E_OK;
}

void kv_snapshot_fill(const kv_snapshot *from, const kv_pool *p, const kv_sequence *s,
                      int64_t page) {
    CHECK((page + 1) * KV_PAGE_TOKENS <= from->n);
    memcpy(kv_page(p, s, page), from->pages + (size_t)page * from->page_bytes, from->page_bytes);
}

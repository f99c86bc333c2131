/* kv_page.c - the page pool and the page lists; see kv.h.
 *
 * Empty pages are a stack of indices. Invariant: each page is in the stack, among the kept
 * (kv_tree.c), or in as many sequences' lists as it has users; more than one only when known. Pages
 * start as zeroes, so positions never written hold finite numbers: attention may multiply them by
 * zero. */
#include "kv/kv_int.h"

#include "base/mem.h"

#include <string.h>

err kv_type_of(const char *name, kv_type *out, fail *f) {
    if (!name || !strcmp(name, "f16"))
        *out = OP_KV_F16;
    else if (!strcmp(name, "f32"))
        *out = OP_KV_F32;
    else if (!strcmp(name, "q8"))
        *out = OP_KV_Q8;
    else {
        fail_set(f, E_UNSUPPORTED, "keys and values cannot be kept as \"%s\"", name);
        return fail_hint(f, "choose f16, q8 or f32");
    }
    return E_OK;
}

static size_t part_bytes(const kv_shape *s) {
    return op_page_bytes(s->type, s->heads, s->head_width);
}

size_t kv_page_bytes(const kv_shape *s) {
    return part_bytes(s) * 2 * (size_t)s->layers;
}

int64_t kv_pages_for(int64_t tokens) {
    return (tokens + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
}

/* Checked once, here: later products of these numbers fit. */
static err options_check(const kv_pool_options *o, fail *f) {
    const kv_shape *s = &o->shape;
    bool fine = s->layers > 0 && s->layers <= 4096 && s->heads > 0 && s->heads <= 4096 &&
                s->head_width > 0 && s->head_width <= 4096 && o->tokens_max > 0 &&
                o->tokens_max <= INT32_MAX / 2 && o->sequences_max > 0 && o->sequences_max <= 65536;
    if (!fine)
        return fail_set(f, E_INPUT,
                        "no pages for %lld layers of %lld heads of %lld numbers, %lld sequences of "
                        "%lld tokens",
                        (long long)s->layers, (long long)s->heads, (long long)s->head_width,
                        (long long)o->sequences_max, (long long)o->tokens_max);
    return E_OK;
}

static err pool_allocate(kv_pool *p, fail *f) {
    size_t slots = (size_t)p->o.sequences_max, table;
    if (!mem_size(slots, (size_t)p->pages_max * sizeof(int32_t), &table))
        return fail_memory(f, "the page lists");
    p->free_pages = mem_alloc((size_t)p->pages * sizeof *p->free_pages);
    p->tables = mem_alloc(table);
    p->sequences = mem_zero(slots * sizeof *p->sequences);
    p->nodes = mem_zero((size_t)p->pages * sizeof *p->nodes);
    for (p->bucket_count = 1; p->bucket_count < (size_t)p->pages;) p->bucket_count *= 2;
    p->buckets = mem_alloc(p->bucket_count * sizeof *p->buckets);
    p->memory = mem_pages((size_t)p->pages * p->page_bytes); /* zeroes; touched as it is used */
    if (!p->free_pages || !p->tables || !p->sequences || !p->nodes || !p->buckets || !p->memory) {
        fail_set(f, E_NO_MEMORY, "no %.1f MiB for keys and values (%lld pages of %zu bytes)",
                 (double)p->pages * (double)p->page_bytes / 1048576, (long long)p->pages,
                 p->page_bytes);
        return fail_hint(f, "lower the number of sequences or the context");
    }
    for (int64_t i = 0; i < p->pages; i++) p->free_pages[i] = (int32_t)(p->pages - 1 - i);
    p->free_count = p->pages;
    p->newest = p->oldest = KV_NO_PAGE;
    for (size_t i = 0; i < p->bucket_count; i++) p->buckets[i] = KV_NO_PAGE;
    for (size_t i = 0; i < slots; i++) p->sequences[i].pages = p->tables + i * (size_t)p->pages_max;
    return E_OK;
}

err kv_pool_open(kv_pool **out, const kv_pool_options *o, fail *f) {
    TRY(options_check(o, f));
    size_t bytes = kv_page_bytes(&o->shape), pages = o->bytes_max / bytes;
    if (pages == 0) {
        return fail_set(f, E_NO_MEMORY,
                        "one page of keys and values takes %zu bytes, the budget is %zu: %zu bytes "
                        "are missing",
                        bytes, o->bytes_max, bytes - o->bytes_max);
    }
    kv_pool *p = mem_zero(sizeof *p);
    if (!p) return fail_memory(f, "the page pool");
    p->o = *o;
    p->page_bytes = bytes;
    p->part_bytes = part_bytes(&o->shape);
    p->pages_max = kv_pages_for(o->tokens_max);
    int64_t useful = p->pages_max * o->sequences_max; /* more could never be used */
    p->pages = pages < (size_t)useful ? (int64_t)pages : useful;
    err e = pool_allocate(p, f);
    if (e != E_OK) {
        kv_pool_close(p);
        return e;
    }
    *out = p;
    return E_OK;
}

void kv_pool_close(kv_pool *p) {
    if (!p) return;
    mem_pages_free(p->memory, (size_t)p->pages * p->page_bytes);
    mem_free(p->buckets);
    mem_free(p->nodes);
    mem_free(p->sequences);
    mem_free(p->tables);
    mem_free(p->free_pages);
    mem_free(p);
}

int64_t kv_pool_pages(const kv_pool *p) {
    return p->pages;
}
int64_t kv_pool_pages_free(const kv_pool *p) {
    return p->free_count + p->kept_count;
}
int64_t kv_pool_pages_kept(const kv_pool *p) {
    return p->kept_count;
}
const kv_shape *kv_pool_shape(const kv_pool *p) {
    return &p->o.shape;
}

err kv_sequence_take(kv_pool *p, kv_sequence **out, fail *f) {
    for (int64_t i = 0; i < p->o.sequences_max; i++) {
        if (p->sequences[i].alive) continue;
        p->sequences[i].alive = true;
        p->sequences[i].count = p->sequences[i].known = 0;
        *out = &p->sequences[i];
        return E_OK;
    }
    return fail_set(f, E_BUSY, "all %lld sequences are in use", (long long)p->o.sequences_max);
}

/* The last page first: see the invariant of kv_tree.c. */
void kv_sequence_give(kv_pool *p, kv_sequence *s) {
    if (!s) return;
    while (s->count > 0) kv_page_drop(p, s->pages[--s->count]);
    s->known = 0;
    s->alive = false;
}

static int32_t take_page(kv_pool *p) {
    if (p->free_count == 0) kv_page_evict(p);
    int32_t page = p->free_pages[--p->free_count];
    p->nodes[page].users = 1;
    return page;
}

err kv_sequence_grow(kv_pool *p, kv_sequence *s, int64_t tokens, fail *f) {
    if (tokens > p->o.tokens_max)
        return fail_set(f, E_CONTEXT, "%lld tokens are above the context of %lld",
                        (long long)tokens, (long long)p->o.tokens_max);
    int64_t missing = kv_pages_for(tokens) - s->count, free_pages = kv_pool_pages_free(p);
    if (missing > free_pages)
        return fail_set(f, E_BUSY,
                        "%lld tokens need %lld more pages of keys and values, %lld of %lld are "
                        "free: %.1f MiB are missing",
                        (long long)tokens, (long long)missing, (long long)free_pages,
                        (long long)p->pages,
                        (double)(missing - free_pages) * (double)p->page_bytes / 1048576);
    for (; missing > 0; missing--) s->pages[s->count++] = take_page(p);
    return E_OK;
}

int64_t kv_sequence_room(const kv_sequence *s) {
    return (int64_t)s->count * KV_PAGE_TOKENS;
}

char *kv_page(const kv_pool *p, const kv_sequence *s, int64_t page) {
    CHECK(page >= 0 && page < s->count);
    return p->memory + (size_t)s->pages[page] * p->page_bytes;
}

void *kv_keys(const kv_pool *p, const kv_sequence *s, int64_t page, int64_t layer) {
    return kv_page(p, s, page) + (size_t)(layer * 2) * p->part_bytes;
}

void *kv_values(const kv_pool *p, const kv_sequence *s, int64_t page, int64_t layer) {
    return kv_page(p, s, page) + (size_t)(layer * 2 + 1) * p->part_bytes;
}

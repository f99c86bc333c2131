/* arena.c - chunked bump allocator; see arena.h. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct arena_chunk {
    arena_chunk *next; /* older chunk */
    size_t used, size; /* bytes after this header */
};

enum {
    ARENA_HEADER_BYTES = 64,
    ARENA_CHUNK_BYTES = 64 * 1024,
    /* From here on a chunk is twice what is used so far: glibc keeps freed memory of up to twice
     * the largest block it has seen, so the whole arena is kept for its next life, not given back
     * to the system and taken again page by page. What is not used is never touched. */
    ARENA_LARGE_BYTES = 1 << 20,
    ARENA_CHUNK_BYTES_MAX = 16 << 20
};

void arena_init(arena *a, size_t chunk_bytes) {
    *a = (arena){.chunk_bytes = chunk_bytes ? chunk_bytes : ARENA_CHUNK_BYTES};
}

static void arena_free_from(arena_chunk *c) {
    while (c) {
        arena_chunk *next = c->next;
        mem_free(c);
        c = next;
    }
}

void arena_deinit(arena *a) {
    arena_free_from(a->head);
    a->head = NULL;
    a->bytes_used = 0;
}

void arena_reset(arena *a) {
    a->bytes_used = 0;
    if (!a->head) return;
    arena_chunk *keep = a->head;
    arena_free_from(keep->next);
    keep->next = NULL;
    keep->used = 0;
    if (keep->size > 4 * a->chunk_bytes) { /* one huge request must not pin memory for ever */
        mem_free(keep);
        a->head = NULL;
    }
}

static arena_chunk *arena_grow(arena *a, size_t bytes) {
    size_t size = bytes > a->chunk_bytes ? bytes : a->chunk_bytes;
    size_t twice =
        a->bytes_used < ARENA_CHUNK_BYTES_MAX / 2 ? a->bytes_used * 2 : ARENA_CHUNK_BYTES_MAX;
    if (a->bytes_used >= ARENA_LARGE_BYTES && size < twice) size = twice;
    if (size > SIZE_MAX - ARENA_HEADER_BYTES) return NULL;
    arena_chunk *c = mem_alloc_aligned(size + ARENA_HEADER_BYTES);
    if (!c) return NULL;
    *c = (arena_chunk){.next = a->head, .size = size};
    a->head = c;
    return c;
}

static void *arena_take(arena *a, size_t bytes, size_t align) {
    if (bytes > SIZE_MAX / 2) return NULL;
    if (a->bytes_max && (a->bytes_used > a->bytes_max || bytes > a->bytes_max - a->bytes_used))
        return NULL;
    arena_chunk *c = a->head;
    size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;
    if (!c || at > c->size || bytes > c->size - at) {
        c = arena_grow(a, bytes);
        if (!c) return NULL;
        at = 0;
    }
    char *p = (char *)c + ARENA_HEADER_BYTES + at;
    c->used = at + bytes;
    a->bytes_used += bytes;
    return p;
}

static void *arena_take_zeroed(arena *a, size_t bytes, size_t align) {
    void *p = arena_take(a, bytes, align);
    if (p) memset(p, 0, bytes);
    return p;
}

void *arena_alloc(arena *a, size_t bytes) {
    return arena_take_zeroed(a, bytes ? bytes : 1, 16);
}
void *arena_alloc_aligned(arena *a, size_t bytes) {
    return arena_take_zeroed(a, bytes ? bytes : 1, 64);
}
void *arena_alloc_unset(arena *a, size_t bytes) {
    return arena_take(a, bytes ? bytes : 1, 16);
}

void *arena_array(arena *a, size_t count, size_t size) {
    size_t bytes;
    return mem_size(count, size, &bytes) ? arena_alloc(a, bytes) : NULL;
}

char *arena_z(arena *a, str s) {
    char *p = s.n < SIZE_MAX ? arena_alloc(a, s.n + 1) : NULL;
    if (p && s.n) memcpy(p, s.p, s.n);
    return p;
}

str arena_str(arena *a, str s) {
    char *p = arena_z(a, s);
    return p ? (str){p, s.n} : STR_NONE;
}

str arena_printf(arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p) vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p ? (str){p, (size_t)n} : STR_NONE;
}

/* arena.h - memory that is freed together: process, model, sequence, request, step.
 *
 * A bump allocator over chunks. Owner: one thread at a time. arena_alloc returns NULL when memory
 * is out or bytes_max is reached; callers handle it like mem_alloc's NULL. Results are zeroed and
 * 16-byte aligned (arena_alloc_aligned: 64). reset keeps the first chunk for the next use. */
#ifndef BANTAM_BASE_ARENA_H
#define BANTAM_BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

typedef struct arena_chunk arena_chunk;

typedef struct arena {
    arena_chunk *head;  /* chunk being filled */
    size_t chunk_bytes; /* least size of a new chunk */
    size_t bytes_used;  /* handed out since init/reset */
    size_t bytes_max;   /* 0 = no limit */
} arena;

void arena_init(arena *a, size_t chunk_bytes); /* allocates nothing yet; 0 = 64 KiB */
void arena_deinit(arena *a);
void arena_reset(arena *a);

void *arena_alloc(arena *a, size_t bytes);
void *arena_alloc_aligned(arena *a, size_t bytes);
/* Not zeroed: for what the caller fills at once. */
void *arena_alloc_unset(arena *a, size_t bytes);
/* count*size checked; NULL on overflow */
void *arena_array(arena *a, size_t count, size_t size);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_new_n(a, type, count) ((type *)arena_array((a), (count), sizeof(type)))

/* Copies; .p == NULL only when memory is out. Always zero-terminated behind .n. */
str arena_str(arena *a, str s);
char *arena_z(arena *a, str s); /* the same, as a C string */
str arena_printf(arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

/* mem.h - the only place that calls malloc. Any thread.
 *
 * Every allocation may return NULL and every caller handles it. mem_fail_at() lets the torture test
 * fail the n-th allocation of the process. Sizes that come from outside go through mem_size(). */
#ifndef BANTAM_BASE_MEM_H
#define BANTAM_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t bytes);           /* uninitialised; NULL when there is none */
void *mem_zero(size_t bytes);            /* zeroed */
void *mem_resize(void *p, size_t bytes); /* p may be NULL; on NULL, p is still valid */
void mem_free(void *p);                  /* NULL is fine */
void *mem_alloc_aligned(size_t bytes);   /* 64-byte aligned, for vectors; free with mem_free */

/* Zeroed memory from the system itself, in large pages where it gives them: for what is read as a
 * whole again and again. NULL when there is none. */
void *mem_pages(size_t bytes);
void mem_pages_free(void *p, size_t bytes); /* NULL is fine */

/* *out = count * size, or false when that overflows. */
bool mem_size(size_t count, size_t size, size_t *out);

/* Torture: the n-th allocation from now returns NULL (1 = the next); 0 switches off. `every` makes
 * all following ones fail too. Counted over all threads. */
void mem_fail_at(int64_t n, bool every);
int64_t mem_count(void); /* allocations so far */

#endif

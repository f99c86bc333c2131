/* mem.c - malloc with a fault injector; see mem.h. The counters are atomic, nothing else is shared.
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>

static atomic_llong mem_counter;
static atomic_llong mem_fail_number; /* counter value that fails; 0 = none */
static atomic_bool mem_fail_every;

static bool mem_must_fail(void) {
    long long at = atomic_fetch_add_explicit(&mem_counter, 1, memory_order_relaxed) + 1;
    long long fail_at = atomic_load_explicit(&mem_fail_number, memory_order_relaxed);
    if (!fail_at) return false;
    return at == fail_at || (at > fail_at && atomic_load(&mem_fail_every));
}

void *mem_alloc(size_t bytes) {
    return mem_must_fail() ? NULL : malloc(bytes ? bytes : 1);
}
void *mem_zero(size_t bytes) {
    return mem_must_fail() ? NULL : calloc(1, bytes ? bytes : 1);
}
void *mem_resize(void *p, size_t bytes) {
    return mem_must_fail() ? NULL : realloc(p, bytes ? bytes : 1);
}
void mem_free(void *p) {
    free(p);
}

void *mem_alloc_aligned(size_t bytes) {
    void *p = NULL;
    if (mem_must_fail()) return NULL;
    return posix_memalign(&p, 64, bytes ? bytes : 64) == 0 ? p : NULL;
}

void *mem_pages(size_t bytes) {
    if (mem_must_fail() || bytes == 0) return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}
void mem_pages_free(void *p, size_t bytes) {
    if (p) (void)munmap(p, bytes);
}

bool mem_size(size_t count, size_t size, size_t *out) {
    return !__builtin_mul_overflow(count, size, out);
}

void mem_fail_at(int64_t n, bool every) {
    atomic_store(&mem_fail_every, every);
    atomic_store(&mem_fail_number, n ? atomic_load(&mem_counter) + n : 0);
}
int64_t mem_count(void) {
    return atomic_load(&mem_counter);
}

/* token_heap.h - a binary heap of 64-bit keys, least first, in the caller's array. */
#ifndef BANTAM_TOKEN_TOKEN_HEAP_H
#define BANTAM_TOKEN_TOKEN_HEAP_H

#include <stddef.h>
#include <stdint.h>

static inline void token_heap_put(uint64_t *heap, size_t *n, uint64_t key) {
    size_t i = (*n)++;
    for (; i > 0 && heap[(i - 1) / 2] > key; i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = key;
}

/* Takes the least of *n > 0 keys. */
static inline uint64_t token_heap_take(uint64_t *heap, size_t *n) {
    uint64_t least = heap[0], last = heap[--*n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *n; i = child) {
        if (child + 1 < *n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= last) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return least;
}

#endif

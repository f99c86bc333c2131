/* kv_int.h - what the files of this room share: the pool, and what is known of each page.
 *
 *     FREE -take-> USED by one sequence -publish-> USED and KNOWN, by any number of sequences
 *      ^             |                                   | last user leaves     ^
 *      '--- give ----'          evicted when a page is   v                      | match
 *      '------------------------ wanted and none is free KEPT (known, no user) -'
 */
#ifndef BANTAM_KV_INT_H
#define BANTAM_KV_INT_H

#include "kv/kv.h"

enum { KV_NO_PAGE = -1 };

/* What is known of a page; same index as the page. A known page is a node of the prefix tree: its
 * tokens stand behind those of its parent, or first under its root. */
typedef struct kv_node {
    int32_t users; /* sequences that hold it */
    bool known;
    int32_t parent, next; /* next: in its bucket */
    int32_t newer, older; /* among the kept */
    kv_root root;
    int32_t tokens[KV_PAGE_TOKENS];
} kv_node;

struct kv_sequence {
    int32_t *pages; /* [pages_max] indices into the pool, the first `count` in use */
    int32_t count;
    int32_t known; /* the first of them, known */
    bool alive;
};

struct kv_pool {
    kv_pool_options o;
    size_t page_bytes, part_bytes; /* part: the keys, or the values, of one layer */
    int64_t pages_max;             /* of one sequence */
    int64_t pages, free_count, kept_count;
    int32_t *free_pages;    /* [pages] stack */
    int32_t *tables;        /* [sequences_max, pages_max] */
    kv_sequence *sequences; /* [sequences_max] */
    kv_node *nodes;         /* [pages] */
    int32_t *buckets;       /* [bucket_count] first node of each */
    size_t bucket_count;    /* a power of two */
    int32_t newest, oldest; /* kept */
    char *memory;           /* [pages, page_bytes], in large pages */
};

/* One user less: the page is free, or kept when it is known. */
void kv_page_drop(kv_pool *p, int32_t page);
/* Forgets the kept page that was used longest ago and frees it; there is one. */
void kv_page_evict(kv_pool *p);

#endif

/* kv.h - keys and values of sequences in pages, from one pool with a stated budget of bytes.
 *
 * A page holds KV_PAGE_TOKENS positions of one sequence for all layers:
 *
 *     page: [layers][2: keys, values][op_page_bytes]
 *
 * so what one layer of one page keeps lies together. A sequence has a list of pages and grows by
 * taking free ones. All memory is taken when the pool opens; nothing here allocates later.
 *
 * Prefix tree: a full page may be published under its tokens, behind those of the pages before it.
 * From then on it never changes, any number of sequences share it, and it is kept when the last of
 * them is gone. Kept pages count as free: the one used longest ago is evicted when a sequence needs
 * a page and none is empty.
 *
 * Owner thread: the one that runs the model (the engine's). Not here: who may have how many pages
 * (engine), attention (tensor). */
#ifndef BANTAM_KV_KV_H
#define BANTAM_KV_KV_H

#include "tensor/op_attend.h"

enum { KV_PAGE_TOKENS = OP_PAGE };

typedef op_kv_type kv_type;

/* "f16", "q8" or "f32"; NULL = f16. E_UNSUPPORTED names them. */
err kv_type_of(const char *name, kv_type *out, fail *f) MUST_CHECK;

typedef struct kv_shape {
    int64_t layers, heads, head_width;
    kv_type type;
} kv_shape;

/* Bytes of one page, and pages that hold `tokens` positions. */
size_t kv_page_bytes(const kv_shape *s);
int64_t kv_pages_for(int64_t tokens);

typedef struct kv_pool kv_pool;

typedef struct kv_pool_options {
    kv_shape shape;
    int64_t tokens_max;    /* of one sequence: the model's context */
    int64_t sequences_max; /* alive at once */
    size_t bytes_max;      /* budget of the pages */
} kv_pool_options;

/* E_NO_MEMORY when the budget does not hold one sequence of a single page, or the machine does not
 * give the memory: the text says how many bytes are missing. */
err kv_pool_open(kv_pool **out, const kv_pool_options *o, fail *f) MUST_CHECK;
void kv_pool_close(kv_pool *p); /* NULL is fine */
int64_t kv_pool_pages(const kv_pool *p);
int64_t kv_pool_pages_free(const kv_pool *p); /* empty or kept */
int64_t kv_pool_pages_kept(const kv_pool *p); /* known by their tokens, of no sequence */
const kv_shape *kv_pool_shape(const kv_pool *p);

typedef struct kv_sequence kv_sequence;

/* An empty sequence; E_BUSY when sequences_max are alive. */
err kv_sequence_take(kv_pool *p, kv_sequence **out, fail *f) MUST_CHECK;
void kv_sequence_give(kv_pool *p, kv_sequence *s); /* its pages too; NULL is fine */
/* Pages for positions [0, tokens), kept ones evicted for it. E_CONTEXT above tokens_max, E_BUSY
 * when too few pages are free (none is taken then); both say the numbers. */
err kv_sequence_grow(kv_pool *p, kv_sequence *s, int64_t tokens, fail *f) MUST_CHECK;
int64_t kv_sequence_room(const kv_sequence *s); /* positions that its pages hold */

/* Prefixes are shared under one root: keys and values depend on the adapter, and a scope keeps
 * tenants apart. */
typedef struct kv_root {
    uint64_t scope, adapter;
} kv_root;
/* Gives the empty sequence s the known pages of the longest prefix of tokens [n], whole pages only;
 * returns the positions they hold. */
int64_t kv_sequence_match(kv_pool *p, kv_sequence *s, const kv_root *root, const int32_t *tokens,
                          int64_t n);
/* The whole pages of s among positions [0, n) are final and hold these tokens [n]: known from now
 * on. Where another sequence published the same first, s goes on with that page. */
void kv_sequence_publish(kv_pool *p, kv_sequence *s, const kv_root *root, const int32_t *tokens,
                         int64_t n);

/* Keys or values of one page and layer, as op_keep lays them out; page = position /
 * KV_PAGE_TOKENS, below kv_sequence_room / KV_PAGE_TOKENS. */
void *kv_keys(const kv_pool *p, const kv_sequence *s, int64_t page, int64_t layer);
void *kv_values(const kv_pool *p, const kv_sequence *s, int64_t page, int64_t layer);
/* A page whole: kv_page_bytes. */
char *kv_page(const kv_pool *p, const kv_sequence *s, int64_t page);

#endif

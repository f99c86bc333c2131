/* kv_tree.c - the prefix tree: which page holds which tokens behind which others; see kv.h.
 *
 * A node is a page, found by hash of (parent, its tokens), so a walk costs one look-up a page and
 * nothing is allocated. Only whole pages are nodes and nobody writes to a known page, hence there
 * is nothing to copy when two sequences part.
 *
 * Invariant: among the kept (known, no user) a page is never newer than its parent, because a
 * sequence that holds a page holds all before it and lets go of the last one first. So the oldest
 * has no children, and evicting it leaves no orphan. */
#include "base/str.h"
#include "kv/kv_int.h"

#include <string.h>

static size_t bucket_of(const kv_pool *p, const kv_root *root, int32_t parent,
                        const int32_t *tokens) {
    uint64_t key[3 + KV_PAGE_TOKENS / 2] = {(uint64_t)root->scope, (uint64_t)root->adapter,
                                            (uint64_t)(int64_t)parent};
    memcpy(key + 3, tokens, KV_PAGE_TOKENS * sizeof *tokens);
    return (size_t)str_hash((str){(const char *)key, sizeof key}) & (p->bucket_count - 1);
}

static bool is_node(const kv_node *n, const kv_root *root, int32_t parent, const int32_t *tokens) {
    return n->parent == parent && n->root.scope == root->scope &&
           n->root.adapter == root->adapter &&
           !memcmp(n->tokens, tokens, KV_PAGE_TOKENS * sizeof *tokens);
}

static int32_t find_node(const kv_pool *p, const kv_root *root, int32_t parent,
                         const int32_t *tokens) {
    int32_t at = p->buckets[bucket_of(p, root, parent, tokens)];
    while (at != KV_NO_PAGE && !is_node(&p->nodes[at], root, parent, tokens))
        at = p->nodes[at].next;
    return at;
}

static void add_node(kv_pool *p, int32_t page, const kv_root *root, int32_t parent,
                     const int32_t *tokens) {
    kv_node *n = &p->nodes[page];
    int32_t *bucket = &p->buckets[bucket_of(p, root, parent, tokens)];
    n->known = true;
    n->parent = parent;
    n->root = *root;
    memcpy(n->tokens, tokens, sizeof n->tokens);
    n->next = *bucket;
    *bucket = page;
}

static void remove_node(kv_pool *p, int32_t page) {
    kv_node *n = &p->nodes[page];
    int32_t *at = &p->buckets[bucket_of(p, &n->root, n->parent, n->tokens)];
    while (*at != page) at = &p->nodes[*at].next;
    *at = n->next;
    n->known = false;
}

/* ---- the kept, by age ---- */

static void keep_page(kv_pool *p, int32_t page) {
    kv_node *n = &p->nodes[page];
    n->newer = KV_NO_PAGE;
    n->older = p->newest;
    if (p->newest != KV_NO_PAGE) p->nodes[p->newest].newer = page;
    p->newest = page;
    if (p->oldest == KV_NO_PAGE) p->oldest = page;
    p->kept_count++;
}

static void unkeep(kv_pool *p, int32_t page) {
    const kv_node *n = &p->nodes[page];
    if (n->newer == KV_NO_PAGE)
        p->newest = n->older;
    else
        p->nodes[n->newer].older = n->older;
    if (n->older == KV_NO_PAGE)
        p->oldest = n->newer;
    else
        p->nodes[n->older].newer = n->newer;
    p->kept_count--;
}

void kv_page_drop(kv_pool *p, int32_t page) {
    if (--p->nodes[page].users > 0) return;
    if (p->nodes[page].known)
        keep_page(p, page);
    else
        p->free_pages[p->free_count++] = page;
}

void kv_page_evict(kv_pool *p) {
    int32_t page = p->oldest;
    CHECK(page != KV_NO_PAGE);
    unkeep(p, page);
    remove_node(p, page);
    p->free_pages[p->free_count++] = page;
}

/* ---- sequences ---- */

static void use_page(kv_pool *p, int32_t page) {
    if (p->nodes[page].users++ == 0) unkeep(p, page);
}

int64_t kv_sequence_match(kv_pool *p, kv_sequence *s, const kv_root *root, const int32_t *tokens,
                          int64_t n) {
    CHECK(s->count == 0);
    int32_t parent = KV_NO_PAGE;
    for (int64_t at = 0; n - at >= KV_PAGE_TOKENS; at += KV_PAGE_TOKENS) {
        int32_t page = find_node(p, root, parent, tokens + at);
        if (page == KV_NO_PAGE) break;
        use_page(p, page);
        s->pages[s->count++] = parent = page;
    }
    s->known = s->count;
    return (int64_t)s->count * KV_PAGE_TOKENS;
}

void kv_sequence_publish(kv_pool *p, kv_sequence *s, const kv_root *root, const int32_t *tokens,
                         int64_t n) {
    CHECK(n <= (int64_t)s->count * KV_PAGE_TOKENS);
    for (; (int64_t)(s->known + 1) * KV_PAGE_TOKENS <= n; s->known++) {
        const int32_t *own = tokens + (int64_t)s->known * KV_PAGE_TOKENS;
        int32_t parent = s->known ? s->pages[s->known - 1] : KV_NO_PAGE;
        int32_t page = s->pages[s->known], same = find_node(p, root, parent, own);
        if (same == KV_NO_PAGE) {
            add_node(p, page, root, parent, own);
        } else { /* another computed the same at the same time: its page serves both */
            use_page(p, same);
            s->pages[s->known] = same;
            kv_page_drop(p, page);
        }
    }
}

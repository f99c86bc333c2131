/* gguf_make.h - builds GGUF files in memory for tests. */
#ifndef BANTAM_TEST_GGUF_MAKE_H
#define BANTAM_TEST_GGUF_MAKE_H

#include "base/buf.h"

#include <string.h>

enum { MAKE_U32 = 4, MAKE_F32 = 6, MAKE_BOOL = 7, MAKE_STR = 8, MAKE_ARRAY = 9, MAKE_I64 = 11 };

static inline void make_u32(buf *b, uint32_t v) {
    buf_put_bytes(b, &v, sizeof v);
}
static inline void make_u64(buf *b, uint64_t v) {
    buf_put_bytes(b, &v, sizeof v);
}
static inline void make_str(buf *b, const char *z) {
    make_u64(b, strlen(z));
    buf_put_z(b, z);
}
static inline void make_head(buf *b, uint32_t version, uint64_t tensors, uint64_t keys) {
    buf_put(b, STR("GGUF"));
    make_u32(b, version);
    make_u64(b, tensors);
    make_u64(b, keys);
}
static inline void make_key(buf *b, const char *key, uint32_t type) {
    make_str(b, key);
    make_u32(b, type);
}
/* one two-dimensional tensor of `rows` rows of `cols` numbers */
static inline void make_tensor(buf *b, const char *name, uint64_t rows, uint64_t cols,
                               uint32_t type, uint64_t offset) {
    make_str(b, name);
    make_u32(b, 2);
    make_u64(b, cols);
    make_u64(b, rows);
    make_u32(b, type);
    make_u64(b, offset);
}
static inline void make_pad(buf *b, size_t align, size_t more) {
    while (b->n % align) buf_put_char(b, 0);
    for (size_t i = 0; i < more; i++) buf_put_char(b, (char)(i % 7));
}
/* A sound file with every kind of value and two tensors: F32 [2, 4] and Q4_1 [1, 32]. */
static inline void make_sound(buf *b) {
    make_head(b, 3, 2, 7);
    make_key(b, "general.architecture", MAKE_STR);
    make_str(b, "test");
    make_key(b, "count", MAKE_U32);
    make_u32(b, 42);
    make_key(b, "ratio", MAKE_F32);
    buf_put_bytes(b, &(float){0.5f}, 4);
    make_key(b, "yes", MAKE_BOOL);
    buf_put_char(b, 1);
    make_key(b, "low", MAKE_I64);
    make_u64(b, (uint64_t)-7);
    make_key(b, "words", MAKE_ARRAY);
    make_u32(b, MAKE_STR);
    make_u64(b, 3);
    make_str(b, "a");
    make_str(b, "");
    make_str(b, "ccc");
    make_key(b, "numbers", MAKE_ARRAY);
    make_u32(b, MAKE_U32);
    make_u64(b, 2);
    make_u32(b, 1);
    make_u32(b, 2);
    make_tensor(b, "w", 2, 4, 0, 0);
    make_tensor(b, "q", 1, 32, 3, 32);
    make_pad(b, 32, 32 + 20);
}

#endif

/* rand.h - reproducible numbers from (seed, counter), and bytes of the system for secrets.
 *
 * rand_at is a pure function: the random number of a token depends on seed and position only, never
 * on the batch it ran in. */
#ifndef BANTAM_BASE_RAND_H
#define BANTAM_BASE_RAND_H

#include "base/err.h"
#include "base/str.h"

uint64_t rand_at(uint64_t seed, uint64_t counter);    /* 64 uniform bits */
double rand_unit_at(uint64_t seed, uint64_t counter); /* [0, 1), 53 bits */

typedef struct rand_stream {
    uint64_t seed, counter;
} rand_stream;
uint64_t rand_next(rand_stream *r);
double rand_next_unit(rand_stream *r);
int64_t rand_next_below(rand_stream *r, int64_t n); /* [0, n), n >= 1 */

void rand_secret(void *out, size_t n); /* from the kernel; aborts if it has none */
/* n characters of 23456789abcdefghjkmnpqrstuvwxyz (no look-alikes; 4.95 bits each) and a zero byte
 */
void rand_id(char *out, size_t n);
/* The same from bytes asked for ahead: one call of the kernel serves several ids. One thread. */
typedef struct rand_pool {
    unsigned char bytes[256];
    size_t left; /* 0 at first */
} rand_pool;
void rand_pool_id(rand_pool *r, char *out, size_t n);

#endif

/* rand.c - SplitMix64 over (seed, counter) (Steele, Lea, Flood 2014); see rand.h. */
#include "base/rand.h"

#include <sys/random.h>

static uint64_t rand_mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t rand_at(uint64_t seed, uint64_t counter) {
    uint64_t base = rand_mix(seed + 0x9e3779b97f4a7c15u);
    return rand_mix(base + (counter + 1) * 0x9e3779b97f4a7c15u);
}
double rand_unit_at(uint64_t seed, uint64_t counter) {
    return (double)(rand_at(seed, counter) >> 11) * 0x1p-53;
}

uint64_t rand_next(rand_stream *r) {
    return rand_at(r->seed, r->counter++);
}
double rand_next_unit(rand_stream *r) {
    return rand_unit_at(r->seed, r->counter++);
}
int64_t rand_next_below(rand_stream *r, int64_t n) {
    return (int64_t)(rand_next_unit(r) * (double)n);
}

void rand_secret(void *out, size_t n) {
    char *p = out;
    while (n) {
        ssize_t got = getrandom(p, n > 256 ? 256 : n, 0);
        CHECK(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

void rand_pool_id(rand_pool *r, char *out, size_t n) {
    static const char letters[] = "23456789abcdefghjkmnpqrstuvwxyz";
    size_t done = 0;
    while (done < n) {
        if (r->left == 0) {
            rand_secret(r->bytes, sizeof r->bytes);
            r->left = sizeof r->bytes;
        }
        unsigned char byte = r->bytes[--r->left];
        if (byte < 31 * 8) out[done++] = letters[byte % 31];
    }
    out[n] = 0;
}

void rand_id(char *out, size_t n) {
    rand_pool r = {.left = 0};
    rand_pool_id(&r, out, n);
}

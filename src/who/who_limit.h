/* who_limit.h - requests and tokens a minute, as buckets that fill while time passes. Pure: the
 * caller brings the time and the lock. */
#ifndef BANTAM_WHO_WHO_LIMIT_H
#define BANTAM_WHO_WHO_LIMIT_H

#include "base/err.h"
#include "who/who.h"

typedef struct who_bucket {
    int64_t key; /* its id */
    int64_t rpm, tpm;
    double requests, tokens; /* left; tokens may be below 0 */
    int64_t at_ms;           /* when they were that */
    int64_t used_ms;         /* last request */
    int64_t noted_ms;        /* and as the database knows it */
} who_bucket;

/* New limits; what is left is kept, a fresh bucket is full. */
void who_bucket_set(who_bucket *b, int64_t rpm, int64_t tpm, int64_t now_ms);
/* E_LIMIT when a minute's share is used up; nothing is taken then. */
err who_bucket_take(who_bucket *b, int64_t now_ms, who_quota *out, fail *f) MUST_CHECK;
void who_bucket_spend(who_bucket *b, int64_t tokens, int64_t now_ms);

#endif

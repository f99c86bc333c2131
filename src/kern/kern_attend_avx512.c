/* kern_attend_avx512.c - attention in 16 lanes; see kern_attend_body.h. 8 queries x 2 vectors of
 * positions and 4 x 4 vectors of values: 16 sums in flight, which hides the latency of two
 * multiply-adds a cycle, and under one load for each. Against kern_attend_ref: 1e-5 of the largest
 * value. */
#if defined(__x86_64__)
enum { SCORE_QUERIES = 8, VALUE_QUERIES = 4, VALUE_VECS = 4 };
#include "kern/kern_attend_body.h"

const kern_attend_table kern_attend_avx512 = ATTEND_TABLE;
#endif

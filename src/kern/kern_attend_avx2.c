/* kern_attend_avx2.c - attention in 8 lanes; see kern_attend_body.h. 3 queries x 4 vectors: 12 sums
 * of the 16 registers. Against kern_attend_ref: 1e-5 of the largest value. */
#if defined(__x86_64__)
enum { SCORE_QUERIES = 3, VALUE_QUERIES = 3, VALUE_VECS = 4 };
#include "kern/kern_attend_body.h"

const kern_attend_table kern_attend_avx2 = ATTEND_TABLE;
#endif

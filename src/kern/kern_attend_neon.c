/* kern_attend_neon.c - attention in 4 lanes; see kern_attend_body.h. 3 queries x 8 vectors of
 * positions: 24 of the 32 registers are sums. Against kern_attend_ref: 1e-5 of the largest value.
 */
#if defined(__aarch64__)
enum { SCORE_QUERIES = 3, VALUE_QUERIES = 3, VALUE_VECS = 4 };
#include "kern/kern_attend_body.h"

const kern_attend_table kern_attend_neon = ATTEND_TABLE;
#endif

/* near.h - the name that was probably meant: candidates are shown one by one, the nearest is kept.
 *
 *     near n = near_to(wanted);
 *     for (...) near_try(&n, name);
 *     if (n.best.p) ... did you mean n.best?
 *
 * Distance: single characters inserted, deleted, replaced, or two neighbours swapped; at most one
 * and a quarter of the wanted name's length counts as near. Names above NEAR_BYTES_MAX are near to
 * nothing. The first of equals wins. No memory of its own: candidates must outlive the struct. */
#ifndef BANTAM_BASE_NEAR_H
#define BANTAM_BASE_NEAR_H

#include "base/str.h"

enum { NEAR_BYTES_MAX = 48 };

typedef struct near {
    str wanted;
    str best; /* .p NULL: none is near */
    size_t distance;
} near;

near near_to(str wanted);
void near_try(near *n, str name);

#endif

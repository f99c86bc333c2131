/* fit_taught_int.h - how a head asks what was taught since it was fitted. */
#ifndef BANTAM_FIT_TAUGHT_INT_H
#define BANTAM_FIT_TAUGHT_INT_H

#include "fit/fit_taught.h"

/* packed: fit_pack of the question's embedding. Overrides the head's answer where fit_taught.h's
 * rule says so; leaves it untouched elsewhere. */
void fit_taught_judge(fit_taught *t, const fit_head *h, const int16_t *packed, fit_answer *answer);

#endif

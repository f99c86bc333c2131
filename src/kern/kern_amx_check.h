/* kern_amx_check.h - whether AMX's kernels may be used. Any thread. */
#ifndef BANTAM_KERN_KERN_AMX_CHECK_H
#define BANTAM_KERN_KERN_AMX_CHECK_H

#include "kern/kern_product.h"

#include <stdbool.h>

/* The processor has tiles of bytes, the system grants them to this process (asked once: memory for
 * them is then kept for every thread), and kern_products_agree(&kern_amx_products). False anywhere
 * but on x86-64 with Linux. AVX-512 is the caller's to check. A disagreement is one line of the log
 * at the level debug. */
bool kern_amx_runs(void);

/* The products of p have the reference's bits, in every quantised layout, on one small product of
 * more than KERN_FEW tokens. Takes some milliseconds. */
bool kern_products_agree(const kern_products *p);

#endif

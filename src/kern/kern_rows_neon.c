/* kern_rows_neon.c - the row kernels with NEON; see kern_rows_body.h. */
#if defined(__aarch64__)
#include "kern/kern_rows_body.h"

const kern_rows_table kern_rows_neon = ROWS_TABLE;
#endif

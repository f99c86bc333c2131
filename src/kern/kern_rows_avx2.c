/* kern_rows_avx2.c - the row kernels with AVX2; see kern_rows_body.h. */
#if defined(__x86_64__)
#include "kern/kern_rows_body.h"

const kern_rows_table kern_rows_avx2 = ROWS_TABLE;
#endif

/* kern_rows_avx512.c - the row kernels with AVX-512; see kern_rows_body.h. */
#if defined(__x86_64__)
#include "kern/kern_rows_body.h"

const kern_rows_table kern_rows_avx512 = ROWS_TABLE;
#endif

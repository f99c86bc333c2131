/* kern_unroll.h - UNROLL before a loop with a constant number of rounds (at most 16): tiles live in
 * registers only when no loop over them is left. Each compiler has its own word. */
#ifndef BANTAM_KERN_KERN_UNROLL_H
#define BANTAM_KERN_KERN_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif

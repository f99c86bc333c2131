/* kern_unroll.h - UNROLL before a loop with a constant number of rounds (at most 16): tiles live in
 * registers only when no loop over them is left. Each compiler has its own word. Under a sanitizer,
 * whose checks would be unrolled too, it is nothing: such a build is for finding faults. */
#ifndef BANTAM_KERN_KERN_UNROLL_H
#define BANTAM_KERN_KERN_UNROLL_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KERN_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KERN_SANITIZED
#endif

#if defined(KERN_SANITIZED)
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif

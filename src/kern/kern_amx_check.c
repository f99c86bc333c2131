/* kern_amx_check.c - AMX's kernels were never run on a processor that has AMX, so nobody need trust
 * them: before they are chosen, they must give the reference's bits here. See kern_amx_check.h. */
#include "kern/kern_amx_check.h"

#include "base/log.h"
#include "base/rand.h"

#include <stdatomic.h>
#include <string.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* ---- one small product ---- */

enum { TOKENS = 17, COLS = 256, STRIPS = 2, LAST_ROWS = 5, STRIP_BYTES = 8704, INPUT_BYTES = 8192 };
enum { ROWS = KERN_ROWS + LAST_ROWS, SCRATCH_BYTES = COLS / KERN_BLOCK * 4096 };

typedef struct sample {
    _Alignas(64) uint8_t strips[STRIPS * STRIP_BYTES];
    _Alignas(64) uint8_t input[INPUT_BYTES];
    _Alignas(64) uint8_t scratch[SCRATCH_BYTES];
    float x[TOKENS * COLS], y[2][TOKENS * ROWS];
} sample;

static void multiply(const kern_products *p, const kern_weight *w, sample *s, float *y) {
    kern_input in;
    kern_input_place(&in, s->x, TOKENS, COLS, s->input);
    for (int64_t t = 0; t < in.tiles; t++) p->quantise_tile(&in, t);
    p->gemm[w->layout](w, &in, (kern_part){0, STRIPS, 0, in.tiles}, y, ROWS, s->scratch);
}

bool kern_products_agree(const kern_products *p) {
    sample s;
    rand_stream random = {.seed = 5};
    CHECK(kern_input_bytes(TOKENS, COLS) <= INPUT_BYTES &&
          kern_scratch_bytes(COLS) <= SCRATCH_BYTES);
    for (int i = 0; i < TOKENS * COLS; i++) s.x[i] = (float)(rand_next_unit(&random) * 2 - 1);
    /* any bytes are codes; without bit 6 they are finite numbers below two as scales, too */
    for (size_t i = 0; i < sizeof s.strips; i++) s.strips[i] = (uint8_t)(rand_next(&random) & 0xbf);
    for (int l = KERN_Q8_0; l < KERN_LAYOUTS; l++) {
        kern_weight w = {.layout = (kern_layout)l,
                         .rows = ROWS,
                         .cols = COLS,
                         .strip_bytes = kern_strip_bytes((kern_layout)l, COLS),
                         .strips = s.strips};
        CHECK(w.strip_bytes <= STRIP_BYTES);
        multiply(&kern_ref_products, &w, &s, s.y[0]);
        multiply(p, &w, &s, s.y[1]);
        if (memcmp(s.y[0], s.y[1], sizeof s.y[0])) return false;
    }
    return true;
}

/* ---- the processor and the system ---- */

#if defined(__x86_64__) && defined(__linux__)

static bool has_tiles_of_bytes(void) {
    const unsigned tiles = 1u << 24, of_bytes = 1u << 25; /* leaf 7, edx */
    const unsigned saved = 3u << 17;                      /* XCR0: tiles' shapes and contents */
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & tiles) || !(d & of_bytes)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & saved) == saved;
}

/* Linux gives a process the tiles' contents, 8 KiB a thread, when it asks. */
static bool tiles_are_granted(void) {
    enum { REQUEST = 0x1023 /* ARCH_REQ_XCOMP_PERM */, CONTENTS = 18 };
    return syscall(SYS_arch_prctl, REQUEST, CONTENTS) == 0;
}

static bool look(void) {
    if (!has_tiles_of_bytes()) return false;
    if (!tiles_are_granted()) {
        log_debug("kern", "the system does not grant AMX; AVX-512 is used");
        return false;
    }
    if (!kern_products_agree(&kern_amx_products)) {
        log_debug("kern", "AMX's products differ from the reference's here; AVX-512 is used");
        return false;
    }
    return true;
}

bool kern_amx_runs(void) {
    enum { UNKNOWN, NO, YES };
    static atomic_int known = UNKNOWN; /* two threads may both look: they see the same */
    int answer = atomic_load(&known);
    if (answer == UNKNOWN) {
        answer = look() ? YES : NO;
        atomic_store(&known, answer);
    }
    return answer == YES;
}

#else

bool kern_amx_runs(void) {
    return false;
}

#endif

/* base64.h - RFC 4648, both alphabets. Any thread; results live in the arena given.
 *
 * Decoding is strict: no white space, no foreign characters, and the unused bits at the end are
 * zero, so that each byte string has exactly one form. Padding is required in the standard alphabet
 * and may be left out in the URL one. */
#ifndef BANTAM_TEXT_BASE64_H
#define BANTAM_TEXT_BASE64_H

#include "base/arena.h"
#include "base/err.h"

typedef enum base64_kind {
    BASE64_STANDARD, /* + and /, padded */
    BASE64_URL       /* - and _, written without padding */
} base64_kind;

err base64_encode(arena *a, base64_kind kind, str bytes, str *out, fail *f) MUST_CHECK;
err base64_decode(arena *a, base64_kind kind, str text, str *out, fail *f) MUST_CHECK;

#endif

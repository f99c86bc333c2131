/* otel_context.c - see otel_context.h. */
#include "otel/otel_context.h"

#include "text/hash.h"

#include <stdio.h>
#include <string.h>

enum { PARENT_CHARS = OTEL_PARENT_BYTES - 1, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

static uint64_t number_of(const unsigned char *bytes, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | bytes[i];
    return v;
}

static bool is_lower_hex(str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return true;
}

/* Reads n bytes at `at` of the header, and the dash that must stand before them. */
static bool read_field(str header, size_t at, unsigned char *out, size_t n) {
    str digits = str_slice(header, at, at + 2 * n);
    if (at && header.p[at - 1] != '-') return false;
    return is_lower_hex(digits) && hash_unhex(digits, out, n);
}

bool otel_parent_read(str header, otel_context *out) {
    unsigned char version, trace[16], parent[8], flags;
    if (header.n < PARENT_CHARS) return false;
    if (!read_field(header, 0, &version, 1) || version == 0xff) return false;
    /* a later version may say more behind another dash; of the first this is all there is */
    if (header.n > PARENT_CHARS && (version == 0 || header.p[PARENT_CHARS] != '-')) return false;
    if (!read_field(header, TRACE_AT, trace, sizeof trace) ||
        !read_field(header, SPAN_AT, parent, sizeof parent) ||
        !read_field(header, FLAGS_AT, &flags, 1))
        return false;
    if (!(number_of(trace, 8) | number_of(trace + 8, 8)) || !number_of(parent, 8)) return false;
    memcpy(out->trace, trace, sizeof trace);
    out->parent = number_of(parent, 8);
    out->flags = flags & OTEL_SAMPLED;
    return true;
}

/* Printable ASCII alone goes on; a list that is too long is left out, as the specification lets us.
 */
static bool state_fits(str s) {
    if (s.n > OTEL_STATE_BYTES_MAX) return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~') return false;
    return true;
}

void otel_context_of(str request_id, str parent, str state, otel_context *out) {
    unsigned char hash[HASH_SHA256_BYTES];
    hash_sha256(request_id, hash);
    *out = (otel_context){.span = number_of(hash + 16, 8) | 1, .state = STR("")}; /* never 0 */
    memcpy(out->trace, hash, sizeof out->trace);
    if (!parent.p || !otel_parent_read(parent, out)) return;
    if (state.p && state_fits(state)) out->state = state;
}

void otel_trace_text(const otel_context *c, char out[OTEL_TRACE_BYTES]) {
    hash_hex(c->trace, sizeof c->trace, out);
}

void otel_parent_text(const otel_context *c, uint64_t span, char out[OTEL_PARENT_BYTES]) {
    char trace[OTEL_TRACE_BYTES];
    otel_trace_text(c, trace);
    snprintf(out, OTEL_PARENT_BYTES, "00-%s-%016llx-%02x", trace, (unsigned long long)span,
             c->flags & OTEL_SAMPLED);
}

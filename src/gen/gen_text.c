/* gen_text.c - see gen_text.h. */
#include "gen/gen_text.h"

size_t gen_text_find(str text, str needle, bool *whole) {
    size_t at = str_find(text, needle);
    *whole = at != STR_INDEX_NONE;
    if (*whole) return at;
    for (at = text.n > needle.n ? text.n - needle.n : 0; at < text.n; at++)
        if (str_starts(needle, str_slice(text, at, text.n))) break;
    return at;
}

bool gen_text_is_space(char b) {
    return b == ' ' || b == '\n' || b == '\t' || b == '\r';
}

size_t gen_text_space_before(str text) {
    size_t n = 0;
    while (n < text.n && gen_text_is_space(text.p[n])) n++;
    return n;
}

size_t gen_text_space_behind(str text, size_t n) {
    size_t end = n;
    while (end > 0 && gen_text_is_space(text.p[end - 1])) end--;
    return n - end;
}

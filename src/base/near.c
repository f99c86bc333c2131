/* near.c - see near.h. The distance is Damerau's with adjacent swaps, in three rows of its table.
 */
#include "base/near.h"

#include <string.h>

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t distance(str a, str b) {
    size_t rows[3][NEAR_BYTES_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t k = 0; k <= b.n; k++) above[k] = k;
    for (size_t i = 0; i < a.n; i++) {
        row[0] = i + 1;
        for (size_t k = 0; k < b.n; k++) {
            size_t d = above[k] + (a.p[i] != b.p[k]);
            d = least(d, least(above[k + 1], row[k]) + 1);
            bool swapped = i && k && a.p[i] == b.p[k - 1] && a.p[i - 1] == b.p[k];
            row[k + 1] = swapped ? least(d, before[k - 1] + 1) : d;
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.n];
}

near near_to(str wanted) {
    return (near){.wanted = wanted, .distance = 2 + wanted.n / 4};
}

void near_try(near *n, str name) {
    if (!n->wanted.n || n->wanted.n > NEAR_BYTES_MAX || name.n > NEAR_BYTES_MAX) return;
    size_t d = distance(n->wanted, name);
    if (d >= n->distance || d >= n->wanted.n) return; /* all of it replaced is another name */
    n->distance = d;
    n->best = name;
}

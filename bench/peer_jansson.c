/* peer_jansson.c - see peer_jansson.h. */
#include "peer_jansson.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t peer_jansson(str text, bool render) {
    json_error_t error;
    json_t *v = json_loadb(text.p, text.n, 0, &error);
    size_t n = v ? 1 : 0;
    if (!v)
        fprintf(stderr, "jansson: line %d, column %d: %s\n", error.line, error.column, error.text);
    if (v && render) {
        char *out = json_dumps(v, JSON_COMPACT);
        n = out ? strlen(out) : 0;
        free(out);
    }
    json_decref(v);
    return n;
}

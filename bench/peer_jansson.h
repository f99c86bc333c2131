/* peer_jansson.h - jansson for bench_json.c, alone in its file: its names and ours clash. */
#ifndef BANTAM_BENCH_PEER_JANSSON_H
#define BANTAM_BENCH_PEER_JANSSON_H

#include "base/str.h"

/* Parses, renders where asked, frees; bytes rendered (1 without), 0 when it refuses. */
size_t peer_jansson(str text, bool render);

#endif

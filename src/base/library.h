/* library.h - a shared library that is loaded when something first needs it.
 *
 * What only some commands need (libcurl to fetch, libarchive to unpack) brings dozens of further
 * libraries with it: linked, each start would map and relocate them all. Its functions stand in a
 * structure of pointers, whose room has macros of the functions' own names over it. Loaded once,
 * for good; any thread. */
#ifndef BANTAM_BASE_LIBRARY_H
#define BANTAM_BASE_LIBRARY_H

#include "base/err.h"

#include <stdatomic.h>
#include <stddef.h>

typedef struct library {
    const char *file, *package; /* "libcurl.so.4", and the package that holds it */
    const char *const *names;   /* [n] of the functions */
    void *pointers;             /* [n] where they go, in the same order */
    size_t n;
    atomic_bool loaded;
} library;

/* E_UNDONE where it is not there or lacks a function; the hint names the package. */
err library_load(library *l, fail *f) MUST_CHECK;

/* A structure of pointers, and its names, from a list X(function) of declared functions. */
#define LIBRARY_POINTER(function) __typeof__(function) *function;
#define LIBRARY_NAME(function) #function,

#endif

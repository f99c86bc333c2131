/* archive_library.c - see archive_library.h. */
#include "text/archive_library.h"

archive_functions archive_library;

err archive_library_load(fail *f) {
    static const char *const names[] = {ARCHIVE_FUNCTIONS(LIBRARY_NAME)};
    static library archive = {.file = "libarchive.so.13",
                              .package = "libarchive13",
                              .names = names,
                              .pointers = &archive_library,
                              .n = sizeof names / sizeof *names};
    return library_load(&archive, f);
}

/* archive_library.h - libarchive's functions under their own names, in a library that is loaded
 * when a wheel or a backup is first read or written (library.h). Included instead of archive.h;
 * archive_library_load comes first. */
#ifndef BANTAM_TEXT_ARCHIVE_LIBRARY_H
#define BANTAM_TEXT_ARCHIVE_LIBRARY_H

#include "base/library.h"

#include <archive.h>
#include <archive_entry.h>

#define ARCHIVE_FUNCTIONS(X)            \
    X(archive_entry_filetype)           \
    X(archive_entry_free)               \
    X(archive_entry_hardlink)           \
    X(archive_entry_new)                \
    X(archive_entry_pathname)           \
    X(archive_entry_set_filetype)       \
    X(archive_entry_set_mtime)          \
    X(archive_entry_set_pathname)       \
    X(archive_entry_set_perm)           \
    X(archive_entry_set_size)           \
    X(archive_errno)                    \
    X(archive_error_string)             \
    X(archive_read_data)                \
    X(archive_read_free)                \
    X(archive_read_new)                 \
    X(archive_read_next_header)         \
    X(archive_read_open_filename)       \
    X(archive_read_support_filter_zstd) \
    X(archive_read_support_format_tar)  \
    X(archive_read_support_format_zip)  \
    X(archive_write_add_filter_zstd)    \
    X(archive_write_close)              \
    X(archive_write_data)               \
    X(archive_write_free)               \
    X(archive_write_header)             \
    X(archive_write_new)                \
    X(archive_write_open_fd)            \
    X(archive_write_set_format_pax_restricted)

typedef struct archive_functions {
    ARCHIVE_FUNCTIONS(LIBRARY_POINTER)
} archive_functions;
extern archive_functions archive_library;
/* Any thread; E_UNDONE where it is not installed. */
err archive_library_load(fail *f) MUST_CHECK;

#define archive_entry_filetype archive_library.archive_entry_filetype
#define archive_entry_free archive_library.archive_entry_free
#define archive_entry_hardlink archive_library.archive_entry_hardlink
#define archive_entry_new archive_library.archive_entry_new
#define archive_entry_pathname archive_library.archive_entry_pathname
#define archive_entry_set_filetype archive_library.archive_entry_set_filetype
#define archive_entry_set_mtime archive_library.archive_entry_set_mtime
#define archive_entry_set_pathname archive_library.archive_entry_set_pathname
#define archive_entry_set_perm archive_library.archive_entry_set_perm
#define archive_entry_set_size archive_library.archive_entry_set_size
#define archive_errno archive_library.archive_errno
#define archive_error_string archive_library.archive_error_string
#define archive_read_data archive_library.archive_read_data
#define archive_read_free archive_library.archive_read_free
#define archive_read_new archive_library.archive_read_new
#define archive_read_next_header archive_library.archive_read_next_header
#define archive_read_open_filename archive_library.archive_read_open_filename
#define archive_read_support_filter_zstd archive_library.archive_read_support_filter_zstd
#define archive_read_support_format_tar archive_library.archive_read_support_format_tar
#define archive_read_support_format_zip archive_library.archive_read_support_format_zip
#define archive_write_add_filter_zstd archive_library.archive_write_add_filter_zstd
#define archive_write_close archive_library.archive_write_close
#define archive_write_data archive_library.archive_write_data
#define archive_write_free archive_library.archive_write_free
#define archive_write_header archive_library.archive_write_header
#define archive_write_new archive_library.archive_write_new
#define archive_write_open_fd archive_library.archive_write_open_fd
#define archive_write_set_format_pax_restricted \
    archive_library.archive_write_set_format_pax_restricted

#endif

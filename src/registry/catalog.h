/* catalog.h - the text file of models that can be pulled by name; its form stands in
 * models.catalog. Any thread; results live in the arena and borrow from the text. */
#ifndef BANTAM_REGISTRY_CATALOG_H
#define BANTAM_REGISTRY_CATALOG_H

#include "registry/registry.h"

enum {
    CATALOG_LINE_BYTES_MAX = 4096,
    CATALOG_ENTRIES_MAX = 1000,
    CATALOG_FILES_MAX = 64,
    CATALOG_PARTS_MAX = 64,
    CATALOG_NAME_BYTES_MAX = 64
};

typedef struct catalog_file {
    str member;    /* path inside the package, or a file's name */
    str name;      /* last part of it: what it is stored as */
    int64_t bytes; /* -1 = not known */
    str sha256;    /* 64 hex digits, lower case; empty = not known */
} catalog_file;

/* A piece of the entry's one file; the pieces, joined in order, are that file. */
typedef struct catalog_part {
    str source; /* pypi:, hf: or a URL, as an entry's */
    catalog_file
        file; /* the member that holds the piece; of hf: and a URL the whole of what comes */
} catalog_part;

typedef struct catalog_entry {
    str name, tag, licence, terms, notice, purpose, source;
    registry_kind kind;
    bool untried;            /* named for its users' sake: nobody here has fetched it */
    int64_t bytes_about;     /* size where no file line says it; -1 = not known */
    int64_t parameters;      /* all of them; -1 = not known */
    int64_t parameters_work; /* those that a token is multiplied with: without embedding rows */
    catalog_file files[CATALOG_FILES_MAX];
    size_t files_n;
    catalog_part parts[CATALOG_PARTS_MAX];
    size_t parts_n;
} catalog_entry;

typedef struct catalog {
    catalog_entry **entries; /* [entries_n] */
    size_t entries_n, entries_cap;
} catalog;

str catalog_builtin(void);
/* Adds the entries of text; one of the same name is replaced. E_INPUT with file and line. */
err catalog_read(catalog *c, arena *a, str text, const char *file, fail *f) MUST_CHECK;
const catalog_entry *catalog_find(const catalog *c, str name); /* without tag; NULL when absent */
int64_t catalog_bytes(const catalog_entry *e); /* of its files, or about; -1 = not known */
bool catalog_name_ok(str name);                /* may stand as a name or tag, and as a folder */

#endif

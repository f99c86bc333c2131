/* stamp.c - see stamp.h. No state. */
#include "app/stamp.h"

#include "base/buf.h"
#include "base/file.h"
#include "text/hash.h"

static err add_file(buf *lines, const char *path, str name, fail *f) {
    file_map m;
    if (file_is_dir(path)) return E_OK;
    TRY(file_map_open(&m, path, f));
    buf_printf(lines, "%.*s %zu %lld\n", STR_ARG(name), m.n, (long long)m.mtime_ns);
    file_map_close(&m);
    return E_OK;
}

static err add_folder(arena *a, buf *lines, const char *path, fail *f) {
    char file[FILE_PATH_BYTES];
    str *names;
    size_t n;
    TRY(file_list(a, path, &names, &n, f));
    for (size_t i = 0; i < n; i++) {
        TRY(file_join(file, path, names[i].p, f));
        TRY(add_file(lines, file, names[i], f));
    }
    return E_OK;
}

err stamp_path(arena *a, const char *path, char out[STAMP_BYTES], fail *f) {
    buf lines = {0};
    err e = file_is_dir(path) ? add_folder(a, &lines, path, f)
                              : add_file(&lines, path, str_from(path), f);
    if (e == E_OK) e = buf_ok(&lines, f);
    if (e == E_OK) hash_sha256_hex(buf_str(&lines), out);
    buf_deinit(&lines);
    return e;
}

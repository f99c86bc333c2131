/* model_export_job.c - what the parts of exporting ask of the file and put into the folder. */
#include "model/model_export_int.h"

#include <stdio.h>

err export_int(const export_job *j, const char *suffix, int64_t fallback, int64_t *out, fail *f) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s", j->family->gguf, suffix);
    TRY(gguf_get_int(j->in, key, fallback, out, f));
    return *out >= 0 ? E_OK : fail_set(f, E_CORRUPT, "\"%s\" does not say \"%s\"", j->file, key);
}

err export_real(const export_job *j, const char *suffix, double fallback, double *out, fail *f) {
    char key[128];
    snprintf(key, sizeof key, "%s.%s", j->family->gguf, suffix);
    return gguf_get_float(j->in, key, fallback, out, f);
}

bool export_has(const export_job *j, const char *tensor_name) {
    const tensor *t;
    return gguf_tensor(j->in, str_from(tensor_name), &t, NULL) != E_NOT_FOUND;
}

err export_put(const export_job *j, const char *name, const buf *text, fail *f) {
    char path[FILE_PATH_BYTES];
    TRY(buf_ok(text, f));
    TRY(file_join(path, j->folder, name, f));
    return file_write(path, buf_str(text), 0644, f);
}

/* model_export_int.h - what the files of exporting share. */
#ifndef BANTAM_MODEL_EXPORT_INT_H
#define BANTAM_MODEL_EXPORT_INT_H

#include "model/model.h"
#include "model/model_convert_int.h"
#include "model/model_export.h"

typedef struct export_job {
    const model_export_options *o;
    const convert_family *family;
    const char *file;
    char folder[FILE_PATH_BYTES]; /* under its temporary name */
    char whole[FILE_PATH_BYTES];  /* the name that it gets */
    arena arena;
    file_map map;
    gguf *in;
    model *vocabulary; /* the file's tokenizer */
    safetensors_writer *out;
    model_export_report *report;
    int64_t heads, kv_heads;
} export_job;

/* "ARCH.suffix" of the file. */
err export_int(const export_job *j, const char *suffix, int64_t fallback, int64_t *out,
               fail *f) MUST_CHECK;
err export_real(const export_job *j, const char *suffix, double fallback, double *out,
                fail *f) MUST_CHECK;
bool export_has(const export_job *j, const char *tensor_name);
err export_put(const export_job *j, const char *name, const buf *text, fail *f) MUST_CHECK;
err export_config(export_job *j, fail *f) MUST_CHECK;
err export_tokenizer(export_job *j, fail *f) MUST_CHECK;

#endif

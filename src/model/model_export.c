/* model_export.c - see model_export.h: checks, weights, and the order of the work. */
#include "model/model_export.h"

#include "model/model_export_int.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- what can be said ---- */

static err refuse(const export_job *j, const char *what, fail *f) {
    fail_set(f, E_UNSUPPORTED, "\"%s\": we cannot write %s as a folder", j->file, what);
    return fail_hint(f, "llama, smollm3, granite, qwen2, qwen3, olmo2 and gemma3 can be; take the "
                        "published folder otherwise");
}

static err choose(export_job *j, fail *f) {
    str arch;
    char shown[TENSOR_PRINT_BYTES], what[TENSOR_PRINT_BYTES + 24];
    TRY(gguf_get_str(j->in, "general.architecture", STR(""), &arch, f));
    j->family = convert_family_of(arch);
    bool simple = j->family && j->family->names == CONVERT_DECODER && strcmp(j->family->hf, "phi3");
    snprintf(what, sizeof what, "the architecture \"%s\"", tensor_print_name(arch, shown));
    if (!simple) return refuse(j, what, f);
    if (export_has(j, "rope_freqs.weight")) return refuse(j, "factors of rotation (Llama 3)", f);
    if (export_has(j, "blk.0.ffn_gate_inp.weight")) return refuse(j, "experts", f);
    TRY(export_int(j, "attention.head_count", -1, &j->heads, f));
    TRY(export_int(j, "attention.head_count_kv", j->heads, &j->kv_heads, f));
    return j->heads > 0 && j->kv_heads > 0
               ? E_OK
               : fail_set(f, E_CORRUPT, "\"%s\" says that there are no heads", j->file);
}

/* ---- weights ---- */

typedef struct piece_plan {
    const tensor *source;
    tensor column; /* a turned bias as a matrix of one column */
    model_piece piece;
} piece_plan;

static err turn_back(const export_job *j, piece_plan *p, fail *f) {
    const tensor *t = p->source;
    bool q = str_find(t->name, STR(".attn_q.")) != STR_INDEX_NONE,
         k = str_find(t->name, STR(".attn_k.")) != STR_INDEX_NONE;
    int64_t heads = q ? j->heads : j->kv_heads, rows = t->dims[0];
    if (!j->family->turn || !(q || k)) return E_OK;
    if (rows % (2 * heads))
        return fail_set(f, E_CORRUPT, "\"%s\": \"%.*s\" has %lld rows for %lld heads", j->file,
                        STR_ARG(t->name), (long long)rows, (long long)heads);
    p->piece.change.turn_heads = heads;
    p->piece.change.turn_back = true;
    if (t->n_dims > 1) return E_OK;
    p->column = *t;
    p->column.n_dims = 2;
    p->column.dims[1] = 1;
    p->source = &p->column;
    return E_OK;
}

static err plan_piece(export_job *j, size_t index, piece_plan *p, fail *f) {
    char name[TENSOR_NAME_BYTES_MAX], shown[TENSOR_PRINT_BYTES];
    const char *type;
    tensor t;
    int64_t layer;
    TRY(gguf_tensor_at(j->in, index, &t, &type, f));
    TRY(gguf_tensor(j->in, t.name, &p->source, f));
    if (!convert_published_name(j->family, t.name, name, &layer))
        return fail_set(f, E_UNSUPPORTED, "\"%s\": we do not know what \"%s\" is", j->file,
                        tensor_print_name(t.name, shown));
    p->piece = (model_piece){.n_sources = 1, .type = t.n_dims > 1 ? j->o->type : DTYPE_F32};
    if (j->family->norm_plus_1 && str_find(t.name, STR("norm")) != STR_INDEX_NONE)
        p->piece.change.add = -1;
    TRY(safetensors_writer_tensor(j->out, str_from(name), p->piece.type, t.n_dims, t.dims, f));
    TRY(turn_back(j, p, f));
    p->piece.sources = &p->source;
    return E_OK;
}

static err write_weights(export_job *j, fail *f) {
    size_t n = gguf_tensor_count(j->in);
    uint64_t done = 0, total = 0;
    model_sink sink;
    piece_plan *plans = arena_new_n(&j->arena, piece_plan, n + 1);
    if (!plans) return fail_memory(f, j->file);
    TRY(safetensors_writer_open(&j->out, j->folder, 0, f));
    for (size_t i = 0; i < n; i++) {
        TRY(plan_piece(j, i, &plans[i], f));
        total += plans[i].source->bytes;
    }
    TRY(safetensors_writer_begin(j->out, f));
    sink = model_sink_safetensors(j->out);
    for (size_t i = 0; i < n; i++)
        TRY(model_write_piece(&sink, j->o->team, &plans[i].piece, &j->o->watch, &done, total, f));
    j->report->tensors = (int64_t)n;
    return safetensors_writer_commit(j->out, f);
}

/* ---- the call ---- */

/* The folder's name without slashes at its end, and the one that it has until it is whole. */
static err name_folders(export_job *j, const char *folder, fail *f) {
    str name = str_from(folder);
    while (name.n > 1 && name.p[name.n - 1] == '/') name.n--;
    if (!name.n) return fail_set(f, E_INPUT, "the folder to write has no name");
    int a = snprintf(j->whole, sizeof j->whole, "%.*s", STR_ARG(name)),
        b = snprintf(j->folder, sizeof j->folder, "%.*s.tmp-%d", STR_ARG(name), (int)getpid());
    if (a >= (int)sizeof j->whole || b >= (int)sizeof j->folder)
        return fail_set(f, E_TOO_LARGE, "the path \"%.60s...\" is too long", folder);
    if (!file_exists(j->whole)) return E_OK;
    fail_set(f, E_EXISTS, "\"%s\" is already there", j->whole);
    return fail_hint(f, "give the new folder another name");
}

static err run(export_job *j, fail *f) {
    TRY(file_map_open(&j->map, j->file, f));
    TRY(gguf_open(&j->in, (str){(const char *)j->map.p, j->map.n}, j->file, f));
    TRY(gguf_check_whole(j->in, f));
    TRY(choose(j, f));
    TRY(model_open(&j->vocabulary, j->file, &(model_options){.vocabulary_only = true}, f));
    TRY(file_make_dirs(j->folder, f));
    TRY(export_config(j, f));
    TRY(export_tokenizer(j, f));
    return write_weights(j, f);
}

err model_export(const char *file, const char *folder, const model_export_options *o,
                 model_export_report *report, fail *f) {
    model_export_report r = {0};
    export_job j = {.o = o, .file = file, .report = &r};
    fail ignored;
    TRY(name_folders(&j, folder, f));
    arena_init(&j.arena, 1 << 20);
    err e = run(&j, f);
    safetensors_writer_close(j.out);
    if (e == E_OK) e = file_rename(j.folder, j.whole, f);
    if (e != E_OK && file_remove_tree(j.folder, &ignored) != E_OK)
        e = f ? f->code : e; /* the first failure is the one that is told */
    if (e == E_OK) {
        r.bytes_in = (int64_t)j.map.n;
        snprintf(r.architecture, sizeof r.architecture, "%s", j.family->hf);
        *report = r;
    }
    model_close(j.vocabulary);
    gguf_close(j.in);
    file_map_close(&j.map);
    arena_deinit(&j.arena);
    return e;
}

/* api_batch_erase.c - see api_batch_erase.h. Input files are read first, so that what they say of
 * custom_ids is known when the files that were made of them are cut. */
#include "api/api_batch_erase.h"

#include "api/api_int.h"
#include "api/api_keep.h"
#include "base/map.h"

#define ERASED                                                                            \
    "{\"error\":{\"message\":\"this line was erased on behalf of the person whom it was " \
    "about\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"erased\"}}"
enum { ERASED_STATUS = 410 };

typedef struct erasing {
    str subject;
    arena *a;     /* of the caller: what is found */
    arena line;   /* of one line */
    map requests; /* ids */
    map customs;  /* "INPUT\nCUSTOM_ID" */
    str *uncut;   /* refs, as api_batch_erased has them */
    str input;    /* ref of the input that the file at hand is, or was made of; "" unknown */
    bool is_input;
    bool doubtful; /* a line that is no JSON holds the name */
    err error;
} erasing;

static str custom_key(arena *a, str input, str custom) {
    return arena_printf(a, "%.*s\n%.*s", STR_ARG(input), STR_ARG(custom));
}

static void put(erasing *x, map *m, str key) {
    fail ignored;
    str copy = key.p ? arena_str(x->a, key) : key;
    if (!copy.p || map_put(m, copy, 1, &ignored) != E_OK) x->error = E_NO_MEMORY;
}

static bool has(const map *m, str key) {
    return key.n && map_find(m, key);
}

static bool line_goes(void *ctx, str line) {
    erasing *x = ctx;
    const json *v;
    fail bad = {0};
    arena_reset(&x->line);
    if (!line.n) return false;
    err e = json_parse(&x->line, line, &v, &bad);
    if (e == E_NO_MEMORY) x->error = e;
    if (e != E_OK) {
        x->doubtful |= str_find(line, x->subject) != STR_INDEX_NONE;
        return false;
    }
    str key = custom_key(&x->line, x->input, api_text_of(v, "custom_id"));
    if (!x->is_input)
        return has(&x->requests, api_text_of(json_get(v, "response"), "request_id")) ||
               has(&x->customs, key);
    if (!str_eq(api_subject_of(json_get(v, "body")), x->subject)) return false;
    put(x, &x->customs, key);
    return true;
}

/* Names a file that holds the subject and stays as it is. */
static bool line_names(void *ctx, str line) {
    erasing *x = ctx;
    x->doubtful |= str_find(line, x->subject) != STR_INDEX_NONE;
    return false;
}

static err cut(erasing *x, store_tx *tx, const keep_file *file, api_batch_erased *out, fail *f) {
    static const char *const purposes[] = {"batch_output", "batch"};
    bool lines = str_is(file->purpose, purposes[x->is_input]);
    int64_t gone = 0;
    x->doubtful = false;
    x->input = file->ref;
    if (lines && !x->is_input) TRY(keep_file_of_batch(tx, file->ref, x->a, &x->input, f));
    err e = keep_file_cut(tx, file, lines ? line_goes : line_names, x, &gone, f);
    if (e == E_TOO_LARGE) x->doubtful = true; /* lines of such a size are no batch's */
    if (e != E_OK && e != E_TOO_LARGE) return e;
    if (x->error != E_OK) return fail_memory(f, "what is erased");
    out->file_lines += gone;
    if (x->doubtful) x->uncut[out->n_uncut++] = file->ref;
    return E_OK;
}

/* Inputs first; with the others what is of no batch is looked through as well. */
static err cut_all(erasing *x, store_tx *tx, api_batch_erased *out, fail *f) {
    keep_file *all;
    size_t n;
    TRY(keep_file_all(tx, x->a, &all, &n, f));
    out->uncut = x->uncut = arena_new_n(x->a, str, n + 1);
    if (!x->uncut) return fail_memory(f, "what is erased");
    for (int turn = 0; turn < 2; turn++) {
        x->is_input = turn == 0;
        for (size_t i = 0; i < n; i++)
            if (str_is(all[i].purpose, "batch") == x->is_input) TRY(cut(x, tx, &all[i], out, f));
    }
    return E_OK;
}

static err erase_all(erasing *x, store_tx *tx, api_batch_erased *out, fail *f) {
    const keep_job end = {.answer = STR(ERASED), .status = ERASED_STATUS};
    keep_line *lines;
    size_t n;
    TRY(keep_erase_lines(tx, x->subject, &end, x->a, &lines, &n, f));
    out->lines = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        put(x, &x->customs, custom_key(x->a, lines[i].input, lines[i].custom));
        if (lines[i].request.n) put(x, &x->requests, lines[i].request);
    }
    return cut_all(x, tx, out, f);
}

err api_batch_erase(store_tx *tx, str subject, const str *requests, size_t n, arena *a,
                    api_batch_erased *out, fail *f) {
    erasing x = {.subject = subject, .a = a};
    *out = (api_batch_erased){0};
    arena_init(&x.line, 0);
    map_init(&x.requests, NULL);
    map_init(&x.customs, NULL);
    for (size_t i = 0; i < n; i++) put(&x, &x.requests, requests[i]);
    err e = erase_all(&x, tx, out, f);
    map_deinit(&x.customs);
    map_deinit(&x.requests);
    arena_deinit(&x.line);
    return e;
}

/* api_file.c - files: POST /v1/files (a form), list, get, content, delete.
 *
 * An upload is read whole under the server's limit for this path, and is there after one commit, or
 * not at all. What is read is sent in chunks. */
#include "api/api_keep.h"
#include "api/api_routes.h"

#include "base/clock.h"
#include "net/http_form.h"

static const char *const purposes[] = {"assistants", "batch",     "fine-tune",
                                       "vision",     "user_data", "evals"};

static void put_file(json_writer *w, const keep_file *x) {
    json_begin_object(w);
    json_field_str(w, "id", x->ref);
    json_field_z(w, "object", "file");
    json_field_int(w, "bytes", x->bytes);
    api_put_seconds(w, "created_at", x->created_ms);
    api_put_seconds(w, "expires_at", x->expires_ms);
    json_field_str(w, "filename", x->name);
    json_field_str(w, "purpose", x->purpose);
    json_field_z(w, "status", "processed");
    json_field_text(w, "status_details", STR_NONE);
    json_end_object(w);
}

/* ---- adding ---- */

static err check_names(api_call *c, const http_part *parts, size_t n, fail *f) {
    static const char *const known[] = {"file", "purpose", "expires_after[anchor]",
                                        "expires_after[seconds]"};
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= str_is(parts[i].name, known[k]);
        for (size_t k = 0; k < i; k++) found &= !str_eq(parts[i].name, parts[k].name);
        if (found) continue;
        const char *name = api_place(c, "%.*s", STR_ARG(str_slice(parts[i].name, 0, 64)));
        return api_refuse(c, f, name, "the form's field \"%s\" is not known here, or stands twice",
                          name);
    }
    return E_OK;
}

static err read_purpose(api_call *c, const http_part *part, str *out, fail *f) {
    for (size_t i = 0; part && i < sizeof purposes / sizeof *purposes; i++)
        if (str_is(part->body, purposes[i])) {
            *out = part->body;
            return E_OK;
        }
    return api_refuse(c, f, "purpose",
                      "purpose must be assistants, batch, fine-tune, vision, user_data or evals");
}

static err read_expiry(api_call *c, const http_part *parts, size_t n, int64_t *ms, fail *f) {
    const http_part *anchor = http_form_get(parts, n, "expires_after[anchor]");
    const http_part *seconds = http_form_get(parts, n, "expires_after[seconds]");
    int64_t s;
    *ms = 0;
    if (!anchor && !seconds) return E_OK;
    if (!anchor || !str_is(anchor->body, "created_at"))
        return api_refuse(c, f, "expires_after[anchor]", "expires_after[anchor] is created_at");
    if (!seconds || !str_to_int(seconds->body, &s) || s < 3600 || s > 2592000)
        return api_refuse(c, f, "expires_after[seconds]",
                          "expires_after[seconds] is a whole number from 3600 to 2592000");
    *ms = clock_now_ms() + s * 1000;
    return E_OK;
}

static bool is_name(str s) {
    if (!s.n || s.n > KEEP_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ') return false;
    return true;
}

static err read_form(api_call *c, keep_file *file, str *content, fail *f) {
    http_part *parts;
    size_t n;
    str type = http_header_get(c->rq, "content-type");
    c->param = "body";
    TRY(http_form_read(c->a, type, c->rq->body, &parts, &n, f));
    c->param = NULL;
    TRY(check_names(c, parts, n, f));
    const http_part *part = http_form_get(parts, n, "file");
    if (!part || !part->filename.p)
        return api_refuse(c, f, "file", "the form needs a field \"file\" with a file");
    TRY(read_purpose(c, http_form_get(parts, n, "purpose"), &file->purpose, f));
    TRY(read_expiry(c, parts, n, &file->expires_ms, f));
    file->name = str_after_last(part->filename, '/');
    *content = part->body;
    if (content->n > KEEP_FILE_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "the file has %zu bytes, above the limit of %d", content->n,
                        KEEP_FILE_BYTES_MAX);
    if (!is_name(file->name))
        return api_refuse(c, f, "file", "the file's name must have 1 to %d bytes, none of control",
                          KEEP_NAME_BYTES_MAX);
    return E_OK;
}

static err write_in(api_call *c, store_tx *tx, keep_file *file, str content, fail *f) {
    keep_writer w;
    err e = keep_file_begin(&w, tx, file, f);
    if (e == E_OK) e = keep_file_put(&w, content, f);
    if (e == E_OK) e = keep_file_end(&w, f);
    keep_file_drop(&w);
    if (e == E_OK) put_file(&c->w, file);
    return e;
}

err api_file_add(api_call *c, fail *f) {
    char ref[KEEP_REF_BYTES];
    keep_file file = {.tenant = api_owner(c).tenant};
    str content;
    store_tx *tx;
    if (!http_is_form(http_header_get(c->rq, "content-type")))
        return api_refuse(c, f, "file", "a file comes as multipart/form-data");
    TRY(read_form(c, &file, &content, f));
    keep_ref("file-", ref);
    file.ref = str_from(ref);
    TRY(store_begin(c->api->o.store, STORE_WRITE, &tx, f));
    return api_keep_commit(c, tx, write_in(c, tx, &file, content, f), f);
}

/* ---- asking ---- */

err api_file_list(api_call *c, fail *f) {
    keep_page page;
    keep_file *files;
    size_t n;
    bool more;
    TRY(api_read_page(c, KEEP_FILES_MAX, KEEP_FILES_MAX, &page, f));
    TRY(keep_file_list(c->api->o.store, &page, api_query(c, "purpose"), c->a, &files, &n, &more,
                       f));
    api_put_list_begin(c);
    for (size_t i = 0; i < n; i++) put_file(&c->w, &files[i]);
    api_put_list_end(c, n ? files[0].ref : STR(""), n ? files[n - 1].ref : STR(""), more);
    return E_OK;
}

static err find(api_call *c, keep_file *out, fail *f) {
    return keep_file_get(c->api->o.store, api_owner(c).tenant, c->arg, c->a, out, f);
}

err api_file_get(api_call *c, fail *f) {
    keep_file file;
    TRY(find(c, &file, f));
    put_file(&c->w, &file);
    return E_OK;
}

/* All of it, or an error: one that is deleted meanwhile has no next piece. */
static err send_chunks(api_call *c, const keep_file *file, fail *f) {
    arena mem;
    err e = E_OK;
    int64_t left = file->bytes;
    arena_init(&mem, KEEP_CHUNK_BYTES + 64);
    for (int64_t ord = 0; e == E_OK && left > 0; ord++) {
        str piece;
        arena_reset(&mem);
        e = keep_file_chunk(c->api->o.store, file->id, ord, &mem, &piece, f);
        if (e == E_OK && !piece.n)
            e = fail_set(f, E_NOT_FOUND, "the file was deleted while it was sent");
        if (e == E_OK) e = http_stream_put(c->rp, piece, f);
        left -= (int64_t)piece.n;
    }
    arena_deinit(&mem);
    return e;
}

/* Never shown by a browser as a page of ours. */
err api_file_content(api_call *c, fail *f) {
    keep_file file;
    TRY(find(c, &file, f));
    http_reply_header(c->rp, "Content-Disposition", STR("attachment"));
    TRY(http_stream_begin(c->rp, 200, "application/octet-stream", f));
    c->done = true;
    err e = send_chunks(c, &file, f);
    if (e != E_OK) return E_OK; /* the connection is cut, so that nobody takes it for whole */
    return http_stream_end(c->rp, f);
}

err api_file_delete(api_call *c, fail *f) {
    TRY(keep_file_delete(c->api->o.store, api_owner(c).tenant, c->arg, f));
    api_put_deleted(c, "file", c->arg);
    return E_OK;
}

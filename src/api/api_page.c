/* api_page.c - the page, for those who accept HTML: three files from console/, made part of the
 * program by src/api/room.mk. The page may load nothing from elsewhere and run nothing that stands
 * in its text. GET /openapi.json is such a file, too: openapi.json beside this one. */
#include "api/api_routes.h"

#include "api_files.h"

static const struct {
    const char *path, *type;
    const unsigned char *bytes;
    const size_t *n;
} files[] = {
    {"/", "text/html; charset=utf-8", api_file_index_html, &api_file_index_html_bytes},
    {"/index.html", "text/html; charset=utf-8", api_file_index_html, &api_file_index_html_bytes},
    {"/app.css", "text/css; charset=utf-8", api_file_app_css, &api_file_app_css_bytes},
    {"/app.js", "text/javascript; charset=utf-8", api_file_app_js, &api_file_app_js_bytes},
};

/* Ollama's clients look for these words at the root. */
static err greet(api_call *c, fail *f) {
    c->done = true;
    return http_send(c->rp, 200, "text/plain; charset=utf-8", STR("Ollama is running"), f);
}

err api_page(api_call *c, fail *f) {
    str wanted = http_header_get(c->rq, "accept");
    http_reply_header(c->rp, "Vary", STR("Accept"));
    if (str_is(c->rq->path, "/") && str_find(wanted, STR("text/html")) == STR_INDEX_NONE)
        return greet(c, f);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!str_is(c->rq->path, files[i].path)) continue;
        http_reply_header(c->rp, "Content-Security-Policy",
                          STR("default-src 'self'; base-uri 'none'; form-action 'none'; "
                              "frame-ancestors 'none'"));
        http_reply_header(c->rp, "Referrer-Policy", STR("no-referrer"));
        c->done = true;
        return http_send(c->rp, 200, files[i].type,
                         (str){(const char *)files[i].bytes, *files[i].n}, f);
    }
    return fail_set(f, E_INTERNAL, "a page that is routed to has no file");
}

err api_description(api_call *c, fail *f) {
    c->done = true;
    return http_send(c->rp, 200, "application/json",
                     (str){(const char *)api_file_openapi_json, api_file_openapi_json_bytes}, f);
}

/* Browsers ask for one by themselves, and log an error where there is nothing. */
err api_no_icon(api_call *c, fail *f) {
    c->done = true;
    return http_send(c->rp, 204, NULL, STR(""), f);
}

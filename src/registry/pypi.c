/* pypi.c - see pypi.h. Places are asked in order; a pinned version ends the search at the first
 * place that has it. */
#include "registry/pypi.h"

#include "base/file.h"
#include "base/log.h"
#include "net/http_client.h"
#include "net/url.h"
#include "registry/simple_index.h"

#include <string.h>

enum { PAGE_BYTES_MAX = 64 << 20 };

static const char accept_types[] =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1";

/* --- ways --- */

const char *pypi_local_path(arena *a, str place) {
    str path = place;
    if (url_has_scheme(place, "file")) {
        path = str_slice(place, 5, place.n);
        if (str_starts(path, STR("//"))) path = str_slice(path, 2, path.n);
        if (str_starts(path, STR("localhost/"))) path = str_slice(path, 9, path.n);
        if (url_decode(a, path, false, &path, NULL) != E_OK) return NULL;
    } else if (str_find(place, STR("://")) != STR_INDEX_NONE) {
        return NULL;
    }
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    return arena_z(a, path);
}

static const char *env_get(const pypi_options *o, const char *name) {
    const char *value = o->env ? o->env(o->env_ctx, name) : NULL;
    return value && *value ? value : NULL;
}

static const char *env_either(const pypi_options *o, const char *name, const char *other) {
    const char *value = env_get(o, name);
    return value ? value : env_get(o, other);
}

/* Host[:port] of a URL. */
static str url_authority(str url) {
    size_t at = str_find(url, STR("://"));
    if (at == STR_INDEX_NONE) return STR("");
    str rest = str_slice(url, at + 3, url.n);
    size_t end = 0;
    while (end < rest.n && !strchr("/?#", rest.p[end])) end++;
    rest = str_slice(rest, 0, end);
    for (size_t i = rest.n; i > 0; i--)
        if (rest.p[i - 1] == '@') return str_slice(rest, i, rest.n);
    return rest;
}

static bool is_trusted(const pip_config *pip, str url) {
    str authority = url_authority(url), host = authority;
    host = str_slice(host, 0, str_find_char(host, ':'));
    for (size_t i = 0; i < pip->trusted_host.n; i++) {
        str trusted = pip->trusted_host.items[i];
        if (str_eq_nocase(trusted, authority) || str_eq_nocase(trusted, host)) return true;
    }
    return false;
}

err pypi_route(arena *a, const pypi_options *o, str url, fetch_route *out, fail *f) {
    bool https = url_has_scheme(url, "https");
    fetch_route route = {.no_proxy = env_either(o, "no_proxy", "NO_PROXY"),
                         .insecure_tls = is_trusted(o->pip, url)};
    /* HTTP_PROXY in capitals is what a CGI request's "Proxy:" header becomes: not read */
    route.proxy = https ? env_either(o, "https_proxy", "HTTPS_PROXY") : env_get(o, "http_proxy");
    if (!route.proxy) route.proxy = env_either(o, "all_proxy", "ALL_PROXY");
    if (o->pip->proxy.n) route.proxy = arena_z(a, o->pip->proxy);
    if (o->pip->proxy.n && !route.proxy) return fail_memory(f, "a proxy's address");
    route.ca_file = o->pip->cert.n ? arena_z(a, o->pip->cert) : NULL;
    if (o->pip->cert.n && !route.ca_file) return fail_memory(f, "a path");
    if (!route.ca_file) route.ca_file = env_either(o, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE");
    *out = route;
    return E_OK;
}

/* --- places --- */

typedef struct search {
    arena *arena;
    const pypi_options *o;
    str package, version;
    simple_page page;
    buf places; /* for the error */
    fail *f;
} search;

static err add_folder(search *s, const char *dir) {
    str *names, version, escaped;
    size_t n;
    TRY(file_list(s->arena, dir, &names, &n, s->f));
    for (size_t i = 0; i < n; i++) {
        if (!simple_wheel_version(s->arena, names[i], s->package, &version)) continue;
        str path = arena_printf(s->arena, "%s/%s", dir, names[i].p);
        if (!path.p) return fail_memory(s->f, "a path");
        TRY(url_encode(s->arena, path, "/", &escaped, s->f));
        simple_file file = {.filename = names[i], .sha256 = STR(""), .bytes = -1};
        file.url = arena_printf(s->arena, "file://%.*s", STR_ARG(escaped));
        if (!file.url.p) return fail_memory(s->f, "a path");
        TRY(simple_page_add(&s->page, s->arena, &file, s->f));
    }
    return E_OK;
}

static err add_local(search *s, const char *path) {
    char index[FILE_PATH_BYTES];
    str text, escaped, base;
    if (file_is_dir(path)) {
        TRY(file_join(index, path, "index.html", s->f));
        if (!file_exists(index)) return add_folder(s, path);
        path = index;
    }
    TRY(file_read(s->arena, path, PAGE_BYTES_MAX, &text, s->f));
    TRY(url_encode(s->arena, str_from(path), "/", &escaped, s->f));
    base = arena_printf(s->arena, "file://%.*s", STR_ARG(escaped));
    if (!base.p) return fail_memory(s->f, "a path");
    return simple_page_read(&s->page, s->arena, base, text, s->f);
}

static err add_remote(search *s, str url) {
    http_field accept = {"Accept", str_from(accept_types)};
    http_call call = {.url = arena_z(s->arena, url), .fields = &accept, .fields_n = 1};
    http_retry retry = {0};
    http_answer answer;
    fetch_route route;
    if (!call.url) return fail_memory(s->f, "a URL");
    TRY(pypi_route(s->arena, s->o, url, &route, s->f));
    call.body_bytes_max = PAGE_BYTES_MAX;
    call.proxy = route.proxy;
    call.no_proxy = route.no_proxy;
    call.ca_file = route.ca_file;
    call.insecure_tls = route.insecure_tls;
    TRY(http_ask_retry(s->arena, &call, &retry, &answer, s->f));
    TRY(http_status_err(&call, &answer, s->f));
    return simple_page_read(&s->page, s->arena, answer.url, answer.body, s->f);
}

static err add_place(search *s, str place) {
    buf_printf(&s->places, "%s%.*s", s->places.n ? ", " : "", STR_ARG(url_public(s->arena, place)));
    if (url_has_scheme(place, "http") || url_has_scheme(place, "https"))
        return add_remote(s, place);
    const char *path = pypi_local_path(s->arena, place);
    if (!path) return fail_set(s->f, E_INPUT, "pip's configuration names a place of unknown kind");
    return add_local(s, path);
}

/* The package's page of an index. */
static err add_index(search *s, str index) {
    while (index.n && index.p[index.n - 1] == '/') index.n--;
    str url = arena_printf(s->arena, "%.*s/%.*s/", STR_ARG(index), STR_ARG(s->package));
    return url.p ? add_place(s, url) : fail_memory(s->f, "a URL");
}

static const simple_file *search_pick(search *s) {
    return simple_pick(s->arena, &s->page, s->package, s->version);
}

/* All places; what one of them lacks or refuses is remembered, not the end. */
static err search_all(search *s) {
    const pip_config *pip = s->o->pip;
    str places[2 * PIP_LIST_MAX + 2];
    size_t n = 0, links;
    if (s->o->from_dir) places[n++] = str_from(s->o->from_dir);
    for (size_t i = 0; i < pip->find_links.n; i++) places[n++] = pip->find_links.items[i];
    links = n;
    if (!pip->no_index) {
        places[n++] = pip->index_url;
        for (size_t i = 0; i < pip->extra_index_url.n; i++)
            places[n++] = pip->extra_index_url.items[i];
    }
    fail first = {0};
    for (size_t i = 0; i < n; i++) {
        err e = i < links ? add_place(s, places[i]) : add_index(s, places[i]);
        if (e == E_NO_MEMORY) return e;
        if (e != E_OK && e != E_NOT_FOUND && s->f) {
            log_debug("registry", "%s", s->f->text);
            if (first.code == E_OK) first = *s->f;
        }
        if (s->version.n && search_pick(s)) return E_OK;
    }
    if (search_pick(s) || first.code == E_OK || !s->f) return E_OK;
    *s->f = first;
    return first.code;
}

static err wheel_fill(search *s, const simple_file *file, pypi_wheel *out) {
    pypi_wheel wheel = {.filename = file->filename, .sha256 = file->sha256, .bytes = file->bytes};
    if (!simple_wheel_version(s->arena, file->filename, s->package, &wheel.version))
        return fail_set(s->f, E_INTERNAL, "a wheel without a version was picked");
    if (url_has_scheme(file->url, "file")) {
        wheel.path = pypi_local_path(s->arena, file->url);
        if (!wheel.path) return fail_memory(s->f, "a path");
        TRY(file_size(wheel.path, &wheel.bytes, s->f));
    } else {
        wheel.url = arena_z(s->arena, file->url);
        if (!wheel.url) return fail_memory(s->f, "a URL");
    }
    *out = wheel;
    return E_OK;
}

err pypi_find(arena *a, const pypi_options *o, str package, str version, pypi_wheel *out, fail *f) {
    search s = {.arena = a, .o = o, .version = version, .places = {.bytes_max = 300}, .f = f};
    TRY(simple_name(a, package, &s.package, f));
    err e = search_all(&s);
    const simple_file *file = e == E_OK ? search_pick(&s) : NULL;
    if (file) e = wheel_fill(&s, file, out);
    if (e == E_OK && !file) {
        e = fail_set(f, E_NOT_FOUND, "no wheel of %.*s%s%.*s for any machine was found in: %.*s",
                     STR_ARG(s.package), version.n ? " " : "", STR_ARG(version),
                     STR_ARG(buf_str(&s.places)));
        fail_hint(f, "`pip config list` shows the indexes this machine asks; without network, put "
                     "the wheel into a folder and name it: make run FROM=DIR");
    }
    buf_deinit(&s.places);
    return e;
}

/* url.c - see url.h. Pure string work. */
#include "net/url.h"

#include "base/buf.h"

#include <string.h>

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

err url_decode(arena *a, str s, bool plus_is_space, str *out, fail *f) {
    char *to = arena_alloc(a, s.n + 1);
    size_t n = 0;
    if (!to) return fail_memory(f, "a URL");
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '+' && plus_is_space) c = ' ';
        if (s.p[i] == '%') {
            int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return fail_set(f, E_INPUT, "URL holds a bad escape at byte %zu", i);
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[n++] = c;
    }
    *out = (str){to, n};
    return E_OK;
}

static bool is_unreserved(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("-._~", c));
}

err url_encode(arena *a, str s, const char *keep, str *out, fail *f) {
    static const char hex[] = "0123456789ABCDEF";
    char *to = s.n > SIZE_MAX / 4 ? NULL : arena_alloc(a, 3 * s.n + 1);
    size_t n = 0;
    if (!to) return fail_memory(f, "a URL");
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_unreserved((char)c) || (c && strchr(keep, c))) {
            to[n++] = (char)c;
        } else {
            to[n++] = '%';
            to[n++] = hex[c >> 4];
            to[n++] = hex[c & 15];
        }
    }
    *out = (str){to, n};
    return E_OK;
}

str url_query_find(arena *a, str query, const char *name) {
    while (query.p && query.n) {
        str value = str_cut(&query, '&'), key, decoded;
        key = str_cut(&value, '=');
        if (url_decode(a, key, true, &decoded, NULL) != E_OK || !str_is(decoded, name)) continue;
        if (!value.p) return STR("");
        return url_decode(a, value, true, &decoded, NULL) == E_OK ? decoded : STR_NONE;
    }
    return STR_NONE;
}

/* Length of "scheme" in "scheme:...", or 0. */
static size_t scheme_length(str url) {
    for (size_t i = 0; i < url.n; i++) {
        char c = url.p[i];
        if (c == ':') return i;
        bool alpha = (c | 32) >= 'a' && (c | 32) <= 'z';
        bool more = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!alpha && !(more && i > 0)) return 0;
    }
    return 0;
}

bool url_has_scheme(str url, const char *scheme) {
    return str_eq_nocase(str_slice(url, 0, scheme_length(url)), str_from(scheme));
}

str url_cut_fragment(str url, str *fragment) {
    *fragment = url;
    str before = str_cut(fragment, '#');
    if (!fragment->p) *fragment = STR("");
    return before;
}

/* End of "scheme://authority" in an absolute URL; n when there is no path. */
static size_t authority_end(str url) {
    size_t at = scheme_length(url);
    at = str_starts(str_slice(url, at, url.n), STR("://")) ? at + 3 : at + 1;
    while (at < url.n && url.p[at] != '/' && url.p[at] != '?' && url.p[at] != '#') at++;
    return at < url.n ? at : url.n;
}

void url_host_port(str authority, str *host, int *port) {
    size_t end = authority.n && authority.p[0] == '[' ? str_find_char(authority, ']') : 0;
    size_t colon = str_find_char(str_slice(authority, end, authority.n), ':');
    int64_t number = 0;
    *host = authority;
    *port = 0;
    if (end == STR_INDEX_NONE) return; /* a bracket that is never closed */
    if (colon != STR_INDEX_NONE) {
        *host = str_slice(authority, 0, end + colon);
        if (str_to_int(str_slice(authority, end + colon + 1, authority.n), &number) && number > 0 &&
            number < 65536)
            *port = (int)number;
    }
    if (end) *host = str_slice(*host, 1, end);
}

void url_server(str url, str *host, int *port) {
    size_t scheme = scheme_length(url);
    str authority = str_slice(url, scheme + 3, authority_end(url));
    url_host_port(str_after_last(authority, '@'), host, port);
    if (*port) return;
    *port = url_has_scheme(url, "https") ? 443 : url_has_scheme(url, "http") ? 80 : 0;
}

/* RFC 3986, 5.2.4, over "/a/b/../c"; writes into b. */
static void put_without_dots(buf *b, str path) {
    size_t floor = b->n;
    str rest = path;
    if (rest.n && rest.p[0] == '/') rest = str_slice(rest, 1, rest.n);
    for (;;) {
        bool last = str_find_char(rest, '/') == STR_INDEX_NONE;
        str part = str_cut(&rest, '/');
        bool up = str_is(part, ".."), here = str_is(part, ".");
        if (up)
            while (b->n > floor && b->p[--b->n] != '/') {
            }
        if (!up && !here) {
            buf_put_char(b, '/');
            buf_put(b, part);
        } else if (last) {
            buf_put_char(b, '/');
        }
        if (last || !rest.p || b->failed) return;
    }
}

err url_join(arena *a, str base, str reference, str *out, fail *f) {
    str fragment, no_query = url_cut_fragment(base, &fragment);
    size_t root = authority_end(no_query);
    no_query = str_slice(no_query, 0, str_find_char(no_query, '?'));
    buf b = {.bytes_max = 64 * 1024};
    if (scheme_length(reference)) {
        buf_put(&b, reference);
    } else if (str_starts(reference, STR("//"))) {
        buf_put(&b, str_slice(base, 0, scheme_length(base) + 1));
        buf_put(&b, reference);
    } else {
        size_t tail = 0;
        while (tail < reference.n && reference.p[tail] != '?' && reference.p[tail] != '#') tail++;
        str path = str_slice(reference, 0, tail);
        size_t folder = no_query.n;
        while (folder > root && no_query.p[folder - 1] != '/') folder--;
        buf whole = {0};
        if (!path.n) {
            buf_put(&whole, str_slice(no_query, root, no_query.n));
        } else if (path.p[0] != '/') {
            buf_put(&whole, str_slice(no_query, root, folder));
            if (!whole.n) buf_put_char(&whole, '/');
        }
        buf_put(&whole, path);
        buf_put(&b, str_slice(base, 0, root));
        put_without_dots(&b, buf_str(&whole));
        b.failed |= whole.failed;
        buf_deinit(&whole);
        buf_put(&b, str_slice(reference, tail, reference.n));
    }
    err e = buf_ok(&b, f);
    str joined = e == E_OK ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_deinit(&b);
    if (e != E_OK) return e;
    if (!joined.p) return fail_memory(f, "a URL");
    *out = joined;
    return E_OK;
}

str url_public(arena *a, str url) {
    str fragment;
    url = url_cut_fragment(url, &fragment);
    url = str_slice(url, 0, str_find_char(url, '?'));
    size_t scheme = scheme_length(url);
    if (!str_starts(str_slice(url, scheme, url.n), STR("://"))) return url;
    size_t end = authority_end(url), host = scheme + 3;
    for (size_t i = host; i < end; i++)
        if (url.p[i] == '@') host = i + 1;
    if (host == scheme + 3) return url;
    str shown = arena_printf(a, "%.*s%.*s", STR_ARG(str_slice(url, 0, scheme + 3)),
                             STR_ARG(str_slice(url, host, url.n)));
    return shown.p ? shown : STR("(a URL)");
}

/* api_route.c - which row of the table (api.c) a method and a path mean. Pure, any thread. */
#include "api/api_int.h"

static bool matches(str path, const char *pattern, str *arg) {
    str left = str_from(pattern);
    *arg = STR_NONE;
    while (left.p && path.p) {
        if (str_is(left, "**")) {
            *arg = path;
            return path.n > 0;
        }
        str want = str_cut(&left, '/'), have = str_cut(&path, '/');
        if (str_is(want, "*")) {
            if (!have.n) return false;
            *arg = have;
        } else if (!str_eq(want, have)) {
            return false;
        }
    }
    return !left.p && !path.p;
}

static bool method_fits(str method, const char *wanted) {
    return str_is(method, wanted) || (str_is(method, "HEAD") && str_is(STR("GET"), wanted));
}

const api_route_row *api_route_find(const api *a, str method, str path, str *arg,
                                    const char **allow) {
    *allow = NULL;
    for (size_t i = 0; i < a->routes_n; i++) {
        const api_route_row *row = &a->routes[i];
        if (!matches(path, row->pattern, arg)) continue;
        if (method_fits(method, row->method)) return row;
        *allow = row->method;
    }
    return NULL;
}

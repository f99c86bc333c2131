/* api_route.c - which row of the table (api.c) a method and a path mean. Pure, any thread. */
#include "api/api_int.h"

#include <stdio.h>
#include <string.h>

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

/* Two rows may be of one method: what is at "load" is at any name. */
static void allow_also(api_allowed *allow, const char *method) {
    size_t n = strlen(allow->text);
    if (strstr(allow->text, method)) return;
    int more = snprintf(allow->text + n, sizeof allow->text - n, "%s%s%s", n ? ", " : "", method,
                        !strcmp(method, "GET") ? ", HEAD" : "");
    CHECK(more > 0 && (size_t)more < sizeof allow->text - n);
}

const api_route_row *api_route_find(const api *a, str method, str path, str *arg,
                                    api_allowed *allow) {
    *allow = (api_allowed){0};
    for (size_t i = 0; i < a->routes_n; i++) {
        const api_route_row *row = &a->routes[i];
        if (!matches(path, row->pattern, arg)) continue;
        if (method_fits(method, row->method)) return row;
        allow_also(allow, row->method);
    }
    return NULL;
}

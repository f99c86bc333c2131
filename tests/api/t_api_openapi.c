/* t_api_openapi.c - the description that is served is true: its paths are the routes and the routes
 * its paths, what it refers to is there, and of each body it names the fields that are known.
 * Whether answers are as it says is looked at by tests/clients/t_schemathesis.sh. */
#include "api_fake.h"

#include "api/api_int.h"

static const json *description;

static int reset(void **state) {
    (void)state;
    arena_reset(&fx.arena);
    description = ask("/openapi.json", NULL, 200);
    return 0;
}

/* "/v1/tasks/{name}" as the table of routes writes it: names in brackets are stars. */
static void as_pattern(str path, char *out, size_t n) {
    size_t at = 0;
    for (size_t i = 0; i < path.n && at + 2 < n; i++) {
        out[at++] = path.p[i] == '{' ? '*' : path.p[i];
        if (path.p[i] == '{')
            while (path.p[i] != '}') i++;
    }
    out[at] = 0;
}

/* "**" stands at the end, for a name that may hold '/'. */
static bool same_path(const char *pattern, const char *described) {
    size_t n = strlen(pattern);
    if (n > 2 && !strcmp(pattern + n - 2, "**")) n--;
    return strlen(described) == n && !strncmp(pattern, described, n);
}

static void described(void **state) {
    (void)state;
    const json *paths = at(description, "paths");
    for (size_t r = 0; r < fx.api->routes_n; r++) {
        const char *method = fx.api->routes[r].method, *pattern = fx.api->routes[r].pattern;
        bool found = false;
        for (size_t i = 0; i < paths->count && !found; i++) {
            char path[128], lower[16] = "";
            as_pattern(paths->members[i].key, path, sizeof path);
            for (size_t k = 0; method[k]; k++) lower[k] = (char)(method[k] | 0x20);
            found = same_path(pattern, path) && json_get(&paths->members[i].value, lower);
        }
        if (!found) fail_msg("%s %s is not in src/api/openapi.json", method, pattern);
    }
}

static bool is_route(const char *lower, const char *path) {
    for (size_t r = 0; r < fx.api->routes_n; r++)
        if (str_eq_nocase(str_from(fx.api->routes[r].method), str_from(lower)) &&
            same_path(fx.api->routes[r].pattern, path))
            return true;
    return false;
}

static void nothing_else(void **state) {
    (void)state;
    const json *paths = at(description, "paths");
    for (size_t i = 0; i < paths->count; i++)
        for (size_t k = 0; k < paths->members[i].value.count; k++) {
            char path[128];
            const char *method = arena_z(&fx.arena, paths->members[i].value.members[k].key);
            as_pattern(paths->members[i].key, path, sizeof path);
            if (!is_route(method, path))
                fail_msg("%s %s is described and is not there", method, path);
        }
}

/* ---- what it refers to ---- */

static const json *resolve(str ref) {
    const json *v = description;
    str rest = str_slice(ref, 2, ref.n); /* "#/components/schemas/Error" */
    while (rest.p && v) v = json_get(v, arena_z(&fx.arena, str_cut(&rest, '/')));
    return v;
}

static size_t refs;

static void look_for_refs(const json *v) {
    for (size_t i = 0; i < v->count && v->kind == JSON_ARRAY; i++) look_for_refs(&v->items[i]);
    for (size_t i = 0; i < v->count && v->kind == JSON_OBJECT; i++) {
        const json_member *m = &v->members[i];
        if (str_is(m->key, "$ref") && !resolve(m->value.string))
            fail_msg("%.*s is not there", STR_ARG(m->value.string));
        refs += str_is(m->key, "$ref");
        look_for_refs(&m->value);
    }
}

static void refers_to_what_is_there(void **state) {
    (void)state;
    look_for_refs(description);
    assert_true(refs > 100);
}

/* ---- the fields of bodies ---- */

static bool is_unknown(const char *path, const char *body) {
    http_answer answer;
    http_field fields[] = {{"Content-Type", STR("application/json")}};
    http_call call = {.url = url_of(path),
                      .method = "POST",
                      .body = str_from(body),
                      .fields = fields,
                      .fields_n = 1};
    assert_ok(http_ask(&fx.arena, &call, &answer, &fx.f), &fx.f);
    return str_find(answer.body, STR("is not known here")) != STR_INDEX_NONE;
}

/* With what is asked before fields are looked at. */
static const char *body_with(const json *properties, str field) {
    const char *model = json_get(properties, "model") ? "\"model\":\"nobody\"," : "";
    return arena_printf(&fx.arena, "{%s\"%.*s\":null}", model, STR_ARG(field)).p;
}

static size_t check_body(str path, const json *schema) {
    static const char unknown[] = "no_such_field";
    char real[128];
    as_pattern(path, real, sizeof real);
    for (char *star = strchr(real, '*'); star; star = strchr(real, '*')) *star = 'x';
    const json *ref = json_get(schema, "$ref"), *closed;
    if (ref) schema = resolve(ref->string);
    closed = json_get(schema, "additionalProperties");
    bool refuses = closed && closed->kind == JSON_BOOL && !closed->boolean;
    const json *all = json_get(schema, "properties");
    if (is_unknown(real, body_with(all, str_from(unknown))) != refuses)
        fail_msg("%s %s unknown fields", real, refuses ? "takes" : "refuses");
    for (size_t i = 0; all && i < all->count; i++)
        if (!str_is(all->members[i].key, "model") &&
            is_unknown(real, body_with(all, all->members[i].key)))
            fail_msg("%s does not know %.*s", real, STR_ARG(all->members[i].key));
    return all ? all->count : 0;
}

static void knows_the_fields(void **state) {
    (void)state;
    size_t n = 0;
    const json *paths = at(description, "paths");
    for (size_t i = 0; i < paths->count; i++) {
        const json *content = at(json_get(&paths->members[i].value, "post"), "requestBody.content");
        const json *schema = json_get(json_get(content, "application/json"), "schema");
        if (schema) n += check_body(paths->members[i].key, schema);
    }
    assert_true(n > 200);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(described, reset),
        cmocka_unit_test_setup(nothing_else, reset),
        cmocka_unit_test_setup(refers_to_what_is_there, reset),
        cmocka_unit_test_setup(knows_the_fields, reset),
    };
    return cmocka_run_group_tests_name("api: description", tests, fake_open, fake_close);
}

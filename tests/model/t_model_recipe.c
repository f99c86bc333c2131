/* t_model_recipe.c - tests model/model_recipe.c against llama.cpp's choices, tensor by tensor, for
 * eight shapes and eleven types (golden/recipes.txt). */
#include "model/model_recipe.h"
#include "test.h"

#include <stdlib.h>

enum { LINE_BYTES = 1024, PARTS_MAX = 16, LAYERS_MAX = 32, TENSORS_MAX = PARTS_MAX * LAYERS_MAX };

typedef struct shape {
    model_recipe_scope scope;
    int parts;
    char names[PARTS_MAX][48];
    int32_t n_dims[PARTS_MAX];
    int64_t dims[PARTS_MAX][3];
} shape;

static shape now;
static tensor tensors[TENSORS_MAX];
static model_recipe_row rows[TENSORS_MAX];
static char names[TENSORS_MAX][64];
static int n_rows;

static void add_tensor(int part, int layer) {
    const char *pattern = now.names[part], *percent = strchr(pattern, '%');
    tensor *t = &tensors[n_rows];
    assert_true(n_rows < TENSORS_MAX);
    snprintf(names[n_rows], sizeof names[0], "%.*s", percent ? (int)(percent - pattern) : 48,
             pattern);
    if (percent) snprintf(names[n_rows] + strlen(names[n_rows]), 48, "%d%s", layer, percent + 1);
    *t = (tensor){.name = str_from(names[n_rows]), .n_dims = now.n_dims[part]};
    memcpy(t->dims, now.dims[part], sizeof now.dims[part]);
    t->type = t->n_dims == 1 || strstr(pattern, "gate_inp") ? DTYPE_F32 : DTYPE_F16;
    rows[n_rows++].t = t;
}

/* Layers downwards: the choice must not depend on the order in the file. */
static void apply(const char *kind) {
    const model_recipe *r;
    fail f;
    assert_ok(model_recipe_find(kind, &r, &f), &f);
    n_rows = 0;
    for (int layer = (int)now.scope.layers - 1; layer >= 0; layer--)
        for (int p = 0; p < now.parts; p++)
            if (layer == 0 || strchr(now.names[p], '%')) add_tensor(p, layer);
    model_recipe_apply(r, &now.scope, rows, (size_t)n_rows);
}

static const char *type_of(const char *pattern, int layer) {
    char name[64];
    const char *percent = strchr(pattern, '%');
    snprintf(name, sizeof name, "%.*s", percent ? (int)(percent - pattern) : 48, pattern);
    if (percent) snprintf(name + strlen(name), 32, "%d%s", layer, percent + 1);
    for (int i = 0; i < n_rows; i++)
        if (!strcmp(names[i], name)) return dtype_get(rows[i].type)->name;
    fail_msg("no tensor %s", name);
    return "";
}

static void read_shape(char *at) {
    char *words = at;
    now = (shape){0};
    (void)strtok_r(words, " ", &at);
    now.scope.layers = atoi(strtok_r(NULL, " ", &at));
    now.scope.heads = atoi(strtok_r(NULL, " ", &at));
    now.scope.kv_heads = atoi(strtok_r(NULL, " ", &at));
    now.scope.experts = atoi(strtok_r(NULL, " ", &at));
    now.scope.tied = atoi(strtok_r(NULL, " ", &at));
}

static void read_tensor(char *at) {
    int p = now.parts++;
    char *words = at;
    snprintf(now.names[p], sizeof now.names[p], "%s", strtok_r(words, " ", &at));
    for (const char *d; (d = strtok_r(NULL, " ", &at));)
        now.dims[p][now.n_dims[p]++] = strtoll(d, NULL, 10);
}

static int check_line(const char *kind, char *parts, char *types) {
    char *type[LAYERS_MAX], *at = NULL, *part_at = NULL;
    int n = 0, checked = 0;
    for (char *t = strtok_r(types, " ", &at); t; t = strtok_r(NULL, " ", &at)) type[n++] = t;
    apply(kind);
    for (char *p = strtok_r(parts, ",", &part_at); p; p = strtok_r(NULL, ",", &part_at)) {
        int layers = strchr(p, '%') ? (int)now.scope.layers : 1;
        assert_true(n == 1 || n == layers);
        for (int l = 0; l < layers; l++, checked++)
            if (strcmp(type_of(p, l), type[n == 1 ? 0 : l]) != 0)
                fail_msg("%s, %s, layer %d: %s, not %s", kind, p, l, type_of(p, l),
                         type[n == 1 ? 0 : l]);
    }
    return checked;
}

static void types_are_those_people_expect(void **state) {
    (void)state;
    static char line[LINE_BYTES];
    FILE *file = fopen("tests/model/golden/recipes.txt", "re");
    int checked = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *at = NULL, *first;
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#') continue;
        first = strtok_r(line, " ", &at);
        if (!strcmp(first, "shape"))
            read_shape(at);
        else if (!strcmp(first, "tensor"))
            read_tensor(at);
        else {
            char *parts = strtok_r(NULL, " ", &at);
            checked += check_line(first, parts, at);
        }
    }
    fclose(file);
    assert_true(checked > 15000);
}

static void names_are_found(void **state) {
    (void)state;
    const model_recipe *r;
    fail f;
    assert_ok(model_recipe_find("q4_k_m", &r, &f), &f);
    assert_string_equal(r->name, "Q4_K_M");
    assert_int_equal(r->file_type, 15);
    assert_int_equal(model_recipe_find("Q9", &r, &f), E_INPUT);
    assert_non_null(strstr(f.hint, "Q4_K_M"));
    for (size_t i = 0; model_recipe_at(i); i++)
        assert_non_null(dtype_get(model_recipe_at(i)->base)->quantise);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_those_people_expect),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

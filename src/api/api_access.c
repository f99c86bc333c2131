/* api_access.c - what may change of who is let in while the server serves: the one key of the
 * configuration, and the origins whose pages may call. One immutable piece behind a lock that is
 * held for a comparison; api_set_access puts another in its place. Any thread. */
#include "api/api_who.h"

#include "base/mem.h"

struct api_access {
    arena arena;
    str key; /* "" none */
    str *origins;
    size_t origins_n;
};

static void access_free(struct api_access *x) {
    if (!x) return;
    arena_deinit(&x->arena);
    mem_free(x);
}

static err fill(struct api_access *x, str key, const char *const *origins, size_t n, fail *f) {
    x->key = arena_str(&x->arena, key);
    x->origins = arena_new_n(&x->arena, str, n + 1);
    if (!x->key.p || !x->origins) return fail_memory(f, "the API");
    for (x->origins_n = 0; x->origins_n < n; x->origins_n++) {
        str copy = arena_str(&x->arena, str_from(origins[x->origins_n]));
        if (!copy.p) return fail_memory(f, "the API");
        x->origins[x->origins_n] = copy;
    }
    return E_OK;
}

err api_set_access(api *a, str key, const char *const *origins, size_t n, fail *f) {
    struct api_access *x = mem_zero(sizeof *x);
    if (!x) return fail_memory(f, "the API");
    arena_init(&x->arena, 256);
    err e = fill(x, key, origins, n, f);
    if (e != E_OK) {
        access_free(x);
        return e;
    }
    mutex_lock(&a->access_lock);
    struct api_access *old = a->access;
    a->access = x;
    mutex_unlock(&a->access_lock);
    access_free(old);
    return E_OK;
}

void api_access_close(api *a) {
    access_free(a->access);
    a->access = NULL;
}

bool api_access_is_key(api *a, str given) {
    mutex_lock(&a->access_lock);
    bool same = a->access->key.n && who_same(given, a->access->key);
    mutex_unlock(&a->access_lock);
    return same;
}

bool api_access_lists(api *a, str origin, bool *any) {
    bool listed = false;
    mutex_lock(&a->access_lock);
    *any = a->access->origins_n > 0;
    for (size_t i = 0; origin.n && i < a->access->origins_n && !listed; i++)
        listed = str_eq_nocase(origin, a->access->origins[i]);
    mutex_unlock(&a->access_lock);
    return listed;
}

/* world_entry.c - the entries of a world's models: one a model, whatever name it is asked for by.
 * Lock held. */
#include "app/world_int.h"

world_model *world_entry_find(world *w, str name) {
    for (world_model *m = w->models; m; m = m->next)
        if (str_eq(m->name, name) || str_eq(m->asked, name)) return m;
    return NULL;
}

static world_model *find_path(world *w, const char *path) {
    for (world_model *m = w->models; m; m = m->next)
        if (m->found.path && str_is(str_from(path), m->found.path)) return m;
    return NULL;
}

err world_entry(world *w, str name, world_model **out, fail *f) {
    registry_model found;
    world_model *m = world_entry_find(w, name);
    if (!m) {
        TRY(world_find_model(w, name, &found, f));
        m = find_path(w, found.path);
    }
    if (!m) {
        m = arena_new(&w->arena, world_model);
        if (!m) return fail_memory(f, "a model");
        m->w = w;
        m->found = found;
        m->asked = arena_str(&w->arena, name);
        m->name = arena_str(&w->arena, found.name.n ? found.name : name);
        if (!m->asked.p || !m->name.p) return fail_memory(f, "a model");
        m->next = w->models;
        w->models = m;
    }
    *out = m;
    return E_OK;
}

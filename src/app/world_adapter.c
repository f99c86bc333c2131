/* world_adapter.c - LoRA adapters beside a model: found by name, opened for a model when a request
 * first names them. Each sequence of a batch has its own; see model/model_adapter.h. Closing them:
 * world_lora.c. */
#include "app/world_int.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct world_adapter {
    world_adapter *next;
    str name;
    const char *path;
};

/* ---- names ---- */

/* It becomes part of a path and of a model's name. */
static bool is_name(str name) {
    bool ok = name.n > 0 && name.n <= 100 && name.p[0] != '.';
    for (size_t i = 0; i < name.n && ok; i++)
        ok = name.p[i] > ' ' && name.p[i] != '/' && name.p[i] != '+' && name.p[i] != 127;
    return ok;
}

err world_adapter_add(world *w, str name, str path, fail *f) {
    char real[FILE_PATH_BYTES];
    if (!is_name(name))
        return fail_set(f, E_INPUT, "\"%.*s\" is no name for an adapter", STR_ARG(name));
    world_adapter *a = arena_new(&w->arena, world_adapter);
    char *z = arena_z(&w->arena, path);
    if (!a || !z) return fail_memory(f, "an adapter");
    TRY(file_real_path(real, z, f));
    *a = (world_adapter){.next = w->adapters,
                         .name = arena_str(&w->arena, name),
                         .path = arena_str(&w->arena, str_from(real)).p};
    if (!a->name.p || !a->path) return fail_memory(f, "an adapter");
    w->adapters = a;
    return E_OK;
}

err world_adapter_read(world *w, str pair, fail *f) {
    size_t at = str_find_char(pair, '=');
    if (at == STR_INDEX_NONE || at == 0 || at + 1 == pair.n)
        return fail_set(f, E_USAGE, "an adapter is NAME=PATH, not \"%.*s\"", STR_ARG(pair));
    return world_adapter_add(w, str_slice(pair, 0, at), str_slice(pair, at + 1, pair.n), f);
}

static err folder_of(world *w, char out[FILE_PATH_BYTES], fail *f) {
    return file_join(out, w->home.dir, "adapters", f);
}

err world_adapter_find(world *w, str name, char out[FILE_PATH_BYTES], fail *f) {
    char dir[FILE_PATH_BYTES], file[128];
    for (const world_adapter *a = w->adapters; a; a = a->next)
        if (str_eq(a->name, name)) return file_real_path(out, a->path, f);
    if (is_name(name)) {
        TRY(folder_of(w, dir, f));
        snprintf(file, sizeof file, "%.*s", STR_ARG(name));
        TRY(file_join(out, dir, file, f));
        if (file_exists(out)) return E_OK;
        snprintf(file, sizeof file, "%.*s.gguf", STR_ARG(name));
        TRY(file_join(out, dir, file, f));
        if (file_exists(out)) return E_OK;
    }
    fail_set(f, E_NOT_FOUND, "there is no adapter \"%.*s\"", STR_ARG(str_slice(name, 0, 80)));
    return fail_hint(f,
                     "put it into the adapters folder of $BANTAM_HOME, or name it with --adapter "
                     "NAME=PATH");
}

err world_adapter_list(world *w, arena *a, str **names, size_t *n, fail *f) {
    char dir[FILE_PATH_BYTES];
    str *files = NULL, *out;
    size_t n_files = 0, count = 0, added = 0;
    TRY(folder_of(w, dir, f));
    if (file_is_dir(dir)) TRY(file_list(a, dir, &files, &n_files, f));
    for (const world_adapter *at = w->adapters; at; at = at->next) added++;
    out = arena_new_n(a, str, added + n_files + 1);
    if (!out) return fail_memory(f, "adapters");
    for (const world_adapter *at = w->adapters; at; at = at->next) out[count++] = at->name;
    for (size_t i = 0; i < n_files; i++) {
        str name = files[i];
        bool known = !is_name(name);
        if (str_ends(name, STR(".gguf"))) name = str_slice(name, 0, name.n - 5);
        for (size_t k = 0; k < count; k++) known = known || str_eq(out[k], name);
        if (!known) out[count++] = name;
    }
    *names = out;
    *n = count;
    return E_OK;
}

/* ---- opened ones; lock held ---- */

static world_lora *lora_find(world_model *m, str name) {
    for (world_lora *l = m->w->loras; l; l = l->next)
        if (l->m == m && str_eq(l->name, name)) return l;
    return NULL;
}

static err lora_open(world_model *m, str name, world_lora **out, fail *f) {
    world *w = m->w;
    char path[FILE_PATH_BYTES];
    TRY(world_adapter_find(w, name, path, f));
    world_lora *l = mem_zero(sizeof *l + name.n + 1);
    if (!l) return fail_memory(f, "an adapter");
    char *text = (char *)(l + 1);
    memcpy(text, name.p, name.n);
    l->m = m;
    l->name = (str){text, name.n};
    err e = model_adapter_open(&l->adapter, m->model, path, f);
    if (e == E_OK) {
        l->bytes = model_adapter_about(l->adapter)->bytes;
        e = world_room_make(w, l->bytes, m, f);
    }
    if (e != E_OK) {
        model_adapter_close(l->adapter);
        mem_free(l);
        return e;
    }
    l->next = w->loras;
    w->loras = l;
    *out = l;
    return E_OK;
}

static err take(void *self, str name, const model_adapter **out, fail *f) {
    world_model *m = self;
    mutex_lock(&m->w->lock);
    world_lora *l = lora_find(m, name);
    err e = l ? E_OK : lora_open(m, name, &l, f);
    if (e == E_OK) {
        l->users++;
        *out = l->adapter;
    }
    mutex_unlock(&m->w->lock);
    return e;
}

static void give(void *self, const model_adapter *a) {
    world_model *m = self;
    mutex_lock(&m->w->lock);
    for (world_lora *l = m->w->loras; l; l = l->next)
        if (l->adapter == a) {
            l->users--;
            l->used_ns = clock_mono_ns();
        }
    mutex_unlock(&m->w->lock);
}

gen_adapters world_adapters_of(world_model *m) {
    return (gen_adapters){.self = m, .take = take, .give = give};
}

/* library.c - see library.h. */
#include "base/library.h"

#include "base/thread.h"

#include <dlfcn.h>
#include <string.h>

static mutex lock = PTHREAD_MUTEX_INITIALIZER;

static err lacking(const library *l, const char *why, fail *f) {
    fail_set(f, E_UNDONE, "%s cannot be used: %s", l->file, why ? why : "it lacks a function");
    return fail_hint(f, "install the package %s", l->package);
}

static err load(library *l, fail *f) {
    void *handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return lacking(l, dlerror(), f);
    for (size_t i = 0; i < l->n; i++) {
        void *p = dlsym(handle, l->names[i]);
        if (!p) return lacking(l, dlerror(), f);
        memcpy((char *)l->pointers + i * sizeof p, &p, sizeof p);
    }
    atomic_store(&l->loaded, true);
    return E_OK;
}

err library_load(library *l, fail *f) {
    err e = E_OK;
    if (atomic_load(&l->loaded)) return E_OK;
    mutex_lock(&lock);
    if (!atomic_load(&l->loaded)) e = load(l, f);
    mutex_unlock(&lock);
    return e;
}

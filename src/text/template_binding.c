/* template_binding.c - the names of a scope while a template runs; see template_int.h. */
#include "text/template_int.h"

#include <string.h>

const value *scope_find(const scope *s, str name) {
    for (; s; s = s->parent)
        for (size_t i = 0; i < s->n; i++)
            if (str_eq(s->items[i].name, name)) return &s->items[i].value;
    return NULL;
}

err scope_put(run *r, scope *s, str name, value v) {
    for (size_t i = 0; i < s->n; i++) {
        if (!str_eq(s->items[i].name, name)) continue;
        s->items[i].value = v;
        return E_OK;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        binding *items = arena_new_n(r->arena, binding, cap);
        if (!items) return run_no_memory(r);
        if (s->n) memcpy(items, s->items, s->n * sizeof *items);
        s->items = items;
        s->cap = cap;
    }
    s->items[s->n++] = (binding){name, v};
    return E_OK;
}

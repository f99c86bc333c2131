/* world_pull.c - a model's files on this machine: found, or fetched with a progress line and its
 * terms asked for. Main thread. See world.h. */
#include "app/stop.h"
#include "app/world.h"

#include <stdio.h>
#include <unistd.h>

static void pull_progress(void *ctx, const char *stage, int64_t bytes, int64_t total) {
    world *w = ctx;
    progress_put(&w->progress, stage, (uint64_t)bytes, total > 0 ? (uint64_t)total : 0);
}

static bool pull_cancelled(void *ctx) {
    (void)ctx;
    return stop_wanted();
}

/* Shows a model's own terms and waits for a "yes". Where nobody sits, nobody has accepted. */
static bool ask_terms(void *ctx, const registry_terms *terms) {
    char line[16];
    (void)ctx;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return false;
    fprintf(stderr, "%.*s has terms of its own (%.*s):\n", STR_ARG(terms->name),
            STR_ARG(terms->licence));
    if (terms->notice.n) fprintf(stderr, "  %.*s\n", STR_ARG(terms->notice));
    fprintf(stderr, "  %.*s\nDo you accept them? Type yes: ", STR_ARG(terms->url));
    fflush(stderr);
    if (!fgets(line, sizeof line, stdin)) return false;
    return str_eq_nocase(str_trim(str_from(line)), STR("yes"));
}

err world_pull(world *w, str name, bool accept_license, registry_model *out, fail *f) {
    registry_pull_options o = {.progress = pull_progress,
                               .accept = ask_terms,
                               .cancelled = pull_cancelled,
                               .ctx = w,
                               .accept_license = accept_license};
    progress_init(&w->progress, PROGRESS_BYTES);
    err e = registry_pull(w->registry, &w->arena, name, &o, out, f);
    progress_end(&w->progress);
    return e;
}

err world_find_model(world *w, str name, registry_model *out, fail *f) {
    err e = registry_find(w->registry, &w->arena, name, out, f);
    if (e != E_OK && e != E_NOT_FOUND) return e;
    if (e == E_OK && out->path) return E_OK;
    /* in the catalog, not here yet: fetch it; anything else stays not found */
    registry_model *all;
    size_t n;
    fail ignored;
    if (registry_list(w->registry, &w->arena, &all, &n, &ignored) != E_OK) return e;
    str base = name;
    size_t colon = str_find_char(name, ':');
    if (colon != STR_INDEX_NONE) base.n = colon;
    for (size_t i = 0; i < n; i++)
        if (all[i].in_catalog && str_eq(all[i].name, base)) {
            fprintf(stderr, "fetching %.*s, which is not on this machine yet\n", STR_ARG(name));
            return world_pull(w, name, w->accept_license, out, f);
        }
    return e;
}

/* api_dialect.c - which family of routes a path belongs to, so that its errors come in the shape
 * that its clients read, also those that arise before any route runs. */
#include "api/api_anthropic.h"
#include "api/api_ollama.h"

static const api_dialect openai = {.prefix = "/"};

const api_dialect *api_dialect_of(str path) {
    const api_dialect *const all[] = {&api_anthropic, &api_ollama};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (str_starts(path, str_from(all[i]->prefix))) return all[i];
    return &openai;
}

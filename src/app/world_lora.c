/* world_lora.c - the adapters that are open: what they take of the budget, and their end, where
 * memory is needed or their model is unloaded. They are opened in world_adapter.c. */
#include "app/world_int.h"
#include "base/mem.h"

static void lora_close(world *w, world_lora *l) {
    world_lora **at = &w->loras;
    while (*at != l) at = &(*at)->next;
    *at = l->next;
    model_adapter_close(l->adapter);
    mem_free(l);
}

void world_loras_shut(world_model *m) {
    mutex_lock(&m->w->lock);
    for (world_lora *l = m->w->loras, *next; l; l = next) {
        next = l->next;
        if (l->m == m) lora_close(m->w, l);
    }
    mutex_unlock(&m->w->lock);
}

bool world_lora_drop(world *w, int64_t before_ns) {
    world_lora *least = NULL;
    for (world_lora *l = w->loras; l; l = l->next)
        if (l->users == 0 && l->used_ns < before_ns && (!least || l->used_ns < least->used_ns))
            least = l;
    if (least) lora_close(w, least);
    return least != NULL;
}

int64_t world_lora_bytes(world *w) {
    int64_t sum = 0;
    for (const world_lora *l = w->loras; l; l = l->next) sum += l->bytes;
    return sum;
}

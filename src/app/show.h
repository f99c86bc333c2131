/* show.h - what is known of one model, for people and as JSON: `bantam show`, /show in a chat. */
#ifndef BANTAM_APP_SHOW_H
#define BANTAM_APP_SHOW_H

#include "app/weights.h"
#include "registry/registry.h"
#include "text/json.h"

/* To stdout; read from the model's file. */
err show_print(const registry_model *m, arena *a, fail *f) MUST_CHECK;
void show_print_tensors(const weights *w, arena *a);
/* Members of an open object. */
void show_put_json(json_writer *j, const registry_model *m, const weights *w, bool tensors);

#endif

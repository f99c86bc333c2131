/* lib_int.h - what the files behind bantam.h share. */
#ifndef BANTAM_LIB_INT_H
#define BANTAM_LIB_INT_H

#include "bantam.h"
#include "base/thread.h"
#include "engine/engine.h"
#include "model/model.h"
#include "token/chat.h"

struct bantam_model {
    bantam_model_options o;
    const kern_table *kern;
    kv_type kv;
    team *team;
    model *m;
    chat *chat;     /* NULL: none, or one that we cannot render */
    fail chat_fail; /* why */
    char *architecture, *name;
    mutex lock; /* opening the engine */
    engine *engine;
};

/* The outcome of a call: fills `error`, returns its status. */
bantam_status lib_result(err e, const fail *f, bantam_error *error);
/* The model's engine, opened at its first use. */
err lib_engine(bantam_model *model, engine **out, fail *f) MUST_CHECK;
/* Messages and tools as JSON texts to what the template reads, in the arena. */
err lib_chat_input(arena *a, const char *messages, const char *tools, bool ask, chat_input *out,
                   fail *f) MUST_CHECK;
err lib_chat(const bantam_model *model, const chat **out, fail *f) MUST_CHECK;

#endif

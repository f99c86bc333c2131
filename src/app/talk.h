/* talk.h - a conversation with a model on a terminal: what `bantam run MODEL` is without a prompt.
 *
 *   >>> a text         is asked; the answer streams; Ctrl-C stops it and what came is kept
 *   >>> """            begins a text of several lines, which a line ending in """ ends
 *   >>> /command       see talk_command.c
 *   Ctrl-D, /bye       end it
 *
 * All turns go down each time; the engine knows what it has computed before and begins behind it.
 * Nothing is ever left out silently: when the context is full, the question is refused by name and
 * the conversation stays as it was. Main thread. */
#ifndef BANTAM_APP_TALK_H
#define BANTAM_APP_TALK_H

#include "app/line.h"
#include "app/parameters.h"
#include "app/world.h"

typedef struct talk {
    world *w;
    arena session;      /* names, system text, parameters */
    arena conversation; /* the turns; reset by /clear */
    str model;
    const gen_local *local;
    gen_provider provider;
    bool has_template; /* else each text is gone on with as it is */
    bool raw, verbose;
    str system; /* "" none */
    parameters parameters;
    gen_message *messages; /* [n] of [cap] */
    size_t n, cap;
    line *line;
} talk;

typedef struct talk_options {
    const char *model;
    parameters parameters;
    str system;
    bool raw, verbose;
} talk_options;

/* Until the person ends it. E_... when the model cannot be opened, or SIGTERM came. */
err talk_run(world *w, const talk_options *o, fail *f) MUST_CHECK;

/* talk_turn.c: what the conversation holds. */
err talk_take_model(talk *t, str name, fail *f) MUST_CHECK; /* the old one stays on failure */
err talk_add(talk *t, gen_role role, str content, fail *f) MUST_CHECK;
void talk_clear(talk *t);

/* talk_command.c: a line that begins with "/". *ends: the conversation is over. */
err talk_command(talk *t, str text, bool *ends, fail *f) MUST_CHECK;

/* talk_save.c: conversations in $BANTAM_HOME/chats/NAME.json, mode 0600. */
err talk_save(const talk *t, str name, fail *f) MUST_CHECK;
/* E_NOT_FOUND when there is no such chat. */
err talk_load(talk *t, str name, fail *f) MUST_CHECK;

#endif

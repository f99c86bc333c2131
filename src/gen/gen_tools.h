/* gen_tools.h - how models write calls of tools, and what holds them to it.
 *
 * One row a family of templates (gen_tools.c): the texts around a call. Which row a model follows
 * is found by asking its template to show a call. A model whose template has no place for tools, or
 * shows calls in a form that has no row, is told about tools in words and answers in the last row's
 * form. From the row and a request comes a plan: the grammar of its calls (grammar.h), by which the
 * answer is held and read (gen_calls.h).
 *
 * Formats and what was found of a model are immutable; a plan lives in its request's arena. */
#ifndef BANTAM_GEN_GEN_TOOLS_H
#define BANTAM_GEN_GEN_TOOLS_H

#include "gen/gen.h"
#include "grammar/grammar.h"
#include "token/chat.h"

enum {
    GEN_TOOLS_MAX = 512,
    GEN_TOOL_NAME_BYTES_MAX = 128,
    GEN_CALLS_MAX = 16 /* of one answer; then it must end */
};

/* Where a model is told about tools. */
typedef enum gen_tools_place {
    GEN_TOOLS_IN_TEMPLATE, /* the template's variable `tools` */
    GEN_TOOLS_IN_SYSTEM,   /* a member `tools` of the system message */
    GEN_TOOLS_IN_WORDS     /* we describe them */
} gen_tools_place;

typedef struct gen_tools_format {
    const char *name;
    const char *trigger; /* begins the first call; before it the text is free */
    const char *lead;    /* behind the trigger */
    const char *before;  /* before a call's arguments; * is its name */
    const char *after;   /* behind them */
    const char *between; /* two calls */
    const char *close;   /* behind the last */
    gen_tools_place place;
    bool anchored;            /* a call stands at the beginning of an answer, or nowhere */
    bool single;              /* one call an answer */
    bool short_ids;           /* templates want ids of nine letters and digits */
    const char *shown, *also; /* in what the template makes of a tool and a call; NULL = any */
    const char *source;       /* in the template itself */
} gen_tools_format;

/* What was found of one model. */
typedef struct gen_tools {
    const gen_tools_format *format;
    bool calls_as_text;   /* the template leaves calls out: they stand in the content */
    bool results_as_user; /* it does not know the role tool */
    bool no_system;       /* it refuses the role system: words stand in the first user's message */
} gen_tools;

/* c NULL: a model that cannot chat. Only E_NO_MEMORY fails. */
err gen_tools_find(gen_tools *out, const chat *c, str template_text, fail *f) MUST_CHECK;
/* Texts of control tokens that a call is written with; the vocabulary reads them as text. */
const str *gen_tools_marks(size_t *n);

typedef struct gen_tools_plan {
    const gen_tools_format *format;
    grammar_calls grammar;
} gen_tools_plan;

/* *out NULL: the request has no tools, or wants none. E_INPUT for a tool without a good name, two
 * of one name, a choice of an unknown one. */
err gen_tools_plan_make(const gen_tools_plan **out, const gen_tools *t, const gen_request *rq,
                        fail *f) MUST_CHECK;
/* A call as the model would have written it: text before arguments, and around all calls. */
void gen_tools_write_calls(const gen_tools_format *t, const gen_call *calls, size_t n, buf *out);

#endif

/* gen_prompt.h - a request's messages, tools and variables as what a chat template reads. */
#ifndef BANTAM_GEN_GEN_PROMPT_H
#define BANTAM_GEN_GEN_PROMPT_H

#include "gen/gen_tools.h"

/* All of it lives in rq->arena. t says where tools, calls and results go in this model. */
err gen_prompt_make(chat_input *out, const gen_tools *t, const gen_request *rq, fail *f) MUST_CHECK;

#endif

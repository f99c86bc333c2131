/* api_decide.h - what decisions of models and of tasks have alike. */
#ifndef BANTAM_API_API_DECIDE_H
#define BANTAM_API_API_DECIDE_H

#include "api/api_chat.h"

/* The fields but state and questions; unknown ones are refused. */
err api_decide_common(api_call *c, api_chat *chat, double *abstain_below, fail *f) MUST_CHECK;
/* A text, or an object or array as JSON text. */
err api_decide_state(api_call *c, str *out, fail *f) MUST_CHECK;
/* E_INPUT about the question called id: "... WHAT". */
err api_decide_refuse(api_call *c, str id, const char *what, fail *f) MUST_CHECK;
/* POST /v1/decide where model names a task. */
err api_decide_task(api_call *c, fail *f) MUST_CHECK;

#endif

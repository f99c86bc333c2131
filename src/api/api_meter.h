/* api_meter.h - what the server counts of its own answers; api_metrics.c writes it out.
 * Any thread: all of it is atomic. */
#ifndef BANTAM_API_API_METER_H
#define BANTAM_API_API_METER_H

#include "meter/meter.h"

enum { API_METER_ROUTES = 128, API_METER_CODES = 24, API_METER_FINISHES = 4 };

typedef struct api_meter {
    meter_count answers[API_METER_ROUTES][API_METER_CODES];
    meter_histogram duration[API_METER_ROUTES];
    meter_histogram first_token, per_token;
    meter_count prompt_tokens, prompt_tokens_known, made_tokens;
    meter_count finished[API_METER_FINISHES]; /* by gen_finish */
    meter_count failed;                       /* generations that ended in an error */
} api_meter;

#endif

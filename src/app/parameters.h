/* parameters.h - how an answer is to be made, by names that people know: one table for the options
 * of `bantam run`, for /set parameter in a chat, and for what a saved chat keeps. */
#ifndef BANTAM_APP_PARAMETERS_H
#define BANTAM_APP_PARAMETERS_H

#include "app/cli.h"
#include "gen/gen.h"
#include "text/json.h"

enum { PARAMETERS_STOPS_MAX = 16 };

typedef struct parameters {
    gen_sampling sampling;
    int64_t max_tokens; /* 0 = as many as the context holds */
    str stops[PARAMETERS_STOPS_MAX];
    size_t n_stops;
} parameters;

void parameters_init(parameters *p);
/* What a chat begins with: some warmth, and a brake on repeating, which small models need. */
void parameters_init_chat(parameters *p, uint64_t seed);
/* name: "temperature", "top_p" or "top-p", "num_predict"...; E_USAGE says what there is and between
 * which bounds. value lives in a afterwards. */
err parameters_set(parameters *p, arena *a, str name, str value, fail *f) MUST_CHECK;
/* Every option of the command line that names one. */
err parameters_read(parameters *p, const cli *c, fail *f) MUST_CHECK;
void parameters_print(const parameters *p); /* those that differ from the defaults, to stdout */
void parameters_put_json(const parameters *p, json_writer *w); /* an object */
err parameters_from_json(parameters *p, arena *a, const json *object, fail *f) MUST_CHECK;
/* Into a request; stops are borrowed. */
void parameters_use(const parameters *p, gen_request *rq);

/* Rows for a verb's table of options. */
#define PARAMETERS_OPTIONS                                                                        \
    {"max-tokens", 'n', "N", "at most N tokens (default: 512 where they fit; a chat: what fits)", \
     false},                                                                                      \
        {"temperature", 0, "T", "0 (default) takes the likeliest token; 0.7 is lively", false},   \
        {"temp", 0, "T", "the same", false}, {"top-k", 0, "K", "keep the K likeliest", false},    \
        {"top-p", 0, "P", "keep the likeliest that sum to P", false},                             \
        {"min-p", 0, "P", "keep those at least P times as likely as the best", false},            \
        {"typical", 0, "P", "keep the least surprising that sum to P", false},                    \
        {"repeat-penalty", 0, "R", "divide what stands among the last 64 tokens by R", false},    \
        {"presence-penalty", 0, "X", "subtract X once from what stands there", false},            \
        {"frequency-penalty", 0, "X", "subtract X as often as it stands there", false},           \
        {"dry-multiplier", 0, "M", "against repeating whole phrases; 0.8 is usual", false},       \
        {"seed", 0, "S", "same seed, build and kernels: same answer", false}, {                   \
        "stop", 0, "TEXT", "end before this text; give several", true                             \
    }

#endif

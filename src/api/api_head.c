/* api_head.c - lines that stand in the head of answers, whoever sends them. */
#include "api/api_int.h"

#include "base/clock.h"

#include <stdio.h>

void api_put_duration(api_call *c) {
    char text[24];
    int n = snprintf(text, sizeof text, "%lld",
                     (long long)((clock_mono_ns() - c->rq->start_ns) / 1000000));
    http_reply_header(c->rp, "openai-processing-ms", (str){text, (size_t)n});
}

void api_put_safety(http_reply *rp) {
    http_reply_lines(rp, STR("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"));
}

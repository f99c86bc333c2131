/* stream.c - see stream.h. */
#include "app/stream.h"

#include "app/out.h"
#include "app/stop.h"

#include <math.h>
#include <stdio.h>

err stream_put(void *self, const gen_event *event, fail *f) {
    stream *s = self;
    str shown = s->terminal ? out_safe(s->arena, event->text, false) : event->text;
    fwrite(shown.p, 1, shown.n, stdout);
    buf_put(&s->text, event->text);
    if (stop_wanted()) return fail_set(f, E_CANCELLED, "stopped");
    return out_flush(f);
}

void stream_print_timings(const gen_reply *r) {
    const gen_timings *t = &r->timings;
    fprintf(stderr, "%sprompt %lld tokens", out_err_dim(), (long long)r->prompt_tokens);
    if (t->known_tokens > 0) fprintf(stderr, " (%lld known)", (long long)t->known_tokens);
    if (!isnan(t->prefill_tok_s)) fprintf(stderr, " at %.1f a second", t->prefill_tok_s);
    if (!isnan(t->first_token_ms)) fprintf(stderr, ", first token %.0f ms", t->first_token_ms);
    fprintf(stderr, "; answer %lld tokens", (long long)r->completion_tokens);
    if (!isnan(t->decode_tok_s)) fprintf(stderr, " at %.1f a second", t->decode_tok_s);
    fprintf(stderr, "%s\n", out_err_plain());
}

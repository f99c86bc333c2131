/* said.h - what a sequence said, read to its end: for the tests of the engine. */
#ifndef BANTAM_TEST_ENGINE_SAID_H
#define BANTAM_TEST_ENGINE_SAID_H

#include "engine/engine.h"
#include "test.h"

enum { WAIT_MS = 60000, IDS = 256 };

typedef struct said {
    int32_t ids[IDS];
    float logprobs[IDS];
    int n;
    engine_finish finish;
    char text[4096];
} said;

static inline engine_sequence *said_submit(engine *e, const engine_ask *a) {
    fail f = {0};
    engine_sequence *s = NULL;
    assert_ok(engine_submit(e, a, &s, &f), &f);
    return s;
}

static inline void said_read(engine_sequence *s, said *out) {
    fail f = {0};
    engine_event ev;
    size_t at = 0;
    memset(out, 0, sizeof *out);
    do {
        assert_ok(engine_next(s, WAIT_MS, &ev, &f), &f);
        assert_true(at + ev.text.n < sizeof out->text);
        memcpy(out->text + at, ev.text.p, ev.text.n);
        at += ev.text.n;
        if (ev.id == TOKEN_NONE) break;
        out->logprobs[out->n] = ev.logprob;
        out->ids[out->n++] = ev.id;
    } while (true);
    out->finish = ev.finish;
    assert_int_equal(engine_next(s, 0, &ev, &f), E_INPUT);
}

static inline void said_run(engine *e, const engine_ask *a, said *out) {
    engine_sequence *s = said_submit(e, a);
    said_read(s, out);
    engine_release(s);
}

#endif

/* serve_telemetry.c - see serve_telemetry.h. */
#include "app/serve_telemetry.h"

#include "app/home.h"
#include "base/log.h"
#include "net/url.h"

#include <stdio.h>

enum { FLUSH_MS = 3000 }; /* at the end; a collector that does not answer may not keep us */

static err read_log(const cli *c, serve_telemetry *t, fail *f) {
    bool json = str_is(str_from(cli_value(c, "log-format")), "json"); /* the table knows no third */
    t->log_content = cli_flag(c, "log-content");
    if (t->log_content && !json)
        return fail_set(f, E_USAGE, "--log-content goes with --log-format json");
    t->log_requests = json;
    if (json) log_set_form(LOG_AS_JSON);
    return E_OK;
}

err serve_telemetry_read(const cli *c, serve_telemetry *t, fail *f) {
    TRY(read_log(c, t, f));
    TRY(otel_settings_read(c->arena, cli_value(c, "otlp"), home_env, NULL, &t->settings, f));
    t->content = cli_flag(c, "otlp-content");
    if (t->content && !t->settings.traces_url)
        return fail_set(f, E_USAGE, "--otlp-content goes with --otlp URL");
    return E_OK;
}

/* On the exporter's thread. */
static void measure(void *self, buf *out) {
    serve_telemetry *t = self;
    arena a;
    mutex_lock(&t->lock);
    if (t->api) {
        arena_init(&a, 0);
        if (api_metrics_put(t->api, &a, out, NULL) != E_OK) buf_reset(out);
        arena_deinit(&a);
    } else {
        buf_put(out, buf_str(&t->kept));
    }
    mutex_unlock(&t->lock);
}

err serve_telemetry_open(serve_telemetry *t, str version, fail *f) {
    mutex_init(&t->lock);
    if (!t->settings.traces_url && !t->settings.metrics_url) return E_OK;
    return otel_open(
        &t->otel,
        &(otel_options){.settings = t->settings, .version = version, .measure = measure, .self = t},
        f);
}

void serve_telemetry_options(const serve_telemetry *t, api_options *o) {
    o->otel = t->otel;
    o->otel_content = t->content;
    o->log_requests = t->log_requests;
    o->log_content = t->log_content;
}

void serve_telemetry_start(serve_telemetry *t, api *a) {
    mutex_lock(&t->lock);
    t->api = a;
    mutex_unlock(&t->lock);
}

void serve_telemetry_print(const serve_telemetry *t) {
    const char *to = t->settings.traces_url ? t->settings.traces_url : t->settings.metrics_url;
    arena a;
    if (!t->otel) return;
    arena_init(&a, 0);
    printf("Telemetry goes to %.*s, %s.\n", STR_ARG(url_public(&a, str_from(to))),
           t->content ? "with questions and answers (--otlp-content)"
                      : "without questions and answers");
    arena_deinit(&a);
    fflush(stdout);
}

void serve_telemetry_hold(serve_telemetry *t) {
    if (t->otel) serve_telemetry_start(t, NULL);
}

void serve_telemetry_last(serve_telemetry *t, api *a) {
    arena mem;
    if (!t->otel || !a) return;
    arena_init(&mem, 0);
    mutex_lock(&t->lock);
    if (api_metrics_put(a, &mem, &t->kept, NULL) != E_OK) buf_reset(&t->kept);
    mutex_unlock(&t->lock);
    arena_deinit(&mem);
}

void serve_telemetry_close(serve_telemetry *t) {
    otel_close(t->otel, FLUSH_MS);
    t->otel = NULL;
    buf_deinit(&t->kept);
}

/* serve_option.c - see serve_option.h. */
#include "app/serve_option.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const serve_option table[] = {
    {.name = "config",
     .value = "FILE",
     .help = "read settings from this YAML file",
     .usual = "bantam.yaml in $BANTAM_HOME, where there is one",
     .kind = SERVE_TEXT,
     .no_file = true},
    {.name = "port",
     .letter = 'p',
     .value = "P",
     .help = "port to listen on",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 65535,
     .fallback = "8088"},
    {.name = "host",
     .value = "ADDRESS",
     .help = "address to listen on; any other needs keys or users, and TLS",
     .kind = SERVE_TEXT,
     .fallback = "127.0.0.1"},
    {.name = "listen",
     .value = "unix:PATH",
     .help = "a UNIX socket (repeat); beside TCP only where host or port is said, too",
     .usual = "none",
     .kind = SERVE_UNIX,
     .many = true},
    {.name = "tls-cert",
     .value = "FILE",
     .help = "speak TLS with this certificate and its chain (PEM)",
     .usual = "no TLS",
     .kind = SERVE_TEXT,
     .live = true},
    {.name = "tls-key",
     .value = "FILE",
     .help = "the certificate's private key (PEM)",
     .usual = "no TLS",
     .kind = SERVE_TEXT,
     .live = true},
    {.name = "key",
     .value = "SECRET",
     .help = "one key that may everything; bantam key add makes better ones",
     .usual = "none",
     .kind = SERVE_TEXT,
     .secret = true,
     .env = "BANTAM_KEY",
     .live = true},
    {.name = "require-auth",
     .help = "ask for a key or a login on loopback, too",
     .kind = SERVE_FLAG,
     .fallback = "false"},
    {.name = "behind-proxy",
     .help = "all comes through a proxy that speaks TLS and adds X-Forwarded-For",
     .kind = SERVE_FLAG,
     .fallback = "false"},
    {.name = "insecure-no-auth",
     .help = "ask for nothing, wherever it is reached from",
     .kind = SERVE_FLAG,
     .fallback = "false"},
    {.name = "insecure-no-tls",
     .help = "other machines may send keys in the clear",
     .kind = SERVE_FLAG,
     .fallback = "false"},
    {.name = "cors-origin",
     .value = "ORIGIN",
     .help = "pages of https://NAME may call this server (repeat)",
     .usual = "none",
     .kind = SERVE_ORIGIN,
     .many = true,
     .live = true},
    {.name = "allow-host",
     .value = "NAME",
     .help = "further Host names that browsers may use (repeat)",
     .usual = "none",
     .kind = SERVE_TEXT,
     .many = true,
     .live = true},
    {.name = "task",
     .value = "NAME|FILE",
     .help = "serve this task (repeat for more)",
     .usual = "every task found",
     .kind = SERVE_TEXT,
     .many = true},
    {.name = "memory",
     .value = "SIZE",
     .help = "that models may take, as 6GiB",
     .usual = "three quarters of all",
     .kind = SERVE_BYTES,
     .min = 1 << 20,
     .live = true},
    {.name = "keep-alive",
     .value = "TIME",
     .help = "unload a model that was idle for 5m, 1h",
     .kind = SERVE_TIME,
     .fallback = "never",
     .live = true},
    {.name = "alias",
     .value = "NAME=MODEL",
     .help = "answer to another name (repeat)",
     .usual = "none",
     .kind = SERVE_PAIR,
     .many = true,
     .live = true},
    {.name = "adapter",
     .value = "NAME=PATH",
     .help = "a LoRA adapter, asked for as MODEL+NAME (repeat)",
     .usual = "those in $BANTAM_HOME/adapters",
     .kind = SERVE_PAIR,
     .many = true},
    {.name = "parallel",
     .value = "N",
     .help = "requests that one model answers at once",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 128,
     .usual = "16"},
    {.name = "queue",
     .value = "N",
     .help = "requests that wait behind them; more get 429",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 4096,
     .usual = "64"},
    {.name = "isolate-tenants",
     .value = "on|off",
     .help = "known prefixes stay within a tenant",
     .kind = SERVE_SWITCH,
     .fallback = "on"},
    {.name = "kern",
     .value = "NAME",
     .help = "numeric kernels: f32, ref, avx2 or avx512",
     .usual = "the best that runs here",
     .kind = SERVE_TEXT},
    {.name = "int8",
     .help = "multiply encoders' matrices of floats in int8: faster",
     .kind = SERVE_FLAG,
     .fallback = "false"},
    {.name = "kv",
     .value = "f32|f16|q8",
     .help = "type of keys and values",
     .kind = SERVE_WORD,
     .fallback = "f16"},
    {.name = "threads",
     .letter = 't',
     .value = "N",
     .help = "compute threads",
     .kind = SERVE_NUMBER,
     .min = 0,
     .max = 256,
     .usual = "the cores there are"},
    {.name = "connections",
     .value = "N",
     .help = "connections that may be open at once",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 1000000,
     .usual = "16384, or as many as the files that may be open"},
    {.name = "drain",
     .value = "SECONDS",
     .help = "how long requests may go on after SIGTERM",
     .kind = SERVE_NUMBER,
     .max = 3600,
     .fallback = "5",
     .live = true},
    {.name = "drain-notice",
     .value = "SECONDS",
     .help = "after SIGTERM, say so at /ready for so long and go on answering",
     .kind = SERVE_NUMBER,
     .max = 600,
     .fallback = "0",
     .live = true},
    {.name = "workers",
     .value = "N",
     /* the usual is above what an engine runs and lets wait, so that its queue decides */
     .help = "requests at once; as many wait, and more get 503",
     .kind = SERVE_NUMBER,
     .min = 2,
     .max = 1024,
     .fallback = "128"},
    {.name = "body-max",
     .value = "SIZE",
     .help = "of a request's body, but for /v1/files; above: 413",
     .kind = SERVE_BYTES,
     .min = 1 << 10,
     .fallback = "4MiB",
     .live = true},
    {.name = "header-timeout",
     .value = "SECONDS",
     .help = "for a request's head to arrive; then 408",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 3600,
     .fallback = "10",
     .live = true},
    {.name = "body-timeout",
     .value = "SECONDS",
     .help = "for a request's body to arrive; then 408",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 3600,
     .fallback = "60",
     .live = true},
    {.name = "idle-timeout",
     .value = "SECONDS",
     .help = "of a connection between requests; then it is closed",
     .kind = SERVE_NUMBER,
     .min = 1,
     .max = 86400,
     .fallback = "75",
     .live = true},
    {.name = "sse-ping",
     .value = "SECONDS",
     .help = "of silence in a stream of events, then a comment line; 0: none",
     .kind = SERVE_NUMBER,
     .max = 3600,
     .fallback = "15",
     .live = true},
    {.name = "log-level",
     .value = "error|warn|info|debug",
     .help = "what is written to stderr",
     .kind = SERVE_WORD,
     .fallback = "info",
     .live = true},
    {.name = "log-format",
     .value = "text|json",
     .help = "json: one object a line, and one for each request",
     .kind = SERVE_WORD,
     .fallback = "text"},
    {.name = "log-content",
     .help = "the questions as they are in the lines of requests",
     .kind = SERVE_FLAG,
     .fallback = "false"},
    {.name = "otlp",
     .value = "URL|off",
     .help = "send traces and metrics to this OpenTelemetry collector",
     .usual = "what the OTEL_ variables say, else none",
     .kind = SERVE_TEXT},
    {.name = "otlp-content",
     .help = "send questions and answers, too",
     .kind = SERVE_FLAG,
     .fallback = "false"},
};
enum { ROWS = sizeof table / sizeof *table };
_Static_assert((int)ROWS <= (int)CLI_OPTIONS_MAX, "CLI_OPTIONS_MAX is too small");

/* ---- the rows ---- */

size_t serve_option_count(void) {
    return ROWS;
}

const serve_option *serve_option_at(size_t index) {
    return index < ROWS ? &table[index] : NULL;
}

const serve_option *serve_option_find(const char *name) {
    size_t i = 0;
    while (i < ROWS && strcmp(table[i].name, name) != 0) i++;
    CHECK(i < ROWS); /* there is a setting of that name */
    return &table[i];
}

const char *serve_option_env(const serve_option *o, char out[SERVE_ENV_BYTES]) {
    if (o->env) return o->env;
    size_t n = (size_t)snprintf(out, SERVE_ENV_BYTES, "BANTAM_SERVE_%s", o->name);
    CHECK(n < SERVE_ENV_BYTES);
    for (char *p = out; *p; p++) *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    return out;
}

/* Help and default in one line. */
static const char *help_of(size_t index) {
    static char text[ROWS][200];
    const serve_option *o = &table[index];
    const char *usual = o->fallback && o->kind != SERVE_FLAG ? o->fallback : o->usual;
    int n = usual ? snprintf(text[index], sizeof *text, "%s (default: %s)", o->help, usual)
                  : snprintf(text[index], sizeof *text, "%s", o->help);
    CHECK(n > 0 && (size_t)n < sizeof *text);
    return text[index];
}

static cli_option row_of(size_t index) {
    const serve_option *o = &table[index];
    return (cli_option){o->name, o->letter, o->value, help_of(index), o->many};
}

const cli_option *serve_option_rows(size_t *n) {
    static cli_option rows[ROWS];
    *n = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (!table[i].secret) rows[(*n)++] = row_of(i);
    return rows;
}

const cli_verb *serve_option_verb(void) {
    static cli_option rows[ROWS];
    static const cli_verb verb = {.name = "serve", .options = rows, .n_options = ROWS};
    for (size_t i = 0; i < ROWS; i++) rows[i] = row_of(i);
    return &verb;
}

/* ---- values ---- */

typedef struct unit {
    const char *name;
    double factor;
} unit;

/* A number and one of the units; false: neither. "" among the units: none is fine. */
static bool read_unit(str text, const unit *units, size_t n, double *out) {
    char number[64];
    size_t digits = 0;
    while (digits < text.n && strchr("0123456789.", text.p[digits])) digits++;
    if (digits == 0 || digits >= sizeof number) return false;
    memcpy(number, text.p, digits);
    number[digits] = 0;
    str rest = str_trim(str_slice(text, digits, text.n));
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(rest, str_from(units[i].name))) {
            char *end;
            *out = strtod(number, &end) * units[i].factor;
            return !*end && isfinite(*out);
        }
    return false;
}

bool serve_bytes_of(str text, int64_t *out) {
    static const unit units[] = {
        {"", 1},     {"k", 1024}, {"m", 1048576}, {"g", 1073741824}, {"kb", 1e3},
        {"mb", 1e6}, {"gb", 1e9}, {"kib", 1024},  {"mib", 1048576},  {"gib", 1073741824}};
    double bytes;
    if (!read_unit(text, units, sizeof units / sizeof *units, &bytes) || bytes > 1e15) return false;
    *out = (int64_t)bytes;
    return true;
}

bool serve_time_of(str text, int64_t *out) {
    static const unit units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}};
    double ms = 0;
    bool never = str_is(text, "never");
    if (!never &&
        (!read_unit(text, units, sizeof units / sizeof *units, &ms) || ms < 1 || ms > 1e12))
        return false;
    *out = (int64_t)ms;
    return true;
}

static bool is_word_of(const char *words, str text) {
    str rest = str_from(words);
    while (rest.p)
        if (str_eq(str_cut(&rest, '|'), text)) return true;
    return false;
}

static bool number_ok(const serve_option *o, str text, char wanted[SERVE_WANTED_BYTES]) {
    int64_t v;
    snprintf(wanted, SERVE_WANTED_BYTES, "a whole number from %lld to %lld", (long long)o->min,
             (long long)o->max);
    return str_to_int(text, &v) && v >= o->min && v <= o->max;
}

static bool bytes_ok(const serve_option *o, str text, char wanted[SERVE_WANTED_BYTES]) {
    int64_t v;
    bool mib = o->min >= 1 << 20;
    snprintf(wanted, SERVE_WANTED_BYTES, "a size from %lld %s on, such as 6GiB",
             (long long)(mib ? o->min >> 20 : o->min >> 10), mib ? "MiB" : "KiB");
    return serve_bytes_of(text, &v) && v >= o->min;
}

static bool pair_ok(str text) {
    size_t at = str_find_char(text, '=');
    return at != STR_INDEX_NONE && at > 0 && at + 1 < text.n;
}

/* "https://name[:port]": what a browser sends as Origin, and nothing a browser never sends. */
static bool origin_ok(str s) {
    str scheme = str_starts(s, STR("https://")) ? STR("https://") : STR("http://");
    if (!str_starts(s, scheme)) return false;
    str rest = str_slice(s, scheme.n, s.n);
    for (size_t i = 0; i < rest.n; i++)
        if (strchr("/?#*@ \\", rest.p[i]) || rest.p[i] <= ' ') return false;
    return rest.n > 0;
}

bool serve_option_takes(const serve_option *o, str text, char wanted[SERVE_WANTED_BYTES]) {
    int64_t ms;
    switch (o->kind) {
    case SERVE_FLAG:
        snprintf(wanted, SERVE_WANTED_BYTES, "true or false");
        return is_word_of("true|false", text);
    case SERVE_SWITCH:
        snprintf(wanted, SERVE_WANTED_BYTES, "on or off");
        return is_word_of("on|off", text);
    case SERVE_WORD:
        snprintf(wanted, SERVE_WANTED_BYTES, "one of %s", o->value);
        return is_word_of(o->value, text);
    case SERVE_NUMBER: return number_ok(o, text, wanted);
    case SERVE_BYTES: return bytes_ok(o, text, wanted);
    case SERVE_TIME:
        snprintf(wanted, SERVE_WANTED_BYTES, "a time, such as 5m, 1h or never");
        return serve_time_of(text, &ms);
    case SERVE_PAIR: snprintf(wanted, SERVE_WANTED_BYTES, "%s", o->value); return pair_ok(text);
    case SERVE_UNIX:
        snprintf(wanted, SERVE_WANTED_BYTES, "unix:/PATH");
        return str_starts(text, STR("unix:/")) && text.n > 6;
    case SERVE_ORIGIN:
        snprintf(wanted, SERVE_WANTED_BYTES,
                 "https://NAME or https://NAME:PORT, without a path (there is no \"all\")");
        return origin_ok(text);
    case SERVE_TEXT: break;
    }
    snprintf(wanted, SERVE_WANTED_BYTES, "a text");
    return text.n > 0;
}

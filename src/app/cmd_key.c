/* cmd_key.c - bantam key add, list, revoke, rotate. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "base/clock.h"

#include <stdio.h>

/* "90d", "12h", "30m" */
static err read_span(const cli *c, const char *option, int64_t *ms, fail *f) {
    str text = str_from(cli_value(c, option));
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    int64_t n = 0;
    *ms = 0;
    if (!text.n) return E_OK;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (text.p[text.n - 1] == units[i].unit && str_to_int(str_slice(text, 0, text.n - 1), &n) &&
            n > 0 && n <= 36500) {
            *ms = n * units[i].ms;
            return E_OK;
        }
    return fail_set(f, E_USAGE, "--%s must be a number with d, h or m behind it, not \"%.*s\"",
                    option, STR_ARG(text));
}

static err show_secret(const cli *c, str name, str secret, fail *f) {
    buf b = {0};
    json_writer j = {.out = &b};
    if (!cli_flag(c, "json")) {
        printf("%.*s\n", STR_ARG(secret));
        fprintf(stderr, "This is the key \"%.*s\". It is shown once; only its hash is kept.\n",
                STR_ARG(name));
        return E_OK;
    }
    json_begin_object(&j);
    json_field_text(&j, "name", name);
    json_field_text(&j, "key", secret);
    json_end_object(&j);
    return out_json(&b, f);
}

/* ---- verbs ---- */

static err add(const cli *c, world *w, fail *f) {
    str secret;
    int64_t span_ms;
    who_key_new key = {.name = str_from(c->args[0]),
                       .scopes = str_from(cli_value(c, "scope")),
                       .tenant = str_from(cli_value(c, "tenant")),
                       .by = str_from(out_user())};
    TRY(read_span(c, "expires", &span_ms, f));
    TRY(cli_int(c, "rpm", 0, 1, WHO_RATE_MAX, &key.rpm, f));
    TRY(cli_int(c, "tpm", 0, 1, WHO_RATE_MAX, &key.tpm, f));
    key.expires_ms = span_ms ? clock_now_ms() + span_ms : 0;
    TRY(who_key_add(w->who, &key, c->arena, &secret, f));
    return show_secret(c, key.name, secret, f);
}

static err rotate(const cli *c, world *w, fail *f) {
    str secret, name = str_from(c->args[0]);
    int64_t overlap_ms;
    TRY(read_span(c, "overlap", &overlap_ms, f));
    TRY(who_key_rotate(w->who, name, overlap_ms, str_from(out_user()), c->arena, &secret, f));
    return show_secret(c, name, secret, f);
}

static err revoke(const cli *c, world *w, fail *f) {
    TRY(who_key_revoke(w->who, str_from(c->args[0]), str_from(out_user()), f));
    printf("the key \"%s\" opens nothing any more\n", c->args[0]);
    return E_OK;
}

static const char *state_of(const who_key *k) {
    if (k->revoked_ms) return "revoked";
    return k->expires_ms && k->expires_ms <= clock_now_ms() ? "expired" : "in use";
}

static void put_key(json_writer *j, const who_key *k) {
    json_begin_object(j);
    json_field_text(j, "name", k->name);
    json_field_text(j, "begins_with", k->hint);
    json_field_str(j, "state", str_from(state_of(k)));
    json_field_text(j, "scopes", k->scope_words);
    json_field_text(j, "tenant", k->tenant);
    json_field_int(j, "rpm", k->rpm);
    json_field_int(j, "tpm", k->tpm);
    json_field_int(j, "created_ms", k->created_ms);
    json_field_text(j, "created_by", k->created_by);
    json_field_int(j, "expires_ms", k->expires_ms);
    json_field_int(j, "used_ms", k->used_ms);
    json_end_object(j);
}

static void print_key(const who_key *k) {
    char used[32] = "never", ends[32] = "never";
    if (k->used_ms) out_time(k->used_ms, used);
    if (k->expires_ms) out_time(k->expires_ms, ends);
    printf("%-20.*s %-9.*s %-8s %-24.*s used %-13s ends %-13s", STR_ARG(k->name), STR_ARG(k->hint),
           state_of(k), STR_ARG(k->scope_words), used, ends);
    if (k->rpm) printf(" %lld requests/min", (long long)k->rpm);
    if (k->tpm) printf(" %lld tokens/min", (long long)k->tpm);
    if (k->tenant.n) printf(" tenant %.*s", STR_ARG(k->tenant));
    printf("\n");
}

static err list(const cli *c, world *w, fail *f) {
    who_key *all;
    size_t n;
    TRY(who_key_list(w->who, c->arena, &all, &n, f));
    if (!cli_flag(c, "json")) {
        for (size_t i = 0; i < n; i++) print_key(&all[i]);
        if (!n) printf("there are no keys; bantam key add NAME makes one\n");
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    out_list_begin(&j, "keys");
    for (size_t i = 0; i < n; i++) put_key(&j, &all[i]);
    out_list_end(&j);
    return out_json(&b, f);
}

static err run_add(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, add, f);
}
static err run_rotate(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, rotate, f);
}
static err run_revoke(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, revoke, f);
}
static err run_list(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, list, f);
}

static const cli_option add_options[] = {
    {"scope", 0, "A,B", "chat, embed, files, task, review, record, metrics, admin (chat,embed)",
     false},
    {"expires", 0, "90d", "ends after so many d, h or m (default: never)", false},
    {"rpm", 0, "N", "requests a minute (default: no limit)", false},
    {"tpm", 0, "N", "tokens a minute (default: no limit)", false},
    {"tenant", 0, "T", "whose requests these are", false},
    CLI_JSON_OPTION};
static const cli_option rotate_options[] = {
    {"overlap", 0, "24h", "the old one works on for so long (default: it ends now)", false},
    CLI_JSON_OPTION};
static const cli_option list_options[] = {CLI_JSON_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"key add", "NAME", "make an API key; it is shown once",
     "  bantam key add website --scope chat --expires 90d --rpm 600\n", OPTIONS(add_options), 1, 1,
     run_add},
    {"key list", "", "show the keys, when they were used, what they may", "  bantam key list\n",
     OPTIONS(list_options), 0, 0, run_list},
    {"key rotate", "NAME", "give a key another secret",
     "  bantam key rotate website --overlap 24h\n", OPTIONS(rotate_options), 1, 1, run_rotate},
    {"key revoke", "NAME", "end a key at once", "  bantam key revoke website\n", NULL, 0, 1, 1,
     run_revoke},
};

cmd_group cmd_key(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

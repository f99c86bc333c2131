/* cmd_user.c - bantam user add, list, remove, role, password, events. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/secret.h"
#include "app/world.h"
#include "who/who_event.h"

#include <stdio.h>

enum { EVENTS_SHOWN = 30 };

static err read_role(str name, who_role *out, fail *f) {
    if (who_role_of(name, out)) return E_OK;
    fail_set(f, E_USAGE, "\"%.*s\" is no role", STR_ARG(str_slice(name, 0, 40)));
    return fail_hint(f,
                     "roles are viewer, reviewer, lead and admin; docs/api.md says what each may");
}

static err read_password(const cli *c, str *out, fail *f) {
    return cli_flag(c, "password-stdin") ? secret_read(c->arena, out, f)
                                         : secret_ask(c->arena, "Password", true, out, f);
}

static err add(const cli *c, world *w, fail *f) {
    str password, name = str_from(c->args[0]), role_name = str_from(cli_value(c, "role"));
    who_role role = WHO_VIEWER;
    if (role_name.n) TRY(read_role(role_name, &role, f));
    TRY(read_password(c, &password, f));
    TRY(who_user_add(w->who, name, password, role, str_from(out_user()), f));
    printf("%s may log in as %s\n", c->args[0], who_role_name(role));
    return E_OK;
}

static err remove_user(const cli *c, world *w, fail *f) {
    TRY(who_user_remove(w->who, str_from(c->args[0]), str_from(out_user()), f));
    printf("%s is removed and logged out\n", c->args[0]);
    return E_OK;
}

static err set_role(const cli *c, world *w, fail *f) {
    who_role role;
    TRY(read_role(str_from(c->args[1]), &role, f));
    TRY(who_user_set_role(w->who, str_from(c->args[0]), role, str_from(out_user()), f));
    printf("%s is %s from now on, and logs in anew\n", c->args[0], who_role_name(role));
    return E_OK;
}

static err set_password(const cli *c, world *w, fail *f) {
    str password;
    TRY(read_password(c, &password, f));
    TRY(who_user_set_password(w->who, str_from(c->args[0]), password, str_from(out_user()), f));
    printf("the password of %s is changed, and every session of theirs ended\n", c->args[0]);
    return E_OK;
}

/* ---- lists ---- */

static void put_user(json_writer *j, const who_user *u) {
    json_begin_object(j);
    json_field_text(j, "name", u->name);
    json_field_str(j, "role", str_from(who_role_name(u->role)));
    json_field_int(j, "created_ms", u->created_ms);
    json_field_int(j, "changed_ms", u->changed_ms);
    json_field_int(j, "login_ms", u->seen_ms);
    json_end_object(j);
}

static void print_user(const who_user *u) {
    char seen[32] = "never";
    if (u->seen_ms) out_time(u->seen_ms, seen);
    printf("%-24.*s %-9s last login %s\n", STR_ARG(u->name), who_role_name(u->role), seen);
}

static err list(const cli *c, world *w, fail *f) {
    who_user *all;
    size_t n;
    TRY(who_user_list(w->who, c->arena, &all, &n, f));
    if (!cli_flag(c, "json")) {
        for (size_t i = 0; i < n; i++) print_user(&all[i]);
        if (!n) printf("there are no users; bantam user add NAME --role admin makes one\n");
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    out_list_begin(&j, "users");
    for (size_t i = 0; i < n; i++) put_user(&j, &all[i]);
    out_list_end(&j);
    return out_json(&b, f);
}

static void put_event(json_writer *j, const who_event *e) {
    json_begin_object(j);
    json_field_int(j, "id", e->id);
    json_field_int(j, "at_ms", e->at_ms);
    json_field_text(j, "what", e->what);
    json_field_text(j, "by", e->by);
    json_field_text(j, "target", e->target);
    json_field_text(j, "address", e->address);
    json_field_text(j, "detail", e->detail);
    json_end_object(j);
}

static void print_event(arena *a, const who_event *e) {
    char when[32];
    out_time(e->at_ms, when);
    printf("%s  %-17.*s %-20.*s %-16.*s by %.*s %.*s\n", when, STR_ARG(e->what),
           STR_ARG(out_safe(a, e->target, true)), STR_ARG(e->detail),
           STR_ARG(e->by.n ? out_safe(a, e->by, true) : STR("nobody known")), STR_ARG(e->address));
}

static err print_check(const who_event_check *check, fail *f) {
    if (!check->bad) {
        printf("%lld events, their chain is whole; it ends with %.*s\n", (long long)check->rows,
               STR_ARG(check->head));
        return E_OK;
    }
    return fail_set(f, E_CORRUPT,
                    "%lld of %lld events were altered, or stand beside one taken out; the first "
                    "is %lld",
                    (long long)check->bad, (long long)check->rows, (long long)check->first_bad);
}

static err events(const cli *c, world *w, fail *f) {
    who_event *all;
    size_t n;
    int64_t limit;
    who_event_check check;
    TRY(cli_int(c, "limit", EVENTS_SHOWN, 1, WHO_KEYS_MAX, &limit, f));
    if (cli_flag(c, "verify")) {
        TRY(who_event_verify(w->who, c->arena, &check, f));
        return print_check(&check, f);
    }
    TRY(who_event_list(w->who, limit, c->arena, &all, &n, f));
    if (!cli_flag(c, "json")) {
        for (size_t i = n; i-- > 0;) print_event(c->arena, &all[i]);
        if (!n) printf("nothing happened yet\n");
        return E_OK;
    }
    buf b = {0};
    json_writer j = {.out = &b};
    out_list_begin(&j, "events");
    for (size_t i = 0; i < n; i++) put_event(&j, &all[i]);
    out_list_end(&j);
    return out_json(&b, f);
}

static err run_add(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, add, f);
}
static err run_remove(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, remove_user, f);
}
static err run_role(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, set_role, f);
}
static err run_password(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, set_password, f);
}
static err run_list(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, list, f);
}
static err run_events(const cli *c, fail *f) {
    return world_run(c, WORLD_STORE, events, f);
}

#define STDIN_OPTION \
    { "password-stdin", 0, NULL, "take it from standard input, not from a prompt", false }
static const cli_option add_options[] = {
    {"role", 0, "ROLE", "viewer, reviewer, lead or admin (default viewer)", false}, STDIN_OPTION};
static const cli_option password_options[] = {STDIN_OPTION};
static const cli_option list_options[] = {CLI_JSON_OPTION};
static const cli_option event_options[] = {
    {"verify", 0, NULL, "check that no event was altered or taken out", false},
    {"limit", 0, "N", "the last N (default 30)", false},
    CLI_JSON_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"user add", "NAME", "let a person log in to the page",
     "From the first user on the page asks for a login, on this machine as well.\n\n"
     "  bantam user add ann --role reviewer\n",
     OPTIONS(add_options), 1, 1, run_add},
    {"user list", "", "show who may log in", "  bantam user list\n", OPTIONS(list_options), 0, 0,
     run_list},
    {"user role", "NAME ROLE", "change what a person may", "  bantam user role ann lead\n", NULL, 0,
     2, 2, run_role},
    {"user password", "NAME", "give a person another password; their sessions end",
     "  bantam user password ann\n", OPTIONS(password_options), 1, 1, run_password},
    {"user remove", "NAME", "take a person's login away", "  bantam user remove ann\n", NULL, 0, 1,
     1, run_remove},
    {"user events", "", "show logins and changes of keys, users and roles",
     "  bantam user events --verify\n", OPTIONS(event_options), 0, 0, run_events},
};

cmd_group cmd_user(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

/* who_role.c - see who_role.h. */
#include "who/who_role.h"

typedef struct action_row {
    const char *name, *scope;
    bool may[WHO_ROLE_COUNT];
} action_row;

static const action_row actions[WHO_ACTION_COUNT] = {
#define X(action, name, viewer, reviewer, lead, admin, scope) \
    [action] = {name, scope, {viewer, reviewer, lead, admin}},
    WHO_ACTION_TABLE(X)
#undef X
};

static const char *const roles[WHO_ROLE_COUNT] = {"viewer", "reviewer", "lead", "admin"};

/* bit i of who_scopes; the first covers all */
static const char *const scopes[] = {"admin", "chat",   "embed",  "files",
                                     "task",  "review", "record", "metrics"};
enum { SCOPE_COUNT = sizeof scopes / sizeof *scopes };

const char *who_action_name(who_action action) {
    return actions[action].name;
}
const char *who_action_scope(who_action action) {
    return actions[action].scope;
}
const char *who_role_name(who_role role) {
    return roles[role];
}

bool who_role_of(str name, who_role *out) {
    for (int i = 0; i < WHO_ROLE_COUNT; i++)
        if (str_is(name, roles[i])) {
            *out = (who_role)i;
            return true;
        }
    return false;
}

bool who_role_may(who_role role, who_action action) {
    return actions[action].may[role];
}

static who_scopes scope_bit(str name) {
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        if (str_is(name, scopes[i])) return 1u << i;
    return 0;
}

bool who_scopes_of(str list, who_scopes *out, str *bad) {
    who_scopes all = 0;
    while (list.p) {
        str word = str_trim(str_cut(&list, ','));
        who_scopes bit = scope_bit(word);
        if (!bit) {
            *bad = word;
            return false;
        }
        all |= bit;
    }
    *out = all;
    return all != 0;
}

bool who_scopes_may(who_scopes have, who_action action) {
    const char *wanted = actions[action].scope;
    return (have & 1u) || !wanted[0] || (have & scope_bit(str_from(wanted)));
}

const char *who_scope_list(void) {
    return "chat, embed, files, task, review, record, metrics, admin";
}

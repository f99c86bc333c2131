/* who_role.h - one table: which role may do what, and which scope of a key covers it.
 *
 *   viewer    looks: models, tasks, the queue, the record, figures
 *   reviewer  and asks, answers what waits for people, gives a verdict
 *   lead      and corrects, takes back what was taught, approves replies, moves the switch
 *   admin     and the rest: keys and users, models in memory
 *
 * A route of the API carries one action. WHO_ADMIN is 0, so a route that names none is for admins
 * alone; WHO_OPEN needs nobody. Pure functions, any thread. */
#ifndef BANTAM_WHO_WHO_ROLE_H
#define BANTAM_WHO_WHO_ROLE_H

#include "base/str.h"

/* action, name, viewer, reviewer, lead, admin, scope */
#define WHO_ACTION_TABLE(X)                                 \
    X(WHO_ADMIN, "admin", 0, 0, 0, 1, "admin")              \
    X(WHO_OPEN, "open", 1, 1, 1, 1, "")                     \
    X(WHO_SELF, "self", 1, 1, 1, 1, "")                     \
    X(WHO_MODELS, "see models", 1, 1, 1, 1, "")             \
    X(WHO_CHAT, "chat", 0, 1, 1, 1, "chat")                 \
    X(WHO_EMBED, "embed", 0, 1, 1, 1, "embed")              \
    X(WHO_FILES, "files", 0, 1, 1, 1, "files")              \
    X(WHO_TASK_SEE, "see tasks", 1, 1, 1, 1, "chat")        \
    X(WHO_ASK, "ask a task", 0, 1, 1, 1, "chat")            \
    X(WHO_VERDICT, "give a verdict", 0, 1, 1, 1, "chat")    \
    X(WHO_TASK_CHANGE, "change a task", 0, 0, 1, 1, "task") \
    X(WHO_REVIEW_SEE, "see reviews", 1, 1, 1, 1, "review")  \
    X(WHO_REVIEW, "answer reviews", 0, 1, 1, 1, "review")   \
    X(WHO_CORRECT, "correct reviews", 0, 0, 1, 1, "task")   \
    X(WHO_RECORD, "see the record", 1, 1, 1, 1, "record")   \
    X(WHO_METRICS, "see metrics", 1, 1, 1, 1, "metrics")

typedef enum who_action {
#define X(action, name, viewer, reviewer, lead, admin, scope) action,
    WHO_ACTION_TABLE(X)
#undef X
        WHO_ACTION_COUNT
} who_action;

typedef enum who_role { WHO_VIEWER, WHO_REVIEWER, WHO_LEAD, WHO_ADMINISTRATOR } who_role;
enum { WHO_ROLE_COUNT = 4 };

const char *who_action_name(who_action action);
const char *who_action_scope(who_action action); /* "": any key */
const char *who_role_name(who_role role);        /* "viewer", "reviewer", "lead", "admin" */
bool who_role_of(str name, who_role *out);
bool who_role_may(who_role role, who_action action);

/* Scopes as bits. Scope "admin" covers every action. */
typedef uint32_t who_scopes;
/* "chat,embed" -> bits; a word that is no scope is left in *bad. */
bool who_scopes_of(str list, who_scopes *out, str *bad);
bool who_scopes_may(who_scopes scopes, who_action action);
const char *who_scope_list(void); /* all, for help: "chat, embed, ..." */

#endif

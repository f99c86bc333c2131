/* t_who_role.c - tests who/who_role.c: the table of roles and actions, cell by cell. What is wanted
 * is written out here as docs/api.md says it, not taken from the table. */
#include "test.h"

#include "who/who_role.h"

/* action, scope, then what viewer, reviewer, lead and admin may: "-" or "x" */
static const struct {
    who_action action;
    const char *scope, *may;
} wanted[] = {
    {WHO_ADMIN, "admin", "---x"},
    {WHO_OPEN, "", "xxxx"},
    {WHO_SELF, "", "xxxx"},
    {WHO_MODELS, "", "xxxx"},
    {WHO_CHAT, "chat", "-xxx"},
    {WHO_EMBED, "embed", "-xxx"},
    {WHO_FILES, "files", "-xxx"},
    {WHO_TASK_SEE, "chat", "xxxx"},
    {WHO_ASK, "chat", "-xxx"},
    {WHO_VERDICT, "chat", "-xxx"},
    {WHO_TASK_CHANGE, "task", "--xx"},
    {WHO_REVIEW_SEE, "review", "xxxx"},
    {WHO_REVIEW, "review", "-xxx"},
    {WHO_CORRECT, "task", "--xx"},
    {WHO_RECORD, "record", "xxxx"},
    {WHO_METRICS, "metrics", "xxxx"},
};

static void each_cell_of_the_roles(void **state) {
    (void)state;
    assert_int_equal(sizeof wanted / sizeof *wanted, WHO_ACTION_COUNT);
    for (size_t i = 0; i < WHO_ACTION_COUNT; i++)
        for (int role = 0; role < WHO_ROLE_COUNT; role++)
            if (who_role_may((who_role)role, wanted[i].action) != (wanted[i].may[role] == 'x'))
                fail_msg("%s, %s", who_role_name((who_role)role),
                         who_action_name(wanted[i].action));
}

static void each_cell_of_the_scopes(void **state) {
    (void)state;
    static const char *const scopes[] = {"admin", "chat",   "embed",  "files",
                                         "task",  "review", "record", "metrics"};
    for (size_t s = 0; s < sizeof scopes / sizeof *scopes; s++) {
        who_scopes have;
        str bad;
        assert_true(who_scopes_of(str_from(scopes[s]), &have, &bad));
        for (size_t i = 0; i < WHO_ACTION_COUNT; i++) {
            bool may = s == 0 || !wanted[i].scope[0] || !strcmp(wanted[i].scope, scopes[s]);
            if (who_scopes_may(have, wanted[i].action) != may)
                fail_msg("scope %s, %s", scopes[s], who_action_name(wanted[i].action));
        }
    }
}

static void reads_names(void **state) {
    (void)state;
    who_role role;
    who_scopes have;
    str bad;
    assert_true(who_role_of(STR("lead"), &role) && role == WHO_LEAD);
    assert_true(who_role_of(STR("admin"), &role) && role == WHO_ADMINISTRATOR);
    assert_false(who_role_of(STR("Admin"), &role) || who_role_of(STR(""), &role));
    assert_true(who_scopes_of(STR("chat, embed"), &have, &bad));
    assert_true(who_scopes_may(have, WHO_CHAT) && who_scopes_may(have, WHO_EMBED));
    assert_false(who_scopes_may(have, WHO_RECORD) || who_scopes_may(have, WHO_ADMIN));
    assert_false(who_scopes_of(STR("chat,root"), &have, &bad));
    assert_true(str_is(bad, "root"));
    assert_false(who_scopes_of(STR(""), &have, &bad));
    assert_false(who_scopes_of(STR("chat,"), &have, &bad));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cell_of_the_roles),
        cmocka_unit_test(each_cell_of_the_scopes),
        cmocka_unit_test(reads_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

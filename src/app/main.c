/* main.c - finds the verb, parses its options, runs it, turns an err into an exit code. */
#include "app/cmd.h"
#include "app/home.h"
#include "app/out.h"
#include "app/stop.h"
#include "bantam.h"
#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { GROUPS_MAX = 24 };

static size_t all_groups(cmd_group out[GROUPS_MAX]) {
    const cmd_group rows[] = {cmd_serve(),    cmd_run(),       cmd_model(),      cmd_show(),
                              cmd_ps(),       cmd_doctor(),    cmd_bench(),      cmd_perplexity(),
                              cmd_quantize(), cmd_convert(),   cmd_generate(),   cmd_text(),
                              cmd_task(),     cmd_task_eval(), cmd_task_learn(), cmd_review(),
                              cmd_record(),   cmd_key(),       cmd_user(),       cmd_backup(),
                              cmd_config(),   cmd_erase()};
    size_t n = sizeof rows / sizeof *rows;
    memcpy(out, rows, sizeof rows);
    return n;
}

/* The exit code behind what needs no command. */
static int finish(void) {
    fail f = {0};
    err e = out_flush(&f);
    if (e != E_OK) out_fail(&f);
    return err_exit_code(e);
}

static int print_overview(void) {
    cmd_group groups[GROUPS_MAX];
    size_t n = all_groups(groups);
    printf("Bantam %s: small language models answer first, a larger one when in doubt, a person "
           "when it matters.\n\n"
           "usage: bantam COMMAND [ARGUMENTS]\n\n",
           bantam_version());
    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < groups[g].n; i++)
            printf("  %-16s %s\n", groups[g].verbs[i].name, groups[g].verbs[i].summary);
        printf("\n");
    }
    printf("bantam COMMAND --help shows options and examples. Start with: bantam serve\n");
    return finish();
}

/* "task init" takes two words, "serve" one. *used: how many. NULL: there is no such verb. */
static const cli_verb *find_verb(int argc, char **argv, int *used) {
    cmd_group groups[GROUPS_MAX];
    size_t n = all_groups(groups);
    char two[64];
    snprintf(two, sizeof two, "%s %s", argv[0], argc > 1 ? argv[1] : "");
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < groups[g].n; i++) {
            const cli_verb *v = &groups[g].verbs[i];
            bool is_two = strchr(v->name, ' ') != NULL;
            if (strcmp(v->name, is_two ? two : argv[0]) != 0) continue;
            *used = is_two ? 2 : 1;
            return v;
        }
    return NULL;
}

static int unknown_verb(char **argv, int argc) {
    cmd_group groups[GROUPS_MAX];
    size_t n = all_groups(groups), length = strlen(argv[0]);
    bool group = false;
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < groups[g].n; i++) {
            const char *name = groups[g].verbs[i].name;
            if (strncmp(name, argv[0], length) || name[length] != ' ') continue;
            if (!group) fprintf(stderr, "bantam %s has these:\n", argv[0]);
            group = true;
            fprintf(stderr, "  bantam %-16s %s\n", name, groups[g].verbs[i].summary);
        }
    bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    if (group) return help ? 0 : err_exit_code(E_USAGE);
    fprintf(stderr, "bantam: there is no command \"%s\"; bantam --help lists them\n", argv[0]);
    return err_exit_code(E_USAGE);
}

static int run_verb(const cli_verb *verb, int argc, char **argv) {
    static cli c; /* large, and lives as long as the process */
    fail f = {0};
    arena a;
    bool help;
    arena_init(&a, 0);
    c.arena = &a;
    err e = cli_parse(&c, verb, argc, argv, &help, &f);
    if (e == E_OK && help)
        cli_print_help(verb);
    else if (e == E_OK)
        e = verb->run(&c, &f);
    if (e == E_OK) e = out_flush(&f);
    if (e != E_OK) out_fail(&f);
    arena_deinit(&a);
    return err_exit_code(e);
}

int main(int argc, char **argv) {
    int used;
    file_guard_standard();
    stop_take_signals();
    if (home_env(NULL, "BANTAM_DEBUG")) log_set_level(LOG_DEBUG);
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        !strcmp(argv[1], "help")) {
        int code = print_overview();
        return argc < 2 ? err_exit_code(E_USAGE) : code;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
        printf("bantam %s\n", bantam_version());
        return finish();
    }
    const cli_verb *verb = find_verb(argc - 1, argv + 1, &used);
    if (!verb) return unknown_verb(argv + 1, argc - 1);
    return run_verb(verb, argc - 1 - used, argv + 1 + used);
}

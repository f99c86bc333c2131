/* main.c - finds the verb, parses its options, runs it, turns an err into an exit code. */
#include "app/cmd.h"
#include "app/home.h"
#include "app/out.h"
#include "app/stop.h"
#include "bantam.h"
#include "base/file.h"
#include "base/log.h"
#include "base/near.h"

#include <stdio.h>
#include <string.h>

enum { GROUPS_MAX = 24 };

/* As they are listed; a title begins a paragraph. */
typedef struct titled {
    const char *title;
    cmd_group group;
} titled;

static size_t all_groups(titled out[GROUPS_MAX]) {
    const titled rows[] = {
        {"Models", cmd_serve()},
        {NULL, cmd_run()},
        {NULL, cmd_model()},
        {NULL, cmd_show()},
        {NULL, cmd_ps()},
        {NULL, cmd_doctor()},
        {"Measuring and converting", cmd_bench()},
        {NULL, cmd_perplexity()},
        {NULL, cmd_quantize()},
        {NULL, cmd_convert()},
        {NULL, cmd_generate()},
        {NULL, cmd_text()},
        {"Tasks", cmd_task()},
        {NULL, cmd_task_eval()},
        {NULL, cmd_task_learn()},
        {"People who answer", cmd_review()},
        {"The record", cmd_record()},
        {NULL, cmd_erase()},
        {"Keys and users", cmd_key()},
        {NULL, cmd_user()},
        {"Settings and copies", cmd_config()},
        {NULL, cmd_backup()},
    };
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
    titled rows[GROUPS_MAX];
    size_t n = all_groups(rows);
    printf("Bantam %s: small language models answer first, a larger one when in doubt, a person "
           "when it matters.\n\n"
           "usage: bantam COMMAND [ARGUMENTS]\n",
           bantam_version());
    for (size_t g = 0; g < n; g++) {
        const cmd_group *group = &rows[g].group;
        if (rows[g].title) printf("\n%s\n", rows[g].title);
        for (size_t i = 0; i < group->n; i++)
            printf("  %-16s %s\n", group->verbs[i].name, group->verbs[i].summary);
    }
    printf("\nbantam COMMAND --help shows options and examples. Start with: bantam serve\n");
    return finish();
}

/* "task init" takes two words, "serve" one. *used: how many. NULL: there is no such verb. */
static const cli_verb *find_verb(int argc, char **argv, int *used) {
    titled rows[GROUPS_MAX];
    size_t n = all_groups(rows);
    char two[64];
    snprintf(two, sizeof two, "%s %s", argv[0], argc > 1 ? argv[1] : "");
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < rows[g].group.n; i++) {
            const cli_verb *v = &rows[g].group.verbs[i];
            bool is_two = strchr(v->name, ' ') != NULL;
            if (strcmp(v->name, is_two ? two : argv[0]) != 0) continue;
            *used = is_two ? 2 : 1;
            return v;
        }
    return NULL;
}

static int unknown_verb(char **argv, int argc) {
    titled rows[GROUPS_MAX];
    size_t n = all_groups(rows), length = strlen(argv[0]);
    near meant = near_to(str_from(argv[0]));
    bool group = false;
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < rows[g].group.n; i++) {
            const char *name = rows[g].group.verbs[i].name;
            str first = str_from(name);
            near_try(&meant, str_slice(first, 0, str_find_char(first, ' ')));
            if (strncmp(name, argv[0], length) || name[length] != ' ') continue;
            if (!group) fprintf(stderr, "bantam %s has these:\n", argv[0]);
            group = true;
            fprintf(stderr, "  bantam %-16s %s\n", name, rows[g].group.verbs[i].summary);
        }
    bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    if (group) return help ? 0 : err_exit_code(E_USAGE);
    fprintf(stderr, "bantam: there is no command \"%s\"\n", argv[0]);
    if (meant.best.p)
        fprintf(stderr, "  did you mean %.*s? bantam --help lists them\n", STR_ARG(meant.best));
    else
        fprintf(stderr, "  bantam --help lists them\n");
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

/* "help task run" is "task run --help". */
static int print_help(int argc, char **argv) {
    static char help[] = "--help";
    char *asked[] = {argv[0], argc > 1 ? argv[1] : help, help};
    int used;
    const cli_verb *verb = find_verb(2, asked, &used);
    return verb ? run_verb(verb, 1, asked + 2) : unknown_verb(asked, 2);
}

int main(int argc, char **argv) {
    int used;
    file_guard_standard();
    stop_take_signals();
    if (home_env(NULL, "BANTAM_DEBUG")) log_set_level(LOG_DEBUG);
    if (argc > 2 && !strcmp(argv[1], "help")) return print_help(argc - 2, argv + 2);
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

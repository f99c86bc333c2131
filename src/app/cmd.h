/* cmd.h - the verbs. Each file cmd_*.c exports its rows; main.c lists the files. */
#ifndef BANTAM_APP_CMD_H
#define BANTAM_APP_CMD_H

#include "app/cli.h"

typedef struct cmd_group {
    const cli_verb *verbs;
    size_t n;
} cmd_group;

cmd_group cmd_model(void); /* pull list rm */
cmd_group cmd_run(void);
cmd_group cmd_generate(void); /* score template */
cmd_group cmd_text(void);     /* tokenize embed */
cmd_group cmd_convert(void);
cmd_group cmd_quantize(void);
cmd_group cmd_serve(void);
cmd_group cmd_task(void);
cmd_group cmd_task_eval(void);
cmd_group cmd_task_learn(void);
cmd_group cmd_review(void);
cmd_group cmd_record(void); /* requests trace cost */
cmd_group cmd_erase(void);
cmd_group cmd_key(void);    /* key add, list, revoke, rotate */
cmd_group cmd_backup(void); /* backup, restore */
cmd_group cmd_user(void);   /* user add, list, remove, role, password, events */
cmd_group cmd_perplexity(void);
cmd_group cmd_bench(void);
cmd_group cmd_show(void);
cmd_group cmd_ps(void);
cmd_group cmd_doctor(void);
cmd_group cmd_config(void); /* config show, check, keys */

#endif

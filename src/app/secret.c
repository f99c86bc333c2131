/* secret.c - see secret.h. */
#include "app/secret.h"

#include "app/stop.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { SECRET_BYTES = 2048 };

/* Wipes the line it was read into. */
static err take_line(arena *a, FILE *from, str *out, fail *f) {
    char line[SECRET_BYTES];
    bool got = fgets(line, sizeof line, from) != NULL;
    str text = got ? str_from(line) : STR("");
    bool whole = text.n && (text.p[text.n - 1] == '\n' || feof(from));
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
    *out = arena_str(a, text);
    explicit_bzero(line, sizeof line);
    if (!whole)
        return fail_set(f, E_INPUT, "no password came, or one above %d bytes", SECRET_BYTES);
    return out->p ? E_OK : fail_memory(f, "a password");
}

static err ask_once(arena *a, FILE *tty, const char *prompt, str *out, fail *f) {
    struct termios shown, hidden;
    if (tcgetattr(fileno(tty), &shown) != 0) return fail_errno(f, "cannot use the terminal");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "%s: ", prompt);
    fflush(stderr);
    if (tcsetattr(fileno(tty), TCSAFLUSH, &hidden) != 0)
        return fail_errno(f, "cannot hide what is typed");
    err e = take_line(a, tty, out, f);
    (void)tcsetattr(fileno(tty), TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return stop_wanted() ? fail_set(f, E_CANCELLED, "interrupted") : e;
}

err secret_ask(arena *a, const char *prompt, bool again, str *out, fail *f) {
    str second;
    FILE *tty = fopen("/dev/tty", "re");
    if (!tty) {
        fail_set(f, E_USAGE, "there is no terminal to type a password on");
        return fail_hint(f, "give it on standard input: --password-stdin");
    }
    err e = ask_once(a, tty, prompt, out, f);
    if (e == E_OK && again) e = ask_once(a, tty, "The same again", &second, f);
    fclose(tty);
    if (e == E_OK && again && !str_eq(*out, second))
        return fail_set(f, E_INPUT, "the two are not the same; nothing was changed");
    return e;
}

err secret_read(arena *a, str *out, fail *f) {
    return take_line(a, stdin, out, f);
}

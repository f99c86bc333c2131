/* line.c - see line.h. The only file that knows libedit. Its reading of a key is ours, because
 * libedit's goes on after a signal: here Ctrl-C ends the line. */
#include "app/line.h"

#include "app/stop.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000, HISTORY_BYTES_MAX = 4 << 20 };

struct line {
    EditLine *edit;
    History *history;
    const char *prompt;
    char path[FILE_PATH_BYTES]; /* "" none */
    bool keep, interrupted;
};

static char *give_prompt(EditLine *e) {
    line *l;
    union {
        const char *in;
        char *out;
    } prompt = {"> "};
    if (el_get(e, EL_CLIENTDATA, &l) == 0 && l) prompt.in = l->prompt;
    return prompt.out; /* libedit only reads it */
}

/* The bytes of one UTF-8 character from the terminal; 1, or 0 at the end or after Ctrl-C. */
static int give_key(EditLine *e, wchar_t *out) {
    line *l;
    mbstate_t state = {0};
    if (el_get(e, EL_CLIENTDATA, &l) != 0) return 0;
    for (;;) {
        char byte;
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR && !stop_wanted()) continue;
        if (got < 0 && errno == EINTR) l->interrupted = true;
        if (got <= 0) return 0;
        size_t used = mbrtowc(out, &byte, 1, &state);
        if (used == (size_t)-2) continue; /* more bytes of it to come */
        if (used == (size_t)-1) *out = (wchar_t)(unsigned char)byte;
        return 1;
    }
}

/* A terminal in another code than UTF-8 is not ours to guess; where none is set, UTF-8. */
static void choose_locale(void) {
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

static void load_history(line *l) {
    arena a;
    str text;
    HistEvent event;
    arena_init(&a, 0);
    if (file_read(&a, l->path, HISTORY_BYTES_MAX, &text, NULL) == E_OK)
        while (text.p) {
            const char *one = arena_z(&a, str_cut(&text, '\n'));
            if (one && *one) history(l->history, &event, H_ENTER, one);
        }
    arena_deinit(&a);
}

/* Above twice the lines that are kept, the file is written anew with the newest. */
static void trim_history(const line *l) {
    arena a;
    str text, rest;
    size_t lines = 0;
    arena_init(&a, 0);
    if (file_read(&a, l->path, HISTORY_BYTES_MAX, &text, NULL) == E_OK) {
        for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
        rest = text;
        for (size_t i = lines; i > HISTORY_LINES && rest.p; i--) (void)str_cut(&rest, '\n');
        if (lines > 2 * HISTORY_LINES && rest.p) (void)!file_write(l->path, rest, 0600, NULL);
    } else if (!file_exists(l->path)) {
        (void)!file_write(l->path, STR(""), 0600, NULL);
    }
    arena_deinit(&a);
}

static void append_history(const line *l, str text) {
    int fd;
    int64_t bytes;
    buf b = {0};
    if (!l->path[0] || file_open_append(&fd, l->path, &bytes, NULL) != E_OK) return;
    buf_put(&b, text);
    buf_put_char(&b, '\n');
    if (buf_ok(&b, NULL) == E_OK) (void)!file_put(fd, buf_str(&b), l->path, NULL);
    buf_deinit(&b);
    file_close(fd);
}

err line_open(line **out, const char *history_path, fail *f) {
    HistEvent event;
    line *l = mem_zero(sizeof *l);
    if (!l) return fail_memory(f, "the line editor");
    choose_locale();
    l->keep = true;
    l->edit = el_init("bantam", stdin, stdout, stderr);
    l->history = history_init();
    if (!l->edit || !l->history) {
        line_close(l);
        return fail_memory(f, "the line editor");
    }
    history(l->history, &event, H_SETSIZE, HISTORY_LINES);
    history(l->history, &event, H_SETUNIQUE, 1);
    el_set(l->edit, EL_CLIENTDATA, l);
    el_set(l->edit, EL_PROMPT, give_prompt);
    el_set(l->edit, EL_EDITOR, "emacs");
    el_set(l->edit, EL_HIST, history, l->history);
    el_set(l->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_wset(l->edit, EL_GETCFN, give_key);
    if (history_path && strlen(history_path) < sizeof l->path) {
        strcpy(l->path, history_path);
        trim_history(l);
        load_history(l);
    }
    *out = l;
    return E_OK;
}

void line_close(line *l) {
    if (!l) return;
    if (l->edit) el_end(l->edit);
    if (l->history) history_end(l->history);
    mem_free(l);
}

void line_keep_history(line *l, bool keep) {
    l->keep = keep;
}

line_end line_read(line *l, arena *a, const char *prompt, str *text) {
    HistEvent event;
    int count = 0;
    l->prompt = prompt;
    l->interrupted = false;
    const char *got = el_gets(l->edit, &count);
    if (!got || count <= 0) {
        printf("\n");
        return l->interrupted ? LINE_INTERRUPTED : LINE_EOF;
    }
    str one = {got, (size_t)count};
    while (one.n && (one.p[one.n - 1] == '\n' || one.p[one.n - 1] == '\r')) one.n--;
    *text = arena_str(a, one);
    if (!text->p) return LINE_EOF;
    if (l->keep && str_trim(one).n) {
        history(l->history, &event, H_ENTER, text->p);
        append_history(l, one);
    }
    return LINE_READ;
}

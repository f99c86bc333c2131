/* token_cut.c - runs the stages of a pre-tokenizer; see token_cut.h.
 *
 * Recursion goes one level a stage. The common stage, a scanner whose matches are isolated, is a
 * loop of its own; all others first name the segments of a piece in order (match or not), from
 * which the behaviour makes words. Stages that write (METASPACE, BLANK_BEFORE) have a buffer each
 * in the work; words lie there while the stages behind them run. */
#include "token/token_cut.h"

#include "token/token_char.h"
#include "token/token_int.h"

#include <string.h>

typedef struct cut_rest {
    const token_cut *stages; /* those behind the current one */
    size_t count;
    token_work *w;
} cut_rest;

static void cut_pass(const cut_rest *rest, str s) {
    if (s.n && !rest->w->failed) token_cut_run(rest->stages, rest->count, rest->w, s);
}

/* Behaviours ---------------------------------------------------------------------------------- */

/* What is not yet handed on: [from, to), and what it was. */
typedef struct cut_open {
    const cut_rest *rest;
    const token_cut *cut;
    str s;
    size_t from, to;
    bool any, is_match;
} cut_open;

static void cut_close(cut_open *o) {
    if (o->any) cut_pass(o->rest, str_slice(o->s, o->from, o->to));
    o->any = false;
}

static void cut_segment(cut_open *o, size_t from, size_t to, bool is_match) {
    if (o->cut->invert) is_match = !is_match;
    bool join = false;
    switch (o->cut->how) {
    case TOKEN_CUT_REMOVED:
        if (is_match) return;
        break;
    case TOKEN_CUT_MERGED_PREVIOUS: join = o->any && is_match && !o->is_match; break;
    case TOKEN_CUT_MERGED_NEXT: join = o->any && !is_match && o->is_match; break;
    case TOKEN_CUT_CONTIGUOUS: join = o->any && is_match == o->is_match; break;
    case TOKEN_CUT_ISOLATED: break;
    }
    if (!join) {
        cut_close(o);
        o->from = from;
    }
    o->to = to;
    o->any = true;
    o->is_match = is_match;
}

/* Finders ------------------------------------------------------------------------------------- */

/* The first match at or behind `at`; false: none, or the work has failed. */
static bool cut_find(const token_cut *cut, token_work *w, str s, size_t at, token_regex_hit *hit) {
    if (cut->kind == TOKEN_CUT_REGEX) {
        token_regex_result r = token_regex_find(cut->regex, &w->regex, s, at, hit);
        if (r == TOKEN_REGEX_LIMIT) token_work_fail(w, E_TOO_LARGE);
        if (r == TOKEN_REGEX_MEMORY) token_work_fail(w, E_NO_MEMORY);
        return r == TOKEN_REGEX_HIT;
    }
    if (cut->kind == TOKEN_CUT_TEXT) {
        size_t found = str_find(str_slice(s, at, s.n), cut->text);
        *hit = (token_regex_hit){at + found, at + found + cut->text.n};
        return found != STR_INDEX_NONE;
    }
    for (size_t n; at < s.n; at += n) {
        size_t bytes = cut->match(s, at);
        if (bytes) {
            *hit = (token_regex_hit){at, at + bytes};
            return true;
        }
        token_char_at(s, at, &n);
    }
    return false;
}

static void cut_general(const token_cut *cut, const cut_rest *rest, str s) {
    cut_open open = {.rest = rest, .cut = cut, .s = s};
    token_regex_hit hit;
    size_t done = 0, at = 0;
    while (at < s.n && cut_find(cut, rest->w, s, at, &hit)) {
        if (hit.from > done) cut_segment(&open, done, hit.from, false);
        cut_segment(&open, hit.from, hit.to, true);
        at = done = hit.to;
        if (hit.to > hit.from || at >= s.n) continue;
        size_t n; /* an empty match cuts; the search goes on one character behind it */
        token_char_at(s, at, &n);
        at += n;
    }
    if (done < s.n) cut_segment(&open, done, s.n, false);
    cut_close(&open);
}

static void cut_isolated(token_match match, const cut_rest *rest, str s) {
    size_t gap = 0; /* start of what has not matched */
    for (size_t at = 0; at < s.n;) {
        size_t n = match(s, at);
        if (!n) {
            token_char_at(s, at, &n);
            at += n;
            continue;
        }
        if (at > gap) cut_pass(rest, str_slice(s, gap, at));
        cut_pass(rest, str_slice(s, at, at + n));
        at += n;
        gap = at;
    }
    if (gap < s.n) cut_pass(rest, str_slice(s, gap, s.n));
}

/* Stages that write --------------------------------------------------------------------------- */

static buf *cut_buffer(const cut_rest *rest) {
    buf *b = &rest->w->stages[rest->count]; /* each stage has another number behind it */
    buf_reset(b);
    return b;
}
static bool cut_written(const cut_rest *rest, const buf *b) {
    if (b->failed) token_work_fail(rest->w, b->too_large ? E_TOO_LARGE : E_NO_MEMORY);
    return !b->failed;
}

static void cut_metaspace(const token_cut *cut, const cut_rest *rest, str s) {
    bool first = rest->w->first && s.p == rest->w->first;
    bool prepend =
        cut->prepend == TOKEN_PREPEND_ALWAYS || (cut->prepend == TOKEN_PREPEND_FIRST && first);
    buf *b = cut_buffer(rest);
    if (prepend && s.p[0] != ' ' && !str_starts(s, cut->text)) buf_put(b, cut->text);
    while (s.n) {
        const char *blank = memchr(s.p, ' ', s.n);
        size_t n = blank ? (size_t)(blank - s.p) : s.n;
        buf_put_bytes(b, s.p, n);
        if (blank) buf_put(b, cut->text);
        s = str_slice(s, n + 1, s.n);
    }
    if (!cut_written(rest, b)) return;
    str text = buf_str(b);
    if (!cut->split) {
        cut_pass(rest, text);
        return;
    }
    for (size_t at; text.n; text = str_slice(text, at, text.n)) {
        size_t next = str_find(str_slice(text, 1, text.n), cut->text);
        at = next == STR_INDEX_NONE ? text.n : next + 1;
        cut_pass(rest, str_slice(text, 0, at));
    }
}

static void cut_blank_before(const cut_rest *rest, str s) {
    if (s.p[0] == ' ') {
        cut_pass(rest, s);
        return;
    }
    buf *b = cut_buffer(rest);
    buf_put_char(b, ' ');
    buf_put(b, s);
    if (cut_written(rest, b)) cut_pass(rest, buf_str(b));
}

void token_cut_run(const token_cut *stages, size_t count, token_work *w, str s) {
    if (!count) {
        token_work_word(w, s);
        return;
    }
    cut_rest rest = {stages + 1, count - 1, w};
    switch (stages[0].kind) {
    case TOKEN_CUT_METASPACE: cut_metaspace(stages, &rest, s); break;
    case TOKEN_CUT_BLANK_BEFORE: cut_blank_before(&rest, s); break;
    case TOKEN_CUT_MATCH:
        if (stages[0].how == TOKEN_CUT_ISOLATED) { /* inverting changes nothing here */
            cut_isolated(stages[0].match, &rest, s);
            break;
        }
        cut_general(stages, &rest, s);
        break;
    case TOKEN_CUT_REGEX:
    case TOKEN_CUT_TEXT: cut_general(stages, &rest, s); break;
    }
}

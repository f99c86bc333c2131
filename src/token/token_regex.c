/* token_regex.c - PCRE2 behind three calls; see token_regex.h.
 *
 * Memory comes from mem_*; the interpreter is used (no code is made at run time), whose
 * backtracking lives on the heap and is limited. Unicode properties are on, line anchors match at
 * every line (as in Ruby), a line ends with "\n". */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "token/token_regex.h"

#include "base/buf.h"
#include "base/mem.h"

#include <pcre2.h>
#include <string.h>

enum { STEPS_MAX = 200000, DEPTH_MAX = 20000, HEAP_KIB_MAX = 32768, NEST_MAX = 64 };

struct token_regex {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *code;
};

static void *regex_alloc(size_t bytes, void *arg) {
    (void)arg;
    return mem_alloc(bytes ? bytes : 1);
}
static void regex_free(void *p, void *arg) {
    (void)arg;
    mem_free(p);
}

/* Behind the escape at i; "\p{Lu}" has braces of its own. */
static size_t escape_end(str p, size_t i) {
    size_t to = i + 2;
    bool braces = to < p.n && p.p[to] == '{' && (p.p[i + 1] == 'p' || p.p[i + 1] == 'P');
    while (braces && to < p.n && p.p[to - 1] != '}') to++;
    return to;
}

/* What Ruby and Perl read differently, or Unicode tables apart: the first of it in the pattern. */
static const char *regex_foreign(str p) {
    static const char escapes[] = "hHwWbBRXKGyYZkg";
    bool in_class = false;
    for (size_t i = 0; i < p.n; i++) {
        if (p.p[i] == '\\') {
            if (i + 1 < p.n && p.p[i + 1] && strchr(escapes, p.p[i + 1])) return "an escape";
            i = escape_end(p, i) - 1;
        } else if (p.p[i] == '[') {
            if (in_class) return "a set within a set";
            in_class = true;
            if (i + 1 < p.n && p.p[i + 1] == '^') i++;
            if (i + 1 < p.n && p.p[i + 1] == ']') return "a set that begins with ]";
        } else if (p.p[i] == ']') {
            in_class = false;
        } else if (in_class && p.p[i] == '&' && i + 1 < p.n && p.p[i + 1] == '&') {
            return "an intersection of sets";
        } else if (!in_class && p.p[i] == '}' && i + 1 < p.n && p.p[i + 1] == '+') {
            return "\"}+\"";
        } else if (!in_class && str_starts(str_slice(p, i, p.n), STR("(?"))) {
            /* groups: plain, look around, atomic, and (?i: */
            if (i + 2 < p.n && !strchr(":=!<>i", p.p[i + 2])) return "an option group";
            if (i + 3 < p.n && p.p[i + 2] == 'i' && p.p[i + 3] != ':') return "an option group";
            if (i + 3 < p.n && p.p[i + 2] == '<' && p.p[i + 3] != '=' && p.p[i + 3] != '!')
                return "a named group";
        } else if (!in_class && str_starts(str_slice(p, i, p.n), STR("(*"))) {
            return "a verb";
        }
    }
    return NULL;
}

static err regex_bad(fail *f, str pattern, const char *why) {
    str s = str_slice(pattern, 0, 200);
    return fail_set(f, E_UNSUPPORTED, "the tokenizer's expression \"%.*s\" cannot be read: %s",
                    STR_ARG(s), why);
}

/* PCRE2's \s has one character more than Unicode's White_Space, so that is written out. False: \S
 * within a set, which cannot be. */
static bool regex_translate(str p, buf *out) {
    static const char space[] = "\\p{Z}\\t-\\r\\x{85}";
    bool in_class = false;
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i], next = i + 1 < p.n ? p.p[i + 1] : 0;
        if (c == '\\' && (next == 's' || next == 'S')) {
            if (in_class && next == 'S') return false;
            buf_put_z(out, in_class ? "" : next == 's' ? "[" : "[^");
            buf_put_z(out, space);
            buf_put_z(out, in_class ? "" : "]");
            i++;
            continue;
        }
        buf_put_char(out, c);
        if (c == '\\' && i + 1 < p.n) buf_put_char(out, p.p[++i]);
        if (c == '[') in_class = true;
        if (c == ']') in_class = false;
    }
    return true;
}

static err regex_compile(token_regex *r, str pattern, fail *f) {
    int code;
    size_t at;
    PCRE2_UCHAR text[160];
    pcre2_compile_context *how = pcre2_compile_context_create(r->memory);
    if (!how) return fail_memory(f, "an expression");
    pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(how, NEST_MAX);
    r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                            &code, &at, how);
    pcre2_compile_context_free(how);
    if (r->code) return E_OK;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return fail_memory(f, "an expression");
    if (pcre2_get_error_message(code, text, sizeof text) < 0) text[0] = 0;
    return regex_bad(f, pattern, (const char *)text);
}

err token_regex_open(token_regex **out, str pattern, fail *f) {
    if (!pattern.n) return regex_bad(f, pattern, "it is empty");
    if (pattern.n > TOKEN_REGEX_BYTES_MAX) return regex_bad(f, pattern, "it is too long");
    const char *foreign = regex_foreign(pattern);
    if (foreign) return regex_bad(f, pattern, foreign);
    buf written = {0};
    token_regex *r = mem_zero(sizeof *r);
    err e = E_OK;
    if (!r) TRY_OUT(fail_memory(f, "an expression"));
    if (!regex_translate(pattern, &written)) TRY_OUT(regex_bad(f, pattern, "\\S within a set"));
    TRY_OUT(buf_ok(&written, f));
    r->memory = pcre2_general_context_create(regex_alloc, regex_free, NULL);
    r->limits = r->memory ? pcre2_match_context_create(r->memory) : NULL;
    if (!r->limits) TRY_OUT(fail_memory(f, "an expression"));
    TRY_OUT(regex_compile(r, buf_str(&written), f));
    pcre2_set_match_limit(r->limits, STEPS_MAX);
    pcre2_set_depth_limit(r->limits, DEPTH_MAX);
    pcre2_set_heap_limit(r->limits, HEAP_KIB_MAX);
    *out = r;
    r = NULL;
out:
    token_regex_close(r);
    buf_deinit(&written);
    return e;
}

void token_regex_close(token_regex *r) {
    if (!r) return;
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->limits);
    pcre2_general_context_free(r->memory);
    mem_free(r);
}

void token_regex_state_deinit(token_regex_state *s) {
    pcre2_match_data_free(s->match);
    s->match = NULL;
}

token_regex_result token_regex_find(const token_regex *r, token_regex_state *state, str s,
                                    size_t at, token_regex_hit *hit) {
    if (!state->match) state->match = pcre2_match_data_create(1, r->memory);
    if (!state->match) return TOKEN_REGEX_MEMORY;
    int n =
        pcre2_match(r->code, (PCRE2_SPTR)s.p, s.n, at, PCRE2_NO_UTF_CHECK, state->match, r->limits);
    if (n == PCRE2_ERROR_NOMATCH) return TOKEN_REGEX_NONE;
    if (n == PCRE2_ERROR_NOMEMORY) return TOKEN_REGEX_MEMORY;
    if (n < 0) return TOKEN_REGEX_LIMIT;
    const size_t *ends = pcre2_get_ovector_pointer(state->match);
    *hit = (token_regex_hit){ends[0], ends[1]};
    return TOKEN_REGEX_HIT;
}

/* token_norm.c - the normalisers' steps; see token_norm.h.
 *
 * Each step is one function from a text to a buffer; the two buffers of the work are used by turns.
 * A step that would change nothing is seen to do so where that is cheap, and then not done. The
 * result is limited to EXPANSION_MAX times the text, so that a hostile file cannot make gigabytes.
 * Unicode tables are utf8proc's. */
#include "token/token_norm.h"

#include "token/token_char.h"
#include "token/token_int.h"

#include "base/mem.h"

#include <string.h>
#include <utf8proc.h>

enum { EXPANSION_MAX = 64, EXPANSION_FREE = 65536, CLUSTER_BYTES = 6, DECOMPOSED_MAX = 32 };

static bool is_ascii(str s) {
    size_t i = 0;
    for (uint64_t eight; i + 8 <= s.n; i += 8) {
        memcpy(&eight, s.p + i, 8);
        if (eight & 0x8080808080808080u) return false;
    }
    for (; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80) return false;
    return true;
}

static void put_char(buf *out, int32_t c) {
    char bytes[4];
    buf_put_bytes(out, bytes, token_utf8_write(c, bytes));
}

/* Unicode's normal forms ---------------------------------------------------------------------- */

static void norm_form(token_norm_kind kind, token_work *w, str s, buf *out) {
    bool compose = kind == TOKEN_NORM_NFC || kind == TOKEN_NORM_NFKC;
    bool compatible = kind == TOKEN_NORM_NFKC || kind == TOKEN_NORM_NFKD;
    utf8proc_option_t how = UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                            (compatible ? UTF8PROC_COMPAT : 0);
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)s.p;
    utf8proc_ssize_t n = utf8proc_decompose(p, (utf8proc_ssize_t)s.n, NULL, 0, how);
    size_t bytes;
    utf8proc_int32_t *points = NULL;
    if (n >= 0 && mem_size((size_t)n + 1, sizeof *points, &bytes)) points = mem_alloc(bytes);
    if (!points) {
        token_work_fail(w, E_NO_MEMORY);
        return;
    }
    utf8proc_decompose(p, (utf8proc_ssize_t)s.n, points, n, how);
    n = utf8proc_reencode(points, n, how);
    if (n > 0) buf_put_bytes(out, points, (size_t)n);
    mem_free(points);
}

/* Characters ---------------------------------------------------------------------------------- */

static void norm_lower(str s, buf *out) {
    for (size_t at = 0, n; at < s.n; at += n) {
        int32_t c = token_char_at(s, at, &n);
        if (c < 0x80) {
            buf_put_char(out, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
        } else if (c == 0x130) { /* the one that lowers to two characters */
            buf_put(out, STR("i\xCC\x87"));
        } else {
            put_char(out, utf8proc_tolower(c));
        }
    }
}

static void norm_drop_marks(str s, buf *out) {
    for (size_t at = 0, n; at < s.n; at += n) {
        bool mark = token_class_at(s, at, &n) & CHAR_M;
        if (!mark || token_norm_bert_class(token_char_at(s, at, &n)) == BERT_LETTER)
            buf_put(out, str_slice(s, at, at + n));
    }
}

static str norm_strip(str s, bool left, bool right) {
    size_t from = 0, to = s.n;
    for (size_t n; left && from < to; from += n)
        if (!(token_class_at(s, from, &n) & CHAR_SPACE)) break;
    while (right && to > from) {
        size_t at = to - 1, n;
        while (at > from && ((unsigned char)s.p[at] & 0xC0) == 0x80) at--;
        if (!(token_class_at(s, at, &n) & CHAR_SPACE)) break;
        to = at;
    }
    return str_slice(s, from, to);
}

static void norm_nmt(str s, buf *out) {
    for (size_t at = 0, n; at < s.n; at += n) {
        int32_t c = token_char_at(s, at, &n);
        if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
            c == 0x8F || c == 0x9F)
            continue;
        bool blank = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
        buf_put(out, blank ? STR(" ") : str_slice(s, at, at + n));
    }
}

/* BertNormalizer ------------------------------------------------------------------------------ */

token_bert_class token_norm_bert_class(int32_t c) {
    size_t low = 0, high = token_bert_range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > token_bert_ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    bool in = low < token_bert_range_count && c >= token_bert_ranges[low].first;
    return in ? token_bert_ranges[low].is : BERT_AS_UNICODE;
}

bool token_norm_is_chinese(int32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* Cleaning drops control, format, surrogate and private characters, but not tab, line feed,
 * carriage return (blanks) nor what is not assigned. */
bool token_norm_is_cleaned_away(int32_t c) {
    if (c == '\t' || c == '\n' || c == '\r') return false;
    if (c == 0 || c == 0xFFFD) return true;
    utf8proc_category_t is = utf8proc_category(c);
    return is == UTF8PROC_CATEGORY_CC || is == UTF8PROC_CATEGORY_CF || is == UTF8PROC_CATEGORY_CS ||
           is == UTF8PROC_CATEGORY_CO;
}

static void bert_clean(token_normaliser how, str s, buf *out) {
    for (size_t at = 0, n; at < s.n; at += n) {
        int32_t c = token_char_at(s, at, &n);
        bool apart = how.chinese_apart && token_norm_is_chinese(c);
        if (how.clean_text && token_norm_is_cleaned_away(c)) continue;
        if (apart) buf_put_char(out, ' ');
        if (how.clean_text && (token_class(c) & CHAR_SPACE))
            buf_put_char(out, ' ');
        else
            buf_put(out, str_slice(s, at, at + n));
        if (apart) buf_put_char(out, ' ');
    }
}

/* Decomposed, without marks that take no room, in small letters. */
static void bert_letter(token_normaliser how, int32_t c, buf *out) {
    utf8proc_int32_t parts[DECOMPOSED_MAX] = {c};
    utf8proc_ssize_t n = 1;
    if (how.strip_accents && c >= 0x80)
        n = utf8proc_decompose_char(c, parts, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE, NULL);
    for (utf8proc_ssize_t i = 0; i < n && i < DECOMPOSED_MAX; i++) {
        token_bert_class old = parts[i] < 0x80 ? BERT_AS_UNICODE : token_norm_bert_class(parts[i]);
        bool dropped = old == BERT_DROPPED || (old == BERT_AS_UNICODE && parts[i] >= 0x80 &&
                                               utf8proc_category(parts[i]) == UTF8PROC_CATEGORY_MN);
        if (how.strip_accents && dropped) continue;
        if (how.lowercase && parts[i] == 0x130)
            buf_put(out, STR("i\xCC\x87"));
        else
            put_char(out, how.lowercase ? utf8proc_tolower(parts[i]) : parts[i]);
    }
}

static void norm_bert(token_normaliser how, str s, buf *out) {
    buf clean = {.bytes_max = out->bytes_max};
    bert_clean(how, s, &clean);
    out->failed = out->failed || clean.failed;
    out->too_large = out->too_large || clean.too_large;
    str text = buf_str(&clean);
    for (size_t at = 0, n; at < text.n; at += n) bert_letter(how, token_char_at(text, at, &n), out);
    buf_deinit(&clean);
}

/* Replacing ----------------------------------------------------------------------------------- */

static void norm_replace_text(str s, str from, str to, buf *out) {
    for (size_t at; from.n && (at = str_find(s, from)) != STR_INDEX_NONE;) {
        buf_put(out, str_slice(s, 0, at));
        buf_put(out, to);
        s = str_slice(s, at + from.n, s.n);
    }
    buf_put(out, s);
}

static void norm_replace_regex(const token_norm_step *step, token_work *w, str s, buf *out) {
    size_t at = 0, done = 0; /* where to look, and what is written */
    while (at <= s.n && !out->failed) {
        token_regex_hit hit;
        token_regex_result r = token_regex_find(step->regex, &w->regex, s, at, &hit);
        if (r == TOKEN_REGEX_NONE) break;
        if (r != TOKEN_REGEX_HIT) {
            token_work_fail(w, r == TOKEN_REGEX_LIMIT ? E_TOO_LARGE : E_NO_MEMORY);
            return;
        }
        buf_put(out, str_slice(s, done, hit.from));
        buf_put(out, step->to);
        at = done = hit.to;
        if (hit.to > hit.from) continue;
        size_t n = 1; /* an empty match: on by one character */
        if (at < s.n) token_char_at(s, at, &n);
        at += n;
    }
    buf_put(out, str_slice(s, done, s.n));
}

static void norm_blanks(bool first, str s, buf *out) {
    if (first) buf_put(out, STR(TOKEN_BLANK));
    while (s.n) {
        const char *blank = memchr(s.p, ' ', s.n);
        size_t n = blank ? (size_t)(blank - s.p) : s.n;
        buf_put_bytes(out, s.p, n);
        if (blank) buf_put(out, STR(TOKEN_BLANK));
        s = str_slice(s, n + 1, s.n);
    }
}

/* SentencePiece: with `merge`, words are joined by single blanks and the first has one, too. */
static void norm_words(bool first, bool merge, str s, buf *out) {
    bool in_word = false, begun = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ' ') {
            if (!merge) buf_put(out, STR(TOKEN_BLANK));
            in_word = false;
            continue;
        }
        if (!in_word && (merge || (first && !begun))) buf_put(out, STR(TOKEN_BLANK));
        begun = in_word = true;
        buf_put_char(out, s.p[i]);
    }
}

/* Character maps ------------------------------------------------------------------------------ */

static void norm_charsmap(const token_charsmap *m, str s, buf *out) {
    for (size_t at = 0, n; at < s.n; at += n) {
        str to = {NULL, 0}, rest = str_slice(s, at, s.n);
        if (!token_charsmap_find(m, rest, true, &to, &n)) {
            token_char_at(s, at, &n);
            to = str_slice(s, at, at + n);
        }
        buf_put(out, to);
    }
}

/* End of the grapheme cluster that begins at `at`. */
static size_t cluster_end(str s, size_t at) {
    size_t n;
    int32_t c = token_char_at(s, at, &n), state = 0;
    for (at += n; at < s.n; at += n) {
        int32_t next = token_char_at(s, at, &n);
        if (c < 0x80 && next < 0x80 && !(c == '\r' && next == '\n')) break;
        if (utf8proc_grapheme_break_stateful(c, next, &state)) break;
        c = next;
    }
    return at;
}

/* A short cluster is looked up as a whole, where its shortest known beginning stands for all of it;
 * else each of its characters is. So does Hugging Face's Precompiled. */
static void norm_charsmap_cluster(const token_charsmap *m, str s, buf *out) {
    str to;
    size_t used;
    for (size_t at = 0, end; at < s.n; at = end) {
        end = cluster_end(s, at);
        str cluster = str_slice(s, at, end);
        if (cluster.n < CLUSTER_BYTES && token_charsmap_find(m, cluster, false, &to, &used)) {
            buf_put(out, to);
            continue;
        }
        for (size_t i = 0, n; i < cluster.n; i += n) {
            token_char_at(cluster, i, &n);
            str one = str_slice(cluster, i, i + n);
            buf_put(out, token_charsmap_find(m, one, false, &to, &used) ? to : one);
        }
    }
}

static bool charsmap_idle(const token_charsmap *m, str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80 || m->ascii_changes[(unsigned char)s.p[i]]) return false;
    return true;
}

/* The run ------------------------------------------------------------------------------------- */

/* Whether the step leaves s as it is (false: not known). */
static bool step_idle(const token_norm_step *step, str s) {
    switch (step->kind) {
    case TOKEN_NORM_NFC:
    case TOKEN_NORM_NFD:
    case TOKEN_NORM_NFKC:
    case TOKEN_NORM_NFKD:
    case TOKEN_NORM_STRIP_ACCENTS: return is_ascii(s);
    case TOKEN_NORM_CHARSMAP:
    case TOKEN_NORM_CHARSMAP_CLUSTER: return charsmap_idle(&step->map, s);
    case TOKEN_NORM_REPLACE: return !step->regex && str_find(s, step->from) == STR_INDEX_NONE;
    default: return false;
    }
}

static void step_run(const token_norm_step *step, token_work *w, str s, buf *out) {
    switch (step->kind) {
    case TOKEN_NORM_NFC:
    case TOKEN_NORM_NFD:
    case TOKEN_NORM_NFKC:
    case TOKEN_NORM_NFKD: norm_form(step->kind, w, s, out); break;
    case TOKEN_NORM_LOWERCASE: norm_lower(s, out); break;
    case TOKEN_NORM_STRIP: buf_put(out, norm_strip(s, step->left, step->right)); break;
    case TOKEN_NORM_STRIP_ACCENTS: norm_drop_marks(s, out); break;
    case TOKEN_NORM_REPLACE:
        if (step->regex)
            norm_replace_regex(step, w, s, out);
        else
            norm_replace_text(s, step->from, step->to, out);
        break;
    case TOKEN_NORM_PREPEND:
        buf_put(out, step->to);
        buf_put(out, s);
        break;
    case TOKEN_NORM_BLANKS: norm_blanks(step->left, s, out); break;
    case TOKEN_NORM_WORDS: norm_words(step->left, step->right, s, out); break;
    case TOKEN_NORM_BERT: norm_bert(step->bert, s, out); break;
    case TOKEN_NORM_NMT: norm_nmt(s, out); break;
    case TOKEN_NORM_CHARSMAP: norm_charsmap(&step->map, s, out); break;
    case TOKEN_NORM_CHARSMAP_CLUSTER: norm_charsmap_cluster(&step->map, s, out); break;
    }
}

str token_norm_run(const token_norm *n, token_work *w, str s) {
    size_t most = s.n * EXPANSION_MAX + EXPANSION_FREE;
    for (size_t i = 0, turn = 0; i < n->count && s.n && !w->failed; i++) {
        if (step_idle(&n->steps[i], s)) continue;
        buf *out = &w->normal[turn];
        turn = 1 - turn;
        buf_reset(out);
        out->bytes_max = most;
        step_run(&n->steps[i], w, s, out);
        if (out->failed) token_work_fail(w, out->too_large ? E_TOO_LARGE : E_NO_MEMORY);
        s = buf_str(out);
    }
    return w->failed ? STR("") : s;
}

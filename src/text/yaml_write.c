/* yaml_write.c - one scalar to YAML in block context; see yaml.h. The rule is caution: plain text
 * only from characters that mean nothing to any reader, a literal block only where its bytes come
 * back unchanged, quotes for the rest. Not here: keys, maps and lists (the caller writes them). */
#include "text/yaml.h"

#include "text/utf8.h"

#include <string.h>

/* Characters that YAML 1.1 takes for line ends or does not take at all. */
static bool must_escape(int32_t c) {
    if (c < 0x20) return true;
    return (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFE ||
           c == 0xFFFF;
}

static bool is_word(str s) {
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(s, str_from(words[i]))) return true;
    return false;
}

static bool plain_char(str s, size_t i) {
    unsigned char c = (unsigned char)s.p[i];
    if (c >= 0x80) return true; /* looked at as a code point by the caller */
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
    if (c == ':') return i + 1 < s.n && s.p[i + 1] != ' ';
    if (c == '#') return i > 0 && s.p[i - 1] != ' ';
    return c && strchr(" _-.,;?!'\"()/+$%&=<>@^~*|", c) != NULL;
}

static bool is_plain(str s) {
    if (s.n == 0 || s.p[s.n - 1] == ' ' || is_word(s)) return false;
    unsigned char c = (unsigned char)s.p[0];
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80)) return false;
    for (size_t i = 0; i < s.n;) {
        if (!plain_char(s, i)) return false;
        int32_t code = utf8_walk(s, &i);
        if (code < 0 || must_escape(code)) return false;
    }
    return true;
}

/* A literal block keeps these bytes: no odd characters, a first line that is neither empty nor
 * indented (it would need an indentation mark), at most one line end at the end. */
static bool is_literal(str s) {
    if (s.n < 2 || str_find_char(s, '\n') == STR_INDEX_NONE) return false;
    if (s.p[0] == ' ' || s.p[0] == '\n' || s.p[0] == '\t') return false;
    if (s.p[s.n - 1] == '\n' && s.p[s.n - 2] == '\n') return false;
    for (size_t i = 0; i < s.n;) {
        int32_t c = utf8_walk(s, &i);
        if (c < 0 || (must_escape(c) && c != '\n' && c != '\t')) return false;
    }
    return true;
}

static void put_literal(buf *b, str s, int indent) {
    bool ends = s.p[s.n - 1] == '\n';
    buf_put(b, ends ? STR("|") : STR("|-"));
    str rest = ends ? str_slice(s, 0, s.n - 1) : s;
    while (rest.p) {
        str line = str_cut(&rest, '\n');
        buf_put_char(b, '\n');
        for (int i = 0; line.n && i < indent; i++) buf_put_char(b, ' ');
        buf_put(b, line);
    }
}

static void put_code(buf *b, int32_t c) {
    static const char names[] = "abtnvfr"; /* \a is 7 */
    if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", (char)c);
    else if (c >= 7 && c <= 13)
        buf_printf(b, "\\%c", names[c - 7]);
    else if (must_escape(c))
        buf_printf(b, c < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)c);
    else
        utf8_put(b, (uint32_t)c);
}

static void put_quoted(buf *b, str s) {
    buf_put_char(b, '"');
    for (size_t i = 0; i < s.n;) {
        int32_t c = utf8_walk(s, &i);
        put_code(b, c < 0 ? UTF8_REPLACEMENT : c);
    }
    buf_put_char(b, '"');
}

void yaml_put(buf *b, str text, int indent) {
    if (is_plain(text))
        buf_put(b, text);
    else if (is_literal(text) && indent > 0)
        put_literal(b, text, indent);
    else
        put_quoted(b, text);
}

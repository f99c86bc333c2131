/* token_pre.c - scanners for the pre-tokenizers' regular expressions; see token_pre.h.
 *
 * Each matcher tries its expression's alternatives in their order at one position, as a
 * backtracking engine would; the expression stands above it. A new family is a row of pre_table
 * and, if its expression is new, one matcher. All scanners look at each character a bounded number
 * of times, except runs of white space before a line break, which are scanned once a match. */
#include "token/token_pre.h"

#include "token/token_char.h"
#include "token/token_norm.h"

#include <utf8proc.h>

/* End of the run of characters from `at` that have one of `classes` (and none of `but`). */
static size_t run_of(str s, size_t at, unsigned classes, unsigned but, size_t most) {
    for (size_t bytes; most > 0 && at < s.n; at += bytes, most--) {
        unsigned c = token_class_at(s, at, &bytes);
        if (!(c & classes) || (c & but)) break;
    }
    return at;
}

enum {
    ANY = CHAR_L | CHAR_N | CHAR_P | CHAR_S | CHAR_M | CHAR_OTHER,
    WORDY = CHAR_L | CHAR_N | CHAR_SPACE
};
#define NO_LIMIT ((size_t)-1)

static bool is_break(char c) {
    return c == '\r' || c == '\n';
}
static bool is_ascii_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static size_t breaks_end(str s, size_t at) {
    while (at < s.n && is_break(s.p[at])) at++;
    return at;
}

/* 's|'t|'re|'ve|'m|'ll|'d   (upper case too when any_case) */
static size_t match_contraction(str s, size_t at, bool any_case) {
    if (s.p[at] != '\'' || at + 1 >= s.n) return 0;
    int fold = any_case ? 0x20 : 0;
    int a = s.p[at + 1], b = at + 2 < s.n ? s.p[at + 2] : 0;
    if (is_ascii_letter((char)a)) a |= fold;
    if (is_ascii_letter((char)b)) b |= fold;
    if (any_case && (unsigned char)a == 0xC5 && (unsigned char)b == 0xBF) return 3; /* long s */
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return 0;
}

/* \s+(?!\S)|\s+   at a white-space character */
static size_t match_blanks(str s, size_t at) {
    size_t end = at, last = at;
    for (size_t bytes; end < s.n; end += bytes) {
        if (!(token_class_at(s, end, &bytes) & CHAR_SPACE)) break;
        last = end;
    }
    return (end == s.n || last == at ? end : last) - at;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t match_gpt2(str s, size_t at) {
    size_t bytes, n = match_contraction(s, at, false);
    if (n) return n;
    size_t from = at + (s.p[at] == ' ');
    unsigned c = token_class_at(s, from, &bytes);
    if (c & CHAR_L) return run_of(s, from, CHAR_L, 0, NO_LIMIT) - at;
    if (c & CHAR_N) return run_of(s, from, CHAR_N, 0, NO_LIMIT) - at;
    if (c && !(c & CHAR_SPACE)) return run_of(s, from, ANY, WORDY, NO_LIMIT) - at;
    return match_blanks(s, at);
}

/* \s*[\r\n]+   at a white-space character: through the last line break of the run */
static size_t match_line_end(str s, size_t at) {
    size_t end = at;
    for (size_t i = at, bytes; i < s.n; i += bytes) {
        if (!(token_class_at(s, i, &bytes) & CHAR_SPACE)) break;
        if (is_break(s.p[i])) end = i + 1;
    }
    return end - at;
}

/* What the Llama 3 family varies. */
typedef struct llama3_form {
    unsigned letters;   /* \p{L}, or \p{L}\p{M} */
    size_t digits_most; /* \p{N}{1,k} */
} llama3_form;

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}| ?[^\s\p{L}\p{N}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_llama3_form(str s, size_t at, llama3_form form) {
    size_t bytes, next_bytes, n = match_contraction(s, at, true);
    if (n) return n;
    unsigned c = token_class_at(s, at, &bytes), next = token_class_at(s, at + bytes, &next_bytes);
    if (c & form.letters) return run_of(s, at, form.letters, 0, NO_LIMIT) - at;
    if (!(c & CHAR_N) && !is_break(s.p[at]) && (next & form.letters))
        return run_of(s, at + bytes, form.letters, 0, NO_LIMIT) - at;
    if (c & CHAR_N) return run_of(s, at, CHAR_N, 0, form.digits_most) - at;
    unsigned not_symbols = WORDY | form.letters;
    size_t from = at + (s.p[at] == ' ');
    if (from > at) c = next;
    if (c && !(c & not_symbols))
        return breaks_end(s, run_of(s, from, ANY, not_symbols, NO_LIMIT)) - at;
    n = match_line_end(s, at);
    return n ? n : match_blanks(s, at);
}

static size_t match_llama3(str s, size_t at) {
    return match_llama3_form(s, at, (llama3_form){CHAR_L, 3});
}
static size_t match_qwen2(str s, size_t at) {
    return match_llama3_form(s, at, (llama3_form){CHAR_L, 1});
}
static size_t match_minicpm5(str s, size_t at) {
    return match_llama3_form(s, at, (llama3_form){CHAR_L, NO_LIMIT});
}
static size_t match_qwen35(str s, size_t at) {
    return match_llama3_form(s, at, (llama3_form){CHAR_L | CHAR_M, 1});
}

/* Letters with their case, as GPT-4o's expression has them: what may stand in [\p{Lu}\p{Lt}\p{Lm}
 * \p{Lo}\p{M}] and in [\p{Ll}\p{Lm}\p{Lo}\p{M}]. */
static bool may_be_upper(unsigned c) {
    return (c & (CHAR_L | CHAR_M)) && !(c & CHAR_LOWER);
}
static bool may_be_lower(unsigned c) {
    return (c & (CHAR_L | CHAR_M)) && !(c & CHAR_UPPER);
}
/* End of [upper]*[lower]+ from `at`; without any lower (*whole false), of [upper]+; 0: neither. */
static size_t cased_word_end(str s, size_t at, bool *whole) {
    size_t bytes, from = at, either = 0; /* either: behind the last that may be upper and lower */
    unsigned c = token_class_at(s, at, &bytes);
    for (; may_be_upper(c); c = token_class_at(s, at, &bytes)) {
        at += bytes;
        if (may_be_lower(c)) either = at;
    }
    *whole = true;
    if (may_be_lower(c)) {
        for (; may_be_lower(c); c = token_class_at(s, at, &bytes)) at += bytes;
        return at;
    }
    if (either) return either;
    *whole = false;
    return at > from ? at : 0;
}
/* [^\r\n\p{L}\p{N}]?[upper]*[lower]+ | [^\r\n\p{L}\p{N}]?[upper]+[lower]*   0: no match */
static size_t match_cased_word(str s, size_t at) {
    size_t bytes, behind = 0, here;
    bool behind_whole = false, here_whole;
    unsigned c = token_class_at(s, at, &bytes);
    if (!(c & (CHAR_L | CHAR_N)) && !is_break(s.p[at]))
        behind = cased_word_end(s, at + bytes, &behind_whole);
    if (behind && behind_whole) return behind - at;
    here = cased_word_end(s, at, &here_whole);
    if (here && here_whole) return here - at;
    if (behind) return behind - at;
    return here ? here - at : 0;
}

/* What the GPT-4o family varies. */
typedef struct gpt4o_form {
    bool contractions;
    size_t digits_most;
} gpt4o_form;

/* the cased words, (?i:'s|'t|'re|'ve|'m|'ll|'d)? behind them, |\p{N}{1,k}
 * | ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_gpt4o_form(str s, size_t at, gpt4o_form form) {
    size_t bytes, n = match_cased_word(s, at);
    if (n && form.contractions && at + n < s.n) n += match_contraction(s, at + n, true);
    if (n) return n;
    unsigned c = token_class_at(s, at, &bytes);
    if (c & CHAR_N) return run_of(s, at, CHAR_N, 0, form.digits_most) - at;
    size_t from = at + (s.p[at] == ' ');
    if (from > at) c = token_class_at(s, from, &bytes);
    if (c && !(c & WORDY)) {
        size_t end = run_of(s, from, ANY, WORDY, NO_LIMIT);
        while (end < s.n && (is_break(s.p[end]) || s.p[end] == '/')) end++;
        return end - at;
    }
    n = match_line_end(s, at);
    return n ? n : match_blanks(s, at);
}
static size_t match_gpt4o(str s, size_t at) {
    return match_gpt4o_form(s, at, (gpt4o_form){true, 3});
}
static size_t match_tekken(str s, size_t at) {
    return match_gpt4o_form(s, at, (gpt4o_form){false, 1});
}

/* One white-space character; one punctuation character, ASCII's symbols among them. */
static size_t match_space(str s, size_t at) {
    size_t bytes;
    return token_class_at(s, at, &bytes) & CHAR_SPACE ? bytes : 0;
}
static size_t match_mark(str s, size_t at) {
    size_t bytes;
    unsigned c = token_class_at(s, at, &bytes);
    if (bytes == 1) return c & (CHAR_P | CHAR_S) ? 1 : 0;
    switch (token_norm_bert_class(token_char_at(s, at, &bytes))) {
    case BERT_APART: return bytes;
    case BERT_LETTER: return 0;
    case BERT_DROPPED:
    case BERT_AS_UNICODE: break;
    }
    return c & CHAR_P ? bytes : 0;
}

/* \w as Rust's regular expressions have it: alphabetic, marks, decimal digits, connectors, joiners
 */
static bool is_word_char(int32_t c) {
    unsigned class = token_class(c);
    if (c < 0x80) return (class & (CHAR_L | CHAR_N)) || c == '_';
    if (class & (CHAR_L | CHAR_M)) return true;
    if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
        (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189))
        return true; /* letters in circles and squares */
    utf8proc_category_t is = utf8proc_category(c);
    return is == UTF8PROC_CATEGORY_ND || is == UTF8PROC_CATEGORY_NL || is == UTF8PROC_CATEGORY_PC ||
           c == 0x200C || c == 0x200D;
}
bool token_pre_ends_in_word(str s) {
    size_t at = s.n, n;
    if (!s.n) return false;
    while (--at > 0 && ((unsigned char)s.p[at] & 0xC0) == 0x80) continue;
    return is_word_char(token_char_at(s, at, &n));
}
bool token_pre_begins_in_word(str s) {
    size_t n;
    return s.n && is_word_char(token_char_at(s, 0, &n));
}
/* \w+|[^\w\s]+ */
static size_t match_word_or_marks(str s, size_t at) {
    size_t from = at, n;
    if (match_space(s, at)) return 0;
    bool word = is_word_char(token_char_at(s, at, &n));
    for (; at < s.n; at += n)
        if (is_word_char(token_char_at(s, at, &n)) != word || (!word && match_space(s, at))) break;
    return at - from;
}

/* \p{N}   \p{N}+   \p{N}{1,3} */
static size_t match_digit(str s, size_t at) {
    return run_of(s, at, CHAR_N, 0, 1) - at;
}
static size_t match_digits(str s, size_t at) {
    return run_of(s, at, CHAR_N, 0, NO_LIMIT) - at;
}
static size_t match_digits_to_3(str s, size_t at) {
    return run_of(s, at, CHAR_N, 0, 3) - at;
}
/* [0-9][0-9][0-9] */
static size_t match_3_digits(str s, size_t at) {
    if (s.n - at < 3) return 0;
    for (size_t i = at; i < at + 3; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return 0;
    return 3;
}
/* [\r\n] */
static size_t match_break(str s, size_t at) {
    return is_break(s.p[at]);
}

/* [\p{P}\$\+<=>\^~\|]+   and Falcon's with ` */
static size_t match_punctuation(str s, size_t at, bool backtick) {
    size_t from = at;
    for (size_t bytes; at < s.n; at += bytes) {
        unsigned c = token_class_at(s, at, &bytes);
        bool ascii_symbol = bytes == 1 && (c & CHAR_S) && (backtick || s.p[at] != '`');
        if (!(c & CHAR_P) && !ascii_symbol) break;
    }
    return at - from;
}
static size_t match_default_punctuation(str s, size_t at) {
    return match_punctuation(s, at, false);
}
static size_t match_falcon_punctuation(str s, size_t at) {
    return match_punctuation(s, at, true);
}

/* Sorted ranges of code points. */
typedef struct char_range {
    int32_t first, last;
} char_range;
static bool in_ranges(const char_range *ranges, size_t count, int32_t c) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && c >= ranges[low].first;
}

/* \s?[ranges]+   or, without the blank, [ranges]+ */
static size_t match_ranges(str s, size_t at, const char_range *ranges, size_t count, bool blank) {
    size_t bytes, end = at;
    if (blank && (token_class_at(s, at, &bytes) & CHAR_SPACE) && at + bytes < s.n) end += bytes;
    size_t from = end;
    while (end < s.n && in_ranges(ranges, count, token_char_at(s, end, &bytes))) end += bytes;
    if (end > from) return end - at;
    return from > at ? match_ranges(s, at, ranges, count, false) : 0; /* the blank is in the set */
}
#define RANGES(r) (r), sizeof(r) / sizeof(r)[0]

/* The letters of DeepSeek LLM's published expression: cased letters, as Unicode once had them. */
static const char_range deepseek_letters[] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},
    {0xD8, 0xF6},       {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},
    {0x295, 0x2AF},     {0x370, 0x373},     {0x376, 0x377},     {0x37B, 0x37D},
    {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},     {0x38C, 0x38C},
    {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},     {0x48A, 0x52F},
    {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},
    {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},
    {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},   {0x1F5B, 0x1F5B},
    {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},   {0x1FB6, 0x1FBC},
    {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},
    {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},
    {0x2102, 0x2102},   {0x2107, 0x2107},   {0x210A, 0x2113},   {0x2115, 0x2115},
    {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},   {0x2128, 0x2128},
    {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},   {0x213C, 0x213F},
    {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2184},   {0x2C00, 0x2C7B},
    {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF3},   {0xA640, 0xA66D},
    {0xA680, 0xA69B},   {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},
    {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},
    {0xFF41, 0xFF5A},   {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};
static size_t match_deepseek_letters(str s, size_t at) {
    return match_ranges(s, at, RANGES(deepseek_letters), true);
}
/* \s?[!-/:-~！-／：-～‘-‟　-。]+ */
static const char_range deepseek_marks[] = {
    {'!', '/'}, {':', '~'}, {0x2018, 0x201F}, {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E},
};
static size_t match_deepseek_marks(str s, size_t at) {
    return match_ranges(s, at, RANGES(deepseek_marks), true);
}
/* [一-龥ࠀ-一가-퟿]+ */
static const char_range deepseek_cjk[] = {{0x800, 0x9FA5}, {0xAC00, 0xD7FF}};
static size_t match_deepseek_cjk(str s, size_t at) {
    return match_ranges(s, at, RANGES(deepseek_cjk), false);
}
/* [一-龥぀-ゟ゠-ヿ]+ */
static const char_range deepseek3_cjk[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
static size_t match_deepseek3_cjk(str s, size_t at) {
    return match_ranges(s, at, RANGES(deepseek3_cjk), false);
}
/* \s+$   A run that does not reach the end is scanned from its first character only: linear. */
static size_t match_final_blanks(str s, size_t at) {
    size_t before = at, bytes;
    while (before > 0 && ((unsigned char)s.p[--before] & 0xC0) == 0x80) continue;
    if (before < at && (token_class_at(s, before, &bytes) & CHAR_SPACE)) return 0;
    size_t end = run_of(s, at, CHAR_SPACE, 0, NO_LIMIT);
    return end == s.n ? end - at : 0;
}

/* \s?\p{class}+ */
static size_t match_blank_and(str s, size_t at, unsigned class) {
    size_t bytes, from = at;
    if (token_class_at(s, at, &bytes) & CHAR_SPACE) from += bytes;
    size_t end = run_of(s, from, class, 0, NO_LIMIT);
    return end > from ? end - at : 0;
}
static size_t match_blank_letters(str s, size_t at) {
    return match_blank_and(s, at, CHAR_L);
}
static size_t match_blank_marks(str s, size_t at) {
    return match_blank_and(s, at, CHAR_P);
}

/* [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
 * | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * A control character or digit that no alternative takes matches nothing and becomes a gap. */
static size_t match_deepseek3(str s, size_t at) {
    size_t bytes, next_bytes;
    unsigned c = token_class_at(s, at, &bytes), next = token_class_at(s, at + bytes, &next_bytes);
    if (bytes == 1 && (c & (CHAR_P | CHAR_S)) && at + 1 < s.n && is_ascii_letter(s.p[at + 1])) {
        size_t end = at + 1;
        while (end < s.n && is_ascii_letter(s.p[end])) end++;
        return end - at;
    }
    if (!is_break(s.p[at]) && !(c & (CHAR_L | CHAR_P | CHAR_S)) && (next & (CHAR_L | CHAR_M)))
        return run_of(s, at + bytes, CHAR_L | CHAR_M, 0, NO_LIMIT) - at;
    if (c & (CHAR_L | CHAR_M)) return run_of(s, at, CHAR_L | CHAR_M, 0, NO_LIMIT) - at;
    size_t from = at + (s.p[at] == ' ');
    if ((from > at ? next : c) & (CHAR_P | CHAR_S))
        return breaks_end(s, run_of(s, from, CHAR_P | CHAR_S, 0, NO_LIMIT)) - at;
    if (!(c & CHAR_SPACE)) return 0;
    size_t n = match_line_end(s, at);
    return n ? n : match_blanks(s, at);
}

static const token_pre pre_table[] = {
    {.names = "default",
     .stages = {match_default_punctuation, match_gpt2, match_digits, match_3_digits}},
    {.names = "gpt-2 phi-2 mpt olmo jais trillion granite-docling jina-es jina-de jina-v2-es "
              "jina-v2-de gigachat a.x-4.0 mellum modern-bert jina-v1-en jina-v2-code roberta-bpe "
              "exaone4",
     .stages = {match_gpt2}},
    {.names = "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
     .stages = {match_digit, match_gpt2}},
    {.names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     .stages = {match_llama3},
     .ignore_merges = true,
     .add_bos = true},
    {.names = "dbrx smaug-bpe chatglm-bpe glm4", .stages = {match_llama3}},
    {.names = "qwen2 stablelm2 hunyuan deepseek-r1-qwen megrez kormo solar-open grok-2 f2llmv2",
     .stages = {match_qwen2}},
    {.names = "qwen35", .stages = {match_qwen35}},
    {.names = "gpt-4o llama4 kanana2 talkie minimax-m2 granite-embed-multi-97m",
     .stages = {match_gpt4o}},
    {.names = "tekken", .stages = {match_tekken}, .ignore_merges = true, .add_bos = true},
    {.names = "minicpm5", .stages = {match_digits_to_3, match_minicpm5}, .ignore_merges = true},
    {.names = "falcon", .stages = {match_falcon_punctuation, match_gpt2, match_3_digits}},
    {.names = "deepseek-coder",
     .stages = {match_break, match_blank_letters, match_blank_marks, match_deepseek_cjk,
                match_digit}},
    {.names = "deepseek-llm",
     .stages = {match_break, match_deepseek_letters, match_deepseek_marks, match_final_blanks,
                match_deepseek_cjk, match_digits}},
    {.names = "deepseek-v3 hunyuan-dense joyai-llm",
     .stages = {match_digits_to_3, match_deepseek3_cjk, match_deepseek3}},
};

const token_pre *token_pre_find(str name) {
    if (!name.n) name = STR("default");
    for (size_t i = 0; i < sizeof pre_table / sizeof pre_table[0]; i++)
        for (str rest = str_from(pre_table[i].names); rest.p;)
            if (str_eq(str_cut(&rest, ' '), name)) return &pre_table[i];
    return NULL;
}

/* As tokenizer.json files write them. */
#define RE_LLAMA3(letters, digits, symbols)                                                 \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?" letters "+|" digits "| ?" symbols \
    "+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define RE_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define RE_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define RE_GPT4O(contractions, digits)                                          \
    "[^\\r\\n\\p{L}\\p{N}]?" RE_UPPER "*" RE_LOWER "+" contractions             \
    "|[^\\r\\n\\p{L}\\p{N}]?" RE_UPPER "+" RE_LOWER "*" contractions "|" digits \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const struct {
    const char *regex;
    token_match match;
} regex_table[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     match_gpt2},
    {RE_LLAMA3("\\p{L}", "\\p{N}{1,3}", "[^\\s\\p{L}\\p{N}]"), match_llama3},
    {RE_LLAMA3("\\p{L}", "\\p{N}", "[^\\s\\p{L}\\p{N}]"), match_qwen2},
    {RE_LLAMA3("[\\p{L}\\p{M}]", "\\p{N}", "[^\\s\\p{L}\\p{M}\\p{N}]"), match_qwen35},
    {RE_LLAMA3("\\p{L}", "\\p{N}+", "[^\\s\\p{L}\\p{N}]"), match_minicpm5},
    {RE_GPT4O("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "\\p{N}{1,3}"), match_gpt4o},
    {RE_GPT4O("", "\\p{N}"), match_tekken},
    {"\\p{N}{1,3}", match_digits_to_3},
    {"\\p{N}", match_digit},
    {"[0-9][0-9][0-9]", match_3_digits},
    {"[\r\n]", match_break},
    {"[一-龥぀-ゟ゠-ヿ]+", match_deepseek3_cjk},
    {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?"
     "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
     match_deepseek3},
};

token_match token_pre_regex(str regex) {
    for (size_t i = 0; i < sizeof regex_table / sizeof regex_table[0]; i++)
        if (str_is(regex, regex_table[i].regex)) return regex_table[i].match;
    return NULL;
}
token_match token_pre_gpt2(void) {
    return match_gpt2;
}
token_match token_pre_digits(bool individual) {
    return individual ? match_digit : match_digits;
}
token_match token_pre_space(void) {
    return match_space;
}
token_match token_pre_mark(void) {
    return match_mark;
}
token_match token_pre_word_or_marks(void) {
    return match_word_or_marks;
}

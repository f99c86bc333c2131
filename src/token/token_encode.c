/* token_encode.c - one call of encode: spans to one text, added tokens found, the rest to BPE or
 * WordPiece.
 *
 * The spans are joined (a lone valid one is used where it lies) and repaired to valid UTF-8; a list
 * of trusted ranges goes along. Then the text is walked once: where an added token stands whose
 * level is allowed there, what lies before it is tokenised and its id is put. The longest one at
 * the leftmost place wins, as in Hugging Face's tokenizers. */
#include "token/token_int.h"

#include "token/token_char.h"

#include "base/mem.h"

#include <string.h>
#include <utf8proc.h>

/* Work ---------------------------------------------------------------------------------------- */

void token_work_put(token_work *w, int32_t id) {
    if (w->n == w->cap && !w->failed) {
        size_t cap = w->cap ? w->cap * 2 : 256, bytes;
        int32_t *ids = mem_size(cap, sizeof *ids, &bytes) ? mem_resize(w->ids, bytes) : NULL;
        if (ids) {
            w->ids = ids;
            w->cap = cap;
        }
        w->failed = !ids;
    }
    if (!w->failed) w->ids[w->n++] = id;
}

void *token_work_scratch(token_work *w, size_t bytes) {
    if (bytes > w->scratch_bytes) {
        mem_free(w->scratch);
        w->scratch = mem_alloc(bytes);
        w->scratch_bytes = w->scratch ? bytes : 0;
    }
    if (!w->scratch) w->failed = true;
    return w->scratch;
}

/* The text ------------------------------------------------------------------------------------ */

typedef struct trusted_range {
    size_t from, to;
} trusted_range;

typedef struct joined_text {
    str text; /* valid UTF-8 */
    char *owned;
    trusted_range *trusted; /* [trusted_count], in order, apart from each other */
    size_t trusted_count;
    token_special special; /* what holds outside the trusted ranges */
} joined_text;

static void joined_free(joined_text *j) {
    mem_free(j->owned);
    mem_free(j->trusted);
}

static void joined_trust(joined_text *j, size_t from, size_t to) {
    trusted_range *last = j->trusted_count ? &j->trusted[j->trusted_count - 1] : NULL;
    if (from == to) return;
    if (last && last->to == from)
        last->to = to;
    else
        j->trusted[j->trusted_count++] = (trusted_range){from, to};
}

static err joined_make(joined_text *j, const token_span *spans, size_t count, fail *f) {
    size_t total = 0;
    bool valid = true;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].text.n > TOKEN_TEXT_BYTES_MAX - total)
            return fail_set(f, E_TOO_LARGE, "a text above %d bytes cannot be tokenised in one call",
                            TOKEN_TEXT_BYTES_MAX);
        total += spans[i].text.n;
        valid = valid && token_utf8_valid(spans[i].text) == spans[i].text.n;
    }
    size_t bytes;
    j->trusted = mem_size(count + 1, sizeof *j->trusted, &bytes) ? mem_alloc(bytes) : NULL;
    if (!j->trusted) return fail_memory(f, "a text to tokenise");
    if (count == 1 && valid) {
        j->text = spans[0].text;
        if (spans[0].trusted) joined_trust(j, 0, total);
        return E_OK;
    }
    j->owned = mem_alloc(valid ? total + 1 : total * 3 + 1);
    if (!j->owned) return fail_memory(f, "a text to tokenise");
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t from = at;
        if (spans[i].text.n) at += token_utf8_repair(spans[i].text, j->owned + at);
        if (spans[i].trusted) joined_trust(j, from, at);
    }
    j->text = (str){j->owned, at};
    return E_OK;
}

/* Added tokens -------------------------------------------------------------------------------- */

/* The part of added[low, high) whose byte at `depth` is c; all in it share the bytes before. */
static void added_narrow(const tokenizer *t, size_t depth, unsigned char c, size_t *low,
                         size_t *high) {
    size_t from = *low, to = *high;
    while (from < to) {
        size_t middle = (from + to) / 2;
        str s = t->added[middle].text;
        if (s.n <= depth || (unsigned char)s.p[depth] < c)
            from = middle + 1;
        else
            to = middle;
    }
    *low = from;
    to = *high;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if ((unsigned char)t->added[middle].text.p[depth] == c)
            from = middle + 1;
        else
            to = middle;
    }
    *high = from;
}

/* The longest added token at s.p[at] that `special` allows, or that ends before trusted_to. */
static const token_added *added_at(const tokenizer *t, str s, size_t at, token_special special,
                                   size_t trusted_to) {
    const token_added *best = NULL;
    size_t low = 0, high = t->added_count;
    for (size_t depth = 0; at + depth < s.n && low < high; depth++) {
        added_narrow(t, depth, (unsigned char)s.p[at + depth], &low, &high);
        const token_added *one = low < high ? &t->added[low] : NULL; /* the shortest stands first */
        if (one && one->text.n == depth + 1 &&
            (one->least <= special || at + one->text.n <= trusted_to))
            best = one;
    }
    return best;
}

/* Fragments ----------------------------------------------------------------------------------- */

/* NFC over the scratch of the work: code points in place, then UTF-8 over them. */
static str fragment_nfc(token_work *w, str s) {
    size_t i = 0;
    while (i < s.n && (unsigned char)s.p[i] < 0x80) i++;
    if (i == s.n) return s;
    utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_ssize_t n =
        utf8proc_decompose((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, NULL, 0, how);
    utf8proc_int32_t *points = n > 0 ? mem_alloc(((size_t)n + 1) * sizeof *points) : NULL;
    if (!points) {
        w->failed = true;
        return STR("");
    }
    utf8proc_decompose((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, points, n, how);
    n = utf8proc_reencode(points, n, how);
    mem_free(w->normal);
    w->normal = (char *)points;
    return (str){w->normal, n > 0 ? (size_t)n : 0};
}

static void encode_fragment(token_work *w, str s) {
    if (!s.n || w->failed) return;
    if (w->t->nfc) s = fragment_nfc(w, s);
    switch (w->t->algorithm) {
    case TOKEN_BPE: token_bpe_encode(w, s); break;
    case TOKEN_WORDPIECE: token_wordpiece_encode(w, s); break;
    case TOKEN_SPM: token_spm_encode(w, s); break;
    }
}

/* White space beside an added token that takes it along. */
static size_t blanks_before(str s, size_t from, size_t to) {
    while (to > from) {
        size_t at = to - 1, bytes;
        while (at > from && ((unsigned char)s.p[at] & 0xC0) == 0x80) at--;
        if (!(token_class_at(s, at, &bytes) & CHAR_SPACE)) break;
        to = at;
    }
    return to;
}
static size_t blanks_after(str s, size_t at) {
    for (size_t bytes; at < s.n; at += bytes)
        if (!(token_class_at(s, at, &bytes) & CHAR_SPACE)) break;
    return at;
}

static void encode_joined(token_work *w, const joined_text *j) {
    const tokenizer *t = w->t;
    str s = j->text;
    size_t from = 0, range = 0; /* from: start of what is not yet tokenised */
    for (size_t at = 0; at < s.n && !w->failed;) {
        if (!t->added_first[(unsigned char)s.p[at]]) {
            at++;
            continue;
        }
        while (range < j->trusted_count && j->trusted[range].to <= at) range++;
        bool trusted = range < j->trusted_count && j->trusted[range].from <= at;
        const token_added *one = added_at(t, s, at, j->special, trusted ? j->trusted[range].to : 0);
        if (!one) {
            at++;
            continue;
        }
        size_t before = one->strip_left ? blanks_before(s, from, at) : at;
        encode_fragment(w, str_slice(s, from, before));
        token_work_put(w, one->id);
        at += one->text.n;
        if (one->strip_right) at = blanks_after(s, at);
        from = at;
    }
    encode_fragment(w, str_slice(s, from, s.n));
}

/* The calls ----------------------------------------------------------------------------------- */

static err work_finish(token_work *w, arena *a, token_ids *out, fail *f) {
    int32_t *ids = w->failed ? NULL : arena_new_n(a, int32_t, w->n + 1);
    if (!ids) return fail_memory(f, "the tokens of a text");
    if (w->n) memcpy(ids, w->ids, w->n * sizeof *ids);
    *out = (token_ids){ids, w->n};
    return E_OK;
}

static err encode_all(const tokenizer *t, arena *a, const token_span *spans, size_t count,
                      token_special special, const token_encode_options *o, token_ids *out,
                      fail *f) {
    token_work w = {.t = t};
    joined_text j = {.special = special};
    err e = joined_make(&j, spans, count, f);
    if (e == E_OK) {
        if (o && o->add_bos && t->bos != TOKEN_NONE) token_work_put(&w, t->bos);
        encode_joined(&w, &j);
        if (o && o->add_eos && t->eos != TOKEN_NONE) token_work_put(&w, t->eos);
        e = work_finish(&w, a, out, f);
    }
    joined_free(&j);
    mem_free(w.ids);
    mem_free(w.scratch);
    mem_free(w.normal);
    return e;
}

err tokenizer_encode(const tokenizer *t, arena *a, str text, const token_encode_options *o,
                     token_ids *out, fail *f) {
    token_span span = {.text = text};
    return encode_all(t, a, &span, 1, o ? o->special : TOKEN_SPECIAL_NONE, o, out, f);
}

err tokenizer_encode_spans(const tokenizer *t, arena *a, const token_span *spans, size_t count,
                           const token_encode_options *o, token_ids *out, fail *f) {
    return encode_all(t, a, spans, count, TOKEN_SPECIAL_NONE, o, out, f);
}

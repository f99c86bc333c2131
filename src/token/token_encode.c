/* token_encode.c - one call of encode: spans to one text, added tokens found, the rest through
 * normaliser and pre-tokenizer to the model.
 *
 * The spans are joined (a lone valid one is used where it lies) and repaired to valid UTF-8; a list
 * of trusted ranges goes along. Then the text is walked once: where an added token stands whose
 * level is allowed there, what lies before it is tokenised and its id is put. The longest one at
 * the leftmost place wins, as in Hugging Face's tokenizers. */
#include "token/token_int.h"

#include "token/token_char.h"

#include "base/mem.h"

#include <string.h>

/* The text ------------------------------------------------------------------------------------ */

typedef struct trusted_range {
    size_t from, to;
} trusted_range;

typedef struct joined_text {
    str text; /* valid UTF-8 */
    char *owned;
    trusted_range *trusted; /* [trusted_count], in order, apart from each other */
    size_t trusted_count;
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
static void added_narrow(const token_added_set *set, size_t depth, unsigned char c, size_t *low,
                         size_t *high) {
    size_t from = *low, to = *high;
    while (from < to) {
        size_t middle = (from + to) / 2;
        str s = set->p[middle].text;
        if (s.n <= depth || (unsigned char)s.p[depth] < c)
            from = middle + 1;
        else
            to = middle;
    }
    *low = from;
    to = *high;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if ((unsigned char)set->p[middle].text.p[depth] == c)
            from = middle + 1;
        else
            to = middle;
    }
    *high = from;
}

/* A walk over a text in which the tokens of a set are found. */
typedef struct added_walk {
    const token_added_set *set;
    str s;
    token_special special;        /* what holds outside the trusted ranges */
    const trusted_range *trusted; /* [trusted_count], in order */
    size_t trusted_count;
    size_t shift; /* of s.p[0] in the text that the ranges speak of */
    bool begins;  /* s is the beginning of the whole text */
} added_walk;

/* The longest token at s.p[at] that `special` allows, or that ends before trusted_to. */
static const token_added *added_at(const added_walk *walk, size_t at, size_t trusted_to) {
    const token_added *best = NULL;
    str s = walk->s;
    size_t low = 0, high = walk->set->n;
    for (size_t depth = 0; at + depth < s.n && low < high; depth++) {
        added_narrow(walk->set, depth, (unsigned char)s.p[at + depth], &low, &high);
        const token_added *one = low < high ? &walk->set->p[low] : NULL; /* the shortest is first */
        if (one && one->text.n == depth + 1 &&
            (one->least <= walk->special || at + one->text.n <= trusted_to))
            best = one;
    }
    if (best && best->single_word &&
        (token_pre_ends_in_word(str_slice(s, 0, at)) ||
         token_pre_begins_in_word(str_slice(s, at + best->text.n, s.n))))
        return NULL;
    return best;
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

typedef void added_between(token_work *w, const added_walk *walk, size_t from, size_t to);

static void walk_added(token_work *w, const added_walk *walk, added_between *between) {
    str s = walk->s;
    size_t from = 0, range = 0; /* from: start of what is not yet tokenised */
    for (size_t at = 0; at < s.n && walk->set->n && !w->failed;) {
        if (!walk->set->first[(unsigned char)s.p[at]]) {
            at++;
            continue;
        }
        size_t place = at + walk->shift;
        while (range < walk->trusted_count && walk->trusted[range].to <= place) range++;
        bool trusted = range < walk->trusted_count && walk->trusted[range].from <= place;
        const token_added *one =
            added_at(walk, at, trusted ? walk->trusted[range].to - walk->shift : 0);
        if (!one) {
            at++;
            continue;
        }
        size_t before = one->strip_left ? blanks_before(s, from, at) : at;
        if (before > from) between(w, walk, from, before);
        token_work_put(w, one->id);
        at += one->text.n;
        if (one->strip_right) at = blanks_after(s, at);
        from = at;
    }
    if (from < s.n && !w->failed) between(w, walk, from, s.n);
}

/* Fragments ----------------------------------------------------------------------------------- */

/* What lies between normalised added tokens: to the pre-tokenizer. */
static void encode_normal(token_work *w, const added_walk *walk, size_t from, size_t to) {
    w->first = walk->begins && from == 0 ? walk->s.p : NULL;
    token_cut_run(w->t->cuts, w->t->cut_count, w, str_slice(walk->s, from, to));
}

/* What lies between raw added tokens: normalised, then searched for the normalised ones, which are
 * trusted where they lie in trusted text, or, once the normaliser has changed something, only where
 * all of the fragment is. */
static void encode_raw(token_work *w, const added_walk *walk, size_t from, size_t to) {
    const tokenizer *t = w->t;
    str s = str_slice(walk->s, from, to);
    if (t->bert) {
        token_wordpiece_encode(w, s);
        return;
    }
    bool trusted = false;
    for (size_t i = 0; i < walk->trusted_count && t->normal.n && !trusted; i++)
        trusted = walk->trusted[i].from <= from && to <= walk->trusted[i].to;
    s = token_norm_run(&t->norm, w, s);
    trusted_range all = {0, s.n};
    bool same = s.p == walk->s.p + from && s.n == to - from;
    added_walk inner = {
        .set = &t->normal,
        .s = s,
        .special = walk->special,
        .trusted = same ? walk->trusted : &all,
        .trusted_count = same ? walk->trusted_count : trusted,
        .shift = same ? from : 0,
        .begins = walk->begins && from == 0,
    };
    if (s.n) walk_added(w, &inner, encode_normal);
}

/* The calls ----------------------------------------------------------------------------------- */

static err work_fail_set(const token_work *w, fail *f) {
    if (w->failed && w->why == E_TOO_LARGE)
        return fail_set(f, E_TOO_LARGE,
                        "the tokenizer's own rules take too long, or make too much, of this text");
    return fail_memory(f, "the tokens of a text");
}

static err work_finish(token_work *w, arena *a, token_ids *out, fail *f) {
    int32_t *ids = w->failed ? NULL : arena_new_n(a, int32_t, w->n + 1);
    if (!ids) return work_fail_set(w, f);
    if (w->n) memcpy(ids, w->ids, w->n * sizeof *ids);
    *out = (token_ids){ids, w->n};
    return E_OK;
}

static err encode_all(const tokenizer *t, arena *a, const token_span *spans, size_t count,
                      token_special special, const token_encode_options *o, token_ids *out,
                      fail *f) {
    token_work w = {.t = t};
    joined_text j = {.trusted_count = 0};
    err e = joined_make(&j, spans, count, f);
    if (e == E_OK) {
        added_walk walk = {
            .set = &t->raw,
            .s = j.text,
            .special = special,
            .trusted = j.trusted,
            .trusted_count = j.trusted_count,
            .begins = true,
        };
        if (o && o->add_bos && t->bos != TOKEN_NONE) token_work_put(&w, t->bos);
        walk_added(&w, &walk, encode_raw);
        if (o && o->add_eos && t->eos != TOKEN_NONE) token_work_put(&w, t->eos);
        e = work_finish(&w, a, out, f);
    }
    joined_free(&j);
    token_work_deinit(&w);
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

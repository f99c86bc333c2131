/* route_quote.c - the sentences of the task's passages that fit a question best, word for word: a
 * draft that invents nothing. Sentences are embedded once a task file, at first need, and kept. */
#include "base/mem.h"
#include "route/route_int.h"

#include <string.h>

#define ROUTE_QUOTE_LEAST 0.35  /* cosine below which no sentence is about the question */
#define ROUTE_QUOTE_SECOND 0.85 /* share of the best one's similarity that a second one needs */

static bool sentence_ends(str text, size_t i) {
    char c = text.p[i];
    if (c == '\n' && i + 1 < text.n && text.p[i + 1] == '\n') return true;
    if (c != '.' && c != '!' && c != '?') return false;
    if (i + 1 >= text.n) return true;
    if (text.p[i + 1] != ' ' && text.p[i + 1] != '\n') return false;
    /* "e.g. 3", "No. 4": a lower-case letter or a digit goes on with the sentence */
    size_t next = i + 1;
    while (next < text.n && (text.p[next] == ' ' || text.p[next] == '\n')) next++;
    return next >= text.n || !((text.p[next] >= 'a' && text.p[next] <= 'z') ||
                               (text.p[next] >= '0' && text.p[next] <= '9'));
}

size_t route_sentences(str text, str *out, size_t most) {
    size_t n = 0, start = 0;
    for (size_t i = 0; i < text.n && n < most; i++) {
        if (!sentence_ends(text, i) && i + 1 < text.n) continue;
        str s = str_trim(str_slice(text, start, i + 1));
        if (s.n) out[n++] = s;
        start = i + 1;
    }
    return n;
}

static err load_sentences(route *r, route_file *file, fail *f) {
    const task *t = file->task;
    str slices[256];
    arena_reset(&r->sentence_arena);
    r->n_sentences = 0;
    r->sentences = arena_new_n(&r->sentence_arena, route_sentence, ROUTE_SENTENCES_MAX);
    if (!r->sentences) return fail_memory(f, "passages");
    for (size_t p = 0; p < t->n_passages; p++) {
        size_t n = route_sentences(t->passages[p].text, slices, 256);
        for (size_t i = 0; i < n && r->n_sentences < ROUTE_SENTENCES_MAX; i++)
            r->sentences[r->n_sentences++] = (route_sentence){&t->passages[p], slices[i]};
    }
    size_t width = (size_t)r->o.embedder->width;
    str *texts = arena_new_n(&r->sentence_arena, str, r->n_sentences + 1);
    r->sentence_vectors =
        arena_array(&r->sentence_arena, r->n_sentences + 1, width * sizeof(float));
    if (!texts || !r->sentence_vectors) return fail_memory(f, "passages");
    for (size_t i = 0; i < r->n_sentences; i++) texts[i] = r->sentences[i].text;
    TRY(route_vectors(r, texts, r->n_sentences, r->sentence_vectors, f));
    r->sentence_file = route_file_keep(file);
    return E_OK;
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

typedef struct quote_best {
    size_t index[ROUTE_QUOTE_MAX];
    double score[ROUTE_QUOTE_MAX];
    size_t n;
} quote_best;

static void keep_best(quote_best *b, size_t index, double score) {
    size_t at = b->n;
    while (at > 0 && score > b->score[at - 1]) at--;
    if (at == ROUTE_QUOTE_MAX) return;
    size_t last = b->n < ROUTE_QUOTE_MAX ? b->n++ : ROUTE_QUOTE_MAX - 1;
    for (size_t i = last; i > at; i--) b->index[i] = b->index[i - 1], b->score[i] = b->score[i - 1];
    b->index[at] = index;
    b->score[at] = score;
}

static quote_best find_best(const route *r, const float *question, const task_passage *passage) {
    quote_best b = {.n = 0};
    size_t width = (size_t)r->o.embedder->width;
    for (size_t i = 0; i < r->n_sentences; i++)
        if (!passage || str_eq(passage->id, r->sentences[i].passage->id))
            keep_best(&b, i, dot(question, r->sentence_vectors + i * width, width));
    if (b.n && b.score[0] < ROUTE_QUOTE_LEAST) b.n = 0;
    if (b.n > 1 && (b.score[1] < ROUTE_QUOTE_SECOND * b.score[0] || b.score[1] < ROUTE_QUOTE_LEAST))
        b.n = 1;
    return b;
}

static err put_quotes(route_case *c, const quote_best *b, str *draft, gen_passage *out, size_t *n,
                      fail *f) {
    buf text = {.bytes_max = ROUTE_DRAFT_BYTES_MAX};
    size_t count = 0;
    err e = E_OK;
    for (size_t i = 0; e == E_OK && i < b->n; i++) {
        const route_sentence *s = &c->r->sentences[b->index[i]];
        if (count == GEN_PASSAGES_MAX || text.n + s->text.n + 1 > ROUTE_DRAFT_BYTES_MAX) break;
        gen_passage p = {arena_str(c->a, s->passage->id), arena_str(c->a, s->passage->title),
                         arena_str(c->a, s->text), b->score[i]};
        if (!p.id.p || !p.title.p || !p.text.p) e = fail_memory(f, "a quotation");
        if (text.n) buf_put_char(&text, ' ');
        buf_put(&text, s->text);
        out[count++] = p;
    }
    if (e == E_OK) e = buf_ok(&text, f);
    str joined = e == E_OK ? arena_str(c->a, buf_str(&text)) : STR_NONE;
    buf_deinit(&text);
    if (e != E_OK) return e;
    if (!joined.p) return fail_memory(f, "a quotation");
    *draft = joined;
    *n = count;
    return E_OK;
}

err route_quote(route_case *c, const task_passage *passage, str *draft, gen_passage *out, size_t *n,
                fail *f) {
    route *r = c->r;
    err e = E_OK;
    *draft = STR("");
    *n = 0;
    if (!c->vector || c->brain->file->task->n_passages == 0) return E_OK;
    mutex_lock(&r->sentence_lock);
    if (r->sentence_file != c->brain->file) {
        route_file_drop(r->sentence_file);
        r->sentence_file = NULL;
        e = load_sentences(r, c->brain->file, f);
    }
    if (e == E_OK) {
        quote_best best = find_best(r, c->vector, passage);
        if (best.n) e = put_quotes(c, &best, draft, out, n, f);
    }
    mutex_unlock(&r->sentence_lock);
    return e;
}

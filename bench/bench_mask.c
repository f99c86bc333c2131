/* bench_mask.c - what the masks of a grammar cost, token by token, in CPU time.
 *
 *   build/bench/bench_mask MODEL.gguf CASES.jsonl [VOCABULARY.jsonl]
 *
 * A line of CASES is {"name", "schema", "texts": [...]}: each text is cut into tokens and walked;
 * before each token, and at the end, the mask is asked for. Prints a line a case:
 * {"name", "compile_ns", "walks": [{"ids", "first": [ns...], "again": [ns...], "accept_ns"}]};
 * "refused" says why where a schema or a text is not taken. `first` is the first walk of that
 * grammar, with the vocabulary as the cases before have left it; `again` a second walk. With
 * VOCABULARY the tokens are written there, a line each: {"hex", "ends"}, so that others can be
 * given the same. See bench_mask.py. */
#include "../tests/token/vocab.h"

#include "base/mem.h"
#include "grammar/grammar.h"
#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Of this thread, so that what else the machine does is not counted. */
static int64_t now_ns(void) {
    struct timespec s;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &s);
    return (int64_t)s.tv_sec * 1000000000 + s.tv_nsec;
}

typedef struct bench {
    tokenizer *t;
    grammar_vocabulary *v;
    arena a; /* of one case */
    uint64_t *bits;
    size_t words;
} bench;

/* ---- the vocabulary, as gen_shape.c gives it to a grammar ---- */

static void write_vocabulary(FILE *out, const grammar_token *tokens, size_t n) {
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "{\"hex\":\"");
        for (size_t k = 0; k < tokens[i].bytes.n; k++)
            fprintf(out, "%02x", (uint8_t)tokens[i].bytes.p[k]);
        fprintf(out, "\",\"ends\":%s}\n", tokens[i].ends ? "true" : "false");
    }
}

static err open_vocabulary(bench *b, const char *path, fail *f) {
    size_t n = tokenizer_count(b->t);
    grammar_token *tokens = mem_zero(n * sizeof *tokens);
    if (!tokens) return fail_memory(f, "a vocabulary");
    for (size_t i = 0; i < n; i++) {
        token_type type = tokenizer_type(b->t, (int32_t)i);
        tokens[i].ends = tokenizer_is_end(b->t, (int32_t)i);
        if (type == TOKEN_NORMAL || type == TOKEN_BYTE || type == TOKEN_USER)
            tokens[i].bytes = tokenizer_piece(b->t, (int32_t)i);
    }
    if (path) {
        FILE *out = fopen(path, "w");
        if (out) {
            write_vocabulary(out, tokens, n);
            fclose(out);
        }
    }
    int64_t start = now_ns();
    err e = grammar_vocabulary_open(&b->v, tokens, (int32_t)n, f);
    printf("{\"vocabulary\":%zu,\"open_ns\":%lld}\n", n, (long long)(now_ns() - start));
    b->words = (n + 63) / 64;
    b->bits = mem_zero(b->words * sizeof *b->bits);
    mem_free(tokens);
    return e;
}

/* ---- walks ---- */

static err mask(bench *b, grammar_walk *w, int64_t *ns, fail *f) {
    for (size_t i = 0; i < b->words; i++) b->bits[i] = 0;
    int64_t start = now_ns();
    err e = grammar_walk_allowed(w, b->bits, f);
    *ns = now_ns() - start;
    return e;
}

/* ns: [ids->n + 1] */
static err walk(bench *b, const grammar *g, const token_ids *ids, int64_t *ns, int64_t *accept_ns,
                fail *f) {
    grammar_walk *w;
    TRY(grammar_walk_open(&w, g, b->v, f));
    err e = mask(b, w, &ns[0], f);
    *accept_ns = 0;
    for (size_t i = 0; e == E_OK && i < ids->n; i++) {
        int32_t id = ids->p[i];
        if (!(b->bits[id / 64] >> (id % 64) & 1))
            e = fail_set(f, E_INPUT, "token %zu is not allowed", i);
        int64_t start = now_ns();
        if (e == E_OK) e = grammar_walk_accept(w, id, f);
        *accept_ns += now_ns() - start;
        if (e == E_OK) e = mask(b, w, &ns[i + 1], f);
    }
    if (e == E_OK && !grammar_walk_may_end(w)) e = fail_set(f, E_INPUT, "the text may not end");
    grammar_walk_close(w);
    return e;
}

static void put_times(json_writer *w, const char *key, const int64_t *ns, size_t n) {
    json_key(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_put_int(w, ns[i]);
    json_end_array(w);
}

static err one_text(bench *b, const grammar *g, str text, json_writer *w, fail *f) {
    token_ids ids;
    fail why = {0};
    int64_t accept_ns = 0;
    TRY(tokenizer_encode(b->t, &b->a, text, NULL, &ids, f));
    int64_t *ns = arena_new_n(&b->a, int64_t, 2 * (ids.n + 1));
    if (!ns) return fail_memory(f, "the times");
    err e = walk(b, g, &ids, ns, &accept_ns, &why);
    if (e == E_OK) e = walk(b, g, &ids, ns + ids.n + 1, &accept_ns, &why);
    json_begin_object(w);
    if (e != E_OK) {
        json_key(w, "refused");
        json_put_z(w, why.text);
    }
    json_key(w, "ids");
    json_begin_array(w);
    for (size_t i = 0; i < ids.n; i++) json_put_int(w, ids.p[i]);
    json_end_array(w);
    put_times(w, "first", ns, e == E_OK ? ids.n + 1 : 0);
    put_times(w, "again", ns + ids.n + 1, e == E_OK ? ids.n + 1 : 0);
    json_key(w, "accept_ns");
    json_put_int(w, accept_ns);
    json_end_object(w);
    return E_OK;
}

/* ---- cases ---- */

static err walk_texts(bench *b, const grammar *g, const json *texts, json_writer *w, fail *f) {
    json_key(w, "walks");
    json_begin_array(w);
    for (size_t i = 0; texts && i < texts->count; i++)
        TRY(one_text(b, g, texts->items[i].string, w, f));
    json_end_array(w);
    return E_OK;
}

static err one_case(bench *b, str line, buf *out, fail *f) {
    const json *c;
    grammar *g;
    fail why = {0};
    json_writer w = {.out = out};
    TRY(json_parse(&b->a, line, &c, f));
    const json *schema = json_get(c, "schema"), *name = json_get(c, "name");
    if (!schema || !name) return fail_set(f, E_INPUT, "a case needs a name and a schema");
    json_begin_object(&w);
    json_key(&w, "name");
    json_put_value(&w, name);
    int64_t start = now_ns();
    err e = grammar_open_schema(&g, schema, GRAMMAR_SPACE_SOME, &why);
    json_key(&w, "compile_ns");
    json_put_int(&w, now_ns() - start);
    if (e != E_OK) {
        json_key(&w, "refused");
        json_put_z(&w, why.text);
    } else {
        e = walk_texts(b, g, json_get(c, "texts"), &w, f);
        grammar_close(g);
        TRY(e);
    }
    json_end_object(&w);
    return E_OK;
}

static err run(bench *b, arena *a, char **argv, fail *f) {
    str lines;
    TRY(vocab_open(argv[1], &b->t, NULL, NULL, f));
    TRY(open_vocabulary(b, argv[3], f)); /* NULL behind the last */
    TRY(file_read(a, argv[2], 0, &lines, f));
    while (lines.n) {
        str line = str_cut(&lines, '\n');
        buf out = {0};
        if (!line.n) continue;
        err e = one_case(b, line, &out, f);
        if (e == E_OK) printf("%.*s\n", STR_ARG(buf_str(&out)));
        buf_deinit(&out);
        arena_reset(&b->a);
        TRY(e);
    }
    return E_OK;
}

int main(int argc, char **argv) {
    bench b = {0};
    arena a;
    fail f = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: bench_mask MODEL.gguf CASES.jsonl [VOCABULARY.jsonl]\n");
        return 2;
    }
    arena_init(&a, 0);
    arena_init(&b.a, 0);
    err e = run(&b, &a, argv, &f);
    if (e != E_OK) fprintf(stderr, "%s\n", f.text);
    grammar_vocabulary_close(b.v);
    tokenizer_close(b.t);
    mem_free(b.bits);
    arena_deinit(&b.a);
    arena_deinit(&a);
    return err_exit_code(e);
}

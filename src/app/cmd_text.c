/* cmd_text.c - bantam tokenize, embed: a model's text side, without generating. */
#include "app/cmd.h"
#include "app/out.h"
#include "app/world.h"
#include "base/file.h"
#include "gen/gen_embedder.h"

#include <stdio.h>

enum { TEXT_BYTES_MAX = 64 << 20, LINES_MAX = 1000000 };

/* ---- tokenize ---- */

static err read_input(const cli *c, str *out, fail *f) {
    const char *path = cli_value(c, "file");
    if (path && c->n_args > 1) return fail_set(f, E_USAGE, "give --file or a text, not both");
    if (path) return file_read(c->arena, path, TEXT_BYTES_MAX, out, f);
    if (c->n_args > 1) {
        *out = str_from(c->args[1]);
        return E_OK;
    }
    return file_read_fd(c->arena, 0, "standard input", TEXT_BYTES_MAX, out, f);
}

static err tokenize(const cli *c, world *w, fail *f) {
    world_model *m;
    str text;
    token_ids ids;
    TRY(read_input(c, &text, f));
    TRY(world_open_vocabulary(w, str_from(c->args[0]), &m, f));
    const tokenizer *t = model_tokenizer(world_model_of(m));
    token_encode_options o = {.special =
                                  cli_flag(c, "special") ? TOKEN_SPECIAL_ALL : TOKEN_SPECIAL_USER};
    TRY(tokenizer_encode(t, c->arena, text, &o, &ids, f));
    buf b = {0};
    json_writer j = {.out = &b};
    if (!cli_flag(c, "json")) {
        for (size_t i = 0; i < ids.n; i++) {
            json_writer piece = {.out = &b};
            buf_printf(&b, "%6d ", ids.p[i]);
            json_put_str(&piece, tokenizer_piece(t, ids.p[i]));
            if (i + 1 < ids.n) buf_put_char(&b, '\n');
        }
        return ids.n ? out_json(&b, f) : E_OK;
    }
    out_list_begin(&j, "ids");
    for (size_t i = 0; i < ids.n; i++) json_put_int(&j, ids.p[i]);
    out_list_end(&j);
    return out_json(&b, f);
}

/* ---- embed ---- */

static err read_lines(const cli *c, str text, str **out, size_t *n, fail *f) {
    size_t count = 0;
    for (size_t i = 0; i < text.n; i++) count += text.p[i] == '\n';
    if (count > LINES_MAX) return fail_set(f, E_TOO_LARGE, "more than %d lines", LINES_MAX);
    str *lines = arena_new_n(c->arena, str, count + 1);
    if (!lines) return fail_memory(f, "lines");
    count = 0;
    if (str_ends(text, STR("\n"))) text.n--;
    while (text.n) {
        str line = str_cut(&text, '\n');
        if (str_ends(line, STR("\r"))) line.n--;
        lines[count++] = line;
    }
    *out = lines;
    *n = count;
    return E_OK;
}

static err embed(const cli *c, world *w, fail *f) {
    const gen_embedder *m;
    str text, *lines = NULL;
    size_t n = 0;
    TRY(read_input(c, &text, f));
    TRY(read_lines(c, text, &lines, &n, f));
    if (n == 0) return fail_set(f, E_INPUT, "there is no text to embed");
    TRY(world_embedder(w, str_from(c->args[0]), &m, NULL, f));
    float *vectors = arena_array(c->arena, n, (size_t)m->width * sizeof *vectors);
    if (!vectors) return fail_memory(f, "embeddings");
    TRY(m->embed(m->self, lines, n, cli_flag(c, "truncate"), vectors, NULL, f));
    buf b = {0};
    json_writer j = {.out = &b};
    json_begin_object(&j);
    json_key(&j, "embeddings");
    json_begin_array(&j);
    for (size_t i = 0; i < n; i++) {
        json_begin_array(&j);
        for (int32_t k = 0; k < m->width; k++)
            json_put_double(&j, (double)vectors[i * (size_t)m->width + (size_t)k]);
        json_end_array(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    return out_json(&b, f);
}

static err run_tokenize(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, tokenize, f);
}
static err run_embed(const cli *c, fail *f) {
    return world_run(c, WORLD_MODELS, embed, f);
}

static const cli_option tokenize_options[] = {
    {"file", 0, "F", "read the text from a file", false},
    {"special", 0, NULL, "read the text of special tokens as tokens", false},
    CLI_JSON_OPTION};
static const cli_option embed_options[] = {
    {"file", 0, "LINES", "one text a line", false},
    {"truncate", 0, NULL, "cut texts above 256 tokens instead of refusing them", false},
    {"kern", 0, "NAME", "numeric kernels: f32, ref or avx2", false},
    {"int8", 0, NULL, "multiply matrices of floats in int8: faster, cosine above 0.999", false},
    CLI_JSON_OPTION};
#define OPTIONS(table) table, sizeof table / sizeof *table

static const cli_verb verbs[] = {
    {"tokenize", "MODEL [--file F|TEXT]", "show a text's tokens; also for vocabulary-only files",
     "  bantam tokenize smollm2 \"How many tokens is this?\"\n"
     "  bantam tokenize ./model.gguf --file text.txt --json\n",
     OPTIONS(tokenize_options), 1, 2, run_tokenize},
    {"embed", "MODEL [--file LINES|TEXT]", "print unit-length embeddings",
     "  bantam embed minilm \"where is my parcel\" --json\n"
     "  bantam embed minilm --file lines.txt --int8 --json\n",
     OPTIONS(embed_options), 1, 2, run_embed},
};

cmd_group cmd_text(void) {
    return (cmd_group){verbs, sizeof verbs / sizeof *verbs};
}

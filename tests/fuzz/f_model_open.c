/* Fuzz: any bytes as a model. 'G' and a GGUF file, or 'F', config.json, a zero byte and
 * model.safetensors beside a fixed tokenizer.json. What opens must also run: a few tokens, two
 * texts, a pair. Opening needs paths, so the bytes go to files in memory. */
#include "base/file.h"
#include "base/mem.h"
#include "model/model_forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ROWS = 6, NUMBERS_MAX = 1 << 22 };

static const char tokenizer_json[] =
    "{\"added_tokens\":[],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
    "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":"
    "{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":"
    "[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":"
    "\"[UNK]\",\"vocab\":{\"[PAD]\":0,\"[CLS]\":1,\"[SEP]\":2,\"[UNK]\":3,\"a\":4,\"b\":5,\"c\":6,"
    "\"d\":7}}}";

static char dir[64], file[96];
static team *crew;

static void put_file(const char *name, const void *p, size_t n) {
    snprintf(file, sizeof file, "%s/%s", dir, name);
    FILE *out = fopen(file, "we");
    CHECK(out && fwrite(p, 1, n, out) == n && fclose(out) == 0);
}

static void remove_dir(void) {
    fail f;
    if (file_remove_tree(dir, &f) != E_OK) fprintf(stderr, "%s\n", f.text);
}

static void start(void) {
    fail f;
    if (crew) return;
    snprintf(dir, sizeof dir, "%s/bantam-fuzz-%d",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    CHECK(file_make_dirs(dir, &f) == E_OK && team_open(&crew, 1, &f) == E_OK);
    put_file("tokenizer.json", tokenizer_json, sizeof tokenizer_json - 1);
    atexit(remove_dir);
}

static void run_decoder(model *m) {
    fail f;
    model_run *run;
    const model_info *about = model_about(m);
    int32_t ids[ROWS] = {0}, positions[ROWS] = {0, 1, 2, 3, 4, 5}, zeros[ROWS] = {0};
    int64_t last = 0;
    if (about->vocabulary > NUMBERS_MAX) return;
    float *logits = mem_alloc((size_t)about->vocabulary * sizeof *logits);
    model_run_options o = {.rows_max = ROWS, .sequences_max = 1, .positions_max = ROWS};
    if (logits && model_run_open(&run, m, &o, &f) == E_OK) {
        model_batch b = {.n_rows = about->context < ROWS ? about->context : ROWS,
                         .tokens = ids,
                         .positions = positions,
                         .sequences = zeros,
                         .n_sequences = 1,
                         .wanted = &last,
                         .n_wanted = 1,
                         .logits = logits};
        CHECK(model_forward(run, &b, &f) == E_OK);
        model_run_close(run);
    }
    mem_free(logits);
}

static void run_encoder(model *m) {
    fail f;
    str texts[2] = {STR("a b c"), STR("")};
    model_embed_options o = {.truncate = true, .tokens_max = 8};
    int64_t width = model_about(m)->width, labels = model_about(m)->labels;
    float *out = mem_alloc((size_t)(2 * (width > labels ? width : labels)) * sizeof *out);
    if (!out) return;
    err e = model_embed(m, texts, 2, &o, out, NULL, &f);
    e = model_rank(m, texts[0], texts, 2, &o, out, NULL, &f);
    (void)e;
    mem_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fail f;
    model *m;
    start();
    if (n < 2) return 0;
    const uint8_t *body = data + 1, *zero = memchr(body, 0, n - 1);
    bool folder = data[0] == 'F';
    if (folder && !zero) return 0;
    if (folder) {
        put_file("config.json", body, (size_t)(zero - body));
        put_file("model.safetensors", zero + 1, n - 1 - (size_t)(zero + 1 - body));
    } else {
        put_file("fuzz.gguf", body, n - 1);
    }
    model_options o = {.team = crew, .int8 = n % 2};
    if (model_open(&m, folder ? dir : file, &o, &f) != E_OK) return 0;
    if (model_about(m)->is_encoder)
        run_encoder(m);
    else
        run_decoder(m);
    model_close(m);
    return 0;
}

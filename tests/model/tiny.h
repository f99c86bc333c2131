/* tiny.h - builds the tiny models of tests/model/golden/tiny again: a folder and a GGUF file whose
 * numbers follow from the tensors' names (tools/golden_models.py has the same formula). */
#ifndef BANTAM_TEST_MODEL_TINY_H
#define BANTAM_TEST_MODEL_TINY_H

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/gguf_make.h"
#include "tensor/quantise.h"
#include "test.h"

#include <unistd.h>

enum { TINY_VOCABULARY = 160, TINY_DIMS = 3, TINY_Q8_0 = 8 };

typedef struct tiny {
    arena a;
    str golden;           /* the file's text */
    char dir[64];         /* in memory, else under build/ */
    bool xlmr;            /* <s> is 0 and padding 1 */
    const char *without;  /* the name of a tensor that is left out */
    const char *misshape; /* ... that is laid out as one row */
    str config;           /* instead of the golden file's; .p == NULL: that one */
    int key;              /* the number of a key whose value is `value`; from 1 on; 0: none */
    double value;
    int pooling; /* of the GGUF file: 1 mean, 2 first token; 0: not said */
    bool q8;     /* matrices of the GGUF file are Q8_0 */
} tiny;

typedef struct tiny_tensor {
    char name[128], op[16], source[1024];
    int64_t dims[TINY_DIMS];
    int n_dims;
} tiny_tensor;

static inline int64_t tiny_count(const tiny_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++) n *= t->dims[i];
    return n;
}

static inline float tiny_number(uint64_t seed, int64_t i, bool norm) {
    uint64_t z = seed + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    float u = (float)((int64_t)(z >> 40) - (1 << 23)) * 0x1p-25f;
    return norm ? 1 + u : u;
}

/* numbers [from, from + n) of the weight of this name */
static inline void tiny_numbers(const char *name, bool vector, int64_t from, int64_t n,
                                float *out) {
    uint64_t seed = 0xCBF29CE484222325u;
    for (const char *c = name; *c; c++) seed = (seed ^ (unsigned char)*c) * 0x100000001B3u;
    bool norm = vector && str_ends(str_from(name), STR(".weight"));
    for (int64_t i = 0; i < n; i++) out[i] = tiny_number(seed, from + i, norm);
}

/* The next line of the golden file that begins with `word ` (what follows it); false at the end. */
static inline bool tiny_line(str *rest, const char *word, str *out) {
    size_t n = strlen(word);
    while (rest->p) {
        str line = str_cut(rest, '\n');
        if (!str_starts(line, str_from(word)) || line.n <= n || line.p[n] != ' ') continue;
        *out = str_slice(line, n + 1, line.n);
        return true;
    }
    return false;
}

static inline void tiny_copy(char *to, size_t size, str s) {
    assert_true(s.n < size);
    memcpy(to, s.p, s.n);
    to[s.n] = 0;
}

static inline void tiny_open(tiny *t, const char *name) {
    char path[256];
    fail f;
    memset(t, 0, sizeof *t);
    arena_init(&t->a, 0);
    snprintf(path, sizeof path, "tests/model/golden/tiny/%s.txt", name);
    assert_ok(file_read(&t->a, path, 0, &t->golden, &f), &f);
    t->xlmr = !strncmp(name, "xlmr", 4);
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "build";
    snprintf(t->dir, sizeof t->dir, "%s/bantam-tiny-%s-%d", root, name, (int)getpid());
    assert_ok(file_make_dirs(t->dir, &f), &f);
}

static inline void tiny_close(tiny *t) {
    fail f;
    assert_ok(file_remove_tree(t->dir, &f), &f);
    arena_deinit(&t->a);
}

static inline const char *tiny_write(tiny *t, const char *name, buf *b) {
    fail f;
    str path = arena_printf(&t->a, "%s/%s", t->dir, name);
    assert_ok(buf_ok(b, &f), &f);
    FILE *file = fopen(path.p, "we"); /* file_write would sync, thousands of times */
    assert_non_null(file);
    assert_int_equal(fwrite(b->p, 1, b->n, file), b->n);
    assert_int_equal(fclose(file), 0);
    buf_deinit(b);
    return path.p;
}

/* The piece of an id: "taa", "tab"... (no piece begins another). */
static inline void tiny_piece(const tiny *t, int id, char out[16]) {
    static const char *const bert[] = {"[PAD]", "[CLS]", "[SEP]", "[UNK]"}, *const xlmr[] = {
                                                                                "[CLS]", "[PAD]",
                                                                                "[SEP]", "[UNK]"};
    if (id < 4)
        snprintf(out, 16, "%s", t->xlmr ? xlmr[id] : bert[id]);
    else
        snprintf(out, 16, "t%c%c", 'a' + id / 26, 'a' + id % 26);
}

static inline void tiny_tokenizer(tiny *t) {
    buf b = {0};
    char piece[16];
    buf_put_z(
        &b, "{\"added_tokens\":[],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
            "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},"
            "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":"
            "\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",");
    buf_printf(&b, "%d]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{",
               t->xlmr ? 0 : 1);
    for (int i = 0; i < TINY_VOCABULARY; i++) {
        tiny_piece(t, i, piece);
        buf_printf(&b, "%s\"%s\":%d", i ? "," : "", piece, i);
    }
    buf_put_z(&b, "}}}");
    tiny_write(t, "tokenizer.json", &b);
}

/* "NAME dims..." or, of a GGUF tensor, "NAME OP SOURCE dims..." */
static inline tiny_tensor tiny_parse(str line, bool gguf) {
    tiny_tensor t = {0};
    tiny_copy(t.name, sizeof t.name, str_cut(&line, ' '));
    if (gguf) {
        tiny_copy(t.op, sizeof t.op, str_cut(&line, ' '));
        tiny_copy(t.source, sizeof t.source, str_cut(&line, ' '));
    }
    while (line.p) {
        assert_true(t.n_dims < TINY_DIMS && str_to_int(str_cut(&line, ' '), &t.dims[t.n_dims]));
        t.n_dims++;
    }
    return t;
}

static inline float *tiny_room(tiny *t, int64_t n) {
    float *p = arena_new_n(&t->a, float, (size_t)n);
    assert_non_null(p);
    return p;
}

static inline void tiny_misshape(const tiny *t, tiny_tensor *w) {
    if (!t->misshape || strcmp(w->name, t->misshape) != 0) return;
    w->dims[1] = tiny_count(w);
    w->dims[0] = 1;
    w->n_dims = 2;
}

static inline void tiny_safetensors(tiny *t) {
    buf head = {0}, data = {0};
    str rest = t->golden, line;
    while (tiny_line(&rest, "tensor", &line)) {
        tiny_tensor w = tiny_parse(line, false);
        if (t->without && !strcmp(w.name, t->without)) continue;
        int64_t n = tiny_count(&w);
        float *p = tiny_room(t, n);
        tiny_numbers(w.name, w.n_dims == 1, 0, n, p);
        buf_printf(&head, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", head.n ? "," : "{", w.name);
        tiny_misshape(t, &w);
        for (int i = 0; i < w.n_dims; i++)
            buf_printf(&head, "%s%lld", i ? "," : "", (long long)w.dims[i]);
        buf_printf(&head, "],\"data_offsets\":[%zu,%zu]}", data.n, data.n + (size_t)n * 4);
        buf_put_bytes(&data, p, (size_t)n * 4);
    }
    buf_put_char(&head, '}');
    while (head.n % 8) buf_put_char(&head, ' ');
    buf all = {0};
    make_u64(&all, head.n);
    buf_put(&all, buf_str(&head));
    buf_put(&all, buf_str(&data));
    buf_deinit(&head);
    buf_deinit(&data);
    tiny_write(t, "model.safetensors", &all);
}

/* config: "config" (as transformers 5 writes it) or "config4". The folder's path. */
static inline const char *tiny_folder(tiny *t, const char *config) {
    str rest = t->golden, line;
    buf b = {0};
    assert_true(tiny_line(&rest, config, &line));
    buf_put(&b, t->config.p ? t->config : line);
    tiny_write(t, "config.json", &b);
    tiny_tokenizer(t);
    tiny_safetensors(t);
    return t->dir;
}

/* ---- GGUF ---- */

static inline void tiny_value(buf *b, const char *kind, str v) {
    double x = 0;
    if (strcmp(kind, "str")) assert_true(str_to_double(v, &x));
    if (!strcmp(kind, "str"))
        make_u64(b, v.n), buf_put(b, v);
    else if (!strcmp(kind, "f32"))
        buf_put_bytes(b, &(float){(float)x}, 4);
    else if (!strcmp(kind, "bool"))
        buf_put_char(b, x != 0);
    else
        make_u32(b, x < 4294967295.0 ? (uint32_t)x : UINT32_MAX);
}

static inline uint32_t tiny_kind(const char *kind) {
    return !strcmp(kind, "str")    ? MAKE_STR
           : !strcmp(kind, "f32")  ? MAKE_F32
           : !strcmp(kind, "bool") ? MAKE_BOOL
                                   : MAKE_U32;
}

static inline int tiny_keys(tiny *t, buf *b) {
    str rest = t->golden, line;
    int n = 0;
    while (tiny_line(&rest, "key", &line)) {
        char name[128], kind[16];
        tiny_copy(name, sizeof name, str_cut(&line, ' '));
        tiny_copy(kind, sizeof kind, str_cut(&line, ' '));
        if (kind[0] == '[') continue; /* labels of classes */
        make_key(b, name, tiny_kind(kind));
        n++;
        if (t->key == n && strcmp(kind, "str") != 0) {
            char hostile[64];
            snprintf(hostile, sizeof hostile, "%g", t->value);
            line = arena_str(&t->a, str_from(hostile));
        }
        tiny_value(b, kind, line);
    }
    if (t->pooling) {
        char name[64];
        str again = t->golden;
        assert_true(tiny_line(&again, "key general.architecture str", &line));
        snprintf(name, sizeof name, "%.*s.pooling_type", STR_ARG(line));
        make_key(b, name, MAKE_U32);
        make_u32(b, (uint32_t)t->pooling);
        n++;
    }
    return n;
}

static inline void tiny_pieces(tiny *t, buf *b) {
    char piece[16], shown[24];
    make_key(b, "tokenizer.ggml.tokens", MAKE_ARRAY);
    make_u32(b, MAKE_STR);
    make_u64(b, TINY_VOCABULARY);
    for (int i = 0; i < TINY_VOCABULARY; i++) {
        tiny_piece(t, i, piece);
        snprintf(shown, sizeof shown, "%s%s", i < 4 ? "" : "\xE2\x96\x81", piece);
        make_str(b, shown);
    }
}

static inline void tiny_array(buf *b, const char *key, uint32_t type) {
    make_key(b, key, MAKE_ARRAY);
    make_u32(b, type);
    make_u64(b, TINY_VOCABULARY);
}

/* WordPiece; of XLM-RoBERTa unigram, as its files have it. */
static inline int tiny_vocabulary(tiny *t, buf *b) {
    const struct {
        const char *name;
        uint32_t id;
    } ids[] = {{t->xlmr ? "bos" : "cls", t->xlmr ? 0 : 1},
               {t->xlmr ? "eos" : "seperator", 2},
               {"unknown", 3}};
    make_key(b, "tokenizer.ggml.model", MAKE_STR);
    make_str(b, t->xlmr ? "t5" : "bert");
    tiny_pieces(t, b);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", ids[i].name);
        make_key(b, key, MAKE_U32);
        make_u32(b, ids[i].id);
    }
    if (!t->xlmr) return 5;
    tiny_array(b, "tokenizer.ggml.scores", MAKE_F32);
    for (int i = 0; i < TINY_VOCABULARY; i++) buf_put_bytes(b, &(float){-1}, 4);
    tiny_array(b, "tokenizer.ggml.token_type", MAKE_U32);
    for (int i = 0; i < TINY_VOCABULARY; i++) make_u32(b, i < 3 ? 3 : i == 3 ? 2 : 1);
    return 7;
}

static inline void tiny_listed(const tiny_tensor *w, float *out) {
    str rest = str_from(w->source);
    for (int64_t i = 0; i < tiny_count(w); i++) {
        double x;
        assert_true(str_to_double(str_cut(&rest, ','), &x));
        out[i] = (float)x;
    }
}

static inline void tiny_stack(const tiny_tensor *w, float *out) {
    const char *star = strchr(w->source, '*');
    int64_t each = tiny_count(w) / w->dims[0];
    for (int64_t e = 0; e < w->dims[0]; e++) {
        char name[128];
        snprintf(name, sizeof name, "%.*s%lld%s", (int)(star - w->source), w->source, (long long)e,
                 star + 1);
        tiny_numbers(name, false, 0, each, out + e * each);
    }
}

/* Rows of each of `heads` heads: halves become neighbours. */
static inline void tiny_turn(tiny *t, const tiny_tensor *w, int64_t heads, float *out) {
    int64_t rows = w->dims[0], cols = tiny_count(w) / rows, half = rows / heads / 2;
    float *plain = tiny_room(t, rows * cols);
    tiny_numbers(w->source, w->n_dims == 1, 0, rows * cols, plain);
    for (int64_t r = 0; r < rows; r++) {
        int64_t h = r / (2 * half), i = r % (2 * half) / 2, j = r % 2;
        memcpy(out + r * cols, plain + (h * 2 * half + j * half + i) * cols,
               (size_t)cols * sizeof *out);
    }
}

static inline void tiny_gguf_numbers(tiny *t, const tiny_tensor *w, float *out) {
    int64_t n = tiny_count(w), number = w->op[1] ? atoi(w->op + 1) : 0;
    bool vector = w->n_dims == 1;
    if (w->op[0] == '#') {
        tiny_listed(w, out);
    } else if (w->op[0] == '*') {
        tiny_stack(w, out);
    } else if (w->op[0] == 'p') {
        tiny_turn(t, w, number, out);
    } else {
        tiny_numbers(w->source, vector, number * (vector ? 1 : w->dims[1]), n, out);
        for (int64_t i = 0; w->op[0] == '+' && i < n; i++) out[i] += 1;
    }
}

static inline void tiny_put(buf *data, const float *p, int64_t n, bool q8) {
    for (int64_t i = 0; q8 && i < n; i += 32) {
        char block[34];
        quantise_q8_0(p + i, NULL, block, 32);
        buf_put_bytes(data, block, sizeof block);
    }
    if (!q8) buf_put_bytes(data, p, (size_t)n * sizeof *p);
}

/* The GGUF file's path. */
static inline const char *tiny_gguf(tiny *t) {
    buf keys = {0}, list = {0}, data = {0}, all = {0};
    str rest = t->golden, line;
    int n_keys = tiny_keys(t, &keys) + tiny_vocabulary(t, &keys), n = 0;
    while (tiny_line(&rest, "gguf", &line)) {
        tiny_tensor w = tiny_parse(line, true);
        if (t->without && !strcmp(w.name, t->without)) continue;
        n++;
        float *p = tiny_room(t, tiny_count(&w));
        tiny_gguf_numbers(t, &w, p);
        tiny_misshape(t, &w);
        make_str(&list, w.name);
        make_u32(&list, (uint32_t)w.n_dims);
        for (int i = w.n_dims - 1; i >= 0; i--) make_u64(&list, (uint64_t)w.dims[i]);
        bool q8 = t->q8 && w.n_dims == 2 && w.dims[1] % 32 == 0;
        make_u32(&list, q8 ? TINY_Q8_0 : 0);
        make_u64(&list, data.n);
        tiny_put(&data, p, tiny_count(&w), q8);
        make_pad(&data, 32, 0);
    }
    make_head(&all, 3, (uint64_t)n, (uint64_t)n_keys);
    buf_put(&all, buf_str(&keys));
    buf_put(&all, buf_str(&list));
    make_pad(&all, 32, 0);
    buf_put(&all, buf_str(&data));
    buf_deinit(&keys);
    buf_deinit(&list);
    buf_deinit(&data);
    return tiny_write(t, "tiny.gguf", &all);
}

/* The text whose tokens, without the markers at its ends, are these ids. */
static inline str tiny_text(tiny *t, const int32_t *ids, int n) {
    buf b = {0};
    char piece[16];
    for (int i = 0; i < n; i++) {
        tiny_piece(t, ids[i], piece);
        buf_printf(&b, "%s%s", i ? " " : "", ids[i] == 3 ? "zzz" : piece);
    }
    str s = arena_str(&t->a, buf_str(&b));
    buf_deinit(&b);
    return s;
}

/* How an encoder's folder pools: sentence-transformers' file. */
static inline void tiny_pooling(tiny *t, bool cls) {
    fail f;
    buf b = {0};
    str dir = arena_printf(&t->a, "%s/1_Pooling", t->dir);
    assert_ok(file_make_dirs(dir.p, &f), &f);
    buf_printf(&b, "{\"pooling_mode_cls_token\":%s,\"pooling_mode_mean_tokens\":%s}",
               cls ? "true" : "false", cls ? "false" : "true");
    tiny_write(t, "1_Pooling/config.json", &b);
}

/* Numbers of a line into out; how many. */
static inline int tiny_ids(str line, int32_t *out, int most) {
    int64_t n = 0, v;
    assert_true(str_to_int(str_cut(&line, ' '), &n) && n <= most);
    for (int64_t i = 0; i < n; i++) {
        assert_true(str_to_int(str_cut(&line, ' '), &v));
        out[i] = (int32_t)v;
    }
    return (int)n;
}

#endif

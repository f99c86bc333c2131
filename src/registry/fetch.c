/* fetch.c - see fetch.h. A cut connection is tried again from where it stopped, as long as each try
 * brings bytes; three in a row without any end it. */
#include "registry/fetch.h"

#include "base/clock.h"
#include "base/file.h"
#include "net/http_client.h"

#include <stdio.h>
#include <string.h>

enum {
    IDLE_TRIES_MAX = 3,
    TRIES_MAX = 50,
    WAIT_MS = 400,
    SPARE_BYTES = 16 << 20, /* left free on the disk */
    HASH_PIECE_BYTES = 256 * 1024,
    ETAG_BYTES_MAX = 512
};

typedef struct download {
    const fetch *job;
    arena arena;
    int fd;
    int64_t have, total; /* bytes in the file; -1 = total not known */
    hash_sha256_stream hash;
    bool restart; /* the server's range is not what was asked for */
    err sink_err; /* why the sink stopped */
    fail *f;
} download;

static bool is_cancelled(const fetch *job) {
    return job->pull && job->pull->cancelled && job->pull->cancelled(job->pull->ctx);
}

err fetch_check_room(const char *path, int64_t bytes, fail *f) {
    char dir[FILE_PATH_BYTES];
    int64_t free_bytes;
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) *slash = 0;
    TRY(file_disk_free(slash ? dir : ".", &free_bytes, f));
    int64_t missing = bytes + SPARE_BYTES - free_bytes;
    if (missing <= 0) return E_OK;
    fail_set(f, E_NO_SPACE, "%lld MB are needed in \"%s\", %lld MB are free",
             (long long)((bytes + SPARE_BYTES) / 1000000), slash ? dir : ".",
             (long long)(free_bytes / 1000000));
    return fail_hint(f, "free %lld MB there, or set BANTAM_HOME to another disk; nothing was lost",
                     (long long)(missing / 1000000 + 1));
}

/* --- callbacks of http_ask --- */

static bool on_begin(void *ctx, int status, int64_t from, int64_t bytes, const char *etag) {
    download *d = ctx;
    if (status == 206 && from != d->have) {
        d->restart = true;
        return false;
    }
    if (status == 200 && d->have > 0) { /* it does not do ranges, or the file has changed */
        d->sink_err = file_cut(d->fd, 0, d->job->to, d->f);
        if (d->sink_err != E_OK) return false;
        d->have = 0;
        hash_sha256_begin(&d->hash);
    }
    d->total = d->job->bytes >= 0 ? d->job->bytes : bytes >= 0 ? d->have + bytes : -1;
    int64_t coming = d->total >= 0 ? d->total - d->have : 0;
    d->sink_err = fetch_check_room(d->job->to, coming + d->job->room_bytes, d->f);
    if (d->sink_err == E_OK && *etag && strlen(etag) < ETAG_BYTES_MAX) {
        char path[FILE_PATH_BYTES];
        snprintf(path, sizeof path, "%s.etag", d->job->to);
        d->sink_err = file_write(path, str_from(etag), 0644, d->f);
    }
    return d->sink_err == E_OK;
}

/* Tells how far it is; false when it shall stop. */
static bool report(download *d) {
    const registry_pull_options *pull = d->job->pull;
    if (pull && pull->progress) pull->progress(pull->ctx, "download", d->have, d->total);
    return !is_cancelled(d->job);
}

static bool on_bytes(void *ctx, str bytes) {
    download *d = ctx;
    d->sink_err = file_put(d->fd, bytes, d->job->to, d->f);
    if (d->sink_err != E_OK) return false;
    hash_sha256_put(&d->hash, bytes);
    d->have += (int64_t)bytes.n;
    return report(d);
}

static bool on_progress(void *ctx, int64_t bytes, int64_t total) {
    (void)bytes, (void)total; /* of this try only; report says the whole file's */
    return report(ctx);
}

/* --- one try --- */

/* Opens the beginning that an earlier try or process left, and hashes it. */
static err download_open(download *d) {
    const fetch *job = d->job;
    TRY(file_open_append(&d->fd, job->to, &d->have, d->f));
    hash_sha256_begin(&d->hash);
    if (job->bytes >= 0 && d->have > job->bytes) {
        TRY(file_cut(d->fd, 0, job->to, d->f));
        d->have = 0;
    }
    char *piece = arena_alloc(&d->arena, HASH_PIECE_BYTES);
    if (!piece) return fail_memory(d->f, "a download");
    for (int64_t at = 0; at < d->have;) {
        size_t got;
        TRY(file_read_at(d->fd, at, piece, HASH_PIECE_BYTES, &got, job->to, d->f));
        if (!got) break;
        hash_sha256_put(&d->hash, (str){piece, got});
        at += (int64_t)got;
    }
    return E_OK;
}

static const char *saved_etag(download *d) {
    char path[FILE_PATH_BYTES];
    str etag;
    snprintf(path, sizeof path, "%s.etag", d->job->to);
    if (d->have == 0 || file_read(&d->arena, path, ETAG_BYTES_MAX, &etag, NULL) != E_OK)
        return NULL;
    return etag.p;
}

static err download_try(download *d) {
    const fetch *job = d->job;
    http_answer answer = {0};
    http_call call = {
        .url = job->url,
        .total_ms_max = -1,
        .range_from = d->have,
        .if_range = saved_etag(d),
        .proxy = job->route.proxy,
        .no_proxy = job->route.no_proxy,
        .ca_file = job->route.ca_file,
        .insecure_tls = job->route.insecure_tls,
        .body_bytes_max = job->bytes >= 0 ? (size_t)(job->bytes - d->have) : 0,
        .sink = on_bytes,
        .begin = on_begin,
        .progress = on_progress,
        .ctx = d,
    };
    d->restart = false;
    d->sink_err = E_OK;
    err e = http_ask(&d->arena, &call, &answer, d->f);
    if (d->sink_err != E_OK) return d->sink_err;
    if (e == E_OK && answer.status == 416 && d->have > 0) d->restart = true;
    if (d->restart) {
        TRY(file_cut(d->fd, 0, job->to, d->f));
        d->have = 0;
        hash_sha256_begin(&d->hash);
        return fail_set(d->f, E_NETWORK, "the server did not send the part that was asked for");
    }
    return e == E_OK ? http_status_err(&call, &answer, d->f) : e;
}

static err wait_before_try(const fetch *job, int idle_tries, fail *f) {
    int64_t end_ns = clock_mono_ns() + ((int64_t)WAIT_MS << idle_tries) * 1000000;
    while (clock_mono_ns() < end_ns) {
        if (is_cancelled(job)) return fail_set(f, E_CANCELLED, "the download was stopped");
        clock_sleep_ms(50);
    }
    return E_OK;
}

static err download_all(download *d) {
    int idle_tries = 0;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        if (d->job->bytes >= 0 && d->have == d->job->bytes) return E_OK;
        int64_t before = d->have;
        err e = download_try(d);
        if (e == E_CANCELLED)
            fail_hint(d->f,
                      "run the same command again: it goes on after the %lld MB that are here",
                      (long long)(d->have / 1000000));
        if (e != E_NETWORK && e != E_TIMEOUT && e != E_BUSY) return e;
        idle_tries = d->have > before ? 0 : idle_tries + 1;
        if (idle_tries >= IDLE_TRIES_MAX) return e;
        TRY(wait_before_try(d->job, idle_tries, d->f));
    }
    return fail_set(d->f, E_NETWORK, "the connection was cut %d times", TRIES_MAX);
}

/* --- the whole --- */

static err fetch_once(const fetch *job, bool *resumed, char hash[HASH_SHA256_HEX_BYTES], fail *f) {
    download d = {.job = job, .fd = -1, .total = job->bytes, .f = f};
    unsigned char digest[HASH_SHA256_BYTES];
    arena_init(&d.arena, 0);
    err e;
    TRY_OUT(download_open(&d));
    *resumed = d.have > 0;
    if (job->bytes >= 0)
        TRY_OUT(fetch_check_room(job->to, job->bytes - d.have + job->room_bytes, f));
    TRY_OUT(download_all(&d));
    TRY_OUT(file_sync(d.fd, job->to, f));
    hash_sha256_end(&d.hash, digest);
    hash_hex(digest, sizeof digest, hash);
out:
    file_close(d.fd);
    arena_deinit(&d.arena);
    return e;
}

static void forget_etag(const fetch *job) {
    char path[FILE_PATH_BYTES];
    snprintf(path, sizeof path, "%s.etag", job->to);
    (void)!file_remove(path, NULL);
}

err fetch_run(const fetch *job, char hash[HASH_SHA256_HEX_BYTES], fail *f) {
    if (strlen(job->to) + 8 >= FILE_PATH_BYTES)
        return fail_set(f, E_INPUT, "the path of a download is too long");
    for (int attempt = 0; attempt < 2; attempt++) {
        bool resumed = false;
        TRY(fetch_once(job, &resumed, hash, f));
        forget_etag(job);
        if (!job->sha256.n || str_eq_nocase(job->sha256, str_from(hash))) return E_OK;
        TRY(file_remove(job->to, f)); /* proved wrong: never to be gone on from */
        if (!resumed) break;          /* fetched afresh and wrong: the source is */
    }
    str shown = job->sha256;
    fail_set(f, E_CORRUPT, "what came has SHA-256 %.12s..., promised was %.*s...; it was deleted",
             hash, STR_ARG(str_slice(shown, 0, 12)));
    return fail_hint(f,
                     "try again; if it stays so, that server offers another file than the catalog "
                     "or index says: do not use it");
}

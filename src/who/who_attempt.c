/* who_attempt.c - how often a name or an address may try a password.
 *
 * An attempt is counted before the password is looked at, so many at once are counted, too. After
 * NAME_FREE attempts on a name (ADDRESS_FREE from an address) each further one makes the next wait
 * twice as long, up to a limit that keeps a stranger from locking somebody out for long. A name
 * that does not exist is counted like one that does. A day without an attempt forgets all. */
#include "who/who_int.h"

#include "base/clock.h"

enum {
    NAME_FREE = 5,
    NAME_WAIT_S_MAX = 300,
    ADDRESS_FREE = 20,
    ADDRESS_WAIT_S_MAX = 900,
    FORGET_MS = 86400000,
    SHIFT_MAX = 20,
    GROUPS = 8, /* of an IPv6 address */
    NETWORK_GROUPS = 4
};

typedef struct attempts {
    int64_t fails, until_ms;
} attempts;

static err read_attempts(store_tx *tx, str subject, int64_t now_ms, attempts *out, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "SELECT fails, until_ms FROM who_attempt WHERE subject=?1 AND last_ms>?2",
                      &q, f));
    store_bind_str(q, 1, subject);
    store_bind_int(q, 2, now_ms - FORGET_MS);
    TRY(store_step(q, &row, f));
    *out = row ? (attempts){store_int(q, 0), store_int(q, 1)} : (attempts){0, 0};
    store_reset(q);
    return E_OK;
}

static err write_attempts(store_tx *tx, str subject, attempts a, int64_t now_ms, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx,
                      "INSERT INTO who_attempt VALUES(?1,?2,?3,?4) ON CONFLICT(subject) DO UPDATE"
                      " SET fails=?2, until_ms=?3, last_ms=?4",
                      &q, f));
    store_bind_str(q, 1, subject);
    store_bind_int(q, 2, a.fails);
    store_bind_int(q, 3, a.until_ms);
    store_bind_int(q, 4, now_ms);
    return store_step(q, &row, f);
}

static int64_t wait_s(int64_t fails, int64_t free, int64_t most) {
    int64_t over = fails - free;
    if (over <= 0) return 0;
    int64_t s = (int64_t)1 << (over < SHIFT_MAX ? over : SHIFT_MAX);
    return s < most ? s : most;
}

/* One subject: refused until its time has come, else counted. */
static err count_one(store_tx *tx, str subject, int64_t free, int64_t most_s, int64_t now_ms,
                     int64_t *retry_ms, fail *f) {
    attempts a;
    TRY(read_attempts(tx, subject, now_ms, &a, f));
    if (a.until_ms > now_ms) {
        if (a.until_ms - now_ms > *retry_ms) *retry_ms = a.until_ms - now_ms;
        return E_OK;
    }
    a.fails++;
    a.until_ms = now_ms + 1000 * wait_s(a.fails, free, most_s);
    return write_attempts(tx, subject, a, now_ms, f);
}

/* The groups between the colons; *gap: the one that is empty, where "::" stands for zeros. 0: no
 * IPv6 address. */
static size_t groups_of(str address, str groups[GROUPS], size_t *gap) {
    size_t n = 0;
    *gap = GROUPS;
    if (str_starts(address, STR("::"))) address = str_slice(address, 1, address.n);
    if (str_ends(address, STR("::"))) address = str_slice(address, 0, address.n - 1);
    while (address.p) {
        str group = str_cut(&address, ':');
        if (n == GROUPS || (!group.n && *gap < GROUPS)) return 0;
        if (!group.n) *gap = n;
        groups[n++] = group;
    }
    return *gap < GROUPS || n == GROUPS ? n : 0;
}

/* An IPv6 customer owns a whole /64: its first four groups count, zeros written out. An IPv4
 * address in IPv6's clothes counts whole. */
static str network_of(arena *a, str address) {
    str groups[GROUPS], net[NETWORK_GROUPS];
    size_t gap, n = groups_of(address, groups, &gap);
    if (!n || str_find_char(address, '.') != STR_INDEX_NONE) return address;
    size_t zeros = gap < GROUPS ? GROUPS + 1 - n : 0;
    for (size_t i = 0; i < NETWORK_GROUPS; i++)
        net[i] = i < gap ? groups[i] : i < gap + zeros ? STR("0") : groups[i - zeros + 1];
    return arena_printf(a, "%.*s:%.*s:%.*s:%.*s", STR_ARG(net[0]), STR_ARG(net[1]), STR_ARG(net[2]),
                        STR_ARG(net[3]));
}

static err subjects_of(arena *a, str name, str address, str out[2], fail *f) {
    out[0] = arena_printf(a, "name %.*s", STR_ARG(name));
    out[1] = arena_printf(a, "from %.*s", STR_ARG(network_of(a, address)));
    return out[0].p && out[1].p ? E_OK : fail_memory(f, "a login");
}

static err forget_old(store_tx *tx, int64_t now_ms, fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "DELETE FROM who_attempt WHERE last_ms<?1", &q, f));
    store_bind_int(q, 1, now_ms - FORGET_MS);
    return store_step(q, &row, f);
}

static err begin_in(store_tx *tx, const str subjects[2], int64_t *retry_ms, fail *f) {
    int64_t now_ms = clock_now_ms();
    TRY(forget_old(tx, now_ms, f));
    TRY(count_one(tx, subjects[0], NAME_FREE, NAME_WAIT_S_MAX, now_ms, retry_ms, f));
    TRY(count_one(tx, subjects[1], ADDRESS_FREE, ADDRESS_WAIT_S_MAX, now_ms, retry_ms, f));
    if (!*retry_ms) return E_OK;
    fail_set(f, E_LIMIT, "there were too many attempts to log in");
    return fail_hint(f, "try again in %lld s", (long long)((*retry_ms + 999) / 1000));
}

/* Rolled back when refused: waiting attempts do not make the wait longer. */
err who_attempt_begin(who_book *w, str name, str address, int64_t *retry_ms, fail *f) {
    store_tx *tx;
    arena a;
    str subjects[2];
    *retry_ms = 0;
    arena_init(&a, 512);
    err e = subjects_of(&a, name, address, subjects, f);
    if (e == E_OK) e = store_begin(w->store, STORE_WRITE, &tx, f);
    if (e == E_OK) e = who_finish(tx, begin_in(tx, subjects, retry_ms, f), f);
    arena_deinit(&a);
    return e;
}

/* The name starts anew. The address gets this one attempt back and no more: else who owns one
 * account could try others for ever. */
static err forgive_in(store_tx *tx, const str subjects[2], fail *f) {
    store_stmt *q;
    bool row;
    TRY(store_prepare(tx, "DELETE FROM who_attempt WHERE subject=?1", &q, f));
    store_bind_str(q, 1, subjects[0]);
    TRY(store_step(q, &row, f));
    TRY(store_prepare(
        tx, "UPDATE who_attempt SET fails=max(fails-1,0), until_ms=0 WHERE subject=?1", &q, f));
    store_bind_str(q, 1, subjects[1]);
    return store_step(q, &row, f);
}

err who_attempt_forgive(store_tx *tx, str name, str address, fail *f) {
    arena a;
    str subjects[2];
    arena_init(&a, 512);
    err e = subjects_of(&a, name, address, subjects, f);
    if (e == E_OK) e = forgive_in(tx, subjects, f);
    arena_deinit(&a);
    return e;
}

/* f_journal.c - any bytes as a journal: the reader always makes progress, stays inside the bytes,
 * and a record that it accepts reads back the same when it is framed again. */
#include "audit/audit_frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_record(str record) {
    buf again = {0};
    size_t used;
    str same;
    audit_frame_put(&again, record);
    CHECK(audit_frame_next(buf_str(&again), &used, &same) == AUDIT_FRAME_RECORD);
    CHECK(used == again.n && str_eq(same, record));
    buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    str rest = {(const char *)data, size};
    while (rest.n) {
        size_t used;
        str record;
        audit_frame_kind kind = audit_frame_next(rest, &used, &record);
        CHECK((kind == AUDIT_FRAME_PARTIAL) == (used == 0));
        if (kind == AUDIT_FRAME_RECORD) {
            CHECK(record.p >= rest.p && record.p + record.n <= rest.p + rest.n);
            check_record(record);
        }
        if (!used) used = audit_frame_skip(rest);
        CHECK(used > 0 && used <= rest.n);
        rest = str_slice(rest, used, rest.n);
    }
    return 0;
}

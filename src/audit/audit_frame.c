/* audit_frame.c - see audit_frame.h. The CRC is computed by nibbles: records are small. */
#include "audit/audit_frame.h"

#include <string.h>

static const char magic[] = "\nbnt1 ";
enum { MAGIC_BYTES = sizeof magic - 1 };

static uint32_t crc32_of(str s) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned char)s.p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

void audit_frame_put(buf *out, str json) {
    buf_printf(out, "%s%08x %08x ", magic, (unsigned)json.n, crc32_of(json));
    buf_put(out, json);
}

static bool hex8(const char *p, uint32_t *out) {
    uint32_t v = 0;
    for (int i = 0; i < 8; i++) {
        char c = p[i];
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return p[8] == ' ';
}

size_t audit_frame_skip(str bytes) {
    size_t at = str_find(str_slice(bytes, 1, bytes.n), (str){magic, MAGIC_BYTES});
    if (at != STR_INDEX_NONE) return at + 1;
    /* the last bytes may be the start of a record that is still being written */
    for (size_t keep = MAGIC_BYTES - 1; keep > 0; keep--)
        if (keep < bytes.n && !memcmp(bytes.p + bytes.n - keep, magic, keep)) return bytes.n - keep;
    return bytes.n;
}

audit_frame_kind audit_frame_next(str bytes, size_t *used, str *json) {
    size_t known = bytes.n < MAGIC_BYTES ? bytes.n : MAGIC_BYTES;
    uint32_t length = 0, crc = 0;
    *used = 0;
    if (memcmp(bytes.p, magic, known) != 0) {
        *used = audit_frame_skip(bytes);
        return AUDIT_FRAME_DAMAGED;
    }
    if (bytes.n < AUDIT_FRAME_HEAD_BYTES) return AUDIT_FRAME_PARTIAL;
    bool good = hex8(bytes.p + 6, &length) && hex8(bytes.p + 15, &crc) &&
                length <= AUDIT_FRAME_JSON_BYTES_MAX;
    if (good && bytes.n - AUDIT_FRAME_HEAD_BYTES < length) return AUDIT_FRAME_PARTIAL;
    str body = good ? (str){bytes.p + AUDIT_FRAME_HEAD_BYTES, length} : STR_NONE;
    if (!good || crc32_of(body) != crc) {
        *used = audit_frame_skip(bytes);
        return AUDIT_FRAME_DAMAGED;
    }
    *used = AUDIT_FRAME_HEAD_BYTES + length;
    *json = body;
    return AUDIT_FRAME_RECORD;
}

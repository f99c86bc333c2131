/* audit_frame.h - one record of a journal: how it is framed, and how records are found again.
 *
 *     byte  0      "\n"           a record starts a line, so the next can be found behind damage:
 *           1..5   "bnt1 "        JSON has no line feed inside
 *           6..13  length of the JSON in bytes, 8 hex digits, then a space
 *          15..22  CRC-32 (IEEE 802.3) of the JSON, 8 hex digits, then a space
 *          24..    the JSON
 *
 * Pure functions; any thread. */
#ifndef BANTAM_AUDIT_AUDIT_FRAME_H
#define BANTAM_AUDIT_AUDIT_FRAME_H

#include "base/buf.h"

enum { AUDIT_FRAME_HEAD_BYTES = 24, AUDIT_FRAME_JSON_BYTES_MAX = 1 << 20 };

void audit_frame_put(buf *out, str json);

typedef enum audit_frame_kind {
    AUDIT_FRAME_RECORD,  /* json is a whole record */
    AUDIT_FRAME_PARTIAL, /* bytes end inside what may be a record */
    AUDIT_FRAME_DAMAGED  /* bytes to skip */
} audit_frame_kind;
/* Looks at the start of bytes (not empty). *used: bytes of the record, or of the damage, up to the
 * next possible record or the end; 0 for PARTIAL. json is borrowed from bytes. */
audit_frame_kind audit_frame_next(str bytes, size_t *used, str *record);
/* Bytes up to the next place where a record may start, at least 1. */
size_t audit_frame_skip(str bytes);

#endif

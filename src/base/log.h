/* log.h - what the program tells its operator, on stderr, one line each. Any thread.
 *
 *     2026-11-25T15:04:05.123Z info api: certificate and key read again
 *     {"time":"2026-11-25T15:04:05.123Z","level":"info","room":"api","message":"...",
 *      "request_id":"req_...","trace_id":"..."}         with LOG_AS_JSON; one line
 *
 * What is logged while a thread works for a request carries that request's ids (JSON alone).
 * Never write keys, customers' questions or answers here; use log_mask for text that must be named.
 */
#ifndef BANTAM_BASE_LOG_H
#define BANTAM_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

typedef enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level;
typedef enum log_form { LOG_AS_TEXT, LOG_AS_JSON } log_form;

void log_set_level(log_level most); /* default LOG_INFO */
void log_set_form(log_form form);   /* default LOG_AS_TEXT */
log_form log_get_form(void);

/* A member of the line's object; in a text line " key=value" behind the message. Value "": left
 * out. */
typedef struct log_field {
    const char *key;
    str text;      /* .p NULL: a number */
    double number; /* not finite: left out */
} log_field;

enum { LOG_FIELDS_MAX = 16, LOG_VALUE_BYTES = 4096 }; /* longer values are cut */

void log_write(log_level level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* fields [n], n <= LOG_FIELDS_MAX */
void log_write_fields(log_level level, const char *room, const char *message,
                      const log_field *fields, size_t n);
#define log_error(room, ...) log_write(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...) log_write(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...) log_write(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_write(LOG_DEBUG, room, __VA_ARGS__)

/* Ids of the request that this thread works for, until the next call; copied. NULL: none. */
void log_set_request(const char *request_id, const char *trace_id);
/* "12 words, 61 bytes": what may be logged of a question. Writes into out (64 bytes). */
const char *log_mask(str text, char out[64]);

#endif

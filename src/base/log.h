/* log.h - what the program tells its operator, on stderr, one line each. Any thread.
 *
 * Never write keys, customers' questions or answers here; use log_mask for text that must be named.
 */
#ifndef BANTAM_BASE_LOG_H
#define BANTAM_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

typedef enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level;

void log_set_level(log_level most); /* default LOG_INFO */
void log_write(log_level level, const char *room, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define log_error(room, ...) log_write(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...) log_write(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...) log_write(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_write(LOG_DEBUG, room, __VA_ARGS__)
/* "12 words, 61 bytes": what may be logged of a question. Writes into out (64 bytes). */
const char *log_mask(str text, char out[64]);

#endif

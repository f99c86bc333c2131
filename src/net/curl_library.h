/* curl_library.h - libcurl's functions under their own names, in a library that is loaded when the
 * first call goes out (library.h). Included instead of curl/curl.h; curl_library_load comes first.
 */
#ifndef BANTAM_NET_CURL_LIBRARY_H
#define BANTAM_NET_CURL_LIBRARY_H

#include "base/library.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define CURL_FUNCTIONS(X)  \
    X(curl_global_init)    \
    X(curl_easy_init)      \
    X(curl_easy_setopt)    \
    X(curl_easy_perform)   \
    X(curl_easy_getinfo)   \
    X(curl_easy_strerror)  \
    X(curl_easy_cleanup)   \
    X(curl_slist_append)   \
    X(curl_slist_free_all) \
    X(curl_getdate)

typedef struct curl_functions {
    CURL_FUNCTIONS(LIBRARY_POINTER)
} curl_functions;
extern curl_functions curl_library;
/* Loads it and starts it, once. Any thread. */
err curl_library_load(fail *f) MUST_CHECK;

#define curl_easy_init curl_library.curl_easy_init
#define curl_easy_setopt curl_library.curl_easy_setopt
#define curl_easy_perform curl_library.curl_easy_perform
#define curl_easy_getinfo curl_library.curl_easy_getinfo
#define curl_easy_strerror curl_library.curl_easy_strerror
#define curl_easy_cleanup curl_library.curl_easy_cleanup
#define curl_slist_append curl_library.curl_slist_append
#define curl_slist_free_all curl_library.curl_slist_free_all
#define curl_getdate curl_library.curl_getdate

#endif

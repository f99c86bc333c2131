/* http_request.c - looking things up in a request. Pure reading. */
#include "net/http_server.h"
#include "net/url.h"

str http_header_get(const http_request *rq, const char *name) {
    str wanted = str_from(name);
    for (size_t i = 0; i < rq->headers_n; i++)
        if (str_eq_nocase(rq->headers[i].name, wanted)) return rq->headers[i].value;
    return STR_NONE;
}

str http_query(const http_request *rq, const char *name) {
    return url_query_find(rq->arena, rq->query, name);
}

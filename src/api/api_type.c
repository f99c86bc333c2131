/* api_type.c - what a request says that its body is (RFC 9110, 8.3). JSON in UTF-8 is read, and a
 * body of which nothing is said; anything else is 415, so that a form of another website, or a
 * client that meant another route, does not get half an answer. Pure, any thread. */
#include "api/api_int.h"

static str unquoted(str s) {
    bool quoted = s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';
    return quoted ? str_slice(s, 1, s.n - 1) : s;
}

static bool is_json(str type) {
    return str_eq_nocase(type, STR("application/json")) || str_eq_nocase(type, STR("text/json")) ||
           (type.n > 5 && str_eq_nocase(str_slice(type, type.n - 5, type.n), STR("+json")));
}

static bool is_utf8(str parameters) {
    while (parameters.p) {
        str value = str_cut(&parameters, ';');
        str name = str_trim(str_cut(&value, '='));
        if (!value.p || !str_eq_nocase(name, STR("charset"))) continue;
        value = unquoted(str_trim(value));
        if (!str_eq_nocase(value, STR("utf-8")) && !str_eq_nocase(value, STR("utf8")) &&
            !str_eq_nocase(value, STR("us-ascii")))
            return false;
    }
    return true;
}

/* A body that is packed would else be called bad JSON. */
static err check_coding(api_call *c, fail *f) {
    str coding = http_header_get(c->rq, "content-encoding");
    if (!coding.n || !c->rq->body.n || str_eq_nocase(coding, STR("identity"))) return E_OK;
    c->code = "unsupported_media_type";
    http_reply_header(c->rp, "Accept-Encoding", STR("identity"));
    fail_set(f, E_INPUT,
             "the body is said to be coded as \"%.*s\", and bodies are read as they are",
             STR_ARG(str_slice(coding, 0, 80)));
    return fail_hint(f, "send it without Content-Encoding");
}

err api_check_type(api_call *c, fail *f) {
    TRY(check_coding(c, f));
    str given = http_header_get(c->rq, "content-type"), rest = given;
    if (!given.n || !c->rq->body.n || c->dialect->any_type) return E_OK;
    str type = str_trim(str_cut(&rest, ';'));
    if (is_json(type) && is_utf8(rest)) return E_OK;
    c->code = "unsupported_media_type";
    fail_set(f, E_INPUT, "the body is said to be \"%.*s\", and JSON in UTF-8 is read here",
             STR_ARG(str_slice(given, 0, 80)));
    return fail_hint(f, "send Content-Type: application/json");
}

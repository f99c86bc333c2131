/* http_form.c - see http_form.h.
 *
 *   --BOUNDARY CRLF  head lines  CRLF CRLF  body  CRLF--BOUNDARY ...  CRLF--BOUNDARY-- */
#include "net/http_form.h"

static str find_type(str content_type, str *parameters) {
    *parameters = content_type;
    return str_trim(str_cut(parameters, ';'));
}

bool http_is_form(str content_type) {
    str parameters;
    return str_eq_nocase(find_type(content_type, &parameters), STR("multipart/form-data"));
}

/* ---- parameters: ; name=value; name="quoted \"value\"" ---- */

static str skip_space(str s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = str_slice(s, 1, s.n);
    return s;
}

/* Behind the opening quote; quoted pairs are undone. false: it does not end. */
static bool read_quoted(arena *a, str *rest, str *out, bool *memory) {
    char *text = arena_alloc(a, rest->n + 1);
    size_t n = 0, at = 0;
    *memory = text != NULL;
    if (!text) return false;
    for (; at < rest->n && rest->p[at] != '"'; at++) {
        bool pair = rest->p[at] == '\\' && at + 1 < rest->n &&
                    (rest->p[at + 1] == '"' || rest->p[at + 1] == '\\');
        text[n++] = rest->p[pair ? ++at : at];
    }
    if (at == rest->n) return false;
    *rest = str_slice(*rest, at + 1, rest->n);
    *out = (str){text, n};
    return true;
}

/* Takes one parameter off *rest. *found false at the end. */
static err take_parameter(arena *a, str *rest, str *name, str *value, bool *found, fail *f) {
    bool memory = true;
    *found = false;
    str s = skip_space(*rest);
    if (s.n && s.p[0] == ';') s = skip_space(str_slice(s, 1, s.n));
    if (!s.n) return E_OK;
    size_t equals = str_find_char(s, '=');
    if (equals == STR_INDEX_NONE || equals == 0)
        return fail_set(f, E_INPUT, "a header of the form has a parameter without a value");
    *name = str_trim(str_slice(s, 0, equals));
    s = str_slice(s, equals + 1, s.n);
    if (s.n && s.p[0] == '"') {
        s = str_slice(s, 1, s.n);
        if (!read_quoted(a, &s, value, &memory))
            return memory ? fail_set(f, E_INPUT, "a quoted text in a header of the form has no end")
                          : fail_memory(f, "a form");
    } else {
        size_t end = str_find_char(s, ';');
        if (end == STR_INDEX_NONE) end = s.n;
        *value = str_trim(str_slice(s, 0, end));
        s = str_slice(s, end, s.n);
    }
    *rest = s;
    *found = true;
    return E_OK;
}

/* RFC 2046, 5.1.1: up to 70 of these, not ending in a space. */
static bool is_boundary(str s) {
    static const char others[] = "'()+_,-./:=? ";
    if (!s.n || s.n > HTTP_BOUNDARY_BYTES_MAX || s.p[s.n - 1] == ' ') return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && str_find_char(STR(others), c) == STR_INDEX_NONE) return false;
    }
    return true;
}

static err find_boundary(arena *a, str content_type, str *out, fail *f) {
    str rest, name, value;
    bool found;
    find_type(content_type, &rest);
    *out = STR_NONE;
    for (int i = 0; i < 8; i++) {
        TRY(take_parameter(a, &rest, &name, &value, &found, f));
        if (!found) break;
        if (str_eq_nocase(name, STR("boundary"))) *out = value;
    }
    if (is_boundary(*out)) return E_OK;
    return fail_set(f, E_INPUT, "the Content-Type of the form has no valid boundary");
}

/* ---- parts ---- */

static err read_disposition(arena *a, str value, http_part *part, fail *f) {
    str rest = value, name, text;
    bool found = true;
    if (part->name.p) return fail_set(f, E_INPUT, "a part of the form has two dispositions");
    if (!str_eq_nocase(str_trim(str_cut(&rest, ';')), STR("form-data")))
        return fail_set(f, E_INPUT, "a part's Content-Disposition is not form-data");
    for (int i = 0; found && i < 8; i++) {
        TRY(take_parameter(a, &rest, &name, &text, &found, f));
        if (found && str_eq_nocase(name, STR("name"))) part->name = text;
        if (found && str_eq_nocase(name, STR("filename"))) part->filename = text;
    }
    if (part->name.n) return E_OK;
    return fail_set(f, E_INPUT, "a part of the form has no name");
}

static err read_head(arena *a, str head, http_part *part, fail *f) {
    *part = (http_part){.type = STR("")};
    while (head.n) {
        size_t end = str_find(head, STR("\r\n"));
        str line = str_slice(head, 0, end == STR_INDEX_NONE ? head.n : end);
        head = end == STR_INDEX_NONE ? STR("") : str_slice(head, end + 2, head.n);
        size_t colon = str_find_char(line, ':');
        if (colon == STR_INDEX_NONE)
            return fail_set(f, E_INPUT, "a header of a part of the form has no colon");
        str name = str_slice(line, 0, colon), value = str_trim(str_slice(line, colon + 1, line.n));
        if (str_eq_nocase(name, STR("content-disposition")))
            TRY(read_disposition(a, value, part, f));
        else if (str_eq_nocase(name, STR("content-type")))
            part->type = value;
        else if (str_eq_nocase(name, STR("content-transfer-encoding")) &&
                 !str_eq_nocase(value, STR("binary")) && !str_eq_nocase(value, STR("8bit")) &&
                 !str_eq_nocase(value, STR("7bit")))
            return fail_set(f, E_UNSUPPORTED, "a part's transfer encoding \"%.*s\" is not done",
                            STR_ARG(str_slice(value, 0, 40)));
    }
    if (part->name.p) return E_OK;
    return fail_set(f, E_INPUT, "a part of the form has no Content-Disposition");
}

/* One part off the front of *rest, which begins behind the delimiter's line. */
static err take_part(arena *a, str *rest, str delimiter, http_part *out, fail *f) {
    str s = *rest;
    size_t head_end = str_find(str_slice(s, 0, HTTP_PART_HEAD_BYTES_MAX), STR("\r\n\r\n"));
    if (head_end == STR_INDEX_NONE)
        return fail_set(f, E_INPUT, "the head of a part of the form does not end within %d bytes",
                        HTTP_PART_HEAD_BYTES_MAX);
    TRY(read_head(a, str_slice(s, 0, head_end), out, f));
    s = str_slice(s, head_end + 4, s.n);
    size_t end = str_find(s, delimiter);
    if (end == STR_INDEX_NONE)
        return fail_set(f, E_INPUT, "the form ends within its part \"%.*s\"",
                        STR_ARG(str_slice(out->name, 0, 64)));
    out->body = str_slice(s, 0, end);
    *rest = str_slice(s, end + delimiter.n, s.n);
    return E_OK;
}

/* Behind a delimiter: the end, or the line's end and one more part. */
static err after_delimiter(str *rest, bool *end, fail *f) {
    *end = str_starts(*rest, STR("--"));
    if (*end) return E_OK;
    str s = skip_space(*rest);
    if (!str_starts(s, STR("\r\n")))
        return fail_set(f, E_INPUT, "a delimiter of the form is not alone on its line");
    *rest = str_slice(s, 2, s.n);
    return E_OK;
}

err http_form_read(arena *a, str content_type, str body, http_part **out, size_t *n, fail *f) {
    str boundary;
    bool end;
    if (!http_is_form(content_type))
        return fail_set(f, E_INPUT, "the body is no form (multipart/form-data)");
    TRY(find_boundary(a, content_type, &boundary, f));
    str delimiter = arena_printf(a, "\r\n--%.*s", STR_ARG(boundary));
    http_part *parts = arena_new_n(a, http_part, HTTP_PARTS_MAX);
    if (!delimiter.p || !parts) return fail_memory(f, "a form");
    str first = str_slice(delimiter, 2, delimiter.n), rest = body;
    if (!str_starts(rest, first))
        return fail_set(f, E_INPUT, "the form does not begin with its boundary");
    rest = str_slice(rest, first.n, rest.n);
    size_t count = 0;
    for (;;) {
        TRY(after_delimiter(&rest, &end, f));
        if (end) break;
        if (count == HTTP_PARTS_MAX)
            return fail_set(f, E_TOO_LARGE, "the form has more than %d parts", HTTP_PARTS_MAX);
        TRY(take_part(a, &rest, delimiter, &parts[count], f));
        count++;
    }
    *out = parts;
    *n = count;
    return E_OK;
}

const http_part *http_form_get(const http_part *parts, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (str_is(parts[i].name, name)) return &parts[i];
    return NULL;
}

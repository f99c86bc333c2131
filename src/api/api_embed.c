/* api_embed.c - POST /v1/embeddings: one text or many, or token ids, to vectors of unit length, as
 * numbers or as base64 of little-endian 32-bit floats. A text longer than the model reads is
 * refused unless the body says "truncate": true. On the record like a chat (api_encode.h). */
#include "api/api_encode.h"
#include "api/api_field.h"
#include "api/api_routes.h"

#include "text/base64.h"

#include <string.h>

static const api_field fields[] = {{"model", API_FIELD_READ, NULL},
                                   {"input", API_FIELD_READ, NULL},
                                   {"encoding_format", API_FIELD_READ, NULL},
                                   {"dimensions", API_FIELD_READ, NULL},
                                   {"truncate", API_FIELD_READ, NULL},
                                   {"user", API_FIELD_READ, NULL},
                                   {"safety_identifier", API_FIELD_READ, NULL},
                                   {"metadata", API_FIELD_IGNORED, NULL}};

typedef struct embed_ask {
    api_call *call;
    api_encoding e;
    api_inputs in;
    bool base64, truncate;
    int64_t dimensions; /* 0: not named */
    float *v;           /* [n, width] */
    size_t width;
    int64_t tokens;
} embed_ask;

static err read_ask(api_call *c, embed_ask *ask, fail *f) {
    str format;
    TRY(api_check_fields(c, c->body, "", fields, sizeof fields / sizeof *fields, f));
    TRY(api_get_str(c, "model", STR(""), &ask->e.model, f));
    if (!ask->e.model.n) return api_refuse(c, f, "model", "model must name an embedding model");
    TRY(api_read_subject(c, &ask->e.subject, f));
    TRY(api_get_str(c, "encoding_format", STR("float"), &format, f));
    if (!str_is(format, "float") && !str_is(format, "base64"))
        return api_refuse(c, f, "encoding_format",
                          "encoding_format must be \"float\" or \"base64\"");
    ask->base64 = str_is(format, "base64");
    TRY(api_get_bool(c, "truncate", false, &ask->truncate, f));
    TRY(api_get_int(c, "dimensions", 0, 1, INT32_MAX, &ask->dimensions, f));
    TRY(api_read_inputs(c, false, &ask->in, f));
    return api_encode_keep(c, &ask->in, &ask->e, f);
}

/* v: [width]. The bytes are put together one by one, so that the machine's order does not matter.
 */
static err put_base64(api_call *c, const float *v, size_t width, fail *f) {
    char *bytes = arena_array(c->a, width, 4);
    str text;
    if (!bytes) return fail_memory(f, "an embedding");
    for (size_t i = 0; i < width; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        for (size_t k = 0; k < 4; k++) bytes[4 * i + k] = (char)(unsigned char)(bits >> (8 * k));
    }
    TRY(base64_encode(c->a, BASE64_STANDARD, (str){bytes, 4 * width}, &text, f));
    json_put_str(&c->w, text);
    return E_OK;
}

static err put_vector(api_call *c, const embed_ask *ask, const float *v, size_t width, fail *f) {
    json_key(&c->w, "embedding");
    if (ask->base64) return put_base64(c, v, width, f);
    json_begin_array(&c->w);
    for (size_t i = 0; i < width; i++) json_put_double(&c->w, (double)v[i]);
    json_end_array(&c->w);
    return E_OK;
}

static err put_answer(api_call *c, const embed_ask *ask, fail *f) {
    json_writer *w = &c->w;
    json_begin_object(w);
    json_field_z(w, "object", "list");
    json_key(w, "data");
    json_begin_array(w);
    for (size_t i = 0; i < ask->in.n; i++) {
        json_begin_object(w);
        json_field_z(w, "object", "embedding");
        json_field_int(w, "index", (int64_t)i);
        TRY(put_vector(c, ask, ask->v + i * ask->width, ask->width, f));
        json_end_object(w);
    }
    json_end_array(w);
    json_field_text(w, "model", ask->e.model);
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "prompt_tokens", ask->tokens);
    json_field_int(w, "total_tokens", ask->tokens);
    json_end_object(w);
    json_end_object(w);
    return E_OK;
}

static err run(void *self, const gen_embedder *m, str *answer, int64_t *tokens, fail *f) {
    embed_ask *ask = self;
    api_call *c = ask->call;
    if (ask->dimensions && ask->dimensions != m->width)
        return api_refuse(c, f, "dimensions", "the model's embeddings have %d dimensions, always",
                          m->width);
    ask->width = (size_t)m->width;
    TRY(api_encode_vectors(c->a, m, &ask->in, ask->truncate, &ask->v, tokens, f));
    return api_encode_answer(c->a, m, ask->in.n, answer, f);
}

err api_embeddings(api_call *c, fail *f) {
    embed_ask ask = {.call = c, .e = {.purpose = "embed", .field = "input", .run = run}};
    ask.e.self = &ask;
    TRY(read_ask(c, &ask, f));
    TRY(api_encode_run(c, &ask.e, &ask.tokens, f));
    return put_answer(c, &ask, f);
}

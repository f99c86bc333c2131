/* api_embed.c - POST /v1/embeddings: one text or many to vectors of unit length, as numbers or as
 * base64 of little-endian 32-bit floats. A text longer than the model reads is refused unless the
 * body says "truncate": true. Not on the record: nothing is answered or decided here. */
#include "api/api_int.h"

#include "text/base64.h"

#include <string.h>

typedef struct embed_ask {
    str model;
    const str *texts;
    size_t n;
    bool base64, truncate;
    int64_t dimensions; /* 0: not named */
} embed_ask;

static err read_texts(api_call *c, embed_ask *ask, fail *f) {
    const json *input = json_get(c->body, "input");
    if (!input || (input->kind != JSON_STRING && input->kind != JSON_ARRAY))
        return api_refuse(c, f, "input", "input must be a text or an array of texts");
    const json *items = input->kind == JSON_ARRAY ? input->items : input;
    ask->n = input->kind == JSON_ARRAY ? input->count : 1;
    if (ask->n == 0 || ask->n > API_INPUTS_MAX)
        return api_refuse(c, f, "input", "input holds %zu texts; 1 to %d are taken", ask->n,
                          API_INPUTS_MAX);
    str *texts = arena_new_n(c->a, str, ask->n);
    if (!texts) return fail_memory(f, "texts");
    for (size_t i = 0; i < ask->n; i++) {
        if (items[i].kind != JSON_STRING)
            return api_refuse(c, f, "input", "input[%zu] is %s; only texts are supported", i,
                              json_kind_name(items[i].kind));
        if (!items[i].string.n) return api_refuse(c, f, "input", "input[%zu] is empty", i);
        texts[i] = items[i].string;
    }
    ask->texts = texts;
    return E_OK;
}

static err check_known(api_call *c, fail *f) {
    static const char *const known[] = {"model", "input",    "encoding_format", "dimensions",
                                        "user",  "truncate", "metadata"};
    for (size_t i = 0; i < c->body->count; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            found |= str_is(c->body->members[i].key, known[k]);
        const char *name = found ? "" : arena_z(c->a, str_slice(c->body->members[i].key, 0, 64));
        if (!found)
            return api_refuse(c, f, name ? name : "?", "the field \"%s\" is not known here",
                              name ? name : "?");
    }
    return E_OK;
}

static err read_ask(api_call *c, embed_ask *ask, fail *f) {
    str format;
    TRY(check_known(c, f));
    TRY(api_get_str(c, "model", STR(""), &ask->model, f));
    if (!ask->model.n) return api_refuse(c, f, "model", "model must name an embedding model");
    TRY(api_get_str(c, "encoding_format", STR("float"), &format, f));
    if (!str_is(format, "float") && !str_is(format, "base64"))
        return api_refuse(c, f, "encoding_format",
                          "encoding_format must be \"float\" or \"base64\"");
    ask->base64 = str_is(format, "base64");
    TRY(api_get_bool(c, "truncate", false, &ask->truncate, f));
    TRY(api_get_int(c, "dimensions", 0, 1, INT32_MAX, &ask->dimensions, f));
    return read_texts(c, ask, f);
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

static err put_answer(api_call *c, const embed_ask *ask, const float *v, size_t width,
                      int64_t tokens, fail *f) {
    json_writer *w = &c->w;
    json_begin_object(w);
    api_put_z(w, "object", "list");
    json_key(w, "data");
    json_begin_array(w);
    for (size_t i = 0; i < ask->n; i++) {
        json_begin_object(w);
        api_put_z(w, "object", "embedding");
        json_field_int(w, "index", (int64_t)i);
        TRY(put_vector(c, ask, v + i * width, width, f));
        json_end_object(w);
    }
    json_end_array(w);
    json_field_text(w, "model", ask->model);
    json_key(w, "usage");
    json_begin_object(w);
    json_field_int(w, "prompt_tokens", tokens);
    json_field_int(w, "total_tokens", tokens);
    json_end_object(w);
    json_end_object(w);
    return E_OK;
}

err api_embeddings(api_call *c, fail *f) {
    embed_ask ask = {0};
    const gen_embedder *embedder;
    int64_t tokens = 0;
    TRY(read_ask(c, &ask, f));
    err e = c->api->o.models.embedder(c->api->o.models.self, ask.model, &embedder, f);
    if (e != E_OK) {
        c->param = "model";
        if (e == E_NOT_FOUND) c->code = "model_not_found";
        return e;
    }
    size_t width = (size_t)embedder->width;
    if (ask.dimensions && ask.dimensions != embedder->width)
        return api_refuse(c, f, "dimensions", "the model's embeddings have %d dimensions, always",
                          embedder->width);
    float *v = arena_array(c->a, ask.n, width * sizeof *v);
    if (!v) return fail_memory(f, "embeddings");
    c->param = "input";
    TRY(embedder->embed(embedder->self, ask.texts, ask.n, ask.truncate, v, &tokens, f));
    c->tokens += tokens;
    api_meter_input(c, tokens);
    c->param = NULL;
    return put_answer(c, &ask, v, width, tokens, f);
}

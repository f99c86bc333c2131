/* api_tokens.c - POST /tokenize and /detokenize, in llama-server's shapes: how a model cuts a text,
 * and what its tokens say. Without "model" the only model here is meant. Not on the record: nothing
 * is answered. */
#include "api/api_field.h"
#include "api/api_routes.h"

#include "text/utf8.h"

enum { IDS_MAX = 1 << 20 };

static const api_field encode_fields[] = {
    {"model", API_FIELD_READ, NULL},       {"content", API_FIELD_READ, NULL},
    {"add_special", API_FIELD_READ, NULL}, {"parse_special", API_FIELD_READ, NULL},
    {"with_pieces", API_FIELD_READ, NULL},
};

static const api_field decode_fields[] = {
    {"model", API_FIELD_READ, NULL},
    {"tokens", API_FIELD_READ, NULL},
};

/* llama-server serves one model and its clients name none. */
static err only_model(api_call *c, str *name, fail *f) {
    api_model *all;
    size_t n, found = 0;
    TRY(c->api->o.models.list(c->api->o.models.self, c->a, &all, &n, f));
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind == API_TASK || all[i].parent.n) continue;
        found++;
        *name = all[i].id;
    }
    if (found == 1) return E_OK;
    return api_refuse(c, f, "model", "model must say which of the %zu models here", found);
}

static err vocabulary_of(api_call *c, gen_vocabulary *out, fail *f) {
    const api_models *m = &c->api->o.models;
    str name;
    TRY(api_get_str(c, "model", STR(""), &name, f));
    if (!name.n) TRY(only_model(c, &name, f));
    if (!m->vocabulary) return fail_set(f, E_UNSUPPORTED, "texts are not cut here");
    err e = m->vocabulary(m->self, name, out, f);
    if (e != E_OK) c->param = "model";
    if (e == E_NOT_FOUND) c->code = "model_not_found";
    return e;
}

/* Bytes that are no text, as part of a character is, are numbers, as with llama-server. */
static void put_piece(json_writer *w, str piece) {
    if (utf8_ok(piece)) {
        json_put_str(w, piece);
        return;
    }
    json_begin_array(w);
    for (size_t i = 0; i < piece.n; i++) json_put_int(w, (unsigned char)piece.p[i]);
    json_end_array(w);
}

static void put_tokens(json_writer *w, const gen_pieces *p) {
    json_begin_object(w);
    json_key(w, "tokens");
    json_begin_array(w);
    for (size_t i = 0; i < p->n; i++) {
        if (!p->pieces) {
            json_put_int(w, p->ids[i]);
            continue;
        }
        json_begin_object(w);
        json_field_int(w, "id", p->ids[i]);
        json_key(w, "piece");
        put_piece(w, p->pieces[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

err api_tokenize(api_call *c, fail *f) {
    gen_vocabulary v;
    gen_encode how;
    gen_pieces pieces;
    const json *content = json_get(c->body, "content");
    TRY(api_check_fields(c, c->body, "", encode_fields,
                         sizeof encode_fields / sizeof *encode_fields, f));
    if (!content || content->kind != JSON_STRING)
        return api_refuse(c, f, "content", "content must be a text");
    TRY(api_get_bool(c, "add_special", false, &how.markers, f));
    TRY(api_get_bool(c, "parse_special", true, &how.special, f));
    TRY(api_get_bool(c, "with_pieces", false, &how.pieces, f));
    TRY(vocabulary_of(c, &v, f));
    TRY(v.encode(v.self, c->a, content->string, &how, &pieces, f));
    put_tokens(&c->w, &pieces);
    return E_OK;
}

static err read_ids(api_call *c, gen_ids *out, fail *f) {
    const json *v = json_get(c->body, "tokens");
    if (!v || v->kind != JSON_ARRAY || v->count > IDS_MAX)
        return api_refuse(c, f, "tokens", "tokens must be an array of at most %d token ids",
                          IDS_MAX);
    return api_read_ids(c, v, "tokens", out, f);
}

err api_detokenize(api_call *c, fail *f) {
    gen_vocabulary v;
    gen_ids ids;
    buf text = {0};
    TRY(api_check_fields(c, c->body, "", decode_fields,
                         sizeof decode_fields / sizeof *decode_fields, f));
    TRY(read_ids(c, &ids, f));
    TRY(vocabulary_of(c, &v, f));
    c->param = "tokens";
    err e = v.decode(v.self, ids.p, ids.n, &text, f);
    if (e == E_OK) e = buf_ok(&text, f);
    if (e == E_OK) {
        c->param = NULL;
        json_begin_object(&c->w);
        json_field_str(&c->w, "content", buf_str(&text));
        json_end_object(&c->w);
    }
    buf_deinit(&text);
    return e;
}

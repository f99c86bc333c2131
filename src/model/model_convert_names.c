/* model_convert_names.c - names and places of weights: a folder's tensors into a GGUF file's.
 *
 * Each weight of the folder goes through one table by its name, with the layer and the expert as
 * holes ('#', '*'). Experts of a layer become one stack. A weight that no table knows is refused,
 * so that none is lost silently; what inference does not need is listed as such. */
#include "base/map.h"
#include "model/model_convert_int.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = TENSOR_NAME_BYTES_MAX, STEM_BYTES = 128 };

typedef struct name_row {
    const char *hf, *gguf; /* without ".weight" and ".bias"; gguf NULL: not needed */
} name_row;

static const name_row decoder_rows[] = {
    {"embed_tokens", "token_embd"},
    {"norm", "output_norm"},
    {"lm_head", "output"},
    {"layers.#.input_layernorm", "blk.#.attn_norm"},
    {"layers.#.pre_feedforward_layernorm", "blk.#.ffn_norm"},
    {"layers.#.post_feedforward_layernorm", "blk.#.post_ffw_norm"},
    {"layers.#.self_attn.q_proj", "blk.#.attn_q"},
    {"layers.#.self_attn.k_proj", "blk.#.attn_k"},
    {"layers.#.self_attn.v_proj", "blk.#.attn_v"},
    {"layers.#.self_attn.o_proj", "blk.#.attn_output"},
    {"layers.#.self_attn.qkv_proj", "blk.#.attn_qkv"},
    {"layers.#.self_attn.q_norm", "blk.#.attn_q_norm"},
    {"layers.#.self_attn.k_norm", "blk.#.attn_k_norm"},
    {"layers.#.mlp.gate_proj", "blk.#.ffn_gate"},
    {"layers.#.mlp.up_proj", "blk.#.ffn_up"},
    {"layers.#.mlp.down_proj", "blk.#.ffn_down"},
    {"layers.#.mlp.gate_up_proj", "blk.#.ffn_up"},
    {"layers.#.mlp.gate", "blk.#.ffn_gate_inp"},
    {"layers.#.mlp.experts.*.gate_proj", "blk.#.ffn_gate_exps"},
    {"layers.#.mlp.experts.*.up_proj", "blk.#.ffn_up_exps"},
    {"layers.#.mlp.experts.*.down_proj", "blk.#.ffn_down_exps"},
    {"layers.#.self_attn.rotary_emb.inv_freq", NULL},
};
static const name_row bert_rows[] = {
    {"embeddings.word_embeddings", "token_embd"},
    {"embeddings.position_embeddings", "position_embd"},
    {"embeddings.token_type_embeddings", "token_types"},
    {"embeddings.LayerNorm", "token_embd_norm"},
    {"encoder.layer.#.attention.self.query", "blk.#.attn_q"},
    {"encoder.layer.#.attention.self.key", "blk.#.attn_k"},
    {"encoder.layer.#.attention.self.value", "blk.#.attn_v"},
    {"encoder.layer.#.attention.output.dense", "blk.#.attn_output"},
    {"encoder.layer.#.attention.output.LayerNorm", "blk.#.attn_output_norm"},
    {"encoder.layer.#.intermediate.dense", "blk.#.ffn_up"},
    {"encoder.layer.#.output.dense", "blk.#.ffn_down"},
    {"encoder.layer.#.output.LayerNorm", "blk.#.layer_output_norm"},
    {"classifier", "cls.output"},
    {"classifier.dense", "cls"},
    {"classifier.out_proj", "cls.output"},
    {"embeddings.position_ids", NULL},
    {"pooler.dense", NULL},
};
static const name_row modernbert_rows[] = {
    {"embeddings.tok_embeddings", "token_embd"},
    {"embeddings.norm", "token_embd_norm"},
    {"final_norm", "output_norm"},
    {"layers.#.attn_norm", "blk.#.attn_norm"},
    {"layers.#.attn.Wqkv", "blk.#.attn_qkv"},
    {"layers.#.attn.Wo", "blk.#.attn_output"},
    {"layers.#.mlp_norm", "blk.#.ffn_norm"},
    {"layers.#.mlp.Wi", "blk.#.ffn_up"},
    {"layers.#.mlp.Wo", "blk.#.ffn_down"},
    {"classifier", "cls.output"},
    {"head.dense", "cls"},
    {"head.norm", "cls.norm"},
};
static const struct {
    const name_row *rows;
    size_t n;
} tables[] = {
    [CONVERT_DECODER] = {decoder_rows, sizeof decoder_rows / sizeof *decoder_rows},
    [CONVERT_BERT] = {bert_rows, sizeof bert_rows / sizeof *bert_rows},
    [CONVERT_MODERNBERT] = {modernbert_rows, sizeof modernbert_rows / sizeof *modernbert_rows},
};
/* What may stand before a weight's name, longest first. */
static const char *const prefixes[] = {"model.language_model.",
                                       "language_model.model.",
                                       "language_model.",
                                       "model.",
                                       "roberta.",
                                       "bert."};
/* Parts of a folder that are no part of what is converted: eyes of Gemma 3, heads of pretraining.
 */
static const char *const foreign_parts[] = {
    "vision_tower.",    "model.vision_tower.",          "multi_modal_projector.",
    "cls.predictions.", "model.multi_modal_projector.", "cls.seq_relationship.",
    "decoder."};

/* ---- one name ---- */

typedef struct place {
    const char *gguf;   /* NULL: not needed */
    const char *ending; /* ".weight", ".bias" */
    int64_t layer, expert;
} place;

/* Does the name follow the pattern, with numbers in its holes? */
static bool follows(const char *pattern, str name, place *p) {
    p->layer = p->expert = -1;
    for (; *pattern; pattern++) {
        if (*pattern != '#' && *pattern != '*') {
            if (!name.n || name.p[0] != *pattern) return false;
            name = str_slice(name, 1, name.n);
            continue;
        }
        size_t digits = 0;
        while (digits < name.n && name.p[digits] >= '0' && name.p[digits] <= '9') digits++;
        if (!str_to_int(str_slice(name, 0, digits), *pattern == '#' ? &p->layer : &p->expert))
            return false;
        name = str_slice(name, digits, name.n);
    }
    return name.n == 0;
}

static bool find_place(const convert *c, str stem, place *p) {
    for (size_t i = 0; i < tables[c->family->names].n; i++) {
        const name_row *row = &tables[c->family->names].rows[i];
        if (!follows(row->hf, stem, p)) continue;
        p->gguf = row->gguf;
        return true;
    }
    if (c->family->names == CONVERT_DECODER &&
        follows("layers.#.post_attention_layernorm", stem, p)) {
        p->gguf = c->family->post_norms ? "blk.#.post_attention_norm" : "blk.#.ffn_norm";
        return true;
    }
    return false;
}

static str without_prefix(str name) {
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (str_starts(name, str_from(prefixes[i])))
            return str_slice(name, strlen(prefixes[i]), name.n);
    return name;
}

static err place_of(const convert *c, str name, place *p, fail *f) {
    /* older BERT folders say gamma and beta of a norm */
    static const struct {
        const char *hf, *gguf;
    } endings[] = {{".weight", ".weight"},
                   {".bias", ".bias"},
                   {".gamma", ".weight"},
                   {".beta", ".bias"},
                   {"", ".weight"}};
    char shown[TENSOR_PRINT_BYTES];
    str stem = without_prefix(name);
    *p = (place){.layer = -1, .expert = -1};
    if (c->family->encoder && str_starts(name, STR("lm_head."))) return E_OK;
    for (size_t i = 0; i < sizeof foreign_parts / sizeof *foreign_parts; i++)
        if (str_starts(name, str_from(foreign_parts[i]))) return E_OK;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (!str_ends(stem, str_from(endings[i].hf))) continue;
        if (!find_place(c, str_slice(stem, 0, stem.n - strlen(endings[i].hf)), p)) continue;
        p->ending = endings[i].gguf;
        if (p->layer < c->layers) return E_OK;
        return fail_set(f, E_CORRUPT, "\"%s\": weight \"%s\" stands behind the last layer", c->name,
                        tensor_print_name(name, shown));
    }
    fail_set(f, E_UNSUPPORTED, "\"%s\": we do not know what the weight \"%s\" is", c->name,
             tensor_print_name(name, shown));
    return fail_hint(f, "the model is not quite a %s as published; nothing has been written",
                     c->family->hf);
}

static void name_of(const place *p, char out[NAME_BYTES]) {
    const char *hole = strchr(p->gguf, '#');
    if (hole)
        snprintf(out, NAME_BYTES, "%.*s%lld%s%s", (int)(hole - p->gguf), p->gguf,
                 (long long)p->layer, hole + 1, p->ending);
    else
        snprintf(out, NAME_BYTES, "%s%s", p->gguf, p->ending);
}

/* ---- and back ---- */

static bool fill_hole(const char *pattern, int64_t layer, const char *ending, char *out) {
    const char *hole = strchr(pattern, '#');
    if (hole)
        snprintf(out, NAME_BYTES, "model.%.*s%lld%s%s", (int)(hole - pattern), pattern,
                 (long long)layer, hole + 1, ending);
    else
        snprintf(out, NAME_BYTES, "%s%s%s", strcmp(pattern, "lm_head") ? "model." : "", pattern,
                 ending);
    return true;
}

bool convert_published_name(const convert_family *family, str name, char out[NAME_BYTES],
                            int64_t *layer) {
    const char *ending = str_ends(name, STR(".bias")) ? ".bias" : ".weight";
    place p;
    if (family->names != CONVERT_DECODER || !str_ends(name, str_from(ending))) return false;
    str stem = str_slice(name, 0, name.n - strlen(ending));
    for (size_t i = 0; i < tables[CONVERT_DECODER].n; i++) {
        const name_row *row = &tables[CONVERT_DECODER].rows[i];
        if (!row->gguf || strchr(row->hf, '*') || !follows(row->gguf, stem, &p)) continue;
        if (!family->norm_plus_1 && strstr(row->hf, "pre_feedforward")) continue;
        *layer = p.layer;
        return fill_hole(row->hf, p.layer, ending, out);
    }
    const char *behind = family->post_norms ? "blk.#.post_attention_norm" : "blk.#.ffn_norm";
    if (!follows(behind, stem, &p)) return false;
    *layer = p.layer;
    return fill_hole("layers.#.post_attention_layernorm", p.layer, ending, out);
}

/* ---- building the list ---- */

typedef struct list {
    convert *c;
    convert_tensor *all;
    size_t n;
    map names;
} list;

static err new_view(convert *c, const tensor *whole, int64_t from, int64_t rows, tensor **out,
                    fail *f) {
    tensor *t = arena_new(&c->arena, tensor);
    if (!t) return fail_memory(f, c->name);
    *t = *whole;
    t->n_dims = 2;
    t->dims[0] = rows;
    t->dims[1] = tensor_cols(whole);
    t->bytes = (size_t)rows * tensor_row_bytes(whole);
    t->data = (const char *)whole->data + (size_t)from * tensor_row_bytes(whole);
    *out = t;
    return E_OK;
}

static err add(list *l, const char *name, convert_tensor **out, fail *f) {
    convert *c = l->c;
    str copy = arena_str(&c->arena, str_from(name));
    if (!copy.p) return fail_memory(f, c->name);
    if (map_find(&l->names, copy))
        return fail_set(f, E_CORRUPT, "\"%s\" has two weights for \"%s\"", c->name, name);
    TRY(map_put(&l->names, copy, (int64_t)l->n, f));
    *out = &l->all[l->n++];
    **out = (convert_tensor){.shape = {.name = copy}};
    return E_OK;
}

static err one_source(list *l, convert_tensor *t, const tensor *source, fail *f) {
    t->sources = arena_new(&l->c->arena, const tensor *);
    if (!t->sources) return fail_memory(f, l->c->name);
    t->sources[0] = source;
    t->n_sources = 1;
    str name = t->shape.name;
    t->shape = *source;
    t->shape.name = name;
    return E_OK;
}

/* Query and key rows of Llama files, a bias as a matrix of one column. */
static err turn(list *l, const place *p, convert_tensor *t, fail *f) {
    const convert *c = l->c;
    bool q = strstr(p->gguf, "attn_q") && !strstr(p->gguf, "attn_q_norm") &&
             !strstr(p->gguf, "attn_qkv"),
         k = strstr(p->gguf, "attn_k") && !strstr(p->gguf, "attn_k_norm");
    if (!c->family->turn || !(q || k)) return E_OK;
    const tensor *s = t->sources[0];
    tensor *column;
    int64_t heads = q ? c->heads : c->kv_heads, rows = s->n_dims > 1 ? tensor_rows(s) : s->dims[0];
    if (rows % (2 * heads))
        return fail_set(f, E_CORRUPT, "\"%s\": \"%.*s\" has %lld rows for %lld heads", c->name,
                        STR_ARG(t->shape.name), (long long)rows, (long long)heads);
    t->change.turn_heads = heads;
    if (s->n_dims > 1) return E_OK;
    TRY(new_view(l->c, s, 0, 1, &column, f));
    column->dims[0] = rows;
    column->dims[1] = 1;
    t->sources[0] = column;
    return E_OK;
}

/* The first rows of XLM-RoBERTa's positions belong to no token. */
static err cut_positions(list *l, const place *p, convert_tensor *t, fail *f) {
    int64_t padding, rows = t->shape.dims[0];
    tensor *view;
    if (strcmp(p->gguf, "position_embd") || strcmp(l->c->family->hf, "xlm-roberta")) return E_OK;
    TRY(convert_int(l->c, "pad_token_id", 0, &padding, f));
    if (t->shape.n_dims != 2 || padding + 1 >= rows)
        return fail_set(f, E_CORRUPT, "\"%s\": there are no positions", l->c->name);
    TRY(new_view(l->c, t->sources[0], padding + 1, rows - padding - 1, &view, f));
    t->sources[0] = view;
    t->shape.dims[0] = view->dims[0];
    return E_OK;
}

/* One expert's matrix goes into its layer's stack, which is made at the first. */
static err add_expert(list *l, const place *p, const char *name, const tensor *source, fail *f) {
    convert *c = l->c;
    int64_t at;
    convert_tensor *t;
    if (p->expert >= c->experts || source->n_dims != 2)
        return fail_set(f, E_CORRUPT, "\"%s\": \"%s\" has an expert %lld of %lld", c->name, name,
                        (long long)p->expert, (long long)c->experts);
    if (!map_get(&l->names, str_from(name), &at)) {
        TRY(add(l, name, &t, f));
        t->n_sources = (size_t)c->experts;
        t->sources = arena_new_n(&c->arena, const tensor *, t->n_sources);
        if (!t->sources) return fail_memory(f, c->name);
        t->shape.n_dims = 3;
        t->shape.dims[0] = c->experts;
        t->shape.dims[1] = source->dims[0];
        t->shape.dims[2] = source->dims[1];
    } else {
        t = &l->all[at];
    }
    if (t->sources[p->expert] || source->dims[0] != t->shape.dims[1] ||
        source->dims[1] != t->shape.dims[2])
        return fail_set(f, E_CORRUPT,
                        "\"%s\": \"%s\": expert %lld stands twice or is of another "
                        "size",
                        c->name, name, (long long)p->expert);
    t->sources[p->expert] = source;
    return E_OK;
}

static err add_weight(list *l, const tensor *source, const place *p, fail *f) {
    char name[NAME_BYTES];
    convert_tensor *t;
    name_of(p, name);
    if (p->expert >= 0) return add_expert(l, p, name, source, f);
    TRY(add(l, name, &t, f));
    TRY(one_source(l, t, source, f));
    TRY(turn(l, p, t, f));
    TRY(cut_positions(l, p, t, f));
    if (l->c->family->norm_plus_1 && strstr(p->gguf, "norm")) t->change.add = 1;
    return E_OK;
}

static err check_stacks(const list *l, fail *f) {
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->all[i].n_sources; k++)
            if (!l->all[i].sources[k])
                return fail_set(f, E_CORRUPT, "\"%s\" lacks expert %zu of \"%.*s\"", l->c->name, k,
                                STR_ARG(l->all[i].shape.name));
    if (map_find(&l->names, STR("token_embd.weight"))) return E_OK;
    return fail_set(f, E_CORRUPT, "\"%s\" has no embedding matrix", l->c->name);
}

static err fill(list *l, fail *f) {
    convert *c = l->c;
    bool tied;
    TRY(json_get_bool(c->root, "tie_word_embeddings", c->family->norm_plus_1, &tied, f));
    for (size_t i = 0; i < safetensors_count(c->weights); i++) {
        const char *foreign;
        const tensor *t = safetensors_at(c->weights, i, &foreign), *checked;
        place p;
        TRY(place_of(c, t->name, &p, f));
        if (!p.gguf || (tied && !strcmp(p.gguf, "output"))) continue;
        TRY(safetensors_tensor(c->weights, t->name, &checked, f)); /* of a type we read */
        TRY(add_weight(l, checked, &p, f));
    }
    return check_stacks(l, f);
}

err convert_tensors(convert *c, convert_tensor **out, size_t *n, fail *f) {
    list l = {.c = c};
    l.all = arena_new_n(&c->arena, convert_tensor, safetensors_count(c->weights) + 1);
    if (!l.all) return fail_memory(f, c->name);
    map_init(&l.names, NULL);
    err e = fill(&l, f);
    map_deinit(&l.names);
    *out = l.all;
    *n = l.n;
    return e;
}

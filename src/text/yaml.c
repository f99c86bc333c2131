/* yaml.c - libyaml's events to a tree; see yaml.h. Finished children of the nodes still open lie on
 * one scratch stack, as in json.c; closing a node moves its part into the arena. Recursion is
 * bounded by YAML_DEPTH_MAX. libyaml allocates by itself; its failures come back as E_NO_MEMORY. */
#include "text/yaml.h"

#include "base/map.h"
#include "base/mem.h"
#include "text/utf8.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

typedef struct builder {
    yaml_parser_t parser;
    arena *arena;
    const char *name;
    str text;
    yaml_member *pending;
    size_t count, cap;
    int depth;
} builder;

static err fail_at(const char *name, size_t line, size_t column, fail *f, const char *what) {
    if (!name) return fail_set(f, E_INPUT, "line %zu, column %zu: %s", line, column, what);
    return fail_set(f, E_INPUT, "\"%s\" line %zu, column %zu: %s", name, line, column, what);
}

static err fail_mark(const builder *b, yaml_mark_t at, fail *f, const char *what) {
    return fail_at(b->name, at.line + 1, at.column + 1, f, what);
}

static err fail_byte(const builder *b, size_t at, fail *f, const char *what) {
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at && i < b->text.n; i++) {
        if (b->text.p[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    return fail_at(b->name, line, 1 + utf8_count(str_slice(b->text, start, at)), f, what);
}

/* The parser has failed: says so in our words where libyaml's would puzzle. */
static err fail_parser(const builder *b, fail *f) {
    const yaml_parser_t *p = &b->parser;
    char what[200];
    if (p->error == YAML_MEMORY_ERROR) return fail_memory(f, "a YAML text");
    if (p->error == YAML_READER_ERROR)
        return fail_byte(b, p->problem_offset, f, p->problem ? p->problem : "unreadable bytes");
    size_t at = p->problem_mark.index;
    if (at < b->text.n && b->text.p[at] == '\t')
        return fail_mark(b, p->problem_mark, f, "a tab; YAML is indented with spaces only");
    snprintf(what, sizeof what, "%s%s%s", p->problem ? p->problem : "not YAML",
             p->context ? ", " : "", p->context ? p->context : "");
    return fail_mark(b, p->problem_mark, f, what);
}

static err next_event(builder *b, yaml_event_t *event, fail *f) {
    if (!yaml_parser_parse(&b->parser, event)) return fail_parser(b, f);
    return E_OK;
}

static err no_room(fail *f) {
    return fail_memory(f, "a YAML text");
}

static yaml_member *push(builder *b) {
    if (b->count == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64, bytes;
        yaml_member *p = mem_size(cap, sizeof *p, &bytes) ? mem_resize(b->pending, bytes) : NULL;
        if (!p) return NULL;
        b->pending = p;
        b->cap = cap;
    }
    return &b->pending[b->count++];
}

static err put_pending(builder *b, const yaml_member *m, fail *f) {
    yaml_member *to = push(b);
    if (!to) return no_room(f);
    *to = *m;
    return E_OK;
}

static err check_plain(const builder *b, const yaml_event_t *e, fail *f) {
    const unsigned char *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor || e->type == YAML_ALIAS_EVENT)
        return fail_mark(b, e->start_mark, f,
                         "anchors (&) and aliases (*) are not taken; put such a text in quotes");
    if (tag)
        return fail_mark(b, e->start_mark, f, "tags (!) are not taken; put such a text in quotes");
    return E_OK;
}

static int mark_int(size_t at) {
    return at < INT_MAX ? (int)at + 1 : INT_MAX;
}

static err build_scalar(builder *b, const yaml_event_t *e, yaml *out, fail *f) {
    str text = {(const char *)e->data.scalar.value, e->data.scalar.length};
    out->kind = YAML_SCALAR;
    out->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    out->text = arena_str(b->arena, text);
    return out->text.p ? E_OK : no_room(f);
}

static err build_node(builder *b, const yaml_event_t *e, yaml *out, fail *f);

static err build_list(builder *b, yaml *out, fail *f) {
    size_t from = b->count;
    for (;;) {
        yaml_event_t e;
        yaml_member m = {.key = STR_NONE};
        TRY(next_event(b, &e, f));
        bool end = e.type == YAML_SEQUENCE_END_EVENT;
        err failed = end ? E_OK : build_node(b, &e, &m.value, f);
        yaml_event_delete(&e);
        TRY(failed);
        if (end) break;
        TRY(put_pending(b, &m, f));
    }
    size_t n = b->count - from;
    yaml *items = arena_new_n(b->arena, yaml, n);
    if (!items) return no_room(f);
    for (size_t i = 0; i < n; i++) items[i] = b->pending[from + i].value;
    b->count = from;
    out->kind = YAML_LIST;
    out->count = n;
    out->items = items;
    return E_OK;
}

static err build_key(builder *b, const yaml_event_t *e, yaml_member *m, fail *f) {
    TRY(check_plain(b, e, f));
    if (e->type != YAML_SCALAR_EVENT)
        return fail_mark(b, e->start_mark, f, "a key must be a plain text");
    m->key = arena_str(b->arena, (str){(const char *)e->data.scalar.value, e->data.scalar.length});
    m->line = mark_int(e->start_mark.line);
    m->column = mark_int(e->start_mark.column);
    return m->key.p ? E_OK : no_room(f);
}

static err fail_twice(const builder *b, const yaml_member *m, fail *f) {
    char what[160];
    snprintf(what, sizeof what, "the key \"%.*s\" stands here for the second time",
             STR_ARG(str_slice(m->key, 0, 80)));
    return fail_at(b->name, (size_t)m->line, (size_t)m->column, f, what);
}

static err refuse_twins(const builder *b, const yaml_member *members, size_t n, fail *f) {
    map seen;
    err e = E_OK;
    map_init(&seen, NULL);
    for (size_t i = 0; e == E_OK && i < n; i++) {
        if (map_find(&seen, members[i].key))
            e = fail_twice(b, &members[i], f);
        else
            e = map_put(&seen, members[i].key, 0, f);
    }
    map_deinit(&seen);
    return e;
}

static err build_value_of(builder *b, yaml_member *m, fail *f) {
    yaml_event_t e;
    TRY(next_event(b, &e, f));
    err failed = build_node(b, &e, &m->value, f);
    yaml_event_delete(&e);
    return failed;
}

static err build_map(builder *b, yaml *out, fail *f) {
    size_t from = b->count;
    for (;;) {
        yaml_event_t e;
        yaml_member m = {.key = STR_NONE};
        TRY(next_event(b, &e, f));
        bool end = e.type == YAML_MAPPING_END_EVENT;
        err failed = end ? E_OK : build_key(b, &e, &m, f);
        yaml_event_delete(&e);
        TRY(failed);
        if (end) break;
        TRY(build_value_of(b, &m, f));
        TRY(put_pending(b, &m, f));
    }
    size_t n = b->count - from;
    yaml_member *members = arena_new_n(b->arena, yaml_member, n);
    if (!members) return no_room(f);
    for (size_t i = 0; i < n; i++) members[i] = b->pending[from + i];
    TRY(refuse_twins(b, members, n, f));
    b->count = from;
    out->kind = YAML_MAP;
    out->count = n;
    out->members = members;
    return E_OK;
}

static err build_node(builder *b, const yaml_event_t *e, yaml *out, fail *f) {
    TRY(check_plain(b, e, f));
    *out = (yaml){.name = b->name,
                  .line = mark_int(e->start_mark.line),
                  .column = mark_int(e->start_mark.column)};
    if (e->type == YAML_SCALAR_EVENT) return build_scalar(b, e, out, f);
    if (b->depth == YAML_DEPTH_MAX)
        return fail_mark(b, e->start_mark, f, "nested more than 32 levels deep");
    b->depth++;
    TRY(e->type == YAML_MAPPING_START_EVENT ? build_map(b, out, f) : build_list(b, out, f));
    b->depth--;
    return E_OK;
}

/* Skips to the first node's event; nothing but the stream's start may stand before it. */
static err first_event(builder *b, yaml_event_t *e, fail *f) {
    for (;;) {
        TRY(next_event(b, e, f));
        if (e->type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(e);
            return fail_at(b->name, 1, 1, f, "the text is empty");
        }
        if (e->type != YAML_STREAM_START_EVENT && e->type != YAML_DOCUMENT_START_EVENT) return E_OK;
        yaml_event_delete(e);
    }
}

static err expect_end(builder *b, fail *f) {
    for (;;) {
        yaml_event_t e;
        TRY(next_event(b, &e, f));
        yaml_event_type_t type = e.type;
        yaml_mark_t at = e.start_mark;
        yaml_event_delete(&e);
        if (type == YAML_STREAM_END_EVENT) return E_OK;
        if (type == YAML_DOCUMENT_START_EVENT)
            return fail_mark(b, at, f, "a second document begins; one file holds one");
    }
}

static err build_document(builder *b, yaml *out, fail *f) {
    yaml_event_t e;
    TRY(first_event(b, &e, f));
    err failed = build_node(b, &e, out, f);
    yaml_event_delete(&e);
    TRY(failed);
    return expect_end(b, f);
}

err yaml_parse(arena *a, const char *name, str text, const yaml **out, fail *f) {
    builder b = {.arena = a, .name = name, .text = text};
    yaml root = {.kind = YAML_SCALAR};
    if (text.n > YAML_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "\"%s\" has %zu bytes, the limit is %d",
                        name ? name : "text", text.n, YAML_BYTES_MAX);
    size_t bad = utf8_bad_at(text);
    if (bad != STR_INDEX_NONE) return fail_byte(&b, bad, f, "bytes that are not UTF-8");
    if (!yaml_parser_initialize(&b.parser)) return no_room(f);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    /* the encoding is set, so libyaml takes a byte order mark for a character */
    if (str_starts(text, STR("\xEF\xBB\xBF"))) b.text = text = str_slice(text, 3, text.n);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    err e = build_document(&b, &root, f);
    yaml_parser_delete(&b.parser);
    mem_free(b.pending);
    yaml *kept = e == E_OK ? arena_new(a, yaml) : NULL;
    if (e == E_OK && !kept) e = no_room(f);
    if (e != E_OK) return e;
    *kept = root;
    *out = kept;
    return E_OK;
}

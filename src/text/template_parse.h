/* template_parse.h - what the two halves of the template parser share: the parser, its lists, and
 * the expressions. The parser_ functions return E_OK and move p->t, or an error with the line. */
#ifndef BANTAM_TEXT_TEMPLATE_PARSE_H
#define BANTAM_TEXT_TEMPLATE_PARSE_H

#include "text/template_int.h"

typedef struct parser {
    arena *arena;
    const token *t;
    int depth, ifs, loops;
    int uses; /* USES_...: names met since the macro began */
    fail *f;
} parser;

typedef struct node_list {
    const node **items;
    str *names;
    size_t n, cap;
} node_list;

err parser_fail(const parser *p, const char *what, str name);        /* E_INPUT */
err parser_unsupported(const parser *p, const char *what, str name); /* E_UNSUPPORTED */
err parser_no_memory(const parser *p);
err parser_too_deep(const parser *p);

node *parser_new_node(parser *p, node_kind kind); /* NULL: no memory */
err parser_new_binary(parser *p, node_kind kind, str op, const node *a, const node *b,
                      const node **out) MUST_CHECK;
err parser_push(parser *p, node_list *l, const node *n, str name) MUST_CHECK;
void parser_take_list(node *n, const node_list *l);

bool parser_is_op(const parser *p, const char *z);
bool parser_is_name(const parser *p, const char *z);
bool parser_take_op(parser *p, const char *z);
bool parser_take_name(parser *p, const char *z);
err parser_need_op(parser *p, const char *z) MUST_CHECK;
err parser_need_name(parser *p, str *out) MUST_CHECK;

err parser_literal(parser *p, node_kind kind, const node **out) MUST_CHECK;
err parser_expression(parser *p, const node **out) MUST_CHECK;
err parser_logic(parser *p, bool is_or, const node **out) MUST_CHECK; /* without "x if y else z" */
/* a, b without parentheses; choices: "x if y else z" is allowed */
err parser_tuple(parser *p, bool choices, const node **out) MUST_CHECK;
/* Behind "|": a filter over `of`, which may be NULL. */
err parser_filter(parser *p, const node *of, const node **out) MUST_CHECK;

#endif

/* template_parse.c - the statements of a template to a tree, and the public compile; see
 * template_parse.h. What Jinja has and we do not is refused here by name, with its line. */
#include "text/template_parse.h"

#include "text/utf8.h"

static err parse_body(parser *p, const char *const *ends, const node **out);

/* The body of a scope: what is unknown there is an error again, though the scope be inside an if.
 */
static err parse_scope(parser *p, const char *const *ends, const node **out) {
    int ifs = p->ifs;
    p->ifs = 0;
    TRY(parse_body(p, ends, out));
    p->ifs = ifs;
    return E_OK;
}

static err need_block_end(parser *p) {
    if (p->t->kind != TOKEN_BLOCK_END)
        return parser_fail(p, "the end of the tag expected, not", p->t->text);
    p->t++;
    return E_OK;
}

static err parse_targets(parser *p, const node **out);

/* a | a.b | (a, b) */
static err parse_one_target(parser *p, const node **out) {
    str name = STR_NONE;
    if (p->depth >= TEMPLATE_NESTING_MAX) return parser_too_deep(p);
    if (parser_take_op(p, "(")) {
        p->depth++;
        TRY(parse_targets(p, out));
        p->depth--;
        return parser_need_op(p, ")");
    }
    TRY(parser_need_name(p, &name));
    TRY(parser_new_binary(p, NODE_NAME, name, NULL, NULL, out));
    if (!parser_take_op(p, ".")) return E_OK;
    TRY(parser_need_name(p, &name));
    return parser_new_binary(p, NODE_ATTRIBUTE, name, *out, NULL, out);
}

/* one | one, one | one, */
static err parse_targets(parser *p, const node **out) {
    node_list l = {0};
    const node *n = NULL;
    bool comma = false;
    do {
        if (l.n && p->t->kind != TOKEN_NAME && !parser_is_op(p, "(")) break;
        TRY(parse_one_target(p, &n));
        TRY(parser_push(p, &l, n, STR_NONE));
    } while (parser_take_op(p, ",") && (comma = true));
    *out = l.items[0];
    if (l.n == 1 && !comma) return E_OK;
    node *list = parser_new_node(p, NODE_LIST);
    if (!list) return parser_no_memory(p);
    list->integer = 1;
    parser_take_list(list, &l);
    *out = list;
    return E_OK;
}

/* What `loop` is there depends on more than we look at. */
static err parse_loop_condition(parser *p, const node **out) {
    int uses = p->uses;
    p->uses = 0;
    TRY(parser_expression(p, out));
    if (p->uses & USES_LOOP) return parser_unsupported(p, "in a loop's condition", STR("loop"));
    p->uses |= uses;
    return E_OK;
}

static err parse_for(parser *p, const node **out) {
    static const char *const middle[] = {"else", "endfor", NULL}, *const end[] = {"endfor", NULL};
    node *n = parser_new_node(p, NODE_FOR);
    if (!n) return parser_no_memory(p);
    TRY(parse_targets(p, &n->target));
    if (!parser_take_name(p, "in")) return parser_fail(p, "expected", STR("in"));
    TRY(parser_tuple(p, false, &n->a)); /* no `x if y`: the if belongs to the loop */
    if (parser_take_name(p, "if")) TRY(parse_loop_condition(p, &n->b));
    n->integer = parser_take_name(p, "recursive");
    TRY(need_block_end(p));
    p->loops++;
    TRY(parse_scope(p, middle, &n->body));
    p->loops--;
    if (parser_take_name(p, "else")) {
        TRY(need_block_end(p));
        TRY(parse_scope(p, end, &n->other));
    }
    p->t++;
    *out = n;
    return E_OK;
}

/* Behind `if` or `elif`; the chain of elifs is flat in the source and a list here (other->other).
 */
static err parse_if(parser *p, const node **out) {
    static const char *const middle[] = {"elif", "else", "endif", NULL}, *const end[] = {"endif",
                                                                                         NULL};
    node *first = NULL, *last = NULL;
    p->ifs++;
    do {
        node *n = parser_new_node(p, NODE_IF);
        if (!n) return parser_no_memory(p);
        TRY(parser_tuple(p, false, &n->a));
        TRY(need_block_end(p));
        TRY(parse_body(p, middle, &n->body));
        if (last)
            last->other = n;
        else
            first = n;
        last = n;
    } while (parser_take_name(p, "elif"));
    if (parser_take_name(p, "else")) {
        TRY(need_block_end(p));
        TRY(parse_body(p, end, &last->other));
    }
    p->t++;
    p->ifs--;
    *out = first;
    return E_OK;
}

static err parse_set(parser *p, const node **out) {
    static const char *const end[] = {"endset", NULL};
    node *n = parser_new_node(p, NODE_SET);
    if (!n) return parser_no_memory(p);
    TRY(parse_targets(p, &n->target));
    *out = n;
    if (parser_take_op(p, "=")) return parser_tuple(p, true, &n->a);
    n->kind = NODE_SET_BLOCK;
    while (parser_take_op(p, "|")) TRY(parser_filter(p, n->a, &n->a));
    TRY(need_block_end(p));
    TRY(parse_scope(p, end, &n->body));
    p->t++;
    return E_OK;
}

/* (a, b=1): names and defaults; stands behind "(". */
static err parse_parameters(parser *p, node *n) {
    node_list l = {0};
    while (!parser_is_op(p, ")")) {
        const node *fallback = NULL;
        str name = STR_NONE;
        TRY(parser_need_name(p, &name));
        if (parser_take_op(p, "="))
            TRY(parser_expression(p, &fallback));
        else if (l.n && l.items[l.n - 1])
            return parser_fail(p, "a parameter without a default behind one that has it", name);
        TRY(parser_push(p, &l, fallback, name));
        if (!parser_take_op(p, ",")) break;
    }
    parser_take_list(n, &l);
    return parser_need_op(p, ")");
}

/* The body of a macro: no loop goes through it, and what it uses is noted. */
static err parse_macro_body(parser *p, const char *const *end, node *n) {
    int loops = p->loops, uses = p->uses;
    p->loops = 0;
    p->uses = 0;
    TRY(need_block_end(p));
    TRY(parse_scope(p, end, &n->body));
    p->loops = loops;
    n->integer = p->uses;
    p->uses |= uses;
    p->t++;
    return E_OK;
}

static err parse_macro(parser *p, const node **out) {
    static const char *const end[] = {"endmacro", NULL};
    node *n = parser_new_node(p, NODE_MACRO);
    if (!n) return parser_no_memory(p);
    TRY(parser_need_name(p, &n->text));
    TRY(parser_need_op(p, "("));
    TRY(parse_parameters(p, n));
    *out = n;
    return parse_macro_body(p, end, n);
}

/* {% call(parameters) macro(arguments) %} */
static err parse_call_block(parser *p, const node **out) {
    static const char *const end[] = {"endcall", NULL};
    node *n = parser_new_node(p, NODE_CALL_BLOCK);
    if (!n) return parser_no_memory(p);
    n->text = STR("caller");
    if (parser_take_op(p, "(")) TRY(parse_parameters(p, n));
    TRY(parser_expression(p, &n->a));
    if (n->a->kind != NODE_CALL) return parser_fail(p, "a call expected", STR_NONE);
    *out = n;
    return parse_macro_body(p, end, n);
}

static err parse_with(parser *p, const node **out) {
    static const char *const end[] = {"endwith", NULL};
    node_list l = {0};
    node *n = parser_new_node(p, NODE_WITH);
    if (!n) return parser_no_memory(p);
    while (p->t->kind != TOKEN_BLOCK_END) {
        const node *target = NULL, *v = NULL;
        if (l.n) TRY(parser_need_op(p, ","));
        TRY(parse_one_target(p, &target));
        TRY(parser_need_op(p, "="));
        TRY(parser_expression(p, &v));
        TRY(parser_push(p, &l, target, STR_NONE));
        TRY(parser_push(p, &l, v, STR_NONE));
    }
    parser_take_list(n, &l);
    TRY(need_block_end(p));
    TRY(parse_scope(p, end, &n->body));
    p->t++;
    *out = n;
    return E_OK;
}

static err parse_filter_block(parser *p, const node **out) {
    static const char *const end[] = {"endfilter", NULL};
    node *n = parser_new_node(p, NODE_FILTER_BLOCK);
    if (!n) return parser_no_memory(p);
    do TRY(parser_filter(p, n->a, &n->a));
    while (parser_take_op(p, "|"));
    TRY(need_block_end(p));
    TRY(parse_scope(p, end, &n->body));
    p->t++;
    *out = n;
    return E_OK;
}

static err parse_generation(parser *p, const node **out) {
    static const char *const end[] = {"endgeneration", NULL};
    node *n = parser_new_node(p, NODE_FILTER_BLOCK); /* a scope of its own, and no filter */
    if (!n) return parser_no_memory(p);
    TRY(need_block_end(p));
    TRY(parse_scope(p, end, &n->body));
    p->t++;
    *out = n;
    return E_OK;
}

static err parse_jump(parser *p, node_kind kind, const node **out) {
    if (p->loops == 0) return parser_fail(p, "break or continue outside a loop", STR_NONE);
    return parser_new_binary(p, kind, STR_NONE, NULL, NULL, out);
}

static err parse_statement(parser *p, const node **out) {
    str name = STR_NONE;
    TRY(parser_need_name(p, &name));
    if (str_is(name, "for")) return parse_for(p, out);
    if (str_is(name, "if")) return parse_if(p, out);
    if (str_is(name, "set")) return parse_set(p, out);
    if (str_is(name, "macro")) return parse_macro(p, out);
    if (str_is(name, "filter")) return parse_filter_block(p, out);
    if (str_is(name, "call")) return parse_call_block(p, out);
    if (str_is(name, "with")) return parse_with(p, out);
    if (str_is(name, "generation")) return parse_generation(p, out);
    if (str_is(name, "break")) return parse_jump(p, NODE_BREAK, out);
    if (str_is(name, "continue")) return parse_jump(p, NODE_CONTINUE, out);
    p->t--;
    return parser_unsupported(p, "the tag", name);
}

static bool at_end_tag(const parser *p, const char *const *ends) {
    if (p->t->kind != TOKEN_BLOCK_BEGIN || p->t[1].kind != TOKEN_NAME) return false;
    for (; *ends; ends++)
        if (str_is(p->t[1].text, *ends)) return true;
    return false;
}

static err parse_part(parser *p, const node **out) {
    node *n;
    switch (p->t->kind) {
    case TOKEN_DATA: return parser_literal(p, NODE_DATA, out);
    case TOKEN_BLOCK_BEGIN:
        p->t++;
        TRY(parse_statement(p, out));
        return need_block_end(p);
    case TOKEN_OUTPUT_BEGIN:
        n = parser_new_node(p, NODE_OUTPUT);
        if (!n) return parser_no_memory(p);
        p->t++;
        TRY(parser_tuple(p, true, &n->a));
        if (p->t->kind != TOKEN_OUTPUT_END)
            return parser_fail(p, "the end of the tag expected, not", p->t->text);
        p->t++;
        *out = n;
        return E_OK;
    default: return parser_fail(p, "text or a tag expected", STR_NONE);
    }
}

/* Up to one of the end tags; stands on its name. ends NULL: up to the end of the template. */
static err parse_body(parser *p, const char *const *ends, const node **out) {
    node_list l = {0};
    node *block = parser_new_node(p, NODE_BLOCK);
    if (!block) return parser_no_memory(p);
    if (p->depth >= TEMPLATE_NESTING_MAX) return parser_too_deep(p);
    p->depth++;
    while (p->t->kind != TOKEN_END && !(ends && at_end_tag(p, ends))) {
        const node *part = NULL;
        TRY(parse_part(p, &part));
        TRY(parser_push(p, &l, part, STR_NONE));
    }
    p->depth--;
    if (ends && p->t->kind == TOKEN_END)
        return parser_fail(p, "the template ends before", str_from(ends[0]));
    if (ends) p->t++;
    parser_take_list(block, &l);
    *out = block;
    return E_OK;
}

err template_parse(arena *a, const token_list *tokens, const node **out, fail *f) {
    parser p = {.arena = a, .t = tokens->items, .f = f};
    return parse_body(&p, NULL, out);
}

err template_compile(arena *a, str source, const template **out, fail *f) {
    token_list tokens = {0};
    if (source.n > TEMPLATE_SOURCE_BYTES_MAX)
        return fail_set(f, E_TOO_LARGE, "a template of %zu bytes is above the limit of %d",
                        source.n, TEMPLATE_SOURCE_BYTES_MAX);
    if (!utf8_ok(source)) return fail_set(f, E_INPUT, "the template is not UTF-8");
    template *t = arena_new(a, template);
    if (!t) return fail_memory(f, "a template");
    t->source_bytes = source.n;
    TRY(template_lex(a, source, &tokens, f));
    TRY(template_parse(a, &tokens, &t->body, f));
    TRY(template_scopes(a, t->body, f));
    *out = t;
    return E_OK;
}

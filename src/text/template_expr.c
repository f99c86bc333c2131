/* template_expr.c - the expressions of a template to a tree, with Jinja's precedences; see
 * template_parse.h. Recursive descent, bounded by TEMPLATE_NESTING_MAX. */
#include "text/template_parse.h"

#include <string.h>

err parser_fail(const parser *p, const char *what, str name) {
    return fail_set(p->f, E_INPUT, "template line %d: %s%s%.*s%s", p->t->line, what,
                    name.n ? " \"" : "", STR_ARG(str_slice(name, 0, 60)), name.n ? "\"" : "");
}

err parser_unsupported(const parser *p, const char *what, str name) {
    return fail_set(p->f, E_UNSUPPORTED, "template line %d: %s \"%.*s\" is not supported",
                    p->t->line, what, STR_ARG(str_slice(name, 0, 60)));
}

err parser_no_memory(const parser *p) {
    return fail_memory(p->f, "a template");
}

node *parser_new_node(parser *p, node_kind kind) {
    node *n = arena_new(p->arena, node);
    if (!n) return NULL;
    n->kind = kind;
    n->line = p->t->line;
    return n;
}

err parser_push(parser *p, node_list *l, const node *n, str name) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        const node **items = arena_array(p->arena, cap, sizeof *items);
        str *names = arena_new_n(p->arena, str, cap);
        if (!items || !names) return parser_no_memory(p);
        if (l->n) memcpy(items, l->items, l->n * sizeof *items);
        if (l->n) memcpy(names, l->names, l->n * sizeof *names);
        l->items = items;
        l->names = names;
        l->cap = cap;
    }
    l->items[l->n] = n;
    l->names[l->n++] = name;
    return E_OK;
}

void parser_take_list(node *n, const node_list *l) {
    n->items = l->items;
    n->names = l->names;
    n->n = l->n;
}

bool parser_is_op(const parser *p, const char *z) {
    return p->t->kind == TOKEN_OP && str_is(p->t->text, z);
}
bool parser_is_name(const parser *p, const char *z) {
    return p->t->kind == TOKEN_NAME && str_is(p->t->text, z);
}
bool parser_take_op(parser *p, const char *z) {
    bool here = parser_is_op(p, z);
    if (here) p->t++;
    return here;
}
bool parser_take_name(parser *p, const char *z) {
    bool here = parser_is_name(p, z);
    if (here) p->t++;
    return here;
}

err parser_need_op(parser *p, const char *z) {
    if (parser_take_op(p, z)) return E_OK;
    return parser_fail(p, "expected", str_from(z));
}

err parser_need_name(parser *p, str *out) {
    if (p->t->kind != TOKEN_NAME) return parser_fail(p, "a name expected", STR_NONE);
    *out = p->t->text;
    p->t++;
    return E_OK;
}

/* ---- expressions ------------------------------------------------------------------------------
 */

static err parse_unary(parser *p, bool with_filter, const node **out);

err parser_new_binary(parser *p, node_kind kind, str op, const node *a, const node *b,
                      const node **out) {
    node *n = parser_new_node(p, kind);
    if (!n) return parser_no_memory(p);
    n->text = op;
    n->a = a;
    n->b = b;
    *out = n;
    return E_OK;
}

err parser_literal(parser *p, node_kind kind, const node **out) {
    node *n = parser_new_node(p, kind);
    if (!n) return parser_no_memory(p);
    n->text = p->t->text;
    n->integer = p->t->integer;
    n->number = p->t->number;
    p->t++;
    *out = n;
    return E_OK;
}

/* Neighbouring texts are one, as in Python. */
static err parse_texts(parser *p, const node **out) {
    const node *first = NULL;
    TRY(parser_literal(p, NODE_TEXT, &first));
    while (p->t->kind == TOKEN_TEXT) {
        str a = first->text, b = p->t->text;
        char *both = arena_alloc(p->arena, a.n + b.n + 1);
        if (!both) return parser_no_memory(p);
        memcpy(both, a.p, a.n);
        memcpy(both + a.n, b.p, b.n);
        node *n = parser_new_node(p, NODE_TEXT);
        if (!n) return parser_no_memory(p);
        n->text = (str){both, a.n + b.n};
        first = n;
        p->t++;
    }
    *out = first;
    return E_OK;
}

static err parse_items(parser *p, const char *close, node *n) {
    node_list l = {0};
    while (!parser_is_op(p, close)) {
        const node *item = NULL;
        TRY(parser_expression(p, &item));
        TRY(parser_push(p, &l, item, STR_NONE));
        if (!parser_take_op(p, ",")) break;
    }
    TRY(parser_need_op(p, close));
    parser_take_list(n, &l);
    return E_OK;
}

static err parse_dict(parser *p, const node **out) {
    node_list l = {0};
    node *n = parser_new_node(p, NODE_DICT);
    if (!n) return parser_no_memory(p);
    p->t++;
    while (!parser_is_op(p, "}")) {
        const node *key = NULL, *item = NULL;
        TRY(parser_expression(p, &key));
        TRY(parser_need_op(p, ":"));
        TRY(parser_expression(p, &item));
        TRY(parser_push(p, &l, key, STR_NONE));
        TRY(parser_push(p, &l, item, STR_NONE));
        if (!parser_take_op(p, ",")) break;
    }
    TRY(parser_need_op(p, "}"));
    parser_take_list(n, &l);
    *out = n;
    return E_OK;
}

/* "(" expression ")" or a tuple. */
static err parse_parentheses(parser *p, const node **out) {
    node *tuple = parser_new_node(p, NODE_LIST);
    const node *first = NULL;
    if (!tuple) return parser_no_memory(p);
    tuple->integer = 1;
    *out = tuple;
    p->t++;
    if (parser_take_op(p, ")")) return E_OK;
    TRY(parser_expression(p, &first));
    if (parser_take_op(p, ")")) {
        *out = first;
        return E_OK;
    }
    TRY(parser_need_op(p, ","));
    node_list l = {0};
    TRY(parser_push(p, &l, first, STR_NONE));
    TRY(parse_items(p, ")", tuple));
    for (size_t i = 0; i < tuple->n; i++) TRY(parser_push(p, &l, tuple->items[i], STR_NONE));
    parser_take_list(tuple, &l);
    return E_OK;
}

static err parse_name(parser *p, const node **out) {
    bool yes = parser_is_name(p, "true") || parser_is_name(p, "True"),
         no = parser_is_name(p, "false") || parser_is_name(p, "False");
    bool none = parser_is_name(p, "none") || parser_is_name(p, "None");
    node *n = parser_new_node(p, yes || no ? NODE_BOOL : none ? NODE_NONE : NODE_NAME);
    if (!n) return parser_no_memory(p);
    n->text = p->t->text;
    n->integer = yes;
    if (parser_is_name(p, "varargs")) p->uses |= USES_VARARGS;
    if (parser_is_name(p, "kwargs")) p->uses |= USES_KWARGS;
    if (parser_is_name(p, "caller")) p->uses |= USES_CALLER;
    if (parser_is_name(p, "loop")) p->uses |= USES_LOOP;
    p->t++;
    *out = n;
    return E_OK;
}

static err parse_primary(parser *p, const node **out) {
    switch (p->t->kind) {
    case TOKEN_NAME: return parse_name(p, out);
    case TOKEN_TEXT: return parse_texts(p, out);
    case TOKEN_INT: return parser_literal(p, NODE_INT, out);
    case TOKEN_BIG: return parser_literal(p, NODE_BIG, out);
    case TOKEN_FLOAT: return parser_literal(p, NODE_FLOAT, out);
    default: break;
    }
    if (parser_is_op(p, "(")) return parse_parentheses(p, out);
    if (parser_is_op(p, "{")) return parse_dict(p, out);
    if (parser_is_op(p, "[")) {
        node *n = parser_new_node(p, NODE_LIST);
        if (!n) return parser_no_memory(p);
        p->t++;
        *out = n;
        return parse_items(p, "]", n);
    }
    return parser_fail(p, "an expression expected", p->t->text);
}

/* Behind "(": positions first, then names. */
static err parse_args(parser *p, node *call) {
    node_list l = {0};
    while (!parser_is_op(p, ")")) {
        const node *item = NULL;
        str name = STR_NONE;
        if (parser_is_op(p, "*") || parser_is_op(p, "**"))
            return parser_unsupported(p, "the argument", p->t->text);
        if (p->t->kind == TOKEN_NAME && p->t[1].kind == TOKEN_OP && str_is(p->t[1].text, "=")) {
            name = p->t->text;
            p->t += 2;
        } else if (l.n && l.names[l.n - 1].p) {
            return parser_fail(p, "an argument without a name behind one with a name", STR_NONE);
        }
        TRY(parser_expression(p, &item));
        TRY(parser_push(p, &l, item, name));
        if (!parser_take_op(p, ",")) break;
    }
    TRY(parser_need_op(p, ")"));
    parser_take_list(call, &l);
    return E_OK;
}

static err parse_slice_part(parser *p, const node **out) {
    *out = NULL;
    if (parser_is_op(p, ":") || parser_is_op(p, "]")) return E_OK;
    return parser_expression(p, out);
}

static err parse_subscript(parser *p, const node *of, const node **out) {
    const node *parts[3] = {NULL, NULL, NULL};
    node_list l = {0};
    int colons = 0;
    p->t++;
    TRY(parse_slice_part(p, &parts[0]));
    while (colons < 2 && parser_take_op(p, ":")) TRY(parse_slice_part(p, &parts[++colons]));
    if (!colons && !parts[0]) return parser_fail(p, "an index expected", STR_NONE);
    TRY(parser_need_op(p, "]"));
    if (!colons) return parser_new_binary(p, NODE_ITEM, STR_NONE, of, parts[0], out);
    node *n = parser_new_node(p, NODE_SLICE);
    if (!n) return parser_no_memory(p);
    n->a = of;
    for (int i = 0; i < 3; i++) TRY(parser_push(p, &l, parts[i], STR_NONE));
    parser_take_list(n, &l);
    *out = n;
    return E_OK;
}

static err parse_call(parser *p, const node *of, const node **out) {
    node *n = parser_new_node(p, NODE_CALL);
    if (!n) return parser_no_memory(p);
    n->a = of;
    p->t++;
    *out = n;
    return parse_args(p, n);
}

static err parse_attribute(parser *p, const node *of, const node **out) {
    p->t++;
    if (p->t->kind == TOKEN_INT) {
        const node *index = NULL;
        TRY(parser_literal(p, NODE_INT, &index));
        return parser_new_binary(p, NODE_ITEM, STR_NONE, of, index, out);
    }
    str name = STR_NONE;
    TRY(parser_need_name(p, &name));
    return parser_new_binary(p, NODE_ATTRIBUTE, name, of, NULL, out);
}

static err parse_postfix(parser *p, const node *n, const node **out) {
    for (int chain = 0;; chain++) {
        /* a chain of a.b.c... is a tree as deep as it is long */
        if (chain > TEMPLATE_NESTING_MAX)
            return parser_fail(p, "a chain that is too long", STR_NONE);
        if (parser_is_op(p, "."))
            TRY(parse_attribute(p, n, &n));
        else if (parser_is_op(p, "["))
            TRY(parse_subscript(p, n, &n));
        else if (parser_is_op(p, "("))
            TRY(parse_call(p, n, &n));
        else
            break;
    }
    *out = n;
    return E_OK;
}

err parser_filter(parser *p, const node *of, const node **out) {
    node *n = parser_new_node(p, NODE_FILTER);
    if (!n) return parser_no_memory(p);
    TRY(parser_need_name(p, &n->text));
    n->a = of;
    if (!template_filter_known(n->text) && p->ifs == 0) {
        p->t--;
        return parser_unsupported(p, "the filter", n->text);
    }
    if (parser_take_op(p, "(")) TRY(parse_args(p, n));
    *out = n;
    return E_OK;
}

/* A test's one argument without parentheses: "is divisibleby 3". */
static err parse_test_arg(parser *p, node *test) {
    token_kind k = p->t->kind;
    bool begins = k == TOKEN_TEXT || k == TOKEN_INT || k == TOKEN_FLOAT || parser_is_op(p, "[") ||
                  parser_is_op(p, "{");
    bool name = k == TOKEN_NAME && !parser_is_name(p, "else") && !parser_is_name(p, "or") &&
                !parser_is_name(p, "and") && !parser_is_name(p, "if") && !parser_is_name(p, "is") &&
                !parser_is_name(p, "not") && !parser_is_name(p, "in");
    if (!begins && !name) return E_OK;
    const node *arg = NULL;
    node_list l = {0};
    TRY(parse_primary(p, &arg));
    TRY(parse_postfix(p, arg, &arg));
    TRY(parser_push(p, &l, arg, STR_NONE));
    parser_take_list(test, &l);
    return E_OK;
}

static err parse_test(parser *p, const node *of, const node **out) {
    node *n = parser_new_node(p, NODE_TEST);
    if (!n) return parser_no_memory(p);
    n->integer = parser_take_name(p, "not");
    TRY(parser_need_name(p, &n->text));
    n->a = of;
    if (!template_test_known(n->text) && p->ifs == 0) {
        p->t--;
        return parser_unsupported(p, "the test", n->text);
    }
    *out = n;
    return parser_take_op(p, "(") ? parse_args(p, n) : parse_test_arg(p, n);
}

static err parse_filters(parser *p, const node *n, const node **out) {
    for (int chain = 0;; chain++) {
        if (chain > TEMPLATE_NESTING_MAX)
            return parser_fail(p, "a chain that is too long", STR_NONE);
        if (parser_take_op(p, "|"))
            TRY(parser_filter(p, n, &n));
        else if (parser_take_name(p, "is"))
            TRY(parse_test(p, n, &n));
        else if (parser_is_op(p, "("))
            TRY(parse_call(p, n, &n));
        else
            break;
    }
    *out = n;
    return E_OK;
}

static err parse_signed(parser *p, bool with_filter, const node **out) {
    const node *n = NULL;
    if (parser_is_op(p, "-") || parser_is_op(p, "+")) {
        bool minus = parser_is_op(p, "-");
        p->t++;
        TRY(parse_unary(p, false, &n));
        TRY(parser_new_binary(p, minus ? NODE_NEGATE : NODE_PLUS, STR_NONE, n, NULL, &n));
    } else {
        TRY(parse_primary(p, &n));
    }
    TRY(parse_postfix(p, n, &n));
    if (with_filter) TRY(parse_filters(p, n, &n));
    *out = n;
    return E_OK;
}

err parser_too_deep(const parser *p) {
    return fail_set(p->f, E_TOO_LARGE, "template line %d: nested more than %d levels deep",
                    p->t->line, TEMPLATE_NESTING_MAX);
}

static err parse_unary(parser *p, bool with_filter, const node **out) {
    if (p->depth >= TEMPLATE_NESTING_MAX) return parser_too_deep(p);
    p->depth++;
    TRY(parse_signed(p, with_filter, out));
    p->depth--;
    return E_OK;
}

/* Binary operators by level, loosest last; all of them bind to the left. */
static const char *const levels[4][5] = {
    {"**", NULL}, {"*", "/", "//", "%", NULL}, {"~", NULL}, {"+", "-", NULL}};

enum { CHAIN_MAX = 500 }; /* operands of one level; the tree is as deep as a chain is long */

static err parse_level(parser *p, int level, const node **out) {
    const node *left = NULL, *right = NULL;
    if (level < 0) return parse_unary(p, true, out);
    TRY(parse_level(p, level - 1, &left));
    for (int chain = 0;; chain++) {
        const char *const *op = levels[level];
        while (*op && !parser_is_op(p, *op)) op++;
        if (!*op) break;
        if (chain > CHAIN_MAX) return parser_fail(p, "a chain that is too long", STR_NONE);
        p->t++;
        TRY(parse_level(p, level - 1, &right));
        TRY(parser_new_binary(p, NODE_BINARY, str_from(*op), left, right, &left));
    }
    *out = left;
    return E_OK;
}

static bool take_comparison(parser *p, str *op) {
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        *op = str_from(ops[i]);
        if (parser_take_op(p, ops[i])) return true;
    }
    *op = STR("in");
    if (parser_take_name(p, "in")) return true;
    *op = STR("not in");
    if (!parser_is_name(p, "not") || p->t[1].kind != TOKEN_NAME || !str_is(p->t[1].text, "in"))
        return false;
    p->t += 2;
    return true;
}

/* a < b < c means a < b and b < c, as in Python. */
static err parse_compare(parser *p, const node **out) {
    const node *left = NULL, *result = NULL;
    str op;
    TRY(parse_level(p, 3, &left));
    for (int chain = 0; take_comparison(p, &op); chain++) {
        const node *right = NULL, *step = NULL;
        if (chain > TEMPLATE_NESTING_MAX)
            return parser_fail(p, "a chain that is too long", STR_NONE);
        TRY(parse_level(p, 3, &right));
        TRY(parser_new_binary(p, NODE_COMPARE, op, left, right, &step));
        if (result)
            TRY(parser_new_binary(p, NODE_AND, STR_NONE, result, step, &result));
        else
            result = step;
        left = right;
    }
    *out = result ? result : left;
    return E_OK;
}

static err parse_not(parser *p, const node **out) {
    int nots = 0;
    const node *n = NULL;
    while (parser_take_name(p, "not"))
        if (++nots > TEMPLATE_NESTING_MAX)
            return parser_fail(p, "a chain that is too long", STR_NONE);
    TRY(parse_compare(p, &n));
    while (nots-- > 0) TRY(parser_new_binary(p, NODE_NOT, STR_NONE, n, NULL, &n));
    *out = n;
    return E_OK;
}

err parser_logic(parser *p, bool is_or, const node **out) {
    const node *left = NULL, *right = NULL;
    TRY(is_or ? parser_logic(p, false, &left) : parse_not(p, &left));
    for (int chain = 0; parser_take_name(p, is_or ? "or" : "and"); chain++) {
        if (chain > CHAIN_MAX) return parser_fail(p, "a chain that is too long", STR_NONE);
        TRY(is_or ? parser_logic(p, false, &right) : parse_not(p, &right));
        TRY(parser_new_binary(p, is_or ? NODE_OR : NODE_AND, STR_NONE, left, right, &left));
    }
    *out = left;
    return E_OK;
}

/* then if condition else other; the condition makes both halves "inside an if" */
static err parse_choice(parser *p, const node **out) {
    const node *then = NULL, *condition = NULL, *other = NULL;
    TRY(parser_logic(p, true, &then));
    for (int chain = 0; parser_take_name(p, "if"); chain++) {
        if (chain > TEMPLATE_NESTING_MAX)
            return parser_fail(p, "a chain that is too long", STR_NONE);
        TRY(parser_logic(p, true, &condition));
        if (parser_take_name(p, "else")) TRY(parser_expression(p, &other));
        node *n = parser_new_node(p, NODE_CHOICE);
        if (!n) return parser_no_memory(p);
        n->a = condition;
        n->b = then;
        n->c = other;
        then = n;
        other = NULL;
    }
    *out = then;
    return E_OK;
}

err parser_expression(parser *p, const node **out) {
    if (p->depth >= TEMPLATE_NESTING_MAX) return parser_too_deep(p);
    p->depth++;
    TRY(parse_choice(p, out));
    p->depth--;
    return E_OK;
}

/* An expression or several with commas: a tuple without parentheses. */
err parser_tuple(parser *p, bool choices, const node **out) {
    node_list l = {0};
    const node *first = NULL;
    TRY(choices ? parser_expression(p, &first) : parser_logic(p, true, &first));
    *out = first;
    if (!parser_is_op(p, ",")) return E_OK;
    TRY(parser_push(p, &l, first, STR_NONE));
    while (parser_take_op(p, ",")) {
        if (p->t->kind == TOKEN_BLOCK_END || p->t->kind == TOKEN_OUTPUT_END ||
            (!choices && (parser_is_name(p, "if") || parser_is_name(p, "recursive"))))
            break;
        TRY(choices ? parser_expression(p, &first) : parser_logic(p, true, &first));
        TRY(parser_push(p, &l, first, STR_NONE));
    }
    node *n = parser_new_node(p, NODE_LIST);
    if (!n) return parser_no_memory(p);
    n->integer = 1;
    parser_take_list(n, &l);
    *out = n;
    return E_OK;
}

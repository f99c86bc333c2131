/* template_int.h - what the files of the template engine share: the tree, the values, the run. */
#ifndef BANTAM_TEXT_TEMPLATE_INT_H
#define BANTAM_TEXT_TEMPLATE_INT_H

#include "text/template.h"

/* ---- tokens ---- */

typedef enum token_kind {
    TOKEN_DATA, /* text between tags */
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_OUTPUT_BEGIN,
    TOKEN_OUTPUT_END,
    TOKEN_NAME,
    TOKEN_TEXT, /* string literal, decoded */
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_OP,
    TOKEN_END
} token_kind;

typedef struct token {
    token_kind kind;
    int line;
    str text;
    int64_t integer;
    double number;
} token;

typedef struct token_list {
    token *items;
    size_t n, cap;
} token_list;

err template_lex(arena *a, str source, token_list *out, fail *f) MUST_CHECK;

/* ---- the tree ---- */

enum { TEMPLATE_EVAL_DEPTH_MAX = 1000 };

typedef enum node_kind {
    NODE_TEXT, /* expressions */
    NODE_INT,
    NODE_FLOAT,
    NODE_BOOL,
    NODE_NONE,
    NODE_NAME,
    NODE_LIST, /* integer: 1 = written as a tuple */
    NODE_DICT, /* items: key, value, key, value */
    NODE_NOT,
    NODE_NEGATE,
    NODE_PLUS,
    NODE_AND,
    NODE_OR,
    NODE_BINARY,  /* text: the operator */
    NODE_COMPARE, /* text: the operator; c: the rest of a chain or NULL */
    NODE_CHOICE,  /* b if a else c */
    NODE_ATTRIBUTE,
    NODE_ITEM,
    NODE_SLICE, /* items: from, to, step; each may be NULL */
    NODE_CALL,
    NODE_FILTER,
    NODE_TEST, /* integer: 1 = negated */
    NODE_DATA, /* statements */
    NODE_OUTPUT,
    NODE_BLOCK,
    NODE_FOR,          /* target, a: iterable, b: condition, body, other */
    NODE_IF,           /* a: condition, body, other */
    NODE_SET,          /* target, a */
    NODE_SET_BLOCK,    /* target, body, a: filter over NULL or NULL */
    NODE_MACRO,        /* text: name; names, items: parameters and defaults; body */
    NODE_FILTER_BLOCK, /* a: filter, body */
    NODE_BREAK,
    NODE_CONTINUE
} node_kind;

typedef struct node node;
struct node {
    node_kind kind;
    int line;
    str text;
    int64_t integer;
    double number;
    const node *a, *b, *c;
    const node *target, *body, *other;
    const node **items; /* [n]; of a call: its arguments */
    str *names;         /* [n]; of an argument given by name; .p NULL otherwise */
    size_t n;
};

struct template {
    const node *body;
};

err template_parse(arena *a, const token_list *tokens, const node **out, fail *f) MUST_CHECK;
bool template_filter_known(str name);
bool template_test_known(str name);

/* ---- values ---- */

typedef enum value_kind {
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_SPACE, /* namespace(): the one thing that changes */
    VALUE_LOOP,
    VALUE_MACRO,
    VALUE_METHOD,  /* of an object, not called yet */
    VALUE_FUNCTION /* range, namespace... */
} value_kind;

typedef struct value value;
typedef struct pair pair;
typedef struct scope scope;
struct value {
    value_kind kind;
    bool outside; /* brought in by the values; of mixed text: see marks */
    bool markup;  /* text that went through `safe`: "+" escapes what is added to it */
    bool tuple;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const char *p;
            size_t n;
            const unsigned char *marks; /* [n] 1 = outside; NULL when all bytes are alike */
        } text;
        struct {
            const value *items;
            size_t n;
        } list;
        struct {
            const pair *pairs;
            size_t n;
        } map;
        scope *space;
        const struct loop_state *loop;
        const struct macro *macro;
        struct {
            const value *self;
            const char *p; /* name */
            size_t n;
        } method;
        str name; /* of a function; of what is undefined */
    } as;
};
struct pair {
    value key, value;
};

typedef struct binding {
    str name;
    value value;
} binding;
struct scope {
    scope *parent;
    binding *items;
    size_t n, cap;
};

typedef struct loop_state {
    const value *items;
    size_t n, index;
    int depth;
} loop_state;

typedef struct macro {
    const node *node;
    scope *scope; /* where it was defined */
} macro;

/* Arguments of a call, filter or test. */
typedef struct call_args {
    const value *items; /* [n] */
    const str *names;   /* [n]; .p NULL = by position; names stand behind positions */
    size_t n;
} call_args;

typedef struct value_list {
    value *items;
    size_t n, cap;
} value_list;

/* Text being written, with the places where trust changes. */
typedef struct sink {
    buf text;
    buf runs; /* of sink_run */
} sink;
typedef struct sink_run {
    size_t end;
    bool outside;
} sink_run;

typedef struct run {
    arena *arena; /* scratch of this rendering */
    const template_input *in;
    fail *f;
    sink *sink;
    scope *globals, *scope;
    int64_t steps_left;
    int calls, nesting, loops;
    int line; /* of the statement or call under way, for errors */
    enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
} run;

/* E_INPUT / E_UNSUPPORTED with "template line L: " before the text. */
err run_fail(run *r, err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
err run_charge(run *r, size_t bytes) MUST_CHECK;
err run_no_memory(run *r);

/* template_value.c */
static inline str value_str(value v) {
    return (str){v.as.text.p, v.as.text.n};
}
value value_text(str s, bool outside);
value value_bool(bool b);
value value_int(int64_t i, bool outside);
value value_undefined(str name);
bool value_true(value v);
bool value_equal(value a, value b);
err value_order(run *r, value a, value b, int *order) MUST_CHECK; /* numbers, texts */
bool value_is(value v, const char *z);
const char *value_kind_name(value v);
err value_of_json(run *r, const json *v, bool outside, value *out) MUST_CHECK;
err value_push(run *r, value_list *l, value v) MUST_CHECK;
value value_list_of(const value_list *l, bool outside);
value value_slice(value text, size_t from, size_t to); /* bytes of a text */
err value_concat(run *r, const value *parts, size_t n, value *out) MUST_CHECK;
err value_to_text(run *r, value v, value *out) MUST_CHECK; /* str(v) */
/* What a for loop sees: items, keys, characters. */
err value_iterate(run *r, value v, value_list *out) MUST_CHECK;
const value *value_find(value map, value key); /* NULL when absent */
err value_count(run *r, value v, int64_t *out) MUST_CHECK;

/* template_print.c: Python's str(), repr() and json.dumps() */
typedef struct json_style {
    int indent; /* -1: one line */
    bool ascii, sort_keys;
    str item_separator, key_separator;
} json_style;
err print_repr(run *r, buf *b, value v, bool *outside, int depth) MUST_CHECK;
err print_json(run *r, buf *b, value v, const json_style *s, bool *outside, int depth) MUST_CHECK;
void print_float(buf *b, double v);
err print_take(run *r, buf *b, bool outside, err e, value *out) MUST_CHECK; /* frees b */

/* template_filter.c, template_test.c, template_method.c, template_text.c */
err run_filter(run *r, str name, value v, const call_args *args, value *out) MUST_CHECK;
err run_test(run *r, str name, value v, const call_args *args, bool *out) MUST_CHECK;
err run_method(run *r, value self, str name, const call_args *args, value *out) MUST_CHECK;
err run_function(run *r, str name, const call_args *args, value *out) MUST_CHECK;
bool method_known(value self, str name);
/* The argument at a position or by its name; NULL when not given. */
const value *arg_get(const call_args *args, size_t at, const char *name);
err arg_int(run *r, const call_args *args, size_t at, const char *name, int64_t fallback,
            int64_t *out) MUST_CHECK;

typedef enum strip_side { STRIP_LEFT = 1, STRIP_RIGHT = 2, STRIP_BOTH = 3 } strip_side;
value text_strip(value text, strip_side side, const value *characters);
err text_replace(run *r, value text, value old, value new, int64_t most, value *out) MUST_CHECK;
err text_split(run *r, value text, const value *separator, int64_t most, value *out) MUST_CHECK;
err text_lines(run *r, value text, value_list *out) MUST_CHECK;
err text_case(run *r, value text, bool upper, value *out) MUST_CHECK;
err text_capitalize(run *r, value text, bool title, value *out) MUST_CHECK;
err text_join(run *r, value separator, const value_list *items, value *out) MUST_CHECK;
err text_indent(run *r, value text, value by, bool first, bool blank, value *out) MUST_CHECK;
err text_repeat(run *r, value text, int64_t times, value *out) MUST_CHECK;
err text_format(run *r, value text, const call_args *args, value *out) MUST_CHECK;
err text_escape(run *r, value text, value *out) MUST_CHECK;

/* template_eval.c */
err eval(run *r, const node *n, value *out) MUST_CHECK;
err eval_args(run *r, const node *n, call_args *out) MUST_CHECK;
err eval_attribute(run *r, value v, str name, value *out) MUST_CHECK;
err eval_item(run *r, value v, value key, value *out) MUST_CHECK;
err eval_call(run *r, value callee, const call_args *args, value *out) MUST_CHECK;

/* template_run.c */
err run_macro(run *r, const macro *m, const call_args *args, value *out) MUST_CHECK;
const value *scope_find(const scope *s, str name);
err scope_put(run *r, scope *s, str name, value v) MUST_CHECK;

#endif

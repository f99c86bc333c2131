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
    TOKEN_BIG, /* digits beyond 64 bits */
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

typedef enum node_kind {
    NODE_TEXT, /* expressions */
    NODE_INT,
    NODE_BIG, /* text: its digits */
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
    NODE_FOR,          /* target, a: iterable, b: condition, body, other; integer: 1 = recursive */
    NODE_IF,           /* a: condition, body, other */
    NODE_SET,          /* target, a */
    NODE_SET_BLOCK,    /* target, body, a: filter over NULL or NULL */
    NODE_MACRO,        /* text: name; names, items: parameters and defaults; body; integer: uses */
    NODE_CALL_BLOCK,   /* a: the call; names, items, body: of the macro `caller` */
    NODE_WITH,         /* items: target, value, target, value; body */
    NODE_FILTER_BLOCK, /* a: filter, body */
    NODE_BREAK,
    NODE_CONTINUE
} node_kind;

/* Names that mean something by themselves: what the body of a macro asks for, for one. */
enum { USES_VARARGS = 1, USES_KWARGS = 2, USES_CALLER = 4, USES_LOOP = 8 };

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
    const str *hidden; /* [hidden_n], of a block that is a scope: template_scope.c */
    size_t hidden_n;
};

struct template {
    const node *body;
    size_t source_bytes;
};

err template_parse(arena *a, const token_list *tokens, const node **out, fail *f) MUST_CHECK;
err template_scopes(arena *a, const node *body, fail *f) MUST_CHECK;
bool template_filter_known(str name);
bool template_test_known(str name);

/* ---- values ---- */

typedef enum value_kind {
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_BIG, /* a whole number beyond 64 bits: as it is written, for printing only */
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_MAP,
    VALUE_SPACE, /* namespace(): the one thing that changes */
    VALUE_LOOP,
    VALUE_MACRO,
    VALUE_METHOD,   /* of an object, not called yet */
    VALUE_FUNCTION, /* range, namespace... */
    VALUE_CYCLER,   /* cycler() and joiner(): they change, too */
    VALUE_JOINER
} value_kind;

/* What Python calls the things that a list here stands for. */
typedef enum list_shape {
    SHAPE_LIST,
    SHAPE_TUPLE,
    SHAPE_RANGE,
    SHAPE_KEYS, /* views of a map: counted, gone through, but not indexed */
    SHAPE_VALUES,
    SHAPE_ITEMS,
    SHAPE_STREAM /* a generator: gone through once */
} list_shape;

typedef struct value value;
typedef struct pair pair;
typedef struct scope scope;
struct value {
    value_kind kind;
    bool outside; /* brought in by the values; of mixed text: see marks */
    bool markup;  /* text that went through `safe`: "+" escapes what is added to it */
    bool group;   /* a pair that groupby made: it has .grouper and .list */
    bool cut; /* list of pieces of an outside text: what joins them stands inside of that text */
    unsigned char shape; /* of a list: list_shape */
    unsigned char depth; /* of a list or map: 1 + the deepest in it */
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
            struct stream *stream; /* of a stream: how far it was read */
        } list;
        struct {
            const pair *pairs;
            size_t n;
        } map;
        scope *space;
        struct loop_state *loop;
        const struct macro *macro;
        struct {
            const value *self;
            const char *p; /* name */
            size_t n;
        } method;
        struct cycle_state *cycle;
        str name; /* of a function; of what is undefined; digits of a big number */
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
    const node *block; /* whose scope it is; NULL: a scope that hides nothing */
    binding *items;
    size_t n, cap;
};

enum { TEMPLATE_VALUE_DEPTH_MAX = 200 };

/* A generator: read once, from where the last reader stopped. */
typedef struct stream {
    size_t taken;
    bool lost;   /* a loop left it in its middle: where, is not known */
    bool broken; /* behind its items stands an error, for who reads as far */
    str why;     /* what the error says */
} stream;

/* A loop under way. With a condition its items are picked one by one, as the body (or loop.last and
 * its kin) asks for them, for the body may change what the condition says. */
typedef struct loop_state {
    const node *node;
    scope *around;    /* where the loop stands */
    const value *all; /* [all_n] */
    size_t all_n, all_at;
    const value *items; /* [n]: picked so far */
    size_t n, cap, index;
    int depth;
    bool completed; /* a pass came to the end of the body: Jinja's `else` asks for that */
    value *changed; /* what loop.changed() was given last; NULL before */
} loop_state;

typedef struct cycle_state {
    const value *items;
    size_t n, at;
} cycle_state;

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
    scope *given; /* the caller's values that were asked for */
    scope *scope;
    int64_t steps_left;
    size_t bytes_max;     /* of the scratch, and of all text being written */
    size_t bytes_written; /* in all sinks there are */
    int calls, nesting;
    int line; /* of the statement or call under way, for errors */
    enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
} run;

/* E_INPUT / E_UNSUPPORTED with "template line L: " before the text. */
err run_fail(run *r, err code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One step, and one for each 64 bytes. Work on single characters counts 16 bytes and more each. */
err run_charge(run *r, size_t bytes) MUST_CHECK;
err run_deeper(run *r) MUST_CHECK; /* one level and one step; the caller takes the level back */
err run_fail_undefined(run *r, value v); /* E_INPUT with its name */
err run_no_memory(run *r); /* E_NO_MEMORY, or E_TOO_LARGE when the scratch is what is used up */
err run_too_large(run *r);

/* template_value.c */
static inline str value_str(value v) {
    return (str){v.as.text.p, v.as.text.n};
}
static inline bool value_is_list(value v, list_shape shape) {
    return v.kind == VALUE_LIST && v.shape == shape;
}
/* Has an order and an index: list, tuple, range. */
static inline bool value_is_sequence(value v) {
    return v.kind == VALUE_LIST && v.shape <= SHAPE_RANGE;
}
static inline bool value_is_number(value v) {
    return v.kind >= VALUE_BOOL && v.kind <= VALUE_FLOAT;
}
value value_text(str s, bool outside);
value value_bool(bool b);
value value_int(int64_t i, bool outside);
value value_float(double v, bool outside);
value value_undefined(str name);
bool value_true(value v);
double value_number(value v); /* of a number */
err value_equal(run *r, value a, value b, bool *out) MUST_CHECK;
err value_order(run *r, value a, value b, int *order) MUST_CHECK; /* numbers, texts, lists */
bool value_is(value v, const char *z);
const char *value_kind_name(value v);
err value_of_json(run *r, const json *v, bool outside, value *out) MUST_CHECK;
err value_push(run *r, value_list *l, value v) MUST_CHECK;
err value_take_list(run *r, const value_list *l, list_shape shape, bool outside,
                    value *out) MUST_CHECK;
err value_take_map(run *r, const pair *pairs, size_t n, bool outside, value *out) MUST_CHECK;
err value_pair(run *r, value a, value b, value *out) MUST_CHECK; /* the tuple (a, b) */
value value_slice(value text, size_t from, size_t to);           /* bytes of a text */
err value_concat(run *r, const value *parts, size_t n, value *out) MUST_CHECK;
/* What a for loop sees: items, keys, characters. A stream is then at its end. */
err value_iterate(run *r, value v, value_list *out) MUST_CHECK;
err value_key(run *r, value key) MUST_CHECK;   /* E_INPUT when it cannot be a key of a map */
const value *value_find(value map, value key); /* NULL when absent, or when it can be no key */
err value_contains(run *r, value item, value in, bool *out) MUST_CHECK;
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
err print_to_text(run *r, value v, value *out) MUST_CHECK;                  /* repr(v) */
err value_to_text(run *r, value v, value *out) MUST_CHECK;                  /* str(v) */
err print_take(run *r, buf *b, bool outside, err e, value *out) MUST_CHECK; /* frees b */

/* template_call.c */
/* A row of the tables of filters, tests, methods and functions. */
typedef struct callable {
    const char *name;
    err (*run)(run *r, value self, const call_args *args, value *out);
    const char *parameters; /* their names in order; "/" first: none may be named; "*": anything */
    size_t needed;          /* the first ones must be given */
} callable;
/* The row of that name; NULL when there is none. The last row's name is NULL. */
const callable *callable_find(const callable *table, str name);
/* Refuses arguments that the row does not take (E_INPUT), then runs it. */
err callable_run(run *r, const callable *c, value self, const call_args *args,
                 value *out) MUST_CHECK;

/* The argument at a position or by its name; NULL when not given. */
const value *arg_get(const call_args *args, size_t at, const char *name);
err arg_int(run *r, const call_args *args, size_t at, const char *name, int64_t fallback,
            int64_t *out) MUST_CHECK;
err arg_text(run *r, const call_args *args, size_t at, const char *name,
             const value **out) MUST_CHECK; /* NULL when not given or none; E_INPUT when no text */
bool arg_flag(const call_args *args, size_t at, const char *name, bool fallback);

/* template_filter.c, template_list.c, template_test.c, template_method.c, template_function.c */
err run_filter(run *r, str name, value v, const call_args *args, value *out) MUST_CHECK;
err run_test(run *r, str name, value v, const call_args *args, bool *out) MUST_CHECK;
err run_method(run *r, value self, str name, const call_args *args, value *out) MUST_CHECK;
err run_function(run *r, str name, const call_args *args, value *out) MUST_CHECK;
extern const callable list_filters[];
bool function_known(str name);
err run_cycler(run *r, struct cycle_state *c, str name, const call_args *args,
               value *out) MUST_CHECK;
err run_joiner(run *r, struct cycle_state *c, const call_args *args, value *out) MUST_CHECK;
/* What Python says to x.name: a method, an attribute, or nothing (then *out is untouched). */
err method_find(run *r, value self, str name, bool *found, value *out) MUST_CHECK;
err method_bind(run *r, value self, str name, value *out) MUST_CHECK;

/* template_text.c, template_case.c */
typedef enum strip_side { STRIP_LEFT = 1, STRIP_RIGHT = 2, STRIP_BOTH = 3 } strip_side;
typedef enum pad_side { PAD_LEFT, PAD_RIGHT, PAD_CENTER } pad_side; /* where the filling goes */
typedef enum text_cases {
    CASE_UPPER,
    CASE_LOWER,
    CASE_CAPITAL,
    CASE_TITLE,      /* each word as str.title() */
    CASE_TITLE_JINJA /* each word as the filter does */
} text_cases;
bool text_is_space(int32_t c);    /* as Python's str.isspace() */
bool text_is_outside(value text); /* in one byte at least */
value text_strip(value text, strip_side side, const value *characters);
err text_replace(run *r, value text, value old, value new, int64_t most, value *out) MUST_CHECK;
err text_split(run *r, value text, const value *separator, int64_t most, bool back,
               value *out) MUST_CHECK;
err text_lines(run *r, value text, bool keep_ends, value_list *out) MUST_CHECK;
err text_case(run *r, value text, text_cases to, value *out) MUST_CHECK;
err text_join(run *r, value separator, const value_list *items, value *out) MUST_CHECK;
err text_indent(run *r, value text, value by, bool first, bool blank, value *out) MUST_CHECK;
err text_repeat(run *r, value text, int64_t times, value *out) MUST_CHECK;
err text_pad(run *r, value text, int64_t width, value fill, pad_side side, value *out) MUST_CHECK;
err text_escape(run *r, value text, value *out) MUST_CHECK;

/* template_format.c: Python's text % values and text.format(...) */
err format_percent(run *r, value text, value values, value *out) MUST_CHECK;
err format_braces(run *r, value text, const call_args *args, value *out) MUST_CHECK;

/* template_operator.c: all but ~ and what texts do with % */
err operator_run(run *r, str op, value a, value b, value *out) MUST_CHECK;
err operator_add(run *r, value a, value b, value *out) MUST_CHECK;
err operator_compare(run *r, str op, value a, value b, bool *out) MUST_CHECK;
err operator_sign(run *r, bool plus, value v, value *out) MUST_CHECK;

/* template_binding.c */
const value *scope_find(const scope *s, str name);
err scope_put(run *r, scope *s, str name, value v) MUST_CHECK;

/* template_eval.c */
err eval(run *r, const node *n, value *out) MUST_CHECK;
err eval_args(run *r, const node *n, call_args *out) MUST_CHECK;
err eval_attribute(run *r, value v, str name, value *out) MUST_CHECK;
err eval_item(run *r, value v, value key, value *out) MUST_CHECK;
err eval_call(run *r, value callee, const call_args *args, value *out) MUST_CHECK;

/* template_run.c */
err run_macro(run *r, const macro *m, const call_args *args, value *out) MUST_CHECK;
err run_loop_attribute(run *r, loop_state *l, str name, value *out) MUST_CHECK;
err run_loop_again(run *r, loop_state *l, const call_args *args, value *out) MUST_CHECK;

#endif

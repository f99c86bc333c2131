/* template_method.c - what Python's str, dict, list and numbers answer to x.name in a template:
 * their methods and attributes; see template_int.h. Methods that change their object are not there:
 * the sandbox of transformers hides them, too. Those that Python has and we do not are
 * E_UNSUPPORTED when called. */
#include "text/template_int.h"

#include "text/utf8.h"

#include <string.h>

static err need_text(run *r, const call_args *args, size_t at, const char *name, value *out) {
    const value *v;
    TRY(arg_text(r, args, at, name, &v));
    if (!v) return run_fail(r, E_INPUT, "a text expected, not none");
    *out = *v;
    return E_OK;
}

/* The optional places from..to of Python's searches are not supported. */
static err no_places(run *r, const call_args *args) {
    return args->n <= 1 ? E_OK : run_fail(r, E_UNSUPPORTED, "searching in a part is not supported");
}

/* ---- texts ------------------------------------------------------------------------------------
 */

static err strip(run *r, value self, strip_side side, const call_args *args, value *out) {
    const value *characters;
    TRY(arg_text(r, args, 0, NULL, &characters));
    TRY(run_charge(r, self.as.text.n * (characters ? characters->as.text.n + 1 : 1)));
    *out = text_strip(self, side, characters);
    return E_OK;
}
static err text_strip_both(run *r, value self, const call_args *args, value *out) {
    return strip(r, self, STRIP_BOTH, args, out);
}
static err text_lstrip(run *r, value self, const call_args *args, value *out) {
    return strip(r, self, STRIP_LEFT, args, out);
}
static err text_rstrip(run *r, value self, const call_args *args, value *out) {
    return strip(r, self, STRIP_RIGHT, args, out);
}

static err split(run *r, value self, const call_args *args, bool back, value *out) {
    const value *separator;
    int64_t most;
    TRY(arg_text(r, args, 0, "sep", &separator));
    TRY(arg_int(r, args, 1, "maxsplit", -1, &most));
    return text_split(r, self, separator, most, back, out);
}
static err text_split_left(run *r, value self, const call_args *args, value *out) {
    return split(r, self, args, false, out);
}
static err text_rsplit(run *r, value self, const call_args *args, value *out) {
    return split(r, self, args, true, out);
}

static err text_splitlines(run *r, value self, const call_args *args, value *out) {
    value_list l;
    TRY(text_lines(r, self, arg_flag(args, 0, "keepends", false), &l));
    TRY(value_take_list(r, &l, SHAPE_LIST, self.outside, out));
    out->cut = text_is_outside(self);
    return E_OK;
}

/* (before, separator, behind), by the first or the last place where it stands. */
static err partition(run *r, value self, const call_args *args, bool last, value *out) {
    value separator, empty = value_text(STR(""), false), pieces;
    value_list parts = {0};
    TRY(need_text(r, args, 0, NULL, &separator));
    TRY(text_split(r, self, &separator, 1, last, &pieces));
    bool found = pieces.as.list.n == 2;
    const value *p = pieces.as.list.items;
    size_t from = p[0].as.text.n, to = from + separator.as.text.n;
    TRY(value_push(r, &parts, found || !last ? p[0] : empty));
    TRY(value_push(r, &parts, found ? value_slice(self, from, to) : empty));
    TRY(value_push(r, &parts, found ? p[1] : last ? p[0] : empty));
    TRY(value_take_list(r, &parts, SHAPE_TUPLE, self.outside, out));
    out->cut = text_is_outside(self);
    return E_OK;
}
static err text_partition(run *r, value self, const call_args *args, value *out) {
    return partition(r, self, args, false, out);
}
static err text_rpartition(run *r, value self, const call_args *args, value *out) {
    return partition(r, self, args, true, out);
}

static bool touches(value self, value part, bool start) {
    return start ? str_starts(value_str(self), value_str(part))
                 : str_ends(value_str(self), value_str(part));
}

/* startswith and endswith take a text or a tuple of texts. */
static err starts(run *r, value self, bool start, const call_args *args, value *out) {
    bool hit = false;
    value part = args->items[0];
    TRY(no_places(r, args));
    if (part.kind == VALUE_TEXT) {
        hit = touches(self, part, start);
    } else if (value_is_list(part, SHAPE_TUPLE)) {
        for (size_t i = 0; i < part.as.list.n && !hit; i++) {
            if (part.as.list.items[i].kind != VALUE_TEXT)
                return run_fail(r, E_INPUT, "a tuple of texts expected");
            hit = touches(self, part.as.list.items[i], start);
        }
    } else {
        return run_fail(r, E_INPUT, "a text expected, not %s", value_kind_name(part));
    }
    *out = value_bool(hit);
    return E_OK;
}
static err text_startswith(run *r, value self, const call_args *args, value *out) {
    return starts(r, self, true, args, out);
}
static err text_endswith(run *r, value self, const call_args *args, value *out) {
    return starts(r, self, false, args, out);
}

static err text_replaced(run *r, value self, const call_args *args, value *out) {
    value old, new;
    int64_t most;
    TRY(need_text(r, args, 0, NULL, &old));
    TRY(need_text(r, args, 1, NULL, &new));
    TRY(arg_int(r, args, 2, NULL, -1, &most));
    return text_replace(r, self, old, new, most, out);
}

static err text_joined(run *r, value self, const call_args *args, value *out) {
    value_list l;
    value of = args->items[0];
    TRY(value_iterate(r, of, &l));
    for (size_t i = 0; i < l.n; i++)
        if (l.items[i].kind != VALUE_TEXT)
            return run_fail(r, E_INPUT, "join takes texts, not %s", value_kind_name(l.items[i]));
    if (of.cut) self = value_text(value_str(self), true);
    return text_join(r, self, &l, out);
}

static err case_method(run *r, value self, text_cases to, value *out) {
    return text_case(r, self, to, out);
}
static err text_upper(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return case_method(r, self, CASE_UPPER, out);
}
static err text_lower(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return case_method(r, self, CASE_LOWER, out);
}
static err text_title(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return case_method(r, self, CASE_TITLE, out);
}
static err text_capitalized(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return case_method(r, self, CASE_CAPITAL, out);
}

/* In characters; -1 when absent. */
static err find(run *r, value self, bool last, const call_args *args, int64_t *out) {
    value part;
    str s = value_str(self);
    size_t hit = STR_INDEX_NONE, from = 0;
    TRY(need_text(r, args, 0, NULL, &part));
    TRY(no_places(r, args));
    TRY(run_charge(r, s.n));
    for (;;) {
        size_t next =
            from <= s.n ? str_find(str_slice(s, from, s.n), value_str(part)) : STR_INDEX_NONE;
        if (next == STR_INDEX_NONE) break;
        hit = from + next;
        from = hit + 1;
        TRY(run_charge(r, 0));
        if (!last) break;
    }
    *out = hit == STR_INDEX_NONE ? -1 : (int64_t)utf8_count(str_slice(s, 0, hit));
    return E_OK;
}
static err find_or(run *r, value self, bool last, bool must, const call_args *args, value *out) {
    int64_t at;
    TRY(find(r, self, last, args, &at));
    if (must && at < 0) return run_fail(r, E_INPUT, "the text to be found is not there");
    *out = value_int(at, self.outside);
    return E_OK;
}
static err text_find(run *r, value self, const call_args *args, value *out) {
    return find_or(r, self, false, false, args, out);
}
static err text_rfind(run *r, value self, const call_args *args, value *out) {
    return find_or(r, self, true, false, args, out);
}
static err text_index(run *r, value self, const call_args *args, value *out) {
    return find_or(r, self, false, true, args, out);
}
static err text_rindex(run *r, value self, const call_args *args, value *out) {
    return find_or(r, self, true, true, args, out);
}

static err text_count(run *r, value self, const call_args *args, value *out) {
    value part, pieces;
    int64_t n = 0;
    TRY(need_text(r, args, 0, NULL, &part));
    TRY(no_places(r, args));
    if (part.as.text.n == 0) {
        TRY(value_count(r, self, &n));
        n++;
    } else {
        TRY(text_split(r, self, &part, -1, false, &pieces));
        n = (int64_t)pieces.as.list.n - 1;
    }
    *out = value_int(n, self.outside);
    return E_OK;
}

static err removed(run *r, value self, bool prefix, const call_args *args, value *out) {
    value part;
    TRY(need_text(r, args, 0, NULL, &part));
    size_t n = part.as.text.n, all = self.as.text.n;
    *out = !touches(self, part, prefix) ? self
           : prefix                     ? value_slice(self, n, all)
                                        : value_slice(self, 0, all - n);
    return E_OK;
}
static err text_removeprefix(run *r, value self, const call_args *args, value *out) {
    return removed(r, self, true, args, out);
}
static err text_removesuffix(run *r, value self, const call_args *args, value *out) {
    return removed(r, self, false, args, out);
}

static err padded(run *r, value self, pad_side side, const call_args *args, value *out) {
    const value *fill;
    int64_t width;
    TRY(arg_int(r, args, 0, NULL, 0, &width));
    TRY(arg_text(r, args, 1, NULL, &fill));
    return text_pad(r, self, width, fill ? *fill : value_text(STR(" "), false), side, out);
}
static err text_ljust(run *r, value self, const call_args *args, value *out) {
    return padded(r, self, PAD_RIGHT, args, out);
}
static err text_rjust(run *r, value self, const call_args *args, value *out) {
    return padded(r, self, PAD_LEFT, args, out);
}
static err text_center(run *r, value self, const call_args *args, value *out) {
    return padded(r, self, PAD_CENTER, args, out);
}

static err text_zfill(run *r, value self, const call_args *args, value *out) {
    int64_t width;
    TRY(arg_int(r, args, 0, NULL, 0, &width));
    bool sign = self.as.text.n && (self.as.text.p[0] == '-' || self.as.text.p[0] == '+');
    value parts[2] = {value_slice(self, 0, sign), value_slice(self, sign, self.as.text.n)};
    TRY(text_pad(r, parts[1], width - sign, value_text(STR("0"), false), PAD_LEFT, &parts[1]));
    return value_concat(r, parts, 2, out);
}

/* ---- kinds of characters ----------------------------------------------------------------------
 */

/* 1 yes, 0 no, -1 not known here. */
static int is_alpha(int32_t c) {
    return utf8_is_letter(c);
}
static int is_space(int32_t c) {
    return text_is_space(c);
}
static int is_ascii(int32_t c) {
    return c >= 0 && c < 0x80;
}
static int is_digit(int32_t c) {
    return c >= 0x80 && utf8_is_number(c) ? -1 : c >= '0' && c <= '9';
}
static int is_alnum(int32_t c) {
    return utf8_is_letter(c) ? 1 : is_digit(c);
}

/* Whether all characters are of a kind, and there is one at least (or `empty` says otherwise). */
static err all_are(run *r, value self, int (*is)(int32_t), bool empty, value *out) {
    int all = self.as.text.n > 0 || empty;
    TRY(run_charge(r, self.as.text.n * 16));
    for (size_t at = 0; at < self.as.text.n && all > 0;) all = is(utf8_walk(value_str(self), &at));
    if (all < 0)
        return run_fail(r, E_UNSUPPORTED, "digits other than 0 to 9 are not told apart here");
    *out = value_bool(all > 0);
    return E_OK;
}
static err text_isalpha(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return all_are(r, self, is_alpha, false, out);
}
static err text_isspace(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return all_are(r, self, is_space, false, out);
}
static err text_isascii(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return all_are(r, self, is_ascii, true, out);
}
static err text_isdigit(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return all_are(r, self, is_digit, false, out);
}
static err text_isalnum(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return all_are(r, self, is_alnum, false, out);
}
static err text_isupper(run *r, value self, const call_args *args, value *out) {
    bool yes;
    TRY(run_test(r, STR("upper"), self, args, &yes));
    *out = value_bool(yes);
    return E_OK;
}
static err text_islower(run *r, value self, const call_args *args, value *out) {
    bool yes;
    TRY(run_test(r, STR("lower"), self, args, &yes));
    *out = value_bool(yes);
    return E_OK;
}

static const callable text_methods[] = {
    {"capitalize", text_capitalized, "/", 0},
    {"casefold", NULL, NULL, 0},
    {"center", text_center, "/ width fill", 1},
    {"count", text_count, "/ sub start end", 1},
    {"encode", NULL, NULL, 0},
    {"endswith", text_endswith, "/ suffix start end", 1},
    {"expandtabs", NULL, NULL, 0},
    {"find", text_find, "/ sub start end", 1},
    {"format", format_braces, "*", 0},
    {"format_map", NULL, NULL, 0},
    {"index", text_index, "/ sub start end", 1},
    {"isalnum", text_isalnum, "/", 0},
    {"isalpha", text_isalpha, "/", 0},
    {"isascii", text_isascii, "/", 0},
    {"isdecimal", text_isdigit, "/", 0},
    {"isdigit", text_isdigit, "/", 0},
    {"isidentifier", NULL, NULL, 0},
    {"islower", text_islower, "/", 0},
    {"isnumeric", NULL, NULL, 0},
    {"isprintable", NULL, NULL, 0},
    {"isspace", text_isspace, "/", 0},
    {"istitle", NULL, NULL, 0},
    {"isupper", text_isupper, "/", 0},
    {"join", text_joined, "/ items", 1},
    {"ljust", text_ljust, "/ width fill", 1},
    {"lower", text_lower, "/", 0},
    {"lstrip", text_lstrip, "/ chars", 0},
    {"maketrans", NULL, NULL, 0},
    {"partition", text_partition, "/ sep", 1},
    {"removeprefix", text_removeprefix, "/ prefix", 1},
    {"removesuffix", text_removesuffix, "/ suffix", 1},
    {"replace", text_replaced, "/ old new count", 2},
    {"rfind", text_rfind, "/ sub start end", 1},
    {"rindex", text_rindex, "/ sub start end", 1},
    {"rjust", text_rjust, "/ width fill", 1},
    {"rpartition", text_rpartition, "/ sep", 1},
    {"rsplit", text_rsplit, "sep maxsplit", 0},
    {"rstrip", text_rstrip, "/ chars", 0},
    {"split", text_split_left, "sep maxsplit", 0},
    {"splitlines", text_splitlines, "keepends", 0},
    {"startswith", text_startswith, "/ prefix start end", 1},
    {"strip", text_strip_both, "/ chars", 0},
    {"swapcase", NULL, NULL, 0},
    {"title", text_title, "/", 0},
    {"translate", NULL, NULL, 0},
    {"upper", text_upper, "/", 0},
    {"zfill", text_zfill, "/ width", 1},
    {NULL, NULL, NULL, 0},
};

/* ---- maps and lists ---------------------------------------------------------------------------
 */

static err map_get(run *r, value self, const call_args *args, value *out) {
    TRY(run_charge(r, self.as.map.n * 16));
    TRY(value_key(r, args->items[0]));
    const value *found = value_find(self, args->items[0]);
    *out = found ? *found : args->n == 2 ? args->items[1] : (value){.kind = VALUE_NONE};
    return E_OK;
}

static err map_view(run *r, value self, list_shape shape, value *out) {
    value_list l = {0};
    TRY(run_charge(r, self.as.map.n * 64));
    for (size_t i = 0; i < self.as.map.n; i++) {
        const pair *p = &self.as.map.pairs[i];
        value one = shape == SHAPE_KEYS ? p->key : p->value;
        if (shape == SHAPE_ITEMS) TRY(value_pair(r, p->key, p->value, &one));
        TRY(value_push(r, &l, one));
    }
    return value_take_list(r, &l, shape, self.outside, out);
}
static err map_keys(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return map_view(r, self, SHAPE_KEYS, out);
}
static err map_values(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return map_view(r, self, SHAPE_VALUES, out);
}
static err map_items(run *r, value self, const call_args *args, value *out) {
    (void)args;
    return map_view(r, self, SHAPE_ITEMS, out);
}

static err copied(run *r, value self, const call_args *args, value *out) {
    (void)r, (void)args;
    *out = self;
    return E_OK;
}

static const callable map_methods[] = {
    {"copy", copied, "/", 0},     {"fromkeys", NULL, NULL, 0}, {"get", map_get, "/ key default", 1},
    {"items", map_items, "/", 0}, {"keys", map_keys, "/", 0},  {"values", map_values, "/", 0},
    {NULL, NULL, NULL, 0},
};

static err list_index(run *r, value self, const call_args *args, value *out) {
    bool same = false;
    if (args->n > 1) return run_fail(r, E_UNSUPPORTED, "searching in a part is not supported");
    for (size_t i = 0; i < self.as.list.n; i++) {
        TRY(value_equal(r, self.as.list.items[i], args->items[0], &same));
        *out = value_int((int64_t)i, self.outside);
        if (same) return E_OK;
    }
    return run_fail(r, E_INPUT, "what is to be found is not in the list");
}

static err list_count(run *r, value self, const call_args *args, value *out) {
    int64_t n = 0;
    for (size_t i = 0; i < self.as.list.n; i++) {
        bool same;
        TRY(value_equal(r, self.as.list.items[i], args->items[0], &same));
        n += same;
    }
    *out = value_int(n, self.outside);
    return E_OK;
}

static const callable list_methods[] = {
    {"copy", copied, "/", 0}, /* lists only */
    {"count", list_count, "/ value", 1},
    {"index", list_index, "/ value start stop", 1},
    {NULL, NULL, NULL, 0},
};

/* ---- what x.name is ---------------------------------------------------------------------------
 */

/* Methods that change their object, as the sandbox lists them: undefined, though Python has them.
 */
static bool is_hidden(value self, str name) {
    static const char *const of_map[] = {"clear", "pop", "popitem", "setdefault", "update", NULL},
                             *const of_list[] = {"append", "clear",   "extend", "insert", "pop",
                                                 "remove", "reverse", "sort",   NULL},
                             *const none[] = {NULL};
    const char *const *names = self.kind == VALUE_MAP            ? of_map
                               : value_is_list(self, SHAPE_LIST) ? of_list
                                                                 : none;
    for (; *names; names++)
        if (str_is(name, *names)) return true;
    return false;
}

static const callable *methods_of(value self) {
    static const callable none[] = {{NULL, NULL, NULL, 0}};
    if (self.kind == VALUE_TEXT) return text_methods;
    if (self.kind == VALUE_MAP) return map_methods;
    if (self.kind == VALUE_LIST && self.shape <= SHAPE_RANGE)
        return self.shape == SHAPE_LIST ? list_methods : list_methods + 1;
    return none;
}

/* Numbers have a few attributes; the rest of what Python gives them is not supported. */
static err number_attribute(run *r, value self, str name, bool *found, value *out) {
    static const char *const more[] = {
        "denominator",      "conjugate",  "bit_length", "bit_count", "to_bytes",   "from_bytes",
        "as_integer_ratio", "is_integer", "hex",        "fromhex",   "is_integer", NULL};
    bool whole = self.kind != VALUE_FLOAT;
    *found = str_is(name, "real") || str_is(name, "imag") || (whole && str_is(name, "numerator"));
    if (*found) {
        *out = self.kind == VALUE_BOOL ? value_int(self.as.boolean, self.outside) : self;
        if (str_is(name, "imag") && whole) *out = value_int(0, self.outside);
        if (str_is(name, "imag") && !whole) out->as.number = 0;
    }
    for (size_t i = 0; more[i]; i++)
        if (str_is(name, more[i]))
            return run_fail(r, E_UNSUPPORTED, "the attribute \"%s\" of a number is not supported",
                            more[i]);
    return E_OK;
}

/* What Python gives ranges, views, generators, macros and the like, and we do not. */
static bool is_missing(value self, str name) {
    static const char *const names[] = {
        "start",    "stop",      "step",         "isdisjoint",    "mapping",    "send",
        "throw",    "close",     "gi_frame",     "gi_code",       "gi_running", "gi_suspended",
        "name",     "arguments", "catch_kwargs", "catch_varargs", "caller",     "explicit_caller",
        "fromkeys", "current",   "pos",          "items",         "sep",        "used",
        "unescape", "striptags", "escape",       "gi_yieldfrom",  "grouper",    NULL};
    if (self.kind < VALUE_MACRO && !(self.kind == VALUE_LIST && self.shape > SHAPE_TUPLE) &&
        !self.markup)
        return false;
    for (size_t i = 0; names[i]; i++)
        if (str_is(name, names[i])) return true;
    return false;
}

err method_bind(run *r, value self, str name, value *out) {
    value *kept = arena_new(r->arena, value);
    if (!kept) return run_no_memory(r);
    *kept = self;
    *out = (value){.kind = VALUE_METHOD};
    out->as.method.self = kept;
    out->as.method.p = name.p;
    out->as.method.n = name.n;
    return E_OK;
}

err method_find(run *r, value self, str name, bool *found, value *out) {
    *found = false;
    if (value_is_number(self)) return number_attribute(r, self, name, found, out);
    if (self.group && (str_is(name, "grouper") || str_is(name, "list"))) {
        *found = true;
        *out = self.as.list.items[str_is(name, "list")];
        return E_OK;
    }
    *found = is_hidden(self, name);
    if (*found) *out = value_undefined(name);
    if (*found || !callable_find(methods_of(self), name)) {
        if (!*found && is_missing(self, name))
            return run_fail(r, E_UNSUPPORTED, "the attribute \"%.*s\" of %s is not supported",
                            STR_ARG(name), value_kind_name(self));
        return E_OK;
    }
    *found = true;
    return method_bind(r, self, name, out);
}

/* loop.cycle(...) and loop.changed(...) */
static err loop_method(run *r, loop_state *l, str name, const call_args *args, value *out) {
    for (size_t i = 0; i < args->n; i++)
        if (args->names[i].p) return run_fail(r, E_INPUT, "loop's methods take no names");
    if (str_is(name, "cycle")) {
        if (args->n == 0) return run_fail(r, E_INPUT, "loop.cycle needs values");
        *out = args->items[l->index % args->n];
        return E_OK;
    }
    value given;
    bool same = false;
    value_list list = {(value *)(uintptr_t)args->items, args->n, 0};
    TRY(value_take_list(r, &list, SHAPE_TUPLE, false, &given));
    if (l->changed) TRY(value_equal(r, *l->changed, given, &same));
    if (!l->changed) l->changed = arena_new(r->arena, value);
    if (!l->changed) return run_no_memory(r);
    *l->changed = given;
    *out = value_bool(!same);
    return E_OK;
}

err run_method(run *r, value self, str name, const call_args *args, value *out) {
    const callable *c = callable_find(methods_of(self), name);
    if (self.kind == VALUE_LOOP) return loop_method(r, self.as.loop, name, args, out);
    if (self.kind == VALUE_CYCLER) return run_cycler(r, self.as.cycle, name, args, out);
    if (self.markup) return run_fail(r, E_UNSUPPORTED, "methods behind `safe` are not supported");
    if (c && c->run) return callable_run(r, c, self, args, out);
    return run_fail(r, E_UNSUPPORTED, "the method \"%.*s\" of %s is not supported", STR_ARG(name),
                    value_kind_name(self));
}

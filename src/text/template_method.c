/* template_method.c - what can be called in a template: methods of Python's str, dict and list, and
 * the functions that transformers gives; see template_int.h. Methods that change their object are
 * not here: the sandbox of transformers refuses them too. */
#include "text/template_int.h"

#include "base/clock.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* All names that Python has, so that `x.items` is a method and not a key, called or not. */
static const char *const text_methods[] = {
    "capitalize",   "casefold",    "center",    "count",      "encode",       "endswith",
    "expandtabs",   "find",        "format",    "format_map", "index",        "isalnum",
    "isalpha",      "isascii",     "isdecimal", "isdigit",    "isidentifier", "islower",
    "isnumeric",    "isprintable", "isspace",   "istitle",    "isupper",      "join",
    "ljust",        "lower",       "lstrip",    "maketrans",  "partition",    "removeprefix",
    "removesuffix", "replace",     "rfind",     "rindex",     "rjust",        "rpartition",
    "rsplit",       "rstrip",      "split",     "splitlines", "startswith",   "strip",
    "swapcase",     "title",       "translate", "upper",      "zfill",        NULL};
static const char *const map_methods[] = {"clear",      "copy",   "fromkeys", "get",
                                          "items",      "keys",   "pop",      "popitem",
                                          "setdefault", "update", "values",   NULL};
static const char *const list_methods[] = {"append", "clear",   "copy",   "count",
                                           "extend", "index",   "insert", "pop",
                                           "remove", "reverse", "sort",   NULL};

bool method_known(value self, str name) {
    const char *const *names = self.kind == VALUE_TEXT   ? text_methods
                               : self.kind == VALUE_MAP  ? map_methods
                               : self.kind == VALUE_LIST ? list_methods
                                                         : NULL;
    for (; names && *names; names++)
        if (str_is(name, *names)) return true;
    return false;
}

/* An argument that must be a text; NULL when not given or none. */
static err text_of(run *r, const call_args *args, size_t at, const char *name, const value **out) {
    const value *v = arg_get(args, at, name);
    *out = NULL;
    if (!v || v->kind == VALUE_NONE) return E_OK;
    if (v->kind != VALUE_TEXT)
        return run_fail(r, E_INPUT, "a text expected, not %s", value_kind_name(*v));
    *out = v;
    return E_OK;
}

static err need_text(run *r, const call_args *args, size_t at, value *out) {
    const value *v;
    TRY(text_of(r, args, at, NULL, &v));
    if (!v) return run_fail(r, E_INPUT, "a text is missing");
    *out = *v;
    return E_OK;
}

static bool text_touches(value self, value part, bool start) {
    return start ? str_starts(value_str(self), value_str(part))
                 : str_ends(value_str(self), value_str(part));
}

/* startswith and endswith take a text or a tuple of texts. */
static err run_starts(run *r, value self, bool start, const call_args *args, value *out) {
    bool hit = false;
    if (args->n != 1)
        return run_fail(r, E_UNSUPPORTED, "startswith and endswith take one argument here");
    value part = args->items[0];
    if (part.kind == VALUE_TEXT) {
        hit = text_touches(self, part, start);
    } else if (part.kind == VALUE_LIST) {
        for (size_t i = 0; i < part.as.list.n && !hit; i++)
            hit = part.as.list.items[i].kind == VALUE_TEXT &&
                  text_touches(self, part.as.list.items[i], start);
    } else {
        return run_fail(r, E_INPUT, "a text expected, not %s", value_kind_name(part));
    }
    *out = value_bool(hit);
    return E_OK;
}

static err run_strip(run *r, value self, strip_side side, const call_args *args, value *out) {
    const value *characters;
    TRY(text_of(r, args, 0, "chars", &characters));
    TRY(run_charge(r, self.as.text.n));
    *out = text_strip(self, side, characters);
    return E_OK;
}

static err run_split(run *r, value self, const call_args *args, value *out) {
    const value *separator;
    int64_t most;
    TRY(text_of(r, args, 0, "sep", &separator));
    TRY(arg_int(r, args, 1, "maxsplit", -1, &most));
    return text_split(r, self, separator, most, out);
}

static err run_replace(run *r, value self, const call_args *args, value *out) {
    value old, new;
    int64_t most;
    TRY(need_text(r, args, 0, &old));
    TRY(need_text(r, args, 1, &new));
    TRY(arg_int(r, args, 2, "count", -1, &most));
    return text_replace(r, self, old, new, most, out);
}

static err run_join(run *r, value self, const call_args *args, value *out) {
    value_list l;
    if (args->n != 1) return run_fail(r, E_INPUT, "join takes one list");
    TRY(value_iterate(r, args->items[0], &l));
    for (size_t i = 0; i < l.n; i++)
        if (l.items[i].kind != VALUE_TEXT)
            return run_fail(r, E_INPUT, "join takes texts, not %s", value_kind_name(l.items[i]));
    return text_join(r, self, &l, out);
}

/* find and rfind, in characters; -1 when absent. */
static err run_find(run *r, value self, bool last, const call_args *args, value *out) {
    value part;
    str s = value_str(self);
    size_t hit = STR_INDEX_NONE, from = 0;
    TRY(need_text(r, args, 0, &part));
    if (args->n > 1) return run_fail(r, E_UNSUPPORTED, "find takes one argument here");
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
    *out = value_int(hit == STR_INDEX_NONE ? -1 : (int64_t)utf8_count(str_slice(s, 0, hit)),
                     self.outside);
    return E_OK;
}

static err run_count(run *r, value self, const call_args *args, value *out) {
    value part, pieces;
    TRY(need_text(r, args, 0, &part));
    TRY(text_split(r, self, &part, -1, &pieces));
    *out = value_int((int64_t)pieces.as.list.n - 1, self.outside);
    return E_OK;
}

/* isdigit, isalpha, isspace: not empty and all of a kind (digits: Nd). */
static err run_is(run *r, value self, bool (*is)(int32_t), value *out) {
    bool all = self.as.text.n > 0;
    TRY(run_charge(r, self.as.text.n));
    for (size_t at = 0; at < self.as.text.n && all;) all = is(utf8_walk(value_str(self), &at));
    *out = value_bool(all);
    return E_OK;
}

static err run_lines(run *r, value self, const call_args *args, value *out) {
    value_list l;
    if (args->n) return run_fail(r, E_UNSUPPORTED, "splitlines takes no argument here");
    TRY(text_lines(r, self, &l));
    *out = value_list_of(&l, self.outside);
    return E_OK;
}

static err run_remove(run *r, value self, bool prefix, const call_args *args, value *out) {
    value part;
    TRY(need_text(r, args, 0, &part));
    *out = self;
    if (!text_touches(self, part, prefix)) return E_OK;
    size_t n = part.as.text.n, all = self.as.text.n;
    *out = prefix ? value_slice(self, n, all) : value_slice(self, 0, all - n);
    return E_OK;
}

static err method_unsupported(run *r, value self, str name) {
    return run_fail(r, E_UNSUPPORTED, "the method \"%.*s\" of %s is not supported", STR_ARG(name),
                    value_kind_name(self));
}

static err run_text_method(run *r, value self, str name, const call_args *args, value *out) {
    if (self.markup) return run_fail(r, E_UNSUPPORTED, "methods behind `safe` are not supported");
    if (str_is(name, "strip")) return run_strip(r, self, STRIP_BOTH, args, out);
    if (str_is(name, "lstrip")) return run_strip(r, self, STRIP_LEFT, args, out);
    if (str_is(name, "rstrip")) return run_strip(r, self, STRIP_RIGHT, args, out);
    if (str_is(name, "split")) return run_split(r, self, args, out);
    if (str_is(name, "splitlines")) return run_lines(r, self, args, out);
    if (str_is(name, "startswith")) return run_starts(r, self, true, args, out);
    if (str_is(name, "endswith")) return run_starts(r, self, false, args, out);
    if (str_is(name, "replace")) return run_replace(r, self, args, out);
    if (str_is(name, "format")) return text_format(r, self, args, out);
    if (str_is(name, "join")) return run_join(r, self, args, out);
    if (str_is(name, "upper")) return text_case(r, self, true, out);
    if (str_is(name, "lower")) return text_case(r, self, false, out);
    if (str_is(name, "title")) return text_capitalize(r, self, true, out);
    if (str_is(name, "capitalize")) return text_capitalize(r, self, false, out);
    if (str_is(name, "find")) return run_find(r, self, false, args, out);
    if (str_is(name, "rfind")) return run_find(r, self, true, args, out);
    if (str_is(name, "count")) return run_count(r, self, args, out);
    if (str_is(name, "isspace")) return run_is(r, self, utf8_is_space, out);
    if (str_is(name, "isalpha")) return run_is(r, self, utf8_is_letter, out);
    if (str_is(name, "removeprefix")) return run_remove(r, self, true, args, out);
    if (str_is(name, "removesuffix")) return run_remove(r, self, false, args, out);
    return method_unsupported(r, self, name);
}

static err run_get(run *r, value self, const call_args *args, value *out) {
    if (args->n < 1 || args->n > 2) return run_fail(r, E_INPUT, "get takes a key and a default");
    TRY(run_charge(r, self.as.map.n * 16));
    const value *found = value_find(self, args->items[0]);
    *out = found ? *found : args->n == 2 ? args->items[1] : (value){.kind = VALUE_NONE};
    return E_OK;
}

static err run_values(run *r, value self, value *out) {
    value_list l = {0};
    for (size_t i = 0; i < self.as.map.n; i++) TRY(value_push(r, &l, self.as.map.pairs[i].value));
    *out = value_list_of(&l, self.outside);
    return E_OK;
}

err run_method(run *r, value self, str name, const call_args *args, value *out) {
    TRY(run_charge(r, 0));
    if (self.kind == VALUE_TEXT) return run_text_method(r, self, name, args, out);
    if (self.kind == VALUE_MAP && str_is(name, "get")) return run_get(r, self, args, out);
    if (self.kind == VALUE_MAP && str_is(name, "items"))
        return run_filter(r, STR("items"), self, args, out);
    if (self.kind == VALUE_MAP && str_is(name, "keys"))
        return run_filter(r, STR("list"), self, args, out);
    if (self.kind == VALUE_MAP && str_is(name, "values")) return run_values(r, self, out);
    return method_unsupported(r, self, name);
}

/* ---- functions --------------------------------------------------------------------------------
 */

static err run_range(run *r, const call_args *args, value *out) {
    int64_t from = 0, to = 0, step = 1;
    value_list l = {0};
    if (args->n < 1 || args->n > 3) return run_fail(r, E_INPUT, "range takes one to three numbers");
    TRY(arg_int(r, args, args->n > 1, NULL, 0, &to));
    if (args->n > 1) TRY(arg_int(r, args, 0, NULL, 0, &from));
    if (args->n > 2) TRY(arg_int(r, args, 2, NULL, 1, &step));
    if (step == 0) return run_fail(r, E_INPUT, "range with step 0");
    for (int64_t i = from; step > 0 ? i < to : i > to;) {
        TRY(run_charge(r, 0));
        TRY(value_push(r, &l, value_int(i, false)));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    *out = value_list_of(&l, false);
    return E_OK;
}

static err run_namespace(run *r, const call_args *args, value *out) {
    scope *s = arena_new(r->arena, scope);
    if (!s) return run_no_memory(r);
    for (size_t i = 0; i < args->n; i++) {
        const value *v = &args->items[i];
        if (!args->names[i].p && v->kind != VALUE_MAP)
            return run_fail(r, E_INPUT, "namespace takes names with values");
        if (args->names[i].p) TRY(scope_put(r, s, args->names[i], *v));
        for (size_t k = 0; !args->names[i].p && k < v->as.map.n; k++)
            if (v->as.map.pairs[k].key.kind == VALUE_TEXT)
                TRY(scope_put(r, s, value_str(v->as.map.pairs[k].key), v->as.map.pairs[k].value));
    }
    *out = (value){.kind = VALUE_SPACE, .as.space = s};
    return E_OK;
}

static err run_dict(run *r, const call_args *args, value *out) {
    pair *pairs = arena_new_n(r->arena, pair, args->n);
    if (!pairs) return run_no_memory(r);
    for (size_t i = 0; i < args->n; i++) {
        if (!args->names[i].p)
            return run_fail(r, E_UNSUPPORTED, "dict of a value is not supported");
        pairs[i] = (pair){value_text(args->names[i], false), args->items[i]};
    }
    *out = (value){.kind = VALUE_MAP};
    out->as.map.pairs = pairs;
    out->as.map.n = args->n;
    return E_OK;
}

static err run_raise(run *r, const call_args *args) {
    value text = value_text(STR("no reason given"), false);
    if (args->n) TRY(value_to_text(r, args->items[0], &text));
    return fail_set(r->f, E_INPUT, "the chat template refuses these messages: %.*s",
                    STR_ARG(str_slice(value_str(text), 0, 300)));
}

static err run_strftime(run *r, const call_args *args, value *out) {
    value format;
    char pattern[128], text[512];
    int64_t ms = r->in->now_ms ? r->in->now_ms : clock_now_ms();
    time_t seconds = (time_t)(ms / 1000);
    struct tm t;
    TRY(need_text(r, args, 0, &format));
    if (format.as.text.n >= sizeof pattern)
        return run_fail(r, E_TOO_LARGE, "strftime_now's format is too long");
    memcpy(pattern, format.as.text.p, format.as.text.n);
    pattern[format.as.text.n] = 0;
    gmtime_r(&seconds, &t);
    size_t n = pattern[0] ? strftime(text, sizeof text, pattern, &t) : 0;
    str kept = arena_str(r->arena, (str){text, n});
    if (!kept.p) return run_no_memory(r);
    *out = value_text(kept, format.outside || format.as.text.marks);
    return E_OK;
}

err run_function(run *r, str name, const call_args *args, value *out) {
    TRY(run_charge(r, 0));
    if (str_is(name, "range")) return run_range(r, args, out);
    if (str_is(name, "namespace")) return run_namespace(r, args, out);
    if (str_is(name, "dict")) return run_dict(r, args, out);
    if (str_is(name, "raise_exception")) return run_raise(r, args);
    if (str_is(name, "strftime_now")) return run_strftime(r, args, out);
    return run_fail(r, E_UNSUPPORTED, "the function \"%.*s\" is not supported", STR_ARG(name));
}

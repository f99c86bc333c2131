#!/usr/bin/env python3
"""Random small templates with what Jinja2 says to them, for t_template_models: python template_random.py FILE [N [SEED]]
Rows as golden_template.py --rows writes them, with "template" instead of "file". What we call not supported counts
as an answer there; other bytes, or bytes where Jinja refuses, do not."""
import copy
import json
import random
import resource
import sys
import warnings

from jinja_reference import render

VALUES = {
    "s": "Hello <b> World", "t": "  two\n lines\u00e9\tx \n", "e": "", "u": "\u01c5\u00dfx \U0001F600\u0130", "q": "it's \"q\" \\", "digits": "42", "csv": "a,b,,c", "n": 7, "z": 0, "neg": -3, "f": 2.5, "big": 12345678901234567890,
    "yes": True, "no": False, "none_value": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "el": [], "mixed": [1, "a", None, 2.0, [1]], "deep": [[1, 2], [3], []],
    "m": {"b": 1, "a": {"x": [1.5, None, True]}, "items": 7}, "em": {}, "rows": [{"t": "x", "n": 1}, {"t": "y", "n": 2}, {"t": "x", "n": 3}],
}
NAMES = list(VALUES) + ["missing"]
LITERALS = ["1", "0", "-1", "2", "3.5", "''", "'a'", "'l'", "' '", "','", "'Hello'", "\"it's\"", "'\\n'", "true", "false", "none", "[]", "[1, 2]", "['a', 'b']", "{}", "{'k': 'v'}", "(1, 'x')", "()", "(2,)", "'%s'", "'{} {}'", "'\u00e9'"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "and", "or"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "odd", "even", "callable", "lower", "upper",
         "divisibleby(2)", "in([1, 'a'])", "eq(1)", "ne('a')", "gt(1)", "lt(2)", "ge(0)", "le(3)", "sameas(none)", "escaped", "filter", "test", "equalto 1"]
FILTERS = ["abs", "attr('real')", "batch(2)", "batch(2, 'x')", "capitalize", "center(9)", "count", "d", "d('x')", "default('x', true)", "default('x', boolean=true)", "dictsort", "dictsort(reverse=true)", "dictsort(by='value')",
           "e", "escape", "first", "last", "float", "float(1.5)", "forceescape", "format(1)", "format('a', 2)", "groupby('t')", "indent", "indent(2, true)", "indent('>', blank=true)", "int", "int(7)", "int(base=16)", "items", "join", "join(',')", "join('-', attribute='t')",
           "length", "list", "lower", "map('upper')", "map(attribute='t')", "map(attribute='n', default=0)", "map('length')", "max", "min", "max(attribute='n')", "reject", "reject('odd')", "rejectattr('t')", "rejectattr('n', 'gt', 1)",
           "replace('l', 'L')", "replace('', '-')", "replace('o', '', 1)", "reverse", "round", "round(1)", "round(0, 'floor')", "round(method='ceil')", "safe", "select", "select('string')", "selectattr('t', 'equalto', 'x')", "slice(2)", "slice(2, 'x')", "sort", "sort(reverse=true)",
           "sort(attribute='n')", "sort(case_sensitive=true)", "sort(attribute='t,n')", "string", "striptags", "sum", "sum(attribute='n')", "sum(start=1)", "title", "tojson", "tojson(indent=2)", "tojson(sort_keys=true)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "trim", "trim('H d')", "truncate(8)", "truncate(8, true, '..')",
           "unique", "upper", "urlencode", "wordcount", "wordwrap(5)", "xmlattr", "nosuch"]
METHODS = {
    "text": ["strip()", "strip('Hd')", "lstrip()", "rstrip('\\n ')", "split()", "split(',')", "split(none, 1)", "split('l', 1)", "split(sep=',', maxsplit=1)", "rsplit()", "rsplit(',', 1)", "rsplit(none, 1)", "splitlines()", "splitlines(true)", "startswith('H')", "startswith(('x', 'H'))", "endswith('d')", "endswith(())",
             "replace('l', 'L')", "replace('l', 'L', 1)", "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "find('l')", "find('l', 3)", "rfind('l')", "index('o')", "index('zz')", "count('l')", "count('')", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()", "isascii()", "isidentifier()", "isprintable()",
             "zfill(5)", "center(9)", "center(9, '*')", "ljust(9)", "rjust(9, '.')", "partition(',')", "rpartition('l')", "removeprefix('He')", "removesuffix('d')", "expandtabs()", "format(1, 2)", "format('x', 'y', k=1)", "join(['a', 'b'])", "join(w)", "join('xy')", "encode()", "__class__", "length", "translate({})"],
    "list": ["index(1)", "index(9)", "count(1)", "append(1)", "pop()", "copy()", "sort()", "reverse()", "0", "1", "first", "length", "items"],
    "map": ["items()", "keys()", "values()", "get('b')", "get('zz')", "get('zz', 5)", "get('a').x", "pop('b')", "update({})", "copy()", "items", "b", "a.x", "zz", "setdefault('b')", "__len__", "fromkeys([1])"],
    "number": ["real", "imag", "numerator", "is_integer()", "bit_length()", "x", "conjugate()"],
}
SUBSCRIPTS = ["[0]", "[-1]", "[1]", "[99]", "['b']", "['items']", "['zz']", "[1:]", "[:-1]", "[::2]", "[::-1]", "[-2:]", "[:0]", "[5:2]", "[none:2]", "[true]", "[1.0]", "[n]", "['x':]"]
FORMATS = ["%s", "%d", "%5s|", "%-5s|", "%05d", "%.2f", "%x", "%r", "%%", "%c", "%i", "%(k)s", "%e", "%g", "%+d", "%s %s", "%"]
STYLES = ["{}", "{0}", "{k}", "{:>5}", "{:<5}|", "{:^5}", "{:05d}", "{:.2f}", "{:,}", "{!r}", "{0[0]}", "{k.x}", "{{}}", "{", "}", "{:x}", "{:*^7}", "{:d}", "{:s}", "{:+}", "{:.1%}", "{0}{1}", "{}{0}", "{:e}"]
CALLS = ["range({})", "range({}, {})", "range(1, {}, 2)", "range(5, 0, {})", "dict(a={})", "dict({}, b=1)", "namespace(a={}).a", "cycler({}, {}).next()", "joiner({})()", "lipsum()", "raise_exception({})", "strftime_now('%Y-%m-%d %H:%M:%S %j %B %a')", "dict.fromkeys({})"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, items):
        return self.r.choice(items)

    def atom(self):
        return self.pick(NAMES) if self.r.random() < 0.65 else self.pick(LITERALS)

    def expression(self, depth):
        kind = self.r.random()
        if depth <= 0 or kind < 0.1:
            return self.atom()
        inner = self.expression(depth - 1)
        if kind < 0.38:
            return f"{self.wrap(inner)} | {self.pick(FILTERS)}"
        if kind < 0.55:
            return f"{self.wrap(inner)}.{self.pick(METHODS[self.pick(list(METHODS))])}"
        if kind < 0.63:
            return f"{self.wrap(inner)}{self.pick(SUBSCRIPTS)}"
        if kind < 0.80:
            return f"{self.wrap(inner)} {self.pick(BINARY)} {self.wrap(self.expression(depth - 1))}"
        if kind < 0.88:
            return f"{self.wrap(inner)} is {self.pick(['', 'not '])}{self.pick(TESTS)}"
        if kind < 0.91:
            return f"{self.pick(['not ', '-', '+'])}{self.wrap(inner)}"
        if kind < 0.94:
            return f"{self.wrap(inner)} if {self.expression(depth - 1)}" + self.pick(["", f" else {self.atom()}"])
        if kind < 0.96:
            return f"'{self.pick(FORMATS)}' % {self.wrap(inner)}"
        if kind < 0.98:
            return f"'{self.pick(STYLES)}'.format({inner}, {self.atom()})"
        call = self.pick(CALLS)
        return call.replace("{}", "\0").replace("\0", inner, 1).replace("\0", self.atom())

    def wrap(self, e):
        return e if e.replace("_", "a").isalnum() else f"({e})"

    def space(self):
        return self.pick(["", "", " ", "\n", "  \n  ", "x", "\n\ny "])

    def tag(self, inside):
        return "{%" + self.pick(["", "", "-", "+"]) + f" {inside} " + self.pick(["", "", "-", "+"]) + "%}"

    def body(self, depth):
        return "".join(self.space() + self.statement(depth) for _ in range(self.r.randint(1, 3))) + self.space()

    def statement(self, depth):
        kind = self.r.random()
        small = lambda: self.expression(self.r.randint(0, 1))
        if depth <= 0 or kind < 0.3:
            return "{{" + self.pick(["", "-", "+"]) + f" {self.pick([small(), 'x', 'y', 'loop.index', 'ns.a', 'loop.last', 'loop.previtem'])} " + self.pick(["", "-"]) + "}}"
        if kind < 0.45:
            return self.tag(f"set {self.pick(['x', 'y', 'ns.a', 'x, y', 's'])} = {small()}")
        if kind < 0.6:
            middle = self.pick(["", self.tag("else") + self.body(depth - 1), self.tag(f"elif {small()}") + self.body(depth - 1)])
            return self.tag(f"if {small()}") + self.body(depth - 1) + middle + self.tag("endif")
        if kind < 0.78:
            jump = self.pick(["", "", self.tag(f"if {small()}") + self.tag(self.pick(["break", "continue"])) + self.tag("endif")])
            condition = self.pick(["", "", f" if {self.pick(['x', 'y', 'x != 1', 'loop'])}"])
            target = self.pick(["x", "x", "y", "x, y"])
            items = self.pick(["l", "w", "m", "m.items()", "rows", "deep", "s", "range(3)", "l | select('odd')", small()])
            return self.tag(f"for {target} in {items}{condition}") + self.body(depth - 1) + jump + self.pick(["", self.tag("else") + self.body(depth - 1)]) + self.tag("endfor")
        if kind < 0.84:
            name = self.pick(["f", "g"])
            use = self.pick([f"{name}()", f"{name}(1)", f"{name}(y=2)", f"{name}(s, 3)", f"{name}(1, 2, 3)", f"{name}(z=1)"])
            return self.tag(f"macro {name}(x, y={self.atom()})") + self.body(depth - 1) + self.pick(["", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}"]) + self.tag("endmacro") + "{{ " + use + " }}"
        if kind < 0.88:
            return self.tag(f"set {self.pick(['x', 'y'])}{self.pick(['', ' | upper', ' | trim | length'])}") + self.body(depth - 1) + self.tag("endset")
        if kind < 0.91:
            return self.tag(f"filter {self.pick(['upper', 'trim', 'replace(1, 2)', 'indent(2)'])}") + self.body(depth - 1) + self.tag("endfilter")
        if kind < 0.94:
            return self.tag(f"with x = {small()}, y = x") + self.body(depth - 1) + self.tag("endwith")
        if kind < 0.96:
            return self.tag("call f(1)") + self.body(depth - 1) + self.tag("endcall")
        if kind < 0.98:
            return "{#" + self.pick(["", "-", "+"]) + " c " + self.pick(["", "-"]) + "#}"
        return self.tag("raw") + "{{ x }} {% if %}" + self.tag("endraw")

    def template(self):
        if self.r.random() < 0.6:
            return "{{ " + self.expression(self.r.randint(1, 3)) + " }}"
        return "{% set ns = namespace(a=1) %}" + self.body(3)


def main():
    path, n, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))  # a text times a number is refused by both
    warnings.simplefilter("ignore")
    g = Generator(seed)
    refused = 0
    with open(path, "w") as f:
        for _ in range(n):
            source = g.template()
            text, error = render(source, copy.deepcopy(VALUES))
            refused += text is None
            row = {"template": source, "values": VALUES, **({"error": error} if text is None else {"expect": text})}
            if text is not None and (" at 0x" in text or "<class " in text or "<Macro" in text or len(text) > 100000):
                continue
            f.write(json.dumps(row) + "\n")
    print(n, "templates,", refused, "refused")


main()

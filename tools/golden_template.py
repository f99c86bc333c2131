#!/usr/bin/env python3
"""Makes the goldens of tests/text/t_template.c and t_template_models.c with Jinja2 as transformers sets it up
(jinja_reference.py).

    python tools/golden_template.py TEMPLATES_DIR [SMOLLM2.gguf] [--rows FILE]

golden_template.jsonl: small templates with their output, one feature each.
golden_template_chats.json: the values of those, and the conversations of template_chats.py.
golden_template_models.jsonl: for each model's template the first 16 hexadecimal digits of the SHA-256 of each
conversation's text, in order of the conversations, "" where Jinja refuses; and some texts in full.
--rows: into FILE every template over every conversation, set of variables and end, whole texts: a row is
{"file", "chat", "values", "expect"}, or "error" with the reason instead of "expect".
Needs jinja2 (and gguf for SmolLM2's)."""
import argparse
import hashlib
import json
import pathlib

from jinja_reference import render
from template_chats import BASE, CHATS, matrix

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "text"

VALUES = {
    "name": "Ann <b>", "items": [3, 1, 2], "words": ["b", "A", "c", "a"], "none_value": None, "yes": True,
    "map": {"b": 1, "a": {"x": [1.5, None, True]}, "items": 7}, "text": "  two\n lines\u00e9 \n", "empty": "",
    "list": [{"t": "x", "n": 1}, {"t": "y", "n": 2}, {"n": 3}], "big": 12345678901234, "pi": 3.25, "tiny": 1e-7,
    "special": "<|im_start|>", "quote": "it's \"q\" \\ \n",
}
CASES = [
    # white space
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a {%- if true -%} b {%- endif %} c", "{{ 1 }}\n{{ 2 }}\n\n",
    "x\r\ny\rz\n", "  {#- c -#}  z", "  {# c #}\nz", "a\n  {%+ if true %}b{% endif %}", "{% if true +%}\nb{% endif %}",
    "  {{ 1 }}  {{- 2 -}}  3", "{% set x = 1 %}  {% set y = 2 %}\nz", "\t{% set x = 1 %}\t{% set y = 2 %}q",
    "{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}\n\n", "{{ '{{' }}{{ \"%}\" }}{{ {'a': {}} }}", "a { b {z} }} %} #}",
    # literals and operators
    "{{ 1 + 2 * 3 - 4 // 3 }} {{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.0 // 2 }}",
    "{{ 'a' 'b' ~ 1 ~ none ~ 2.50 ~ true }} {{ 'a' * 3 }} {{ [1] * 2 + [3] }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ none == undefined_x }}",
    "{{ not true or false and x.y }} {{ 1 and 2 }} {{ 0 or 'x' }} {{ not 1 in [1] }} {{ 3 not in items }}",
    "{{ 'a' if yes }}|{{ 'a' if not yes }}|{{ 'a' if not yes else 'b' if yes else 'c' }}",
    "{{ (1, 2) }} {{ (1,) }} {{ () }} {{ [1, 'a', none, true, 1.0] }} {{ {'a': 1, 'b': [2]} }}",
    "{{ 1e3 }}", "{{ 'x\\ty\\u00e9\\x41\\'\\\\' }}", "{{ \"a\\nb\" }}", "{{ 'a\\qb' }}", "{{ 10 // 0 }}", "{{ 1.5e }}",
    "{{ 1.0 }} {{ 0.1 + 0.2 }} {{ 1e16 }} {{ 100000000000000000.0 }} {{ 0.00001 }} {{ tiny }} {{ pi }} {{ big }}",
    # names, attributes, items, slices
    "{{ nothing }}|{{ nothing is defined }}|{{ map.nothing }}|{{ map['a'].x[0] }}|{{ map.a['x'][-1] }}",
    "{{ nothing.x }}", "{{ map.nothing.x }}", "{{ none_value.x }}|", "{{ nothing + 'a' }}", "{{ nothing ~ 'a' }}", "{{ map.items is defined }}{{ map['items'] }}",
    "{{ items[1:] }} {{ items[:-1] }} {{ items[::-1] }} {{ items[::2] }} {{ items[5:] }} {{ name[1:3] }} {{ name[::-1] }} {{ items[-2:] }}",
    "{{ name[0] }}{{ name[-1] }}{{ name[99] }}|{{ items[99] }}|{{ 'h\u00e9llo'[1] }}", "{{ items.0 }} {{ map.get('b') }} {{ map.get('z') }} {{ map.get('z', 5) }}",
    # statements
    "{% for x in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }},{% endfor %}",
    "{% for x in items if x > 1 %}{{ loop.index }}:{{ x }}{{ loop.previtem }}{{ loop.nextitem }} {% else %}none{% endfor %}",
    "{% for x in [] %}a{% else %}b{% endfor %}{% for x in nothing %}a{% else %}c{% endfor %}", "{% for x in 5 %}{% endfor %}",
    "{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}{% for k in map %}{{ k }}{% endfor %}{% for c in 'h\u00e9' %}{{ c }},{% endfor %}",
    "{% set x = 1 %}{% for i in items %}{{ x }}{% set x = x + 1 %}{{ x }} {% endfor %}{{ x }}",
    "{% set ns = namespace(n=0, found=false) %}{% for i in items %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.found }}{{ ns.zz }}",
    "{% for i in items %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% if i == 2 %}{% break %}{% endif %}{% endfor %}.",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}", "{% set x %}a{{ 1 }}b{% endset %}[{{ x }}]", "{% set x | upper | trim %} ab {% endset %}[{{ x }}]",
    "{% macro m(a, b=2, c) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m('x', 'y', 'z') }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% set x = 'o' %}{% macro m() %}{{ x }}{% set x = 'i' %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% filter upper %}a{{ name }}{% endfilter %}", "{% generation %}g{{ name }}{% endgeneration %}", "{% if false %}a{% elif nothing %}b{% elif yes %}c{% else %}d{% endif %}",
    "{% for a in [1,2] %}{% for b in [1,2] %}{{ loop.index }}{{ a }}{{ b }} {% endfor %}{{ loop.index }}{% endfor %}",
    # filters
    "{{ text | trim }}|{{ name | upper }}{{ name | lower }}{{ 'hELLO wORLD' | capitalize }}{{ name | length }}{{ items | count }}",
    "{{ nothing | default('d') }}{{ empty | default('d') }}{{ empty | default('d', true) }}{{ none_value | default('d') }}{{ nothing | d }}",
    "{{ items | join(', ') }}{{ words | join }}{{ list | join('-', attribute='n') }}", "{{ items | first }}{{ items | last }}{{ [] | first }}{{ 'abc' | first }}",
    "{{ map | tojson }}{{ quote | tojson }}{{ tiny | tojson }}{{ '\u00e9\u2028<&' | tojson }}{{ [] | tojson }}{{ {} | tojson(indent=2) }}",
    "{{ map | tojson(indent=2) }}", "{{ map | tojson(sort_keys=true, separators=(',', ':')) }}{{ '\u00e9\U0001F600' | tojson(ensure_ascii=true) }}", "{{ nothing | tojson }}",
    "{{ items | sort }}{{ words | sort }}{{ words | sort(case_sensitive=true) }}{{ items | sort(reverse=true) }}{{ list | sort(attribute='n', reverse=true) }}",
    "{{ map | dictsort }}{{ map | items | list }}{{ map.keys() | list }}{{ words | unique | list }}{{ items | reverse | list }}",
    "{{ list | selectattr('t') | list }}{{ list | selectattr('t', 'equalto', 'x') | list }}{{ list | rejectattr('t', 'defined') | list }}",
    "{{ items | select('>', 1) | list }}{{ items | reject('odd') | list }}{{ list | map(attribute='n') | list }}{{ words | map('upper') | join }}{{ list | map(attribute='t', default='?') | list }}",
    "{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent('>', blank=true) }}|{{ 'a\n' | indent }}|", "{{ 'aXbX' | replace('X', 'y') }}{{ 'aXbX' | replace('X', 'y', 1) }}",
    "{{ '3' | int + 1 }}{{ 'x' | int }}{{ '2.5' | float }}{{ 3.9 | int }}{{ -3 | abs }}{{ items | string }}{{ name | list }}", "{{ name | safe + '<' }}|{{ '<' + name | safe }}|{{ name | e }}",
    "{{ quote }}|{{ [quote] }}|{{ ['it\\'s', 'a\"b', '\u00e9', '\x07', '\\n'] }}",
    # tests
    "{{ name is string }}{{ items is string }}{{ map is mapping }}{{ items is sequence }}{{ map is iterable }}{{ 1 is number }}{{ true is boolean }}{{ none is none }}",
    "{{ 1 is odd }}{{ 2 is even }}{{ 9 is divisibleby 3 }}{{ 1 is integer }}{{ 1.0 is float }}{{ yes is true }}{{ yes is not false }}{{ 1 is in items }}{{ 'a' is lower }}{{ 1 is eq 1 }}{{ true is integer }}{{ nothing is iterable }}",
    # methods
    "{{ '  a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xxaxx'.lstrip('x') }}|{{ 'a\\n'.rstrip() }}|{{ 'a.b.c'.split('.') }}|{{ ' a  b '.split() }}|{{ 'a.b.c'.split('.', 1) }}|{{ 'a b c'.split(none, 1) }}",
    "{{ 'abc'.startswith('a') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.replace('b', '') }}{{ 'abc'.upper() }}{{ 'a{}b{}'.format(1, 'x') }}{{ '{0}{1}{0}{n}{{}}'.format(1, 2, n=3) }}{{ ','.join(['a', 'b']) }}",
    "{{ 'abcabc'.find('c') }}{{ 'abcabc'.rfind('c') }}{{ 'abc'.find('z') }}{{ 'aXa'.count('a') }}{{ 'ab cd'.title() }}{{ 'a\\nb\\r\\nc'.splitlines() }}{{ 'abc'.removeprefix('a') }}", "{{ ''.split(',') }}{{ ''.split() }}{{ 'abc'.replace('', '-') }}",
    "{{ items.append(1) }}",
    # functions
    "{{ range(3) | list }}{{ range(1, 7, 2) | list }}{{ range(3, 0, -1) | list }}{% for i in range(2) %}{{ i }}{% endfor %}", "{{ raise_exception('no') }}", "{{ strftime_now('%Y-%m-%d %B %d %H:%M') }}", "{{ dict(a=1) }}",
    "{{ none_value | selectattr('x') | list }}{{ 0 | map('upper') | list }}", "{% macro m(a, b=2, c=3) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=4) }}{{ m() }}",
    "{{ 1.5e-3 }} {{ 1E3 }} {{ 2e2 | int }}",
    # streams, views, ranges
    "{% set s = items | select('odd') %}{{ s | first }}|{{ s | list }}|{{ s | list }}|{{ s is sequence }}{{ s is iterable }}", "{{ items | select | tojson }}", "{{ map.items() | tojson }}", "{{ items | map('string') | length }}", "{{ map.keys() }}{{ map.values() }}{{ map.items() | length }}{{ map.items() is sequence }}{{ map.keys()[0] }}|",
    "{% set s = items | map('upper') %}{% for x in s %}{{ x }}{% endfor %}{% for x in s %}{{ x }}{% endfor %}|{{ 3 in (items | select) }}", "{{ range(3)[1] }}{{ range(5)[1:3] | list }}{{ range(3) is sequence }}{{ range(3) | tojson }}", "{% set s = 5 | map('upper') %}ok", "{{ 5 | map('upper') | list }}", "{{ range(100001) | length }}", "{{ items | reverse | tojson }}",
    # more filters
    "{{ [1, 2, 3, 4, 5] | batch(2, 0) | list }}{{ [1, 2, 3, 4, 5] | slice(2) | list }}{{ [1, 2, 3] | sum }}{{ list | sum(attribute='n') }}{{ words | max }}{{ words | min }}{{ [] | max }}", "{% for g in list | groupby('t', default='-') %}{{ g.grouper }}:{{ g.list | length }}{{ g[0] }} {% endfor %}", "{{ 2.5 | round }}{{ 2.567 | round(2) }}{{ 7 | round }}{{ 2.1 | round(0, 'ceil') }}{{ 2.9 | round(method='floor') }}",
    "{{ 'a longer text here' | truncate(9) }}|{{ 'a longer text here' | truncate(9, true) }}|{{ 'short' | truncate(3) }}|{{ 'one two-three (four' | title }}{{ 'one two_three 4' | wordcount }}{{ 'ab' | center(6) }}|{{ '<a>' | forceescape }}", "{{ '%s %d' | format('a', 3) }}{{ list | sort(attribute='t,n') }}", "{{ name | trim | attr('upper') is callable }}{{ map | attr('b') }}|", "{{ name | upper(1) }}", "{{ name | default(nothing='x') }}", "{{ name | indent(width=2, width=3) }}",
    # formats
    "{{ '%s|%5s|%-5s|%r|%d|%05d|%+d|%x|%.2f|%e|%g|%%' % ('a', 'b', 'c', 'd', 3.9, 42, 5, 255, 2.345, 12345.678, 0.00001) }}{{ '%(a)s' % {'a': 1} }}{{ '%s' % none }}{{ '%s' % [1] }}", "{{ '%s %s' % 1 }}", "{{ '%d' % 'a' }}", "{{ 'a' % 1 }}", "{{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{!r}|{:x}|{:+}|{:*^7}|{:.1%}'.format('a', 'b', 'c', 42, 2.345, 1234567, 'q', 255, 5, 'm', 0.256) }}", "{{ '{0[0]}{k.x}{a}'.format([7], k={'x': 8}, a=9) }}", "{{ '{}{0}'.format(1) }}", "{{ '{:d}'.format('a') }}", "{{ '{' }}{{ '{'.format() }}",
    # more methods
    "{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a  b '.rsplit() }}{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'abc'.partition('x') }}{{ '7'.zfill(3) }}{{ '-7'.zfill(4) }}{{ 'a'.center(4, '*') }}{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3) }}|{{ 'a\nb\n'.splitlines(true) }}", "{{ 'abc'.index('c') }}{{ 'abc'.index('z') }}", "{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ ''.isdigit() }}{{ 'Ab'.isupper() }}{{ 'ab1'.islower() }}{{ ' '.isspace() }}{{ 'é'.isascii() }}{{ 'abc'.count('') }}", "{{ items.index(1) }}{{ items.count(3) }}{{ items.append is defined }}{{ map.pop is defined }}{{ items.copy() }}", "{{ map.pop('b') }}", "{{ 'straße ΣΣ İ'.upper() }}{{ 'ΟΣ ΣΑ'.lower() }}{{ 'İ'.lower() }}{{ 'ßx'.capitalize() }}{{ 'ǆa'.title() }}", "{{ (5).real }}{{ true.imag }}{{ 1.5.real }}",
    # more statements
    "{% raw %}{{ x }}{% if %}{% endraw %}\n{%- raw -%}  a  {%- endraw -%} b", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}|", "{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% macro m(x) %}[{{ caller(x) }}]{% endmacro %}{% call(y) m(3) %}({{ y }}){% endcall %}{% macro n() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ n(1, 2, a=3) }}", "{% macro m() %}a{% endmacro %}{% call m() %}b{% endcall %}",
    "{% for x in [1, [2, [3]]] recursive %}{{ loop.depth }}{% if x is number %}{{ x }}{% else %}({{ loop(x) }}){% endif %}{% endfor %}", "{% for x in [1, 1, 2] %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}{{ loop.depth }} {% endfor %}", "{% set ns = namespace(stop=false) %}{% for x in [1, 2, 3] if not ns.stop %}{{ x }}{% if x == 2 %}{% set ns.stop = true %}{% endif %}{% endfor %}", "{% for x in [1, 2, 3] if x != 2 %}{{ loop.last }}{{ loop.length }}{{ loop.nextitem }}{% endfor %}", "{% for x in [1] %}{% break %}{% else %}e{% endfor %}{% for x in [1] %}{% else %}f{% endfor %}",
    "{% for (a, b), c in [[[1, 2], 3]] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}", "{% set j = joiner('; ') %}{{ j() }}a{{ j() }}b{% set c = cycler('x', 'y') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}", "{% if 1 if 2 %}{% endif %}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{{ dict({'a': 1}, b=2) }}{{ namespace({'a': 1}).a }}", "{{ namespace(_a=1) }}",
    "{{ 12345678901234567890 }}{{ [98765432109876543210] | tojson }}{{ 12345678901234567890 > 1 }}{{ 1_000 }}", "{{ {1: 'a', 'b': 2, none: 3, true: 4, 1.5: 5} | tojson }}", "{{ {'a': 1}[[1]] }}|{{ [1] in {'a': 1} }}", "{{ [2] < [10] }}{{ (1, 'a') < (1, 'b') }}{{ [1] == (1,) }}", "{{ nothing | int }}", "{{ '+5' | int }}{{ '1_0' | int }}{{ ' 7 ' | int }}{{ 1e300 * 1e300 }}{{ '1e2' | float }}{{ +true }}",
    # refused
    "{{ 1 +", "{% if %}", "{% endif %}", "{% if true %}", "{{ 'a }}", "{% foo %}", "{{ 1 | foo }}", "{{ 1 is foo }}", "{{ f() }}", "{{ 1 2 }}", "{# open", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}", "{% break %}",
]

WHOLE = [("Qwen-Qwen3-0.6B.jinja", "calls_turns"), ("meta-llama-Llama-3.2-3B-Instruct.jinja", "tools_many"),
         ("openai-gpt-oss-120b.jinja", "tools_odd"), ("HuggingFaceTB-SmolLM3-3B.jinja", "calls"),
         ("google-gemma-2-2b-it.jinja", "unicode"), ("ibm-granite-granite-3.3-2B-Instruct.jinja", "documents_tools")]


def put_lines(path, rows):
    with open(path, "w") as f:
        f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)


def digest(text):
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("templates", type=pathlib.Path)
    arguments.add_argument("gguf", nargs="?")
    arguments.add_argument("--rows")
    options = arguments.parse_args()
    sources = {p.name: p.read_bytes().decode() for p in sorted(options.templates.glob("*.jinja"))}
    if options.rows:
        rows = []
        for file, source in sources.items():
            for name, values in matrix():
                text, error = render(source, {**BASE, **values})
                row = {"file": file, "chat": name, "values": values}
                rows.append({**row, "error": error} if text is None else {**row, "expect": text})
        put_lines(options.rows, rows)
        print(len(rows), "rows,", sum("error" in r for r in rows), "refused")
        return
    ROOT.mkdir(parents=True, exist_ok=True)
    cases = [{"template": t, "expect": render(t, VALUES)[0]} for t in CASES]
    if options.gguf:
        from gguf import GGUFReader
        source = GGUFReader(options.gguf).fields["tokenizer.chat_template"].contents()
        cases += [{"template": source, "chat": n, "expect": render(source, {**BASE, **c})[0]} for n, c in list(CHATS.items())[:8]]
    put_lines(ROOT / "golden_template.jsonl", cases)
    with open(ROOT / "golden_template_chats.json", "w") as f:
        json.dump({"values": VALUES, "trusted": BASE, "chats": CHATS}, f, ensure_ascii=False)
        f.write("\n")
    models = [{"file": file, "sha256": [digest(render(source, {**BASE, **c})[0]) for c in CHATS.values()]} for file, source in sources.items()]
    models += [{"file": file, "chat": chat, "expect": render(sources[file], {**BASE, **CHATS[chat]})[0]} for file, chat in WHOLE]
    put_lines(ROOT / "golden_template_models.jsonl", models)
    print(len(cases), "cases,", len(sources), "templates,", len(sources) * len(CHATS), "renderings,",
          sum(d == "" for m in models for d in m.get("sha256", [])), "refused")


main()

#!/usr/bin/env python3
"""Makes tests/text/golden_template.jsonl and golden_template_models.jsonl with Jinja2, configured as
transformers' apply_chat_template configures it (5.23, utils/chat_template_utils.py).

    python tools/golden_template.py TEMPLATES_DIR [SMOLLM2.gguf]

golden_template.jsonl: small templates with their output, one feature each.
golden_template_models.jsonl: SHA-256 of each model's template over the conversations in
golden_template_chats.json; {"error": true} where Jinja refuses. Needs jinja2 (and gguf for the last)."""
import datetime
import hashlib
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "text"
NOW = datetime.datetime(2026, 11, 23, 20, 45, 51)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_run"), [], [], body).set_lineno(line)

    def _run(self, caller):
        return caller()


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(source, values):
    try:
        return environment().from_string(source).render(**values)
    except Exception:  # whatever it is, the template is refused
        return None


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
    # refused
    "{{ 1 +", "{% if %}", "{% endif %}", "{% if true %}", "{{ 'a }}", "{% foo %}", "{{ 1 | foo }}", "{{ 1 is foo }}", "{{ f() }}", "{{ 1 2 }}", "{# open", "{{ 'a' + 1 }}", "{{ 1 < 'a' }}", "{% break %}",
]

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather of a <city>.\nSecond line.", "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Which city"}, "unit": {"type": "string", "enum": ["C", "F"], "default": "C"}, "days": {"type": ["integer", "null"]}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "stop", "description": "Stops", "parameters": {"type": "object", "properties": {}}}},
]


def call(arguments):
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}]}


RESULT = {"role": "tool", "tool_call_id": "call00001", "name": "get_weather", "content": "{\"temp\": 20.5}"}
BASE = {"bos_token": "<s>", "eos_token": "</s>"}
CHATS = {
    "plain": {"messages": [{"role": "user", "content": "Hello <|im_start|> there"}], "add_generation_prompt": True},
    "system": {"messages": [{"role": "system", "content": "Be \"brief\" & kind.\n"}, {"role": "user", "content": "  Gr\u00fc\u00dfe\n\nb  "}, {"role": "assistant", "content": "Hi\n"}, {"role": "user", "content": "\U0001F600?"}], "add_generation_prompt": True},
    "closed": {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "add_generation_prompt": False},
    "thinking": {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nA", "reasoning_content": "hm"}, {"role": "user", "content": "Q2"}], "add_generation_prompt": True, "enable_thinking": False, "thinking": False},
    "tools": {"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Weather?"}], "tools": TOOLS, "add_generation_prompt": True},
    "calls": {"messages": [{"role": "user", "content": "Weather?"}, call({"city": "K\u00f6ln", "days": 2, "tags": ["a"], "x": None, "y": True}), RESULT, {"role": "assistant", "content": "20.5"}, {"role": "user", "content": "Thanks"}], "tools": TOOLS, "add_generation_prompt": True},
    "calls_text": {"messages": [{"role": "user", "content": "Weather?"}, call("{\"city\": \"Paris\"}"), RESULT], "tools": TOOLS, "add_generation_prompt": True},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}]}], "add_generation_prompt": True},
}


def put_lines(name, rows):
    (ROOT / name).write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))


def main():
    ROOT.mkdir(parents=True, exist_ok=True)
    rows = [{"template": t, "expect": render(t, VALUES)} for t in CASES]
    if len(sys.argv) > 2:
        from gguf import GGUFReader
        source = GGUFReader(sys.argv[2]).fields["tokenizer.chat_template"].contents()
        rows += [{"template": source, "chat": n, "expect": render(source, {**BASE, **c})} for n, c in CHATS.items()]
    put_lines("golden_template.jsonl", rows)
    chats = {"values": VALUES, "trusted": BASE, "chats": CHATS}
    (ROOT / "golden_template_chats.json").write_text(json.dumps(chats, ensure_ascii=False, indent=1) + "\n")
    models = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        for name, chat in CHATS.items():
            out = render(path.read_bytes().decode(), {**BASE, **chat})
            row = {"file": path.name, "chat": name}
            if out is None:
                row["error"] = True
            else:
                row.update(bytes=len(out.encode()), sha256=hashlib.sha256(out.encode()).hexdigest())
            models.append(row)
    put_lines("golden_template_models.jsonl", models)
    print(len(rows), "cases,", len(models), "renderings,", sum("error" in m for m in models), "refused")


main()

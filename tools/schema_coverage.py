#!/usr/bin/env python3
"""What of JSON Schema's own suite is held, keyword by keyword: the table of docs/structured.md.

  schema_coverage.py SUITE BINARY              prints the table of our side
  schema_coverage.py SUITE BINARY --peers      with llguidance and xgrammar beside (pip install llguidance xgrammar)
  schema_coverage.py SUITE BINARY --write FILE [--peers]    puts it between FILE's marks
  schema_coverage.py SUITE BINARY --check FILE              fails unless FILE's columns of our side are these, or one of ours is wrong

SUITE is the folder with tests/draft7 and tests/draft2020-12, BINARY build/tests/grammar/t_grammar_suite. A schema is accepted or refused. Of an
accepted one each instance is tried in every order of its members (up to 720), a whole number without fraction: a valid one that no order
writes is missed, an invalid one that some order writes is let through. The peers get single bytes as their vocabulary.
"""
import argparse
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ORDERS, MARKS = 720, ("<!-- schema_coverage.py: begin -->", "<!-- schema_coverage.py: end -->")
DRAFTS = {"draft7": "7", "draft2020-12": "2020-12"}


def cases(suite):
    """(keyword, draft, schema, instances, which are valid)"""
    for draft in DRAFTS:
        for path in sorted((pathlib.Path(suite) / "tests" / draft).glob("*.json")):
            for item in json.loads(path.read_text(encoding="utf-8")):
                schema = item["schema"]
                if draft == "draft7" and isinstance(schema, dict) and "$schema" not in schema:
                    schema = {**schema, "$schema": "http://json-schema.org/draft-07/schema#"}
                yield path.stem, draft, schema, [t["data"] for t in item["tests"]], [t["valid"] for t in item["tests"]]


# ---- sides: for each case (refused or None, [whether each instance is written]) ----

def ours(all_cases, binary):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        for _, _, schema, instances, _ in all_cases:
            print(json.dumps({"schema": schema, "instances": instances}), file=f)
        f.flush()
        out = subprocess.run([binary, f.name], check=True, capture_output=True, text=True).stdout
    answers = [json.loads(line) for line in out.splitlines()]
    return [(a.get("refused"), a.get("written")) for a in answers]


def texts(value):
    """The value as JSON, its members in every order."""
    if isinstance(value, list):
        for parts in itertools.product(*[list(itertools.islice(texts(v), ORDERS)) for v in value]):
            yield "[" + ",".join(parts) + "]"
    elif isinstance(value, dict):
        pairs = [[f"{json.dumps(k, ensure_ascii=False)}:{t}" for t in itertools.islice(texts(v), ORDERS)] for k, v in value.items()]
        for order in itertools.permutations(pairs):
            for parts in itertools.product(*order):
                yield "{" + ",".join(parts) + "}"
    elif isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        yield str(int(value))
    else:
        yield json.dumps(value, ensure_ascii=False)


def llguidance_side():
    from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

    class Bytes:
        eos_token_id, bos_token_id, tokens, special_token_ids = 256, None, [bytes([b]) for b in range(256)] + [b"<end>"], [256]

        def __call__(self, text):
            return list(text if isinstance(text, bytes) else text.encode())

    tokenizer = LLTokenizer(TokenizerWrapper(Bytes()), n_vocab=257, eos_token=256, slices=[])

    def open_one(schema):
        m = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(json.dumps(schema)), log_level=0)
        if m.is_error():
            raise ValueError(m.get_error())
        def written(text):
            m.reset()
            ids = list(text.encode())
            return m.validate_tokens(ids) == len(ids) and m.consume_tokens(ids) and m.is_accepting()
        return written
    return open_one


def xgrammar_side():
    import xgrammar
    info = xgrammar.TokenizerInfo([bytes([b]) for b in range(256)] + [b"<end>"], vocab_size=257, stop_token_ids=[256])
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)

    def open_one(schema):
        # anything but the named members too, as the specification has it
        matcher = xgrammar.GrammarMatcher(compiler.compile_json_schema(json.dumps(schema), strict_mode=False))
        def written(text):
            matcher.reset()
            return matcher.accept_string(text) and matcher.accept_token(256)
        return written
    return open_one


def peer(name):
    """In its own process: one that ends badly costs one file of the suite."""
    open_one = {"llguidance": llguidance_side, "xgrammar": xgrammar_side}[name]()
    for line in sys.stdin:
        case = json.loads(line)
        try:
            written = open_one(case["schema"])
            answer = [any(written(t) for t in itertools.islice(texts(v), ORDERS)) for v in case["instances"]]
            print(json.dumps([None, answer]), flush=True)
        except Exception as e:
            print(json.dumps([str(e)[:300] or "error", None]), flush=True)


def theirs(all_cases, name):
    answers, at = [], 0
    while at < len(all_cases):
        lines = "".join(json.dumps({"schema": c[2], "instances": c[3]}) + "\n" for c in all_cases[at:])
        out = subprocess.run([sys.executable, __file__, "--peer", name], input=lines, capture_output=True, text=True).stdout
        answers += [tuple(json.loads(line)) for line in out.splitlines()]
        if len(answers) < len(all_cases):
            answers.append(("the process ended", None))
        at = len(answers)
    return answers


# ---- the table ----

def count(rows, answers):
    """schemas, accepted, valid instances missed, invalid ones let through, words that were refused"""
    accepted = missed = through = 0
    words = {}
    for (_, _, _, _, valid), (refused, written) in zip(rows, answers):
        if refused is None:
            accepted += 1
            missed += sum(v and not w for v, w in zip(valid, written))
            through += sum(w and not v for v, w in zip(valid, written))
        else:
            found = re.search(r'schema word "([^"]+)"', refused)
            word = found.group(1) if found else "a pattern" if "pattern" in refused else "other"
            words[word] = words.get(word, 0) + 1
    return len(rows), accepted, missed, through, words


def table(all_cases, sides):
    names = list(sides)
    head = ["keyword (file of the suite)", "draft", "schemas"]
    for name in names:
        head += [f"{name}: accepted", "missed", "let through"] + (["refused by name"] if name == names[0] else [])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    keys = sorted({(c[0], c[1]) for c in all_cases}, key=lambda k: (list(DRAFTS).index(k[1]), k[0].lower()))
    groups = [((k, DRAFTS[d]), [i for i, c in enumerate(all_cases) if (c[0], c[1]) == (k, d)]) for k, d in keys]
    groups += [(("all", DRAFTS[d]), [i for i, c in enumerate(all_cases) if c[1] == d]) for d in DRAFTS]
    for (keyword, draft), at in groups:
        row = [keyword, draft]
        for name in names:
            n, accepted, missed, through, words = count([all_cases[i] for i in at], [sides[name][i] for i in at])
            if name == names[0]:
                row.append(str(n))
            row += [str(accepted), str(missed), str(through)]
            if name == names[0]:
                row.append(", ".join(f"`{w}` {k}" if k > 1 else f"`{w}`" for w, k in sorted(words.items())))
        lines.append("| " + " | ".join(row) + " |")
    return lines


def between(text):
    return text[text.index(MARKS[0]) + len(MARKS[0]):text.index(MARKS[1])].strip().splitlines()


def main():
    if sys.argv[1:2] == ["--peer"]:
        return peer(sys.argv[2])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("suite")
    p.add_argument("binary")
    p.add_argument("--peers", action="store_true")
    p.add_argument("--write", type=pathlib.Path)
    p.add_argument("--check", type=pathlib.Path)
    o = p.parse_args()
    all_cases = list(cases(o.suite))
    sides = {"Bantam": ours(all_cases, o.binary)}
    for name in ("llguidance", "xgrammar") if o.peers else ():
        sides[name] = theirs(all_cases, name)
    lines = table(all_cases, sides)
    n, accepted, missed, through, _ = count(all_cases, sides["Bantam"])
    if o.check:
        cells = lambda line: [c.strip() for c in line.strip("|").split("|")][:7]
        said, made = ([cells(line) for line in side] for side in (between(o.check.read_text(encoding="utf-8")), lines))
        wrong = [f"{m} is not {s}" for m, s in zip(made, said) if m != s]
        if wrong or len(said) != len(made) or missed or through:
            sys.exit("\n".join(wrong) or f"{missed} missed, {through} let through, {len(said)} rows for {len(made)}")
    if o.write:
        text = o.write.read_text(encoding="utf-8")
        before, after = text[:text.index(MARKS[0]) + len(MARKS[0])], text[text.index(MARKS[1]):]
        o.write.write_text(before + "\n" + "\n".join(lines) + "\n" + after, encoding="utf-8")
    if not o.write and not o.check:
        print("\n".join(lines))
    print(f"{accepted} of {n} schemas accepted, {missed} valid instances missed, {through} invalid ones let through", file=sys.stderr if not o.check else sys.stdout)


main()

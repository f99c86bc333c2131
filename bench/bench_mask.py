#!/usr/bin/env python3
"""Masks of structured output beside llguidance and xgrammar: the same schemas, vocabularies, tokens, by turns, in CPU time of one thread.

  python bench/bench_mask.py MODEL.gguf [MODEL.gguf...] [--suite DIR] [--rounds 5] [--keep FILE.json] [--cases]

The vocabulary is the model's own; the walks are bench/mask_cases.py's and, with --suite (the folder of JSON Schema's test suite),
the valid instances of its schemas. Each side runs in its own process and compiles each schema anew. "first" is the first walk of a
compiled grammar, "again" a second walk of it; a walk that not all three can make is left out of the comparison. The peers are called
from Python: what an empty call costs them is printed beside. --keep adds the rounds to those of earlier calls in FILE (xgrammar compiles for
minutes at 262k tokens). Needs build/bench/bench_mask (make benches), pip install llguidance xgrammar numpy.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.update({"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"})
ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "build/bench/bench_mask"
SIDES = ("bantam", "llguidance", "xgrammar")


def own_cases():
    from mask_cases import CASES
    for name, schema, answers in CASES:
        yield {"name": name, "schema": schema, "texts": [json.dumps(a, ensure_ascii=False) for a in answers]}


def suite_cases(folder):
    for path in sorted((pathlib.Path(folder) / "tests/draft2020-12").glob("*.json")):
        for i, item in enumerate(json.loads(path.read_text())):
            texts = [json.dumps(t["data"], ensure_ascii=False) for t in item["tests"] if t["valid"]]
            yield {"name": f"suite {path.stem} {i}", "schema": item["schema"], "texts": texts}


# ---- the peers, each in its own process: lines in, lines out, as bench_mask.c ----

def walk(ids, start, mask, accept, ended):
    """Two walks of one matcher; the times of the masks in ns."""
    times = []
    for _ in range(2):
        start()
        ns = []
        for i in range(len(ids) + 1):
            before = time.thread_time_ns()
            mask()
            ns.append(time.thread_time_ns() - before)
            if i < len(ids) and not accept(ids[i]):
                return {"refused": f"token {i}"}
        if not ended():
            return {"refused": "may not end"}
        times.append(ns)
    return {"first": times[0], "again": times[1]}


def llguidance_side(pieces, ends):
    import numpy
    from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    class Wrapped:
        eos_token_id, bos_token_id, tokens, special_token_ids = ends[0], None, pieces, ends

        def __call__(self, text):  # only asked for stretches that are forced, which nobody asks for here
            data = text if isinstance(text, bytes) else text.encode()
            return [single[b] for b in data if b in single]

    single = {piece[0]: i for i, piece in enumerate(pieces) if len(piece) == 1}
    tokenizer = LLTokenizer(TokenizerWrapper(Wrapped()), n_vocab=len(pieces), eos_token=list(ends), slices=LLTokenizer.json_slices())
    bits = allocate_token_bitmask(1, len(pieces))

    def compile_one(schema):
        m = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(json.dumps(schema)))
        if m.is_error():
            raise ValueError(m.get_error())
        def one(ids):
            return walk(ids, m.reset, lambda: fill_next_token_bitmask(m, bits, 0), m.consume_token, m.is_accepting)
        return one
    return compile_one


def xgrammar_side(pieces, ends):
    import torch
    import xgrammar
    torch.set_num_threads(1)
    info = xgrammar.TokenizerInfo(pieces, vocab_size=len(pieces), stop_token_ids=list(ends))
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
    bits = xgrammar.allocate_token_bitmask(1, len(pieces))

    def compile_one(schema):
        compiled = compiler.compile_json_schema(json.dumps(schema))
        matcher = xgrammar.GrammarMatcher(compiled)
        def one(ids):
            return walk(ids, matcher.reset, lambda: matcher.fill_next_token_bitmask(bits, 0), matcher.accept_token,
                        lambda: any(bits[0, e // 32].item() >> e % 32 & 1 for e in ends))
        return one
    return compile_one


def empty_call_ns():
    ns = []
    for _ in range(2000):
        before = time.thread_time_ns()
        (lambda: None)()
        ns.append(time.thread_time_ns() - before)
    return statistics.median(ns)


def peer(side, vocabulary, walks):
    pieces, ends = [], []
    for i, line in enumerate(open(vocabulary)):
        token = json.loads(line)
        pieces.append(bytes.fromhex(token["hex"]))
        if token["ends"]:
            ends.append(i)
    compile_one = {"llguidance": llguidance_side, "xgrammar": xgrammar_side}[side](pieces, ends)
    compile_one({"type": "object"})
    for line in open(walks):
        case = json.loads(line)
        before = time.process_time_ns()
        try:
            one = compile_one(case["schema"])
        except Exception as e:
            print(json.dumps({"name": case["name"], "refused": str(e)[:200]}))
            continue
        compile_ns = time.process_time_ns() - before
        print(json.dumps({"name": case["name"], "compile_ns": compile_ns, "walks": [one(ids) for ids in case["ids"]]}), flush=True)


# ---- rounds ----

def run(side, model, folder):
    command = [BENCH, model, folder / "cases"] if side == "bantam" else [sys.executable, __file__, "--peer", side, folder / "vocabulary", folder / "walks"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr[-2000:]}")
    return {d["name"]: d for d in map(json.loads, done.stdout.splitlines()) if "name" in d}


def prepare(model, cases, folder):
    """The cases in tokens: what our side walks, for all."""
    with open(folder / "cases", "w", encoding="utf-8") as f:
        for c in cases:
            print(json.dumps(c), file=f)
    subprocess.run([BENCH, model, folder / "cases", folder / "vocabulary"], check=True, stdout=open(folder / "ids", "w"))
    ids = {d["name"]: [w["ids"] for w in d.get("walks", [])] for d in map(json.loads, open(folder / "ids")) if "name" in d}
    with open(folder / "walks", "w") as f:
        for c in cases:
            print(json.dumps({"name": c["name"], "schema": c["schema"], "ids": ids.get(c["name"], [])}), file=f)


def good(result, i):
    return "refused" not in result and i < len(result["walks"]) and "refused" not in result["walks"][i]


def figures(results, names):
    """us: mean, p50, p99, max of all masks of these walks."""
    out = {}
    for kind in ("first", "again"):
        ns = sorted(t for name, i in names for t in results[name]["walks"][i][kind])
        if ns:
            out[kind] = [sum(ns) / len(ns) / 1e3, ns[len(ns) // 2] / 1e3, ns[min(len(ns) - 1, len(ns) * 99 // 100)] / 1e3, ns[-1] / 1e3]
    compiled = sorted({name for name, _ in names})
    out["compile"] = statistics.mean(results[n]["compile_ns"] for n in compiled) / 1e6 if compiled else 0
    return out


def middle(rounds, key, i):
    return statistics.median(r[key][i] if i is not None else r[key] for r in rounds)


def table(title, rounds, names):
    tokens = sum(len(rounds[0]["bantam"][n]["walks"][i]["first"]) for n, i in names)
    print(f"\n{title}: {len(names)} walks, {tokens} masks; medians of {len(rounds)} rounds by turns")
    print("| side | compile ms | first walk us: mean | p50 | p99 | max | again: mean | p50 | p99 | max |\n|---|" + "---|" * 9)
    for side in SIDES:
        f = [figures(r[side], names) for r in rounds]
        print(f"| {side} | {middle(f, 'compile', None):.2f} | " + " | ".join(f"{middle(f, k, i):.1f}" for k in ("first", "again") for i in range(4)) + " |", flush=True)


def bench(o, model, cases, rounds):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(model, cases, folder)
        for n in range(len(rounds), len(rounds) + o.rounds):
            order = SIDES[n % 3:] + SIDES[:n % 3]
            rounds.append({side: run(side, model, folder) for side in order})
        size = sum(1 for _ in open(folder / "vocabulary"))
    one = rounds[0]
    names = [(c["name"], i) for c in cases for i in range(len(c["texts"])) if all(good(one[s][c["name"]], i) for s in SIDES)]
    print(f"\n{model.name}: {size} tokens, load {os.getloadavg()[0]:.1f}, an empty call in Python {empty_call_ns():.0f} ns")
    for side in SIDES:
        taken = sum("refused" not in one[side][c["name"]] for c in cases)
        walked = sum(good(one[side][c["name"]], i) for c in cases for i in range(len(c["texts"])))
        print(f"{side}: {taken} of {len(cases)} schemas, {walked} of {sum(len(c['texts']) for c in cases)} texts")
    table("own cases", rounds, [n for n in names if not n[0].startswith("suite ")])
    if o.suite:
        table("JSON Schema's suite", rounds, [n for n in names if n[0].startswith("suite ")])
    for c in cases if o.cases else []:
        mine = [n for n in names if n[0] == c["name"]]
        if mine and not c["name"].startswith("suite "):
            table(c["name"], rounds, mine)


def main():
    if len(sys.argv) > 4 and sys.argv[1] == "--peer":
        return peer(*sys.argv[2:5])
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", nargs="+", type=pathlib.Path)
    p.add_argument("--suite")
    p.add_argument("--every", type=int, default=1, help="of the suite's schemas, one in so many")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--keep", type=pathlib.Path)
    p.add_argument("--cases", action="store_true", help="a table for each case of our own")
    o = p.parse_args()
    cases = list(own_cases()) + (list(suite_cases(o.suite))[::o.every] if o.suite else [])
    kept = json.loads(o.keep.read_text()) if o.keep and o.keep.exists() else {}
    for m in o.models:
        bench(o, m, cases, kept.setdefault(m.name, []))
    if o.keep:
        o.keep.write_text(json.dumps(kept))


main()

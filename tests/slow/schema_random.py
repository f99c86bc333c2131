#!/usr/bin/env python3
"""Random schemas against the package `jsonschema`: schema_random.py BINARY [SCHEMAS] [SEED]

Schemas of few values, so that what is written of any is likely to be met: for each one that we accept, an instance is written exactly
if the package calls it valid. BINARY is build/tests/grammar/t_grammar_suite. Prints the share that is accepted, and each difference."""
import json
import random
import subprocess
import sys
import tempfile

from jsonschema import Draft7Validator, Draft202012Validator

KEYS, TEXTS, NUMBERS = "abc", ["", "a", "b", "ab", "aab", "\u00e9a"], [-2, -1, 0, 0.5, 1, 1.5, 2, 3]
TYPES = ["null", "boolean", "number", "integer", "string", "array", "object"]


def value(r, depth):
    kind = r.randrange(4 if depth == 0 else 6)
    if kind == 0:
        return r.choice([None, True, False])
    if kind == 1:
        return r.choice(NUMBERS)
    if kind in (2, 3):
        return r.choice(TEXTS)
    if kind == 4:
        return [value(r, depth - 1) for _ in range(r.randrange(4))]
    return {k: value(r, depth - 1) for k in KEYS if r.random() < 0.5}


def words(r, depth, draft7):
    """One word of a schema, with what belongs to it."""
    inner = lambda: schema(r, depth - 1, draft7)
    few = lambda: [inner() for _ in range(r.randint(1, 3))]
    names = lambda make: {k: make() for k in KEYS if r.random() < 0.5}
    plain = [lambda: {"type": r.choice(TYPES)}, lambda: {"type": r.sample(TYPES, 2)}, lambda: {"const": value(r, 1)},
             lambda: {"enum": [value(r, 1) for _ in range(r.randint(1, 4))]}, lambda: {r.choice(["minimum", "exclusiveMinimum"]): r.choice(NUMBERS)},
             lambda: {r.choice(["maximum", "exclusiveMaximum"]): r.choice(NUMBERS)}, lambda: {"multipleOf": r.choice([0.5, 1, 1.5, 2, 3])},
             lambda: {"minLength": r.randrange(3)}, lambda: {"maxLength": r.randrange(4)}, lambda: {"pattern": r.choice(["^a", "b", "^a*$", "^.$"])},
             lambda: {"required": r.sample(KEYS, r.randint(1, 2))}, lambda: {"minProperties": r.randrange(3)}, lambda: {"maxProperties": r.randrange(3)},
             lambda: {"minItems": r.randrange(3)}, lambda: {"maxItems": r.randrange(3)}, lambda: {"$ref": r.choice(["#/$defs/x", "#/$defs/y"])}]
    if depth <= 0:
        return r.choice(plain[:-1])()
    deep = [lambda: {"properties": names(inner)}, lambda: {"additionalProperties": inner()}, lambda: {"patternProperties": {r.choice(["^a", "b|c"]): inner()}},
            lambda: {"propertyNames": r.choice([{"pattern": "^[ab]$"}, {"enum": ["a", "c"]}, {"maxLength": 0}])}, lambda: {"items": inner()},
            lambda: {"contains": inner()}, lambda: {"anyOf": few()}, lambda: {"oneOf": few()}, lambda: {"allOf": few()}, lambda: {"not": inner()},
            lambda: {"if": inner(), "then": inner(), "else": inner()}, lambda: {"if": inner(), r.choice(["then", "else"]): inner()}]
    deep += [lambda: {"dependencies": {r.choice(KEYS): r.choice([["b"], inner()])}}, lambda: {"items": few(), "additionalItems": inner()}] if draft7 else [
        lambda: {"dependentRequired": {r.choice(KEYS): [r.choice(KEYS)]}}, lambda: {"dependentSchemas": {r.choice(KEYS): inner()}},
        lambda: {"prefixItems": few(), "items": inner()}, lambda: {"prefixItems": few()}, lambda: {"unevaluatedProperties": r.choice([False, inner()])},
        lambda: {"unevaluatedItems": r.choice([False, inner()])}, lambda: {"contains": inner(), "minContains": r.randrange(3), "maxContains": r.randrange(3)},
        lambda: {"items": {"enum": [1, "a", True]}, "uniqueItems": True}]
    return r.choice(plain + 2 * deep)()


def schema(r, depth, draft7):
    if r.random() < 0.06:
        return r.random() < 0.6
    out = {}
    for _ in range(r.choice([1, 1, 2, 2, 3])):
        out.update(words(r, depth, draft7))
    return out


def document(r, draft7):
    top = schema(r, 2, draft7)
    while isinstance(top, bool):
        top = schema(r, 2, draft7)
    top["$defs"] = {"x": words(r, 1, draft7), "y": words(r, 0, draft7)}
    top["$defs"]["x"].pop("$ref", None)  # circles that say nothing have no meaning to compare
    top["$schema"] = "http://json-schema.org/draft-07/schema#" if draft7 else "https://json-schema.org/draft/2020-12/schema"
    return top


def main():
    binary, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    r, cases = random.Random(seed), []
    for i in range(count):
        s = document(r, i % 3 == 0)
        validator = (Draft7Validator if i % 3 == 0 else Draft202012Validator)(s)
        instances = [value(r, 2) for _ in range(40)]
        try:
            cases.append((s, instances, [validator.is_valid(v) for v in instances]))
        except (RecursionError, TypeError):  # theirs: items of true beside additionalItems
            continue
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        for s, instances, _ in cases:
            print(json.dumps({"schema": s, "instances": instances}), file=f)
        f.flush()
        out = subprocess.run([binary, f.name], capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{binary} ends with {out.returncode}: {out.stderr[-500:]}")
    answers = [json.loads(line) for line in out.stdout.splitlines()]
    if len(answers) != len(cases):
        sys.exit(f"{len(answers)} answers to {len(cases)} schemas: {out.stderr[-500:]}")
    accepted = wrong = tried = open_ways = 0
    for (s, instances, valid), answer in zip(cases, answers):
        if "refused" in answer:
            continue
        accepted += 1
        tried += len(instances)
        for v, a, b in zip(instances, valid, answer["written"]):
            open_ways += b is None
            if b is not None and a != b:
                wrong += 1
                if wrong <= 10:
                    print(f"{'valid and not written' if a else 'invalid and written'}: {json.dumps(v)} by {json.dumps(s)}")
    print(f"{accepted} of {len(cases)} random schemas accepted, {tried} instances ({sum(sum(c[2]) for c in cases)} valid of all), {wrong} wrong, {open_ways} with too many readings")
    sys.exit(wrong > 0 or accepted * 2 < len(cases))


main()

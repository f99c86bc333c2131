"""tools_random.py URL SETS: random sets of tools, sampled hot; every call must be valid.

The sets and their seeds are always the same. Prints what was found last; exit 1 when a call is not valid."""
import json
import random
import sys
import urllib.request

import jsonschema


def schema(rng, depth):
    kinds = ["string", "integer", "number", "boolean", "enum", "pattern", "null or"]
    kind = rng.choice(kinds + (["object", "array", "any of"] * 2 if depth else []))
    if kind == "string":
        return {"type": "string", "maxLength": rng.randint(1, 20)}
    if kind in ("integer", "number"):
        low = rng.randint(-50, 50)
        return {"type": kind, "minimum": low, "maximum": low + rng.randint(0, 100)}
    if kind == "boolean":
        return {"type": "boolean"}
    if kind == "enum":
        words = ["red", "dark blue", "naïve \"x\"", 7, 1.5, None, True]
        return {"enum": rng.sample(words, rng.randint(1, 4))}
    if kind == "pattern":
        return {"type": "string", "pattern": rng.choice(["^[a-z]{2,5}$", "^\\d{4}-\\d{2}$", "^(a|bc)+$"]), "maxLength": 12}
    if kind == "null or":
        return {"type": ["integer", "null"], "minimum": 0, "maximum": 9}
    if kind == "array":
        return {"type": "array", "items": schema(rng, depth - 1), "minItems": rng.randint(0, 1), "maxItems": rng.randint(1, 3)}
    if kind == "any of":
        return {"anyOf": [schema(rng, depth - 1), schema(rng, depth - 1)]}
    return record(rng, depth - 1)


def record(rng, depth):
    names = rng.sample(["city", "days", "größe", "a b", "x", "unit", "$id_", "to"], rng.randint(0, 4))
    properties = {name: schema(rng, depth) for name in names}
    return {"type": "object", "properties": properties, "required": [n for n in names if rng.random() < 0.6]}


def ask(url, body):
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def main():
    url, sets = sys.argv[1], int(sys.argv[2])
    made = cut = asked = bad = 0
    for seed in range(sets):
        rng = random.Random(seed)
        names = rng.sample(["get", "get_weather", "math.add", "send-mail", "f", "a/b:c", "lookup2"], rng.randint(1, 4))
        tools = {n: record(rng, 2) for n in names}
        body = {"model": "smollm2", "temperature": 2, "seed": seed, "max_tokens": 250,
                "tool_choice": rng.choice(["required", "required", "required", "auto"]),
                "messages": [{"role": "user", "content": "Please call " + rng.choice(names) + " now."}],
                "tools": [{"type": "function", "function": {"name": n, "parameters": p}} for n, p in tools.items()]}
        choice = ask(url, body)["choices"][0]
        asked += 1
        cut += choice["finish_reason"] == "length"
        if choice["finish_reason"] == "stop" and body["tool_choice"] == "required":
            bad += 1
            print("set", seed, "required, and nothing called")
        for call in choice["message"].get("tool_calls") or []:
            made += 1
            try:
                jsonschema.Draft202012Validator(tools[call["function"]["name"]]).validate(
                    json.loads(call["function"]["arguments"]))
            except Exception as error:  # whatever it is, the call is not valid
                bad += 1
                print("set", seed, call, str(error).splitlines()[0])
    print(f"{asked} sets of tools, {made} calls, {bad} not valid ({cut} answers cut by max_tokens)")
    sys.exit(bad > 0 or made < sets // 2)


main()

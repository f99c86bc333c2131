#!/usr/bin/env python3
"""Chat templates beside Jinja2: python bench/bench_template.py TEMPLATES_DIR [ROUNDS] [NAME...]

A talk of 20 turns (40 messages, with tools, a call and its result) through each template, ours
(build/bench/bench_template) and Jinja2's compiled template by turns; medians of CPU time. The bytes must be equal."""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from jinja_reference import environment  # noqa: E402
from template_chats import BASE, TOOLS, assistant, call, result, system, user  # noqa: E402

NAMES = ["Qwen-Qwen3-0.6B.jinja", "meta-llama-Llama-3.2-3B-Instruct.jinja", "google-gemma-2-2b-it.jinja", "microsoft-Phi-3.5-mini-instruct.jinja",
         "HuggingFaceTB-SmolLM3-3B.jinja", "ibm-granite-granite-3.3-2B-Instruct.jinja", "openai-gpt-oss-120b.jinja"]
QUESTION = "My cellar was flooded last night and the heating does not start any more. What does the policy pay, and what do you need from me? "
ANSWER = "Damage by water from a pipe is covered up to the sum insured; from outside only with the natural hazards option. Please send photos and the number of your policy. "


def talk(plain):
    messages = [] if plain else [system("You are the assistant of an insurer. Be brief.")]
    for i in range(20):
        messages += [user(f"{i}. {QUESTION}"), assistant(f"{i}. {ANSWER}")]
    if not plain:
        messages += [user("And the weather there?"), call({"city": "K\u00f6ln", "days": 2}), result("{\"temp\": 20.5}")]
    else:
        messages += [user("Thank you.")]
    return {**BASE, "messages": messages, "tools": None if plain else TOOLS, "add_generation_prompt": True}


def ours(template, values):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(values, f, ensure_ascii=False)
        f.flush()
        out = subprocess.run([ROOT / "build/bench/bench_template", template, f.name, "0.3"], capture_output=True, text=True, check=True)
    compile_us, render_us, size = out.stdout.split()
    return float(compile_us), float(render_us), int(size)


def theirs(source, values):
    start = time.process_time_ns()
    compiled = environment().from_string(source)
    compile_us = (time.process_time_ns() - start) / 1e3
    samples, end = [], time.process_time_ns() + 3e8
    while time.process_time_ns() < end:
        start = time.process_time_ns()
        text = compiled.render(**values)
        samples.append((time.process_time_ns() - start) / 1e3)
    return compile_us, statistics.median(samples), len(text.encode())


def main():
    folder, rounds = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print("| template | bytes | compile us, ours | Jinja2 | render us, ours | Jinja2 | ratio |\n|---|---|---|---|---|---|---|")
    for name in sys.argv[3:] or NAMES:
        path = folder / name
        values = talk("gemma-2" in name or "Phi-3.5" in name)
        pairs = [(ours(path, values), theirs(path.read_bytes().decode(), values)) for _ in range(rounds)]
        assert all(a[2] == b[2] for a, b in pairs), name
        middle = lambda side, i: statistics.median(p[side][i] for p in pairs)
        print(f"| {path.stem} | {pairs[0][0][2]} | {middle(0, 0):.0f} | {middle(1, 0):.0f} | {middle(0, 1):.1f} | {middle(1, 1):.0f} | {middle(1, 1) / middle(0, 1):.1f} |")


main()

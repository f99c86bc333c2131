#!/usr/bin/env python3
"""Golden prompts of SmolLM2-Instruct: its chat template by Jinja2, its tokens by the tokenizers package.

  python tools/golden_chat.py SmolLM2-135M-Instruct.Q4_1.gguf > tests/token/golden_chat.jsonl

Needs: pip install tokenizers==0.23.3 jinja2 gguf. Jinja2 is set up as transformers' apply_chat_template does.
One line a prompt: {"messages": [...], "add_generation_prompt": b, "text": ..., "ids": [...]}.
"""
import json
import sys

from gguf import GGUFReader
from jinja2.sandbox import ImmutableSandboxedEnvironment

from golden_smollm2_tokens import build

CHATS = [
    [("user", "Hello")],
    [("system", "You are terse."), ("user", "What is a deductible?")],
    [("user", "  leading and trailing  "), ("assistant", "Yes.\n"), ("user", "\n\nnew lines 123")],
    [("user", "")],
    [("system", ""), ("user", "Schaden am Auto: 1.234,56 € – was nun? 😀")],
    [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")],
    [("tool", "{\"x\": [1, 2]}"), ("user", "{{ not a template }} {% raw %}")],
    [("user", "\u202eodd\u0000 \u00a0 e\u0301")],
]

path = sys.argv[1]
fields = GGUFReader(path).fields
pieces = fields["tokenizer.ggml.tokens"].contents()
types = fields["tokenizer.ggml.token_type"].contents()
tokenizer = build(path)
tokenizer.add_special_tokens([p for p, t in zip(pieces, types) if t == 3])
template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(
    fields["tokenizer.chat_template"].contents())
for chat in CHATS:
    for prompt in (False, True):
        messages = [{"role": r, "content": c} for r, c in chat]
        text = template.render(messages=messages, tools=None, documents=None, add_generation_prompt=prompt,
                               bos_token="<|im_start|>", eos_token="<|im_end|>")
        row = {"messages": messages, "add_generation_prompt": prompt, "text": text,
               "ids": tokenizer.encode(text).ids}
        print(json.dumps(row, separators=(",", ":")))

#!/usr/bin/env python3
"""Golden ids of SmolLM2's tokenizer by the tokenizers package.

  python tools/golden_smollm2_tokens.py SmolLM2-135M-Instruct.Q4_1.gguf > tests/token/golden_smollm2.jsonl

Needs: pip install tokenizers==0.23.3 gguf. The vocabulary and merges come out of the GGUF; the pipeline is the
published one: Digits(individual) and ByteLevel without a prefix blank, no normalizer. Text is read as
text: special tokens are not looked for. One line a text: {"text": ..., "ids": [...]}.
"""
import json
import sys

from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers

from golden_texts import texts


def build(path):
    fields = GGUFReader(path).fields
    pieces = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    t = Tokenizer(models.BPE(vocab={p: i for i, p in enumerate(pieces)}, merges=merges))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    return t


if __name__ == "__main__":
    tokenizer = build(sys.argv[1])
    for text in texts(330):
        print(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}, separators=(",", ":")))

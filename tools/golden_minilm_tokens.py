#!/usr/bin/env python3
"""Golden ids of all-MiniLM-L6-v2's WordPiece by the tokenizers package.

  python tools/golden_minilm_tokens.py tokenizer.json > tests/token/golden_minilm.jsonl

Needs: pip install tokenizers==0.23.3. No [CLS] and [SEP], no truncation, and "[SEP]" in the text is text.
One line a text: {"text": ..., "ids": [...]}.
"""
import json
import sys

from tokenizers import Tokenizer

from golden_texts import texts

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
tokenizer.encode_special_tokens = True
for text in texts(520):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    print(json.dumps({"text": text, "ids": ids}, separators=(",", ":")))

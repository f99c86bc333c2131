"""Golden embeddings of all-MiniLM-L6-v2, made by PyTorch.

    python tools/golden_minilm.py MODEL_FOLDER > tests/model/golden/minilm.txt

Needs torch, transformers, tokenizers, safetensors. The folder holds config.json,
model.safetensors and tokenizer.json. One text is two lines: the text as a JSON string behind "text ",
then "ids ..." (with [CLS] and [SEP]) and "vector ..." (384 numbers, mean pooled, unit length).
"""

import json
import sys

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

TEXTS = [
    "My card was stolen yesterday, what should I do?",
    "Hi",
    ".",
    "How do I report water damage in the kitchen of a rented flat?",
    "L'été dernier, j'ai visité Zürich, Málaga et Kraków — c'était génial.",
    "你好，世界。これは日本語です。",
    "Привет, как мне изменить адрес в договоре?",
    "ＦＵＬＬ width, ligatures ﬁ ﬂ and ½ cups 😀👍🏽",
    "supercalifragilisticexpialidocious antidisestablishmentarianism pneumonoultramicroscopic",
    "policy no. 48-1516/2342, premium $1,234.56 (incl. 19% VAT) — due 2026-11-23!!!",
    "  tabs\tand\nnew lines \u00a0 and   runs of blanks  ",
    "The quick brown fox jumps over the lazy dog. " * 24,
]


def main():
    folder = sys.argv[1]
    torch.set_num_threads(2)
    config = BertConfig(**json.load(open(f"{folder}/config.json")))
    config._attn_implementation = "eager"
    model = BertModel(config, add_pooling_layer=False)
    weights = {k.removeprefix("bert."): v for k, v in load_file(f"{folder}/model.safetensors").items()}
    missing, _ = model.load_state_dict(weights, strict=False)
    assert not [m for m in missing if "position_ids" not in m], missing
    model.eval()
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    print("# made by tools/golden_minilm.py")
    with torch.no_grad():
        for text in TEXTS:
            ids = tokenizer.encode(text).ids
            assert len(ids) <= 256, len(ids)
            hidden = model(torch.tensor([ids])).last_hidden_state[0]
            vector = torch.nn.functional.normalize(hidden.mean(0), dim=0)
            print("text", json.dumps(text))
            print("ids", *ids)
            print("vector", *[f"{v:.6g}" for v in vector.tolist()])


main()

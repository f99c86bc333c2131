#!/usr/bin/env python3
"""Write labelled rows with ready embeddings, for bench/bench_fit.c.

    python3 tools/fit_vectors.py MINILM_FOLDER SHARED_DATA OUT_FOLDER

What: OUT/NAME.tsv (label TAB text) and OUT/NAME.f32 (384 raw floats a row: mean pooling, unit length,
256 tokens) for the train and test rows of clinc150 and banking77; clinc150's out-of-scope rows get
the label `other`. How: PyTorch and transformers. Not here: `bantam task eval`, which uses our own
encoder and needs none of this.
"""
import csv
import json
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer


def embed(tokenizer, model, texts):
    """[N, 384]; rows of like length together, results in the order of texts."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), 384), np.float32)
    for i in range(0, len(order), 64):
        rows = order[i:i + 64]
        batch = tokenizer([texts[r] for r in rows], padding=True, truncation=True, max_length=256,
                          return_tensors="pt")
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
        out[rows] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return out


def main():
    folder, data, out = sys.argv[1:4]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def put(name, rows):
        rows = [(label, " ".join(text.split())) for label, text in rows]
        embed(tokenizer, model, [text for _, text in rows]).tofile(f"{out}/{name}.f32")
        with open(f"{out}/{name}.tsv", "w", encoding="utf-8") as f:
            f.writelines(f"{label}\t{text}\n" for label, text in rows)
        print(name, len(rows), flush=True)

    with open(f"{data}/clinc150/data_full.json", encoding="utf-8") as f:
        clinc = json.load(f)
    for part in ("train", "test"):
        put(f"clinc150_{part}", [(label, text) for text, label in clinc[part]]
            + [("other", text) for text, _ in clinc[f"oos_{part}"]])
        with open(f"{data}/banking77/{part}.csv", encoding="utf-8", newline="") as f:
            put(f"banking77_{part}", [(r["category"], r["text"]) for r in csv.DictReader(f)])


if __name__ == "__main__":
    main()

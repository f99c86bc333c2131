#!/usr/bin/env python3
"""Check the sample task with a classifier that is not Bantam's own.

    python3 tools/sample_check.py MINILM_FOLDER      (in the root of the repository)

What: the data must be sound before a figure about them means anything. Refuses texts outside the
training examples that nearly stand in them, fits a linear classifier on MiniLM embeddings and
hashed n-grams, takes the lowest threshold that keeps the wrong answers under max_wrong in
cross-validation, and prints the figures by group, the examples that it would answer wrongly, and
how far what is taught reaches. Needs torch, transformers, scikit-learn, PyYAML. Not here: Bantam's
checks for language and two questions at once (both look worse here); its score is `task eval`.
"""
import csv
import sys

import numpy as np
import torch
import yaml
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from transformers import AutoModel, AutoTokenizer

NEAR = 0.95         # a held-out text this close to a training example is a copy
TAUGHT_NEAR = 0.70  # src/fit/fit_taught.h
GO_UP = ("near", "far", "two_at_once", "other_language", "always_human")


def embed(folder, texts):
    """[N, 384] mean-pooled, unit length."""
    tok, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    for i in range(0, len(texts), 64):
        batch = tok(texts[i:i + 64], padding=True, truncation=True, max_length=256,
                    return_tensors="pt")
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        rows.append(torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy())
    return np.concatenate(rows)


def features(vectors, texts):
    word = HashingVectorizer(n_features=1 << 16, ngram_range=(1, 2), alternate_sign=False)
    char = HashingVectorizer(n_features=1 << 17, ngram_range=(2, 5), analyzer="char_wb",
                             alternate_sign=False)
    return hstack([csr_matrix(vectors * 2), word.transform(texts), char.transform(texts)]).tocsr()


def lowest_threshold(confidence, wrong, max_wrong):
    """The lowest at which at most max_wrong of what is answered is wrong; 1.01 if none."""
    best, order = 1.01, np.argsort(-confidence)
    share = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    for i in np.nonzero(share <= max_wrong)[0]:
        best = confidence[order[i]]
    return best


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def main():
    folder = sys.argv[1]
    with open("tasks/support.yaml", encoding="utf-8") as f:
        task = yaml.safe_load(f)
    held, taught = read_csv("tasks/support.heldout.csv"), read_csv("tasks/support.taught.csv")
    auto = [l["name"] for l in task["labels"] if "reply" in l]
    texts = [e for l in task["labels"] for e in l["examples"]]
    gold = np.array([l["name"] for l in task["labels"] for _ in l["examples"]])
    held_texts, taught_texts = [r["text"] for r in held], [r["text"] for r in taught]
    assert len(set(map(str.lower, texts))) == len(texts), "a training example stands twice"
    print(f"{len(auto)} labels with a reply, {len(texts)} examples, {len(held)} held out")
    vec, hvec, tvec = (embed(folder, t) for t in (texts, held_texts, taught_texts))
    near = np.concatenate((hvec, tvec)) @ vec.T
    for i, j in np.argwhere(near >= NEAR):
        sys.exit(f"{(held_texts + taught_texts)[i]!r} is nearly the example {texts[j]!r}")

    head, x, names = LogisticRegression(C=20, max_iter=2000), features(vec, texts), np.unique(gold)
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    p = cross_val_predict(head, x, gold, cv=folds, method="predict_proba")
    best, conf = names[p.argmax(1)], p.max(1)
    may, wrong = np.isin(best, auto), best != gold
    t = lowest_threshold(conf[may], wrong[may], task["max_wrong"])
    print(f"cross-validated: accuracy {1 - wrong.mean():.3f}, threshold {t:.3f}, answered "
          f"{np.mean(may & (conf >= t)):.3f}, wrong of those {wrong[may & (conf >= t)].mean():.4f}")
    for i in np.nonzero(may & wrong & (conf >= t))[0]:
        print(f"  {conf[i]:.2f} {gold[i]} taken for {best[i]}: {texts[i]!r}")

    head.fit(x, gold)
    q = head.predict_proba(features(hvec, held_texts))
    best, conf = names[q.argmax(1)], q.max(1)
    answered = (conf >= t) & np.isin(best, auto)
    right, groups = best == [r["label"] for r in held], np.array([r["group"] for r in held])
    for g in dict.fromkeys(groups):
        m = groups == g
        print(f"  {g:15} n {m.sum():3}  best label right {right[m].mean():.2f}  answered "
              f"{answered[m].mean():.2f}  wrong {int((answered & ~right)[m].sum())}")
    up = np.isin(groups, GO_UP)
    print(f"answered: in scope {answered[~up].mean():.3f}, must go up {answered[up].mean():.3f}")

    # What is taught counts for what is near it, and nearer than to any other label's example.
    q = head.predict_proba(features(tvec, taught_texts))
    teach = [i for i, r in enumerate(taught) if r["kind"] == "teach"]
    follow, foe = 0, lambda v, label: max(TAUGHT_NEAR, (vec[gold != label] @ v).max())
    for n, i in enumerate(teach, 1):
        label, own = taught[i]["label"], [j for j, r in enumerate(taught) if r["of"] == str(n)]
        ok = [tvec[i] @ tvec[j] >= foe(tvec[j], label) for j in own]
        moved = sum(h @ tvec[i] >= foe(h, label) for h in hvec)
        follow += sum(ok)
        print(f"  {label:18} before {names[q[i].argmax()]} {q[i].max():.2f}, {sum(ok)} of "
              f"{len(own)} paraphrases follow, {moved} held-out questions move")
    print(f"taught: {follow} of {len(taught) - len(teach)} paraphrases follow")


if __name__ == "__main__":
    main()

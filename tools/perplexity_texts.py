#!/usr/bin/env python3
"""The two fixed texts on which perplexities are compared, made from the shared data.

    tools/perplexity_texts.py DATA OUT      writes OUT/science.txt and OUT/news.txt

science: abstracts of the Cranfield collection; news: articles and spoken words of SummEdits, each
once. Plain English, put together the same way each time; the SHA-256 is printed.
"""
import hashlib
import json
import pathlib
import sys

BYTES = 190_000  # some 36,000 tokens: 17,000 scored in chunks of 512


def science(data):
    for line in (data / "cranfield/docs.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        yield " ".join(row["text"].split())


def news(data):
    seen = set()
    for part in ("news", "podcast"):
        for row in json.load((data / f"summedits/summedits_{part}.json").open(encoding="utf-8")):
            text = row["doc"].strip()
            if text not in seen:
                seen.add(text)
                yield text


def main():
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for name, texts in (("science", science(data)), ("news", news(data))):
        whole = ""
        for text in texts:
            if len(whole.encode()) > BYTES:
                break
            whole += text + "\n\n"
        (out / f"{name}.txt").write_text(whole, encoding="utf-8")
        print(name, len(whole.encode()), hashlib.sha256(whole.encode()).hexdigest())


if __name__ == "__main__":
    main()

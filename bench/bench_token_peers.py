#!/usr/bin/env python3
"""Our tokenizers beside the packages `tokenizers` and `sentencepiece`: the same text, one thread, by turns.

  python bench/bench_token_peers.py DATA SMOLLM2.gguf MINILM/tokenizer.json [ROUNDS]

DATA is a folder with cranfield, pubmedqa, gsm8k, mts-dialog and squad2 (their texts are joined to some MB of English),
tokenizer-qwen3, llama2-tokenizer and llamacpp-vocab. Pieces of 4,000 bytes; tokenizers' call that was fastest here (encode; one batch
of all pieces took twice as long). Needs build/bench/bench_token (make benches) and: pip install tokenizers sentencepiece protobuf gguf.
Prints a table: medians of ROUNDS (5), CPU time of one thread, and the ratio of each round's median.
"""
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
PIECE = 4000


def strings(value):
    if isinstance(value, str):
        if len(value) > 40:
            yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def english(data):
    for name in ["cranfield/docs.jsonl", "pubmedqa/dev_500.jsonl", "gsm8k/test.jsonl", "squad2/questions.jsonl"]:
        for line in open(data / name, encoding="utf-8"):
            yield from strings(json.loads(line))
    for path in sorted((data / "mts-dialog").glob("*.csv")):
        for row in csv.reader(open(path, encoding="utf-8", newline="")):
            yield from strings(row)


def pieces_of(text):
    data, at = text.encode(), 0
    while at < len(data):
        end = min(at + PIECE, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[at:end].decode()
        at = end


def hugging_face(path):
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(str(path))
    t.no_truncation()
    t.no_padding()
    t.encode_special_tokens = True
    return lambda pieces: sum(len(t.encode(p, add_special_tokens=False).ids) for p in pieces)


def sentence_piece(path):
    import sentencepiece
    s = sentencepiece.SentencePieceProcessor(str(path))
    return lambda pieces: sum(len(s.encode(p)) for p in pieces)


def smollm_json(gguf, folder):
    from golden_smollm2_tokens import build
    path = folder / "smollm2.json"
    build(str(gguf)).save(str(path))
    return path


def xlmr_json(gguf, folder):
    path = folder / "xlmr.json"
    tool = pathlib.Path(__file__).parent.parent / "tools" / "golden_token_ids.py"
    subprocess.run([sys.executable, tool, "unigram-json", gguf, "1", path], check=True, stdout=subprocess.DEVNULL)
    return path


def theirs(call, pieces, size):
    start = time.thread_time()
    tokens = call(pieces)
    return size / (time.thread_time() - start) / 1e6, tokens


def ours(model, text):
    out = subprocess.run(["build/bench/bench_token", model, text, str(PIECE), "0.5"], check=True, capture_output=True,
                         text=True).stdout
    words = out.replace(",", "").split()
    return float(words[3]), int(words[words.index("tokens)") - 1])


def main():
    data, gguf, minilm = (pathlib.Path(a) for a in sys.argv[1:4])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    vocab = data / "llamacpp-vocab"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = "\n".join(english(data))
        (folder / "text").write_text(text, encoding="utf-8")
        pieces, size = list(pieces_of(text)), len(text.encode())
        qwen, xlmr = data / "tokenizer-qwen3" / "tokenizer.json", xlmr_json(vocab / "ggml-vocab-nomic-bert-moe.gguf", folder)
        rows = [
            ("SmolLM2 (BPE, 49k)", gguf, hugging_face(smollm_json(gguf, folder))),
            ("Qwen3 (BPE, 152k)", qwen, hugging_face(qwen)),
            ("MiniLM (WordPiece, 31k)", minilm, hugging_face(minilm)),
            ("XLM-RoBERTa (unigram, 250k)", xlmr, hugging_face(xlmr)),
            ("Llama 2 (SentencePiece, 32k)", vocab / "ggml-vocab-llama-spm.gguf",
             sentence_piece(data / "llama2-tokenizer" / "tokenizer.model")),
        ]
        print(f"{size / 1e6:.1f} MB of English, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
        print("| vocabulary | ours MB/s | the package MB/s | ratio | tokens equal |\n|---|---|---|---|---|")
        for label, model, call in rows:
            us, them = [], []
            for _ in range(rounds):
                us.append(ours(model, folder / "text"))
                them.append(theirs(call, pieces, size))
            a, b = (statistics.median(r[0] for r in side) for side in (us, them))
            same = "yes" if us[0][1] == them[0][1] else f"{us[0][1]}, {them[0][1]}"
            low, high = min(r[0] for r in us), max(r[0] for r in us)
            print(f"| {label} | {a:.1f} ({low:.1f}-{high:.1f}) | {b:.1f} | {a / b:.1f} | {same} |", flush=True)


main()

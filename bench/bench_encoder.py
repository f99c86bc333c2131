"""Our encoder beside onnxruntime and PyTorch on the same sentences, by turns, in one run.

    python bench/bench_encoder.py BENCH_ENCODER MODEL_FOLDER SENTENCES.txt [--threads 2] [--rounds 5]
                                  [--only int8]

Needs torch, transformers, tokenizers, onnx and onnxruntime. The peers get what helps them: texts
sorted by length into batches of --batch, tokenised by the tokenizers package outside the clock
(ours tokenises inside it); a turn is the faster of two runs, of PyTorch one. onnxruntime: the model
exported with all dynamic axes, once as it is and once with its dynamic int8 quantisation of MatMul.
--only int8 leaves the rounds of floats out, but for one of PyTorch, which the cosines need. Prints the medians and the ratios, also of those turns alone
in which other programs took less than a twentieth of the processors, and the least cosine of our
vectors with PyTorch's.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel


class Peer(torch.nn.Module):
    def __init__(self, folder, attention="sdpa"):
        super().__init__()
        config = AutoConfig.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32,
                                               attn_implementation=attention).eval()

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)


def batches(folder, sentences, size, most):
    tok = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tok.no_padding()
    tok.enable_truncation(most)
    encoded = [e.ids for e in tok.encode_batch(sentences)]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    for at in range(0, len(order), size):
        rows = order[at:at + size]
        width = max(len(encoded[i]) for i in rows)
        ids = np.zeros((len(rows), width), np.int64)
        mask = np.zeros_like(ids)
        for k, i in enumerate(rows):
            ids[k, :len(encoded[i])] = encoded[i]
            mask[k, :len(encoded[i])] = 1
        yield rows, ids, mask


def export(model, folder):
    """Its own copy, eager, and with padding in the example: a mask of ones is traced away."""
    import onnxruntime.quantization as quantization
    peer = Peer(model, "eager")
    plain, int8 = folder / "model.onnx", folder / "model-int8.onnx"
    ids = torch.ones(2, 8, dtype=torch.long)
    mask = ids.clone()
    mask[1, 5:] = 0
    torch.onnx.export(peer, (ids, mask), plain, input_names=["ids", "mask"],
                      output_names=["vectors"], dynamo=False, opset_version=17,
                      dynamic_axes={k: {0: "b", 1: "t"} for k in ("ids", "mask")})
    quantization.quantize_dynamic(plain, int8, weight_type=quantization.QuantType.QInt8,
                                  op_types_to_quantize=["MatMul"])
    return plain, int8


def session(path, threads):
    import onnxruntime
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(path, o, providers=["CPUExecutionProvider"])


class Foreign:
    """The share of all processors that other programs took since this was made."""

    def __init__(self):
        self.start = time.perf_counter()
        self.taken = self.busy() - self.own()

    @staticmethod
    def busy():
        with open("/proc/stat", encoding="ascii") as f:
            n = [int(x) for x in f.readline().split()[1:9]]
        return (sum(n) - n[3] - n[4]) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def own():
        t = os.times()
        return t.user + t.system + t.children_user + t.children_system

    def share(self):
        wall = time.perf_counter() - self.start
        return (self.busy() - self.own() - self.taken) / (wall * os.cpu_count())


def timed(work, *args):
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def ours(a, kind, vectors=None):
    env = dict(os.environ, **({"VECTORS": str(vectors)} if vectors else {}))
    out = subprocess.run([a.bench, a.folder, a.sentences, str(a.threads), "2", kind], env=env,
                         check=True, capture_output=True, text=True).stdout
    return min(float(line.split()[0]) for line in out.splitlines())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bench"), p.add_argument("folder"), p.add_argument("sentences")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--only", choices=["int8"])
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    sentences = [s.strip() for s in open(a.sentences, encoding="utf-8") if s.strip()]
    temp = pathlib.Path(tempfile.mkdtemp())
    peer = Peer(a.folder)
    most = peer.model.config.max_position_embeddings
    data = list(batches(a.folder, sentences, a.batch, most))
    plain, int8 = export(a.folder, temp)
    sessions = {"onnxruntime F32": session(plain, a.threads),
                "onnxruntime int8": session(int8, a.threads)}
    kinds = ["int8"] if a.only else ["f32", "int8"]
    if a.only:
        del sessions["onnxruntime F32"]
    vectors = {k: np.zeros((len(sentences), peer.model.config.hidden_size), np.float32)
               for k in [*sessions, "PyTorch F32"]}

    def run_onnx(name):
        for rows, ids, mask in data:
            vectors[name][rows] = sessions[name].run(None, {"ids": ids, "mask": mask})[0]

    def run_torch():
        with torch.inference_mode():
            for rows, ids, mask in data:
                vectors["PyTorch F32"][rows] = peer(torch.from_numpy(ids),
                                                    torch.from_numpy(mask)).numpy()

    seconds = {}
    run_torch()
    names = [*sessions, *([] if a.only else ["PyTorch F32", "ours F32"]), "ours int8"]
    foreign = []
    for r in range(a.rounds):
        watch = Foreign()
        for name in names:
            if name.startswith("onnx"):
                taken = min(timed(run_onnx, name), timed(run_onnx, name))
            elif name.startswith("PyTorch"):
                taken = timed(run_torch)
            else:
                kind = name.split()[1].lower()
                taken = ours(a, kind, temp / kind)
            seconds.setdefault(name, []).append(taken)
        foreign.append(watch.share())
        print("turn", r + 1, {k: round(len(sentences) / v[-1], 1) for k, v in seconds.items()},
              f"others {foreign[-1]:.0%}", file=sys.stderr, flush=True)
    result = {k: round(len(sentences) / statistics.median(v), 1) for k, v in seconds.items()}
    result["lowest and highest"] = {
        k: [round(len(sentences) / f(v), 1) for f in (max, min)] for k, v in seconds.items()}
    for kind in kinds:
        have = np.fromfile(temp / kind, np.float32).reshape(len(sentences), -1)
        cosine = (have * vectors["PyTorch F32"]).sum(1)
        result[f"least cosine {kind}"] = float(cosine.min())
    for name in sessions:
        cosine = (vectors[name] * vectors["PyTorch F32"]).sum(1)
        result["least cosine " + name] = float(cosine.min())
    result["ratio int8"] = round(result["ours int8"] / result["onnxruntime int8"], 2)
    result["ratio int8 by turns"] = sorted(
        round(p / o, 2) for p, o in zip(seconds["onnxruntime int8"], seconds["ours int8"]))
    quiet = [r for r in range(a.rounds) if foreign[r] < 0.05]
    result["quiet turns"] = len(quiet)
    result["share of others"] = [round(x, 2) for x in foreign]
    for name in seconds if quiet else ():
        result["quiet: " + name] = round(
            len(sentences) / statistics.median(seconds[name][r] for r in quiet), 1)
    if quiet:
        result["quiet: ratio int8"] = round(
            result["quiet: ours int8"] / result["quiet: onnxruntime int8"], 2)
    if not a.only:
        result["ratio F32"] = round(result["ours F32"] / max(result["onnxruntime F32"],
                                                             result["PyTorch F32"]), 2)
    result["tokens a sentence"] = round(float(sum(m.sum() for _, _, m in data)) / len(sentences), 1)
    print(json.dumps(result, indent=1))


main()

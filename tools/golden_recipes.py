"""Which type llama.cpp gives each tensor, for several shapes and every type we write.

    python tools/golden_recipes.py PATH/llama-quantize > tests/model/golden/recipes.txt

Needs numpy and gguf, and llama.cpp's llama-quantize (its --dry-run decides and writes nothing). Lines:
"shape" name, layers, heads, kv heads, experts, tied; "tensor" name (% is the layer) and dimensions,
outermost first, for each of its tensors; then type of the file, tensors, and the types of their
layers, or one for all.
"""

import os
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np

# name: architecture, layers, width, heads, kv heads, head width, feed-forward, vocabulary, tied, extras
SHAPES = {
    "smollm2-135m": ("llama", 30, 576, 9, 3, 64, 1536, 64, True, {}),
    "llama-1b": ("llama", 16, 2048, 32, 8, 64, 8192, 64, True, {}),
    "mistral-untied": ("llama", 32, 4096, 32, 8, 128, 14336, 64, False, {}),
    "qwen3-0.6b": ("qwen3", 28, 1024, 16, 8, 128, 3072, 64, True, {}),
    "gemma3-270m": ("gemma3", 18, 640, 4, 1, 256, 2048, 64, True, {}),
    "phi4-mini": ("phi3", 32, 3072, 24, 8, 128, 8192, 64, True, {"fused": True}),
    "olmoe": ("olmoe", 16, 2048, 16, 16, 128, 1024, 64, False, {"experts": 64}),
    "mixtral": ("llama", 32, 1024, 32, 8, 32, 3584, 64, False, {"experts": 8}),
}
TYPES = ["F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_1", "Q5_0", "Q4_K_M", "Q4_1", "IQ4_NL", "Q4_0"]
F16 = gguf.GGMLQuantizationType.F16
F32 = gguf.GGMLQuantizationType.F32


def tensors(arch, layers, width, heads, kv, dim, ff, vocab, tied, extra):
    out = [("token_embd.weight", (vocab, width), F16), ("output_norm.weight", (width,), F32)]
    if not tied:
        out.append(("output.weight", (vocab, width), F16))
    for i in range(layers):
        b = f"blk.{i}."
        out.append((b + "attn_norm.weight", (width,), F32))
        if extra.get("fused"):
            out += [(b + "attn_qkv.weight", ((heads + 2 * kv) * dim, width), F16)]
        else:
            out += [(b + "attn_q.weight", (heads * dim, width), F16),
                    (b + "attn_k.weight", (kv * dim, width), F16),
                    (b + "attn_v.weight", (kv * dim, width), F16)]
        out += [(b + "attn_output.weight", (width, heads * dim), F16)]
        n = extra.get("experts")
        if n:
            out += [(b + "ffn_gate_inp.weight", (n, width), F32),
                    (b + "ffn_gate_exps.weight", (n, ff, width), F16),
                    (b + "ffn_up_exps.weight", (n, ff, width), F16),
                    (b + "ffn_down_exps.weight", (n, width, ff), F16)]
        else:
            if not extra.get("fused"):
                out += [(b + "ffn_gate.weight", (ff, width), F16)]
            out += [(b + "ffn_up.weight", ((2 if extra.get("fused") else 1) * ff, width), F16),
                    (b + "ffn_down.weight", (width, ff), F16)]
    return out


def write(path, shape):
    arch, layers, width, heads, kv, dim, ff, vocab, tied, extra = shape
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers)
    w.add_context_length(2048)
    w.add_embedding_length(width)
    w.add_feed_forward_length(ff)
    w.add_head_count(heads)
    w.add_head_count_kv(kv)
    w.add_key_length(dim)
    w.add_value_length(dim)
    w.add_rope_dimension_count(dim)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(vocab)
    w.add_sliding_window(512)
    if extra.get("experts"):
        w.add_expert_count(extra["experts"])
        w.add_expert_used_count(2)
    total = 0
    rows = tensors(*shape)
    for name, dims, kind in rows:
        size = 4 if kind == F32 else 2
        n = size
        for d in dims:
            n *= d
        w.add_tensor_info(name, dims, np.dtype("float32" if kind == F32 else "float16"), n, kind)
        total += (n + 31) // 32 * 32
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    w.close()
    with open(path, "ab") as f:
        at = f.tell()
        f.truncate((at + 31) // 32 * 32 + total)  # sparse: no number is read
    return [r[0] for r in rows]


def choices(tool, path, kind):
    text = subprocess.run([tool, "--dry-run", path, kind], capture_output=True, text=True)
    out = {}
    for line in (text.stdout + text.stderr).splitlines():
        m = re.search(r"\] +(\S+) +- \[.*type = +(\S+),.*size = .*?(?:\((\S+)\))?$", line)
        if m:
            out[m.group(1)] = (m.group(3) or m.group(2)).upper()
    return out


def main():
    tool = sys.argv[1]
    print("# made by tools/golden_recipes.py")
    for name, shape in SHAPES.items():
        arch, layers, width, heads, kv, dim, ff, vocab, tied, extra = shape
        print("shape", name, layers, heads, kv, extra.get("experts", 0), int(tied))
        for tensor, dims, kind in tensors(*shape):
            if not tensor.startswith("blk.") or tensor.startswith("blk.0."):
                print("tensor", re.sub(r"^blk\.0\.", "blk.%.", tensor), *dims)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.gguf")
            names = write(path, shape)
            for kind in TYPES:
                got = choices(tool, path, kind)
                assert set(got) == set(names), (name, kind, set(names) ^ set(got))
                parts, alike = {}, {}
                for n in names:
                    parts.setdefault(re.sub(r"^blk\.\d+\.", "blk.%.", n), []).append(got[n])
                for part, types in parts.items():
                    alike.setdefault(" ".join(types[:1] if len(set(types)) == 1 else types), []).append(part)
                for types, of in alike.items():
                    print(kind, ",".join(of), types)


main()

#!/usr/bin/env python3
"""Writes a GGUF file of random F16 weights in the shape of a known model: random_model.py SHAPE OUT.gguf

Speed does not depend on what weights say, so a benchmark needs no published file. The vocabulary is made
up too: the 256 bytes, then pairs of earlier pieces (byte-level BPE). Needs the packages numpy and gguf.
Shapes: smollm2-135m smollm2-360m qwen3-0.6b llama-3.2-1b
"""
import sys

import gguf
import numpy as np

#        architecture layers width heads kv dim ff vocabulary context rope
SHAPES = {
    "smollm2-135m": ("llama", 30, 576, 9, 3, 64, 1536, 49152, 8192, 100000.0),
    "smollm2-360m": ("llama", 32, 960, 15, 5, 64, 2560, 49152, 8192, 100000.0),
    "qwen3-0.6b": ("qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1000000.0),
    "llama-3.2-1b": ("llama", 16, 2048, 32, 8, 64, 8192, 128256, 131072, 500000.0),
}


def byte_pieces():
    """The 256 bytes as GPT-2 writes them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shown = {b: chr(b) for b in plain}
    for b in range(256):
        if b not in shown:
            shown[b] = chr(256 + len([x for x in shown if shown[x] >= "\u0100"]))
    return [shown[b] for b in range(256)]


def vocabulary(n):
    pieces, merges = byte_pieces(), []
    known = set(pieces)
    left = 0
    while len(pieces) < n - 1:
        for right in range(256):
            piece = pieces[left] + pieces[right]
            if piece in known:
                continue
            known.add(piece)
            merges.append(pieces[left] + " " + pieces[right])
            pieces.append(piece)
            if len(pieces) == n - 1:
                break
        left += 1
    return pieces + ["<|end|>"], merges


class Weights:
    """Normal numbers of deviation 0.02, cut from one pool: as random as a benchmark needs."""

    def __init__(self):
        self.pool = (np.random.default_rng(7).standard_normal(1 << 23) * 0.02).astype(np.float16)
        self.at = 0

    def take(self, rows, cols):
        n = rows * cols
        self.at = (self.at + 12347) % len(self.pool)
        return np.resize(np.roll(self.pool, -self.at), n).reshape(rows, cols)


def main(shape, path):
    arch, layers, width, heads, kv, dim, ff, words, context, base = SHAPES[shape]
    out = gguf.GGUFWriter(path, arch)
    out.add_name(f"random {shape}")
    out.add_block_count(layers)
    out.add_context_length(context)
    out.add_embedding_length(width)
    out.add_feed_forward_length(ff)
    out.add_head_count(heads)
    out.add_head_count_kv(kv)
    out.add_key_length(dim)
    out.add_value_length(dim)
    out.add_rope_dimension_count(dim)
    out.add_rope_freq_base(base)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(words)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    pieces, merges = vocabulary(words)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(pieces)
    out.add_token_merges(merges)
    out.add_token_types([gguf.TokenType.NORMAL] * (words - 1) + [gguf.TokenType.CONTROL])
    out.add_eos_token_id(words - 1)
    out.add_bos_token_id(words - 1)
    out.add_add_bos_token(False)
    w = Weights()
    one = np.ones(width, np.float32)
    out.add_tensor("token_embd.weight", w.take(words, width))
    out.add_tensor("output_norm.weight", one)
    for i in range(layers):
        out.add_tensor(f"blk.{i}.attn_norm.weight", one)
        out.add_tensor(f"blk.{i}.ffn_norm.weight", one)
        if arch == "qwen3":
            out.add_tensor(f"blk.{i}.attn_q_norm.weight", np.ones(dim, np.float32))
            out.add_tensor(f"blk.{i}.attn_k_norm.weight", np.ones(dim, np.float32))
        for name, rows, cols in (
            ("attn_q", heads * dim, width),
            ("attn_k", kv * dim, width),
            ("attn_v", kv * dim, width),
            ("attn_output", width, heads * dim),
            ("ffn_gate", ff, width),
            ("ffn_up", ff, width),
            ("ffn_down", width, ff),
        ):
            out.add_tensor(f"blk.{i}.{name}.weight", w.take(rows, cols))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])

#!/usr/bin/env python3
"""Turns stories260K (a llama2.c "v0" checkpoint and its tokenizer) into a GGUF file.

    python3 tools/stories_to_gguf.py FOLDER OUT.gguf

Needs nothing but Python. The checkpoint is seven int32 (width, feed-forward, layers, heads,
key/value heads, vocabulary, context) and float32 weights, each kind for all layers; its q and k
rows have the pairs that rotate side by side, as GGUF's Llama files do. The tokenizer is a length,
then score, bytes and text of each piece.
"""

import struct
import sys

U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
ALIGN = 32


def text(s):
    return struct.pack("<Q", len(s)) + s


def pair(key, kind, value):
    return text(key.encode()) + struct.pack("<I", kind) + value


def listed(key, kind, values, pack):
    head = struct.pack("<IQ", kind, len(values))
    return pair(key, ARRAY, head + b"".join(pack(v) for v in values))


def read_pieces(path, count):
    data = open(path, "rb").read()
    at, pieces, scores = 4, [], []
    for _ in range(count):
        score, n = struct.unpack_from("<fi", data, at)
        piece = data[at + 8:at + 8 + n].replace(b" ", "\u2581".encode())
        pieces.append(piece.strip(b"\n") if len(pieces) in (1, 2) else piece)
        scores.append(score)
        at += 8 + n
    return pieces, scores


def tensors(f, width, ff, layers, heads, kv_heads, vocabulary, context):
    d = width // heads
    kinds = [("attn_norm", 1, width), ("attn_q", width, width), ("attn_k", kv_heads * d, width),
             ("attn_v", kv_heads * d, width), ("attn_output", width, width), ("ffn_norm", 1, width),
             ("ffn_gate", ff, width), ("ffn_down", width, ff), ("ffn_up", ff, width)]
    yield "token_embd.weight", [vocabulary, width], f.read(4 * vocabulary * width)
    for name, rows, cols in kinds:
        for i in range(layers):
            shape = [cols] if rows == 1 else [rows, cols]
            yield f"blk.{i}.{name}.weight", shape, f.read(4 * rows * cols)
    yield "output_norm.weight", [width], f.read(4 * width)


def main():
    folder, out = sys.argv[1:]
    f = open(f"{folder}/stories260K.bin", "rb")
    width, ff, layers, heads, kv_heads, vocabulary, context = sizes = struct.unpack("<7i", f.read(28))
    assert vocabulary > 0, "the head is not the embedding"
    pieces, scores = read_pieces(f"{folder}/tok512.bin", vocabulary)
    kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (vocabulary - 259)
    u32 = lambda v: struct.pack("<I", v)
    f32 = lambda v: struct.pack("<f", v)
    numbers = [("context_length", context), ("embedding_length", width), ("block_count", layers),
               ("feed_forward_length", ff), ("attention.head_count", heads),
               ("attention.head_count_kv", kv_heads), ("rope.dimension_count", width // heads)]
    keys = [pair("general.architecture", STRING, text(b"llama")),
            pair("general.name", STRING, text(b"stories260K")),
            pair("llama.attention.layer_norm_rms_epsilon", F32, f32(1e-5)),
            pair("tokenizer.ggml.model", STRING, text(b"llama")),
            listed("tokenizer.ggml.tokens", STRING, pieces, text),
            listed("tokenizer.ggml.scores", F32, scores, f32),
            listed("tokenizer.ggml.token_type", I32, kinds, lambda v: struct.pack("<i", v)),
            pair("tokenizer.ggml.bos_token_id", U32, u32(1)),
            pair("tokenizer.ggml.eos_token_id", U32, u32(2))]
    keys += [pair(f"llama.{k}", U32, u32(v)) for k, v in numbers]
    heads_out, data, count = b"", b"", 0
    for name, shape, values in tensors(f, *sizes):
        heads_out += text(name.encode()) + u32(len(shape))
        heads_out += b"".join(struct.pack("<Q", n) for n in reversed(shape))
        heads_out += u32(0) + struct.pack("<Q", len(data))
        data += values + bytes(-len(values) % ALIGN)
        count += 1
    head = b"GGUF" + struct.pack("<IQQ", 3, count, len(keys)) + b"".join(keys) + heads_out
    open(out, "wb").write(head + bytes(-len(head) % ALIGN) + data)


main()

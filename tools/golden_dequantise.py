"""Golden blocks of every quantised type, dequantised by the gguf package.

    python tools/golden_dequantise.py > tests/tensor/golden/dequantise.txt

Needs numpy and gguf. One line a block: type, the block's bytes in hex, the bytes of its numbers
(little-endian float32) in hex. Blocks: zeros, ones, extremes, and random ones with a fixed seed; scales cover subnormal,
large and negative halves.
"""

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Q
from gguf.quants import dequantize

# type, where its halves lie
TYPES = [
    ("Q8_0", [0]), ("Q4_0", [0]), ("Q4_1", [0, 2]), ("BF16", None), ("F16", None),
    ("Q5_0", [0]), ("Q5_1", [0, 2]), ("IQ4_NL", [0]), ("Q2_K", [80, 82]), ("Q3_K", [108]),
    ("Q4_K", [0, 2]), ("Q5_K", [0, 2]), ("Q6_K", [208]), ("IQ4_XS", [0]),
]
SCALES = [1.0, -0.03125, 6.1e-5, 3.0e-6, 1000.0, 0.0123]


def block_of(rng, name, halves, n):
    if name == "F16":
        return rng.normal(0, 10.0 ** (n - 4), 32).astype(np.float16).view(np.uint8)
    if name == "BF16":
        bits = rng.normal(0, 10.0 ** (n * 4 - 16), 32).astype(np.float32).view(np.uint32) >> 16
        return bits.astype(np.uint16).view(np.uint8)
    size = GGML_QUANT_SIZES[Q[name]][1]
    block = [np.zeros(size, np.uint8), np.full(size, 255, np.uint8), np.full(size, 128, np.uint8)][n] \
        if n < 3 else rng.integers(0, 256, size, dtype=np.uint8)
    for i, at in enumerate(halves):
        half = np.array([SCALES[(n + i * 2) % len(SCALES)]], np.float16)
        block[at : at + 2] = half.view(np.uint8)
    return block


def main():
    rng = np.random.default_rng(17)
    print("# made by tools/golden_dequantise.py")
    for name, halves in TYPES:
        for n in range(5 if name.endswith("_K") or name == "IQ4_XS" else 8):
            block = block_of(rng, name, halves, n)
            values = dequantize(block, Q[name]).astype(np.float32).ravel()
            print(name, block.tobytes().hex(), values.astype("<f4").tobytes().hex())


main()

"""Golden blocks of every quantised type, dequantised by the gguf package.

    python tools/golden_dequantise.py > tests/tensor/golden/dequantise.txt

Needs numpy and gguf. One line a block: type, the block's bytes in hex, its numbers as hexadecimal
floats. Blocks: zeros, ones, extremes, and random ones with a fixed seed; scales cover subnormal,
large and negative halves.
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf.quants import dequantize

TYPES = [("Q8_0", 2, 32, 1), ("Q4_0", 2, 16, 1), ("Q4_1", 4, 16, 2), ("BF16", 0, 64, 0), ("F16", 0, 64, 0)]
SCALES = [1.0, -0.03125, 6.1e-5, 3.0e-6, 1000.0, 0.0123]


def main():
    rng = np.random.default_rng(17)
    print("# made by tools/golden_dequantise.py")
    for name, head, body, halves in TYPES:
        for n in range(8):
            if halves:
                scales = np.array([SCALES[(n + i * 2) % len(SCALES)] for i in range(halves)], np.float16)
                fill = [np.zeros(body, np.uint8), np.full(body, 255, np.uint8), np.full(body, 128, np.uint8)]
                data = fill[n] if n < 3 else rng.integers(0, 256, body, dtype=np.uint8)
                block = np.concatenate([scales.view(np.uint8), data])
            elif name == "F16":
                block = rng.normal(0, 10.0 ** (n - 4), 32).astype(np.float16).view(np.uint8)
            else:
                block = (rng.normal(0, 10.0 ** (n * 4 - 16), 32).astype(np.float32).view(np.uint32) >> 16)
                block = block.astype(np.uint16).view(np.uint8)
            values = dequantize(block, Q[name]).astype(np.float32).ravel()
            print(name, block.tobytes().hex(), *[float(v).hex() for v in values])


main()

"""Files that bantam wrote, read by the packages of others: the gguf package and safetensors.

    python tools/check_files.py SOURCE.gguf QUANTISED.gguf      each tensor near the source's
    python tools/check_files.py FOLDER MADE.gguf                every number of the folder is in there

Needs numpy, gguf and safetensors. Prints one line, exits 1 where something is wrong.
"""

import os
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open

# root of squared error over squares that a type may cost on weights of a network
LIMITS = {"F32": 0, "F16": 1e-3, "BF16": 4e-3, "Q8_0": 0.012, "Q6_K": 0.03, "Q5_K": 0.05, "Q5_1": 0.06,
          "Q5_0": 0.06, "Q4_K": 0.1, "Q4_1": 0.12, "Q4_0": 0.12, "IQ4_NL": 0.12}


def tensors(path):
    return {t.name: t for t in GGUFReader(path).tensors}


def numbers(t):
    return dequantize(t.data, t.tensor_type).astype(np.float32)


def against_file(source, made):
    a, b = tensors(source), tensors(made)
    assert list(a) == list(b), "names differ"
    for name in a:
        x, y, kind = numbers(a[name]), numbers(b[name]), b[name].tensor_type.name
        error = np.sqrt(((x - y) ** 2).sum() / max((x**2).sum(), 1e-30))
        assert np.isfinite(y).all() and error <= LIMITS[kind], f"{name} {kind}: error {error:.4f}"
    return f"{len(a)} tensors, read by the gguf package"


def total(x):  # in double: rows in another order add up to the same
    return round(float(np.abs(x).sum(dtype=np.float64)), 2)


def against_folder(folder, made):
    b = tensors(made)
    sums = {}
    for name in b:
        sums[total(numbers(b[name]))] = name
    found = 0
    with safe_open(os.path.join(folder, "model.safetensors"), "np") as f:
        for name in f.keys():
            t = f.get_tensor(name)
            if t.dtype.kind == "f":
                found += total(t.astype(np.float32)) in sums
    assert found >= len(b), f"{found} of {len(b)} tensors are the folder's"
    return f"{len(b)} tensors of the folder, read by both packages"


def main():
    try:
        print((against_folder if os.path.isdir(sys.argv[1]) else against_file)(*sys.argv[1:3]))
    except AssertionError as e:
        print(e)
        sys.exit(1)


main()

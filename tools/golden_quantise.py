"""How far llama.cpp's own rounding is from the numbers, for tests/tensor/t_quantise.c.

    python tools/golden_quantise.py PATH/llama-quantize > tests/tensor/golden/quantise.txt

Needs numpy and gguf, and llama.cpp's llama-quantize. One line a type: root of squared error over
squares, for a matrix of 2048 x 256 sums of twelve uniform numbers (nearly normal).
"""

import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf.quants import dequantize

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "Q4_K", "Q5_K", "Q6_K"]
FILES = {"Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}


def main():
    rng = np.random.default_rng(1)
    x = (0.02 * (rng.random((12, 2048, 256)).sum(0) - 6)).astype(np.float32)
    print("# made by tools/golden_quantise.py")
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "x.gguf")
        w = gguf.GGUFWriter(source, "llama")
        w.add_block_count(1)
        w.add_context_length(64)
        w.add_embedding_length(256)
        w.add_feed_forward_length(2048)
        w.add_head_count(4)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_vocab_size(64)
        w.add_tensor("blk.0.ffn_up.weight", x)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()
        for name in TYPES:
            target = os.path.join(folder, "y.gguf")
            subprocess.run([sys.argv[1], "--pure", source, target, FILES.get(name, name)], check=True,
                           capture_output=True)
            t = gguf.GGUFReader(target).tensors[0]
            assert t.tensor_type.name == name
            y = dequantize(t.data, t.tensor_type).reshape(x.shape)
            print(name, "%.6f" % np.sqrt(((x - y) ** 2).sum() / (x**2).sum()))


main()

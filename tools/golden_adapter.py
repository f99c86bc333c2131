"""Golden numbers of LoRA adapters on the tiny models of golden_models.py, by merged weights in torch.

    python tools/golden_adapter.py OUT_FOLDER [--llama-cpp FOLDER]

Writes OUT_FOLDER/adapter-NAME.txt; the model is built by tests/model/tiny.h from NAME.txt beside
it. The adapter's numbers follow from its tensors' names (value() there), so a file holds only

    adapter R ALPHA ROOT            rank, lora_alpha, use_rslora
    lora NAME rows cols             a tensor of the PEFT folder's adapter_model.safetensors
    lgguf NAME OP SOURCE rows cols  one of the GGUF adapter as llama.cpp's converter makes it
    lkey NAME VALUE                 its adapter.lora.alpha
    ids, row, top                   as golden_models.py: logits with W + scale * B A
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.numpy import save_file

import golden_models as g

# name: (model, rank, alpha, rslora, modules)
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "llama": ("llama", 4, 8.0, False, ALL + ["lm_head"]),
    "qwen3": ("qwen3", 3, 6.0, True, ["q_proj", "v_proj", "down_proj"]),
    "phi3": ("phi3-window", 2, 4.0, False, ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]),
}


def pairs(weights, modules, rank):
    """PEFT's tensors: A [r, cols], B [rows, r] of each module."""
    out = {}
    for name, w in weights.items():
        module = name.removesuffix(".weight")
        if module.split(".")[-1] in modules:
            base = "base_model.model." + module
            a, b = base + ".lora_A.weight", base + ".lora_B.weight"
            out[a] = g.value(a, (rank, w.shape[1]))
            out[b] = g.value(b, (w.shape[0], rank))
    return out


def merge(model, lora, scale):
    state = model.state_dict()
    for name, b in lora.items():
        if ".lora_B." not in name:
            continue
        a = lora[name.replace(".lora_B.", ".lora_A.")]
        weight = name.removeprefix("base_model.model.").replace(".lora_B", "")
        delta = scale * (b.astype(np.float64) @ a.astype(np.float64))
        state[weight] = (state[weight].double() + torch.from_numpy(delta)).float()
    model.load_state_dict(state)


def converted(llama_cpp, folder, name, rank, alpha, lora):
    peft = folder / "peft"
    peft.mkdir()
    save_file(lora, peft / "adapter_model.safetensors", metadata={"format": "pt"})
    (peft / "adapter_config.json").write_text(json.dumps(
        dict(peft_type="LORA", r=rank, lora_alpha=alpha, target_modules=[])))
    base = folder / "base"
    base.mkdir()
    (base / "config.json").write_text(json.dumps(g.old_config(g.MODELS[name])))
    subprocess.run([sys.executable, str(llama_cpp / "convert_lora_to_gguf.py"), "--base", str(base),
                    "--outtype", "f32", "--outfile", str(folder / "out.gguf"), str(peft)], check=True)
    sys.path.insert(0, str(llama_cpp / "gguf-py"))
    import gguf
    reader = gguf.GGUFReader(folder / "out.gguf")
    lines = [f"lkey adapter.lora.alpha {reader.fields['adapter.lora.alpha'].contents()}"]
    for t in reader.tensors:
        data = np.array(t.data).reshape([int(x) for x in reversed(t.shape)])
        op, source = g.source_of(data, lora, None)
        lines.append(f"lgguf {t.name} {op} {source} {' '.join(map(str, data.shape))}")
    return lines


def make(name, llama_cpp, before):
    base, rank, alpha, root, modules = ADAPTERS[name]
    folder = pathlib.Path(tempfile.mkdtemp())
    model, weights = g.build(base, folder)
    lora = pairs(weights, modules, rank)
    merge(model, lora, alpha / (math.sqrt(rank) if root else rank))
    lines = ["# made by tools/golden_adapter.py", f"adapter {rank} {alpha} {int(root)}"]
    lines += [f"lora {k} {' '.join(map(str, v.shape))}" for k, v in lora.items()]
    if llama_cpp:
        lines += converted(llama_cpp, folder, base, rank, alpha, lora)
    elif before.exists():
        lines += [x for x in before.read_text().split("\n") if x.startswith(("lkey ", "lgguf "))]
    with torch.no_grad():
        lines += g.decoder_lines(model, [g.MODELS[base][1]["max_position_embeddings"]])
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--llama-cpp", type=pathlib.Path)
    a = p.parse_args()
    torch.set_num_threads(2)
    for name in ADAPTERS:
        file = a.out / f"adapter-{name}.txt"
        file.write_text(make(name, a.llama_cpp, file))
        print(name, file.stat().st_size, file=sys.stderr)


if __name__ == "__main__":
    main()

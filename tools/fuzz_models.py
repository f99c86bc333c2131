"""The corpus of tests/fuzz/f_model_open.c: the smallest model of each architecture.

    python tools/fuzz_models.py LLAMA_CPP_FOLDER tests/fuzz/corpus/model_open

Needs what golden_models.py needs. NAME.gguf is 'G' and a GGUF file; NAME.folder is 'F', config.json,
a zero byte and model.safetensors. All weights are zero.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file

import golden_models

SMALL = dict(vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
             num_attention_heads=2, max_position_embeddings=16)
PIECES = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "\u2581a", "\u2581b", "\u2581c", "\u2581d"]


def small(config):
    c = config | SMALL
    kind = c["model_type"]
    c |= {k: 1 for k in ("num_key_value_heads",) if k in c}
    c |= {k: 8 for k in ("head_dim",) if k in c}
    c |= {k: 4 for k in ("sliding_window", "local_attention") if c.get(k)}
    c |= {k: 16 for k in ("moe_intermediate_size",) if k in c}
    if "rope_scaling" in c and "short_factor" in c["rope_scaling"]:
        c["rope_scaling"] = dict(type="longrope", short_factor=[1.0] * 3, long_factor=[2.0] * 3)
        c["original_max_position_embeddings"] = 8
    if kind == "phi3" and "rope_scaling" not in c:
        c["original_max_position_embeddings"] = 16
    if kind == "xlm-roberta":
        c["max_position_embeddings"] = 18
    if kind in ("smollm3", "gemma3_text", "modernbert"):
        c |= dict(num_hidden_layers=2, no_rope_layers=[1, 0])
    if "num_experts" in c:
        c |= dict(num_experts=2, num_experts_per_tok=1)
    return c


def folder_of(kind, config, at):
    start, hf = at / "start", at / "hf"
    start.mkdir()
    (start / "config.json").write_text(json.dumps(dict(architectures=[kind], **config)))
    cls = getattr(transformers, kind)
    more = dict(add_pooling_layer=False) if kind in ("BertModel", "XLMRobertaModel") else {}
    cls(cls.config_class.from_pretrained(start), **more).float().save_pretrained(hf)
    file = hf / "model.safetensors"
    with safe_open(file, "np") as f:
        save_file({k: np.zeros(f.get_slice(k).get_shape(), np.float32) for k in f.keys()}, file,
                  metadata={"format": "pt"})
    return start, hf


def gguf_of(llama_cpp, hf, out):
    sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
    import gguf
    from conversion import get_model_class
    from conversion.base import ModelBase, ModelType, get_model_architecture

    def vocabulary(self):
        self.gguf_writer.add_tokenizer_model("bert")
        self.gguf_writer.add_token_list(PIECES)
        for name, i in (("bos", 1), ("eos", 2), ("unk", 3)):
            getattr(self.gguf_writer, f"add_{name}_token_id")(i)

    (hf / "tokenizer.json").write_text(json.dumps(
        dict(model=dict(vocab={str(i): i for i in range(8)}), added_tokens=[])))
    cls = get_model_class(get_model_architecture(ModelBase.load_hparams(hf, False),
                                                 ModelType.TEXT), mmproj=False)
    cls.set_vocab = vocabulary
    with torch.inference_mode():
        cls(hf, gguf.LlamaFileType.ALL_F32, out).write()


def main():
    llama_cpp, corpus = map(pathlib.Path, sys.argv[1:])
    corpus.mkdir(parents=True, exist_ok=True)
    for name, (kind, config, _) in golden_models.MODELS.items():
        at = pathlib.Path(tempfile.mkdtemp())
        start, hf = folder_of(kind, small(config), at)
        text = (start if len(name) % 2 else hf).joinpath("config.json").read_bytes()
        (corpus / f"{name}.folder").write_bytes(
            b"F" + text + b"\0" + (hf / "model.safetensors").read_bytes())
        gguf_of(llama_cpp, hf, at / "x.gguf")
        (corpus / f"{name}.gguf").write_bytes(b"G" + (at / "x.gguf").read_bytes())
        shutil.rmtree(at)


main()

"""Golden numbers of tiny models of every architecture, made by transformers in float32.

    python tools/golden_models.py OUT_FOLDER [--llama-cpp FOLDER] [NAME...]

Needs torch, transformers, safetensors, numpy and gguf. Weights are not kept: each number follows
from its tensor's name and its place (value() below; tests/model/tiny.h has the same in C), so a
file holds only what must be known to build the model again, and what it must answer:

    config JSON | config4 JSON              config.json as transformers 5 and as 4 writes it
    tensor NAME dims...                     a weight of the folder's model.safetensors
    key NAME KIND value                     GGUF metadata: u32 f32 bool str, [f32] and so on
    gguf NAME OP SOURCE dims...             a GGUF tensor: a weight (OP =), its rows permuted for
                                            H heads (pH), plus one (+), rows from R (rR), a stack
                                            of experts (*: SOURCE has a star), or numbers (#)
    run CONTEXT                             rows that follow hold for a context of this length
    ids N id...                             one sequence
    row P best lse most | top P id:logit..  as golden_smollm2.py
    vector v...                             encoders: the first row of the hidden state, the mean
    query N id... | ids N id... | score v.. cross-encoders: a query, a text, the pair's logits

With --llama-cpp the GGUF lines are made anew by llama.cpp's own converter (its folder, where
convert_hf_to_gguf.py lies): names and metadata then are what its users' files hold. Without, they
are taken over from OUT_FOLDER's files as they are.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file

VOCABULARY, WIDTH, TEXT = 160, 64, 88
DECODER = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=2,
               num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
               rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
HALF = 8
ENCODER = dict(vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=2,
               num_attention_heads=4, max_position_embeddings=128, pad_token_id=0)

# name: (class, config of transformers 4 days, other lengths of context than the model's)
MODELS = {
    "llama": ("LlamaForCausalLM", DECODER | dict(
        model_type="llama", rope_theta=10000.0, attention_bias=True, mlp_bias=True,
        tie_word_embeddings=False, rope_scaling=dict(
            rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32)), []),
    "llama-linear": ("LlamaForCausalLM", DECODER | dict(
        model_type="llama", rope_theta=10000.0, tie_word_embeddings=True, head_dim=32,
        rope_scaling=dict(rope_type="linear", factor=4.0)), []),
    "mistral": ("MistralForCausalLM", DECODER | dict(
        model_type="mistral", rope_theta=10000.0, sliding_window=24, head_dim=16,
        tie_word_embeddings=False), []),
    "smollm3": ("SmolLM3ForCausalLM", DECODER | dict(
        model_type="smollm3", num_hidden_layers=4, no_rope_layer_interval=4,
        no_rope_layers=[1, 1, 1, 0], rope_theta=5000000.0, tie_word_embeddings=True,
        use_sliding_window=False), []),
    "qwen2": ("Qwen2ForCausalLM", DECODER | dict(
        model_type="qwen2", rope_theta=1000000.0, tie_word_embeddings=True,
        use_sliding_window=False, rope_scaling=dict(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=32)), []),
    "qwen3": ("Qwen3ForCausalLM", DECODER | dict(
        model_type="qwen3", rope_theta=1000000.0, head_dim=32, tie_word_embeddings=True,
        attention_bias=False, use_sliding_window=False), []),
    "gemma3": ("Gemma3ForCausalLM", DECODER | dict(
        model_type="gemma3_text", num_hidden_layers=6, num_key_value_heads=1, head_dim=32,
        rope_theta=1000000.0, rope_local_base_freq=10000.0, sliding_window=16,
        query_pre_attn_scalar=32, hidden_activation="gelu_pytorch_tanh",
        rope_scaling=dict(rope_type="linear", factor=8.0), rms_norm_eps=1e-6), []),
    "phi3": ("Phi3ForCausalLM", DECODER | dict(
        model_type="phi3", rope_theta=10000.0, partial_rotary_factor=0.75,
        original_max_position_embeddings=32, tie_word_embeddings=True, sliding_window=None,
        num_attention_heads=2, num_key_value_heads=1, rope_scaling=dict(
            type="longrope", short_factor=[1.0 + 0.05 * i for i in range(12)],
            long_factor=[1.0 + 0.5 * i for i in range(12)])), [32]),
    "phi3-window": ("Phi3ForCausalLM", DECODER | dict(
        model_type="phi3", rope_theta=10000.0, original_max_position_embeddings=128,
        tie_word_embeddings=False, sliding_window=20), []),
    "granite": ("GraniteForCausalLM", DECODER | dict(
        model_type="granite", rope_theta=10000.0, attention_multiplier=0.2,
        embedding_multiplier=6.0, residual_multiplier=0.4, logits_scaling=4.0,
        tie_word_embeddings=True, attention_bias=False, mlp_bias=False), []),
    "ernie4_5": ("Ernie4_5ForCausalLM", DECODER | dict(
        model_type="ernie4_5", rope_theta=500000.0, head_dim=32, tie_word_embeddings=True,
        use_bias=False), []),
    "olmo2": ("Olmo2ForCausalLM", DECODER | dict(
        model_type="olmo2", rope_theta=500000.0, tie_word_embeddings=False), []),
    "qwen3moe": ("Qwen3MoeForCausalLM", DECODER | dict(
        model_type="qwen3_moe", rope_theta=1000000.0, head_dim=32, num_experts=8,
        num_experts_per_tok=3, moe_intermediate_size=32, norm_topk_prob=True,
        decoder_sparse_step=1, mlp_only_layers=[], tie_word_embeddings=False), []),
    "olmoe": ("OlmoeForCausalLM", DECODER | dict(
        model_type="olmoe", rope_theta=10000.0, num_experts=4, num_experts_per_tok=2,
        intermediate_size=32, norm_topk_prob=False, tie_word_embeddings=False), []),
    "bert": ("BertModel", ENCODER | dict(
        model_type="bert", type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12), []),
    "bert-rank": ("BertForSequenceClassification", ENCODER | dict(
        model_type="bert", type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12,
        id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0}), []),
    "xlmr": ("XLMRobertaModel", ENCODER | dict(
        model_type="xlm-roberta", type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5,
        pad_token_id=1, max_position_embeddings=130, bos_token_id=0, eos_token_id=2), []),
    "xlmr-rank": ("XLMRobertaForSequenceClassification", ENCODER | dict(
        model_type="xlm-roberta", type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5,
        pad_token_id=1, max_position_embeddings=130, bos_token_id=0, eos_token_id=2,
        id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0}), []),
    "modernbert": ("ModernBertModel", ENCODER | dict(
        model_type="modernbert", num_hidden_layers=4, global_attn_every_n_layers=3,
        local_attention=16, global_rope_theta=160000.0, local_rope_theta=10000.0, norm_eps=1e-5,
        hidden_activation="gelu", cls_token_id=1, sep_token_id=2, bos_token_id=1,
        eos_token_id=2), []),
    "modernbert-rank": ("ModernBertForSequenceClassification", ENCODER | dict(
        model_type="modernbert", num_hidden_layers=4, global_attn_every_n_layers=3,
        local_attention=16, global_rope_theta=160000.0, local_rope_theta=10000.0, norm_eps=1e-5,
        hidden_activation="gelu", cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2,
        classifier_pooling="mean", id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0}), []),
}
# converter's metadata that says nothing about the numbers
SKIP = ("general.", "tokenizer.", "GGUF.")


def value(name, shape):
    """u of a splitmix64 counter over the name's FNV-1a hash, in [-1/4, 1/4) in steps of 2^-25."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & (2**64 - 1)
    n = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    u = ((z >> np.uint64(40)).astype(np.int64) - 2**23).astype(np.float32) * np.float32(2.0**-25)
    if len(shape) == 1 and name.endswith(".weight"):
        u = np.float32(1) + u
    return u.reshape(shape)


def old_config(spec):
    kind, config, _ = spec
    return {"architectures": [kind]} | config


def build(name, folder):
    """The model with our weights, and the published names of its weights."""
    kind, config, _ = MODELS[name]
    start = folder / "start"
    start.mkdir()
    (start / "config.json").write_text(json.dumps(old_config(MODELS[name])))
    cls = getattr(transformers, kind)
    parsed = cls.config_class.from_pretrained(start)
    parsed._attn_implementation = "eager"
    more = dict(add_pooling_layer=False) if kind in ("BertModel", "XLMRobertaModel") else {}
    cls(parsed, **more).float().save_pretrained(folder / "hf")
    file = folder / "hf" / "model.safetensors"
    with safe_open(file, "np") as f:
        shapes = {k: f.get_slice(k).get_shape() for k in f.keys()}
    weights = {k: value(k, s) for k, s in shapes.items()}
    save_file(weights, file, metadata={"format": "pt"})
    model = cls.from_pretrained(folder / "hf", attn_implementation="eager", dtype=torch.float32,
                                **more).eval()
    return model, weights


def source_of(data, weights, taken):
    """How a GGUF tensor comes from the folder's weights: (op, source)."""
    flat = np.ascontiguousarray(data)
    for k, w in weights.items():
        if flat.shape == w.shape and np.array_equal(flat, w):
            return "=", k
        if flat.shape == w.shape and np.array_equal(flat, w + np.float32(1)):
            return "+", k
        if flat.ndim == 2 and w.ndim == 2 and flat.shape[1] == w.shape[1] and \
                flat.shape[0] < w.shape[0]:
            for at in range(w.shape[0] - flat.shape[0] + 1):
                if np.array_equal(flat, w[at:at + flat.shape[0]]):
                    return f"r{at}", k
        for heads in (1, 2, 4):
            if flat.shape == w.shape and w.shape[0] % (2 * heads) == 0:
                turned = w.reshape(heads, 2, w.shape[0] // heads // 2, -1).swapaxes(1, 2)
                if np.array_equal(flat, turned.reshape(w.shape)):
                    return f"p{heads}", k
    if flat.ndim == 3:
        for k in weights:
            if ".experts.0." in k and np.array_equal(flat[0], weights[k]):
                star = k.replace(".experts.0.", ".experts.*.")
                assert all(np.array_equal(flat[e], weights[star.replace("*", str(e))])
                           for e in range(len(flat)))
                return "*", star
    if flat.ndim == 1 and flat.size <= 64:
        return "#", ",".join(repr(float(v)) for v in flat)
    raise SystemExit(f"no source for a tensor of shape {flat.shape}")


def convert(llama_cpp, folder, weights):
    """The GGUF lines, by llama.cpp's converter."""
    sys.path.insert(0, str(llama_cpp))
    sys.path.insert(1, str(llama_cpp / "gguf-py"))
    import gguf
    from conversion import get_model_class
    from conversion.base import ModelBase, ModelType, get_model_architecture
    hf, out = folder / "hf", folder / "tiny.gguf"
    (hf / "tokenizer.json").write_text(json.dumps(
        dict(model=dict(vocab={str(i): i for i in range(VOCABULARY)}), added_tokens=[])))
    architecture = get_model_architecture(ModelBase.load_hparams(hf, False), ModelType.TEXT)
    cls = get_model_class(architecture, mmproj=False)
    cls.set_vocab = lambda self: None
    with torch.inference_mode():
        cls(hf, gguf.LlamaFileType.ALL_F32, out).write()
    reader = gguf.GGUFReader(out)
    lines = [f"key general.architecture str {reader.fields['general.architecture'].contents()}"]
    for key, field in reader.fields.items():
        if key.startswith(SKIP):
            continue
        kind = field.types[0].name.lower().replace("string", "str").replace("float", "f")
        kind = kind.replace("uint", "u").replace("bool", "bool")
        v = field.contents()
        if kind == "array":
            kind = "[" + field.types[-1].name.lower().replace("float", "f").replace("uint", "u") + "]"
            lines.append(f"key {key} {kind} {','.join(str(int(x)) if isinstance(x, bool) else repr(x) for x in v)}")
        else:
            lines.append(f"key {key} {kind} {int(v) if isinstance(v, bool) else v}")
    for t in reader.tensors:
        data = np.array(t.data).reshape([int(x) for x in reversed(t.shape)])
        op, source = source_of(data, weights, None)
        lines.append(f"gguf {t.name} {op} {source} {' '.join(map(str, data.shape))}")
    return lines


def ids_of(n, seed):
    return [int(x) for x in np.random.default_rng(seed).integers(3, VOCABULARY, n)]


def decoder_lines(model, lengths):
    lines = []
    for context in lengths:
        n = min(TEXT, context)
        ids = ids_of(n, 7)
        lines += [f"run {context}", f"ids {n} {' '.join(map(str, ids))}"]
        logits = model(torch.tensor([ids])).logits[0].double()
        for p in sorted({0, n // 3, n // 2 + 1, n - 1}):
            row = logits[p]
            top = torch.topk(row, 64)
            lines.append(f"row {p} {int(row.argmax())} {torch.logsumexp(row, 0):.7f} "
                         f"{row.abs().max():.7f}")
            lines.append(f"top {p} " + " ".join(
                f"{i}:{v:.6f}" for v, i in zip(top.values.tolist(), top.indices.tolist())))
    return lines


def encoder_lines(model, first, last):
    lines = []
    for n, seed in ((TEXT, 7), (5, 8), (41, 9)):
        ids = [first] + ids_of(n - 2, seed) + [last]
        lines += [f"ids {n} {' '.join(map(str, ids))}"]
        hidden = model(torch.tensor([ids])).last_hidden_state[0]
        for row in (hidden[0], hidden.mean(0)):
            row = torch.nn.functional.normalize(row, dim=0)
            lines.append("vector " + " ".join(f"{v:.7g}" for v in row.tolist()))
    return lines


def rank_lines(model, kind, first, last):
    """Pairs: one query, three texts; markers as each kind has them, segments where it has two."""
    query, lines = ids_of(7, 6), []
    lines.append(f"query {len(query)} {' '.join(map(str, query))}")
    for n, seed in ((70, 7), (3, 8), (39, 9)):
        text = ids_of(n, seed)
        front = [first] + query + [last] * (2 if kind == "xlm-roberta" else 1)
        ids = torch.tensor([front + text + [last]])
        segments = torch.tensor([[0] * len(front) + [1] * (n + 1)])
        more = dict(token_type_ids=segments) if kind == "bert" else {}
        lines.append(f"ids {n} {' '.join(map(str, text))}")
        lines.append("score " + " ".join(f"{v:.7f}" for v in model(ids, **more).logits[0].tolist()))
    return lines


def make(name, llama_cpp, before):
    folder = pathlib.Path(tempfile.mkdtemp())
    model, weights = build(name, folder)
    new = json.loads((folder / "hf" / "config.json").read_text())
    new.pop("transformers_version", None)
    lines = ["# made by tools/golden_models.py", "config " + json.dumps(new, sort_keys=True),
             "config4 " + json.dumps(old_config(MODELS[name]), sort_keys=True)]
    lines += [f"tensor {k} {' '.join(map(str, w.shape))}" for k, w in weights.items()]
    if llama_cpp:
        lines += convert(llama_cpp, folder, weights)
    elif before.exists():
        lines += [x for x in before.read_text().split("\n") if x.startswith(("key ", "gguf "))]
    with torch.no_grad():
        config = MODELS[name][1]
        if "CausalLM" in MODELS[name][0]:
            lines += decoder_lines(model, MODELS[name][2] + [config["max_position_embeddings"]])
        else:
            kind = config["model_type"]
            first = 0 if kind == "xlm-roberta" else 1
            lines += rank_lines(model, kind, first, 2) if "-rank" in name else \
                encoder_lines(model, first, 2)
    shutil.rmtree(folder)
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--llama-cpp", type=pathlib.Path)
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    torch.set_num_threads(2)
    a.out.mkdir(exist_ok=True)
    for name in a.names or MODELS:
        file = a.out / f"{name}.txt"
        file.write_text(make(name, a.llama_cpp, file))
        print(name, file.stat().st_size, file=sys.stderr)


if __name__ == "__main__":
    main()

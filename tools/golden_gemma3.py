"""Golden numbers of a Gemma 3 GGUF file, made by PyTorch on its dequantised weights.

    python tools/golden_gemma3.py MODEL.gguf > tests/model/golden/gemma3.txt

Needs torch, transformers and gguf. The text is the beginning of LICENSE, longer than the window of
the local layers; the form is golden_smollm2.py's. A Gemma GGUF file has its norms plus one, which
transformers wants as they were.
"""

import pathlib
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

TEXT_BYTES = 3300
NAMES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}


def ids_of(reader, text):
    """SentencePiece BPE: joins the neighbours whose piece has the best score, until none is left."""
    value = lambda k: reader.fields["tokenizer.ggml." + k].contents()
    pieces = {p: i for i, p in enumerate(value("tokens"))}
    scores = value("scores")
    parts = list(text.replace(" ", "\u2581"))
    while True:
        best, at = -1e30, -1
        for i in range(len(parts) - 1):
            k = pieces.get(parts[i] + parts[i + 1])
            if k is not None and scores[k] > best:
                best, at = scores[k], i
        if at < 0:
            return [value("bos_token_id")] + [pieces[p] for p in parts]
        parts[at:at + 2] = [parts[at] + parts[at + 1]]


def load(reader):
    meta = lambda k: reader.fields["gemma3." + k].contents()
    config = Gemma3TextConfig(
        vocab_size=len(reader.fields["tokenizer.ggml.tokens"].contents()),
        hidden_size=meta("embedding_length"), intermediate_size=meta("feed_forward_length"),
        num_hidden_layers=meta("block_count"), num_attention_heads=meta("attention.head_count"),
        num_key_value_heads=meta("attention.head_count_kv"), head_dim=meta("attention.key_length"),
        max_position_embeddings=meta("context_length"),
        rms_norm_eps=meta("attention.layer_norm_rms_epsilon"),
        sliding_window=meta("attention.sliding_window"), rope_theta=meta("rope.freq_base"),
        query_pre_attn_scalar=meta("attention.key_length"), rope_local_base_freq=10000.0)
    config._attn_implementation = "eager"
    model = Gemma3ForCausalLM(config).float().eval()
    state = {}
    for t in reader.tensors:
        w = dequantize(t.data, t.tensor_type).astype(np.float32)
        if "norm" in t.name:
            w = w - 1
        if t.name == "token_embd.weight":
            state["model.embed_tokens.weight"] = w
        elif t.name == "output_norm.weight":
            state["model.norm.weight"] = w
        else:
            _, layer, part, _ = t.name.split(".")
            state[f"model.layers.{layer}.{NAMES[part]}.weight"] = w
    state = {k: torch.tensor(np.ascontiguousarray(v)) for k, v in state.items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    missing, extra = model.load_state_dict(state, strict=False)
    assert not missing and not extra, (missing, extra)
    return model


def main():
    torch.set_num_threads(2)
    reader = GGUFReader(sys.argv[1])
    text = pathlib.Path(__file__).parent.parent.joinpath("LICENSE").read_text()[:TEXT_BYTES]
    ids = ids_of(reader, " ".join(text.split()))
    model = load(reader)
    print("# made by tools/golden_gemma3.py")
    print("ids", len(ids), *ids)
    with torch.no_grad():
        hidden = model.model(torch.tensor([ids])).last_hidden_state[0]
        for p in (0, len(ids) // 3, model.config.sliding_window + 20, len(ids) - 1):
            row = model.lm_head(hidden[p]).double()
            top = torch.topk(row, 64)
            print("row", p, int(row.argmax()), f"{torch.logsumexp(row, 0):.7f}",
                  f"{row.abs().max():.7f}")
            print("top", p, *[f"{i}:{v:.6f}"
                              for v, i in zip(top.values.tolist(), top.indices.tolist())])


main()
